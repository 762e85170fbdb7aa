"""
Notifications: what is told of a host, for people.

Chats make links of names, mentions of `@everyone` and letters bold of `*`; all that a
stranger wrote goes through `inert` or `defanged` first. Pure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctmonitor.model.text import shortened

_LONGEST_SUBJECT_HOST = 120
_LONGEST_LINE = 1200
_REASONS = 5
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
        _line("Found by", _reasons(alert["reasons"])),
        _line("Names", _names(host, alert["names"])),
        _line("First seen", alert["first_seen"]),
        _line("Visited", alert["visited_at"]),
    ]
    return Message(f"{_end_of(host)} {says}", "\n".join(filter(None, lines)))


def digest(alerts: Iterable[Mapping[str, Any]]) -> Message:
    """What is told of many alerts at once: the name of every host, one a line."""
    by_event: dict[str, list[str]] = {}
    for alert in alerts:
        hosts = by_event.setdefault(str(alert["event"]), [])
        hosts.append(defanged(str(alert["hostname"])))
    counts = [f"{len(hosts)} {_group(event)}" for event, hosts in by_event.items()]
    blocks = [
        "\n".join([f"{_group(event).capitalize()}:", *hosts])
        for event, hosts in by_event.items()
    ]
    total = sum(map(len, by_event.values()))
    return Message(f"{total} hosts: {', '.join(counts)}", "\n\n".join(blocks))


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


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> str:
    shown = [f"{one['rule']} ({one['kind']})" for one in reasons[:_REASONS]]
    return _with_rest(shown, len(reasons))


def _names(host: str, names: Sequence[str]) -> str:
    others = [name for name in names if name != host]
    return _with_rest(list(others[:_NAMES]), len(others))


def _with_rest(shown: list[str], total: int) -> str:
    rest = [f"{total - len(shown)} more"] if total > len(shown) else []
    return ", ".join([*(shortened(one, 100) for one in shown), *rest])


def _line(label: str, value: object) -> str:
    """A line of the body; empty when nothing is known."""
    return f"{label}: {inert(str(value), _LONGEST_LINE)}" if value else ""
