"""scanhost.py: visits the hosts that are due, and tells who came up."""

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import hues
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from ctmonitor.alerts.heartbeat import send_heartbeat
from ctmonitor.alerts.outbox import Flushed, Sender
from ctmonitor.alerts.text import trial_message
from ctmonitor.cli import assemble, console, logs, scanning
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError, StoreError
from ctmonitor.followup.followup import Book, FollowUp, Summary
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.followup import DueHost, Visit
from ctmonitor.model.name import host_of
from ctmonitor.model.site import Presence, SiteReport
from ctmonitor.model.text import printable
from ctmonitor.net.client import Client
from ctmonitor.net.files import raise_file_limit
from ctmonitor.net.route import Proxy
from ctmonitor.store.queries import Reader
from ctmonitor.store.store import Store

NAME = "scanhost.py"
log = logging.getLogger(__name__)

_EXAMPLES = (
    "scanhost.py -c conf/example.conf                  visit what is due (for cron)",
    "scanhost.py -c conf/example.conf --all            visit every followed host now",
    "scanhost.py -c conf/example.conf --host login-paypal.com   one host, not stored",
    "scanhost.py -c conf/example.conf --notify-test    a test message to each channel",
)
_FLUSH_EVERY_S = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 complete, 1 failed in part, 2 nothing was started."""
    return console.run(NAME, lambda: _main(_options(argv)))


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hosts, 1 or more")
    return number


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = console.parser(
        NAME, "Visit found hosts, and tell when one answers.", _EXAMPLES
    )
    parser.add_argument(
        "-f",
        "--fqdn-dirs",
        action="store_true",
        help="put each JSON alert into directories by its host's labels",
    )
    parser.add_argument("--host", metavar="NAME", help="visit this host alone")
    parser.add_argument(
        "--store", action="store_true", help="with --host: store and tell as usual"
    )
    parser.add_argument(
        "--all", action="store_true", help="visit every followed host, due or not"
    )
    parser.add_argument("--limit", type=_count, metavar="N", help="visit N at most")
    parser.add_argument(
        "--dry-run", action="store_true", help="visit and print, store and tell nothing"
    )
    parser.add_argument(
        "--json", action="store_true", help="print reports as JSON, one a line"
    )
    parser.add_argument(
        "--flush", action="store_true", help="deliver waiting alerts, visit nothing"
    )
    parser.add_argument(
        "--notify-test", action="store_true", help="send a test message, visit nothing"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="tell more, on standard error"
    )
    options = parser.parse_args(argv)
    if options.store and not options.host:
        parser.error("--store goes with --host")
    return options


def _main(options: argparse.Namespace) -> int:
    config = console.configuration(options, needs_source=False)
    logs.configure(config, verbose=options.verbose)
    way = scanning.proxy(config)
    if options.notify_test:
        return asyncio.run(_notify_test(config, way))
    if options.host and not options.store:
        return asyncio.run(_visit_one(config, way, options))
    with ExitStack() as stack:
        try:
            store = stack.enter_context(assemble.store(config))
            reader = stack.enter_context(assemble.reader(config))
        except StoreError as exc:
            raise ConfigError(str(exc)) from exc
        run = _Run(config, options, way, store, reader)
        return asyncio.run(run.until_end())


async def _notify_test(config: Config, way: Proxy | None) -> int:
    notifier = scanning.notifier(config, way)
    indexes: list[int | None] = list(range(notifier.count))
    if notifier.has_fallback:
        indexes.append(None)
    if not indexes:
        raise ConfigError(
            f"{config.path}: [REPORTING] Notification_Destination is empty, so there "
            "is nothing to test. Give an address of Apprise."
        )
    code = console.DONE
    for index in indexes:
        outcome = await notifier.send(index, trial_message())
        said = f": {outcome.detail}" if outcome.detail else ""
        print(f"{notifier.name(index)}: {'sent' if outcome.is_ok else 'FAILED'}{said}")
        code = code if outcome.is_ok else console.FAILED
    return code


async def _visit_one(
    config: Config, way: Proxy | None, options: argparse.Namespace
) -> int:
    lines = _Lines(as_json=options.json)
    async with scanning.visitor(config, way) as visitor:
        lines.report(await visitor.visit(host_of(options.host)))
    return console.DONE


class _Lines:
    """What a person, or a program with --json, reads of visits."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._is_terminal = sys.stdout.isatty()

    def head(self) -> None:
        if not self._as_json:
            print("Test all domains in DB for Internet Presence:")
            print("*" * 45)

    def report(self, report: SiteReport) -> None:
        if self._as_json:
            print(json.dumps(_plain(asdict(report)), ensure_ascii=False), flush=True)
            return
        if report.presence is Presence.UP and report.page is not None:
            self._status("SUCCESS", f"HTTP {report.page.status} - {report.host}")
            return
        words = report.error or report.reason or "no answer"
        self._status("ERROR", printable(f"https://{report.visited} - {words}"))

    def _status(self, kind: str, text: str) -> None:
        if self._is_terminal:
            (hues.success if kind == "SUCCESS" else hues.error)(text)
        else:
            now = time.strftime("%H:%M:%S")
            print(f"{now} - {kind} - {text}", flush=True)

    def file(self, path: Path, alert: Mapping[str, Any]) -> None:
        if not self._as_json:
            print(f"Creating {printable(str(path))} : {dict(alert)}", flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{utc_text(value)}Z"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


class _Unwritten:
    """The book of a dry run: hosts are leased, and given back as they were."""

    def __init__(self, book: Book) -> None:
        self.claim = book.claim
        self.release = book.release

    def finish(self, visits: Sequence[Visit], owner: str) -> list[str]:
        return []


class _Just:
    """A book that holds one host."""

    def __init__(self, host: DueHost, book: Book) -> None:
        self._host: list[DueHost] = [host]
        self.finish = book.finish
        self.release = book.release

    def claim(self, *_: object) -> list[DueHost]:
        hosts, self._host = self._host, []
        return hosts


class _Run:
    """One run over hosts that are due."""

    def __init__(
        self,
        config: Config,
        options: argparse.Namespace,
        way: Proxy | None,
        store: Store,
        reader: Reader,
    ) -> None:
        self._config = config
        self._options = options
        self._way = way
        self._store = store
        self._reader = reader
        self._owner = scanning.owner()
        self._lines = _Lines(as_json=options.json)
        self._done = asyncio.Event()
        self._failures: list[str] = []
        self._sender = scanning.sender(
            config,
            store.outbox(),
            way,
            self._owner,
            self._lines.file,
            fqdn_dirs=options.fqdn_dirs,
        )

    async def until_end(self) -> int:
        with scanning.client(self._config, self._way) as client:
            if self._options.flush:
                await self._flush(wait=True)
                return self._code()
            self._lines.head()
            summary = await self._follow(client)
            console.complain(str(summary))
            self._failures += summary.failures
            if not self._failures and self._config.heartbeat_url:
                await send_heartbeat(client, self._config.heartbeat_url)
        return self._code()

    def _code(self) -> int:
        for failure in self._failures:
            console.complain(f"{NAME}: {failure}")
        return console.FAILED if self._failures else console.DONE

    def _book(self, started: datetime) -> Book:
        book: Book = self._store.followups()
        if self._options.dry_run:
            book = _Unwritten(book)
        if self._options.host:
            name = host_of(self._options.host)
            host = self._store.followups().claim_host(name, started, 600.0, self._owner)
            if host is None:
                raise ConfigError(
                    f"{name!r} is not stored, or another scanner visits it now. "
                    "Without --store any host can be visited."
                )
            book = _Just(host, book)
        return book

    async def _follow(self, client: Client) -> Summary:
        config, options = self._config, self._options
        started = now_utc()
        if not options.dry_run:
            stopped = self._store.followups().stop_old(
                started, config.alert_monitor_timelapse
            )
            if stopped:
                log.info("%d hosts are no longer followed", len(stopped))
        book = self._book(started)
        concurrency = raise_file_limit(config.scan_concurrency)
        memory = self._store.memory()
        async with scanning.visitor(config, self._way) as visitor:
            with self._progress(started) as advance:

                def on_report(report: SiteReport) -> None:
                    self._lines.report(report)
                    advance()

                followup = FollowUp(
                    visitor,
                    scanning.enrichers(config, self._way, client, memory),
                    book,
                    scanning.schedule(config),
                    scanning.telling(config, self._reader),
                    on_report,
                    owner=self._owner,
                    concurrency=concurrency,
                    visit_s=config.scan_host_timeout,
                )
                loop = asyncio.get_running_loop()
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.add_signal_handler(number, followup.stop)
                flushing = asyncio.ensure_future(self._keep_flushing())
                try:
                    summary = await followup.run(
                        started=started if options.all else None,
                        limit=options.limit,
                        run_timeout_s=config.scan_run_timeout or None,
                    )
                finally:
                    self._done.set()
                    await flushing
        return summary

    @contextmanager
    def _progress(self, started: datetime) -> Iterator[Callable[[], None]]:
        if not sys.stderr.isatty() or self._options.json or self._options.host:
            yield lambda: None
            return
        when = started if self._options.all else None
        total = self._store.followups().due_count(started, when)
        bar = Progress(
            "visiting",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        with bar:
            task = bar.add_task("", total=min(total, self._options.limit or total))
            yield lambda: bar.advance(task)

    async def _keep_flushing(self) -> None:
        """A host that comes up is told while others are still visited."""
        if self._options.dry_run:
            return
        while not self._done.is_set():
            await scanning.pause(_FLUSH_EVERY_S, self._done)
            await self._flush(wait=False)
        await self._flush(wait=True)

    async def _flush(self, *, wait: bool) -> None:
        try:
            flushed = await _sent(self._sender, wait=wait)
        except StoreError as exc:
            self._failures.append(f"alerts wait in the outbox: {exc}")
            return
        for problem in flushed.problems:
            if problem not in self._failures:
                self._failures.append(problem)


async def _sent(sender: Sender, *, wait: bool) -> Flushed:
    return await sender.flush(wait=wait)
