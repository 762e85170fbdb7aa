"""
One spelling of a brand, and the ASCII texts that can be taken for it.

Source: the kinds of dnstwist's `Fuzzer`, which are the reference for what is found.
"""

from collections.abc import Iterator
from itertools import pairwise

from ctmonitor.rules.resemblance import Trick

# From this length on, typing errors; below it only look-alike characters, and below
# MIN_INSIDE nothing but the spelling itself as a whole token.
MIN_TYPING = 6
MIN_INSIDE = 5

_VOWELS = frozenset("aeiou")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_REPLACING = _LETTERS + "0123456789-"
_INSERTED = _REPLACING + "._"

# What passes for a letter at a glance: digits, and pairs of letters.
_STRONG = {
    "a": ("4",),
    "b": ("8",),
    "d": ("cl",),
    "e": ("3",),
    "g": ("q",),
    "i": ("1", "l"),
    "l": ("1", "i"),
    "m": ("rn", "nn"),
    "o": ("0",),
    "q": ("g",),
    "s": ("5",),
    "t": ("7",),
    "w": ("vv",),
    "0": ("o",),
    "1": ("l", "i"),
    "3": ("8",),
    "5": ("s",),
    "8": ("3",),
    "cl": ("d",),
    "rn": ("m",),
}
# What dnstwist takes for alike, too: found in long spellings only.
_WEAK = {
    "b": ("d", "lb"),
    "c": ("e",),
    "d": ("b", "dl"),
    "e": ("c",),
    "h": ("lh",),
    "k": ("lc",),
    "m": ("n",),
    "n": ("m", "r"),
    "u": ("v",),
    "v": ("u",),
    "6": ("9",),
    "9": ("6",),
}
_ALL = {
    char: (*_STRONG.get(char, ()), *_WEAK.get(char, ())) for char in _STRONG | _WEAK
}


def _neighbours(*rows: str) -> dict[str, set[str]]:
    """The keys around each key, each row half a key right of the one above it."""
    around: dict[str, set[str]] = {}
    for row in rows:
        for left, right in pairwise(row):
            around.setdefault(left, set()).add(right)
            around.setdefault(right, set()).add(left)
    for above, below in pairwise(rows):
        for column, key in enumerate(below):
            for other in above[column : column + 2]:
                around.setdefault(key, set()).add(other)
                around.setdefault(other, set()).add(key)
    return around


_KEYBOARDS = (
    _neighbours("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"),
    _neighbours("1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm"),
    _neighbours("1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn"),
)


def _near(typed: str, meant: str) -> bool:
    return any(typed in keys.get(meant, ()) for keys in _KEYBOARDS)


def look_alikes(spelling: str) -> frozenset[str]:
    """
    `spelling` with one or two exchanges of look-alike characters: `rnicros0ft`.

    Two equal letters side by side may be exchanged at once, as in `g00gle`. Empty for
    a spelling shorter than MIN_INSIDE.
    """
    if len(spelling) < MIN_INSIDE:
        return frozenset()
    glyphs = _ALL if len(spelling) >= MIN_TYPING else _STRONG
    once = set(_exchanged(spelling, glyphs))
    twice = {text for one in once for text in _exchanged(one, glyphs)}
    return frozenset((once | twice) - {spelling})


def _exchanged(text: str, glyphs: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for at, char in enumerate(text):
        for look in glyphs.get(char, ()):
            yield text[:at] + look + text[at + 1 :]
        pair = text[at : at + 2]
        for look in glyphs.get(pair, ()):
            yield text[:at] + look + text[at + 2 :]
        if pair == char * 2:
            for look in glyphs.get(char, ()):
                yield text[:at] + look * 2 + text[at + 2 :]


def inner_errors(spelling: str) -> Iterator[str]:
    """
    `spelling` with one typing error that leaves its first and last character in place,
    and with these two transposed with their neighbours.

    A dot may be inserted, too: `pay.pal`. Empty below MIN_TYPING.
    """
    size = len(spelling)
    if size < MIN_TYPING:
        return
    for at in range(size - 1):
        head, first, second = spelling[:at], spelling[at], spelling[at + 1]
        if first != second:
            yield head + second + first + spelling[at + 2 :]
    for at in range(1, size):
        head, tail = spelling[:at], spelling[at:]
        for char in _INSERTED:
            yield head + char + tail
        if head[-1] in "sxz" and at < size - 1:
            yield head + "es" + tail
    for at in range(1, size - 1):
        head, tail = spelling[:at], spelling[at + 1 :]
        yield head + tail
        for char in _REPLACING:
            if char != spelling[at]:
                yield head + char + tail


def parted(spelling: str) -> Iterator[str]:
    """
    `spelling` with several hyphens or dots in it: `bank-of-america`, `p-a-y-p-a-l`.

    One of them is among the `inner_errors`. Empty below MIN_TYPING, and for a spelling
    with a hyphen of its own.
    """
    if len(spelling) < MIN_TYPING or "-" in spelling:
        return
    for mark in "-.":
        yield mark.join(spelling)
        for first in range(2, len(spelling) - 3):
            for second in range(first + 2, len(spelling) - 1):
                pieces = spelling[:first], spelling[first:second], spelling[second:]
                yield mark.join(pieces)


def joined(text: str) -> str:
    """`text` without hyphens and dots."""
    return text.replace("-", "").replace(".", "")


def typing_error(spelling: str, text: str) -> Trick | None:
    """
    By which one typing error `text` comes from `spelling`; None where it takes more.

    Where several explain it the one that says most is given: `o` for `e` is a vowel
    swap before it is a replacement. A single look-alike letter counts here as well.
    """
    longer = len(text) - len(spelling)
    if not -1 <= longer <= 2:
        return None
    at = 0
    for meant, typed in zip(spelling, text, strict=False):
        if meant != typed:
            break
        at += 1
    if longer == -1:
        return Trick.OMISSION if spelling[at + 1 :] == text[at:] else None
    if longer == 1:
        if spelling[at:] != text[at + 1 :]:
            return None
        return _insertion(text, at)
    if longer == 2:  # plurals of `s`, `x`, `z` take two letters
        # The common beginning may run into the inserted letters: `pass` + `es` + `s`.
        for start in range(at, max(at - 2, 0), -1):
            is_plural = text[start : start + 2] == "es" and text[start - 1] in "sxz"
            if is_plural and spelling[start:] == text[start + 2 :]:
                return Trick.PLURAL
        return None
    if at == len(spelling):
        return None
    if spelling[at + 1 :] == text[at + 1 :]:
        return _replacement(spelling[at], text[at])
    swapped = spelling[at + 1 : at + 2] + spelling[at]
    if text[at : at + 2] == swapped and spelling[at + 2 :] == text[at + 2 :]:
        return Trick.TRANSPOSITION
    return None


def _insertion(text: str, at: int) -> Trick:
    char = text[at]
    if char in "-._":
        return Trick.HYPHEN
    # Of two equal letters the common beginning ends behind the first.
    if (at and text[at - 1] == char) or text[at + 1 : at + 2] == char:
        return Trick.REPETITION
    if char == "s" and at > 1:
        return Trick.PLURAL
    return Trick.ADDITION if at == len(text) - 1 else Trick.INSERTION


def _replacement(meant: str, typed: str) -> Trick:
    if typed in _ALL.get(meant, ()):
        return Trick.HOMOGLYPH
    if meant in _VOWELS and typed in _VOWELS:
        return Trick.VOWEL_SWAP
    if _near(typed, meant):
        return Trick.NEIGHBOUR_KEY
    if (ord(meant) ^ ord(typed)).bit_count() == 1:
        return Trick.BIT_FLIP
    return Trick.REPLACEMENT
