"""Many names at the same time, and none in vain."""

import asyncio

import dns.message
import dns.rcode
import pytest

from ctmonitor.model.site import DnsState
from ctmonitor.scan.dnsclient import DnsClient, Server
from ctmonitor.scan.dnsmessage import Answer
from ctmonitor.watch.lookup import AROUND_PROXY, REST_S, Lookup, Silence
from tests.fakes.dns import DnsServer, nobody, says

MANY = [f"n{number}.x.test" for number in range(250)]


def answers(
    names: list[str], server: Server, *, timeout_s: float = 5.0, at_once: int = 200
) -> tuple[dict[str, Answer], Lookup]:
    async def run() -> tuple[dict[str, Answer], Lookup]:
        client = DnsClient([server], timeout_s)
        try:
            lookup = Lookup(client, at_once=at_once)
            return await lookup.answers(names, lookup.addresses), lookup
        finally:
            client.close()

    return asyncio.run(run())


def test_each_name_gets_its_own_answer() -> None:
    table = {
        name: {"A": [f"127.0.9.{number}"], "AAAA": [f"fd00::{number:x}"]}
        for number, name in enumerate(MANY, start=1)
    }
    with DnsServer(table) as server:
        found, lookup = answers(MANY, server.address)
    assert [found[name].texts for name in MANY] == [
        (f"127.0.9.{number}", f"fd00::{number:x}") for number in range(1, 251)
    ]
    assert not lookup.is_silent


@pytest.mark.parametrize("at_once", [1, 200])
def test_so_many_are_on_their_way_and_no_more(at_once: int) -> None:
    asked: set[str] = set()

    async def run() -> int:
        loop, is_full = asyncio.get_running_loop(), asyncio.Event()

        def keep(query: dns.message.QueryMessage) -> None:
            asked.add(query.question[0].to_text())
            if len(asked) == at_once:
                loop.call_soon_threadsafe(is_full.set)

        with DnsServer({}, dict.fromkeys(MANY, keep)) as server:
            client = DnsClient([server.address], timeout_s=60)
            lookup = Lookup(client, at_once=at_once)
            asking = asyncio.ensure_future(lookup.answers(MANY, lookup.addresses))
            await is_full.wait()
            await asyncio.sleep(0.05)  # time for one more
            asking.cancel()
            await asyncio.wait([asking])
            client.close()
        return len(asked)

    assert asyncio.run(run()) == at_once


def test_ipv6_alone_is_found_and_who_does_not_exist_is_asked_for_once() -> None:
    table = {"six.x.test": {"AAAA": ["fd00::1"]}, "mail.x.test": {"MX": ["1 x.test."]}}
    names = ["six.x.test", "mail.x.test", "none.x.test"]
    with DnsServer(table) as server:
        found, _ = answers(names, server.address)
    assert found["six.x.test"].texts == ("fd00::1",)
    assert found["mail.x.test"].state is DnsState.NO_ADDRESS
    assert found["none.x.test"].state is DnsState.NXDOMAIN
    assert ("none.x.test", "AAAA") not in server.questions


def test_what_fails_for_ipv6_does_not_hide_ipv4() -> None:
    table = {"x.test": {"A": ["127.0.9.1"]}}
    with DnsServer(table, {"x.test AAAA": says(dns.rcode.SERVFAIL)}) as server:
        found, _ = answers(["x.test"], server.address)
    assert found["x.test"] == Answer(DnsState.FOUND, ("127.0.9.1",))


def test_when_nobody_answers_the_rest_is_left() -> None:
    with nobody() as address:
        found, lookup = answers(MANY, address, timeout_s=0.1, at_once=5)
    assert lookup.is_silent
    assert 50 <= len(found) < 55
    assert all(answer.has_failed for answer in found.values())


def test_one_answer_shows_that_somebody_is_there() -> None:
    failing = dict.fromkeys(MANY, says(dns.rcode.SERVFAIL))
    del failing[MANY[40]]
    with DnsServer({}, failing) as server:
        found, lookup = answers(MANY[:80], server.address, at_once=1)
    assert len(found) == 80
    assert not lookup.is_silent


def test_a_late_answer_shows_it_as_well() -> None:
    silence = Silence(lambda: 0.0)
    for _ in range(50):
        silence.note(has_failed=True)
    assert silence.is_sure
    silence.note(has_failed=False)
    assert not silence.is_sure


def test_after_some_minutes_name_servers_are_tried_again() -> None:
    now_s = 0.0
    silence = Silence(lambda: now_s)
    for number in range(50):
        assert not silence.is_sure, number
        silence.note(has_failed=True)
    assert silence.is_sure
    now_s = REST_S - 1
    assert silence.is_sure
    now_s = REST_S
    assert not silence.is_sure
    silence.note(has_failed=True)
    assert not silence.is_sure


def test_nothing_is_asked_around_a_proxy() -> None:
    lookup = Lookup(None)
    assert not lookup.can_ask
    found = asyncio.run(lookup.addresses("x.test"))
    assert found.state is DnsState.NOT_APPLICABLE
    assert found.detail == AROUND_PROXY


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64, "a b.test", "\x00", "é\ud800"]
)
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with DnsServer({}) as server:
        found, _ = answers([name], server.address)
    assert found[name].state is DnsState.NXDOMAIN
    assert server.questions == []


def test_a_note_is_given_once_in_some_minutes() -> None:
    now_s = 0.0
    lookup = Lookup(None, clock=lambda: now_s)
    assert [lookup.once("a"), lookup.once("b"), lookup.once("a")] == [["a"], ["b"], []]
    now_s = REST_S - 1
    assert lookup.once("a") == []
    now_s = REST_S
    assert [lookup.once("a"), lookup.once("a")] == [["a"], []]
