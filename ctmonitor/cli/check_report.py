"""The report of check_rules.py --backtest, for people and for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctmonitor.cli.check_backtest import Backtest, Day, Trial
from ctmonitor.cli.check_names import NAMES, Names
from ctmonitor.cli.check_tally import OTHER_RULES, Few, RuleCount, table
from ctmonitor.cli.check_verdicts import finding_lines, verdict_object
from ctmonitor.model.text import printable, shortened
from ctmonitor.model.verdict import Outcome

_RULES_SHOWN = 50
_RULE_CHARACTERS = 40


def as_object(backtest: Backtest, names: Names) -> dict[str, Any]:
    """The report for programs."""
    return {
        "source": printable(names.source),
        "kind": names.what,
        "names_read": backtest.read,
        "names": len(backtest.names),
        "names_exact": backtest.names.is_exact,
        "malformed": names.malformed,
        "found": backtest.found,
        "registrable_domains": len(backtest.domains),
        "outcomes": {
            outcome.value: backtest.outcomes[outcome]
            for outcome in Outcome
            if outcome is not Outcome.NONE
        },
        "rules": [
            {
                "rule": printable(rule),
                "kind": kind,
                "fired": count.fired,
                "found": count.found,
                "alone": count.alone,
                "registrable_domains": len(count.domains),
                "example": printable(count.example),
            }
            for kind, rule, count in backtest.rules.sorted()
        ],
        "thresholds": [
            {
                "setting": trial.setting,
                "value": trial.value,
                "is_set": trial.change == 0,
                "found": trial.found,
                "registrable_domains": len(trial.domains),
            }
            for trial in backtest.trials
        ],
        "days": [
            {
                "day": day or None,
                "names": count.names,
                "found": count.found,
                "registrable_domains": len(count.domains),
            }
            for day, count in sorted(backtest.days.items())
        ],
        "samples": [verdict_object(verdict) for verdict in backtest.sample.things],
    }


_RIGHT = frozenset({2, 3, 4, 5})


def as_lines(backtest: Backtest, names: Names) -> Iterator[str]:
    """The report for people."""
    yield f"{names.label}: {names.what}"
    yield from summary(backtest, names)
    yield from _rules(backtest.rules.sorted())
    yield from _trial_lines(backtest.trials)
    if names.what != NAMES:
        yield from _day_lines(backtest.days)
    if backtest.sample.things:
        yield ""
        yield f"findings at random ({len(backtest.sample.things)} of {backtest.found})"
        yield from finding_lines(backtest.sample.things)


def summary(backtest: Backtest, names: Names) -> Iterator[str]:
    """The totals."""
    distinct = len(backtest.names)
    about = "" if backtest.names.is_exact else "about "
    rate = f"  ({10_000 * backtest.found / distinct:.2f} in 10,000 distinct names)"
    rows = [
        ("names read", f"{backtest.read:,}", ""),
        ("distinct names", f"{about}{distinct:,}", ""),
        ("found", f"{backtest.found:,}", rate),
        ("registrable domains found", f"{len(backtest.domains):,}", ""),
    ]
    for outcome, text in (
        (Outcome.BELOW, "below the threshold"),
        (Outcome.BLOCKED, "blocked by BlacklistKeywords"),
        (Outcome.ALLOWED, "allowed by AllowFile"),
    ):
        rows.append((text, f"{backtest.outcomes[outcome]:,}", ""))
    if names.malformed:
        rows.append(("lines that are no message", f"{names.malformed:,}", ""))
    yield from table(rows, frozenset({1}))
    if backtest.counts_doubles:
        yield "note: so many names hit that doubles among the last of them count again"


def _rules(rules: Sequence[tuple[str, str, RuleCount]]) -> Iterator[str]:
    if not rules:
        return
    rows = [("rule", "kind", "fired", "found", "only by it", "domains", "for example")]
    for kind, rule, count in rules[:_RULES_SHOWN]:
        share = f" ({count.alone / count.found:.0%})" if count.found else ""
        rows.append(
            (
                rule if rule == OTHER_RULES else shortened(rule, _RULE_CHARACTERS),
                kind,
                f"{count.fired:,}",
                f"{count.found:,}",
                f"{count.alone:,}{share}",
                _few(count.domains),
                shortened(count.example),
            )
        )
    yield ""
    yield from table(rows, _RIGHT)
    if len(rules) > _RULES_SHOWN:
        yield f"... and {len(rules) - _RULES_SHOWN:,} more; --format json has them all"


def _trial_lines(trials: Sequence[Trial]) -> Iterator[str]:
    rows = [("with another threshold", "", "found", "domains", "")]
    for trial in trials:
        rows.append(
            (
                trial.setting,
                str(trial.value),
                f"{trial.found:,}",
                _few(trial.domains),
                "as set" if trial.change == 0 else "",
            )
        )
    yield ""
    yield from table(rows, frozenset({1, 2, 3}))


def _day_lines(days: Mapping[str, Day]) -> Iterator[str]:
    rows = [("day", "names", "found", "domains")]
    for day, count in sorted(days.items()):
        rows.append(
            (
                day or "unknown",
                f"{count.names:,}",
                f"{count.found:,}",
                _few(count.domains),
            )
        )
    yield ""
    yield from table(rows, frozenset({1, 2, 3}))


def _few(domains: Few) -> str:
    return f"{len(domains):,}{'+' if domains.is_full else ''}"
