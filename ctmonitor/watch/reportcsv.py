"""
The report on own domains as CSV: one table, whose column `record` says what a row is.

Source: RFC 4180; OWASP, "CSV Injection".
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = (
    "record",
    "id",
    "type",
    "severity",
    "domain",
    "names",
    "serial",
    "issuer",
    "source",
    "first_seen",
    "link",
    "acknowledged",
    "not_before",
    "not_after",
    "state",
    "addresses",
    "cname",
    "summary",
    "next_step",
)

# What makes a formula of a cell, in a spreadsheet of Western or East Asian language.
_STARTS_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def report_csv(report: Mapping[str, Any]) -> str:
    """A report as CSV: alerts, then all else that it holds."""
    return table([*alert_rows(report["alerts"]), *_other_rows(report)])


def alert_rows(
    alerts: Iterable[Mapping[str, Any]], record: str = "alert"
) -> list[dict[str, Any]]:
    """Rows of `table` for records of alerts."""
    return [
        {
            **alert,
            "record": record,
            "state": "acknowledged" if alert["acknowledged"] else "open",
        }
        for alert in alerts
    ]


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows under `COLUMNS`, of which each has some, as CSV that is safe to open."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row.get(column)) for column in COLUMNS] for row in rows)
    return file.getvalue()


def _other_rows(report: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    yield from alert_rows(report["baseline"], "baseline")
    for certificate in report["certificates"]:
        yield _certificate_row(certificate)
    for name in report["subdomains"]:
        yield {
            **name,
            "record": "subdomain",
            "names": [name["name"]],
            "state": "dangling" if name["dangling"] else name["dns"],
        }
    for issuer in report["issuers"]:
        yield {
            "record": "issuer",
            "domain": issuer["domains"],
            "issuer": issuer["organisation"],
            "state": _AUTHORISED[issuer["is_authorised"]],
            "summary": f"certificates: {issuer['certificates']}, "
            f"valid: {issuer['valid']}",
        }
    for squat in report["typosquats"]:
        yield {
            "record": "typosquat",
            "type": squat["kind"],
            "domain": squat["domain"],
            "names": [squat["name"]],
            "state": _REGISTERED[squat["registered"]],
        }
        for certificate in squat["certificates"]:
            yield {
                **_certificate_row(certificate),
                "record": "typosquat certificate",
                "domain": squat["domain"],
            }
    for error in report["errors"]:
        yield {**error, "record": "error", "summary": error["reason"]}
    for note in report["notes"]:
        yield {"record": "note", "summary": note}


def _certificate_row(certificate: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **certificate,
        "record": "certificate",
        "state": certificate["validity"],
        "source": [one["source"] for one in certificate["sources"]],
    }


_AUTHORISED = {True: "authorised", False: "not authorised", None: ""}
_REGISTERED = {True: "registered", False: "not registered", None: "not known"}


def _cell(value: object) -> str:
    """
    A value as text that no spreadsheet takes for a formula.

    A name can begin with `-` or `=` in a certificate that somebody else made.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return _cell(" ".join(map(str, value)))
    text = str(value)
    return f"'{text}" if text.strip()[:1] in _STARTS_FORMULA and text.strip() else text
