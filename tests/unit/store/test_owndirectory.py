"""Watched domains in a directory: files of one user, replaced as a whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ctmonitor.errors import Busy, StoreError
from ctmonitor.model.own import DomainState
from ctmonitor.store.owndirectory import DirectoryStates
from tests.unit.store.making import CHILD_ENVIRONMENT, NOON
from tests.unit.store.watching import DOMAIN, full_state, message

LEASE_S = 900.0


def test_files_are_the_users_alone_and_named_as_their_domain(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "own"
    states = DirectoryStates(directory)
    with states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN), [message()])
    assert sorted(path.name for path in directory.iterdir()) == [".lock", DOMAIN]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert (directory / DOMAIN).read_bytes().startswith(b'{"domain":"example.com",')


def test_what_a_dead_writer_left_is_in_nobodys_way(tmp_path: Path) -> None:
    states = DirectoryStates(tmp_path)
    left = tmp_path / ".writing"
    left.write_bytes(b"half")
    left.chmod(0o444)
    with states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN))
        assert states.domains() == [DOMAIN]
    assert not left.exists()


def test_a_file_that_another_program_wrote_meanwhile_is_not_written_over(
    tmp_path: Path,
) -> None:
    states = DirectoryStates(tmp_path)
    with states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN))
        (tmp_path / DOMAIN).write_bytes(b"1234")
        with pytest.raises(Busy, match=r"another program wrote example\.com"):
            states.save(DomainState(DOMAIN))
        assert (tmp_path / DOMAIN).read_bytes() == b"1234"
        assert states.load(DOMAIN) is not None
        states.save(DomainState(DOMAIN))


def test_a_lock_that_was_removed_is_lost(tmp_path: Path) -> None:
    states = DirectoryStates(tmp_path)
    with states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN), [message()])
        (tmp_path / ".lock").unlink()
        other = DirectoryStates(tmp_path)
        with other.lock("b", LEASE_S), pytest.raises(Busy):
            states.box().due(NOON, 9, 60, "s")
        with pytest.raises(Busy):
            states.save(DomainState(DOMAIN))


def test_no_directory_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match=r"cannot be used: .* State") as caught:
            DirectoryStates(path)
        assert str(path) in str(caught.value)


def test_a_folder_in_place_of_a_document_is_told_and_others_go_on(
    tmp_path: Path,
) -> None:
    (tmp_path / DOMAIN).mkdir()
    states = DirectoryStates(tmp_path)
    with pytest.raises(StoreError, match="Is a directory"):
        states.load(DOMAIN)
    assert states.load("example.org") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root ignores refused permissions")
def test_a_missing_right_is_told(tmp_path: Path) -> None:
    states = DirectoryStates(tmp_path)
    with states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN))
        (tmp_path / DOMAIN).chmod(0)
        with pytest.raises(StoreError, match="Permission denied"):
            states.load(DOMAIN)
        (tmp_path / DOMAIN).chmod(0o600)
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(StoreError, match="Let this user read and write"):
                states.save(DomainState("example.org"))
        finally:
            tmp_path.chmod(0o700)


FULL = """
import resource, sys
from pathlib import Path
from ctmonitor.errors import StoreUnavailable
from ctmonitor.store.owndirectory import DirectoryStates
from tests.unit.store.watching import full_state, message

states = DirectoryStates(Path(sys.argv[1]))
with states.lock("a", 60):
    state = states.load("example.com")
    state.certificates *= 1000
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        states.save(state, [message()])
    except StoreUnavailable as exc:
        print(exc)
"""


def test_on_a_full_disk_the_old_document_stays(tmp_path: Path) -> None:
    states = DirectoryStates(tmp_path)
    with states.lock("a", LEASE_S):
        states.save(full_state())
    before = (tmp_path / DOMAIN).read_bytes()

    done = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path],
        env=CHILD_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "cannot be used now: File too large" in done.stdout
    assert (tmp_path / DOMAIN).read_bytes() == before
    assert not (tmp_path / ".writing").exists()
