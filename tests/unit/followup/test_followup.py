"""A run over hosts: what is visited, stored and told, whatever fails or hangs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.errors import StoreError
from ctmonitor.followup import followup as module
from ctmonitor.followup.followup import Book, FollowUp, Summary
from ctmonitor.followup.schedule import Schedule
from ctmonitor.followup.telling import Telling
from ctmonitor.model.clock import now_utc
from ctmonitor.model.finding import HostDetail
from ctmonitor.model.followup import DueHost, EventKind, Visit
from ctmonitor.model.site import (
    Dns,
    DnsState,
    Enrichment,
    EnrichmentStatus,
    Page,
    Presence,
    SiteReport,
)
from ctmonitor.scan.base import Enricher
from ctmonitor.store.store import Store
from tests.unit.store.making import Place, finding

OK = Enrichment(EnrichmentStatus.OK, data={"number": 1})


class Web:
    """Hosts that begin with `up` are up; one named in `scripts` does as that says."""

    def __init__(self) -> None:
        self.scripts: dict[str, Callable[[], Awaitable[None]]] = {}
        self.visited: list[str] = []
        self.at_once = self.most_at_once = 0

    async def visit(self, host: str) -> SiteReport:
        self.visited.append(host)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            if host in self.scripts:
                await self.scripts[host]()
        finally:
            self.at_once -= 1
        now, dns = now_utc(), Dns(DnsState.FOUND)
        report = SiteReport(host, host, now, now, Presence.DOWN, dns)
        if host.startswith("up"):
            page = Page(f"https://{host}/", 200)
            report = replace(report, presence=Presence.UP, page=page)
        return report


class Says:
    """An enricher with a fixed answer, or one that fails in some way."""

    name = "says"

    def __init__(
        self, answer: Callable[[Sequence[SiteReport]], Awaitable[list[Enrichment]]]
    ) -> None:
        self.enrich = answer


class Failing:
    """A real book; one of its methods does something else."""

    def __init__(self, book: Book, **methods: Callable[..., Any]) -> None:
        self.claim, self.finish, self.release = book.claim, book.finish, book.release
        for name, method in methods.items():
            setattr(self, name, method)


class Case:
    """A store with hosts, and runs over them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.web = Web()
        self.book: Book = store.followups()
        self.told: list[SiteReport] = []
        self.enrichers: list[Enricher] = []
        self.record = _record
        self.options: dict[str, Any] = {"concurrency": 10}

    def hosts(self, *names: str) -> None:
        self.store.record([finding(name) for name in names])

    def followup(self) -> FollowUp:
        return FollowUp(
            self.web,
            self.enrichers,
            self.book,
            Schedule(),
            Telling(
                self.record,
                lambda hosts: {},
                destinations={EventKind.UP: (0, 2)},
                has_hook=True,
            ),
            self.told.append,
            owner="run",
            **self.options,
        )

    def run(self, **more: Any) -> Summary:
        return asyncio.run(self.followup().run(**more))

    def due(self) -> list[str]:
        hosts = self.store.followups().claim(now_utc(), 1000, 1.0, "test")
        self.store.followups().release("test")
        return sorted(host.domain for host in hosts)

    def outbox(self) -> list[dict[str, Any]]:
        return [
            {"channel": item.channel.value, **item.payload}
            for item in self.store.outbox().due(now_utc(), 1000, 1.0, "test")
        ]


def _record(
    report: SiteReport, host: DueHost, detail: HostDetail | None, event: EventKind
) -> Mapping[str, Any]:
    said = {name: one.detail or one.data for name, one in report.enrichments.items()}
    return {"hostname": report.host, "event": event.value, "said": said}


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with Place(tmp_path / "found.sqlite3", "").open(now=now_utc) as store:
        yield Case(store)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def by_mistake() -> None:
    raise KeyError("a mistake of ours")


def test_each_due_host_is_visited_once_and_told_on_each_channel(case: Case) -> None:
    case.hosts("up.example", *(f"h{number}.example" for number in range(450)))
    summary = case.run()
    assert str(summary) == "visited=451 up=1 down=450 unknown=0 alerts=1"
    assert summary.failures == []
    assert len(case.web.visited) == len(set(case.web.visited)) == 451
    assert case.web.most_at_once == 10
    assert [one["channel"] for one in case.outbox()] == [
        "file",
        "notify",
        "notify",
        "hook",
    ]
    assert len(case.told) == 451
    assert case.due() == []


def test_a_limit_is_kept_and_the_rest_stays_due(case: Case) -> None:
    case.hosts("a.example", "b.example", "c.example")
    assert case.run(limit=2).visited == 2
    assert len(case.due()) == 1
    assert case.run(started=now_utc()).visited == 3, "all, due or not"


def test_no_more_hosts_are_leased_than_are_visited_at_once(case: Case) -> None:
    """A host that waits for others would lose its lease."""
    asked: list[int] = []
    claim = case.book.claim

    def noting(now: datetime, limit: int, *more: Any) -> list[DueHost]:
        asked.append(limit)
        return claim(now, limit, *more)

    case.book = Failing(case.book, claim=noting)
    case.options["concurrency"] = 3
    case.hosts(*(f"h{number}.example" for number in range(7)))
    assert case.run().visited == 7
    assert set(asked) == {3}


def test_a_mistake_with_one_host_leaves_the_others_alone(case: Case) -> None:
    case.hosts("up-a.example", "b.example", "up-c.example")
    case.web.scripts["b.example"] = by_mistake

    def record(report: SiteReport, *more: Any) -> Mapping[str, Any]:
        if report.host == "up-c.example":
            raise ValueError(report.host)
        return {"hostname": report.host}

    case.record = record
    summary = case.run()
    assert (summary.visited, summary.up) == (1, 1)
    assert summary.failures == [
        "a visit failed: KeyError; see the log",
        "a visit cannot be told: ValueError; see the log",
    ]
    assert case.due() == ["b.example", "up-c.example"]


def test_an_enricher_that_hangs_holds_up_nobody_for_long(case: Case) -> None:
    async def hangs(reports: Sequence[SiteReport]) -> list[Enrichment]:
        await for_ever()
        return []

    case.enrichers = [Says(hangs)]
    case.options["enrich_s"] = 0.2
    case.hosts("up.example", "down.example")
    assert case.run().visited == 2
    assert [one.host for one in case.told] == ["down.example", "up.example"]
    assert case.outbox()[0]["said"] == {"says": "no answer within 0.2 s"}


def test_an_enricher_that_fails_is_told_as_an_error(case: Case) -> None:
    async def raises(reports: Sequence[SiteReport]) -> list[Enrichment]:
        raise KeyError("strange answer")

    async def forgets(reports: Sequence[SiteReport]) -> list[Enrichment]:
        return []

    async def answers(reports: Sequence[SiteReport]) -> list[Enrichment]:
        return [OK for _ in reports]

    for number, (answer, said) in enumerate(
        [
            (raises, "failed: KeyError"),
            (forgets, "failed: ValueError"),
            (answers, {"number": 1}),
        ]
    ):
        case.enrichers = [Says(answer)]
        case.hosts(f"up{number}.example")
        assert case.run().failures == []
        told = [
            one for one in case.outbox() if one["hostname"] == f"up{number}.example"
        ]
        assert told[0]["said"] == {"says": said}


def test_a_stop_gives_up_visits_and_stores_what_is_finished(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_GRACE_S", 0.05)
    case.hosts("slow.example", "up.example")
    case.web.scripts["slow.example"] = for_ever

    async def stopped() -> Summary:
        followup = case.followup()

        async def never(reports: Sequence[SiteReport]) -> list[Enrichment]:
            followup.stop()
            await for_ever()
            return []

        case.enrichers.append(Says(never))
        return await asyncio.wait_for(followup.run(), 20)

    summary = asyncio.run(stopped())
    assert (summary.visited, summary.failures) == (1, [])
    assert case.outbox()[0]["said"] == {"says": "the run was stopped"}
    assert case.due() == ["slow.example"]


def test_a_run_that_takes_too_long_says_so(case: Case) -> None:
    case.hosts("slow.example")
    case.web.scripts["slow.example"] = for_ever
    (failure,) = case.run(run_timeout_s=0.1).failures
    assert failure.startswith("[SCAN] Run_Timeout of 0.1 s was reached")
    assert case.due() == ["slow.example"]


def test_a_store_that_fails_ends_the_run_with_its_reason(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with more hosts than may be in hand."""
    monkeypatch.setattr(module, "_IN_HAND", 3)
    monkeypatch.setattr(module, "_FINISH_WAIT_S", 0.01)
    case.hosts(*(f"h{number}.example" for number in range(30)))
    book = case.book

    def full(visits: Sequence[Visit], owner: str) -> list[str]:
        raise StoreError("disk full")

    case.book = Failing(book, finish=full)
    case.options["concurrency"] = 2
    summary = case.run()
    assert summary.failures == ["visits were not stored: disk full"]
    assert (summary.visited, case.told) == (0, [])
    case.book = book
    assert case.run().visited == 30


def test_visits_are_stored_although_no_more_can_be_claimed(case: Case) -> None:
    case.hosts("up.example")
    claim, claims = case.book.claim, 0

    def twice(*asked: Any) -> list[DueHost]:
        nonlocal claims
        claims += 1
        if claims == 1:
            return claim(*asked)
        if claims == 2:
            # It gets the place of the first, whose visit has ended then.
            case.hosts("next.example")
            return claim(*asked)
        raise StoreError("locked")

    case.book = Failing(case.book, claim=twice)
    case.options["concurrency"] = 1
    with pytest.raises(StoreError, match="locked"):
        case.run()
    assert "up.example" in [one.host for one in case.told]
    assert case.outbox()


def test_what_another_run_has_taken_over_is_neither_told_nor_counted(
    case: Case,
) -> None:
    case.hosts("up.example")

    async def taken() -> None:
        late = now_utc() + timedelta(days=1)
        assert case.store.followups().claim(late, 1, 60.0, "other")

    case.web.scripts["up.example"] = taken
    summary = case.run()
    assert (summary.visited, summary.lost_leases, summary.alerts) == (0, 1, 0)
    assert case.told == case.outbox() == []
