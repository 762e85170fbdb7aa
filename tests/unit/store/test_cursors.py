"""Positions of many sources, read at once, and set aside."""

from datetime import timedelta

from ctmonitor.model.batch import Cursor
from tests.unit.store.making import NOON, Place


def fill(place: Place, **positions: str) -> None:
    with place.open() as store:
        for source, position in positions.items():
            store.record([], cursor=Cursor(source.replace("_", ":", 1), position))


def test_positions_are_found_by_the_beginning_of_their_name(place: Place) -> None:
    fill(place, certstream="0", log_a="1", log_b="2", logs="3", catalog_c="4")
    expected = {"log:a": "1", "log:b": "2"}
    with place.open() as store:
        assert store.cursors("log:") == expected
        assert store.cursors("log%") == store.cursors("l_g") == {}
    with place.reader() as reader:
        assert reader.cursors("log:") == expected


def test_a_position_set_aside_is_kept_and_no_longer_found(place: Place) -> None:
    fill(place, log_a="broken", log_b="2")
    with place.open() as store:
        aside = store.set_cursor_aside("log:a")
        assert aside == "aside:log:a:2026-11-21T12:00:00"
        assert store.cursor("log:a") is None
        assert store.cursors("log:") == {"log:b": "2"}
        assert store.cursor(aside) == Cursor(aside, "broken")


def test_a_position_can_be_set_aside_again(place: Place) -> None:
    fill(place, log_a="broken")
    with place.open() as store:
        first = store.set_cursor_aside("log:a")
        store.record([], cursor=Cursor("log:a", "broken again"))
        assert store.set_cursor_aside("log:a") == first
        assert store.cursor(first) == Cursor(first, "broken again")
        store.record([], cursor=Cursor("log:a", "and again"))
    with place.open(now=lambda: NOON + timedelta(seconds=1)) as store:
        second = store.set_cursor_aside("log:a")
        assert sorted(store.cursors("aside:")) == [first, second]
