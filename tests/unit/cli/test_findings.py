"""How a finding is written for people and for programs."""

import json
from datetime import UTC, datetime, timedelta, timezone

from ctmonitor.cli import findings
from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.rules.ruleset import Rules, RuleSet

NOW = datetime(2026, 11, 21, 23, 59, 59, 999_999, tzinfo=UTC)


def recorded(*names: str, certificate: Certificate | None = None) -> Recorded:
    sighting = Sighting(names, "ws://feed/", certificate)
    verdict = RuleSet(Rules("paypal")).judge(names)
    return Recorded(names[0], Novelty.NEW, Finding(sighting, verdict))


def test_the_line_shows_local_time_to_the_second() -> None:
    zone = timezone(timedelta(hours=2))
    text = findings.line(recorded("paypal.example"), NOW.astimezone(zone))
    assert text == (
        "[2026-11-22T01:59:59] paypal.example (SAN: paypal.example) (Issuer: ) "
        "(Fingerprint: ) (StartTime: )"
    )


def test_the_line_shows_what_the_certificate_tells() -> None:
    certificate = Certificate(
        ("paypal.example",),
        issuer_dn="/CN=A\x1b[2J",
        sha1="ab" * 20,
        not_before=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1))),
    )
    text = findings.line(recorded("paypal.example", certificate=certificate), NOW)
    assert text.endswith(
        r" (SAN: paypal.example) (Issuer: /CN=A\x1b[2J) "
        f"(Fingerprint: {':'.join(['AB'] * 20)}) (StartTime: 2026-01-02T02:04:05)"
    )


def test_the_line_shows_a_hundred_names_and_how_many_more() -> None:
    names = [f"{number}.paypal" for number in range(100)]
    assert f"(SAN: {','.join(names)}) " in findings.line(recorded(*names), NOW)
    text = findings.line(recorded(*names, "last.paypal"), NOW)
    assert f"(SAN: {','.join(names)},... (1 more)) " in text


def test_the_object_is_json_and_leaves_out_what_a_feed_does_not_know() -> None:
    known = findings.as_object(
        recorded("paypal.example\n", certificate=Certificate(("paypal.example",))), NOW
    )
    assert json.loads(json.dumps(known)) == known
    assert known["names"] == ["paypal.example\\x0a"]
    assert known["time"] == "2026-11-21T23:59:59Z"
    assert (known["serial"], known["not_before"]) == ("", None)
    domains_only = findings.as_object(recorded("paypal.example"), NOW)
    assert known.keys() - domains_only.keys() == {
        "issuer",
        "serial",
        "not_before",
        "not_after",
        "fingerprint_sha1",
        "fingerprint_sha256",
    }
