"""
What the parts of a look-alike's score weigh: the settings of `[WEIGHTS]`.

The defaults are a logistic fit (`python -m bench.fit`, docs/quality.md), in whole
numbers and scaled so that `AlertScore` 100 lies where one of 10,000 ordinary names of
CT traffic reaches it. A part's points are its weight times an amount, which is 1 where
the help does not say otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Weight:
    """
    One weight.

    Args:
        key: in `[WEIGHTS]`.
        default: points; below 0 where it speaks for the name.
        kind: of the reason that tells it; empty for a `Trick`.
        help: one line.
    """

    key: str
    default: float
    kind: str
    help: str


WEIGHTS: tuple[Weight, ...] = (
    # What the resemblance is.
    Weight("WholeWord", 75.1, "", "the brand as a whole token of the name"),
    Weight("InsideWord", 78.9, "", "the brand inside a longer word"),
    Weight("OwnDomain", 108.9, "", "a domain of the brand inside somebody else's"),
    Weight(
        "TypingError", 54.4, "", "the brand with one typing error, as a whole token"
    ),
    Weight("ErrorInside", 51.3, "", "the brand with one typing error inside a word"),
    Weight("LookAlike", 82.9, "", "the brand in look-alike characters"),
    Weight("Hyphenated", 83.1, "", "the brand with a hyphen in it"),
    # Where it stands.
    Weight(
        "WholeSubdomain",
        -9.5,
        "place",
        "the brand as a whole token left of the registrable label",
    ),
    Weight(
        "InsideSubdomain",
        -9.4,
        "place",
        "the brand inside a word left of the registrable label",
    ),
    Weight(
        "ErrorSubdomain",
        12.3,
        "place",
        "the brand altered, left of the registrable label",
    ),
    Weight("WholeLabel", 3.7, "place", "the brand is all of the registrable label"),
    Weight(
        "ErrorLabel", 25.2, "place", "the brand altered is all of the registrable label"
    ),
    Weight("FirstInLabel", 8.8, "place", "the registrable label begins with it"),
    Weight("Twice", 4.1, "place", "the brand is in the name twice"),
    # What the brand's name is like.
    Weight("Letters2", -15.1, "spelling", "the brand's name has 2 or 3 letters"),
    Weight("Letters4", 3, "spelling", "the brand's name has 4 letters"),
    Weight("Letters5", -1.8, "spelling", "the brand's name has 5 letters"),
    Weight(
        "Inside5",
        2.8,
        "spelling",
        "the brand's name has 5 letters and is inside a longer word",
    ),
    Weight(
        "SubShort",
        1.1,
        "spelling",
        "the brand's name has 5 letters or fewer, in a sub-domain",
    ),
    Weight(
        "LongName",
        4.6,
        "spelling",
        "for each letter of the brand's name beyond 6, at most 6",
    ),
    # How ordinary it is.
    Weight(
        "CommonWord",
        -12.1,
        "ordinary",
        "the brand's name is a common word in CT: for each power of 4",
    ),
    Weight(
        "CommonInside",
        -9.1,
        "ordinary",
        "its letters are common inside words: for each power of 4",
    ),
    Weight(
        "OrdinaryText",
        -17.5,
        "ordinary",
        "the altered text is common itself: for each power of 4",
    ),
    Weight(
        "OrdinaryWord",
        -8.2,
        "ordinary",
        "the word around it is common: for each power of 4",
    ),
    Weight(
        "PartWord",
        -6.1,
        "ordinary",
        "a part of it is a common word: for each power of 4",
    ),
    Weight(
        "JoinedWord",
        -3.8,
        "ordinary",
        "letters over its border are common: for each power of 4",
    ),
    # Words beside it.
    Weight("LureLogin", 20.8, "lure", "words of signing in, at most 2"),
    Weight("LureAlert", 17.9, "lure", "words of alarm and security, at most 2"),
    Weight("LureMoney", 10.2, "lure", "words of payment, at most 2"),
    Weight("LureParcel", 1.4, "lure", "words of delivery, at most 2"),
    Weight("LurePrize", 10.3, "lure", "words of gifts and prizes, at most 2"),
    Weight("LureShop", -4.3, "lure", "words of shops, at most 2"),
    Weight("LureService", 7.9, "lure", "words of service and support, at most 2"),
    Weight("LureBeside", 12.7, "lure", "a lure in the same label as the brand"),
    Weight(
        "SubLureBeside", -6.3, "lure", "a lure in the brand's label, in a sub-domain"
    ),
    Weight(
        "BrandWord", 16.1, "brand's word", "words that the brand file gives, at most 2"
    ),
    Weight("Country", 10.5, "country", "a country beside the brand (paypal-de)"),
    Weight(
        "DomainPiece", 20.3, "domain piece", "com, net or co-jp right after the brand"
    ),
    Weight("DomainPieces", 14.2, "domain piece", "com, net, www elsewhere in the name"),
    # What else the label holds.
    Weight(
        "NothingElse", 3.4, "label", "the brand's label holds lures beside it, no more"
    ),
    Weight(
        "SubNothingElse",
        1,
        "label",
        "the brand's label holds no more than lures, in a sub-domain",
    ),
    Weight(
        "OtherLetters",
        2.8,
        "label",
        "for each other letter in the brand's label, at most 12",
    ),
    Weight(
        "OtherWord", -14.4, "label", "an ordinary word in the brand's label, no lure"
    ),
    Weight(
        "OtherText",
        -1.5,
        "label",
        "for each other letter in its label that is as in words, at most 12",
    ),
    Weight(
        "SubOtherLetters",
        0.7,
        "label",
        "for each other letter in its label, in a sub-domain",
    ),
    Weight("Digits", 3.1, "label", "for each digit in the brand's label, at most 4"),
    Weight("Hyphens", 2.9, "label", "for each hyphen in the brand's label, at most 4"),
    Weight(
        "SubHyphens",
        -3.4,
        "label",
        "for each hyphen in the brand's label, in a sub-domain",
    ),
    # The domain above.
    Weight(
        "Scrambled", 19.4, "domain", "the domain above is scrambled letters: 0 to 1"
    ),
    Weight("LureDomain", 3, "domain", "the domain above is of lures: 0 to 1"),
    Weight(
        "KnownDomain", -11.5, "domain", "the domain above is of common words: 0 to 1"
    ),
    Weight(
        "DomainText",
        -9.5,
        "domain",
        "the domain above has letters as in words: 0 to 1",
    ),
    Weight(
        "UnknownDomain", 8.5, "domain", "the domain above holds no word and no lure"
    ),
    Weight(
        "DomainLetters",
        1.9,
        "domain",
        "for each letter of the domain above, at most 16",
    ),
    Weight(
        "DomainDigits", 6.6, "domain", "for each digit of the domain above, at most 4"
    ),
    Weight(
        "FreeHosting",
        42.1,
        "suffix",
        "anybody gets a name there (github.io, duckdns.org)",
    ),
    Weight(
        "CheapTLD",
        36.7,
        "suffix",
        "a top-level domain that is given away or very cheap",
    ),
    Weight(
        "SubCheapTLD",
        41.8,
        "suffix",
        "a very cheap top-level domain, the brand in a sub-domain",
    ),
    Weight(
        "NewTLD", 25.1, "suffix", "another top-level domain of more than three letters"
    ),
    Weight("ComTLD", 18.8, "suffix", "com, net and org"),
    Weight("OfficialTLD", -7.6, "suffix", "of schools and states: gov, edu, ac.uk"),
    Weight("HomeTLD", -3.5, "suffix", "a country's suffix that the brand has itself"),
    # The name as a whole.
    Weight(
        "ServiceName",
        -17.4,
        "service name",
        "mail, cpanel, autodiscover: every host has them",
    ),
    Weight(
        "WorkName",
        -11,
        "service name",
        "dev, test, git, grafana: somebody's own work",
    ),
    Weight(
        "Below", -18.9, "depth", "for each label left of the brand's domain, at most 5"
    ),
    Weight(
        "ErrorBelow",
        -34,
        "depth",
        "for each label left of a domain that is the brand altered",
    ),
    Weight(
        "Depth",
        -6.3,
        "depth",
        "for each label of the name, the brand in a sub-domain, at most 5",
    ),
    Weight("Length", -2.9, "length", "for each 8 characters beyond 24, at most 6"),
)
DEFAULTS: Mapping[str, float] = MappingProxyType({w.key: w.default for w in WEIGHTS})
