"""How many certificates each issuer issued in each month, as the bars of a picture."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

WIDTH = 960
HEIGHT = 240
LEFT = 44  # room for the figures of the scale
TOP = 10
BOTTOM = 22  # room for the years

# Certificate Transparency began in 2013. Bars of 15 years are 5 pixels wide each.
_MOST_MONTHS = 180
_SERIES = 6  # colours that people tell apart
_SMALLEST = 2.0  # pixels: one certificate among thousands is seen
_WIDEST = 56.0  # a month of a short span, with its name below
_FILLED = 0.8  # of the room of a month
_FEW_MONTHS = 15
_OTHERS = "other issuers"


@dataclass(frozen=True, slots=True)
class Series:
    """
    An issuer, or all that have no bars of their own.

    Args:
        number: of its colour, from 1.
        years: certificates by year (`2026`).
        path: its bars, as the outline that SVG draws; one outline of all bars makes a
            printed page a tenth as large as one each.
    """

    name: str
    number: int
    total: int
    years: Mapping[str, int]
    path: str


@dataclass(frozen=True, slots=True)
class Column:
    """A month with certificates, and what a person reads who points at it."""

    x: float
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A text at a place of an axis, in pixels."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """
    Args:
        series: those with most certificates first.
        step: pixels from a month to the next.
        scale: heights of whole numbers; dates: begins of years, or of months.
        years: all that have certificates, in order.
        outside: certificates whose date lies before the first or after the last month,
            or is not known.
    """

    first: str
    last: str
    series: tuple[Series, ...]
    columns: tuple[Column, ...]
    step: float
    scale: tuple[Mark, ...]
    dates: tuple[Mark, ...]
    years: tuple[str, ...]
    outside: int


def timeline(
    certificates: Iterable[Mapping[str, Any]], now: datetime
) -> Timeline | None:
    """
    The timeline up to the month of `now`; None where no date lies in it.

    Args:
        certificates: records of a report: `issuer`, `not_before`.
    """
    last = now.year * 12 + now.month - 1
    earliest = last - _MOST_MONTHS + 1
    counts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    outside = 0
    for one in certificates:
        month = _month(one["not_before"])
        if month is None or not earliest <= month <= last:
            outside += 1
        else:
            counts[one["issuer"]][month] += 1
    if not counts:
        return None
    first = min(min(months) for months in counts.values())
    totals: Counter[int] = Counter()
    for months in counts.values():
        totals.update(months)
    grid = _Grid(
        first=first,
        step=(WIDTH - LEFT) / max(last - first + 1, (WIDTH - LEFT) / _WIDEST),
        most=_round(max(totals.values())),
    )
    shown = _shown(counts)
    return Timeline(
        first=_name(first),
        last=_name(last),
        series=_series(shown, grid),
        columns=_columns(shown, grid),
        step=_rounded(grid.step),
        scale=tuple(
            Mark(_rounded(HEIGHT - BOTTOM - grid.height(part)), f"{part:,}")
            for part in sorted({0, grid.most // 2, grid.most})
        ),
        dates=_dates(grid, last),
        years=tuple(sorted({_name(month)[:4] for month in totals})),
        outside=outside,
    )


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where months and numbers lie, in pixels."""

    first: int
    step: float
    most: int

    def x(self, month: int) -> float:
        return LEFT + (month - self.first) * self.step

    def height(self, count: int) -> float:
        return (HEIGHT - TOP - BOTTOM) * count / self.most


def _shown(counts: Mapping[str, Counter[int]]) -> dict[str, Counter[int]]:
    """Months of those that have bars of their own, and of the others as one."""
    order = sorted(counts, key=lambda name: (-counts[name].total(), name))
    # "Others" that stand for one issuer alone would hide its name for nothing.
    own = order if len(order) <= _SERIES + 1 else order[:_SERIES]
    shown = {name: counts[name] for name in own}
    if rest := order[len(own) :]:
        others: Counter[int] = Counter()
        for name in rest:
            others.update(counts[name])
        shown[_OTHERS] = others
    return shown


def _series(shown: Mapping[str, Counter[int]], grid: _Grid) -> tuple[Series, ...]:
    tops: defaultdict[int, float] = defaultdict(lambda: float(HEIGHT - BOTTOM))
    width = _rounded(grid.step * _FILLED)
    made = []
    for number, (name, months) in enumerate(shown.items(), 1):
        years: Counter[str] = Counter()
        path = []
        for month, count in sorted(months.items()):
            years[_name(month)[:4]] += count
            height = max(grid.height(count), _SMALLEST)
            tops[month] -= height
            x, y = _rounded(grid.x(month)), _rounded(tops[month])
            path.append(f"M{x} {y}h{width}v{_rounded(height)}h-{width}z")
        made.append(Series(name, number, months.total(), years, "".join(path)))
    return tuple(made)


def _columns(shown: Mapping[str, Counter[int]], grid: _Grid) -> tuple[Column, ...]:
    said: defaultdict[int, list[str]] = defaultdict(list)
    for name, months in shown.items():
        for month, count in months.items():
            said[month].append(f"{name}: {count:,}")
    return tuple(
        Column(_rounded(grid.x(month)), "\n".join([_name(month), *said[month]]))
        for month in sorted(said)
    )


def _dates(grid: _Grid, last: int) -> tuple[Mark, ...]:
    """Begins of years; of a shorter span each month."""
    months = range(grid.first, last + 1)
    if len(months) <= _FEW_MONTHS:
        return tuple(Mark(_rounded(grid.x(one)), _name(one)) for one in months)
    return tuple(
        Mark(_rounded(grid.x(one)), _name(one)[:4]) for one in months if one % 12 == 0
    )


def _round(count: int) -> int:
    """The end of the scale: 1, 2, 4, 6, 8 or 10 times a power of ten."""
    power = 1
    while count > 10 * power:
        power *= 10
    return next(part * power for part in (1, 2, 4, 6, 8, 10) if part * power >= count)


def _month(written: str | None) -> int | None:
    """Months since the year 0 of `2026-11-21T14:00:00Z`."""
    if not written:
        return None
    return int(written[:4]) * 12 + int(written[5:7]) - 1


def _name(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def _rounded(pixels: float) -> float:
    return round(pixels, 2)
