"""check_rules.py --backtest --compare: what two sets of rules find, and one alone."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctmonitor.cli.check_names import Block, Names, hits
from ctmonitor.cli.check_tally import (
    Distinct,
    Parts,
    Remembered,
    Sample,
    domain_of,
    table,
)
from ctmonitor.cli.check_verdicts import finding_lines, verdict_object
from ctmonitor.model.text import printable, shortened
from ctmonitor.model.verdict import NameVerdict, Outcome
from ctmonitor.rules.ruleset import RuleSet

BOTH, FIRST, SECOND = "both", "first", "second"
_RULES_SHOWN = 20
_RULE_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Side:
    """
    One set of rules.

    Args:
        label: file of settings.
    """

    label: str
    ruleset: RuleSet


@dataclass(slots=True)
class Share:
    """
    Findings of both sides, or of one alone.

    Args:
        rules: by kind and text, how many of them each rule made or helped to make.
    """

    sample: Sample
    found: int = 0
    domains: Distinct = field(default_factory=Distinct)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)


class Comparison:
    """Two sets of rules tried on names; each distinct name counts once."""

    def __init__(
        self,
        first: Side,
        second: Side,
        *,
        samples: int = 10,
        seed: int = 0,
        on_finding: Callable[[str, NameVerdict, NameVerdict], None] | None = None,
    ) -> None:
        """
        Args:
            samples: how many findings of each kind are kept at random.
            seed: of what is random.
            on_finding: told each finding: whose it is (BOTH, FIRST, SECOND), and the
                verdicts of both.
        """
        self.sides = (first, second)
        self._prefilters = [side.ruleset.prefilter() for side in self.sides]
        self._on_finding = on_finding
        self._remembered = Remembered()
        chance = random.Random(seed)  # noqa: S311 # samples, not secrets
        self.read = 0
        self.names = Distinct()
        self.shares = {
            whose: Share(Sample(samples, chance)) for whose in (BOTH, FIRST, SECOND)
        }

    def add(self, block: Block) -> None:
        """Counts the names of a block."""
        self.read += len(block.names)
        self.names.add(map(str.lower, block.names))
        at: set[int] = set()
        for prefilter in self._prefilters:
            at.update(hits(prefilter, block.names))
        for number in sorted(at):
            name = block.names[number]
            if self._remembered.is_new(name):
                self._judge(name)

    @property
    def counts_doubles(self) -> bool:
        """Whether so many names were looked at that some may have counted twice."""
        return self._remembered.is_full

    def found(self, whose: str) -> int:
        """Findings of FIRST or SECOND, those of BOTH among them."""
        return self.shares[BOTH].found + self.shares[whose].found

    def _judge(self, name: str) -> None:
        verdicts = [side.ruleset.judge_name(name) for side in self.sides]
        is_found = [verdict.outcome is Outcome.MATCH for verdict in verdicts]
        if not any(is_found):
            return
        whose = BOTH if all(is_found) else FIRST if is_found[0] else SECOND
        winner = 1 if whose == SECOND else 0
        verdict, side = verdicts[winner], self.sides[winner]
        share = self.shares[whose]
        share.found += 1
        share.domains.add((domain_of(verdict),))
        share.sample.add(verdict)
        rules = side.ruleset.rules
        share.rules.update(Parts.of(verdict).causes(rules.threshold, rules.alert_score))
        if self._on_finding is not None:
            self._on_finding(whose, verdicts[0], verdicts[1])


def as_object(comparison: Comparison, names: Names) -> dict[str, Any]:
    """The report for programs."""
    first, second = comparison.sides
    return {
        "source": printable(names.source),
        "kind": names.what,
        "names_read": comparison.read,
        "names": len(comparison.names),
        "names_exact": comparison.names.is_exact,
        "malformed": names.malformed,
        "first": {"config": first.label, "found": comparison.found(FIRST)},
        "second": {"config": second.label, "found": comparison.found(SECOND)},
        **{
            key: {
                "found": share.found,
                "registrable_domains": len(share.domains),
                "rules": [
                    {"rule": printable(rule), "kind": kind, "found": count}
                    for (kind, rule), count in share.rules.most_common()
                ],
                "samples": [verdict_object(one) for one in share.sample.things],
            }
            for key, share in (
                ("found_by_both", comparison.shares[BOTH]),
                ("only_first", comparison.shares[FIRST]),
                ("only_second", comparison.shares[SECOND]),
            )
        },
    }


def as_lines(comparison: Comparison, names: Names) -> Iterator[str]:
    """The report for people."""
    first, second = (side.label for side in comparison.sides)
    about = "" if comparison.names.is_exact else "about "
    shares = comparison.shares
    yield f"{names.label}: {names.what}"
    yield from table(
        [
            ("", "names", "domains"),
            ("read", f"{comparison.read:,}", ""),
            ("distinct", f"{about}{len(comparison.names):,}", ""),
            (f"found by {first}", f"{comparison.found(FIRST):,}", ""),
            (f"found by {second}", f"{comparison.found(SECOND):,}", ""),
            ("found by both", *_numbers(shares[BOTH])),
            (f"only by {first}", *_numbers(shares[FIRST])),
            (f"only by {second}", *_numbers(shares[SECOND])),
        ],
        frozenset({1, 2}),
    )
    if names.malformed:
        yield f"{names.malformed:,} lines are no message"
    if comparison.counts_doubles:
        yield "note: so many names hit that doubles among the last of them count again"
    for label, whose in ((first, FIRST), (second, SECOND)):
        if shares[whose].found:
            yield from _share(label, shares[whose])


def _numbers(share: Share) -> tuple[str, str]:
    return f"{share.found:,}", f"{len(share.domains):,}"


def _share(label: str, share: Share) -> Iterator[str]:
    yield ""
    yield f"only by {label}: the rules that found them"
    yield from _rules(share.rules.most_common())
    things = share.sample.things
    if things:
        yield f"only by {label}: at random ({len(things)} of {share.found:,})"
        yield from finding_lines(things)


def _rules(counts: Sequence[tuple[tuple[str, str], int]]) -> Iterator[str]:
    rows = [
        (shortened(rule, _RULE_CHARACTERS), kind, f"{count:,}")
        for (kind, rule), count in counts[:_RULES_SHOWN]
    ]
    yield from table(rows, frozenset({2}))
    if len(counts) > _RULES_SHOWN:
        yield f"... and {len(counts) - _RULES_SHOWN:,} more; --format json has them all"
