"""
Findings as rows: what of a stranger's text is stored, and under which keys. No I/O.

Every text passes `printable`, so that each database can hold it and each terminal can
show it, and has a limit: PostgreSQL refuses keys above 2,704 bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from ctmonitor.model.batch import Gap, Malformed, Sighting
from ctmonitor.model.clock import utc_text
from ctmonitor.model.finding import Finding
from ctmonitor.model.name import host_key
from ctmonitor.model.text import bounded, printable
from ctmonitor.model.verdict import Reason
from ctmonitor.store.schema import NO_HOST, NO_INDEX, NO_ISSUANCE, moment_text

Row = tuple[Any, ...]  # a value for each column, in the order of `schema`
Issued = tuple[str, str, str]  # the columns Issuer, Fingerprint, Startime

_MAX_INTEGER = 2**63 - 1
_MAX_ADDRESS = 250  # a key of ctm_seen has two of them
_MAX_WORD = 30
# A certificate with 10,000 names that all match would make 10,000 rows with 10,000
# names each; then each row holds the first names only. ctm_issuance_name has all.
_MAX_SAN_OF_SIGHTING = 4_000_000


@dataclass(slots=True)
class Told:
    """A finding by the hosts that it tells of, in its order and without doubles."""

    finding: Finding
    reasons: dict[str, tuple[Reason, ...]]  # by host, as stored

    @property
    def hosts(self) -> Iterable[str]:
        """The keys of its hosts."""
        return self.reasons.keys()


def told_of(findings: Sequence[Finding]) -> list[Told]:
    """The findings with their hosts under the names by which they are stored."""
    told = []
    for finding in findings:
        reasons: dict[str, tuple[Reason, ...]] = {}
        for verdict in finding.verdict.findings:
            host = host_key(verdict.name)
            reasons[host] = reasons.get(host, ()) + verdict.reasons
        told.append(Told(finding, reasons))
    return told


def promised_rows(told: Sequence[Told], now: datetime) -> dict[str, Row]:
    """By host, its row of the promised table in case that it is new; without number."""
    first_seen = utc_text(now)
    rows: dict[str, Row] = {}
    for each in told:
        sighting = each.finding.sighting
        issued = _issued(sighting)
        san: str | None = None
        for host in each.hosts:
            if host in rows:
                domain, first_san, *known, seen, state = rows[host]
                if (filled := filled_in(known, issued)) is not None:
                    rows[host] = (domain, first_san, *filled, seen, state)
                continue
            if san is None:
                san = _san(sighting.names, len(each.reasons))
            rows[host] = (host, san, *issued, first_seen, None)  # None: StillInvestig
    return rows


def filled_in(known: Sequence[str | None], seen: Issued) -> Issued | None:
    """
    What is `known` with its empty values out of `seen`; None when it gains nothing.

    Some feeds show a precertificate without its fingerprint, and the certificate later.
    Where both have a Startime and they differ, they are different certificates.
    """
    issuer, fingerprint, startime = (value or "" for value in known)
    if startime and seen[2] and startime != seen[2]:
        return None
    filled = (issuer or seen[0], fingerprint or seen[1], startime or seen[2])
    return None if filled == (issuer, fingerprint, startime) else filled


@dataclass(slots=True)
class Children:
    """Rows of our tables that bear the number of a host or an issuance."""

    recorded_at: str
    names: set[tuple[int, str]] = field(default_factory=set)
    host_issuances: set[tuple[int, int]] = field(default_factory=set)
    # The columns of the key, which come first, to the other columns.
    reasons: dict[tuple[int, str, str], Row] = field(default_factory=dict)
    seen: dict[tuple[int, int, str, str, int, str], Row] = field(default_factory=dict)

    def add(
        self, told: Told, host_ids: Mapping[str, int], issuance_id: int | None
    ) -> None:
        """
        The rows of one finding.

        Args:
            host_ids: number of each of its hosts.
            issuance_id: number of its certificate's issuance; None without certificate.
        """
        sighting = told.finding.sighting
        for host, reasons in told.reasons.items():
            host_id = host_ids[host]
            for reason in reasons:
                key = (host_id, _word(reason.kind), recurring_text(reason.rule))
                weight = max(-_MAX_INTEGER, min(reason.weight, _MAX_INTEGER))
                # What resembles two brands alike is kept for the one that scores.
                known = self.reasons.get(key)
                if known is None or abs(weight) > abs(known[0]):
                    self.reasons[key] = (weight, recurring_text(reason.brand))
            if issuance_id is None:
                self._add_seen(NO_ISSUANCE, host_id, sighting)
            else:
                self.host_issuances.add((host_id, issuance_id))
        if issuance_id is None:
            return
        names: Iterable[str] = sighting.names
        if sighting.certificate is not None and sighting.certificate.names != names:
            names = (*names, *sighting.certificate.names)
        self.names.update((issuance_id, host_key(name)) for name in names)
        self._add_seen(issuance_id, NO_HOST, sighting)

    def _add_seen(self, issuance_id: int, host_id: int, sighting: Sighting) -> None:
        index = _integer(sighting.index)
        key = (
            issuance_id,
            host_id,
            address_key(sighting.feed),
            address_key(sighting.log),
            NO_INDEX if index is None else index,
            _word(sighting.entry_type),
        )
        if key not in self.seen:
            self.seen[key] = (
                recurring_text(sighting.log_name),
                text(sighting.link),
                moment_text(sighting.seen),
                moment_text(sighting.logged),
                self.recorded_at,
            )


def text(written: str) -> str:
    """A stranger's text as it is stored: printable, at most 500 characters."""
    return bounded(printable(written))


def gap_row(gap: Gap) -> dict[str, Any]:
    """A gap by the columns of its table."""
    index_start = _integer(gap.index_start)
    return {
        "feed": address_key(gap.feed),
        "cause": gap.cause.value,
        "started_at": moment_text(gap.start),
        "log": address_key(gap.log),
        "index_start": NO_INDEX if index_start is None else index_start,
        "index_end": _integer(gap.index_end),
        "ended_at": moment_text(gap.end),
        "lost": _integer(gap.lost),
        "detail": text(gap.detail),
    }


def malformed_row(entry: Malformed, recorded_at: str) -> Row:
    """A malformed entry by the columns of its table."""
    index = _integer(entry.index)
    return (
        address_key(entry.log),
        NO_INDEX if index is None else index,
        recurring_text(entry.kind),
        text(entry.detail),
        recorded_at,
    )


def _issued(sighting: Sighting) -> Issued:
    certificate = sighting.certificate
    if certificate is None:
        return "", "", ""
    return (
        recurring_text(certificate.issuer_dn),
        text(certificate.fingerprint),
        utc_text(certificate.not_before) or "",
    )


def _san(names: Sequence[str], hosts: int) -> str:
    whole = ",".join(map(text, names))
    limit = _MAX_SAN_OF_SIGHTING // hosts
    if len(whole) <= limit:
        return whole
    return whole[:limit].rpartition(",")[0] + ",..."


# The few feeds and logs of a daemon come again with every sighting.
@lru_cache(maxsize=1024)
def address_key(written: str) -> str:
    """An address as it stands in keys: ASCII, at most 250 characters."""
    escaped = printable(written).encode("ascii", "backslashreplace").decode("ascii")
    return bounded(escaped, _MAX_ADDRESS)


# As do rules, issuers and names of logs.
@lru_cache(maxsize=4096)
def recurring_text(written: str) -> str:
    """`text`, for what few certificates have alone."""
    return text(written)


@lru_cache(maxsize=256)
def _word(written: str) -> str:
    return printable(written)[:_MAX_WORD]


def _integer(number: int | None) -> int | None:
    """`number` if a column can hold it and it can be true, else None."""
    if number is None or not 0 <= number <= _MAX_INTEGER:
        return None
    return number
