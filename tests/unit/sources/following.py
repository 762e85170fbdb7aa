"""Real followers of fake logs, for tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctmonitor.ct.entry import Leaves, LogEntry
from ctmonitor.ct.loglist import parse_log_list
from ctmonitor.ct.merkle import CompactRange
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.limit import Limit
from ctmonitor.net.route import Route
from ctmonitor.sources.evidence import Evidence
from ctmonitor.sources.fleet import Fleet
from ctmonitor.sources.follower import Follower, LogStatus, Manner, Pace
from ctmonitor.sources.logclient import LogClient
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.logreader import LogReader
from ctmonitor.sources.rfc6962 import RFC6962Log
from ctmonitor.sources.start import Start
from ctmonitor.sources.tiled import TiledLog
from tests.fakes.log import FakeLog
from tests.fakes.logentries import many_entries
from tests.fakes.logserver import Front, LogServer

BEGINNING = Start(None)
# Nothing waits for long, and nothing is given up early.
QUICK = Pace(
    poll_s=0.02,
    partial_s=0.02,
    alarm_s=0.0,
    retry_first_s=0.02,
    retry_most_s=0.1,
    stale_s=0.3,
    doubt_first_s=0.02,
    bad_after_s=0.3,
    bad_poll_s=0.1,
)


def manner(
    start: Start = BEGINNING,
    *,
    once: bool = True,
    evidence: Path | None = None,
    pace: Pace = QUICK,
    **more: Any,
) -> Manner:
    return Manner(start, pace, Evidence(evidence), once, **more)


KINDS = ("tiled", "rfc6962")


def log_of(size: int, name: str = "one.example/2026", **how: Any) -> FakeLog:
    """A log that shows a head of `size` entries."""
    return FakeLog(name, many_entries(size), **how)


def front_of(log: FakeLog, kind: str = "tiled", name: str = "0", **how: Any) -> Front:
    """Its front end, for a client of one of `KINDS`."""
    return Front(log, name, is_tiled=kind == "tiled", **how)


def listed(server: LogServer) -> list[Log]:
    """The server's logs, as a client learns of them."""
    return list(parse_log_list(server.log_list()).logs)


def reader_of(address: str, fetcher: Fetcher, timeout_s: float = 3.0) -> LogReader:
    """Eight requests at once, and hardly a pause between attempts."""
    return LogReader(fetcher, Limit(8, 4, draw=lambda: 0.0), address, timeout_s, 0.01)


def client_of(
    log: Log, fetcher: Fetcher, timeout_s: float = 3.0, **options: Any
) -> LogClient:
    """The client of its kind."""
    reader = reader_of(log.address, fetcher, timeout_s)
    if log.is_tiled:
        return TiledLog(log, reader, **options)
    if log.tiles_url:
        options["tiles"] = reader_of(log.tiles_url, fetcher, timeout_s)
    return RFC6962Log(log, reader, **options)


def head_of(log: FakeLog, size: int | None = None) -> TreeHead:
    """What a client made of a head of this size, the last by default."""
    size = log.size if size is None else size
    at_ms = min(head.timestamp_ms for head in log.heads)
    return TreeHead(size, log.tree.root(size), at_ms)


def cursor_at(
    log: FakeLog, position: int, size: int | None = None, *, nodes: bool = True
) -> LogCursor:
    """Where an earlier run stopped, under an earlier head of `size`."""
    compact = CompactRange()
    compact.append_hashes(log.tree.leaf_hashes[:position])
    return LogCursor(position, head_of(log, size), compact.nodes if nodes else None)


@dataclass
class Collected:
    """What a follower handed on: each entry by its index, and the last cursor."""

    entries: dict[int, LogEntry] = field(default_factory=dict)
    cursor: LogCursor | None = None
    handed: list[tuple[int, int]] = field(default_factory=list)  # start, end

    async def take(self, log: Log, leaves: Leaves | None, at: LogCursor) -> None:
        if leaves is not None:
            if self.handed:
                assert leaves.start == self.handed[-1][1], "out of order"
            assert at.position == leaves.start + len(leaves)
            self.handed.append((leaves.start, leaves.start + len(leaves)))
            for number in range(len(leaves)):
                entry = leaves.entry(number)
                assert entry.index not in self.entries, "an entry came twice"
                self.entries[entry.index] = entry
        # As the store keeps it: text.
        self.cursor = LogCursor.parse(at.cursor(log).position)

    def assert_true(self, log: FakeLog, start: int = 0, end: int | None = None) -> None:
        """These entries and no others, as the log signed them."""
        end = log.size if end is None else end
        assert sorted(self.entries) == list(range(start, end))
        self.assert_not_false(log)

    def assert_not_false(self, log: FakeLog) -> None:
        """Nothing but entries of the log."""
        for index, entry in self.entries.items():
            assert entry.leaf_input == log.leaf_input(index), f"entry {index}"


def follow_once(
    log: Log,
    at: LogCursor | None = None,
    how: Manner | None = None,
    **options: Any,
) -> tuple[Collected, Follower, bool]:
    """Read `log` to the head that it shows; with what was read, the follower, and
    whether it got there."""

    async def run() -> tuple[Collected, Follower, bool]:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            collected = Collected()
            follower = Follower(
                log,
                client_of(log, fetcher, **options),
                at,
                collected.take,
                how or manner(),
            )
            async with asyncio.timeout(30):
                done = await follower.run()
            return collected, follower, done

    return asyncio.run(run())


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for what another task brings about."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  a server in another thread
            await asyncio.sleep(0.01)


def follow_while(
    log: Log,
    script: Callable[[Collected, Follower], Awaitable[None]],
    at: LogCursor | None = None,
    how: Manner | None = None,
    **options: Any,
) -> tuple[Collected, Follower]:
    """Follow `log` until `script` ends."""

    async def run() -> tuple[Collected, Follower]:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            collected = Collected()
            follower = Follower(
                log,
                client_of(log, fetcher, **options),
                at,
                collected.take,
                how or manner(once=False),
            )
            async with asyncio.TaskGroup() as group:
                task = group.create_task(follower.run())
                await script(collected, follower)
                task.cancel()
            return collected, follower

    return asyncio.run(run())


@dataclass
class Watched:
    """A fleet at work, and what each log handed on; logs by their fronts."""

    fleet: Fleet
    collected: dict[str, Collected] = field(default_factory=dict)

    def of(self, front: Front) -> Collected:
        return self.collected.setdefault(front.log.origin, Collected())

    def status(self, front: Front) -> LogStatus:
        return next(
            status
            for status in self.fleet.status()
            if status.log.name == front.log.origin
        )

    async def read(self, front: Front) -> None:
        """Until all that its head covers was handed on."""
        await until(lambda: len(self.of(front).entries) >= front.log.size)


@asynccontextmanager
async def watching(
    server: LogServer,
    how: Manner | None = None,
    resume: Mapping[str, LogCursor] | None = None,
    *,
    refresh_s: float = 3600.0,
    **options: Any,
) -> AsyncIterator[Watched]:
    """All logs of the server, followed by a fleet as the server lists them."""

    async def logs() -> list[Log]:
        return listed(server)

    async def take(log: Log, leaves: Leaves | None, at: LogCursor) -> None:
        await watched.collected.setdefault(log.name, Collected()).take(log, leaves, at)

    async with Fetcher(Route(use_environment=False), "test") as fetcher:
        watched = Watched(
            Fleet(
                logs,
                lambda log, _: client_of(log, fetcher, **options),
                resume or {},
                take,
                how or manner(once=False),
                refresh_s,
            )
        )
        task = asyncio.ensure_future(watched.fleet.run())
        try:
            await until(lambda: len(watched.fleet.status()) == len(server.fronts))
            yield watched
        finally:
            task.cancel()
            await asyncio.wait({task})
        assert task.cancelled(), task.exception()
