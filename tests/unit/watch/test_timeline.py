"""The timeline has a bar for each issuer and month, however many there are."""

import re
from datetime import UTC, datetime

import pytest

from ctmonitor.watch.timeline import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, timeline

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BAR = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z")


def certificates(*issued: tuple[str, str, int]) -> list[dict[str, object]]:
    """Of an issuer, in a month, how many."""
    return [
        {"issuer": issuer, "not_before": f"{month}-15T00:00:00Z"}
        for issuer, month, count in issued
        for _ in range(count)
    ]


def bars(path: str) -> list[tuple[float, ...]]:
    """x, y, width, height of each."""
    assert BAR.sub("", path) == ""
    return [tuple(map(float, one)) for one in BAR.findall(path)]


def test_nothing_has_no_timeline() -> None:
    assert timeline([], NOW) is None
    assert timeline([{"issuer": "A", "not_before": None}], NOW) is None


def test_bars_of_one_month_stand_on_each_other() -> None:
    line = timeline(certificates(("A", "2026-10", 6), ("B", "2026-10", 4)), NOW)
    assert line is not None
    (first,), (second,) = (bars(one.path) for one in line.series)
    assert [one.name for one in line.series] == ["A", "B"]
    assert first[1] + first[3] == pytest.approx(HEIGHT - BOTTOM)
    assert second[1] + second[3] == pytest.approx(first[1])
    assert second[1] == TOP  # ten of ten
    assert first[0] == second[0]
    assert first[3] / second[3] == pytest.approx(1.5, rel=0.01)


def test_the_timeline_ends_with_this_month() -> None:
    line = timeline(certificates(("A", "2025-01", 1)), NOW)
    assert line is not None
    assert (line.first, line.last) == ("2025-01", "2026-11")
    assert [mark.text for mark in line.dates] == ["2025", "2026"]
    assert line.years == ("2025",)
    assert line.outside == 0


def test_a_short_timeline_names_its_months() -> None:
    line = timeline(certificates(("A", "2026-10", 1)), NOW)
    assert line is not None
    assert [mark.text for mark in line.dates] == ["2026-10", "2026-11"]


def test_one_among_thousands_is_seen() -> None:
    line = timeline(certificates(("A", "2026-10", 5000), ("B", "2026-11", 1)), NOW)
    assert line is not None
    (_, _, width, height), *_ = bars(line.series[1].path)
    assert width >= 2
    assert height >= 2


def test_what_lies_outside_is_counted() -> None:
    issued = [("A", "2026-11", 1), ("A", "2026-12", 2), ("A", "0001-01", 4)]
    line = timeline(
        certificates(*issued, ("B", "2011-11", 8), ("B", "9999-12", 16)), NOW
    )
    assert line is not None
    assert line.outside == 2 + 4 + 8 + 16
    assert [(one.name, one.total) for one in line.series] == [("A", 1)]


@pytest.mark.parametrize(
    ("issuers", "shown"), [(1, 1), (6, 6), (7, 7), (8, 7), (200, 7)]
)
def test_issuers_beyond_the_colours_are_others(issuers: int, shown: int) -> None:
    issued = [
        (f"CA {number:03d}", "2026-10", 300 - number) for number in range(issuers)
    ]
    line = timeline(certificates(*issued), NOW)
    assert line is not None
    assert [one.number for one in line.series] == list(range(1, shown + 1))
    assert sum(one.total for one in line.series) == sum(one[2] for one in issued)
    assert (line.series[-1].name == "other issuers") == (issuers > 7)
    assert line.series[0].name == "CA 000"


def test_a_month_says_what_was_issued_in_it() -> None:
    issued = [("A", "2026-10", 1200), ("B", "2026-10", 1), ("A", "2026-11", 3)]
    line = timeline(certificates(*issued), NOW)
    assert line is not None
    assert [one.title for one in line.columns] == [
        "2026-10\nA: 1,200\nB: 1",
        "2026-11\nA: 3",
    ]


@pytest.mark.parametrize(
    ("count", "scale"),
    [
        (1, ["0", "1"]),
        (2, ["0", "1", "2"]),
        (3, ["0", "2", "4"]),
        (9, ["0", "5", "10"]),
        (11, ["0", "10", "20"]),
        (1001, ["0", "1,000", "2,000"]),
    ],
)
def test_the_scale_ends_above_the_highest(count: int, scale: list[str]) -> None:
    line = timeline(certificates(("A", "2026-10", count)), NOW)
    assert line is not None
    assert [mark.text for mark in line.scale] == scale
    assert line.scale[0].at == HEIGHT - BOTTOM
    assert line.scale[-1].at == TOP


@pytest.mark.parametrize("first", ["2026-11", "2020-02", "2011-12"])
def test_all_bars_lie_in_the_picture(first: str) -> None:
    issued = [("A", first, 3), ("B", "2026-11", 900), ("C", "2026-11", 1)]
    line = timeline(certificates(*issued), NOW)
    assert line is not None
    assert line.outside == 0
    for one in line.series:
        for x, y, width, height in bars(one.path):
            assert x >= LEFT
            assert x + width <= WIDTH
            assert 0 <= y <= y + height <= HEIGHT - BOTTOM
