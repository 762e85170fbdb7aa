"""When certificates end: the days of the next months, as sheets of a calendar."""

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from ctmonitor.model.clock import from_utc_text

MONTHS = 6
URGENT_DAYS = 7
SOON_DAYS = 30

# Of the lifetime: until then CAs do not recommend renewal, and certificates of six days
# would be due from the first.
_SHARE = 3


@dataclass(frozen=True, slots=True)
class Day:
    """
    Args:
        ending: certificates that end on it and are valid until then.
        open: those of them that no other certificate replaces.
        urgency: of those that are open: `urgent` and `soon` when one is due, else
            `later`; `replaced` when none is open; `none` without any certificate.
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


def is_due(certificate: Mapping[str, Any], now: datetime) -> bool:
    """
    Whether a certificate should be replaced by now, and is not.

    That is so when `SOON_DAYS` or less are left, and less than a third of its lifetime.

    Args:
        certificate: record of a report: `validity`, `not_before`, `not_after`,
            `is_replaced`.
    """
    begins = from_utc_text(certificate["not_before"])
    ends = from_utc_text(certificate["not_after"])
    if certificate["validity"] != "valid" or certificate["is_replaced"]:
        return False
    if begins is None or ends is None:
        return False
    left = ends - now
    return left <= timedelta(days=SOON_DAYS) and left * _SHARE < ends - begins


def sheets(
    certificates: Iterable[Mapping[str, Any]], now: datetime
) -> tuple[Month, ...]:
    """
    The month of `now` and those that follow it.

    Args:
        certificates: records of a report, as for `is_due`.
    """
    ending: dict[str, _Ending] = {}
    for one in certificates:
        if one["validity"] == "valid":
            day = ending.setdefault(one["not_after"][:10], _Ending())
            day.all += 1
            day.open += not one["is_replaced"]
            day.due += is_due(one, now)
    first = now.year * 12 + now.month - 1
    return tuple(
        _sheet(*divmod(month, 12), ending, now.date())
        for month in range(first, first + MONTHS)
    )


@dataclass(slots=True)
class _Ending:
    """How many certificates end on a day."""

    all: int = 0
    open: int = 0
    due: int = 0


def _sheet(year: int, month: int, ending: Mapping[str, _Ending], today: date) -> Month:
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


def _day(day: date, ending: Mapping[str, _Ending], today: date) -> Day:
    counted = ending.get(day.isoformat(), _Ending())
    return Day(
        number=day.day,
        ending=counted.all,
        open=counted.open,
        urgency=_urgency(counted, (day - today).days),
        is_today=day == today,
        is_past=day < today,
        title=_title(day, counted),
    )


def _urgency(counted: _Ending, days_left: int) -> str:
    if not counted.all:
        return "none"
    if not counted.open:
        return "replaced"
    if not counted.due:
        return "later"
    return "urgent" if days_left <= URGENT_DAYS else "soon"


def _title(day: date, counted: _Ending) -> str:
    if not counted.all:
        return ""
    certificates = f"{counted.all} certificates end"
    if counted.all == 1:
        certificates = "1 certificate ends"
    return f"{day.isoformat()}: {certificates}, {counted.open} not replaced"
