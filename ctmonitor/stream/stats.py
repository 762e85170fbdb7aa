"""How a stream is doing: figures for each log and in sum."""

import time
from collections import deque
from dataclasses import dataclass

from ctmonitor.sources.follower import LogStatus

_WINDOW_S = 30.0
_STEP_S = 1.0


@dataclass(frozen=True, slots=True)
class LogStats:
    """
    Args:
        condition: `starting`, `following`, `unreachable`, `suspect`, `bad`, `drained`
            or `finished`.
        position: next entry that will be handed out; None before the first head.
        head_size: entries of the log, by its last head that was believed.
        entries: handed out since the start; rate: a second, over the last 30 s.
        malformed: entries of which something could not be read.
        errors: requests that failed for good, and contradictions, since the start.
    """

    name: str
    operator: str
    url: str
    condition: str
    position: int | None
    head_size: int | None
    entries: int
    rate: float
    malformed: int
    errors: int
    last_error: str

    @property
    def backlog(self) -> int | None:
        """Entries that wait; None before the first head."""
        if self.position is None or self.head_size is None:
            return None
        return max(0, self.head_size - self.position)


@dataclass(frozen=True, slots=True)
class Stats:
    """
    Args:
        logs: by name.
        callback_errors: exceptions of the callback, each of which was logged.
        waiting: entries that were read and not handed out.
    """

    logs: tuple[LogStats, ...]
    callback_errors: int = 0
    waiting: int = 0

    @property
    def entries(self) -> int:
        return sum(log.entries for log in self.logs)

    @property
    def rate(self) -> float:
        return sum(log.rate for log in self.logs)

    @property
    def backlog(self) -> int:
        return sum(log.backlog or 0 for log in self.logs)

    @property
    def malformed(self) -> int:
        return sum(log.malformed for log in self.logs)

    @property
    def errors(self) -> int:
        return sum(log.errors for log in self.logs)


class LogTally:
    """The counters of one log."""

    def __init__(self) -> None:
        self.entries = 0
        self.malformed = 0
        self.told = 0  # malformed entries that were named in the log
        self._points: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])

    def add(self, entries: int) -> None:
        """Note that so many were handed out."""
        self.entries += entries
        now_s = time.monotonic()
        if now_s - self._points[-1][0] >= _STEP_S:
            self._points.append((now_s, self.entries))
            while self._points[0][0] < now_s - _WINDOW_S:
                self._points.popleft()

    @property
    def rate(self) -> float:
        """Entries a second."""
        now_s = time.monotonic()
        began_s, entries = next(
            (point for point in self._points if point[0] >= now_s - _WINDOW_S),
            (now_s, self.entries),
        )
        return (self.entries - entries) / max(now_s - began_s, _STEP_S)


def log_stats(status: LogStatus, position: int | None, tally: LogTally) -> LogStats:
    """
    Args:
        position: next entry to be handed out, which may lag behind what was read.
    """
    return LogStats(
        status.log.name,
        status.log.operator,
        status.log.address.rstrip("/"),
        str(status.condition),
        status.position if position is None else position,
        status.head_size,
        tally.entries,
        tally.rate,
        tally.malformed,
        status.errors,
        status.last_error,
    )
