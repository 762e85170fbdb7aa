"""Whether a log is read more slowly than it grows (L9)."""

from collections import deque
from dataclasses import dataclass

_WINDOW_S = 600.0
_LEAST_S = 120.0  # of observation, before anything is said
_SMALL = 20_000  # entries; a backlog of minutes is no news


@dataclass(frozen=True, slots=True)
class Behind:
    """A change worth an event, with the figures; rates in entries a second."""

    is_behind: bool
    backlog: int
    read_rate: float
    growth_rate: float

    def __str__(self) -> str:
        return (
            f"backlog {self.backlog} entries, read {self.read_rate:.1f} a second, "
            f"the log grows by {self.growth_rate:.1f}"
        )


class Backlog:
    """
    Figures of the last ten minutes; behind is a backlog that has grown over them.
    """

    def __init__(self) -> None:
        self._is_behind = False
        self._points: deque[tuple[float, int, int]] = deque()

    def observe(self, now_s: float, position: int, size: int) -> Behind | None:
        """
        What changed, or None.

        Args:
            now_s: a clock that does not jump.
            position: next entry to be read; size: of the head.
        """
        self._points.append((now_s, position, size))
        while self._points[0][0] < now_s - _WINDOW_S:
            self._points.popleft()
        began_s, from_position, from_size = self._points[0]
        elapsed_s = now_s - began_s
        backlog = size - position
        if backlog <= _SMALL:
            is_behind = False
        elif elapsed_s < _LEAST_S:
            return None
        else:
            # Catching up, however long it takes, is not falling behind.
            is_behind = backlog >= from_size - from_position
        if is_behind == self._is_behind:
            return None
        self._is_behind = is_behind
        elapsed_s = max(elapsed_s, 1.0)
        return Behind(
            is_behind,
            backlog,
            (position - from_position) / elapsed_s,
            (size - from_size) / elapsed_s,
        )
