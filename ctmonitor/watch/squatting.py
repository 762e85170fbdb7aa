"""
Certificates for misspelt forms of a watched domain.

Thousands of names cannot be asked for in one run of a quarter of an hour: registered
ones come first, and each run goes on where the last one ended.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.own import DomainState, OwnAlert
from ctmonitor.sources.ownsource import Answer, BudgetSpent
from ctmonitor.watch import judge
from ctmonitor.watch.asking import Asked, Problem
from ctmonitor.watch.inventory import take_typosquat
from ctmonitor.watch.lookup import Lookup
from ctmonitor.watch.typosquats import look_up, order, permutations, take_up

log = logging.getLogger(__name__)

_FRESH = timedelta(days=1)  # who was asked for is left alone so long
_RENEW_S = 60.0  # a domain takes longer than the lock lasts
_FAILURES = 3  # one after the other; then the source is left alone


class Squatting:
    """
    See `watch.cycle.Squats`.

    Args:
        ask: what is said of one name, of all that it is or lies below; blocks.
        own: all watched domains.
        most: questions in one run, of all domains.
        on_done: told of the domain, of how many names were asked for, and are to be.
        renew: keeps the lock of the states for another while; may raise Busy.
    """

    def __init__(
        self,
        ask: Callable[[str], Answer],
        lookup: Lookup,
        own: frozenset[str],
        *,
        most: int,
        stopped: Callable[[], bool],
        on_done: Callable[[str, int, int], None],
        renew: Callable[[], None],
    ) -> None:
        self._ask = ask
        self._lookup = lookup
        self._own = own
        self._left = most
        self._stopped = stopped
        self._on_done = on_done
        self._renew = renew
        self._renewed_s = time.monotonic()

    async def look(self, state: DomainState, now: str) -> tuple[list[OwnAlert], Asked]:
        """New alerts, noted in the state; what failed, and what is left."""
        asked = Asked()
        kinds = await asyncio.to_thread(permutations, state.domain, self._own)
        take_up(state, kinds)
        moment = from_utc_text(now)
        fresh_from = (utc_text(moment - _FRESH) if moment is not None else None) or ""
        await look_up(state, self._lookup, now, fresh_from)
        due = order(state, fresh_from)
        alerts: list[OwnAlert] = []
        failures = done = 0
        for name in due:
            if self._left <= 0 or self._stopped() or failures >= _FAILURES:
                break
            self._left -= 1
            if time.monotonic() - self._renewed_s > _RENEW_S:
                await asyncio.to_thread(self._renew)
                self._renewed_s = time.monotonic()
            try:
                answer = await asyncio.to_thread(self._ask, name)
            except BudgetSpent as exc:
                asked.notes.append(f"{state.domain}: typosquats: {exc}")
                break
            except (SourceError, FormatError) as exc:
                failures += 1
                state.typosquats[name].failed = now
                log.info("%s: %s", name, exc)
                if failures == _FAILURES:
                    where = f"{name}, a typosquat of {state.domain}"
                    asked.problems.append(Problem("typosquats", where, str(exc)))
                continue
            failures = 0
            done += 1
            alerts += self._taken(state, name, answer, now)
            self._on_done(state.domain, done, len(due))
        if done < len(due):
            asked.notes.append(
                f"{state.domain}: {done} of {len(due)} typosquats were asked for; the "
                "next run goes on there"
            )
        return alerts, asked

    def _taken(
        self, state: DomainState, name: str, answer: Answer, now: str
    ) -> list[OwnAlert]:
        squat = state.typosquats[name]
        changes = take_typosquat(squat, answer, now)
        new = [change.certificate for change in changes if change.is_new]
        for certificate in new:
            # One that is valid now is a danger now, whenever it came.
            certificate.is_baseline = False
        return judge.typosquats(state, name, new, now)
