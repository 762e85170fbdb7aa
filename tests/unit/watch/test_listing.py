"""Alerts as a command prints them: aligned lines, JSON, CSV."""

import csv
import io
import json
import string

import pytest

from ctmonitor.model.own import AlertType, Severity
from ctmonitor.watch.listing import lines, listing
from tests.unit.watch.reported import HOSTILE, NOON, NOW, alert, hostile

INFO = alert(
    2, type=AlertType.NEW_CERTIFICATE, severity=Severity.INFO, domain="b.example"
)


def test_a_line_begins_with_severity_id_and_state() -> None:
    said = lines([alert(1), INFO])
    assert [one for one in said if not one.startswith(" ")] == [
        f"{begin}  open  2026-11-21 12:00  {end}"
        for begin, end in (
            ("CRITICAL  0000000000000001", "unauthorized_ca  example.com"),
            ("INFO      0000000000000002", "new_certificate  b.example"),
        )
    ]


def test_what_an_alert_is_about_follows_it() -> None:
    assert lines([alert(1)])[1:] == [
        "    Other CA is not authorised.",
        "    names: login.example.com",
        "    issuer: Other CA",
        "    valid: 2026-11-01 to 2027-01-30",
        "    see: https://crt.sh/?id=1",
        "    next: Ask who ordered it.",
    ]


def test_what_is_not_known_has_no_line() -> None:
    bare = alert(
        1,
        names=[],
        issuer="",
        not_after="",
        link="",
        summary="",
        next_step="",
    )
    assert len(lines([bare])) == 1


def test_many_names_are_counted() -> None:
    names = [f"{letter}.example.com" for letter in string.ascii_lowercase]
    said = lines([alert(1, names=names)])[2]
    assert said == f"    names: {', '.join(names[:5])} and 21 more"


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "open"),
        ({"acknowledged": NOW}, "acknowledged"),
        ({"is_baseline": True}, "baseline"),
        ({"is_baseline": True, "acknowledged": NOW}, "acknowledged"),
    ],
    ids=["open", "acknowledged", "baseline", "both"],
)
def test_the_state_is_a_word(changed: dict[str, object], state: str) -> None:
    assert lines([alert(1, **changed)])[0].split()[2] == state


def test_no_alerts_are_no_lines() -> None:
    assert lines([]) == []
    assert listing([], "text", NOON) == ""


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_strangers_print_nothing_else(form: str, text: str) -> None:
    printed = listing(hostile(text).alerts, form, NOON)
    # CSV ends lines with CR LF.
    assert printed.replace("\n", "").replace("\r", "").isprintable()
    if form == "text":
        assert len(printed.splitlines()) <= 7
        assert all(len(line) <= 504 for line in printed.splitlines())


def test_the_worst_comes_first_in_every_form() -> None:
    text = listing([INFO, alert(1)], "text", NOON)
    assert text.startswith("CRITICAL")
    record = json.loads(listing([INFO, alert(1)], "json", NOON))
    assert [one["id"][-1] for one in record["alerts"]] == ["1", "2"]
    rows = csv.DictReader(
        io.StringIO(listing([INFO, alert(1)], "csv", NOON), newline="")
    )
    assert [row["id"][-1] for row in rows] == ["1", "2"]


def test_json_takes_what_stands_beside_the_alerts() -> None:
    record = json.loads(listing([], "json", NOON, partial=True, errors=[]))
    assert record == {"alerts": [], "partial": True, "errors": []}


def test_csv_without_alerts_has_its_heads() -> None:
    assert listing([], "csv", NOON).startswith("record,id,type,severity,domain,names")
