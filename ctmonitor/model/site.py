"""What a visit to a host found: names, addresses, page, certificate, enrichment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class DnsState(StrEnum):
    """What the name servers say of a host."""

    FOUND = "found"  # it has an address
    NXDOMAIN = "nxdomain"  # the name does not exist
    NO_ADDRESS = "no_address"  # it exists, with NS or MX perhaps, but no A or AAAA
    SERVFAIL = "servfail"  # nobody can tell now (also REFUSED and broken answers)
    TIMEOUT = "timeout"
    NOT_APPLICABLE = "not_applicable"  # the proxy resolves names; nothing was asked


class Presence(StrEnum):
    """Whether somebody answers under the name."""

    UP = "up"  # an HTTP answer of any status
    DOWN = "down"  # no such name, no address, or nobody answers
    UNKNOWN = "unknown"  # DNS failed, or we may not go there: neither up nor down


@dataclass(frozen=True, slots=True)
class Dns:
    """
    Answers of the name servers, in their order; names without trailing dot.

    Args:
        cnames: the chain from the host on, without the host itself.
        is_wildcard: a random name beside the host has the same addresses; None when
            that was not asked.
        detail: what went wrong, for people.
    """

    state: DnsState
    addresses: tuple[str, ...] = ()  # A, then AAAA
    cnames: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    mail_hosts: tuple[str, ...] = ()
    is_wildcard: bool | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Hop:
    """A redirect: where the site sent us, and whether we went there."""

    url: str
    status: int
    location: str  # as sent, bounded and printable
    is_followed: bool
    reason: str = ""  # why not


@dataclass(frozen=True, slots=True)
class ServedCertificate:
    """
    The certificate that the first TLS connection to the host brought.

    Args:
        problem: why a browser would refuse it; empty when it is trusted for the name.
    """

    sha1: str
    sha256: str
    tbs_sha256: str = ""
    subject_cn: str = ""
    issuer_dn: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """
    The answer at the end of the redirects.

    Args:
        title: one line, entities decoded, printable, at most 300 characters.
        body_sha256: of the first bytes of the body, as decoded from its encoding.
        favicon_mmh3: MurmurHash3 as Shodan users search it; None without favicon.
    """

    url: str
    status: int
    title: str = ""
    server: str = ""
    content_type: str = ""
    body_sha256: str = ""
    body_bytes: int = 0
    is_truncated: bool = False
    favicon_mmh3: int | None = None


class EnrichmentStatus(StrEnum):
    """How an enricher fared (E1)."""

    OK = "ok"
    ERROR = "error"
    RATE_LIMITED = "rate_limited"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What one enricher adds to a report; `data` holds JSON values only."""

    status: EnrichmentStatus
    detail: str = ""  # why it is not ok
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteReport:
    """
    One visit to one host.

    Args:
        host: the name as stored; visited: the name that was asked, which differs for
            a wildcard (`*.x.com` is visited as `x.com`).
        address: the address that answered; empty behind a proxy and when nobody did.
        reason: one sentence why it is not up.
        error: the short form for status lines, as `Connection error` or `SSL error`.
        url: what was asked first and answered, or asked last.
    """

    host: str
    visited: str
    started: datetime
    finished: datetime
    presence: Presence
    dns: Dns
    url: str = ""
    address: str = ""
    reason: str = ""
    error: str = ""
    page: Page | None = None
    hops: tuple[Hop, ...] = ()
    certificate: ServedCertificate | None = None
    enrichments: Mapping[str, Enrichment] = field(default_factory=dict)
