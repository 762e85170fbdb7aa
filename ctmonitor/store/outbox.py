"""Alerts on their way: put in with the visit or finding they tell of, until sent."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

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
        }
        for item in items
    )
    insert = database.insert(OUTBOX)
    known = insert.on_conflict_do_nothing(index_elements=[OUTBOX.c.key])
    # A certificate of 10,000 names makes as many alerts, of some kilobytes each.
    while some := list(islice(rows, _ITEMS_AT_ONCE)):
        connection.execute(known, some)


class Outbox:
    """
    The sender's side: items that are due, and what came of them.

    Any thread and process may call at any time. Every method raises StoreUnavailable
    or StoreError when the database fails; then nothing was written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

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
            select(c.id, c.key, c.channel, c.payload, c.destination, c.attempts)
            .where(c.state == _DUE, c.next_attempt <= moment, c.lease_until <= moment)
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
        return [
            OutboxItem(
                key=row.key,
                channel=Channel(row.channel),
                payload=from_json_text(row.payload),
                destination=row.destination,
                id=row.id,
                attempts=row.attempts,
            )
            for row in rows
        ]

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
        self, id: int, now: datetime, error: str, next_attempt: datetime | None
    ) -> None:
        """
        Notes that an attempt failed; an item that was sent meanwhile stays sent.

        Args:
            next_attempt: when the item is due again; None gives it up.
        """
        changes: dict[str, Any] = {"state": _DEAD}
        if next_attempt is not None:
            changes = {"next_attempt": moment_text(max(next_attempt, now))}
        self._close(
            (OUTBOX.c.id == id) & (OUTBOX.c.state == _DUE),
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
        with self._database.writing() as connection:
            connection.execute(
                OUTBOX.update().where(waiting).values(next_attempt=moment)
            )

    def release(self, owner: str) -> None:
        """Gives the leases of `owner` back; nothing counts as an attempt."""
        release = OUTBOX.update().values(lease_until="", lease_owner="")
        held = (OUTBOX.c.state == _DUE) & (OUTBOX.c.lease_owner == text(owner))
        with self._database.writing() as connection:
            connection.execute(release.where(held))

    def forget(self, before: datetime) -> int:
        """
        Removes items that were put in before `before`, and were sent or given up.

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
        """The number of items that are still to be sent, now or later."""
        return self._count(_DUE)

    def dead(self) -> int:
        """The number of items that were given up."""
        return self._count(_DEAD)

    def _count(self, state: str) -> int:
        query = select(func.count()).where(OUTBOX.c.state == state)
        with self._database.sharing() as connection:
            return connection.execute(query).scalar_one()

    def _close(self, which: ColumnElement[bool], **changes: Any) -> None:
        update = OUTBOX.update().where(which)
        closed = update.values(
            attempts=OUTBOX.c.attempts + 1, lease_until="", lease_owner="", **changes
        )
        with self._database.writing() as connection:
            connection.execute(closed)
