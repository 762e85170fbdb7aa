"""Questions to Cert Spotter in an hour."""

from datetime import UTC, datetime, timedelta

import pytest

from ctmonitor.errors import StoreError
from ctmonitor.model.own import SharedState
from ctmonitor.sources.ownsource import BudgetSpent
from ctmonitor.watch.budget import HourlyBudget

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def test_an_hour_has_its_questions_and_the_next_run_knows_them() -> None:
    kept = SharedState()
    saved: list[list[str]] = []
    budget = HourlyBudget(kept, 3, lambda shared: saved.append(list(shared.queries)))
    for number in (0, 10, 20):
        budget.take(minutes(number))
    assert [len(each) for each in saved] == [1, 2, 3]
    later = HourlyBudget(SharedState(queries=saved[-1]), 3, lambda shared: None)
    with pytest.raises(BudgetSpent, match="Certspotter_Hourly = 3") as told:
        later.take(minutes(30))
    assert told.value.retry_after_s == 30 * 60
    later.take(minutes(60.1))  # the first one is an hour old
    with pytest.raises(BudgetSpent):
        later.take(minutes(61))


def test_a_lower_number_than_before_waits_until_it_holds() -> None:
    queries = [f"2026-11-22T11:{minute}:00" for minute in (10, 20, 30, 40)]
    budget = HourlyBudget(SharedState(queries=queries), 2, lambda shared: None)
    with pytest.raises(BudgetSpent) as told:
        budget.take(NOON)
    assert told.value.retry_after_s == 30 * 60


def test_without_a_limit_nothing_is_kept() -> None:
    shared = SharedState()
    budget = HourlyBudget(shared, 0, lambda shared: pytest.fail("it was saved"))
    for _ in range(100):
        budget.take(NOON)
    assert shared.queries == []


def test_times_that_are_none_or_of_the_future_do_not_count() -> None:
    shared = SharedState(queries=["rubbish", "2030-01-01T00:00:00", ""])
    HourlyBudget(shared, 1, lambda shared: None).take(NOON)
    assert shared.queries == ["2026-11-22T12:00:00"]


def test_what_cannot_be_noted_is_not_asked() -> None:
    def fail(shared: SharedState) -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        HourlyBudget(SharedState(), 5, fail).take(NOON)


def test_what_is_spared_is_for_other_questions() -> None:
    kept = SharedState()
    own = HourlyBudget(kept, 4, lambda shared: None)
    others = HourlyBudget(kept, 4, lambda shared: None, spared=2)
    others.take(minutes(0))
    others.take(minutes(1))
    with pytest.raises(BudgetSpent, match="= 4 allows beside 2 for own") as told:
        others.take(minutes(2))
    assert told.value.retry_after_s == 58 * 60
    own.take(minutes(2))
    own.take(minutes(3))
    with pytest.raises(BudgetSpent):
        own.take(minutes(4))
    nothing = HourlyBudget(SharedState(), 1, lambda shared: None, spared=1)
    with pytest.raises(BudgetSpent, match="in 60 minutes"):
        nothing.take(NOON)
