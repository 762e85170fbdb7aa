"""
What is known of the certificates for a watched domain, and what an answer adds.

Sources tell different halves of one issuance. Claims are one certificate when a source
gives both the same id, when their hashes of the TBSCertificate are equal, else when
issuer and serial number are, else when issuer, validity and names are: rows of crt.sh
before 2021 have no more. Hashes that differ keep certificates apart whatever else is
equal; so do serial numbers of one issuer where no hash can be compared. A claim that
fits two certificates makes them one.

What was there when its domain, or its source, was first read is baseline: nothing is
told of its coming.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.own import (
    Claim,
    DomainState,
    Issuer,
    Mark,
    OwnCertificate,
    OwnSource,
    SeenBy,
    Typosquat,
)
from ctmonitor.sources.ownsource import Answer
from ctmonitor.watch.expiry import is_expired

_MOST_NAMES = 200  # kept as evidence, of all domains
# crt.sh is days behind at times. What it logged earlier than that before it was first
# read, and shows now, was left out then: above 10,000 rows it gives a random part.
_LAG = timedelta(days=7)
_FEW = 8  # names, for which sets take longer than they save
_ID_DIGITS = 16


@dataclass(slots=True)
class Change:
    """
    What an answer changed of a certificate.

    Args:
        is_new: it was not known before, or as baseline of another source alone.
        is_silent: it was learned from what is baseline: nothing of it is told.
        learned: what a known one learned: `names`, `key_sha256`, `is_revoked`,
            `issuer` (it was not known at all), `ca_id`, `caa_domains`, `seen_by`, ...
    """

    certificate: OwnCertificate
    is_new: bool
    is_silent: bool
    learned: frozenset[str] = frozenset()


def take(state: DomainState, answer: Answer, now: str) -> list[Change]:
    """
    Joins an answer into the state of its domain and moves the mark of its source.

    The same answer a second time changes nothing but the time in the mark.
    """
    mark = state.marks.setdefault(answer.source, Mark())
    is_before = _before(mark, answer, now)
    changes, moved = _join(state.certificates, answer, now, is_before, mark.since)
    if moved:
        for alert in state.alerts:
            alert.certificate = moved.get(alert.certificate, alert.certificate)
    _move(state, mark, answer, now)
    return changes


def take_typosquat(squat: Typosquat, answer: Answer, now: str) -> list[Change]:
    """
    Joins an answer for a permutation, of which its first answer is the baseline.

    Only certificates that have not ended are kept: a short domain has permutations that
    are large sites of others, with thousands each.
    """
    is_first = not squat.asked
    changes, _ = _join(
        squat.certificates, answer, now, lambda claim: is_first, squat.asked
    )
    squat.certificates[:] = [
        each for each in squat.certificates if not is_expired(each, now)
    ]
    squat.asked, squat.failed = now, ""
    return changes


def _before(mark: Mark, answer: Answer, now: str) -> Callable[[Claim], bool]:
    """Says whether a certificate that turns up in this answer is baseline."""
    if not mark.since:
        return lambda claim: True
    # An id that another program kept as its mark: we never read what is before it.
    kept = mark.position if not mark.reread else ""
    moment = from_utc_text(mark.since)
    is_part = answer.source is OwnSource.CRTSH and not answer.is_complete
    early = (utc_text(moment - _LAG) or "") if moment and is_part else ""

    def is_before(claim: Claim) -> bool:
        if not mark.is_full and claim.not_after and claim.not_after < now:
            return True
        if early and claim.logged and claim.logged < early:
            return True
        return bool(kept) and any(_is_up_to(each, kept) for each in claim.ids)

    return is_before


def _is_up_to(identity: str, position: str) -> bool:
    """Whether an id of Cert Spotter is not behind a position; unknown is behind."""
    if not (identity.isdecimal() and position.isdecimal()):
        return False
    # As text: `int` refuses numbers of more than 4,300 digits.
    left, right = identity.lstrip("0"), position.lstrip("0")
    return (len(left), left) <= (len(right), right)


def _move(state: DomainState, mark: Mark, answer: Answer, now: str) -> None:
    # A re-reading that broke off has not come as far as the mark had been.
    if answer.position and (
        answer.is_complete or not _is_up_to(answer.position, mark.position)
    ):
        mark.position = answer.position
    # What crt.sh leaves out, a later question does not bring; others go on where they
    # ended, and until then all is baseline.
    if not answer.is_complete and answer.source is not OwnSource.CRTSH:
        return
    is_full = answer.is_full and answer.is_complete
    if not mark.since:
        mark.since = mark.reread = now
        mark.is_full = is_full
    elif is_full:
        mark.is_full = True
    if not state.since:
        state.since = now
    if answer.is_complete:
        mark.asked = now


def _join(
    certificates: list[OwnCertificate],
    answer: Answer,
    now: str,
    is_before: Callable[[Claim], bool],
    since: str,
) -> tuple[list[Change], dict[str, str]]:
    """
    What changed, and which certificates became others, by id.

    Args:
        since: the mark of the source, before this answer.
    """
    source = answer.source
    by_id: dict[str, OwnCertificate] = {}
    for certificate in certificates:
        seen = certificate.seen_by.get(source)
        if seen is not None:
            for each in seen.ids:
                by_id[each] = certificate
    # Most answers hold nothing new, and need no keys.
    fresh = [each for each in answer.claims if not _is_known(by_id, each)]
    if not fresh:
        return [], {}
    shelf = _Shelf(certificates, source, by_id)
    changes: dict[str, Change] = {}
    for claim in fresh:
        if not claim.names:
            continue
        is_silent = is_before(claim)
        fitting = shelf.fitting(claim)
        if not fitting:
            certificate = shelf.add(claim, now)
            certificate.is_baseline = is_silent
            changes[certificate.id] = Change(certificate, True, is_silent)
            continue
        keep, learned = shelf.merge(fitting, claim, now)
        # Another source, read for the first time, has brought it meanwhile without a
        # word; this one would have told of it.
        is_late = (
            keep.is_baseline
            and not is_silent
            and "seen_by" in learned
            and keep.first_seen > since
        )
        if is_late:
            keep.is_baseline = False
        if not learned:
            continue
        change = changes.setdefault(keep.id, Change(keep, False, True))
        change.is_new |= is_late
        change.is_silent = keep.is_baseline if change.is_new else is_silent
        change.learned |= learned
    moved = shelf.moved()
    if moved:
        certificates[:] = [each for each in certificates if each.id not in moved]
    return [
        each for each in changes.values() if each.certificate.id not in moved
    ], moved


def _is_known(by_id: dict[str, OwnCertificate], claim: Claim) -> bool:
    """Whether a claim is of a known certificate and says nothing new of it."""
    ids = claim.ids
    row = by_id.get(ids[0]) if ids else None
    if row is None:
        return False
    for each in ids:
        if by_id.get(each) is not row:
            return False
    if claim.tbs_sha256 and claim.tbs_sha256 != row.tbs_sha256:
        return False
    if claim.serial and claim.serial != row.serial:
        return False
    if (
        (claim.key_sha256 and not row.key_sha256)
        or (claim.cert_sha256 and not row.cert_sha256)
        or (claim.not_before and not row.not_before)
        or (claim.not_after and not row.not_after)
        or (claim.logged and not "" < row.logged <= claim.logged)
        # A revocation stays: what one source does not know yet, it does not take back.
        or (claim.is_revoked and not row.is_revoked)
        or (claim.is_revoked is False and row.is_revoked is None)
    ):
        return False
    return _knows_issuer(row.issuer, claim.issuer) and _knows_names(row, claim)


def _knows_issuer(row: Issuer, claim: Issuer) -> bool:
    return not (
        (claim.identity and not row.identity)
        or (claim.dn and not row.dn)
        or (claim.organisation and not row.organisation)
        or (claim.ca_id is not None and row.ca_id is None)
        or (claim.caa_domains is not None and row.caa_domains is None)
        or (claim.contact and not row.contact)
    )


def _knows_names(row: OwnCertificate, claim: Claim) -> bool:
    names, known = claim.names, row.names
    if len(names) > _FEW:
        if not set(names) <= set(known):
            return False
    else:
        for name in names:
            if name not in known:
                return False
    known = row.all_names
    evidence = claim.all_names
    # In the order of the alphabet, as we keep them, they need no sets.
    return (
        not evidence
        or len(known) >= _MOST_NAMES
        or list(evidence) == known
        or set(evidence) <= set(known)
    )


def _serial_key(serial: str, issuer: Issuer) -> str:
    return f"serial:{serial}:{issuer.identity}" if serial and issuer.identity else ""


def _weak_key(
    issuer: Issuer, not_before: str, not_after: str, names: Iterable[str]
) -> str:
    """Issuer, validity and names: all that rows of crt.sh told before 2021."""
    if not (issuer.identity and not_before and not_after):
        return ""
    return "\0".join((issuer.identity, not_before, not_after, *sorted(set(names))))


def _is_apart(left: OwnCertificate | Claim, right: OwnCertificate) -> bool:
    """Whether two are known to be different certificates."""
    if left.tbs_sha256 and right.tbs_sha256:
        return left.tbs_sha256 != right.tbs_sha256
    return (
        bool(left.serial and right.serial and left.issuer.identity)
        and left.issuer.identity == right.issuer.identity
        and left.serial != right.serial
    )


class _Shelf:
    """The certificates of a domain, by all that may show that a claim is of one."""

    def __init__(
        self,
        certificates: list[OwnCertificate],
        source: OwnSource,
        by_id: dict[str, OwnCertificate],
    ) -> None:
        self._certificates = certificates
        self._source = source
        self._by_id = by_id
        self._by_tbs: dict[str, OwnCertificate] = {}
        self._by_serial: dict[str, list[OwnCertificate]] = {}
        # By weak key, and whether hash and serial number are known; then by our id.
        self._by_weak: dict[tuple[str, bool, bool], dict[str, OwnCertificate]] = {}
        self._rows: dict[str, OwnCertificate] = {}  # by our id
        self._moved: dict[str, OwnCertificate] = {}  # id -> what took it in
        for certificate in certificates:
            self._put(certificate)

    def moved(self) -> dict[str, str]:
        """Those that are gone: id -> id of the one that took it in."""
        return {gone: self._kept(row).id for gone, row in self._moved.items()}

    def add(self, claim: Claim, now: str) -> OwnCertificate:
        """The certificate that a claim is the first of."""
        certificate = _of_claim(claim, self._free_id(claim), self._source, now)
        self._certificates.append(certificate)
        self._put(certificate)
        for each in claim.ids:
            self._by_id[each] = certificate
        return certificate

    def fitting(self, claim: Claim) -> list[OwnCertificate]:
        """All certificates that the claim is of; by the strongest reason first."""
        found: dict[str, OwnCertificate] = {}
        for row in self._near(claim):
            kept = self._kept(row)
            if kept.id not in found and not _is_apart(claim, kept):
                found[kept.id] = kept
        return list(found.values())

    def _near(self, claim: Claim) -> Iterator[OwnCertificate]:
        serial = _serial_key(claim.serial, claim.issuer)
        weak = _weak_key(claim.issuer, claim.not_before, claim.not_after, claim.names)
        if claim.tbs_sha256 in self._by_tbs:
            yield self._by_tbs[claim.tbs_sha256]
        for each in claim.ids:
            if row := self._by_id.get(each):
                yield row
        yield from self._by_serial.get(serial, ())
        if weak and (row := self._weakly(claim, weak)):
            yield row
        if not (claim.ids or claim.tbs_sha256 or serial or weak):
            row_id = _digest(_text_of(claim))
            if row_id in self._rows:
                yield self._rows[row_id]

    def _weakly(self, claim: Claim, weak: str) -> OwnCertificate | None:
        """
        The first that nothing but issuer, validity and names can be compared with.

        One is enough: two that fit by this alone stay two.
        """
        for has_tbs in (False, True):
            for has_serial in (False, True):
                if (has_tbs and claim.tbs_sha256) or (has_serial and claim.serial):
                    continue
                for row in self._by_weak.get((weak, has_tbs, has_serial), {}).values():
                    return self._kept(row)
        return None

    def merge(
        self, fitting: Sequence[OwnCertificate], claim: Claim, now: str
    ) -> tuple[OwnCertificate, set[str]]:
        """
        The one that is left of all, and what it learned.

        It is the one that was seen first, so that alerts of it stay its own.
        """
        best = fitting[0]
        before = _known(best)
        self._take_out(best)
        _learn(best, _of_claim(claim, best.id, self._source, now))
        for other in fitting[1:]:
            if _is_apart(other, best):
                continue
            self._take_out(other)
            keep, gone = sorted((best, other), key=lambda row: row.first_seen)
            if keep is other:
                before = _known(keep)
            _learn(keep, gone)
            # What was new as one of both is told.
            keep.is_baseline &= gone.is_baseline
            self._moved[gone.id] = keep
            best = keep
        for each in claim.ids:
            self._by_id[each] = best
        after = _known(best)
        self._put(best)
        return best, {name for name in after if after[name] != before[name]}

    def _kept(self, row: OwnCertificate) -> OwnCertificate:
        while row.id in self._moved:
            row = self._moved[row.id]
        return row

    def _put(self, row: OwnCertificate) -> None:
        self._rows[row.id] = row
        if row.tbs_sha256:
            self._by_tbs[row.tbs_sha256] = row
        if serial := _serial_key(row.serial, row.issuer):
            rows = self._by_serial.setdefault(serial, [])
            if not any(each is row for each in rows):
                rows.append(row)
        if weak := _weak_key(row.issuer, row.not_before, row.not_after, row.names):
            kind = (bool(row.tbs_sha256), bool(row.serial))
            self._by_weak.setdefault((weak, *kind), {})[row.id] = row

    def _take_out(self, row: OwnCertificate) -> None:
        """What it is found by weakly changes with what it learns."""
        if weak := _weak_key(row.issuer, row.not_before, row.not_after, row.names):
            kind = (bool(row.tbs_sha256), bool(row.serial))
            self._by_weak.get((weak, *kind), {}).pop(row.id, None)

    def _free_id(self, claim: Claim) -> str:
        """An id that is the same whenever this claim is the first of a certificate."""
        seed = (
            claim.tbs_sha256
            or _serial_key(claim.serial, claim.issuer)
            or _weak_key(claim.issuer, claim.not_before, claim.not_after, claim.names)
            or (f"{self._source}:{claim.ids[0]}" if claim.ids else _text_of(claim))
        )
        found = _digest(seed)
        while found in self._rows:
            # Of the first with these few facts, more is known by now.
            found = _digest(found)
        return found


def _digest(text: str) -> str:
    seed = text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(seed).hexdigest()[:_ID_DIGITS]


def _text_of(claim: Claim) -> str:
    """All that is known where no key is: names and the parts that would make one."""
    parts = (claim.issuer.dn, claim.serial, claim.not_before, claim.not_after)
    return "\0".join((*parts, *sorted(set(claim.names))))


def _sorted_ids(ids: Iterable[str]) -> list[str]:
    """In the order of numbers, where they are numbers."""
    return sorted(set(ids), key=lambda each: (len(each), each))


def _of_claim(claim: Claim, row_id: str, source: OwnSource, now: str) -> OwnCertificate:
    return OwnCertificate(
        id=row_id,
        first_seen=now,
        names=sorted(set(claim.names)),
        all_names=sorted(set(claim.all_names))[:_MOST_NAMES],
        issuer=claim.issuer,
        serial=claim.serial,
        tbs_sha256=claim.tbs_sha256,
        cert_sha256=claim.cert_sha256,
        key_sha256=claim.key_sha256,
        not_before=claim.not_before,
        not_after=claim.not_after,
        logged=claim.logged,
        is_revoked=claim.is_revoked,
        seen_by={source: SeenBy(now, _sorted_ids(claim.ids), claim.link)},
    )


_FACTS = (
    "serial",
    "tbs_sha256",
    "cert_sha256",
    "key_sha256",
    "not_before",
    "not_after",
)


def _learn(row: OwnCertificate, other: OwnCertificate) -> None:
    """What `other` knows more; where both know, the row stays with what it knew."""
    for fact in _FACTS:
        if not getattr(row, fact):
            setattr(row, fact, getattr(other, fact))
    row.names = sorted({*row.names, *other.names})
    row.all_names = sorted({*row.all_names, *other.all_names})[:_MOST_NAMES]
    row.issuer = _both(row.issuer, other.issuer)
    row.logged = min(filter(None, (row.logged, other.logged)), default="")
    if row.is_revoked is None or other.is_revoked:
        row.is_revoked = other.is_revoked
    row.first_seen = min(row.first_seen, other.first_seen)
    for source, theirs in other.seen_by.items():
        ours = row.seen_by.get(source)
        if ours is None:
            row.seen_by[source] = theirs
            continue
        ours.first_seen = min(ours.first_seen, theirs.first_seen)
        ours.ids = _sorted_ids((*ours.ids, *theirs.ids))
        ours.link = ours.link or theirs.link


def _both(left: Issuer, right: Issuer) -> Issuer:
    return replace(
        left,
        dn=left.dn or right.dn,
        identity=left.identity or right.identity,
        organisation=left.organisation or right.organisation,
        ca_id=right.ca_id if left.ca_id is None else left.ca_id,
        caa_domains=(
            right.caa_domains if left.caa_domains is None else left.caa_domains
        ),
        contact=left.contact or right.contact,
    )


def _known(row: OwnCertificate) -> dict[str, object]:
    """All that `Change.learned` may name, in a form that does not change."""
    issuer = row.issuer
    return {
        **{fact: getattr(row, fact) for fact in _FACTS},
        "names": tuple(row.names),
        "all_names": tuple(row.all_names),
        "issuer": (issuer.identity, issuer.organisation),
        "ca_id": issuer.ca_id,
        "caa_domains": issuer.caa_domains,
        "contact": issuer.contact,
        "logged": row.logged,
        "is_revoked": row.is_revoked,
        "seen_by": tuple(sorted(row.seen_by)),
        "ids": tuple(tuple(row.seen_by[each].ids) for each in sorted(row.seen_by)),
    }
