"""
scanhost.py: visits the hosts that are due, and tells who came up.

A first SIGTERM or SIGINT ends the run in order: no more visits, what is finished is
stored and told, leases are given back, exit code 0. A second one ends it at once.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from ctmonitor.alerts.heartbeat import send_heartbeat
from ctmonitor.alerts.record import alert_record
from ctmonitor.alerts.text import trial_message
from ctmonitor.cli import console, databases, logs, scanning
from ctmonitor.cli.forgetting import forget_old
from ctmonitor.cli.routes import connect_proxy
from ctmonitor.cli.visitlines import VisitLines
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError, StoreError, StoreUnavailable
from ctmonitor.followup.followup import Book, FollowUp, Summary
from ctmonitor.followup.telling import Telling
from ctmonitor.model.clock import from_utc_text, now_utc
from ctmonitor.model.finding import HostDetail
from ctmonitor.model.followup import DueHost, HostState, Visit
from ctmonitor.model.name import host_of
from ctmonitor.model.site import SiteReport
from ctmonitor.net.files import raise_file_limit
from ctmonitor.net.route import Proxy

if TYPE_CHECKING:
    from ctmonitor.store.followups import FollowUps
    from ctmonitor.store.memory import Borrowed
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
_LAST_FLUSH_S = 10.0  # of a run that was stopped
_LEASE_S = 900.0  # of a host that is named on the command line
_EXTEND_EVERY_S = 60.0
_MOST_REASONS = 20


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 complete, 1 failed in part, 2 nothing was started."""
    _open_streams()
    return console.run(NAME, lambda: _main(_options(argv)))


def _open_streams() -> None:
    """
    Puts `/dev/null` where the caller has closed a standard stream.

    Else the database would be opened as standard output, and Python has no stream.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number: the closed one
            setattr(sys, name, os.fdopen(opened, mode, closefd=False))


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of hosts, 1 or more")
    return number


def _host(text: str) -> str:
    if not host_of(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a host")
    return text


_APART = (
    ("notify_test", ("flush", "host", "all", "dry_run", "limit", "json")),
    ("flush", ("host", "all", "dry_run", "limit")),
    ("host", ("all", "limit")),
    ("store", ("dry_run",)),
)


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
    parser.add_argument(
        "--host", type=_host, metavar="NAME", help="visit this host alone"
    )
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
    for one, others in _APART:
        for other in others:
            if getattr(options, one) and getattr(options, other):
                both = f"--{one} and --{other}".replace("_", "-")
                parser.error(f"{both} do not go together")
    return options


def _main(options: argparse.Namespace) -> int:
    config = console.configuration(options, needs_source=False)
    logs.configure(config, verbose=options.verbose)
    way = connect_proxy(config)
    if options.notify_test:
        return scanning.run(_notify_test(config, way))
    if way is not None and not options.flush:
        console.complain(
            f"note: visits go through {way}, which resolves names: nothing is asked of "
            "name servers, and only literal addresses and redirects are guarded"
        )
    with ExitStack() as stack:
        if options.host and not options.store:
            host, known, memory = _remembered(config, options.host, stack)
            book = _Aside(host)
            return scanning.run(_visit_one(config, way, options, book, known, memory))
        try:
            # First what creates nothing: a database that is missing stays missing.
            reader = stack.enter_context(databases.reader(config))
            store = stack.enter_context(databases.store(config))
        except StoreError as exc:
            raise ConfigError(str(exc)) from exc
        run = _Run(config, options, way, store, reader)
        return scanning.run(run.until_end())


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


def _remembered(
    config: Config, pasted: str, stack: ExitStack
) -> "tuple[DueHost, dict[str, HostDetail], Borrowed]":
    """
    A host that may be stored, to be visited; what is known of it; what was looked up.

    Without a database that can be read, nothing is known.
    """
    name = host_of(pasted)
    known: dict[str, HostDetail] = {}
    from ctmonitor.store.memory import Borrowed

    memory = Borrowed(None)
    try:
        reader = stack.enter_context(databases.reader(config))
        memory = reader.memory()
        # The old program may have stored the name as it was pasted.
        for detail in reader.named([pasted, name]):
            known[name] = detail
    except StoreError as exc:
        is_away = isinstance(exc, StoreUnavailable)
        level = logging.WARNING if is_away else logging.DEBUG
        log.log(level, "nothing is known of %s before its visit: %s", name, exc)
    row = known[name].host if known else None
    host = DueHost(
        domain=name,
        fingerprint=row.fingerprint if row else "",
        first_seen=from_utc_text(row.first_seen) if row else None,
        still_investig=row.still_investig if row else None,
        state=HostState(),
    )
    return host, known, memory


async def _visit_one(
    config: Config,
    way: Proxy | None,
    options: argparse.Namespace,
    book: "_Aside",
    known: Mapping[str, HostDetail],
    memory: "Borrowed",
) -> int:
    """Visits a host and looks up what an alert would tell; nothing is stored."""
    lines = VisitLines(as_json=options.json)
    with scanning.client(config, way) as client:
        enrichers = scanning.enrichers(config, way, client, memory)
        async with scanning.visitor(config, way) as visitor:
            followup = FollowUp(
                visitor,
                enrichers,
                book,
                scanning.schedule(config),
                Telling(record=alert_record, details=lambda hosts: known),
                lines.report,
                owner=scanning.owner(),
                visit_s=config.scan_host_timeout,
            )
            summary = await followup.run()
    for alert in book.alerts:
        lines.evidence(alert)
    problems = [*summary.failures, *filter(None, [lines.problem])]
    for problem in problems:
        console.complain(f"{NAME}: {problem}")
    return console.FAILED if problems else console.DONE


class _Unwritten:
    """The book of a dry run: hosts are leased, and given back as they were."""

    def __init__(self, book: "FollowUps") -> None:
        self.claim = book.claim
        self.release = book.release
        self._extend = book.extend
        self._extended = now_utc()

    def finish(self, visits: Sequence[Visit], owner: str) -> list[str]:
        # Without its lease a host that was visited would be handed out once more.
        now = now_utc()
        if now - self._extended > timedelta(seconds=_EXTEND_EVERY_S):
            self._extended = now
            self._extend(owner, now + timedelta(seconds=_LEASE_S))
        return []


def _no_record(*_: object) -> Mapping[str, Any]:
    return {}


def _no_details(hosts: Sequence[str]) -> Mapping[str, HostDetail]:
    return {}


class _Just:
    """A book that holds one host."""

    def __init__(self, host: DueHost, book: "FollowUps") -> None:
        self._host: list[DueHost] = [host]
        self.finish = book.finish
        self.release = book.release

    def claim(self, *_: object) -> list[DueHost]:
        hosts, self._host = self._host, []
        return hosts


class _Aside:
    """A book of one host, in which nothing is written."""

    def __init__(self, host: DueHost) -> None:
        self._hosts = [host]
        self.alerts: list[Mapping[str, Any]] = []  # that would be told

    def claim(self, *_: object) -> list[DueHost]:
        hosts, self._hosts = self._hosts, []
        return hosts

    def finish(self, visits: Sequence[Visit], owner: str) -> list[str]:
        self.alerts += [visit.record for visit in visits if visit.record]
        return []

    def release(self, owner: str) -> None:
        """Nobody else waits for the host."""


class _Run:
    """One run over hosts that are due, or over the alerts that wait."""

    def __init__(
        self,
        config: Config,
        options: argparse.Namespace,
        way: Proxy | None,
        store: "Store",
        reader: "Reader",
    ) -> None:
        self._config = config
        self._options = options
        self._way = way
        self._store = store
        self._reader = reader
        self._owner = scanning.owner()
        self._lines = VisitLines(as_json=options.json)
        self._stopped = asyncio.Event()
        self._reasons: dict[str, None] = {}  # why the run is not complete; in order
        self._store_problem = ""  # of the last flush
        self._sender = scanning.sender(
            config,
            store.outbox(),
            way,
            self._owner,
            self._lines.file,
            fqdn_dirs=options.fqdn_dirs,
        )

    async def until_end(self) -> int:
        """The exit code of the run."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, partial(self._stop, number))
        if self._options.flush:
            outbox = self._store.outbox()
            # Whoever flushes has mended what was wrong, and does not want to wait.
            await asyncio.to_thread(outbox.hasten, now_utc())
            await self._deliver(wait=True)
            if waiting := await asyncio.to_thread(outbox.pending):
                self._fail(f"alerts that wait for their next attempt: {waiting}")
        else:
            await self._visit_due()
        for reason in (self._store_problem, self._lines.problem):
            if reason:
                self._fail(reason)
        for reason in self._reasons:
            console.complain(f"{NAME}: {reason}")
        return console.FAILED if self._reasons else console.DONE

    def _stop(self, number: signal.Signals) -> None:
        """Asks for an end in order; the next signal of either kind ends at once."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        console.complain(f"{NAME}: {number.name}, ending; once more to end at once")
        self._stopped.set()

    def _fail(self, reason: str) -> None:
        if len(self._reasons) < _MOST_REASONS:  # the log has all
            self._reasons[reason] = None

    # Visits

    async def _visit_due(self) -> None:
        config, options = self._config, self._options
        started = now_utc()
        # Whatever a setting names is opened before anything is written.
        with scanning.client(config, self._way) as client:
            memory = self._store.memory()
            enrichers = scanning.enrichers(config, self._way, client, memory)
            async with scanning.visitor(config, self._way) as visitor:
                book = self._book(started)
                telling = scanning.telling(config, self._reader)
                if options.dry_run:  # nobody reads what would be told
                    telling = replace(telling, record=_no_record, details=_no_details)
                self._lines.head()
                with self._progress(started) as on_report:
                    followup = FollowUp(
                        visitor,
                        enrichers,
                        book,
                        scanning.schedule(config),
                        telling,
                        on_report,
                        owner=self._owner,
                        concurrency=raise_file_limit(config.scan_concurrency),
                        visit_s=config.scan_host_timeout,
                    )
                    summary = await self._followed(followup, started)
            if not options.dry_run:
                await asyncio.to_thread(self._forget, started)
            console.complain(str(summary))
            for failure in summary.failures:
                self._fail(failure)
            is_whole = not (options.dry_run or options.host or self._stopped.is_set())
            is_good = not (self._reasons or self._store_problem)
            if is_whole and is_good and config.heartbeat_url:
                await send_heartbeat(client, config.heartbeat_url)

    def _book(self, started: datetime) -> Book:
        """Where hosts come from and visits go to; hosts that are too old are ended."""
        hosts = self._store.followups()
        if self._options.dry_run:
            return _Unwritten(hosts)
        if self._options.host:
            pasted = self._options.host
            # The old program may have stored the name as it was pasted.
            for name in dict.fromkeys((host_of(pasted), pasted)):
                host = hosts.claim_host(name, started, _LEASE_S, self._owner)
                if host is not None:
                    return _Just(host, hosts)
            raise ConfigError(
                f"{host_of(pasted)!r} is not stored, or another scanner visits it now. "
                "Without --store any host can be visited."
            )
        days = self._config.alert_monitor_timelapse
        if ended := hosts.stop_old(started, days):
            log.info("hosts that are no longer followed: %d", len(ended))
        return hosts

    def _forget(self, now: datetime) -> None:
        """Removes what is older than the settings want, once a day."""
        try:
            forget_old(self._store, self._config.keep_days, now)
        except StoreError as exc:
            self._fail(f"what is old was not removed: {exc}")

    async def _followed(self, followup: FollowUp, started: datetime) -> Summary:
        """Visits; a host that comes up is told while others are still visited."""
        config, options = self._config, self._options
        has_visited = asyncio.Event()

        async def stop() -> None:
            await self._stopped.wait()
            followup.stop()

        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(stop())
            if not options.dry_run:
                group.create_task(self._keep_flushing(has_visited))
            try:
                await followup.run(
                    started=started if options.all else None,
                    limit=options.limit,
                    run_timeout_s=config.scan_run_timeout or None,
                )
            except StoreError as exc:
                self._fail(str(exc))
            finally:
                has_visited.set()
                stopping.cancel()
        return followup.summary

    @contextmanager
    def _progress(self, started: datetime) -> Iterator[Callable[[SiteReport], None]]:
        """What is told of each visit; prints it, and moves a bar on a terminal."""
        options = self._options
        if not sys.stderr.isatty() or options.json or options.host:
            yield self._lines.report
            return
        # Here, since a run out of cron would load it for nothing.
        from ctmonitor.cli.progress import progress_bar

        when = started if options.all else None
        total = self._store.followups().due_count(started, when)
        with progress_bar(min(total, options.limit or total)) as advance:

            def on_report(report: SiteReport) -> None:
                self._lines.report(report)
                advance()

            yield on_report

    # Alerts

    async def _keep_flushing(self, has_visited: asyncio.Event) -> None:
        while not has_visited.is_set():
            try:
                await asyncio.wait_for(has_visited.wait(), _FLUSH_EVERY_S)
            except TimeoutError:
                await self._deliver(wait=False)
        await self._deliver(wait=True)

    async def _deliver(self, *, wait: bool) -> None:
        """
        Delivers all that is due.

        A run that was stopped does so for some seconds; the next run does the rest.

        Args:
            wait: for the end of a minute that has had its messages.
        """
        flushing = asyncio.ensure_future(self._flush(wait=wait))
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait(
                {flushing, stopping}, return_when=asyncio.FIRST_COMPLETED
            )
            if not flushing.done():
                await asyncio.wait({flushing}, timeout=_LAST_FLUSH_S)
        finally:
            for task in (flushing, stopping):
                task.cancel()
            await asyncio.gather(flushing, stopping, return_exceptions=True)
        if not flushing.cancelled() and (exc := flushing.exception()) is not None:
            raise exc

    async def _flush(self, *, wait: bool) -> None:
        try:
            flushed = await self._sender.flush(wait=wait)
        except StoreError as exc:
            self._store_problem = f"alerts wait in the outbox: {exc}"
            return
        self._store_problem = ""
        for problem in flushed.problems:
            self._fail(problem)
