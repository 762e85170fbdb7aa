"""Runs of watchdomains.py: what is asked and told, printed, and put in a report."""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ctmonitor.cli import console, watching
from ctmonitor.cli.forgetting import forget_old
from ctmonitor.config import Config
from ctmonitor.errors import (
    Busy,
    ConfigError,
    CTMonitorError,
    StoreError,
    StoreUnavailable,
    Unreadable,
)
from ctmonitor.model.clock import now_utc
from ctmonitor.model.followup import OutboxItem
from ctmonitor.model.own import DomainState, OwnAlert, OwnSource, SharedState
from ctmonitor.model.text import shortened
from ctmonitor.net.useragent import NO_CONTACT
from ctmonitor.store.holder import this_process
from ctmonitor.watch import report, telling
from ctmonitor.watch.asking import Problem
from ctmonitor.watch.cycle import Cycle, Ended
from ctmonitor.watch.listing import listing
from ctmonitor.watch.squatting import Squatting

if TYPE_CHECKING:
    from ctmonitor.alerts.outbox import Sender
    from ctmonitor.store.ownstate import StateStore
    from ctmonitor.store.store import Store
    from ctmonitor.watch.lookup import Lookup
    from ctmonitor.watch.nameservers import NameServers

log = logging.getLogger(__name__)

_LEASE_S = 900.0  # of the state; renewed before each domain, and while it takes long
_RENEWALS = 3  # in a lease
_LAST_FLUSH_S = 10.0  # of a run that was stopped
# A run on typosquats lasts about so long, by the pause after each question.
_TYPOSQUATS_S = 1200.0
_ALL = 1_000_000
_TOLD_EVERY = 25  # typosquats
_NO_CAS = (
    "unauthorized_ca is off: no CA is authorised. Give [OWN] Authorised_CAs, --add-ca, "
    "or --auto-baseline once."
)
_SHARED = (
    "The CAs of --add-ca and --auto-baseline are in it: put a copy of it back, or "
    "remove it and authorise them anew."
)


class WatchRun:
    """
    Runs over the watched domains of the settings; to be made in the event loop.

    Args:
        resolves: whether name servers are asked, for sub-domains and CAA.
        typosquats: whether misspelt domains are looked for.
        auto_baseline: whether the CAs of what is valid now are authorised, by the first
            run that reads a domain.
        report_to: a file for the report of each run.
        form: `text`, `json` or `csv`: what is printed of alerts.
        owner: a name for this run, unlike any other's; empty: that of this process.

    Raises:
        ConfigError: settings or state cannot be used; nothing was asked.
    """

    def __init__(
        self,
        config: Config,
        *,
        timeout_s: float,
        resolves: bool = True,
        typosquats: bool = False,
        auto_baseline: bool = False,
        report_to: Path | None = None,
        form: str = "text",
        owner: str = "",
    ) -> None:
        self._config = config
        self._typosquats = typosquats
        self._to_authorise = set(config.own_domains if auto_baseline else ())
        self._report_to = report_to
        self._form = form
        # Whoever starts a run has mended what was wrong, and does not want to wait.
        self._hastens = True
        self._said: set[str] = set()  # notes that are printed once
        self._stopped = asyncio.Event()
        self._is_stopped = False
        self._owner = owner or this_process()
        watching.policy(config, SharedState())  # what is wrong with it is told now
        if report_to is not None:
            report.check_path(str(report_to))
        # What was opened is closed again when a setting further on cannot be used.
        with ExitStack() as opened:
            self._open(config, timeout_s, opened, resolves=resolves)
            self._opened = opened.pop_all()

    def _open(
        self, config: Config, timeout_s: float, opened: ExitStack, *, resolves: bool
    ) -> None:
        self._store: Store | None = watching.store(config)
        if self._store is not None:
            opened.callback(self._store.close)
        self._states: StateStore = watching.states(config, self._store)
        opened.callback(self._states.close)
        webhook_client = watching.webhook_client(config)
        opened.callback(webhook_client.close)
        self._sender: Sender = watching.sender(
            config, self._states, webhook_client, self._owner
        )
        is_stopped = self._has_stopped
        self._sources = watching.Sources(
            config,
            timeout_s,
            self._store,
            partial(watching.pause, stopped=is_stopped),
            is_stopped,
        )
        opened.callback(self._sources.close)
        self._lookup: Lookup | None = None
        self._servers: NameServers | None = None
        if resolves:
            self._lookup, self._servers, end = watching.name_servers(config)
            opened.callback(end)

    def close(self) -> None:
        """Ends connections; a second call does nothing."""
        self._opened.close()

    def stop(self) -> None:
        """Asks for an end in order."""
        self._is_stopped = True
        self._stopped.set()

    def _has_stopped(self) -> bool:
        return self._is_stopped

    async def once(self) -> int:
        """One run; the exit code."""
        self._say_before()
        return await self._run()

    async def ended_once(self, *, lease_s: float = _LEASE_S) -> Ended:
        """
        One run, of which nothing is printed.

        Args:
            lease_s: how long the state stays locked when this process dies.

        Raises:
            ConfigError: the state cannot be used; nothing was asked.
            Busy: another run is at work.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self._states.lock(self._owner, lease_s))
                shared = await asyncio.to_thread(self._states.shared)
            except Busy:
                raise
            except Unreadable as exc:
                raise ConfigError(f"{exc}. {_SHARED}") from exc
            except StoreError as exc:
                raise ConfigError(str(exc)) from exc
            cycle = self._cycle(shared)
            over = asyncio.Event()
            keeping = asyncio.ensure_future(self._keep_lock(lease_s, over))
            try:
                ended = await cycle.run(self._config.own_domains, self._deliver)
            finally:
                over.set()
                await keeping
        if not ended.authorities:
            ended.notes.append(_NO_CAS)
        if self._store is not None:
            days = self._config.keep_days
            try:
                await asyncio.to_thread(forget_old, self._store, days, now_utc())
            except StoreError as exc:
                why = f"what is old was not removed: {exc}"
                ended.problems.append(Problem("state", "", why))
        return ended

    async def _keep_lock(self, lease_s: float, over: asyncio.Event) -> None:
        """
        Keeps others out while one domain, its typosquats or messages take longer than
        a lease: what takes half an hour each time would else be lost each time.
        """
        while not over.is_set():
            try:
                await asyncio.wait_for(over.wait(), lease_s / _RENEWALS)
            except TimeoutError:
                try:
                    await asyncio.to_thread(self._states.renew)
                except Busy:
                    return  # whoever saves next is told so
                except StoreError as exc:
                    log.info("the lock was not renewed: %s", exc)

    async def until_stopped(self, interval_s: float) -> int:
        """
        Runs until `stop`; a failed one is made good by the next. The exit code.

        Raises:
            ConfigError: the first one could not use the state.
        """
        self._say_before()
        self._hastens = False
        has_run = False
        while not self._is_stopped:
            began = time.monotonic()
            try:
                await self._run()
                has_run = True
            except (ConfigError, StoreUnavailable) as exc:
                if isinstance(exc, ConfigError) and not has_run:
                    raise
                console.complain(f"{exc} The next run tries again.")
            left = interval_s - (time.monotonic() - began)
            try:
                await asyncio.wait_for(self._stopped.wait(), max(0.0, left))
            except TimeoutError:
                continue
        return console.DONE

    def _say_before(self) -> None:
        config = self._config
        if not config.contact:
            console.complain(f"note: [SOURCES] Contact is empty: {NO_CONTACT}")
        if self._servers is None:
            console.complain("note: sub-domains are not resolved, CAA is not checked")
        with suppress(StoreError):  # of which the run itself tells
            known = watching.policy(config, self._states.shared()).authorities
            if not (known or self._to_authorise):
                console.complain(f"note: {_NO_CAS}")
                self._said.add(_NO_CAS)

    async def _run(self) -> int:
        started = now_utc()
        try:
            ended = await self.ended_once()
        except Busy as exc:
            console.complain(f"another run is at work: {exc}")
            return console.FAILED
        await asyncio.to_thread(self._write_report, ended, started)
        self._print(ended, started)
        for note in dict.fromkeys(ended.notes):
            if note in self._said:
                continue
            console.complain(f"note: {shortened(note, 2000)}")
        for problem in ended.problems:
            console.complain(f"failed: {shortened(str(problem), 2000)}")
        return console.FAILED if ended.is_partial else console.DONE

    def _cycle(self, shared: SharedState) -> Cycle:
        return Cycle(
            self._states,
            shared,
            self._sources.asking(shared, self._states),
            partial(watching.policy, self._config),
            self._items,
            self._servers,
            self._squats(shared) if self._typosquats else None,
            to_authorise=self._to_authorise,
            now=now_utc,
            stopped=self._has_stopped,
        )

    def _squats(self, shared: SharedState) -> Squatting:
        from ctmonitor.watch.lookup import Lookup

        pause_s = self._config.own_crtsh_pause
        is_paced = OwnSource.CRTSH in self._config.own_source and pause_s > 0
        return Squatting(
            self._sources.typosquats(shared, self._states),
            self._lookup or Lookup(None),
            frozenset(self._config.own_domains),
            most=max(1, int(_TYPOSQUATS_S / pause_s)) if is_paced else _ALL,
            stopped=self._has_stopped,
            on_done=_say_typosquats,
            renew=self._states.renew,
        )

    def _items(self, alerts: Sequence[OwnAlert]) -> list[OutboxItem]:
        return telling.items(
            telling.messages(alerts),
            destinations=watching.destinations(self._config),
            webhook=bool(self._config.own_webhook),
            mail=self._config.own_email_to,
        )

    async def _deliver(self) -> list[Problem]:
        """Sends what waits; a run that was stopped does so for some seconds."""
        flushing = asyncio.ensure_future(self._flushed())
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait(
                {flushing, stopping}, return_when=asyncio.FIRST_COMPLETED
            )
            if not flushing.done():
                await asyncio.wait({flushing}, timeout=_LAST_FLUSH_S)
            if not flushing.done():
                return [Problem("telling", "", "it was stopped; the next run goes on")]
            flushed = flushing.result()
        except StoreError as exc:
            return [Problem("telling", "", f"messages wait in the outbox: {exc}")]
        finally:
            for task in (flushing, stopping):
                task.cancel()
            await asyncio.gather(flushing, stopping, return_exceptions=True)
        return [Problem("telling", "", reason) for reason in flushed]

    async def _flushed(self) -> list[str]:
        """Sends what waits; what failed, and how much of it waits longer."""
        box = self._states.box()
        if self._hastens:
            self._hastens = False
            await asyncio.to_thread(box.hasten, now_utc())
        flushed = await self._sender.flush()
        problems = list(flushed.problems)
        if waiting := await asyncio.to_thread(box.pending):
            problems.append(f"messages that wait for their next attempt: {waiting}")
        return problems

    # What people see

    def _print(self, ended: Ended, started: datetime) -> None:
        if self._form == "text":
            for domain, count in ended.counts.items():
                print(f"{domain}: {count}")
            for each in ended.authorised:
                where = f" for {each.domain}" if each.domain else ""
                print(f"authorised{where}: {shortened(each.organisation)}")
        print(
            listing(
                ended.alerts,
                self._form,
                started,
                domains={name: asdict(count) for name, count in ended.counts.items()},
                errors=[asdict(problem) for problem in ended.problems],
                notes=list(dict.fromkeys(ended.notes)),
                partial=ended.is_partial,
            ),
            end="",
            flush=True,
        )

    def _write_report(self, ended: Ended, started: datetime) -> None:
        if self._report_to is None:
            return
        states = []
        for domain in self._config.own_domains:
            try:
                states.append(self._states.load(domain) or DomainState(domain))
            except StoreError as exc:
                ended.problems.append(Problem("report", domain, str(exc)))
        facts = report.Facts(
            started=started,
            errors=[asdict(problem) for problem in ended.problems],
            notes=list(dict.fromkeys(ended.notes)),
            authorities=ended.authorities,
            own_keys=self._config.own_keys,
        )
        try:
            made = report.report(states, facts, now_utc())
            report.write(made, str(self._report_to))
        except CTMonitorError as exc:
            ended.problems.append(Problem("report", "", str(exc)))
            return
        console.complain(f"report: {self._report_to}")


def _say_typosquats(domain: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else "\r"
        print(f"typosquats of {domain}: {done} of {total}", end=end, file=sys.stderr)
    elif done % _TOLD_EVERY == 0 or done == total:
        console.complain(f"typosquats of {domain}: {done} of {total} asked for")
