"""Messages on their way without a database: in the states that they tell of."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.followup import Channel, OutboxItem

_MINUTE = timedelta(minutes=1)
Row = dict[str, Any]  # of `DomainState.pending`


class Pending:
    """
    The outbox of a directory or bucket: items of the states loaded or saved so far.

    What was sent, or given up, leaves the document of its domain at once. Leases are
    this process's: the lock of the store keeps others out. Any thread may call at any
    time; every method may raise StoreUnavailable or StoreError.

    Args:
        held: raises Busy when the lock of the store was lost.
        write: puts rows into the document of a domain, in place of those it has.
        guard: held while documents and what is known of them change.
    """

    def __init__(
        self,
        held: Callable[[], None],
        write: Callable[[str, list[Row]], None],
        guard: threading.RLock,
    ) -> None:
        self._held = held
        self._write = write
        self._rows: dict[str, dict[str, Row]] = {}  # by domain and key
        self._numbers: dict[str, int] = {}  # by key, from 1
        self._leases: dict[str, tuple[str, datetime]] = {}  # by key: owner, end
        self._told: defaultdict[str, list[datetime]] = defaultdict(list)
        self._guard = guard

    def know(self, domain: str, rows: Iterable[Row]) -> None:
        """
        Takes over what the document of a domain holds.

        Raises:
            KeyError, TypeError, ValueError: a row is none; nothing was taken over.
        """
        known = {}
        for row in rows:
            _item(row, 0)
            known[row["key"]] = row
        with self._guard:
            self._rows[domain] = known
            for key in known:
                self._numbers.setdefault(key, len(self._numbers) + 1)

    def rows(self, domain: str, items: Iterable[OutboxItem] = ()) -> list[Row]:
        """What the document is to hold with `items`; known keys are left out."""
        with self._guard:
            known = self._rows.get(domain, {})
            added = {item.key: _row(item) for item in items}
            return list((added | known).values())

    def due(
        self, now: datetime, limit: int, lease_s: float, owner: str
    ) -> list[OutboxItem]:
        """Items to be sent now, new ones first; nobody else gets them for `lease_s`."""
        with self._guard:
            self._held()
            waiting = [
                row
                for rows in self._rows.values()
                for row in rows.values()
                if _then(row, now) <= now and self._is_free(row["key"], now)
            ]
            waiting.sort(key=lambda row: row["next_attempt"])
            for row in waiting[:limit]:
                until = now + timedelta(seconds=lease_s)
                self._leases[row["key"]] = (owner, until)
            return [_item(row, self._numbers[row["key"]]) for row in waiting[:limit]]

    def gather(
        self,
        item: OutboxItem,
        now: datetime,
        lease_s: float,
        owner: str,
        shown: int,
    ) -> list[OutboxItem]:
        """The item alone: what is told of own domains has no alarm."""
        return [item]

    def sent(self, ids: Sequence[int], now: datetime, detail: str = "") -> None:
        """Removes items that were delivered."""
        self._remove(ids)

    def failed(
        self,
        ids: Sequence[int],
        now: datetime,
        error: str,
        next_attempt: datetime | None,
    ) -> None:
        """Notes a failed attempt; None for `next_attempt` gives the items up."""
        if next_attempt is None:
            self._remove(ids)
            return
        changes = {"next_attempt": utc_text(next_attempt), "last_result": error}
        with self._guard:
            touched = self._of(ids)
            for domain, keys in touched.items():
                for key in keys:
                    self._leases.pop(key, None)
                    row = self._rows[domain][key]
                    self._rows[domain][key] = (
                        row | changes | {"attempts": row["attempts"] + 1}
                    )
            self._store(touched)

    def take_place(
        self, destination: str, now: datetime, limit: int
    ) -> tuple[int, datetime]:
        """
        Takes one of the `limit` places for messages to a destination in a minute.

        Returns:
            The places that were free, 0 when none could be taken, and when one is.
        """
        with self._guard:
            told = [at for at in self._told[destination] if at > now - _MINUTE]
            self._told[destination] = told
            free = max(0, limit - len(told))
            if not free:
                return 0, told[-limit] + _MINUTE
            told.append(now)
            return free, now

    def hasten(self, now: datetime) -> None:
        """Makes items that failed due now; attempts stay as they are."""
        moment = utc_text(now)
        with self._guard:
            for rows in self._rows.values():
                for key, row in rows.items():
                    if _then(row, now) > now:
                        rows[key] = row | {"next_attempt": moment}

    def release(self, owner: str) -> None:
        """Gives the leases of `owner` back; nothing counts as an attempt."""
        with self._guard:
            held = {key for key, (who, _) in self._leases.items() if who == owner}
            for key in held:
                del self._leases[key]

    def pending(self) -> int:
        """The number of items that are to be sent now, or after a failure."""
        with self._guard:
            return sum(map(len, self._rows.values()))

    def _remove(self, ids: Sequence[int]) -> None:
        with self._guard:
            touched = self._of(ids)
            for domain, keys in touched.items():
                for key in keys:
                    self._leases.pop(key, None)
                    del self._rows[domain][key]
            self._store(touched)

    def _store(self, domains: Iterable[str]) -> None:
        # When it fails, the next `save` writes it: what was sent stays sent here.
        for domain in domains:
            self._write(domain, list(self._rows[domain].values()))

    def _of(self, ids: Sequence[int]) -> dict[str, list[str]]:
        """The keys of items that are still there, by domain."""
        wanted = set(ids)
        found: dict[str, list[str]] = {}
        for domain, rows in self._rows.items():
            if keys := [key for key in rows if self._numbers[key] in wanted]:
                found[domain] = keys
        return found

    def _is_free(self, key: str, now: datetime) -> bool:
        _, until = self._leases.get(key, ("", now))
        return until <= now


def _then(row: Mapping[str, Any], now: datetime) -> datetime:
    return from_utc_text(row["next_attempt"]) or now


def _row(item: OutboxItem) -> Row:
    return {
        "key": item.key,
        "channel": item.channel.value,
        "destination": item.destination,
        "payload": dict(item.payload),
        "attempts": 0,
        "next_attempt": "",  # at once
        "last_result": "",  # of the last attempt, for people
    }


def _item(row: Mapping[str, Any], number: int) -> OutboxItem:
    if not isinstance(row["next_attempt"], str) or not isinstance(row["payload"], dict):
        raise TypeError("no message of an own domain")
    return OutboxItem(
        key=str(row["key"]),
        channel=Channel(row["channel"]),
        payload=row["payload"],
        destination=str(row["destination"]),
        id=number,
        attempts=int(row["attempts"]),
    )
