"""Alerts until they are delivered: once under a key, twice rather than never."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ctmonitor.model.followup import Channel, OutboxItem
from tests.unit.store.making import NOON, Place, finding
from tests.unit.store.visiting import DAY, HOUR, item, record, visit


def put(place: Place, *keys: str, **more: str) -> None:
    """Alerts of a visit, in their order."""
    record(place, "a.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 1, 60, "a")
        items = tuple(item(key, **more) for key in keys)
        hosts.finish([visit("a.example", again=NOON, outbox=items)], "a")


def test_an_item_comes_out_as_it_was_put_in(place: Place) -> None:
    record(place, "a.example")
    payload = {"title": "\u202e\x00\ud800", "names": ["a", None, 1.5, {"b": []}]}
    told = item("a:1", Channel.HOOK, payload=payload, destination="2")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 1, 60, "a")
        hosts.finish([visit("a.example", outbox=(told,))], "a")
        (due,) = store.outbox().due(NOON, 9, 60, "s")
    assert due.id > 0
    assert (due.key, due.channel, due.destination) == ("a:1", Channel.HOOK, "2")
    assert due.payload == payload
    assert due.attempts == 0


def test_items_are_leased_and_come_in_their_order(place: Place) -> None:
    put(place, "1", "2", "3")
    with place.open() as store, place.open() as other:
        first = store.outbox().due(NOON, 2, 60, "a")
        assert [each.key for each in first] == ["1", "2"]
        assert [each.key for each in other.outbox().due(NOON, 9, 60, "b")] == ["3"]
        assert store.outbox().due(NOON, 9, 60, "a") == []
        # The sender died.
        again = other.outbox().due(NOON + timedelta(seconds=60), 9, 60, "b")
        assert [each.key for each in again] == ["1", "2", "3"]


def test_released_items_are_due_again_and_only_those_of_the_owner(place: Place) -> None:
    put(place, "1", "2")
    with place.open() as store:
        outbox = store.outbox()
        mine = outbox.due(NOON, 1, 60, "a")
        outbox.due(NOON, 1, 60, "b")
        outbox.release("a")
        assert outbox.due(NOON, 9, 60, "c") == mine


def test_hastened_items_are_due_before_their_time_but_for_leased_ones(
    place: Place,
) -> None:
    put(place, "1", "2", "3")
    with place.open() as store:
        outbox = store.outbox()
        one, two, three = outbox.due(NOON, 9, 60, "a")
        outbox.failed([one.id], NOON, "no route", NOON + DAY)
        outbox.failed([two.id], NOON, "no route", None)
        outbox.hasten(NOON + HOUR / 100)
        (due,) = outbox.due(NOON + HOUR / 100, 9, 60, "b")
        assert (due.id, due.attempts) == (one.id, 1)
        assert outbox.due(NOON + HOUR, 9, 60, "c") == [three, due]


def test_a_sent_item_is_never_due_again_even_when_told_twice(place: Place) -> None:
    put(place, "1")
    with place.open() as store:
        outbox = store.outbox()
        (due,) = outbox.due(NOON, 9, 60, "a")
        outbox.sent([due.id], NOON + HOUR, "HTTP 200\n")
        # A second sender, whose lease had ended, failed.
        outbox.failed([due.id], NOON + HOUR, "late", NOON + HOUR)
        assert outbox.due(NOON + DAY, 9, 60, "a") == []
        assert (outbox.pending(), outbox.dead()) == (0, 0)
    put(place, "1")
    rows = place.sql("SELECT state, attempts, sent_at, last_result FROM ctm_outbox")
    assert rows == [("sent", 1, "2026-11-21T13:00:00.000000+00:00", "HTTP 200\\x0a")]


def test_a_failed_item_is_due_again_at_its_time_behind_new_ones(place: Place) -> None:
    put(place, "1", "2")
    with place.open() as store:
        outbox = store.outbox()
        first, second = outbox.due(NOON, 9, 60, "a")
        outbox.failed([first.id], NOON, "503 " + "x" * 9999, NOON + HOUR)
        outbox.failed([second.id], NOON, "503", NOON - HOUR)  # the clock was set
        assert outbox.pending() == 2
        (due,) = outbox.due(NOON, 9, 60, "a")
        assert (due.key, due.attempts) == ("2", 1)
        outbox.sent([due.id], NOON)
        before = NOON + HOUR - timedelta(microseconds=1)
        assert outbox.due(before, 9, 60, "a") == []
        (due,) = outbox.due(NOON + HOUR, 9, 60, "a")
        assert (due.key, due.attempts) == ("1", 1)
    ((result,),) = place.sql("SELECT last_result FROM ctm_outbox WHERE key = '1'")
    assert result.startswith("503 xxx")
    assert len(result) == 500
    put(place, "3")
    with place.open() as store:
        outbox = store.outbox()
        later = NOON + 2 * HOUR
        assert [each.key for each in outbox.due(later, 9, 60, "a")] == ["3", "1"]


def test_an_item_that_is_given_up_is_counted_and_not_due(place: Place) -> None:
    put(place, "1", "2")
    with place.open() as store:
        outbox = store.outbox()
        first, _ = outbox.due(NOON, 9, 60, "a")
        outbox.failed([first.id], NOON, "no such channel", None)
        outbox.release("a")
        assert [each.key for each in outbox.due(NOON + DAY, 9, 60, "a")] == ["2"]
        assert (outbox.pending(), outbox.dead()) == (1, 1)


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_no_more_items_come_than_asked_for(file: Place, limit: int) -> None:
    put(file, "1", "2", "3")
    with file.open() as store:
        assert len(store.outbox().due(NOON, limit, 60, "a")) == limit


def test_keys_of_any_length_stay_apart(place: Place) -> None:
    put(place, "k" * 9999 + "1", "k" * 9999 + "2", "k" * 9999 + "1")
    with place.open() as store:
        assert store.outbox().pending() == 2


def test_the_outbox_reads_an_index_and_not_all_items(file: Place) -> None:
    file.open().close()
    plan = str(
        file.sql(
            "EXPLAIN QUERY PLAN SELECT id FROM ctm_outbox WHERE state = 'due' AND "
            "next_attempt <= 'x' AND lease_until <= 'x' ORDER BY next_attempt, id"
        )
    )
    assert "USING INDEX ctm_outbox_next_attempt" in plan
    assert "TEMP B-TREE" not in plan


def test_what_was_sent_or_given_up_is_forgotten_and_what_waits_is_not(
    place: Place,
) -> None:
    put(place, *(f"old {number}" for number in range(502)))
    with place.open() as store:
        hosts, outbox = store.followups(), store.outbox()
        waits, dies, *sent = outbox.due(NOON, 999, 60, "s")
        outbox.failed([waits.id], NOON, "no route", NOON)
        outbox.failed([dies.id], NOON, "no route", None)
        outbox.sent([each.id for each in sent], NOON)
        hosts.claim(NOON + DAY, 1, 60, "a")
        new = visit("a.example", NOON + DAY, outbox=(item("new"),))
        hosts.finish([new], "a")
        (told,) = (each for each in outbox.due(NOON, 9, 60, "s") if each.key == "new")
        outbox.sent([told.id], NOON + DAY)
        assert outbox.forget(NOON) == 0
        assert outbox.forget(NOON + HOUR) == 501
        assert outbox.forget(NOON + HOUR) == 0
    left = place.sql("SELECT key, state FROM ctm_outbox ORDER BY key")
    assert list(map(tuple, left)) == [("new", "sent"), (waits.key, "due")]


def test_a_destination_has_so_many_places_in_any_minute(place: Place) -> None:
    second = HOUR / 3600
    with place.open() as store, place.open() as other:
        here, there = store.outbox(), other.outbox()
        assert here.take_place("0", NOON, 2) == (2, NOON)
        assert there.take_place("0", NOON + second, 2)[0] == 1
        assert here.take_place("1", NOON, 2)[0] == 2
        full = here.take_place("0", NOON + 59 * second, 2)
        assert full == (0, NOON + 60 * second)
        # One that has other settings waits until enough of them are over.
        assert here.take_place("0", NOON, 1) == (0, NOON + 61 * second)
        assert there.take_place("0", NOON + 60 * second, 2)[0] == 1
        assert there.take_place("0", NOON + 60 * second, 2)[0] == 0


# Alarms: what is told in one message, at most once a day


def told_of(place: Place, *keys: str, **more: str) -> None:
    """Alerts on findings, which belong to the alarm `x` if `more` says no other."""
    items = [item(key, **({"alarm": "x", "destination": "0"} | more)) for key in keys]
    with place.open() as store:
        store.record([finding(keys[0])], outbox_of=lambda told, at: items)


def test_an_alarm_is_gathered_from_both_databases_with_the_first_payloads(
    place: Place,
) -> None:
    told_of(place, "1", "2", "3")
    told_of(place, "other", alarm="y")
    told_of(place, "elsewhere", destination="1")
    told_of(place, "alone", alarm="")
    with place.open() as store:
        outbox = store.outbox()
        first, second, *_ = outbox.due(NOON, 2, 60, "a")
        assert (first.alarm, second.alarm) == ("x", "x")
        gathered = outbox.gather(first, NOON, 120, "a", 2)
        assert [each.key for each in gathered] == ["1", "2", "3"]
        assert [each.payload for each in gathered] == [
            {"hostname": "1"},
            {"hostname": "2"},
            {},
        ]
        # The lease is that of the last call, and is given back as others are.
        later = outbox.due(NOON + timedelta(seconds=60), 9, 60, "b")
        assert [each.key for each in later] == ["other", "elsewhere", "alone"]
        outbox.release("a")
        assert outbox.due(NOON, 9, 60, "c") == [*gathered[:2], _with_payload(gathered)]


def _with_payload(gathered: list[OutboxItem]) -> OutboxItem:
    return replace(gathered[2], payload={"hostname": "3"})


def test_an_alarm_that_was_told_waits_for_the_next_day(place: Place) -> None:
    told_of(place, "1")
    told_of(place, "elsewhere", destination="1")
    with place.open() as store, place.open() as other:
        outbox = store.outbox()
        first, _ = outbox.due(NOON, 9, 60, "a")
        (gathered,) = outbox.gather(first, NOON, 60, "a", 9)
        outbox.sent([gathered.id], NOON + HOUR)
        outbox.release("a")
        told_of(place, "2", "3")
        elsewhere, two, three = other.outbox().due(NOON + 2 * HOUR, 9, 60, "b")
        assert other.outbox().gather(two, NOON + 2 * HOUR, 60, "b", 9) == []
        # Other destinations were not told.
        assert other.outbox().gather(elsewhere, NOON + 2 * HOUR, 60, "b", 9)
        other.outbox().release("b")
        last = NOON + 12 * HOUR - timedelta(microseconds=1)
        assert [each.key for each in outbox.due(last, 9, 0, "a")] == ["elsewhere"]
        assert outbox.pending() == 1
        midnight = NOON + 12 * HOUR
        due = outbox.due(midnight, 9, 60, "a")
        assert [each.key for each in due] == ["elsewhere", "2", "3"]
        assert outbox.gather(two, midnight, 60, "a", 9) == [two, three]


def test_who_meets_another_sender_leaves_the_alarm_to_it(place: Place) -> None:
    told_of(place, "1", "2")
    with place.open() as store, place.open() as other:
        (one,) = store.outbox().due(NOON, 1, 60, "a")
        (two,) = other.outbox().due(NOON, 1, 90, "b")
        assert store.outbox().gather(one, NOON, 60, "a", 9) == []
        assert other.outbox().gather(two, NOON, 90, "b", 9) == [one, two]
        assert store.outbox().due(NOON + timedelta(seconds=89), 9, 60, "a") == []
        # It died.
        later = NOON + timedelta(seconds=90)
        assert store.outbox().due(later, 9, 60, "a") == [two, one]


def test_an_alarm_waits_for_the_next_attempt_of_what_failed(place: Place) -> None:
    told_of(place, "1")
    with place.open() as store:
        outbox = store.outbox()
        (one,) = outbox.due(NOON, 9, 60, "a")
        outbox.failed([one.id], NOON, "503", NOON + HOUR)
        told_of(place, "2")
        (two,) = outbox.due(NOON + HOUR / 2, 9, 60, "a")
        assert outbox.gather(two, NOON + HOUR / 2, 60, "a", 9) == []
        assert outbox.pending() == 1
        due = outbox.due(NOON + HOUR, 9, 60, "a")
        assert [each.key for each in due] == ["1", "2"]
        assert len(outbox.gather(two, NOON + HOUR, 60, "a", 9)) == 2
