"""The figures of one measurement."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """
    What one case did in one round.

    Args:
        done: messages, frames, entries, findings or hosts visited.
        seconds: of the clock; cpu_s: of the processor.
        rss_mb: the most memory in use.
        growth: memory in the last third of the time, in shares of the first third.
        p50_s, p99_s: from frame sent to row stored, where that was measured.
        first_s: from the start of a program to its connection, or its first connection
            or finding, likewise.
        flaws: why it must not be compared, in words; empty when all is well.
    """

    done: int
    seconds: float
    cpu_s: float
    rss_mb: float = math.nan
    growth: float = math.nan
    p50_s: float = math.nan
    p99_s: float = math.nan
    first_s: float = math.nan
    flaws: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        """How many were done a second of the clock."""
        return self.done / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the processor for each."""
        return self.cpu_s / self.done * 1e6
