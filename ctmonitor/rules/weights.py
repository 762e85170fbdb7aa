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
    Weight("WholeWord", 80.2, "", "the brand as a whole token of the name"),
    Weight("InsideWord", 80.8, "", "the brand inside a longer word"),
    Weight("OwnDomain", 112.9, "", "a domain of the brand inside somebody else's"),
    Weight(
        "TypingError", 55.8, "", "the brand with one typing error, as a whole token"
    ),
    Weight("ErrorInside", 53.5, "", "the brand with one typing error inside a word"),
    Weight("LookAlike", 82.9, "", "the brand in look-alike characters"),
    Weight("Hyphenated", 82, "", "the brand with a hyphen in it"),
    # Where it stands.
    Weight(
        "WholeSubdomain", -4.4, "place", "a whole token left of the registrable label"
    ),
    Weight("InsideSubdomain", -3.5, "place", "inside a word there"),
    Weight("ErrorSubdomain", 17.9, "place", "altered there"),
    Weight("WholeLabel", 4.6, "place", "the brand is all of the registrable label"),
    Weight(
        "ErrorLabel", 25.4, "place", "its altered form is all of the registrable label"
    ),
    Weight("FirstInLabel", 11.1, "place", "the registrable label begins with it"),
    Weight("Twice", 1, "place", "the brand is there twice"),
    # What the brand's name is like.
    Weight("Letters2", -19.2, "spelling", "the brand's name has 2 or 3 letters"),
    Weight("Letters4", 1.9, "spelling", "it has 4 letters"),
    Weight("Letters5", -3, "spelling", "it has 5 letters"),
    Weight("Inside5", 4.4, "spelling", "5 letters, inside a longer word"),
    Weight("SubShort", 1.2, "spelling", "5 letters or fewer, in a sub-domain"),
    Weight("LongName", 4.2, "spelling", "for each letter beyond 6, at most 6"),
    # How ordinary it is.
    Weight(
        "CommonWord",
        -12.7,
        "ordinary",
        "the brand's name is common in CT: per power of 4",
    ),
    Weight(
        "CommonInside",
        -9.2,
        "ordinary",
        "its letters are common inside words: likewise",
    ),
    Weight(
        "OrdinaryText", -15.6, "ordinary", "the altered text is common itself: likewise"
    ),
    Weight("OrdinaryWord", -6, "ordinary", "the word around it is common: likewise"),
    Weight(
        "JoinedWord",
        -4.7,
        "ordinary",
        "letters over its border are common in words: likewise",
    ),
    # Words beside it.
    Weight("LureLogin", 21.7, "lure", "words of signing in, at most 2"),
    Weight("LureAlert", 16, "lure", "words of alarm and security, at most 2"),
    Weight("LureMoney", 11.8, "lure", "words of payment, at most 2"),
    Weight("LureParcel", 1.1, "lure", "words of delivery, at most 2"),
    Weight("LurePrize", 7.6, "lure", "words of gifts and prizes, at most 2"),
    Weight("LureShop", -6.1, "lure", "words of shops, at most 2"),
    Weight("LureService", 5.4, "lure", "words of service and support, at most 2"),
    Weight("LureBeside", 12, "lure", "a lure in the same label as the brand"),
    Weight(
        "SubLureBeside", -5.6, "lure", "the same where the brand is in a sub-domain"
    ),
    Weight(
        "BrandWord", 14.9, "brand's word", "words that the brand file gives, at most 2"
    ),
    Weight("Country", 10.5, "country", "a country beside the brand (paypal-de)"),
    Weight(
        "DomainPiece", 20.3, "domain piece", "com, net or co-jp right after the brand"
    ),
    Weight("DomainPieces", 13.9, "domain piece", "com, net, www elsewhere in the name"),
    # What else the label holds.
    Weight(
        "NothingElse", 5.7, "label", "the brand's label holds lures beside it, no more"
    ),
    Weight(
        "SubNothingElse", -2.1, "label", "the same where the brand is in a sub-domain"
    ),
    Weight("OtherLetters", 1.7, "label", "for each other letter in it, at most 12"),
    Weight("OtherWord", -15.9, "label", "an ordinary word in it, no lure"),
    Weight(
        "SubOtherLetters", -0, "label", "the same where the brand is in a sub-domain"
    ),
    Weight("Digits", 3.1, "label", "for each digit in it, at most 4"),
    Weight("Hyphens", 2.2, "label", "for each hyphen in it, at most 4"),
    Weight("SubHyphens", -2.4, "label", "the same where the brand is in a sub-domain"),
    # The domain above.
    Weight("Scrambled", 20.4, "domain", "the registrable label is scrambled: 0 to 1"),
    Weight("LureDomain", 2.5, "domain", "it is of lures: 0 to 1"),
    Weight("KnownDomain", -13.1, "domain", "it is of common words: 0 to 1"),
    Weight("DomainLetters", 0.7, "domain", "for each of its letters, at most 16"),
    Weight("DomainDigits", 5.1, "domain", "for each of its digits, at most 4"),
    Weight(
        "FreeHosting",
        40.4,
        "suffix",
        "anybody gets a name there (github.io, duckdns.org)",
    ),
    Weight(
        "CheapTLD",
        33.8,
        "suffix",
        "a top-level domain that is given away or very cheap",
    ),
    Weight(
        "SubCheapTLD", 41.4, "suffix", "the same where the brand is in a sub-domain"
    ),
    Weight(
        "NewTLD", 20.1, "suffix", "another one with a name of more than three letters"
    ),
    Weight("ComTLD", 15.4, "suffix", "com, net, org, info, biz"),
    Weight("OfficialTLD", -7.5, "suffix", "of schools and states: gov, edu, ac.uk"),
    Weight("HomeTLD", -3.1, "suffix", "a country's suffix that the brand has itself"),
    # The name as a whole.
    Weight(
        "ServiceName",
        -18.6,
        "service name",
        "mail, cpanel, autodiscover: every host has them",
    ),
    Weight(
        "WorkName",
        -13.3,
        "service name",
        "dev, test, git, grafana: somebody's own work",
    ),
    Weight(
        "Below", -19.4, "depth", "for each label left of the brand's domain, at most 5"
    ),
    Weight(
        "ErrorBelow", -35.7, "depth", "the same where the domain is the brand altered"
    ),
    Weight(
        "Depth", -4.2, "depth", "for each label where the brand is in one, at most 5"
    ),
    Weight("Length", -3.7, "length", "for each 8 characters beyond 24, at most 6"),
)
DEFAULTS: Mapping[str, float] = MappingProxyType({w.key: w.default for w in WEIGHTS})
