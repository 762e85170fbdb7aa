"""The report as CSV is one table, and no cell of it is a formula."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from ctmonitor.watch.reportcsv import COLUMNS, report_csv, table
from tests.unit.watch.reported import FACTS, HOSTILE, hostile, made


def rows_of(record: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(report_csv(record), newline="")))


def test_all_that_a_report_holds_is_there() -> None:
    failed = {"source": "crtsh", "domain": "example.com", "reason": "HTTP 502"}
    rows = rows_of(made(facts=replace(FACTS, errors=[failed], notes=["a note"])))
    assert [row["record"] for row in rows] == [
        *["alert"] * 3,
        "baseline",
        *["certificate"] * 3,
        *["subdomain"] * 2,
        *["issuer"] * 2,
        "typosquat",
        "typosquat certificate",
        "error",
        "note",
    ]
    assert rows[-2]["summary"] == "HTTP 502"
    assert rows[-1]["summary"] == "a note"


def test_an_alert_is_a_row_with_the_promised_columns() -> None:
    row = rows_of(made())[0]
    assert list(row) == list(COLUMNS)
    assert row["id"] == "0000000000000002"
    assert row["type"] == "unauthorized_ca"
    assert row["severity"] == "critical"
    assert row["names"] == "login.example.com"
    assert row["acknowledged"] == "false"
    assert row["state"] == "open"
    assert row["next_step"] == "Ask who ordered it."


def test_states_are_words() -> None:
    rows = rows_of(made())
    states = {(row["record"], row["state"]) for row in rows}
    assert states == {
        ("alert", "open"),
        ("alert", "acknowledged"),
        ("baseline", "open"),
        ("certificate", "valid"),
        ("certificate", "expired"),
        ("subdomain", "ok"),
        ("subdomain", "dangling"),
        ("issuer", "authorised"),
        ("issuer", "not authorised"),
        ("typosquat", "registered"),
        ("typosquat certificate", "valid"),
    }


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1+1", "\uff0b1", "\n=1"],
    ids=range(9),
)
def test_a_formula_is_text(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(table([{"issuer": text}]), newline=""))
    assert row["issuer"] == f"'{text}"


def test_a_formula_at_the_begin_of_a_list_is_text() -> None:
    (row,) = csv.DictReader(io.StringIO(table([{"names": ["-a", "=b"]}]), newline=""))
    assert row["names"] == "'-a =b"


@pytest.mark.parametrize("text", ["*.example.com", "a=b", "", "O'Neil", "4d2"])
def test_what_is_no_formula_stays(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(table([{"issuer": text}]), newline=""))
    assert row["issuer"] == text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_strangers_make_no_rows_and_no_formulas(text: str) -> None:
    rows = rows_of(made(hostile(text)))
    assert [row["record"] for row in rows] == [
        "alert",
        "certificate",
        "subdomain",
        "issuer",
        "typosquat",
        "typosquat certificate",
    ]
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.strip().startswith(tuple("=+-@"))]
