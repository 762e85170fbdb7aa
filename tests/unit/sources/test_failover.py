"""Feed and logs side by side, and the logs in the place of a feed that is gone."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Batch, Counts, Cursor
from ctmonitor.net.route import Route
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.both import BothSources
from ctmonitor.sources.certstream import CertstreamSource, Feed
from ctmonitor.sources.failover import FailoverSource
from tests.fakes import feed as fakes
from tests.fakes.feed import FeedServer, Peer
from tests.unit.sources.collecting import Collected, collect, message


class Scripted:
    """A source that gives what it is told to, as a log or feed would."""

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name = name
        self.scanner: Scanner | None = None
        self.unreachable_since_s: float | None = None
        self.given = 0
        self.stored = 0  # batches after which the consumer came back
        self.was_left = False
        self.stops = 0
        self._fails = fails
        self._todo: asyncio.Queue[int | None] = asyncio.Queue()

    def put(self, *numbers: int) -> None:
        for number in numbers:
            self._todo.put_nowait(number)

    async def batches(self) -> AsyncIterator[Batch]:
        try:
            while (number := await self._todo.get()) is not None:
                self.given += 1
                yield Batch(
                    counts=Counts(messages=1), cursor=Cursor(self.name, str(number))
                )
                self.stored += 1
            if self._fails:
                raise SourceError(f"{self.name} failed")
        finally:
            self.was_left = True

    def use(self, scanner: Scanner | None) -> None:
        self.scanner = scanner

    def stop(self) -> None:
        self.stops += 1
        self._todo.put_nowait(None)


class AnyScanner:
    def ends(self, data: bytes) -> list[int]:
        return []


def positions(got: Collected) -> list[tuple[str, str]]:
    return [(cursor.source, cursor.position) for cursor in got.cursors]


def after(
    source: BothSources | FailoverSource, *steps: Callable[[Collected], bool]
) -> Collected:
    """Collects until each step in turn was true, then stops."""
    waiting = list(steps)

    def until(got: Collected) -> bool:
        while waiting and waiting[0](got):
            waiting.pop(0)
        return not waiting

    return collect(source, until)


# Both


def test_batches_of_both_come_each_in_their_order() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.put(1, 2, 3)
    two.put(1, 2, 3)
    got = after(BothSources(one, two), lambda got: len(got.batches) == 6)
    for name in ("one", "two"):
        mine = [position for source, position in positions(got) if source == name]
        assert mine == ["1", "2", "3"]
    assert (one.stops, two.stops) == (1, 1)
    assert one.was_left
    assert two.was_left


def test_a_source_goes_on_only_when_its_batch_was_stored() -> None:
    one, two = Scripted("one"), Scripted("two")

    async def run() -> None:
        both = BothSources(one, two)
        batches = both.batches()
        one.put(1, 2)
        assert (await anext(batches)).cursor == Cursor("one", "1")
        two.put(1)
        await asyncio.sleep(0.05)
        assert (one.given, one.stored) == (1, 0)
        second = {(await anext(batches)).cursor, (await anext(batches)).cursor}
        assert second == {Cursor("one", "2"), Cursor("two", "1")}
        assert one.stored == 1
        both.stop()
        with pytest.raises(StopAsyncIteration):
            await anext(batches)

    asyncio.run(run())


def test_a_source_that_ends_leaves_the_other_running() -> None:
    one, two = Scripted("one"), Scripted("two")

    def end_one(got: Collected) -> bool:
        one.stop()
        two.put(1)
        return True

    got = after(BothSources(one, two), end_one, lambda got: len(got.batches) == 1)
    assert positions(got) == [("two", "1")]


def test_a_failure_is_told_after_the_other_was_drained() -> None:
    one, two = Scripted("one", fails=True), Scripted("two")
    two.put(1, 2)
    one.stop()
    got = Collected()
    with pytest.raises(SourceError, match="one failed"):
        collect(BothSources(one, two), into=got)
    assert positions(got) == [("two", "1"), ("two", "2")]
    assert two.was_left


def test_a_consumer_that_leaves_closes_both() -> None:
    one, two = Scripted("one"), Scripted("two")
    one.put(1)

    async def run() -> None:
        batches = BothSources(one, two).batches()
        await anext(batches)
        await batches.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())
    assert one.was_left
    assert two.was_left


def test_both_filter_by_the_new_rules() -> None:
    one, two, scanner = Scripted("one"), Scripted("two"), AnyScanner()
    BothSources(one, two).use(scanner)
    assert one.scanner is scanner
    assert two.scanner is scanner


# Failover


class Logs:
    """Makes sources of logs, and remembers with what."""

    def __init__(self) -> None:
        self.made: list[Scripted] = []
        self.positions: list[dict[str, str]] = []
        self.scanners: list[Scanner | None] = []

    def __call__(
        self, positions: Mapping[str, str], scanner: Scanner | None
    ) -> Scripted:
        self.made.append(Scripted("log:1"))
        self.positions.append(dict(positions))
        self.scanners.append(scanner)
        return self.made[-1]


def test_the_logs_are_read_from_where_they_were_while_the_feed_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed, logs = Scripted("certstream"), Logs()
    source = FailoverSource(feed, logs, None, 0.1, back_s=0.1)
    feed.unreachable_since_s = time.monotonic()
    began_s = feed.unreachable_since_s
    scanner = AnyScanner()

    def first_logs(got: Collected) -> bool:
        if not logs.made:
            return False
        assert time.monotonic() - began_s >= 0.1
        logs.made[0].put(7)
        return True

    def feed_is_back(got: Collected) -> bool:
        if ("log:1", "7") not in positions(got):
            return False
        feed.unreachable_since_s = None
        feed.put(1)
        source.use(scanner)
        assert logs.made[0].scanner is scanner
        return True

    def gone_again(got: Collected) -> bool:
        if not logs.made[0].was_left:
            return False
        feed.unreachable_since_s = time.monotonic()
        return True

    with caplog.at_level(logging.WARNING):
        got = after(
            source, first_logs, feed_is_back, gone_again, lambda got: len(logs.made) > 1
        )
    assert positions(got) == [("log:1", "7"), ("certstream", "1")]
    assert logs.positions == [{}, {"log:1": "7", "certstream": "1"}]
    assert logs.scanners == [None, scanner]
    assert [logs.made[0].stops, logs.made[1].stops, feed.stops] == [1, 1, 1]
    said = [record.getMessage().split(" ")[:2] for record in caplog.records]
    assert said == [["no", "feed"], ["the", "feed"], ["no", "feed"]]


def test_a_feed_that_is_back_for_a_moment_does_not_end_the_logs() -> None:
    feed, logs = Scripted("certstream"), Logs()
    source = FailoverSource(feed, logs, None, 0.05, back_s=0.5)
    feed.unreachable_since_s = time.monotonic()
    flaps = iter(range(40))  # 0.8 s

    def flapping(got: Collected) -> bool:
        if not logs.made:
            return False
        is_up = next(flaps, None)
        if is_up is None:
            return True
        feed.unreachable_since_s = time.monotonic() if is_up % 4 == 0 else None
        return False

    after(source, flapping)
    assert len(logs.made) == 1
    assert logs.made[0].stops == 1, "by the end, and not before"


def test_a_stop_begins_no_logs() -> None:
    feed, logs = Scripted("certstream"), Logs()
    feed.unreachable_since_s = time.monotonic() - 100
    source = FailoverSource(feed, logs, None, 0.05)
    source.stop()
    assert collect(source).batches == []
    assert logs.made == []


# The real feed's signal


def quick(*addresses: str, lived_s: float = 0.2) -> CertstreamSource:
    settings = Feed(
        addresses, first_pause_s=0.02, max_pause_s=0.05, lived_s=lived_s, stall_s=5
    )
    return CertstreamSource(settings, Route(timeout_s=5, use_environment=False), None)


def test_a_feed_that_refuses_is_unreachable_until_it_delivers() -> None:
    refusals = [fakes.refuse(503)] * 10
    with FeedServer(*refusals, fakes.serve([message(1)])) as server:
        source = quick(server.url)
        assert source.unreachable_since_s is None
        seen: list[float | None] = []

        def until(got: Collected) -> bool:
            seen.append(source.unreachable_since_s)
            return got.messages > 0 and seen[-1] is None

        collect(source, until, timeout_s=5)
    moments = {since_s for since_s in seen if since_s is not None}
    assert len(moments) == 1, "counted from the first refusal"


def test_connections_that_hardly_deliver_do_not_make_a_feed_reachable() -> None:
    brief = fakes.serve([message(1)], then="close")
    with FeedServer(fakes.refuse(503), brief) as server:
        source = quick(server.url, lived_s=30.0)
        seen: list[float | None] = []

        def until(got: Collected) -> bool:
            seen.append(source.unreachable_since_s)
            return got.messages >= 5

        collect(source, until)
    assert len({since_s for since_s in seen if since_s is not None}) == 1


def test_a_connection_that_lived_is_no_part_of_the_failure() -> None:
    def lived(peer: Peer) -> None:
        peer.handshake()
        peer.send_text(message(1))
        peer.wait(0.3)
        peer.send_text(message(2))
        peer.close()

    refused = [fakes.refuse(503)] * 5
    with FeedServer(*refused, lived, fakes.refuse(503)) as server:
        source = quick(server.url)
        seen: set[float] = set()

        def until(got: Collected) -> bool:
            if (since_s := source.unreachable_since_s) is not None:
                seen.add(since_s)
            return len(seen) == 2

        got = collect(source, until)
    assert got.messages == 2
    first_s, second_s = sorted(seen)
    assert second_s - first_s >= 0.3


def test_one_address_of_two_is_enough() -> None:
    with (
        FeedServer(fakes.refuse(503)) as broken,
        FeedServer(fakes.serve([message(1)])) as good,
    ):
        source = quick(broken.url, good.url)
        collect(source, lambda got: got.messages > 0)
        assert source.unreachable_since_s is None
