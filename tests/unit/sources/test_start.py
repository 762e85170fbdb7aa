"""Where a log begins: as it is written, and found in a log."""

import asyncio
from datetime import UTC, datetime

import pytest

from ctmonitor.model.log import TreeHead
from ctmonitor.sources.logclient import LogClient
from ctmonitor.sources.start import Start
from tests.fakes.logfaults import fault
from tests.fakes.logserver import LogServer
from tests.unit.sources.following import (
    KINDS,
    follow_once,
    front_of,
    listed,
    log_of,
    manner,
)

DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "written"),
    [
        ("tip", Start(0), "tip"),
        (" Tip ", Start(0), "tip"),
        ("0", Start(0), "tip"),
        ("beginning", Start(None), "beginning"),
        ("5000", Start(5000), "5000"),
        ("2026-11-01", Start(None, DAY), "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T02:00+02:00", Start(None, DAY), "2026-11-01T00:00:00+00:00"),
    ],
)
def test_what_may_be_written(text: str, start: Start, written: str) -> None:
    assert Start.parse(text) == start
    assert str(start) == written
    assert Start.parse(written) == start


@pytest.mark.parametrize("text", ["", "end", "-5", "1e3", "٣", "2026-13-01", "9" * 16])
def test_what_may_not(text: str) -> None:
    with pytest.raises(ValueError, match="neither tip, beginning"):
        Start.parse(text)


def test_a_time_that_has_not_come_is_refused() -> None:
    Start.parse("2026-11-01").check(DAY)
    for text in ("tip", "beginning", "5000"):
        Start.parse(text).check(DAY)
    with pytest.raises(ValueError, match="lies in the future: it is 2026-11-01T00:00"):
        Start.parse("2026-11-01T00:00:01").check(DAY)


@pytest.mark.parametrize(
    ("back", "first"), [(0, 70), (1, 69), (70, 0), (71, 0), (None, 0)]
)
def test_some_entries_back_needs_no_request(back: int | None, first: int) -> None:
    client: LogClient = None  # type: ignore[assignment]  # it is not asked
    head = TreeHead(70, bytes(32), 0)
    assert asyncio.run(Start(back).position(client, head)) == first


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_is_found_by_halves(kind: str) -> None:
    """Of 5,000 entries; the last tile of a static log is one of few that are read."""
    log = log_of(5000)
    moment_ms = log.entries[4990].timestamp_ms
    since = Start(None, datetime.fromtimestamp(moment_ms / 1000, UTC))
    front = front_of(log, kind)
    with LogServer(front) as server:
        collected, _, done = follow_once(listed(server)[0], how=manner(since))
    assert done
    collected.assert_true(log, 4990)
    assert front.count() <= 25


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_that_cannot_be_searched_is_begun_later(kind: str) -> None:
    log = log_of(600)
    moment_ms = log.entries[300].timestamp_ms
    since = Start(None, datetime.fromtimestamp(moment_ms / 1000, UTC))
    front = front_of(log, kind)
    front.faults = [fault("html with 200", times=1, where="data|get-entries")]
    with LogServer(front) as server:
        collected, follower, done = follow_once(listed(server)[0], how=manner(since))
    assert done
    assert follower.status.errors == 1
    collected.assert_true(log, 300)
