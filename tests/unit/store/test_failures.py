"""Databases that cannot be used: the sentence, what stays, and when to try again."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ctmonitor.errors import StoreError, StoreUnavailable
from ctmonitor.model.batch import Cursor
from ctmonitor.model.finding import Novelty
from tests.postgres import fresh_database, server_address
from tests.unit.store.making import (
    CHILD_ENVIRONMENT,
    ORIGINAL_TABLE,
    TABLE,
    Place,
    finding,
)


@contextmanager
def held(path: Path) -> Iterator[sqlite3.Connection]:
    """Another program that has begun to write, and takes its time."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


def test_a_lock_held_too_long_is_told_and_a_retry_succeeds(file: Place) -> None:
    assert file.db_file is not None
    with file.open(busy_timeout_s=0.1) as store:
        with held(file.db_file):
            with pytest.raises(StoreUnavailable, match="is locked by another program"):
                store.record([finding("a.example")], cursor=Cursor("log", "1"))
            with pytest.raises(StoreUnavailable, match="locked"):
                file.open(busy_timeout_s=0.1)
        assert file.count(TABLE) == 0
        (told,) = store.record([finding("a.example")], cursor=Cursor("log", "1"))
        assert told.novelty is Novelty.NEW


def test_a_lock_that_is_given_back_in_time_is_waited_for(file: Place) -> None:
    assert file.db_file is not None
    has_begun = threading.Event()

    def write_slowly(path: Path) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO CertMon (Domain) VALUES ('other.example')")
        has_begun.set()
        threading.Event().wait(0.3)
        other.execute("COMMIT")
        other.close()

    with file.open() as store:
        other = threading.Thread(target=write_slowly, args=(file.db_file,))
        other.start()
        assert has_begun.wait(10)
        told = store.record([finding("a.example"), finding("other.example")])
        other.join()
    assert [each.novelty for each in told] == [Novelty.NEW, Novelty.KNOWN]


def test_a_locked_original_file_is_told(file: Place) -> None:
    """It has to be turned to write-ahead logging first, which needs the file alone."""
    assert file.db_file is not None
    file.sql(ORIGINAL_TABLE)
    with (
        held(file.db_file),
        pytest.raises(StoreUnavailable, match="is locked by another program"),
    ):
        file.open(busy_timeout_s=0.1)
    file.open().close()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ctmonitor.errors import StoreUnavailable
from ctmonitor.model.batch import Cursor
from tests.unit.store.making import Place, finding

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
place = Place(Path(sys.argv[1]), "")
with place.open() as store:
    store.record([finding("before.example")], cursor=Cursor("log", "0"))
    size = max(path.stat().st_size for path in place.db_file.parent.iterdir())
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, hard))
    batch = [finding(f"h{number}.example") for number in range(5000)]
    for _ in range(3):
        try:
            store.record(batch, cursor=Cursor("log", "1"))
        except StoreUnavailable as exc:
            print("unavailable:", exc)
        else:
            print("written")
    assert list(place.details()) == ["before.example"], "half written"
    assert store.cursor("log") == Cursor("log", "0")
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    told = store.record(batch, cursor=Cursor("log", "1"))
    assert {each.novelty.value for each in told} == {"new"}
    print("told", len(told))
"""


def test_a_full_disk_leaves_nothing_half_written_and_a_retry_succeeds(
    file: Place,
) -> None:
    output = _python(FULL_DISK, str(file.db_file)).splitlines()
    assert len(output) == 4
    for line in output[:3]:
        assert line.startswith(f"unavailable: The database {file.db_file} cannot")
        assert "disk" in line
    assert output[3] == "told 5000"
    assert file.count(TABLE) == 5001


def _python(program: str, *arguments: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=CHILD_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


REFUSED = """
import os, sys
from pathlib import Path
from ctmonitor.errors import StoreError
from tests.unit.store.making import Place, finding

directory = Path(sys.argv[1])
if os.getuid() == 0:  # root ignores refused permissions
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for name in ("read-only.db", "shut/new.db", "shut/certs.db", "shut/none/certs.db"):
    try:
        Place(directory / name, "").open()
    except StoreError as exc:
        print(type(exc).__name__, exc)
reader = Place(directory / "shut/certs.db", "")
print(list(reader.details()))
try:
    Place(directory / "secret.db", "").reader()
except StoreError as exc:
    print(exc)
"""


def test_refused_permissions_are_told_with_the_path(tmp_path: Path) -> None:
    for name in ("read-only.db", "secret.db", "certs.db"):
        with Place(tmp_path / name, "").open() as store:
            store.record([finding("a.example")])
    shut = tmp_path / "shut"
    shut.mkdir()
    (tmp_path / "certs.db").rename(shut / "certs.db")
    (tmp_path / "read-only.db").chmod(0o444)
    (shut / "certs.db").chmod(0o444)
    (tmp_path / "secret.db").chmod(0)
    shut.chmod(0o555)
    # As root the child becomes `nobody`, who may not enter pytest's folders.
    ours = (tmp_path, *tmp_path.parents) if os.getuid() == 0 else ()
    opened = [path for path in ours if not path.stat().st_mode & 0o001]
    before = [path.stat().st_mode for path in opened]
    try:
        for path in opened:
            path.chmod(path.stat().st_mode | 0o755)
        output = _python(REFUSED, str(tmp_path)).splitlines()
    finally:
        shut.chmod(0o755)
        for path, mode in zip(opened, before, strict=True):
            path.chmod(mode)
    assert f"StoreError The database {tmp_path}/read-only.db cannot be wr" in output[0]
    assert f"StoreError The directory {shut} cannot be written" in output[1]
    assert f"StoreError The database {shut}/certs.db cannot be written" in output[2]
    assert f"The directory {shut}/none of the database cannot be used" in output[3]
    # An analyst may read where nothing may be created.
    assert output[4] == "['a.example']"
    assert f"{tmp_path}/secret.db cannot be read" in output[5]


def test_a_directory_is_created_and_a_directory_is_no_file(tmp_path: Path) -> None:
    Place(tmp_path / "a" / "b" / "certs.db", "").open().close()
    assert (tmp_path / "a" / "b" / "certs.db").is_file()
    with pytest.raises(StoreError, match="is a directory"):
        Place(tmp_path / "a", "").open()
    with pytest.raises(StoreError, match="of the database cannot be used"):
        Place(tmp_path / "a" / "b" / "certs.db" / "x", "").open()


def test_a_file_that_is_no_database_is_told_and_kept(file: Place) -> None:
    assert file.db_file is not None
    file.db_file.write_bytes(b"Domain,SAN\n" * 1000)
    with pytest.raises(StoreError, match="is not an SQLite database") as caught:
        file.open()
    assert not isinstance(caught.value, StoreUnavailable)
    assert str(file.db_file) in str(caught.value)
    assert file.db_file.read_bytes() == b"Domain,SAN\n" * 1000


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_told(file: Place, kept: float) -> None:
    assert file.db_file is not None
    with file.open() as store:
        store.record([finding(f"h{number}.example") for number in range(3000)])
    size = file.db_file.stat().st_size
    os.truncate(file.db_file, int(size * kept))
    with pytest.raises(StoreError, match="is damaged"):
        file.open()


def test_damage_that_shows_later_is_told_too(file: Place) -> None:
    assert file.db_file is not None
    with file.open() as store:
        store.record([finding(f"h{number}.example") for number in range(3000)])
    raw = bytearray(file.db_file.read_bytes())
    for start in range(8 * 4096, len(raw), 4096):
        raw[start : start + 512] = b"\xff" * 512
    file.db_file.write_bytes(raw)
    with pytest.raises(StoreError, match="is damaged"), file.open() as store:
        store.record([finding(f"h{number}.example") for number in range(9000)])


def test_a_table_that_leaves_out_rows_is_told_and_nothing_is_written(
    file: Place,
) -> None:
    file.open().close()
    file.sql("CREATE UNIQUE INDEX once ON CertMon (Issuer)")
    with file.open() as store:
        store.record([finding("a.example")])
        with pytest.raises(StoreError, match=r"leaves out its row.*table CertMon"):
            store.record([finding("b.example")], cursor=Cursor("log", "1"))
        assert store.cursor("log") is None
    assert list(file.details()) == ["a.example"]


def test_an_empty_file_is_a_new_database(file: Place) -> None:
    assert file.db_file is not None
    file.db_file.touch()
    with file.open() as store:
        assert store.record([finding("a.example")])[0].novelty is Novelty.NEW


def test_closing_twice_is_allowed_and_the_log_is_put_away(file: Place) -> None:
    assert file.db_file is not None
    store = file.open()
    store.record([finding("a.example")])
    store.close()
    store.close()
    assert [path.name for path in file.db_file.parent.iterdir()] == ["certs.db"]


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"password": "Wrong-Secret"}, "refused the password"),
        ({"database": "ctm_test_none"}, "does not exist: .*createdb"),
        ({"username": "ctm_test_nobody"}, "refused the (password|user)"),
        ({"port": 1}, "cannot be reached"),
        ({"host": "unknown.invalid"}, "cannot be reached"),
    ],
)
def test_a_server_that_refuses_is_told_without_the_password(
    change: dict[str, str], sentence: str
) -> None:
    from sqlalchemy import make_url

    url = make_url(server_address())
    changed = url.set(**change).render_as_string(hide_password=False)
    with pytest.raises(StoreError, match=sentence) as caught:
        Place(None, changed).open()
    for secret in (url.password, "Wrong-Secret"):
        assert secret is None or secret not in str(caught.value)
    assert isinstance(caught.value, StoreUnavailable) == ("reached" in sentence)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://user:Hidden-1@[::1/x", "cannot be read"),
        ("postgresql://user:Hidden-1@host:port/x", "cannot be read"),
        ("Hidden-1", "cannot be read"),
        ("mysql://user:Hidden-1@host/x", "begins with 'mysql'"),
    ],
)
def test_an_address_that_is_none_is_told_without_the_password(
    url: str, sentence: str
) -> None:
    with pytest.raises(StoreError, match=sentence) as caught:
        Place(None, url).open()
    assert "Hidden-1" not in str(caught.value)
    assert caught.value.__cause__ is None


WITHOUT_DRIVER = """
import sys
sys.modules["psycopg"] = None
from ctmonitor.errors import StoreError
from tests.unit.store.making import Place
try:
    Place(None, "postgresql://u:p@127.0.0.1:1/x").open()
except StoreError as exc:
    print(exc)
"""


def test_a_missing_driver_is_told_with_the_command_that_brings_it() -> None:
    assert "pip install ctmonitor[postgresql]" in _python(WITHOUT_DRIVER)


@pytest.mark.postgresql
def test_a_database_that_cannot_hold_all_names_is_refused() -> None:
    with (
        fresh_database(encoding="LATIN1") as url,
        pytest.raises(StoreError, match="encoding LATIN1"),
    ):
        Place(None, url).open()


@pytest.mark.postgresql
def test_a_connection_that_was_cut_is_told_and_made_anew(server: Place) -> None:
    with server.open() as store:
        store.record([finding("a.example")])
        server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(StoreUnavailable):
            store.record([finding("b.example")], cursor=Cursor("log", "1"))
        (told,) = store.record([finding("b.example")], cursor=Cursor("log", "1"))
        assert told.novelty is Novelty.NEW


@pytest.mark.postgresql
def test_a_writer_that_takes_too_long_is_not_waited_for(server: Place) -> None:
    with (
        server.open() as slow,
        server.open(busy_timeout_s=0.2) as store,
    ):
        with (
            slow._database.writing(),
            pytest.raises(StoreUnavailable, match="is locked by another program"),
        ):
            store.record([finding("a.example")])
        assert store.record([finding("a.example")])[0].novelty is Novelty.NEW


@pytest.mark.postgresql
def test_a_server_that_only_reads_is_told(server: Place) -> None:
    server.open().close()
    server.sql(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET "
        "default_transaction_read_only = on', current_database()); END $$"
    )
    with server.open() as store, pytest.raises(StoreError, match="is read-only"):
        store.record([finding("a.example")])
