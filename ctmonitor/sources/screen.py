"""From raw messages to sightings: the prefilter picks, the parser reads."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from ctmonitor.errors import FormatError
from ctmonitor.model.batch import Batch, Counts, Cursor, Gap, Sighting
from ctmonitor.model.text import shortened
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.message import MARKS, is_heartbeat, name_spans, parse

_SAMPLES = 3  # malformed messages described in a batch; the rest is counted


def candidates(frames: Sequence[bytes], scanner: Scanner | None) -> list[int]:
    """
    Positions in `frames` of those that have to be parsed.

    All frames are scanned in one pass. A hit counts when it lies in a part that holds
    names, so that an issuer called "Secure Server CA" makes no candidates.
    """
    if scanner is None:
        return list(range(len(frames)))
    data = b"\n".join(frames)
    ends = scanner.ends(data)
    # Letters of other scripts can look like those of a rule, and no text says which.
    picked = set() if data.isascii() else _foreign(frames)
    if not ends:
        return sorted(picked)
    # Frame i stands at [starts[i], starts[i] + len); one newline follows it.
    starts = list(accumulate((len(frame) + 1 for frame in frames), initial=0))
    at = 0
    while at < len(ends):
        number = bisect_right(starts, ends[at] - 1) - 1
        begin, after = starts[number], starts[number + 1]
        hits: list[int] = []
        while at < len(ends) and ends[at] <= after:
            hits.append(ends[at] - begin)
            at += 1
        if number not in picked and _is_candidate(frames[number], hits):
            picked.add(number)
    return sorted(picked)


def _foreign(frames: Sequence[bytes]) -> set[int]:
    """Positions of the frames with a name, or what may be one, that is not ASCII."""
    found = set()
    for number, frame in enumerate(frames):
        if not frame.isascii():
            spans = name_spans(frame)
            if spans is None or not all(frame[a:b].isascii() for a, b in spans):
                found.add(number)
    return found


def _is_candidate(frame: bytes, hits: Sequence[int]) -> bool:
    if any(mark in frame for mark in MARKS):
        return True
    spans = name_spans(frame)
    if spans is None:
        return True
    return any(start < hit <= end for start, end in spans for hit in hits)


def screen(
    frames: Sequence[bytes],
    scanner: Scanner | None,
    feed: str,
    *,
    dropped: int = 0,
    reconnects: int = 0,
    gaps: tuple[Gap, ...] = (),
    cursor: Cursor | None = None,
) -> Batch:
    """
    The batch of some messages of one feed; the other arguments are handed through.
    """
    sightings: list[Sighting] = []
    malformed: Counter[str] = Counter()
    samples: list[str] = []
    heartbeats = 0
    picked = candidates(frames, scanner)
    for number in picked:
        frame = frames[number]
        try:
            sighting, defects = parse(frame, feed)
        except FormatError as exc:
            malformed[exc.kind] += 1
            if len(samples) < _SAMPLES:
                text = frame[:120].decode("utf-8", "backslashreplace")
                samples.append(f"{exc}: {shortened(text, 120)}")
            continue
        malformed.update(defects)
        if defects and len(samples) < _SAMPLES and sighting is not None:
            where = f"{sighting.log} index {sighting.index}"
            samples.append(f"{'; '.join(defects)}: {shortened(where, 120)}")
        if sighting is not None:
            sightings.append(sighting)
        else:
            heartbeats += is_heartbeat(frame)
    return Batch(
        sightings=tuple(sightings),
        counts=Counts(
            messages=len(frames) - heartbeats,
            candidates=len(picked) - heartbeats,
            dropped=dropped,
            reconnects=reconnects,
            malformed=malformed,
        ),
        gaps=gaps,
        cursor=cursor,
        samples=tuple(samples),
    )
