"""A sighting with a verdict, what the store made of it, and what a query gives back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ctmonitor.model.batch import Sighting
from ctmonitor.model.verdict import Reason, Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """A sighting of which at least one name is to be stored and told."""

    sighting: Sighting
    verdict: Verdict


class Novelty(StrEnum):
    """What a host name was to the store."""

    NEW = "new"  # never seen: told
    FOLLOWED_AGAIN = "followed again"  # was marked `Stop checking`: told
    KNOWN = "known"  # a further issuance: recorded, not told


@dataclass(frozen=True, slots=True)
class Recorded:
    """One host of one finding, after its transaction was committed."""

    host: str  # as stored
    novelty: Novelty
    finding: Finding


@dataclass(frozen=True, slots=True)
class Host:
    """
    A row of the promised table; times as stored, UTC text without zone.

    `still_investig` is None or empty while the host is followed, else the time it came
    up, or `Stop checking on 2019-09-27`.
    """

    domain: str
    san: str
    issuer: str
    fingerprint: str
    startime: str
    first_seen: str
    still_investig: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Where and when an issuance, or a host of a domains-only feed, was seen."""

    feed: str
    log: str
    log_name: str
    index: int | None
    entry_type: str
    link: str
    seen: datetime | None
    logged: datetime | None


@dataclass(frozen=True, slots=True)
class Issuance:
    """A stored issuance with its names and sightings."""

    identity: str
    issuer: str
    serial: str  # hex, empty when not known
    not_before: str | None
    not_after: str | None
    sha1: str
    sha256: str
    names: tuple[str, ...]
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class HostDetail:
    """All the store knows of one host; empty lists in a database of the old program."""

    host: Host
    reasons: tuple[Reason, ...]
    issuances: tuple[Issuance, ...]
    seen: tuple[Seen, ...]  # sightings without a certificate (domains-only feeds)
