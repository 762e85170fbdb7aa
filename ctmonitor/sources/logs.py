"""The logs themselves as a source: proven entries, through the prefilter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial

from ctmonitor.ct.entry import Leaves
from ctmonitor.model.batch import Batch
from ctmonitor.model.clock import now_utc
from ctmonitor.model.log import Log
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.entryscreen import screen_leaves
from ctmonitor.sources.fleet import Fleet
from ctmonitor.sources.follower import LogStatus, Manner
from ctmonitor.sources.gathering import Gathering
from ctmonitor.sources.logclient import LogClient
from ctmonitor.sources.logcursor import LogCursor, cursor_name
from ctmonitor.sources.message import log_address


class LogsSource:
    """All followed logs; a `Source`."""

    def __init__(
        self,
        logs: Callable[[], Awaitable[Sequence[Log]]],
        client_of: Callable[[Log, int], LogClient],
        resume: Mapping[str, LogCursor],
        manner: Manner,
        filtered_by: Scanner | None,
    ) -> None:
        """See `Fleet`; `filtered_by` None hands on every entry."""
        self._fleet = Fleet(logs, client_of, resume, self._take, manner)
        self._scanner = filtered_by
        self._gathering = Gathering()
        self._reading: asyncio.Future[None] | None = None
        self._is_stopped = False

    async def batches(self) -> AsyncIterator[Batch]:
        """
        The batches until `stop`, or with `once` until the logs were read.

        Raises:
            SourceError: with `once`, the log list cannot be had.
        """
        # Not a TaskGroup: one that is open across a `yield` may be left in another
        # task than it was entered in.
        reading = self._reading = asyncio.ensure_future(self._fleet.run())
        # A task that is cancelled before its first step runs no `finally` of its own.
        reading.add_done_callback(lambda _: self._gathering.finish())
        try:
            if self._is_stopped:
                reading.cancel()
            while (batch := await self._gathering.take()) is not None:
                yield batch
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            # Told below, or not at all when the consumer has left for another reason.
            failure = None if reading.cancelled() else reading.exception()
        if failure is not None:
            raise failure

    def use(self, scanner: Scanner | None) -> None:
        """See `Source`."""
        self._scanner = scanner

    def stop(self) -> None:
        """See `Source`."""
        self._is_stopped = True
        if self._reading is not None:
            self._reading.cancel()

    def status(self) -> list[LogStatus]:
        """Each log's position and condition."""
        return self._fleet.status()

    def given_up(self) -> list[LogStatus]:
        """With `once`: the logs that could not be read to the end."""
        return self._fleet.given_up()

    async def _take(self, log_: Log, leaves: Leaves | None, at: LogCursor) -> None:
        key, cursor = cursor_name(log_), partial(at.cursor, log_)
        if leaves is None:
            await self._gathering.put(key, 0, 0, (), (), cursor)
            return
        screened = await screen_leaves(
            leaves, log_, log_address(log_.address), self._scanner, now_utc()
        )
        await self._gathering.put(
            key,
            len(leaves),
            screened.candidates,
            screened.sightings,
            screened.malformed,
            cursor,
        )
