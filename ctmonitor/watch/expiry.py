"""
When a certificate ends, and whether another one stands in for it.

A threshold counts below a third of the lifetime alone: renewal at that time is what CAs
recommend, so that until then nothing is late. Certificates of 90 days have 14 and 7
days, those of 47 days as well, those of six days none.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.own import OwnCertificate

_DAY_S = 86400.0
_SHARE = 3  # of the lifetime


def is_expired(certificate: OwnCertificate, now: str) -> bool:
    """Whether it ended before `now`; one whose end is not known is not expired."""
    return bool(certificate.not_after) and certificate.not_after < now


def lifetime_s(certificate: OwnCertificate) -> float | None:
    """Seconds between its beginning and its end; None when one is not known."""
    begin = from_utc_text(certificate.not_before)
    end = from_utc_text(certificate.not_after)
    if begin is None or end is None:
        return None
    return (end - begin).total_seconds()


def days_left(certificate: OwnCertificate, now: str) -> float:
    """Days until its end, below 0 after it; 0 when that is not known."""
    end, moment = from_utc_text(certificate.not_after), from_utc_text(now)
    if end is None or moment is None:
        return 0.0
    return (end - moment).total_seconds() / _DAY_S


def counts(days: int, certificate: OwnCertificate) -> bool:
    """Whether a threshold is one for so long a life; each is for an unknown one."""
    lifetime = lifetime_s(certificate)
    return lifetime is None or days * _DAY_S * _SHARE < lifetime


def ending(
    certificates: Iterable[OwnCertificate], days: Iterable[int], now: str
) -> list[tuple[OwnCertificate, int]]:
    """
    Those that end soon, each with the tightest threshold that was crossed.

    Whether it counts is another question; if it does not, no wider one does.
    """
    limits = [(_later(now, each), each) for each in sorted(set(days))]
    if not limits:
        return []
    last = limits[-1][0]
    return [
        (each, next(day for limit, day in limits if each.not_after <= limit))
        for each in certificates
        if now <= each.not_after <= last
    ]


def _later(now: str, days: int) -> str:
    moment = from_utc_text(now)
    try:
        later = moment + timedelta(days=days) if moment else None
    except OverflowError:
        return "9999-12-31T23:59:59"
    return utc_text(later) or ""


class Successors:
    """
    Says until when a set of names has a valid certificate.

    Args:
        certificates: all of the domain.
        is_ours: whether one counts: its CA is authorised, or its key is ours.
    """

    def __init__(
        self,
        certificates: Iterable[OwnCertificate],
        is_ours: Callable[[OwnCertificate], bool],
        now: str,
    ) -> None:
        self._by_name: dict[str, list[OwnCertificate]] = {}
        self._sets: dict[str, frozenset[str]] = {}
        self._until: dict[tuple[str, ...], str] = {}
        for each in certificates:
            if not each.not_before <= now <= each.not_after:
                continue
            if each.is_revoked or not is_ours(each):
                continue
            self._sets[each.id] = frozenset(each.names)
            for name in each.names:
                self._by_name.setdefault(name, []).append(each)

    def until(self, names: Sequence[str]) -> str:
        """
        The latest end of a certificate that covers all of `names`; empty for none.

        A name is covered by itself, or by a wildcard in the place of its first label.
        """
        key = tuple(names)
        found = self._until.get(key)
        if found is None:
            found = self._until[key] = self._latest(key)
        return found

    def _latest(self, names: Sequence[str]) -> str:
        if not names:
            return ""
        # One certificate has to cover all, so those for the rarest name are enough.
        candidates = min((self._for(name) for name in names), key=len)
        latest = ""
        for each in candidates:
            if each.not_after > latest and _covers(self._sets[each.id], names):
                latest = each.not_after
        return latest

    def _for(self, name: str) -> list[OwnCertificate]:
        exact = self._by_name.get(name, [])
        if name.startswith("*."):
            return exact
        by_wildcard = self._by_name.get(_wildcard(name), [])
        return exact + by_wildcard if by_wildcard else exact


def _covers(covering: frozenset[str], names: Sequence[str]) -> bool:
    return all(
        name in covering or (name[:2] != "*." and _wildcard(name) in covering)
        for name in names
    )


def _wildcard(name: str) -> str:
    return "*." + name.partition(".")[2]
