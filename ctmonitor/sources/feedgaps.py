"""
The gaps of one feed: what was missed, when, and of which log.

At most one stretch of time is open at once: not connected, silent, not running. Beside
it there are messages that our own queue refused, and indexes that never came.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ctmonitor.model.batch import Gap, GapCause
from ctmonitor.model.text import printable
from ctmonitor.sources.continuity import MAX_LOGS, Continuity, Hole
from ctmonitor.sources.message import log_address, position

log = logging.getLogger(__name__)

# The first message of each log after a reconnect shows what was missed meanwhile.
_AFTERMATH_S = 10.0
# A long overflow is told in parts, so that a crash costs little of what is known.
_PART_S = 60.0


@dataclass(slots=True)
class _Overflow:
    """An episode of dropping, or a part of one: how much of which log was lost."""

    feed: str
    began: datetime
    began_s: float
    last: datetime
    lost: Counter[bytes] = field(default_factory=Counter)
    lowest: dict[bytes, int] = field(default_factory=dict)
    highest: dict[bytes, int] = field(default_factory=dict)

    def add(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            at = position(frame)
            where, index = at if at is not None else (b"", -1)
            if where not in self.lost and len(self.lost) >= MAX_LOGS:
                where = b""  # a stranger makes up logs: count what they cost
            self.lost[where] += 1
            if where:
                self.lowest[where] = min(index, self.lowest.get(where, index))
                self.highest[where] = max(index, self.highest.get(where, index))

    def gaps(self) -> list[Gap]:
        """One gap for each log, with its range; one without for what bore no index."""
        return [
            Gap(
                self.feed,
                GapCause.OVERFLOW,
                self.began,
                self.last,
                lost=lost,
                log=_log_text(where),
                index_start=self.lowest[where] if where else None,
                index_end=self.highest[where] + 1 if where else None,
                detail="the queue was full ([SOURCES] Queue_Messages)",
            )
            for where, lost in self.lost.items()
        ]


class FeedGaps:
    """
    Finds gaps and tells them; for one thread.

    Every call is given the time: `now` as it is stored, `now_s` of a steady clock.
    """

    def __init__(
        self, tell: Callable[[Gap], None], hole_patience_s: float, calm_s: float
    ) -> None:
        """
        Args:
            tell: takes each gap; one that was told open is told again with its end.
            hole_patience_s: how long a missing index may still come late.
            calm_s: so long after the last message that the queue refused an overflow
                is over.
        """
        self._tell = tell
        self._calm_s = calm_s
        self._continuity = Continuity(hole_patience_s)
        self._open: Gap | None = None
        self._closed: Gap | None = None
        self._closed_s = 0.0
        self._overflow: _Overflow | None = None
        self._dropped = 0  # in the episode that goes on
        self._dropped_s = 0.0
        self._feed = ""

    @property
    def is_open(self) -> bool:
        """Whether nothing comes at this time."""
        return self._open is not None

    def begin(self, gap: Gap) -> None:
        """
        A stretch begins; while one is open its cause is the one that counts.

        Only that we were not running ends here: now it is the feed that fails.
        """
        if self._open is not None and self._open.cause is GapCause.STOPPED:
            self._tell(replace(self._open, end=gap.start))
            self._open = None
        if self._open is None:
            self._open = gap
            self._tell(gap)

    def close(self, now: datetime, now_s: float) -> None:
        """Messages come again."""
        if self._open is not None:
            self._closed = replace(self._open, end=now)
            self._closed_s = now_s
            self._open = None
            self._tell(self._closed)

    def follow(self, feed: str, frames: Sequence[bytes], now_s: float) -> None:
        """Note the indexes of messages that came."""
        self._feed = feed
        observe = self._continuity.observe
        for frame in frames:
            at = position(frame)
            if at is not None:
                observe(at[0], at[1], now_s)

    def drop(
        self, feed: str, frames: Sequence[bytes], now: datetime, now_s: float
    ) -> None:
        """Note messages, at least one, that the queue refused."""
        if not self._dropped:
            log.warning(
                "feed %s: messages come faster than they are judged and stored; "
                "what the queue ([SOURCES] Queue_Messages) cannot hold is dropped, "
                "counted and recorded as a gap",
                feed,
            )
        self._dropped += len(frames)
        self._dropped_s = now_s
        if self._overflow is None:
            self._overflow = _Overflow(feed, now, now_s, now)
        self._overflow.last = now
        self._overflow.add(frames)

    def tick(self, now: datetime, now_s: float) -> None:
        """Tell what is due; to be called about every second, connected or not."""
        self._tell_holes(self._continuity.expired(now_s), now, now_s)
        if not self._dropped:
            return
        if now_s - self._dropped_s >= self._calm_s:
            self._end_overflow()
        elif self._overflow and now_s - self._overflow.began_s >= _PART_S:
            self._tell_overflow()

    def end(self, now: datetime, now_s: float) -> None:
        """Tell all there is; nothing more will come."""
        self.close(now, now_s)
        self._tell_holes(self._continuity.rest(now_s), now, now_s)
        self._end_overflow()

    def _tell_overflow(self) -> None:
        if self._overflow is not None:
            for gap in self._overflow.gaps():
                self._tell(gap)
        self._overflow = None

    def _end_overflow(self) -> None:
        if self._dropped:
            log.warning(
                "feed %s: keeping up again, %d messages were dropped",
                self._feed,
                self._dropped,
            )
        self._tell_overflow()
        self._dropped = 0

    def _tell_holes(self, holes: Sequence[Hole], now: datetime, now_s: float) -> None:
        for hole in holes:
            gap = self._gap_of(hole, now, now_s)
            log.warning(
                "feed %s: %d entries of %s did not come, indexes %d to %d",
                gap.feed,
                hole.lost,
                gap.log,
                hole.start,
                hole.end - 1,
            )
            self._tell(gap)

    def _gap_of(self, hole: Hole, now: datetime, now_s: float) -> Gap:
        """A hole noticed as a connection came back is what the gap before it cost."""
        since_s = hole.noticed_s - self._closed_s
        if self._closed is not None and 0 <= since_s <= _AFTERMATH_S:
            gap = self._closed
        else:
            noticed = now - timedelta(seconds=now_s - hole.noticed_s)
            gap = Gap(
                self._feed,
                GapCause.HOLE,
                noticed,
                noticed,
                detail="the server left these indexes out",
            )
        return replace(
            gap,
            lost=hole.lost,
            log=_log_text(hole.log),
            index_start=hole.start,
            index_end=hole.end,
        )


def _log_text(url: bytes) -> str:
    return printable(log_address(url.decode("utf-8", "replace")))
