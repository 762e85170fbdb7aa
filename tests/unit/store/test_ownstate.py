"""What every store of watched domains does: database, directory and bucket alike."""

import gzip
import re
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from ctmonitor.errors import Busy, StoreError, Unreadable
from ctmonitor.model.own import Authority, DomainState, Mark, OwnSource, SharedState
from ctmonitor.store.ownstate import StateStore
from tests.unit.store.making import NOON
from tests.unit.store.watching import DOMAIN, Kept, full_state, message

LEASE_S = 900.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def due(states: StateStore, now: datetime = NOON, owner: str = "s") -> list[Any]:
    return states.box().due(now, 100, 60, owner)


def test_a_state_comes_back_as_it_was_saved(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        assert states.load(DOMAIN) is None
        states.save(full_state())
        states.save(full_state("example.org"))
    with kept.open() as states:
        assert states.load(DOMAIN) == full_state()
        assert states.domains() == [DOMAIN, "example.org"]
        assert states.load("other.example") is None


def test_what_all_share_comes_back_as_it_was_saved(kept: Kept) -> None:
    shared = SharedState(authorities=[Authority("CA \u00fc", 7, DOMAIN)], queries=["a"])
    with kept.open() as states, states.lock("a", LEASE_S):
        assert states.shared() == SharedState()
        states.save_shared(shared)
        states.save_shared(shared)
    with kept.open() as states:
        assert states.shared() == shared
        assert states.domains() == []


def test_a_saved_state_is_saved_again_without_loading_it(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        state = DomainState(DOMAIN)
        states.save(state)
        state.since = "2026-11-21T12:00:00"
        states.save(state)
        loaded = states.load(DOMAIN)
    assert loaded is not None
    assert loaded.since == "2026-11-21T12:00:00"


def test_text_that_no_document_can_hold_does_not_stop_it(kept: Kept) -> None:
    state = full_state()
    state.certificates[0].all_names = ["a\ud800b", "\x00"]
    told = message()
    told.payload["names"].append("\udfff")  # type: ignore[attr-defined]
    with kept.open() as states, states.lock("a", LEASE_S):
        states.save(state, [told, message("own:2:webhook")])
        loaded = states.load(DOMAIN)
        assert loaded is not None
        assert loaded.certificates[0].all_names[0].startswith("a")
        states.box().sent([due(states)[1].id], NOON)
        states.box().release("s")
    with kept.open() as states, states.lock("b", LEASE_S):
        assert states.load(DOMAIN) is not None
        assert [each.key for each in due(states)] == [told.key]


# Two runs


def test_a_second_run_is_refused_at_once_and_may_come_later(kept: Kept) -> None:
    with kept.open() as first, kept.open() as second:
        with first.lock("a", LEASE_S):
            with (
                pytest.raises(Busy, match=r"another run.* Wait for its end"),
                second.lock("b", LEASE_S),
            ):
                pytest.fail("two runs at once")
            # It did no harm to the first.
            first.renew()
            first.save(DomainState(DOMAIN))
        with second.lock("b", LEASE_S):
            assert second.load(DOMAIN) is not None
            second.save(DomainState(DOMAIN))
        with first.lock("a", LEASE_S):
            first.load(DOMAIN)
            first.save(DomainState(DOMAIN))


def test_nothing_is_written_without_the_lock(kept: Kept) -> None:
    with kept.open() as states:
        for write in (
            lambda: states.save(DomainState(DOMAIN), [message()]),
            lambda: states.save_shared(SharedState()),
            states.renew,
        ):
            with pytest.raises(Busy, match="not locked by this run"):
                write()
        with states.lock("a", LEASE_S):
            states.save(DomainState(DOMAIN))
        with pytest.raises(Busy):
            states.save(DomainState(DOMAIN), [message()])
    with kept.open() as states, states.lock("a", LEASE_S):
        states.load(DOMAIN)
        assert due(states) == []


def test_an_error_in_the_block_gives_the_lock_free(kept: Kept) -> None:
    with kept.open() as states:
        with pytest.raises(KeyboardInterrupt), states.lock("a", LEASE_S):
            raise KeyboardInterrupt
        with kept.open() as other, other.lock("b", LEASE_S):
            other.renew()


@pytest.mark.parametrize("kept", ["sqlite", "s3"], indirect=True)
def test_a_lease_ends_when_its_holder_is_gone_who_then_can_do_nothing(
    kept: Kept,
) -> None:
    clock = Clock()
    with kept.open(clock) as gone, kept.open(clock) as next_one, ExitStack() as held:
        held.enter_context(gone.lock("a", LEASE_S))
        gone.save(DomainState(DOMAIN), [message()])
        clock.wait(LEASE_S - 1)
        gone.renew()
        clock.wait(LEASE_S - 1)
        with pytest.raises(Busy), next_one.lock("b", LEASE_S):
            pytest.fail("the lease was renewed")
        clock.wait(2)
        with next_one.lock("b", LEASE_S):
            loaded = next_one.load(DOMAIN)
            assert loaded is not None
            for write in (
                gone.renew,
                lambda: gone.save(DomainState(DOMAIN)),
                lambda: gone.save_shared(SharedState()),
            ):
                with pytest.raises(Busy):
                    write()
            # Its end takes nothing from the other.
            held.close()
            next_one.renew()
            next_one.save(loaded)
            assert len(due(next_one, clock.now)) == 1
            with pytest.raises(Busy), gone.lock("a", LEASE_S):
                pytest.fail("two runs at once")


# Messages


def test_messages_are_there_with_the_state_and_only_then(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        assert due(states) == []
        told = [message("own:1:webhook"), message("own:2:mail", destination="x")]
        states.save(DomainState(DOMAIN), told)
        states.save(DomainState("example.org"), [message("own:3:mail")])
    # The process ended before it told them.
    with kept.open() as states, states.lock("b", LEASE_S):
        for domain in states.domains():
            states.load(domain)
        items = due(states)
        assert [each.key for each in items] == [
            "own:1:webhook",
            "own:2:mail",
            "own:3:mail",
        ]
        assert items[1].destination == "x"
        assert items[1].channel is told[1].channel
        assert items[1].payload == told[1].payload
        assert len({each.id for each in items}) == 3
        assert min(each.id for each in items) > 0
        # They are leased.
        assert due(states) == []
        assert due(states, NOON + timedelta(seconds=60)) == items


def test_a_message_with_a_known_key_is_one(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN), [message(), message()])
        states.save(DomainState(DOMAIN), [message()])
        assert len(due(states)) == 1


def test_what_was_sent_never_comes_again(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        state = full_state()
        states.save(state, [message("own:1:mail"), message("own:2:mail")])
        box = states.box()
        first, second = due(states)
        box.sent([first.id], NOON, "250 ok")
        # A state as it was before it was sent, saved once more.
        states.save(state)
        box.release("s")
        assert [each.key for each in due(states)] == [second.key]
    with kept.open() as states, states.lock("b", LEASE_S):
        loaded = states.load(DOMAIN)
        assert loaded is not None
        loaded.pending = []
        assert loaded == full_state()
        states.box().release("s")
        assert [each.key for each in due(states)] == [second.key]


def test_a_failed_message_waits_counts_and_is_given_up(kept: Kept) -> None:
    later = NOON + timedelta(minutes=5)
    with kept.open() as states, states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN), [message()])
        (item,) = due(states)
        states.box().failed([item.id], NOON, "refused", later)
        assert due(states) == []
        assert states.box().pending() == 1
    with kept.open() as states, states.lock("b", LEASE_S):
        states.load(DOMAIN)
        assert due(states, later - timedelta(seconds=1)) == []
        (again,) = due(states, later)
        assert (again.key, again.attempts) == (item.key, 1)
        states.box().release("s")
        states.box().failed([again.id], later, "refused", later + timedelta(hours=1))
        assert due(states, later) == []
        states.box().hasten(later)
        (again,) = due(states, later)
        assert again.attempts == 2
        states.box().failed([again.id], later, "refused", None)
        assert states.box().pending() == 0
    with kept.open() as states, states.lock("c", LEASE_S):
        states.load(DOMAIN)
        assert due(states, later + timedelta(days=1)) == []


def test_places_of_a_destination_are_shared_out_by_the_minute(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        box = states.box()
        assert box.take_place("0", NOON, 2) == (2, NOON)
        assert box.take_place("0", NOON + timedelta(seconds=10), 2)[0] == 1
        minute = NOON + timedelta(seconds=60)
        assert box.take_place("0", NOON + timedelta(seconds=20), 2) == (0, minute)
        assert box.take_place("1", NOON, 2) == (2, NOON)
        assert box.take_place("0", minute, 2)[0] == 1


@pytest.mark.parametrize("kept", ["directory"], indirect=True)
def test_a_message_without_alarm_is_gathered_alone(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        states.save(DomainState(DOMAIN), [message("own:1:mail"), message("own:2:mail")])
        first, _ = due(states)
        assert states.box().gather(first, NOON, 60, "s", 9) == [first]


# What cannot be read

NO_STATES = {
    "empty": b"",
    "text": b"hello",
    "html": b"<html>503</html>",
    "list": b"[]",
    "null": b"null",
    "object": b"{}",
    "half": b'{"domain": "example.com", "marks": {',
    "type": b'{"domain": "example.com", "marks": []}',
    "source": b'{"domain": "example.com", "marks": {"nobody": {}}}',
    "certificate": b'{"domain": "example.com", "certificates": [{"id": "1"}]}',
    "alert": b'{"domain": "example.com", "alerts": [{"id": "1", "type": "x"}]}',
    "other domain": b'{"domain": "example.org"}',
    "deep": b'{"domain": "example.com", "alerts": ' + b"[" * 100_000,
    "not UTF-8": b'{"domain": "example.com", "since": "\xff"}',
    "two ids": b"12 34",
    "negative": b"-5",
    "words": b'"one"',
    "long id": b"1" * 41,
}


def packed(kept: Kept, body: bytes) -> bytes:
    return gzip.compress(body) if kept.place is not None else body


def test_what_is_no_state_is_set_aside_and_the_others_go_on(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        states.save(DomainState("example.org"))
        for what, body in NO_STATES.items():
            body = packed(kept, body)
            kept.write(DOMAIN, body)
            with pytest.raises(Unreadable, match=re.escape(DOMAIN)) as caught:
                print(what, states.load(DOMAIN))
            since = caught.value.since
            assert datetime.fromisoformat(since).tzinfo is None, what
            assert states.load("example.org") is not None, what
            # As long as no new state was saved, it is met again, and kept once.
            name = states.set_aside(DOMAIN)
            with pytest.raises(Unreadable):
                print(what, states.load(DOMAIN))
            assert states.set_aside(DOMAIN) == name, what
            states.save(DomainState(DOMAIN))
            assert states.load(DOMAIN) == DomainState(DOMAIN), what
            assert states.domains() == [DOMAIN, "example.org"], what
            assert kept.read(name) == body, what
            assert name == f"{DOMAIN}~{since.replace(':', '')}", what


def test_when_a_damaged_document_was_written_is_known(kept: Kept) -> None:
    kept.write(DOMAIN, b"\x00")
    with kept.open() as states, pytest.raises(Unreadable) as caught:
        states.load(DOMAIN)
    if kept.s3 is None:
        assert caught.value.since == "2026-11-20T10:00:00"
    else:  # by the server's clock
        datetime.fromisoformat(caught.value.since)


def test_nothing_is_set_aside_of_a_domain_that_is_not_known(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        assert states.set_aside(DOMAIN) == ""


def test_what_all_share_is_not_thrown_away_when_damaged(kept: Kept) -> None:
    kept.write(".shared", packed(kept, b"{"))
    with kept.open() as states, pytest.raises(Unreadable, match="Restore a copy"):
        states.shared()


def test_a_state_of_a_newer_version_is_left_alone(kept: Kept) -> None:
    kept.write(DOMAIN, packed(kept, b'{"domain": "example.com", "version": 2}'))
    with kept.open() as states:
        with pytest.raises(StoreError, match="Upgrade the program") as caught:
            states.load(DOMAIN)
        assert not isinstance(caught.value, Unreadable)


def test_the_bare_id_of_older_scripts_is_taken_over(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        for body in (b"1234", b'"1234"', b" 1234\r\n", b"'1234'\n", b'\t"1234" '):
            kept.write(DOMAIN, packed(kept, body))
            state = states.load(DOMAIN)
            assert state is not None
            assert state.since, body
            mark = Mark("1234", state.since, is_full=False, asked=state.since)
            assert state == DomainState(
                DOMAIN, since=state.since, marks={OwnSource.CERTSPOTTER: mark}
            ), body
            states.save(state)
            assert states.load(DOMAIN) == state, body


NO_DOMAINS = ["", ".", "..", "../x.com", "com", ".lock", "a b.com", "A.com", "x~y.com"]


def test_what_is_no_domain_is_no_name_of_a_document(kept: Kept) -> None:
    with kept.open() as states, states.lock("a", LEASE_S):
        for name in NO_DOMAINS:
            for use in (states.load, states.set_aside):
                with pytest.raises(StoreError, match="is no domain"):
                    print(name, use(name))
            with pytest.raises(StoreError, match="is no domain"):
                states.save(DomainState(name))
        assert states.domains() == []


def test_the_longest_domain_has_its_place_and_can_be_set_aside(kept: Kept) -> None:
    domain = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(domain) == 253
    with kept.open() as states, states.lock("a", LEASE_S):
        states.save(DomainState(domain), [message()])
        states.box().sent([due(states)[0].id], NOON)
        assert states.load(domain) == DomainState(domain)
        kept.write(domain, b"x")
        with pytest.raises(Unreadable):
            states.load(domain)
        assert states.set_aside(domain)
        states.save(DomainState(domain))
        assert states.domains() == [domain]


def test_a_document_of_ten_megabytes_is_one_like_any_other(kept: Kept) -> None:
    state = full_state()
    state.certificates *= 14_000
    assert len(msgspec.json.encode(state)) > 10_000_000
    with kept.open() as states, states.lock("a", LEASE_S):
        states.save(state, [message()])
        states.box().sent([due(states)[0].id], NOON)
        loaded = states.load(DOMAIN)
    state.pending = []
    assert loaded == state
