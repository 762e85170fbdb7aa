"""check_rules.py --backtest: what the rules would have found among many names."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ctmonitor.cli.check_names import Block, hits
from ctmonitor.cli.check_tally import (
    Distinct,
    Few,
    Parts,
    Remembered,
    RuleCounts,
    Sample,
    domain_of,
)
from ctmonitor.model.verdict import NameVerdict, Outcome
from ctmonitor.rules.pattern import TIME_LIMIT_S, compiled
from ctmonitor.rules.ruleset import RuleSet

# Points by which AlertScore is made higher and lower on trial.
_POINTS = (-10, -1, 1, 10)


@dataclass(slots=True)
class Trial:
    """What another threshold would find; `change` is 0 for the one that is set."""

    setting: str
    value: int
    change: int
    found: int = 0
    domains: Few = field(default_factory=Few)


@dataclass(slots=True)
class Day:
    """Of one day: names read, with doubles; findings and their domains."""

    names: int = 0
    found: int = 0
    domains: Few = field(default_factory=Few)


class Backtest:
    """Rules tried on names; each distinct name counts once, in upper or lower case."""

    def __init__(
        self,
        ruleset: RuleSet,
        *,
        samples: int = 10,
        seed: int = 0,
        on_finding: Callable[[NameVerdict], None] | None = None,
    ) -> None:
        """
        Args:
            samples: how many findings are kept at random.
            seed: of what is random.
            on_finding: told each finding, in order.
        """
        self._ruleset = ruleset
        self._prefilter = ruleset.prefilter()
        self._on_finding = on_finding
        self._limits = (ruleset.rules.threshold, ruleset.rules.alert_score)
        self._remembered = Remembered()
        blacklist = ruleset.rules.blacklist
        self._blacklist = compiled(blacklist) if blacklist else None
        chance = random.Random(seed)  # noqa: S311 # samples, not secrets
        self.read = 0
        self.names = Distinct()
        self.outcomes: Counter[Outcome] = Counter()
        self.domains = Distinct()
        self.rules = RuleCounts(*self._limits, chance)
        self.sample = Sample(samples, chance)
        self.days: dict[str, Day] = {}
        self.trials = list(self._trials())

    def _trials(self) -> Iterator[Trial]:
        threshold, alert_score = self._limits
        if self._ruleset.rules.keywords:
            for change in (-1, 0, 1):
                if threshold + change > 0:
                    yield Trial("DetectionThreshold", threshold + change, change)
        if self._ruleset.rules.brands:
            for change in sorted((*_POINTS, 0)):
                if alert_score + change > 0:
                    yield Trial("AlertScore", alert_score + change, change)

    def add(self, block: Block) -> None:
        """Counts the names of a block."""
        self.read += len(block.names)
        self.names.add(map(str.lower, block.names))
        for day, count in Counter(block.days).items():
            self._day(day).names += count
        for at in sorted(hits(self._prefilter, block.names)):
            name = block.names[at]
            if self._remembered.is_new(name):
                verdict = self._ruleset.judge_name(name)
                if verdict.outcome is not Outcome.NONE:
                    self._note(verdict, block.days[at] if block.days else "")

    @property
    def found(self) -> int:
        return self.outcomes[Outcome.MATCH]

    @property
    def counts_doubles(self) -> bool:
        """Whether so many names were looked at that some may have counted twice."""
        return self._remembered.is_full

    def _note(self, verdict: NameVerdict, day: str) -> None:
        self.outcomes[verdict.outcome] += 1
        parts, domain = Parts.of(verdict), domain_of(verdict)
        self.rules.note(verdict, parts, domain)
        if verdict.outcome is Outcome.MATCH:
            self.domains.add((domain,))
            self.sample.add(verdict)
            if day:
                self._day(day).found += 1
                self._day(day).domains.add(domain)
            if self._on_finding is not None:
                self._on_finding(verdict)
        self._try(verdict, parts, domain)

    def _day(self, day: str) -> Day:
        return self.days.setdefault(day, Day())

    def _try(self, verdict: NameVerdict, parts: Parts, domain: str) -> None:
        if verdict.outcome in (Outcome.BLOCKED, Outcome.ALLOWED):
            return
        threshold, alert_score = self._limits
        is_blocked: bool | None = None if verdict.outcome is Outcome.BELOW else False
        for trial in self.trials:
            if trial.setting == "AlertScore":
                would = parts.makes(threshold, trial.value)
            else:
                would = parts.makes(trial.value, alert_score)
            if not would:
                continue
            if is_blocked is None:
                is_blocked = self._blocks(verdict.name)
            if not is_blocked:
                trial.found += 1
                trial.domains.add(domain)

    def _blocks(self, name: str) -> bool:
        if self._blacklist is None:
            return False
        try:
            matches = self._blacklist.finditer(name.lower(), timeout=TIME_LIMIT_S)
            return any(match.group() for match in matches)
        except TimeoutError:
            return False
