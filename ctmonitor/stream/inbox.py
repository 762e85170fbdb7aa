"""The bounded queue between the tasks that read logs and the one who takes entries."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ctmonitor.ct.entry import Leaves
from ctmonitor.model.log import Log
from ctmonitor.sources.logcursor import LogCursor

# Entries of real logs take 8 kB each; a hostile one may fill them.
_MOST_BYTES = 128 * 2**20
# Certificates that are dealt with while readers wait; of a usual tile it is all. What a
# hostile log fills with names takes 0.4 s.
_AT_ONCE_BYTES = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """
    Consecutive entries of one log, proven.

    Args:
        leaves: None when only the log's head moved.
        count: of the entries in `leaves`, how many are wanted, from the first.
        after: the position that is true once all of them were handed out.
    """

    log: Log
    leaves: Leaves | None
    count: int
    after: LogCursor

    @property
    def kept_bytes(self) -> int:
        """Of memory, about."""
        return 0 if self.leaves is None else self.leaves.kept_bytes

    def cursor(self, handed: int) -> LogCursor:
        """The position that is true once `handed` of them were."""
        if self.leaves is None or handed >= self.count:
            return self.after
        # A log of RFC 6962 is asked for the proof of this place when it is resumed.
        return LogCursor(self.leaves.start + handed, self.after.head)

    def parts(self) -> Iterator["Run"]:
        """Itself, or when its certificates are large several that follow each other."""
        leaves = self.leaves
        if leaves is None or len(leaves.data) <= _AT_ONCE_BYTES:
            yield self
            return
        first = size = 0
        for number, (start, end) in enumerate(leaves.spans[: self.count - 1], 1):
            size += end - start
            if size >= _AT_ONCE_BYTES:
                part = leaves.since(leaves.start + first)
                yield Run(self.log, part, number - first, self.cursor(number))
                first, size = number, 0
        part = leaves.since(leaves.start + first)
        yield Run(self.log, part, self.count - first, self.after)


class Inbox:
    """For the tasks of one event loop; one of them takes."""

    def __init__(self, most_entries: int, most_bytes: int = _MOST_BYTES) -> None:
        """
        Args:
            most_entries, most_bytes: from there on readers wait; a run may pass them.
        """
        self._most = most_entries
        self._most_bytes = most_bytes
        self._runs: deque[Run] = deque()
        self._entries = 0
        self._bytes = 0
        self._is_finished = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Entries that were read and not taken."""
        return self._entries

    async def put(self, run: Run) -> None:
        """
        Add a run, in its parts, once there is room.

        A caller that is cancelled while he waits has added nothing: he reads the same
        entries again.
        """
        while self._is_full:
            self._room.clear()
            await self._room.wait()
        for part in run.parts():
            self._runs.append(part)
            self._entries += part.count
            self._bytes += part.kept_bytes
        self._news.set()

    async def take(self) -> Run | None:
        """The oldest run; None when all were taken and no more come."""
        while not self._runs:
            if self._is_finished:
                return None
            self._news.clear()
            await self._news.wait()
        run = self._runs.popleft()
        self._entries -= run.count
        self._bytes -= run.kept_bytes
        if not self._is_full:
            self._room.set()
        return run

    @property
    def _is_full(self) -> bool:
        return self._entries >= self._most or self._bytes >= self._most_bytes

    def finish(self) -> None:
        """No more comes; what is there is still taken."""
        self._is_finished = True
        self._news.set()
