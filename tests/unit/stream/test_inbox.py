"""The queue is bounded, in order, and ends."""

import asyncio
import base64
import json

from ctmonitor.ct.leaf import EntriesLeaves
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.stream.inbox import Inbox, Run
from tests.unit.stream.streaming import within

LOG = Log(b"\1" * 32, b"key", "a log", "operator", "https://log.example/")
HEAD = TreeHead(9, b"r" * 32, 1)


def run_of(count: int) -> Run:
    return Run(LOG, None, count, LogCursor(count, HEAD))


def test_runs_are_taken_in_order_until_the_end() -> None:
    async def work() -> None:
        inbox = Inbox(100)
        runs = [run_of(n) for n in (3, 0, 5)]
        for each in runs:
            await inbox.put(each)
        assert inbox.waiting == 8
        inbox.finish()
        assert [await inbox.take() for _ in range(4)] == [*runs, None]
        assert inbox.waiting == 0

    within(work())


def test_who_puts_waits_while_there_are_too_many() -> None:
    async def work() -> None:
        inbox = Inbox(10)
        await inbox.put(run_of(10))
        waiting = [asyncio.ensure_future(inbox.put(run_of(4))) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert [each.done() for each in waiting] == [False, False]
        await inbox.take()
        await asyncio.wait_for(asyncio.gather(*waiting), 5)
        assert inbox.waiting == 8

    within(work())


def test_who_is_cancelled_while_he_waits_has_added_nothing() -> None:
    """A reader whose next request fails is cancelled there, and reads again."""

    async def work() -> None:
        inbox = Inbox(10)
        first = run_of(10)
        await inbox.put(first)
        waiting = asyncio.ensure_future(inbox.put(run_of(4)))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        inbox.finish()
        assert [await inbox.take() for _ in range(2)] == [first, None]

    within(work())


def test_who_puts_waits_while_the_few_entries_are_large() -> None:
    async def work() -> None:
        leaf_input = base64.b64encode(b"short").decode()
        entry = {"leaf_input": leaf_input, "extra_data": "A" * 4000}
        body = json.dumps({"entries": [entry]}).encode()
        leaves = EntriesLeaves.parse(body, 0, 1)
        large = Run(LOG, leaves, 1, LogCursor(1, HEAD))
        inbox = Inbox(10, most_bytes=4000)
        await inbox.put(large)
        waiting = asyncio.ensure_future(inbox.put(large))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await inbox.take()
        await asyncio.wait_for(waiting, 5)

    within(work())


def test_who_takes_waits_for_news() -> None:
    async def work() -> None:
        inbox = Inbox(10)
        taking = asyncio.ensure_future(inbox.take())
        await asyncio.sleep(0.01)
        assert not taking.done()
        await inbox.put(run_of(1))
        assert (await asyncio.wait_for(taking, 5)) is not None

    within(work())


def test_a_run_of_large_certificates_is_taken_in_parts() -> None:
    """Readers have their turn between two, however much a hostile log sends."""
    large = b"c" * 300_000
    leaf_input = bytes(12) + len(large).to_bytes(3, "big") + large + b"\0\0"
    answer = {"leaf_input": base64.b64encode(leaf_input).decode(), "extra_data": ""}
    body = json.dumps({"entries": [answer] * 10}).encode()
    leaves = EntriesLeaves.parse(body, 5, 10)

    async def work() -> None:
        inbox = Inbox(100)
        await inbox.put(Run(LOG, leaves, 9, LogCursor(14, HEAD)))
        assert inbox.waiting == 9
        inbox.finish()
        place = 5
        counts = []
        while (run := await inbox.take()) is not None:
            assert run.leaves is not None
            assert run.leaves.start == place
            place += run.count
            counts.append(run.count)
            assert run.cursor(run.count) == LogCursor(place, HEAD)
        assert counts == [4, 4, 1]
        assert inbox.waiting == 0

    within(work())
