"""What a source hands on: a batch of candidates, and what happened on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ctmonitor.model.certificate import Certificate


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    One log entry or feed message whose names are to be judged.

    Args:
        names: every name as issued, without doubles, in the order received.
        certificate: None for a domains-only message, which knows nothing else.
        feed: address of the feed or log that told us, without credentials.
        log: address of the log that holds the entry; empty when the feed does not say.
        index: position in that log, from 0; None when the feed does not say.
        entry_type: `X509LogEntry`, `PrecertLogEntry` or empty, as certstream spells it.
        seen: when the feed saw the entry; logged: the log's own timestamp.
    """

    names: tuple[str, ...]
    feed: str
    certificate: Certificate | None = None
    log: str = ""
    log_name: str = ""
    index: int | None = None
    entry_type: str = ""
    seen: datetime | None = None
    logged: datetime | None = None
    link: str = ""


class GapCause(StrEnum):
    """Why entries are missing from a feed."""

    CONNECT = "connect"  # the feed could not be reached
    DISCONNECT = "disconnect"  # the connection ended
    STALL = "stall"  # connected, but silent
    OVERFLOW = "overflow"  # we were too slow; the bounded queue was full
    HOLE = "hole"  # the server left out indexes of a log
    STOPPED = "stopped"  # our own daemon was not running


@dataclass(frozen=True, slots=True)
class Gap:
    """
    A stretch of a feed that was not seen, with what a backfill needs to close it.

    (feed, cause, start, log, index_start) identify a gap: told again with an end or a
    higher loss, it is the same gap.

    Args:
        start: last moment known to be complete; end: first complete one again, None
            while the gap is open.
        lost: messages known to be lost; None when nobody can know.
        log: the log of an index range; empty when only times are known.
        index_start, index_end: the missing indexes, half-open; None when not known.
    """

    feed: str
    cause: GapCause
    start: datetime
    end: datetime | None = None
    lost: int | None = None
    log: str = ""
    index_start: int | None = None
    index_end: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source has been read; true once the batch that bears it is stored."""

    source: str
    position: str  # opaque to the store; each source reads what it wrote


@dataclass(frozen=True, slots=True)
class Counts:
    """
    What a batch stands for; all counts are of this batch alone.

    Args:
        messages: entries or data messages received, candidates or not.
        malformed: kind of defect -> number, of entries that were parsed.
        dropped: messages that overflowed our own queue.
        reconnects: connections made anew after one was lost.
    """

    messages: int = 0
    candidates: int = 0
    dropped: int = 0
    reconnects: int = 0
    malformed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Malformed:
    """
    An entry of a log of which something could not be read.

    Args:
        log: address of the log that holds it; index: position in that log, from 0.
        kind: what is wrong, a short constant.
        detail: the same in full, with every kind when there are several.
        recorded: when it was stored; None before.
    """

    log: str
    index: int
    kind: str
    detail: str = ""
    recorded: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """
    One step of a source; `cursor` is None when there is no position to keep.

    Args:
        malformed_entries: stored with the cursor, by log and index; a feed's messages
            are only counted.
        samples: a few of the malformed entries in words, for the log.
    """

    sightings: tuple[Sighting, ...] = ()
    counts: Counts = Counts()
    gaps: tuple[Gap, ...] = ()
    cursor: Cursor | None = None
    samples: tuple[str, ...] = ()
    malformed_entries: tuple[Malformed, ...] = ()
