"""
Writes the databases in `tests/vectors/databases`: one file for each past version.

Version 0 is a file as CertStreamMonitor leaves it: its table alone. Run as
`python -m tests.vectors.make_databases`; needed again only when a step is added to
`ctmonitor.store.migrations`, before which the file of the present version is made with
the program as released.
"""

import sqlite3
from pathlib import Path

from tests.unit.store.making import ORIGINAL_TABLE
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


if __name__ == "__main__":
    make_version_0(DATABASES / "version_0.sqlite")
