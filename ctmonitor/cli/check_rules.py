"""check_rules.py: what the rules say of names, without network."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ctmonitor.cli import check_explain, check_many, console, rulesets
from ctmonitor.cli.check_names import hits, lines, name_of
from ctmonitor.cli.check_verdicts import as_json, verdict_object, verdict_row
from ctmonitor.errors import ConfigError
from ctmonitor.model.name import host_of
from ctmonitor.model.text import printable
from ctmonitor.model.verdict import NameVerdict, Outcome
from ctmonitor.rules.ruleset import RuleSet

NAME = "check_rules.py"

_EXAMPLES = (
    "check_rules.py -c conf/example.conf -d login-paypal.com",
    "check_rules.py -c conf/example.conf -d https://Login-PayPal.com/x -d b\u00fc.de",
    "check_rules.py -c conf/example.conf --explain -d paypa1-secure.com",
    "check_rules.py -c conf/example.conf --file names.txt > verdicts.tsv",
    "zcat names.gz | check_rules.py -c conf/example.conf --file - --format json",
    "check_rules.py -c my.conf --backtest names.gz                 before it goes live",
    "check_rules.py -c my.conf --backtest names.gz --compare new.conf --output all.tsv",
    "check_rules.py -c my.conf --suggest names.gz                  what to change",
)
_MOST = 1_000_000  # samples are kept in memory
_SENTENCES = {
    # Spelled as the scripts of CertStreamMonitor's users search for it.
    Outcome.NONE: "No match - Keywords not found.",
    Outcome.BELOW: "No match - Detection threashold not reached.",
    Outcome.BLOCKED: "No match - Blacklisted keywords.",
    Outcome.ALLOWED: "No match - Allow-listed.",
    Outcome.MATCH: "This is a match, detection threashold reached.",
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: see `console`."""
    return console.run(NAME, lambda: _main(_options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = console.parser(NAME, "Try the rules on names.", _EXAMPLES)
    parser.add_argument(
        "-d",
        "--domain",
        action="append",
        default=[],
        metavar="NAME",
        help="a name, U-label or A-label, or a URL; may be given several times",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="with -d: all that fired or nearly did, the parts of the score, and how "
        "the name was read",
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        help="a name a line, `-` for standard input; prints name, score, verdict and "
        "reasons with tabs between",
    )
    parser.add_argument(
        "--backtest",
        metavar="FILE",
        help="count what the rules find, in total, by rule and by day: names a line, "
        "certstream messages a line, each also as .gz or `-`, an SQLite database of "
        "certstreammonitor.py, or a postgresql:// address",
    )
    parser.add_argument(
        "--compare",
        metavar="CONF",
        help="with --backtest: what these rules find and those of CONF do not, and "
        "the reverse",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        default="",
        help="with --backtest: write all findings to FILE, as --file has them",
    )
    parser.add_argument(
        "--samples",
        type=_count,
        metavar="N",
        help="with --backtest: show N findings at random (10)",
    )
    parser.add_argument(
        "--seed",
        type=_count,
        metavar="N",
        help="with --backtest: other findings at random for each N (0)",
    )
    parser.add_argument(
        "--suggest",
        metavar="FILE",
        help="rules that never fire, that fire too often, or that another covers, and "
        "lines for AllowFile, by the names of FILE (as for --backtest)",
    )
    parser.add_argument(
        "--share",
        type=_share,
        metavar="SHARE",
        help="with --suggest: the share of names that is too often (0.001)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json: one object a line",
    )
    options = parser.parse_args(argv)
    modes = [
        option
        for option, is_given in (
            ("-d or --file", options.domain or options.file),
            ("--backtest", options.backtest),
            ("--suggest", options.suggest),
        )
        if is_given
    ]
    if options.explain and (options.file or not options.domain):
        parser.error("--explain goes with -d")
    if len(modes) > 1:
        parser.error(f"{' and '.join(modes)} do not go together")
    for option in ("compare", "output", "samples", "seed"):
        if getattr(options, option) not in (None, "") and not options.backtest:
            parser.error(f"--{option} goes with --backtest")
    if options.share is not None and not options.suggest:
        parser.error("--share goes with --suggest")
    return options


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {_MOST:,}")
    return number


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no share from 0 to 1, such as 0.001"
        )
    return share


def _main(options: argparse.Namespace) -> int:
    if not (options.domain or options.file or options.backtest or options.suggest):
        raise ConfigError(
            "Nothing to check: give a name with -d or a file with --file."
        )
    config = console.configuration(options, needs_source=False)
    if options.suggest:
        check_many.suggest(options, config)
    elif options.backtest and options.compare:
        check_many.compare(options, config)
    elif options.backtest:
        check_many.backtest(options, config)
    else:
        ruleset = rulesets.rules(config)
        if options.explain:
            _explain(ruleset, options.domain, options.format)
        elif options.domain:
            _check_domains(ruleset, options.domain, options.format)
        if options.file:
            _check_file(ruleset, options.file, options.format)
    return console.DONE


def _check_domains(ruleset: RuleSet, pasted: Sequence[str], form: str) -> None:
    if form == "json":
        for text in pasted:
            print(as_json(verdict_object(ruleset.judge_name(host_of(text)))))
        return
    print(ruleset.describe())
    for text in pasted:
        name = host_of(text)
        sentence = _SENTENCES[ruleset.judge_name(name).outcome]
        # With one name the output is the original's; with several each is named.
        print(sentence if len(pasted) == 1 else f"{printable(name)}: {sentence}")


def _explain(ruleset: RuleSet, pasted: Sequence[str], form: str) -> None:
    if form == "json":
        for text in pasted:
            print(as_json(check_explain.as_object(ruleset.explain(host_of(text)))))
        return
    print(ruleset.describe())
    for text in pasted:
        print()
        for line in check_explain.as_lines(ruleset.explain(host_of(text))):
            print(line)


def _check_file(ruleset: RuleSet, file: str, form: str) -> None:
    if file == "-":
        _print_verdicts(ruleset, sys.stdin.buffer, form)
        return
    try:
        with Path(file).open("rb") as stream:
            _print_verdicts(ruleset, stream, form)
    except OSError as exc:
        if isinstance(exc, BrokenPipeError):
            raise
        raise ConfigError(f"{file!r} cannot be read: {exc.strerror}.") from exc


def _print_verdicts(ruleset: RuleSet, stream: IO[bytes], form: str) -> None:
    prefilter = ruleset.prefilter()
    for some in lines(stream):
        names = [name_of(line) for line in some]
        hit = hits(prefilter, names)
        out: list[str] = []
        for number, name in enumerate(names):
            if not name:
                continue
            if number in hit:
                verdict = ruleset.judge_name(name)
            else:
                verdict = NameVerdict(name, Outcome.NONE)
            is_json = form == "json"
            out.append(
                as_json(verdict_object(verdict)) if is_json else verdict_row(verdict)
            )
        if out:
            sys.stdout.write("\n".join(out) + "\n")
