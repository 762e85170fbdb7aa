"""An enricher's memory without a database: the protocol of `ctmonitor.scan.memory`."""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ctmonitor.errors import StoreUnavailable


class InMemory:
    """
    Keeps JSON text, so that what a database could not keep fails here too.

    Args:
        is_broken: every call raises StoreUnavailable, as with a locked database.
    """

    def __init__(self, *, is_broken: bool = False) -> None:
        self.is_broken = is_broken
        self.kept: dict[tuple[str, str], tuple[str, datetime]] = {}
        self.spent: Counter[tuple[str, date]] = Counter()
        self._lock = threading.Lock()

    def get(self, kind: str, key: str, now: datetime) -> Mapping[str, Any] | None:
        self._check()
        text, expires = self.kept.get((kind, key), ("", now))
        if expires <= now:
            return None
        value: Mapping[str, Any] = json.loads(text)
        return value

    def put(
        self, kind: str, key: str, value: Mapping[str, Any], expires: datetime
    ) -> None:
        self._check()
        self.kept[kind, key] = (json.dumps(dict(value)), expires)

    def take(self, budget: str, amount: int, limit: int, now: datetime) -> int:
        self._check()
        with self._lock:
            granted = max(0, min(amount, limit - self.spent[budget, now.date()]))
            self.spent[budget, now.date()] += granted
            return granted

    def _check(self) -> None:
        if self.is_broken:
            raise StoreUnavailable("database is locked")
