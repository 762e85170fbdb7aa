"""The logs as a source: batches whose cursors are true, and an end that comes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Batch
from ctmonitor.model.log import Log
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.route import Route
from ctmonitor.rules.prefilter import Prefilter
from ctmonitor.sources import gathering
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.follower import Condition, Manner
from ctmonitor.sources.logcursor import LogCursor, cursor_name
from ctmonitor.sources.logs import LogsSource
from tests.fakes.log import FakeLog
from tests.fakes.logentries import badly_framed, many_entries
from tests.fakes.logserver import LogServer
from tests.unit.sources.following import (
    KINDS,
    client_of,
    front_of,
    listed,
    log_of,
    manner,
    until,
)

both = pytest.mark.parametrize("kind", KINDS)


def run(
    server: LogServer,
    script: Callable[[LogsSource], Awaitable[None]],
    how: Manner | None = None,
    resume: Mapping[str, LogCursor] | None = None,
    *,
    filtered_by: Scanner | None = None,
    failure: Exception | None = None,
) -> None:
    async def logs() -> Sequence[Log]:
        if failure is not None:
            raise failure
        return listed(server)

    async def bounded() -> None:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            source = LogsSource(
                logs,
                lambda log, _: client_of(log, fetcher),
                resume or {},
                how or manner(),
                filtered_by,
            )
            async with asyncio.timeout(20):
                await script(source)
            others = asyncio.all_tasks() - {asyncio.current_task()}
            assert not others, "something was left running"

    asyncio.run(bounded())


def positions(batches: list[Batch], server: LogServer) -> dict[str, int]:
    """By the names of logs, what the last cursors say."""
    names = {cursor_name(log): log.name for log in listed(server)}
    found = {}
    for batch in batches:
        if batch.cursor is not None:
            at = LogCursor.parse(batch.cursor.position)
            found[names[batch.cursor.source]] = at.position
    return found


@both
def test_with_once_all_logs_are_read_and_the_source_ends(kind: str) -> None:
    fronts = [
        front_of(log_of(600), kind),
        front_of(log_of(300, "two.example/2026"), kind, "1"),
    ]
    batches: list[Batch] = []

    async def script(source: LogsSource) -> None:
        batches.extend([batch async for batch in source.batches()])
        assert source.given_up() == []
        assert {each.condition for each in source.status()} == {Condition.FINISHED}

    with LogServer(*fronts) as server:
        run(server, script)
        assert positions(batches, server) == {
            "one.example/2026": 600,
            "two.example/2026": 300,
        }
    assert sum(batch.counts.messages for batch in batches) == 900
    indexes = [
        (each.log_name, each.index) for batch in batches for each in batch.sightings
    ]
    assert len(indexes) == len(set(indexes)) == 900


@both
def test_only_what_the_prefilter_wants_is_a_sighting(kind: str) -> None:
    """And all entries are counted, the malformed ones named."""
    log = FakeLog("one.example/2026", has_leaf_index=False)
    log.add(many_entries(500, hits=[["login.victim.example"]]))
    if kind == "rfc6962":
        log.add(badly_framed().values())
    batches: list[Batch] = []

    async def script(source: LogsSource) -> None:
        batches.extend([batch async for batch in source.batches()])

    with LogServer(front_of(log, kind)) as server:
        run(server, script, filtered_by=Prefilter([b"victim"]))
    (sighting,) = [each for batch in batches for each in batch.sightings]
    assert sighting.names == ("login.victim.example",)
    assert sum(batch.counts.messages for batch in batches) == log.size
    broken = [each.index for batch in batches for each in batch.malformed_entries]
    assert sorted(broken) == list(range(500, log.size))


@pytest.mark.parametrize("when", ["before", "at once", "while waiting", "between"])
def test_it_can_be_stopped_at_any_time(when: str) -> None:
    """Signals come when they like, also before the first step of a task."""
    log = log_of(600)

    async def script(source: LogsSource) -> None:
        loop = asyncio.get_running_loop()
        if when == "before":
            source.stop()
        elif when == "at once":
            loop.call_soon(source.stop)
        elif when == "while waiting":
            loop.call_later(0.6, source.stop)
        batches = []
        async for batch in source.batches():
            batches.append(batch)
            if when == "between":
                source.stop()
        assert bool(batches) is (when in ("while waiting", "between"))

    with LogServer(front_of(log)) as server:
        run(server, script, manner(once=False))


def test_a_consumer_that_leaves_leaves_nothing_running() -> None:
    async def script(source: LogsSource) -> None:
        batches = source.batches()
        async for _ in batches:
            break
        await batches.aclose()  # type: ignore[attr-defined]  # it is a generator

    with LogServer(front_of(log_of(600))) as server:
        run(server, script, manner(once=False))


def test_a_consumer_that_is_cancelled_ends() -> None:
    async def script(source: LogsSource) -> None:
        async def consume() -> None:
            async for _ in source.batches():
                await asyncio.sleep(60)

        task = asyncio.ensure_future(consume())
        await until(lambda: bool(source.status()))
        await asyncio.sleep(0.4)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    with LogServer(front_of(log_of(600))) as server:
        run(server, script, manner(once=False))


def test_without_a_log_list_once_ends_with_the_reason() -> None:
    async def script(source: LogsSource) -> None:
        with pytest.raises(SourceError, match=r"^no answer"):
            await anext(source.batches())

    with LogServer(front_of(log_of(1))) as server:
        run(server, script, failure=SourceError("no answer"))


@both
def test_stopped_anywhere_and_started_again_every_entry_comes_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after kill -9: what was not taken is not in the cursor either (L2)."""
    monkeypatch.setattr(gathering, "_MOST_ENTRIES", 500)
    log = log_of(3000)
    resume: dict[str, LogCursor] = {}
    seen: list[int] = []

    async def script(source: LogsSource) -> None:
        taken = 0
        batches: Any = source.batches()
        async for batch in batches:
            assert batch.cursor is not None
            resume[batch.cursor.source] = LogCursor.parse(batch.cursor.position)
            seen.extend(each.index or 0 for each in batch.sightings)
            taken += 1
            if taken == 3:
                break
        await batches.aclose()

    with LogServer(front_of(log, kind)) as server:
        for _ in range(20):
            run(server, script, resume=resume)
            if len(seen) == 3000:
                break
    assert seen == list(range(3000))


def test_a_prefilter_can_be_changed_between_two_batches() -> None:
    log = log_of(300)
    front = front_of(log)
    hits: list[tuple[str, ...]] = []

    async def script(source: LogsSource) -> None:
        total = 0
        async for batch in source.batches():
            hits.extend(each.names for each in batch.sightings)
            total += batch.counts.messages
            if total == 300 and not hits:
                source.use(Prefilter([b"victim"]))
                log.add(many_entries(300, hits=[["login.victim.example"]]))
            if total == 600:
                source.stop()

    with LogServer(front) as server:
        run(server, script, manner(once=False), filtered_by=Prefilter([b"nobody"]))
    assert hits == [("login.victim.example",)]
