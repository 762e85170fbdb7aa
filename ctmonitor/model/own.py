"""
Own domains: what is known of each certificate for one, and what is told of it.

All that is remembered of one watched domain is a `DomainState`, which a state store
keeps as one document. Times are UTC text to the second (`2026-11-21T14:00:00`), which
sorts; hex is lower case without separators; what is not known is empty or None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class OwnSource(StrEnum):
    """Who tells us of certificates."""

    CRTSH = "crtsh"
    CERTSPOTTER = "certspotter"
    LOGS = "logs"  # sightings of our own daemon, from feed and logs


class Severity(StrEnum):
    """How bad it is; in rising order."""

    INFO = "info"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class AlertType(StrEnum):
    """What is told of a watched domain."""

    NEW_CERTIFICATE = "new_certificate"
    UNAUTHORIZED_CA = "unauthorized_ca"
    NEW_SUBDOMAIN = "new_subdomain"
    WILDCARD_CERTIFICATE = "wildcard_certificate"
    SHORT_LIVED_CERTIFICATE = "short_lived_certificate"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    CAA_VIOLATION = "caa_violation"
    UNKNOWN_KEY = "unknown_key"
    REVOKED = "revoked"
    TYPOSQUAT_DETECTED = "typosquat_detected"
    STATE_LOST = "state_lost"


@dataclass(frozen=True, slots=True)
class Issuer:
    """
    Who issued a certificate.

    Args:
        dn: as the source spells it.
        identity: C, O and CN, folded; see `certificate.issuer_identity`.
        organisation: O, as spelled; the CN where there is none.
        ca_id: of crt.sh.
        caa_domains: identifiers that a CAA record may name; None when not known.
        contact: how to report a problem to it, as Cert Spotter tells it.
    """

    dn: str = ""
    identity: str = ""
    organisation: str = ""
    ca_id: int | None = None
    caa_domains: tuple[str, ...] | None = None
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What one source says of one certificate for one watched domain.

    Args:
        ids: of this source: crt.sh ids, the Cert Spotter id, `log:index`.
        names: host names in the watched domain, A-labels in lower case; a wildcard
            begins with `*.`. At least one.
        all_names: every name that the source gives, as evidence, bounded.
        serial: hex without leading zeros.
        tbs_sha256: without poison and SCT list; cert_sha256: of the DER.
        key_sha256: of the SubjectPublicKeyInfo.
        logged: when a log first had it.
        is_revoked: None when the source does not know.
        link: where a person sees the certificate.
    """

    source: OwnSource
    names: tuple[str, ...]
    ids: tuple[str, ...] = ()
    all_names: tuple[str, ...] = ()
    issuer: Issuer = Issuer()
    serial: str = ""
    tbs_sha256: str = ""
    cert_sha256: str = ""
    key_sha256: str = ""
    not_before: str = ""
    not_after: str = ""
    logged: str = ""
    is_revoked: bool | None = None
    link: str = ""


@dataclass(slots=True)
class SeenBy:
    """When a source first told us of a certificate, and what it calls it."""

    first_seen: str
    ids: list[str] = field(default_factory=list)
    link: str = ""


@dataclass(slots=True)
class OwnCertificate:
    """
    One issuance for a watched domain: precertificate and certificate, of all sources.

    Args:
        id: hex, given at first sight and kept whatever is learned later.
        is_baseline: it was there when its domain, or its source, was first asked, so
            nothing is told of its coming.
        names, all_names, serial, ...: as in `Claim`.
    """

    id: str
    first_seen: str
    names: list[str]
    issuer: Issuer
    all_names: list[str] = field(default_factory=list)
    serial: str = ""
    tbs_sha256: str = ""
    cert_sha256: str = ""
    key_sha256: str = ""
    not_before: str = ""
    not_after: str = ""
    logged: str = ""
    is_revoked: bool | None = None
    is_baseline: bool = False
    seen_by: dict[OwnSource, SeenBy] = field(default_factory=dict)


@dataclass(slots=True)
class OwnName:
    """
    A name below a watched domain (`*.dev.x` is the name `dev.x`).

    Args:
        checked: when DNS was asked last; empty: never.
        addresses: A and AAAA; cname: the chain's first target.
        is_dangling: its CNAME leads to a name that does not exist.
        dns: `DnsState` of that answer; empty: not asked.
    """

    first_seen: str
    checked: str = ""
    dns: str = ""
    addresses: list[str] = field(default_factory=list)
    cname: str = ""
    is_dangling: bool = False


@dataclass(slots=True)
class OwnAlert:
    """
    One thing that is wrong, or new, with a watched domain.

    Args:
        id: 16 hex digits, the same whenever the same thing is found again.
        certificate: `OwnCertificate.id`; empty for none.
        source: that told of it first.
        summary: one sentence for people; next_step: what a defender does now.
        detail: what only this type has, as `{"days_left": 12}`.
        acknowledged: when; empty: not yet.
        is_baseline: found in what was there at the first run: listed, not told.
    """

    id: str
    type: AlertType
    severity: Severity
    domain: str
    first_seen: str
    names: list[str] = field(default_factory=list)
    certificate: str = ""
    serial: str = ""
    issuer: str = ""
    not_before: str = ""
    not_after: str = ""
    source: str = ""
    link: str = ""
    summary: str = ""
    next_step: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    acknowledged: str = ""
    is_baseline: bool = False


@dataclass(slots=True)
class Mark:
    """
    How far a source was read for a domain.

    Args:
        position: the last id of Cert Spotter, the last sighting of the daemon; else
            empty.
        since: when the source was first read for this domain: what it had then is
            baseline.
        is_full: the baseline held expired certificates as well.
        asked: the last complete answer; reread: the last reading from the beginning.
        rereading: how far such a reading came that a limit ended; else empty.
    """

    position: str = ""
    since: str = ""
    is_full: bool = True
    asked: str = ""
    reread: str = ""
    rereading: str = ""


@dataclass(slots=True)
class Typosquat:
    """
    A permutation of a watched domain.

    Args:
        kind: of dnstwist: omission, homoglyph, ...
        is_registered: None when it is not known.
        asked: when a source was asked for certificates last; empty: never.
        checked: when name servers were asked last; empty: never.
        failed: when a source had no answer for it last, where none came since.
    """

    kind: str
    is_registered: bool | None = None
    asked: str = ""
    certificates: list[OwnCertificate] = field(default_factory=list)
    checked: str = ""
    failed: str = ""


@dataclass(slots=True)
class DomainState:
    """
    All that is remembered of one watched domain.

    Args:
        since: when it was first watched; empty before its first complete reading.
        marks: by source.
        wildcards: name sets and organisations that a wildcard was told for.
        pending: messages on their way, where no outbox of a database holds them.
    """

    domain: str
    version: int = 1
    since: str = ""
    marks: dict[OwnSource, Mark] = field(default_factory=dict)
    certificates: list[OwnCertificate] = field(default_factory=list)
    names: dict[str, OwnName] = field(default_factory=dict)
    alerts: list[OwnAlert] = field(default_factory=list)
    wildcards: list[str] = field(default_factory=list)
    typosquats: dict[str, Typosquat] = field(default_factory=dict)
    pending: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Authority:
    """
    A CA that may issue for us.

    Args:
        organisation: O of the issuer, compared exactly; empty for none.
        ca_id: of crt.sh; None for none. One of both is enough to match.
        domain: for this domain alone; empty for all.
    """

    organisation: str = ""
    ca_id: int | None = None
    domain: str = ""


@dataclass(slots=True)
class SharedState:
    """
    What all watched domains share.

    Args:
        authorities: added by --add-ca and --auto-baseline.
        queries: when Cert Spotter was asked in the last hour.
        asked: when each domain was asked for last; what waited longest comes first.
    """

    version: int = 1
    authorities: list[Authority] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OwnSighting:
    """
    A certificate for a watched domain, as the daemon saw it in a feed or log.

    Args:
        domain: the watched one; claim: with source LOGS.
        number: in the order of recording, from 1; 0 before.
    """

    domain: str
    claim: Claim
    number: int = 0


SEVERITIES: Mapping[AlertType, Severity] = {
    AlertType.NEW_CERTIFICATE: Severity.INFO,
    AlertType.UNAUTHORIZED_CA: Severity.CRITICAL,
    AlertType.NEW_SUBDOMAIN: Severity.MEDIUM,
    AlertType.WILDCARD_CERTIFICATE: Severity.HIGH,
    AlertType.SHORT_LIVED_CERTIFICATE: Severity.HIGH,
    AlertType.CERTIFICATE_EXPIRING: Severity.MEDIUM,  # high when 7 days are left
    AlertType.CAA_VIOLATION: Severity.HIGH,
    AlertType.UNKNOWN_KEY: Severity.HIGH,
    AlertType.REVOKED: Severity.MEDIUM,
    AlertType.TYPOSQUAT_DETECTED: Severity.HIGH,
    AlertType.STATE_LOST: Severity.HIGH,
}
