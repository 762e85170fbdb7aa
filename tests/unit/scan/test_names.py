"""What name servers say, and what they do instead."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import dns.flags
import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.site import Dns, DnsState
from ctmonitor.scan.names import Names, ascii_host
from tests.fakes.dns import DnsServer, nobody, says, silent

SHORT_S = 0.4
T = TypeVar("T")


def lookup(host: str, *servers: tuple[str, int], timeout_s: float = 5.0) -> Dns:
    return with_names(Names(servers, timeout_s), lambda names: names.lookup(host))


def with_names(names: Names, ask: Callable[[Names], Awaitable[T]]) -> T:
    async def run() -> T:
        async with names:
            return await ask(names)

    return asyncio.run(run())


def test_everything_about_a_host() -> None:
    table = {
        "x.test": {"NS": ["ns1.x.test.", "NS2.x.test."], "A": ["127.0.8.9"]},
        "www.x.test": {
            "A": ["127.0.8.2", "127.0.8.1"],
            "AAAA": ["::2"],
            "MX": ["20 b.x.test.", "10 A.x.test."],
        },
    }
    with DnsServer(table) as server:
        found = lookup("www.x.test", server.address)
    assert found.state is DnsState.FOUND
    # dnspython's fake shuffles records of one kind as name servers do.
    assert sorted(found.addresses[:2]) == ["127.0.8.1", "127.0.8.2"]
    assert found.addresses[2:] == ("::2",)
    assert sorted(found.nameservers) == ["ns1.x.test", "ns2.x.test"]
    assert found.mail_hosts == ("a.x.test", "b.x.test")
    assert found.is_wildcard is False


def test_a_chain_of_aliases_is_kept_in_its_order() -> None:
    table = {
        "x.test": {"CNAME": ["y.test."]},
        "y.test": {"CNAME": ["z.test."]},
        "z.test": {"A": ["127.0.8.1"]},
    }
    with DnsServer(table) as server:
        found = lookup("x.test", server.address)
    assert found.cnames == ("y.test", "z.test")
    assert found.addresses == ("127.0.8.1",)


@pytest.mark.parametrize(
    ("host", "state"),
    [
        ("missing.test", DnsState.NXDOMAIN),
        ("mail.test", DnsState.NO_ADDRESS),
        ("dangling.test", DnsState.NXDOMAIN),
        ("loop.test", DnsState.SERVFAIL),
        ("failing.test", DnsState.SERVFAIL),
        ("refusing.test", DnsState.SERVFAIL),
        ("garbage.test", DnsState.SERVFAIL),
        ("other.test", DnsState.SERVFAIL),
        ("silent.test", DnsState.TIMEOUT),
    ],
)
def test_states_are_told_apart(host: str, state: DnsState) -> None:
    table = {
        "mail.test": {"MX": ["10 mx.mail.test."], "NS": ["ns.mail.test."]},
        "dangling.test": {"CNAME": ["missing.test."]},
        "loop.test": {"CNAME": ["pool.test."]},
        "pool.test": {"CNAME": ["loop.test."]},
    }

    def other(query: dns.message.QueryMessage) -> bytes:
        answer = dns.message.make_query("elsewhere.test", "A", id=query.id)
        answer.flags |= dns.flags.QR
        return answer.to_wire()

    scripts = {
        "failing.test": says(dns.rcode.SERVFAIL),
        "refusing.test": says(dns.rcode.REFUSED),
        "garbage.test": lambda query: query.id.to_bytes(2, "big") + b"\xff" * 40,
        "other.test": other,
        "silent.test": silent,
    }
    with DnsServer(table, scripts) as server:
        found = lookup(host, server.address, timeout_s=SHORT_S)
    assert found.state is state
    assert found.detail
    assert found.addresses == ()


def test_a_name_with_mail_alone_keeps_what_it_has() -> None:
    """It is registered, and may get an address any day (E7)."""
    table = {"x.test": {"MX": ["10 mx.test."], "NS": ["ns.test."]}}
    with DnsServer(table) as server:
        found = lookup("x.test", server.address)
    assert (found.nameservers, found.mail_hosts) == (("ns.test",), ("mx.test",))


def test_the_root_as_mail_host_means_no_mail() -> None:
    with DnsServer({"x.test": {"MX": ["0 ."], "A": ["127.0.8.1"]}}) as server:
        assert lookup("x.test", server.address).mail_hosts == ()


def test_an_ipv6_address_alone_is_found() -> None:
    with DnsServer({"x.test": {"AAAA": ["::1"]}}) as server:
        assert lookup("x.test", server.address).addresses == ("::1",)


def test_a_server_that_nobody_listens_at_is_passed_over() -> None:
    table = {"x.test": {"A": ["127.0.8.1"]}}
    with nobody() as absent, DnsServer(table) as server:
        assert lookup("x.test", absent, server.address).addresses == ("127.0.8.1",)
        assert lookup("x.test", absent).state is DnsState.SERVFAIL


def test_a_failing_server_is_passed_over() -> None:
    failing = {"x.test": says(dns.rcode.SERVFAIL)}
    with (
        DnsServer({}, failing) as first,
        DnsServer({"x.test": {"A": ["127.0.8.1"]}}) as second,
    ):
        found = lookup("x.test", first.address, second.address)
    assert found.state is DnsState.FOUND


def test_a_lost_packet_is_sent_again() -> None:
    seen: list[int] = []
    answer = says(dns.rcode.NXDOMAIN)

    def script(query: dns.message.QueryMessage) -> bytes | None:
        seen.append(query.id)
        return answer(query) if len(seen) > 1 else None

    with DnsServer({}, {"x.test": script}) as server:
        found = lookup("x.test", server.address, timeout_s=2 * SHORT_S)
    assert found.state is DnsState.NXDOMAIN
    assert len(seen) == 2


def test_a_hundred_addresses_come_over_tcp() -> None:
    addresses = [f"127.0.8.{n}" for n in range(100)]
    with DnsServer({"x.test": {"A": addresses}}) as server:
        found = lookup("x.test", server.address)
        assert server.over_tcp == ["x.test"]
    assert sorted(found.addresses) == sorted(addresses)


def test_thousands_of_addresses_are_bounded() -> None:
    addresses = [f"127.1.{n // 250}.{n % 250}" for n in range(2500)]
    with DnsServer({"x.test": {"A": addresses}}) as server:
        assert len(lookup("x.test", server.address).addresses) == 256


def test_a_wildcard_is_seen_by_a_random_name_once_for_its_zone() -> None:
    table = {
        "*.x.test": {"A": ["127.0.8.1"]},
        "own.x.test": {"A": ["127.0.8.2"]},
        "a.y.test": {"A": ["127.0.8.1"]},
        "*.z.test": {"CNAME": ["pages.test."]},
        "pages.test": {"A": ["127.0.8.3"]},
    }
    hosts = ["a.x.test", "b.x.test", "own.x.test", "a.y.test", "a.z.test", "x.test"]

    async def all_at_once(names: Names) -> list[Dns]:
        return await asyncio.gather(*map(names.lookup, hosts))

    with DnsServer(table) as server:
        names = Names([server.address], random_label=lambda: "random")
        found = with_names(names, all_at_once)
        asked = [name for name, _ in server.questions if name.startswith("random")]
    assert [dns.is_wildcard for dns in found] == [True, True, False, False, True, None]
    assert asked.count("random.x.test") == 1


def test_a_failing_neighbour_leaves_the_wildcard_open() -> None:
    table = {"a.x.test": {"A": ["127.0.8.1"]}}
    scripts = {"random.x.test": says(dns.rcode.SERVFAIL)}
    with DnsServer(table, scripts) as server:
        names = Names([server.address], random_label=lambda: "random")
        found = with_names(names, lambda names: names.lookup("a.x.test"))
    assert found.is_wildcard is None


def test_name_servers_of_the_zone_are_found_above_an_alias() -> None:
    table = {
        "x.test": {"NS": ["ns.x.test."]},
        "a.b.x.test": {"CNAME": ["www.y.test."]},
        "www.y.test": {"A": ["127.0.8.1"]},
        "y.test": {"NS": ["ns.y.test."]},
    }
    with DnsServer(table) as server:
        found = lookup("a.b.x.test", server.address)
    assert found.nameservers == ("ns.x.test",)


def test_a_redirect_asks_for_addresses_alone() -> None:
    with DnsServer({"x.test": {"A": ["127.0.8.1"]}}) as server:
        found = with_names(
            Names([server.address]), lambda names: names.addresses("x.test")
        )
        assert sorted(server.questions) == [("x.test", "A"), ("x.test", "AAAA")]
    assert found == Dns(DnsState.FOUND, ("127.0.8.1",))


@pytest.mark.parametrize(
    ("host", "spelled"),
    [
        ("Example.COM.", "example.com"),
        ("_dmarc.x_y.test", "_dmarc.x_y.test"),
        ("-a-.test", "-a-.test"),
        ("m\u00fcller.test", "xn--mller-kva.test"),
        ("\uff45xample.test", "example.test"),
        ("xn--mller-kva.test", "xn--mller-kva.test"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), ".".join(["a" * 63] * 3 + ["b" * 61])),
        (".".join(["a" * 63] * 3 + ["b" * 62]), ""),
        ("a" * 64 + ".test", ""),
        ("a..test", ""),
        (".test", ""),
        ("", ""),
        ("*.test", ""),
        ("a b.test", ""),
        ("a/b.test", ""),
        ("user@x.test", ""),
        ("x\\032.test", ""),
        ("x.test\n", ""),
        ("\u2603\u200d.test", ""),
        ("\udcff.test", ""),
    ],
)
def test_names_are_spelled_as_name_servers_know_them(host: str, spelled: str) -> None:
    assert ascii_host(host) == spelled


@given(st.text(max_size=300))
def test_what_is_spelled_is_a_host_name(host: str) -> None:
    spelled = ascii_host(host)
    assert ascii_host(spelled) == spelled
    assert spelled.isascii()
    assert len(spelled) <= 253


def test_malformed_names_are_not_asked() -> None:
    with DnsServer({}) as server:
        for host in ("a..b", "x" * 300, "a b", "*.x.test"):
            assert lookup(host, server.address).detail == "not a host name"
        assert server.questions == []


def test_the_longest_name_is_asked() -> None:
    host = ".".join(["a" * 63] * 3 + ["b" * 56, "test"])
    assert len(host) == 253
    with DnsServer({host: {"A": ["127.0.8.1"]}}) as server:
        assert lookup(host, server.address).state is DnsState.FOUND


def test_a_name_in_unicode_is_asked_in_ascii() -> None:
    with DnsServer({"xn--mller-kva.test": {"A": ["127.0.8.1"]}}) as server:
        assert lookup("m\u00fcller.test", server.address).addresses == ("127.0.8.1",)


def test_hundreds_at_a_time_share_a_few_sockets_that_are_closed() -> None:
    hosts = [f"h{n}.x.test" for n in range(800)]
    table = {host: {"A": ["127.0.8.1"]} for host in hosts}
    highest = 0

    async def all_at_once(names: Names) -> Sequence[Dns]:
        nonlocal highest
        asking = asyncio.gather(*map(names.lookup, hosts))
        await asyncio.sleep(0)  # all have begun
        await asyncio.sleep(0)
        highest = lowest_free_number()
        return await asking

    with DnsServer(table) as server:
        before = lowest_free_number()
        found = with_names(Names([server.address], timeout_s=30), all_at_once)
        assert lowest_free_number() == before
    assert {dns.state for dns in found} == {DnsState.FOUND}
    assert before < highest < before + 100


def test_a_port_is_drawn_anew_for_some_dozens_of_questions() -> None:
    """Whoever forges an answer has to guess the port."""
    asked_from = []

    async def answer(udp: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            query, where = await loop.sock_recvfrom(udp, 4096)
            asked_from.append(where[1])
            response = dns.message.make_response(dns.message.from_wire(query))
            response.set_rcode(dns.rcode.NXDOMAIN)
            await loop.sock_sendto(udp, response.to_wire(), where)

    async def one_after_the_other() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            udp.setblocking(False)
            answering = asyncio.ensure_future(answer(udp))
            async with Names([udp.getsockname()]) as names:
                for n in range(200):
                    found = await names.lookup(f"h{n}.test")
                    assert found.state is DnsState.NXDOMAIN
            answering.cancel()

    asyncio.run(one_after_the_other())
    assert len(asked_from) == 200
    assert max(map(asked_from.count, asked_from)) <= 64


def test_a_lookup_that_is_given_up_leaves_nothing_open() -> None:
    async def give_up(names: Names) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await names.lookup("silent.test")

    with DnsServer({}, {"silent.test": silent}) as server:
        gc.collect()  # what earlier tests left must not be closed meanwhile
        before = lowest_free_number()
        with_names(Names([server.address], timeout_s=30), give_up)
        assert lowest_free_number() <= before


def test_the_host_is_not_asked_for_name_servers_where_its_zone_is_known() -> None:
    table = {
        "x.test": {"NS": ["ns.x.test."]},
        "a.x.test": {"A": ["127.0.8.1"]},
    }
    with DnsServer(table) as server:
        found = lookup("a.x.test", server.address)
        asked = [name for name, kind in server.questions if kind == "NS"]
    assert found.nameservers == ("ns.x.test",)
    assert asked == ["x.test"]


def lowest_free_number() -> int:
    with socket.socket() as probe:
        return probe.fileno()
