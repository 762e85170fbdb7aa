"""The calendar shows what ends on which day, and whether something replaces it."""

from datetime import UTC, datetime

import pytest

from ctmonitor.watch.expirycalendar import Day, is_due, sheets

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def ending(
    day: str, *, is_replaced: bool | None = False, validity: str = "valid"
) -> dict:
    return {
        "validity": validity,
        "not_before": "2026-05-01T00:00:00Z",
        "not_after": f"{day}T23:59:59Z",
        "is_replaced": is_replaced,
    }


def day(day_text: str, *certificates: dict) -> Day:
    year, month, number = map(int, day_text.split("-"))
    for sheet in sheets(certificates, NOW):
        if sheet.name == datetime(year, month, 1, tzinfo=UTC).strftime("%B %Y"):
            days = [each for week in sheet.weeks for each in week if each]
            return days[number - 1]
    raise AssertionError(day_text)


def test_six_months_follow_one_another_over_the_end_of_a_year() -> None:
    assert [one.name for one in sheets([], NOW)] == [
        "November 2026",
        "December 2026",
        "January 2027",
        "February 2027",
        "March 2027",
        "April 2027",
    ]


def test_weeks_begin_with_monday() -> None:
    november = sheets([], NOW)[0]
    first, *_, last = november.weeks
    assert [each.number if each else None for each in first] == [*[None] * 6, 1]
    assert last[0] is not None
    assert last[0].number == 30
    assert all(len(week) == 7 for week in november.weeks)


@pytest.mark.parametrize(
    ("when", "urgency"),
    [
        ("2026-11-21", "urgent"),
        ("2026-11-28", "urgent"),
        ("2026-11-29", "soon"),
        ("2026-12-20", "soon"),
        ("2026-12-21", "later"),
        ("2027-04-30", "later"),
    ],
)
def test_the_urgency_of_a_day_is_that_of_what_nothing_replaces(
    when: str, urgency: str
) -> None:
    shown = day(when, ending(when), ending(when, is_replaced=True))
    assert (shown.urgency, shown.ending, shown.open) == (urgency, 2, 1)
    assert shown.title == f"{when}: 2 certificates end, 1 not replaced"
    replaced = day(when, ending(when, is_replaced=True))
    assert replaced.urgency == "replaced"
    assert replaced.title == f"{when}: 1 certificate ends, 0 not replaced"


def test_what_is_not_known_to_be_replaced_is_open() -> None:
    assert day("2026-12-01", ending("2026-12-01", is_replaced=None)).open == 1


def test_what_is_not_valid_does_not_end() -> None:
    revoked = ending("2026-12-01", validity="revoked")
    odd = {"validity": "unknown", "not_before": None, "not_after": None}
    odd["is_replaced"] = None
    assert day("2026-12-01", revoked, odd).urgency == "none"


def test_today_and_past_days_are_marked() -> None:
    assert day("2026-11-21").is_today
    assert not day("2026-11-21").is_past
    assert day("2026-11-20").is_past
    assert not day("2026-12-21").is_today


def test_a_month_sums_its_days() -> None:
    december = sheets(
        [
            ending("2026-12-01"),
            ending("2026-12-31", is_replaced=True),
            ending("2027-12-01"),
        ],
        NOW,
    )[1]
    assert (december.ending, december.open) == (2, 1)


@pytest.mark.parametrize(
    ("begins", "ends", "due"),
    [
        ("2026-09-22T12:00:00Z", "2026-12-21T12:00:00Z", False),  # 90 days, 30 left
        ("2026-09-22T11:59:59Z", "2026-12-21T12:00:00Z", True),
        ("2026-01-01T00:00:00Z", "2026-12-21T12:00:01Z", False),
        ("2026-11-17T12:00:00Z", "2026-11-23T12:00:00Z", False),  # 6 days, 2 left
        ("2026-11-17T12:00:00Z", "2026-11-23T11:59:59Z", True),
        (None, "2026-11-23T12:00:00Z", False),
    ],
)
def test_less_than_a_third_of_the_lifetime_is_due(
    begins: str | None, ends: str, due: bool
) -> None:
    one = {"validity": "valid", "is_replaced": False}
    one |= {"not_before": begins, "not_after": ends}
    assert is_due(one, NOW) is due
    assert not is_due({**one, "is_replaced": True}, NOW)
    assert not is_due({**one, "validity": "revoked"}, NOW)


def test_one_that_is_not_due_is_no_urgent_day() -> None:
    short = {**ending("2026-11-26"), "not_before": "2026-11-20T00:00:00Z"}
    assert day("2026-11-26", short).urgency == "later"
    assert day("2026-11-26", short, ending("2026-11-26")).urgency == "urgent"
