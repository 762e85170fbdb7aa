"""Log lines at a bounded rate: strangers decide how often something goes wrong."""

import time
from collections.abc import Callable


class Throttle:
    """Lets some events through in each period, and knows how many it held back."""

    def __init__(
        self,
        most: int,
        period_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            most: events let through in a period, 1 or more.
        """
        self._most = most
        self._period_s = period_s
        self._clock = clock
        self._began_s = clock()
        self._let_through = 0
        self._held_back = 0

    def admits(self) -> bool:
        """Whether this event may be told."""
        now_s = self._clock()
        if now_s - self._began_s >= self._period_s:
            self._began_s = now_s
            self._let_through = 0
        self._let_through += 1
        if self._let_through > self._most:
            self._held_back += 1
            return False
        return True

    def held_back(self) -> int:
        """How many events were not told since this was last asked."""
        number, self._held_back = self._held_back, 0
        return number
