"""What the rules say of the names of one sighting."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What the rules say of one name."""

    MATCH = "match"
    BLOCKED = "blacklisted"
    BELOW = "below-threshold"
    NONE = "no-match"


@dataclass(frozen=True, slots=True)
class Reason:
    """
    One rule that fired on one name.

    Args:
        rule: the rule in the operator's words, for a keyword the text that matched.
        kind: which list the rule stands in: `keyword`, `blacklist`.
        weight: what it adds to the score; 0 for a rule that only blocks.
    """

    rule: str
    kind: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class NameVerdict:
    """The outcome for one name, with every reason that fired."""

    name: str  # as issued
    outcome: Outcome
    score: int = 0  # keywords: number of distinct ones
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdicts of those names of a sighting on which any rule fired."""

    names: tuple[NameVerdict, ...] = ()

    @property
    def findings(self) -> tuple[NameVerdict, ...]:
        """The names to be stored and told, in the order of the certificate."""
        return tuple(name for name in self.names if name.outcome is Outcome.MATCH)
