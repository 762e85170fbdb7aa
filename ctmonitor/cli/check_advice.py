"""The report of check_rules.py --suggest, for people and for programs."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ctmonitor.cli.check_names import Names
from ctmonitor.cli.check_suggest import Advice, Context, Suggestions, Use
from ctmonitor.cli.check_tally import Few, table
from ctmonitor.model.text import printable, shortened

_RULE_CHARACTERS = 60


def word_line(word: str) -> str:
    """The line of an AllowFile for names with a word between dots and hyphens."""
    return f"/(?:^|[.-]){re.escape(word)}(?:[.-]|$)/"


def as_object(suggestions: Suggestions, names: Names) -> dict[str, Any]:
    """The report for programs."""
    advice = suggestions.advice()
    return {
        "source": printable(names.source),
        "kind": names.what,
        "names_read": suggestions.read,
        "names": len(suggestions.names),
        "malformed": names.malformed,
        "found": suggestions.found,
        "never": [_use_object(use) for use in advice.never],
        "often": [_use_object(use) for use in advice.often],
        "covered": [
            _use_object(use) | {"covered_by": printable(by)}
            for use, by in advice.covered
        ],
        "allow": [
            {
                "line": line,
                "findings": context.count,
                "registrable_domains": len(context.domains),
                "rules": list(map(printable, _rules(context))),
            }
            for line, context in _lines_to_paste(advice)
        ],
    }


def _use_object(use: Use) -> dict[str, Any]:
    return {
        "rule": printable(use.rule),
        "kind": use.kind,
        "fired": use.fired,
        "found": use.found,
    }


def as_lines(suggestions: Suggestions, names: Names) -> Iterator[str]:
    """The report for people; the lines of the last part can be pasted."""
    advice = suggestions.advice()
    distinct = len(suggestions.names)
    yield f"{names.label}: {names.what}"
    yield f"{distinct:,} distinct names, {suggestions.found:,} found"
    yield ""
    yield f"fired on more than {suggestions.share:.4%} of the names"
    yield from _indented(
        [
            (
                *_rule(use),
                f"{use.fired:,} names",
                f"{use.fired / distinct:.4%}",
                f"{use.found:,} found",
            )
            for use in advice.often
        ]
    )
    yield ""
    yield "covered: every name it fires on has the other rule, too"
    yield from _indented(
        [
            (*_rule(use), f"{use.fired:,} names", f"by {_short(by)}")
            for use, by in advice.covered
        ]
    )
    yield ""
    yield "never fired"
    yield from _indented([_rule(use) for use in advice.never])
    yield ""
    yield "for AllowFile, where they are innocent (an expression allows the whole name)"
    lines = list(_lines_to_paste(advice))
    for line, context in lines:
        domains = _few(context.domains)
        where = "" if domains == "1" else f" in {domains} domains"
        rules = shortened(", ".join(_rules(context)))
        yield f"# {context.count:,} found{where}: {rules}"
        yield line
    if not lines:
        yield "  none"


def _lines_to_paste(advice: Advice) -> Iterator[tuple[str, Context]]:
    for domain, context in advice.domains:
        yield domain, context
    for word, context in advice.words:
        yield word_line(word), context


def _rules(context: Context) -> list[str]:
    return [rule for rule, _ in context.rules.most_common(5)]


def _rule(use: Use) -> tuple[str, str]:
    return _short(use.rule), use.kind


def _short(rule: str) -> str:
    return shortened(rule, _RULE_CHARACTERS)


def _few(domains: Few) -> str:
    return f"{len(domains):,}{'+' if domains.is_full else ''}"


def _indented(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("  " + line for line in table(rows, frozenset({2, 3, 4})))
    if not rows:
        yield "  none"
