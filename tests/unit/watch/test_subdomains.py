"""Where names lead; what fails does not undo what was known."""

import asyncio
from collections.abc import Mapping

import dns.rcode

from ctmonitor.model.own import OwnName
from ctmonitor.model.site import DnsState
from ctmonitor.scan.dnsclient import DnsClient, Server
from ctmonitor.watch.lookup import AROUND_PROXY, Lookup
from ctmonitor.watch.subdomains import resolve
from tests.fakes.dns import DnsServer, nobody, says, silent

BEFORE, THEN, NOW = "2026-11-20T00:00:00", "2026-11-21T00:00:00", "2026-11-22T00:00:00"


def resolved(
    names: Mapping[str, OwnName],
    server: Server,
    *,
    timeout_s: float = 5.0,
    fresh_from: str = "",
    most: int = 10_000,
) -> list[str]:
    async def run() -> list[str]:
        client = DnsClient([server], timeout_s)
        try:
            lookup = Lookup(client, at_once=5)
            return await resolve(names, lookup, NOW, fresh_from=fresh_from, most=most)
        finally:
            client.close()

    return asyncio.run(run())


def new(*names: str) -> dict[str, OwnName]:
    return {name: OwnName(BEFORE) for name in names}


def test_addresses_and_aliases_are_noted() -> None:
    table = {
        "www.x.test": {"CNAME": ["edge.cdn.test."]},
        "edge.cdn.test": {"CNAME": ["n1.cdn.test."]},
        "n1.cdn.test": {"A": ["127.0.9.2", "127.0.9.1"], "AAAA": ["fd00::1"]},
        "mail.x.test": {"MX": ["1 mx.test."]},
        "old.x.test": {"CNAME": ["gone.cloud.test."]},
    }
    names = new("www.x.test", "mail.x.test", "old.x.test", "none.x.test")
    with DnsServer(table) as server:
        notes = resolved(names, server.address)
    assert notes == []
    assert names == {
        "www.x.test": OwnName(
            BEFORE,
            NOW,
            DnsState.FOUND,
            ["127.0.9.1", "127.0.9.2", "fd00::1"],
            "edge.cdn.test",
        ),
        "mail.x.test": OwnName(BEFORE, NOW, DnsState.NO_ADDRESS),
        "old.x.test": OwnName(
            BEFORE, NOW, DnsState.NXDOMAIN, [], "gone.cloud.test", is_dangling=True
        ),
        "none.x.test": OwnName(BEFORE, NOW, DnsState.NXDOMAIN),
    }


def test_an_alias_whose_end_is_gone_is_dangling_at_any_length() -> None:
    table = {
        "a.x.test": {"CNAME": ["b.x.test."]},
        "b.x.test": {"CNAME": ["gone.test."]},
    }
    names = new("a.x.test")
    with DnsServer(table) as server:
        resolved(names, server.address)
    assert names["a.x.test"].is_dangling
    assert names["a.x.test"].cname == "b.x.test"


def test_an_alias_to_a_name_without_addresses_does_not_dangle() -> None:
    table = {"a.x.test": {"CNAME": ["b.test."]}, "b.test": {"TXT": ['"here"']}}
    names = new("a.x.test")
    with DnsServer(table) as server:
        resolved(names, server.address)
    assert not names["a.x.test"].is_dangling
    assert names["a.x.test"].dns == DnsState.NO_ADDRESS


def test_what_was_put_right_dangles_no_more() -> None:
    names = {"a.x.test": OwnName(BEFORE, THEN, DnsState.NXDOMAIN, [], "b.test", True)}
    with DnsServer({"a.x.test": {"A": ["127.0.9.1"]}}) as server:
        resolved(names, server.address)
    assert names["a.x.test"] == OwnName(BEFORE, NOW, DnsState.FOUND, ["127.0.9.1"])


def test_what_fails_leaves_what_was_known_and_is_told() -> None:
    names = {
        name: OwnName(BEFORE, THEN, DnsState.NXDOMAIN, [], "gone.test", True)
        for name in ("a.x.test", "b.x.test", "c.x.test", "d.x.test", "ok.x.test")
    }
    scripts = {name: says(dns.rcode.SERVFAIL) for name in list(names)[:3]}
    scripts["d.x.test"] = silent
    table = {"ok.x.test": {"A": ["127.0.9.1"]}}
    with DnsServer(table, scripts) as server:
        (note,) = resolved(names, server.address, timeout_s=0.2)
    for name in list(names)[:4]:
        assert names[name].is_dangling
        assert names[name].cname == "gone.test"
        assert names[name].checked == NOW
    assert names["a.x.test"].dns == DnsState.SERVFAIL
    assert names["d.x.test"].dns == DnsState.TIMEOUT
    assert note.startswith("4 of 5 sub-domains were not resolved (")
    assert "the name server says SERVFAIL (3), no name server answered" in note


def test_never_asked_for_comes_first_then_longest_ago() -> None:
    names = {
        "late.x.test": OwnName(BEFORE, THEN),
        "early.x.test": OwnName(BEFORE, BEFORE),
        "new.x.test": OwnName(BEFORE),
    }
    with DnsServer({}) as server:
        notes = resolved(names, server.address, most=2)
        assert {name for name, _ in server.questions} == {"new.x.test", "early.x.test"}
        assert notes == [
            "1 of 3 sub-domains were not looked up; they come first in the next run"
        ]
        assert names["late.x.test"].checked == THEN
        server.questions.clear()
        resolved(names, server.address, most=1)
    assert {name for name, _ in server.questions} == {"late.x.test"}


def test_what_is_fresh_is_left_alone() -> None:
    names = {
        "late.x.test": OwnName(BEFORE, THEN),
        "early.x.test": OwnName(BEFORE, BEFORE),
        "new.x.test": OwnName(BEFORE),
    }
    with DnsServer({}) as server:
        notes = resolved(names, server.address, fresh_from=THEN)
    assert {name for name, _ in server.questions} == {"new.x.test", "early.x.test"}
    assert notes == []


def test_a_name_server_that_is_not_there_is_told_once_in_a_run() -> None:
    async def run(server: Server) -> list[list[str]]:
        client = DnsClient([server], 0.1)
        lookup = Lookup(client, at_once=30)
        try:
            return [await resolve(names, lookup, NOW) for names in (first, second)]
        finally:
            client.close()

    first = new(*(f"n{number}.x.test" for number in range(100)))
    second = new("www.y.test")
    with nobody() as address:
        told, told_again = asyncio.run(run(address))
    assert any("no name server answers" in note for note in told)
    assert told_again == []
    assert second["www.y.test"].checked == ""  # so it comes first in the next run
    assert 0 < sum(not one.checked for one in first.values()) <= 50


def test_behind_a_proxy_nothing_is_asked_which_is_told_once() -> None:
    lookup = Lookup(None)
    names = new("www.x.test") | {
        "old.x.test": OwnName(BEFORE, THEN, DnsState.FOUND, ["127.0.9.1"])
    }
    first = asyncio.run(resolve(names, lookup, NOW))
    second = asyncio.run(resolve(new("www.y.test"), lookup, NOW))
    assert (first, second) == ([AROUND_PROXY], [])
    assert names["www.x.test"] == OwnName(BEFORE, "", DnsState.NOT_APPLICABLE)
    assert names["old.x.test"].dns == DnsState.FOUND  # as it was known before


def test_of_very_many_addresses_some_are_kept() -> None:
    table = {"x.test": {"A": [f"127.0.9.{number}" for number in range(250)]}}
    names = new("x.test")
    with DnsServer(table) as server:
        resolved(names, server.address)
        assert server.over_tcp == ["x.test"]
    assert len(names["x.test"].addresses) == 32


def test_no_names_need_no_name_server() -> None:
    with nobody() as address:
        assert resolved({}, address) == []
