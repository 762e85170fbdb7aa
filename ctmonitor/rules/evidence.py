"""
What speaks for and against a resemblance: the parts of its score.

A brand's name in a host name is no crime. What stands around it decides: lures, the
suffix, where it stands, and how often ordinary names hold such a text. Each part is a
reason that a person can read; the sum is the score.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from math import log
from typing import NamedTuple

from ctmonitor.model.verdict import Reason
from ctmonitor.rules.background import RUN, background
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.hostname import HostName
from ctmonitor.rules.lures import Topic, lured, lures
from ctmonitor.rules.resemblance import Place, Resemblance, Trick
from ctmonitor.rules.surroundings import surroundings
from ctmonitor.rules.weights import WEIGHTS

# Labels looked at, counted from the registrable one to the left: a name of 127 labels
# costs no more than one of 12, and its reader sees no more either.
_MOST_LABELS = 12

_KINDS = {weight.key: weight.kind for weight in WEIGHTS}
_LURE_KEYS = {
    Topic.LOGIN: "LureLogin",
    Topic.ALERT: "LureAlert",
    Topic.MONEY: "LureMoney",
    Topic.PARCEL: "LureParcel",
    Topic.PRIZE: "LurePrize",
    Topic.SHOP: "LureShop",
    Topic.SERVICE: "LureService",
}
_EXACT = {Trick.WHOLE: "WholeWord", Trick.INSIDE: "InsideWord"}
_OTHER = {
    Trick.DOMAIN: "OwnDomain",
    Trick.HYPHEN: "Hyphenated",
    Trick.HOMOGLYPH: "LookAlike",
    Trick.CONFUSABLE: "LookAlike",
}

_PLAIN = frozenset(("com", "net", "org"))
_OFFICIAL = re.compile(r"(?:gov|gob|gouv|govt|edu|ac|mil|sch|go|school|museum|bank)\b")
_PIECES = frozenset(("com", "net", "org", "co", "www", "http", "https"))
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")
_HARD = re.compile(r"[^aeiouy\W\d_]{4,}|(?<=[a-z])\d+(?=[a-z])")
_VOWEL = re.compile("[aeiouy]")


class Sign(NamedTuple):
    """
    One part of a score before it is weighed.

    Args:
        key: of its weight.
        text: what a person is shown.
        amount: how much of it there is.
    """

    key: str
    text: str
    amount: float = 1


def evidence(
    host: HostName,
    resemblance: Resemblance,
    brand: Brand,
    weights: Mapping[str, float],
) -> tuple[Reason, ...]:
    """
    The parts of the score of one resemblance, the resemblance itself first.

    Their weights are whole numbers; parts that weigh nothing are left out, but for the
    first.

    Args:
        brand: the one that `resemblance` names.
        weights: one for each of `WEIGHTS`.
    """
    found = signs(host, resemblance, brand)
    first = found[0]
    reasons = [
        Reason(
            first.text, str(resemblance.trick), round(weights[first.key]), brand.name
        )
    ]
    for key, text, amount in found[1:]:
        if points := round(weights[key] * amount):
            reasons.append(Reason(text, _KINDS[key], points, brand.name))
    return tuple(reasons)


def signs(host: HostName, resemblance: Resemblance, brand: Brand) -> list[Sign]:
    """The parts of a score, not yet weighed; the resemblance itself first."""
    at = host.at if host.at >= 0 else len(host.labels) - 1
    first = max(0, min(at - _MOST_LABELS, resemblance.label))
    last = resemblance.label + resemblance.text.count(".")
    own = ".".join(host.unicode[resemblance.label : last + 1])
    before, after = own[: resemblance.start], own[resemblance.end :]
    found = _resemblance(resemblance, at, before, after)
    found += _spelling(resemblance)
    found += _ordinary(resemblance, before, after)
    others = [
        label
        for position, label in enumerate(host.unicode[first : at + 1], first)
        if not resemblance.label <= position <= last
    ]
    here = max(0, resemblance.label - first)
    found += _words(resemblance, brand, before, after, others, here)
    if resemblance.place is not Place.REGISTRABLE or last < at:
        found += _domain(host.unicode[at])
    found += _suffix(host, resemblance)
    if len(host.suffix) != 3 and host.suffix in _home(brand):
        found.append(Sign("HomeTLD", f".{host.suffix}"))
    found += _name(host, at, first, resemblance)
    return found


def _resemblance(
    resemblance: Resemblance, at: int, before: str, after: str
) -> list[Sign]:
    trick, text = resemblance.trick, resemblance.text
    whole = resemblance.whole
    altered = trick not in _EXACT and trick is not Trick.DOMAIN
    key = _EXACT.get(trick) or _OTHER.get(trick)
    found = [Sign(key or ("TypingError" if whole else "ErrorInside"), text)]
    if resemblance.place is Place.REGISTRABLE:
        if not before and not after:
            found.append(
                Sign("ErrorLabel" if altered else "WholeLabel", "nothing else")
            )
        elif not before:
            found.append(Sign("FirstInLabel", "in front"))
    else:
        if altered:
            key = "ErrorSubdomain"
        else:
            key = "WholeSubdomain" if whole else "InsideSubdomain"
        found.append(Sign(key, "sub-domain"))
    return found


def _spelling(resemblance: Resemblance) -> list[Sign]:
    size = len(resemblance.spelling)
    if size <= 5:
        key = "Letters2" if size <= 3 else f"Letters{size}"
        found = [Sign(key, f"{size} letters")]
        if size == 5 and not resemblance.whole:
            found.append(Sign("Inside5", "5 letters inside a word"))
        if resemblance.place is not Place.REGISTRABLE:
            found.append(Sign("SubShort", "short in a sub-domain"))
        return found
    if size > 6:
        return [Sign("LongName", f"{size} letters", min(size - 6, 6))]
    return []


def _ordinary(resemblance: Resemblance, before: str, after: str) -> list[Sign]:
    table = background()
    found = []
    spelling = resemblance.spelling
    place = resemblance.place is not Place.REGISTRABLE
    text = "".join(_LETTERS.findall(resemblance.text))
    if resemblance.whole:
        if amount := _power(table.word(spelling)[place]):
            found.append(Sign("CommonWord", f"{spelling!r} is common", amount))
    elif amount := _power(table.inside(spelling)):
        found.append(Sign("CommonInside", f"{spelling!r} is common in words", amount))
    if text != spelling and (
        amount := _power(
            max(table.word(text)) if resemblance.whole else table.inside(text)
        )
    ):
        found.append(Sign("OrdinaryText", f"{text!r} is ordinary", amount))
    if not resemblance.whole:
        head, tail = _letters_before(before), _letters_after(after)
        word = f"{head}{text}{tail}"
        if amount := _power(max(table.word(word))):
            found.append(Sign("OrdinaryWord", f"{word!r} is an ordinary word", amount))
        joined, amount = _joined(word, len(head), len(tail))
        if amount:
            found.append(Sign("JoinedWord", f"part of a word with {joined!r}", amount))
    return found


def _letters_before(text: str) -> str:
    """The letters at the end of a text."""
    start = len(text)
    while start and text[start - 1].isalpha():
        start -= 1
    return text[start:]


def _letters_after(text: str) -> str:
    """The letters at the begin of a text."""
    end = 0
    while end < len(text) and text[end].isalpha():
        end += 1
    return text[:end]


def _joined(word: str, head: int, tail: int) -> tuple[str, float]:
    """
    The commonest five letters over one of the two borders inside a word.

    `urcha` tells that `chase` is a part of `purchase`; nothing tells it of `mypaypal`.

    Args:
        head, tail: number of letters before and behind what resembles the brand.
    """
    inside = background().inside
    starts = [head - 3, head - 2, head - 1] if head else []
    if tail:
        end = len(word) - tail
        starts += [end - RUN + 1, end - RUN + 2, end - RUN + 3]
    best, count = "", 0
    for start in starts:
        if 0 <= start <= len(word) - RUN:
            run = word[start : start + RUN]
            if (seen := inside(run)) > count:
                best, count = run, seen
    return best, _power(count)


def _power(domains: int) -> float:
    """Of a number of domains, how often 4 goes into it: 1 is 0.5, 16 is about 2."""
    return round(log(1 + domains, 4), 2)


def _words(
    resemblance: Resemblance,
    brand: Brand,
    before: str,
    after: str,
    others: list[str],
    here: int,
) -> list[Sign]:
    """
    Lures and what else stands in the brand's label and in the others.

    Args:
        before, after: the rest of the brand's label.
        others: the other labels, of which the first `here` stand left of the brand's.
    """
    topics: dict[str, list[str]] = {}
    found: list[Sign] = []
    rest = 0
    table = background()
    countries = surroundings().countries
    beside = country = ordinary = brand_words = pieces = domain_piece = ""
    spelling = resemblance.spelling
    twice = False
    for number, part in enumerate((before, after, *others)):
        for place, piece in enumerate(_LETTERS.findall(part)):
            if piece in brand.words:
                brand_words = piece
                beside = beside or (piece if number < 2 else "")
                continue
            if piece in _PIECES:
                behind = 2 + here if not after else 1
                if place == 0 and number == behind:
                    domain_piece = piece
                elif piece not in ("www", "co"):
                    pieces = piece
                continue
            if number < 2 and piece in countries:
                country = piece
                continue
            words, left = lured(piece)
            for word in words:
                topics.setdefault(_LURE_KEYS[lures()[word]], []).append(word)
            if number < 2:
                rest += left
                if left and len(piece) > 3 and max(table.word(piece)):
                    ordinary = piece
                beside = beside or (words[0] if words else "")
            if spelling in piece and len(spelling) > 4:
                twice = True
    for key, listed in topics.items():
        distinct = list(dict.fromkeys(listed))
        found.append(Sign(key, ", ".join(distinct[:2]), min(len(distinct), 2)))
    sub = "Sub" if resemblance.place is not Place.REGISTRABLE else ""
    if beside:
        found.append(Sign(f"{sub}LureBeside", f"beside {beside!r}"))
    if brand_words:
        found.append(Sign("BrandWord", brand_words))
    if ordinary:
        found.append(Sign("OtherWord", ordinary))
    if country:
        found.append(Sign("Country", country))
    if domain_piece:
        found.append(Sign("DomainPiece", domain_piece))
    if pieces:
        found.append(Sign("DomainPieces", pieces))
    if twice:
        found.append(Sign("Twice", "twice"))
    if rest:
        found.append(Sign(f"{sub}OtherLetters", f"{rest} other letters", min(rest, 12)))
    elif beside or country:
        found.append(Sign(f"{sub}NothingElse", "nothing else in the label"))
    digits = len(_DIGIT.findall(before + after))
    if digits:
        found.append(Sign("Digits", f"{digits} digits", min(digits, 4)))
    hyphens = before.count("-") + after.count("-")
    if hyphens:
        found.append(Sign(f"{sub}Hyphens", f"{hyphens} hyphens", min(hyphens, 4)))
    return found


@lru_cache(maxsize=4096)
def _domain(label: str) -> tuple[Sign, ...]:
    """What the registrable label is like, when the brand stands left of it."""
    found = []
    pieces = _LETTERS.findall(label)
    letters = sum(map(len, pieces))
    if letters:
        table = background()
        luring = [piece for piece in pieces if not lured(piece).rest]
        known = sum(
            len(piece)
            for piece in pieces
            if len(piece) > 2 and piece not in luring and max(table.word(piece))
        )
        if luring:
            amount = sum(map(len, luring)) / letters
            found.append(Sign("LureDomain", f"{label!r} is of lures", amount))
        if known:
            found.append(Sign("KnownDomain", f"{label!r} is of words", known / letters))
        elif not luring:
            scrambled = _scrambled("".join(pieces), label)
            if scrambled:
                found.append(Sign("Scrambled", f"{label!r} is scrambled", scrambled))
        found.append(Sign("DomainLetters", f"{letters} letters", min(letters, 16)))
    digits = len(_DIGIT.findall(label))
    if digits:
        found.append(Sign("DomainDigits", f"{digits} digits", min(digits, 4)))
    return tuple(found)


def _scrambled(letters: str, label: str) -> float:
    """From 0, a word that can be spoken, to 1: letters and digits by lot."""
    hard = sum(map(len, _HARD.findall(label)))
    vowels = len(_VOWEL.findall(letters)) / len(letters)
    amount = hard / len(label) + (0.5 if vowels < 0.2 else 0)
    return round(min(1.0, amount), 2)


@lru_cache(maxsize=1024)
def _home(brand: Brand) -> frozenset[str]:
    """The suffixes of the brand's own domains."""
    return frozenset(domain.partition(".")[2] for domain in brand.domains)


def _suffix(host: HostName, resemblance: Resemblance) -> list[Sign]:
    suffix = host.suffix
    top = suffix.rpartition(".")[2]
    registrable = host.registrable
    around = surroundings()
    is_free = host.is_private and suffix.partition(".")[0] not in _PIECES
    if is_free or registrable in around.hosting or suffix in around.hosting:
        return [Sign("FreeHosting", f".{suffix if host.is_private else registrable}")]
    if suffix in around.cheap or top in around.cheap:
        if resemblance.place is Place.REGISTRABLE:
            return [Sign("CheapTLD", f".{suffix}")]
        return [Sign("SubCheapTLD", f".{suffix}")]
    if top in _PLAIN and suffix == top:
        return [Sign("ComTLD", f".{suffix}")]
    if _OFFICIAL.match(suffix):
        return [Sign("OfficialTLD", f".{suffix}")]
    if len(top) > 3:
        return [Sign("NewTLD", f".{suffix}")]
    return []


def _name(host: HostName, at: int, first: int, resemblance: Resemblance) -> list[Sign]:
    found = []
    around = surroundings()
    labels = host.labels[first:at]
    if labels and labels[0] in around.services:
        found.append(Sign("ServiceName", labels[0]))
    elif work := next((label for label in labels if label in around.work), ""):
        found.append(Sign("WorkName", work))
    depth = at - (at > 0 and host.labels[0] == "www")
    if depth > 0:
        if resemblance.place is not Place.REGISTRABLE:
            key = "Depth"
        else:
            key = "Below" if resemblance.trick in _EXACT else "ErrorBelow"
        found.append(Sign(key, f"{depth} labels", min(depth, 5)))
    if len(host.text) > 32:
        length = min((len(host.text) - 24) // 8, 6)
        found.append(Sign("Length", f"{len(host.text)} characters", length))
    return found
