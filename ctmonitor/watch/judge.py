"""
What is wrong, or new, with the certificates of a watched domain.

Alerts are found again under the same id: whatever is judged twice is told once.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctmonitor.model.own import (
    SEVERITIES,
    AlertType,
    Authority,
    DomainState,
    OwnAlert,
    OwnCertificate,
    OwnName,
    Severity,
)
from ctmonitor.watch.authorities import Authorities, known_ca_ids
from ctmonitor.watch.caa import CaaVerdict, Verdict
from ctmonitor.watch.expiry import (
    Successors,
    counts,
    days_left,
    ending,
    is_expired,
    lifetime_s,
)
from ctmonitor.watch.inventory import Change

_HOUR_S = 3600.0
_URGENT_DAYS = 7
_ID_DIGITS = 16
_KEY_DIGITS = 16  # of a name set and organisation that a wildcard was told for

_NEXT_STEPS: Mapping[AlertType, str] = {
    AlertType.NEW_CERTIFICATE: (
        "Check that one of yours ordered it; if nobody did, have the CA revoke it and "
        "look for who can change your DNS records or web servers."
    ),
    AlertType.UNAUTHORIZED_CA: (
        "Ask who ordered it. If nobody did, have this CA revoke it, look for changes "
        "of your DNS records and web servers, and publish a CAA record; if one of "
        "yours did, add the CA to Authorised_CAs."
    ),
    AlertType.NEW_SUBDOMAIN: (
        "Check that the name is yours to publish and who runs what answers there; "
        "remove its DNS record if nobody does."
    ),
    AlertType.WILDCARD_CERTIFICATE: (
        "Check that a wildcard is meant: its key serves every name of its level. Know "
        "where the key lies, or replace it by certificates for single names."
    ),
    AlertType.SHORT_LIVED_CERTIFICATE: (
        "Check which system orders certificates of so short a life. If none of yours "
        "does, have the CA explain it; if one does, add the CA to Normal_Issuers."
    ),
    AlertType.CERTIFICATE_EXPIRING: (
        "Renew it and see why that did not happen by itself; if the name is no longer "
        "used, remove its DNS record."
    ),
    AlertType.CAA_VIOLATION: (
        "Check whether the CAA record is newer than the certificate. If not, report "
        "the certificate to the CA as misissued and ask for its revocation; if the CA "
        "is yours, add it to the record."
    ),
    AlertType.UNKNOWN_KEY: (
        "Ask who made the key. If nobody did, have the CA revoke the certificate; if "
        "one of yours did, add the key's SHA-256 to Own_Keys."
    ),
    AlertType.REVOKED: (
        "Check that you asked for it. Replace the certificate wherever it is served, "
        "and its key as well if that was exposed."
    ),
    AlertType.TYPOSQUAT_DETECTED: (
        "Look at what the name serves, from a machine that can bear it. If it imitates "
        "you, report it to its registrar, its host and Safe Browsing, and block it in "
        "your mail and web filters."
    ),
    AlertType.STATE_LOST: (
        "Look through the certificates of that span in the report: what was issued in "
        "it is baseline now and was not told. See why the file was damaged."
    ),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What a person holds to be right.

    Args:
        authorities: CAs that may issue; without any, none is unauthorised.
        own_keys: SHA-256 of public keys, hex; without any, no key is unknown.
        short_lived_hours: a shorter lifetime is told; 0 tells none.
        normal_issuers: organisations whose short-lived certificates are ours.
        expiry_days: thresholds before the end of a certificate.
        quiet: types that are listed and not told, which is up to who tells.
    """

    authorities: tuple[Authority, ...] = ()
    own_keys: frozenset[str] = frozenset()
    short_lived_hours: float = 24.0
    normal_issuers: frozenset[str] = frozenset()
    expiry_days: tuple[int, ...] = (30, 14, 7)
    quiet: frozenset[AlertType] = frozenset()


def judge(
    state: DomainState,
    changes: Sequence[Change],
    policy: Policy,
    now: str,
    caa: Mapping[str, CaaVerdict] | None = None,
) -> list[OwnAlert]:
    """
    The alerts that all answers of a run give rise to; they are noted in the state.

    Those of the baseline are marked as such: listed, not told.

    Args:
        changes: of all answers of the run, in any order: a key that one source tells
            silences what another one brings.
        caa: what CAA says of certificates, by their id, as far as it was asked.
    """
    if not changes:
        return []
    bench = _Bench(state, policy, now, caa or {})
    for change in _together(state, changes):
        bench.judge(change)
    return bench.alerts


def expiring(state: DomainState, policy: Policy, now: str) -> list[OwnAlert]:
    """
    The alerts for certificates that end soon and have no successor.

    Each threshold is told once a certificate, the tightest alone when several were
    crossed. What is revoked serves nobody, so that its end is no news.
    """
    near = ending(state.certificates, policy.expiry_days, now)
    if not near:
        return []
    told: dict[str, int] = {}
    for alert in state.alerts:
        if alert.type is AlertType.CERTIFICATE_EXPIRING:
            days = alert.detail.get("threshold_days")
            if isinstance(days, int):
                told[alert.certificate] = min(days, told.get(alert.certificate, days))
    due = [
        (certificate, days)
        for certificate, days in near
        if told.get(certificate.id, days + 1) > days
        and not certificate.is_revoked
        and counts(days, certificate)
    ]
    if not due:
        return []
    bench = _Bench(state, policy, now, {})
    successors = Successors(state.certificates, bench.is_ours, now)
    for certificate, threshold in due:
        if successors.until(certificate.names) > certificate.not_after:
            continue
        left = days_left(certificate, now)
        bench.add(
            AlertType.CERTIFICATE_EXPIRING,
            certificate,
            f"The certificate for {_shown(certificate.names)} ends on "
            f"{certificate.not_after} UTC, {_days(left)}, and no other one covers "
            f"{'it' if len(certificate.names) == 1 else 'them'}.",
            is_silent=False,
            extra=str(threshold),
            severity=Severity.HIGH if threshold <= _URGENT_DAYS else Severity.MEDIUM,
            detail={"threshold_days": threshold, "days_left": round(left, 1)},
        )
    return bench.alerts


def typosquats(
    state: DomainState, name: str, certificates: Iterable[OwnCertificate], now: str
) -> list[OwnAlert]:
    """
    The alerts for new certificates of a permutation of the domain.

    Args:
        name: the permutation, a key of `state.typosquats`.
    """
    bench = _Bench(state, Policy(), now, {})
    squat = state.typosquats[name]
    for certificate in certificates:
        if is_expired(certificate, now):
            continue
        bench.add(
            AlertType.TYPOSQUAT_DETECTED,
            certificate,
            f"{_issuer(certificate)} issued a certificate for "
            f"{_shown(certificate.names)}; {name} resembles {state.domain} "
            f"({squat.kind}).",
            is_silent=certificate.is_baseline,
            detail={
                "permutation": name,
                "kind": squat.kind,
                "is_registered": squat.is_registered,
            },
        )
    return bench.alerts


def state_lost(state: DomainState, since: str, aside: str, now: str) -> OwnAlert:
    """
    The alert that all that was known of a domain is gone.

    Args:
        since: when it was written last; empty when that is not known.
        aside: the name under which the unreadable document is kept.
    """
    span = f"from {since} to {now} UTC" if since else f"until {now} UTC"
    alert = OwnAlert(
        # Each document that is set aside has its own name.
        id=_alert_id(AlertType.STATE_LOST, state.domain, "", aside),
        type=AlertType.STATE_LOST,
        severity=SEVERITIES[AlertType.STATE_LOST],
        domain=state.domain,
        first_seen=now,
        summary=(
            f"What was known of {state.domain} could not be read and begins anew: "
            f"nobody watched it {span}. The old document is kept as {aside}."
        ),
        next_step=_NEXT_STEPS[AlertType.STATE_LOST],
        detail={"since": since, "until": now, "set_aside": aside},
    )
    state.alerts.append(alert)
    return alert


class _Bench:
    """Where the changes of one domain are judged."""

    def __init__(
        self,
        state: DomainState,
        policy: Policy,
        now: str,
        caa: Mapping[str, CaaVerdict],
    ) -> None:
        self.alerts: list[OwnAlert] = []
        self._state = state
        self._policy = policy
        self._now = now
        self._caa = caa
        self._known = {alert.id: alert for alert in state.alerts}
        self._wildcards = set(state.wildcards)
        ca_ids = known_ca_ids(state) if policy.authorities else {}
        self._authorities = Authorities(policy.authorities, state.domain, ca_ids)

    def is_ours(self, certificate: OwnCertificate) -> bool:
        """Whether its key is ours, or its CA may issue, as any may without a list."""
        return certificate.key_sha256 in self._policy.own_keys or (
            self._authorities.allow(certificate.issuer)
        )

    def judge(self, change: Change) -> None:
        certificate = change.certificate

        def has_news(*facts: str) -> bool:
            return change.is_new or not change.learned.isdisjoint(facts)

        if has_news("issuer"):
            self._issuer(change)
        has_ended = is_expired(certificate, self._now)
        if has_news("names"):
            self._names(change, has_ended)
        if not _is_issuance(certificate):
            return
        # Until now it was a sighting of names alone.
        is_found_out = change.learned >= {"issuer", "not_before"}
        if has_news("names") or is_found_out:
            self._wildcard(change, has_ended)
        if has_ended:
            return
        is_silent = change.is_silent or certificate.is_baseline
        if (change.is_new or is_found_out) and not is_silent:
            self._new(change)
        if has_news("not_before", "not_after"):
            self._lifetime(change)
        if has_news("key_sha256"):
            self._key(change)
        if has_news("is_revoked"):
            self._revocation(change)
        if has_news("issuer", "caa_domains"):
            self._allowed(change)

    def _issuer(self, change: Change) -> None:
        certificate = change.certificate
        if self.is_ours(certificate):
            return
        self.add(
            AlertType.UNAUTHORIZED_CA,
            certificate,
            f"{_issuer(certificate)} issued a certificate for "
            f"{_shown(certificate.names)} and is not among the CAs that may.",
            is_silent=change.is_silent,
            detail={"contact": certificate.issuer.contact},
        )

    def _names(self, change: Change, has_ended: bool) -> None:
        certificate, known = change.certificate, self._state.names
        is_late = change.is_new and certificate.first_seen < self._now
        for name in dict.fromkeys(map(_without_star, certificate.names)):
            if name == self._state.domain:
                continue
            entry = known.get(name)
            if entry is None:
                known[name] = OwnName(self._now)
            elif not (is_late and entry.first_seen == certificate.first_seen):
                continue
            if has_ended or change.is_silent:
                continue
            self.add(
                AlertType.NEW_SUBDOMAIN,
                certificate,
                f"{name} was not seen in any certificate before; "
                f"{_issuer(certificate)} issued this one.",
                is_silent=False,
                names=[name],
                # Of the name, not of the certificate that happened to bring it.
                of="",
                extra=name,
            )

    def _wildcard(self, change: Change, has_ended: bool) -> None:
        certificate = change.certificate
        stars = [name for name in certificate.names if name.startswith("*.")]
        if not stars:
            return
        text = "\0".join((certificate.issuer.organisation, *sorted(certificate.names)))
        key = _digest(text)[:_KEY_DIGITS]
        if key not in self._wildcards:
            self._wildcards.add(key)
            self._state.wildcards.append(key)
        else:
            told = self._known.get(
                _alert_id(AlertType.WILDCARD_CERTIFICATE, self._state.domain, "", key)
            )
            if told is None or told.certificate != certificate.id:
                return
        if has_ended:
            return
        self.add(
            AlertType.WILDCARD_CERTIFICATE,
            certificate,
            f"{_issuer(certificate)} issued a wildcard certificate for "
            f"{_shown(stars)}.",
            is_silent=change.is_silent,
            of="",
            extra=key,
        )

    def _new(self, change: Change) -> None:
        certificate = change.certificate
        if certificate.key_sha256 in self._policy.own_keys:
            return
        end = f", valid until {certificate.not_after} UTC" * bool(certificate.not_after)
        self.add(
            AlertType.NEW_CERTIFICATE,
            certificate,
            f"{_issuer(certificate)} issued a certificate for "
            f"{_shown(certificate.names)}{end}.",
            is_silent=False,
        )

    def _lifetime(self, change: Change) -> None:
        certificate, least = change.certificate, self._policy.short_lived_hours
        lifetime = lifetime_s(certificate)
        if (
            lifetime is None
            or lifetime >= least * _HOUR_S
            or certificate.issuer.organisation in self._policy.normal_issuers
        ):
            return
        hours = lifetime / _HOUR_S
        self.add(
            AlertType.SHORT_LIVED_CERTIFICATE,
            certificate,
            f"The certificate for {_shown(certificate.names)} lives {hours:.3g} hours, "
            f"less than {least:g}; {_issuer(certificate)} issued it.",
            is_silent=change.is_silent,
            detail={"hours": round(hours, 2)},
        )

    def _key(self, change: Change) -> None:
        certificate, keys = change.certificate, self._policy.own_keys
        if not keys or not certificate.key_sha256 or certificate.key_sha256 in keys:
            return
        self.add(
            AlertType.UNKNOWN_KEY,
            certificate,
            f"The certificate for {_shown(certificate.names)} is for a key that is "
            f"none of yours; {_issuer(certificate)} issued it.",
            is_silent=change.is_silent,
            detail={"key_sha256": certificate.key_sha256},
        )

    def _revocation(self, change: Change) -> None:
        certificate = change.certificate
        if not certificate.is_revoked:
            return
        self.add(
            AlertType.REVOKED,
            certificate,
            f"{_issuer(certificate)} revoked the certificate for "
            f"{_shown(certificate.names)}.",
            is_silent=change.is_silent,
        )

    def _allowed(self, change: Change) -> None:
        certificate = change.certificate
        found = self._caa.get(certificate.id)
        if found is None or found.verdict is not Verdict.FORBIDDEN:
            return
        where = f" at {found.at}" if found.at else ""
        self.add(
            AlertType.CAA_VIOLATION,
            certificate,
            f"{_issuer(certificate)} issued a certificate for "
            f"{_shown(certificate.names)}, which the CAA record{where} does not allow "
            "now.",
            is_silent=change.is_silent,
            detail={"record": found.record, "at": found.at, "why": found.why},
        )

    def add(
        self,
        kind: AlertType,
        certificate: OwnCertificate,
        summary: str,
        *,
        is_silent: bool,
        of: str | None = None,
        extra: str = "",
        severity: Severity | None = None,
        names: list[str] | None = None,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """
        Notes an alert, unless it was found before.

        Args:
            of: what its id is made of beside type and domain: the certificate's when
                None.
            extra: likewise.
        """
        owner = certificate.id if of is None else of
        alert_id = _alert_id(kind, self._state.domain, owner, extra)
        known = self._known.get(alert_id)
        if known is not None:
            if known.is_baseline and not is_silent:
                known.is_baseline = False
                self.alerts.append(known)
            return
        source, link = _first_source(certificate)
        alert = OwnAlert(
            id=alert_id,
            type=kind,
            severity=severity or SEVERITIES[kind],
            domain=self._state.domain,
            first_seen=self._now,
            names=list(certificate.names) if names is None else names,
            certificate=certificate.id,
            serial=certificate.serial,
            issuer=certificate.issuer.dn or certificate.issuer.organisation,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            source=source,
            link=link,
            summary=summary,
            next_step=_NEXT_STEPS[kind],
            detail=detail or {},
            is_baseline=is_silent,
        )
        self._known[alert_id] = alert
        self._state.alerts.append(alert)
        self.alerts.append(alert)


def _together(state: DomainState, changes: Sequence[Change]) -> list[Change]:
    """
    What was learned of each certificate there still is, in one change; what known ones
    learned from a baseline is kept apart. That of the baseline comes first, so that
    names which it has are not new in the others.
    """
    left = {certificate.id for certificate in state.certificates}
    new = {change.certificate.id for change in changes if change.is_new}
    found: dict[tuple[str, bool], Change] = {}
    for change in changes:
        certificate = change.certificate
        if certificate.id not in left:
            continue
        is_new = certificate.id in new
        is_silent = certificate.is_baseline if is_new else change.is_silent
        key = (certificate.id, is_silent)
        same = found.setdefault(key, Change(certificate, is_new, is_silent))
        same.learned |= change.learned
    return sorted(found.values(), key=lambda change: not change.is_silent)


def _first_source(certificate: OwnCertificate) -> tuple[str, str]:
    """Who told of it first, and where a person sees it: there, or at another."""
    seen = sorted(certificate.seen_by.items(), key=lambda each: each[1].first_seen)
    if not seen:
        return "", ""
    return seen[0][0].value, next((each.link for _, each in seen if each.link), "")


def _alert_id(kind: AlertType, domain: str, owner: str, extra: str) -> str:
    return _digest("|".join((kind, domain, owner, extra)))[:_ID_DIGITS]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _is_issuance(certificate: OwnCertificate) -> bool:
    """
    Whether anything is known of it but names, as a feed of domains sends them alone.

    The same certificate comes from another source, and is told then.
    """
    return bool(
        certificate.issuer.dn
        or certificate.issuer.organisation
        or certificate.serial
        or certificate.tbs_sha256
        or certificate.not_before
        or certificate.not_after
    )


def _without_star(name: str) -> str:
    return name.removeprefix("*.")


def _issuer(certificate: OwnCertificate) -> str:
    issuer = certificate.issuer
    return issuer.organisation or issuer.dn or "An issuer that no source names"


def _shown(names: Sequence[str]) -> str:
    if not names:
        return "no name"
    more = len(names) - 1
    if not more:
        return names[0]
    return f"{names[0]} and {more} more name{'s' * (more > 1)}"


def _days(left: float) -> str:
    days = int(left)
    if days < 1:
        return "within a day"
    return f"in {days} day{'s' * (days > 1)}"
