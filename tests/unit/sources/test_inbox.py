"""The bounded queue: what it takes, what it refuses, how long it lets wait."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ctmonitor.sources import inbox as module
from ctmonitor.sources.inbox import Chunk, Inbox

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _inbox(capacity: int, on_item: Callable[[], None] = lambda: None) -> Inbox:
    return Inbox(capacity, on_item)


def _chunk(count: int, feed: str = "a", complete: datetime | None = None) -> Chunk:
    return Chunk(feed, [b"%d" % number for number in range(count)], complete)


def test_what_is_put_is_taken_in_order() -> None:
    inbox = _inbox(10)
    assert inbox.put(Chunk("a", [b"1", b"2"])) == 2
    assert inbox.put(Chunk("a", [b"3"])) == 1
    assert len(inbox) == 3
    assert inbox.take(100) == Chunk("a", [b"1", b"2", b"3"])
    assert inbox.take(100) is None
    assert len(inbox) == 0


def test_a_taken_chunk_holds_messages_of_one_feed() -> None:
    inbox = _inbox(10)
    for feed in ("a", "a", "b", "a"):
        inbox.put(Chunk(feed, [feed.encode()]))
    taken = [inbox.take(100) for _ in range(4)]
    assert taken == [
        Chunk("a", [b"a", b"a"]),
        Chunk("b", [b"b"]),
        Chunk("a", [b"a"]),
        None,
    ]


def test_no_more_is_taken_at_once_than_asked_for_or_came_together() -> None:
    inbox = _inbox(100)
    for _ in range(5):
        inbox.put(_chunk(4))
    sizes = []
    while (chunk := inbox.take(6)) is not None:
        sizes.append(len(chunk.frames))
    assert sizes == [8, 8, 4]


@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_a_full_queue_takes_the_front_and_refuses_the_rest(capacity: int) -> None:
    inbox = _inbox(capacity)
    assert inbox.put(_chunk(10)) == capacity
    assert inbox.put(_chunk(1)) == 0
    assert inbox.take(100) == Chunk("a", _chunk(10).frames[:capacity])
    assert inbox.put(_chunk(1)) == 1


def test_messages_are_limited_in_bytes_too() -> None:
    inbox = _inbox(1000)
    half = b"x" * (module.MAX_BYTES // 2)
    assert inbox.put(Chunk("a", [half])) == 1
    assert inbox.put(Chunk("a", [half])) == 1
    assert inbox.put(Chunk("a", [b"y"])) == 0
    inbox.take(100)
    assert inbox.put(Chunk("a", [b"y"])) == 1


def test_one_message_larger_than_all_the_queue_is_taken_when_it_is_empty() -> None:
    inbox = _inbox(1000)
    huge = b"x" * (module.MAX_BYTES + 1)
    assert inbox.put(Chunk("a", [huge])) == 1
    assert inbox.put(Chunk("a", [b"y"])) == 0


def test_the_position_comes_with_the_last_message_it_is_true_for() -> None:
    inbox = _inbox(3)
    inbox.put(_chunk(2, complete=NOON))
    first = inbox.take(100)
    assert first is not None
    assert first.complete == NOON
    # Of five only three find room: the position would be a lie.
    inbox.put(_chunk(5, complete=NOON))
    second = inbox.take(100)
    assert second is not None
    assert (len(second.frames), second.complete) == (3, None)


def test_the_later_of_two_positions_counts() -> None:
    inbox = _inbox(10)
    later = NOON.replace(hour=13)
    for complete in (NOON, later, None):
        inbox.put(_chunk(1, complete=complete))
    taken = inbox.take(100)
    assert taken is not None
    assert taken.complete == later


def test_a_consumer_that_works_makes_the_reader_wait_and_nothing_is_lost() -> None:
    inbox = _inbox(5)
    taken: list[bytes] = []
    stop = threading.Event()

    def consume() -> None:
        while not stop.wait(0.001) or len(inbox):
            while (chunk := inbox.take(2)) is not None:
                taken.extend(chunk.frames)

    thread = threading.Thread(target=consume)
    thread.start()
    try:
        assert inbox.put(_chunk(200)) == 200
    finally:
        stop.set()
        thread.join()
    assert taken == list(_chunk(200).frames)


def test_a_consumer_that_sleeps_is_waited_for_once_and_no_more() -> None:
    waits: list[float] = []

    class Noting(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return super().wait(timeout)

    inbox = _inbox(4)
    inbox._lock = Noting()
    assert inbox.put(_chunk(6)) == 4
    assert len(waits) == 1
    assert 0 < waits[0] <= module.PATIENCE_S
    for _ in range(20):
        assert inbox.put(_chunk(6)) == 0
    assert len(waits) == 1


def test_it_calls_when_something_comes_and_when_it_is_half_full() -> None:
    calls: list[int] = []
    inbox = _inbox(8, lambda: calls.append(1))
    told = []
    for _ in range(6):
        inbox.put(_chunk(1))
        told.append((len(calls), inbox.is_well_filled))
    assert told == [(1, False), (1, False), (1, False), (2, True), (2, True), (2, True)]
    inbox.take(100)
    inbox.put(_chunk(1))
    assert (len(calls), inbox.is_well_filled) == (3, False)


def test_with_room_for_one_message_it_still_calls() -> None:
    calls: list[int] = []
    inbox = _inbox(1, lambda: calls.append(1))
    inbox.put(_chunk(1))
    assert (len(calls), inbox.is_well_filled) == (1, True)
