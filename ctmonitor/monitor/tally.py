"""What a run has done so far, and the one line it ends with."""

from collections import Counter
from dataclasses import dataclass, field

from ctmonitor.model.batch import Batch, Gap


@dataclass(slots=True)
class Tally:
    """
    Counts since the start of a run.

    Args:
        own: log entries and messages with names of own domains.
    """

    messages: int = 0
    candidates: int = 0
    findings: int = 0
    own: int = 0
    dropped: int = 0
    reconnects: int = 0
    gaps: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    _last_open: Gap | None = None

    def add(self, batch: Batch) -> None:
        """Count a batch; a gap that was told while open counts once."""
        counts = batch.counts
        self.messages += counts.messages
        self.candidates += counts.candidates
        self.dropped += counts.dropped
        self.reconnects += counts.reconnects
        self.malformed.update(counts.malformed)
        for gap in batch.gaps:
            told = self._last_open
            ends_told = (
                told is not None
                and gap.end is not None
                and not gap.log
                and (told.feed, told.cause, told.start)
                == (gap.feed, gap.cause, gap.start)
            )
            self.gaps += not ends_told
            if gap.end is None:
                self._last_open = gap
            elif ends_told:
                self._last_open = None

    def __str__(self) -> str:
        return (
            f"messages={self.messages} candidates={self.candidates} "
            f"findings={self.findings} malformed={self.malformed.total()} "
            f"dropped={self.dropped} reconnects={self.reconnects} gaps={self.gaps}"
        )
