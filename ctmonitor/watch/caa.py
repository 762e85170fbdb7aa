"""
Whether the name servers allow a CA to issue for a name, as of now.

    CAA record     flags (8 bits, of which 128 means critical), tag, value
    issue          who may issue: a domain name, then parameters after `;`
    issuewild      the same for wildcards, in place of `issue`

The records that count are those of the name itself, else of the closest name above it
that has any. Aliases are followed by the name server that is asked.

Source: RFC 8659 sections 3 and 4; RFC 9495 and CA/Browser Forum BR appendix A for tags
that do not concern host names.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from ctmonitor.model.text import shortened
from ctmonitor.watch.lookup import AROUND_PROXY, REST_S, Silence

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

_CRITICAL = 128
_KNOWN = frozenset(
    ("issue", "issuewild", "iodef", "issuemail", "contactemail", "contactphone")
)
_MAX_SHOWN = 300
_MAX_KEPT = 20_000  # names


class Verdict(StrEnum):
    """Whether an issuance was allowed."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CaaVerdict:
    """
    What CAA says of a certificate.

    Args:
        record: the records that decide, as in a zone file; empty for none.
        at: the name that has them; empty for none.
        why: for people.
    """

    verdict: Verdict
    record: str = ""
    at: str = ""
    why: str = ""


class Property(NamedTuple):
    """
    One CAA record.

    Args:
        tag: in lower case.
        text: as in a zone file.
    """

    flags: int
    tag: str
    value: str
    text: str


class _Found(NamedTuple):
    records: tuple[Property, ...] | str
    until_s: float


class Caa:
    """
    Asks for CAA; what was answered, or not, is kept for some minutes.

    So the names of a run are asked for once, and those of the next run anew.

    Args:
        resolver: None behind a proxy, which DNS would go around.
        timeout_s: for one question, all servers together.
        at_once: questions at the same time.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        resolver: "Resolver | None",
        *,
        timeout_s: float = 5.0,
        at_once: int = 200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = resolver
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(at_once)
        self._clock = clock
        self._silence = Silence(clock)
        self._locks: dict[str, asyncio.Lock] = {}
        self._found: dict[str, _Found] = {}

    async def check(
        self, names: Sequence[str], identifiers: Sequence[str] | None
    ) -> CaaVerdict:
        """
        Whether the issuer may issue for all of the names; never raises.

        Forbidden for one name is forbidden, whatever is said of the others.

        Args:
            names: A-labels in lower case; a wildcard begins with `*.`.
            identifiers: of the issuer, any of which a record may name; None or none
                when they are not known.
        """
        if not names or not identifiers:
            why = "it is not known by which names CAA records allow this issuer"
            return CaaVerdict(Verdict.UNKNOWN, why=why)
        known = frozenset(each.lower() for each in identifiers)
        verdicts = await asyncio.gather(
            *(self._of_name(name, known) for name in dict.fromkeys(names))
        )
        worst_first = (Verdict.FORBIDDEN, Verdict.UNKNOWN, Verdict.ALLOWED)
        return min(verdicts, key=lambda each: worst_first.index(each.verdict))

    async def _of_name(self, name: str, identifiers: frozenset[str]) -> CaaVerdict:
        at = name.removeprefix("*.")
        is_wildcard = at != name
        while at:
            found = await self._records(at)
            if isinstance(found, str):
                return CaaVerdict(Verdict.UNKNOWN, at=at, why=found)
            if found:
                return judge(found, at, identifiers, is_wildcard=is_wildcard)
            at = at.partition(".")[2]
        why = f"neither {name} nor a name above it has a CAA record"
        return CaaVerdict(Verdict.ALLOWED, why=why)

    async def _records(self, name: str) -> tuple[Property, ...] | str:
        """The records of a name, or why they are not known."""
        if (known := self._known(name)) is not None:
            return known
        async with self._locks.setdefault(name, asyncio.Lock()):
            if (known := self._known(name)) is not None:
                return known
            records = await self._asked(name)
            if len(self._found) >= _MAX_KEPT:
                self._found.clear()
            self._found[name] = _Found(records, self._clock() + REST_S)
        self._locks.pop(name, None)
        return records

    def _known(self, name: str) -> tuple[Property, ...] | str | None:
        found = self._found.get(name)
        if found is None or self._clock() >= found.until_s:
            return None
        return found.records

    async def _asked(self, name: str) -> tuple[Property, ...] | str:
        if self._resolver is None:
            return AROUND_PROXY
        # Not before something is asked: dnspython takes a while to load.
        import dns.exception
        import dns.resolver

        async with self._slots:
            if self._silence.is_sure:
                return "no name server answers; see [SCAN] Resolver"
            try:
                answer = await self._resolver.resolve(
                    f"{name}.",
                    "CAA",
                    search=False,
                    raise_on_no_answer=False,
                    lifetime=self._timeout_s,
                )
            except dns.resolver.NXDOMAIN:
                self._silence.note(has_failed=False)
                return ()
            except (dns.exception.DNSException, OSError) as exc:
                self._silence.note(has_failed=True)
                return (
                    f"CAA of {name}: {shortened(str(exc) or type(exc).__name__, 200)}"
                )
        self._silence.note(has_failed=False)
        return tuple(
            Property(
                record.flags,
                record.tag.decode("latin-1").lower(),
                record.value.decode("latin-1"),
                record.to_text(),
            )
            for record in answer.rrset or ()
        )


def judge(
    found: Sequence[Property],
    at: str,
    identifiers: frozenset[str],
    *,
    is_wildcard: bool,
) -> CaaVerdict:
    """
    What the records that count say.

    Args:
        found: all CAA records of the name `at`; at least one.
        identifiers: of the issuer, in lower case.
    """
    strange = [one for one in found if one.flags & _CRITICAL and one.tag not in _KNOWN]
    if strange:
        tags = ", ".join(sorted({repr(shortened(one.tag, 20)) for one in strange}))
        why = f"CAA of {at} has a critical property that no CA knows: {tags}"
        return CaaVerdict(Verdict.FORBIDDEN, _text(strange), at, why)
    deciding = [one for one in found if is_wildcard and one.tag == "issuewild"]
    deciding = deciding or [one for one in found if one.tag == "issue"]
    if not deciding:
        why = f"CAA of {at} restricts no CA"
        return CaaVerdict(Verdict.ALLOWED, _text(found), at, why)
    # A value that is no domain name is what no CA has: it allows nobody.
    allowed = [one.value.partition(";")[0].strip(" \t").lower() for one in deciding]
    what = "wildcards" if is_wildcard else "certificates"
    if matching := identifiers.intersection(allowed):
        why = f"CAA of {at} allows {what} of {min(matching)}"
        return CaaVerdict(Verdict.ALLOWED, _text(deciding), at, why)
    who = shortened(", ".join(sorted(set(filter(None, allowed)))), _MAX_SHOWN)
    why = (
        f"CAA of {at} allows {what} of {who} alone"
        if who
        else (f"CAA of {at} allows {what} of nobody")
    )
    return CaaVerdict(Verdict.FORBIDDEN, _text(deciding), at, why)


def _text(properties: Sequence[Property]) -> str:
    ordered = sorted(one.text for one in properties)  # servers shuffle them
    return shortened("; ".join(ordered), _MAX_SHOWN)
