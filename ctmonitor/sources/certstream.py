"""
The certstream source: a thread that only reads, behind a bounded queue.

    FeedReader: connect, read, follow indexes  ->  Inbox  ->  batches(): prefilter
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from ctmonitor.model.batch import Batch, Cursor
from ctmonitor.model.clock import from_utc_text, now_utc, utc_text
from ctmonitor.net.route import Route
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.feedclient import shown
from ctmonitor.sources.feedreader import Feed, FeedReader
from ctmonitor.sources.inbox import Inbox
from ctmonitor.sources.screen import screen

__all__ = ["CURSOR", "CertstreamSource", "Feed", "shown"]

CURSOR = "certstream"

# So long the consumer waits for more after the first message, to work on many at once:
# five wake-ups a second cost less than a tenth of what one for each message would.
_LINGER_S = 0.2
_BATCH_MESSAGES = 2000


class CertstreamSource:
    """Batches of one certstream feed, for as long as it is not stopped."""

    def __init__(
        self,
        feed: Feed,
        route: Route,
        scanner: Scanner | None,
        resume: Cursor | None = None,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        """
        Args:
            scanner: the prefilter; None parses every message.
            resume: the cursor of the last run: what lies between is a gap.
        """
        self._scanner = scanner
        self._ready = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox = Inbox(feed.queue_messages, self._wake)
        stopped = from_utc_text(resume.position) if resume else None
        self._reader = FeedReader(feed, route, self._inbox, self._wake, stopped, now)

    @property
    def unreachable_since_s(self) -> float | None:
        """See `FeedReader`."""
        return self._reader.unreachable_since_s

    def use(self, scanner: Scanner | None) -> None:
        self._scanner = scanner

    def stop(self) -> None:
        self._reader.stop()

    def _wake(self) -> None:
        """Called in the reader's thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._ready.set)

    async def batches(self) -> AsyncIterator[Batch]:
        self._loop = asyncio.get_running_loop()
        self._reader.start()
        try:
            while not self._reader.ended or self._inbox:
                await self._ready.wait()
                self._ready.clear()
                if not self._inbox.is_well_filled and not self._reader.ended:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._ready.wait(), _LINGER_S)
                while (batch := self._next()) is not None:
                    yield batch
                    # Signals and timers get their turn between two batches.
                    await asyncio.sleep(0)
                # What woke us meanwhile has been taken: nothing is left to wake for.
                self._ready.clear()
        finally:
            self._reader.stop()
            await asyncio.to_thread(self._reader.join)
        # What it told in its last moment, and the position, which is true only now.
        yield self._batch((), "", self._reader.complete)
        if self._reader.failure is not None:
            raise self._reader.failure

    def _next(self) -> Batch | None:
        chunk = self._inbox.take(_BATCH_MESSAGES)
        if chunk is not None:
            return self._batch(chunk.frames, chunk.feed, chunk.complete)
        return self._batch((), "", None) if self._reader.news else None

    def _batch(
        self, frames: Sequence[bytes], feed: str, complete: datetime | None
    ) -> Batch:
        news = self._reader.news.take()
        position = utc_text(complete)
        return screen(
            frames,
            self._scanner,
            feed,
            dropped=news.dropped,
            reconnects=news.reconnects,
            gaps=news.gaps,
            cursor=None if position is None else Cursor(CURSOR, position),
        )
