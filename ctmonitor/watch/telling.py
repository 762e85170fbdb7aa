"""
What is told of own domains: alerts put together to messages, and messages to items of
the outbox.

All alerts of one certificate are one message. A list in a message is bounded, and its
whole length stands beside it. That many messages are told in one is the sender's part:
it sees those of all domains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ctmonitor.alerts.own import KIND
from ctmonitor.model.followup import Channel, OutboxItem
from ctmonitor.model.own import AlertType, OwnAlert, Severity

_MOST_ALERTS = 100  # of a message: a certificate may bring 10,000 new names
_MOST_NAMES = 500
_FEWEST = 5

_SEVERITIES = {severity: rank for rank, severity in enumerate(Severity)}
_TYPES = {kind: rank for rank, kind in enumerate(AlertType)}
_CERTIFICATE = ("issuer", "not_before", "not_after", "serial", "link", "source")


def messages(alerts: Sequence[OwnAlert]) -> list[dict[str, Any]]:
    """
    A payload for each certificate, in the order of its first alert; one for each alert
    that is of no certificate. What was there before anybody watched is not told.
    """
    groups: dict[tuple[str, str], list[OwnAlert]] = {}
    for alert in alerts:
        if not alert.is_baseline:
            key = (alert.domain, alert.certificate or alert.id)
            groups.setdefault(key, []).append(alert)
    return [_message(group) for group in groups.values()]


def items(
    payloads: Sequence[Mapping[str, Any]],
    *,
    destinations: Sequence[int],
    webhook: bool,
    mail: Sequence[str],
) -> list[OutboxItem]:
    """
    What is put into the outbox, for each message and each way that it leaves by.

    Args:
        payloads: of `messages`.
        destinations: the places of those that are told, in the settings.
        mail: mail addresses; each is noted by itself, since one may be refused.
    """
    result: list[OutboxItem] = []
    for payload in payloads:
        key = f"own:{payload['id']}"
        for number in destinations:
            item = f"{key}:notify:{number}"
            result.append(OutboxItem(item, Channel.NOTIFY, payload, str(number)))
        if webhook:
            result.append(OutboxItem(f"{key}:webhook", Channel.WEBHOOK, payload))
        for address in mail:
            item = f"{key}:mail:{address}"
            result.append(OutboxItem(item, Channel.MAIL, payload, address))
    return result


def _message(alerts: Sequence[OwnAlert]) -> dict[str, Any]:
    """
    The payload of one message.

    Its id is that of its worst alert: no alert is told twice, so no other message has
    it, and the same alerts found again are the same message.
    """
    # Of each type the first ones: the types that are told are all named.
    ordered = sorted(
        alerts, key=lambda one: (-_SEVERITIES[one.severity], _TYPES[one.type], one.id)
    )
    worst = ordered[0]
    # Those of the certificate, where an alert is on more than a name of it.
    whole = [one for one in ordered if one.type is not AlertType.NEW_SUBDOMAIN]
    names = list(dict.fromkeys(n for one in whole or ordered for n in one.names))
    known = {
        key: next(filter(None, (getattr(one, key) for one in ordered)), "")
        for key in _CERTIFICATE
    }
    firsts = {one.type: one for one in reversed(ordered)}
    others = [one for one in ordered if firsts[one.type] is not one]
    kept = {one.id for one in [*firsts.values(), *others][:_MOST_ALERTS]}
    # They stand in the message; 500 in each of 100 alerts would be too many.
    most = max(_FEWEST, _MOST_NAMES // len(kept))
    return {
        "kind": KIND,
        "id": worst.id,
        "domain": worst.domain,
        "severity": worst.severity.value,
        "types": list(dict.fromkeys(one.type.value for one in ordered)),
        "names": names[:_MOST_NAMES],
        "names_total": len(names),
        **known,
        "first_seen": min(one.first_seen for one in ordered),
        "alerts": [_alert(one, most) for one in ordered if one.id in kept],
        "alerts_total": len(ordered),
    }


def _alert(alert: OwnAlert, most_names: int) -> dict[str, Any]:
    return asdict(alert) | {
        "type": alert.type.value,
        "severity": alert.severity.value,
        "names": alert.names[:most_names],
        "names_total": len(alert.names),
    }
