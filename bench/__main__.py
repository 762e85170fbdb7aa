"""The bench: `python -m bench`, or `make bench`."""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bench.cases import FULL, QUICK, Cases, cases
from bench.machine import CHECKOUT, commit, machine, versions
from bench.measured import Measured
from bench.processes import BenchError, Cores
from bench.report import Report, put_into
from bench.rows import ROWS, Row, result

_README = CHECKOUT / "README.md"
_RESULTS = CHECKOUT / "bench" / "results"
# No round is begun that would not end by then.
_MOST_S = 14 * 60.0
# Measured in the first round alone: they take long, and time-outs are no noise.
_ONCE = frozenset(
    {
        "blast",
        "scan-half",
        "requests-half",
        "pool-half",
        "scan-due",
        "logs-backlog",
        "logs-live",
        "logs-start",
    }
)


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all was measured, met or not; 1 when it could not be; 2 used wrongly."""
    options = _options(argv)
    rows = [row for row in ROWS if not options.only or row.name in options.only]
    size = QUICK if options.quick else FULL
    # A kill by the one who waits for us must end our children too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = datetime.now().astimezone()
    cores = Cores.of_this_machine()
    if cores.load is not None:
        os.sched_setaffinity(0, {cores.load})  # we only watch
    try:
        with tempfile.TemporaryDirectory(prefix="ctmonitor-bench-") as name:
            on_what = machine(Path(name))
            with cases(size, cores, Path(name)) as all_cases:
                rounds = _measure(rows, all_cases, options.rounds)
    except BenchError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 1
    report = Report(
        began=began,
        commit=commit(),
        machine=on_what,
        versions=versions(),
        cores=str(cores),
        rounds_made=max(len(measured) for measured in rounds.values()),
        is_whole=size is FULL and len(rows) == len(ROWS),
        results=[result(row, rounds, size) for row in rows],
        rounds=rounds,
    )
    print(report.markdown())
    _say(f"kept in {report.keep(_RESULTS).relative_to(CHECKOUT)}")
    if options.readme:
        text = _README.read_text("utf-8")
        _README.write_text(put_into(text, report.markdown()), encoding="utf-8")
        _say("the table in README.md is that of this run")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures side by side with the peer; docs/bench.md tells how.",
    )
    add = parser.add_argument
    add("--rounds", type=_rounds, default=None, help="3, or 1 with --quick")
    add("--quick", action="store_true", help="a fifth of everything, for CI")
    names = [row.name for row in ROWS]
    add("--only", action="append", choices=names, metavar="ROW", help=", ".join(names))
    add("--readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args(argv)
    if not Path("/proc/self/stat").exists():
        parser.error("needs /proc, where Linux tells what a process has used")
    if options.readme and (options.quick or options.only):
        parser.error("--readme is for a whole run, without --quick and --only")
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def _rounds(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 100")
    return int(text)


def _measure(
    rows: Sequence[Row], all_cases: Cases, rounds: int
) -> dict[str, list[Measured]]:
    """Every case that a row needs, once a round, in an order that changes."""
    names = sorted({name for row in rows for name in (row.case, row.base) if name})
    measured: dict[str, list[Measured]] = {name: [] for name in names}
    longest_s = 0.0
    first_s = time.monotonic()
    for number in range(1, rounds + 1):
        began_s = time.monotonic()
        if began_s - first_s + longest_s > _MOST_S:
            _say(f"{number - 1} rounds took long enough")
            break
        due = [name for name in names if number == 1 or name not in _ONCE]
        random.Random(number).shuffle(due)
        for name in due:
            one = all_cases.measure(name)
            measured[name].append(one)
            _say(
                f"round {number} of {rounds}, {name}: {one.rate:,.0f}/s, "
                f"{one.cpu_us:.2f} µs of CPU each {'; '.join(one.flaws)}"
            )
        longest_s = max(longest_s, time.monotonic() - began_s)
    return measured


def _say(text: str) -> None:
    print(text.rstrip(), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
