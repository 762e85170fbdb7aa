"""
The reader: hosts, all that is known of them, gaps and malformed entries of logs.

It never changes a database.

It also reads a database of CertStreamMonitor, which has the promised table alone, and
one of another version of this program, as far as the columns are there.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    inspect,
    select,
)

from ctmonitor.errors import StoreError, StoreUnavailable
from ctmonitor.model.batch import Gap, GapCause, Malformed
from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.finding import Host, HostDetail, Issuance, Seen
from ctmonitor.model.text import printable
from ctmonitor.model.verdict import Reason
from ctmonitor.store.engine import (
    Database,
    chunks,
    postgresql_database,
    spelling,
    sqlite_reading,
    translated,
)
from ctmonitor.store.memory import Borrowed
from ctmonitor.store.schema import (
    BUDGET,
    CURSOR,
    GAP,
    HOST_ID,
    HOST_ISSUANCE,
    ISSUANCE,
    ISSUANCE_NAME,
    MALFORMED,
    MEMORY,
    NO_INDEX,
    NO_ISSUANCE,
    OUR_TABLES,
    REASON,
    SEEN,
    moment_text,
    promised_table,
)

_LOGGER = logging.getLogger(__name__)
_LOCK_TIMEOUT_S = 10.0
_ROWS_AT_ONCE = 500
_NAMES_AT_ONCE = 10_000
_BRAND = REASON.c.brand  # not in the databases of versions before 4


def open_reader(*, db_file: Path | None, url: str, table: str) -> "Reader":
    """
    The database, to be read; nothing is created or changed.

    Args:
        db_file: the SQLite file. Ignored when `url` is given.
        url: `postgresql://user:password@host:port/database`, or empty.
        table: name of the promised table.

    Raises:
        StoreUnavailable: locked, server away: it may work later.
        StoreError: it is missing or cannot be read; the sentence says what to do.
    """
    if url:
        database = postgresql_database(url, _LOCK_TIMEOUT_S)
    elif db_file is not None:
        database = _file_to_read(db_file)
    else:
        raise StoreError(
            "No database is named. Set [DATABASE] DBFile to a file, or URL to a "
            "PostgreSQL address."
        )
    try:
        with translated(database.label), database.engine.connect() as connection:
            inspector = inspect(connection)
            found = spelling(connection, table)
            if found is None:
                raise StoreError(
                    f"{database.label} has no table {table}. Correct [DATABASE] "
                    "TABLEname, or run certstreammonitor.py first, which creates it."
                )
            columns = {column["name"] for column in inspector.get_columns(found)}
            complete = {
                ours.name
                for ours in OUR_TABLES
                if inspector.has_table(ours.name)
                and {column.name for column in ours.c} - {_BRAND.name}
                <= {column["name"] for column in inspector.get_columns(ours.name)}
            }
            has_brands = REASON.name in complete and _BRAND.name in {
                column["name"] for column in inspector.get_columns(REASON.name)
            }
    except BaseException:
        database.engine.dispose()
        raise
    return Reader(
        database,
        promised_table(found),
        frozenset(complete),
        has_host_ids=HOST_ID in columns,
        has_brands=has_brands,
    )


def _file_to_read(path: Path) -> Database:
    try:
        if not path.is_file():
            raise StoreError(
                f"The database {path} does not exist. Correct [DATABASE] DBFile, or "
                "run certstreammonitor.py first, which creates it."
            )
        with path.open("rb"):
            pass
    except (OSError, ValueError) as exc:
        raise StoreError(
            f"The database {path} cannot be read: {exc}. Let this user read it."
        ) from exc
    database = sqlite_reading(path)
    try:
        with translated(database.label), database.engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    except StoreError as exc:
        database.engine.dispose()
        # A file with write-ahead log is read with two files beside it; where this
        # user cannot create them, and nobody else has, nobody writes.
        is_written = path.with_name(path.name + "-wal").exists()
        if is_written or isinstance(exc, StoreUnavailable):
            raise
        return sqlite_reading(path, immutable=True)
    return database


class Reader:
    """
    Answers of the database. For one thread at a time.

    Every method raises StoreUnavailable or StoreError when the database fails.
    """

    def __init__(
        self,
        database: Database,
        table: Table,
        tables: frozenset[str],
        *,
        has_host_ids: bool,
        has_brands: bool,
    ) -> None:
        self._database = database
        self._table = table
        self._tables = tables  # those of ours that are there, with all columns
        self._has_host_ids = has_host_ids
        self._reasons = select(*(c for c in REASON.c if has_brands or c is not _BRAND))

    def hosts(self, since: datetime | None) -> Iterator[Host]:
        """
        Hosts by FirstSeen, then by name, read while they are consumed.

        Args:
            since: only hosts seen first at this time or later. A host whose FirstSeen
                cannot be read is given only without it.
        """
        c = self._table.c
        columns = (c.Domain, c.SAN, c.Issuer, c.Fingerprint, c.Startime, c.FirstSeen)
        query = select(*columns, c.StillInvestig).order_by(c.FirstSeen, c.Domain)
        if since is not None:
            query = query.where(c.FirstSeen >= utc_text(since))
        with self._connected() as connection:
            streaming = connection.execution_options(yield_per=_ROWS_AT_ONCE)
            for row in streaming.execute(query):
                host = _host(row)
                if since is None or from_utc_text(host.first_seen) is not None:
                    yield host

    def names(self, since: datetime | None) -> Iterator[str]:
        """
        Names of hosts, each once and in the order of their bytes, printable, read while
        they are consumed.

        Args:
            since: only hosts seen first at this time or later. A host whose FirstSeen
                cannot be read is given only without it.
        """
        c = self._table.c
        query = select(c.Domain, c.FirstSeen).order_by(c.Domain)
        if since is not None:
            query = query.where(c.FirstSeen >= utc_text(since))
        with self._connected() as connection:
            streaming = connection.execution_options(yield_per=_NAMES_AT_ONCE)
            for name, first_seen in streaming.execute(query):
                if since is None or from_utc_text(first_seen) is not None:
                    yield printable(_or_empty(name))

    def named(self, domains: Sequence[str]) -> Iterator[HostDetail]:
        """All that is known of the hosts of these names, as far as there are any."""
        c = self._table.c
        columns = (c.Domain, c.SAN, c.Issuer, c.Fingerprint, c.Startime, c.FirstSeen)
        for some in chunks(list(domains)):
            query = select(*columns, c.StillInvestig).where(c.Domain.in_(some))
            with self._connected() as connection:
                rows = connection.execute(query).all()
            yield from self.details(map(_host, rows))

    def details(self, hosts: Iterable[Host]) -> Iterator[HostDetail]:
        """All that is known of each host, in their order."""
        remaining = iter(hosts)
        while some := list(islice(remaining, _ROWS_AT_ONCE)):
            yield from self._details(some)

    def gaps(self, since: datetime | None) -> list[Gap]:
        """
        Gaps by their beginning.

        Args:
            since: only gaps that ended at this time or later, or are open.
        """
        if GAP.name not in self._tables:
            return []
        query = select(GAP).order_by(GAP.c.started_at, GAP.c.feed, GAP.c.log)
        if since is not None:
            ended = GAP.c.ended_at
            query = query.where(ended.is_(None) | (ended >= moment_text(since)))
        with self._connected() as connection:
            gaps = [_gap(row) for row in connection.execute(query)]
        return [gap for gap in gaps if gap is not None]

    def cursors(self, prefix: str) -> dict[str, str]:
        """Source -> position, of the sources whose name begins with `prefix`."""
        if CURSOR.name not in self._tables:
            return {}
        query = select(CURSOR.c.source, CURSOR.c.position).where(
            CURSOR.c.source.startswith(prefix, autoescape=True)
        )
        with self._connected() as connection:
            return {row.source: row.position for row in connection.execute(query)}

    def malformed(self, since: datetime | None) -> Iterator[Malformed]:
        """
        Malformed entries by log and index, read while they are consumed.

        Args:
            since: only those that were recorded at this time or later.
        """
        if MALFORMED.name not in self._tables:
            return
        c = MALFORMED.c
        query = select(MALFORMED).order_by(c.log, c.log_index)
        if since is not None:
            query = query.where(c.recorded_at >= moment_text(since))
        with self._connected() as connection:
            streaming = connection.execution_options(yield_per=_ROWS_AT_ONCE)
            for row in streaming.execute(query):
                recorded = from_utc_text(row.recorded_at)
                yield Malformed(row.log, row.log_index, row.kind, row.detail, recorded)

    def memory(self) -> Borrowed:
        """What look-ups know, and have spent; what is added to it is not written."""
        has_memory = {MEMORY.name, BUDGET.name} <= self._tables
        return Borrowed(self._database if has_memory else None)

    def close(self) -> None:
        """Gives the database free; a second call does nothing."""
        self._database.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        database = self._database
        with translated(database.label), database.engine.connect() as connection:
            yield connection

    def _details(self, hosts: Sequence[Host]) -> Iterator[HostDetail]:
        """A statement for each table, not for each host."""
        domains = sorted({host.domain for host in hosts})
        reasons: defaultdict[str, list[Reason]] = defaultdict(list)
        issuances: defaultdict[str, list[Issuance]] = defaultdict(list)
        seen: defaultdict[str, list[Seen]] = defaultdict(list)
        with self._connected() as connection:
            domain_of = self._domains(connection, domains)
            ids = sorted(domain_of)
            for row in self._among(
                connection, REASON.c.host_id, ids, selected=self._reasons
            ):
                brand = row._mapping.get(_BRAND, "")
                reason = Reason(row.rule, row.kind, row.weight, brand)
                reasons[domain_of[row.host_id]].append(reason)
            links = [
                (domain_of[row.host_id], row.issuance_id)
                for row in self._among(connection, HOST_ISSUANCE.c.host_id, ids)
            ]
            found = self._issuances(connection, sorted({number for _, number in links}))
            for domain, number in links:
                if number in found:
                    issuances[domain].append(found[number])
            without = SEEN.c.issuance_id == NO_ISSUANCE
            for row in self._among(connection, SEEN.c.host_id, ids, without):
                seen[domain_of[row.host_id]].append(_seen(row))
        for host in hosts:
            yield HostDetail(
                host,
                tuple(reasons[host.domain]),
                tuple(issuances[host.domain]),
                tuple(seen[host.domain]),
            )

    def _domains(
        self, connection: Connection, domains: Sequence[str]
    ) -> dict[int, str]:
        """The hosts by their number; without those that only another program wrote."""
        columns = self._table.c
        if not self._has_host_ids:
            return {}
        return {
            host_id: domain
            for some in chunks(domains)
            for domain, host_id in connection.execute(
                select(columns.Domain, columns[HOST_ID]).where(
                    columns.Domain.in_(some), columns[HOST_ID].is_not(None)
                )
            )
        }

    def _issuances(
        self, connection: Connection, numbers: Sequence[int]
    ) -> dict[int, Issuance]:
        names: defaultdict[int, list[str]] = defaultdict(list)
        seen: defaultdict[int, list[Seen]] = defaultdict(list)
        for row in self._among(connection, ISSUANCE_NAME.c.issuance_id, numbers):
            names[row.issuance_id].append(row.name)
        for row in self._among(connection, SEEN.c.issuance_id, numbers):
            seen[row.issuance_id].append(_seen(row))
        return {
            row.id: Issuance(
                identity=row.identity,
                issuer=row.issuer_dn,
                serial=row.serial,
                not_before=row.not_before,
                not_after=row.not_after,
                sha1=row.sha1,
                sha256=row.sha256,
                names=tuple(names[row.id]),
                seen=tuple(seen[row.id]),
            )
            for row in self._among(connection, ISSUANCE.c.id, numbers)
        }

    def _among(
        self,
        connection: Connection,
        column: Column[Any],
        values: Sequence[Any],
        *further: ColumnElement[bool],
        selected: Select[Any] | None = None,
    ) -> Iterator[Row[Any]]:
        """Rows with one of the values, in the order of the key; none without table."""
        table = column.table
        if table.name not in self._tables:
            return
        whole = select(table) if selected is None else selected
        for some in chunks(values):
            query = whole.where(column.in_(some), *further)
            yield from connection.execute(query.order_by(*table.primary_key))


def _host(row: Any) -> Host:
    domain, san, issuer, fingerprint, startime, first_seen = map(_or_empty, row[:6])
    return Host(domain, san, issuer, fingerprint, startime, first_seen, row[6])


def _or_empty(value: object) -> str:
    return "" if value is None else str(value)


def _seen(row: Row[Any]) -> Seen:
    return Seen(
        feed=row.feed,
        log=row.log,
        log_name=row.log_name,
        index=None if row.log_index == NO_INDEX else row.log_index,
        entry_type=row.entry_type,
        link=row.link,
        seen=from_utc_text(row.seen_at),
        logged=from_utc_text(row.logged_at),
    )


def _gap(row: Row[Any]) -> Gap | None:
    start = from_utc_text(row.started_at)
    if start is None or row.cause not in set(GapCause):
        _LOGGER.warning(
            "a gap that this version cannot read is left out: cause=%r start=%r",
            row.cause,
            row.started_at,
        )
        return None
    return Gap(
        feed=row.feed,
        cause=GapCause(row.cause),
        start=start,
        end=from_utc_text(row.ended_at),
        lost=row.lost,
        log=row.log,
        index_start=None if row.index_start == NO_INDEX else row.index_start,
        index_end=row.index_end,
        detail=row.detail,
    )
