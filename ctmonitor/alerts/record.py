"""
The JSON alert: what is told of a host, for programs. Its keys are a promise.

The first eleven are those of CertStreamMonitor. docs/alert.schema.json describes all.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.finding import HostDetail, Issuance, Seen
from ctmonitor.model.followup import DueHost, EventKind
from ctmonitor.model.reasons import brand_of, score_of
from ctmonitor.model.site import Dns, Hop, Page, ServedCertificate, SiteReport
from ctmonitor.model.suffix import suffixes
from ctmonitor.model.text import shortened

SCHEMA_VERSION = 1

_LONGEST_TEXT = 4000  # addresses have up to 2,000 characters
_ESCAPED = re.compile(rb"[\\\x7f]")  # DEL is the one control that JSON leaves


def alert_record(
    report: SiteReport, host: DueHost, detail: HostDetail | None, event: EventKind
) -> dict[str, Any]:
    """
    The alert on one event, as JSON values; every text is printable and bounded.

    Args:
        detail: what the store knows of the host; None for a host that it does not have.
    """
    page = report.page
    network = _data(report, "asn")
    listed = _data(report, "safe_browsing")
    reasons = detail.reasons if detail else ()
    issuances = detail.issuances if detail else ()
    issuance = _issuance_of(host.fingerprint, issuances)
    sightings = [each for one in issuances for each in one.seen]
    sightings += detail.seen if detail else ()
    record = {
        "hostname": report.host,
        "http_code": page.status if page else None,
        "cert_serial_number": host.fingerprint
        or _with_colons(issuance.sha1 if issuance else ""),
        "webpage_title": page.title if page else None,
        "ip_addr": report.address or None,
        "asn": network.get("asn"),
        "asn_cidr": network.get("asn_cidr"),
        "asn_country_code": network.get("asn_country_code"),
        "asn_description": network.get("asn_description"),
        "asn_abuse_email": network.get("asn_abuse_email"),
        "safe_browsing_status": listed.get("answer"),
        "schema_version": SCHEMA_VERSION,
        "event": event.value,
        "presence": report.presence.value,
        "reason": report.reason,
        "visited": report.visited,
        "visited_at": _zulu(report.finished),
        "first_seen": _zulu(host.first_seen),
        "safe_browsing": listed.get("status", "not_checked"),
        "fingerprint_sha1": issuance.sha1 if issuance else "",
        "fingerprint_sha256": issuance.sha256 if issuance else "",
        "serial": issuance.serial if issuance else "",
        "issuer": _issuer(issuance, detail),
        "names": list(issuance.names) if issuance else _names(detail),
        "brand": brand_of(reasons),
        "score": score_of(reasons),
        "registrable_domain": registrable_domain(report.host),
        "reasons": [
            {
                "rule": one.rule,
                "kind": one.kind,
                "weight": one.weight,
                "brand": one.brand,
            }
            for one in reasons
        ],
        "seen_in": [_seen(one) for one in sightings],
        "dns": _dns(report.dns),
        "redirects": [_hop(hop) for hop in report.hops],
        "tls": _tls(report.certificate, issuances),
        "page": _page(page),
        "registration": _registration(_data(report, "domain")),
        "enrichment": {
            name: {"status": one.status.value, "detail": one.detail}
            for name, one in report.enrichments.items()
        },
    }
    return record if _is_plain(record) else _clean(record)


def registrable_domain(host: str) -> str:
    """The domain (eTLD+1) below which `host` lies; empty where there is none."""
    labels = host.removeprefix("*.").split(".")
    if labels[-1].isdecimal() or not all(labels):
        return ""  # an address, or no host name
    at = suffixes().split(labels).at - 1
    return ".".join(labels[at:]) if at >= 0 else ""


def _is_plain(record: Mapping[str, Any]) -> bool:
    """
    True for a record whose texts are all short, and printable ASCII, as most are.

    JSON writes all else with an escape; to look for one takes a tenth of the time that
    it takes to look at each text.
    """
    try:
        written = msgspec.json.encode(record)
    except UnicodeEncodeError:  # a lone surrogate
        return False
    is_short = len(written) <= _LONGEST_TEXT
    return is_short and written.isascii() and not _ESCAPED.search(written)


def _data(report: SiteReport, enricher: str) -> Mapping[str, Any]:
    enrichment = report.enrichments.get(enricher)
    return enrichment.data if enrichment else {}


def _zulu(moment: datetime | None) -> str | None:
    text = utc_text(moment)
    return f"{text}Z" if text else None


def _issuance_of(fingerprint: str, issuances: Sequence[Issuance]) -> Issuance | None:
    """The one that the promised table shows; else the first, None without any."""
    digest = fingerprint.replace(":", "").lower()
    shown = [one for one in issuances if digest and one.sha1 == digest]
    return next(iter([*shown, *issuances]), None)


def _with_colons(digest: str) -> str:
    """Hex as the promised table has it."""
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2)).upper()


def _issuer(issuance: Issuance | None, detail: HostDetail | None) -> str:
    if issuance and issuance.issuer:
        return issuance.issuer
    return detail.host.issuer if detail else ""


def _names(detail: HostDetail | None) -> list[str]:
    """Of a host of the old program, or of a feed that sends names alone."""
    listed = detail.host.san.split(",") if detail else []
    return [name.strip() for name in listed if name.strip()]


def _seen(seen: Seen) -> dict[str, Any]:
    return {
        "feed": seen.feed,
        "log": seen.log,
        "log_name": seen.log_name,
        "index": seen.index,
        "entry_type": seen.entry_type,
        "link": seen.link,
        "seen_at": _zulu(seen.seen),
        "logged_at": _zulu(seen.logged),
    }


def _dns(dns: Dns) -> dict[str, Any]:
    return {
        "state": dns.state.value,
        "addresses": list(dns.addresses),
        "cnames": list(dns.cnames),
        "nameservers": list(dns.nameservers),
        "mail_hosts": list(dns.mail_hosts),
        "is_wildcard": dns.is_wildcard,
        "detail": dns.detail,
    }


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        "url": hop.url,
        "status": hop.status,
        "location": hop.location,
        "is_followed": hop.is_followed,
        "reason": hop.reason,
    }


def _tls(
    served: ServedCertificate | None, issuances: Sequence[Issuance]
) -> dict[str, Any] | None:
    if served is None:
        return None
    return {
        "sha1": served.sha1,
        "sha256": served.sha256,
        "subject": served.subject_cn,
        "issuer": served.issuer_dn,
        "names": list(served.names),
        "not_before": _zulu(served.not_before),
        "not_after": _zulu(served.not_after),
        "problem": served.problem,
        "in_ct": _is_in_ct(served, issuances),
    }


def _is_in_ct(served: ServedCertificate, issuances: Sequence[Issuance]) -> bool | None:
    """
    Whether the served certificate is one that was seen; None when that is not known.

    Feeds often show the precertificate, whose hashes differ from those of what is
    served. What both have in common is the TBSCertificate, so only where every
    issuance is known by that, nothing equal means that there is none.
    """
    identity = f"tbs:{served.tbs_sha256}"
    for one in issuances:
        if (
            (served.tbs_sha256 and one.identity == identity)
            or (served.sha256 and one.sha256 == served.sha256)
            or (served.sha1 and one.sha1 == served.sha1)
        ):
            return True
    is_comparable = served.tbs_sha256 and issuances
    if is_comparable and all(one.identity.startswith("tbs:") for one in issuances):
        return False
    return None


def _page(page: Page | None) -> dict[str, Any] | None:
    if page is None:
        return None
    return {
        "url": page.url,
        "server": page.server,
        "content_type": page.content_type,
        "body_sha256": page.body_sha256,
        "body_bytes": page.body_bytes,
        "is_truncated": page.is_truncated,
        "favicon_mmh3": page.favicon_mmh3,
    }


def _registration(data: Mapping[str, Any]) -> dict[str, Any] | None:
    if not data:
        return None
    return {
        "domain": data.get("domain"),
        "registered": _zulu(from_utc_text(data.get("registered"))),
        "expires": _zulu(from_utc_text(data.get("expires"))),
        "registrar": data.get("registrar"),
        "registrar_abuse_email": data.get("registrar_abuse_email"),
    }


def _clean(value: Any) -> Any:
    """`value` with every text in it printable and bounded; its keys are ours."""
    if isinstance(value, str):
        return shortened(value, _LONGEST_TEXT)
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value
