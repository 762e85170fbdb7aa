"""
Regular expressions of an operator, each of which makes a finding by itself.

They come from a file with one a line:

    # what stands behind this sign is a comment
    ^(www\\.)?paypa[l1]-
    bank login = (bank|konto).*log-?in

What stands before the first `=` is the name that people are shown, if it begins with a
letter or digit and has only letters, digits, blanks, `_`, `.` and `-`. No construct of
`re` has an `=` behind such characters alone (`(?=...)` and its like begin with a
bracket), so nothing is misread but a text with `=`, which no host name has.
"""

import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ctmonitor.errors import FormatError
from ctmonitor.model.text import shortened
from ctmonitor.rules.hostname import MAX_CHARACTERS, HostName
from ctmonitor.rules.lines import Problems, rule_lines
from ctmonitor.rules.literals import required_literals
from ctmonitor.rules.pattern import TIME_LIMIT_S, check, compiled, is_slow

# Each takes about a millisecond when the file is read.
MAX_EXPRESSIONS = 10_000

_NAME = re.compile(r"[^\W_][\w .-]*")
_POSITION = re.compile(r" at position ([0-9]+)\Z")
_COMMENT_BEHIND = re.compile(r"\s#")


@dataclass(frozen=True, slots=True)
class Expression:
    """
    Args:
        name: as the file names it; the expression itself where it does not.
        pattern: written for `re`, as it stands in the file.
    """

    name: str
    pattern: str


class Regexes:
    """
    All expressions of a file. Picklable.

    An expression of which no required text occurs in a name cannot match in it, so
    only those are tried that the prefilter named, and those it cannot help.
    """

    def __init__(
        self, expressions: Sequence[Expression] = (), warnings: Sequence[str] = ()
    ) -> None:
        """
        Args:
            expressions: each has passed `pattern.check` and does not match the empty
                text.
            warnings: sentences on what is odd in the file, and does not stop anything.
        """
        self.expressions = tuple(expressions)
        self.warnings = tuple(warnings)
        # By position; None where the prefilter cannot help.
        self.literals = tuple(
            required_literals(each.pattern, counts_empty=True)
            for each in self.expressions
        )
        self.unfilterable = tuple(
            each.name
            for each, literals in zip(self.expressions, self.literals, strict=True)
            if literals is None
        )
        self._compiled = [compiled(each.pattern) for each in self.expressions]
        self._always = frozenset(
            i for i, literals in enumerate(self.literals) if literals is None
        )

    def __len__(self) -> int:
        return len(self.expressions)

    def __reduce__(self) -> tuple[type["Regexes"], tuple[object, object]]:
        return (Regexes, (self.expressions, self.warnings))

    def found(
        self,
        host: HostName,
        named: Collection[int] | None = None,
        limit_s: float = TIME_LIMIT_S,
        on_timeout: Callable[[str], None] = lambda name: None,
    ) -> tuple[tuple[str, str], ...]:
        """
        Name and matched text of each expression that is found, in the file's order.

        The text is empty where nothing but a look-around matched.

        Args:
            host: looked at in lower case: as issued, without `*.`, and in U-labels.
            named: positions of the expressions whose texts occur in the name; None for
                all, as for a name that is not plain ASCII or holds an A-label.
            limit_s: time that each may take.
            on_timeout: told the name of an expression that took longer; it is not
                found then.
        """
        if named is None:
            selected: Sequence[int] = range(len(self._compiled))
        elif not (selected := sorted(self._always.union(named))):
            return ()
        texts = _forms(host)
        result = []
        for i in selected:
            try:
                text = _search(self._compiled[i], texts, limit_s)
            except TimeoutError:
                on_timeout(self.expressions[i].name)
                continue
            if text is not None:
                result.append((self.expressions[i].name, text))
        return tuple(result)

    def slow(
        self, patience_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> tuple[tuple[str, ...], int]:
        """
        Names of expressions that reach the time limit on stress strings.

        Returns:
            with them the number of those that were not tried, since `patience_s` were
            over.
        """
        names: list[str] = []
        end = clock() + patience_s
        for tried, expression in enumerate(self.expressions):
            if clock() >= end:
                return tuple(names), len(self.expressions) - tried
            if is_slow(expression.pattern):
                names.append(expression.name)
        return tuple(names), 0


def _forms(host: HostName) -> list[str]:
    """The texts of a name that are searched; one for nearly all names."""
    issued = host.name[:MAX_CHARACTERS].lower().removesuffix(".")
    if issued == host.text and host.unicode == host.labels:
        return [issued]
    return list(dict.fromkeys((issued, host.text, ".".join(host.unicode))))


def _search(expression: Any, texts: Sequence[str], limit_s: float) -> str | None:
    for text in texts:
        if match := expression.search(text, timeout=limit_s):
            return str(match.group())
    return None


def parse_regexes(text: str, path: str) -> Regexes:
    """
    The expressions of a file's text.

    Args:
        path: of the file, for messages.

    Raises:
        ConfigError: with every line that is wrong, its position and its reason.
    """
    problems = Problems(path)
    rules = list(rule_lines(text, problems))
    if len(rules) > MAX_EXPRESSIONS:
        problems.error(
            rules[MAX_EXPRESSIONS][0],
            f"is expression {MAX_EXPRESSIONS + 1} of {len(rules)}, and a file may hold "
            f"{MAX_EXPRESSIONS}. Put mere words into [SEARCH] SearchKeywords, and "
            "expressions that differ in little into one.",
        )
        problems.raise_errors()
    expressions: list[Expression] = []
    line_of: dict[str, int] = {}  # by expression
    line_of_name: dict[str, int] = {}
    for number, line in rules:
        expression, column = _expression(line)
        if refused := _refusal(expression.pattern, column):
            problems.error(number, refused)
        elif first := line_of.get(expression.pattern):
            problems.warning(
                number, f"holds the expression of line {first}. Remove one of them."
            )
        elif first := line_of_name.get(expression.name):
            problems.error(
                number,
                f"'{shortened(expression.name)}' is the name of line {first}, too. "
                "Give it another.",
            )
        else:
            line_of[expression.pattern] = line_of_name[expression.name] = number
            expressions.append(expression)
    problems.raise_errors()
    if not expressions:
        problems.warning(
            0, "holds no expression. Write one a line, or remove RegexFile."
        )
    return Regexes(expressions, problems.warnings())


def _expression(line: str) -> tuple[Expression, int]:
    """The expression of a line, and the column that it begins in, from 1."""
    before, sign, behind = line.partition("=")
    name = before.strip()
    if sign and _NAME.fullmatch(name):
        pattern = behind.lstrip()
    else:
        pattern = name = line.lstrip()
    return Expression(name, pattern), len(line) - len(pattern) + 1


def _refusal(pattern: str, column: int) -> str:
    """Why an expression cannot be used, and what to do; empty when it can."""
    if not pattern:
        return "has a name and no expression. Write one behind the =."
    shown = f"'{shortened(pattern)}'"
    try:
        check(pattern)
    except FormatError as exc:
        reason = str(exc)
        if position := _POSITION.search(reason):
            at = column + int(position[1])
            reason = f"{reason[: position.start()]} at position {at} of the line"
        return f"{reason}, in {shown}. Correct it, or put a # before the line."
    expression = compiled(pattern)
    comment = _COMMENT_BEHIND.search(pattern)
    if comment and not expression.flags & re.VERBOSE:
        return (
            f"blank and # at position {column + comment.start()} of the line are part "
            "of the expression. Put the comment on a line of its own; write [#] for "
            "the character."
        )
    try:
        matches_nothing = expression.search("", timeout=TIME_LIMIT_S) is not None
    except TimeoutError:
        matches_nothing = False
    if matches_nothing:
        return (
            f"{shown} matches the empty text, which is in every name. Write what the "
            "name must hold."
        )
    return ""
