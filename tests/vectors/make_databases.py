"""
Writes the databases in `tests/vectors/databases`: one file for each past version.

Version 0 is a file as CertStreamMonitor leaves it: its table alone. Run as
`python -m tests.vectors.make_databases`; needed again only when a step is added to
`ctmonitor.store.migrations`, before which the file of the present version is made with
the program as released: version 1 with that of commit 254c167, version 2 with that of
commit 651a99d, version 3 with that of commit b4b4329, version 4 with that of commit
21a1746.
"""

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from ctmonitor.model.batch import Cursor, Gap, GapCause
from ctmonitor.store.migrations import MIGRATIONS_IN_ORDER
from tests.unit.store.making import (
    FEED,
    NOON,
    ORIGINAL_TABLE,
    Place,
    certificate,
    finding,
)
from tests.unit.store.test_migrations import OLD_ROWS

DATABASES = Path(__file__).parent / "databases"


def make_version_0(path: Path) -> None:
    """An original file with a host that is followed, one that is up, one given up."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 1024")
    connection.execute(ORIGINAL_TABLE)
    connection.executemany("INSERT INTO CertMon VALUES (?, ?, ?, ?, ?, ?, ?)", OLD_ROWS)
    connection.commit()
    connection.close()


def make_later_version(path: Path) -> None:
    """The same file after a finding, a gap and a cursor; one host has a number."""
    shutil.copy(DATABASES / "version_0.sqlite", path)
    known = certificate("login-paypal.example", serial=1, issuer_id="i", sha1="aabb")
    gap = Gap(FEED, GapCause.DISCONNECT, datetime(2026, 11, 21, tzinfo=UTC))
    with Place(path, "").open() as store:
        told = finding("login-paypal.example", certificate=known, log="l", index=7)
        store.record([told], [gap], Cursor(FEED, str(NOON)))


if __name__ == "__main__":
    make_version_0(DATABASES / "version_0.sqlite")
    present = len(MIGRATIONS_IN_ORDER)
    if not (DATABASES / f"version_{present}.sqlite").exists():
        make_later_version(DATABASES / f"version_{present}.sqlite")
