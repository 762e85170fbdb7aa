"""Alerts on own domains for the tests, and the payloads of their messages."""

from dataclasses import replace
from typing import Any

from ctmonitor.model.own import SEVERITIES, AlertType, OwnAlert
from ctmonitor.watch.telling import messages

DOMAIN = "example.com"


def own_alert(
    kind: AlertType = AlertType.UNAUTHORIZED_CA, number: int = 1, **more: Any
) -> OwnAlert:
    """An alert; each number has its own certificate."""
    found = OwnAlert(
        id=f"{list(AlertType).index(kind):04x}{number:012x}",
        type=kind,
        severity=SEVERITIES[kind],
        domain=DOMAIN,
        first_seen="2026-11-21T14:00:00",
        names=[f"h{number}.example.com", f"*.dev{number}.example.com"],
        certificate=f"certificate {number}",
        serial="4d2",
        issuer="C=US, O=Evil CA, CN=Evil CA R1",
        not_before="2026-11-21T10:00:00",
        not_after="2027-02-19T10:00:00",
        source="crtsh",
        link=f"https://crt.sh/?id={number}",
        summary=f"{kind} for h{number}.example.com",
        next_step="Ask who ordered it.",
    )
    return replace(found, **more)


def payload(*alerts: OwnAlert) -> dict[str, Any]:
    """The one message of these alerts."""
    (made,) = messages(alerts or [own_alert()])
    return made


def payloads(count: int) -> list[dict[str, Any]]:
    return [payload(own_alert(number=number)) for number in range(1, count + 1)]
