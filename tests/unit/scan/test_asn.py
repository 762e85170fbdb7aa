"""Whose network a site stands in: each network is looked up once, failures say why."""

import asyncio
import contextlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import ConfigError, FormatError
from ctmonitor.model.site import (
    Dns,
    DnsState,
    Enrichment,
    EnrichmentStatus,
    Presence,
    SiteReport,
)
from ctmonitor.net.client import Client
from ctmonitor.net.route import Proxy, Route
from ctmonitor.scan import cymru
from ctmonitor.scan.asn import NetworkEnricher
from ctmonitor.scan.asnfile import NetworkFile
from tests.data import shared
from tests.fakes.api import FAILURES, Reply
from tests.fakes.cymru import CymruServer
from tests.fakes.memory import InMemory
from tests.fakes.mmdb import mmdb
from tests.fakes.proxies import tinyproxy
from tests.fakes.rdap import RdapServer

OK = EnrichmentStatus.OK
ERROR = EnrichmentStatus.ERROR
RATE_LIMITED = EnrichmentStatus.RATE_LIMITED
NOT_APPLICABLE = EnrichmentStatus.NOT_APPLICABLE
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REGISTRIES = ("arin", "ripencc", "apnic", "lacnic", "afrinic")

GOOGLE = ["15169 | 74.125.224.0/20 | US | arin | 2007-03-13"]
ORIGINS = {
    "74.125.225.0/24": GOOGLE,
    "74.125.226.0/24": GOOGLE,
    "62.239.237.0/24": ["2856 | 62.239.0.0/16 | GB | ripencc | 2001-04-25"],
    "200.57.141.0/24": ["28554 | 200.57.128.0/19 | MX | lacnic | 2000-01-01"],
    "200.57.142.0/24": ["28554 | 200.57.142.0/24 | MX | lacnic | 2000-01-01"],
    "196.11.240.0/24": ["16637 | 196.11.240.0/21 | ZA | afrinic | 1993-01-01"],
    "2001:4860::/32": ["15169 | 2001:4860::/32 | US | arin | 2005-03-14"],
}
NAMES = {
    "AS15169": "15169 | US | arin | 2000-03-30 | GOOGLE - Google LLC, US",
    "AS2856": "2856 | GB | ripencc | 1993-09-03 | BT-UK-AS BTnet UK, GB",
    "AS28554": "28554 | MX | lacnic | 2003-01-01 | Triara.com, MX",
    "AS16637": "16637 | ZA | afrinic | 2000-01-01 | MTNNS-AS, ZA",
}


def report(address: str, state: DnsState = DnsState.FOUND) -> SiteReport:
    name = "login-paypal.example"
    return SiteReport(
        name, name, NOW, NOW, Presence.UP, Dns(state, (address,)), address=address
    )


def recorded() -> dict[str, bytes | Reply]:
    """What the registries said about networks, as recorded with ipwhois."""
    answers = json.loads(shared("apis/rdap/ipwhois_rdap_responses.json").read_bytes())
    return {f"/ip/{ip}": json.dumps(answer).encode() for ip, answer in answers.items()}


class World:
    """Cymru, a registry and a memory; `ask` is one run of the scanner."""

    def __init__(self, names: CymruServer, registry: RdapServer) -> None:
        self.dns = names
        self.rdap = registry
        self.memory = InMemory()
        self.now = NOW

    def ask(
        self,
        *addresses: str,
        through: Proxy | None = None,
        timeout_s: float = 5.0,
        **kwargs: Any,
    ) -> list[Enrichment]:
        return self.judge([report(a) for a in addresses], through, timeout_s, **kwargs)

    def judge(
        self,
        reports: list[SiteReport],
        through: Proxy | None = None,
        timeout_s: float = 5.0,
        **kwargs: Any,
    ) -> list[Enrichment]:
        async def run(client: Client) -> list[Enrichment]:
            resolver = None if through else self.dns.resolver(timeout_s)
            enricher = NetworkEnricher(
                self.memory,
                lambda: self.now,
                client,
                resolver,
                servers=dict.fromkeys(REGISTRIES, f"{self.rdap.url}/"),
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
    with CymruServer(ORIGINS, NAMES) as names, RdapServer() as registry:
        yield World(names, registry)


def test_a_network_its_owner_and_whom_to_write_to(world: World) -> None:
    world.rdap.answers = recorded()
    (found,) = world.ask("74.125.225.229")
    assert found == Enrichment(
        OK,
        data={
            "asn": "15169",
            "asn_cidr": "74.125.224.0/20",
            "asn_country_code": "US",
            "asn_description": "GOOGLE - Google LLC, US",
            "asn_abuse_email": "arin-contact@google.com",
            "asn_abuse_emails": ["arin-contact@google.com"],
            "source": "origin.asn.cymru.com",
        },
    )
    assert world.rdap.requests[0].headers["accept"].startswith("application/rdap+json")


@pytest.mark.parametrize(
    ("address", "email"),
    [
        ("62.239.237.1", "zzdnsr@bt.com"),
        ("200.57.141.161", "operacion.redes@TRIARA.COM"),
        ("2001:4860:4860::8888", "arin-contact@google.com"),
        ("196.11.240.215", None),  # the registry gives no roles at all
    ],
)
def test_each_registry_names_its_contact(
    world: World, address: str, email: str | None
) -> None:
    world.rdap.answers = recorded()
    (found,) = world.ask(address)
    assert (found.status, found.detail) == (OK, "")
    assert found.data["asn_abuse_email"] == email
    assert world.rdap.asked() == [f"/ip/{address}"]


def test_a_contact_without_card_is_asked_for_by_its_handle(world: World) -> None:
    answer = json.loads(recorded()["/ip/74.125.225.229"])
    answer["entities"] = [{"handle": "ZG39-ARIN", "roles": ["abuse"]}]
    entity = json.loads(shared("apis/rdap/ipwhois_entity.json").read_bytes())
    world.rdap.answers = {
        "/ip/74.125.225.229": json.dumps(answer).encode(),
        "/entity/ZG39-ARIN": json.dumps(
            {"objectClassName": "entity", **entity}
        ).encode(),
    }
    (found,) = world.ask("74.125.225.229")
    assert found.data["asn_abuse_email"] == "arin-contact@google.com"
    assert world.rdap.asked() == ["/ip/74.125.225.229", "/entity/ZG39-ARIN"]


def test_one_look_up_for_each_network_and_run_and_for_days(world: World) -> None:
    world.rdap.answers = recorded()
    block = [f"74.125.225.{last}" for last in (229, *range(1, 50))]
    found = world.ask(*block)
    assert all(one == found[0] for one in found)
    world.ask("74.125.226.7")  # another block of the same network
    world.now += timedelta(days=2)
    assert world.ask("74.125.225.77") == found[:1]
    assert len(world.rdap.requests) == 1
    assert sorted(world.dns.questions) == sorted(
        [
            cymru.origin_name(ip_address("74.125.225.229")),
            cymru.origin_name(ip_address("74.125.226.7")),
            "as15169.asn.cymru.com",
        ]
    )
    world.now += timedelta(days=15)
    world.ask("74.125.225.229")
    assert len(world.rdap.requests) == 2


def test_a_more_specific_network_is_not_taken_for_the_wider_one(world: World) -> None:
    """What was asked before must not decide whose network an address is in."""
    first = world.ask("200.57.141.161", "200.57.142.1")
    world.memory = InMemory()
    second = world.ask("200.57.142.1", "200.57.141.161")
    assert first == second[::-1]
    assert [one.data["asn_cidr"] for one in first] == [
        "200.57.128.0/19",
        "200.57.142.0/24",
    ]


def test_several_origins_are_a_list(world: World) -> None:
    world.dns.origins = {
        ip_network("192.5.0.0/16"): [
            "3356 | 192.0.0.0/8 | US | arin |",
            "7018 701 | 192.5.0.0/16 | US | arin |",
            "1239 | 192.5.0.0/16 | US | arin |",
        ]
    }
    world.dns.names = {"AS701": "701 | US | arin | 1990-08-03 | UUNET, US"}
    (found,) = world.ask("192.5.1.1", wants_contact=False)
    assert found.data["asn"] == ["701", "1239", "7018"]
    assert found.data["asn_cidr"] == "192.5.0.0/16"
    assert found.data["asn_description"] == ["UUNET, US", None, None]


@given(st.permutations(range(4)))
def test_the_order_of_the_records_changes_nothing(order: list[int]) -> None:
    records = [
        "3356 | 8.0.0.0/9 | US | arin | 1992-12-01",
        "15169 | 8.8.8.0/24 | US | arin | 1992-12-01",
        "42 | 8.8.8.0/24 | DE | ripencc | 1992-12-01",
        "1 | 8.0.0.0/8 | US | arin | 1992-12-01",
    ]
    found = cymru.origin([records[i] for i in order], "8.8.8.8")
    assert found == cymru.Origin(("42", "15169"), "8.8.8.0/24", "DE", "ripencc")


@pytest.mark.parametrize(
    "record",
    [
        "",
        "|||",
        "NA | 8.8.8.0/24 | US | arin |",
        "1 | 9.9.9.0/24 | US | arin |",
        "1 | 8.8.8.8/8 | US | arin |",
        "4294967296 | 8.8.8.0/24 | US | arin |",
        "\u0661 | 8.8.8.0/24 | US | arin |",
        "-1 | 8.8.8.0/24 | US | arin |",
        "1 | 2001:db8::/32 | US | arin |",
    ],
)
def test_a_record_in_another_form_is_refused(record: str) -> None:
    with pytest.raises(FormatError, match="no origin"):
        cymru.origin([record], "8.8.8.8")


@given(st.lists(st.text(), max_size=3))
def test_any_records_give_an_origin_or_a_format_error(texts: list[str]) -> None:
    with contextlib.suppress(FormatError):
        cymru.origin(texts, "8.8.8.8")
    for text in texts:
        with contextlib.suppress(FormatError):
            assert cymru.description(text).isprintable()


def test_what_is_asked_of_cymru() -> None:
    assert (
        cymru.origin_name(ip_address("216.90.108.31"))
        == "31.108.90.216.origin.asn.cymru.com"
    )
    assert (
        cymru.origin_name(ip_address("2001:4860:b002::68"))
        == "8.6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.b.0.6.8.4.1.0.0.2"
        ".origin6.asn.cymru.com"
    )
    assert cymru.origin_name(ip_address("2001:4860::")) == (
        "0.6.8.4.1.0.0.2.origin6.asn.cymru.com"
    )


@pytest.mark.parametrize(
    ("address", "state", "why"),
    [
        ("", DnsState.NOT_APPLICABLE, "the proxy alone knows"),
        ("", DnsState.FOUND, "there is no address"),
        ("10.0.0.1", DnsState.FOUND, "no public network"),
        ("127.0.0.1", DnsState.FOUND, "no public network"),
        ("169.254.169.254", DnsState.FOUND, "no public network"),
        ("::ffff:192.168.1.1", DnsState.FOUND, "no public network"),
        ("fe80::1", DnsState.FOUND, "no public network"),
    ],
)
def test_an_address_of_no_public_network_is_asked_of_nobody(
    world: World, address: str, state: DnsState, why: str
) -> None:
    (found,) = world.judge([report(address, state)])
    assert found.status is NOT_APPLICABLE
    assert why in found.detail
    assert world.dns.questions == []
    assert world.rdap.requests == []


def test_nobody_announces_it(world: World) -> None:
    (found,) = world.ask("198.41.0.4")
    assert (found.status, found.data) == (NOT_APPLICABLE, {})
    assert found.detail == "nobody announces 198.41.0.4"


def test_a_failing_name_server_is_an_error_kept_for_minutes(world: World) -> None:
    world.dns.rcode = dns.rcode.SERVFAIL
    (found,) = world.ask("74.125.225.229")
    assert (found.status, found.data) == (ERROR, {})
    assert "NoNameservers" in found.detail
    world.dns.rcode = dns.rcode.NOERROR
    assert world.ask("74.125.225.229") == [found]
    world.now += timedelta(minutes=11)
    world.rdap.answers = recorded()
    assert world.ask("74.125.225.229")[0].status is OK


def test_a_silent_name_server_is_an_error(world: World) -> None:
    world.dns.is_silent = True
    found = world.ask(*(f"74.125.225.{i}" for i in range(1, 20)), timeout_s=0.3)
    assert {one.status for one in found} == {ERROR}
    assert "LifetimeTimeout" in found[0].detail


def broken_answers() -> dict[str, Reply]:
    network = {
        "handle": "NET-1",
        "ipVersion": "v4",
        "startAddress": "74.125.0.0",
        "endAddress": "74.125.255.255",
    }
    odd: dict[str, Any] = {
        "no handle": {},
        "a handle that is a number": {**network, "handle": 1},
        "an address that is none": {**network, "startAddress": "here"},
        "no addresses": {"handle": "NET-1"},
        "entities that are text": {**network, "entities": "x"},
        "entities that are an object": {**network, "entities": {"handle": "x"}},
        "entities that are numbers": {**network, "entities": [1]},
        "notices that are numbers": {**network, "notices": [1], "entities": 1},
    }
    return {
        **FAILURES,
        **{name: Reply.of(value) for name, value in odd.items()},
        "not found": Reply(404),
        "unavailable": Reply(503),
    }


@pytest.mark.parametrize("name", sorted(broken_answers()))
def test_a_registry_that_fails_leaves_the_network_known(
    world: World, name: str
) -> None:
    world.rdap.answers = {"/ip/74.125.225.229": broken_answers()[name]}
    (found,) = world.ask("74.125.225.229")
    assert found.status is ERROR
    assert found.detail.isprintable()
    assert found.data["asn"] == "15169"
    assert found.data["asn_abuse_email"] is None
    asked = len(world.rdap.requests)
    assert world.ask("74.125.225.1") == [found]
    assert len(world.rdap.requests) == asked  # remembered for minutes


@pytest.mark.parametrize(
    "path",
    [
        "error_bad_properties_array",
        "error_bad_property_name",
        "error_bad_property_parameters",
        "error_bad_property_size",
        "error_bad_property_type",
        "error_bad_top_type",
        "error_bad_vcard_label",
        "error_invalid_properties",
    ],
)
def test_a_contact_card_in_another_form_is_an_error(world: World, path: str) -> None:
    card = json.loads(shared(f"apis/rdap/malformed/{path}.json").read_bytes())
    answer = json.loads(recorded()["/ip/74.125.225.229"])
    answer["entities"] = [{"handle": "X", "roles": ["abuse"], "vcardArray": card}]
    world.rdap.answers = {"/ip/74.125.225.229": Reply.of(answer)}
    (found,) = world.ask("74.125.225.229")
    assert found.status is ERROR
    assert "not " in found.detail
    assert found.data["asn"] == "15169"


def test_an_email_of_a_stranger_is_one_or_none(world: World) -> None:
    emails = ["a@b.example\x1b[2J", "<script>@x.example", "x\n@y.example", "no"]
    emails += ["abuse@good.example", "abuse@good.example", "a" * 300 + "@x.example"]
    card = ["vcard", [["email", {}, "text", email] for email in emails]]
    answer = json.loads(recorded()["/ip/74.125.225.229"])
    answer["entities"] = [{"handle": "X", "roles": ["Abuse"], "vcardArray": card}]
    world.rdap.answers = {"/ip/74.125.225.229": Reply.of(answer)}
    (found,) = world.ask("74.125.225.229")
    assert found.data["asn_abuse_emails"] == ["abuse@good.example"]


def test_a_silent_registry_ends_at_the_time_limit(world: World) -> None:
    world.rdap.answers = {"/ip/74.125.225.229": Reply(is_silent=True)}
    (found,) = world.ask("74.125.225.229", timeout_s=0.4)
    assert found.status is ERROR
    assert "no complete answer within 0.4 s" in found.detail
    assert found.data["asn_description"] == "GOOGLE - Google LLC, US"


def test_a_registry_that_wants_fewer_questions_is_left_alone(world: World) -> None:
    """LACNIC's 429 defers its networks; those of others go on."""
    world.rdap.answers = recorded() | {
        "/ip/200.57.141.161": Reply(429, headers={"Retry-After": "300"})
    }
    limited, other = world.ask("200.57.141.161", "62.239.237.1")
    assert limited.status is RATE_LIMITED
    assert "429" in limited.detail
    assert limited.data["asn"] == "28554"
    assert other.status is OK

    (next_network,) = world.ask("200.57.142.1")
    assert next_network.status is RATE_LIMITED
    assert "until 2026-11-21T12:05:00" in next_network.detail
    assert len(world.rdap.asked("/ip/200.")) == 1

    world.now += timedelta(seconds=301)
    world.rdap.answers = recorded()
    assert world.ask("200.57.141.161")[0].status is OK


def test_a_rate_limit_notice_with_status_200_counts_too(world: World) -> None:
    notice = {"notices": [{"title": "Rate Limit Notice", "description": ["wait"]}]}
    world.rdap.answers = {"/ip/74.125.225.229": Reply.of(notice)}
    assert world.ask("74.125.225.229")[0].status is RATE_LIMITED


def test_the_daily_budget_of_a_registry_holds_over_runs(world: World) -> None:
    world.rdap.answers = recorded()
    world.ask("200.57.141.161", per_day=1)
    (second,) = world.ask("200.57.142.1", per_day=1)
    assert second.status is RATE_LIMITED
    assert "daily budget of 1" in second.detail
    assert world.ask("62.239.237.1", per_day=1)[0].status is OK
    world.now += timedelta(days=1)
    world.ask("200.57.142.1", per_day=1)
    assert len(world.rdap.asked("/ip/200.")) == 2


def test_lacnic_is_asked_at_most_9_times_a_minute(world: World) -> None:
    addresses = [f"200.1.{third}.1" for third in range(1, 13)]
    world.dns.origins = {
        ip_network(f"200.1.{third}.0/24"): [
            f"28554 | 200.1.{third}.0/24 | MX | lacnic |"
        ]
        for third in range(1, 13)
    }
    found = world.ask(*addresses)
    assert len(world.rdap.requests) == 9
    assert [one.status for one in found].count(RATE_LIMITED) == 3


def test_behind_a_proxy_nothing_is_asked_around_it(
    world: World, tmp_path: Path
) -> None:
    with tinyproxy(tmp_path) as running:
        proxy = Proxy("http", running.host, running.port)
        (found,) = world.ask("74.125.225.229", through=proxy)
    assert (found.status, found.data) == (NOT_APPLICABLE, {})
    assert "around the proxy" in found.detail
    assert world.dns.questions == []
    assert world.rdap.requests == []


def network_file(tmp_path: Path) -> NetworkFile:
    path = tmp_path / "lite.mmdb"
    path.write_bytes(
        mmdb(
            {
                "74.125.0.0/16": {
                    "asn": "AS15169",
                    "as_name": "Google\u202e LLC",
                    "country_code": "us",
                },
                "62.239.0.0/17": {
                    "autonomous_system_number": 2856,
                    "autonomous_system_organization": "BT",
                },
                "200.57.0.0/16": {"as_name": "nobody"},
            },
            built=1_700_000_000,
        )
    )
    return NetworkFile(path)


def test_the_file_comes_first_and_its_date_is_told(
    world: World, tmp_path: Path
) -> None:
    file = network_file(tmp_path)
    with contextlib.closing(file):
        google, other, unknown = world.ask(
            "74.125.225.229",
            "62.239.1.1",
            "200.57.141.161",
            file=file,
            wants_contact=False,
        )
    assert google == Enrichment(
        OK,
        data={
            "asn": "15169",
            "asn_cidr": "74.125.0.0/16",
            "asn_country_code": "US",
            "asn_description": "Google\\u202e LLC",
            "asn_abuse_email": None,
            "asn_abuse_emails": [],
            "source": "lite.mmdb of 2023-11-14",
        },
    )
    assert (other.data["asn"], other.data["asn_country_code"]) == ("2856", None)
    assert unknown.data["source"] == "origin.asn.cymru.com"
    # Only the one that the file does not have was asked for.
    assert world.dns.questions == [
        cymru.origin_name(ip_address("200.57.141.161")),
        "as28554.asn.cymru.com",
    ]


def test_the_file_works_behind_a_proxy_and_beside_a_failing_server(
    world: World, tmp_path: Path
) -> None:
    world.dns.rcode = dns.rcode.SERVFAIL
    with contextlib.closing(network_file(tmp_path)) as file:
        (behind,) = world.ask(
            "74.125.225.229", through=Proxy("http", "127.0.0.1", 1), file=file
        )
        (failing,) = world.ask("74.125.225.229", file=file)
    assert (behind.status, failing.status) == (NOT_APPLICABLE, ERROR)
    assert behind.data["asn"] == failing.data["asn"] == "15169"
    assert "around the proxy" in behind.detail


def test_the_contact_is_found_beside_the_file(world: World, tmp_path: Path) -> None:
    world.rdap.answers = recorded()
    with contextlib.closing(network_file(tmp_path)) as file:
        (found,) = world.ask("74.125.225.229", file=file)
    assert found.status is OK
    assert found.data["asn_abuse_email"] == "arin-contact@google.com"
    assert found.data["asn_cidr"] == "74.125.224.0/20"
    assert found.data["source"] == "lite.mmdb of 2023-11-14"


@pytest.mark.parametrize("content", [b"", b"no such format", None])
def test_a_file_that_cannot_be_read_is_told_at_start(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "x.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read as a MaxMind file"):
        NetworkFile(path)


def test_a_broken_memory_costs_questions_but_no_answer(world: World) -> None:
    world.rdap.answers = recorded()
    world.memory = InMemory(is_broken=True)
    (found,) = world.ask("74.125.225.229")
    # No budget can be counted, so no registry is asked.
    assert found.status is RATE_LIMITED
    assert found.data["asn_description"] == "GOOGLE - Google LLC, US"


def test_many_networks_at_once(world: World) -> None:
    """More than there are slots and threads."""
    world.dns.origins = {ip_network("20.0.0.0/8"): ["8075 | 20.0.0.0/8 | US | arin |"]}
    draw = random.Random(4)
    addresses = [f"20.{draw.randrange(256)}.{i}.1" for i in range(200)]
    found = world.ask(*addresses, wants_contact=False)
    assert {one.data["asn"] for one in found} == {"8075"}
