"""check_rules.py --suggest: which rules do nothing or too much, and what to allow."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ctmonitor.cli.check_names import Block, hits
from ctmonitor.cli.check_tally import (
    LOOK_ALIKE,
    Distinct,
    Few,
    Remembered,
    domain_of,
    rule_of,
)
from ctmonitor.model.verdict import NameVerdict, Outcome
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.hostname import MAX_CHARACTERS
from ctmonitor.rules.keywords import Keywords
from ctmonitor.rules.pattern import TIME_LIMIT_S, compiled
from ctmonitor.rules.prefilter import FOLDING_TO_ASCII, Prefilter
from ctmonitor.rules.resemblance import Trick
from ctmonitor.rules.ruleset import RuleSet

# A domain or a word is worth a line of the allow-list from so many findings on.
_LEAST = 3
_LINES = 20
# Domains and words that are counted at a time; the rare ones are dropped then.
_MANY = 100_000
_ENOUGH_DOMAINS = 1000

_WORD = re.compile(r"[^\W_]+")
_PLAIN = re.compile(r"[\w.-]+")
_TRICKS = frozenset(trick.value for trick in Trick)


class KeywordUse:
    """Which alternatives of `SearchKeywords` a text has, each looked for by itself."""

    def __init__(self, pattern: str) -> None:
        """
        Args:
            pattern: `SearchKeywords`; must have passed `pattern.check`.
        """
        branches = [one for one in Keywords(pattern).branches if one.source]
        self.sources = [branch.source for branch in branches]
        self._always = {i for i, one in enumerate(branches) if one.literals is None}
        users: dict[bytes, list[int]] = {}
        for number, branch in enumerate(branches):
            for literal in branch.literals or ():
                users.setdefault(literal, []).append(number)
        self._scanner = Prefilter(users)
        self._users = [users[literal] for literal in self._scanner.literals]
        self._folding = frozenset(FOLDING_TO_ASCII)
        self._expression = lru_cache(maxsize=4096)(self._compile)

    def _compile(self, number: int) -> Any:
        return compiled(self.sources[number])

    def matches(self, lowered: str) -> dict[int, str]:
        """The alternatives that match in a text, by number, and what they match."""
        if not self._folding.isdisjoint(lowered):
            numbers: Iterable[int] = range(len(self.sources))
        else:
            found = self._scanner.numbers(lowered.encode("utf-8", "replace"))
            named = {user for number in found for user in self._users[number]}
            numbers = sorted(named | self._always)
        result: dict[int, str] = {}
        for number in numbers:
            try:
                match = self._expression(number).search(lowered, timeout=TIME_LIMIT_S)
            except TimeoutError:
                continue
            if match is not None and match.group():
                result[number] = match.group()
        return result


@dataclass(slots=True)
class Use:
    """
    What one rule did.

    Args:
        fired: names on which it fired.
        found: findings among them.
        with_cover: by number of a rule that may cover it, names on which both fired.
    """

    kind: str
    rule: str
    fired: int = 0
    found: int = 0
    with_cover: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Context:
    """Findings of one registrable domain, or with one word, and the rules in them."""

    count: int = 0
    domains: Few = field(default_factory=lambda: Few(_ENOUGH_DOMAINS))
    rules: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Advice:
    """
    Rules that should be looked at.

    Args:
        never: fired on no name.
        often: fired on more than the share of names.
        covered: with the rule that finds all that it finds.
        domains, words: for the allow-list, those with most findings first.
    """

    never: tuple[Use, ...]
    often: tuple[Use, ...]
    covered: tuple[tuple[Use, str], ...]
    domains: tuple[tuple[str, Context], ...]
    words: tuple[tuple[str, Context], ...]


class Suggestions:
    """Rules tried on names, to see what they are good for."""

    def __init__(
        self,
        ruleset: RuleSet,
        *,
        share: float = 0.001,
    ) -> None:
        """
        Args:
            share: of the distinct names, 0..1; a rule that fires on more is told.
        """
        self._ruleset = ruleset
        self._prefilter = ruleset.prefilter()
        self.share = share
        self._remembered = Remembered()
        self._keywords = KeywordUse(ruleset.rules.keywords)
        self._uses = [Use("keyword", source) for source in self._keywords.sources]
        self._covers = [self._covering(number) for number in range(len(self._uses))]
        brands = ruleset.rules.brands
        names = [expression.name for expression in ruleset.rules.regexes.expressions]
        self._others = {
            **{("regex", name): Use("regex", name) for name in names},
            **{(LOOK_ALIKE, b.name): Use(LOOK_ALIKE, b.name) for b in brands},
        }
        self._brand_covers = _brands_inside(brands)
        self._domains: dict[str, Context] = {}
        self._words: dict[str, Context] = {}
        self.read = 0
        self.names = Distinct()
        self.found = 0

    def _covering(self, number: int) -> list[int]:
        """Alternatives that match in the text of this one; of equal ones the first."""
        sources = self._keywords.sources
        source = sources[number].lower()
        return [
            other
            for other in self._keywords.matches(source)
            if other != number and (sources[other].lower() != source or other < number)
        ]

    def add(self, block: Block) -> None:
        """Counts the names of a block."""
        self.read += len(block.names)
        self.names.add(map(str.lower, block.names))
        for at in sorted(hits(self._prefilter, block.names)):
            name = block.names[at]
            if self._remembered.is_new(name):
                verdict = self._ruleset.judge_name(name)
                if verdict.outcome is not Outcome.NONE:
                    self._note(verdict)

    def _note(self, verdict: NameVerdict) -> None:
        is_found = verdict.outcome is Outcome.MATCH
        lowered = verdict.name[:MAX_CHARACTERS].lower()
        used = self._keywords.matches(lowered)
        for number in used:
            use = self._uses[number]
            use.fired += 1
            use.found += is_found
            use.with_cover.update(
                self._uses[other].rule
                for other in self._covers[number]
                if other in used
            )
        rules = dict.fromkeys(map(rule_of, verdict.reasons))
        brands = {rule for kind, rule in rules if kind == LOOK_ALIKE}
        for rule in rules:
            if rule in self._others:
                use = self._others[rule]
                use.fired += 1
                use.found += is_found
                use.with_cover.update(brands & self._brand_covers.get(rule[1], set()))
        if is_found:
            self.found += 1
            self._note_context(verdict, lowered, used)

    def _note_context(
        self, verdict: NameVerdict, lowered: str, used: Mapping[int, str]
    ) -> None:
        domain = domain_of(verdict)
        texts = set(used.values())
        texts |= {r.rule.lower() for r in verdict.reasons if r.kind in _TRICKS}
        _count(self._domains, domain, domain, texts)
        for word in set(_WORD.findall(lowered)):
            inside = {text for text in texts if text in word and text != word}
            # A word of two rules, as `securelogin`, is no innocent one.
            if len(inside) == 1:
                _count(self._words, word, domain, inside)

    def advice(self) -> Advice:
        """What the names read so far suggest."""
        uses = [*self._uses, *self._others.values()]
        limit = self.share * len(self.names)
        often = sorted((u for u in uses if u.fired > limit), key=lambda u: -u.fired)
        return Advice(
            never=tuple(use for use in uses if not use.fired),
            often=tuple(often),
            covered=tuple(self._covered()),
            domains=_worth_a_line(self._domains, lambda one: one.count),
            words=_worth_a_line(self._words, lambda one: len(one.domains)),
        )

    def _covered(self) -> Iterator[tuple[Use, str]]:
        for number, use in enumerate(self._uses):
            for other in self._covers[number]:
                rule = self._uses[other].rule
                is_plain = bool(_PLAIN.fullmatch(use.rule + rule))
                is_always = use.fired > 0 and use.with_cover[rule] == use.fired
                if is_always or (not use.fired and is_plain):
                    yield use, rule
                    break
        for use in self._others.values():
            for rule, count in use.with_cover.items():
                if count == use.fired:
                    yield use, rule
                    break


def _brands_inside(brands: Sequence[Brand]) -> dict[str, set[str]]:
    """By brand, those others of which a spelling stands in one of its spellings."""
    return {
        brand.name: {
            other.name
            for other in brands
            if other is not brand
            and any(
                s in spelling for s in other.spellings for spelling in brand.spellings
            )
        }
        for brand in brands
    }


def _count(
    contexts: dict[str, Context], key: str, domain: str, rules: Iterable[str]
) -> None:
    if key not in contexts and len(contexts) >= _MANY:
        by_count = sorted(contexts, key=lambda known: contexts[known].count)
        for rare in by_count[: _MANY // 2]:
            del contexts[rare]
    context = contexts.setdefault(key, Context())
    context.count += 1
    context.domains.add(domain)
    context.rules.update(rules)


def _worth_a_line(
    contexts: Mapping[str, Context], number: Callable[[Context], int]
) -> tuple[tuple[str, Context], ...]:
    """Those with the largest numbers, the largest first."""
    enough = [
        (key, context)
        for key, context in contexts.items()
        if number(context) >= _LEAST and _PLAIN.fullmatch(key)
    ]
    enough.sort(key=lambda pair: (-number(pair[1]), pair[0]))
    return tuple(enough[:_LINES])
