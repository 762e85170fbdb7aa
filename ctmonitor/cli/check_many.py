"""check_rules.py on many names at once: --backtest, --compare and --suggest."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from ctmonitor.cli import (
    check_advice,
    check_compare,
    check_report,
    console,
    rulesets,
)
from ctmonitor.cli.check_backtest import Backtest
from ctmonitor.cli.check_compare import Comparison, Side
from ctmonitor.cli.check_names import Block, Names, names_of, with_progress
from ctmonitor.cli.check_suggest import Suggestions
from ctmonitor.cli.check_verdicts import as_json, verdict_row
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError
from ctmonitor.model.verdict import NameVerdict

_SAMPLES = 10
_SHARE = 0.001


def backtest(options: argparse.Namespace, config: Config) -> None:
    """Prints what the rules find among the names of --backtest."""
    ruleset = rulesets.rules(config)
    with (
        names_of(options.backtest, config.table_name) as names,
        _listing(options.output, options.backtest) as write,
    ):
        report = Backtest(
            ruleset,
            samples=_SAMPLES if options.samples is None else options.samples,
            seed=options.seed or 0,
            on_finding=write and (lambda verdict: write(verdict_row(verdict))),
        )
        _read(names, report)
        if options.format == "json":
            print(as_json(check_report.as_object(report, names)))
        else:
            print(ruleset.describe())
            _print(check_report.as_lines(report, names))


def compare(options: argparse.Namespace, config: Config) -> None:
    """Prints what these rules and those of --compare find among the names."""
    other = console.configuration(
        argparse.Namespace(config=options.compare), needs_source=False
    )
    sides = [
        Side(label, rulesets.rules(one))
        for label, one in ((options.config, config), (options.compare, other))
    ]
    with (
        names_of(options.backtest, config.table_name) as names,
        _listing(options.output, options.backtest) as write,
    ):

        def listed(whose: str, first: NameVerdict, second: NameVerdict) -> None:
            if write is not None:
                _, *rest = verdict_row(second).split("\t")
                write("\t".join((whose, verdict_row(first), *rest)))

        comparison = Comparison(
            sides[0],
            sides[1],
            samples=_SAMPLES if options.samples is None else options.samples,
            seed=options.seed or 0,
            on_finding=listed,
        )
        _read(names, comparison)
        if options.format == "json":
            print(as_json(check_compare.as_object(comparison, names)))
        else:
            _print(check_compare.as_lines(comparison, names))


def suggest(options: argparse.Namespace, config: Config) -> None:
    """Prints what the names of --suggest tell about the rules."""
    with names_of(options.suggest, config.table_name) as names:
        suggestions = Suggestions(
            rulesets.rules(config),
            share=_SHARE if options.share is None else options.share,
        )
        _read(names, suggestions)
        if options.format == "json":
            print(as_json(check_advice.as_object(suggestions, names)))
        else:
            _print(check_advice.as_lines(suggestions, names))


class _Counting(Protocol):
    """What counts names by blocks."""

    read: int

    def add(self, block: Block) -> None: ...


def _read(names: Names, counting: _Counting) -> None:
    """Counts all names; raises ConfigError when there are none."""
    for block in with_progress(names):
        counting.add(block)
    if counting.read:
        return
    if names.malformed:
        raise ConfigError(
            f"{names.label} holds no names: {names.malformed} lines of it are no "
            "certstream message. Give a message a line, as a feed sends them."
        )
    raise ConfigError(
        f"{names.label} holds no names: give a file with one name a line."
    )


def _print(report: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in report)


@contextmanager
def _listing(path: str, source: str) -> Iterator[Callable[[str], None] | None]:
    """What writes a line to the file of --output; None without one."""
    if not path:
        yield None
        return
    with ExitStack() as stack:
        try:
            listed = Path(path)
            if listed.exists() and Path(source).exists() and listed.samefile(source):
                raise ConfigError(
                    f"--output {path!r} is the file to be read: name another."
                )
            stream = stack.enter_context(_written(listed))
        except OSError as exc:
            raise ConfigError(
                f"--output {path!r} cannot be written: {exc.strerror}."
            ) from exc
        yield lambda line: print(line, file=stream)


def _written(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", errors="backslashreplace")
