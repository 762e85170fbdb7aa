"""Requests of a visit: which connection carries them, and what is sent."""

import asyncio
import time
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from ctmonitor.model.site import Presence, SiteReport
from ctmonitor.scan.guard import Guard
from ctmonitor.scan.names import Names
from ctmonitor.scan.visitor import Limits, SiteVisitor
from tests.fakes.dns import DnsServer
from tests.fakes.sites import Sites, Visit, page, redirect

ADDRESS = "127.0.8.1"


@pytest.fixture
def sites() -> Iterator[Sites]:
    with Sites() as running:
        yield running


def visit(sites: Sites, user_agent: str = "agent/1") -> SiteReport:
    async def run(names: Names) -> SiteReport:
        async with SiteVisitor(
            names,
            Guard(allowed=[ip_network("127.0.8.0/24")]),
            user_agent=lambda: user_agent,
            limits=Limits(host_timeout_s=10.0, connect_timeout_s=1.0),
            https_ports=[sites.https_port],
            http_ports=[sites.http_port],
            wants_icons=False,
        ) as visitor:
            return await visitor.visit("x.test")

    with DnsServer({"x.test": {"A": [ADDRESS]}}) as server:
        return asyncio.run(run(Names([server.address])))


def test_a_connection_that_the_site_ended_meanwhile_is_made_anew(sites: Sites) -> None:
    asked: list[str] = []

    def script(one: Visit) -> bool | None:
        asked.append(one.target)
        if one.target == "/":
            return redirect("/next")(one)
        if asked.count("/next") == 1:
            return False  # ends it without an answer
        return page(b"<title>there</title>")(one)

    site = sites.plain(ADDRESS, script)
    found = visit(sites)
    assert found.page is not None
    assert found.page.title == "there"
    assert asked == ["/", "/next", "/next"]
    assert site.connections == 2


def test_what_a_site_says_before_its_answer_is_passed_over(sites: Sites) -> None:
    def script(one: Visit) -> bool | None:
        one.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        one.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return page(b"<title>answer</title>", status="404 Not Found")(one)

    sites.plain(ADDRESS, script)
    found = visit(sites).page
    assert found is not None
    assert (found.status, found.title) == (404, "answer")


def test_http_is_asked_once_though_it_takes_longer_than_the_head_start(
    sites: Sites,
) -> None:
    def script(one: Visit) -> bool | None:
        time.sleep(0.5)  # a fifth of a second is the head start
        return page()(one)

    site = sites.plain(ADDRESS, script)
    assert visit(sites).presence is Presence.UP
    assert site.connections == 1


def test_a_line_break_in_the_user_agent_is_not_sent(sites: Sites) -> None:
    site = sites.plain(ADDRESS, page())
    report = visit(sites, "agent/1\r\nCookie: a=b")
    assert report.presence is Presence.UNKNOWN
    assert "line break" in report.reason
    assert site.visits == []
