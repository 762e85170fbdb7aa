"""Distances between visits, and what observations change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ctmonitor.followup.schedule import Schedule, content_key, observe
from ctmonitor.model.followup import EventKind, HostState
from ctmonitor.model.site import Dns, DnsState, Page, Presence, SiteReport

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOLLOWED = HostState(Presence.UP, first_up=NOW, content="x")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def _report(presence: Presence, title: str = "") -> SiteReport:
    page = Page("https://a.example/", 200, title) if presence is Presence.UP else None
    dns = Dns(DnsState.FOUND)
    return SiteReport("a.example", "a.example", NOW, NOW, presence, dns, page=page)


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        (timedelta(0), 10 * MINUTE),
        (40 * MINUTE, 10 * MINUTE),
        (4 * HOUR, HOUR),
        (4 * DAY, DAY),
        (100 * DAY, DAY),
    ],
)
def test_the_pause_grows_with_age_up_to_a_day(age: timedelta, pause: timedelta) -> None:
    assert Schedule().next_visit(HostState(), NOW - age, NOW) == NOW + pause


def test_a_change_is_confirmed_soon() -> None:
    state = replace(FOLLOWED, pending=Presence.DOWN)
    assert Schedule().next_visit(state, NOW - 30 * DAY, NOW) == NOW + 10 * MINUTE


def test_hosts_that_came_up_are_revisited_until_they_are_old() -> None:
    schedule = Schedule()
    assert schedule.next_visit(FOLLOWED, NOW - DAY, NOW) == NOW + DAY
    assert schedule.next_visit(FOLLOWED, NOW - 180 * DAY, NOW) is None
    never = Schedule(revisit=timedelta(0))
    assert never.next_visit(FOLLOWED, NOW - DAY, NOW) is None


def test_a_row_without_a_time_is_visited_each_day() -> None:
    assert Schedule().next_visit(HostState(), None, NOW) == NOW + 6 * HOUR


def test_the_first_time_up_is_told_at_once() -> None:
    state, events = observe(HostState(), _report(Presence.UP))
    assert events == (EventKind.UP,)
    assert (state.presence, state.first_up, state.visits) == (Presence.UP, NOW, 1)


def test_a_host_that_never_was_up_is_not_told_down() -> None:
    state, events = observe(HostState(), _report(Presence.DOWN))
    assert events == ()
    assert state.presence is Presence.DOWN


def test_going_down_and_coming_back_take_two_observations() -> None:
    state, _ = observe(HostState(), _report(Presence.UP))
    told = []
    for presence in (
        Presence.DOWN,  # a flap
        Presence.UP,
        Presence.DOWN,
        Presence.UNKNOWN,  # says nothing, so the next one is the second
        Presence.DOWN,
        Presence.UP,
        Presence.UP,
    ):
        state, events = observe(state, _report(presence))
        told.append(events)
    assert told == [(), (), (), (), (EventKind.DOWN,), (), (EventKind.BACK,)]


def test_other_content_is_told() -> None:
    state, _ = observe(HostState(), _report(Presence.UP, "Parked"))
    state, events = observe(state, _report(Presence.UP, "Parked"))
    assert events == ()
    state, events = observe(state, _report(Presence.UP, "Log in"))
    assert events == (EventKind.CHANGED,)
    assert state.content == content_key(_report(Presence.UP, "Log in"))
