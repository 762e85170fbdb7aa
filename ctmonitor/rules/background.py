"""
How often a text stands in ordinary names: the background of a resemblance.

`orange` is a fruit and `paypal` is not; `ledge` is a word and `paypl` is not. The table
beside this module counts, over registrable domains of CT traffic, the words of their
names and the runs of five letters; it knows no brand, so it serves any spelling.

Source of the table: bench/background.py, which also says whence the names are.
"""

import gzip
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import resources
from math import log2
from typing import NamedTuple

# Letters of the runs that are counted: the length from which spellings are looked for
# inside words.
RUN = 5


class Seen(NamedTuple):
    """Number of registrable domains: in the registrable label, left of it."""

    registrable: int
    subdomain: int


_NEVER = Seen(0, 0)
_MOST_BITS = 10.0  # of a pair of letters that is in no run


class Background:
    """
    A table of counts; words and runs of few domains are not in it.

    Args:
        domains: number of registrable domains that were counted.
    """

    def __init__(
        self, domains: int, words: dict[str, Seen], runs: dict[str, int]
    ) -> None:
        self.domains = domains
        self._words = words
        self._runs = runs
        firsts: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        for run, count in runs.items():
            firsts[run[0]] += count
            pairs[run[:2]] += count
        self._bits = {
            pair: log2(firsts[pair[0]] / count) for pair, count in pairs.items()
        }

    def word(self, text: str) -> Seen:
        """In how many domains it is a whole run of letters; (0, 0) for rare ones."""
        return self._words.get(text, _NEVER)

    def common(self, text: str) -> int:
        """In how many domains it is a whole run of letters, in the commoner place."""
        seen = self._words.get(text)
        return 0 if seen is None else max(seen)

    def inside(self, text: str) -> int:
        """
        An upper bound of how many domains hold it anywhere: its rarest five letters.

        0 for rare ones, and for texts of less than five letters, which stand in
        everything.
        """
        get = self._runs.get
        rarest = 0
        for start in range(len(text) - RUN + 1):
            count = get(text[start : start + RUN])
            if count is None:
                return 0
            rarest = min(rarest, count) if start else count
        return rarest

    def spoken(self, text: str) -> int:
        """How many of its letters are in a run that ordinary names hold."""
        runs = self._runs
        letters = end = 0
        for start in range(len(text) - RUN + 1):
            if text[start : start + RUN] in runs:
                letters += start + RUN - max(start, end)
                end = start + RUN
        return letters

    def strangeness(self, text: str) -> float:
        """
        How hard its letters are to guess, each from the one before: bits a letter.

        About 3 for words, 5 and more for letters by lot; 0 for less than two letters.
        """
        bits = self._bits
        pairs = [bits.get(text[i : i + 2], _MOST_BITS) for i in range(len(text) - 1)]
        return sum(pairs) / len(pairs) if pairs else 0.0


@cache
def background() -> Background:
    """The table of this package."""
    file = resources.files("ctmonitor.rules") / "background.txt.gz"
    return read_background(gzip.decompress(file.read_bytes()).decode().splitlines())


def read_background(lines: Iterable[str]) -> Background:
    """
    A table of lines: `* domains`, `word registrable subdomain`, `run count`.
    """
    domains = 0
    words: dict[str, Seen] = {}
    runs: dict[str, int] = {}
    for line in lines:
        key, first, *second = line.split(" ")
        if second:
            words[key] = Seen(int(first), int(second[0]))
        elif key == "*":
            domains = int(first)
        else:
            runs[key] = int(first)
    return Background(domains, words, runs)
