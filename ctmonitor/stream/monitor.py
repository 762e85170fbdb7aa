"""
All certificates of all logs, for a Python program.

    async with LogMonitor(match=r"paypal") as monitor:
        async for entry in monitor:
            print(entry.log_name, entry.domains)

Entries come as soon as they are proven to lie under their log's signed head. A program
that takes them slowly holds the logs back: nothing grows, and nothing is dropped.
"""

import asyncio
import inspect
import logging
import time
from collections import defaultdict
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ctmonitor.ct.entry import Leaves
from ctmonitor.ct.loglist import LOG_LIST_URL
from ctmonitor.errors import ConfigError, FormatError, SourceError, StoreError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.log import Log
from ctmonitor.model.verdict import Outcome
from ctmonitor.net.route import Proxy, Route
from ctmonitor.net.useragent import NO_CONTACT, user_agent
from ctmonitor.rules.pattern import check
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.entryscreen import LEAF_MARKS, ODD_NAMES, candidates
from ctmonitor.sources.evidence import Evidence
from ctmonitor.sources.fleet import Fleet
from ctmonitor.sources.follower import Follower, LogStatus, Manner, Pace
from ctmonitor.sources.logclients import LogClients
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.loglist import KeptList
from ctmonitor.sources.logselection import describe, select, unfinished
from ctmonitor.sources.start import Start
from ctmonitor.stream import state as states
from ctmonitor.stream.entry import Entry, read_entry
from ctmonitor.stream.inbox import Inbox, Run
from ctmonitor.stream.stats import LogTally, Stats, log_stats

log = logging.getLogger(__name__)

_SAVE_EVERY_S = 10.0
# A stream that is to end does not wait for a cache to forget what contradicts.
_ONCE_DOUBT_S = 2.0
_TOLD_OF_A_LOG = 20  # malformed entries, each in a line

Callback = Callable[[Entry], Awaitable[object] | object]


class _EndOfSpan(Exception):
    """All entries that were asked for are there."""


class LogMonitor:
    """
    A stream of entries; an async context manager, and in it an async iterator.

    For one task at a time. Used once: it cannot be entered again.
    """

    def __init__(
        self,
        *,
        log_list: str | Path = LOG_LIST_URL,
        log_list_key: str = "",
        logs: Sequence[str] = (),
        exclude: Sequence[str] = (),
        start: str | int | Start = "tip",
        span: tuple[int, int | None] | None = None,
        once: bool = False,
        state: str | Path | Mapping[str, Any] | None = None,
        match: str | RuleSet | None = None,
        callback: Callback | None = None,
        verify: bool = True,
        max_requests: int = 8,
        max_requests_operator: int = 24,
        poll_seconds: float = 15.0,
        retries: int = 4,
        contact: str = "",
        proxy: str = "",
        ca_file: str = "",
        route: Route | None = None,
        cache_dir: Path | None = None,
        evidence_dir: Path | None = None,
        queue_entries: int = 10_000,
    ) -> None:
        """
        Args:
            log_list: address or path of a log list v3.
            log_list_key: PEM of the key that signs it; empty: the built-in one for
                the built-in address, and no check for others.
            logs, exclude: patterns as in `[SOURCES] Logs`.
            start: where logs begin of which `state` knows nothing: `tip`, `beginning`,
                a number of entries back, or a date.
            span: from and to (None: the present end) of the one log that `logs`
                leaves; half-open. The stream ends when they were read.
            once: end when every log was read to the head that it showed first.
            state: what `state()` gave, or a file of it. A file is made when it is not
                there, and written every ten seconds and at the end. Not with `span`.
            match: a regular expression, without regard to case, or a rule set: only
                entries come of which it finds a name.
            callback: for `run`.
            verify: False believes logs what they serve; signatures of heads are
                checked all the same.
            max_requests: at the same time to one log; max_requests_operator: to all
                logs of one operator.
            poll_seconds: between two looks at a log that has nothing new.
            retries: with `once` or `span`, attempts in a row before a log is given up.
            contact: for the User-Agent, so that operators can write to you.
            proxy: `http://`, `socks5://` or `socks5h://`; empty for the environment's.
            ca_file: PEM file of the only authorities to be trusted.
            route: instead of the two before.
            cache_dir: where the last good log list is kept.
            evidence_dir: where it is kept what a log served that contradicts itself.
            queue_entries: that may wait to be taken, 1 or more.

        Raises:
            ConfigError: an argument cannot be used; every problem is told.
        """
        self._match = _ruleset(match)
        self._scanner = None
        if self._match is not None:
            self._scanner = self._match.prefilter(LEAF_MARKS, ODD_NAMES)
        try:
            begin = start if isinstance(start, Start) else Start.parse(str(start))
            begin.check(now_utc())
        except ValueError as exc:
            raise ConfigError(f"start: {exc}.") from exc
        if span is not None and not 0 <= span[0] <= (
            span[0] if span[1] is None else span[1]
        ):
            raise ConfigError(f"No log has entries from {span[0]} to {span[1]}.")
        if span is not None and state is not None:
            raise ConfigError("state does not go with span, which has its own begin.")
        if min(max_requests, max_requests_operator, retries, queue_entries) < 1:
            raise ConfigError("Numbers of requests, retries and entries begin at 1.")
        self._span = span
        self._source = str(log_list)
        self._key_pem = log_list_key
        self._cache_dir = cache_dir
        self._include = tuple(logs)
        self._exclude = tuple(exclude)
        self._state_path = Path(state) if isinstance(state, str | Path) else None
        self._given_state = state if isinstance(state, Mapping) else None
        self._callback = callback
        ends = once or span is not None
        pace = Pace(poll_s=poll_seconds)
        if ends:
            pace = Pace(poll_s=poll_seconds, doubt_first_s=_ONCE_DOUBT_S)
        self._manner = Manner(
            begin,
            pace,
            Evidence(evidence_dir),
            ends,
            retries,
        )
        if route is None:
            route = Route(Proxy.from_url(proxy) if proxy else None, ca_file)
        if route.ca_file:
            _ = route.tls  # a bad file is told now and not at the first connection
        self._has_contact = bool(contact)
        self._clients = LogClients(
            route,
            user_agent(contact),
            verify=verify,
            max_requests=max_requests,
            max_requests_operator=max_requests_operator,
        )
        self._inbox = Inbox(queue_entries)
        self._fleet: Fleet | None = None
        self._follower: Follower | None = None  # of a span
        self._reading: asyncio.Future[None] | None = None
        self._known: dict[str, states.Document] = {}  # by log id, as they were loaded
        self._positions: dict[str, tuple[Log, LogCursor]] = {}  # by log id
        self._tallies: defaultdict[str, LogTally] = defaultdict(LogTally)
        self._callback_errors = 0
        self._told_notes: frozenset[str] = frozenset()
        self._has_listed = False
        self._run: Run | None = None  # that is being handed out
        self._entries: Iterator[Entry] = iter(())
        self._handed = 0  # entries of `_run`
        self._saved_s = time.monotonic()

    async def __aenter__(self) -> Self:
        """
        Start reading.

        Raises:
            ConfigError: the state cannot be used, or its file not be written.
        """
        if self._reading is not None:
            raise RuntimeError("a LogMonitor is used once")
        given = self._given_state
        if self._state_path is not None:
            given = states.load(self._state_path, now_utc())
        if given is not None:
            try:
                self._known, problems = states.parse(given)
            except FormatError as exc:
                raise ConfigError(f"The given state cannot be used: {exc}.") from exc
            for problem in problems:
                log.warning("state: %s; it is begun as without it", problem)
        try:
            # A path that cannot be written is told before anything is read.
            self.save()
        except StoreError as exc:
            raise ConfigError(str(exc)) from exc
        if not self._has_contact:
            log.warning(
                "no contact is given: %s. Give an e-mail address or web page.",
                NO_CONTACT,
            )
        keeper = self._clients.keeper(
            self._source, self._key_pem or None, self._cache_dir
        )

        async def chosen() -> Sequence[Log]:
            return self._chosen(await keeper.current())

        if self._span is None:
            self._fleet = Fleet(
                chosen,
                self._clients.client_of,
                states.cursors(self._known),
                self._take,
                self._manner,
            )
            work = self._fleet.run()
        else:
            work = self._read_span(self._span, chosen)
        # Not a TaskGroup: it would have to be left in the task that entered it.
        self._reading = asyncio.ensure_future(self._read(work))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if (reading := self._reading) is not None:
                reading.cancel()
                # Not awaited itself: its cancellation is not that of the caller.
                await asyncio.wait({reading})
                if not reading.cancelled():
                    reading.exception()  # was told to who iterated
        finally:
            await self._clients.close()
            if exc is not None and self._handed:
                # The entry at hand was perhaps not dealt with: twice rather than never.
                self._handed -= 1
            self.save()

    # For programs that take entries

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        """
        The next entry.

        Raises:
            ConfigError: no log is left by the patterns, or the log has no such span.
            SourceError: with `once` or `span`, the log list cannot be had.
        """
        while True:
            for entry in self._entries:
                return entry
            if self._run is not None:
                self.finish(self._run)
            self._run = await self.take()
            if self._run is None:
                raise StopAsyncIteration
            self._entries = self._handing_out(self._run)

    async def run(self, callback: Callback | None = None) -> None:
        """
        Call `callback` with each entry, until the stream ends.

        A plain function is called in the event loop, so it must not take long; an
        async one is awaited before the next entry is taken. What it raises is logged
        and counted, and the stream goes on.
        """
        call = callback or self._callback
        if call is None:
            raise TypeError("run() needs a callback")
        async for entry in self:
            try:
                answer = call(entry)
                if inspect.isawaitable(answer):
                    await answer
            except Exception:  # whatever it is: the stream is not its fault
                self._callback_errors += 1
                log.exception(
                    "the callback failed for entry %d of log %s",
                    entry.index,
                    entry.log_name,
                )

    def state(self) -> dict[str, Any]:
        """
        Where the stream stands in each log, for JSON; see `states`.

        It is true for the entries that were handed out, the last one included.
        """
        logs = dict(self._known)
        for log_id, (log_, at) in self._positions.items():
            logs[log_id] = states.entry_of(log_, at)
        run = self._run
        if run is not None and self._handed:
            at = run.cursor(self._handed)
            logs[run.log.log_id.hex()] = states.entry_of(run.log, at)
        return states.document(logs, now_utc())

    def stats(self) -> Stats:
        """Figures of this moment."""
        return Stats(
            tuple(
                log_stats(status, self._position(status), self._tally(status.log))
                for status in self._status()
            ),
            self._callback_errors,
            self._inbox.waiting,
        )

    def given_up(self) -> list[LogStatus]:
        """With `once`: the logs that could not be read to their end."""
        return [] if self._fleet is None else self._fleet.given_up()

    # For those that take whole runs: `ctstream.py`

    async def take(self) -> Run | None:
        """
        The next run of entries; None at the end. `finish` tells that it was dealt with.

        Raises:
            ConfigError, SourceError: see `__anext__`.
        """
        if self._reading is None:
            raise RuntimeError("a LogMonitor is entered by `async with` first")
        await asyncio.sleep(0)  # the readers have their turn, however much waits
        run = await self._inbox.take()
        if run is None:
            await self._reading
        return run

    def finish(self, run: Run, handed: int | None = None) -> None:
        """
        The first `handed` entries of `run` were dealt with (None: all of them).

        `state` tells it from now on, and its file in the next ten seconds.
        """
        handed = run.count if handed is None else handed
        self._positions[run.log.log_id.hex()] = run.log, run.cursor(handed)
        self._tally(run.log).add(handed)
        if run is self._run:
            self._run, self._handed = None, 0
        now_s = time.monotonic()
        if self._state_path is not None and now_s - self._saved_s >= _SAVE_EVERY_S:
            self._saved_s = now_s
            try:
                self.save()
            except StoreError as exc:
                # What is not saved comes again after a restart; a full disk may have
                # room until then.
                log.error("%s It is tried again.", exc)

    def save(self) -> None:
        """
        Write `state()` to the file that was named, if one was.

        Raises:
            StoreError: it cannot be written.
        """
        if self._state_path is not None:
            states.save(self._state_path, self.state())

    def entries(self, run: Run) -> Iterator[tuple[int, Entry]]:
        """
        The entries of a run that match, each with its number in it.

        Those of which something cannot be read are told and counted on the way.
        """
        leaves = run.leaves
        if leaves is None:
            return
        numbers: Iterable[int] = range(run.count)
        if self._scanner is not None:
            numbers = candidates(leaves, self._scanner)
            self._note_framing(run, numbers)
        for number in numbers:
            if number >= run.count:
                return
            entry = read_entry(run.log, leaves, number)
            if entry.malformed:
                self.note_malformed(run.log, entry.index, entry.malformed)
            if self._match is None or any(map(self.matches, entry.domains)):
                yield number, entry

    def matches(self, name: str) -> bool:
        """Whether `match` finds this name; True without `match`."""
        if self._match is None:
            return True
        return self._match.judge_name(name).outcome is Outcome.MATCH

    @property
    def is_filtered(self) -> bool:
        """Whether there is a `match`."""
        return self._match is not None

    def note_malformed(self, log_: Log, index: int, why: str) -> None:
        """Count an entry of which something cannot be read, and tell the first ones."""
        tally = self._tally(log_)
        tally.malformed += 1
        if tally.told < _TOLD_OF_A_LOG:
            tally.told += 1
            log.warning("log %s: entry %d is malformed: %s", log_.name, index, why)
            if tally.told == _TOLD_OF_A_LOG:
                log.warning("log %s: further ones are only counted", log_.name)

    def _note_framing(self, run: Run, picked: Collection[int]) -> None:
        """Entries with a broken framing are told even when no rule points at them."""
        assert run.leaves is not None  # noqa: S101  entries() has looked
        for number, why in run.leaves.malformed.items():
            if number < run.count and number not in picked:
                self.note_malformed(run.log, run.leaves.start + number, why)

    def _handing_out(self, run: Run) -> Iterator[Entry]:
        for number, entry in self.entries(run):
            self._handed = number + 1
            yield entry

    # The task that reads

    async def _read(self, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            self._inbox.finish()

    async def _take(self, log_: Log, leaves: Leaves | None, at: LogCursor) -> None:
        count = 0 if leaves is None else len(leaves)
        await self._inbox.put(Run(log_, leaves, count, at))

    async def _read_span(
        self,
        span: tuple[int, int | None],
        chosen: Callable[[], Awaitable[Sequence[Log]]],
    ) -> None:
        logs = await chosen()
        if len(logs) != 1:
            names = ", ".join(one.name for one in logs[:10])
            raise ConfigError(
                f"Indexes belong to one log, and {len(logs)} are chosen: {names}."
            )
        start, end = span

        async def take(log_: Log, leaves: Leaves | None, at: LogCursor) -> None:
            if leaves is None:
                return
            count = len(leaves) if end is None else min(len(leaves), end - leaves.start)
            reached = leaves.start + count
            after = at if count == len(leaves) else LogCursor(reached, at.head)
            await self._inbox.put(Run(log_, leaves, count, after))
            if reached == end:
                raise _EndOfSpan

        if start == end:
            return
        client = self._clients.client_of(logs[0], 1)
        self._follower = Follower(logs[0], client, LogCursor(start), take, self._manner)
        with suppress(_EndOfSpan):
            is_read = await self._follower.run()
            status = self._follower.status
            if not is_read:
                raise SourceError(f"log {status.log.name}: {status.last_error}")
            if end is not None or start > (status.head_size or 0):
                raise SourceError(
                    f"log {status.log.name} has {status.head_size} entries: there are "
                    f"none up to {start if end is None else end}"
                )

    # The logs

    def _chosen(self, kept: KeptList) -> Sequence[Log]:
        now = now_utc()
        backlogs = {each.log.log_id: each.backlog for each in self._status()}
        stored = states.cursors(self._known)
        selection = select(
            kept.list.logs,
            self._include,
            self._exclude,
            now=now,
            unfinished=unfinished(kept.list.logs, backlogs, stored),
        )
        for note in sorted(set(kept.notes) - self._told_notes):
            log.warning("%s", note)
        self._told_notes = frozenset(kept.notes)
        if not self._has_listed:
            for line in describe(selection, kept.list.left_out):
                log.info("%s", line)
            unmatched = ", ".join(map(repr, selection.unmatched))
            if not selection.chosen:
                meant = f": none is meant by {unmatched}" if unmatched else ""
                raise ConfigError(f"No log of {self._source} is to be read{meant}.")
            if unmatched:
                log.warning("no log of the list is meant by %s", unmatched)
            self._note_gone({one.log_id.hex() for one in kept.list.logs})
            self._has_listed = True
        return selection.chosen

    def _note_gone(self, listed: Collection[str]) -> None:
        gone = [
            str(told.get("name") or log_id)
            for log_id, told in self._known.items()
            if log_id not in listed
        ]
        if gone:
            log.warning(
                "the state names logs that the list does not name any more; their "
                "positions are kept: %s",
                ", ".join(gone),
            )

    def _status(self) -> list[LogStatus]:
        if self._fleet is not None:
            return self._fleet.status()
        return [] if self._follower is None else [self._follower.status]

    def _tally(self, log_: Log) -> LogTally:
        return self._tallies[log_.log_id.hex()]

    def _position(self, status: LogStatus) -> int | None:
        log_id = status.log.log_id.hex()
        run = self._run
        if run is not None and self._handed and run.log.log_id == status.log.log_id:
            return run.cursor(self._handed).position
        if log_id in self._positions:
            return self._positions[log_id][1].position
        told = self._known.get(log_id)
        return None if told is None else int(told["next"])


def _ruleset(match: str | RuleSet | None) -> RuleSet | None:
    if match is None or isinstance(match, RuleSet):
        return match
    try:
        check(match)
    except FormatError as exc:
        raise ConfigError(f"match: {match!r} is no regular expression: {exc}.") from exc
    return RuleSet(Rules(match))
