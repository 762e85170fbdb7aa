"""Batches of several logs: when they are taken, and what a slow consumer costs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from ctmonitor.model.batch import Batch, Cursor, Malformed, Sighting
from ctmonitor.sources import gathering as module
from ctmonitor.sources.gathering import Gathering

SIGHTING = Sighting(("a.example",), "https://log.example/")


class Log:
    """Puts runs of entries, each with the cursor behind it."""

    def __init__(self, gathering: Gathering, key: str = "log:one") -> None:
        self.gathering, self.key, self.position = gathering, key, 0

    async def put(self, entries: int, sightings: int = 0) -> None:
        cursor = Cursor(self.key, str(self.position + entries))
        hits = (SIGHTING,) * sightings
        await self.gathering.put(self.key, entries, sightings, hits, (), lambda: cursor)
        self.position += entries


def run(script: Callable[[Gathering, Log], Awaitable[None]]) -> None:
    async def bounded() -> None:
        gathering = Gathering()
        async with asyncio.timeout(10):
            await script(gathering, Log(gathering))

    asyncio.run(bounded())


async def rest(gathering: Gathering) -> list[Batch]:
    gathering.finish()
    batches = []
    while (batch := await gathering.take()) is not None:
        batches.append(batch)
    return batches


def test_many_entries_or_sightings_are_taken_at_once_and_few_soon() -> None:
    async def script(gathering: Gathering, log: Log) -> None:
        for entries, sightings in ((9000, 0), (300, 250), (3, 1)):
            await log.put(entries, sightings)
            batch = await gathering.take()
            assert batch is not None
            assert (batch.counts.messages, len(batch.sightings)) == (entries, sightings)
            assert batch.counts.candidates == sightings
            assert batch.cursor == Cursor(log.key, str(log.position))

    run(script)


def test_runs_of_one_log_are_one_batch_and_of_two_logs_two() -> None:
    async def script(gathering: Gathering, log: Log) -> None:
        other = Log(gathering, "log:two")
        for _ in range(5):
            await log.put(10, 1)
            await other.put(20)
        first, second = await rest(gathering)
        assert (first.counts.messages, first.cursor) == (50, Cursor("log:one", "50"))
        assert (second.counts.messages, second.cursor) == (
            100,
            Cursor("log:two", "100"),
        )
        assert len(first.sightings) == 5
        assert await gathering.take() is None

    run(script)


def test_malformed_entries_are_counted_shown_and_handed_on() -> None:
    async def script(gathering: Gathering, log: Log) -> None:
        broken = tuple(Malformed("https://l/", n, f"kind {n % 2}") for n in range(7))
        cursor = Cursor("log:one", "10")
        await gathering.put("log:one", 10, 0, (), broken, lambda: cursor)
        (batch,) = await rest(gathering)
        assert batch.malformed_entries == broken
        assert batch.counts.malformed == Counter({"kind 0": 4, "kind 1": 3})
        assert batch.samples == tuple(
            f"kind {n % 2}: https://l/ index {n}" for n in range(3)
        )

    run(script)


def test_a_slow_consumer_holds_the_logs_back_and_loses_nothing() -> None:
    async def script(gathering: Gathering, log: Log) -> None:
        logs = [log, *(Log(gathering, f"log:{n}") for n in range(5))]
        total = 0

        async def fill(one: Log) -> None:
            for _ in range(200):
                await one.put(256)

        tasks = [asyncio.ensure_future(fill(one)) for one in logs]
        await asyncio.sleep(0.05)
        held = sum(one.position for one in logs)
        assert module._MOST_ENTRIES <= held < module._MOST_ENTRIES + 256
        seen = {one.key: 0 for one in logs}
        while total < 6 * 200 * 256:
            batch = await gathering.take()
            assert batch is not None
            assert batch.cursor is not None
            total += batch.counts.messages
            seen[batch.cursor.source] += batch.counts.messages
            # The cursor stands behind what was handed on, never further.
            assert int(batch.cursor.position) == seen[batch.cursor.source]
        await asyncio.gather(*tasks)
        assert await rest(gathering) == []

    run(script)


def test_a_few_sightings_of_many_names_hold_the_logs_back_too() -> None:
    async def script(gathering: Gathering, log: Log) -> None:
        names = tuple(f"{n}.example" for n in range(module._MOST_NAMES))
        large = Sighting(names, SIGHTING.feed)
        cursor = Cursor("log:other", "1")
        await gathering.put("log:other", 1, 1, (large,), (), lambda: cursor)
        waiting = asyncio.ensure_future(log.put(1, 1))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        batch = await gathering.take()
        assert batch is not None
        assert batch.sightings == (large,)
        await waiting
        (batch,) = await rest(gathering)
        assert batch.sightings == (SIGHTING,)

    run(script)


def test_who_is_cancelled_while_he_waits_for_room_has_added_nothing() -> None:
    """Else the same entries would come again, as his position has not moved."""

    async def script(gathering: Gathering, log: Log) -> None:
        await log.put(module._MOST_ENTRIES)
        waiting = asyncio.ensure_future(log.put(256))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting})
        (batch,) = await rest(gathering)
        assert batch.counts.messages == log.position == module._MOST_ENTRIES

    run(script)


def test_the_end_wakes_a_consumer_that_waits() -> None:
    async def script(gathering: Gathering, log: Log) -> None:
        waiting = asyncio.ensure_future(gathering.take())
        await asyncio.sleep(0.01)
        gathering.finish()
        assert await waiting is None

    run(script)
