"""[DATABASE] Keep_Days: what the scanner removes once a day, and what stays."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ctmonitor.store.store import open_store
from tests.programs.program import Result, rows, run, settings

_OLD, _NEW = "2020-01-01T00:00:00.000000+00:00", "2999-01-01T00:00:00.000000+00:00"
_ITEM = (
    "INSERT INTO ctm_outbox (key, channel, destination, payload, state, attempts, "
    "next_attempt, last_result, created_at, lease_until, lease_owner) "
    "VALUES (?, 'file', '', '{}', ?, 1, ?, '', ?, '', '')"
)


def scan(folder: Path, *options: str, **more: str) -> Result:
    settings(folder, name="scan.conf", **more)  # type: ignore[arg-type]
    return run("scanhost.py", "-c", "scan.conf", *options, cwd=folder)


def put(folder: Path, *items: tuple[str, str, str]) -> None:
    """Items of the outbox: key, state, and when they were put in."""
    with closing(sqlite3.connect(folder / "found.sqlite3")) as connection, connection:
        connection.executemany(_ITEM, [(k, state, _NEW, at) for k, state, at in items])


def keys(folder: Path) -> list[str]:
    found = rows(folder / "found.sqlite3", "SELECT key FROM ctm_outbox ORDER BY key")
    return [key for (key,) in found]


def record(folder: Path, *entries: tuple[int, str]) -> None:
    """Malformed entries: index, and when it was recorded."""
    with closing(sqlite3.connect(folder / "found.sqlite3")) as connection, connection:
        connection.executemany(
            "INSERT INTO ctm_malformed VALUES ('https://log.example/', ?, '', '', ?)",
            entries,
        )


@pytest.mark.parametrize(("days", "left"), [("365", [2]), ("0", [1, 2])])
def test_old_malformed_entries_are_removed_likewise(
    folder: Path, days: str, left: list[int]
) -> None:
    with open_store(db_file=folder / "found.sqlite3", url="", table="CertMon"):
        pass
    record(folder, (1, _OLD), (2, _NEW))
    assert scan(folder, DATABASE__Keep_Days=days).code == 0
    found = rows(folder / "found.sqlite3", "SELECT log_index FROM ctm_malformed")
    assert sorted(index for (index,) in found) == left


@pytest.mark.parametrize(
    ("days", "left"), [("365", ["new", "waits"]), ("0", ["new", "old", "waits"])]
)
def test_old_alerts_are_removed_where_the_settings_want_it(
    folder: Path, days: str, left: list[str]
) -> None:
    with open_store(db_file=folder / "found.sqlite3", url="", table="CertMon"):
        pass
    put(folder, ("old", "sent", _OLD), ("waits", "due", _OLD), ("new", "sent", _NEW))
    assert scan(folder, "--dry-run", DATABASE__Keep_Days=days).code == 0
    assert keys(folder) == ["new", "old", "waits"]
    assert scan(folder, DATABASE__Keep_Days=days).code == 0
    assert keys(folder) == left
    # All runs of a day look for it once.
    put(folder, ("older", "sent", _OLD))
    assert scan(folder, DATABASE__Keep_Days=days).code == 0
    assert keys(folder) == sorted([*left, "older"])
