"""
How many requests one log gets at the same time: as many as it bears, found by trying.

Additive increase, multiplicative decrease. What always holds, with `width` between 1
and `most`:

- No request begins while `width` requests are under way, nor during a pause.
- After a pause one request goes first, alone; only its success lets the others go.
- However many requests are refused at once, they halve `width` once: the outcome of a
  request that had begun before the last cut grows and cuts nothing.
- Requests begin in the order in which they asked.
- A request that is cancelled, waiting or under way, leaves its place to the next.
"""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ctmonitor.net.backoff import pause_s

_MOST_PAUSE_S = 3600.0


class Limit:
    """
    The places of one log, for the tasks of one event loop.

    The outcome of each request is told from inside its slot.

    Args:
        most: requests under way at the same time, at least 1.
        first: as many at the beginning, at most `most`.
        shared: places that this log has in common with others, as an operator's.
        draw: 0 to 1, so that clients that lost the same log do not come back in step.
    """

    def __init__(
        self,
        most: int,
        first: int = 2,
        shared: asyncio.Semaphore | None = None,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._most = most
        self._shared = shared
        self._draw = draw
        self._allowed = float(min(first, most))
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resumption: asyncio.TimerHandle | None = None  # set during a pause
        self._is_probing = False
        self._refusals = 0  # in a row
        self._cuts = 0
        self._outdated = 0  # outcomes still to come of requests from before the cut

    @property
    def width(self) -> int:
        """Requests that may be under way at the same time, pauses aside."""
        return int(self._allowed)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Waits for a place and for the end of a pause; holds the place."""
        await self._begin()
        try:
            yield
        finally:
            if self._shared is not None:
                self._shared.release()
            self._end()

    def succeeded(self) -> None:
        """The log answered: grows by one place in as many requests as there are."""
        if self._is_outdated():
            return
        self._refusals = 0
        self._is_probing = False
        if self._under_way >= self.width:  # else the width was not put to the test
            self._allowed = min(self._most, self._allowed + 1 / self.width)
        self._admit()

    def refused(self, retry_after_s: float | None = None) -> None:
        """
        The log wants fewer requests: halves, and pauses for at most an hour.

        Args:
            retry_after_s: as the log asks; the pause is no shorter, and grows with
                every refusal in a row.
        """
        if not self._is_outdated():
            self._cut()
            self._refusals += 1
        self._is_probing = True
        own_s = pause_s(max(0, self._refusals - 1), draw=self._draw)
        loop = asyncio.get_running_loop()
        end = loop.time() + min(max(own_s, retry_after_s or 0.0), _MOST_PAUSE_S)
        if self._resumption is not None:
            end = max(end, self._resumption.when())
            self._resumption.cancel()
        self._resumption = loop.call_at(end, self._resume)

    def failed(self) -> None:
        """The log broke down, or took too long: halves."""
        if not self._is_outdated():
            self._cut()

    async def _begin(self) -> None:
        """Takes a place here and among the shared ones; both, or none."""
        while True:
            await self._take()
            if self._shared is None:
                return
            cuts = self._cuts
            try:
                await self._shared.acquire()
            except BaseException:
                self._end()
                raise
            if cuts == self._cuts:
                return
            # There may be a pause by now, or fewer places.
            self._shared.release()
            self._end()

    async def _take(self) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            await place
        except BaseException:
            if not place.cancelled():  # it was given and not taken
                self._end()
            raise

    def _end(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._outdated = 0
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._has_room():
            place = self._waiting.popleft()
            if not place.cancelled():
                self._under_way += 1
                place.set_result(None)

    def _has_room(self) -> bool:
        if self._resumption is not None:
            return False
        return self._under_way < (1 if self._is_probing else self.width)

    def _resume(self) -> None:
        self._resumption = None
        self._admit()

    def _cut(self) -> None:
        self._allowed = max(1.0, self._allowed / 2)
        self._cuts += 1
        self._outdated = max(0, self._under_way - 1)

    def _is_outdated(self) -> bool:
        if not self._outdated:
            return False
        self._outdated -= 1
        return True
