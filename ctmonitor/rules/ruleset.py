"""All rules of a configuration as one object: the prefilter and the judgement."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ctmonitor.model.explanation import Explanation, NearMiss
from ctmonitor.model.text import shortened
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason, Verdict
from ctmonitor.rules.allowlist import AllowList
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.confusables import skeleton
from ctmonitor.rules.evidence import evidence
from ctmonitor.rules.hostname import MAX_CHARACTERS, HostName, host_name
from ctmonitor.rules.keywords import Keywords
from ctmonitor.rules.lookalike import LookAlikes
from ctmonitor.rules.own import OwnDomains
from ctmonitor.rules.pattern import TIME_LIMIT_S, compiled
from ctmonitor.rules.popular import PopularDomains
from ctmonitor.rules.prefilter import FOLDING_TO_ASCII, Prefilter
from ctmonitor.rules.regexes import Regexes
from ctmonitor.rules.resemblance import Resemblance
from ctmonitor.rules.weights import DEFAULTS

# A certificate of thousands of names, made to hit a slow expression with each, must
# not cost minutes: after this many time-outs the limit is a tenth.
_PATIENT_TIMEOUTS = 10

# An A-label hides what it says from every text, so a name that holds one is looked at.
_A_LABEL = b"xn--"

_WORDS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Rules:
    """
    What the operator wrote.

    Args:
        keywords: `SearchKeywords`, checked by `pattern.check`; empty for none.
        blacklist: `BlacklistKeywords`; empty blocks nothing.
        threshold: distinct keywords that make a finding, 1 or more.
        regexes: of `RegexFile`.
        allowed: of `AllowFile`.
        brands: of `BrandFile`.
        popular: of `PopularFile`.
        alert_score: from which score on a look-alike is a finding, 1 or more.
        weights: of the parts of that score, one for each of `weights.WEIGHTS`.
        own: domains of `[OWN]`, which make no finding.
    """

    keywords: str
    blacklist: str = ""
    threshold: int = 1
    regexes: Regexes = field(default_factory=Regexes)
    allowed: AllowList = field(default_factory=AllowList)
    brands: tuple[Brand, ...] = ()
    popular: PopularDomains = field(default_factory=PopularDomains)
    alert_score: int = 100
    weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULTS))
    own: tuple[str, ...] = ()


class RuleSet:
    """
    Judges names. Picklable; for one thread at a time (the prefilter is).
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._keywords = Keywords(rules.keywords)
        self._blacklist = compiled(rules.blacklist) if rules.blacklist else None
        self._look_alikes = LookAlikes(rules.brands) if rules.brands else None
        self._own = OwnDomains(rules.own)
        self._brands = {brand.name: brand for brand in rules.brands}
        branches: defaultdict[bytes, list[int]] = defaultdict(list)
        for number, branch in enumerate(self._keywords.branches):
            for literal in branch.literals or ():
                branches[literal].append(number)
        regexes: defaultdict[bytes, list[int]] = defaultdict(list)
        for number, literals in enumerate(rules.regexes.literals):
            for literal in literals or ():
                regexes[literal].append(number)
        self._literals = sorted({*branches, *regexes})
        # By position in `_literals`: what the literal is a part of.
        self._branches = [branches.get(text, ()) for text in self._literals]
        self._regexes = [regexes.get(text, ()) for text in self._literals]
        self._names: Prefilter | None = None  # compiled once, for names and stream
        # What the prefilter cannot help: with any, all is judged.
        self.unfilterable = tuple(
            branch.source
            for branch in self._keywords.branches
            if branch.literals is None
        ) + tuple(rules.regexes.unfilterable)
        self._decodes = bool(rules.regexes or rules.brands)
        self._limit_s = TIME_LIMIT_S
        self.timeouts: dict[str, int] = {}

    def __reduce__(self) -> tuple[type["RuleSet"], tuple[Rules]]:
        return (RuleSet, (self.rules,))

    def __len__(self) -> int:
        """Number of keywords."""
        return len(self._keywords)

    def prefilter(
        self, marks: Sequence[bytes] = (), odd: Sequence[bytes] = ()
    ) -> Prefilter | None:
        """
        A prefilter over bytes that hold names in UTF-8; None when it steps aside.

        Args:
            marks: what the format of the bytes can hide a literal behind, as `\\u` in
                JSON.
            odd: expressions of Hyperscan for names of which no literal tells what
                expressions, look-alikes and own domains find in them.
        """
        found = self._compiled(marks, odd)
        if self._look_alikes is not None:
            # Tables that are read when first needed are read now: the stream would
            # stand still for it, at the first look-alike.
            spelling = self._look_alikes.brands[0].spellings[0]
            self.explain(f"{spelling}-login.xn--bcher-kva.example")
        return None if self.unfilterable else found

    def _compiled(self, marks: Sequence[bytes], odd: Sequence[bytes]) -> Prefilter:
        """What the stream is searched by, and from now on names are, too."""
        hiding = [char.encode() for char in FOLDING_TO_ASCII]
        expressions: list[bytes] = []
        if self._look_alikes is not None:
            expressions += self._look_alikes.expressions
        if self._decodes:
            hiding.append(_A_LABEL)
        if self._decodes or self._own:
            expressions += odd
        # No rule is to look at what holds an own domain.
        hiding += self._own.literals
        found = Prefilter(self._literals, [*hiding, *marks], expressions)
        self._names = found.twin()
        if self._look_alikes is not None:
            first = len(found.literals) + len(found.marks)
            self._look_alikes.use(self._names, first)
        return found

    def _look_at(self, issued: str) -> "_Name":
        names = self._names or self._compiled((), ())
        return _Name(issued, names, len(self._literals), self._look_alikes)

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
        return self._judged(self._look_at(name))

    def own(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Own domain -> the names of a certificate that lie in it; see `OwnDomains`."""
        return self._own.of(names)

    def _judged(self, name: "_Name") -> NameVerdict:
        if name.has_no_hit and not self.unfilterable:
            return NameVerdict(name.issued, Outcome.NONE)
        if line := self._allowing(name):
            reason = Reason(line, "allow-list", 0)
            return NameVerdict(name.issued, Outcome.ALLOWED, 0, (reason,))
        keywords = self._find_keywords(name)
        reasons = [Reason(text, "keyword") for text in keywords]
        is_match = len(keywords) >= self.rules.threshold
        for rule, _ in self._find_regexes(name):
            reasons.append(Reason(rule, "regex"))
            is_match = True
        looks = self._find_look_alikes(name)
        if not reasons and not looks:
            return NameVerdict(name.issued, Outcome.NONE)
        points = max(0, sum(reason.weight for reason in looks))
        score = len(reasons) + points
        is_match = is_match or points >= self.rules.alert_score
        reasons.extend(looks)
        registrable = name.host.registrable if looks else ""
        outcome = Outcome.BELOW
        if is_match:
            outcome = Outcome.MATCH
            if blocking := self._blocking(name.lowered):
                outcome = Outcome.BLOCKED
                reasons.append(Reason(blocking, "blacklist", 0))
        return NameVerdict(name.issued, outcome, score, tuple(reasons), registrable)

    def _allowing(self, name: "_Name") -> str:
        """The line of the allow-list that speaks for a name; empty for none."""
        if not self.rules.allowed:
            return ""
        return self.rules.allowed.allows(name.host, self._limit_s, self._count_timeout)

    def _find_keywords(self, name: "_Name") -> tuple[str, ...]:
        named: set[int] | None = None
        if name.lowered.isascii():  # else a letter may fold to one the scan misses
            if not name.numbers and not self.unfilterable:
                return ()
            named = {user for number in name.numbers for user in self._branches[number]}
        try:
            return self._keywords.found(name.lowered, named, self._limit_s)
        except TimeoutError:
            self._count_timeout("SearchKeywords")
            return ()

    def _find_regexes(self, name: "_Name") -> tuple[tuple[str, str], ...]:
        if not self.rules.regexes:
            return ()
        named: set[int] | None = None
        if name.is_plain:
            named = {user for number in name.numbers for user in self._regexes[number]}
            if not named and not self.unfilterable:
                return ()
        return self.rules.regexes.found(
            name.host, named, self._limit_s, self._count_timeout
        )

    def _find_look_alikes(self, name: "_Name") -> list[Reason]:
        """The parts of the score of the brand that it resembles most; then others."""
        found = self._resemblances(name)
        if not found or name.host.registrable in self.rules.popular:
            return []
        weighed = [self._weighed(name.host, each) for each in found]
        best = max(range(len(found)), key=lambda n: sum(r.weight for r in weighed[n]))
        # What is there again (`paypal.paypal-login.xyz`) says nothing new of its brand.
        others = dict.fromkeys(
            Reason(each.text, each.trick.value, 0, each.brand)
            for each in found
            if _told(each) != _told(found[best])
        )
        return [*weighed[best], *others]

    def _resemblances(self, name: "_Name") -> list[Resemblance]:
        if self._look_alikes is None:
            return []
        numbers = name.look_numbers if name.is_plain else None
        if name.is_plain and not numbers:
            return []
        return self._look_alikes.find(name.host, numbers)

    def _weighed(self, host: HostName, found: Resemblance) -> tuple[Reason, ...]:
        return evidence(host, found, self._brands[found.brand], self.rules.weights)

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

    def explain(self, name: str) -> Explanation:
        """The verdict on one name as issued, and how it came about."""
        looked = self._look_at(name)
        host = looked.host
        verdict = self._judged(looked)
        return Explanation(
            verdict=verdict,
            threshold=self.rules.threshold,
            alert_score=self.rules.alert_score,
            text=host.text,
            unicode=".".join(host.unicode),
            registrable=host.registrable,
            suffix=host.suffix,
            tokens=tuple(
                word
                for label in host.unicode[: host.at + 1]
                for word in _WORDS.findall(label)
            ),
            skeleton=".".join(skeleton(label) for label in host.unicode),
            allowed_by=self._allowing(looked),
            is_popular=host.registrable in self.rules.popular,
            near=tuple(sorted(self._near(looked, verdict), key=lambda n: n.missing)),
            notes=tuple(self._notes(name, host)),
        )

    def _notes(self, name: str, host: HostName) -> Iterator[str]:
        for label, decoded in zip(host.labels, host.unicode, strict=True):
            if label.startswith("xn--") and label == decoded:
                shown = shortened(label, 80)
                yield f"The label {shown} is no punycode and stands as it is."
        if host.at < 0:
            yield "The name has no registrable domain."
        for domain in self._own.of([name]):
            yield f"The name is in {domain}, which watchdomains.py watches."
        if self._look_alikes and (owner := self._look_alikes.owner(host)):
            yield f"The name is in an own domain of {owner}, so it is no look-alike."

    def _near(self, name: "_Name", verdict: NameVerdict) -> Iterator[NearMiss]:
        """Rules that nearly fired, or that fired without effect."""
        line = self._allowing(name)
        silenced = f"allowed by {line}" if line else ""
        if not silenced and verdict.outcome is Outcome.BLOCKED:
            silenced = f"blocked by {verdict.reasons[-1].rule}"
        keywords = self._find_keywords(name)
        missing = self.rules.threshold - len(keywords)
        for text in keywords:
            if missing > 0:
                why = f"{len(keywords)} of {self.rules.threshold} keywords"
                yield NearMiss(text, "keyword", why, missing)
            elif silenced:
                yield NearMiss(text, "keyword", silenced)
        for rule, _ in self._find_regexes(name):
            if silenced:
                yield NearMiss(rule, "regex", silenced)
        host = name.host
        told: set[tuple[str, str, str]] = set()
        for found in self._resemblances(name):
            if _told(found) in told:
                continue
            told.add(_told(found))
            brand = found.brand
            reasons = self._weighed(host, found)
            missing = self.rules.alert_score - sum(r.weight for r in reasons)
            if silenced:
                why, missing = silenced, 0
            elif host.registrable in self.rules.popular:
                why, missing = f"{host.registrable} is on the popularity list", 0
            elif missing > 0:
                why = f"{self.rules.alert_score - missing} of {self.rules.alert_score}"
            else:
                continue
            yield NearMiss(found.text, "score", why, missing, brand)


def _told(found: Resemblance) -> tuple[str, str, str]:
    """What a person is told of a resemblance."""
    return found.brand, found.trick.value, found.text


class _Name:
    """
    One name while it is judged: what the scan says of it, and its parts when asked.

    Args:
        numbers: positions of the literals that occur in it.
        look_numbers: positions of the look-alikes' expressions that do.
        is_plain: whether the scan says all: it is ASCII and holds no A-label.
    """

    __slots__ = ("_host", "is_plain", "issued", "look_numbers", "lowered", "numbers")

    def __init__(
        self,
        issued: str,
        prefilter: Prefilter,
        literals: int,
        look_alikes: LookAlikes | None,
    ) -> None:
        self.issued = issued
        self.lowered = issued[:MAX_CHARACTERS].lower()
        self.is_plain = False
        self.numbers: set[int] = set()
        self.look_numbers: set[int] = set()
        if self.lowered.isascii():
            self.is_plain = "xn--" not in self.lowered
            if found := prefilter.numbers(self.lowered.encode("ascii")):
                self.numbers = {number for number in found if number < literals}
                if self.is_plain and look_alikes is not None:
                    self.look_numbers = look_alikes.among(found)
        self._host: HostName | None = None

    @property
    def has_no_hit(self) -> bool:
        """Whether no rule can fire, unless one is `unfilterable`."""
        return self.is_plain and not self.numbers and not self.look_numbers

    @property
    def host(self) -> HostName:
        """Its parts."""
        if self._host is None:
            self._host = host_name(self.issued)
        return self._host
