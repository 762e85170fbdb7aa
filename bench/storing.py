"""
The store measured: findings into a table of many hosts, and the original's way.

The table is made once, as CertStreamMonitor makes it; each side works on its own copy.
The store opens it in place, which adds a column, an index and our tables, before the
clock runs.
"""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.measured import Measured
from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import Certificate, issuer_identity
from ctmonitor.model.finding import Finding, Novelty
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason, Verdict
from ctmonitor.store.store import open_store

_BATCH = 500  # findings in a transaction
_INSERT = "INSERT INTO CertMon VALUES (?, ?, ?, ?, ?, ?, ?)"
_ISSUER = "/C=US/CN=E7/O=Bench CA"
_MADE = datetime(2026, 1, 1, tzinfo=UTC)
_REASONS = (Reason("login", "keyword"), Reason("paypal", "keyword"))

Row = tuple[str | None, ...]


def make_table(path: Path, hosts: int) -> None:
    """A new database with so many hosts, in the order in which life brings them."""
    chosen = random.Random(0)
    with closing(sqlite3.connect(path)) as connection:
        # Nothing to be kept if the machine fails now.
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        connection.execute("PRAGMA cache_size=-400000")
        connection.execute(
            "CREATE TABLE CertMon (Domain TEXT PRIMARY KEY, SAN TEXT, Issuer TEXT,"
            " Fingerprint TEXT, Startime TEXT, FirstSeen TEXT, StillInvestig TEXT)"
        )
        connection.executemany(
            _INSERT, (_row(_host(chosen), chosen) for _ in range(hosts))
        )
        connection.commit()


def copy_table(source: Path, target: Path) -> None:
    """Returns when the copy is on the disk, so that the next one measured has it."""
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())


def original(path: Path, count: int, seed: int) -> Measured:
    """
    A row at a time: SELECT EXISTS, INSERT, commit, with SQLite's default journal.

    The connection stays open, which is in the peer's favour.
    """
    chosen = random.Random(seed)
    rows = [_row(_host(chosen), chosen) for _ in range(count)]
    known = "SELECT EXISTS (SELECT 1 FROM CertMon WHERE Domain = ?)"
    with closing(sqlite3.connect(path)) as connection:
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        for row in rows:
            if not connection.execute(known, row[:1]).fetchone()[0]:
                connection.execute(_INSERT, row)
                connection.commit()
        return _since(began_s, began_cpu_s, count)


def hosts(path: Path, count: int, seed: int) -> Measured:
    """Findings of a domains-only feed: a row of the promised table and little more."""
    return _recorded(path, count, seed, _name_alone)


def findings(path: Path, count: int, seed: int) -> Measured:
    """Findings with all there can be: certificate, three names, two reasons, sighting.

    One name of the three is a match, as one keyword host among its www and mail.
    """
    return _recorded(path, count, seed, _with_certificate)


def _recorded(
    path: Path,
    count: int,
    seed: int,
    finding: Callable[[random.Random], Finding],
) -> Measured:
    chosen = random.Random(seed)
    made = [finding(chosen) for _ in range(count)]
    with open_store(db_file=path, url="", table="CertMon") as store:
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        new = sum(
            recorded.novelty is Novelty.NEW
            for batch in _batches(made)
            for recorded in store.record(batch)
        )
        measured = _since(began_s, began_cpu_s, count)
    if new != count:
        flaw = f"{new} hosts were new instead of {count}"
        return Measured(count, measured.seconds, measured.cpu_s, flaws=(flaw,))
    return measured


def _since(began_s: float, began_cpu_s: float, count: int) -> Measured:
    return Measured(
        count, time.monotonic() - began_s, time.process_time() - began_cpu_s
    )


def _batches(made: list[Finding]) -> Iterator[list[Finding]]:
    for at in range(0, len(made), _BATCH):
        yield made[at : at + _BATCH]


def _host(chosen: random.Random) -> str:
    """Random text, so that neighbours in time are none in the index."""
    return f"login-{chosen.getrandbits(64):016x}-paypal.example.com"


def _row(host: str, chosen: random.Random) -> Row:
    fingerprint = chosen.randbytes(20).hex(":").upper()
    moment = "2026-01-01T00:00:00"
    return (host, f"{host},www.{host}", _ISSUER, fingerprint, moment, moment, None)


def _name_alone(chosen: random.Random) -> Finding:
    host = _host(chosen)
    verdict = NameVerdict(host, Outcome.MATCH, 1, _REASONS[:1])
    feed = "ws://feed.example/domains-only"
    return Finding(Sighting((host,), feed, seen=_MADE), Verdict((verdict,)))


def _with_certificate(chosen: random.Random) -> Finding:
    host = _host(chosen)
    names = (host, f"www.{host}", f"mail.{host}")
    certificate = Certificate(
        names=names,
        subject_cn=host,
        issuer_dn=_ISSUER,
        issuer_id=issuer_identity("US", "Bench CA", "E7"),
        serial=chosen.getrandbits(120),
        not_before=_MADE,
        not_after=_MADE + timedelta(days=90),
        sha1=chosen.randbytes(20).hex(),
        sha256=chosen.randbytes(32).hex(),
        is_precert=False,
    )
    index = chosen.getrandbits(32)
    log = "https://log.example/2026h1/"
    sighting = Sighting(
        names=names,
        feed="ws://feed.example/",
        certificate=certificate,
        log=log,
        log_name="Bench log",
        index=index,
        entry_type="X509LogEntry",
        seen=_MADE,
        logged=_MADE,
        link=f"{log}ct/v1/get-entries?start={index}&end={index}",
    )
    verdict = NameVerdict(host, Outcome.MATCH, 2, _REASONS)
    return Finding(sighting, Verdict((verdict,)))
