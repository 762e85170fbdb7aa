"""Where an alert lies: below its directory, whole, whatever the host is called."""

import errno
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.alerts.jsonfile import AlertFiles, alert_path
from ctmonitor.errors import AlertError
from tests.unit.alerts.making import HOST, ROOT, alert, checked

# 01:30 in a zone where the UTC date is that of the day before
MOMENT = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../../b.example",
    "a..b",
    ".hidden.example",
    "trailing.example.",
    "*.example.com",
    "-rf.example",
    "nul\x00.example",
    "new\nline.example",
    "back\\slash.example",
    "~root.example",
    "%2e%2e.example",
    "%2F.example",
    "söké.example",
    "\ud800.example",
    "\u202egpj.example",
    "x" * 255,
    "x" * 500,
    "é" * 255,
    ".".join(["a" * 61] * 4) + ".abc",  # a name of 251 characters
    ".".join(["x"] * 250),
    "CON",
]


def path_of(host: str, *, fqdn_dirs: bool = False) -> Path:
    return alert_path("alerts", host, MOMENT, fqdn_dirs=fqdn_dirs)


def test_a_file_is_named_by_its_host() -> None:
    assert path_of("login.paypal.com") == Path("alerts/login.paypal.com.json")


def test_with_fqdn_dirs_each_label_is_a_directory_the_top_one_first() -> None:
    made = path_of("login.paypal.com", fqdn_dirs=True)
    assert made == Path("alerts/com/paypal/login/login.paypal.com.json")


def test_the_directory_has_the_local_time() -> None:
    made = alert_path("a/%Y/%m/%d/%H-%M/%%", "x.example", MOMENT)
    assert made == Path("a/2026/03/01/01-30/%%/x.example.json")


def test_a_host_cannot_bring_a_time_in() -> None:
    assert "2026" not in str(path_of("%Y.example"))


@pytest.mark.parametrize("host", HOSTILE, ids=lambda host: ascii(host)[:30])
@pytest.mark.parametrize("fqdn_dirs", [False, True])
def test_a_hostile_name_is_written_below_the_directory(
    tmp_path: Path, host: str, fqdn_dirs: bool
) -> None:
    inner = tmp_path / "alerts"
    told = {"hostname": host, "visited_at": "2026-11-21T12:00:00Z"}
    path = write(AlertFiles(str(inner), fqdn_dirs=fqdn_dirs), told)
    assert path.resolve().is_relative_to(inner.resolve())
    assert json.loads(path.read_bytes())["visited_at"] == told["visited_at"]
    written = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert written == [path]
    assert not path.name.startswith((".", "-"))


@given(host=st.text(max_size=300), fqdn_dirs=st.booleans())
def test_no_name_leaves_the_directory(host: str, fqdn_dirs: bool) -> None:
    path = path_of(host, fqdn_dirs=fqdn_dirs)
    root = os.path.normpath("alerts") + os.sep
    assert os.path.normpath(path).startswith(root)
    assert os.path.normpath(path) == str(path)
    assert "\x00" not in str(path)
    for part in path.parts:
        assert len(os.fsencode(part)) <= 255
        assert part.isascii()


@given(
    one=st.text("ab.-%*/\u00e9E2", max_size=12),
    other=st.text("ab.-%*/\u00e9E2", max_size=12),
)
def test_different_hosts_have_different_files(one: str, other: str) -> None:
    is_same = one.removesuffix(".") == other.removesuffix(".")
    assert (path_of(one) == path_of(other)) is is_same


def test_long_names_with_one_beginning_have_different_files() -> None:
    assert path_of("x" * 300 + "a") != path_of("x" * 300 + "b")


@pytest.fixture
def somewhere_else() -> Iterator[None]:
    """Local time is two hours ahead of UTC, without summer time."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "XYZ-2"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def write(files: AlertFiles, told: dict[str, Any]) -> Path:
    """The file of one alert; an alert that was not written is raised."""
    (result,) = files.write([told])
    if isinstance(result, AlertError):
        raise result
    return result


@pytest.mark.usefixtures("somewhere_else")
def test_an_alert_lies_under_the_local_time_of_its_visit(tmp_path: Path) -> None:
    told = alert() | {"visited_at": "2026-11-21T23:30:00Z"}
    path = write(AlertFiles(f"{tmp_path}/%Y/%m/%d/%H"), told)
    assert path == tmp_path / "2026/11/22/01" / f"{HOST}.json"
    assert checked(json.loads(path.read_text("utf-8"))) == told


def test_a_further_alert_takes_the_place_of_the_file(tmp_path: Path) -> None:
    files = AlertFiles(str(tmp_path))
    write(files, alert())
    path = write(files, alert() | {"http_code": 404})
    assert json.loads(path.read_text("utf-8"))["http_code"] == 404
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write(AlertFiles(str(tmp_path)), alert())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_alert_without_a_time_is_told(tmp_path: Path) -> None:
    with pytest.raises(AlertError, match="no readable time"):
        write(AlertFiles(str(tmp_path)), alert() | {"visited_at": "noon"})


# What does not work

_WRITER = """
import json, os, resource, signal, sys
from ctmonitor.alerts.jsonfile import AlertFiles
from ctmonitor.errors import AlertError
directory, most, user = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if most:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
if user:
    os.setuid(user)
for result in AlertFiles(directory).write([json.load(sys.stdin)]):
    if isinstance(result, AlertError):
        print(result)
"""


def message_of_child(directory: Path, *, most: int = 0, user: int = 0) -> str:
    """What the writer says in a process with limits."""
    done = subprocess.run(
        [sys.executable, "-c", _WRITER, str(directory), str(most), str(user)],
        input=json.dumps(alert()),
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=30,
    )
    return done.stdout


def test_a_full_disk_leaves_the_older_file_and_says_what_to_do(tmp_path: Path) -> None:
    older = write(AlertFiles(str(tmp_path)), alert() | {"http_code": 404})
    said = message_of_child(tmp_path, most=512)
    assert f"alert '{older}' cannot be written: File too large" in said
    assert "Free space" in said
    assert json.loads(older.read_text("utf-8"))["http_code"] == 404
    assert list(tmp_path.iterdir()) == [older]


def test_a_directory_of_somebody_else_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    user = 65534 if os.getuid() == 0 else 0  # nobody; root may write everywhere
    said = message_of_child(closed, user=user)
    assert str(closed) in said
    assert "Permission denied" in said
    assert "[REPORTING] Alerts_dir" in said


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "example").write_text("")
    files = AlertFiles(str(tmp_path), fqdn_dirs=True)
    with pytest.raises(AlertError, match="cannot be written"):
        write(files, alert())


def test_one_alert_that_cannot_be_written_holds_up_no_others(tmp_path: Path) -> None:
    """More of them than files are open at once, in two directories."""
    (tmp_path / "example").write_text("")
    hosts = [f"{n}.{'example' if n == 20 else 'test'}" for n in range(40)]
    files = AlertFiles(str(tmp_path), fqdn_dirs=True)
    told = [alert() | {"hostname": host} for host in hosts]
    results = files.write([*told, {}])
    failed = [n for n, one in enumerate(results) if isinstance(one, AlertError)]
    assert failed == [20, 40]
    assert str(results[40]) == "no record of an alert: KeyError"
    for host, path in zip(hosts, results, strict=False):
        if isinstance(path, Path):
            assert path == tmp_path / "test" / host.split(".")[0] / f"{host}.json"
            assert json.loads(path.read_text("utf-8"))["hostname"] == host
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_file_is_indented_and_shows_letters_of_all_languages(tmp_path: Path) -> None:
    told = alert() | {"webpage_title": 'Käse "&" \\', "names": [], "redirects": []}
    path = write(AlertFiles(str(tmp_path)), told)
    written = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    assert path.read_text("utf-8") == written


def test_files_and_directories_are_on_the_disk_before_they_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    sync = os.fsync

    def noting(number: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        sync(number)

    monkeypatch.setattr(os, "fsync", noting)
    files = AlertFiles(str(tmp_path / "new"), fqdn_dirs=True)
    assert write(files, alert()).is_file()
    drafts = [one for one in synced if one.endswith(".tmp")]
    assert len(drafts) == 1
    above = [Path(drafts[0]).parent]
    while above[-1] != tmp_path:
        above.append(above[-1].parent)
    assert sorted(synced[1:]) == sorted(map(str, above))


def test_a_directory_that_cannot_be_put_on_the_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def fails(number: int) -> None:
        if stat.S_ISDIR(os.fstat(number).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        sync(number)

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(AlertError, match="cannot be written: Input/output error"):
        write(AlertFiles(str(tmp_path)), alert())
