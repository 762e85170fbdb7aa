"""Hosts to be visited, and visits, for the tests of the scanner's tables."""

from datetime import datetime, timedelta
from typing import Any

from ctmonitor.model.followup import Channel, DueHost, HostState, OutboxItem, Visit
from ctmonitor.model.site import Dns, DnsState, Presence, SiteReport
from tests.unit.store.making import NOON, TABLE, Place, finding

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def record(place: Place, *hosts: str, at: datetime = NOON) -> None:
    """Hosts as our daemon writes them."""
    with place.open(now=lambda: at) as store:
        store.record([finding(host) for host in hosts])


def insert_as_old(
    place: Place, host: str, state: str | None = None, first_seen: str | None = None
) -> None:
    """A host as the old program writes it: without the column of ours."""
    place.sql(
        f'INSERT INTO "{TABLE}" ("Domain", "Fingerprint", "FirstSeen", '  # noqa: S608 - ours
        '"StillInvestig") VALUES (:host, :fingerprint, :first_seen, :state)',
        host=host,
        fingerprint="AA:BB",
        first_seen=first_seen or "2026-11-20T12:00:00",
        state=state,
    )


def states(place: Place) -> dict[str, str | None]:
    """StillInvestig by host."""
    return dict(place.sql(f'SELECT "Domain", "StillInvestig" FROM "{TABLE}"'))  # noqa: S608 - ours


def visit(
    host: DueHost | str,
    at: datetime = NOON,
    presence: Presence = Presence.DOWN,
    again: datetime | None = None,
    **more: Any,
) -> Visit:
    """A visit to `host` that ended at `at`; the next is due at `again`."""
    domain = host if isinstance(host, str) else host.domain
    dns = Dns(DnsState.NXDOMAIN if presence is Presence.DOWN else DnsState.FOUND)
    report = SiteReport(domain, domain, at, at, presence, dns)
    state = HostState(presence=presence, last_visit=at, visits=1)
    return Visit(report, more.pop("state", state), again, **more)


def item(key: str, channel: Channel = Channel.NOTIFY, **more: Any) -> OutboxItem:
    """An alert under `key`."""
    return OutboxItem(key, channel, more.pop("payload", {"hostname": key}), **more)
