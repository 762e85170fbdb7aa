"""
A feed, and the logs in its place while no server of it answers.

Old settings name a feed that may be gone for good. The feed is tried on all the while;
when it has been back for a moment the logs are left, with what they had read stored.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Batch
from ctmonitor.sources.base import Scanner, Source
from ctmonitor.sources.both import Streams

log = logging.getLogger(__name__)

_BACK_S = 60.0
_LOOK_S = 1.0


class Watched(Source, Protocol):
    """A source that knows how long it has been in vain."""

    @property
    def unreachable_since_s(self) -> float | None:
        """
        On the clock of time.monotonic, since when no server answers; None otherwise.
        """
        ...


class FailoverSource:
    """
    A `Source`: the feed always, the logs as long as it is unreachable.
    """

    def __init__(
        self,
        feed: Watched,
        logs: Callable[[Mapping[str, str], Scanner | None], Source],
        scanner: Scanner | None,
        after_s: float,
        *,
        back_s: float = _BACK_S,
    ) -> None:
        """
        Args:
            logs: makes the source of logs anew, from positions by the name of their
                cursor that were handed on since the start, and a prefilter.
            after_s: how long the feed must be unreachable.
            back_s: how long it must be back.
        """
        self._feed = feed
        self._make_logs = logs
        self._scanner = scanner
        self._after_s = after_s
        self._back_s = back_s
        self._logs: Source | None = None
        self._is_leaving = False  # the logs were stopped, and end by that
        self._is_stopped = False
        self._back_since_s: float | None = None
        self._positions: dict[str, str] = {}

    async def batches(self) -> AsyncIterator[Batch]:
        """
        The batches of both, until the feed was stopped or failed for good.

        Raises:
            SourceError: the feed or the logs failed for good.
        """
        streams = Streams()
        failure: SourceError | None = None
        look_s = min(_LOOK_S, self._after_s / 4, self._back_s / 4)
        try:
            streams.add(self._feed)
            while streams:
                self._look(streams)
                try:
                    batch = await streams.take(look_s)
                except SourceError as exc:
                    failure = failure or exc
                    self.stop()
                    continue
                if batch is not None:
                    if batch.cursor is not None:
                        self._positions[batch.cursor.source] = batch.cursor.position
                    yield batch
        finally:
            await streams.close()
        if failure is not None:
            raise failure

    def use(self, scanner: Scanner | None) -> None:
        """See `Source`."""
        self._scanner = scanner
        self._feed.use(scanner)
        if self._logs is not None:
            self._logs.use(scanner)

    def stop(self) -> None:
        """See `Source`."""
        self._is_stopped = True
        self._feed.stop()
        if self._logs is not None:
            self._logs.stop()

    def _look(self, streams: Streams) -> None:
        """Begin to read the logs, or leave them, when it is time to."""
        if self._is_stopped:
            return
        now_s = time.monotonic()
        since_s = self._feed.unreachable_since_s
        if self._logs is None or self._logs not in streams:
            if since_s is not None and now_s - since_s >= self._after_s:
                self._begin(streams, now_s - since_s)
        elif since_s is not None:
            self._back_since_s = None
        elif self._back_since_s is None:
            self._back_since_s = now_s
        elif now_s - self._back_since_s >= self._back_s and not self._is_leaving:
            self._is_leaving = True
            log.warning("the feed is back: the logs are left")
            self._logs.stop()

    def _begin(self, streams: Streams, failing_s: float) -> None:
        log.warning(
            "no feed could be read for %.3g minutes: the logs are read until one is "
            "back",
            failing_s / 60,
        )
        self._is_leaving = False
        self._back_since_s = None
        self._logs = self._make_logs(self._positions, self._scanner)
        streams.add(self._logs)
