"""The file of names: whole or as it was, whatever happens meanwhile."""

import os
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctmonitor.cli import export
from ctmonitor.errors import ConfigError, CTMonitorError, StoreUnavailable

NAMES = [f"{number:05}.example" for number in range(25_001)]


def failing(names: list[str]) -> Iterator[str]:
    yield from names
    raise StoreUnavailable("locked")


def test_a_name_a_line_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there" / "names.txt"
    assert export.write(iter(NAMES), str(path)) == len(NAMES)
    assert path.read_text("utf-8").splitlines() == NAMES
    assert path.read_bytes().endswith(b"\n")
    assert export.write([], str(path)) == 0
    assert path.read_bytes() == b""
    export.write(["b\u00fccher.example"], str(path))
    assert path.read_bytes() == b"b\xc3\xbccher.example\n"


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("old\n")

    def looking() -> Iterator[str]:
        yield from NAMES
        assert path.read_text() == "old\n"

    export.write(looking(), str(path))
    assert len(path.read_text().splitlines()) == len(NAMES)
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_file_as_it_was_and_nothing_beside_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "names.txt"
    path.write_text("old\n")
    with pytest.raises(StoreUnavailable):
        export.write(failing(NAMES), str(path))
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_keeps_its_mode_and_a_link_stays(
    tmp_path: Path, mode: int
) -> None:
    path, link = tmp_path / "names.txt", tmp_path / "link"
    path.write_text("old\n")
    path.chmod(mode)
    link.symlink_to(path.name)
    export.write(["new"], str(link))
    assert link.is_symlink()
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        export.write(["a"], str(tmp_path / "names.txt"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "names.txt").stat().st_mode) == 0o640


def test_a_pipe_is_written_and_stays_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()))
    reader.start()
    export.check(str(path), "--export")
    assert export.write(["a", "b"], str(path)) == 2
    reader.join(10)
    assert read == ["a\nb\n"]
    assert path.is_fifo()


def test_standard_output_gets_names_alone(capsys: pytest.CaptureFixture[str]) -> None:
    export.check("-", "--export")
    assert export.write(["a", "b"], "-") == 2
    assert capsys.readouterr().out == "a\nb\n"


def written(path: str) -> int:
    export.check(path, "--export")
    return export.write(["a"], path)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "'.*' is a directory. Name a file"),
        ("file/names.txt", "'.*file' is no directory"),
        ("x" * 300, "name too long"),
        ("a\0b", "null (byte|char)"),
        ("loop", "loop|levels of symbolic links"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(CTMonitorError, match=f"(?i){why}"):
        written(f"{tmp_path}/{name}")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "loop"]


def test_where_this_user_may_not_write_is_told_before(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match=r"--export: .* cannot be written by this"):
        export.check(str(tmp_path / "new" / "names.txt"), "--export")


def test_what_fails_meanwhile_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CTMonitorError, match=r"cannot be written to '.*': "):
        export.write(["a"], str(tmp_path / "file" / "names.txt"))


def test_a_million_names_take_little_memory(tmp_path: Path) -> None:
    names = (f"{number:07}.example" for number in range(300_000))
    tracemalloc.start()
    try:
        export.write(names, str(tmp_path / "names.txt"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5_000_000  # the file has 4.8 MB, a list of its lines 20 MB
