"""Counting of what rules find, in bounded memory."""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ctmonitor.model.reasons import brand_of, score_of
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason
from ctmonitor.rules.hostname import MAX_CHARACTERS, host_name

LOOK_ALIKE = "look-alike"  # the kind of all rules of one brand

# Texts that are remembered one by one, at some 100 bytes; beyond it they are estimated.
_EXACT = 1_000_000
_SLOTS = 1 << 24
# Domains that are counted for one rule, and rules that are told apart: a keyword may
# be an expression that matches another text in every name.
_MANY = 20_000
_MANY_RULES = 10_000
OTHER_RULES = "(others)"


class Distinct:
    """
    The number of different texts: exact up to a million, then estimated within 1 in
    1,000 by linear counting, in 16 MB (Whang and others, 1990).
    """

    def __init__(self, exact: int = _EXACT) -> None:
        """
        Args:
            exact: how many texts are told apart for certain.
        """
        self._limit = exact
        self._known: set[int] = set()
        self._slots = bytearray()

    def add(self, texts: Iterable[str]) -> None:
        if not self._slots:
            self._known.update(map(hash, texts))
            if len(self._known) <= self._limit:
                return
            self._slots = bytearray(_SLOTS)
            numbers: Iterable[int] = self._known
            self._known = set()
        else:
            numbers = map(hash, texts)
        slots, mask = self._slots, _SLOTS - 1
        for number in numbers:
            slots[number & mask] = 1

    @property
    def is_exact(self) -> bool:
        return not self._slots

    def __len__(self) -> int:
        if self.is_exact:
            return len(self._known)
        free = max(1, self._slots.count(0))
        return round(-_SLOTS * math.log(free / _SLOTS))


class Few:
    """Different texts, counted up to a limit."""

    def __init__(self, limit: int = _MANY) -> None:
        self._limit = limit
        self._known: set[int] = set()

    def add(self, text: str) -> None:
        if len(self._known) < self._limit:
            self._known.add(hash(text))

    def __len__(self) -> int:
        return len(self._known)

    @property
    def is_full(self) -> bool:
        """Whether there may have been more."""
        return len(self._known) >= self._limit


class Remembered:
    """Names that came before; with more than a million, doubles count again."""

    def __init__(self, limit: int = _EXACT) -> None:
        self._limit = limit
        self._known: set[int] = set()
        self.is_full = False

    def is_new(self, name: str) -> bool:
        """Whether it did not come before; from now on it did."""
        number = hash(name.lower())
        if number in self._known:
            return False
        if len(self._known) < self._limit:
            self._known.add(number)
        else:
            self.is_full = True
        return True


class Sample:
    """Some of many things, each with the same chance (reservoir sampling)."""

    def __init__(self, size: int, chance: random.Random) -> None:
        self._size = size
        self._chance = chance
        self._seen = 0
        self.things: list[Any] = []

    def add(self, thing: Any) -> None:
        self._seen += 1
        if len(self.things) < self._size:
            self.things.append(thing)
        elif (at := self._chance.randrange(self._seen)) < self._size:
            self.things[at] = thing


@dataclass(frozen=True, slots=True)
class Parts:
    """
    A verdict by what can make it a finding.

    Args:
        keywords, expressions: those that fired.
        brand: the brand that scores; empty for none.
        points: its score.
    """

    keywords: tuple[str, ...]
    expressions: tuple[str, ...]
    brand: str
    points: int

    @classmethod
    def of(cls, verdict: NameVerdict) -> "Parts":
        looks = [reason for reason in verdict.reasons if reason.brand]
        return cls(
            tuple(r.rule for r in verdict.reasons if r.kind == "keyword"),
            tuple(r.rule for r in verdict.reasons if r.kind == "regex"),
            brand_of(looks),
            score_of(looks),
        )

    def makes(self, threshold: int, alert_score: int) -> bool:
        """Whether they make a finding, unless something blocks or allows it."""
        return bool(
            self.expressions
            or (self.keywords and len(self.keywords) >= threshold)
            or (self.brand and self.points >= alert_score)
        )

    def causes(self, threshold: int, alert_score: int) -> list[tuple[str, str]]:
        """Kind and text of the rules that make it a finding."""
        found = [("regex", rule) for rule in self.expressions]
        if len(self.keywords) >= threshold:
            found += [("keyword", rule) for rule in self.keywords]
        if self.brand and self.points >= alert_score:
            found.append((LOOK_ALIKE, self.brand))
        return found

    def needed(self, threshold: int, alert_score: int) -> list[tuple[str, str]]:
        """Those of the causes without any of which it would be no finding."""
        causes = self.causes(threshold, alert_score)
        by_kind = {kind for kind, _ in causes}
        if len(by_kind) > 1:
            return []
        if by_kind == {"keyword"}:
            return causes if len(self.keywords) == threshold else []
        return causes if len(causes) == 1 else []


def rule_of(reason: Reason) -> tuple[str, str]:
    """Kind and text of the rule that a reason counts for."""
    if reason.brand:
        return LOOK_ALIKE, reason.brand
    return reason.kind, reason.rule


def domain_of(verdict: NameVerdict) -> str:
    """The registrable domain of a name, itself where there is none."""
    if verdict.registrable:
        return verdict.registrable
    name = verdict.name[:MAX_CHARACTERS]
    return host_name(name).registrable or name.lower()


@dataclass(slots=True)
class RuleCount:
    """
    What one rule did.

    Args:
        fired: names on which it fired, whatever came of it.
        found: findings that it made or helped to make.
        alone: findings that there would not be without it.
        domains: registrable domains of `found`.
        sample: of `found`.
        missed: of the other names on which it fired.
    """

    sample: Sample
    missed: Sample
    fired: int = 0
    found: int = 0
    alone: int = 0
    domains: Few = field(default_factory=Few)

    @property
    def example(self) -> str:
        """A finding of it at random, or else a name on which it fired."""
        return str((self.sample.things or self.missed.things)[0])


class RuleCounts:
    """What each rule did, by kind and text."""

    def __init__(self, threshold: int, alert_score: int, chance: random.Random) -> None:
        self._limits = (threshold, alert_score)
        self._chance = chance
        self.counts: dict[tuple[str, str], RuleCount] = {}

    def note(self, verdict: NameVerdict, parts: Parts, domain: str) -> None:
        is_found = verdict.outcome is Outcome.MATCH
        causes = parts.causes(*self._limits) if is_found else []
        for rule in dict.fromkeys(map(rule_of, verdict.reasons)):
            count = self._count(rule)
            count.fired += 1
            if rule not in causes:
                count.missed.add(verdict.name)
        for rule in causes:
            count = self._count(rule)
            count.found += 1
            count.domains.add(domain)
            count.sample.add(verdict.name)
        if not is_found:
            return
        for rule in parts.needed(*self._limits):
            self._count(rule).alone += 1

    def sorted(self) -> list[tuple[str, str, RuleCount]]:
        """Kind, text and count, what finds most first."""
        rows = [(kind, rule, count) for (kind, rule), count in self.counts.items()]
        return sorted(rows, key=lambda r: (-r[2].found, -r[2].fired, r[0], r[1]))

    def _count(self, rule: tuple[str, str]) -> RuleCount:
        if rule not in self.counts and len(self.counts) >= _MANY_RULES:
            rule = (rule[0], OTHER_RULES)
        if rule not in self.counts:
            self.counts[rule] = RuleCount(
                Sample(1, self._chance), Sample(1, self._chance)
            )
        return self.counts[rule]


def table(rows: Sequence[Sequence[str]], right: frozenset[int]) -> list[str]:
    """
    Lines with aligned columns.

    Args:
        right: columns of numbers, which end below each other.
    """
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
