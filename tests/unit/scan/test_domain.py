"""Since when a domain is registered and by whom; whatever fails says why."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.model.site import (
    Dns,
    DnsState,
    Enrichment,
    EnrichmentStatus,
    Presence,
    SiteReport,
)
from ctmonitor.net.client import Answer, Client
from ctmonitor.net.route import Proxy, Route
from ctmonitor.scan.bootstrap import servers
from ctmonitor.scan.domain import RegistrationEnricher, registrable, registration
from tests.data import shared
from tests.fakes.api import FAILURES, Reply
from tests.fakes.memory import InMemory
from tests.fakes.proxies import tinyproxy
from tests.fakes.rdap import RdapServer

OK = EnrichmentStatus.OK
ERROR = EnrichmentStatus.ERROR
RATE_LIMITED = EnrichmentStatus.RATE_LIMITED
NOT_APPLICABLE = EnrichmentStatus.NOT_APPLICABLE
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

GOOGLE = {
    "objectClassName": "domain",
    "ldhName": "GOOGLE.COM",
    "events": [{"eventAction": "registration", "eventDate": "1997-09-15T04:00:00Z"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["roles", "vcardArray", "x"]), inner)
    ),
    max_leaves=10,
)


def report(host: str) -> SiteReport:
    return SiteReport(
        host, host, NOW, NOW, Presence.UP, Dns(DnsState.FOUND), address="192.0.2.1"
    )


class World:
    """A registry that lists itself, and a memory; `ask` is one run of the scanner."""

    def __init__(self, registry: RdapServer) -> None:
        self.rdap = registry
        self.source: str | Path = registry.bootstrap("com", "no", "cz")
        self.host = registry.url.removeprefix("http://")
        self.memory = InMemory()
        self.now = NOW

    def ask(
        self,
        *hosts: str,
        through: Proxy | None = None,
        timeout_s: float = 5.0,
        **kwargs: Any,
    ) -> list[Enrichment]:
        async def run(client: Client) -> list[Enrichment]:
            enricher = RegistrationEnricher(
                self.memory, lambda: self.now, client, source=self.source, **kwargs
            )
            return await enricher.enrich([report(host) for host in hosts])

        route = Route(proxy=through, use_environment=False)
        with Client(
            "test", route=route, timeout_s=timeout_s, first_pause_s=0.001
        ) as client:
            return asyncio.run(run(client))


@pytest.fixture
def world() -> Iterator[World]:
    with RdapServer() as registry:
        yield World(registry)


@pytest.mark.parametrize(
    ("file", "host", "expected"),
    [
        (
            "whoisit_data_rdap_response_domain1",
            "www.google.com",
            {
                "domain": "google.com",
                "registered": "1997-09-15T04:00:00",
                "expires": "2028-09-14T04:00:00",
                "registrar": "MarkMonitor Inc.",
                "registrar_abuse_email": "abusecomplaints@markmonitor.com",
            },
        ),
        (
            "whoisit_data_rdap_response_domain3",
            "themarquetry.com",
            {
                "domain": "themarquetry.com",
                "registered": "2021-03-16T17:07:37",
                "expires": "2022-03-16T17:07:37",
                "registrar": "Hosting Concepts B.V. d/b/a Registrar.eu",
                "registrar_abuse_email": "abuse@registrar.eu",
            },
        ),
        (
            "whoisit_data_rdap_response_domain2",
            "*.shop.norway.no",
            {
                "domain": "norway.no",
                "registered": "2017-01-24T12:09:23",
                "expires": None,
                "registrar": "Domeneshop AS",
                "registrar_abuse_email": None,
            },
        ),
        (
            "openrdap_domain-example.cz",
            "EXAMPLE.cz",
            {
                "domain": "example.cz",
                "registered": "2004-08-30T22:55:00",
                "expires": "2019-08-30T12:00:00",
                "registrar": "REG-INTERNET-CZ",
                "registrar_abuse_email": None,
            },
        ),
    ],
)
def test_recorded_answers_of_registries(
    world: World, file: str, host: str, expected: dict[str, Any]
) -> None:
    domain = expected["domain"]
    answer = shared(f"apis/rdap/{file}.json").read_bytes()
    world.rdap.answers[f"/domain/{domain}"] = answer
    (found,) = world.ask(host)
    assert found == Enrichment(OK, data={**expected, "source": world.host})
    assert world.rdap.asked("/domain/") == [f"/domain/{domain}"]


def test_hosts_of_one_domain_share_a_question_for_days(world: World) -> None:
    world.rdap.answers["/domain/google.com"] = Reply.of(GOOGLE)
    found = world.ask("google.com", "www.google.com", "a.b.google.com")
    assert found[0] == found[1] == found[2]
    world.now += timedelta(days=6)
    assert world.ask("google.com") == found[:1]
    assert world.rdap.asked() == ["/dns.json", "/domain/google.com"]
    world.now += timedelta(days=2)
    world.ask("google.com")
    assert world.rdap.asked() == ["/dns.json", "/domain/google.com"] * 2


@pytest.mark.parametrize(
    "host",
    ["localhost", "co.uk", "192.0.2.1", "[2001:db8::1]", "2001:db8::1", "", "a/b.com"],
)
def test_a_name_that_nobody_registers_is_asked_of_nobody(
    world: World, host: str
) -> None:
    (found,) = world.ask(host)
    assert (found.status, found.data) == (NOT_APPLICABLE, {})
    assert world.rdap.requests == []


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.example.co.uk", "example.co.uk"),
        ("a_b.example.com.", "example.com"),
        ("*.x.com", "x.com"),
        ("somebody.github.io", "github.io"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("b\u00fccher.de", None),
    ],
)
def test_what_can_be_registered(host: str, domain: str | None) -> None:
    assert registrable(host) == domain


def test_a_registry_without_rdap_is_not_applicable(world: World) -> None:
    (found,) = world.ask("example.de")
    assert found.status is NOT_APPLICABLE
    assert found.detail == "the registry of .de has no RDAP"
    assert world.rdap.asked() == ["/dns.json"]


def test_a_domain_that_the_registry_does_not_know(world: World) -> None:
    (found,) = world.ask("nobody.com")
    assert found.status is NOT_APPLICABLE
    assert found.detail == f"{world.host} knows no domain nobody.com"


def bad_answers() -> dict[str, Reply]:
    odd: dict[str, object] = {
        "an entity": {**GOOGLE, "objectClassName": "entity"},
        "of no class": {"ldhName": "google.com"},
        "another domain": {**GOOGLE, "ldhName": "paypal.com"},
        "without name": {**GOOGLE, "ldhName": None},
        "events that are text": {**GOOGLE, "events": "x"},
        "events that are numbers": {**GOOGLE, "events": [1]},
        "a date that is none": {
            **GOOGLE,
            "events": [{"eventAction": "registration", "eventDate": "\x1b[2J"}],
        },
        "a date that is a number": {
            **GOOGLE,
            "events": [{"eventAction": "registration", "eventDate": 10**30}],
        },
        "entities that are an object": {**GOOGLE, "entities": {}},
        "entities that are text": {**GOOGLE, "entities": ["x"]},
    }
    return {
        **FAILURES,
        **{name: Reply.of(value) for name, value in odd.items()},
        "forbidden": Reply(403),
        "unavailable": Reply(503),
    }


@pytest.mark.parametrize("name", sorted(bad_answers()))
def test_a_registry_that_fails_is_an_error_kept_for_minutes(
    world: World, name: str
) -> None:
    world.rdap.answers["/domain/google.com"] = bad_answers()[name]
    (found,) = world.ask("google.com")
    assert (found.status, found.data) == (ERROR, {})
    assert found.detail
    assert found.detail.isprintable()
    asked = len(world.rdap.requests)
    world.rdap.answers["/domain/google.com"] = Reply.of(GOOGLE)
    assert world.ask("www.google.com") == [found]
    assert len(world.rdap.requests) == asked
    world.now += timedelta(minutes=11)
    assert world.ask("google.com")[0].status is OK


def test_recorded_malformed_answers_are_errors() -> None:
    files = sorted(shared("apis/rdap/malformed").iterdir())
    assert len(files) > 15
    for file in files:
        answer = Answer("http://r/", 200, file.read_bytes())
        with pytest.raises(FormatError):
            registration(answer, "google.com")


@pytest.mark.parametrize(
    ("file", "is_read"),
    [
        ("error_bad_properties_array", False),
        ("error_bad_property_name", False),
        ("error_bad_property_parameters", False),
        ("error_bad_property_size", False),
        ("error_bad_property_type", False),
        ("error_bad_top_type", False),
        ("error_bad_vcard_label", False),
        ("error_invalid_properties", False),
        ("example", True),
        ("mixed", True),
    ],
)
def test_a_contact_card_in_another_form_leaves_the_date_known(
    world: World, file: str, is_read: bool
) -> None:
    card = json.loads(shared(f"apis/rdap/malformed/{file}.json").read_bytes())
    entity = {"roles": ["registrar"], "handle": "R-1", "vcardArray": card}
    world.rdap.answers["/domain/google.com"] = Reply.of(
        {**GOOGLE, "entities": [entity]}
    )
    (found,) = world.ask("google.com")
    assert found.data["registered"] == "1997-09-15T04:00:00"
    if is_read:
        assert found.status is OK
    else:
        assert found.status is ERROR
        assert "not a jCard" in found.detail
        assert found.data["registrar"] == "R-1"


def test_names_of_strangers_are_printable_and_bounded(world: World) -> None:
    card = ["vcard", [["fn", {}, "text", "Evil\n\x1b[2J\u202e" + "x" * 5000]]]
    entity = {"roles": ["registrar"], "vcardArray": card}
    world.rdap.answers["/domain/google.com"] = Reply.of(
        {**GOOGLE, "entities": [entity]}
    )
    (found,) = world.ask("google.com")
    registrar = found.data["registrar"]
    assert registrar.startswith("Evil\\x0a\\x1b[2J\\u202ex")
    assert len(registrar) == 200


@given(st.fixed_dictionaries({}, optional={"entities": JSON, "events": JSON}))
def test_any_answer_gives_a_registration_or_a_format_error(
    odd: dict[str, object],
) -> None:
    answer = Answer("http://r/", 200, json.dumps({**GOOGLE, **odd}).encode())
    with contextlib.suppress(FormatError):
        assert registration(answer, "google.com")["domain"] == "google.com"


def test_a_silent_registry_ends_at_the_time_limit(world: World) -> None:
    world.rdap.answers["/domain/google.com"] = Reply(is_silent=True)
    (found,) = world.ask("google.com", timeout_s=0.4)
    assert found.status is ERROR
    assert "within 0.4 s" in found.detail


def test_a_registry_that_wants_fewer_questions_is_left_alone(world: World) -> None:
    world.rdap.answers["/domain/a.com"] = Reply(429)
    world.rdap.answers["/domain/google.com"] = Reply.of(GOOGLE)
    assert world.ask("a.com")[0].status is RATE_LIMITED
    (found,) = world.ask("google.com")
    assert found.status is RATE_LIMITED
    assert "until 2026-11-21T12:10:00" in found.detail
    assert world.rdap.asked("/domain") == ["/domain/a.com"]
    world.now += timedelta(seconds=601)
    assert world.ask("google.com")[0].status is OK


def test_the_budget_of_a_registry(world: World) -> None:
    hosts = [f"x{number}.com" for number in range(5)]
    found = world.ask(*hosts, per_day=3)
    assert [one.status for one in found].count(RATE_LIMITED) == 2
    assert len(world.rdap.asked("/domain/")) == 3
    world.now += timedelta(days=1)
    found = world.ask(*hosts, per_minute=2)
    assert len(world.rdap.asked("/domain/")) == 5


def test_everything_goes_through_the_proxy(world: World, tmp_path: Path) -> None:
    world.rdap.answers["/domain/google.com"] = Reply.of(GOOGLE)
    with tinyproxy(tmp_path) as running:
        proxy = Proxy("http", running.host, running.port)
        (found,) = world.ask("google.com", through=proxy)
    assert found.status is OK
    assert len(world.rdap.requests) == 2
    assert all("via" in request.headers for request in world.rdap.requests)


def test_the_list_may_be_a_file(world: World, tmp_path: Path) -> None:
    world.rdap.answers["/domain/google.com"] = Reply.of(GOOGLE)
    world.source = tmp_path / "dns.json"
    world.source.write_text(json.dumps({"services": [[["COM"], [world.rdap.url]]]}))
    assert world.ask("google.com")[0].status is OK
    assert world.rdap.asked() == ["/domain/google.com"]


@pytest.mark.parametrize(
    "reply", [Reply(500), Reply(429), *FAILURES.values()], ids=lambda r: str(r.status)
)
def test_a_list_that_fails_leaves_the_last_one_in_use(
    world: World, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    world.rdap.answers["/domain/google.com"] = Reply.of(GOOGLE)
    world.ask("google.com")
    world.now += timedelta(days=30)
    world.rdap.answers["/dns.json"] = reply
    assert world.ask("google.com")[0].status is OK
    assert "The list of RDAP servers of 2026-11-21T12:00:00 stays in use" in caplog.text


def test_without_any_list_it_is_asked_for_once(world: World) -> None:
    world.rdap.answers["/dns.json"] = Reply(404)
    found = world.ask(*(f"x{number}.com" for number in range(10)))
    assert {one.status for one in found} == {ERROR}
    assert "no list of RDAP servers" in found[0].detail
    assert world.rdap.asked() == ["/dns.json"]


def test_recorded_lists() -> None:
    assert servers(json.loads(shared("apis/rdap/bootstrap_dns.json").read_bytes())) == {
        "ar": "https://rdap.nic.ar/",
        "cz": "https://rdap.nic.cz/",
        "br": "https://rdap.registro.br/",
    }
    whoisit = json.loads(shared("apis/rdap/whoisit_data_bootstrap.json").read_bytes())
    known = servers(whoisit["dns"])
    assert known["com"] == "https://rdap.verisign.com/com/v1/"
    assert len(known) > 1000


def test_a_list_with_unusable_addresses_keeps_the_others() -> None:
    listed = json.loads(shared("apis/rdap/malformed/dns_bad_url.json").read_bytes())
    known = servers(listed)
    assert known["br"] == "https://rdap.registro.br/"
    assert "example" not in known


@pytest.mark.parametrize(
    "listed",
    [
        None,
        [],
        {},
        {"services": []},
        {"services": [[]]},
        {"services": [[["com"], "https://x/"]]},
        {"services": [[["com"], [1]]]},
    ],
)
def test_a_list_in_another_form_is_refused(listed: object) -> None:
    with pytest.raises(FormatError, match="no list of RDAP servers"):
        servers(listed)


def test_a_list_cut_in_the_middle_is_refused_as_a_whole() -> None:
    path = shared("apis/rdap/malformed/dns_bad_services.json")
    with pytest.raises(FormatError, match="no list of RDAP servers"):
        servers(json.loads(path.read_bytes()))


def test_https_is_taken_where_a_registry_has_both() -> None:
    services = [[["x"], ["http://a.example/", "https://a.example/rdap"]]]
    assert servers({"services": services}) == {"x": "https://a.example/rdap/"}
