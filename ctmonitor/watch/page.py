"""
The report on own domains as one HTML file that a person reads and prints.

It needs nothing else: no script, no style sheet, no picture of another place. All texts
are escaped by the template, and links lead to addresses of the web alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from ctmonitor.model.clock import from_utc_text
from ctmonitor.model.own import AlertType, Severity
from ctmonitor.watch import expirycalendar
from ctmonitor.watch import timeline as issuance
from ctmonitor.watch.expirycalendar import Month, is_due, sheets
from ctmonitor.watch.timeline import Timeline, timeline

_CARDS = 50  # of what needs attention; the rest is in a table
_ENDING = 200  # certificates that are named beside the calendar
_GROUPS = 10  # of the baseline
_SEVERITIES = [one.value for one in Severity]
_TITLES = {
    AlertType.NEW_CERTIFICATE: "New certificate",
    AlertType.UNAUTHORIZED_CA: "CA that is not authorised",
    AlertType.NEW_SUBDOMAIN: "New sub-domain",
    AlertType.WILDCARD_CERTIFICATE: "Wildcard certificate",
    AlertType.SHORT_LIVED_CERTIFICATE: "Short-lived certificate",
    AlertType.CERTIFICATE_EXPIRING: "Certificate ends soon",
    AlertType.CAA_VIOLATION: "Forbidden by CAA",
    AlertType.UNKNOWN_KEY: "Key that is not ours",
    AlertType.REVOKED: "Revoked",
    AlertType.TYPOSQUAT_DETECTED: "Look-alike domain",
    AlertType.STATE_LOST: "Time without a watch",
}


@dataclass(slots=True)
class Card:
    """Alerts on one certificate, as one thing that needs attention; the worst first."""

    alerts: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def worst(self) -> Mapping[str, Any]:
        return self.alerts[0]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for one in self.alerts for name in one["names"]))

    @property
    def next_steps(self) -> list[str]:
        """Each once; what is information alone needs none beside what is worse."""
        telling = [one for one in self.alerts if one["severity"] != Severity.INFO]
        steps = (one["next_step"] for one in telling or self.alerts)
        return list(dict.fromkeys(filter(None, steps)))


@dataclass(frozen=True, slots=True)
class Ending:
    """A certificate that is due for renewal, and the whole days that are left."""

    certificate: Mapping[str, Any]
    days: int


@dataclass(frozen=True, slots=True)
class Group:
    """How many alerts of a kind there are on an issuer."""

    severity: str
    type: str
    issuer: str
    count: int


@dataclass(frozen=True, slots=True)
class Figure:
    """A number at the top of the page; `level` colours it, as a severity does."""

    label: str
    number: int
    level: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """
    What the template receives beside the report.

    Args:
        cards: what needs attention, the worst first; more: alerts that have no card.
        news: alerts that are information; past: acknowledged, or over.
        groups: of the baseline, the worst ones; groups_left: how many more.
        ending: what is due for renewal, the next to end first; not_shown: how many
            more.
        valid, other: certificates.
    """

    report: Mapping[str, Any]
    generated: datetime
    figures: Sequence[Figure]
    cards: Sequence[Card]
    more: Sequence[Mapping[str, Any]]
    news: Sequence[Mapping[str, Any]]
    past: Sequence[Mapping[str, Any]]
    groups: Sequence[Group]
    groups_left: int
    timeline: Timeline | None
    months: Sequence[Month]
    ending: Sequence[Ending]
    not_shown: int
    valid: Sequence[Mapping[str, Any]]
    other: Sequence[Mapping[str, Any]]


def page(report: Mapping[str, Any]) -> str:
    """The page for the values of a report."""
    return _template().render(view=_view(report))


def _view(report: Mapping[str, Any]) -> View:
    generated = from_utc_text(report["generated"])
    if generated is None:
        raise ValueError("a report says when it was made")
    now = report["generated"]
    certificates = report["certificates"]
    unread: list[Mapping[str, Any]] = []
    past: list[Mapping[str, Any]] = []
    for alert in report["alerts"]:
        (past if alert["acknowledged"] or _is_over(alert, now) else unread).append(
            alert
        )
    cards = _cards(unread)
    news = [card for card in cards if card.worst["severity"] == Severity.INFO]
    urgent = [card for card in cards if card.worst["severity"] != Severity.INFO]
    valid = [one for one in certificates if one["validity"] == "valid"]
    ending = _ending(valid, generated)
    groups = _groups(report["baseline"])
    return View(
        report=report,
        generated=generated,
        figures=_figures(urgent, valid, ending, report["subdomains"]),
        cards=urgent[:_CARDS],
        more=[alert for card in urgent[_CARDS:] for alert in card.alerts],
        news=[alert for card in news for alert in card.alerts],
        past=past,
        groups=groups[:_GROUPS],
        groups_left=max(0, len(groups) - _GROUPS),
        timeline=timeline(certificates, generated),
        months=sheets(valid, generated),
        ending=ending[:_ENDING],
        not_shown=max(0, len(ending) - _ENDING),
        valid=valid,
        other=[one for one in certificates if one["validity"] != "valid"],
    )


def _is_over(alert: Mapping[str, Any], now: str) -> bool:
    """Whether the certificate that was about to end has ended."""
    ends = alert["not_after"]
    return alert["type"] == AlertType.CERTIFICATE_EXPIRING and bool(ends) and ends < now


def _cards(alerts: Iterable[Mapping[str, Any]]) -> list[Card]:
    """In the order of their worst alert, as `alerts` are."""
    cards: dict[tuple[str, str], Card] = {}
    for alert in alerts:
        about = (alert["domain"], alert["certificate"] or alert["id"])
        cards.setdefault(about, Card()).alerts.append(alert)
    return list(cards.values())


def _ending(valid: Iterable[Mapping[str, Any]], generated: datetime) -> list[Ending]:
    """What is due, the next to end first."""
    found = []
    for certificate in valid:
        ends = from_utc_text(certificate["not_after"])
        if ends and is_due(certificate, generated):
            found.append(Ending(certificate, (ends - generated).days))
    return sorted(found, key=lambda one: one.certificate["not_after"])


def _groups(alerts: Iterable[Mapping[str, Any]]) -> list[Group]:
    """Alerts of a kind on an issuer, the worst first, then the most."""
    counts = Counter((one["severity"], one["type"], one["issuer"]) for one in alerts)
    groups = [Group(*about, count) for about, count in counts.items()]
    groups.sort(key=lambda one: (-_SEVERITIES.index(one.severity), -one.count))
    return groups


def _figures(
    urgent: Sequence[Card],
    valid: Sequence[Mapping[str, Any]],
    ending: Sequence[Ending],
    names: Sequence[Mapping[str, Any]],
) -> list[Figure]:
    severities = [card.worst["severity"] for card in urgent]
    figures = [
        Figure(severity, severities.count(severity), severity)
        for severity in reversed(_SEVERITIES)
        if severity != Severity.INFO
    ]
    dangling = sum(one["dangling"] for one in names)
    return [
        *figures,
        Figure("due for renewal", len(ending), "medium"),
        Figure("valid certificates", len(valid)),
        Figure("sub-domains", len(names)),
        Figure("dangling sub-domains", dangling, "high" if dangling else ""),
    ]


def _web_address(link: str) -> str:
    """`link` when it leads to the web; else empty, for `javascript:` and the like."""
    return link if link.startswith(("https://", "http://")) else ""


def _day(written: str | None) -> str:
    """`2026-11-21` of a time."""
    return written[:10] if written else "not known"


def _minute(written: str | None) -> str:
    return f"{written[:10]} {written[11:16]} UTC" if written else "never"


def _count(number: int, one: str, many: str = "") -> str:
    """`1 certificate`, `20,000 certificates`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        web_address=_web_address, day=_day, minute=_minute, count=_count
    )
    environment.globals.update(
        titles={kind.value: title for kind, title in _TITLES.items()},
        size=issuance,
        urgent_days=expirycalendar.URGENT_DAYS,
        soon_days=expirycalendar.SOON_DAYS,
    )
    source = resources.files("ctmonitor.watch").joinpath("page.html")
    return environment.from_string(source.read_text(encoding="utf-8"))
