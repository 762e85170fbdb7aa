"""
Findings as rows: what of a stranger's text is stored, and under which keys. No I/O.

Every text passes `printable`, so that each database can hold it and each terminal can
show it, and has a limit, since PostgreSQL refuses keys above 2,704 bytes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from ctmonitor.model.batch import Gap, Sighting
from ctmonitor.model.clock import utc_text
from ctmonitor.model.finding import Finding
from ctmonitor.model.name import host_key
from ctmonitor.model.text import bounded, printable
from ctmonitor.model.verdict import Reason
from ctmonitor.store.schema import NO_INDEX, NO_ISSUANCE, moment_text

Values = dict[str, Any]  # a row, by column

_MAX_INTEGER = 2**63 - 1
# A key of ctm_seen is a host (at most 500 characters, 2,000 bytes), feed and log; one
# of ctm_reason a host and a rule.
_MAX_ADDRESS = 250
_MAX_WORD = 30
_MAX_RULE = 500
_MAX_RULE_OF_ODD_HOST = 120
# A certificate with 10,000 names that all match would make 10,000 rows with 10,000
# names each; then each row holds the first names only. ctm_issuance_name has all.
_MAX_SAN_OF_SIGHTING = 4_000_000


@dataclass(slots=True)
class Told:
    """A finding, and the hosts that it tells of, in its order and without doubles."""

    finding: Finding
    hosts: tuple[str, ...]


@dataclass(slots=True)
class Rows:
    """The rows of a batch, by their keys; those of issuances need an id first."""

    told: list[Told] = field(default_factory=list)
    hosts: dict[str, Values] = field(default_factory=dict)
    reasons: dict[tuple[str, str, str], Values] = field(default_factory=dict)
    names: dict[tuple[int, str], Values] = field(default_factory=dict)
    host_issuances: dict[tuple[str, int], Values] = field(default_factory=dict)
    seen: dict[tuple[Any, ...], Values] = field(default_factory=dict)

    @classmethod
    def of(cls, findings: Sequence[Finding], now: datetime) -> "Rows":
        """
        All rows that can be made without looking into the database.

        Args:
            now: the time that becomes FirstSeen of hosts that are new.
        """
        rows = cls()
        first_seen, recorded_at = utc_text(now), moment_text(now)
        for finding in findings:
            sighting = finding.sighting
            hosts: dict[str, None] = {}
            for verdict in finding.verdict.findings:
                host = host_key(verdict.name)
                hosts[host] = None
                for reason in verdict.reasons:
                    row = _reason_row(host, reason)
                    rows.reasons.setdefault((host, row["kind"], row["rule"]), row)
            rows.told.append(Told(finding, tuple(hosts)))
            if new := [host for host in hosts if host not in rows.hosts]:
                shared = _promised_columns(sighting, len(hosts)) | {
                    "FirstSeen": first_seen
                }
                for host in new:
                    rows.hosts[host] = {"Domain": host, **shared}
            if sighting.certificate is None:
                for host in hosts:
                    rows._see(NO_ISSUANCE, host, sighting, recorded_at)
        return rows

    def add_issuance(self, issuance_id: int, told: Told, now: datetime) -> None:
        """The rows of a finding whose certificate is stored under `issuance_id`."""
        sighting = told.finding.sighting
        # A merge finds the hosts of an issuance by its names.
        names: Iterable[str] = sighting.names
        if sighting.certificate is not None and sighting.certificate.names != names:
            names = (*names, *sighting.certificate.names)
        for name in {*told.hosts, *map(host_key, names)}:
            self.names[issuance_id, name] = {"issuance_id": issuance_id, "name": name}
        for host in told.hosts:
            self.host_issuances[host, issuance_id] = {
                "host": host,
                "issuance_id": issuance_id,
            }
        self._see(issuance_id, "", sighting, moment_text(now))

    def _see(
        self, issuance_id: int, host: str, sighting: Sighting, recorded_at: str | None
    ) -> None:
        feed, log = _address(sighting.feed), _address(sighting.log)
        index = _integer(sighting.index)
        log_index = NO_INDEX if index is None else index
        entry_type = _word(sighting.entry_type)
        key = (issuance_id, host, feed, log, log_index, entry_type)
        if key in self.seen:
            return
        self.seen[key] = {
            "issuance_id": issuance_id,
            "host": host,
            "feed": feed,
            "log": log,
            "log_index": log_index,
            "entry_type": entry_type,
            "log_name": text(sighting.log_name),
            "link": text(sighting.link),
            "seen_at": moment_text(sighting.seen),
            "logged_at": moment_text(sighting.logged),
            "recorded_at": recorded_at,
        }


def text(written: str) -> str:
    """A stranger's text as it is stored: printable, at most 500 characters."""
    return bounded(printable(written))


def gap_row(gap: Gap) -> Values:
    """A gap by the columns of its table."""
    index_start = _integer(gap.index_start)
    return {
        "feed": _address(gap.feed),
        "cause": gap.cause.value,
        "started_at": moment_text(gap.start),
        "log": _address(gap.log),
        "index_start": NO_INDEX if index_start is None else index_start,
        "index_end": _integer(gap.index_end),
        "ended_at": moment_text(gap.end),
        "lost": _integer(gap.lost),
        "detail": text(gap.detail),
    }


def _reason_row(host: str, reason: Reason) -> Values:
    is_odd = len(host) > 253 or not host.isascii()
    return {
        "host": host,
        "kind": _word(reason.kind),
        "rule": bounded(
            printable(reason.rule), _MAX_RULE_OF_ODD_HOST if is_odd else _MAX_RULE
        ),
        "weight": max(-_MAX_INTEGER, min(reason.weight, _MAX_INTEGER)),
    }


def _promised_columns(sighting: Sighting, hosts: int) -> Values:
    certificate = sighting.certificate
    values: Values = {"SAN": _san(sighting.names, hosts), "StillInvestig": None}
    if certificate is None:
        return values | {"Issuer": "", "Fingerprint": "", "Startime": ""}
    return values | {
        "Issuer": text(certificate.issuer_dn),
        "Fingerprint": text(certificate.fingerprint),
        "Startime": utc_text(certificate.not_before) or "",
    }


def _san(names: Sequence[str], hosts: int) -> str:
    whole = ",".join(map(text, names))
    limit = _MAX_SAN_OF_SIGHTING // hosts
    if len(whole) <= limit:
        return whole
    return whole[:limit].rpartition(",")[0] + ",..."


# The few feeds and logs of a daemon come again with every sighting.
@lru_cache(maxsize=1024)
def _address(written: str) -> str:
    escaped = printable(written).encode("ascii", "backslashreplace").decode("ascii")
    return bounded(escaped, _MAX_ADDRESS)


@lru_cache(maxsize=256)
def _word(written: str) -> str:
    return printable(written)[:_MAX_WORD]


def _integer(number: int | None) -> int | None:
    """`number` if a column can hold it and it can be true, else None."""
    if number is None or not 0 <= number <= _MAX_INTEGER:
        return None
    return number
