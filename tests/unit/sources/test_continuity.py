"""Holes in the indexes of a log."""

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.sources.continuity import (
    MAX_HOLES,
    MAX_LOGS,
    MOST_BEHIND,
    Continuity,
    Hole,
)

A, B = b"https://a.example/", b"https://b.example/"


def _ranges(holes: list[Hole]) -> list[tuple[bytes, int, int]]:
    return [(hole.log, hole.start, hole.end) for hole in holes]


def _observe(continuity: Continuity, *indexes: int, now_s: float = 100.0) -> None:
    for index in indexes:
        continuity.observe(A, index, now_s)


def test_indexes_in_order_have_no_holes() -> None:
    continuity = Continuity(15)
    _observe(continuity, *range(5, 100))
    assert continuity.expired(1000) == []
    assert continuity.rest(1000) == []


def test_a_hole_is_told_once_and_only_after_some_patience() -> None:
    continuity = Continuity(15)
    _observe(continuity, 7, 10)
    assert continuity.expired(114.9) == []
    assert continuity.expired(115) == [Hole(A, 8, 10, 100.0, 2)]
    assert continuity.expired(116) == []
    assert continuity.rest(117) == []


def test_what_comes_late_fills_its_hole() -> None:
    continuity = Continuity(15)
    _observe(continuity, 0, 10, 5, 1, 9, 3)
    # Still missing: 2, 4, 6, 7, 8.
    assert continuity.rest(101) == [Hole(A, 2, 9, 100.0, 5)]

    filled = Continuity(15)
    _observe(filled, 0, 4, 2, 1, 3, 2, 0)
    assert filled.rest(200) == []


@given(st.permutations(range(30)), st.sets(st.integers(1, 28)))
def test_any_order_within_the_patience_shows_exactly_what_is_missing(
    order: list[int], missing: set[int]
) -> None:
    continuity = Continuity(15)
    _observe(continuity, 0, 29, *(index for index in order if index not in missing))
    holes = continuity.rest(100)
    assert sum(hole.lost for hole in holes) == len(missing)
    if missing:
        assert (holes[0].start, holes[0].end) == (min(missing), max(missing) + 1)


def test_logs_are_followed_apart() -> None:
    continuity = Continuity(15)
    for index in range(10):
        continuity.observe(A, index, 0)
        continuity.observe(B, 1000 + 2 * index if index < 2 else 1001 + index, 0)
    assert _ranges(continuity.expired(15)) == [(B, 1001, 1002)]


def test_the_first_index_of_a_log_shows_nothing_missing() -> None:
    continuity = Continuity(15)
    _observe(continuity, 10**15)
    assert continuity.rest(200) == []


def test_a_log_that_leaves_out_entries_all_the_time_is_told_seldom() -> None:
    """A server that sends each certificate once has a hole at every other entry."""
    continuity = Continuity(15)
    told: list[Hole] = []
    for second in range(6 * 3600):
        continuity.observe(A, 2 * second, float(second))
        told += continuity.expired(float(second))
    # After 60 s, 120 s, ... and then each hour.
    assert 8 <= len(told) <= 13
    told += continuity.rest(6 * 3600.0)
    assert sum(hole.lost for hole in told) == 6 * 3600 - 1
    assert all(one.end <= other.start for one, other in pairwise(told))


def test_after_a_quiet_time_a_hole_is_told_at_once_again() -> None:
    continuity = Continuity(15)
    _observe(continuity, 0, 2, now_s=100)
    assert len(continuity.expired(115)) == 1
    _observe(continuity, 3, 5, now_s=1000)
    assert _ranges(continuity.expired(1015)) == [(A, 4, 5)]
    _observe(continuity, 7, now_s=1016)
    assert continuity.expired(1040) == []
    assert _ranges(continuity.expired(1076)) == [(A, 6, 7)]


def test_an_index_far_below_the_others_begins_anew() -> None:
    """One message with an index of a stranger's invention must not blind us."""
    continuity = Continuity(15)
    _observe(continuity, 10, 2**62)
    continuity.rest(100)
    _observe(continuity, 11, 12, 14)
    assert _ranges(continuity.rest(100)) == [(A, 13, 14)]


def test_a_feed_that_lags_behind_another_is_not_a_hole() -> None:
    continuity = Continuity(15)
    _observe(continuity, MOST_BEHIND, 1, 2, 3, MOST_BEHIND + 1)
    assert continuity.rest(200) == []


def test_memory_is_bounded_whatever_strangers_send() -> None:
    continuity = Continuity(15)
    draw = random.Random(1)
    for number in range(3 * MAX_LOGS):
        continuity.observe(b"%d" % number, draw.randrange(10**6), 0)
    assert len(continuity._logs) == MAX_LOGS

    holes = Continuity(15)
    _observe(holes, *range(0, 20 * MAX_HOLES, 2))
    assert len(holes._logs[A].holes) <= MAX_HOLES
    assert sum(hole.lost for hole in holes.rest(200)) == 10 * MAX_HOLES - 1
