"""How often services may be asked: a minute, a day, and not while they say no."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from ctmonitor.model.clock import utc_text
from ctmonitor.scan.memory import Recall

_MINUTE = timedelta(minutes=1)
_KIND = "pause"
_PAUSE_S = 600.0
_MAX_PAUSE_S = 86400.0


class Budget:
    """
    Args:
        kind: of the services, as `rdap`: the beginning of their names in the memory.
        per_day: questions to one service, of all runs together.
        per_minute: questions to one service, of this process; `slow` has others.
    """

    def __init__(
        self,
        recall: Recall,
        clock: Callable[[], datetime],
        kind: str,
        *,
        per_day: int,
        per_minute: int = 60,
        slow: Mapping[str, int] | None = None,
    ) -> None:
        self._recall = recall
        self._clock = clock
        self._kind = kind
        self._per_day = per_day
        self._per_minute = per_minute
        self._slow = slow or {}
        self._asked: defaultdict[str, deque[datetime]] = defaultdict(deque)

    async def refusal(self, service: str) -> str:
        """
        Why the service is not asked now; empty when it may be, once, and that counts.
        """
        now = self._clock()
        name = f"{self._kind}:{service}"
        paused = await self._recall.get(_KIND, name, now)
        if paused is not None:
            return f"{service} wants no questions until {paused.get('until')} UTC"
        asked = self._asked[service]
        while asked and asked[0] <= now - _MINUTE:
            asked.popleft()
        most = self._slow.get(service, self._per_minute)
        if len(asked) >= most:
            return f"{service} is asked at most {most} times a minute"
        # Before the next await, so that others who ask meanwhile see it.
        asked.append(now)
        if not await self._recall.take(name, 1, self._per_day, now):
            return f"the daily budget of {self._per_day} questions to {service} is used"
        return ""

    async def pause(self, service: str, asked_s: float | None) -> None:
        """
        Leaves the service alone for a while, in all runs.

        Args:
            asked_s: what it asked for, counted up to a day; None for ten minutes.
        """
        seconds = _PAUSE_S if asked_s is None else min(asked_s, _MAX_PAUSE_S)
        until = self._clock() + timedelta(seconds=seconds)
        await self._recall.put(
            _KIND, f"{self._kind}:{service}", {"until": utc_text(until)}, until
        )
