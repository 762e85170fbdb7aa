"""
Look-alikes of brands in host names: where a name resembles a brand, and how.

What can be told by texts is searched by Hyperscan, in the raw stream and in single
names alike: a name in ASCII is only ever found by one of `expressions` that matches in
its lower-case text. Long spellings with an error keep a piece of their beginning or end
intact; that piece then stands for all errors behind or before it.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import NamedTuple

from ctmonitor.rules.background import background
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.confusables import folded
from ctmonitor.rules.hostname import HostName
from ctmonitor.rules.prefilter import Prefilter
from ctmonitor.rules.resemblance import Place, Resemblance, Trick
from ctmonitor.rules.spelling import (
    MIN_INSIDE,
    MIN_TYPING,
    inner_errors,
    joined,
    look_alikes,
    parted,
    typing_error,
)

# A piece of a spelling that stands for its errors: shorter ones are in too many names.
_MIN_PIECE = 6
# A piece of a spelling with hyphens in it that may be glued to other letters.
_MIN_GLUED = 3
# A piece that more registrable domains hold than one in so many (`master`, `office`) is
# a word of its own, and a longer one is taken.
_COMMON_ONE_IN = 2500
# Behind the spelling, in own domains that are told from others in the raw stream. That
# of `amazontrust.com` has nine; with all, expressions take twice as long to compile.
_MAX_REST = 10
# Places of one name that are looked at; no real name has so many, and one of 4 kB that
# is made of them must not cost more than 5 ms.
_MAX_PLACES = 250
_MAX_FOUND = 16
# An own domain without a spelling of its brand is searched for by itself if it is long
# enough to say something.
_MIN_DOMAIN_LABEL = 5

# Hyperscan takes expressions of 16,000 bytes; the 250 domains of Google make 13,200. Of
# a brand that has more, certificates in the others are looked at for nothing.
_MAX_BEHIND = 15_000

# Before a name in DER stand the tag of a string or a dNSName and the length; before the
# last byte of a length of more than one, 0x81. (Names of 256 characters and more are
# looked at whatever they say.) In JSON a name may begin behind an escape, as `\n`.
_BEFORE = rb"[\\\x0c\x12-\x16\x19-\x1b\x81\x82]"
# What may stand left of a whole token: no letter, unless it is a length or an escape.
_LEFT = b"(?:^|[^a-z]|" + _BEFORE + b"[a-z])"
# What may stand right of it: no letter, and nothing that only issuers have behind their
# names (`Amazon RSA 2048 M02`, `Microsoft%20Azure`).
_RIGHT = rb"(?:[^a-z %]|$)"
# Pairs of letters that pass for one at a glance.
_PAIRS = ("rn", "nn", "vv", "cl")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# What follows an own domain that is part of a longer name. In a certificate the next
# field follows, often with the tag 0x30, a `0`; in an address a slash.
_GOES_ON = rb'(?:[^ %/0"\x81-\x87\xa0-\xa4]|0[a-z0-9._-]{2})'


class _Road(Enum):
    """What a hit of an expression says of the spelling it belongs to."""

    EXACT = auto()  # the spelling itself
    TOKEN = auto()  # the spelling itself, of a short brand: whole tokens only
    VARIANT = auto()  # all of a text that can be taken for the spelling
    HEAD = auto()  # its beginning, and an error may follow
    TAIL = auto()  # its end, and an error may come before
    DOMAIN = auto()  # an own domain that holds no spelling


@dataclass(frozen=True, slots=True)
class _Spelling:
    """
    One spelling of one brand, as it is looked for.

    Args:
        looks: texts that look like it (`spelling.look_alikes`).
        domains: own domains with dots and with hyphens, grouped by where in them the
            spelling begins; longest first.
    """

    brand: str
    text: str
    looks: frozenset[str] = frozenset()
    domains: tuple[tuple[int, tuple[str, ...]], ...] = ()


class _Found(NamedTuple):
    """A half-open range of the text that resembles a spelling."""

    start: int
    end: int
    spelling: _Spelling
    trick: Trick
    whole: bool

    @property
    def is_exact(self) -> bool:
        """Whether the spelling stands there as it is."""
        return self.trick in (Trick.WHOLE, Trick.INSIDE, Trick.DOMAIN)

    @property
    def rank(self) -> tuple[bool, bool, int, bool, int]:
        """Lower is better: exact, then long spellings, then whole, then long texts."""
        return (
            self.trick is not Trick.DOMAIN,
            not self.is_exact,
            -len(self.spelling.text),
            not self.whole,
            self.start - self.end,
        )


class LookAlikes:
    """
    Finds what resembles the brands. Picklable; for one thread at a time.
    """

    def __init__(self, brands: Sequence[Brand]) -> None:
        self.brands = tuple(brands)
        self._owned = {d: brand.name for brand in self.brands for d in brand.domains}
        self._owned_depth = max((d.count(".") + 1 for d in self._owned), default=0)
        anchors: dict[bytes, str] = {}
        uses: dict[str, dict[tuple[_Road, int], _Spelling]] = {}
        for expression, anchor, road, spelling in self._searched():
            anchors[expression] = anchor
            uses.setdefault(anchor, {})[road, id(spelling)] = spelling
        self.expressions = tuple(anchors)
        self._anchors = tuple(anchors.values())
        self._uses = {
            anchor: tuple((road, spelling) for (road, _), spelling in users.items())
            for anchor, users in uses.items()
        }
        self._prefilter: Prefilter | None = None
        self._first = 0

    def __reduce__(self) -> tuple[type["LookAlikes"], tuple[tuple[Brand, ...]]]:
        return (LookAlikes, (self.brands,))

    def _searched(self) -> Iterator[tuple[bytes, str, _Road, _Spelling]]:
        """Each expression with the text to look for where it hits, and what it says."""
        for brand in self.brands:
            owned = sorted(
                {form for d in brand.domains for form in (d, d.replace(".", "-"))},
                key=lambda form: (-len(form), form),
            )
            for text in brand.spellings:
                spelling = _Spelling(
                    brand.name, text, look_alikes(text), _by_offset(text, owned)
                )
                for expression, anchor, road in _expressions(spelling, brand.domains):
                    yield expression, anchor, road, spelling
            for domain in owned:
                label = re.split(r"[.-]", domain)[0]
                if len(label) >= _MIN_DOMAIN_LABEL and not any(
                    text in domain and len(text) >= MIN_INSIDE
                    for text in brand.spellings
                ):
                    spelling = _Spelling(brand.name, domain)
                    yield _literal(domain), domain, _Road.DOMAIN, spelling

    def use(self, prefilter: Prefilter, first: int) -> None:
        """
        Search by a prefilter that is there, instead of compiling one when needed.

        Args:
            first: which of the numbers it gives is that of the first of `expressions`;
                those of the others follow.
        """
        self._prefilter, self._first = prefilter, first

    def numbers(self, text: str) -> set[int]:
        """Positions of those `expressions` that match in a name in lower case."""
        if self._prefilter is None:
            self.use(Prefilter((), (), self.expressions), 0)
            return self.numbers(text)
        return self.among(self._prefilter.numbers(text.encode("utf-8", "replace")))

    def among(self, numbers: Collection[int]) -> set[int]:
        """Positions of those `expressions` that are among what a prefilter gives."""
        first, end = self._first, self._first + len(self.expressions)
        return {number - first for number in numbers if first <= number < end}

    def find(
        self, host: HostName, numbers: Collection[int] | None = None
    ) -> list[Resemblance]:
        """
        What in `host` resembles a brand, the strongest first, no two in one place.

        Nothing is found in a name in or below an own domain of any brand.

        Args:
            numbers: what `numbers` gives for the text of the name, where a scan for
                these expressions has been made before; None to make it here. It is
                made here in any case for a name that is not all ASCII in U-labels.
        """
        if self.owner(host):
            return []
        view = _View(host)
        if view.is_folded:
            # Apart from its domain, too: what looks like an own domain is none.
            apart = f"-{view.text.replace('.', '-')}-"
            numbers = self.numbers(view.text) | self.numbers(apart)
        elif numbers is None:
            numbers = self.numbers(view.text)
        if not numbers:
            return []
        found: list[_Found] = []
        places = 0
        # In the order of the brands, so that of two that are as good the same is first
        # in every run; a set of texts has another order in each.
        for anchor in dict.fromkeys(self._anchors[n] for n in sorted(numbers)):
            at = view.text.find(anchor)
            while at >= 0 and places < _MAX_PLACES:
                places += 1
                for road, spelling in self._uses[anchor]:
                    found.extend(_examined(view, at, anchor, road, spelling))
                at = view.text.find(anchor, at + 1)
        return [view.resemblance(one) for one in _best(found)]

    def owner(self, host: HostName) -> str:
        """
        The brand in or below whose own domain a name is; empty for none.

        Below a public suffix (`azurewebsites.net`) is nothing but what strangers run,
        whoever owns it.
        """
        labels = host.labels
        least = 1 if host.at < 0 else len(labels) - host.at
        for count in range(least, min(self._owned_depth, len(labels)) + 1):
            if brand := self._owned.get(".".join(labels[-count:])):
                return brand
        return ""


class _View:
    """
    The text of a name as the rules read it, and the way back into its labels.

    Args:
        text: the labels in lower-case ASCII where they look like that.
        is_folded: whether `text` differs from the name as issued.
    """

    def __init__(self, host: HostName) -> None:
        self.host = host
        self.text = host.text
        self.is_folded = host.unicode != host.labels or not host.text.isascii()
        self._origins: list[tuple[int, ...]] = []
        suffix = host.suffix
        if self.is_folded:
            looks = [folded(label) for label in host.unicode]
            self._origins = [origins for _, origins in looks]
            self.text = ".".join(text for text, _ in looks)
            suffix = ".".join(text for text, _ in looks[host.at + 1 :])
        # Where the public suffix begins; nothing in it resembles a brand.
        self.end = len(self.text)
        if host.at >= 0:
            self.end -= len(suffix) + 1

    def is_letter(self, at: int) -> bool:
        """Whether a letter stands at `at`; not so outside of the text."""
        return 0 <= at < len(self.text) and self.text[at].isalpha()

    def is_digit(self, at: int) -> bool:
        """Whether a digit stands at `at`; not so outside of the text."""
        return 0 <= at < len(self.text) and self.text[at].isdigit()

    def is_whole(self, start: int, end: int) -> bool:
        """Whether the range is a whole token: no letter on either side."""
        text = self.text
        return not (
            text[end : end + 1].isalpha() or (start and text[start - 1].isalpha())
        )

    def resemblance(self, found: _Found) -> Resemblance:
        """What was found, in terms of the name's labels."""
        first = self.text.count(".", 0, found.start)
        last = first + self.text.count(".", found.start, found.end)
        start = found.start - self.text.rfind(".", 0, found.start) - 1
        end = found.end - self.text.rfind(".", 0, found.end) - 1
        if self._origins:
            start = self._origins[first][start]
            end = self._origins[last][end - 1] + 1
        unicode = self.host.unicode[first : last + 1]
        end += sum(len(label) + 1 for label in unicode[:-1])
        text = ".".join(unicode)[start:end]
        place = Place.SUBDOMAIN
        if last > first:
            place = Place.ACROSS
        elif first == self.host.at:
            place = Place.REGISTRABLE
        return Resemblance(
            brand=found.spelling.brand,
            spelling=found.spelling.text,
            text=text,
            trick=found.trick if text.isascii() else Trick.CONFUSABLE,
            place=place,
            label=first,
            start=start,
            end=end,
            whole=found.whole,
        )


def _literal(text: str) -> bytes:
    return re.escape(text).encode("ascii")


def _by_offset(
    spelling: str, domains: Sequence[str]
) -> tuple[tuple[int, tuple[str, ...]], ...]:
    groups: dict[int, list[str]] = {}
    for domain in domains:
        if (offset := domain.find(spelling)) >= 0:
            groups.setdefault(offset, []).append(domain)
    return tuple((offset, tuple(texts)) for offset, texts in groups.items())


def _expressions(
    spelling: _Spelling, owned: Collection[str]
) -> Iterator[tuple[bytes, str, _Road]]:
    """What must be searched for one spelling."""
    text = spelling.text
    if len(text) < MIN_INSIDE:
        yield _LEFT + _literal(text) + _RIGHT, text, _Road.TOKEN
        return
    for expression in _exact(text, owned):
        yield expression, text, _Road.EXACT
    head, tail = _pieces(text)
    if head:
        behind = _unless([text[len(head) :]])
        yield _literal(head) + behind, head, _Road.HEAD
    if tail:
        before = _unless_before(text[: -len(tail)])
        yield before + _literal(tail), tail, _Road.TAIL
    if len(text) >= MIN_TYPING:
        # The last or first character is missing or another one: whole tokens only.
        short = text[:-1], text[1:]
        if not head:
            other = f"[{_LETTERS.replace(text[-1], '')}]?".encode("ascii")
            yield _LEFT + _literal(short[0]) + other + _RIGHT, short[0], _Road.HEAD
        if not tail:
            other = f"[{_LETTERS.replace(text[0], '')}]?".encode("ascii")
            yield _LEFT + other + _literal(short[1]) + _RIGHT, short[1], _Road.TAIL
    for variant in sorted({*inner_errors(text), *parted(text), *spelling.looks}):
        is_covered = (
            text in variant
            or (head and variant.startswith(head))
            or (tail and variant.endswith(tail))
        )
        if not is_covered:
            yield _literal(variant), variant, _Road.VARIANT


def _exact(text: str, owned: Collection[str]) -> Iterator[bytes]:
    """
    Expressions for a spelling as it is, but not for what certificates say of issuers.

    An issuer's name has the spelling by itself (`Amazon` behind its length) or before a
    blank (`Google Trust Services`); its addresses are in own domains, which end there.
    Without this a quarter of all entries would be looked at for a few brands.
    """
    literal = _literal(text)
    size = re.escape(bytes([len(text)]))
    # A name of 46 characters begins behind the code of a dot. In a class the dot stands
    # last, since `[.` begins a collating element if `.]` ends it.
    begins = b"(?:^|" + _BEFORE + rb"\.)" + literal + b"[^ %]"
    yield b"(?:" + begins + b"|[^" + size + b".]" + literal + b"(?:[^ %]|$))"
    rests = [
        domain[len(text) :]
        for domain in owned
        if domain.startswith(text) and len(domain) <= len(text) + _MAX_REST
    ]
    rests.sort(key=len)  # an issuer's addresses are below the short ones
    behind = _unless(rests, at_end=_GOES_ON, never=b" %")
    while len(behind) > _MAX_BEHIND:
        del rests[len(rests) * _MAX_BEHIND // len(behind) :]
        behind = _unless(rests, at_end=_GOES_ON, never=b" %")
    yield rb"\." + literal + behind


def _unless(
    rests: Collection[str], at_end: bytes | None = None, never: bytes = b""
) -> bytes:
    """
    An expression for anything that does not go on with one of `rests`.

    Args:
        at_end: what may follow one of `rests` nevertheless.
        never: characters that may not follow at any point before the end of a rest.
    """
    firsts = "".join(sorted({rest[0] for rest in rests}))
    others = never + _literal(firsts)
    choices = [b"$", b"[^" + others + b"]" if others else rb"[\x00-\xff]"]
    for first in firsts:
        longer = [rest[1:] for rest in rests if rest[0] == first]
        if "" not in longer:
            choices.append(_literal(first) + _unless(longer, at_end, never))
        elif at_end is not None:
            choices.append(_literal(first) + at_end)
    return b"(?:" + b"|".join(choices) + b")"


def _unless_before(start: str) -> bytes:
    """An expression for anything that does not end in `start`."""
    last = _literal(start[-1])
    choices = [b"^", b"[^" + last + b"]"]
    if len(start) == 1:
        choices.append(_BEFORE + last)
    else:
        choices.append(_unless_before(start[:-1]) + last)
    return b"(?:" + b"|".join(choices) + b")"


def _pieces(text: str) -> tuple[str, str]:
    """
    A beginning and an end of a spelling that are rare in names; empty for none.

    What would be nearly all of the spelling replaces few variants.
    """
    table = background()
    rare = table.domains // _COMMON_ONE_IN
    sizes = range(_MIN_PIECE, len(text) - 1)
    return (
        next((text[:n] for n in sizes if table.inside(text[:n]) <= rare), ""),
        next((text[-n:] for n in sizes if table.inside(text[-n:]) <= rare), ""),
    )


def _examined(
    view: _View, at: int, anchor: str, road: _Road, spelling: _Spelling
) -> Iterator[_Found]:
    """What stands where `anchor` was found at `at`, by the road that led there."""
    text, end = spelling.text, at + len(anchor)
    make = partial(_Found, spelling=spelling)
    if road is _Road.DOMAIN:
        if _is_embedded(view, at, end):
            yield make(at, end, trick=Trick.DOMAIN, whole=True)
        return
    if road in (_Road.EXACT, _Road.TOKEN):
        # The spelling alone is no host name, but an issuer's name (see `_exact`).
        if end > view.end or anchor == view.text:
            return
        for offset, domains in spelling.domains:
            start = at - offset
            if start >= 0 and view.text.startswith(domains, start):
                for domain in domains:
                    stop = start + len(domain)
                    if view.text.startswith(domain, start) and _is_embedded(
                        view, start, stop
                    ):
                        yield make(start, stop, trick=Trick.DOMAIN, whole=True)
                        return
        whole = view.is_whole(at, end)
        if whole:
            yield make(at, end, trick=Trick.WHOLE, whole=True)
        elif road is _Road.EXACT:
            yield _inside(view, at, end, spelling)
        return
    if road is _Road.VARIANT:
        ranges = [(at, end)]
    elif view.text.startswith(text, at if road is _Road.HEAD else end - len(text)):
        return  # the spelling itself, which has an expression of its own
    else:
        # Two exchanges of look-alike characters add up to four characters.
        sizes = range(max(len(text) - 2, len(anchor)), len(text) + 5)
        if road is _Road.HEAD:
            ranges = [(at, at + size) for size in sizes]
        else:
            ranges = [(end - size, end) for size in sizes]
    for start, stop in ranges:
        if start < 0 or stop > len(view.text):
            continue
        trick = _trick(view, start, stop, spelling)
        if trick is not None:
            yield make(start, stop, trick=trick, whole=view.is_whole(start, stop))


def _inside(view: _View, start: int, end: int, spelling: _Spelling) -> _Found:
    """A spelling in a longer token; with one letter more it is a typing error."""
    text = spelling.text
    if len(text) >= MIN_TYPING:
        longer = (start, end + 1), (start - 1, end)
        for first, stop in longer:
            if first >= 0 and stop <= view.end and view.is_whole(first, stop):
                trick = typing_error(text, view.text[first:stop])
                if trick is not None:
                    return _Found(first, stop, spelling, trick, whole=True)
    return _Found(start, end, spelling, Trick.INSIDE, whole=False)


def _trick(view: _View, start: int, end: int, spelling: _Spelling) -> Trick | None:
    """How the range resembles the spelling, if it does so well enough."""
    found, text = view.text[start:end], spelling.text
    if joined(found) == text and found != text:
        begins_and_ends = found[0] == text[0] and found[-1] == text[-1]
        is_parted = begins_and_ends and _is_parted(view, start, end)
        return Trick.HYPHEN if is_parted else None
    looks_like = found in spelling.looks
    if not looks_like and not -1 <= len(found) - len(text) <= 2:
        return None
    whole = view.is_whole(start, end)
    trick = None
    if looks_like or whole or _is_inside(view, start, end, text):
        trick = typing_error(text, found)
    if looks_like and trick is not Trick.TRANSPOSITION:
        # In `2010range` the digits belong together.
        if (found[0].isdigit() and view.is_digit(start - 1)) or (
            found[-1].isdigit() and view.is_digit(end)
        ):
            return None
        if not whole and len(text) < MIN_TYPING:
            return None
        if not whole and not found.startswith((text[0], *_PAIRS)):
            return None
        # Two letters for two others are seen in a whole token, not in `digidouble`.
        is_seen = not found.isalpha() or any(pair in found for pair in _PAIRS)
        if not (whole or trick or is_seen):
            return None
        trick = Trick.HOMOGLYPH
    elif len(text) < MIN_TYPING or "." in found:
        return None
    return trick if end <= view.end else None


def _is_parted(view: _View, start: int, end: int) -> bool:
    """Whether a spelling with hyphens or dots in it is meant to be one word."""
    found = view.text[start:end]
    if "." in found:  # the last of its pieces may be the public suffix
        return view.is_whole(start, end) and start < view.end
    # `o-range` is part of `auto-range`, and `securepay-pal` is not.
    first, *_, last = found.split("-")
    return (
        end <= view.end
        and (len(first) >= _MIN_GLUED or not view.is_letter(start - 1))
        and (len(last) >= _MIN_GLUED or not view.is_letter(end))
    )


def _is_inside(view: _View, start: int, end: int, text: str) -> bool:
    """
    Whether an altered spelling inside a word is more than a part of that word.

    Its ends have to be right; in long ones, those that letters follow (`myfaceboo`).
    """
    found = view.text[start:end]
    if view.is_folded or ("-" in found and "-" not in text):
        return False
    is_long = len(text) >= _MIN_PIECE + 2
    return (found[0] == text[0] or (is_long and not view.is_letter(start - 1))) and (
        found[-1] == text[-1] or (is_long and not view.is_letter(end))
    )


def _is_embedded(view: _View, start: int, end: int) -> bool:
    """Whether an own domain there belongs to a name of somebody else's."""
    return end <= view.end and end < len(view.text) and view.is_whole(start, end)


def _best(found: list[_Found]) -> list[_Found]:
    """
    The best first, and without what lies in a better one.

    What lies in a longer spelling as it is, of whatever brand, is nothing by itself;
    otherwise brands do not disturb one another.
    """
    if len(found) < 2:
        return found
    kept: list[_Found] = []
    for one in sorted(found, key=lambda found: (found.rank, found.start)):
        if len(kept) == _MAX_FOUND:
            break
        if not any(_explains(better, one) for better in kept):
            kept.append(one)
    return kept


def _explains(better: _Found, one: _Found) -> bool:
    """Whether what is already kept leaves nothing to say of `one`."""
    if better.spelling is one.spelling:
        return one.start < better.end and better.start < one.end
    if one.start < better.start or better.end < one.end:
        return False
    is_smaller = one.end - one.start < better.end - better.start
    return better.spelling.brand == one.spelling.brand or (
        better.is_exact and (is_smaller or not one.is_exact)
    )
