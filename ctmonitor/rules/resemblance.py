"""What in a name resembles a brand, and by which trick."""

from dataclasses import dataclass
from enum import StrEnum


class Trick(StrEnum):
    """
    How a text resembles a spelling of a brand; docs/quality.md names dnstwist's kinds.
    """

    WHOLE = "whole word"  # the spelling itself, as a whole token
    INSIDE = "inside a word"  # the spelling itself, inside a longer token
    DOMAIN = "own domain"  # an own domain inside somebody else's: paypal.com.evil.ru
    OMISSION = "omission"  # paypl
    REPETITION = "repetition"  # payypal
    TRANSPOSITION = "transposition"  # papyal
    NEIGHBOUR_KEY = "neighbour key"  # psypal
    BIT_FLIP = "bit flip"  # paxpal
    VOWEL_SWAP = "vowel swap"  # paypol
    REPLACEMENT = "replacement"  # any other letter: paytal
    INSERTION = "insertion"  # paygpal
    ADDITION = "addition"  # paypalx, as a whole token
    PLURAL = "plural"  # paypals
    HYPHEN = "hyphen"  # pay-pal
    HOMOGLYPH = "homoglyph"  # paypa1, rnicrosoft: ASCII for ASCII
    CONFUSABLE = "confusable"  # letters of other scripts and with marks (UTS 39)


class Place(StrEnum):
    """Where in the name it stands."""

    REGISTRABLE = "registrable"  # in the label that somebody registered
    SUBDOMAIN = "subdomain"  # left of it
    ACROSS = "across"  # over a dot: pay.pal.example, paypal.com.example


@dataclass(frozen=True, slots=True)
class Resemblance:
    """
    One place of one name that resembles one spelling of one brand.

    Args:
        brand: its name, as in `BrandFile`.
        spelling: the spelling it resembles.
        text: what stands there, in U-labels.
        trick: how it resembles it.
        place: where it stands.
        label: position of its (first) label in `HostName.labels`.
        start, end: half-open range of characters in that label of `HostName.unicode`;
            for `ACROSS` a range of the labels from there on joined by dots.
        whole: whether it is a whole token: bounded on both sides by the label's end, a
            hyphen or underscore, or a digit.
    """

    brand: str
    spelling: str
    text: str
    trick: Trick
    place: Place
    label: int
    start: int
    end: int
    whole: bool
