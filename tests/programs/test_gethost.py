"""gethost.py as a process, on what the daemon stored."""

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.feed import FeedServer, Peer
from tests.programs.program import (
    CHECKOUT,
    Daemon,
    Result,
    environment,
    message,
    replaying,
    run,
    settings,
)

HEADER = ["Display all domains in DB for Internet Presence:", "*" * 48]


YEAR = 2099  # later than any test is run


def gethost(folder: Path, *arguments: str) -> Result:
    return run("gethost.py", "-c", "daemon.conf", *arguments, cwd=folder)


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work of a daemon, which takes a second: done once, and copied."""
    folder = tmp_path_factory.mktemp("filled")
    config = replaying(
        folder,
        [
            message("b.paypal-login.example", "a.paypal-login.example", index=10),
            message("b.paypal-login.example", "a.paypal-login.example", index=10)
            .replace(b"/one", b"/two")
            .replace(b"X509", b"Precert"),
            b'{"data":["c.login-paypal.example"],"message_type":"dns_entries"}',
        ],
    )
    assert run("certstreammonitor.py", "-c", config.name, cwd=folder).code == 0
    with closing(sqlite3.connect(folder / "found.sqlite3")) as connection, connection:
        connection.executemany(
            "UPDATE CertMon SET FirstSeen = ?, StillInvestig = ? WHERE Domain LIKE ?",
            [
                ("2020-01-02T03:04:05", "2020-02-02T00:00:00", "a.%"),
                ("2020-01-01T00:00:00", "", "b.%"),
                ("2099-01-01T00:00:00", None, "c.%"),
            ],
        )
    return folder


@pytest.fixture
def filled(filled_once: Path, folder: Path) -> Path:
    """A folder with a database of three hosts, found at times that are known."""
    return shutil.copytree(filled_once, folder, dirs_exist_ok=True)


def test_hosts_are_listed_with_two_header_lines_the_oldest_first(filled: Path) -> None:
    recent = gethost(filled)
    assert recent.code == 0
    assert recent.out.splitlines() == [*HEADER, "c.login-paypal.example None"]
    assert gethost(filled, "--since", "0").out == recent.out
    since_2019 = int(datetime.now(UTC).timestamp()) - 1546300800
    for seconds in (str(since_2019), "3162240000"):
        assert gethost(filled, "--since", seconds).out.splitlines() == [
            *HEADER,
            "b.paypal-login.example None",
            "a.paypal-login.example 2020-02-02T00:00:00",
            "c.login-paypal.example None",
        ]


@pytest.mark.parametrize("since", ["-1", "3162240001", "1h", ""])
def test_since_takes_seconds_from_0_on(folder: Path, since: str) -> None:
    settings(folder, SERVER__ACTServer="ws://127.0.0.1:1/")
    result = gethost(folder, f"--since={since}")
    assert (result.code, result.out) == (2, "")
    assert f"{since!r} is no number of seconds, 0 or more" in result.err


def test_an_empty_result_is_the_header_alone(folder: Path) -> None:
    config = replaying(folder, [])
    assert run("certstreammonitor.py", "-c", config.name, cwd=folder).code == 0
    assert gethost(folder).out.splitlines() == HEADER
    assert gethost(folder, "--format", "json").out == ""
    assert gethost(folder, "--gaps").out == "No gaps are recorded.\n"
    nothing = "No malformed entries are recorded.\n"
    assert gethost(folder, "--malformed").out == nothing
    assert gethost(folder, "--malformed", "--format=json").out == ""


@pytest.mark.parametrize(
    ("db_file", "told"),
    [
        ("absent.sqlite3", "run certstreammonitor.py first"),
        ("daemon.conf", "is not an SQLite database"),
        (".", "Correct [DATABASE] DBFile"),
    ],
)
def test_without_a_database_the_next_step_is_told(
    folder: Path, db_file: str, told: str
) -> None:
    settings(folder, SERVER__ACTServer="ws://127.0.0.1:1/", DATABASE__DBFile=db_file)
    result = gethost(folder)
    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert [path.name for path in folder.iterdir()] == ["daemon.conf"]


def test_programs_get_json_and_csv(filled: Path) -> None:
    everything = ("--since", "3000000000")
    _, host, _ = map(
        json.loads, gethost(filled, *everything, "--format=json").out.splitlines()
    )
    expected = {
        "domain": "a.paypal-login.example",
        "san": "b.paypal-login.example,a.paypal-login.example",
        "issuer": "/C=US/CN=E7/O=Test CA",
        "fingerprint": ":".join(["00"] * 19 + ["0A"]),
        "startime": "2026-11-21T11:14:45",
        "first_seen": "2020-01-02T03:04:05",
        "still_investig": "2020-02-02T00:00:00",
    }
    assert host == expected
    table = csv.DictReader(
        io.StringIO(gethost(filled, *everything, "--format=csv").out)
    )
    assert list(table)[1] == expected
    _, detail, domains_only = map(
        json.loads,
        gethost(filled, *everything, "--format=json", "--explain").out.splitlines(),
    )
    assert detail["reasons"] == [
        {"rule": "login", "kind": "keyword", "weight": 1, "brand": ""},
        {"rule": "paypal", "kind": "keyword", "weight": 1, "brand": ""},
    ]
    (issuance,) = detail["issuances"]
    assert issuance["serial"] == "a"
    assert issuance["names"] == ["a.paypal-login.example", "b.paypal-login.example"]
    assert [
        (seen["log"], seen["index"], seen["seen"]) for seen in issuance["seen"]
    ] == [
        ("https://log.example/one", 10, "2026-11-21T12:34:25Z"),
        ("https://log.example/two", 10, "2026-11-21T12:34:25Z"),
    ]
    assert domains_only["issuances"] == []
    assert [seen["feed"] for seen in domains_only["seen"]] == ["feed.jsonl"]


def test_explain_tells_people_why_when_and_where(filled: Path) -> None:
    lines = gethost(filled, "--since", "3000000000", "--explain").out.splitlines()
    assert lines[2:10] == [
        "b.paypal-login.example None",
        "  first seen: 2020-01-01T00:00:00 UTC, valid from 2026-11-21T11:14:45",
        "  issuer: /C=US/CN=E7/O=Test CA",
        "  reasons: login (keyword), paypal (keyword)",
        "  certificate: serial a, 2026-11-21T11:14:45 to 2027-02-19T11:14:44, "
        "/C=US/CN=E7/O=Test CA",
        "    names: a.paypal-login.example, b.paypal-login.example",
        "    seen: https://log.example/one index 10, X509LogEntry, "
        "2026-11-21T12:14:46 UTC, through feed.jsonl",
        "    seen: https://log.example/two index 10, PrecertLogEntry, "
        "2026-11-21T12:14:46 UTC, through feed.jsonl",
    ]
    assert lines[-1] == "  seen: through feed.jsonl"


NAMES = [
    "a.paypal-login.example",
    "b.paypal-login.example",
    "c.login-paypal.example",
]


def test_all_names_go_to_a_file_or_those_since_a_time(filled: Path) -> None:
    result = gethost(filled, "--export", "names.txt")
    assert (result.code, result.out) == (0, "names written to names.txt: 3\n")
    assert (filled / "names.txt").read_text().splitlines() == NAMES
    # The beginning of 2099 is always after the last hour.
    assert gethost(filled, "--export", "names.txt", "--since", "3600").code == 0
    assert (filled / "names.txt").read_text().splitlines() == NAMES[2:]
    assert gethost(filled, "--export", "-").out.splitlines() == NAMES


@pytest.mark.parametrize(
    "more",
    [["--gaps"], ["--malformed"], ["--explain"], ["--format", "json"]],
    ids=lambda more: more[0],
)
def test_names_are_exported_alone(filled: Path, more: list[str]) -> None:
    result = gethost(filled, "--export", "names.txt", *more)
    assert result.code == 2
    assert not (filled / "names.txt").exists()


def test_a_place_that_takes_no_file_is_refused(filled: Path) -> None:
    (filled / "folder").mkdir()
    result = gethost(filled, "--export", "folder")
    assert result.code == 2
    assert "--export: 'folder' is a directory. Name a file." in result.err


def test_a_closed_pipe_ends_it_quietly(folder: Path) -> None:
    names = [f"paypal-login-{number}.example" for number in range(8000)]
    data = json.dumps({"data": names, "message_type": "dns_entries"}).encode()
    config = replaying(folder, [data])
    assert run("certstreammonitor.py", "-c", config.name, cwd=folder).code == 0
    for arguments in ((), ("--format=csv",), ("--explain",)):
        with subprocess.Popen(
            [sys.executable, CHECKOUT / "gethost.py", "-c", config.name, *arguments],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(20) == 0


def test_gaps_tell_what_a_feed_left_out(folder: Path) -> None:
    """The server drops the connection, leaves out indexes, and stalls."""

    def at(*indexes: int) -> list[bytes]:
        return [message(f"plain-{index}.example", index=index) for index in indexes]

    def drops(peer: Peer) -> None:
        peer.handshake()
        for one in at(100, 101):
            peer.send_text(one)
        peer.close(1001, b"going away")
        peer.wait_closed()

    def stalls(peer: Peer) -> None:
        peer.handshake()
        for one in at(105, 106):
            peer.send_text(one)
        peer.wait_closed()

    def leaves_out(peer: Peer) -> None:
        peer.handshake()
        for one in (*at(107, 108, 111), message("paypal-login.example", index=112)):
            peer.send_text(one)
        peer.wait_closed()

    with FeedServer(drops, stalls, leaves_out) as server:
        config = settings(
            folder, SERVER__ACTServer=server.url, SOURCES__Stall_Seconds="1"
        )
        with Daemon(config) as daemon:
            daemon.wait_for_out("paypal-login.example")
            result = daemon.stop()
    assert result.tally["reconnects"] == 2
    gaps = [
        json.loads(line)
        for line in gethost(folder, "--gaps", "--format=json").out.splitlines()
    ]
    assert {gap["feed"] for gap in gaps} == {server.url}
    assert all(gap["start"] <= gap["end"] for gap in gaps)
    assert result.tally["gaps"] == len(gaps)
    by_time = [gap for gap in gaps if not gap["log"]]
    assert [gap["cause"] for gap in by_time] == ["disconnect", "stall"]
    assert "1001: going away" in by_time[0]["detail"]
    by_index = [gap for gap in gaps if gap["log"]]
    assert {gap["log"] for gap in by_index} == {"https://log.example/one"}
    # 102 to 104 and 109 to 110; holes that are told together may share a row.
    assert sum(gap["lost"] for gap in by_index) == 5
    assert min(gap["index_start"] for gap in by_index) == 102
    assert max(gap["index_end"] for gap in by_index) == 111

    listed = gethost(folder, "--gaps").out.splitlines()
    assert len(listed) == len(gaps)
    assert any("  stall  lost: unknown  " in line for line in listed)
    assert any("https://log.example/one [102, " in line for line in listed)
    header, *table = csv.reader(
        io.StringIO(gethost(folder, "--gaps", "--format=csv").out)
    )
    assert header[:3] == ["feed", "cause", "start"]
    assert len(table) == len(gaps)
    # The daemon does not run now, and an hour from now nothing will have changed.
    assert gethost(folder, "--gaps", "--since", "3600").out.splitlines() == listed


def test_malformed_entries_are_listed_by_log_and_index(filled: Path) -> None:
    with closing(sqlite3.connect(filled / "found.sqlite3")) as connection, connection:
        connection.executemany(
            "INSERT INTO ctm_malformed VALUES (?, ?, ?, ?, ?)",
            [
                ("https://b.example/", 1, "leaf: cut short", "", f"{YEAR}-01-01"),
                ("https://a.example/", 12, "k", "k; more", f"{YEAR}-01-02T03:04:05"),
                ("https://a.example/", 9, "k", "k", "2020-01-01T00:00:00+00:00"),
            ],
        )
    lines = gethost(filled, "--malformed").out.splitlines()
    assert lines == [
        "2020-01-01T00:00:00 UTC  https://a.example/ index 9  k",
        f"{YEAR}-01-02T03:04:05 UTC  https://a.example/ index 12  k; more",
        f"{YEAR}-01-01T00:00:00 UTC  https://b.example/ index 1  leaf: cut short",
    ]
    recent = gethost(filled, "--malformed", "--since", "3600", "--format=json").out
    assert [json.loads(line) for line in recent.splitlines()] == [
        {
            "log": "https://a.example/",
            "index": 12,
            "kind": "k",
            "detail": "k; more",
            "recorded": f"{YEAR}-01-02T03:04:05Z",
        },
        {
            "log": "https://b.example/",
            "index": 1,
            "kind": "leaf: cut short",
            "detail": "",
            "recorded": f"{YEAR}-01-01T00:00:00Z",
        },
    ]
    header, *rows = csv.reader(
        io.StringIO(gethost(filled, "--malformed", "--format=csv").out)
    )
    assert header == ["log", "index", "kind", "detail", "recorded"]
    assert len(rows) == 3
    both = gethost(filled, "--malformed", "--gaps")
    assert both.code == 2
    assert "not allowed with" in both.err
