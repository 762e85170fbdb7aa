"""What enrichers remember between runs: answers, and what was asked today."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from ctmonitor.errors import CTMonitorError
from ctmonitor.model.clock import utc_text

_log = logging.getLogger(__name__)


class Memory(Protocol):
    """
    The store's side: answers by kind and key, and budgets by day.

    Every method blocks, may be called from any thread and by several processes on one
    database, and raises StoreError when the database cannot be used.
    """

    def get(self, kind: str, key: str, now: datetime) -> Mapping[str, Any] | None:
        """What was put last, unless it has expired by `now`; else None."""
        ...

    def put(
        self, kind: str, key: str, value: Mapping[str, Any], expires: datetime
    ) -> None:
        """
        Keeps `value`, which holds JSON values only, in place of what was there.

        It is durable at return.
        """
        ...

    def take(self, budget: str, amount: int, limit: int, now: datetime) -> int:
        """
        How many of `amount` may be spent, 0..amount; they count as spent at once.

        Args:
            limit: of the budget for the UTC day of `now`, all processes together.
        """
        ...


class Recall:
    """
    A memory as enrichers use it: off the event loop, and a failure is no failure.

    A database that cannot be used makes an enricher ask again, or not ask at all where
    a budget cannot be counted; it never holds a report back.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def get(self, kind: str, key: str, now: datetime) -> Mapping[str, Any] | None:
        """What is remembered; None when nothing is, or when it cannot be read."""
        try:
            return await asyncio.to_thread(self._memory.get, kind, key, now)
        except CTMonitorError as exc:
            _log.warning("What is known of %s %s cannot be read: %s", kind, key, exc)
            return None

    async def put(
        self, kind: str, key: str, value: Mapping[str, Any], expires: datetime
    ) -> None:
        """Remembers until `expires`, if that is possible."""
        try:
            await asyncio.to_thread(self._memory.put, kind, key, value, expires)
        except CTMonitorError as exc:
            _log.warning(
                "What is known of %s %s cannot be kept until %s: %s",
                kind,
                key,
                utc_text(expires),
                exc,
            )

    async def take(self, budget: str, amount: int, limit: int, now: datetime) -> int:
        """How many of `amount` may be spent; 0 when that cannot be counted."""
        try:
            return await asyncio.to_thread(
                self._memory.take, budget, amount, limit, now
            )
        except CTMonitorError as exc:
            _log.warning("The budget %s cannot be counted: %s", budget, exc)
            return 0
