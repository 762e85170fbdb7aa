"""
What the parts of a look-alike's score weigh: the settings of `[WEIGHTS]`.

The defaults are a logistic fit (`python -m bench.fit`, docs/quality.md), in whole
numbers and scaled so that `AlertScore` 100 lies where one of 10,000 ordinary names of
CT traffic reaches it; docs/quality.md tells what was changed by hand since. A part's
points are its weight times an amount, which is 1 where the help does not say otherwise.
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
    Weight("WholeWord", 74.7, "", "the brand as a whole token of the name"),
    Weight("InsideWord", 79.1, "", "the brand inside a longer word"),
    Weight("OwnDomain", 102, "", "a domain of the brand inside somebody else's"),
    Weight("TypingError", 54, "", "the brand with one typing error, as a whole token"),
    Weight("ErrorInside", 50.8, "", "the brand with one typing error inside a word"),
    Weight("LookAlike", 83.5, "", "the brand in look-alike characters"),
    Weight("Hyphenated", 83.5, "", "the brand with a hyphen in it"),
    # Where it stands.
    Weight(
        "WholeSubdomain",
        -9.2,
        "place",
        "the brand as a whole token left of the registrable label",
    ),
    Weight(
        "InsideSubdomain",
        -9.6,
        "place",
        "the brand inside a word left of the registrable label",
    ),
    Weight(
        "ErrorSubdomain",
        12.5,
        "place",
        "the brand altered, left of the registrable label",
    ),
    Weight("WholeLabel", -8.8, "place", "the brand is all of the registrable label"),
    Weight(
        "ErrorLabel", 26.5, "place", "the brand altered is all of the registrable label"
    ),
    Weight("FirstInLabel", 9.3, "place", "the registrable label begins with it"),
    Weight("Twice", 4.3, "place", "the brand is in the name twice"),
    # What the brand's name is like.
    Weight("Letters2", -14.5, "spelling", "the brand's name has 2 or 3 letters"),
    Weight("Letters4", 4.3, "spelling", "the brand's name has 4 letters"),
    Weight("Letters5", -1, "spelling", "the brand's name has 5 letters"),
    Weight(
        "Inside5",
        2.1,
        "spelling",
        "the brand's name has 5 letters and is inside a longer word",
    ),
    Weight(
        "SubShort",
        0.2,
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
        -12.8,
        "ordinary",
        "the brand's name is a common word in CT: for each power of 4",
    ),
    Weight(
        "CommonInside",
        -9.4,
        "ordinary",
        "its letters are common inside words: for each power of 4",
    ),
    Weight(
        "OrdinaryText",
        -18.1,
        "ordinary",
        "the altered text is common itself: for each power of 4",
    ),
    Weight(
        "OrdinaryWord",
        -8.3,
        "ordinary",
        "the word around it is common: for each power of 4",
    ),
    Weight(
        "PartWord",
        -6.3,
        "ordinary",
        "a part of it is a common word: for each power of 4",
    ),
    Weight(
        "JoinedWord",
        -3.9,
        "ordinary",
        "letters over its border are common: for each power of 4",
    ),
    # Words beside it.
    Weight("LureLogin", 21.5, "lure", "words of signing in, at most 2"),
    Weight("LureAlert", 18.5, "lure", "words of alarm and security, at most 2"),
    Weight("LureMoney", 10.6, "lure", "words of payment, at most 2"),
    Weight("LureParcel", 1.4, "lure", "words of delivery, at most 2"),
    Weight("LurePrize", 10.7, "lure", "words of gifts and prizes, at most 2"),
    Weight("LureShop", -4.6, "lure", "words of shops, at most 2"),
    Weight("LureService", 8.2, "lure", "words of service and support, at most 2"),
    Weight("LureBeside", 13.1, "lure", "a lure in the same label as the brand"),
    Weight(
        "SubLureBeside", -6.5, "lure", "a lure in the brand's label, in a sub-domain"
    ),
    Weight(
        "BrandWord", 16.7, "brand's word", "words that the brand file gives, at most 2"
    ),
    Weight("Country", 10.9, "country", "a country beside the brand (paypal-de)"),
    Weight(
        "DomainPiece", 21, "domain piece", "com, net or co-jp right after the brand"
    ),
    Weight("DomainPieces", 14.7, "domain piece", "com, net, www elsewhere in the name"),
    # What else the label holds.
    Weight(
        "NothingElse", 3.7, "label", "the brand's label holds lures beside it, no more"
    ),
    Weight(
        "SubNothingElse",
        1,
        "label",
        "the brand's label holds no more than lures, in a sub-domain",
    ),
    Weight(
        "OtherLetters",
        3,
        "label",
        "for each other letter in the brand's label, at most 12",
    ),
    Weight(
        "OtherWord",
        -14.8,
        "ordinary word",
        "an ordinary word in the brand's label, no lure",
    ),
    Weight(
        "OtherText",
        -1.6,
        "label",
        "for each other letter in its label that is as in words, at most 12",
    ),
    Weight(
        "SubOtherLetters",
        0.7,
        "label",
        "for each other letter in its label, in a sub-domain",
    ),
    Weight("Digits", 3.3, "label", "for each digit in the brand's label, at most 4"),
    Weight("Hyphens", 3.2, "label", "for each hyphen in the brand's label, at most 4"),
    Weight(
        "SubHyphens",
        -3.5,
        "label",
        "for each hyphen in the brand's label, in a sub-domain",
    ),
    # The domain above.
    Weight("Scrambled", 20, "domain", "the domain above is scrambled letters: 0 to 1"),
    Weight("LureDomain", 3.2, "domain", "the domain above is of lures: 0 to 1"),
    Weight(
        "KnownDomain", -12.5, "domain", "the domain above is of common words: 0 to 1"
    ),
    Weight(
        "DomainText",
        -9.9,
        "domain",
        "the domain above has letters as in words: 0 to 1",
    ),
    Weight(
        "UnknownDomain", 8.9, "domain", "the domain above holds no word and no lure"
    ),
    Weight(
        "DomainLetters",
        2,
        "domain",
        "for each letter of the domain above, at most 16",
    ),
    Weight(
        "DomainDigits", 6.9, "domain", "for each digit of the domain above, at most 4"
    ),
    Weight(
        "FreeHosting",
        43.7,
        "suffix",
        "anybody gets a name there (github.io, duckdns.org)",
    ),
    Weight(
        "CheapTLD",
        36.1,
        "suffix",
        "a top-level domain that is given away or very cheap",
    ),
    Weight(
        "SubCheapTLD",
        43.2,
        "suffix",
        "a very cheap top-level domain, the brand in a sub-domain",
    ),
    Weight(
        "NewTLD", 29.1, "suffix", "another top-level domain of more than three letters"
    ),
    Weight("ComTLD", 19.4, "suffix", "com, net and org"),
    Weight("OfficialTLD", -8.4, "suffix", "of schools and states: gov, edu, ac.uk"),
    Weight("HomeTLD", -3.7, "suffix", "a country's suffix that the brand has itself"),
    Weight(
        "NationalDomain",
        -20.9,
        "suffix",
        "nothing but the brand below a country's suffix, as google.pl",
    ),
    # The name as a whole.
    Weight(
        "ServiceName",
        -17.3,
        "service name",
        "mail, cpanel, autodiscover: every host has them",
    ),
    Weight(
        "WorkName",
        -11.3,
        "service name",
        "dev, test, git, grafana: somebody's own work",
    ),
    Weight("Below", -18.6, "depth", "labels left of the brand's domain, one or many"),
    Weight(
        "ErrorBelow",
        -35,
        "depth",
        "labels left of a domain that is the brand altered, one or many",
    ),
    Weight(
        "Depth",
        -6.4,
        "depth",
        "for each label left of the domain, the brand in a sub-domain, at most 5",
    ),
    Weight("Length", -3.1, "length", "for each 8 characters beyond 24, at most 6"),
)
DEFAULTS: Mapping[str, float] = MappingProxyType({w.key: w.default for w in WEIGHTS})
