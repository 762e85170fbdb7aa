"""
The writer: findings, gaps and the cursor of a batch, in one transaction.

Each step is one statement for the whole batch: a statement, or a commit, for each row
is what makes a table of a million hosts slow.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from zlib import crc32

from sqlalchemy import Connection, Index, Table, bindparam, func, inspect, select

from ctmonitor.errors import StoreError
from ctmonitor.model.batch import Cursor, Gap
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.model.text import shortened
from ctmonitor.store.engine import (
    Database,
    check_file,
    chunks,
    postgresql_database,
    sqlite_database,
    translated,
)
from ctmonitor.store.issuances import record_issuances
from ctmonitor.store.migrations import migrate
from ctmonitor.store.rows import Rows, Values, gap_row
from ctmonitor.store.schema import (
    CURSOR,
    GAP,
    HOST_ISSUANCE,
    ISSUANCE_NAME,
    MAX_TABLE_NAME_BYTES,
    REASON,
    SEEN,
    moment_text,
    promised_table,
)

BUSY_TIMEOUT_S = 10.0
STOP_CHECKING = "Stop checking"  # how StillInvestig of a host given up begins


def open_store(
    *,
    db_file: Path | None,
    url: str,
    table: str,
    now: Callable[[], datetime] = now_utc,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
) -> "Store":
    """
    The database, ready to be written: created if need be, and with the present tables.

    Args:
        db_file: the SQLite file; its directory is created. Ignored when `url` is given.
        url: `postgresql://user:password@host:port/database`, or empty.
        table: name of the promised table.
        busy_timeout_s: how long to wait for a lock that another program holds.

    Raises:
        StoreUnavailable: locked, disk full, server away: it may work later.
        StoreError: it cannot be used; the sentence says why and what to do.
    """
    _check_table_name(table)
    if url:
        database = postgresql_database(url, busy_timeout_s)
    elif db_file is not None:
        check_file(db_file)
        database = sqlite_database(db_file, busy_timeout_s)
    else:
        raise StoreError(
            "No database is named. Set [DATABASE] DBFile to a file, or URL to a "
            "PostgreSQL address."
        )
    promised = promised_table(table)
    try:
        _check_encoding(database)
        migrate(database, now)
        _provide(database, promised)
    except BaseException:
        database.engine.dispose()
        raise
    return Store(database, promised, now)


class Store:
    """
    Writes what was found. For one thread at a time, whichever opened it.

    Several stores may write one database at the same time, in this process or others.
    """

    def __init__(
        self, database: Database, table: Table, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._now = now
        insert = database.insert
        is_among = table.c.Domain.in_(bindparam("hosts", expanding=True))
        self._known = select(table.c.Domain, table.c.StillInvestig).where(is_among)
        self._insert_host = (
            insert(table).on_conflict_do_nothing().returning(table.c.Domain)
        )
        self._follow_again = (
            table.update()
            .where(is_among)
            .values(StillInvestig=None, FirstSeen=bindparam("now"))
        )
        self._insert_new = {
            ours: insert(ours).on_conflict_do_nothing()
            for ours in (REASON, ISSUANCE_NAME, HOST_ISSUANCE, SEEN)
        }
        gap = insert(GAP)
        self._insert_gap = gap.on_conflict_do_update(
            index_elements=list(GAP.primary_key.columns),
            set_={
                # What was known stays known.
                "ended_at": func.coalesce(gap.excluded.ended_at, GAP.c.ended_at),
                "lost": func.coalesce(gap.excluded.lost, GAP.c.lost),
                "index_end": func.coalesce(gap.excluded.index_end, GAP.c.index_end),
                "detail": gap.excluded.detail,
            },
        )
        cursor = insert(CURSOR)
        self._insert_cursor = cursor.on_conflict_do_update(
            index_elements=[CURSOR.c.source],
            set_={
                "position": cursor.excluded.position,
                "updated_at": cursor.excluded.updated_at,
            },
        )

    def record(
        self,
        findings: Sequence[Finding],
        gaps: Sequence[Gap] = (),
        cursor: Cursor | None = None,
    ) -> list[Recorded]:
        """
        What each host of each finding was to the store; all is durable at return.

        All of it is written or nothing. The same again is harmless: rows are not
        doubled, and hosts come back as KNOWN. A host that two findings bear is told
        with the first, and KNOWN with the second.

        Raises:
            StoreUnavailable: nothing was written; call again with the same arguments.
            StoreError: nothing was written, and waiting will not help.
        """
        if not findings and not gaps and cursor is None:
            return []
        now = self._now()
        rows = Rows.of(findings, now)
        with self._database.writing() as connection:
            novelties = self._write_hosts(connection, rows.hosts, now)
            self._add_issuances(connection, rows, now)
            for table, values in (
                (REASON, rows.reasons),
                (ISSUANCE_NAME, rows.names),
                (HOST_ISSUANCE, rows.host_issuances),
                (SEEN, rows.seen),
            ):
                if values:
                    ordered = [row for _, row in sorted(values.items())]
                    connection.execute(self._insert_new[table], ordered)
            if gaps:
                connection.execute(self._insert_gap, [gap_row(gap) for gap in gaps])
            if cursor is not None:
                row = {"source": cursor.source, "position": cursor.position}
                connection.execute(
                    self._insert_cursor, row | {"updated_at": moment_text(now)}
                )
        return [
            # The first to name a host takes its novelty.
            Recorded(host, novelties.pop(host, Novelty.KNOWN), told.finding)
            for told in rows.told
            for host in told.hosts
        ]

    def cursor(self, source: str) -> Cursor | None:
        """
        The position that was stored last for `source`; None when there is none.

        Raises:
            StoreUnavailable, StoreError: as `record`.
        """
        statement = select(CURSOR.c.position).where(CURSOR.c.source == source)
        with self._database.writing() as connection:
            position = connection.execute(statement).scalar()
        return None if position is None else Cursor(source, position)

    def close(self) -> None:
        """Gives the database free; a second call does nothing."""
        with translated(self._database.label):
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

    def _write_hosts(
        self, connection: Connection, hosts: dict[str, Values], now: datetime
    ) -> dict[str, Novelty]:
        """The novelty of each host that is not simply known."""
        # In the order of the index, in which neighbours share pages.
        ordered = sorted(hosts)
        known: dict[str, str | None] = {}
        for some in chunks(ordered):
            known.update(
                (host, state)
                for host, state in connection.execute(self._known, {"hosts": some})
            )
        novelties: dict[str, Novelty] = {}
        if new := [hosts[host] for host in ordered if host not in known]:
            # A program that does not know our lock may have been faster; the host
            # that does not come back was its.
            for (host,) in connection.execute(self._insert_host, new):
                novelties[host] = Novelty.NEW
        again = [
            host
            for host, state in known.items()
            if state is not None and state.startswith(STOP_CHECKING)
        ]
        for some in chunks(again):
            connection.execute(
                self._follow_again, {"hosts": some, "now": utc_text(now)}
            )
        return novelties | dict.fromkeys(again, Novelty.FOLLOWED_AGAIN)

    def _add_issuances(self, connection: Connection, rows: Rows, now: datetime) -> None:
        certified = [
            (told, certificate)
            for told in rows.told
            if (certificate := told.finding.sighting.certificate) is not None
        ]
        if not certified:
            return
        ids = record_issuances(
            self._database,
            connection,
            [certificate for _, certificate in certified],
            now,
        )
        for (told, _), issuance_id in zip(certified, ids, strict=True):
            rows.add_issuance(issuance_id, told, now)


def _check_table_name(table: str) -> None:
    size = len(table.encode("utf-8", "replace"))
    if not table.isprintable() or not 1 <= size <= MAX_TABLE_NAME_BYTES:
        raise StoreError(
            f"[DATABASE] TABLEname {shortened(table)!r} cannot name a table. Write 1 "
            f"to {MAX_TABLE_NAME_BYTES} printable characters; CertMon is usual."
        )
    if table.lower().startswith(("ctm_", "sqlite_", "pg_")):
        raise StoreError(
            f"[DATABASE] TABLEname {table!r} begins like tables that have another use "
            "(ctm_, sqlite_, pg_). Choose another name; CertMon is usual."
        )


def _check_encoding(database: Database) -> None:
    if not database.is_postgresql:
        return
    with database.writing() as connection:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise StoreError(
            f"{database.label} has the encoding {encoding}, which cannot hold all "
            "names. Create another: createdb -E UTF8 -T template0 NAME"
        )


def _provide(database: Database, promised: Table) -> None:
    """The promised table made, or found to have the promised columns."""
    with database.writing() as connection:
        inspector = inspect(connection)
        if not inspector.has_table(promised.name):
            promised.create(connection)
        else:
            _check_columns(database, connection, promised)
        indexes = inspector.get_indexes(promised.name)
        if not any(index["column_names"][:1] == ["FirstSeen"] for index in indexes):
            # `--since` over a million hosts. Names of indexes are those of tables.
            name = f"ctm_{crc32(promised.name.encode()):08x}_first_seen"
            Index(name, promised.c.FirstSeen).create(connection)


def _check_columns(database: Database, connection: Connection, promised: Table) -> None:
    inspector = inspect(connection)
    where = f"{database.label} has a table {promised.name}"
    advice = "Choose another [DATABASE] TABLEname, or another database."

    def spelt(names: Iterable[str | None]) -> list[str]:
        # SQLite compares names of columns without regard to case.
        return [
            (name or "") if database.is_postgresql else (name or "").lower()
            for name in names
        ]

    present = spelt([column["name"] for column in inspector.get_columns(promised.name)])
    wanted = [column.name for column in promised.c]
    if missing := [
        name
        for name, key in zip(wanted, spelt(wanted), strict=True)
        if key not in present
    ]:
        raise StoreError(f"{where} without the columns {', '.join(missing)}. {advice}")
    keys = [
        inspector.get_pk_constraint(promised.name)["constrained_columns"],
        *(
            index["column_names"]
            for index in inspector.get_indexes(promised.name)
            if index["unique"]
        ),
    ]
    if spelt(["Domain"]) not in [spelt(key) for key in keys]:
        raise StoreError(
            f"{where} in which one Domain may stand twice: it is no primary key. "
            + advice
        )
