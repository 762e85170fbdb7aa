"""
One run over the hosts that are due: visited, enriched, stored, put into the outbox.

    claim -> visit (many at once) -> enrich what is up -> finish (one transaction)

Several runs may share the work: each host is leased to one of them. What is finished
is stored in small batches, so that an end in the middle loses no finished visit.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from ctmonitor.errors import StoreError
from ctmonitor.followup.schedule import Schedule, observe
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.finding import HostDetail
from ctmonitor.model.followup import (
    Channel,
    DueHost,
    EventKind,
    HostState,
    OutboxItem,
    Visit,
)
from ctmonitor.model.site import (
    Enrichment,
    EnrichmentStatus,
    Presence,
    SiteReport,
)
from ctmonitor.scan.base import Enricher, Visitor

log = logging.getLogger(__name__)

_CLAIM = 200  # hosts a claim; each is begun within seconds
_FINISH = 100  # visits a transaction
_FINISH_WAIT_S = 1.0
_LEASE_MARGIN_S = 300.0  # beyond the time a visit may take: enrichment and storing


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


RecordOf = Callable[
    [SiteReport, DueHost, HostDetail | None, EventKind], Mapping[str, Any]
]


@dataclass(frozen=True, slots=True)
class Telling:
    """
    What is told, and how.

    Args:
        events: the events that make an alert.
        destinations: number of notification destinations; 0 for none.
        has_hook: whether a program is started for each alert.
        record: makes the JSON alert.
        details: what the store knows of some hosts, by host.
    """

    record: RecordOf
    details: Callable[[Sequence[str]], Mapping[str, HostDetail]]
    events: frozenset[EventKind] = frozenset({EventKind.UP})
    destinations: int = 0
    has_hook: bool = False

    def outbox(
        self, record: Mapping[str, Any], event: EventKind, report: SiteReport
    ) -> Iterable[OutboxItem]:
        """One item for each channel."""
        alert = f"{report.host}:{event.value}:{utc_text(report.finished)}"
        yield OutboxItem(f"{alert}:file", Channel.FILE, record)
        for number in range(self.destinations):
            key = f"{alert}:notify:{number}"
            yield OutboxItem(key, Channel.NOTIFY, record, str(number))
        if self.has_hook:
            yield OutboxItem(f"{alert}:hook", Channel.HOOK, record)


@dataclass(slots=True)
class Summary:
    """What a run has done."""

    visited: int = 0
    up: int = 0
    down: int = 0
    unknown: int = 0
    events: int = 0
    lost_leases: int = 0
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"visited={self.visited} up={self.up} down={self.down} "
            f"unknown={self.unknown} alerts={self.events}"
        )


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
        self._lease_s = visit_s + enrich_s + _LEASE_MARGIN_S
        self._enrich_s = enrich_s
        self._now = now
        self._stop = asyncio.Event()
        self._finished: asyncio.Queue[tuple[DueHost, SiteReport] | None] = (
            asyncio.Queue(maxsize=1000)
        )

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
            finishing = asyncio.ensure_future(self._finish_all(worker))
            try:
                visiting = self._visit_all(worker, started, limit)
                await asyncio.wait_for(visiting, run_timeout_s)
            except TimeoutError:
                self.summary.failures.append(
                    f"[SCAN] Run_Timeout of {run_timeout_s:g} s was reached; hosts "
                    "that are left are due in the next run"
                )
            finally:
                await self._finished.put(None)
                await finishing
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(worker, self._book.release, self._owner)
        return self.summary

    async def _visit_all(
        self,
        worker: ThreadPoolExecutor,
        started: datetime | None,
        limit: int | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        free = asyncio.Semaphore(self._concurrency)
        begun = 0
        stopping = asyncio.ensure_future(self._stop.wait())
        under_way: set[asyncio.Task[None]] = set()
        try:
            while not self._stop.is_set() and (limit is None or begun < limit):
                most = _CLAIM if limit is None else min(_CLAIM, limit - begun)
                due = await loop.run_in_executor(
                    worker,
                    self._book.claim,
                    self._now(),
                    most,
                    self._lease_s,
                    self._owner,
                    started,
                )
                if not due:
                    break
                for host in due:
                    await free.acquire()
                    if self._stop.is_set():
                        free.release()
                        break
                    begun += 1
                    task = loop.create_task(self._visit(host, free))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
            while under_way and not self._stop.is_set():
                await asyncio.wait(
                    {*under_way, stopping}, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            stopping.cancel()
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _visit(self, host: DueHost, free: asyncio.Semaphore) -> None:
        try:
            report = await self._visitor.visit(host.domain)
            await self._finished.put((host, report))
        finally:
            free.release()

    # What was visited

    async def _finish_all(self, worker: ThreadPoolExecutor) -> None:
        """Takes finished visits together for a second at most, until None comes."""
        ended = False
        while not ended:
            first = await self._finished.get()
            if first is None:
                return
            batch = [first]
            deadline = asyncio.get_running_loop().time() + _FINISH_WAIT_S
            while len(batch) < _FINISH and not ended:
                remaining = deadline - asyncio.get_running_loop().time()
                try:
                    item = await asyncio.wait_for(self._finished.get(), remaining)
                except TimeoutError:
                    break
                if item is None:
                    ended = True
                else:
                    batch.append(item)
            await self._finish(batch, worker)

    async def _finish(
        self, batch: Sequence[tuple[DueHost, SiteReport]], worker: ThreadPoolExecutor
    ) -> None:
        observed = [(host, *observe(host.state, report)) for host, report in batch]
        told = [
            number
            for number, (_, _, events) in enumerate(observed)
            if self._telling.events.intersection(events)
        ]
        reports = [report for _, report in batch]
        enriched = await self._enriched([reports[number] for number in told])
        for number, report in zip(told, enriched, strict=True):
            reports[number] = report
        loop = asyncio.get_running_loop()
        hosts = [batch[number][0].domain for number in told]
        details: Mapping[str, HostDetail] = {}
        if hosts:
            details = await loop.run_in_executor(worker, self._telling.details, hosts)
        visits = [
            self._closed(host, report, state, events, details)
            for (host, state, events), report in zip(observed, reports, strict=True)
        ]
        try:
            lost = await loop.run_in_executor(
                worker, self._book.finish, visits, self._owner
            )
        except StoreError as exc:
            # The leases end by themselves, and the hosts are due again.
            self.summary.failures.append(f"{len(visits)} visits were not stored: {exc}")
            log.error("%d visits were not stored: %s", len(visits), exc)
            return
        self._count(visits, set(lost))

    def _closed(
        self,
        host: DueHost,
        report: SiteReport,
        state: HostState,
        events: Sequence[EventKind],
        details: Mapping[str, HostDetail],
    ) -> Visit:
        now = self._now()
        outbox: list[OutboxItem] = []
        record: Mapping[str, Any] = {}
        for event in events:
            record = self._telling.record(report, host, details.get(host.domain), event)
            if event in self._telling.events:
                outbox.extend(self._telling.outbox(record, event, report))
        is_new = EventKind.UP in events and not host.still_investig
        return Visit(
            report,
            state,
            self._schedule.next_visit(state, host.first_seen, now),
            still_investig=utc_text(report.finished) if is_new else None,
            events=tuple(events),
            outbox=tuple(outbox),
            record=record,
        )

    async def _enriched(self, reports: Sequence[SiteReport]) -> list[SiteReport]:
        if not reports:
            return []
        up = [n for n, report in enumerate(reports) if report.presence is Presence.UP]
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
        try:
            return await asyncio.wait_for(enricher.enrich(reports), self._enrich_s)
        except TimeoutError:
            detail = f"no answer within {self._enrich_s:g} s"
        except Exception as exc:  # an enricher's bug must not hold an alert back
            log.exception("enricher %s failed", enricher.name)
            detail = f"failed: {type(exc).__name__}"
        return [Enrichment(EnrichmentStatus.ERROR, detail) for _ in reports]

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
            self.summary.events += bool(visit.outbox)
            self._on_report(visit.report)
