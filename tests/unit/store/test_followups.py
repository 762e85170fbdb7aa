"""Hosts that are due, leases on them, and what is stored of visits."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import StoreError
from ctmonitor.model.followup import EventKind, HostState
from ctmonitor.model.site import Presence
from ctmonitor.store import followups, newcomers
from ctmonitor.store.followups import HostCounts
from tests.unit.store.making import NOON, Place, finding
from tests.unit.store.visiting import (
    DAY,
    HOUR,
    insert_as_old,
    item,
    record,
    states,
    visit,
)

UP_AT = "2026-11-21T12:00:00"


def names(due: list[followups.DueHost]) -> list[str]:
    return [host.domain for host in due]


def test_new_hosts_are_due_at_once_and_leased_to_one(place: Place) -> None:
    record(place, "b.example", "a.example", "c.example")
    with place.open() as store, place.open() as other:
        first = store.followups().claim(NOON, 2, 60, "a")
        assert [host.state for host in first] == [HostState(), HostState()]
        assert first[0].first_seen == NOON
        assert first[0].still_investig is None
        second = other.followups().claim(NOON, 2, 60, "b")
        assert sorted(names(first + second)) == ["a.example", "b.example", "c.example"]
        assert store.followups().claim(NOON, 2, 60, "a") == []


def test_a_lease_ends_at_its_time_and_not_before(place: Place) -> None:
    record(place, "a.example")
    with place.open() as store:
        hosts = store.followups()
        assert len(hosts.claim(NOON, 9, 60, "dies")) == 1
        before = NOON + timedelta(seconds=60, microseconds=-1)
        assert hosts.claim(before, 9, 60, "b") == []
        assert len(hosts.claim(NOON + timedelta(seconds=60), 9, 60, "b")) == 1


def test_released_hosts_are_due_again_and_only_those_of_the_owner(place: Place) -> None:
    record(place, "a.example", "b.example")
    with place.open() as store:
        hosts = store.followups()
        mine = hosts.claim(NOON, 1, 60, "a")
        hosts.claim(NOON, 1, 60, "b")
        hosts.release("a")
        assert hosts.claim(NOON, 9, 60, "c") == mine


def test_a_lease_is_extended_for_its_owner_alone(place: Place) -> None:
    record(place, "a.example", "b.example")
    with place.open() as store:
        hosts = store.followups()
        mine = hosts.claim(NOON, 1, 60, "a")
        others = hosts.claim(NOON, 1, 60, "b")
        hosts.extend("a", NOON + DAY)
        assert hosts.claim(NOON + HOUR, 9, 60, "c") == others
        hosts.release("c")
        assert sorted(names(hosts.claim(NOON + DAY, 9, 60, "c"))) == sorted(
            names(mine + others)
        )


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_no_more_hosts_are_handed_out_than_asked_for(file: Place, limit: int) -> None:
    record(file, "a.example", "b.example")
    with file.open() as store:
        assert len(store.followups().claim(NOON, limit, 60, "a")) == min(limit, 2)


def test_more_hosts_than_one_statement_or_step_takes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newcomers, "_HOSTS_AT_ONCE", 200)
    monkeypatch.setattr(followups, "_STOPPED_AT_ONCE", 300)
    record(place, *(f"ours{number}.example" for number in range(701)))
    place.sql(
        'UPDATE "CertMon" SET ctm_id = NULL WHERE "Domain" LIKE :some', some="ours1%"
    )
    with place.open() as store:
        hosts = store.followups()
        assert hosts.due_count(NOON) == 701
        due = hosts.claim(NOON, 601, 60, "a")
        assert len(set(names(due))) == 601
        assert hosts.due_count(NOON) == 100
        assert hosts.finish([visit(host) for host in due], "a") == []
        assert len(hosts.stop_old(NOON + DAY, 0.5)) == 701
    ids = place.sql('SELECT ctm_id FROM "CertMon"')
    assert len(set(ids)) == 701


def test_hosts_that_were_never_visited_come_first_then_by_time(place: Place) -> None:
    record(place, "late.example", "soon.example", "future.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 60, "a")
        hosts.finish(
            [
                visit("late.example", again=NOON + 3 * HOUR),
                visit("soon.example", again=NOON + 2 * HOUR),
                visit("future.example", again=NOON + 9 * HOUR),
            ],
            "a",
        )
        assert hosts.claim(NOON + HOUR, 9, 60, "a") == []
        store.record([finding("new.example")])
        due = hosts.claim(NOON + 3 * HOUR, 9, 60, "a")
        assert names(due) == ["new.example", "soon.example", "late.example"]
        assert due[1].state == HostState(Presence.DOWN, last_visit=NOON, visits=1)


def test_what_a_visit_leaves_is_what_the_next_one_finds(place: Place) -> None:
    record(place, "a.example")
    state = HostState(
        presence=Presence.UP,
        pending=Presence.DOWN,
        first_up=NOON + timedelta(microseconds=1),
        last_visit=NOON + HOUR,
        visits=7,
        content="c0ffee",
    )
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 1, 60, "a")
        done = visit("a.example", state=state, again=NOON, still_investig=UP_AT)
        assert hosts.finish([done], "a") == []
        (host,) = hosts.claim(NOON, 1, 60, "b")
    assert host.state == state
    assert host.still_investig == UP_AT
    assert states(place) == {"a.example": UP_AT}


def test_a_host_without_next_visit_is_due_no_more(place: Place) -> None:
    record(place, "up.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 1, 60, "a")
        up = visit("up.example", presence=Presence.UP, still_investig=UP_AT)
        hosts.finish([up], "a")
        assert hosts.claim(NOON + 900 * DAY, 1, 60, "a") == []
        # `--all` visits it once more.
        (host,) = hosts.claim(NOON + HOUR, 1, 60, "a", NOON + HOUR)
        assert host.still_investig == UP_AT


def test_a_run_over_all_hosts_visits_each_once_and_ends(place: Place) -> None:
    record(place, "a.example", "b.example", "c.example")
    insert_as_old(place, "given-up.example", "Stop checking on 2019-09-27")
    insert_as_old(place, "up.example", "2026-11-20T13:00:00")
    started = NOON + HOUR
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 60, "before")
        hosts.finish([visit("a.example", again=NOON + DAY)], "before")
        hosts.release("before")
        assert hosts.due_count(started, started) == 4
        seen = []
        while due := hosts.claim(started, 2, 60, "a", started):
            seen += names(due)
            assert (
                hosts.finish([visit(h, at=started, again=NOON) for h in due], "a") == []
            )
        assert sorted(seen) == ["a.example", "b.example", "c.example", "up.example"]
        assert hosts.due_count(started, started) == 0


def test_hosts_of_the_old_program_are_visited_without_its_help(place: Place) -> None:
    """Also those it adds later, and names that nobody can visit."""
    place.open().close()
    insert_as_old(place, "empty.example", "")
    insert_as_old(place, "*.wild.example")
    insert_as_old(place, "up.example", "2026-11-20T13:00:00")
    insert_as_old(place, "given-up.example", "Stop checking on 2019-09-27")
    with place.open() as store:
        hosts = store.followups()
        due = {host.domain: host for host in hosts.claim(NOON, 9, 60, "a")}
        assert sorted(due) == ["*.wild.example", "empty.example", "up.example"]
        assert due["up.example"].fingerprint == "AA:BB"
        # It came up and was told; that is not told again.
        came_up = datetime(2026, 11, 20, 13, tzinfo=UTC)
        assert due["up.example"].state == HostState(Presence.UP, first_up=came_up)
        insert_as_old(place, "later.example")
        assert names(hosts.claim(NOON, 9, 60, "a")) == ["later.example"]
        (told,) = store.record([finding("ours.example")])
        assert told.novelty.value == "new"
        assert names(hosts.claim(NOON, 9, 60, "a")) == ["ours.example"]
    numbers = place.sql('SELECT ctm_id FROM "CertMon"')
    assert len(set(numbers)) == 6
    assert (None,) not in numbers


def test_a_host_that_another_program_gives_up_or_removes_is_not_visited(
    place: Place,
) -> None:
    record(place, "given-up.example", "removed.example", "stays.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 60, "a")
        hosts.release("a")
        place.sql(
            'UPDATE "CertMon" SET "StillInvestig" = :state WHERE "Domain" = :host',
            state="Stop checking on 2026-11-21",
            host="given-up.example",
        )
        place.sql(
            'DELETE FROM "CertMon" WHERE "Domain" = :host', host="removed.example"
        )
        assert hosts.due_count(NOON) == 1
        assert names(hosts.claim(NOON, 1, 60, "a")) == ["stays.example"]
        assert hosts.claim(NOON, 9, 60, "a") == []


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_host_that_is_followed_again_is_as_new(place: Place, by_hand: bool) -> None:
    record(place, "a.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 60, "a")
        hosts.finish([visit("a.example", again=NOON)], "a")
        assert hosts.stop_old(NOON + 200 * DAY, 180) == ["a.example"]
        assert hosts.claim(NOON + 200 * DAY, 9, 60, "a") == []
    if by_hand:
        place.sql('UPDATE "CertMon" SET "StillInvestig" = NULL')
    else:
        record(place, "a.example", at=NOON + 200 * DAY)
    with place.open() as store:
        (host,) = store.followups().claim(NOON + 200 * DAY, 9, 60, "a")
    assert host.state == HostState()


def test_old_hosts_are_given_up_and_those_that_came_up_keep_the_time(
    place: Place,
) -> None:
    insert = {
        "followed.example": (None, "2026-05-25T11:59:59"),
        "empty.example": ("", "2026-05-25T11:59:59"),
        "young.example": (None, "2026-05-25T12:00:00"),
        "up.example": ("2026-06-01T00:00:00", "2026-05-25T11:59:59"),
        "young-up.example": ("2026-06-01T00:00:00", "2026-05-26T00:00:00"),
        "given-up.example": ("Stop checking on 2026-01-01", "2025-01-01T00:00:00"),
        "undated.example": (None, ""),
    }
    place.open().close()
    for host, (state, first_seen) in insert.items():
        insert_as_old(place, host, state, first_seen or " ")
    place.sql(
        'UPDATE "CertMon" SET "FirstSeen" = NULL WHERE "Domain" = :host',
        host="undated.example",
    )
    with place.open() as store:
        hosts = store.followups()
        assert hosts.counts() == HostCounts(followed=4, up=2, stopped=1)
        ended = hosts.stop_old(NOON, 180)
        assert ended == ["empty.example", "followed.example", "up.example"]
        assert hosts.stop_old(NOON, 180) == []
        assert hosts.counts() == HostCounts(followed=2, up=2, stopped=3)
        due = names(hosts.claim(NOON, 9, 60, "a"))
        assert due == ["undated.example", "young-up.example", "young.example"]
        # `--all` visits what came up, and not what was given up.
        hosts.release("a")
        assert len(hosts.claim(NOON, 9, 60, "a", NOON)) == 4
    expected = {host: state for host, (state, _) in insert.items()}
    stopped = "Stop checking on 2026-11-21"
    expected |= {"followed.example": stopped, "empty.example": stopped}
    assert states(place) == expected


def test_the_day_of_giving_up_is_that_of_utc(file: Place) -> None:
    record(file, "a.example")
    with file.open() as store:
        at = datetime.fromisoformat("2027-11-22T01:00:00+02:00")
        store.followups().stop_old(at, 180)
    assert states(file) == {"a.example": "Stop checking on 2027-11-21"}


def test_a_host_that_comes_up_while_it_is_given_up_has_come_up(place: Place) -> None:
    record(place, "up.example", "down.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 60, "a")
        hosts.stop_old(NOON + 200 * DAY, 180)
        up = visit("up.example", again=NOON, still_investig=UP_AT)
        assert hosts.finish([up, visit("down.example", again=NOON)], "a") == []
        assert names(hosts.claim(NOON, 9, 60, "a")) == ["up.example"]
    assert states(place)["up.example"] == UP_AT
    assert (states(place)["down.example"] or "").startswith("Stop checking on 2027")
    place.sql(
        'UPDATE "CertMon" SET "StillInvestig" = :state WHERE "Domain" = :host',
        state="",
        host="down.example",
    )
    with place.open() as store:
        assert names(store.followups().claim(NOON, 9, 60, "a")) == ["down.example"]


def test_a_visit_can_end_the_following_of_its_host(place: Place) -> None:
    record(place, "a.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 60, "a")
        stopped = "Stop checking on 2026-11-21"
        hosts.finish([visit("a.example", again=NOON, still_investig=stopped)], "a")
        assert hosts.claim(NOON, 9, 60, "a", NOON + HOUR) == []


def test_a_visit_whose_lease_went_to_another_is_left_out(place: Place) -> None:
    record(place, "a.example", "b.example")
    lost = visit(
        "a.example",
        again=NOON + DAY,
        still_investig=UP_AT,
        events=(EventKind.UP,),
        outbox=(item("a"),),
    )
    with place.open() as store:
        hosts, outbox = store.followups(), store.outbox()
        hosts.claim(NOON, 9, 60, "slow")
        hosts.finish([visit("b.example", again=NOON + DAY)], "slow")
        (again,) = hosts.claim(NOON + HOUR, 9, 60, "quick")
        assert again.domain == "a.example"
        unknown = visit("never-stored.example")
        left_out = hosts.finish([lost, unknown], "slow")
        assert left_out == ["a.example", "never-stored.example"]
        assert place.count("ctm_visit") == 0
        assert outbox.pending() == 0
        assert states(place) == {"a.example": None, "b.example": None}
        # The lease of the other is untouched, and its visit counts.
        assert hosts.claim(NOON + HOUR, 9, 60, "c") == []
        assert hosts.finish([lost], "quick") == []
        assert outbox.pending() == 1
    assert states(place)["a.example"] == UP_AT


def test_a_visit_that_took_longer_than_its_lease_counts_if_nobody_else_came(
    place: Place,
) -> None:
    record(place, "a.example")
    with place.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 1, "a")
        assert hosts.finish([visit("a.example", at=NOON + HOUR)], "a") == []
        assert hosts.finish([], "a") == []


def test_history_and_outbox_are_written_with_the_visit_and_once(place: Place) -> None:
    record(place, "a.example", "b.example")
    events = (EventKind.BACK, EventKind.CHANGED)
    alert = {"hostname": "a.example", "webpage_title": "\u202eevil\x00\ud800"}
    told = visit(
        "a.example",
        presence=Presence.UP,
        again=NOON,
        events=events,
        outbox=(item("a:file"), item("a:hook"), item("a:file")),
        record=alert,
    )
    with place.open() as store:
        hosts = store.followups()
        for owner in ("a", "b"):  # as after a crash between storing and forgetting
            hosts.claim(NOON, 9, 60, owner)
            assert hosts.finish([told, visit("b.example", again=NOON)], owner) == []
        assert store.outbox().pending() == 2
    ((at, presence, kinds, stored),) = place.sql(
        "SELECT at, presence, events, record FROM ctm_visit"
    )
    assert (at, presence) == ("2026-11-21T12:00:00.000000+00:00", "up")
    assert kinds == "back,changed"
    assert stored.isascii()
    assert json.loads(stored) == alert


def test_the_history_of_a_host_is_kept_as_long_as_it_is_followed_and_then_some_time(
    place: Place,
) -> None:
    hosts = [f"{number}.example" for number in range(502)]
    record(place, "followed", "stopped later", *hosts)
    told = {"events": (EventKind.UP,), "record": {"hostname": "a"}}
    with place.open() as store:
        book = store.followups()
        book.claim(NOON, 999, 60, "a")
        ended = [visit(host, NOON, **told) for host in hosts]
        book.finish([*ended, visit("followed", again=NOON, **told)], "a")
        book.finish([visit("stopped later", NOON + DAY, **told)], "a")
        assert book.forget(NOON) == 0
        assert book.forget(NOON + HOUR) == 502
        assert book.forget(NOON + HOUR) == 0
        assert place.count("ctm_visit") == 2
        assert book.forget(NOON + 2 * DAY) == 1
    ((left,),) = place.sql("SELECT at FROM ctm_visit")
    assert left.startswith("2026-11-21")


@pytest.mark.parametrize(("size", "is_whole"), [(65_520, True), (65_530, False)])
def test_a_record_of_the_history_has_a_limit_and_stays_json(
    file: Place, size: int, is_whole: bool
) -> None:
    record(file, "a.example")
    long = {"t": "\n" * (size // 2)}
    with file.open() as store:
        hosts = store.followups()
        hosts.claim(NOON, 9, 60, "a")
        told = visit("a.example", events=(EventKind.UP,), record=long)
        hosts.finish([told], "a")
    ((stored,),) = file.sql("SELECT record FROM ctm_visit")
    assert len(stored) <= 64 * 1024
    assert (json.loads(stored) == long) is is_whole


def test_nothing_of_a_transaction_that_fails_is_kept(place: Place) -> None:
    record(place, "a.example")
    told = visit(
        "a.example", events=(EventKind.UP,), still_investig=UP_AT, outbox=(item("a"),)
    )
    with place.open() as store:
        hosts = store.followups()
        (host,) = hosts.claim(NOON, 9, 60, "a")
        place.sql("ALTER TABLE ctm_outbox RENAME TO away")
        with pytest.raises(StoreError):
            hosts.finish([told], "a")
        place.sql("ALTER TABLE away RENAME TO ctm_outbox")
        assert place.count("ctm_visit") == 0
        assert states(place) == {"a.example": None}
        hosts.release("a")
        assert hosts.claim(NOON, 9, 60, "b") == [host]


def test_one_host_is_claimed_by_name_whether_due_or_not(place: Place) -> None:
    record(place, "a.example", "b.example")
    with place.open() as store:
        hosts = store.followups()
        assert hosts.claim_host("unknown.example", NOON, 60, "a") is None
        host = hosts.claim_host("a.example", NOON, 60, "a")
        assert host is not None
        assert host.domain == "a.example"
        assert hosts.claim_host("a.example", NOON, 60, "b") is None
        assert hosts.finish([visit(host, again=NOON + DAY)], "a") == []
        assert names(hosts.claim(NOON, 9, 60, "b")) == ["b.example"]
        host = hosts.claim_host("a.example", NOON, 60, "b")
        assert host is not None
        assert host.state.visits == 1


def test_two_tables_of_hosts_in_one_database_are_followed_apart(place: Place) -> None:
    record(place, "a.example")
    with place.open(table="Other") as store:
        store.record([finding("b.example")])
        assert names(store.followups().claim(NOON, 9, 60, "a")) == ["b.example"]
    with place.open() as store:
        assert names(store.followups().claim(NOON, 9, 60, "a")) == ["a.example"]


def test_a_claim_reads_an_index_and_not_all_hosts(file: Place) -> None:
    record(file, "a.example")
    with file.open() as store:
        hosts = store.followups()
        for started, index in ((None, "next_visit"), (NOON, "last_visit")):
            query = hosts._due(NOON, started).limit(500)
            sql = str(
                query.compile(
                    hosts._database.engine, compile_kwargs={"literal_binds": True}
                )
            )
            plan = str(file.sql(f"EXPLAIN QUERY PLAN {sql}"))
            assert f"SEARCH ctm_followup USING INDEX ctm_followup_{index}" in plan
            assert "SCAN" not in plan
            assert "TEMP B-TREE" not in plan


@pytest.mark.postgresql
def test_a_row_that_another_machine_is_leasing_is_not_waited_for(server: Place) -> None:
    import psycopg

    record(server, "a.example", "b.example")
    with server.open(busy_timeout_s=1) as store:
        hosts = store.followups()
        (host,) = hosts.claim(NOON, 1, 60, "a")
        hosts.release("a")
        with psycopg.connect(server.url) as other:
            other.execute(
                'SELECT 1 FROM ctm_followup JOIN "CertMon" ON ctm_id = host_id '
                'WHERE "Domain" = %s FOR UPDATE OF ctm_followup',
                [host.domain],
            )
            assert host not in hosts.claim(NOON, 1, 60, "a")
            assert hosts.claim(NOON, 1, 60, "a") == []
        assert hosts.claim(NOON, 1, 60, "a") == [host]


class Model:
    """What should be so: for each host when it is due, and who has it until when."""

    def __init__(self) -> None:
        self.due: dict[str, int] = {}
        self.leases: dict[str, tuple[str, int]] = {}


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(0, 5)),
        st.tuples(st.just("claim"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("finish"), st.sampled_from("ab"), st.integers(0, 3)),
        st.tuples(st.just("release"), st.sampled_from("ab")),
        st.tuples(st.just("wait"), st.integers(1, 3)),
    ),
    max_size=25,
)


@given(STEPS)
def test_whatever_happens_a_host_is_with_one_scanner_and_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, ...]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("model")
    model, hour = Model(), 0
    with Place(folder / "certs.db", "").open() as store:
        hosts = store.followups()
        for kind, *arguments in steps:
            now = NOON + hour * HOUR
            owner = str(arguments[0])
            if kind == "record":
                host = f"h{arguments[0]}.example"
                store.record([finding(host)])
                model.due.setdefault(host, -1)
            elif kind == "claim":
                due = names(hosts.claim(now, int(arguments[1]), 7200, owner))
                free = {
                    host
                    for host, when in model.due.items()
                    if when <= hour and model.leases.get(host, ("", 0))[1] <= hour
                }
                assert len(due) == min(len(free), int(arguments[1]))
                assert set(due) <= free
                model.leases.update((host, (owner, hour + 2)) for host in due)
            elif kind == "finish":
                held = [h for h, (who, _) in model.leases.items() if who == owner]
                when = hour + int(arguments[1])
                again = NOON + when * HOUR
                everyone = [visit(host, at=now, again=again) for host in model.due]
                lost = hosts.finish(everyone, owner)
                assert sorted(lost) == sorted(set(model.due) - set(held))
                model.due.update((host, when) for host in held)
                for host in held:
                    del model.leases[host]
            elif kind == "release":
                hosts.release(owner)
                held = [h for h, (who, _) in model.leases.items() if who == owner]
                for host in held:
                    del model.leases[host]
            else:
                hour += int(arguments[0])
