"""Times: UTC, to the second, without zone; strangers' numbers are checked."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ctmonitor.model.clock import from_epoch, from_utc_text, now_utc, utc_text


def test_utc_text_is_as_promised() -> None:
    moment = datetime(2019, 6, 12, 17, 54, 31, 999, timezone(timedelta(hours=2)))
    assert utc_text(moment) == "2019-06-12T15:54:31"
    assert utc_text(None) is None


def test_text_and_time_go_round() -> None:
    moment = datetime(2019, 6, 12, 15, 54, 31, tzinfo=UTC)
    assert from_utc_text("2019-06-12T15:54:31") == moment
    assert from_utc_text(utc_text(moment)) == moment


@pytest.mark.parametrize("text", [None, "", "yesterday", "2019-13-01T00:00:00"])
def test_unreadable_text_is_none(text: str | None) -> None:
    assert from_utc_text(text) is None


@pytest.mark.parametrize(
    "value", [None, True, "1", [], float("nan"), float("inf"), 1e30, -1e30]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert from_epoch(value) is None


def test_epoch_in_seconds() -> None:
    assert from_epoch(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert from_epoch(253402300799) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert from_epoch(253402300800) is None
    assert now_utc().tzinfo is UTC
