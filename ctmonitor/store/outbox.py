"""Alerts on their way: put in with the visit or finding they tell of, until sent."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from ctmonitor.model.followup import Channel, OutboxItem
from ctmonitor.store.engine import Database, chunks
from ctmonitor.store.rows import text
from ctmonitor.store.schema import (
    MEMORY,
    OUTBOX,
    from_json_text,
    json_text,
    moment_text,
)

_ITEMS_AT_ONCE = 500
_MINUTE = timedelta(minutes=1)
_DUE, _SENT, _DEAD = "due", "sent", "dead"
OWN = "own:"  # how keys begin of what is told of own domains


def put_into_outbox(
    database: Database,
    connection: Connection,
    items: Iterable[OutboxItem],
    created: datetime,
) -> None:
    """Adds `items` in the caller's transaction; what has a known key is left out."""
    rows = (
        {
            "key": text(item.key),
            "channel": item.channel.value,
            "destination": text(item.destination),
            "payload": json_text(item.payload),
            "state": _DUE,
            "attempts": 0,
            "next_attempt": "",
            "last_result": "",
            "created_at": moment_text(created),
            "sent_at": None,
            "lease_until": "",
            "lease_owner": "",
            "alarm": text(item.alarm),
        }
        for item in items
    )
    insert = database.insert(OUTBOX)
    known = insert.on_conflict_do_nothing(index_elements=[OUTBOX.c.key])
    # A certificate of 10,000 names makes as many alerts, of some kilobytes each.
    while some := list(islice(rows, _ITEMS_AT_ONCE)):
        connection.execute(known, some)


def release_leases(connection: Connection, owner: str) -> None:
    """Makes what `owner` has leased due again, in the caller's transaction."""
    release = OUTBOX.update().values(lease_until="", lease_owner="")
    held = (OUTBOX.c.state == _DUE) & (OUTBOX.c.lease_owner == text(owner))
    connection.execute(release.where(held))


class Outbox:
    """
    The sender's side: items that are due, and what came of them.

    Any thread and process may call at any time. Every method raises StoreUnavailable
    or StoreError when the database fails; then nothing was written.

    Args:
        is_own: it sends what is told of own domains, and that alone; else all the rest.
    """

    def __init__(self, database: Database, *, is_own: bool = False) -> None:
        self._database = database
        key = OUTBOX.c.key
        own = and_(key >= OWN, key < OWN[:-1] + chr(ord(OWN[-1]) + 1))
        self._is_ours = own if is_own else not_(own)

    def due(
        self, now: datetime, limit: int, lease_s: float, owner: str
    ) -> list[OutboxItem]:
        """
        Items to be sent now, new ones first; nobody else gets them for `lease_s`.

        An item whose sender dies is due again when its lease has ended: told twice
        rather than never.

        Args:
            owner: names the sender; unlike any other's.
        """
        c = OUTBOX.c
        moment = moment_text(now)
        query = (
            select(OUTBOX)
            .where(c.state == _DUE, c.next_attempt <= moment, c.lease_until <= moment)
            .where(self._is_ours)
            .order_by(c.next_attempt, c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        lease = OUTBOX.update().values(
            lease_until=moment_text(now + timedelta(seconds=lease_s)),
            lease_owner=text(owner),
        )
        with self._database.sharing() as connection:
            rows = connection.execute(query).all()
            for some in chunks([row.id for row in rows]):
                connection.execute(lease.where(c.id.in_(some)))
        return [_item(row, from_json_text(row.payload)) for row in rows]

    def gather(
        self,
        item: OutboxItem,
        now: datetime,
        lease_s: float,
        owner: str,
        shown: int,
    ) -> list[OutboxItem]:
        """
        All items of the alarm and destination of `item`, to be told in one message.

        Empty when they are not to be told now. They are put off to the next day (UTC)
        when the alarm was told today, to the end of a lease when another sender has
        some of them, and to the next attempt of those that failed.

        Args:
            owner: who has them for `lease_s`, whatever part of them it had before.
            shown: how many have a payload, the first ones; that of others is empty.
        """
        c = OUTBOX.c
        moment = moment_text(now) or ""
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        alarm = and_(
            c.alarm == text(item.alarm),
            c.alarm != literal_column("''"),  # the condition of the index
            c.destination == text(item.destination),
        )
        told = exists().where(alarm, c.state == _SENT, c.sent_at >= moment_text(today))
        ours = and_(
            alarm,
            c.state == _DUE,
            or_(c.lease_until <= moment, c.lease_owner == text(owner)),
        )
        # Without payloads: an alarm may have ten thousand hosts.
        query = (
            select(c.id, c.key, c.channel, c.destination, c.attempts, c.alarm)
            .where(ours)
            .order_by(c.id)
        )
        taken = select(func.max(c.lease_until)).where(
            alarm, c.state == _DUE, c.lease_until > moment, c.lease_owner != text(owner)
        )
        failed = select(func.max(c.next_attempt)).where(
            ours, c.attempts > 0, c.next_attempt > moment
        )
        update = OUTBOX.update().where(ours)
        with self._database.writing() as connection:
            later: str | None = None
            if connection.execute(select(told)).scalar():
                later = moment_text(today + timedelta(days=1))
            later = later or connection.execute(taken).scalar()
            later = later or connection.execute(failed).scalar()
            if later is not None:
                put_off = {"next_attempt": later, "lease_until": "", "lease_owner": ""}
                connection.execute(update.values(put_off))
                return []
            rows = connection.execute(query).all()
            first = [row.id for row in rows[:shown]]
            payloads: dict[int, str] = {}
            for some in chunks(first):
                found = connection.execute(
                    select(c.id, c.payload).where(c.id.in_(some))
                )
                payloads.update((row.id, row.payload) for row in found)
            until = moment_text(now + timedelta(seconds=lease_s))
            connection.execute(
                update.values(lease_until=until, lease_owner=text(owner))
            )
        return [_item(row, from_json_text(payloads.get(row.id, "{}"))) for row in rows]

    def sent(self, ids: Sequence[int], now: datetime, detail: str = "") -> None:
        """
        Marks items as delivered; they are never due again.

        Args:
            detail: what the channel answered.
        """
        for some in chunks(ids):
            self._close(
                OUTBOX.c.id.in_(some),
                state=_SENT,
                sent_at=moment_text(now),
                last_result=text(detail),
            )

    def failed(
        self,
        ids: Sequence[int],
        now: datetime,
        error: str,
        next_attempt: datetime | None,
    ) -> None:
        """
        Notes that an attempt failed; an item that was sent meanwhile stays sent.

        Args:
            next_attempt: when the items are due again; None gives them up.
        """
        changes: dict[str, Any] = {"state": _DEAD}
        if next_attempt is not None:
            changes = {"next_attempt": moment_text(max(next_attempt, now))}
        for some in chunks(ids):
            self._close(
                OUTBOX.c.id.in_(some) & (OUTBOX.c.state == _DUE),
                last_result=text(error),
                **changes,
            )

    def take_place(
        self, destination: str, now: datetime, limit: int
    ) -> tuple[int, datetime]:
        """
        Takes one of the `limit` places for messages to a destination in a minute.

        All processes share them, by their clocks.

        Returns:
            The places that were free, 0 when none could be taken, and when one is.
        """
        c = MEMORY.c
        kind = text(f"message to {destination}")
        with self._database.writing() as connection:
            expired = (c.kind == kind) & (c.expires_at <= moment_text(now))
            connection.execute(MEMORY.delete().where(expired))
            query = select(c.expires_at).where(c.kind == kind).order_by(c.expires_at)
            ends = connection.execute(query).scalars().all()
            free = max(0, limit - len(ends))
            if not free:
                return 0, datetime.fromisoformat(ends[-limit])
            row = {
                "kind": kind,
                "key": secrets.token_hex(16),
                "value": "{}",
                "expires_at": moment_text(now + _MINUTE),
            }
            connection.execute(MEMORY.insert(), row)
        return free, now

    def hasten(self, now: datetime) -> None:
        """Makes items that failed due now; leases and attempts stay as they are."""
        moment = moment_text(now)
        waiting = (OUTBOX.c.state == _DUE) & (OUTBOX.c.next_attempt > moment)
        hasten = OUTBOX.update().where(waiting, self._is_ours)
        with self._database.writing() as connection:
            connection.execute(hasten.values(next_attempt=moment))

    def release(self, owner: str) -> None:
        """Gives the leases of `owner` back; nothing counts as an attempt."""
        with self._database.writing() as connection:
            release_leases(connection, owner)

    def forget(self, before: datetime) -> int:
        """
        Removes items that were put in before `before`, and were sent or given up,
        whoever sends them.

        It goes in steps: when one fails, those before it stay.

        Returns:
            The number of items that were removed.
        """
        c = OUTBOX.c
        # Items are numbered as they come, so the old ones stand at the beginning, and
        # nobody has to look at a year of others.
        query = (
            select(c.id, c.state, c.created_at)
            .where(c.id > bindparam("last"))
            .order_by(c.id)
            .limit(_ITEMS_AT_ONCE)
        )
        last, removed, limit = 0, 0, moment_text(before) or ""
        while True:
            with self._database.writing() as connection:
                rows = connection.execute(query, {"last": last}).all()
                old = [row for row in rows if row.created_at < limit]
                for some in chunks([row.id for row in old if row.state != _DUE]):
                    gone = connection.execute(OUTBOX.delete().where(c.id.in_(some)))
                    removed += gone.rowcount
            if len(old) < _ITEMS_AT_ONCE:
                return removed
            last = old[-1].id

    def pending(self) -> int:
        """
        The number of items that are to be sent now, or after a failure.

        What only waits because its alarm was told today is not among them.
        """
        c = OUTBOX.c
        is_put_off = and_(c.alarm != "", c.attempts == 0, c.next_attempt != "")
        return self._count(c.state == _DUE, ~is_put_off)

    def dead(self) -> int:
        """The number of items that were given up."""
        return self._count(OUTBOX.c.state == _DEAD)

    def _count(self, *which: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(OUTBOX).where(self._is_ours, *which)
        with self._database.sharing() as connection:
            return connection.execute(query).scalar_one()

    def _close(self, which: ColumnElement[bool], **changes: Any) -> None:
        update = OUTBOX.update().where(which)
        closed = update.values(
            attempts=OUTBOX.c.attempts + 1, lease_until="", lease_owner="", **changes
        )
        with self._database.writing() as connection:
            connection.execute(closed)


def _item(row: Any, payload: Mapping[str, Any]) -> OutboxItem:
    return OutboxItem(
        key=row.key,
        channel=Channel(row.channel),
        payload=payload,
        destination=row.destination,
        id=row.id,
        attempts=row.attempts,
        alarm=row.alarm,
    )
