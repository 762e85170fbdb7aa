"""certstreammonitor.py: the daemon."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ctmonitor.alerts.found import found_items
from ctmonitor.cli import (
    assemble,
    console,
    databases,
    export,
    findings,
    loglisting,
    logreading,
    logreset,
    logs,
    memory,
)
from ctmonitor.cli.liverules import LiveRules
from ctmonitor.cli.logreading import LogReading
from ctmonitor.config import Config, describe, load
from ctmonitor.errors import ConfigError, CTMonitorError, StoreError
from ctmonitor.model.batch import Cursor, Gap, Malformed
from ctmonitor.model.clock import now_utc
from ctmonitor.model.finding import Finding, Recorded
from ctmonitor.model.followup import EventKind
from ctmonitor.model.own import OwnSighting
from ctmonitor.model.text import shortened
from ctmonitor.monitor.monitor import Forgetful, Monitor, Recorder
from ctmonitor.rules.pattern import is_slow
from ctmonitor.sources.certstream import CURSOR, shown
from ctmonitor.sources.logselection import way_out

if TYPE_CHECKING:
    from ctmonitor.store.store import Store

NAME = "certstreammonitor.py"
log = logging.getLogger(__name__)

_EXAMPLES = (
    "certstreammonitor.py -c conf/example.conf                  run until stopped",
    "certstreammonitor.py -c conf/example.conf --check-config   what is in force",
    "certstreammonitor.py -c conf/example.conf --dry-run        print, store nothing",
    "certstreammonitor.py -c conf/example.conf --json | jq .    for programs",
    "certstreammonitor.py -c conf/example.conf --once           logs, for cron",
    "certstreammonitor.py -c conf/example.conf --list-logs      logs and positions",
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: see `console`."""
    return console.run(NAME, lambda: _main(_options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = console.parser(
        NAME,
        "Watch new certificates for host names that match, store and print them.",
        _EXAMPLES,
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell more, on standard error"
    )
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="print the settings in force, secrets masked, and exit 0 or 2",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="judge and print, store nothing"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print findings as JSON, one a line, or with --list-logs the logs",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--once",
        action="store_true",
        help="read every log up to the head that it shows first, and end",
    )
    mode.add_argument(
        "--list-logs",
        action="store_true",
        help="print which logs are read and how far, and why others are not",
    )
    mode.add_argument(
        "--reset-log",
        metavar="LOG",
        help="begin this log anew at the next start (name or log id), also a bad one",
    )
    return parser.parse_args(argv)


def _main(options: argparse.Namespace) -> int:
    config = console.configuration(options)
    rules = LiveRules(config)
    assemble.check(config)
    if config.export_file:
        export.check(config.export_file, f"{config.path}: [REPORTING] Export_File")
    if options.check_config:
        return _check_config(config, rules)
    if options.reset_log is not None:
        if options.dry_run:
            raise ConfigError("--dry-run stores nothing, so it can reset no log.")
        return logreset.run(config, options.reset_log)
    if options.list_logs:
        return loglisting.run(config, as_json=options.json)
    if options.once:
        _check_once(config)
    logged_to = logs.configure(config, verbose=options.verbose)
    if options.dry_run:
        return _start(options, config, rules, None, logged_to)
    try:
        store = databases.store(config)
    except StoreError as exc:
        raise ConfigError(str(exc)) from exc
    with store:
        return _start(options, config, rules, store, logged_to)


def _check_config(config: Config, rules: LiveRules) -> int:
    for line in describe(config):
        print(line)
    described = assemble.describe(config, rules.ruleset, rules.described)[2:]
    for line in (*described, *_notifications(config)):
        print(f"# {line}")
    for key, pattern in (
        ("SearchKeywords", config.search_keywords),
        ("BlacklistKeywords", config.blacklist_keywords),
    ):
        if pattern and is_slow(pattern):
            console.complain(
                f"warning: {config.path}: [SEARCH] {key} is very slow on some names, "
                "which are then given up; simplify nested repetitions such as (a+)+."
            )
    slow, untried = rules.ruleset.rules.regexes.slow()
    for name in slow:
        console.complain(
            f"warning: {config.regex_file}: {shortened(name)} is very slow on some "
            "names, which are then given up; simplify nested repetitions such as (a+)+."
        )
    if untried:
        console.complain(
            f"warning: {config.regex_file}: {untried} expressions were not tried for "
            "slowness, since there are so many."
        )
    return console.DONE


def _check_once(config: Config) -> None:
    if config.source & {"logs", "replay"}:
        return
    raise ConfigError(
        f"{config.path}: --once reads logs to their end, and a feed has none. Set "
        "[SOURCES] Source = logs."
    )


def _start(
    options: argparse.Namespace,
    config: Config,
    rules: LiveRules,
    store: "Store | None",
    logged_to: str,
) -> int:
    # With --json standard output is for programs alone.
    say = console.complain if options.json else partial(print, flush=True)
    database = "none (dry run)" if store is None else databases.database(config)
    told_to = [] if store is None else _notifications(config)
    try:
        for line in (
            f"{NAME} with the settings of {config.path}",
            *assemble.describe(config, rules.ruleset, rules.described),
            f"database: {database}",
            f"log: {logged_to}",
            *told_to,
        ):
            say(line)
            if logged_to != logs.STANDARD_ERROR:  # where a person reads it already
                log.info("%s", line)
    except BrokenPipeError:
        log.warning("standard output was closed, nothing was started")
        console.discard_output()
        return console.FAILED
    run = _Run(
        config,
        as_json=options.json,
        logged_apart=logged_to != logs.STANDARD_ERROR,
        rules=rules,
    )
    with _progress(config) as on_progress:
        scanner = rules.scanner()
        resume = None
        if store is not None and assemble.reads_feed(config) and not options.once:
            resume = store.cursor(CURSOR)
            store.end_open_gaps([shown(feed) for feed in config.act_servers], now_utc())
        if assemble.reads_logs(config):
            positions = {}
            if store is not None:
                positions = logreading.positions(store, config.start)
            run.logs = assemble.log_reading(
                config,
                positions,
                run.say,
                once=options.once,
                keeps=store is not None,
            )
        source = assemble.source(config, scanner, resume, run.logs, on_progress)
        recorder = Forgetful() if store is None else _recorder(config, store)
        run.monitor = Monitor(source, rules.ruleset, recorder, run.tell)
        if run.logs is not None:
            memory.settle()
        code = asyncio.run(run.until_end())
    log.info("%s: %s", run.reason, run.monitor.tally)
    if store is not None and config.export_file and not _export(config, run.say):
        code = console.FAILED
    if run.output_is_closed:
        console.discard_output()
    else:
        if config.own_domains:
            say(f"own domains: sightings={run.monitor.tally.own}")
        say(str(run.monitor.tally))
    return code


def _export(config: Config, say: Callable[[str], None]) -> bool:
    """Writes the names to Export_File; whether that went well."""
    try:
        with databases.reader(config) as reader:
            count = export.export(reader, None, config.export_file)
    except CTMonitorError as exc:
        log.error("%s", exc)
        console.complain(f"{NAME}: {exc}")
        return False
    say(f"names written to {config.export_file}: {count}")
    return True


def _notifications(config: Config) -> list[str]:
    """What becomes of notifications of findings, in a line; empty without any."""
    if config.notify_on == "up":
        return []
    if not config.notification_destination:
        return ["notifications: none, [REPORTING] Notification_Destination is empty"]
    count = len(config.destinations_of(EventKind.FOUND))
    destinations = "1 destination" if count == 1 else f"{count} destinations"
    return [f"notifications: queued for {destinations}, sent by scanhost.py"]


def _recorder(config: Config, store: "Store") -> Recorder:
    told = config.destinations_of(EventKind.FOUND)
    if config.notify_on == "up" or not told:
        return store
    return _Announcing(store, told)


class _Announcing:
    """The store, with notifications of what is told in the same transaction."""

    def __init__(self, store: "Store", destinations: Sequence[int]) -> None:
        self._store = store
        self._outbox_of = partial(found_items, destinations=destinations)

    def record(
        self,
        findings: Sequence[Finding],
        gaps: Sequence[Gap] = (),
        cursor: Cursor | None = None,
        *,
        malformed: Sequence[Malformed] = (),
        own: Sequence[OwnSighting] = (),
    ) -> list[Recorded]:
        return self._store.record(
            findings, gaps, cursor, self._outbox_of, malformed=malformed, own=own
        )


@contextmanager
def _progress(config: Config) -> Iterator[Callable[[int], None] | None]:
    """A bar on the terminal while a file is replayed."""
    if "replay" not in config.source or not sys.stderr.isatty():
        yield None
        return
    # Here, since a run out of cron would load it for nothing.
    from ctmonitor.cli.progress import reading_bar

    size_bytes = Path(config.replay_file).stat().st_size
    with reading_bar(size_bytes, "replaying") as advance_to:
        yield advance_to


class _Run:
    """One run: what it prints, and what it does on signals."""

    monitor: Monitor
    logs: LogReading | None = None

    def __init__(
        self,
        config: Config,
        *,
        as_json: bool,
        logged_apart: bool,
        rules: LiveRules,
    ) -> None:
        self._config = config
        self._rules = rules
        self._logged_apart = logged_apart
        self._as_json = as_json
        self._signals = 0
        self.output_is_closed = False
        self.reason = "the source ended"

    async def until_end(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._rules.ask)
        keeping = asyncio.ensure_future(
            self._rules.keep(self._load, self.monitor.exchange)
        )
        try:
            await self.monitor.run()
        except CTMonitorError as exc:
            self.reason = str(exc)
            console.complain(f"{NAME}: {exc}")
            return console.FAILED
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            if self.logs is not None:
                await self.logs.close()
        given_up = [] if self.logs is None else self.logs.given_up()
        for status in given_up:
            line = f"{NAME}: log {status.log.name}: given up, {status.last_error}"
            hint = way_out(status.log, now_utc())
            console.complain(f"{line}; {hint}" if hint else line)
        is_failed = bool(given_up) or self.output_is_closed
        return console.FAILED if is_failed else console.DONE

    def tell(self, recorded: Recorded) -> None:
        """Print a finding, at once."""
        if self.output_is_closed:
            return
        now = now_utc()
        if self._as_json:
            text = json.dumps(findings.as_object(recorded, now), ensure_ascii=False)
        else:
            text = findings.line(recorded, now.astimezone())
        self._print(text)

    def say(self, line: str) -> None:
        """A line about the run itself, after it has begun."""
        if self._as_json:
            console.complain(line)
        elif not self.output_is_closed:
            self._print(line)
        if self._logged_apart:
            log.info("%s", line)

    def _print(self, text: str) -> None:
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # It is stored, so nothing is lost; but nobody reads what follows.
            self.output_is_closed = True
            self.reason = "standard output was closed"
            log.warning("standard output was closed, stopping")
            self.monitor.stop()

    def _on_stop(self, number: signal.Signals) -> None:
        self._signals += 1
        if self._signals > 1:
            console.complain(f"{NAME}: second signal, ending at once")
            os._exit(console.FAILED)
        self.reason = f"stopped by {number.name}"
        log.info("%s: storing what was received", self.reason)
        self.monitor.stop()

    def _load(self) -> Config:
        return load(self._config.path, os.environ)
