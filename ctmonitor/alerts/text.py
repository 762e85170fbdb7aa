"""
Notifications: what is told of a host, for people.

Chats make links of names, mentions of `@everyone` and letters bold of `*`; all that a
stranger wrote goes through `inert` or `defanged` first. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctmonitor.model.reasons import resemblances
from ctmonitor.model.text import shortened
from ctmonitor.model.verdict import Reason

_LONGEST_SUBJECT_HOST = 120
_LONGEST_LINE = 1200
_REASONS = 5
_BRANDS = 3
_NAMES = 10
_LAST_LINE = 60  # room for what is said of lines that are left out

# Full-width forms, which read alike and mean nothing to Markdown, HTML or Slack.
_FULL_WIDTH = {ord(char): ord(char) + 0xFEE0 for char in "<>[]`*_~|#"}
_DOT_IN_NAME = re.compile(r"[.\u3002\uff0e\uff61](?=\w)")
_SCHEME = re.compile(r"(?i)\bhttp(s?)://")
_OTHER_SCHEME = re.compile(r"(?<!\bhxxp)(?<!\bhxxps)://")

_SAYS = {
    "found": "was found",
    "up": "is up",
    "down": "is down",
    "back": "is up again",
    "changed": "has changed",
}
_LISTED = {
    "unsafe": "suspected unsafe, says Google Safe Browsing",
    "not_listed": "not listed",
    "not_checked": "not checked",
}


@dataclass(frozen=True, slots=True)
class Message:
    """
    Args:
        subject: one line.
        body: plain text, one statement a line.
    """

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """
    Alerts that people get as one.

    Args:
        alerts: records of `alert_record`, at least one; of several, the first ones.
        total: how many there are.
    """

    alerts: Sequence[Mapping[str, Any]]
    total: int


def defanged(host: str) -> str:
    """`login-paypal[.]com`: a host name that no program makes a link of."""
    if not re.fullmatch(r"(?:\*\.)?[\w.-]*", host, re.ASCII):
        return inert(host, 300)
    return host.replace(".", "[.]")


def inert(text: str, limit: int = 200) -> str:
    """
    `text` of a stranger on one line, at most about `limit` characters, without links,
    mentions and marks of Markdown or HTML.
    """
    shown = shortened(text, limit).translate(_FULL_WIDTH)
    shown = _OTHER_SCHEME.sub("[:]//", _SCHEME.sub(r"hxxp\1://", shown))
    return re.sub("[@\uff20]", "[at]", _DOT_IN_NAME.sub("[.]", shown))


def message(alert: Mapping[str, Any]) -> Message:
    """What is told of one alert (a record of `alert_record`)."""
    says = _statement(alert)
    host = str(alert["hostname"])
    lines = [
        f"{_address(alert)} {says}",
        _line("Title", alert["webpage_title"]),
        _line("Leads to", _other_address(alert)),
        _line("Why it is down", alert["reason"] if alert["event"] == "down" else ""),
        _line("Address", _network(alert)),
        _line("Abuse contact", alert["asn_abuse_email"]),
        _line("Domain registered", _registration(alert["registration"])),
        _line("Certificate", (alert["tls"] or {}).get("problem")),
        _line("Issuer", alert["issuer"]),
        f"Safe Browsing: {_LISTED[alert['safe_browsing']]}",
        *_why(alert),
        _line("Names", _names(host, alert["names"])),
        _line("First seen", alert["first_seen"]),
        _line("Visited", alert["visited_at"]),
    ]
    return Message(f"{_end_of(host)} {says}", "\n".join(filter(None, lines)))


def alarm_message(alarm: Alarm) -> Message:
    """What is told of hosts below one domain that resemble one brand."""
    alert = max(alarm.alerts, key=lambda one: int(one["score"]))
    if alarm.total == 1:
        return message(alert)
    brand, domain = inert(str(alert["brand"]), 100), _domain(alert)
    lines = [
        f"{alarm.total} hosts below {domain} resemble {brand}:",
        *(f"{_address(one)} {_statement(one)}" for one in alarm.alerts),
        _rest(alarm),
        _line("For example", alert["hostname"]),
        *_why(alert),
        _line("Issuer", alert["issuer"]),
    ]
    subject = (
        f"{domain} resembles {brand}: {alarm.total} hosts {_group(alert['event'])}"
    )
    return Message(subject, "\n".join(filter(None, lines)))


def digest(alarms: Iterable[Alarm]) -> Message:
    """What is told of many alerts at once: the name of every host, one a line."""
    counts: dict[str, int] = {}
    blocks: dict[str, list[str]] = {}
    for alarm in alarms:
        event = str(alarm.alerts[0]["event"])
        counts[event] = counts.get(event, 0) + alarm.total
        lines = blocks.setdefault(event, [f"{_group(event).capitalize()}:"])
        lines += [defanged(str(alert["hostname"])) for alert in alarm.alerts]
        lines += filter(None, [_rest(alarm)])
    told = [f"{count} {_group(event)}" for event, count in counts.items()]
    return Message(
        f"{sum(counts.values())} hosts: {', '.join(told)}",
        "\n\n".join(map("\n".join, blocks.values())),
    )


def fallback_message(told: Message, failed: str, *, is_given_up: bool) -> Message:
    """`told`, with why it comes this way."""
    what = "was given up" if is_given_up else "failed and is tried again"
    return Message(told.subject, f"Delivery to {failed} {what}.\n\n{told.body}")


def trial_message() -> Message:
    """What `--notify-test` sends."""
    return Message(
        "Test of notifications",
        "The settings work: alerts will look like this, and name hosts as "
        f"hxxps://{defanged('login.example.com')}.",
    )


def in_parts(body: str, most: int, parts: int) -> list[str]:
    """
    `body` in at most `parts` texts of whole lines, of at most `most` characters each
    (a longer line is a part by itself).

    What does not fit is left out, and the last line says how much that is.
    """
    made: list[list[str]] = [[]]
    room = most
    lines = body.split("\n")
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < -1 and made[-1]:
            if len(made) == parts:
                while made[-1] and room < _LAST_LINE:
                    room += len(made[-1].pop()) + 1
                    number -= 1
                left = len(lines) - number
                made[-1].append(f"and {left} more lines; the JSON alerts have all")
                break
            made.append([])
            room = most - len(line) - 1
        made[-1].append(line)
    return ["\n".join(part) for part in made]


def _statement(alert: Mapping[str, Any]) -> str:
    says = _SAYS[alert["event"]]
    code = alert["http_code"]
    return f"{says}: HTTP {code}" if code is not None else says


def _group(event: str) -> str:
    """`up again`: what the hosts of an event have in common."""
    return _SAYS[event].split(" ", 1)[1]


def _address(alert: Mapping[str, Any]) -> str:
    scheme = "hxxp" if _url(alert).startswith("http:") else "hxxps"
    return f"{scheme}://{defanged(str(alert['hostname']))}"


def _end_of(host: str) -> str:
    """For a subject: the end of a name, which tells whose it is, not the beginning."""
    if len(host) > _LONGEST_SUBJECT_HOST:
        host = "..." + host[-_LONGEST_SUBJECT_HOST:].lstrip(".")
        return "..." + defanged(host.removeprefix("..."))
    return defanged(host)


def _url(alert: Mapping[str, Any]) -> str:
    return str((alert["page"] or {}).get("url") or "")


def _other_address(alert: Mapping[str, Any]) -> str:
    return _url(alert) if alert["redirects"] else ""


def _network(alert: Mapping[str, Any]) -> str:
    if not alert["ip_addr"]:
        return ""
    parts = [
        _joined(alert[key])
        for key in ("asn", "asn_description", "asn_country_code", "asn_cidr")
    ]
    known = ", ".join(filter(None, [parts[0] and f"AS{parts[0]}", *parts[1:]]))
    return f"{alert['ip_addr']} ({known})" if known else str(alert["ip_addr"])


def _joined(value: object) -> str:
    """A value, or several announcers' values."""
    if isinstance(value, list):
        return "/".join(str(one) for one in value if one)
    return str(value or "")


def _registration(registration: Mapping[str, Any] | None) -> str:
    known = registration or {}
    parts = [
        str(known.get("registered") or "")[:10],
        str(known.get("registrar") or ""),
        str(known.get("registrar_abuse_email") or ""),
    ]
    return ", ".join(filter(None, parts))


def _why(alert: Mapping[str, Any]) -> list[str]:
    """The rules that fired, then a line on each brand that is resembled."""
    reasons = [
        # One that was stored by an older version names no brand.
        Reason(
            shortened(one["rule"], 100),
            one["kind"],
            one["weight"],
            one.get("brand", ""),
        )
        for one in alert["reasons"]
    ]
    rules = [f"{one.rule} ({one.kind})" for one in reasons if not one.brand]
    brands = [told.removeprefix("resembles ") for told in resemblances(reasons)]
    return [
        _line("Found by", _with_rest(rules[:_REASONS], len(rules))),
        *(_line("Resembles", told) for told in brands[:_BRANDS]),
    ]


def _domain(alert: Mapping[str, Any]) -> str:
    return _end_of(str(alert["registrable_domain"] or alert["hostname"]))


def _rest(alarm: Alarm) -> str:
    more = alarm.total - len(alarm.alerts)
    return f"and {more} more below {_domain(alarm.alerts[0])}" if more else ""


def _names(host: str, names: Sequence[str]) -> str:
    others = [name for name in names if name != host]
    return _with_rest(list(others[:_NAMES]), len(others))


def _with_rest(shown: list[str], total: int) -> str:
    rest = [f"{total - len(shown)} more"] if total > len(shown) else []
    return ", ".join([*(shortened(one, 100) for one in shown), *rest])


def _line(label: str, value: object) -> str:
    """A line of the body; empty when nothing is known."""
    return f"{label}: {inert(str(value), _LONGEST_LINE)}" if value else ""
