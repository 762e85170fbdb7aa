"""Pauses between attempts."""

from datetime import UTC, datetime

import pytest

from ctmonitor.net.backoff import pause_s, retry_after_s

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [pause_s(n, first_s=1, most_s=60, draw=lambda: 1.0) for n in range(9)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("attempt", [0, 5, 31, 10**9])
def test_a_pause_is_between_half_and_all_of_its_ceiling(attempt: int) -> None:
    ceiling = pause_s(attempt, draw=lambda: 1.0)
    assert pause_s(attempt, draw=lambda: 0.0) == ceiling / 2
    drawn = {pause_s(attempt) for _ in range(50)}
    assert len(drawn) > 1
    assert all(ceiling / 2 <= pause <= ceiling for pause in drawn)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("9" * 400, 366 * 86400),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\N{SUPERSCRIPT TWO}", None),
        ("Sat, 99 Nov 2026 12:00:30 GMT", None),
        ("Sat, 21 Nov 99999999999 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
