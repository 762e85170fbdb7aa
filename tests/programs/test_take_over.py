"""A CertStreamMonitor user moves over: old database, old settings, old programs."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.data import VECTORS
from tests.fakes.feed import FeedServer, serve
from tests.programs.program import Daemon, message, replaying, rows, run, settings

DAEMON = "certstreammonitor.py"
COLUMNS = "Domain, SAN, Issuer, Fingerprint, Startime, FirstSeen, StillInvestig"
ALL = f"SELECT {COLUMNS} FROM certstreammonitor"  # noqa: S608
ISSUER = "/C=US/CN=CA/O=Old"
SINCE = "2019-06-12T15:54:31"
# Domain, and what StillInvestig may hold.
OLD = {
    "null.paypal-login.example": None,
    "empty.paypal-login.example": "",
    "up.paypal-login.example": "2019-06-13T08:00:00",
    "stopped.paypal-login.example": "Stop checking on 2019-09-27",
    "odd.\u00fcber.example": None,
}


def make_old_database(path: Path, table: str = "certstreammonitor") -> None:
    """A database as the old program leaves it: one table, seven columns, no index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f"CREATE TABLE {table} (Domain TEXT PRIMARY KEY NOT NULL, SAN TEXT, "
            "Issuer TEXT, Fingerprint TEXT, Startime TEXT, FirstSeen TEXT, "
            "StillInvestig TEXT)"
        )
        connection.executemany(
            f"INSERT INTO {table} VALUES (?, '', ?, 'AA:BB', ?, ?, ?)",  # noqa: S608
            [(host, ISSUER, SINCE, SINCE, state) for host, state in OLD.items()],
        )


def state_of(database: Path) -> dict[str, str | None]:
    return {
        host: state
        for host, state in rows(
            database, "SELECT Domain, StillInvestig FROM certstreammonitor"
        )
    }


def test_an_old_database_is_taken_over_in_place(folder: Path) -> None:
    database = folder / "old.sqlite3"
    make_old_database(database)
    old_rows = set(rows(database, ALL))
    config = replaying(
        folder,
        [message(host, index=n) for n, host in enumerate([*OLD, "new-paypal-login.x"])],
        DATABASE__DBFile=database.name,
        DATABASE__TABLEname="certstreammonitor",
    )
    result = run(DAEMON, "-c", config.name, cwd=folder)
    assert result.code == 0
    # A host that was given up and comes again is followed again, and that is told.
    assert result.found == ["stopped.paypal-login.example", "new-paypal-login.x"]
    again = "stopped.paypal-login.example"
    assert state_of(database) == {**OLD, again: None, "new-paypal-login.x": None}
    kept = set(rows(database, ALL))
    assert {row for row in old_rows if row[0] != again} < kept
    ((followed_since,),) = rows(
        database,
        f"SELECT FirstSeen FROM certstreammonitor WHERE Domain = '{again}'",  # noqa: S608
    )
    assert followed_since > SINCE

    # What the old programs do goes on working, though another has the file open.
    with closing(sqlite3.connect(database)) as old, old:
        old.execute(
            f"INSERT INTO certstreammonitor ({COLUMNS}) "  # noqa: S608
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            ("by-the-old.example", "", ISSUER, "", SINCE, "2099-01-01T00:00:00", None),
        )
        old.execute(
            "INSERT OR IGNORE INTO certstreammonitor"
            "(Domain, SAN, Issuer, Fingerprint, Startime, FirstSeen) "
            "VALUES ('by-the-old.example', '', '', '', '', '')"
        )
        old.execute(
            "UPDATE certstreammonitor SET StillInvestig = ? WHERE Domain = ?",
            ("Stop checking on 2026-11-21", "new-paypal-login.x"),
        )
        by_position = old.execute("SELECT * FROM certstreammonitor").description
        assert [column for column, *_ in by_position][:7] == COLUMNS.split(", ")
        due = old.execute(
            "SELECT Domain, StillInvestig FROM certstreammonitor "
            "WHERE StillInvestig IS NULL OR StillInvestig = ''"
        ).fetchall()
    assert ("by-the-old.example", None) in due
    assert ("new-paypal-login.x", "Stop checking on 2026-11-21") not in due
    once_more = run(DAEMON, "-c", config.name, cwd=folder)
    assert once_more.found == ["new-paypal-login.x"]


def test_an_old_settings_file_runs_as_it_is(folder: Path) -> None:
    """Only what names other machines and the system's directories is replaced."""
    # A feed that is up to date, since no setting tells that it is not.
    now = b"%.2f" % time.time()
    good = message("bank-secure-logon.example").replace(b"1795264465.21", now)
    with FeedServer(serve([good])) as server:
        replaced = {
            "DBFile": "db/found.db",
            "LogFile": "log/ct.log",
            "LogType": "file",
            "ACTServer": server.url,
            "Proxy_Host": "",
            "Proxy_Port": "",
            "Proxy_Username": "",
            "Proxy_Password": "",
            "Proxy": "",
        }
        old = (VECTORS / "conf" / "old_program.conf").read_text().splitlines()
        keys = [line.partition("=")[0].strip() for line in old]
        assert set(replaced) < set(keys), "the old file no longer has these keys"
        lines = [
            f"{key} = {replaced[key]}" if key in replaced else line
            for key, line in zip(keys, old, strict=True)
        ]
        config = folder / "old.conf"
        config.write_text("\n".join(lines))
        make_old_database(folder / "db" / "found.db")
        with Daemon(config) as daemon:
            daemon.wait_for_out("bank-secure-logon.example")
            result = daemon.stop()
    assert result.code == 0
    assert result.err == ""
    assert (
        "Looking for these strings: bank|secur|log(?:in|on)|account, "
        "detection threshold: 2\n"
    ) in result.out
    assert "table certstreammonitor" in result.out
    assert "bank-secure-logon.example" in state_of(folder / "db" / "found.db")
    assert "messages=1" in (folder / "log" / "ct.log").read_text()


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_gethost_reads_an_old_database_and_changes_nothing(
    folder: Path, journal: str
) -> None:
    closed = folder / "closed"
    database = closed / "old.sqlite3"
    make_old_database(database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA journal_mode={journal}")
    before = database.read_bytes()
    config = settings(
        folder,
        DATABASE__DBFile="closed/old.sqlite3",
        DATABASE__TABLEname="certstreammonitor",
        SERVER__ACTServer="ws://127.0.0.1:1/",
    )
    database.chmod(0o444)
    closed.chmod(0o555)
    try:
        everything = ["-c", config.name, "--since", "3000000000"]
        result = run("gethost.py", *everything, cwd=folder, ordinary_user=True)
        explained = run(
            "gethost.py", *everything, "--explain", cwd=folder, ordinary_user=True
        )
        gaps = run("gethost.py", *everything, "--gaps", cwd=folder, ordinary_user=True)
        assert list(closed.iterdir()) == [database]
    finally:
        closed.chmod(0o755)
    assert database.read_bytes() == before
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "Display all domains in DB for Internet Presence:",
        "*" * 48,
        "empty.paypal-login.example None",
        "null.paypal-login.example None",
        "odd.\u00fcber.example None",
        "stopped.paypal-login.example Stop checking on 2019-09-27",
        "up.paypal-login.example 2019-06-13T08:00:00",
    ]
    assert explained.out.count("not recorded (found by CertStreamMonitor)") == len(OLD)
    assert explained.out.count(f"issuer: {ISSUER}") == len(OLD)
    assert gaps.out == "No gaps are recorded.\n"
