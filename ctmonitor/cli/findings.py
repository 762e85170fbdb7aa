"""How a finding is written: the promised line, and a JSON object."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ctmonitor.model.batch import Sighting
from ctmonitor.model.clock import utc_text
from ctmonitor.model.finding import Recorded
from ctmonitor.model.text import printable

# A certificate may have thousands of names; the store has them all.
_NAMES_SHOWN = 100


def line(recorded: Recorded, now: datetime) -> str:
    """
    `[<local time>] <host> (SAN: a,b) (Issuer: ...) (Fingerprint: ...) (StartTime: ...)`

    Args:
        now: the present time, in the zone in which it is to be shown.
    """
    sighting = recorded.finding.sighting
    certificate = sighting.certificate
    issuer = certificate.issuer_dn if certificate else ""
    fingerprint = certificate.fingerprint if certificate else ""
    start = utc_text(certificate.not_before) if certificate else None
    return (
        f"[{now.replace(microsecond=0, tzinfo=None).isoformat()}] {recorded.host} "
        f"(SAN: {_joined(sighting.names)}) (Issuer: {printable(issuer)}) "
        f"(Fingerprint: {fingerprint}) (StartTime: {start or ''})"
    )


def _joined(names: Sequence[str]) -> str:
    shown = ",".join(printable(name) for name in names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown},... ({more} more)" if more > 0 else shown


def as_object(recorded: Recorded, now: datetime) -> dict[str, Any]:
    """The finding for programs; times in UTC with zone, absent values null or empty."""
    sighting = recorded.finding.sighting
    matched = recorded.finding.verdict.findings
    return {
        "time": _zoned(now),
        "host": recorded.host,
        "novelty": recorded.novelty.value,
        "matches": [
            {
                "name": printable(verdict.name),
                "score": verdict.score,
                "brand": verdict.brand,
                "registrable_domain": verdict.registrable,
                "reasons": [
                    {
                        "rule": printable(reason.rule),
                        "kind": reason.kind,
                        "weight": reason.weight,
                        "brand": reason.brand,
                    }
                    for reason in verdict.reasons
                ],
            }
            for verdict in matched
        ],
        "names": [printable(name) for name in sighting.names],
        **_of_certificate(sighting),
        "feed": sighting.feed,
        "log": sighting.log,
        "index": sighting.index,
        "entry_type": sighting.entry_type,
        "link": sighting.link,
        "seen": _zoned(sighting.seen),
    }


def _of_certificate(sighting: Sighting) -> dict[str, Any]:
    certificate = sighting.certificate
    if certificate is None:
        return {}
    return {
        "issuer": printable(certificate.issuer_dn),
        "serial": f"{certificate.serial:x}" if certificate.serial is not None else "",
        "not_before": _zoned(certificate.not_before),
        "not_after": _zoned(certificate.not_after),
        "fingerprint_sha1": certificate.sha1,
        "fingerprint_sha256": certificate.sha256,
    }


def _zoned(moment: datetime | None) -> str | None:
    text = utc_text(moment)
    return None if text is None else f"{text}Z"
