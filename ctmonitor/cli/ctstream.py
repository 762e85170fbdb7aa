"""
ctstream.py: all certificates of all logs, on a pipe.

A first SIGTERM or SIGINT ends it in order: what was read and printed is in the state
file, exit code 0. A second one ends it at once.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctmonitor.cli import assemble, console, memory, rulesets
from ctmonitor.cli.logs import OneLine
from ctmonitor.config import Config
from ctmonitor.ct.loglist import LOG_LIST_URL
from ctmonitor.errors import ConfigError, CTMonitorError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.text import shortened
from ctmonitor.net.route import Proxy, Route
from ctmonitor.rules.ruleset import RuleSet
from ctmonitor.sources.logselection import way_out
from ctmonitor.sources.start import Start
from ctmonitor.stream.domains import Distinct, lines, names_of
from ctmonitor.stream.entry import Entry
from ctmonitor.stream.formats import (
    certstream_domains,
    certstream_update,
    json_line,
    text_line,
)
from ctmonitor.stream.inbox import Run
from ctmonitor.stream.monitor import LogMonitor
from ctmonitor.stream.stats import Stats

if TYPE_CHECKING:  # loaded on a terminal alone
    from rich.table import Table

NAME = "ctstream.py"
log = logging.getLogger(__name__)

_EXAMPLES = (
    "ctstream.py                                        what is logged from now on",
    "ctstream.py --domains-only | grep -i paypal        names for other programs",
    "ctstream.py --json --match 'paypal|login' --state ct.state   resumable",
    "ctstream.py --log 'Argon 2026h2' --from 1000 --to 2000       a part of one log",
)
_TABLE_EVERY_S = 1.0
_LINE_EVERY_S = 10.0
_STUCK_S = 2.0  # for a reader of the pipe that does not read, at the end


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: see `console`."""
    return console.run(NAME, lambda: _main(_options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = console.parser(
        NAME, "Print all certificates that the logs take, as they come.", _EXAMPLES
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument(
        "--domains-only", action="store_true", help="print names alone, one a line"
    )
    shape.add_argument(
        "--json", action="store_true", help="print JSON, one object a line"
    )
    shape.add_argument(
        "--certstream",
        choices=("full", "lite", "domains-only"),
        help="print messages as a certstream server sends them",
    )
    parser.add_argument(
        "--match", metavar="REGEX", help="only certificates with such a name"
    )
    parser.add_argument(
        "--state", metavar="FILE", help="go on where the last run with FILE ended"
    )
    parser.add_argument(
        "--log",
        metavar="NAME",
        action="append",
        help="only this log, or those of this pattern; repeatable",
    )
    parser.add_argument(
        "--from", dest="first", type=_index, metavar="N", help="first entry of one log"
    )
    parser.add_argument(
        "--to", dest="end", type=_index, metavar="N", help="entry before which to end"
    )
    parser.add_argument(
        "--start",
        type=_start,
        metavar="WHERE",
        help="where logs begin: tip, beginning, a number of entries back, or a date",
    )
    parser.add_argument(
        "--once", action="store_true", help="end when all is read that is there now"
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="end after N lines")
    parser.add_argument(
        "--stats", action="store_true", help="show rates and backlogs, on stderr"
    )
    parser.add_argument(
        "--retries",
        type=_count,
        default=4,
        metavar="N",
        help="attempts before a log is given up, with --once or --from (4)",
    )
    parser.add_argument(
        "--poll-interval",
        type=_seconds,
        metavar="S",
        help="seconds between two looks at a log (15)",
    )
    parser.add_argument(
        "--log-list", metavar="FILE|URL", help="the logs that there are (Chrome's list)"
    )
    parser.add_argument(
        "--log-list-key", metavar="FILE", help="PEM file of the key that signs the list"
    )
    parser.add_argument(
        "--no-verify",
        action="store_true",
        help="believe what logs serve, without proofs",
    )
    parser.add_argument(
        "--proxy", metavar="URL", help="http://, socks5:// or socks5h://"
    )
    parser.add_argument(
        "--ca-file", metavar="FILE", help="PEM file of the authorities to be trusted"
    )
    parser.add_argument(
        "--contact", metavar="TEXT", help="whom log operators can write to"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell more, on standard error"
    )
    return parser.parse_args(argv)


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{shortened(text)!r} is no index of an entry")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{shortened(text)!r} is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(
            f"{shortened(text)!r} is no number of seconds from 0.1 to 86400"
        )
    return seconds


def _start(text: str) -> Start:
    try:
        return Start.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _main(options: argparse.Namespace) -> int:
    _check(options)
    _log_to_screen(verbose=options.verbose)
    config = None
    if options.config:
        config = console.configuration(options, needs_source=False)
    monitor = _monitor(options, config)
    memory.settle()
    return asyncio.run(_Stream(options, monitor).until_end())


def _check(options: argparse.Namespace) -> None:
    if options.first is None and options.end is None:
        return
    problems = []
    if len(options.log or ()) != 1:
        problems.append("--from and --to need the log that is meant: one --log NAME.")
    if options.end is not None and options.end < (options.first or 0):
        problems.append("--to lies before --from.")
    if options.state:
        problems.append("--state does not go with --from and --to.")
    if options.start is not None:
        problems.append("--start does not go with --from and --to.")
    if problems:
        raise ConfigError(problems)


def _monitor(options: argparse.Namespace, config: Config | None) -> LogMonitor:
    """What the command line says, and else what the file of settings does."""
    match: str | RuleSet | None = options.match
    if match is None and config is not None:
        match = rulesets.rules(config)
    span = None
    if options.first is not None or options.end is not None:
        span = (options.first or 0, options.end)
    start = options.start
    if start is None:
        start = Start() if config is None else config.start
    poll_s = options.poll_interval
    if poll_s is None:
        poll_s = 15.0 if config is None else config.poll_seconds
    key = options.log_list_key or (config.log_list_key if config is not None else "")
    listed = config.log_list if config is not None else LOG_LIST_URL
    return LogMonitor(
        log_list=options.log_list or listed,
        log_list_key=_pem(key),
        logs=options.log or (() if config is None else config.logs),
        exclude=() if config is None or options.log else config.exclude_logs,
        start=start,
        span=span,
        once=options.once,
        state=options.state,
        match=match,
        verify=not options.no_verify and (config is None or config.verify),
        max_requests=8 if config is None else config.max_requests,
        max_requests_operator=24 if config is None else config.max_requests_operator,
        poll_seconds=poll_s,
        retries=options.retries,
        contact=options.contact or ("" if config is None else config.contact),
        route=_route(options, config),
        cache_dir=_folder(config.cache_dir if config is not None else ""),
        evidence_dir=_folder(config.evidence_dir if config is not None else ""),
    )


def _route(options: argparse.Namespace, config: Config | None) -> Route:
    route = Route() if config is None else assemble.route(config)
    proxy = Proxy.from_url(options.proxy) if options.proxy else route.proxy
    return Route(proxy, options.ca_file or route.ca_file)


def _folder(path: str) -> Path | None:
    return Path(path) if path else None


def _pem(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text("ascii")
    except (OSError, ValueError) as exc:
        raise ConfigError(f"The key {path!r} cannot be read as PEM: {exc}.") from exc


class _Screen(logging.StreamHandler):  # type: ignore[type-arg]
    """Standard error as it is at the moment: above the table while one is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _log_to_screen(*, verbose: bool) -> None:
    logging.raiseExceptions = False
    screen = _Screen()
    screen.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.setLevel(logging.INFO if verbose else logging.WARNING)
    root.addHandler(screen)


class _Stream:
    """One run: what it prints, and what it does on signals."""

    def __init__(self, options: argparse.Namespace, monitor: LogMonitor) -> None:
        self._monitor = monitor
        self._left: int | None = options.limit
        self._line = _line_of(options)
        self._distinct = Distinct() if options.domains_only else None
        self._shows_stats = options.stats
        self._is_stopping = False
        self._waiting: asyncio.Task[Any] | None = None  # while nothing is printed

    async def until_end(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop, number, loop)
        async with self._monitor:
            # Not a TaskGroup: what ends the stream is to come out as it is.
            show = asyncio.ensure_future(self._show()) if self._shows_stats else None
            try:
                await self._pump()
            finally:
                if show is not None:
                    show.cancel()
                    await asyncio.gather(show, return_exceptions=True)
        given_up = self._monitor.given_up()
        for status in given_up:
            line = (
                f"{NAME}: log {status.log.name} could not be read to its end: "
                f"{status.last_error}"
            )
            hint = way_out(status.log, now_utc())
            console.complain(f"{line}; {hint}" if hint else line)
        return console.FAILED if given_up else console.DONE

    async def _pump(self) -> None:
        while not self._is_stopping and self._left != 0:
            self._waiting = asyncio.current_task()
            try:
                run = await self._monitor.take()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._is_stopping and task is not None:
                    task.uncancel()
                    return
                raise
            finally:
                self._waiting = None
            if run is None:
                return
            text, handed = self._text(run)
            if text:
                # In a thread: who reads may be slow, and logs and signals go on.
                await asyncio.to_thread(_write, text)
            self._monitor.finish(run, handed)

    def _text(self, run: Run) -> tuple[bytes, int]:
        """What is to be printed of a run, and how many of its entries that covers."""
        distinct = self._distinct
        if distinct is not None and self._left is None:
            if self._monitor.is_filtered:
                names = [name for _, found in self._names(run) for name in found]
            else:
                names = names_of(run, self._monitor.note_malformed)
            return lines(distinct.of(names)).encode(), run.count
        pieces: list[bytes] = []
        for number, found in self._lines(run):
            pieces += found[: self._left]
            if self._left is not None:
                self._left -= min(self._left, len(found))
                if self._left == 0:
                    return b"".join(pieces), number + 1
        return b"".join(pieces), run.count

    def _lines(self, run: Run) -> Iterator[tuple[int, list[bytes]]]:
        if self._distinct is None:
            for number, entry in self._monitor.entries(run):
                line = self._line(entry)
                yield number, [] if line is None else [line + b"\n"]
            return
        for number, names in self._names(run):
            new = self._distinct.of(names)
            yield number, [lines([name]).encode() for name in new]

    def _names(self, run: Run) -> Iterator[tuple[int, list[str]]]:
        for number, entry in self._monitor.entries(run):
            yield (
                number,
                [name for name in entry.domains if self._monitor.matches(name)],
            )

    def _on_stop(self, number: signal.Signals, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_stopping:
            console.complain(f"{NAME}: second signal, ending at once")
            os._exit(console.FAILED)
        self._is_stopping = True
        log.info("stopped by %s", number.name)
        if self._waiting is not None:
            self._waiting.cancel()
        else:
            loop.call_later(_STUCK_S, self._abandon)

    def _abandon(self) -> None:
        """Nobody reads what is being printed, so it would never end."""
        with suppress(CTMonitorError):
            self._monitor.save()
        os._exit(console.DONE)

    # Statistics

    async def _show(self) -> None:
        if not sys.stderr.isatty() or sys.stdout.isatty():
            while True:
                await asyncio.sleep(_LINE_EVERY_S)
                console.complain(_summary(self._monitor.stats()))
        from rich.console import Console
        from rich.live import Live

        screen = Console(stderr=True)
        with Live(console=screen, auto_refresh=False, redirect_stdout=False) as live:
            while True:
                live.update(_table(self._monitor.stats()), refresh=True)
                await asyncio.sleep(_TABLE_EVERY_S)


def _line_of(options: argparse.Namespace) -> Callable[[Entry], bytes | None]:
    if options.json:
        return json_line
    if options.certstream == "domains-only":
        return certstream_domains
    if options.certstream is not None:
        is_full = options.certstream == "full"
        return lambda entry: certstream_update(entry, now_utc(), is_full=is_full)
    return lambda entry: text_line(entry).encode()


def _write(text: bytes) -> None:
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        console.discard_output()
        raise CTMonitorError(
            f"standard output cannot be written: {exc.strerror}. What is missing comes "
            "again with --state."
        ) from exc


def _summary(stats: Stats) -> str:
    return (
        f"logs={len(stats.logs)} entries={stats.entries} rate={stats.rate:.1f}/s "
        f"backlog={stats.backlog} malformed={stats.malformed} errors={stats.errors}"
    )


def _table(stats: Stats) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(caption=_summary(stats))
    for title in ("log", "state", "position", "backlog", "entries/s", "errors"):
        table.add_column(
            title, justify="left" if title in ("log", "state") else "right"
        )
    for each in stats.logs:
        table.add_row(
            Text(shortened(each.name, 40)),  # what a list says is no markup
            each.condition,
            "-" if each.position is None else str(each.position),
            "-" if each.backlog is None else str(each.backlog),
            f"{each.rate:.1f}",
            str(each.errors),
        )
    return table
