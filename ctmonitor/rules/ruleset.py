"""All rules of a configuration as one object: the prefilter and the judgement."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ctmonitor.model.text import shortened
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason, Verdict
from ctmonitor.rules.keywords import Keywords
from ctmonitor.rules.pattern import TIME_LIMIT_S, compiled
from ctmonitor.rules.prefilter import FOLDING_TO_ASCII, Prefilter

# A certificate of thousands of names, made to hit a slow expression with each, must
# not cost minutes: after this many time-outs the limit is a tenth.
_PATIENT_TIMEOUTS = 10

# Longer than any host name; what a certificate holds beyond it is judged in part, so
# that one name of 64 kB costs no more than a thousand characters.
MAX_JUDGED_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What the operator wrote.

    Args:
        keywords: `SearchKeywords`, checked by `pattern.check`.
        blacklist: `BlacklistKeywords`; empty blocks nothing.
        threshold: distinct keywords that make a finding, 1 or more.
    """

    keywords: str
    blacklist: str = ""
    threshold: int = 1


class RuleSet:
    """
    Judges names. Picklable; for one thread at a time (the prefilter is).
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._keywords = Keywords(rules.keywords)
        self._blacklist = compiled(rules.blacklist) if rules.blacklist else None
        users: defaultdict[bytes, list[int]] = defaultdict(list)
        for number, branch in enumerate(self._keywords.branches):
            for literal in branch.literals or ():
                users[literal].append(number)
        self._scanner = Prefilter(users)
        self._users = [users[literal] for literal in self._scanner.literals]
        # Alternatives that the prefilter cannot help: with any, all is judged.
        self.unfilterable = tuple(
            branch.source
            for branch in self._keywords.branches
            if branch.literals is None
        )
        self._limit_s = TIME_LIMIT_S
        self.timeouts: dict[str, int] = {}

    def __reduce__(self) -> tuple[type["RuleSet"], tuple[Rules]]:
        return (RuleSet, (self.rules,))

    def __len__(self) -> int:
        """Number of keywords."""
        return len(self._keywords)

    def prefilter(self, marks: Sequence[bytes] = ()) -> Prefilter | None:
        """
        A prefilter over bytes that hold names in UTF-8; None when it steps aside.

        Args:
            marks: what the format of the bytes can hide a literal behind, as `\\u` in
                JSON.
        """
        if self.unfilterable:
            return None
        folding = [char.encode() for char in FOLDING_TO_ASCII]
        return Prefilter(self._scanner.literals, [*folding, *marks])

    def judge(self, names: Iterable[str]) -> Verdict:
        """The verdict on names as issued; names on which no rule fires are left out."""
        verdicts = (self.judge_name(name) for name in names)
        return Verdict(tuple(v for v in verdicts if v.outcome is not Outcome.NONE))

    def judge_name(self, name: str) -> NameVerdict:
        """
        The verdict on one name as issued.

        A rule that runs into its time limit does not fire on that name, and is counted
        in `timeouts`.
        """
        lowered = name[:MAX_JUDGED_CHARACTERS].lower()
        found = self._find_keywords(lowered)
        if not found:
            return NameVerdict(name, Outcome.NONE)
        reasons = [Reason(text, "keyword") for text in found]
        outcome = Outcome.BELOW
        if len(found) >= self.rules.threshold:
            outcome = Outcome.MATCH
            if blocking := self._blocking(lowered):
                outcome = Outcome.BLOCKED
                reasons.append(Reason(blocking, "blacklist", 0))
        return NameVerdict(name, outcome, len(found), tuple(reasons))

    def _find_keywords(self, lowered: str) -> tuple[str, ...]:
        named: set[int] | None = None
        if lowered.isascii():  # else a letter may fold to one that the scan misses
            numbers = self._scanner.numbers(lowered.encode("ascii"))
            if not numbers and not self.unfilterable:
                return ()
            named = {user for number in numbers for user in self._users[number]}
        try:
            return self._keywords.found(lowered, named, self._limit_s)
        except TimeoutError:
            self._count_timeout("SearchKeywords")
            return ()

    def _blocking(self, lowered: str) -> str:
        if self._blacklist is None:
            return ""
        try:
            matches = self._blacklist.finditer(lowered, timeout=self._limit_s)
            return next((m.group() for m in matches if m.group()), "")
        except TimeoutError:
            self._count_timeout("BlacklistKeywords")
            return ""

    def _count_timeout(self, rule: str) -> None:
        self.timeouts[rule] = self.timeouts.get(rule, 0) + 1
        if sum(self.timeouts.values()) >= _PATIENT_TIMEOUTS:
            self._limit_s = TIME_LIMIT_S / 10

    def describe(self) -> str:
        """`Looking for these strings: ..., detection threshold: 2`, as promised."""
        return (
            f"Looking for these strings: {shortened(self.rules.keywords, 2000)}, "
            f"detection threshold: {self.rules.threshold}"
        )
