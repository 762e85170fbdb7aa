"""
One regular expression of an operator: taken apart, compiled, and bounded in time.

It is written for `re` and judged by the `regex` package, which does the same and can
be given a time limit; no expression, however written, stops the daemon.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import regex

from ctmonitor.errors import FormatError
from ctmonitor.rules.literals import (
    refers_to_groups,
    required_literals,
    written_out,
)

# What one expression may take for one name. Real ones take microseconds.
TIME_LIMIT_S = 0.1

# Items of one expression, repetitions written out, beside what its text has anyway: 200
# MB and half a second.
_MAX_WRITTEN_OUT = 1_000_000

_REPEAT = re.compile(r"\{(?:\d+(?:,\d*)?|,\d*)\}")
_LEADING_FLAGS = re.compile(r"\(\?([aiLmsux]+)\)")


@dataclass(frozen=True, slots=True)
class Branch:
    """
    One alternative of an expression.

    Args:
        source: as the operator wrote it.
        literals: see `required_literals`; None when the prefilter cannot help.
    """

    source: str
    literals: frozenset[bytes] | None


def check(pattern: str) -> None:
    """
    Raises FormatError with position and reason when `pattern` is no expression.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
        if "{" in pattern and written_out(pattern) > _MAX_WRITTEN_OUT + 2 * len(
            pattern
        ):
            raise FormatError("the expression is too large: too much is repeated")
        compiled(pattern)
    except (re.error, regex.error) as exc:
        reason = getattr(exc, "msg", str(exc))
        position = getattr(exc, "pos", None)
        where = "" if position is None else f" at position {position}"
        raise FormatError(f"{reason}{where}") from None
    except (RecursionError, OverflowError, MemoryError) as exc:
        raise FormatError("the expression is too large or nested too deep") from exc


def compiled(pattern: str) -> Any:
    """
    `pattern`, written for `re`, as an object of the `regex` package.

    Matched without regard to case. The two packages read two spellings differently,
    and both are made plain here: a brace that is no repetition (`{e<=1}` is a fuzzy
    match to `regex`, five characters to `re`), and a bracket inside a class
    (`[[:alpha:]]`).
    """
    return regex.compile(_unambiguous(pattern), regex.VERSION0 | regex.IGNORECASE)


def _unambiguous(pattern: str) -> str:
    result: list[str] = []
    for piece, in_class in _tokens(pattern):
        ambiguous = piece == "[" if in_class else piece == "{"
        result.append("\\" + piece if ambiguous else piece)
    return "".join(result)


def _tokens(pattern: str) -> Iterator[tuple[str, bool]]:
    r"""
    The characters of `pattern`; escapes (`\[`, `\N{...}`) and repetitions in one piece.

    With each goes whether it stands inside a character class.
    """
    i, class_start = 0, -1
    while i < len(pattern):
        width = 1
        inside = class_start >= 0
        char = pattern[i]
        if char == "\\":
            width = 2
            if pattern.startswith(r"\N{", i):
                width = max(pattern.find("}", i) + 1 - i, 2)
        elif inside:
            if char == "]" and i > class_start:
                class_start, inside = -1, False
        elif char == "[":
            # A `]` that stands first in a class, also after `^`, is a member of it.
            class_start = i + (3 if pattern.startswith("[^]", i) else 1)
            class_start += pattern.startswith("[]", i)
            class_start -= 1
            width = class_start - i + 1
        elif char == "{" and (repeat := _REPEAT.match(pattern, i)):
            width = repeat.end() - i
        yield pattern[i : i + width], inside
        i += width


def branches(pattern: str) -> tuple[Branch, ...]:
    """
    The alternatives of `pattern`, in order: matching any of them is matching it.

    An expression that cannot be taken apart (back references, flags such as verbose)
    is one branch.
    """
    return tuple(
        Branch(source, required_literals(source)) for source in _split(pattern)
    )


def _split(pattern: str) -> list[str]:
    if refers_to_groups(pattern):
        return [pattern]
    text = pattern
    if flags := _LEADING_FLAGS.match(text):
        if set(flags[1]) - {"i"}:  # they would be lost for all branches but the first
            return [pattern]
        text = text[flags.end() :]
    while (inner := _unwrapped(text)) is not None:
        text = inner
    return _top_level(text)


def _unwrapped(text: str) -> str | None:
    """`a|b` for `(a|b)` and `(?:a|b)`; None for anything else."""
    for opening in ("(?:", "("):
        if not text.startswith(opening):
            continue
        if opening == "(" and text.startswith("(?"):
            return None
        depth = 0
        position = 0
        for piece, in_class in _tokens(text):
            position += len(piece)
            if not in_class:
                depth += (piece == "(") - (piece == ")")
            if depth == 0:
                break
        return text[len(opening) : -1] if position == len(text) > 2 else None
    return None


def _top_level(text: str) -> list[str]:
    parts = [""]
    depth = 0
    for piece, in_class in _tokens(text):
        if not in_class:
            depth += (piece == "(") - (piece == ")")
            if piece == "|" and depth == 0:
                parts.append("")
                continue
        parts[-1] += piece
    return parts


def stress_strings(pattern: str) -> list[str]:
    """Names on which expressions with nested repetitions take for ever."""
    letters = sorted({c for c in pattern.lower() if c.isalnum()})[:12]
    units = [*letters, "a", "0", "-", ".", "ab", "a.", "a-"]
    return [(unit * 253)[:252] + "!" for unit in dict.fromkeys(units)]


def is_slow(pattern: str) -> bool:
    """Whether `pattern` reaches the time limit on any of its stress strings."""
    expression = compiled(pattern)
    try:
        for text in stress_strings(pattern):
            expression.search(text, timeout=TIME_LIMIT_S)
    except TimeoutError:
        return True
    return False
