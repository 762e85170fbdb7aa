"""Which names look like ours, who has one, and whose turn it is."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import dns.rcode
import dnstwist
import pytest

from ctmonitor.model.own import DomainState, Issuer, OwnCertificate, Typosquat
from ctmonitor.scan.dnsclient import DnsClient
from ctmonitor.watch.lookup import Lookup
from ctmonitor.watch.typosquats import (
    look_up,
    order,
    permutations,
    registered,
    take_up,
)
from tests.fakes.dns import DnsServer, nobody, says, silent

T = TypeVar("T")


@pytest.mark.parametrize(
    "domain",
    [
        "example.com",
        "assurance-maladie.fr",
        "xn--bcher-kva.example",
        "a.b.example.co.uk",
    ],
)
def test_all_permutations_of_dnstwist_are_there_but_the_domain(domain: str) -> None:
    fuzzer = dnstwist.Fuzzer(domain)
    fuzzer.generate()
    expected = {each["domain"]: each["fuzzer"] for each in fuzzer.domains}
    del expected[domain]
    assert permutations(domain) == expected


def test_each_has_the_word_for_how_it_looks_alike() -> None:
    found = permutations("paypal.com")
    assert found["paypa1.com"] == "homoglyph"
    assert found["payapl.com"] == "transposition"
    assert found["pay-pal.com"] == "hyphenation"
    assert found["pay.pal.com"] == "subdomain"
    assert found["paypalcom.com"] == "various"
    assert all(name.isascii() for name in found)
    assert any(name.startswith("xn--") for name in found)
    assert list(found) == sorted(found)


def test_what_is_ours_is_no_look_alike() -> None:
    all_of_them = permutations("paypal.com")
    own = {"paypa1.com", "pal.com", "payapl.com", "other.test"}
    left = permutations("paypal.com", own)
    assert all_of_them.keys() - left.keys() == {
        "paypa1.com",
        "payapl.com",
        "pay.pal.com",
    }


def test_suffixes_are_those_of_registries() -> None:
    """dnstwist would take `gouv.fr` for a domain, and tell of `gouu.fr`."""
    found = permutations("login.ants.gouv.fr")
    assert "login.antz.gouv.fr" in found
    assert "login-ants.gouv.fr" in found
    assert all(name.endswith((".fr", ".com")) for name in found)
    assert not any(name.endswith(".gouu.fr") for name in found)


def test_public_suffixes_are_nobodys() -> None:
    assert "co.uk" not in permutations("aco.uk")
    assert permutations("co.uk") == {}


@pytest.mark.parametrize(
    "domain",
    [
        "x.org",
        "my_x.com",  # no label of a name that anybody could register
        "xn--zzzzzzz.com",  # Unicode does not have it
        "-.com",
        "a" * 63 + ".com",
        ".".join(["a" * 60] * 4) + ".com",
    ],
)
def test_odd_domains_have_permutations_that_are_names(domain: str) -> None:
    for name in permutations(domain):
        assert dnstwist.VALID_FQDN_REGEX.match(name)


def test_a_long_name_has_each_look_alike_once_instead_of_each_pair() -> None:
    label = "internationalbusinessmachines"
    found = permutations(f"{label}.com")
    assert 1_000 < len(found) < 3_000  # of 50,000
    assert found["lnternationalbusinessmachines.com"] == "homoglyph"
    assert found["internationalbusinessrnachines.com"] == "homoglyph"
    assert found[f"{label}s.com"] == "addition"
    assert "lnternationalbusinessrnachines.com" not in found


@pytest.mark.parametrize("domain", ["microsoft.com", "b\u00fccher.de", "warmclock.fr"])
def test_one_look_alike_is_one_of_those_of_dnstwist(
    domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = domain.encode("idna").decode()
    with_pairs = permutations(domain)
    monkeypatch.setattr("ctmonitor.watch.typosquats._MOST_HOMOGLYPHS", 0)
    found = permutations(domain)
    assert found.keys() < with_pairs.keys()
    # What is missing, or told as something else, has two look-alikes.
    others = with_pairs.items() - found.items()
    assert {kind for _, kind in others} == {"homoglyph"}
    assert "homoglyph" in found.values()


def test_the_program_keeps_its_own_time_limit_for_sockets() -> None:
    """dnstwist sets one when it is loaded, which is once in a process."""
    script = """
import signal, socket
before = signal.getsignal(signal.SIGINT)
socket.setdefaulttimeout(7)
from ctmonitor.watch.typosquats import permutations
assert permutations("ab.de")
assert socket.getdefaulttimeout() == 7, socket.getdefaulttimeout()
assert signal.getsignal(signal.SIGINT) is before
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_dnstwist_is_loaded_by_those_who_need_it() -> None:
    script = (
        "import sys, ctmonitor.watch.typosquats; assert 'dnstwist' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def with_lookup(
    work: Callable[[Lookup], Awaitable[T]],
    server: tuple[str, int],
    timeout_s: float = 5.0,
) -> T:
    async def run() -> T:
        client = DnsClient([server], timeout_s)
        try:
            return await work(Lookup(client, at_once=10))
        finally:
            client.close()

    return asyncio.run(run())


def test_who_is_registered() -> None:
    table = {
        "examp1e.com": {"NS": ["ns.examp1e.com."]},
        "mple.com": {"NS": ["ns.mple.com."]},
        "exa.mple.com": {"A": ["127.0.9.1"]},
        "ex-ample.com": {"CNAME": ["parked.test."]},
        "ws": {"NS": ["ns.ws."]},
        "*.ws": {"A": ["127.0.9.9"]},  # this registry's zone has every name
        "nowhere.test": {"MX": ["1 mx.test."]},
    }
    scripts = {"broken.com": says(dns.rcode.SERVFAIL), "silent.com": silent}
    expected = {
        "examp1e.com": True,
        "exa.mple.com": True,
        "ex-ample.com": True,
        "exampl.com": False,
        "anything.ws": None,
        "nowhere.test": None,
        "broken.com": None,
        "silent.com": None,
        "not a name": False,
    }
    names = list(expected)
    with DnsServer(table, scripts) as server:
        found = with_lookup(
            lambda lookup: registered(names, lookup), server.address, timeout_s=0.3
        )
    assert found == expected


def test_what_is_not_asked_is_left_out() -> None:
    names = [f"x{number}.com" for number in range(100)]
    with nobody() as address:
        found = with_lookup(lambda lookup: registered(names, lookup), address, 0.1)
    assert 50 <= len(found) < 60
    assert set(found.values()) == {None}
    assert asyncio.run(registered(names, Lookup(None))) == {}


def test_a_run_goes_on_where_the_one_before_ended() -> None:
    state = DomainState(
        "example.com",
        typosquats={
            "a.com": Typosquat("x", False),
            "b.com": Typosquat("x"),
            "c.com": Typosquat("x", True),
            "d.com": Typosquat("x", True),
            "e.com": Typosquat("x"),
        },
    )
    assert order(state) == ["c.com", "d.com", "b.com", "e.com", "a.com"]
    state.typosquats["c.com"].asked = "2026-11-22T00:00:00"
    state.typosquats["e.com"].asked = "2026-11-20T00:00:00"
    assert order(state) == ["d.com", "c.com", "b.com", "e.com", "a.com"]
    # Within a day each is asked for once, so that those in the end have their turn.
    fresh_from = "2026-11-21T12:00:00"
    assert order(state, fresh_from) == ["d.com", "b.com", "e.com", "a.com"]


def test_who_is_registered_is_noted_and_not_asked_again_at_once() -> None:
    early, late, now = (f"2026-11-{day}T00:00:00" for day in (20, 21, 22))
    state = DomainState(
        "example.com",
        typosquats={
            "new.com": Typosquat("x"),
            "known.com": Typosquat("x", True, checked=early),
            "gone.com": Typosquat("x", True, checked=early),
            "fresh.com": Typosquat("x", True, checked=late),
        },
    )
    table = {"new.com": {"NS": ["ns.new.com."]}}
    with DnsServer(table, {"known.com": says(dns.rcode.SERVFAIL)}) as server:
        with_lookup(
            lambda lookup: look_up(state, lookup, now, fresh_from=late), server.address
        )
    assert state.typosquats == {
        "new.com": Typosquat("x", True, checked=now),
        "known.com": Typosquat("x", True, checked=now),  # nobody could tell
        "gone.com": Typosquat("x", False, checked=now),
        "fresh.com": Typosquat("x", True, checked=late),
    }
    asyncio.run(look_up(state, Lookup(None), "2026-11-23T00:00:00"))
    assert state.typosquats["new.com"].checked == now


def test_permutations_of_before_are_forgotten_unless_they_had_certificates() -> None:
    certificate = OwnCertificate("1", "2026-11-22T00:00:00", ["b.com"], Issuer())
    state = DomainState(
        "example.com",
        typosquats={
            "a.com": Typosquat("x"),
            "b.com": Typosquat("x", certificates=[certificate]),
            "c.com": Typosquat("x", asked="2026-11-20T00:00:00"),
        },
    )
    take_up(state, {"c.com": "y", "d.com": "z"})
    assert state.typosquats == {
        "b.com": Typosquat("x", certificates=[certificate]),
        "c.com": Typosquat("x", asked="2026-11-20T00:00:00"),
        "d.com": Typosquat("z"),
    }
