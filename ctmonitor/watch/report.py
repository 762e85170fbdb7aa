"""
The report on own domains: all that is known of them, for people and for programs.

`report` makes plain JSON values of what is remembered; docs/own-report.schema.json
describes them. `write` puts them into a file. Every text of a stranger in a report is
printable and bounded.
"""

import os
import secrets
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from ctmonitor.errors import ConfigError, CTMonitorError
from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.own import (
    Authority,
    DomainState,
    Issuer,
    OwnAlert,
    OwnCertificate,
    OwnName,
    Severity,
    Typosquat,
)
from ctmonitor.model.text import shortened
from ctmonitor.watch.authorities import Authorities, known_ca_ids
from ctmonitor.watch.expiry import Successors
from ctmonitor.watch.reportcsv import report_csv

SCHEMA_VERSION = 1
UNNAMED_ISSUER = "not known"

_LONGEST_TEXT = 4000
_SEVERITIES = list(Severity)


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is known beside the states of the domains.

    Args:
        started: of this run, UTC; an alert first seen then or later is new.
        errors: `source`, `domain` and `reason` of what failed; each makes the report
            partial.
        notes: for people: what is off, what waits for a later run.
        authorities: CAs that may issue for us, of the settings and of the state.
        own_keys: SPKI SHA-256 in hex; a certificate with one is ours.
    """

    started: datetime
    errors: Sequence[Mapping[str, str]] = ()
    notes: Sequence[str] = ()
    authorities: Sequence[Authority] = ()
    own_keys: Collection[str] = ()


def report(
    states: Iterable[DomainState], facts: Facts, now: datetime
) -> dict[str, Any]:
    """The report as JSON values; domains in their order, of alerts the worst first."""
    made = _Report(facts, _text(now))
    for state in states:
        made.add(state)
    return made.record(now)


def check_path(path: str) -> None:
    """
    Raises:
        ConfigError: a report has no form that the end of its name says.
    """
    if _suffix(path) not in _FORMS:
        raise ConfigError(
            f"--report: {shortened(path)!r} does not say which form the report has. "
            f"End the name in {', '.join(_FORMS)}."
        )


def write(made: Mapping[str, Any], path: str) -> None:
    """
    Puts a report into a file: JSON, CSV or a page, as the end of `path` says.

    A reader sees the file as it was or whole; one that is replaced keeps its mode.
    Directories that are missing are made.

    Raises:
        ConfigError: the end of `path` says nothing.
        CTMonitorError: the file was not written, and is as it was.
    """
    check_path(path)
    content = _FORMS[_suffix(path)](made)
    try:
        _replace(Path(path).resolve(), content)  # a link stays, and leads to the file
    except (OSError, ValueError, RuntimeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else None
        raise CTMonitorError(
            f"The report cannot be written to {path!r}: {why or exc}. Free space "
            "there, or name a file that this user may write."
        ) from exc


def alert_record(alert: OwnAlert, started: datetime) -> dict[str, Any]:
    """
    One alert as JSON values.

    Args:
        started: of the run; an alert first seen then or later is new.
    """
    first_seen = from_utc_text(alert.first_seen)
    return _safe(
        {
            "id": alert.id,
            "type": alert.type.value,
            "severity": alert.severity.value,
            "domain": alert.domain,
            "names": alert.names,
            "serial": alert.serial,
            "issuer": alert.issuer,
            "source": alert.source,
            "first_seen": _zulu(alert.first_seen),
            "link": alert.link,
            "acknowledged": bool(alert.acknowledged),
            "acknowledged_at": _zulu(alert.acknowledged),
            "is_new": (
                not alert.is_baseline
                and first_seen is not None
                and first_seen >= _whole_second(started)
            ),
            "certificate": alert.certificate,
            "not_before": _zulu(alert.not_before),
            "not_after": _zulu(alert.not_after),
            "summary": alert.summary,
            "next_step": alert.next_step,
            "detail": alert.detail,
        }
    )


def worst_first(alerts: Iterable[OwnAlert]) -> list[OwnAlert]:
    """By severity, and the newest first among equals."""
    latest = sorted(alerts, key=lambda one: (one.domain, one.id))
    latest.sort(key=lambda one: one.first_seen, reverse=True)
    latest.sort(key=lambda one: _SEVERITIES.index(one.severity), reverse=True)
    return latest


@dataclass(slots=True)
class _Report:
    """A report while domains are added to it."""

    facts: Facts
    now: str
    domains: list[dict[str, Any]] = field(default_factory=list)
    alerts: list[OwnAlert] = field(default_factory=list)
    certificates: list[dict[str, Any]] = field(default_factory=list)
    subdomains: list[dict[str, Any]] = field(default_factory=list)
    typosquats: list[dict[str, Any]] = field(default_factory=list)
    issuers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, state: DomainState) -> None:
        certificates = sorted(
            state.certificates, key=lambda one: (one.not_before, one.id), reverse=True
        )
        known = Authorities(self.facts.authorities, state.domain, known_ca_ids(state))
        successors = Successors(certificates, partial(self._is_ours, known), self.now)
        records = []
        for certificate in certificates:
            record = self._certificate(certificate, state.domain, successors)
            self._count_issuer(certificate.issuer, record, known)
            records.append(record)
        names = [_name(state.domain, *one) for one in sorted(state.names.items())]
        self.certificates += records
        self.subdomains += names
        self.alerts += state.alerts
        self.typosquats += [
            self._typosquat(state.domain, name, one)
            for name, one in sorted(state.typosquats.items())
            if one.is_registered or one.certificates
        ]
        self.domains.append(self._domain(state, records, names))

    def _is_ours(self, known: Authorities, certificate: OwnCertificate) -> bool:
        return certificate.key_sha256 in self.facts.own_keys or known.allow(
            certificate.issuer
        )

    def _certificate(
        self,
        certificate: OwnCertificate,
        domain: str,
        successors: Successors | None = None,
    ) -> dict[str, Any]:
        """
        Args:
            successors: None for a certificate of others, for a look-alike.
        """
        validity = self._validity(certificate)
        sources = sorted(certificate.seen_by.items())
        return _safe(
            {
                "id": certificate.id,
                "domain": domain,
                "names": certificate.names,
                "all_names": certificate.all_names,
                "serial": certificate.serial,
                "issuer": _organisation(certificate.issuer),
                "issuer_dn": certificate.issuer.dn,
                "not_before": _zulu(certificate.not_before),
                "not_after": _zulu(certificate.not_after),
                "validity": validity,
                "is_replaced": (
                    successors.until(certificate.names) > certificate.not_after
                    if successors and validity == "valid"
                    else None
                ),
                "is_revoked": certificate.is_revoked,
                "is_baseline": certificate.is_baseline,
                "first_seen": _zulu(certificate.first_seen),
                "logged": _zulu(certificate.logged),
                "tbs_sha256": certificate.tbs_sha256,
                "cert_sha256": certificate.cert_sha256,
                "key_sha256": certificate.key_sha256,
                "link": next((one.link for _, one in sources if one.link), ""),
                "sources": [
                    {
                        "source": source.value,
                        "first_seen": _zulu(one.first_seen),
                        "ids": one.ids,
                        "link": one.link,
                    }
                    for source, one in sources
                ],
            }
        )

    def _typosquat(
        self, domain: str, name: str, typosquat: Typosquat
    ) -> dict[str, Any]:
        return {
            **_safe({"name": name, "domain": domain, "kind": typosquat.kind}),
            "registered": typosquat.is_registered,
            "asked": _zulu(typosquat.asked),
            "certificates": [
                self._certificate(one, name) for one in typosquat.certificates
            ],
        }

    def _validity(self, certificate: OwnCertificate) -> str:
        if not certificate.not_before or not certificate.not_after:
            return "unknown"
        if certificate.not_after < self.now:
            return "expired"
        if certificate.is_revoked:
            return "revoked"
        return "valid" if certificate.not_before <= self.now else "future"

    def _count_issuer(
        self, issuer: Issuer, certificate: Mapping[str, Any], known: Authorities
    ) -> None:
        domain, begins = certificate["domain"], certificate["not_before"]
        name = certificate["issuer"]
        counted = self.issuers.setdefault(
            name,
            {
                "organisation": name,
                "certificates": 0,
                "valid": 0,
                "first_issued": None,
                "last_issued": None,
                "is_authorised": None,
                "domains": set(),
                "unauthorised_for": set(),
                "ca_ids": set(),
                "caa_domains": set(),
                "contacts": set(),
            },
        )
        counted["certificates"] += 1
        counted["valid"] += certificate["validity"] == "valid"
        if begins:
            counted["first_issued"] = min(counted["first_issued"] or begins, begins)
            counted["last_issued"] = max(counted["last_issued"] or begins, begins)
        counted["domains"].add(domain)
        if known.is_any and not known.allow(issuer):
            counted["is_authorised"] = False
            counted["unauthorised_for"].add(domain)
        elif known.is_any and counted["is_authorised"] is None:
            counted["is_authorised"] = True
        if issuer.ca_id is not None:
            counted["ca_ids"].add(issuer.ca_id)
        counted["caa_domains"].update(issuer.caa_domains or ())
        if issuer.contact:
            counted["contacts"].add(issuer.contact)

    def _domain(
        self,
        state: DomainState,
        certificates: Sequence[Mapping[str, Any]],
        names: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        unread = Counter(
            one.severity
            for one in state.alerts
            if not one.acknowledged and not one.is_baseline
        )
        squats = state.typosquats.values()
        return {
            "domain": state.domain,
            "since": _zulu(state.since),
            "certificates": len(certificates),
            "valid": sum(one["validity"] == "valid" for one in certificates),
            "subdomains": len(names),
            "dangling": sum(one["dangling"] for one in names),
            "unacknowledged": {one.value: unread[one] for one in reversed(Severity)},
            "typosquats": {
                "permutations": len(squats),
                "registered": sum(bool(one.is_registered) for one in squats),
                "asked": sum(bool(one.asked) for one in squats),
            },
            "sources": [
                {
                    "source": source.value,
                    "since": _zulu(mark.since),
                    "asked": _zulu(mark.asked),
                    "reread": _zulu(mark.reread),
                    "is_full": mark.is_full,
                }
                for source, mark in sorted(state.marks.items())
            ],
        }

    def record(self, now: datetime) -> dict[str, Any]:
        facts = self.facts
        told = [one for one in self.alerts if not one.is_baseline]
        baseline = [one for one in self.alerts if one.is_baseline]
        issuers = sorted(
            self.issuers.values(),
            key=lambda one: (-one["certificates"], one["organisation"]),
        )
        return {
            "schema": SCHEMA_VERSION,
            "generated": f"{_text(now)}Z",
            "started": f"{_text(facts.started)}Z",
            "partial": bool(facts.errors),
            "errors": [
                _safe({key: one[key] for key in ("source", "domain", "reason")})
                for one in facts.errors
            ],
            "notes": [shortened(one, _LONGEST_TEXT) for one in facts.notes],
            "domains": self.domains,
            "alerts": [alert_record(one, facts.started) for one in worst_first(told)],
            "baseline": [
                alert_record(one, facts.started) for one in worst_first(baseline)
            ],
            "issuers": [_safe(_with_lists(one)) for one in issuers],
            "subdomains": self.subdomains,
            "typosquats": self.typosquats,
            "certificates": self.certificates,
        }


def _name(domain: str, name: str, own: OwnName) -> dict[str, Any]:
    return _safe(
        {
            "name": name,
            "domain": domain,
            "addresses": own.addresses,
            "cname": own.cname,
            "dangling": own.is_dangling,
            "dns": own.dns,
            "first_seen": _zulu(own.first_seen),
            "checked": _zulu(own.checked),
        }
    )


def _organisation(issuer: Issuer) -> str:
    return issuer.organisation or issuer.dn or UNNAMED_ISSUER


def _with_lists(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: sorted(value) if isinstance(value, set) else value
        for key, value in record.items()
    }


def _text(moment: datetime) -> str:
    return str(utc_text(moment))


def _whole_second(moment: datetime) -> datetime:
    """As times of alerts are kept, which would else lie before a run that made them."""
    return moment.replace(microsecond=0)


def _zulu(text: str) -> str | None:
    """A time of a state with its zone; None for none, or for one that is unreadable."""
    moment = utc_text(from_utc_text(text))
    return f"{moment}Z" if moment else None


def _safe(record: dict[str, Any]) -> dict[str, Any]:
    """
    `record` with every text in it printable and bounded.

    Most hold short ASCII alone, of which JSON shows all controls but DEL as an escape;
    to see that takes a tenth of the time that it takes to look at each text.
    """
    try:
        written = msgspec.json.encode(record)
    except UnicodeEncodeError:  # a lone surrogate
        return _cleaned_record(record)
    is_plain = written.isascii() and b"\\" not in written and b"\x7f" not in written
    return (
        record
        if is_plain and len(written) <= _LONGEST_TEXT
        else _cleaned_record(record)
    )


def _cleaned_record(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        shortened(str(key), _LONGEST_TEXT): _cleaned(value)
        for key, value in record.items()
    }


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return shortened(value, _LONGEST_TEXT)
    if isinstance(value, dict):
        return _cleaned_record(value)
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value


def report_json(made: Mapping[str, Any]) -> str:
    """A report as JSON with an end of line."""
    return msgspec.json.format(msgspec.json.encode(made)).decode() + "\n"


def _page(made: Mapping[str, Any]) -> str:
    from ctmonitor.watch.page import page  # loads Jinja2, which nothing else needs

    return page(made)


_FORMS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    ".json": report_json,
    ".csv": report_csv,
    ".html": _page,
}


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()


def _replace(target: Path, content: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("x", encoding="utf-8", newline="") as file:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
