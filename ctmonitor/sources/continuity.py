"""
Holes in the indexes of a log, as the only trace of what a feed's server left out.

A server drops messages for a slow client without a word. Entries of one log carry
`cert_index` in order, so an index that never comes was dropped. Servers with several
workers send a little out of order, so a hole is told only after some patience.

Some servers leave entries out on purpose (the Rust server sends a certificate that
stands in several logs once), which makes a hole at every other entry. So after a hole
was told, what else is missing of that log is gathered: for a minute, and for twice as
long each time, up to an hour, as long as it does not end.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace

# What strangers may make us remember: logs of one feed, holes of one log.
MAX_LOGS = 1000
MAX_HOLES = 256
# An index so far below the others shows that the others were wrong: begin anew.
MOST_BEHIND = 1_000_000

_FIRST_PAUSE_S = 60.0
_MOST_PAUSE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Hole:
    """
    Indexes within [start, end) of a log of which `lost` did not come.

    Args:
        noticed_s: when the first of them was missed, on the caller's clock.
    """

    log: bytes
    start: int
    end: int
    noticed_s: float
    lost: int


@dataclass(slots=True)
class _Log:
    expected: int  # the index after the highest one that came
    holes: list[Hole] = field(default_factory=list)
    gathered: Hole | None = None  # given up, not told yet
    told_s: float = 0.0
    pause_s: float = 0.0

    def give_up(self, hole: Hole) -> None:
        have = self.gathered
        self.gathered = hole if have is None else _joined(have, hole)

    def tell(self, now_s: float, *, at_once: bool) -> Hole | None:
        """What was gathered, when it is time to tell it."""
        hole = self.gathered
        if hole is None or (now_s - self.told_s < self.pause_s and not at_once):
            return None
        goes_on = now_s - self.told_s < 2 * self.pause_s
        longer_s = min(2 * self.pause_s, _MOST_PAUSE_S)
        self.pause_s = longer_s if goes_on else _FIRST_PAUSE_S
        self.told_s, self.gathered = now_s, None
        return hole


def _joined(one: Hole, other: Hole) -> Hole:
    return Hole(
        one.log,
        min(one.start, other.start),
        max(one.end, other.end),
        min(one.noticed_s, other.noticed_s),
        one.lost + other.lost,
    )


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
            if len(state.holes) >= MAX_HOLES:
                state.give_up(state.holes.pop(0))
            missing = index - state.expected
            state.holes.append(Hole(log, state.expected, index, now_s, missing))
            state.expected = index + 1
        elif index < state.expected - MOST_BEHIND:
            state.expected = index + 1
            state.holes.clear()
        elif state.holes:
            self._fill(state, index)

    @staticmethod
    def _fill(state: _Log, index: int) -> None:
        for number, hole in enumerate(state.holes):
            if hole.start <= index < hole.end:
                parts = ((hole.start, index), (index + 1, hole.end))
                state.holes[number : number + 1] = [
                    replace(hole, start=start, end=end, lost=end - start)
                    for start, end in parts
                    if start < end
                ]
                return

    def expired(self, now_s: float) -> list[Hole]:
        """The holes that nothing filled in time; each is given once."""
        return self._tell(now_s, self._patience_s, at_once=False)

    def rest(self, now_s: float) -> list[Hole]:
        """All that is missing, at the end, when nothing more will come."""
        return self._tell(now_s, 0.0, at_once=True)

    def _tell(self, now_s: float, limit_s: float, *, at_once: bool) -> list[Hole]:
        result: list[Hole] = []
        for state in self._logs.values():
            # They stand in the order in which they were noticed.
            while state.holes and now_s - state.holes[0].noticed_s >= limit_s:
                state.give_up(state.holes.pop(0))
            if (hole := state.tell(now_s, at_once=at_once)) is not None:
                result.append(hole)
        return result
