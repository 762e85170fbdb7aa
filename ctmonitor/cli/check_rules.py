"""check_rules.py: what the rules say of names, without network or database."""

import argparse
import json
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO

from ctmonitor.cli import assemble, console
from ctmonitor.errors import ConfigError
from ctmonitor.model.name import host_of
from ctmonitor.model.text import printable
from ctmonitor.model.verdict import NameVerdict, Outcome
from ctmonitor.rules.prefilter import Prefilter
from ctmonitor.rules.ruleset import RuleSet

NAME = "check_rules.py"

_EXAMPLES = (
    "check_rules.py -c conf/example.conf -d login-paypal.com",
    "check_rules.py -c conf/example.conf -d https://Login-PayPal.com/x -d b\u00fc.de",
    "check_rules.py -c conf/example.conf --file names.txt > verdicts.tsv",
    "zcat names.gz | check_rules.py -c conf/example.conf --file - --format json",
)
_SENTENCES = {
    # Spelled as the scripts of CertStreamMonitor's users search for it.
    Outcome.NONE: "No match - Keywords not found.",
    Outcome.BELOW: "No match - Detection threashold not reached.",
    Outcome.BLOCKED: "No match - Blacklisted keywords.",
    Outcome.MATCH: "This is a match, detection threashold reached.",
}
_BLOCK_BYTES = 1024 * 1024
_LINE_BYTES = 64 * 1024


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
        "--file",
        metavar="FILE",
        help="a name a line, `-` for standard input; prints name, score, verdict and "
        "reasons with tabs between",
    )
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json: one object a line",
    )
    return parser.parse_args(argv)


def _main(options: argparse.Namespace) -> int:
    if not options.domain and not options.file:
        raise ConfigError(
            "Nothing to check: give a name with -d or a file with --file."
        )
    ruleset = assemble.rules(console.configuration(options, needs_source=False))
    if options.domain:
        _check_domains(ruleset, options.domain, options.format)
    if options.file:
        _check_file(ruleset, options.file, options.format)
    return console.DONE


def _check_domains(ruleset: RuleSet, pasted: Sequence[str], form: str) -> None:
    if form == "json":
        for text in pasted:
            print(_json(ruleset.judge_name(host_of(text))))
        return
    print(ruleset.describe())
    for text in pasted:
        name = host_of(text)
        sentence = _SENTENCES[ruleset.judge_name(name).outcome]
        # With one name the output is the original's; with several each is named.
        print(sentence if len(pasted) == 1 else f"{printable(name)}: {sentence}")


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
    for lines in _blocks(stream):
        names = [_name(line) for line in lines]
        hit = _hits(prefilter, names)
        out: list[str] = []
        for number, name in enumerate(names):
            if not name:
                continue
            if number in hit:
                verdict = ruleset.judge_name(name)
            else:
                verdict = NameVerdict(name, Outcome.NONE)
            out.append(_json(verdict) if form == "json" else _row(verdict))
        if out:
            sys.stdout.write("\n".join(out) + "\n")


def _blocks(stream: IO[bytes]) -> Iterator[list[bytes]]:
    rest = b""
    while block := stream.read(_BLOCK_BYTES):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()[:_LINE_BYTES]
        yield lines
    if rest:
        yield [rest]


def _name(line: bytes) -> str:
    """The name on a line; nearly all are plain and need nothing done to them."""
    text = line[:_LINE_BYTES].decode("utf-8", "replace").strip()
    if text.isascii() and text.islower() and not _PASTED.intersection(text):
        return text[:-1] if text.endswith(".") and len(text) > 1 else text
    return host_of(text)


_PASTED = frozenset("/:?#@[]() \t")


def _hits(prefilter: Prefilter | None, names: Sequence[str]) -> Iterable[int]:
    """Positions of the names that a rule may fire on."""
    if prefilter is None:
        return range(len(names))
    encoded = [name.encode("utf-8", "replace") for name in names]
    starts = list(accumulate((len(name) + 1 for name in encoded), initial=0))
    ends = prefilter.ends(b"\n".join(encoded))
    return {bisect_right(starts, end - 1) - 1 for end in ends}


def _row(verdict: NameVerdict) -> str:
    reasons = ",".join(reason.rule for reason in verdict.reasons)
    name = printable(verdict.name)
    return f"{name}\t{verdict.score}\t{verdict.outcome.value}\t{printable(reasons)}"


def _json(verdict: NameVerdict) -> str:
    return json.dumps(
        {
            "name": printable(verdict.name),
            "score": verdict.score,
            "verdict": verdict.outcome.value,
            "reasons": [
                {"rule": reason.rule, "kind": reason.kind, "weight": reason.weight}
                for reason in verdict.reasons
            ],
        },
        ensure_ascii=False,
    )
