"""Safe Browsing: unsafe, not listed or not checked; an error is never `not listed`."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.errors import FormatError
from ctmonitor.model.site import (
    Dns,
    DnsState,
    Enrichment,
    EnrichmentStatus,
    Page,
    Presence,
    SiteReport,
)
from ctmonitor.net.client import Client
from ctmonitor.net.route import Proxy, Route
from ctmonitor.scan.safebrowsing import NO_KEY, SafeBrowsingEnricher, matches
from tests.data import shared
from tests.fakes.api import FAILURES, Reply
from tests.fakes.memory import InMemory
from tests.fakes.proxies import tinyproxy
from tests.fakes.safebrowsing import SafeBrowsingServer

KEY = "AIzaSyS3cretS3cretS3cret"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OK = EnrichmentStatus.OK
ERROR = EnrichmentStatus.ERROR
RATE_LIMITED = EnrichmentStatus.RATE_LIMITED
NOT_LISTED = {"status": "not_listed", "matches": [], "answer": {}}
NOT_CHECKED = {"status": "not_checked", "matches": [], "answer": None}


def report(host: str, url: str = "") -> SiteReport:
    page = Page(url, 200) if url else None
    dns = Dns(DnsState.FOUND)
    return SiteReport(host, host, NOW, NOW, Presence.UP, dns, page=page)


def listed(url: str, threat: str = "SOCIAL_ENGINEERING") -> dict[str, Any]:
    return {
        "threatType": threat,
        "platformType": "ANY_PLATFORM",
        "threatEntryType": "URL",
        "cacheDuration": "300s",
        "threat": {"url": url},
    }


class World:
    """The service and a memory; `ask` is one run of the scanner."""

    def __init__(self, service: SafeBrowsingServer) -> None:
        self.service = service
        self.memory = InMemory()
        self.now = NOW

    def ask(
        self,
        *reports: SiteReport,
        key: str = KEY,
        through: Proxy | None = None,
        timeout_s: float = 5.0,
        **kwargs: Any,
    ) -> list[Enrichment]:
        async def run(client: Client) -> list[Enrichment]:
            enricher = SafeBrowsingEnricher(
                self.memory,
                lambda: self.now,
                client,
                key,
                api_url=self.service.url,
                **kwargs,
            )
            return await enricher.enrich(reports)

        route = Route(proxy=through, use_environment=False)
        with Client(
            "test", route=route, timeout_s=timeout_s, first_pause_s=0.001
        ) as client:
            return asyncio.run(run(client))


@pytest.fixture
def world() -> Iterator[World]:
    with SafeBrowsingServer(KEY) as service:
        yield World(service)


def test_three_states_of_sites(world: World) -> None:
    world.service.matches = [listed("http://bad.example/", "MALWARE")]
    unsafe, unlisted = world.ask(report("bad.example"), report("good.example"))
    match = listed("http://bad.example/", "MALWARE")
    assert unsafe == Enrichment(
        OK,
        data={"status": "unsafe", "matches": [match], "answer": {"matches": [match]}},
    )
    assert unlisted == Enrichment(OK, data=NOT_LISTED)
    assert world.service.asked() == [["http://bad.example/", "http://good.example/"]]
    question = world.service.requests[0].json()
    assert question["client"]["clientId"] == "ctmonitor"
    assert question["threatInfo"]["threatTypes"] == [
        "MALWARE",
        "SOCIAL_ENGINEERING",
        "UNWANTED_SOFTWARE",
        "POTENTIALLY_HARMFUL_APPLICATION",
    ]


@pytest.mark.parametrize("file", ["any_platform", "phishing_test_page"])
def test_recorded_matches_are_unsafe(world: World, file: str) -> None:
    """The page that the site leads to is asked for beside the site."""
    path = shared(f"apis/safebrowsing/v4_response_match_{file}.json")
    answer = json.loads(path.read_bytes())
    world.service.matches = answer["matches"]
    url = answer["matches"][0]["threat"]["url"]
    (found,) = world.ask(report("testsafebrowsing.appspot.com", url))
    assert found.data["status"] == "unsafe"
    assert found.data["answer"] == answer
    assert world.service.asked() == [["http://testsafebrowsing.appspot.com/", url]]


def test_the_recorded_answer_without_match_is_not_listed() -> None:
    path = shared("apis/safebrowsing/v4_response_no_match.json")
    assert matches(json.loads(path.read_bytes()), ["a"]) == {"a": []}


@pytest.mark.parametrize("url", ["https://a.example/", "http://a.example", ""])
def test_the_front_page_itself_is_asked_for_once(world: World, url: str) -> None:
    world.ask(report("a.example", url))
    assert world.service.asked() == [["http://a.example/"]]


@pytest.mark.parametrize(
    ("hosts", "sizes"), [(1, [1]), (500, [500]), (501, [500, 1]), (1001, [500, 500, 1])]
)
def test_at_most_500_addresses_a_question(
    world: World, hosts: int, sizes: list[int]
) -> None:
    last = f"h{hosts - 1}.example"
    world.service.matches = [listed(f"http://{last}/")]
    found = world.ask(*(report(f"h{number}.example") for number in range(hosts)))
    assert [len(urls) for urls in world.service.asked()] == sizes
    states = [one.data["status"] for one in found]
    assert states == ["not_listed"] * (hosts - 1) + ["unsafe"]


def test_nothing_to_ask_is_no_question(world: World) -> None:
    assert world.ask() == []
    assert world.service.requests == []


def test_without_key_nothing_is_asked(world: World) -> None:
    (found,) = world.ask(report("a.example"), key="")
    assert found.status is EnrichmentStatus.NOT_APPLICABLE
    assert found.detail == NO_KEY
    assert found.data == {**NOT_CHECKED, "answer": NO_KEY}
    assert world.service.requests == []


def odd_answers() -> dict[str, Reply]:
    odd: dict[str, object] = {
        "matches that are text": {"matches": "x"},
        "matches that are null": {"matches": None},
        "matches that are numbers": {"matches": [1]},
        "a match without threat": {"matches": [{"threatType": "MALWARE"}]},
        "a match without type": {"matches": [{"threat": {"url": "http://a.example/"}}]},
        "a type that is a number": {
            "matches": [{"threat": {"url": "http://a.example/"}, "threatType": 1}]
        },
        "another address": {"matches": [listed("http://other.example/")]},
        "an error with 200": {"error": {"code": 500, "message": "x"}},
    }
    return {
        **FAILURES,
        **{name: Reply.of(value) for name, value in odd.items()},
        "refused": Reply(403, b'{"error": "x"}'),
        "unavailable": Reply(503),
    }


@pytest.mark.parametrize("name", sorted(odd_answers()))
def test_an_error_is_never_not_listed(world: World, name: str) -> None:
    world.service.failure = odd_answers()[name]
    found = world.ask(report("a.example"), report("b.example"))
    assert [(one.status, one.data) for one in found] == [(ERROR, NOT_CHECKED)] * 2
    assert found[0].detail
    assert found[0].detail.isprintable()


def test_a_silent_service_is_not_checked(world: World) -> None:
    world.service.failure = Reply(is_silent=True)
    (found,) = world.ask(report("a.example"), timeout_s=0.4)
    assert (found.status, found.data) == (ERROR, NOT_CHECKED)
    assert "within 0.4 s" in found.detail


def test_a_wrong_key_is_told_without_the_key(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Though the service quotes it, and with logs of every library switched on."""
    caplog.set_level(logging.DEBUG)
    (found,) = world.ask(report("a.example"), key="AIzaWr0ngS3cret")
    assert found.status is ERROR
    assert found.detail == (
        "Safe Browsing answers HTTP 400: API key [key] not valid. "
        "Please pass a valid API key."
    )
    assert "S3cret" not in found.detail + caplog.text
    world.ask(report("a.example"))
    assert "urllib3" in caplog.text  # requests were logged
    assert KEY not in caplog.text
    assert all(KEY not in request.path for request in world.service.requests)


def test_a_key_that_cannot_be_sent_is_not_quoted(world: World) -> None:
    (found,) = world.ask(report("a.example"), key="S3cret\u20ac\n")
    assert found.status is ERROR
    assert "S3cret" not in found.detail


def test_a_429_ends_the_questions_of_this_run_and_the_next(world: World) -> None:
    world.service.failure = Reply(429, headers={"Retry-After": "60"})
    found = world.ask(*(report(f"h{number}.example") for number in range(1200)))
    assert {one.status for one in found} == {RATE_LIMITED}
    assert all(one.data == NOT_CHECKED for one in found)
    assert len(world.service.requests) == 1
    world.service.failure = None
    assert world.ask(report("a.example"))[0].status is RATE_LIMITED
    world.now += timedelta(seconds=61)
    assert world.ask(report("a.example"))[0].data == NOT_LISTED


def test_the_daily_budget_counts_questions_over_runs(world: World) -> None:
    reports = [report(f"h{number}.example") for number in range(1001)]
    found = world.ask(*reports, per_day=2)
    assert [one.data["status"] for one in found].count("not_checked") == 1
    (over,) = world.ask(report("a.example"), per_day=2)
    assert (over.status, over.data) == (RATE_LIMITED, NOT_CHECKED)
    assert "daily budget of 2" in over.detail
    assert len(world.service.requests) == 2
    world.now += timedelta(days=1)
    assert world.ask(report("a.example"), per_day=2)[0].data == NOT_LISTED


def test_a_budget_that_cannot_be_counted_is_not_spent(world: World) -> None:
    world.memory = InMemory(is_broken=True)
    (found,) = world.ask(report("a.example"))
    assert found.data == NOT_CHECKED
    assert world.service.requests == []


def test_everything_goes_through_the_proxy(world: World, tmp_path: Path) -> None:
    with tinyproxy(tmp_path) as running:
        proxy = Proxy("http", running.host, running.port)
        (found,) = world.ask(report("a.example"), through=proxy)
    assert found.data == NOT_LISTED
    assert "via" in world.service.requests[0].headers


def test_what_a_match_brings_is_bounded() -> None:
    match = {**listed("a"), "cacheDuration": "\x1b" * 1000, "more": "x"}
    (kept,) = matches({"matches": [match]}, ["a"])["a"]
    assert len(kept["cacheDuration"]) == 100
    assert kept["cacheDuration"].isprintable()
    assert "more" not in kept


@pytest.mark.parametrize("answer", [None, [], "x", {"matches": {}}, {"found": []}])
def test_an_answer_in_another_form_is_refused(answer: object) -> None:
    with pytest.raises(FormatError, match="no Safe Browsing answer"):
        matches(answer, ["a"])
