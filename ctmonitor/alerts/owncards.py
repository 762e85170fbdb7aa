"""
Messages on own domains in the forms of Slack (blocks) and Teams (an adaptive card).

What does not fit is left out and counted. Pure.

Source: Slack's reference of Block Kit (50 blocks, 3,000 characters a section, 150 a
header); https://github.com/slackapi/bolt-js/issues/2509 (all texts together: about
12,000 characters, above which a message is refused); Microsoft's "Create an Incoming
Webhook" (28 KB a message), adaptivecards.io (schema 1.4).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any

from ctmonitor.alerts.own import Told, told
from ctmonitor.model.own import Severity

_SLACK_HEADER = 150
_SLACK_TEXT = 2_900
_SLACK_TOGETHER = 9_000
_TEAMS_BYTES = 24_000  # for the lines; subject, facts and link take no 3,000
_TEAMS_FACTS_BYTES = 2_000
_LAST_LINE = 100

_TEAMS_COLOURS = {
    Severity.INFO: "Default",
    Severity.MEDIUM: "Accent",
    Severity.HIGH: "Warning",
    Severity.CRITICAL: "Attention",
}


def slack(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The body for a Slack webhook; raises as `own.told` does."""
    shown = told(payload)
    facts = [f"{label}: {value}" for label, value in shown.facts]
    room = _SLACK_TOGETHER - sum(map(len, facts))
    sections = [
        {"type": "section", "text": _plain(text)}
        for lines in (_fitting(shown, room, len), facts)
        for text in _joined(lines)
    ]
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(shown.subject[:_SLACK_HEADER])},
        *sections,
    ]
    if shown.link:
        link = f"<{_escaped(shown.link)}>"
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": link}})
    context = _plain(f"id {shown.id}")
    blocks.append({"type": "context", "elements": [context]})
    return {"text": _escaped(shown.subject), "blocks": blocks}


def teams(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The body for a webhook or workflow of Teams; raises as `own.told` does."""
    shown = told(payload)
    facts: list[dict[str, str]] = []
    room = _TEAMS_FACTS_BYTES
    for label, value in shown.facts:
        fact = {"title": label, "value": value}
        room -= _size(fact)
        if room < 0:  # ids and names in full stand in the report
            break
        facts.append(fact)
    body: list[dict[str, Any]] = [
        {
            **_block(shown.subject),
            "weight": "Bolder",
            "size": "Medium",
            "color": _TEAMS_COLOURS[shown.severity],
        },
        *map(_block, _fitting(shown, _TEAMS_BYTES, lambda line: _size(_block(line)))),
    ]
    if facts:
        body.append({"type": "FactSet", "facts": facts})
    body.append({**_block(f"id {shown.id}"), "isSubtle": True, "size": "Small"})
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "msteams": {"width": "Full"},
    }
    if shown.link:
        title = "Open the certificate"
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": title, "url": shown.link}
        ]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _fitting(shown: Told, room: int, size: Callable[[str], int]) -> list[str]:
    """Its statements; the brief ones, or the first of them, where room is short."""
    ways = [way for way in (shown.statements, shown.brief) if way]
    for lines in ways:
        if sum(size(line) + 1 for line in lines) <= room:
            return list(lines)
    lines = ways[-1]
    ends = accumulate(size(line) + 1 for line in lines)
    kept = sum(1 for end in ends if end <= room - _LAST_LINE)
    left = len(lines) - kept
    return [*lines[:kept], f"and {left} more lines; watchdomains.py --list has all"]


def _joined(lines: Iterable[str]) -> list[str]:
    """Whole lines, as few texts as Slack takes; a line is shorter than that."""
    texts: list[str] = []
    for line in lines:
        if texts and len(texts[-1]) + 1 + len(line) <= _SLACK_TEXT:
            texts[-1] += f"\n{line}"
        else:
            texts.append(line)
    return texts


def _plain(text: str) -> dict[str, Any]:
    """A text in which Slack finds no link, mention or mark."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _block(text: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, "spacing": "Small"}


def _size(value: Mapping[str, Any]) -> int:
    """Bytes of it in a body, with a comma and a space."""
    return len(json.dumps(value)) + 2
