"""
Alerts on own domains as a command prints them: lines for a terminal, JSON or CSV.

What `--list` prints and what a run prints have one form.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ctmonitor.model.own import OwnAlert
from ctmonitor.model.text import shortened
from ctmonitor.watch.report import alert_record, report_json, worst_first
from ctmonitor.watch.reportcsv import alert_rows, table

_LONGEST_SUMMARY = 500
_NAMES = 5


def listing(
    alerts: Iterable[OwnAlert], form: str, started: datetime, **beside: object
) -> str:
    """
    Alerts, the worst first, in whole lines; empty for no alerts as text.

    Args:
        form: `text`, `json` or `csv`.
        started: of the run, UTC; an alert first seen then or later is new.
        beside: JSON values that stand beside `alerts`, as `errors` and `partial` of a
            run; in no other form.
    """
    ordered = worst_first(alerts)
    if form == "text":
        return "".join(f"{line}\n" for line in lines(ordered))
    records = [alert_record(one, started) for one in ordered]
    if form == "json":
        return report_json({"alerts": records, **beside})
    return table(alert_rows(records))


def lines(alerts: Sequence[OwnAlert]) -> list[str]:
    """
    For a terminal: a line an alert in columns, then what it is about, in their order.

    Every line is printable.
    """
    rows = [
        (
            one.severity.value.upper(),
            one.id,
            _state(one),
            one.first_seen.replace("T", " ")[:16],
            one.type.value,
            one.domain,
        )
        for one in alerts
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    said: list[str] = []
    for alert, row in zip(alerts, rows, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        said.append(shortened("  ".join(cells).rstrip(), _LONGEST_SUMMARY))
        said += [f"    {shortened(one, _LONGEST_SUMMARY)}" for one in _about(alert)]
    return said


def _about(alert: OwnAlert) -> list[str]:
    more = len(alert.names) - _NAMES
    names = ", ".join(alert.names[:_NAMES]) + (f" and {more} more" if more > 0 else "")
    what: Mapping[str, Any] = {
        "": alert.summary,
        "names: ": names,
        "issuer: ": alert.issuer,
        "valid: ": _validity(alert),
        "see: ": alert.link,
        "next: ": alert.next_step,
    }
    return [label + value for label, value in what.items() if value]


def _validity(alert: OwnAlert) -> str:
    if not alert.not_before or not alert.not_after:
        return ""
    return f"{alert.not_before[:10]} to {alert.not_after[:10]}"


def _state(alert: OwnAlert) -> str:
    if alert.acknowledged:
        return "acknowledged"
    return "baseline" if alert.is_baseline else "open"
