"""Watched domains in the database: beside findings, and beside the scanner's outbox."""

from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import event

from ctmonitor.errors import Busy, StoreUnavailable, Unreadable
from ctmonitor.model.followup import Channel, OutboxItem
from ctmonitor.model.own import DomainState
from tests.unit.store.making import NOON, Place, finding
from tests.unit.store.visiting import item
from tests.unit.store.watching import DOMAIN, full_state, message


def test_own_messages_are_the_watchers_and_all_others_the_scanners(
    place: Place,
) -> None:
    theirs = item("up:1:notify", Channel.NOTIFY, destination="0")
    # Keys next to ours, in the order of bytes.
    others = [item("own"), item("own;1"), item("owner:1")]
    with place.open() as store:
        store.record(
            [finding("a.example")], outbox_of=lambda news, now: [theirs, *others]
        )
        states = store.own_states()
        with states.lock("a", 60):
            states.save(DomainState(DOMAIN), [message()])
        own, outbox = states.box(), store.outbox()
        assert (own.pending(), outbox.pending()) == (1, 4)
        (mine,) = own.due(NOON, 9, 60, "w")
        assert mine.key == message().key
        found = outbox.due(NOON, 9, 60, "s")
        assert [each.key for each in found] == [each.key for each in (theirs, *others)]
        later = NOON + timedelta(minutes=5)
        own.failed([mine.id], NOON, "refused", later)
        outbox.failed([found[0].id], NOON, "refused", later)
        outbox.hasten(NOON)
        assert own.due(NOON, 9, 60, "w") == []
        assert [each.key for each in outbox.due(NOON, 9, 60, "s")] == [theirs.key]
        own.hasten(NOON)
        (again,) = own.due(NOON, 9, 60, "w")
        own.failed([again.id], NOON, "refused", None)
        assert (own.dead(), outbox.dead()) == (1, 0)
        # What is old is old for both.
        assert outbox.forget(later) == 1
        assert own.dead() == 0


def test_a_state_and_its_messages_are_written_together_or_not_at_all(
    place: Place,
) -> None:
    with place.open() as store:
        states = store.own_states()
        with states.lock("a", 60):
            states.save(DomainState(DOMAIN))

            @event.listens_for(store._database.engine, "before_cursor_execute")
            def fail(*arguments: object) -> None:
                if "INTO ctm_outbox" in str(arguments[2]):
                    raise StoreUnavailable("the server is away")

            with pytest.raises(StoreUnavailable):
                states.save(full_state(), [message()])
            event.remove(store._database.engine, "before_cursor_execute", fail)
            assert states.load(DOMAIN) == DomainState(DOMAIN)
            assert states.box().pending() == 0
            states.save(full_state(), [message()])
            assert states.box().pending() == 1


def test_a_row_that_cannot_be_unpacked_is_unreadable(place: Place) -> None:
    with place.open() as store:
        states = store.own_states()
        with states.lock("a", 60):
            states.save(full_state())
            ((whole,),) = place.sql("SELECT document FROM ctm_own_state")
            for body in (b"", b"x", bytes(whole)[:-1], b"\x1f\x8b" + b"\xff" * 99):
                place.sql("UPDATE ctm_own_state SET document = :body", body=body)
                with pytest.raises(Unreadable, match=DOMAIN) as caught:
                    states.load(DOMAIN)
                assert caught.value.since == "2026-11-21T12:00:00"


def test_a_state_takes_a_tenth_of_its_size(file: Place) -> None:
    state = full_state()
    state.certificates *= 2000
    with file.open() as store:
        states = store.own_states()
        with states.lock("a", 60):
            states.save(state)
    ((size,),) = file.sql("SELECT length(document) FROM ctm_own_state")
    assert size < 200_000


def test_a_lock_that_cannot_be_given_back_ends_by_itself(
    file: Place, caplog: pytest.LogCaptureFixture
) -> None:
    clock = [NOON]
    with closing(file.open(now=lambda: clock[0])) as store:
        states = store.own_states()
        with states.lock("a", 60):
            file.sql("ALTER TABLE ctm_own_lock RENAME TO away")
        assert "the lock lasts until its lease ends" in caplog.text
        file.sql("ALTER TABLE away RENAME TO ctm_own_lock")
        with (
            pytest.raises(Busy, match="until 2026-11-21T12:01:00"),
            states.lock("b", 60),
        ):
            pytest.fail("locked")
        clock[0] += timedelta(seconds=60)
        with states.lock("b", 60):
            states.renew()


def test_an_item_of_own_domains_survives_as_it_is(place: Place) -> None:
    told = OutboxItem("own:9:mail", Channel.MAIL, {"\u202e": ["\x00", None, 1.5]})
    with place.open() as store:
        states = store.own_states()
        with states.lock("a", 60):
            states.save(DomainState(DOMAIN), [told])
        (due,) = states.box().due(NOON, 9, 60, "w")
    assert (due.channel, due.payload) == (Channel.MAIL, told.payload)
