"""The report holds all that is known, in one shape, whatever strangers wrote."""

import csv
import io
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ctmonitor.errors import ConfigError, CTMonitorError
from ctmonitor.model.own import (
    AlertType,
    Authority,
    DomainState,
    OwnSource,
    SeenBy,
    Severity,
)
from ctmonitor.watch.report import (
    Facts,
    alert_record,
    check_path,
    report,
    worst_first,
    write,
)
from tests.unit.watch.reported import (
    FACTS,
    HOSTILE,
    LINK,
    NOON,
    NOW,
    OTHER,
    OURS,
    SCHEMA,
    alert,
    certificate,
    hostile,
    made,
    state,
)

# What users' scripts may rely on; more stand beside them.
ALERT_KEYS = (
    *("id", "type", "severity", "domain", "names", "serial", "issuer", "source"),
    *("first_seen", "link", "acknowledged"),
)
IDS = [str(number) for number in range(len(HOSTILE))]


def test_nothing_known_is_a_report() -> None:
    record = report([], Facts(started=NOON), NOON)
    SCHEMA.validate(record)
    assert record["schema"] == 1
    assert record["generated"] == "2026-11-21T12:00:00Z"
    assert record["partial"] is False
    assert not any(value for value in record.values() if isinstance(value, list))


def test_an_alert_has_the_promised_keys() -> None:
    first = made()["alerts"][0]
    assert {key: first[key] for key in ALERT_KEYS} == {
        "id": "0000000000000002",
        "type": "unauthorized_ca",
        "severity": "critical",
        "domain": "example.com",
        "names": ["login.example.com"],
        "serial": "4d2",
        "issuer": "Other CA",
        "source": "crtsh",
        "first_seen": "2026-11-21T12:00:00Z",
        "link": LINK,
        "acknowledged": False,
    }


def test_the_worst_alert_comes_first_and_the_newest_of_equals() -> None:
    old = alert(1, first_seen="2026-01-01T00:00:00")
    info = alert(2, severity=Severity.INFO)
    high, new = alert(3, severity=Severity.HIGH), alert(4)
    assert worst_first([info, old, high, new]) == [new, old, high, info]


def test_what_was_there_at_the_first_run_stands_apart() -> None:
    record = made()
    assert [one["id"][-1] for one in record["alerts"]] == ["2", "9", "5"]
    assert [one["id"][-1] for one in record["baseline"]] == ["8"]


@pytest.mark.parametrize(
    ("first_seen", "is_baseline", "is_new"),
    [
        (NOW, False, True),
        ("2026-11-21T11:59:59", False, False),
        (NOW, True, False),
        ("", False, False),
    ],
)
def test_an_alert_of_this_run_is_new(
    first_seen: str, is_baseline: bool, is_new: bool
) -> None:
    one = alert(1, first_seen=first_seen, is_baseline=is_baseline)
    # Times are kept to the second, so one of this run may seem a little older than it.
    started = NOON.replace(microsecond=900_000)
    assert alert_record(one, started)["is_new"] is is_new


def test_an_acknowledged_alert_stays_and_says_when() -> None:
    record = alert_record(alert(1, acknowledged=NOW), NOON)
    assert record["acknowledged"] is True
    assert record["acknowledged_at"] == "2026-11-21T12:00:00Z"


def test_a_failure_makes_the_report_partial() -> None:
    failed = {"source": "crtsh", "domain": "example.com", "reason": "HTTP 502"}
    record = made(facts=replace(FACTS, errors=[failed], notes=["off"]))
    assert record["partial"] is True
    assert record["errors"] == [failed]
    assert record["notes"] == ["off"]


@pytest.mark.parametrize(
    ("changed", "validity"),
    [
        ({}, "valid"),
        ({"not_after": NOW}, "valid"),
        ({"not_before": NOW}, "valid"),
        ({"not_after": "2026-11-21T11:59:59"}, "expired"),
        ({"not_before": "2026-11-21T12:00:01"}, "future"),
        ({"is_revoked": True}, "revoked"),
        ({"is_revoked": True, "not_after": "2026-11-20T00:00:00"}, "expired"),
        ({"not_before": ""}, "unknown"),
        ({"not_after": ""}, "unknown"),
    ],
)
def test_validity_is_that_of_now(changed: dict[str, object], validity: str) -> None:
    one = certificate(1, **changed)
    record = made(DomainState("example.com", certificates=[one]))
    assert record["certificates"][0]["validity"] == validity
    assert record["domains"][0]["valid"] == (validity == "valid")


def test_a_certificate_that_ends_earlier_is_replaced_by_one_of_ours() -> None:
    names = ["www.example.com"]
    early = certificate(1, names=names, not_after="2026-11-25T00:00:00")
    late = certificate(2, names=["*.example.com"])
    foreign = certificate(3, names=names, issuer=OTHER, not_after="2027-06-01T00:00:00")

    def replaced(*others: object, facts: Facts = FACTS) -> dict[str, bool]:
        known = DomainState("example.com", certificates=[early, *others])
        listed = made(known, facts=facts)["certificates"]
        return {one["id"][-1]: one["is_replaced"] for one in listed}

    assert replaced() == {"1": False}
    assert replaced(late) == {"1": True, "2": False}
    assert replaced(foreign)["1"] is False
    with_key = replace(foreign, key_sha256="ab" * 32)
    own_keys = replace(FACTS, own_keys={"ab" * 32})
    assert replaced(with_key, facts=own_keys)["1"] is True


def test_issuers_are_counted_and_judged() -> None:
    ours, other = made()["issuers"]
    assert (ours["organisation"], ours["certificates"], ours["valid"]) == ("Ours", 2, 1)
    assert ours["first_issued"] == "2025-01-01T00:00:00Z"
    assert ours["last_issued"] == "2026-11-01T00:00:00Z"
    assert ours["is_authorised"] is True
    assert ours["caa_domains"] == ["ours.example"]
    assert other["is_authorised"] is False
    assert other["unauthorised_for"] == ["example.com"]
    assert other["ca_ids"] == [7]


def test_an_issuer_may_issue_for_one_domain_alone() -> None:
    facts = replace(
        FACTS,
        authorities=[Authority("Ours"), Authority("Other CA", domain="a.example")],
    )
    states = [
        DomainState(name, certificates=[certificate(1, issuer=OTHER)])
        for name in ("a.example", "b.example")
    ]
    (issuer,) = made(*states, facts=facts)["issuers"]
    assert issuer["is_authorised"] is False
    assert issuer["domains"] == ["a.example", "b.example"]
    assert issuer["unauthorised_for"] == ["b.example"]


def test_no_issuer_is_judged_where_none_is_configured() -> None:
    issuers = made(facts=Facts(started=NOON))["issuers"]
    assert [one["is_authorised"] for one in issuers] == [None, None]


def test_who_saw_a_certificate_is_told() -> None:
    seen_by = {
        OwnSource.LOGS: SeenBy(NOW, ["log:5"]),
        OwnSource.CERTSPOTTER: SeenBy(
            "2026-11-20T00:00:00", ["9"], "https://c.example"
        ),
    }
    one = certificate(1, issuer=OURS, seen_by=seen_by)
    record = made(DomainState("example.com", certificates=[one]))["certificates"][0]
    assert [each["source"] for each in record["sources"]] == ["certspotter", "logs"]
    assert record["sources"][0]["first_seen"] == "2026-11-20T00:00:00Z"
    assert record["link"] == "https://c.example"


def test_subdomains_and_lookalikes_are_listed() -> None:
    record = made()
    assert [
        (one["name"], one["addresses"], one["cname"], one["dangling"])
        for one in record["subdomains"]
    ] == [
        ("h1.example.com", ["192.0.2.1"], "", False),
        ("old.example.com", [], "gone.cloud.example", True),
    ]
    # The others are counted: there are thousands.
    assert [one["name"] for one in record["typosquats"]] == ["examp1e.com"]
    assert record["domains"][0]["typosquats"] == {
        "permutations": 2,
        "registered": 1,
        "asked": 2,
    }
    assert record["domains"][0]["dangling"] == 1


def test_unacknowledged_alerts_are_counted_by_domain() -> None:
    counts = made()["domains"][0]["unacknowledged"]
    assert counts == {"critical": 1, "high": 0, "medium": 0, "info": 1}


def test_a_time_that_is_none_is_null() -> None:
    odd = state()
    odd.since = "yesterday"
    assert made(odd)["domains"][0]["since"] is None


@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
def test_texts_of_strangers_are_printable_and_bounded(text: str) -> None:
    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [one for inner in value.values() for one in texts(inner)]
        if isinstance(value, list):
            return [one for inner in value for one in texts(inner)]
        return [value] if isinstance(value, str) else []

    shown = texts(made(hostile(text)))
    assert shown
    assert all(one.isprintable() and len(one) <= 4000 for one in shown)


@pytest.mark.parametrize("text", HOSTILE, ids=IDS)
@pytest.mark.parametrize("suffix", ["json", "csv", "html"])
def test_every_form_is_written_whatever_strangers_wrote(
    tmp_path: Path, suffix: str, text: str
) -> None:
    path = tmp_path / f"report.{suffix}"
    write(made(hostile(text)), str(path))
    assert "0000000000000001" in path.read_text(encoding="utf-8")


def test_the_file_is_what_the_report_holds(tmp_path: Path) -> None:
    record = made()
    for suffix in ("json", "CSV", "html"):
        write(record, str(tmp_path / "new" / f"report.{suffix}"))
    assert json.loads((tmp_path / "new/report.json").read_bytes()) == record
    rows = list(csv.reader(io.StringIO((tmp_path / "new/report.CSV").read_text())))
    assert rows[0][0] == "record"
    assert (tmp_path / "new/report.html").read_text().endswith("</html>\n")
    assert sorted(one.name for one in (tmp_path / "new").iterdir()) == [
        "report.CSV",
        "report.html",
        "report.json",
    ]


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    path.chmod(0o640)
    write(made(), str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("path", ["report", "report.pdf", "a.json/b", "", "."])
def test_a_name_that_says_no_form_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match=r"End the name in \.json, \.csv, \.html"):
        check_path(path)


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "report.json"
    folder.mkdir()
    with pytest.raises(CTMonitorError, match=r"cannot be written to .* Free space"):
        write(made(), str(folder))
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(
    "path", ["a\0b.json", "x" * 300 + ".json"], ids=["nul", "long"]
)
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(CTMonitorError, match="cannot be written"):
        write(made(), f"{tmp_path}/{path}")


def test_every_type_of_alert_is_in_the_schema() -> None:
    known = state()
    known.alerts = [alert(1, type=kind) for kind in AlertType]
    assert len(made(known)["alerts"]) == len(AlertType)
