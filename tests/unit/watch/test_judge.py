"""What is told of certificates for own domains, and when."""

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.own import (
    SEVERITIES,
    AlertType,
    Authority,
    Claim,
    DomainState,
    Issuer,
    Mark,
    OwnAlert,
    OwnSource,
    Severity,
    Typosquat,
)
from ctmonitor.sources.ownsource import Answer
from ctmonitor.watch import judge as module
from ctmonitor.watch.caa import CaaVerdict, Verdict
from ctmonitor.watch.inventory import take, take_typosquat
from ctmonitor.watch.judge import Policy, expiring, judge, state_lost, typosquats
from tests.unit.watch.issuing import (
    DIGICERT,
    FIRST,
    LETS_ENCRYPT,
    SECOND,
    THIRD,
    certspotter,
    claim,
    crtsh,
    run,
    spotted,
    types,
    watched,
)

OURS = Policy(authorities=(Authority("Let's Encrypt"),))
SEEN = {"source": OwnSource.LOGS, "ids": ("log:7",)}
KEYS = replace(OURS, own_keys=frozenset({"ab" * 32}))
ENDED = {"not_before": "2020-01-01T00:00:00", "not_after": "2020-03-01T00:00:00"}


def listed(state: DomainState) -> list[str]:
    return types([alert for alert in state.alerts if alert.is_baseline])


# First run


def test_the_first_run_is_silent_and_lists_what_looks_wrong():
    state = DomainState("example.com")
    rows = [
        claim("example.com"),
        claim("*.dev.example.com", number=2, issuer=DIGICERT),
        claim("a.example.com", number=3, is_revoked=True),
        claim(
            "b.example.com",
            number=4,
            not_before=FIRST,
            not_after=SECOND[:11] + "00:00:00",
        ),
        replace(claim("old.example.com", number=5, issuer=DIGICERT), **ENDED),
    ]
    assert run(state, FIRST, crtsh(*rows), policy=OURS) == []
    assert listed(state) == [
        "revoked",
        "short_lived_certificate",
        "unauthorized_ca",
        "unauthorized_ca",
        "wildcard_certificate",
    ]
    assert sorted(state.names) == [
        "a.example.com",
        "b.example.com",
        "dev.example.com",
        "old.example.com",
    ]
    assert run(state, SECOND, crtsh(*rows), policy=OURS) == []


def test_conditions_that_hold_at_the_first_run_are_told():
    state = DomainState("example.com")
    soon = claim(not_before="2025-10-07T00:00:00", not_after="2026-01-05T00:00:00")
    (alert,) = run(state, FIRST, crtsh(soon))
    assert (alert.type, alert.is_baseline) == (AlertType.CERTIFICATE_EXPIRING, False)


# New certificates


def test_a_new_certificate_is_told_once_with_its_evidence():
    state = watched()
    row = claim("www.example.com", "example.com")
    alerts = run(state, SECOND, crtsh(row))
    assert types(alerts) == ["new_certificate", "new_subdomain"]
    assert state.alerts == alerts
    alert = alerts[-1] if alerts[-1].type == "new_certificate" else alerts[0]
    assert alert == OwnAlert(
        id=alert.id,
        type=AlertType.NEW_CERTIFICATE,
        severity=Severity.INFO,
        domain="example.com",
        first_seen=SECOND,
        names=["example.com", "www.example.com"],
        certificate=state.certificates[0].id,
        serial="5e1",
        issuer="C=US, O=Let's Encrypt, CN=R11",
        not_before="2025-12-20T00:00:00",
        not_after="2026-03-19T23:59:59",
        source="crtsh",
        link="https://crtsh.example/1",
        summary=(
            "Let's Encrypt issued a certificate for example.com and 1 more name, valid "
            "until 2026-03-19T23:59:59 UTC."
        ),
        next_step=alert.next_step,
    )
    assert re.fullmatch("[0-9a-f]{16}", alert.id)
    assert run(state, THIRD, crtsh(row)) == []


def test_ids_are_the_same_when_a_run_was_not_stored():
    """A run that was killed between telling and storing tells the same again."""
    state = watched()
    kept = msgspec.json.encode(state)
    rows = crtsh(claim(), claim("*.example.com", number=2))
    first = run(state, SECOND, rows)
    again = run(msgspec.json.decode(kept, type=DomainState), THIRD, rows)
    assert [alert.id for alert in first] == [alert.id for alert in again]
    assert len({alert.id for alert in first}) == len(first) == 4


def test_sources_of_one_run_tell_once():
    state = watched()
    run(state, FIRST, certspotter())
    alerts = run(state, SECOND, certspotter(spotted()), crtsh(claim()))
    assert types(alerts) == ["new_certificate", "new_subdomain"]
    assert {alert.source for alert in alerts} == {"certspotter"}


def test_the_link_is_of_a_source_that_has_one():
    state = watched()
    run(state, FIRST, Answer(OwnSource.LOGS, ()))
    seen = replace(claim(link=""), source=OwnSource.LOGS)
    alerts = run(state, SECOND, Answer(OwnSource.LOGS, (seen,)), crtsh(claim()))
    assert {(alert.source, alert.link) for alert in alerts} == {
        ("logs", "https://crtsh.example/1")
    }


def test_what_another_source_brought_without_a_word_is_told_in_full():
    state = watched()
    late = {"issuer": DIGICERT}
    quiet = run(
        state, SECOND, certspotter(spotted("*.x.example.com", **late)), policy=OURS
    )
    assert quiet == []
    assert listed(state) == ["unauthorized_ca", "wildcard_certificate"]
    alerts = run(state, THIRD, crtsh(claim("*.x.example.com", **late)), policy=OURS)
    assert types(alerts) == [
        "new_certificate",
        "new_subdomain",
        "unauthorized_ca",
        "wildcard_certificate",
    ]
    assert listed(state) == []
    row = crtsh(claim("*.x.example.com", **late))
    assert run(state, "2026-01-04T00:00:00", row, policy=OURS) == []


def test_silence_and_news_of_one_run_are_news():
    """Cert Spotter stands in for the first time, and brings the same as crt.sh."""
    state = watched()
    alerts = run(state, SECOND, certspotter(spotted()), crtsh(claim()))
    assert types(alerts) == ["new_certificate", "new_subdomain"]


def test_two_that_turn_out_to_be_one_in_a_run_are_told_once():
    """Two sources are read for the first time; what crt.sh tells is news."""
    state = watched()
    half = spotted("a.example.com", serial="", not_before="")
    both = replace(spotted("a.example.com"), source=OwnSource.LOGS)
    answers = [certspotter(half), crtsh(claim()), Answer(OwnSource.LOGS, (both,))]
    alerts = run(state, SECOND, *answers)
    assert types(alerts) == ["new_certificate", "new_subdomain", "new_subdomain"]
    (certificate,) = state.certificates
    assert {alert.certificate for alert in state.alerts} == {certificate.id}


# Authorised CAs


def test_an_unauthorised_ca():
    state = watched(policy=OURS)
    contact = replace(DIGICERT, contact="mailto:revoke@ca.example")
    alerts = run(state, SECOND, crtsh(claim(issuer=contact)), policy=OURS)
    (alert,) = [each for each in alerts if each.type == "unauthorized_ca"]
    assert alert.severity is Severity.CRITICAL
    assert alert.detail == {"contact": "mailto:revoke@ca.example"}
    assert alert.summary.startswith("DigiCert, Inc. issued")


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy(authorities=(Authority("DigiCert, Inc."),)),
        Policy(authorities=(Authority(ca_id=2),)),
        Policy(authorities=(Authority("Other", domain="example.org"),)),
    ],
    ids=["none", "organisation", "id", "none for this domain"],
)
def test_what_is_authorised_is_not_told(policy):
    alerts = run(watched(), SECOND, crtsh(claim(issuer=DIGICERT)), policy=policy)
    assert types(alerts) == ["new_certificate", "new_subdomain"]


def test_an_id_counts_for_sources_that_tell_none():
    state = watched(claim())
    run(state, FIRST, certspotter())
    policy = Policy(authorities=(Authority(ca_id=1),))
    rows = [
        spotted(number=2, issuer=replace(LETS_ENCRYPT, ca_id=None)),
        spotted(number=3, issuer=replace(DIGICERT, ca_id=None)),
    ]
    alerts = run(state, SECOND, certspotter(*rows), policy=policy)
    told = [each.serial for each in alerts if each.type == "unauthorized_ca"]
    assert told == ["5e3"]


def test_an_issuer_that_is_learned_later_is_judged_then():
    state = watched(policy=OURS)
    alerts = run(state, SECOND, crtsh(claim(issuer=Issuer())), policy=OURS)
    assert "unauthorized_ca" not in types(alerts)
    alerts = run(state, THIRD, crtsh(claim(issuer=DIGICERT)), policy=OURS)
    assert types(alerts) == ["unauthorized_ca"]


def test_an_authority_added_later_accuses_nobody_of_the_past():
    state = watched(claim(issuer=replace(DIGICERT, ca_id=None)))
    assert run(state, SECOND, crtsh(claim(issuer=DIGICERT)), policy=OURS) == []


# What turns up expired


def test_what_turns_up_expired_is_judged_by_its_ca_alone():
    state = watched(policy=KEYS)
    row = replace(
        claim("*.old.example.com", issuer=DIGICERT, is_revoked=True, key_sha256="cd"),
        **ENDED | {"not_after": "2020-01-01T01:00:00"},
    )
    certificate_id = take(state, crtsh(row), SECOND)[0].certificate.id
    state = watched(policy=KEYS)
    caa = {certificate_id: CaaVerdict(Verdict.FORBIDDEN)}
    alerts = run(state, SECOND, crtsh(row), policy=KEYS, caa=caa)
    assert types(alerts) == ["unauthorized_ca"]
    assert list(state.names) == ["old.example.com"]
    assert types(run(state, SECOND, crtsh(row, claim(number=2)), policy=KEYS)) == [
        "new_certificate",
        "new_subdomain",
    ]


# Names


def test_a_wildcard_records_the_name_it_stands_on():
    state = watched(claim("a.example.com"))
    row = claim("*.dev.example.com", "dev.example.com", "a.example.com", number=2)
    alerts = run(state, SECOND, crtsh(row))
    (alert,) = [each for each in alerts if each.type == "new_subdomain"]
    assert alert.names == ["dev.example.com"]
    assert alert.severity is Severity.MEDIUM
    assert state.names["dev.example.com"].first_seen == SECOND


def test_the_domain_itself_is_no_subdomain():
    state = watched()
    alerts = run(state, SECOND, crtsh(claim("example.com", "*.example.com")))
    assert types(alerts) == ["new_certificate", "wildcard_certificate"]
    assert state.names == {}


def test_a_name_is_told_once_whatever_brings_it():
    state = watched()
    rows = [claim("a.example.com", number=n) for n in (1, 2)]
    alerts = run(state, SECOND, crtsh(*rows))
    assert types(alerts) == ["new_certificate", "new_certificate", "new_subdomain"]
    more = claim("a.example.com", number=3)
    assert types(run(state, THIRD, crtsh(more))) == ["new_certificate"]


def test_a_name_that_a_known_certificate_turns_out_to_have():
    state = watched(claim("a.example.com"))
    row = claim("a.example.com", "b.example.com")
    (alert,) = run(state, SECOND, crtsh(row))
    assert (alert.type, alert.names) == (AlertType.NEW_SUBDOMAIN, ["b.example.com"])


def test_names_of_a_baseline_are_not_new_in_what_comes_with_it():
    """An older program's mark: all before it is baseline, all behind it is news."""
    state = DomainState("example.com")
    state.marks[OwnSource.CERTSPOTTER] = Mark(position="1001", since=FIRST)
    answer = certspotter(spotted(number=2), spotted(number=1))
    assert types(run(state, SECOND, answer)) == ["new_certificate"]


# Wildcards


def test_a_wildcard_is_told_once_a_name_set_and_organisation():
    state = watched()
    run(state, SECOND, crtsh(claim("*.example.com", "example.com")))
    renewed = claim("example.com", "*.example.com", number=2)
    other_names = claim("*.example.com", number=3)
    other_ca = claim("*.example.com", "example.com", number=4, issuer=DIGICERT)
    other_root = replace(LETS_ENCRYPT, dn="CN=E7", identity="us|let's encrypt|e7")
    same_ca = claim("*.example.com", "example.com", number=5, issuer=other_root)
    rows = crtsh(renewed, other_names, other_ca, same_ca)
    alerts = [
        each for each in run(state, THIRD, rows) if each.type == "wildcard_certificate"
    ]
    assert [each.serial for each in alerts] == ["5e3", "5e4"]
    assert {each.severity for each in alerts} == {Severity.HIGH}


def test_a_wildcard_of_the_baseline_is_not_told_at_its_renewal():
    for row in [claim("*.example.com"), replace(claim("*.example.com"), **ENDED)]:
        state = watched(row)
        renewed = crtsh(claim("*.example.com", number=2))
        assert types(run(state, SECOND, renewed)) == ["new_certificate"]


# Lifetime


@pytest.mark.parametrize(
    ("end", "policy", "is_told"),
    [
        ("2026-01-03T11:59:59", Policy(), True),
        ("2026-01-03T12:00:00", Policy(), False),
        ("2026-01-09T03:59:59", Policy(short_lived_hours=168), True),
        ("2026-01-02T13:00:00", Policy(short_lived_hours=0), False),
        ("2026-01-02T13:00:00", Policy(normal_issuers=frozenset(["R11"])), True),
        (
            "2026-01-02T13:00:00",
            Policy(normal_issuers=frozenset(["Let's Encrypt"])),
            False,
        ),
        ("", Policy(), False),
    ],
    ids=["under", "24 hours", "6 days", "off", "other", "normal", "unknown"],
)
def test_short_lived_certificates(end, policy, is_told):
    row = claim(not_before=SECOND, not_after=end)
    alerts = run(watched(), SECOND, crtsh(row), policy=policy)
    assert ("short_lived_certificate" in types(alerts)) is is_told


# Keys


def test_a_key_that_is_not_ours():
    state = watched()
    run(state, FIRST, certspotter())
    rows = certspotter(spotted(), spotted(number=2, key_sha256="cd" * 32))
    alerts = run(state, SECOND, rows, policy=KEYS)
    assert types(alerts) == ["new_certificate", "new_subdomain", "unknown_key"]
    (alert,) = [each for each in alerts if each.type == "unknown_key"]
    assert alert.detail == {"key_sha256": "cd" * 32}
    assert alert.serial == "5e2"


def test_a_known_key_silences_ca_and_news_of_whatever_source():
    state = watched()
    run(state, FIRST, certspotter())
    crt = crtsh(claim(issuer=DIGICERT))
    alerts = run(state, SECOND, crt, certspotter(spotted(issuer=DIGICERT)), policy=KEYS)
    assert types(alerts) == ["new_subdomain"]


def test_a_key_that_is_learned_later():
    state = watched(claim())
    run(state, FIRST, certspotter())
    row = certspotter(spotted(key_sha256="cd" * 32))
    assert types(run(state, SECOND, row, policy=KEYS)) == ["unknown_key"]
    assert run(state, THIRD, row, policy=KEYS) == []


def test_what_a_source_switched_on_later_knows_from_before_is_listed():
    state = watched(claim())
    row = certspotter(spotted(key_sha256="cd" * 32, is_revoked=True))
    assert run(state, SECOND, row, crtsh(claim()), policy=KEYS) == []
    assert listed(state) == ["revoked", "unknown_key"]


# Revocation and CAA


def test_a_revocation_is_told_at_first_sight_and_when_it_comes():
    state = watched()
    run(state, FIRST, certspotter(spotted()))
    rows = certspotter(spotted(is_revoked=False), spotted(number=2, is_revoked=True))
    alerts = run(state, SECOND, rows)
    assert types(alerts) == ["new_certificate", "revoked"]
    rows = certspotter(spotted(is_revoked=True))
    (alert,) = run(state, THIRD, rows)
    assert (alert.type, alert.severity) == (AlertType.REVOKED, Severity.MEDIUM)
    assert run(state, THIRD, rows) == []


@pytest.mark.parametrize("verdict", list(Verdict))
def test_caa_that_forbids_is_told(verdict):
    state = watched()
    changes = take(state, crtsh(claim()), SECOND)
    found = CaaVerdict(verdict, '0 issue "ca.example"', "example.com", "not named")
    caa = {changes[0].certificate.id: found}
    alerts = judge(state, changes, Policy(), SECOND, caa)
    told = [each for each in alerts if each.type is AlertType.CAA_VIOLATION]
    assert len(told) == (verdict is Verdict.FORBIDDEN)
    for each in told:
        assert "the CAA record at example.com does not allow now" in each.summary
        assert each.detail == {
            "record": '0 issue "ca.example"',
            "at": "example.com",
            "why": "not named",
        }


# Expiry


def days(state: DomainState, *moments: str, policy: Policy = OURS) -> list[object]:
    """The threshold and severity that each day tells; None for nothing."""
    found: list[object] = []
    for moment in moments:
        alerts = expiring(state, policy, moment)
        found += [
            (each.detail["threshold_days"], each.severity.value) for each in alerts
        ] or [None]
    return found


YEAR = {"not_before": "2025-03-01T00:00:00", "not_after": "2026-03-31T00:00:00"}


def test_each_threshold_is_told_as_it_is_crossed():
    state = watched(claim(**YEAR))
    moments = [f"2026-03-{day:02}T00:00:00" for day in (1, 2, 16, 17, 18, 24, 25, 31)]
    assert days(state, "2026-02-28T23:59:59", *moments) == [
        None,
        (30, "medium"),
        None,
        None,
        (14, "medium"),
        None,
        (7, "high"),
        None,
        None,
    ]


def test_the_tightest_threshold_alone_is_told_at_first_sight():
    state = watched(claim(**YEAR))
    found = ["2026-03-29T12:00:00", "2026-03-30T12:00:00", "2026-03-02T00:00:00"]
    assert days(state, *found) == [(7, "high"), None, None]
    (alert,) = state.alerts
    assert "in 1 day, and no other one covers it" in alert.summary
    assert alert.detail["days_left"] == 1.5


def test_nothing_is_told_once_it_is_over():
    state = watched(claim(**YEAR))
    assert days(state, "2026-03-31T00:00:01") == [None]


def test_certificates_of_90_days_have_two_thresholds():
    state = watched(claim())
    found = ["2026-02-18T00:00:00", "2026-03-06T00:00:00", "2026-03-19T12:00:00"]
    assert days(state, *found) == [None, (14, "medium"), (7, "high")]
    assert "within a day" in state.alerts[-1].summary


def test_thresholds_of_ones_own():
    state = watched(claim(**YEAR))
    policy = Policy(expiry_days=(2, 60))
    found = ["2026-02-01T00:00:00", "2026-03-30T00:00:00"]
    assert days(state, *found, policy=policy) == [(60, "medium"), (2, "high")]
    assert expiring(watched(claim(**YEAR)), Policy(expiry_days=()), SECOND) == []


SOON = "2026-03-18T00:00:00"
NEXT = {"not_before": "2026-03-10T00:00:00", "not_after": "2026-06-08T00:00:00"}


@pytest.mark.parametrize(
    ("names", "facts", "is_told"),
    [
        (("www.example.com",), {}, False),
        (("www.example.com", "a.example.com"), {}, False),
        (("*.example.com",), {}, False),
        (("a.example.com",), {}, True),
        (("www.example.com",), {"issuer": DIGICERT}, True),
        (("www.example.com",), {"is_revoked": True}, True),
        (("www.example.com",), {"not_before": "2026-03-19T00:00:00"}, True),
        (("www.example.com",), {"not_after": "2026-03-19T23:59:59"}, True),
        (("www.example.com",), {"issuer": DIGICERT, "key_sha256": "ab" * 32}, False),
    ],
    ids=[
        "the same",
        "superset",
        "wildcard",
        "another name",
        "not authorised",
        "revoked",
        "not yet valid",
        "ends with it",
        "own key",
    ],
)
def test_a_successor_silences(names, facts, is_told):
    second = claim(*names, number=2, **(NEXT | facts))
    state = watched(claim(), second)
    told = [alert.serial for alert in expiring(state, KEYS, SOON)]
    assert ("5e1" in told) is is_told


def test_what_is_revoked_does_not_expire():
    assert expiring(watched(claim(is_revoked=True)), OURS, SOON) == []


# Others


def test_a_typosquat_is_listed_at_first_and_told_later():
    state = watched()
    squat = state.typosquats["exmple.com"] = Typosquat("omission", True)
    ended = replace(claim("exmple.com", number=9), **ENDED)
    first = take_typosquat(squat, crtsh(claim("exmple.com"), ended), SECOND)
    alerts = typosquats(
        state, "exmple.com", [each.certificate for each in first], SECOND
    )
    assert [alert.is_baseline for alert in alerts] == [True]
    later = take_typosquat(squat, crtsh(claim("www.exmple.com", number=2)), THIRD)
    (alert,) = typosquats(
        state, "exmple.com", [each.certificate for each in later], THIRD
    )
    assert (alert.type, alert.severity) == ("typosquat_detected", Severity.HIGH)
    assert (alert.domain, alert.names) == ("example.com", ["www.exmple.com"])
    assert not alert.is_baseline
    assert alert.detail == {
        "permutation": "exmple.com",
        "kind": "omission",
        "is_registered": True,
    }
    again = [each.certificate for each in later]
    assert typosquats(state, "exmple.com", again, THIRD) == []


@pytest.mark.parametrize(
    ("since", "span"),
    [
        (FIRST, f"nobody watched it from {FIRST} to {SECOND} UTC"),
        ("", f"nobody watched it until {SECOND} UTC"),
    ],
    ids=["known", "unknown"],
)
def test_a_lost_state_is_told_with_its_span(since, span):
    state = DomainState("example.com")
    alert = state_lost(state, since, "example.com.bad", SECOND)
    assert span in alert.summary
    assert "example.com.bad" in alert.summary
    assert state.alerts == [alert]
    assert alert.severity is Severity.HIGH
    other = state_lost(DomainState("example.com"), since, "example.com.bad-2", SECOND)
    assert other.id != alert.id


def test_each_type_has_a_severity_and_a_next_step():
    for kind in AlertType:
        assert SEVERITIES[kind]
        assert module._NEXT_STEPS[kind].endswith(".")


def test_a_feed_of_names_alone_tells_names_and_no_certificate():
    """Another source tells of the same one, and would tell it a second time."""
    state = watched(claim())
    run(state, FIRST, Answer(OwnSource.LOGS, ()))
    names = ("*.example.com", "new.example.com")
    seen = Claim(OwnSource.LOGS, names, ids=("log:7",))
    assert types(run(state, SECOND, Answer(OwnSource.LOGS, (seen,)))) == [
        "new_subdomain"
    ]
    told = ["new_certificate", "wildcard_certificate"]
    row = crtsh(claim(*names, number=2))
    assert types(run(state, THIRD, row)) == told
    # The same entry of a log, read with all that it says.
    state = watched(claim())
    run(state, FIRST, Answer(OwnSource.LOGS, ()))
    run(state, SECOND, Answer(OwnSource.LOGS, (seen,)))
    whole = Answer(OwnSource.LOGS, (spotted(*names, number=2, **SEEN),))
    assert types(run(state, THIRD, whole)) == told
    assert run(state, THIRD, whole, row) == []


def test_nothing_new_makes_nothing():
    state = watched(claim())
    before = msgspec.json.encode(state)
    assert judge(state, [], OURS, SECOND) == []
    assert expiring(state, OURS, SECOND) == []
    assert msgspec.json.encode(state) == before


@given(st.permutations(range(4)), st.permutations(range(2)))
def test_order_does_not_change_what_is_told(rows, sources):
    """Neither of the rows of an answer, nor of the answers of a run."""
    state = watched(claim(number=9))
    run(state, FIRST, certspotter())
    made = [
        claim("*.a.example.com", issuer=DIGICERT),
        claim("a.example.com", number=2),
        claim("b.example.com", number=3),
        claim("*.a.example.com", number=4, issuer=DIGICERT),
    ]
    spots = [
        replace(spotted(*each.names, number=number + 1), issuer=each.issuer)
        for number, each in enumerate(made)
    ]
    answers = [
        crtsh(*(made[each] for each in rows)),
        certspotter(*(spots[each] for each in rows)),
    ]
    alerts = run(state, SECOND, *(answers[each] for each in sources), policy=OURS)
    assert types(alerts) == [
        *["new_certificate"] * 4,
        *["new_subdomain"] * 2,
        *["unauthorized_ca"] * 2,
        "wildcard_certificate",
    ]
    assert len({alert.id for alert in alerts}) == len(alerts)
    assert run(state, THIRD, *answers, policy=OURS) == []
