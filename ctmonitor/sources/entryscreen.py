"""
From a run of log entries to sightings: the prefilter picks, the parser reads.

The prefilter sees the run's whole buffer in one pass. What it points at counts in the
signed part of an entry and there in the parts that hold names, so that neither a
chain nor an issuer called "Secure Server CA" makes candidates.
"""

import asyncio
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ctmonitor.ct.entry import (
    CERTIFICATE_AT,
    TBS_CERTIFICATE_AT,
    TYPE_AT,
    Leaves,
    LogEntry,
)
from ctmonitor.ct.x509 import (
    BMP_STRING,
    COMMON_NAME,
    UNIVERSAL_STRING,
    certificate_of,
    name_spans,
)
from ctmonitor.errors import FormatError
from ctmonitor.model.batch import Malformed, Sighting
from ctmonitor.model.clock import from_epoch
from ctmonitor.model.log import Log
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.message import log_address

# Behind these a common name stands in characters of two or four bytes, in which no
# literal of a rule shows: its entry is worth a look whatever the rules are.
LEAF_MARKS = (
    COMMON_NAME + bytes((BMP_STRING,)),
    COMMON_NAME + bytes((UNIVERSAL_STRING,)),
)

# Expressions of Hyperscan for names of which no text tells what rules find in them.
# Longer than any host name: the length takes two bytes or more, of which any may be the
# code of a letter. (0x30 0x81 0x82 0x82 begins a list of 130 bytes and its first name.)
# A common name that is not all ASCII: text as far as the first byte of another kind,
# which is none of those that follow a name in a certificate.
ODD_NAMES = (
    rb"(?:[^\x81]|[^\x30]\x81)\x82[\x82-\x84]",
    re.escape(COMMON_NAME) + rb"[\x0c\x12-\x16\x19-\x1b][\x82-\x84]",
    *(
        re.escape(COMMON_NAME + tag) + rb"[\x00-\xff]{1,2}[\t\n\r -~]*[\xa0-\xff]"
        for tag in (b"\x0c", b"\x14")  # UTF8String, TeletexString
    ),
)

# Parsed without a pause; of a usual tile it is all. What a hostile log fills with names
# of one byte takes 0.1 s, and an answer of 19 MB took 5 s, in which other logs waited.
_AT_ONCE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Screened:
    """
    What a run of entries gives.

    Args:
        candidates: how many of them were parsed.
        malformed: in order, entries with a broken framing, whether they are candidates
            or not, and candidates of which something else is broken.
    """

    sightings: tuple[Sighting, ...]
    candidates: int
    malformed: tuple[Malformed, ...]


async def screen_leaves(
    leaves: Leaves, log: Log, feed: str, scanner: Scanner | None, now: datetime
) -> Screened:
    """
    The entries in whose names the rules may find something.

    Other tasks have their turn when there is much to parse.

    Args:
        feed: for the sightings, as `Sighting.feed`.
        scanner: a prefilter with LEAF_MARKS; None when the rules want all entries.
        now: when the entries were received.
    """
    # As a feed's messages name it, so that one log is one in the store.
    address = log_address(log.address)
    sightings: list[Sighting] = []
    # Of a candidate the words that say more replace these.
    told: dict[int, list[str]] = {n: [kind] for n, kind in leaves.malformed.items()}
    kinds = dict(leaves.malformed)
    picked = candidates(leaves, scanner)
    left_bytes = _AT_ONCE_BYTES
    for number in picked:
        start, end = leaves.spans[number]
        if left_bytes <= 0:
            left_bytes = _AT_ONCE_BYTES
            await asyncio.sleep(0)
        left_bytes -= end - start
        index = leaves.start + number
        wrong: list[str] = []
        try:
            entry = _entry(leaves, number, kinds, wrong)
            certificate, defects = certificate_of(entry)
        except FormatError as exc:
            kinds.setdefault(number, exc.kind)
            told[number] = [*wrong, str(exc)]
            continue
        if defects:
            kinds.setdefault(number, defects[0])
            wrong.extend(defects)
        if wrong:
            told[number] = wrong
        sightings.append(
            Sighting(
                names=certificate.names,
                feed=feed,
                certificate=certificate,
                log=address,
                log_name=log.name,
                index=index,
                entry_type="PrecertLogEntry" if entry.is_precert else "X509LogEntry",
                seen=now,
                logged=from_epoch(entry.timestamp_ms / 1000),
                link=log.link(index),
            )
        )
    malformed = tuple(
        Malformed(address, leaves.start + n, kinds[n], "; ".join(told[n]))
        for n in sorted(told)
    )
    return Screened(tuple(sightings), len(picked), malformed)


def _entry(
    leaves: Leaves, number: int, kinds: dict[int, str], wrong: list[str]
) -> LogEntry:
    """
    The entry, or what is signed of it when the rest is broken.

    A log that hands out a broken chain must not hide a name by that.
    """
    try:
        return leaves.entry(number)
    except FormatError as exc:
        kinds.setdefault(number, exc.kind)
        entry = leaves.signed(number)
        wrong.append(str(exc))
        return entry


def candidates(leaves: Leaves, scanner: Scanner | None) -> list[int]:
    """Numbers, from 0, of the entries that have to be parsed, ascending."""
    spans = leaves.spans
    if scanner is None:
        return list(range(len(spans)))
    ends = scanner.ends(leaves.data) if spans else []
    if not ends:
        return []
    starts = [start for start, _ in spans]
    picked: list[int] = []
    # A hit belongs to the entry in which its last byte lies.
    at = bisect_right(ends, starts[0])
    while at < len(ends):
        number = bisect_right(starts, ends[at] - 1) - 1
        start, end = spans[number]
        after = bisect_right(ends, end, at)
        if after > at:
            if _is_candidate(leaves, start, end, ends[at:after]):
                picked.append(number)
            at = after
        elif number + 1 < len(starts):
            # Behind the signed part of an entry: to the next one.
            at = bisect_right(ends, starts[number + 1], at)
        else:
            break
    return picked


def _is_candidate(leaves: Leaves, start: int, end: int, hits: Sequence[int]) -> bool:
    data = leaves.data
    timestamp = start + leaves.lead
    kind = timestamp + TYPE_AT
    # A slice, since an entry with a broken framing may end before it.
    is_precert = data[kind : kind + 1] == b"\1"
    at = timestamp + (TBS_CERTIFICATE_AT if is_precert else CERTIFICATE_AT)
    spans = name_spans(data, at, end, is_precert, hits[-1])
    if spans is None:
        return True
    # By halves, since a hostile log fills a part without names with hits. What says
    # that a word ends is the byte behind it, which may be the first behind the part.
    for begin, stop in spans:
        after = bisect_right(hits, begin)
        if after < len(hits) and hits[after] <= stop + 1:
            return True
    return False
