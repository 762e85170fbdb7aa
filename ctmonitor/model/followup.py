"""What is remembered of a followed host between visits, and what is told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from ctmonitor.model.site import Presence, SiteReport


@dataclass(frozen=True, slots=True)
class HostState:
    """
    The memory of a host's visits.

    Args:
        presence: what is believed: a change counts after two agreeing observations.
        pending: a presence that one observation differed to; None without.
        first_up: when it first came up; told at once.
        visits: number of visits so far.
        content: SHA-256 of what was served when it last answered.
    """

    presence: Presence = Presence.UNKNOWN
    pending: Presence | None = None
    first_up: datetime | None = None
    last_visit: datetime | None = None
    visits: int = 0
    content: str = ""


@dataclass(frozen=True, slots=True)
class DueHost:
    """A host that this scanner alone visits now, until its lease ends."""

    domain: str
    fingerprint: str
    first_seen: datetime | None
    still_investig: str | None
    state: HostState


class EventKind(StrEnum):
    """What is told of a host: that it was found, or what a visit showed that is new."""

    FOUND = "found"  # in a certificate; told by the daemon, before any visit
    UP = "up"  # for the first time
    DOWN = "down"
    BACK = "back"
    CHANGED = "changed"  # other content


class Channel(StrEnum):
    """Ways in which an alert leaves the house."""

    FILE = "file"  # a JSON file under Alerts_dir
    NOTIFY = "notify"  # Apprise
    HOOK = "hook"  # a program of the operator's
    WEBHOOK = "webhook"  # of own domains: an address that takes JSON
    MAIL = "mail"  # of own domains


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """
    One alert on one channel, until it was delivered.

    Args:
        key: alert and channel; told again under the same key it is one item.
        payload: the JSON alert.
        destination: for NOTIFY the index of the destination in the settings, as text.
        alarm: messages to a destination with the same one are told together, at most
            once a day (UTC); empty for one that is told by itself.
    """

    key: str
    channel: Channel
    payload: Mapping[str, Any]
    destination: str = ""
    id: int = 0  # given by the store
    attempts: int = 0
    alarm: str = ""


def alarm_of(alert: Mapping[str, Any]) -> str:
    """
    What the message of an alert is told together with, for `OutboxItem.alarm`.

    Look-alikes of one brand below one registrable domain are one alarm when they are
    found, and another one when they come up. Everything else is told by itself.
    """
    brand, event = alert.get("brand"), alert.get("event")
    if not brand or event not in (EventKind.FOUND, EventKind.UP):
        return ""
    return f"{event}:{alert['registrable_domain'] or alert['hostname']}:{brand}"


@dataclass(frozen=True, slots=True)
class Visit:
    """
    A finished visit, to be stored in one transaction.

    Args:
        state: after this visit; next_visit: None when the host is not followed on.
        still_investig: the new value of the promised column; None leaves it.
        events: what goes into the history.
        outbox: what is to be sent.
    """

    report: SiteReport
    state: HostState
    next_visit: datetime | None
    still_investig: str | None = None
    events: tuple[EventKind, ...] = ()
    outbox: tuple[OutboxItem, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)  # kept in the history
