"""
Notifications of hosts that were found, before anybody has visited them.

The alert is the one of a visit, with the event `found` and without what only a visit
can tell. Files and hooks are for sites, and get none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any

from ctmonitor.alerts.record import alert_record
from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.clock import utc_text
from ctmonitor.model.finding import Finding, Host, HostDetail, Issuance, Recorded, Seen
from ctmonitor.model.followup import (
    Channel,
    DueHost,
    EventKind,
    HostState,
    OutboxItem,
    alarm_of,
)
from ctmonitor.model.name import host_key
from ctmonitor.model.site import Dns, DnsState, Presence, SiteReport
from ctmonitor.model.text import bounded
from ctmonitor.model.verdict import Reason

_NOT_VISITED = "not visited yet"
# Names in the alerts of one finding, all together: each of its hosts has an alert, and
# a certificate may have 10,000 names that all match.
_MOST_NAMES = 100_000
_FEWEST_NAMES = 20


def found_items(
    told: Sequence[Recorded], at: datetime, destinations: Sequence[int]
) -> Iterator[OutboxItem]:
    """
    A notification of each host for each destination.

    Args:
        told: hosts that are new or followed again; those of a finding in a row.
        at: when they were stored.
        destinations: the places of those that are told, in the settings.
    """
    for _, group in groupby(told, key=lambda each: id(each.finding)):
        hosts = list(group)
        finding = hosts[0].finding
        reasons = _reasons(finding)
        known = _detail(finding.sighting, max(_FEWEST_NAMES, _MOST_NAMES // len(hosts)))
        for each in hosts:
            detail = replace(known, reasons=reasons[each.host])
            alert = _alert(each.host, finding.sighting.certificate, detail, at)
            for number in destinations:
                key = f"{each.host}:{alert['event']}:{utc_text(at)}:notify:{number}"
                yield OutboxItem(
                    key, Channel.NOTIFY, alert, str(number), alarm=alarm_of(alert)
                )


def _reasons(finding: Finding) -> dict[str, tuple[Reason, ...]]:
    """By host, as stored; each rule once, though two spellings of a name may match."""
    reasons: dict[str, dict[Reason, None]] = {}
    for verdict in finding.verdict.findings:
        known = reasons.setdefault(host_key(verdict.name), {})
        known.update(dict.fromkeys(verdict.reasons))
    return {host: tuple(known) for host, known in reasons.items()}


def _alert(
    host: str, certificate: Certificate | None, detail: HostDetail, at: datetime
) -> dict[str, Any]:
    report = SiteReport(
        host=host,
        visited="",
        started=at,
        finished=at,
        presence=Presence.UNKNOWN,
        dns=Dns(DnsState.NOT_APPLICABLE, detail=_NOT_VISITED),
        reason=_NOT_VISITED,
    )
    due = DueHost(
        domain=host,
        fingerprint=certificate.fingerprint if certificate else "",
        first_seen=at,
        still_investig=None,
        state=HostState(),
    )
    alert = alert_record(report, due, detail, EventKind.FOUND)
    return alert | {"visited_at": None}


def _detail(sighting: Sighting, most_names: int) -> HostDetail:
    """What the store will know, but for reasons, host and all its other sightings."""
    names = tuple(dict.fromkeys(map(host_key, sighting.names[:most_names])))
    seen = (_seen(sighting),)
    row = Host("", ",".join(names), "", "", "", "", None)
    if sighting.certificate is None:
        return HostDetail(row, (), (), seen)
    return HostDetail(row, (), (_issuance(sighting.certificate, names, seen),), ())


def _issuance(
    certificate: Certificate, names: tuple[str, ...], seen: tuple[Seen, ...]
) -> Issuance:
    serial = certificate.serial
    return Issuance(
        identity=certificate.identity,
        issuer=certificate.issuer_dn,
        serial="" if serial is None else bounded(f"{serial:x}"),
        not_before=utc_text(certificate.not_before),
        not_after=utc_text(certificate.not_after),
        sha1=certificate.sha1,
        sha256=certificate.sha256,
        names=names,
        seen=seen,
    )


def _seen(sighting: Sighting) -> Seen:
    return Seen(
        feed=sighting.feed,
        log=sighting.log,
        log_name=sighting.log_name,
        index=sighting.index,
        entry_type=sighting.entry_type,
        link=sighting.link,
        seen=sighting.seen,
        logged=sighting.logged,
    )
