"""
Which hosts are due, who visits them, and what the visits found.

Several scanners, on several machines too, share the hosts by leases: one that dies
gives its hosts free when they end. A lease ends by the callers' clocks, which have to
agree within a part of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Join,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    false,
    func,
    literal_column,
    or_,
    select,
)

from ctmonitor.model.clock import utc_text
from ctmonitor.model.followup import DueHost, Visit
from ctmonitor.store.engine import Database, chunks
from ctmonitor.store.newcomers import Newcomers, is_followed, is_stopped
from ctmonitor.store.outbox import put_into_outbox
from ctmonitor.store.rows import text
from ctmonitor.store.schema import (
    FOLLOWUP,
    HOST_ID,
    STOP_CHECKING,
    VISIT,
    moment_text,
)
from ctmonitor.store.visitrows import (
    FREE,
    due_host,
    history_row,
    is_given_up,
    row_after,
)

# Hosts that one transaction ends; meanwhile other writers wait.
_STOPPED_AT_ONCE = 5000
_FORGOTTEN_AT_ONCE = 500  # the same, of hosts with a record of each visit

_C = FOLLOWUP.c


@dataclass(frozen=True, slots=True)
class HostCounts:
    """All hosts of the promised table, by their StillInvestig."""

    followed: int  # not seen up yet
    up: int
    stopped: int


class FollowUps:
    """
    The scanner's side of the store.

    Any thread and process may call at any time. Every method raises StoreUnavailable
    or StoreError when the database fails; then nothing of the call was written.
    """

    def __init__(self, database: Database, table: Table) -> None:
        self._database = database
        self._table = table
        self._newcomers = Newcomers(database, table)
        self._is_followed = is_followed(table)
        self._is_stopped = is_stopped(table)

    def claim(
        self,
        now: datetime,
        limit: int,
        lease_s: float,
        owner: str,
        started: datetime | None = None,
    ) -> list[DueHost]:
        """
        Hosts that are due, never visited ones first; empty when there are none.

        They are leased to `owner` for `lease_s`: nobody else gets them before.

        Args:
            owner: names the scanner; unlike any other's.
            started: hand out, due or not, what was not visited since then.
        """
        self._newcomers.take_in()
        query = self._due(now, started).limit(bindparam("limit"))
        found: list[DueHost] = []
        with self._database.sharing() as connection:
            while len(found) < limit:
                rows = connection.execute(query, {"limit": limit - len(found)}).all()
                if not rows:
                    break
                # Another program may have given up a host.
                stopped = [
                    row.host_id for row in rows if is_given_up(row.StillInvestig)
                ]
                self._set(connection, stopped, is_stopped=True, next_visit=None)
                due = [row for row in rows if not is_given_up(row.StillInvestig)]
                self._lease(connection, due, now, lease_s, owner)
                found += map(due_host, due)
        return found

    def claim_host(
        self, domain: str, now: datetime, lease_s: float, owner: str
    ) -> DueHost | None:
        """
        One host, due or not, leased to `owner`.

        None when it is not stored, or another scanner has it now.
        """
        self._newcomers.take_in()
        query = self._hosts().where(
            self._table.c.Domain == domain, _C.lease_until <= moment_text(now)
        )
        with self._database.sharing() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            self._lease(connection, [row], now, lease_s, owner)
        return due_host(row)

    def finish(self, visits: Sequence[Visit], owner: str) -> list[str]:
        """
        Stores visits with their history and alerts, and gives their leases back.

        All of it is written in one transaction, or nothing. A visit whose host is not
        leased to `owner` any more is left out: somebody else visits it.

        Returns:
            The hosts of the visits that were left out.
        """
        if not visits:
            return []
        with self._database.writing() as connection:
            hosts = {visit.report.host for visit in visits}
            leased = self._leased(connection, sorted(hosts), owner)
            ours = [
                (leased[visit.report.host], visit)
                for visit in visits
                if visit.report.host in leased
            ]
            if ours:
                self._store(connection, ours)
        return sorted(hosts - leased.keys())

    def extend(self, owner: str, until: datetime) -> None:
        """Lets the leases of `owner` end at `until`."""
        self._set_leases(owner, lease_until=moment_text(until))

    def release(self, owner: str) -> None:
        """Gives the leases of `owner` back: its hosts are due as they were."""
        self._set_leases(owner, **FREE)

    def stop_old(self, now: datetime, days: float) -> list[str]:
        """
        Ends the follow-up of hosts first seen more than `days` before `now`.

        One that never came up gets `Stop checking on ` and the UTC date of `now`; one
        that came up keeps that time, and is not visited again. It goes in steps: when
        one fails, those before it stay.

        Returns:
            The hosts of both kinds whose follow-up ended by this call, by name.
        """
        self._newcomers.take_in()
        c = self._table.c
        query = select(
            c.Domain,
            _C.host_id,
            self._is_followed.label("never_up"),
            self._is_stopped.label("was_stopped"),
        ).select_from(self._join())
        old = and_(
            _C.is_stopped == false(),
            c.FirstSeen > "",
            c.FirstSeen < utc_text(now - timedelta(days=days)),
            or_(self._is_followed, _C.next_visit.is_not(None)),
        )
        query = query.where(old).limit(_STOPPED_AT_ONCE)
        mark = f"{STOP_CHECKING} on {now.astimezone(UTC).date()}"
        ended: list[str] = []
        is_done = False
        while not is_done:
            with self._database.writing() as connection:
                rows = connection.execute(query).all()
                self._end(connection, rows, mark)
            ended += [row.Domain for row in rows if not row.was_stopped]
            is_done = len(rows) < _STOPPED_AT_ONCE
        return sorted(ended)

    def forget(self, before: datetime) -> int:
        """
        Removes the history of hosts that are not followed, and were not visited since.

        It goes in steps: when one fails, those before it stay.

        Returns:
            The number of visits that were removed.
        """
        over = and_(_C.next_visit.is_(None), _C.last_visit < moment_text(before))
        hosts = (
            select(VISIT.c.host_id)
            .join(FOLLOWUP, _C.host_id == VISIT.c.host_id)
            .where(over)
            .distinct()
            .limit(_FORGOTTEN_AT_ONCE)
        )
        removed = 0
        while True:
            with self._database.writing() as connection:
                ids = connection.execute(hosts).scalars().all()
                for some in chunks(ids):
                    gone = connection.execute(
                        VISIT.delete().where(VISIT.c.host_id.in_(some))
                    )
                    removed += gone.rowcount
            if len(ids) < _FORGOTTEN_AT_ONCE:
                return removed

    def due_count(self, now: datetime, started: datetime | None = None) -> int:
        """The number of hosts that `claim` would hand out now."""
        self._newcomers.take_in()
        query = select(func.count()).select_from(self._join())
        due = query.where(*_is_due(now, started), ~self._is_stopped)
        with self._database.sharing() as connection:
            return connection.execute(due).scalar_one()

    def counts(self) -> HostCounts:
        """How many hosts are followed, came up, and were given up."""
        query = select(
            func.count(),
            func.coalesce(func.sum(case((self._is_followed, 1), else_=0)), 0),
            func.coalesce(func.sum(case((self._is_stopped, 1), else_=0)), 0),
        ).select_from(self._table)
        with self._database.sharing() as connection:
            total, followed, stopped = map(int, connection.execute(query).one())
        return HostCounts(followed, total - followed - stopped, stopped)

    def _end(self, connection: Connection, rows: Sequence[Row[Any]], mark: str) -> None:
        c = self._table.c
        followed = [row.Domain for row in rows if row.never_up]
        for some in chunks(followed):
            update = self._table.update().where(c.Domain.in_(some))
            connection.execute(update.values(StillInvestig=mark))
        for came_up in (False, True):
            ids = [
                row.host_id
                for row in rows
                if came_up is not bool(row.never_up or row.was_stopped)
            ]
            self._set(connection, ids, is_stopped=not came_up, next_visit=None)

    def _join(self) -> Join:
        return FOLLOWUP.join(self._table, self._table.c[HOST_ID] == _C.host_id)

    def _hosts(self) -> Select[Any]:
        """Rows with their hosts, without those that somebody is just leasing."""
        c = self._table.c
        return (
            select(FOLLOWUP, c.Domain, c.Fingerprint, c.FirstSeen, c.StillInvestig)
            .select_from(self._join())
            .with_for_update(of=FOLLOWUP, skip_locked=True)
        )

    def _due(self, now: datetime, started: datetime | None) -> Select[Any]:
        first = _C.next_visit if started is None else _C.last_visit
        return self._hosts().where(*_is_due(now, started)).order_by(first, _C.host_id)

    def _lease(
        self,
        connection: Connection,
        rows: Iterable[Row[Any]],
        now: datetime,
        lease_s: float,
        owner: str,
    ) -> None:
        self._set(
            connection,
            [row.host_id for row in rows],
            lease_until=moment_text(now + timedelta(seconds=lease_s)),
            lease_owner=text(owner),
        )

    def _set(
        self, connection: Connection, ids: Sequence[int], **values: object
    ) -> None:
        for some in chunks(ids):
            update = FOLLOWUP.update().where(_C.host_id.in_(some))
            connection.execute(update.values(**values))

    def _set_leases(self, owner: str, **values: object) -> None:
        # The second condition is that of the index.
        held = and_(
            _C.lease_owner == text(owner), _C.lease_owner != literal_column("''")
        )
        with self._database.writing() as connection:
            connection.execute(FOLLOWUP.update().where(held).values(**values))

    def _leased(
        self, connection: Connection, hosts: Sequence[str], owner: str
    ) -> dict[str, int]:
        """The numbers of those of `hosts` that are leased to `owner`."""
        domain = self._table.c.Domain
        query = select(domain, _C.host_id).select_from(self._join())
        held = query.where(_C.lease_owner == text(owner))
        return {
            host: number
            for some in chunks(hosts)
            for host, number in connection.execute(held.where(domain.in_(some)))
        }

    def _store(
        self, connection: Connection, visits: Sequence[tuple[int, Visit]]
    ) -> None:
        update = FOLLOWUP.update().where(_C.host_id == bindparam("number"))
        connection.execute(
            update, [{"number": number} | row_after(visit) for number, visit in visits]
        )
        changed = [
            (number, visit.report.host, visit.still_investig)
            for number, visit in visits
            if visit.still_investig is not None
        ]
        if changed:
            c = self._table.c
            promised = self._table.update().where(c.Domain == bindparam("host"))
            connection.execute(
                promised.values(StillInvestig=bindparam("state")),
                [{"host": host, "state": state} for _, host, state in changed],
            )
            for has_ended in (False, True):
                ids = [
                    number
                    for number, _, state in changed
                    if is_given_up(state) is has_ended
                ]
                self._set(connection, ids, is_stopped=has_ended)
        if told := [
            history_row(number, visit) for number, visit in visits if visit.events
        ]:
            insert = self._database.insert(VISIT)
            connection.execute(insert.on_conflict_do_nothing(), told)
        put_into_outbox(
            self._database,
            connection,
            chain.from_iterable(visit.outbox for _, visit in visits),
            max(visit.report.finished for _, visit in visits),
        )


def _is_due(now: datetime, started: datetime | None) -> list[ColumnElement[bool]]:
    free = [_C.is_stopped == false(), _C.lease_until <= moment_text(now)]
    if started is None:
        return [*free, _C.next_visit <= moment_text(now)]
    return [*free, _C.last_visit < moment_text(started)]
