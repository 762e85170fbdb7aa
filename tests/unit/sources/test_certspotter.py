"""Cert Spotter is read to its end, with manners, and whatever it answers."""

import base64
import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmonitor.ct.certificate import tbs_sha256
from ctmonitor.errors import SourceError
from ctmonitor.model.own import Claim, Issuer, OwnSource
from ctmonitor.model.text import printable
from ctmonitor.net.client import Client, Refused
from ctmonitor.net.route import Route
from ctmonitor.sources.certspotter import CertSpotter
from ctmonitor.sources.ownsource import Answer, BudgetSpent
from tests.data import VECTORS, shared
from tests.fakes.api import ApiServer, Reply
from tests.fakes.certspotter import MISBEHAVIOURS, FakeCertSpotter, issuance
from tests.unit.ct.making import certificate, tbs_certificate

DOMAIN = "example.com"
START = datetime(2026, 11, 21, 14, tzinfo=UTC)


class Budget:
    """Allows a number of questions, and counts."""

    def __init__(self, left: int = 1_000_000) -> None:
        self.left = left
        self.taken = 0

    def take(self, now: datetime) -> None:
        if not self.left:
            raise BudgetSpent("enough for this hour", 600.0)
        self.left -= 1
        self.taken += 1


class Clock:
    """A sleep that takes no time, and moves this clock."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.moment = START

    def sleep(self, pause_s: float) -> None:
        self.slept.append(pause_s)
        self.moment += timedelta(seconds=pause_s)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(
        "ctmonitor-test",
        route=Route(use_environment=False),
        timeout_s=5,
        max_bytes=1_000_000,
        limited_by="[OWN] Max_Answer_MB",
        retries=0,
    ) as made:
        yield made


def spotter(
    client: Client,
    server: ApiServer,
    *,
    key: str = "",
    budget: Budget | None = None,
    clock: Clock | None = None,
    tries: int = 3,
) -> CertSpotter:
    clock = clock or Clock()
    return CertSpotter(
        client,
        server.url,
        key=key,
        budget=budget or Budget(),
        tries=tries,
        retry_s=2.0,
        sleep=clock.sleep,
        now=clock.now,
    )


def issuances(count: int) -> list[dict[str, Any]]:
    return [
        issuance(n, f"h{n}.{DOMAIN}", has_der=False) for n in range(101, 101 + count)
    ]


def ids(answer: Answer) -> list[str]:
    return [number for claim in answer.claims for number in claim.ids]


def answer_to(client: Client, *rows: object, domain: str = DOMAIN) -> Answer:
    """What is made of these issuances, sent as they are."""
    pages = [Reply.of(list(rows)), Reply.of([])]
    with ApiServer(lambda _: pages.pop(0)) as server:
        return spotter(client, server).answer(domain)


def one(client: Client, row: object, domain: str = DOMAIN) -> Claim:
    (claim,) = answer_to(client, row, domain=domain).claims
    return claim


# What is asked


def test_the_question_asks_for_all_that_is_used(client: Client) -> None:
    with FakeCertSpotter() as server:
        found = spotter(client, server).answer(DOMAIN)
    assert found == Answer(OwnSource.CERTSPOTTER, (), is_full=False)
    (request,) = server.requests
    assert request.path.startswith("/v1/issuances?")
    assert "authorization" not in request.headers
    assert request.headers["accept"] == "application/json"
    assert server.questions() == [
        {
            "domain": [DOMAIN],
            "include_subdomains": ["true"],
            "expand": [
                "dns_names",
                "issuer",
                "issuer.caa_domains",
                "issuer.operator",
                "revocation",
                "problem_reporting",
                "cert_der",
            ],
        }
    ]


def test_a_typosquat_is_asked_for_without_what_lies_below(client: Client) -> None:
    rows = [issuance(1, f"www.{DOMAIN}"), issuance(2, DOMAIN)]
    with FakeCertSpotter({DOMAIN: rows}) as server:
        found = spotter(client, server).answer(DOMAIN, exact=True)
    assert ids(found) == ["2"]


def test_the_base_may_end_with_a_slash(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(1)}) as server:
        found = CertSpotter(client, f"{server.url}/", budget=Budget()).answer(DOMAIN)
    assert ids(found) == ["101"]


def test_the_key_goes_as_bearer(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(1)}, key="k1_s3cret") as server:
        found = spotter(client, server, key="k1_s3cret").answer(DOMAIN)
    assert ids(found) == ["101"]
    assert {r.headers["authorization"] for r in server.requests} == {"Bearer k1_s3cret"}


# To the end


@pytest.mark.parametrize("page", [1, 2, 4, 5, 6])
def test_the_pages_are_followed_until_one_is_empty(client: Client, page: int) -> None:
    with FakeCertSpotter({DOMAIN: issuances(5)}, page=page) as server:
        budget = Budget()
        found = spotter(client, server, budget=budget).answer(DOMAIN)
    assert ids(found) == ["101", "102", "103", "104", "105"]
    assert (found.position, found.is_complete, found.notes) == ("105", True, ())
    assert (found.source, found.is_full) == (OwnSource.CERTSPOTTER, False)
    assert len(server.requests) == -(-5 // page) + 1 == budget.taken
    assert "after" not in server.questions()[0]
    assert server.questions()[-1]["after"] == ["105"]


def test_a_later_run_goes_on_from_the_position(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(5)}) as server:
        asked = spotter(client, server)
        assert ids(asked.answer(DOMAIN, "103")) == ["104", "105"]
        nothing = asked.answer(DOMAIN, "105")
    assert (nothing.claims, nothing.position) == ((), "105")
    assert [q["after"] for q in server.questions()] == [["103"], ["105"], ["105"]]


def test_ids_that_come_round_end_it(client: Client) -> None:
    """What was read is kept, and the run is complete in part."""
    with FakeCertSpotter({DOMAIN: issuances(3)}, page=2) as server:
        server.goes_round = True
        found = spotter(client, server).answer(DOMAIN)
    assert ids(found) == ["101", "102", "103"]
    assert (found.position, found.is_complete) == ("103", False)
    assert "does not go on for example.com" in found.failure
    assert "3 of" not in found.failure
    assert len(server.requests) == 3


def test_ids_that_go_back_to_where_it_began_are_a_failure(client: Client) -> None:
    row = issuance(7, DOMAIN, has_der=False)
    with (
        ApiServer(lambda _: Reply.of([row])) as server,
        pytest.raises(SourceError, match=r"does not go on .* the id '7'"),
    ):
        spotter(client, server).answer(DOMAIN, "7")
    assert len(server.requests) == 1


def test_doubles_on_a_page_are_one(client: Client) -> None:
    first, second = issuances(2)
    found = answer_to(client, first, second, first)
    assert ids(found) == ["101", "102"]
    assert found.position == "102"
    assert found.notes == ("1 of Cert Spotter's issuances for example.com came again",)


def test_pages_without_end_are_left_to_later_runs(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(1)}, page=2) as server:
        server.never_ends = True
        found = spotter(client, server).answer(DOMAIN)
    assert len(server.requests) == 200
    assert len(found.claims) == 1 + 199 * 2
    assert found.position == "499"
    assert (found.is_complete, found.failure) == (False, "")
    assert found.notes == (
        "Cert Spotter has more than 399 certificates for example.com; the rest comes "
        "in a later run",
    )


def test_what_is_too_much_for_one_run_is_left_to_the_next(client: Client) -> None:
    def answer(_request):
        first = 7000 * len(server.requests)
        rows = [{"id": n, "dns_names": [DOMAIN]} for n in range(first, first + 7000)]
        return Reply.of(rows)

    with ApiServer(answer) as server:
        found = spotter(client, server).answer(DOMAIN)
    assert len(server.requests) == 3
    assert (len(found.claims), found.position) == (21_000, "27999")
    assert not found.is_complete


def test_a_page_of_which_nothing_can_be_read_leads_nowhere(client: Client) -> None:
    with (
        ApiServer(lambda _: MISBEHAVIOURS["rows that are none"]) as server,
        pytest.raises(SourceError, match="does not go on"),
    ):
        spotter(client, server).answer(DOMAIN)
    assert len(server.requests) == 1


# Limits


def test_without_budget_nothing_is_asked(client: Client) -> None:
    with (
        FakeCertSpotter({DOMAIN: issuances(1)}) as server,
        pytest.raises(BudgetSpent, match="enough for this hour"),
    ):
        spotter(client, server, budget=Budget(0)).answer(DOMAIN)
    assert server.requests == []


def test_a_budget_that_ends_in_between_keeps_what_came(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(5)}, page=2) as server:
        found = spotter(client, server, budget=Budget(2)).answer(DOMAIN)
        assert ids(found) == ["101", "102", "103", "104"]
        assert (found.position, found.is_complete) == ("104", False)
        assert found.failure == ""
        assert found.notes == ("enough for this hour; the rest comes in a later run",)
        rest = spotter(client, server).answer(DOMAIN, found.position)
    assert ids(rest) == ["105"]
    assert rest.is_complete


def test_a_page_without_names_of_ours_leads_on_nevertheless(client: Client) -> None:
    rows = [{"id": n, "dns_names": ["other.example"]} for n in "12"]
    with FakeCertSpotter({DOMAIN: rows}, page=2) as server:
        found = spotter(client, server, budget=Budget(1)).answer(DOMAIN)
    assert (found.claims, found.position, found.is_complete) == ((), "2", False)


def test_a_short_wait_that_is_asked_for_is_waited(client: Client) -> None:
    clock, budget = Clock(), Budget()
    with FakeCertSpotter({DOMAIN: issuances(1)}) as server:
        server.before = [MISBEHAVIOURS["too many for a moment"]] * 2
        asked = spotter(client, server, clock=clock, budget=budget)
        assert ids(asked.answer(DOMAIN)) == ["101"]
    assert clock.slept == [1.0, 1.0]
    assert budget.taken == 4


def test_no_wait_at_all_is_a_pause_nevertheless(client: Client) -> None:
    clock = Clock()
    with FakeCertSpotter() as server:
        server.before = [Reply(429, headers={"Retry-After": "0"})]
        assert spotter(client, server, clock=clock).answer(DOMAIN).is_complete
    assert 1.0 <= clock.slept[0] <= 2.0


def test_a_long_wait_is_left_to_later_runs(client: Client) -> None:
    clock = Clock()
    with FakeCertSpotter({DOMAIN: issuances(1), "example.org": []}) as server:
        server.before = [MISBEHAVIOURS["too many"]]
        asked = spotter(client, server, clock=clock)
        with pytest.raises(BudgetSpent, match=r"429 \(rate_limited: Slow") as caught:
            asked.answer(DOMAIN)
        assert caught.value.retry_after_s == 3600.0
        assert "asked again in 60 minutes" in str(caught.value)
        clock.moment += timedelta(minutes=50)
        with pytest.raises(BudgetSpent, match="10 minutes more"):
            asked.answer("example.org")
        assert len(server.requests) == 1
        clock.moment += timedelta(minutes=10)
        assert ids(asked.answer(DOMAIN)) == ["101"]
    assert clock.slept == []


def test_too_many_questions_without_a_time_are_asked_more_slowly(
    client: Client,
) -> None:
    clock = Clock()
    with FakeCertSpotter() as server:
        server.failure = MISBEHAVIOURS["too many, no time"]
        with pytest.raises(BudgetSpent, match=r"too many questions; asked 3 times"):
            spotter(client, server, clock=clock).answer(DOMAIN)
    assert len(server.requests) == 3
    assert 1.0 <= clock.slept[0] <= 2.0 <= clock.slept[1] <= 4.0


def test_the_hourly_number_of_the_server_keeps_what_came(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(5)}, page=2, hourly=2) as server:
        found = spotter(client, server).answer(DOMAIN)
    assert ids(found) == ["101", "102", "103", "104"]
    assert (found.is_complete, found.failure) == (False, "")


# Refusals


def test_an_unknown_key_is_told_once_and_never_shown(client: Client) -> None:
    """This server quotes the key that it got."""
    with FakeCertSpotter({DOMAIN: issuances(1)}, key="right") as server:
        asked = spotter(client, server, key="s3cret")
        for domain in (DOMAIN, "example.org"):
            with pytest.raises(
                SourceError, match=r"401 .* key: check \[OWN\] Certspotter_Key"
            ) as caught:
                asked.answer(domain)
            assert "s3cret" not in str(caught.value)
            assert "Bearer ***" in str(caught.value)
    assert len(server.requests) == 1


def test_a_key_that_is_wanted_is_told(client: Client) -> None:
    with (
        FakeCertSpotter(key="right") as server,
        pytest.raises(SourceError, match=r"wants a key: \[OWN\] Certspotter_Key"),
    ):
        spotter(client, server).answer(DOMAIN)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("payment", r"status 402 \(payment_required: Your plan .* has to be paid for"),
        ("forbidden", r"status 403 \(not_allowed: You may .* anybody without a key"),
        ("not found", r"status 404 \(not_found: There is no such thing\)"),
    ],
)
def test_a_refusal_is_told_as_what_it_is(client: Client, name: str, told: str) -> None:
    with FakeCertSpotter() as server:
        server.failure = MISBEHAVIOURS[name]
        with pytest.raises(SourceError, match=told) as caught:
            spotter(client, server).answer(DOMAIN)
        assert not isinstance(caught.value, BudgetSpent)
        assert len(server.requests) == 1
        server.failure = None
        assert spotter(client, server).answer(DOMAIN).is_complete


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"code": 7, "message": ["x"]}', b'{"message": "a\\u001b[2J"}'],
)
def test_words_of_a_refusal_are_a_strangers(client: Client, body: bytes) -> None:
    with (
        ApiServer(lambda _: Reply(403, body)) as server,
        pytest.raises(SourceError, match="status 403") as caught,
    ):
        spotter(client, server).answer(DOMAIN)
    assert str(caught.value).isprintable()


def test_the_key_goes_to_no_other_server(client: Client) -> None:
    with ApiServer(lambda _: Reply(body=b"[]")) as canary, FakeCertSpotter() as server:
        server.failure = Reply(302, headers={"Location": f"{canary.url}/v1/issuances"})
        with pytest.raises(Refused, match="not followed") as caught:
            spotter(client, server, key="s3cret").answer(DOMAIN)
        assert len(server.requests) == 1
    assert canary.requests == []
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_server_that_repeats_what_it_was_sent_does_not_show_the_key(
    client: Client, status: int
) -> None:
    def echo(request):
        return Reply.of({"code": request.headers["authorization"]}, status)

    key = "k" * 20 + "s3cret" * 20  # longer than what is shown of an answer
    with ApiServer(echo) as server, pytest.raises(SourceError) as caught:
        spotter(client, server, key=key, tries=1).answer(DOMAIN)
    assert "Bearer ***" in str(caught.value)
    assert "kkk" not in str(caught.value)


@pytest.mark.parametrize("name", ["200 MB", "endless"])
def test_an_answer_that_is_too_long_is_refused_by_name(
    client: Client, name: str
) -> None:
    with FakeCertSpotter() as server:
        server.failure = MISBEHAVIOURS[name]
        with pytest.raises(Refused, match=r"\[OWN\] Max_Answer_MB"):
            spotter(client, server).answer(DOMAIN)
    assert len(server.requests) == 1


# Failures


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("html with 200", "no list in JSON: '<html>"),
        ("object", "no list in JSON: '{.issuances"),
        ("empty body", "no list in JSON: ''"),
        ("null", "no list in JSON: 'null'"),
        ("cut off", "cannot be read"),
        ("bad gateway", "status 502"),
        ("too slow", "status 408"),
    ],
)
def test_a_failure_is_tried_again_and_then_told(
    client: Client, name: str, told: str
) -> None:
    clock = Clock()
    with FakeCertSpotter({DOMAIN: issuances(1)}) as server:
        server.failure = MISBEHAVIOURS[name]
        with pytest.raises(SourceError, match=told) as caught:
            spotter(client, server, clock=clock).answer(DOMAIN)
        assert str(caught.value).endswith("asked 3 times")
        assert len(server.requests) == 3
        assert 1.0 <= clock.slept[0] <= 2.0 <= clock.slept[1] <= 4.0
        server.failure = None
        server.before = [MISBEHAVIOURS[name]] * 2
        assert ids(spotter(client, server).answer(DOMAIN)) == ["101"]


def test_a_hang_ends_with_the_time_limit() -> None:
    with (
        FakeCertSpotter() as server,
        Client("x", route=Route(use_environment=False), timeout_s=0.1) as hasty,
    ):
        server.failure = MISBEHAVIOURS["hang"]
        with pytest.raises(SourceError, match=r"within 0\.1 s; asked once"):
            spotter(hasty, server, tries=1).answer(DOMAIN)


def test_a_server_that_is_down_for_long_is_not_waited_for(client: Client) -> None:
    clock = Clock()
    reply = Reply(503, headers={"Retry-After": "3600"})
    with (
        ApiServer(lambda _: reply) as server,
        pytest.raises(SourceError, match="status 503"),
    ):
        spotter(client, server, clock=clock).answer(DOMAIN)
    assert (len(server.requests), clock.slept) == (1, [])


def test_a_failure_in_between_keeps_what_came(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(5)}, page=2) as server:
        good = server.answer

        def answer(request):
            return good(request) if len(server.requests) < 3 else Reply(502)

        server.answer = answer
        found = spotter(client, server).answer(DOMAIN)
    assert ids(found) == ["101", "102", "103", "104"]
    assert (found.position, found.is_complete) == ("104", False)
    assert "status 502" in found.failure
    assert found.failure.endswith("asked 3 times; the rest comes in a later run")
    assert found.notes == ()


def test_a_program_that_ends_asks_no_more(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: issuances(5)}, page=2) as server:
        asked = CertSpotter(
            client,
            server.url,
            budget=Budget(),
            stopped=lambda: len(server.requests) == 2,
        )
        assert ids(asked.answer(DOMAIN)) == ["101", "102", "103", "104"]
        with pytest.raises(SourceError, match="the program ends"):
            asked.answer(DOMAIN)


# What an issuance tells


def recorded(name: str) -> list[dict[str, Any]]:
    return json.loads((VECTORS / "own" / name).read_bytes())


def test_a_recorded_issuance_of_2022(client: Client) -> None:
    (row,) = recorded("certspotter_2022_expanded.json")
    claim = one(client, row, "sslmate.com")
    names = (
        "certs.sandbox.sslmate.com",
        "certs.sslmate.com",
        "sandbox.sslmate.com",
        "sslmate.com",
        "www.sslmate.com",
    )
    contact = claim.issuer.contact
    sha256 = "20cbc0d1e87ed1d71d3b84533667ef60f22fffee634108711376dec87a38d4e2"
    assert claim == Claim(
        OwnSource.CERTSPOTTER,
        names,
        ids=("4326219514",),
        all_names=names,
        issuer=Issuer(
            dn="C=GB, ST=Greater Manchester, L=Salford, O=Sectigo Limited, "
            "CN=Sectigo RSA Domain Validation Secure Server CA",
            identity="gb|sectigo limited|"
            "sectigo rsa domain validation secure server ca",
            organisation="Sectigo Limited",
            caa_domains=(
                "sectigo.com",
                "comodo.com",
                "comodoca.com",
                "usertrust.com",
                "trust-provider.com",
            ),
            contact=contact,
        ),
        # crt.sh shows it with the leading zeros of the INTEGER.
        serial="c170fbf3bf27481e5c351a4db6f2dc5f",
        tbs_sha256="db7c55f74732269c45fda91264003b2a25adc7ff2df687252f60772850449926",
        cert_sha256=sha256,
        key_sha256="1b1cebcd061ba39746a477db7b90d6871d648bd293ef50e053a6c54c5c3ac112",
        not_before="2022-10-22T00:00:00",
        not_after="2023-11-21T23:59:59",
        is_revoked=False,
        link=f"https://crt.sh/?sha256={sha256}",
    )
    assert contact == (
        "https://secure.sectigo.com/products/RevocationPortal, "
        "https://acme.sectigo.com/v2/keyCompromise, "
        "https://acme.sectigo.com/v2/keyCompromise/revokeCert, "
        "signedmalwarealert[at]sectigo[dot]com, sslabuse[at]sectigo[dot]com"
    )


def test_a_recorded_issuance_of_2018(client: Client) -> None:
    """The certificate is in `cert`, names of others are beside ours."""
    (row,) = recorded("certspotter_2018_cert.json")
    claim = one(client, row)
    assert claim.names == ("example.com", "www.example.com")
    assert len(claim.all_names) == 8
    assert claim.serial == "fd078dd48f1a2bd4d0f2ba96b6038fe"
    assert claim.cert_sha256 == row["cert"]["sha256"]
    assert claim.not_after == "2020-12-02T12:00:00"
    assert (claim.issuer.organisation, claim.issuer.caa_domains) == (
        "DigiCert Inc",
        None,
    )
    assert claim.is_revoked is None


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("certspotter_2022_expanded.json", "sslmate.com"),
        ("certspotter_2018_cert.json", DOMAIN),
    ],
)
def test_the_hashes_are_those_that_we_make_of_a_certificate(
    client: Client, name: str, domain: str
) -> None:
    """Else what the daemon sees in logs could not be joined with it."""
    (row,) = recorded(name)
    told = one(client, row, domain)
    for key in ("tbs_sha256", "cert_sha256", "pubkey_sha256", "not_before", "issuer"):
        row.pop(key, None)
    ours = one(client, row, domain)
    assert replace(ours, issuer=told.issuer) == told
    assert ours.issuer.identity == told.issuer.identity


def test_recorded_issuances_of_2023(client: Client) -> None:
    name = "issuances_cloudflare_wordpress_2023_revocation.json"
    rows = json.loads(shared(f"apis/certspotter/{name}").read_bytes())
    found = answer_to(client, *rows, domain="cloudflare.com")
    assert ids(found) == ["5053409476", "5235199069"]
    assert found.claims[0].names[1] == "*.ns.cloudflare.com"
    assert found.claims[0].issuer.organisation == "Cloudflare, Inc."
    assert found.claims[0].serial == ""
    # What is for others does not count, and leads on nevertheless.
    assert found.position == "5193204949"
    assert found.notes == (
        "3 of Cert Spotter's issuances for cloudflare.com name no host in it",
    )


def test_an_issuance_that_was_made(client: Client) -> None:
    with FakeCertSpotter({DOMAIN: [issuance(5, "*.a.example.com", DOMAIN)]}) as server:
        (claim,) = spotter(client, server).answer(DOMAIN).claims
    assert claim.names == ("*.a.example.com", DOMAIN)
    assert (claim.serial, claim.is_revoked) == ("5", False)
    assert claim.issuer.identity == "us|let's encrypt|e7"
    assert claim.issuer.contact == "Write to problems@ca.example"


@pytest.mark.parametrize(
    ("serial", "shown"),
    [
        (b"\0\xaf\1", "af01"),
        (b"\1", "1"),
        (b"\0", "0"),
        (b"\xff\1", "ff01"),
        (b"\x80", "80"),
        (b"\xff", "ff"),
    ],
    ids=lambda value: value.hex() if isinstance(value, bytes) else value,
)
def test_serial_numbers_are_the_bytes_without_leading_zeros(
    client: Client, serial: bytes, shown: str
) -> None:
    der = certificate(tbs_certificate(DOMAIN, serial=serial))
    row = {**issuance(1, DOMAIN), "cert_der": base64.b64encode(der).decode()}
    assert one(client, row).serial == shown


def test_the_certificate_tells_what_the_issuance_does_not(client: Client) -> None:
    der = certificate(tbs_certificate("A.example.com", "b.example.org"))
    row = {"id": 9, "cert_der": base64.b64encode(der).decode()}
    claim = one(client, row)
    assert claim.ids == ("9",)
    assert claim.names == ("a.example.com",)
    assert claim.all_names == ("A.example.com", "b.example.org")
    assert claim.issuer.organisation == "Let's Encrypt"
    assert (claim.not_before, claim.not_after) == (
        "2026-11-21T12:00:00",
        "2027-02-19T11:59:59",
    )
    assert claim.tbs_sha256 == tbs_sha256(der)
    assert claim.cert_sha256 == hashlib.sha256(der).hexdigest()
    assert claim.key_sha256
    assert claim.is_revoked is None


@pytest.mark.parametrize(
    ("field", "value", "attribute", "expected"),
    [
        ("tbs_sha256", None, "tbs_sha256", ""),
        ("tbs_sha256", "ab", "tbs_sha256", ""),
        ("tbs_sha256", "AB" * 32, "tbs_sha256", "ab" * 32),
        ("cert_sha256", 7, "link", ""),
        ("pubkey_sha256", "zz" * 32, "key_sha256", ""),
        ("not_after", "2026-11-21T14:00:00+02:00", "not_after", "2026-11-21T12:00:00"),
        ("not_before", "2026-11-21", "not_before", "2026-11-21T00:00:00"),
        ("not_before", "tomorrow", "not_before", ""),
        ("not_before", 1e999, "not_before", ""),
        ("not_before", "0001-01-01T00:00:00+14:00", "not_before", ""),
        ("not_after", "9999-12-31T23:59:59-14:00", "not_after", ""),
        ("revoked", None, "is_revoked", None),
        ("revoked", True, "is_revoked", True),
        ("revoked", "yes", "is_revoked", None),
        ("issuer", None, "issuer", Issuer(contact="Write to problems@ca.example")),
        ("cert_der", "%%%", "serial", ""),
        ("cert_der", "AAAA", "serial", ""),
        ("cert_der", "\ud800", "serial", ""),
        ("dns_names", ["A.EXAMPLE.com.", 7, None, "x@example.com"], "names",
         ("a.example.com",)),
        ("dns_names", ["bücher.example.com"], "names", ("xn--bcher-kva.example.com",)),
        ("dns_names", [DOMAIN, "\x1b[2J" * 100], "names", (DOMAIN,)),
    ],
)  # fmt: skip
def test_fields_that_are_odd_or_null_stop_nothing(
    client: Client, field: str, value: object, attribute: str, expected: object
) -> None:
    row = {**issuance(1, DOMAIN, has_der=False), field: value}
    if field != "revoked":
        assert one(client, {**row, "revocation": None}) is not None
    else:
        row["revocation"] = None
    assert getattr(one(client, row), attribute) == expected


def test_a_revocation_time_tells_as_well(client: Client) -> None:
    row = {**issuance(1, DOMAIN, revoked=True), "revoked": None}
    assert one(client, row).is_revoked is True


def test_caa_domains_that_are_not_known(client: Client) -> None:
    """Empty does not mean that no CAA record allows this CA."""
    for listed in (None, [], [None, "no host!"]):
        row = issuance(1, DOMAIN)
        row["issuer"]["caa_domains"] = listed
        assert one(client, row).issuer.caa_domains is None
    row["issuer"]["caa_domains"] = ["LetsEncrypt.org", 7]
    assert one(client, row).issuer.caa_domains == ("letsencrypt.org",)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        "row",
        [],
        {},
        {"id": None},
        {"id": True},
        {"id": ""},
        {"id": {"a": 1}},
        {"id": "a\nb"},
        {"id": "ü"},
        {"id": "1" * 101},
    ],
    ids=repr,
)
def test_a_broken_issuance_is_counted_and_the_others_are_read(
    client: Client, bad: object
) -> None:
    found = answer_to(client, issuances(1)[0], bad, *issuances(2)[1:])
    assert ids(found) == ["101", "102"]
    assert found.notes == (
        "1 of Cert Spotter's issuances for example.com could not be read",
    )


def test_a_broken_certificate_is_counted(client: Client) -> None:
    row = {**issuance(1, DOMAIN, has_der=False), "cert_der": "AAAA"}
    found = answer_to(client, row)
    assert ids(found) == ["1"]
    assert found.notes == (
        "1 of Cert Spotter's issuances for example.com hold a certificate that could "
        "not be read",
    )


def test_evidence_is_bounded(client: Client) -> None:
    names = [f"{n}.example.org" for n in range(300)]
    row = issuance(1, DOMAIN, *names, "a" * 5000, has_der=False)
    row["problem_reporting"] = "x" * 100_000
    claim = one(client, row)
    assert len(claim.all_names) == 200
    assert max(map(len, claim.all_names)) <= 260
    assert len(claim.issuer.contact) == 300
    row["problem_reporting"] = "words " * 100 + "Abuse@ca.example or\nabuse@ca.EXAMPLE"
    assert one(client, row).issuer.contact == "Abuse@ca.example, abuse@ca.EXAMPLE"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def test_any_json_is_an_answer_or_our_error(client: Client) -> None:
    """One server for all of them, so that they are many."""
    body = b"[]"

    def answer(_request):
        nonlocal body
        sent, body = body, b"[]"
        return Reply(body=sent)

    with ApiServer(answer) as server:
        asked = spotter(client, server, tries=1)

        @settings(max_examples=40, deadline=None)
        @given(
            st.lists(
                st.fixed_dictionaries(
                    {"id": st.text(max_size=3) | st.integers(0, 3), "dns_names": JSON},
                    optional={
                        "issuer": JSON
                        | st.fixed_dictionaries(
                            {"name": JSON, "caa_domains": JSON | st.lists(st.text())}
                        ),
                        "not_before": JSON,
                        "not_after": st.datetimes(timezones=st.timezones()).map(str),
                        "revoked": JSON,
                        "revocation": JSON,
                        "problem_reporting": JSON,
                        "cert_der": JSON
                        | st.binary().map(lambda raw: base64.b64encode(raw).decode()),
                        "cert": JSON,
                    },
                )
                | JSON
            )
            | JSON
        )
        def each(rows: Any) -> None:
            nonlocal body
            for row in rows if isinstance(rows, list) else []:
                if isinstance(row, dict) and isinstance(row.get("dns_names"), list):
                    row["dns_names"].append(DOMAIN)
            body = json.dumps(rows).encode()
            with contextlib.suppress(SourceError):
                for claim in asked.answer(DOMAIN).claims:
                    assert claim.names
                    assert all(name == printable(name) for name in claim.all_names)

        each()
