"""The JSON alert: the original's keys, the honest ones, and what strangers wrote."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctmonitor.alerts.record import (
    SCHEMA_VERSION,
    alert_record,
    registrable_domain,
)
from ctmonitor.model.followup import EventKind
from ctmonitor.model.site import (
    Dns,
    DnsState,
    Enrichment,
    EnrichmentStatus,
    Presence,
    SiteReport,
)
from ctmonitor.model.text import shortened
from ctmonitor.model.verdict import Reason
from tests.unit.alerts.making import (
    FINGERPRINT,
    HOST,
    ISSUANCE,
    LISTED,
    NOON,
    ROOT,
    SCHEMA,
    SEEN,
    SERVED,
    SHA1,
    alert,
    checked,
    detail,
    due,
    report,
    titled,
)

ORIGINAL_KEYS = [
    "hostname",
    "http_code",
    "cert_serial_number",
    "webpage_title",
    "ip_addr",
    "asn",
    "asn_cidr",
    "asn_country_code",
    "asn_description",
    "asn_abuse_email",
    "safe_browsing_status",
]


def listed(fared: EnrichmentStatus, **data: Any) -> dict[str, Any]:
    """The alert on a host of which Safe Browsing said this."""
    enrichment = Enrichment(fared, "why", data)
    return alert(enrichments={"safe_browsing": enrichment})


def test_the_keys_of_the_original_come_first_and_mean_what_they_meant() -> None:
    told = alert()
    assert list(told)[:11] == ORIGINAL_KEYS
    assert [told[key] for key in ORIGINAL_KEYS] == [
        HOST,
        200,
        FINGERPRINT,
        "PayPal: log in",
        "192.0.2.7",
        "64500",
        "192.0.2.0/24",
        "NL",
        "EXAMPLE-AS Example Hosting, NL",
        "abuse@hosting.example",
        {},
    ]


def test_the_honest_keys_stand_beside_them() -> None:
    told = alert()
    expected = {
        "schema_version": SCHEMA_VERSION,
        "event": "up",
        "presence": "up",
        "visited_at": "2026-11-21T12:00:00Z",
        "first_seen": "2026-11-21T11:00:00Z",
        "safe_browsing": "not_listed",
        "fingerprint_sha1": SHA1,
        "fingerprint_sha256": "cd" * 32,
        "serial": "4d2",
        "issuer": "/C=US/CN=R11/O=Let's Encrypt",
        "names": [HOST, f"www.{HOST}"],
        "reasons": [{"rule": "paypal", "kind": "keyword", "weight": 1, "brand": ""}],
    }
    assert {key: told[key] for key in expected} == expected
    assert told["seen_in"][0]["index"] == 1234
    assert told["seen_in"][0]["link"] == SEEN.link
    assert told["seen_in"][0]["seen_at"] == "2026-11-21T11:00:00Z"
    assert told["dns"]["addresses"] == ["192.0.2.7"]
    assert told["redirects"][0]["location"] == "/signin"
    assert told["page"]["favicon_mmh3"] == -1234567
    assert told["tls"]["not_after"] == "2027-02-19T12:00:00Z"
    assert told["registration"]["registered"] == "2026-11-20T08:00:00Z"
    assert told["enrichment"]["asn"] == {"status": "ok", "detail": ""}


def test_every_key_is_required_and_has_its_line_in_the_manual() -> None:
    page = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    told = alert()
    assert sorted(told) == sorted(SCHEMA.schema["required"])
    assert sorted(told) == sorted(SCHEMA.schema["properties"])
    named = set(re.findall(r"^\| `(\w+)` \| [\w`]", page, re.M))
    assert set(told) - named == set()


def test_the_schema_refuses_what_is_no_alert() -> None:
    """Else the other tests of this file would prove nothing."""
    good = alert()
    for key, value in [
        ("event", "gone"),
        ("visited_at", "2026-11-21T12:00:00"),
        ("webpage_title", "two\nlines"),
        ("reason", "\x1b[2J"),
        ("safe_browsing_status", ""),
        ("fingerprint_sha1", "AB" * 20),
        ("more", 1),
    ]:
        assert not SCHEMA.is_valid(good | {key: value}), key
    for key in good:
        assert not SCHEMA.is_valid({k: v for k, v in good.items() if k != key}), key


@pytest.mark.parametrize(
    ("told", "answer", "state"),
    [
        (
            listed(EnrichmentStatus.OK, status="not_listed", matches=[], answer={}),
            {},
            "not_listed",
        ),
        (
            listed(
                EnrichmentStatus.OK,
                status="unsafe",
                answer={"matches": [{"threatType": "SOCIAL_ENGINEERING"}]},
            ),
            {"matches": [{"threatType": "SOCIAL_ENGINEERING"}]},
            "unsafe",
        ),
        (
            listed(
                EnrichmentStatus.NOT_APPLICABLE,
                status="not_checked",
                answer="No API key in config file",
            ),
            "No API key in config file",
            "not_checked",
        ),
        (
            listed(EnrichmentStatus.ERROR, status="not_checked", answer=None),
            None,
            "not_checked",
        ),
        (listed(EnrichmentStatus.ERROR), None, "not_checked"),
        (alert(enrichments={}), None, "not_checked"),
    ],
)
def test_safe_browsing_is_never_called_safe_when_nobody_was_asked(
    told: dict[str, Any], answer: object, state: str
) -> None:
    assert told["safe_browsing_status"] == answer
    assert told["safe_browsing"] == state


def test_a_failed_enricher_says_why_and_holds_nothing_back() -> None:
    limited = Enrichment(EnrichmentStatus.RATE_LIMITED, "RIPE says 429")
    told = alert(enrichments={"asn": limited, "safe_browsing": LISTED})
    assert told["enrichment"]["asn"] == {
        "status": "rate_limited",
        "detail": "RIPE says 429",
    }
    assert told["asn"] is None
    assert told["registration"] is None
    assert told["safe_browsing"] == "not_listed"


def test_a_network_of_two_announcers_is_told_as_a_list() -> None:
    data = {"asn": ["64500", "64501"], "asn_description": ["ONE", None]}
    told = alert(enrichments={"asn": Enrichment(EnrichmentStatus.OK, data=data)})
    assert told["asn"] == ["64500", "64501"]
    assert told["asn_description"] == ["ONE", None]


def test_a_host_that_went_down_has_no_page() -> None:
    gone = SiteReport(
        host=HOST,
        visited=HOST,
        started=NOON,
        finished=NOON,
        presence=Presence.DOWN,
        dns=Dns(DnsState.NXDOMAIN, detail="no such name"),
        reason="no such name",
    )
    told = checked(alert_record(gone, due(), detail(), EventKind.DOWN))
    assert (told["event"], told["presence"]) == ("down", "down")
    assert told["http_code"] is told["webpage_title"] is told["ip_addr"] is None
    assert told["page"] is told["tls"] is None
    assert told["dns"]["state"] == "nxdomain"


def test_a_host_of_the_old_program_is_told_from_its_row() -> None:
    told = checked(
        alert_record(
            report(),
            due(first_seen=None, fingerprint=""),
            detail(reasons=(), issuances=(), seen=()),
            EventKind.UP,
        )
    )
    assert told["names"] == [HOST, f"www.{HOST}"]
    assert told["issuer"] == "/CN=R11"
    assert told["first_seen"] is None
    assert told["seen_in"] == told["reasons"] == []


def test_a_host_that_is_not_stored_is_told_as_well() -> None:
    told = checked(alert_record(report(), due(), None, EventKind.UP))
    assert told["hostname"] == HOST
    assert told["names"] == []


def test_the_issuance_is_the_one_whose_fingerprint_the_table_shows() -> None:
    other = replace(ISSUANCE, sha1="12" * 20, serial="1", identity="tbs:00")
    told = checked(
        alert_record(report(), due(), detail(issuances=(other, ISSUANCE)), EventKind.UP)
    )
    assert told["serial"] == "4d2"
    assert len(told["seen_in"]) == 2


def test_a_row_without_fingerprint_shows_that_of_the_issuance() -> None:
    """Some feeds show a precertificate with the hash of nothing."""
    without = due(fingerprint="")
    told = checked(alert_record(report(), without, detail(), EventKind.UP))
    assert told["cert_serial_number"] == FINGERPRINT
    for known in (detail(issuances=()), None):
        told = checked(alert_record(report(), without, known, EventKind.UP))
        assert told["cert_serial_number"] == ""


@pytest.mark.parametrize(
    ("served", "issuances", "in_ct"),
    [
        (SERVED, (ISSUANCE,), True),
        (replace(SERVED, tbs_sha256="", sha256="cd" * 32), (ISSUANCE,), True),
        (replace(SERVED, tbs_sha256="", sha1=SHA1), (ISSUANCE,), True),
        (replace(SERVED, tbs_sha256="ee" * 32), (ISSUANCE,), False),
        (replace(SERVED, tbs_sha256=""), (ISSUANCE,), None),
        (
            replace(SERVED, tbs_sha256="ee" * 32),
            (ISSUANCE, replace(ISSUANCE, identity="serial:1:x")),
            None,
        ),
        (SERVED, (), None),
    ],
)
def test_the_served_certificate_is_compared_only_where_it_can_be(
    served: Any, issuances: Any, in_ct: bool | None
) -> None:
    told = checked(
        alert_record(
            report(certificate=served), due(), detail(issuances=issuances), EventKind.UP
        )
    )
    assert told["tls"]["in_ct"] is in_ct


def test_a_wildcard_tells_what_was_visited() -> None:
    told = alert(f"*.{HOST}", visited=HOST)
    assert (told["hostname"], told["visited"]) == (f"*.{HOST}", HOST)


def test_times_are_utc_whatever_their_zone() -> None:
    local = NOON.astimezone().replace(microsecond=999) + timedelta(microseconds=1)
    assert alert(finished=local)["visited_at"] == "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    "title",
    [
        "\x1b[2J\x1b[H",
        "a\nb\r\nc",
        "\u202eevil",
        "\x00",
        "x" * 10_000,
        "\ud800",
        "\u2028",
    ],
)
def test_no_text_of_a_stranger_acts_on_a_terminal_or_fills_a_disk(title: str) -> None:
    page = replace(titled("").get("page") and report().page, title=title, server=title)
    told = alert(page=page, reason=title)
    assert "\n" not in told["webpage_title"]
    assert len(told["page"]["server"]) <= 4000


@given(title=st.text(max_size=20) | st.just("x" * 5000))
@example(title="\x7f")
@example(title='"\x1b\\')
def test_a_text_is_told_as_it_is_unless_it_could_act_on_something(title: str) -> None:
    page = replace(report().page, title=title)
    assert alert(page=page)["webpage_title"] == shortened(title, 4000)


@given(text=st.text(max_size=300))
def test_whatever_strangers_write_the_alert_follows_the_schema(text: str) -> None:
    page = report().page
    assert page is not None
    issuance = replace(ISSUANCE, names=(text, HOST), issuer=text)
    checked(
        alert_record(
            report(
                page=replace(page, title=text, server=text, content_type=text),
                certificate=replace(SERVED, subject_cn=text, names=(text,)),
                enrichments={"asn": Enrichment(EnrichmentStatus.ERROR, text)},
                reason=text,
            ),
            due(),
            detail(issuances=(issuance,)),
            EventKind.UP,
        )
    )


# Look-alikes


def test_the_brand_that_weighs_most_and_the_score_are_told() -> None:
    reasons = (
        Reason("go", "whole word", 20, "Go"),
        Reason("login", "keyword"),
        Reason("login", "lure", 14, "PayPal"),
        Reason("paypa1", "homoglyph", 58, "PayPal"),
    )
    told = checked(alert_record(report(), due(), detail(reasons=reasons), EventKind.UP))
    assert (told["brand"], told["score"]) == ("PayPal", 93)
    assert told["reasons"][3] == {
        "rule": "paypa1",
        "kind": "homoglyph",
        "weight": 58,
        "brand": "PayPal",
    }
    plain = alert()
    assert (plain["brand"], plain["score"]) == ("", 1)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.login-paypal.example", "login-paypal.example"),
        ("*.a.b.co.uk", "b.co.uk"),
        ("paypal.github.io", "paypal.github.io"),
        ("x.xn--pypal-4ve.com", "xn--pypal-4ve.com"),
        ("github.io", ""),
        ("*.com", ""),
        ("192.0.2.7", ""),
        ("a..example", ""),
        ("", ""),
    ],
)
def test_the_domain_that_somebody_registered_is_told(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain
