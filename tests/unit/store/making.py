"""Findings for the tests of the store, and a database of either kind to put them in."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.finding import Finding, HostDetail
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason, Verdict
from ctmonitor.store.queries import Reader, open_reader
from ctmonitor.store.store import Store, open_store

TABLE = "CertMon"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FEED = "wss://feed.example/"
ORIGINAL_TABLE = (
    "CREATE TABLE IF NOT EXISTS CertMon (Domain TEXT NOT NULL PRIMARY KEY, SAN TEXT, "
    "Issuer TEXT, Fingerprint TEXT, Startime TEXT, FirstSeen TEXT, StillInvestig TEXT)"
)

# A child process finds the package, and this folder, where this process does.
CHILD_ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    "PYTHONWARNINGS": "error",
}


@dataclass(frozen=True)
class Place:
    """A database, by its address."""

    db_file: Path | None
    url: str

    def open(self, now: Callable[[], datetime] = lambda: NOON, **more: Any) -> Store:
        options: dict[str, Any] = {"table": TABLE, "now": now} | more
        return open_store(db_file=self.db_file, url=self.url, **options)

    def reader(self, table: str = TABLE) -> Reader:
        return open_reader(db_file=self.db_file, url=self.url, table=table)

    def details(self) -> dict[str, HostDetail]:
        """All that a reader tells, by host."""
        with self.reader() as reader:
            return {
                detail.host.domain: detail
                for detail in reader.details(reader.hosts(None))
            }

    def sql(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """What another program does: its own connection, statement and commit."""
        if self.db_file is not None:
            engine = create_engine(f"sqlite:///{self.db_file}")
        else:
            engine = create_engine(
                make_url(self.url).set(drivername="postgresql+psycopg")
            )
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement), values)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def empty(self) -> None:
        """Removes what is stored of issuances, for a further example."""
        for table in ("issuance", "issuance_name", "host_issuance", "seen"):
            self.sql(f"DELETE FROM ctm_{table}")  # noqa: S608 - a name of ours

    def count(self, table: str) -> int:
        ((number,),) = self.sql(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - ours
        return number


def finding(
    *hosts: str,
    certificate: Certificate | None = None,
    names: tuple[str, ...] = (),
    reasons: tuple[Reason, ...] = (Reason("paypal", "keyword"),),
    **sighting: Any,
) -> Finding:
    """A finding in which each of `hosts` matched."""
    names = names or (certificate.names if certificate else hosts)
    options = {"feed": FEED} | sighting
    return Finding(
        Sighting(names=names, certificate=certificate, **options),
        Verdict(tuple(NameVerdict(host, Outcome.MATCH, 1, reasons) for host in hosts)),
    )


def certificate(*names: str, **known: Any) -> Certificate:
    """A certificate of which only `known` is known."""
    return Certificate(names=names or ("login-paypal.example",), **known)
