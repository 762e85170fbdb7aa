"""When certificates end: the days of the next months, as sheets of a calendar."""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

MONTHS = 6
URGENT_DAYS = 7
SOON_DAYS = 30


@dataclass(frozen=True, slots=True)
class Day:
    """
    Args:
        ending: certificates that end on it and are valid until then.
        open: those of them that no other certificate replaces.
        urgency: `urgent`, `soon`, `later`; `replaced` when none is open; `none`
            without any certificate.
        title: for people; empty without any certificate.
    """

    number: int
    ending: int
    open: int
    urgency: str
    is_today: bool
    is_past: bool
    title: str


@dataclass(frozen=True, slots=True)
class Month:
    """
    Args:
        weeks: from Monday to Sunday, None for a day of another month.
        ending, open: sums of its days.
    """

    name: str
    weeks: tuple[tuple[Day | None, ...], ...]
    ending: int
    open: int


def sheets(
    certificates: Iterable[Mapping[str, Any]], now: datetime
) -> tuple[Month, ...]:
    """
    The month of `now` and those that follow it.

    Args:
        certificates: records of a report: `validity`, `not_after`, `is_replaced`.
    """
    ending: dict[str, list[bool]] = {}
    for one in certificates:
        if one["validity"] == "valid":
            ending.setdefault(one["not_after"][:10], []).append(
                bool(one["is_replaced"])
            )
    first = now.year * 12 + now.month - 1
    return tuple(
        _sheet(*divmod(month, 12), ending, now.date())
        for month in range(first, first + MONTHS)
    )


def _sheet(
    year: int, month: int, ending: Mapping[str, list[bool]], today: date
) -> Month:
    weeks = []
    days = []
    for numbers in calendar.monthcalendar(year, month + 1):
        week = [
            _day(date(year, month + 1, number), ending, today) if number else None
            for number in numbers
        ]
        weeks.append(tuple(week))
        days += [day for day in week if day]
    return Month(
        name=f"{calendar.month_name[month + 1]} {year}",
        weeks=tuple(weeks),
        ending=sum(day.ending for day in days),
        open=sum(day.open for day in days),
    )


def _day(day: date, ending: Mapping[str, list[bool]], today: date) -> Day:
    replaced = ending.get(day.isoformat(), [])
    still_open = len(replaced) - sum(replaced)
    return Day(
        number=day.day,
        ending=len(replaced),
        open=still_open,
        urgency=_urgency(len(replaced), still_open, (day - today).days),
        is_today=day == today,
        is_past=day < today,
        title=_title(day, len(replaced), still_open),
    )


def _urgency(ending: int, still_open: int, days_left: int) -> str:
    if not ending:
        return "none"
    if not still_open:
        return "replaced"
    if days_left <= URGENT_DAYS:
        return "urgent"
    return "soon" if days_left <= SOON_DAYS else "later"


def _title(day: date, ending: int, still_open: int) -> str:
    if not ending:
        return ""
    certificates = "1 certificate ends" if ending == 1 else f"{ending} certificates end"
    return f"{day.isoformat()}: {certificates}, {still_open} not replaced"
