"""Messages on own domains: what is put together, and what becomes of it."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ctmonitor.model.followup import Channel
from ctmonitor.model.own import AlertType, OwnAlert, Severity
from ctmonitor.watch.telling import items, messages
from tests.unit.alerts.owning import own_alert

NEW = AlertType.NEW_CERTIFICATE
CA = AlertType.UNAUTHORIZED_CA
NAME = AlertType.NEW_SUBDOMAIN


def test_all_types_of_a_certificate_are_one_message() -> None:
    alerts = [
        own_alert(NEW),
        own_alert(NAME, names=["h1.example.com"]),
        own_alert(CA),
        own_alert(NEW, 2),
    ]
    first, second = messages(alerts)
    assert first["types"] == ["unauthorized_ca", "new_subdomain", "new_certificate"]
    assert (first["severity"], second["severity"]) == ("critical", "info")
    assert first["names"] == ["h1.example.com", "*.dev1.example.com"]
    assert [one["type"] for one in first["alerts"]] == first["types"]
    assert {one["id"] for one in first["alerts"]} == {one.id for one in alerts[:3]}


def test_the_names_are_those_of_the_certificate() -> None:
    name = own_alert(NAME, names=["dev1.example.com"])
    (told,) = messages([name, own_alert(CA)])
    assert told["names"] == ["h1.example.com", "*.dev1.example.com"]
    (alone,) = messages([name])
    assert alone["names"] == ["dev1.example.com"]


def test_a_message_has_what_a_program_looks_for() -> None:
    (told,) = messages([own_alert(CA)])
    assert {key: told[key] for key in told if key not in ("alerts", "names")} == {
        "kind": "own",
        "id": "0001000000000001",
        "domain": "example.com",
        "severity": "critical",
        "types": ["unauthorized_ca"],
        "names_total": 2,
        "issuer": "C=US, O=Evil CA, CN=Evil CA R1",
        "not_before": "2026-11-21T10:00:00",
        "not_after": "2027-02-19T10:00:00",
        "serial": "4d2",
        "link": "https://crt.sh/?id=1",
        "source": "crtsh",
        "first_seen": "2026-11-21T14:00:00",
        "alerts_total": 1,
    }
    assert told["alerts"][0]["summary"] == "unauthorized_ca for h1.example.com"


def test_an_alert_of_no_certificate_is_a_message_by_itself() -> None:
    lost = [
        own_alert(AlertType.STATE_LOST, number, certificate="", names=[])
        for number in (1, 2)
    ]
    assert [one["id"] for one in messages(lost)] == [one.id for one in lost]


def test_a_certificate_of_two_watched_domains_is_told_of_for_each() -> None:
    other = own_alert(CA, domain="example.org", id="f" * 16)
    assert [one["domain"] for one in messages([own_alert(CA), other])] == [
        "example.com",
        "example.org",
    ]


def test_what_was_there_before_anybody_watched_is_not_told() -> None:
    assert messages([own_alert(is_baseline=True)]) == []


def test_the_same_alerts_are_the_same_message_in_any_order() -> None:
    alerts = [own_alert(NEW), own_alert(CA), own_alert(NAME)]
    assert messages(alerts) == messages(alerts[::-1])


def test_ten_thousand_new_names_are_bounded_and_counted() -> None:
    names = [f"n{number}.example.com" for number in range(10_000)]
    alerts = [own_alert(NEW, names=names)]
    alerts += [
        own_alert(NAME, number, names=[name], certificate="certificate 1")
        for number, name in enumerate(names)
    ]
    (told,) = messages(alerts)
    assert (told["names_total"], told["alerts_total"]) == (10_000, 10_001)
    assert told["types"] == ["new_subdomain", "new_certificate"]
    assert {one["type"] for one in told["alerts"]} == set(told["types"])
    assert len(json.dumps(told)) < 200_000


def test_items_are_one_for_each_way_out() -> None:
    made = items(
        messages([own_alert(CA)]),
        destinations=(0, 2),
        webhook=True,
        mail=["a@example.com", "b@example.com"],
    )
    key = "own:0001000000000001"
    assert [(one.key, one.channel, one.destination) for one in made] == [
        (f"{key}:notify:0", Channel.NOTIFY, "0"),
        (f"{key}:notify:2", Channel.NOTIFY, "2"),
        (f"{key}:webhook", Channel.WEBHOOK, ""),
        (f"{key}:mail:a@example.com", Channel.MAIL, "a@example.com"),
        (f"{key}:mail:b@example.com", Channel.MAIL, "b@example.com"),
    ]
    assert {one.alarm for one in made} == {""}


def test_nowhere_to_go_makes_no_items() -> None:
    found = messages([own_alert()])
    assert items(found, destinations=(), webhook=False, mail=()) == []


_alerts = st.lists(
    st.builds(
        lambda kind, severity, number, certificate, names, text: replace(
            own_alert(kind, number),
            severity=severity,
            certificate=certificate,
            names=names,
            issuer=text,
            summary=text,
        ),
        st.sampled_from(AlertType),
        st.sampled_from(Severity),
        st.integers(0, 5),
        st.sampled_from(["", "c1", "c2"]),
        st.lists(st.text(max_size=20), max_size=4),
        st.text(max_size=20),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)


@settings(max_examples=100, deadline=None)
@given(_alerts)
def test_every_alert_is_in_one_message_and_each_message_has_its_own_id(
    alerts: list[OwnAlert],
) -> None:
    told = messages(alerts)
    ids = [one["id"] for message in told for one in message["alerts"]]
    assert sorted(ids) == sorted(one.id for one in alerts)
    assert len({one["id"] for one in told}) == len(told)
    for message in told:
        ranks = list(Severity)
        severities = [Severity(one["severity"]) for one in message["alerts"]]
        assert message["severity"] == max(severities, key=ranks.index)
