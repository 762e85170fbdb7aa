"""
Lure words: what stands beside a brand to make people act (`login`, `konto`, `colis`).

The words are data of this package, lures.txt; host names have them glued together
(`securelogin`), which is taken apart here.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

# Shorter ones stand in too many words: they count as a whole piece only.
_SHORTEST_GLUED = 4
# Of a piece with other letters a lure of four is more often chance (`passion`).
_SHORTEST_BESIDE_OTHERS = 5


class Topic(StrEnum):
    """What a lure is about."""

    LOGIN = "login"
    ALERT = "alert"
    MONEY = "money"
    PARCEL = "parcel"
    PRIZE = "prize"
    SHOP = "shop"
    SERVICE = "service"


class Lured(NamedTuple):
    """
    What lures a piece of a name holds.

    Args:
        words: the lures, in order of their place.
        rest: number of letters of the piece that are in none.
    """

    words: tuple[str, ...]
    rest: int


@cache
def lures() -> dict[str, Topic]:
    """Each lure word, lower-case ASCII letters, with its topic."""
    file = resources.files("ctmonitor.rules") / "lures.txt"
    return read_lures(file.read_text("utf-8").splitlines())


def read_lures(lines: Iterable[str]) -> dict[str, Topic]:
    """
    The words of lures.txt: `[topic]`, `xx: word word ...`, `# comment`.

    Raises:
        ValueError: an unknown topic, a word that is not of lower-case ASCII letters or
            stands twice.
    """
    words: dict[str, Topic] = {}
    topic = Topic.LOGIN
    for line in lines:
        if line.startswith("["):
            topic = Topic(line.strip("[]"))
        elif line and not line.startswith("#"):
            for word in line.partition(":")[2].split():
                if not re.fullmatch("[a-z]{2,24}", word) or word in words:
                    raise ValueError(f"lure {word!r} is no word, or stands twice")
                words[word] = topic
    return words


@lru_cache(maxsize=8192)
def lured(piece: str) -> Lured:
    """
    The lures of a piece: as a whole, or one after the other at its begin and its end.

    Args:
        piece: a run of letters, lower case.
    """
    if piece in lures():
        return Lured((piece,), 0)
    if len(piece) < _SHORTEST_GLUED:
        return Lured((), len(piece))
    forward, backward = _patterns()
    first = _run(forward.match(piece))
    head = "".join(first)
    last = tuple(w[::-1] for w in _run(backward.match(piece[len(head) :][::-1])))[::-1]
    words = first + last
    rest = len(piece) - sum(map(len, words))
    if rest:
        words = tuple(w for w in words if len(w) >= _SHORTEST_BESIDE_OTHERS)
        rest = len(piece) - sum(map(len, words))
    return Lured(words, rest)


def _run(match: "re.Match[str] | None") -> tuple[str, ...]:
    if match is None:
        return ()
    return tuple(group for group in match.groups() if group)


@cache
def _patterns() -> tuple["re.Pattern[str]", "re.Pattern[str]"]:
    """Up to three lures from the begin; the same for the text read backwards."""
    long = [word for word in lures() if len(word) >= _SHORTEST_GLUED]
    return tuple(  # type: ignore[return-value]
        re.compile(f"({one})({one})?({one})?")
        for one in (_alternatives(long), _alternatives([w[::-1] for w in long]))
    )


def _alternatives(words: Iterable[str]) -> str:
    """An expression for any of the words, the longest first, that shares beginnings."""
    by_letter: dict[str, list[str]] = {}
    ends = False
    for word in words:
        if word:
            by_letter.setdefault(word[0], []).append(word[1:])
        else:
            ends = True
    if not by_letter:
        return ""
    branches = [
        letter + _alternatives(rests) for letter, rests in sorted(by_letter.items())
    ]
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}"
