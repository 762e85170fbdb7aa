"""Streams of fake logs, for tests."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ctmonitor.stream import Entry, LogMonitor
from tests.fakes.log import FakeLog
from tests.fakes.logentries import FakeEntry, many_entries
from tests.fakes.logserver import Front, LogServer

T = TypeVar("T")

ONE, TWO = "one.example/2026", "two.example/2026"


def log_of(size: int, name: str = ONE, **how: Any) -> FakeLog:
    """A log of `size` entries, two of each certificate."""
    return FakeLog(name, many_entries(size), **how)


def log_with(entries: list[FakeEntry], name: str = ONE, **how: Any) -> FakeLog:
    return FakeLog(name, entries, **how)


def rfc6962(log: FakeLog, name: str = "1") -> Front:
    """Its front end for the older protocol."""
    return Front(log, name, is_tiled=False)


@contextmanager
def serving(folder: Path, *logs: FakeLog | Front) -> Iterator[tuple[LogServer, str]]:
    """The server, and the path of its log list."""
    with LogServer(*logs) as server:
        path = folder / "logs.json"
        path.write_bytes(server.log_list())
        yield server, str(path)


def within(work: Awaitable[T], timeout_s: float = 30.0) -> T:
    """What `work` gives, in an event loop of its own."""

    async def run() -> T:
        async with asyncio.timeout(timeout_s):
            return await work

    return asyncio.run(run())


def all_of(listed: str, **how: Any) -> list[Entry]:
    """Every entry of the logs, from their beginning to their present end."""
    how = {"start": "beginning", "once": True, "log_list": listed} | how

    async def read() -> list[Entry]:
        async with LogMonitor(**how) as monitor:
            return [entry async for entry in monitor]

    return within(read())


def places(entries: list[Entry]) -> list[tuple[str, int]]:
    """Log and index of each, in order."""
    return sorted((entry.log_name, entry.index) for entry in entries)


async def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait for what another task brings about."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  figures set no event
            await asyncio.sleep(0.01)
