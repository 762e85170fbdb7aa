"""
Messages on own domains: what is told of a certificate, or of a whole run, to people.

A payload is what `ctmonitor.watch.telling` makes: one object of JSON a message, or a
digest of many. Names below a watched domain are ours and stand as they are; whatever
else a stranger wrote goes through `inert` or `defanged`. Pure.
"""

import hashlib
import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctmonitor.alerts.text import Message, defanged, inert
from ctmonitor.model.domain import name_in
from ctmonitor.model.own import AlertType, Severity

KIND = "own"
DIGEST_KIND = "own-digest"

_LONGEST_SUBJECT = 150  # a Slack header takes no more
_LONGEST_DOMAIN = 70  # in a subject
_LONGEST_SENTENCE = 600
_LONGEST_FACT = 1000
_NAMES = 20
_NAMES_IN_LINE = 3
_TYPES_IN_SUBJECT = 3
_IDS = 20
# Of a digest, all its messages together; each has a few.
_NAMES_TOGETHER = 20_000
_ALERTS_TOGETHER = 5_000
_FEWEST = 5

# What a link of a source looks like: nothing that ends a link, or is a mark, in HTML,
# Slack or Markdown.
_LINK = re.compile(r"https?://[\w.:\[\]-]+/[\w./?=&%:+,~-]*", re.ASCII)
_LONGEST_LINK = 500
_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_TYPES = tuple(AlertType)

_SAYS = {
    AlertType.NEW_CERTIFICATE: "new certificate",
    AlertType.UNAUTHORIZED_CA: "issuer not authorised",
    AlertType.NEW_SUBDOMAIN: "new sub-domain",
    AlertType.WILDCARD_CERTIFICATE: "wildcard certificate",
    AlertType.SHORT_LIVED_CERTIFICATE: "short-lived certificate",
    AlertType.CERTIFICATE_EXPIRING: "certificate expires soon",
    AlertType.CAA_VIOLATION: "CAA forbids the issuer",
    AlertType.UNKNOWN_KEY: "unknown key",
    AlertType.REVOKED: "certificate revoked",
    AlertType.TYPOSQUAT_DETECTED: "look-alike of a domain",
    AlertType.STATE_LOST: "memory of a domain lost",
}


@dataclass(frozen=True, slots=True)
class Told:
    """
    A message before it has a form. All texts can be shown as they are, but for the
    escapes of HTML.

    Args:
        id: the same whenever the same thing is told again.
        statements: what is wrong and what to do, or of a digest a line a message.
        facts: labels and values.
        brief: shorter statements, for where there is no room for the others.
        link: where a person sees the certificate; empty for none.
    """

    id: str
    subject: str
    severity: Severity
    statements: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    brief: tuple[str, ...] = ()
    link: str = ""


def is_own(payload: Mapping[str, Any]) -> bool:
    """Whether it tells of own domains; else it is a scanner's alert on a host."""
    return payload.get("kind") in (KIND, DIGEST_KIND)


def digest(payloads: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    One payload that holds the messages of all, the worst ones first; of many, each with
    fewer names and alerts.

    Its id depends on theirs alone, whatever their order.
    """
    messages = sorted(
        payloads,
        key=lambda one: (-_RANK[_severity(one)], str(one["domain"]), str(one["id"])),
    )
    ids = ",".join(sorted(str(one["id"]) for one in messages))
    names = max(_FEWEST, _NAMES_TOGETHER // len(messages))
    alerts = max(_FEWEST, _ALERTS_TOGETHER // len(messages))
    return {
        "kind": DIGEST_KIND,
        "id": hashlib.sha256(ids.encode()).hexdigest()[:16],
        "severity": max(map(_severity, messages), key=_RANK.__getitem__).value,
        "domains": sorted({str(one["domain"]) for one in messages}),
        "messages": [
            {**one, "names": one["names"][:names], "alerts": one["alerts"][:alerts]}
            for one in messages
        ],
    }


def told(payload: Mapping[str, Any]) -> Told:
    """
    What a payload says to people.

    Raises:
        KeyError, TypeError, ValueError: it is none, or of another version.
    """
    if payload["kind"] == DIGEST_KIND:
        return _told_of_many(payload)
    domain = str(payload["domain"])
    alerts = _by_type(payload["alerts"])
    says = [_label(kind, of_type, domain) for kind, of_type in alerts.items()]
    statements: list[str] = []
    for kind, of_type in alerts.items():
        statements.append(_statement(kind, of_type, domain))
        step = _sentence(of_type[0]["next_step"], domain)
        if step and (line := f"What to do: {step}") not in statements:
            statements.append(line)
    if more := int(payload["alerts_total"]) - len(payload["alerts"]):
        statements.append(f"and {more} more alerts; watchdomains.py --list has all")
    ids = [str(one["id"]) for one in payload["alerts"]]
    facts = {
        "Domain": _end_of(domain, 300),
        "Names": _names(payload["names"], int(payload["names_total"]), domain),
        "Issuer": _fact(payload["issuer"]),
        "Valid": _validity(payload),
        "Serial": _fact(payload["serial"]),
        "Source": _fact(payload["source"]),
        "First seen": f"{_fact(payload['first_seen'])} UTC",
        "Alerts": _with_rest([_fact(one) for one in ids[:_IDS]], len(ids)),
    }
    return Told(
        id=_fact(payload["id"]),
        subject=_subject(payload, says),
        severity=_severity(payload),
        statements=tuple(statements),
        facts=tuple((label, value) for label, value in facts.items() if value),
        link=_link(payload),
    )


def message(payload: Mapping[str, Any]) -> Message:
    """What is told of a payload, as text; raises as `told` does."""
    shown = told(payload)
    lines = [*shown.statements]
    lines += [f"{label}: {value}" for label, value in shown.facts]
    lines += [f"Link: {shown.link}"] if shown.link else []
    return Message(shown.subject, "\n".join([*lines, f"Message: {shown.id}"]))


def html_page(payload: Mapping[str, Any]) -> str:
    """What is told of a payload, as HTML for a mail; raises as `told` does."""
    shown = told(payload)
    colour = _COLOURS[shown.severity]
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{html.escape(shown.subject)}</title></head>",
        '<body style="font-family:sans-serif;max-width:46em">',
        f'<h1 style="font-size:1.2em;border-left:.4em solid {colour};',
        f'padding-left:.6em">{html.escape(shown.subject)}</h1>',
        *(f"<p>{html.escape(line)}</p>" for line in shown.statements),
    ]
    if shown.facts:
        rows = (
            '<tr><th style="text-align:left;vertical-align:top;padding-right:1em">'
            f"{label}</th><td>{html.escape(value)}</td></tr>"
            for label, value in shown.facts
        )
        parts.append(f"<table>{''.join(rows)}</table>")
    if shown.link:
        address = html.escape(shown.link)
        parts.append(f'<p><a href="{address}" rel="noreferrer">{address}</a></p>')
    parts.append(f'<p style="color:#666">Message {html.escape(shown.id)}</p>')
    return "".join([*parts, "</body></html>\n"])


_COLOURS = {
    Severity.INFO: "#57606a",
    Severity.MEDIUM: "#9a6700",
    Severity.HIGH: "#bc4c00",
    Severity.CRITICAL: "#cf222e",
}


def _told_of_many(payload: Mapping[str, Any]) -> Told:
    messages: Sequence[Mapping[str, Any]] = payload["messages"]
    domains: Sequence[str] = payload["domains"]
    counts = Counter(map(_severity, messages))
    shares = [f"{counts[one]} {one}" for one in reversed(Severity) if counts[one]]
    where = (
        _end_of(str(domains[0]), _LONGEST_DOMAIN)
        if len(domains) == 1
        else f"{len(domains)} domains"
    )
    severity = _severity(payload)
    return Told(
        id=_fact(payload["id"]),
        subject=f"[{severity.upper()}] {where}: {len(messages)} messages "
        f"({', '.join(shares)})",
        severity=severity,
        statements=tuple(map(_line, messages)),
        brief=tuple(map(_brief_line, messages)),
    )


def _line(payload: Mapping[str, Any]) -> str:
    """A message as one line of a digest."""
    parts = [
        _brief_line(payload),
        _fact(payload["issuer"], 100),
        _validity(payload),
        _link(payload),
    ]
    return "; ".join(filter(None, parts))


def _brief_line(payload: Mapping[str, Any]) -> str:
    domain = str(payload["domain"])
    types = ", ".join(AlertType(one) for one in payload["types"])
    shown = [_name(str(one), domain) for one in payload["names"][:_NAMES_IN_LINE]]
    names = _with_rest(shown, int(payload["names_total"])) or _end_of(domain, 300)
    return f"{_severity(payload)} {types}: {names}"


def _subject(payload: Mapping[str, Any], says: Sequence[str]) -> str:
    domain = _end_of(str(payload["domain"]), _LONGEST_DOMAIN)
    beginning = f"[{_severity(payload).upper()}] {domain}: "
    text = _with_rest(list(says[:_TYPES_IN_SUBJECT]), len(says))
    room = _LONGEST_SUBJECT - len(beginning)
    return beginning + (text if len(text) <= room else text[: room - 3] + "...")


def _label(kind: AlertType, alerts: Sequence[Mapping[str, Any]], domain: str) -> str:
    """`new sub-domain dev.example.com`, for a subject."""
    says = _SAYS[kind]
    if kind not in (AlertType.NEW_SUBDOMAIN, AlertType.TYPOSQUAT_DETECTED):
        return says
    names = [str(name) for alert in alerts for name in alert["names"]]
    if len(names) > 1:
        return f"{says} {_name(names[0], domain)} (+{len(names) - 1})"
    return " ".join([says, *(_name(name, domain) for name in names)])


def _statement(
    kind: AlertType, alerts: Sequence[Mapping[str, Any]], domain: str
) -> str:
    beginning = f"{_severity(alerts[0])} {kind}: "
    if len(alerts) == 1:
        return beginning + (_sentence(alerts[0]["summary"], domain) or _SAYS[kind])
    names = [str(name) for alert in alerts for name in alert["names"]]
    names = list(dict.fromkeys(names))
    return beginning + (_names(names, len(names), domain) or f"{len(alerts)} times")


def _by_type(
    alerts: Sequence[Mapping[str, Any]],
) -> dict[AlertType, list[Mapping[str, Any]]]:
    found: dict[AlertType, list[Mapping[str, Any]]] = {}
    for alert in alerts:
        found.setdefault(AlertType(alert["type"]), []).append(alert)
    return found


def _severity(payload: Mapping[str, Any]) -> Severity:
    return Severity(payload["severity"])


def _validity(payload: Mapping[str, Any]) -> str:
    start, end = _fact(payload["not_before"], 40), _fact(payload["not_after"], 40)
    if not end:
        return f"from {start} UTC" if start else ""
    return f"{start or 'unknown'} to {end} UTC"


def _names(names: Sequence[object], total: int, domain: str) -> str:
    """As many as there is room for, and how many others there are."""
    shown: list[str] = []
    room = _LONGEST_FACT
    for name in names[:_NAMES]:
        text = _name(str(name), domain)
        room -= len(text) + 2
        if room < 0 and shown:
            break
        shown.append(text)
    return _with_rest(shown, max(total, len(names)))


def _name(name: str, domain: str) -> str:
    """A name as it stands when it is ours, else one that no program links to."""
    return name if name and name_in(name, domain) == name else defanged(name)


def _end_of(domain: str, limit: int) -> str:
    """A watched domain, by its end when it is long; what is none is made inert."""
    if name_in(domain, domain) != domain:
        return inert(domain, limit)
    return domain if len(domain) <= limit else "..." + domain[3 - limit :].lstrip(".")


def _sentence(text: object, domain: str) -> str:
    """A sentence of ours, in which a stranger's words may stand."""
    shown = inert(str(text), _LONGEST_SENTENCE).replace("[.]py", ".py")
    # Settings are named in our sentences; inside of a word it marks nothing.
    shown = re.sub(r"(?<=\w)\uff3f(?=\w)", "_", shown)
    ours = re.escape(domain.replace(".", "[.]"))
    return re.sub(
        rf"(?<![\w.\]-])(?:\uff0a\[\.\])?(?:[\w-]+\[\.\])*{ours}(?![\w-]|\[\.\])",
        lambda found: found[0].replace("[.]", ".").replace("\uff0a", "*"),
        shown,
    )


def _fact(value: object, limit: int = _LONGEST_FACT) -> str:
    return inert(str(value or ""), limit)


def _link(payload: Mapping[str, Any]) -> str:
    """The address as it stands, since people follow it; empty when it is none."""
    link = str(payload["link"] or "")
    return link if len(link) <= _LONGEST_LINK and _LINK.fullmatch(link) else ""


def _with_rest(shown: Sequence[str], total: int) -> str:
    rest = f" and {total - len(shown)} more" if total > len(shown) else ""
    return ", ".join(shown) + rest if shown else ""
