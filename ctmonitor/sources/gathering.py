"""
What the logs gave, gathered until it is worth a transaction.

Each log fills its own pending batch; the consumer takes them whole, the oldest first.
When it is slow they grow to a bound, and then their logs wait: nothing is dropped,
since a log keeps its entries.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from ctmonitor.model.batch import Batch, Counts, Cursor, Malformed, Sighting

_WORTH_ENTRIES = 8192
_WORTH_SIGHTINGS = 200
_WORTH_AGE_S = 0.25
_MOST_ENTRIES = 65_536  # of all logs together
# Of all sightings, each one more: a hostile log fills certificates with thousands.
_MOST_NAMES = 20_000
_SAMPLES = 3


class _Pending:
    def __init__(self) -> None:
        self.since_s = time.monotonic()
        self.entries = 0
        self.candidates = 0
        self.names = 0
        self.sightings: list[Sighting] = []
        self.malformed: list[Malformed] = []
        self.cursor: Callable[[], Cursor] | None = None

    def is_worth(self, now_s: float) -> bool:
        return (
            self.entries >= _WORTH_ENTRIES
            or len(self.sightings) >= _WORTH_SIGHTINGS
            or now_s - self.since_s >= _WORTH_AGE_S
        )

    def batch(self) -> Batch:
        return Batch(
            sightings=tuple(self.sightings),
            counts=Counts(
                messages=self.entries,
                candidates=self.candidates,
                malformed=Counter(each.kind for each in self.malformed),
            ),
            cursor=self.cursor() if self.cursor else None,
            samples=tuple(
                f"{each.kind}: {each.log} index {each.index}"
                for each in self.malformed[:_SAMPLES]
            ),
            malformed_entries=tuple(self.malformed),
        )


class Gathering:
    """Between the tasks that read logs and the consumer, in one event loop."""

    def __init__(self) -> None:
        self._pending: OrderedDict[str, _Pending] = OrderedDict()
        self._entries = 0
        self._names = 0
        self._is_finished = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(
        self,
        key: str,
        entries: int,
        candidates: int,
        sightings: tuple[Sighting, ...],
        malformed: tuple[Malformed, ...],
        cursor: Callable[[], Cursor],
    ) -> None:
        """
        Add what some entries of one log gave, once there is room.

        A caller that is cancelled while he waits has added nothing.

        Args:
            key: the log; its cursors replace one another.
            cursor: called for the last one alone, since each is a text to be written.
        """
        while self._is_full:
            self._room.clear()
            await self._room.wait()
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending()
        pending.entries += entries
        pending.candidates += candidates
        names = sum(1 + len(each.names) for each in sightings)
        pending.names += names
        pending.sightings.extend(sightings)
        pending.malformed.extend(malformed)
        pending.cursor = cursor
        self._entries += entries
        self._names += names
        self._news.set()

    async def take(self) -> Batch | None:
        """The next batch worth a transaction; None when all was taken at the end."""
        while True:
            now_s = time.monotonic()
            for key, pending in self._pending.items():
                if pending.is_worth(now_s) or self._is_full or self._is_finished:
                    return self._taken(key)
            if self._is_finished:
                return None
            self._news.clear()
            if self._pending:
                oldest = next(iter(self._pending.values()))
                left_s = max(0.0, oldest.since_s + _WORTH_AGE_S - now_s)
                try:
                    await asyncio.wait_for(self._news.wait(), left_s)
                except TimeoutError:
                    continue
            else:
                await self._news.wait()

    def finish(self) -> None:
        """No more comes; what is pending is still taken."""
        self._is_finished = True
        self._news.set()

    @property
    def _is_full(self) -> bool:
        return self._entries >= _MOST_ENTRIES or self._names >= _MOST_NAMES

    def _taken(self, key: str) -> Batch:
        pending = self._pending.pop(key)
        self._entries -= pending.entries
        self._names -= pending.names
        if not self._is_full:
            self._room.set()
        return pending.batch()
