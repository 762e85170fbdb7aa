"""Notifications of hosts that nobody has visited yet."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.alerts.found import found_items
from ctmonitor.alerts.text import Alarm, digest, message
from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.model.followup import Channel
from ctmonitor.model.name import host_key
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason, Verdict
from tests.unit.alerts.making import FINGERPRINT, HOST, NOON, SHA1, checked

PAYPAL, LOGIN = Reason("paypal", "keyword"), Reason("login", "keyword")
CERTIFICATE = Certificate(
    names=("Login-PayPal.example", "www.login-paypal.example"),
    issuer_dn="/C=US/CN=E7",
    serial=1234,
    sha1=SHA1,
    sha256="cd" * 32,
)


def finding(
    *names: str,
    certificate: Certificate | None = CERTIFICATE,
    reasons: tuple[Reason, ...] = (PAYPAL,),
    more: tuple[str, ...] = (),
) -> Finding:
    """Of which `names` matched, and `more` did not."""
    return Finding(
        Sighting(
            names=(*names, *more),
            feed="wss://feed.example/",
            certificate=certificate,
            log="https://log.example/one/",
            index=7,
            seen=NOON - timedelta(seconds=1),
        ),
        Verdict(tuple(NameVerdict(name, Outcome.MATCH, 1, reasons) for name in names)),
    )


def told(*findings: Finding) -> list[Recorded]:
    return [
        Recorded(host_key(verdict.name), Novelty.NEW, each)
        for each in findings
        for verdict in each.verdict.findings
    ]


def alerts(*findings: Finding) -> dict[str, dict[str, Any]]:
    """The alerts by host, each as the schema passed it."""
    items = found_items(told(*findings), NOON, [0])
    return {item.payload["hostname"]: checked(item.payload) for item in items}


def test_an_alert_tells_what_the_finding_knows_and_nothing_of_a_visit() -> None:
    found = alerts(finding("Login-PayPal.example", more=("www.login-paypal.example",)))
    alert = found[HOST]
    expected = {
        "event": "found",
        "http_code": None,
        "cert_serial_number": FINGERPRINT,
        "presence": "unknown",
        "reason": "not visited yet",
        "visited": "",
        "visited_at": None,
        "first_seen": "2026-11-21T12:00:00Z",
        "fingerprint_sha1": SHA1,
        "serial": "4d2",
        "issuer": "/C=US/CN=E7",
        "names": [HOST, f"www.{HOST}"],
        "reasons": [{"rule": "paypal", "kind": "keyword", "weight": 1, "brand": ""}],
        "page": None,
        "tls": None,
        "enrichment": {},
    }
    assert {key: alert[key] for key in expected} == expected
    assert alert["dns"]["state"] == "not_applicable"
    (seen,) = alert["seen_in"]
    assert (seen["log"], seen["index"]) == ("https://log.example/one/", 7)
    assert seen["seen_at"] == "2026-11-21T11:59:59Z"


def test_a_feed_of_names_alone_has_names_and_where_it_was_seen() -> None:
    alert = alerts(finding(HOST, more=("a.example",), certificate=None))[HOST]
    assert alert["cert_serial_number"] == alert["issuer"] == ""
    assert alert["names"] == [HOST, "a.example"]
    assert [seen["index"] for seen in alert["seen_in"]] == [7]


def test_each_destination_has_an_item_of_its_own_and_files_and_hooks_none() -> None:
    items = list(found_items(told(finding(HOST)), NOON, [0, 2]))
    assert [(item.channel, item.destination) for item in items] == [
        (Channel.NOTIFY, "0"),
        (Channel.NOTIFY, "2"),
    ]
    later = list(found_items(told(finding(HOST)), NOON + timedelta(days=1), [0, 2]))
    assert len({item.key for item in items + later}) == 4


def test_each_host_has_the_reasons_of_its_own_finding() -> None:
    found = alerts(
        finding("a.example", "A.example.", reasons=(PAYPAL, LOGIN)),
        finding("b.example", reasons=(LOGIN,)),
    )
    rules = {host: [one["rule"] for one in a["reasons"]] for host, a in found.items()}
    assert rules == {"a.example": ["paypal", "login"], "b.example": ["login"]}


def test_look_alikes_of_a_brand_below_a_domain_are_one_alarm() -> None:
    paypal = (Reason("paypa1", "homoglyph", 101, "PayPal"), PAYPAL)
    apple = (Reason("app1e", "homoglyph", 101, "Apple"),)
    items = found_items(
        told(
            finding("a.paypa1.co.uk", "*.paypa1.co.uk", reasons=paypal),
            finding("b.paypa1.co.uk", reasons=apple),
            finding("a.paypa2.co.uk", reasons=paypal),
            finding("login-paypal.co.uk", reasons=(PAYPAL, LOGIN)),
        ),
        NOON,
        [0],
    )
    assert {item.payload["hostname"]: item.alarm for item in items} == {
        "a.paypa1.co.uk": "found:paypa1.co.uk:PayPal",
        "*.paypa1.co.uk": "found:paypa1.co.uk:PayPal",
        "b.paypa1.co.uk": "found:paypa1.co.uk:Apple",
        "a.paypa2.co.uk": "found:paypa2.co.uk:PayPal",
        "login-paypal.co.uk": "",
    }


def test_the_message_says_that_it_was_found() -> None:
    names = (HOST, *(f"n{number}.example" for number in range(30)))
    found = alerts(finding(HOST, more=names[1:]))
    said = message(found[HOST])
    assert said.subject == "login-paypal[.]example was found"
    assert said.body.split("\n")[0] == "hxxps://login-paypal[.]example was found"
    assert "Found by: paypal (keyword)" in said.body
    assert "20 more" in said.body
    assert "Visited" not in said.body
    other = alerts(finding("b.example"))
    both = digest(Alarm([one], 1) for one in (*found.values(), *other.values()))
    assert both.subject == "2 hosts: 2 found"
    assert both.body == "Found:\nlogin-paypal[.]example\nb[.]example"


def test_a_certificate_of_which_ten_thousand_names_match_makes_small_alerts() -> None:
    names = tuple(f"h{number}.example" for number in range(10_000))
    items = list(found_items(told(finding(*names)), NOON, [0]))
    assert len(items) == 10_000
    assert sum(len(item.payload["names"]) for item in items) <= 200_000
    # One that matches alone keeps all its names.
    (item,) = found_items(told(finding(HOST, more=names)), NOON, [0])
    assert len(item.payload["names"]) == 10_001


@pytest.mark.parametrize("has_certificate", [True, False])
@given(text=st.text(max_size=300))
def test_whatever_strangers_write_the_alert_follows_the_schema(
    has_certificate: bool, text: str
) -> None:
    known = Certificate(names=(text,), issuer_dn=text, subject_cn=text)
    name = f"{text}.example"
    found = alerts(finding(name, certificate=known if has_certificate else None))
    assert "\n" not in message(found[host_key(name)]).subject
