"""A look-up made once for all who ask, and remembered in success and in failure."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.site import Enrichment, EnrichmentStatus
from ctmonitor.scan.memory import Recall

_KEEP_FAILURE = timedelta(minutes=10)


class RateLimited(SourceError):
    """The service wants fewer questions: asked again later, without waiting."""


class NotOkError(Exception):
    """
    A look-up gave nothing, for a reason that belongs into the report.

    Args:
        is_kept: the same question would give the same for minutes.
    """

    def __init__(
        self, status: EnrichmentStatus, detail: str, *, is_kept: bool = True
    ) -> None:
        self.status = status
        self.detail = detail
        self.is_kept = is_kept
        super().__init__(detail)

    def enrichment(self, data: Mapping[str, Any] | None = None) -> Enrichment:
        """What the report says, with what is known in spite of it."""
        return Enrichment(self.status, self.detail, data or {})


class Lookup:
    """
    Args:
        kind: in the memory.
        keep: how long an answer holds; failures hold for minutes, and being asked to
            ask less often is not kept.
        limit_s: for one question, with the wait for a free thread or socket.
    """

    def __init__(
        self,
        recall: Recall,
        clock: Callable[[], datetime],
        kind: str,
        *,
        keep: timedelta,
        limit_s: float,
    ) -> None:
        self._recall = recall
        self._clock = clock
        self._kind = kind
        self._keep = keep
        self._limit_s = limit_s
        # Who holds a lock keeps it alive.
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    async def find(
        self,
        key: str,
        ask: Callable[[], Awaitable[Mapping[str, Any]]],
        fits: Callable[[Mapping[str, Any]], bool] = lambda known: True,
    ) -> Mapping[str, Any]:
        """
        What is known under `key`, asked for when nothing is or when it does not fit.

        Args:
            ask: gives JSON values; raises NotOkError, SourceError or FormatError.

        Raises:
            NotOkError: nothing is known now, and why.
        """
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            known = await self._recall.get(self._kind, key, self._clock())
            if known is not None and "found" not in known:
                raise NotOkError(EnrichmentStatus(known["status"]), known["detail"])
            if known is not None and fits(known["found"]):
                found: Mapping[str, Any] = known["found"]
                return found
            try:
                found = await self._asked(ask)
            except NotOkError as exc:
                if exc.is_kept:
                    failure = {"status": exc.status.value, "detail": exc.detail}
                    await self._put(key, failure, _KEEP_FAILURE)
                raise
            await self._put(key, {"found": found}, self._keep)
            return found

    async def _asked(
        self, ask: Callable[[], Awaitable[Mapping[str, Any]]]
    ) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(self._limit_s):
                return await ask()
        except TimeoutError as exc:
            why = f"no answer within {self._limit_s:g} s"
            raise NotOkError(EnrichmentStatus.ERROR, why) from exc
        except RateLimited as exc:
            limited = EnrichmentStatus.RATE_LIMITED
            raise NotOkError(limited, str(exc), is_kept=False) from exc
        except (SourceError, FormatError) as exc:
            raise NotOkError(EnrichmentStatus.ERROR, str(exc)) from exc

    async def _put(self, key: str, value: Mapping[str, Any], keep: timedelta) -> None:
        await self._recall.put(self._kind, key, value, self._clock() + keep)
