"""What enrichers remember between runs: answers for a while, and daily budgets."""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from ctmonitor.store.engine import Database
from ctmonitor.store.rows import text
from ctmonitor.store.schema import BUDGET, MEMORY, json_text, moment_text


class Memory:
    """
    Answers by kind and key, and what was spent today.

    Any thread and process may call at any time. Every method raises StoreUnavailable
    or StoreError when the database fails; then nothing was written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        put = database.insert(MEMORY)
        self._put = put.on_conflict_do_update(
            index_elements=list(MEMORY.primary_key.columns),
            set_={
                "value": put.excluded.value,
                "expires_at": put.excluded.expires_at,
            },
        )
        spend = database.insert(BUDGET)
        self._spend = spend.on_conflict_do_update(
            index_elements=list(BUDGET.primary_key.columns),
            set_={"spent": spend.excluded.spent},
        )

    def get(self, kind: str, key: str, now: datetime) -> Mapping[str, Any] | None:
        """What was put last, unless it has expired by `now`; else None."""
        with self._database.sharing() as connection:
            return _kept(connection, kind, key, now)

    def put(
        self, kind: str, key: str, value: Mapping[str, Any], expires: datetime
    ) -> None:
        """
        Keeps `value`, which holds JSON values only, in place of what was there.

        It is durable at return.
        """
        row = {
            "kind": text(kind),
            "key": text(key),
            "value": json_text(value),
            "expires_at": moment_text(expires),
        }
        with self._database.writing() as connection:
            connection.execute(self._put, row)

    def take(self, budget: str, amount: int, limit: int, now: datetime) -> int:
        """
        How many of `amount` may be spent, 0..amount; they count as spent at once.

        Args:
            limit: of the budget for the UTC day of `now`, all processes together.
        """
        name, day = text(budget), _day(now)
        c = BUDGET.c
        with self._database.writing() as connection:
            spent = _spent(connection, budget, now)
            taken = max(0, min(amount, limit - spent))
            if taken:
                row = {"name": name, "day": day, "spent": spent + taken}
                connection.execute(self._spend, row)
                # Of past days nothing is asked again.
                connection.execute(delete(BUDGET).where(c.name == name, c.day < day))
        return taken

    def forget_expired(self, now: datetime) -> None:
        """Removes answers that `get` would not give any more."""
        expired = MEMORY.c.expires_at <= moment_text(now)
        with self._database.writing() as connection:
            connection.execute(delete(MEMORY).where(expired))


class Borrowed:
    """
    The memory of one process: begins with what a database knows, and writes nothing.

    Any thread may call at any time. Methods raise StoreUnavailable or StoreError when
    the database fails.

    Args:
        database: None for a memory that begins with nothing.
    """

    def __init__(self, database: Database | None) -> None:
        self._database = database
        self._own: dict[tuple[str, str], tuple[Mapping[str, Any], datetime]] = {}
        self._taken: Counter[tuple[str, str]] = Counter()  # by budget and day
        self._lock = threading.Lock()

    def get(self, kind: str, key: str, now: datetime) -> Mapping[str, Any] | None:
        """What was put last, here or in the database, unless it has expired."""
        value, expires = self._own.get((kind, key), ({}, now))
        if expires > now:
            return value
        if self._database is None:
            return None
        with self._database.sharing() as connection:
            return _kept(connection, kind, key, now)

    def put(
        self, kind: str, key: str, value: Mapping[str, Any], expires: datetime
    ) -> None:
        """Keeps `value` as long as this process lasts."""
        self._own[kind, key] = (value, expires)

    def take(self, budget: str, amount: int, limit: int, now: datetime) -> int:
        """
        How many of `amount` may be spent, 0..amount; counted here alone.

        Args:
            limit: of the budget for the UTC day of `now`, with what the database
                counts.
        """
        spent = 0
        if self._database is not None:
            with self._database.sharing() as connection:
                spent = _spent(connection, budget, now)
        with self._lock:
            taken = max(0, min(amount, limit - spent - self._taken[budget, _day(now)]))
            self._taken[budget, _day(now)] += taken
        return taken


def _kept(
    connection: Connection, kind: str, key: str, now: datetime
) -> Mapping[str, Any] | None:
    query = select(MEMORY.c.value).where(
        MEMORY.c.kind == text(kind),
        MEMORY.c.key == text(key),
        MEMORY.c.expires_at > moment_text(now),
    )
    value = connection.execute(query).scalar()
    return None if value is None else json.loads(value)


def _spent(connection: Connection, budget: str, now: datetime) -> int:
    c = BUDGET.c
    query = select(c.spent).where(c.name == text(budget), c.day == _day(now))
    return connection.execute(query).scalar() or 0


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
