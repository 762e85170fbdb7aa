"""The client of static logs: what it asks for, and what it takes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ctmonitor.ct.entry import Leaves
from ctmonitor.errors import IntegrityError, SourceError
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.route import Route
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.tiled import TiledLog
from tests.fakes.log import FakeLog
from tests.fakes.logentries import badly_filled, many_entries
from tests.fakes.logfaults import fault
from tests.fakes.logserver import Fault, Front, LogReply, LogServer
from tests.unit.sources.following import (
    follow_once,
    front_of,
    listed,
    log_of,
    reader_of,
)


def read(
    front: Front, position: int, end: int, *, requests: int = 10**9, **options: Any
) -> tuple[list[Leaves], LogCursor]:
    """Read [position, end) under the present head."""
    taken: list[Leaves] = []

    async def sink(leaves: Leaves, at: LogCursor) -> None:
        assert at.position == leaves.start + len(leaves)
        taken.append(leaves)

    def more() -> bool:
        nonlocal requests
        requests -= 1
        return requests >= 0

    async def run() -> LogCursor:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            (known,) = listed(server)
            client = TiledLog(known, reader_of(known.address, fetcher), **options)
            at = await client.adopt(await client.head(), LogCursor(position))
            return await client.read(at, end, more, sink)

    with LogServer(front) as server:
        return taken, asyncio.run(run())


@pytest.mark.parametrize(
    ("position", "end", "ranges"),
    [
        (0, 256, [(0, 256)]),
        (0, 600, [(0, 256), (256, 512), (512, 600)]),
        (255, 257, [(255, 256), (256, 512)]),  # to the end of a tile, as it is proven
        (256, 512, [(256, 512)]),
        (599, 600, [(599, 600)]),
    ],
)
def test_what_is_wanted_is_read_by_tiles(
    position: int, end: int, ranges: list[tuple[int, int]]
) -> None:
    taken, reached = read(front_of(log_of(600)), position, end)
    assert [(each.start, each.start + len(each)) for each in taken] == ranges
    assert reached.position == ranges[-1][1]


def test_reading_ends_early_where_it_is_told_to() -> None:
    taken, reached = read(front_of(log_of(600)), 0, 600, requests=1)
    assert [each.start for each in taken] == [0]
    assert reached.position == 256


@pytest.mark.parametrize("tile", ["data/001", r"data/002.p/88"])
def test_entries_before_one_that_contradicts_are_true(tile: str) -> None:
    front = front_of(log_of(600))
    front.faults = [fault("tile contradicts", where=tile)]
    with LogServer(front) as server:
        collected, follower, done = follow_once(listed(server)[0])
    assert not done
    collected.assert_true(front.log, end=256 if "001" in tile else 512)
    assert "does not lie under its head of 600" in follower.status.last_error


def test_a_contradiction_comes_with_head_and_tile() -> None:
    front = front_of(log_of(600))
    for name in ("tile contradicts", "another tile"):
        front.faults = [fault(name, where="data/001")]
        with pytest.raises(IntegrityError) as caught:
            read(front, 256, 512)
        assert set(caught.value.evidence) == {"head", "tile-data-1"}


def test_without_verifying_no_hash_tile_is_asked_for_and_lies_are_taken() -> None:
    """What `Verify = no` gives up."""
    front = front_of(log_of(600))
    front.faults = [fault("tile contradicts")]
    taken, _ = read(front, 0, 600, verify=False)
    assert sum(map(len, taken)) == 600
    assert taken[0].entry(0).leaf_input != front.log.leaf_input(0)
    assert front.count("tile/") == front.count("tile/data/") == 3


def test_entries_that_are_malformed_are_handed_on_all_the_same() -> None:
    log = FakeLog("one.example/2026", [*badly_filled().values(), *many_entries(290)])
    taken, reached = read(front_of(log), 0, 290)
    assert reached.position == len(log.entries)
    assert sum(map(len, taken)) == len(log.entries)


def test_hash_tiles_are_asked_for_once_however_many_data_tiles() -> None:
    log = log_of(256 * 40)
    front = front_of(log)
    taken, _ = read(front, 0, log.size)
    assert sum(map(len, taken)) == log.size
    assert front.count("tile/data/") == 40
    assert front.count("tile/1/") == 1
    assert front.count("tile/") == 41


def unmarked(good: LogReply) -> LogReply:
    """As a storage serves a compressed file of which it knows no more."""
    return replace(good, headers={"Content-Type": "application/octet-stream"})


@pytest.mark.parametrize("is_gzipped", [True, False])
def test_tiles_that_are_compressed_without_saying_so_are_unpacked(
    is_gzipped: bool,
) -> None:
    front = front_of(log_of(600), is_gzipped=is_gzipped)
    front.faults = [Fault("tile/data/", lambda _, request, good: unmarked(good))]
    taken, reached = read(front, 0, 600)
    assert sum(map(len, taken)) == reached.position == 600


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gzip bomb", "unpacks to more than 16777216 bytes"),
        ("broken gzip", "its gzip data do not end"),
    ],
)
def test_what_only_begins_like_a_compressed_tile_is_refused(
    name: str, words: str
) -> None:
    front = front_of(log_of(600))
    served = fault(name)
    front.faults = [
        Fault("tile/data/", lambda *asked: unmarked(served.spoil(*asked))),
    ]
    with pytest.raises(SourceError, match=words):
        read(front, 0, 600)


def test_a_tile_that_is_not_there_is_no_end_of_the_log() -> None:
    front = front_of(log_of(600))
    front.faults = [fault("not found", where="tile/data/001")]
    with pytest.raises(SourceError, match="404"):
        read(front, 0, 600)


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 599])
@pytest.mark.parametrize("keeps_partials", [True, False])
def test_every_entry_tells_its_time(index: int, keeps_partials: bool) -> None:
    """Also one of the last tile, which is partial, or was when the head was read."""
    log = log_of(600)
    if not keeps_partials:
        log.add_silently(many_entries(168))
        log.heads.insert(0, log.publish())
        log.heads.pop()
        log.heads.append(log.heads[1])
    front = front_of(log, keeps_partials=keeps_partials)

    async def run() -> int:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            (known,) = listed(server)
            client = TiledLog(known, reader_of(known.address, fetcher))
            return await client.logged_ms(index, 600)

    with LogServer(front) as server:
        assert asyncio.run(run()) == log.entries[index].timestamp_ms
