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
_EXACT = frozenset((Trick.WHOLE, Trick.INSIDE))
# What nobody who means the ordinary word would write.
_NO_WORD = frozenset((Trick.CONFUSABLE, Trick.DOMAIN))
# The weight of each trick, as a whole token and inside a word.
_TRICK_KEYS = dict.fromkeys(Trick, ("TypingError", "ErrorInside")) | {
    Trick.WHOLE: ("WholeWord", "WholeWord"),
    Trick.INSIDE: ("InsideWord", "InsideWord"),
    Trick.DOMAIN: ("OwnDomain", "OwnDomain"),
    Trick.HYPHEN: ("Hyphenated", "Hyphenated"),
    Trick.HOMOGLYPH: ("LookAlike", "LookAlike"),
    Trick.CONFUSABLE: ("LookAlike", "LookAlike"),
}
# The same parts come again and again, and making one costs more than finding it.
_reason = lru_cache(maxsize=16384)(Reason)

_PLAIN = frozenset(("com", "net", "org"))
_OFFICIAL = re.compile(r"(?:gov|gob|gouv|govt|edu|ac|mil|sch|go|school|museum|bank)\b")
_PIECES = frozenset(("com", "net", "org", "co", "www", "http", "https"))
_LETTERS = re.compile(r"[^\W\d_]+")
_JOINTS = re.compile(r"[\W_]+")
_DIGIT = re.compile(r"\d")
_MIXED = re.compile(r"(?<=[a-z])\d+(?=[a-z])")
# Bits a pair of letters: words of European languages have about 3.
_SPEAKABLE = 4.0


# One part of a score before it is weighed: the key of its weight, what a person is
# shown, and how much of it there is. Plain tuples: a name has eight of them.
Sign = tuple[str, str, float]


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
    key, text, _ = found[0]
    trick = resemblance.trick.value
    reasons = [_reason(text, trick, round(weights[key]), brand.name)]
    for key, text, amount in found[1:]:
        if points := round(weights[key] * amount):
            reasons.append(_reason(text, _KINDS[key], points, brand.name))
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
        found.append(("HomeTLD", f".{host.suffix}", 1))
    if resemblance.trick is Trick.WHOLE and _is_national(host, resemblance, at):
        found.append(("NationalDomain", f"{host.registrable} may be its own", 1))
    found += _name(host, at, first, resemblance)
    return found


def _resemblance(
    resemblance: Resemblance, at: int, before: str, after: str
) -> list[Sign]:
    trick, text = resemblance.trick, resemblance.text
    whole = resemblance.whole
    key = _TRICK_KEYS[trick][not whole]
    altered = trick not in _EXACT and trick is not Trick.DOMAIN
    found: list[Sign] = [(key, text, 1)]
    if resemblance.place is Place.REGISTRABLE:
        if not before and not after:
            found.append(("ErrorLabel" if altered else "WholeLabel", "whole label", 1))
        elif not before:
            found.append(("FirstInLabel", "in front", 1))
    else:
        if altered:
            key = "ErrorSubdomain"
        else:
            key = "WholeSubdomain" if whole else "InsideSubdomain"
        found.append((key, "sub-domain", 1))
    return found


def _is_national(host: HostName, resemblance: Resemblance, at: int) -> bool:
    """Whether a name is that of the brand in a country, as `google.pl`."""
    top = host.suffix.rpartition(".")[2]
    return (
        resemblance.label == at
        and resemblance.text == host.unicode[at]
        and len(top) == 2
        and not host.is_private
        and top not in surroundings().cheap
    )


def _spelling(resemblance: Resemblance) -> list[Sign]:
    size = len(resemblance.spelling)
    if size <= 5:
        key = "Letters2" if size <= 3 else f"Letters{size}"
        found: list[Sign] = [(key, f"{size} letters", 1)]
        if size == 5 and not resemblance.whole:
            found.append(("Inside5", "5 letters inside a word", 1))
        if resemblance.place is not Place.REGISTRABLE:
            found.append(("SubShort", "short in a sub-domain", 1))
        return found
    if size > 6:
        return [("LongName", f"{size} letters", min(size - 6, 6))]
    return []


def _ordinary(resemblance: Resemblance, before: str, after: str) -> list[Sign]:
    table = background()
    common = table.common
    found: list[Sign] = []
    spelling = resemblance.spelling
    text = resemblance.text
    if not text.isalnum():
        text = _JOINTS.sub("", text)
        spelling = _JOINTS.sub("", spelling)
    if resemblance.trick in _NO_WORD:
        pass  # nobody writes an ordinary word so
    elif resemblance.whole:
        seen = table.word(spelling)
        place = resemblance.place is not Place.REGISTRABLE
        if domains := seen[place]:
            found.append(("CommonWord", f"{spelling!r} is common", _power(domains)))
    elif domains := _inside(spelling):
        shown = f"{spelling!r} is common in words"
        found.append(("CommonInside", shown, _power(domains)))
    if text != spelling:
        # `cloud` in `xcloud`: what an error leaves may be a word, too.
        domains = 0
        for word in (text, text[1:], text[:-1]):
            if spelling not in word:
                domains = max(domains, common(word))
        if not resemblance.whole and spelling not in text:
            domains = max(domains, table.inside(text))
        if domains:
            found.append(("OrdinaryText", f"{text!r} is ordinary", _power(domains)))
    if not resemblance.whole:
        found += _around(text, _letters_before(before), _letters_after(after))
    return found


def _around(text: str, head: str, tail: str) -> list[Sign]:
    """
    Whether what resembles a brand is a part of an ordinary word.

    Args:
        head, tail: the letters right before and behind it.
    """
    common = background().common
    found: list[Sign] = []
    word = f"{head}{text}{tail}"
    if domains := common(word):
        shown = f"{word!r} is an ordinary word"
        found.append(("OrdinaryWord", shown, _power(domains)))
    # The word `team` of `steam` in `ourteamsteam`, the word `post` of `poste`.
    parts = [text[k:] for k in range(1, len(text) - 3)] if head else []
    if tail:
        parts += [text[:k] for k in range(4, len(text))]
    best = max(parts, key=common, default="")
    if domains := common(best):
        shown = f"{best!r} is a word by itself"
        found.append(("PartWord", shown, _power(domains)))
    joined, domains = _joined(word, len(head), len(tail))
    if domains:
        shown = f"part of a word with {joined!r}"
        found.append(("JoinedWord", shown, _power(domains)))
    return found


@lru_cache(maxsize=4096)
def _inside(spelling: str) -> int:
    return background().inside(spelling)


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


def _joined(word: str, head: int, tail: int) -> tuple[str, int]:
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
    return best, count


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@lru_cache(maxsize=4096)
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
    # The label that somebody registered is the last of the others.
    registered = len(others) + (resemblance.place is Place.REGISTRABLE) + 1
    beside = country = ordinary = brand_words = pieces = domain_piece = ""
    spelling = resemblance.spelling
    twice = False
    spoken = 0
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
            if number < registered and piece in countries:
                country = piece
                continue
            words, left = lured(piece)
            for word in words:
                topics.setdefault(_LURE_KEYS[lures()[word]], []).append(word)
            if number < 2:
                rest += left
                if left and len(piece) > 3 and table.common(piece):
                    ordinary = piece
                if left:
                    spoken += min(left, table.spoken(piece))
                beside = beside or (words[0] if words else "")
            if spelling in piece and len(spelling) > 4:
                twice = True
    for key, listed in topics.items():
        distinct = list(dict.fromkeys(listed))
        found.append((key, ", ".join(distinct[:2]), min(len(distinct), 2)))
    sub = "Sub" if resemblance.place is not Place.REGISTRABLE else ""
    if beside:
        shown = f"{beside!r} beside it" + (", in a sub-domain" if sub else "")
        found.append((f"{sub}LureBeside", shown, 1))
    if brand_words:
        found.append(("BrandWord", brand_words, 1))
    if ordinary:
        found.append(("OtherWord", ordinary, 1))
    if spoken:
        shown = f"{spoken} letters as in words"
        found.append(("OtherText", shown, min(spoken, 12)))
    if country:
        found.append(("Country", country, 1))
    if domain_piece:
        found.append(("DomainPiece", domain_piece, 1))
    if pieces:
        found.append(("DomainPieces", pieces, 1))
    if twice:
        found.append(("Twice", "twice", 1))
    if rest:
        found.append((f"{sub}OtherLetters", _many(rest, "other letter"), min(rest, 12)))
    elif beside or country:
        found.append((f"{sub}NothingElse", "no other letters", 1))
    digits = len(_DIGIT.findall(before + after))
    if digits:
        found.append(("Digits", _many(digits, "digit"), min(digits, 4)))
    hyphens = before.count("-") + after.count("-")
    if hyphens:
        found.append((f"{sub}Hyphens", _many(hyphens, "hyphen"), min(hyphens, 4)))
    return found


@lru_cache(maxsize=4096)
def _domain(label: str) -> tuple[Sign, ...]:
    """What the registrable label is like, when the brand stands left of it."""
    found: list[Sign] = []
    pieces = _LETTERS.findall(label)
    letters = sum(map(len, pieces))
    if letters:
        table = background()
        luring = [piece for piece in pieces if not lured(piece).rest]
        known = sum(
            len(piece)
            for piece in pieces
            if len(piece) > 2 and piece not in luring and table.common(piece)
        )
        if luring:
            amount = sum(map(len, luring)) / letters
            found.append(("LureDomain", f"{label!r} is of lures", amount))
        if known:
            found.append(("KnownDomain", f"{label!r} is of words", known / letters))
        elif spoken := sum(map(table.spoken, pieces)):
            shown = f"{label!r} sounds ordinary"
            found.append(("DomainText", shown, round(spoken / letters, 2)))
        elif not luring:
            found.append(("UnknownDomain", f"{label!r} is no word", 1))
        if not known and (amount := _scrambled(label)):
            found.append(("Scrambled", f"{label!r} is scrambled", amount))
        found.append(("DomainLetters", _many(letters, "letter"), min(letters, 16)))
    digits = len(_DIGIT.findall(label))
    if digits:
        found.append(("DomainDigits", _many(digits, "digit"), min(digits, 4)))
    return tuple(found)


def _scrambled(label: str) -> float:
    """From 0, a word that can be spoken, to 1: letters and digits by lot."""
    pieces = [piece for piece in _LETTERS.findall(label) if len(piece) > 2]
    if not pieces:
        return 0.0
    strangest = max(background().strangeness(piece) for piece in pieces)
    mixed = len(_MIXED.findall(label)) / 2
    return round(min(1.0, max(0.0, strangest - _SPEAKABLE) / _SPEAKABLE + mixed), 2)


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
        return [("FreeHosting", f".{suffix if host.is_private else registrable}", 1)]
    if suffix in around.cheap or top in around.cheap:
        if resemblance.place is Place.REGISTRABLE:
            return [("CheapTLD", f".{suffix}", 1)]
        return [("SubCheapTLD", f".{suffix}", 1)]
    if top in _PLAIN and suffix == top:
        return [("ComTLD", f".{suffix}", 1)]
    if _OFFICIAL.match(suffix):
        return [("OfficialTLD", f".{suffix}", 1)]
    if len(top) > 3:
        return [("NewTLD", f".{suffix}", 1)]
    return []


def _name(host: HostName, at: int, first: int, resemblance: Resemblance) -> list[Sign]:
    found: list[Sign] = []
    around = surroundings()
    labels = host.labels[first:at]
    if labels and labels[0] in around.services:
        found.append(("ServiceName", labels[0], 1))
    elif work := next((label for label in labels if label in around.work), ""):
        found.append(("WorkName", work, 1))
    depth = at - (at > 0 and host.labels[0] == "www") - resemblance.text.count(".")
    if depth > 0:
        if resemblance.place is Place.REGISTRABLE:
            # Who registered such a domain must not buy silence with more labels.
            key, most = "Below" if resemblance.trick in _EXACT else "ErrorBelow", 1
        else:
            key, most = "Depth", 5
        shown = f"{_many(depth, 'label')} left of the domain"
        found.append((key, shown, min(depth, most)))
    if len(host.text) > 32:
        length = min((len(host.text) - 24) // 8, 6)
        found.append(("Length", f"{len(host.text)} characters", length))
    return found
