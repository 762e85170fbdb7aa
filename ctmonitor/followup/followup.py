"""
One run over the hosts that are due: visited, enriched, stored, put into the outbox.

    claim -> visit (many at once) -> enrich what is told -> finish (one transaction)

Several runs may share the work: each host is leased to one of them. What is finished
is stored in small batches, so that an end in the middle loses no finished visit.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from ctmonitor.errors import StoreError
from ctmonitor.followup.schedule import Schedule, observe
from ctmonitor.followup.telling import Telling
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.finding import HostDetail
from ctmonitor.model.followup import DueHost, EventKind, HostState, OutboxItem, Visit
from ctmonitor.model.site import Enrichment, EnrichmentStatus, Presence, SiteReport
from ctmonitor.scan.base import Enricher, Visitor

log = logging.getLogger(__name__)

_CLAIM = 200  # hosts a claim, and no more than are visited at once
_FINISH = 100  # visits a transaction
# What was visited is stored when it is so much, or was kept for so long. Not earlier:
# visits that begin meanwhile begin later, and those of dead hosts end the run.
_WORTH = 1000
_FINISH_WAIT_S = 4.0
_ENRICHED_AT_ONCE = 10  # batches; a registry that hangs must not hold up all others
_IN_HAND = 2000  # hosts between claim and store, beside those being visited
_GRACE_S = 5.0  # for enrichers when a run is stopped
_MOST_FAILURES = 10
# Beyond the visit of a host and those of the two before it in its place: enrichment,
# storing, and clocks of other machines.
_LEASE_MARGIN_S = 600.0


class Book(Protocol):
    """The store, as the follow-up uses it; called from one thread."""

    def claim(
        self,
        now: datetime,
        limit: int,
        lease_s: float,
        owner: str,
        started: datetime | None = None,
    ) -> list[DueHost]:
        """
        Hosts that are due, leased to `owner`; empty when there are none.

        Args:
            started: also hosts that are not due, if not visited since then.
        """
        ...

    def finish(self, visits: Sequence[Visit], owner: str) -> list[str]:
        """Store visits in one transaction; the hosts whose lease was lost."""
        ...

    def release(self, owner: str) -> None:
        """Give all leases of `owner` back."""
        ...


@dataclass(slots=True)
class Summary:
    """
    What a run has done.

    Args:
        lost_leases: hosts that another run visited meanwhile; it stores them.
        failures: the first different reasons, for people.
    """

    visited: int = 0
    up: int = 0
    down: int = 0
    unknown: int = 0
    alerts: int = 0
    lost_leases: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"visited={self.visited} up={self.up} down={self.down} "
            f"unknown={self.unknown} alerts={self.alerts}"
        )

    def fail(self, reason: str) -> None:
        """Notes a reason why the run is not complete."""
        if reason not in self.failures and len(self.failures) < _MOST_FAILURES:
            self.failures.append(reason)


@dataclass(frozen=True, slots=True)
class _Observed:
    """A visited host, what is remembered of it from now on, and what is new."""

    host: DueHost
    report: SiteReport
    state: HostState
    events: tuple[EventKind, ...]


class FollowUp:
    """One run."""

    def __init__(
        self,
        visitor: Visitor,
        enrichers: Sequence[Enricher],
        book: Book,
        schedule: Schedule,
        telling: Telling,
        on_report: Callable[[SiteReport], None],
        *,
        owner: str,
        concurrency: int = 1000,
        visit_s: float = 15.0,
        enrich_s: float = 60.0,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        """
        Args:
            on_report: told of each visit once it is stored.
            owner: names this run in leases; unlike any other's.
            concurrency: visits at the same time.
            visit_s: time limit of a visit, which the visitor keeps.
            enrich_s: time limit of an enricher for a batch.
        """
        self.summary = Summary()
        self._visitor = visitor
        self._enrichers = enrichers
        self._book = book
        self._schedule = schedule
        self._telling = telling
        self._on_report = on_report
        self._owner = owner
        self._concurrency = concurrency
        self._lease_s = 3 * visit_s + enrich_s + _LEASE_MARGIN_S
        self._enrich_s = enrich_s
        self._now = now
        self._stop = asyncio.Event()
        self._in_hand = asyncio.Semaphore(_IN_HAND + concurrency)
        self._finished: list[tuple[DueHost, SiteReport]] = []  # what is in hand at most
        self._is_worth = asyncio.Event()  # as many as a transaction takes, or the last
        self._has_visited = False  # no more will be finished

    def stop(self) -> None:
        """Begin no more visits, give up those under way, store what is finished."""
        self._stop.set()

    async def run(
        self,
        *,
        started: datetime | None = None,
        limit: int | None = None,
        run_timeout_s: float | None = None,
    ) -> Summary:
        """
        Visit what is due until nothing is, `limit` hosts are, or time is over.

        Args:
            started: with a time, also hosts that are not due, once each.

        Raises:
            StoreError: the store failed; what was stored before stays.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="store") as worker:
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._finish_all(worker))
                    try:
                        await self._visit_until(worker, started, limit, run_timeout_s)
                    except StoreError as exc:
                        failed: StoreError | None = exc
                    else:
                        failed = None
                    self._has_visited = True
                    self._is_worth.set()
                if failed is not None:
                    raise failed
            finally:
                try:
                    await loop.run_in_executor(worker, self._book.release, self._owner)
                except StoreError as exc:
                    log.warning("leases end by themselves, not now: %s", exc)
        return self.summary

    # Visits

    async def _visit_until(
        self,
        worker: ThreadPoolExecutor,
        started: datetime | None,
        limit: int | None,
        run_timeout_s: float | None,
    ) -> None:
        """Visits until the end, or until the run is stopped or takes too long."""
        loop = asyncio.get_running_loop()
        visiting = loop.create_task(self._visit_all(worker, started, limit))
        stopping = loop.create_task(self._stop.wait())
        try:
            await asyncio.wait(
                {visiting, stopping},
                timeout=run_timeout_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not visiting.done() and not self._stop.is_set():
                self.summary.fail(
                    f"[SCAN] Run_Timeout of {run_timeout_s:g} s was reached; hosts "
                    "that are left are due in the next run"
                )
                self.stop()
        finally:
            for task in (visiting, stopping):
                task.cancel()
            await asyncio.wait({visiting, stopping})
        if not visiting.cancelled() and (exc := visiting.exception()) is not None:
            raise exc

    async def _visit_all(
        self,
        worker: ThreadPoolExecutor,
        started: datetime | None,
        limit: int | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        free = asyncio.Semaphore(self._concurrency)
        claimed = 0
        # A claimed host waits for two visits at most, so that its lease is long enough.
        at_once = min(_CLAIM, self._concurrency)
        under_way: set[asyncio.Task[None]] = set()

        def claim() -> asyncio.Future[list[DueHost]]:
            most = at_once if limit is None else min(at_once, limit - claimed)
            return loop.run_in_executor(
                worker,
                self._book.claim,
                self._now(),
                most,
                self._lease_s,
                self._owner,
                started,
            )

        following: asyncio.Future[list[DueHost]] | None = None
        try:
            due = await claim()
            while due:
                claimed += len(due)
                # The next are claimed meanwhile: the store may be busy with what was
                # visited, and a dead host that begins late makes the run longer.
                following = None if claimed == limit else claim()
                for host in due:
                    await self._in_hand.acquire()
                    await free.acquire()
                    task = loop.create_task(self._visit(host, free))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                due = [] if following is None else await following
            if under_way:
                await asyncio.wait(set(under_way))
        finally:
            left: list[asyncio.Future[Any]] = [*under_way]
            if following is not None:
                left.append(following)
            for each in left:
                each.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _visit(self, host: DueHost, free: asyncio.Semaphore) -> None:
        try:
            report = await self._visitor.visit(host.domain)
        except Exception as exc:  # a mistake of ours with one host; the others go on
            log.exception("a visit failed: %s", host.domain)
            self.summary.fail(f"a visit failed: {type(exc).__name__}; see the log")
            self._in_hand.release()
        else:
            self._finished.append((host, report))
            if len(self._finished) >= _WORTH:
                self._is_worth.set()
        finally:
            free.release()

    # What was visited

    async def _finish_all(self, worker: ThreadPoolExecutor) -> None:
        """Takes finished visits together, and none waits longer than some seconds."""
        free = asyncio.Semaphore(_ENRICHED_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            is_last = False
            while not is_last:
                # A wait for each visit would cost more than all the rest here.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_FINISH_WAIT_S):
                        await self._is_worth.wait()
                self._is_worth.clear()
                is_last = self._has_visited
                finished, self._finished = self._finished, []
                for start in range(0, len(finished), _FINISH):
                    batch = finished[start : start + _FINISH]
                    await self._sort(batch, worker, group, free)

    async def _sort(
        self,
        batch: Sequence[tuple[DueHost, SiteReport]],
        worker: ThreadPoolExecutor,
        group: asyncio.TaskGroup,
        free: asyncio.Semaphore,
    ) -> None:
        """Stores at once what nobody is told of; the rest is enriched first."""
        seen = [
            _Observed(host, report, *observe(host.state, report))
            for host, report in batch
        ]
        told = [one for one in seen if self._telling.events.intersection(one.events)]
        quiet = [
            one for one in seen if not self._telling.events.intersection(one.events)
        ]
        await self._finish(quiet, worker)
        if told:
            await free.acquire()
            group.create_task(self._tell(told, worker, free))

    async def _tell(
        self,
        told: Sequence[_Observed],
        worker: ThreadPoolExecutor,
        free: asyncio.Semaphore,
    ) -> None:
        try:
            reports = await self._enriched([one.report for one in told])
        finally:
            free.release()
        enriched = [
            _Observed(one.host, report, one.state, one.events)
            for one, report in zip(told, reports, strict=True)
        ]
        await self._finish(enriched, worker)

    async def _finish(
        self, seen: Sequence[_Observed], worker: ThreadPoolExecutor
    ) -> None:
        if not seen:
            return
        loop = asyncio.get_running_loop()
        try:
            visits, lost = await loop.run_in_executor(worker, self._stored, seen)
        except StoreError as exc:
            # The leases end by themselves, and the hosts are due again.
            self.summary.fail(f"visits were not stored: {exc}")
            log.error("%d visits were not stored: %s", len(seen), exc)
            return
        finally:
            for _ in seen:
                self._in_hand.release()
        self._count(visits, set(lost))

    def _stored(self, seen: Sequence[_Observed]) -> tuple[list[Visit], list[str]]:
        """The visits that were stored, and the hosts that somebody else has now."""
        # Of every event, told or not, the alert is kept in the history.
        hosts = [one.host.domain for one in seen if one.events]
        details = self._telling.details(hosts) if hosts else {}
        visits = []
        for one in seen:
            try:
                visits.append(self._closed(one, details))
            except Exception as exc:  # a mistake of ours with one host; it is due again
                log.exception("a visit cannot be told: %s", one.host.domain)
                self.summary.fail(
                    f"a visit cannot be told: {type(exc).__name__}; see the log"
                )
        return visits, self._book.finish(visits, self._owner)

    def _closed(self, one: _Observed, details: Mapping[str, HostDetail]) -> Visit:
        host, report = one.host, one.report
        outbox: list[OutboxItem] = []
        record: Mapping[str, Any] = {}
        for event in one.events:
            record = self._telling.record(report, host, details.get(host.domain), event)
            if event in self._telling.events:
                outbox.extend(self._telling.outbox(record, event, report))
        is_new = EventKind.UP in one.events and not host.still_investig
        return Visit(
            report,
            one.state,
            self._schedule.next_visit(one.state, host.first_seen, self._now()),
            still_investig=utc_text(report.finished) if is_new else None,
            events=one.events,
            outbox=tuple(outbox),
            record=record,
        )

    def _count(self, visits: Sequence[Visit], lost: set[str]) -> None:
        for visit in visits:
            if visit.report.host in lost:
                self.summary.lost_leases += 1
                continue
            self.summary.visited += 1
            presence = visit.report.presence
            self.summary.up += presence is Presence.UP
            self.summary.down += presence is Presence.DOWN
            self.summary.unknown += presence is Presence.UNKNOWN
            self.summary.alerts += bool(visit.outbox)
            self._on_report(visit.report)

    # Enrichment

    async def _enriched(self, reports: Sequence[SiteReport]) -> list[SiteReport]:
        """The reports, those on hosts that are up with what enrichers say of them."""
        up = [n for n, report in enumerate(reports) if report.presence is Presence.UP]
        if not up:
            return list(reports)
        results = await asyncio.gather(
            *(self._ask(each, [reports[n] for n in up]) for each in self._enrichers)
        )
        enriched = list(reports)
        for place, number in enumerate(up):
            found = {
                enricher.name: result[place]
                for enricher, result in zip(self._enrichers, results, strict=True)
            }
            enriched[number] = replace(reports[number], enrichments=found)
        return enriched

    async def _ask(
        self, enricher: Enricher, reports: Sequence[SiteReport]
    ) -> list[Enrichment]:
        """What an enricher says in its time; a run that is stopped waits less."""
        loop = asyncio.get_running_loop()
        asking = loop.create_task(enricher.enrich(reports))
        stopping = loop.create_task(self._stop.wait())
        try:
            await asyncio.wait(
                {asking, stopping},
                timeout=self._enrich_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if self._stop.is_set():
                await asyncio.wait({asking}, timeout=min(_GRACE_S, self._enrich_s))
            detail = f"no answer within {self._enrich_s:g} s"
            if asking.done():
                results = asking.result()
                if len(results) != len(reports):
                    raise ValueError(f"{len(results)} results for {len(reports)}")
                return results
            if self._stop.is_set():
                detail = "the run was stopped"
        except Exception as exc:  # an enricher's mistake must not hold an alert back
            log.exception("enricher %s failed", enricher.name)
            detail = f"failed: {type(exc).__name__}"
        finally:
            for task in (asking, stopping):
                task.cancel()
            await asyncio.gather(asking, stopping, return_exceptions=True)
        return [Enrichment(EnrichmentStatus.ERROR, detail) for _ in reports]
