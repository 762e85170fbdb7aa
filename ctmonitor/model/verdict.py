"""What the rules say of the names of one sighting."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What the rules say of one name."""

    MATCH = "match"
    BLOCKED = "blacklisted"
    ALLOWED = "allow-listed"
    BELOW = "below-threshold"
    NONE = "no-match"


@dataclass(frozen=True, slots=True)
class Reason:
    """
    One rule that fired on one name, or one part of a look-alike's score.

    Args:
        rule: what a person is shown: for a keyword the text that matched, for an
            expression its name, for a look-alike the text that resembles the brand,
            for evidence beside it what was seen (`login`, `.xyz`).
        kind: which rule it is: `keyword`, `blacklist`, `regex`, `allow-list`, a
            `rules.resemblance.Trick` (`whole word`, `omission`, ...), or an evidence of
            `rules.evidence` (`lure`, `suffix`, ...).
        weight: what it adds to the score, below 0 where it speaks for the name; 0 for a
            rule that only blocks or allows, and for what resembles another brand than
            the one that scores.
        brand: for a look-alike and what stands beside it, the brand it resembles.
    """

    rule: str
    kind: str
    weight: int = 1
    brand: str = ""


@dataclass(frozen=True, slots=True)
class NameVerdict:
    """
    The outcome for one name, with every reason that fired.

    Args:
        name: as issued.
        score: the sum of the reasons' weights, never below 0. One for each distinct
            keyword and each expression; a look-alike counts in tens, against
            `AlertScore`.
        registrable: of a name with a look-alike, its registrable domain (eTLD+1).
    """

    name: str
    outcome: Outcome
    score: int = 0
    reasons: tuple[Reason, ...] = ()
    registrable: str = ""

    @property
    def brand(self) -> str:
        """The brand that it resembles most; empty for none."""
        return next((reason.brand for reason in self.reasons if reason.brand), "")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdicts of those names of a sighting on which any rule fired."""

    names: tuple[NameVerdict, ...] = ()

    @property
    def findings(self) -> tuple[NameVerdict, ...]:
        """The names to be stored and told, in the order of the certificate."""
        return tuple(name for name in self.names if name.outcome is Outcome.MATCH)
