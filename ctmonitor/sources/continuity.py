"""
Holes in the indexes of a log, as the only trace of what a feed's server left out.

A server drops messages for a slow client without a word. Entries of one log carry
`cert_index` in order, so an index that never comes was dropped. Servers with several
workers send a little out of order, so a hole is told only after some patience.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

# What strangers may make us remember: logs of one feed, holes of one log.
MAX_LOGS = 1000
MAX_HOLES = 256


@dataclass(frozen=True, slots=True)
class Hole:
    """Indexes [start, end) of a log that did not come; `noticed_s` on our clock."""

    log: bytes
    start: int
    end: int
    noticed_s: float


@dataclass(slots=True)
class _Log:
    expected: int  # the index after the highest one that came
    holes: list[Hole] = field(default_factory=list)


class Continuity:
    """Follows the indexes of all logs of one feed."""

    def __init__(self, patience_s: float) -> None:
        """
        Args:
            patience_s: how long a missing index may still come late.
        """
        self._patience_s = patience_s
        self._logs: OrderedDict[bytes, _Log] = OrderedDict()

    def observe(self, log: bytes, index: int, now_s: float) -> None:
        """Note that entry `index` of `log` came."""
        state = self._logs.get(log)
        if state is None:
            if len(self._logs) >= MAX_LOGS:
                self._logs.popitem(last=False)
            self._logs[log] = _Log(index + 1)
        elif index == state.expected:
            state.expected = index + 1
        elif index > state.expected:
            state.holes.append(Hole(log, state.expected, index, now_s))
            state.expected = index + 1
        elif state.holes:
            self._fill(state, index)

    @staticmethod
    def _fill(state: _Log, index: int) -> None:
        for number, hole in enumerate(state.holes):
            if hole.start <= index < hole.end:
                parts = ((hole.start, index), (index + 1, hole.end))
                state.holes[number : number + 1] = [
                    Hole(hole.log, start, end, hole.noticed_s)
                    for start, end in parts
                    if start < end
                ]
                return

    def expired(self, now_s: float, *, patience_s: float | None = None) -> list[Hole]:
        """
        The holes that nothing filled in time; each is given once.

        Args:
            patience_s: 0 at the end of a connection, when nothing more will come.
        """
        limit = self._patience_s if patience_s is None else patience_s
        result: list[Hole] = []
        for state in self._logs.values():
            if not state.holes:
                continue
            surplus = len(state.holes) - MAX_HOLES
            kept: list[Hole] = []
            for number, hole in enumerate(state.holes):
                old = now_s - hole.noticed_s >= limit
                (result if old or number < surplus else kept).append(hole)
            state.holes = kept
        return result
