"""
The writer: findings, gaps, malformed entries and the cursor of a batch, in one
transaction.

Each step is one statement for the whole batch: a statement, or a commit, for each row
is what makes a table of a million hosts slow.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Table,
    bindparam,
    func,
    inspect,
    select,
)

from ctmonitor.errors import StoreError
from ctmonitor.model.batch import Cursor, Gap, Malformed
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.model.followup import OutboxItem
from ctmonitor.model.own import OwnSighting
from ctmonitor.model.text import shortened
from ctmonitor.store.engine import (
    BatchInsert,
    Database,
    check_file,
    chunks,
    postgresql_database,
    spelling,
    sqlite_database,
    translated,
)
from ctmonitor.store.followups import FollowUps
from ctmonitor.store.issuances import record_issuances
from ctmonitor.store.memory import Memory
from ctmonitor.store.migrations import migrate
from ctmonitor.store.outbox import Outbox, put_into_outbox
from ctmonitor.store.ownsightings import OwnSightings, record_sightings
from ctmonitor.store.ownstates import DatabaseStates
from ctmonitor.store.rows import (
    Children,
    Row,
    Told,
    address_key,
    filled_in,
    gap_row,
    malformed_row,
    promised_rows,
    told_of,
)
from ctmonitor.store.schema import (
    COUNTER,
    CURSOR,
    GAP,
    HOST_COUNTER,
    HOST_ID,
    HOST_ISSUANCE,
    ISSUANCE_NAME,
    MALFORMED,
    MAX_TABLE_NAME_BYTES,
    REASON,
    SEEN,
    STOP_CHECKING,
    moment_text,
    promised_table,
)

_LOGGER = logging.getLogger(__name__)
BUSY_TIMEOUT_S = 10.0
# Of one log; a log that serves nothing but rubbish must not fill the disk.
MAX_MALFORMED_A_DAY = 1000
_FORGOTTEN_AT_ONCE = 500  # malformed entries removed in a transaction
# Alerts of hosts that are new or followed again, which were stored at this time.
OutboxOf = Callable[[Sequence[Recorded], datetime], Iterable[OutboxItem]]
_ATTEMPTS = 10  # to write a batch while others write the same hosts

_FILLED_IN = {"Issuer": "issuer", "Fingerprint": "fingerprint", "Startime": "startime"}
_LAST_HOST_ID = select(COUNTER.c.value).where(COUNTER.c.name == HOST_COUNTER)


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
    try:
        _check_encoding(database)
        migrate(database, now)
        promised = _provide(database, table)
    except BaseException:
        database.engine.dispose()
        raise
    return Store(database, promised, now)


class _Overtaken(Exception):
    """
    A program that does not know our lock wrote a host between our look and our INSERT.

    The transaction is rolled back and done again: now its row is to be seen. (With a
    savepoint instead, SQLite would copy each page that is changed.)
    """


class Store:
    """
    Writes what was found. For one thread at a time, whichever opened it.

    Several stores may write one database at the same time, in this process or others.
    """

    def __init__(
        self, database: Database, table: Table, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._table_name = table.name
        self._now = now
        insert = database.insert
        is_among = table.c.Domain.in_(bindparam("hosts", expanding=True))
        host_id = table.c[HOST_ID]
        c = table.c
        self._known = select(
            c.Domain, c.StillInvestig, host_id, c.Issuer, c.Fingerprint, c.Startime
        ).where(is_among)
        self._fill_in = (
            table.update()
            .where(c.Domain == bindparam("host"))
            .values(
                {
                    # What another program wrote meanwhile stays.
                    name: func.coalesce(func.nullif(c[name], ""), bindparam(value))
                    for name, value in _FILLED_IN.items()
                }
            )
        )
        self._give_id = (
            table.update()
            .where(table.c.Domain == bindparam("host"))
            .values({HOST_ID: bindparam("number")})
        )
        self._insert_host = BatchInsert.of(database, table)
        self._follow_again = (
            table.update()
            .where(is_among)
            .values(StillInvestig=None, FirstSeen=bindparam("now"))
        )
        self._insert_new = {
            ours: BatchInsert.of(database, ours)
            for ours in (REASON, ISSUANCE_NAME, HOST_ISSUANCE, SEEN, MALFORMED)
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
        counter = insert(COUNTER)
        self._set_counter = counter.on_conflict_do_update(
            index_elements=[COUNTER.c.name], set_={"value": counter.excluded.value}
        )
        cursor = insert(CURSOR)
        self._insert_cursor = cursor.on_conflict_do_update(
            index_elements=[CURSOR.c.source],
            set_={
                "position": cursor.excluded.position,
                "updated_at": cursor.excluded.updated_at,
            },
        )
        self._table = table
        # Logs of which no more is stored on a day, as far as that was told.
        self._full: set[tuple[str, str]] = set()

    def record(
        self,
        findings: Sequence[Finding],
        gaps: Sequence[Gap] = (),
        cursor: Cursor | None = None,
        outbox_of: OutboxOf | None = None,
        *,
        malformed: Sequence[Malformed] = (),
        own: Sequence[OwnSighting] = (),
    ) -> list[Recorded]:
        """
        What each host of each finding was to the store; all is durable at return.

        All of it is written or nothing. The same again is harmless: rows are not
        doubled, and hosts come back as KNOWN. A host that two findings bear is told
        with the first, and KNOWN with the second. What the row of a known host lacks
        and a further sighting of its certificate knows is filled in.

        Args:
            outbox_of: makes alerts of the hosts that are to be told, which are stored
                with them; it may be called more than once.
            malformed: stored once each, and of each log MAX_MALFORMED_A_DAY a day.
            own: sightings for watched domains, stored once each.

        Raises:
            StoreUnavailable: nothing was written; call again with the same arguments.
            StoreError: nothing was written, and waiting will not help.
        """
        if not (findings or gaps or malformed or own) and cursor is None:
            return []
        now = self._now()
        told = told_of(findings)
        promised = promised_rows(told, now)
        recorded: list[Recorded] | None = None
        for _ in range(_ATTEMPTS):
            with suppress(_Overtaken), self._database.writing() as connection:
                hosts = self._write_hosts(connection, promised, now)
                host_ids = {host: number for host, (number, _) in hosts.items()}
                self._write_children(connection, told, host_ids, now)
                if gaps:
                    connection.execute(self._insert_gap, [gap_row(gap) for gap in gaps])
                if malformed:
                    self._write_malformed(connection, malformed, now)
                if own:
                    record_sightings(self._database, connection, own, now)
                if cursor is not None:
                    row = {"source": cursor.source, "position": cursor.position}
                    connection.execute(
                        self._insert_cursor, row | {"updated_at": moment_text(now)}
                    )
                recorded = _recorded(told, hosts)
                if outbox_of is not None:
                    news = [r for r in recorded if r.novelty is not Novelty.KNOWN]
                    items = outbox_of(news, now)
                    put_into_outbox(self._database, connection, items, now)
                break
        if recorded is None:
            raise StoreError(
                f"{self._database.label} takes a host as new and leaves out its row. "
                f"Remove what was added to the table {self._table_name}: a trigger, or "
                "a further UNIQUE."
            )
        return recorded

    def followups(self) -> FollowUps:
        """Which hosts are due, and what visits found; open as long as the store is."""
        return FollowUps(self._database, self._table)

    def outbox(self) -> Outbox:
        """The alerts that are to be sent; open as long as the store is."""
        return Outbox(self._database)

    def own_states(self) -> DatabaseStates:
        """What is remembered of watched domains; open as long as the store is."""
        return DatabaseStates(self._database, self._now)

    def own_sightings(self) -> OwnSightings:
        """What the daemon saw for watched domains; open as long as the store is."""
        return OwnSightings(self._database)

    def memory(self) -> Memory:
        """What is remembered for enrichers; open as long as the store is."""
        memory = Memory(self._database)
        memory.forget_expired(self._now())
        return memory

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

    def cursors(self, prefix: str) -> dict[str, str]:
        """
        Source -> position, of all sources of which the name begins with `prefix`.

        Raises:
            StoreUnavailable, StoreError: as `record`.
        """
        statement = select(CURSOR.c.source, CURSOR.c.position).where(
            CURSOR.c.source.startswith(prefix, autoescape=True)
        )
        with self._database.writing() as connection:
            return {row.source: row.position for row in connection.execute(statement)}

    def set_cursor_aside(self, source: str) -> str:
        """
        Keep a position that cannot be used under another name, which is returned.

        Raises:
            StoreUnavailable, StoreError: as `record`.
        """
        aside = f"aside:{source}:{utc_text(self._now())}"
        with self._database.writing() as connection:
            # Twice in a second: the later one is kept.
            connection.execute(CURSOR.delete().where(CURSOR.c.source == aside))
            connection.execute(
                CURSOR.update().where(CURSOR.c.source == source).values(source=aside)
            )
        return aside

    def end_open_gaps(self, feeds: Sequence[str], at: datetime) -> None:
        """
        Give an end to gaps that a run left open which did not end by itself.

        Args:
            feeds: addresses as in `Gap.feed`; gaps of other feeds may be another's.
            at: when they end at the latest: when the next run begins.

        Raises:
            StoreUnavailable, StoreError: as `record`.
        """
        statement = (
            GAP.update()
            .where(GAP.c.ended_at.is_(None))
            .where(GAP.c.feed.in_([address_key(feed) for feed in feeds]))
            .values(ended_at=moment_text(at))
        )
        with self._database.writing() as connection:
            connection.execute(statement)

    def forget_malformed(self, before: datetime) -> int:
        """
        Removes the malformed entries that were recorded before `before`.

        It goes in steps: when one fails, those before it stay.

        Returns:
            The number of entries that were removed.

        Raises:
            StoreUnavailable, StoreError: as `record`.
        """
        c = MALFORMED.c
        # Log by log, as the index has them: nobody has to look at those that stay.
        next_log = select(func.min(c.log)).where(c.log > bindparam("log"))
        query = (
            select(c.log_index)
            .where(c.log == bindparam("log"), c.recorded_at < moment_text(before))
            .limit(_FORGOTTEN_AT_ONCE)
        )
        log: str | None = ""
        removed = 0
        while log is not None:
            with self._database.writing() as connection:
                indexes = connection.execute(query, {"log": log}).scalars().all()
                for some in chunks(indexes):
                    is_old = (c.log == log) & c.log_index.in_(some)
                    gone = connection.execute(MALFORMED.delete().where(is_old))
                    removed += gone.rowcount
                if len(indexes) < _FORGOTTEN_AT_ONCE:
                    log = connection.execute(next_log, {"log": log}).scalar()
        return removed

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
        self, connection: Connection, rows: Mapping[str, Row], now: datetime
    ) -> dict[str, tuple[int, Novelty]]:
        """Number and novelty of each host; new ones written, others followed again."""
        # In the order of the index, in which neighbours share pages.
        ordered = sorted(rows)
        known: dict[str, tuple[str | None, int | None]] = {}
        lacking: list[dict[str, str]] = []
        for some in chunks(ordered):
            found = connection.execute(self._known, {"hosts": some})
            for host, state, number, *issued in found:
                known[host] = (state, number)
                if not all(issued) and (more := filled_in(issued, rows[host][2:5])):
                    filled = dict(zip(_FILLED_IN.values(), more, strict=True))
                    lacking.append({"host": host} | filled)
        last = connection.execute(_LAST_HOST_ID).scalar() or 0
        numbers = count(last + 1)
        hosts: dict[str, tuple[int, Novelty]] = {}
        new: list[Row] = []
        without_id: list[dict[str, Any]] = []
        again: list[str] = []
        for host in ordered:
            if host not in known:
                hosts[host] = (next(numbers), Novelty.NEW)
                new.append((*rows[host], hosts[host][0]))
                continue
            state, number = known[host]
            if number is None:
                number = next(numbers)
                without_id.append({"host": host, "number": number})
            hosts[host] = (number, Novelty.KNOWN)
            if state is not None and state.startswith(STOP_CHECKING):
                hosts[host] = (number, Novelty.FOLLOWED_AGAIN)
                again.append(host)
        if new and self._insert_host.run(connection, new) != len(new):
            raise _Overtaken
        if without_id:
            connection.execute(self._give_id, without_id)
        if lacking:
            connection.execute(self._fill_in, lacking)
        for some in chunks(again):
            connection.execute(
                self._follow_again, {"hosts": some, "now": utc_text(now)}
            )
        if new or without_id:
            values = {"name": HOST_COUNTER, "value": next(numbers) - 1}
            connection.execute(self._set_counter, values)
        return hosts

    def _write_malformed(
        self, connection: Connection, entries: Sequence[Malformed], now: datetime
    ) -> None:
        recorded_at = moment_text(now) or ""
        today = now.astimezone(UTC).date().isoformat()
        by_log: defaultdict[str, list[Row]] = defaultdict(list)
        for entry in entries:
            row = malformed_row(entry, recorded_at)
            by_log[row[0]].append(row)
        c = MALFORMED.c
        for log, rows in sorted(by_log.items()):
            of_today = (c.log == log) & (c.recorded_at >= today)
            stored = connection.execute(
                select(func.count()).select_from(MALFORMED).where(of_today)
            ).scalar_one()
            if room := rows[: max(0, MAX_MALFORMED_A_DAY - stored)]:
                self._insert_new[MALFORMED].run(connection, room)
            if len(room) < len(rows) and (log, today) not in self._full:
                self._full = {full for full in self._full if full[1] == today}
                self._full.add((log, today))
                _LOGGER.warning(
                    "%s: more than %d malformed entries today; further ones are "
                    "counted, and not stored",
                    log,
                    MAX_MALFORMED_A_DAY,
                )

    def _write_children(
        self,
        connection: Connection,
        told: Sequence[Told],
        host_ids: Mapping[str, int],
        now: datetime,
    ) -> None:
        """All that hangs on hosts and issuances, with the issuances themselves."""
        certificates = {
            number: certificate
            for number, each in enumerate(told)
            if (certificate := each.finding.sighting.certificate) is not None
        }
        issuance_ids: dict[int, int] = {}
        if certificates:
            found = record_issuances(
                self._database, connection, list(certificates.values()), now
            )
            issuance_ids = dict(zip(certificates, found, strict=True))
        children = Children(moment_text(now) or "")
        for number, each in enumerate(told):
            children.add(each, host_ids, issuance_ids.get(number))
        reasons = [(*key, *rest) for key, rest in sorted(children.reasons.items())]
        seen = [(*key, *rest) for key, rest in sorted(children.seen.items())]
        for table, rows in (
            (REASON, reasons),
            (ISSUANCE_NAME, sorted(children.names)),
            (HOST_ISSUANCE, sorted(children.host_issuances)),
            (SEEN, seen),
        ):
            if rows:
                self._insert_new[table].run(connection, rows)


def _recorded(
    told: Sequence[Told], hosts: Mapping[str, tuple[int, Novelty]]
) -> list[Recorded]:
    news = {
        host: novelty
        for host, (_, novelty) in hosts.items()
        if novelty is not Novelty.KNOWN
    }
    return [
        # The first to name a host takes its novelty.
        Recorded(host, news.pop(host, Novelty.KNOWN), each.finding)
        for each in told
        for host in each.hosts
    ]


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


def _provide(database: Database, table: str) -> Table:
    """The promised table: made, or found to have the promised columns."""
    with database.writing() as connection:
        found = spelling(connection, table)
        promised = promised_table(found or table)
        if found is None:
            promised.create(connection)
        else:
            _check_columns(database, connection, promised)
        inspector = inspect(connection)
        columns = inspector.get_columns(promised.name)
        if HOST_ID not in {column["name"] for column in columns}:
            _add_column(connection, promised.c[HOST_ID])
        c = promised.c
        present = {each["name"] for each in inspector.get_indexes(promised.name)}
        for kind, indexed in (
            ("first_seen", [c.FirstSeen]),  # `--since` over a million hosts
            # From rows of the scanner to their hosts, as far as they are followed.
            ("followed", [c[HOST_ID], c.StillInvestig]),
        ):
            # Indexes share their names with tables.
            name = f"ctm_{crc32(promised.name.encode()):08x}_{kind}"
            if name not in present:
                Index(name, *indexed).create(connection)
    return promised


def _add_column(connection: Connection, column: Column[Any]) -> None:
    dialect = connection.dialect
    table = dialect.identifier_preparer.format_table(column.table)
    kind = column.type.compile(dialect)
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}")


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
    wanted = [column.name for column in promised.c if column.name != HOST_ID]
    if missing := [
        name
        for name, key in zip(wanted, spelt(wanted), strict=True)
        if key not in present
    ]:
        raise StoreError(f"{where} without the columns {', '.join(missing)}. {advice}")
    keys: list[Iterable[str | None]] = [
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
