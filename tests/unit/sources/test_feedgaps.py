"""Gaps: each is told when it begins, and with its end and what it cost."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from ctmonitor.model.batch import Gap, GapCause
from ctmonitor.sources.continuity import MAX_LOGS
from ctmonitor.sources.feedgaps import FeedGaps
from tests.unit.sources.collecting import message

FEED = "ws://feed.example/"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOG = "https://log.example/2026"


class Told:
    """FeedGaps with a clock that the test turns: seconds since noon."""

    def __init__(self) -> None:
        self.gaps: list[Gap] = []
        self.book = FeedGaps(self.gaps.append, hole_patience_s=15, calm_s=5)

    def begin(self, cause: GapCause, at_s: float, reason: str = "why") -> None:
        self.book.begin(Gap(FEED, cause, _time(at_s), detail=reason))

    def close(self, at_s: float) -> None:
        self.book.close(_time(at_s), 1000 + at_s)

    def follow(self, at_s: float, *indexes: int) -> None:
        self.book.follow(FEED, [message(n) for n in indexes], 1000 + at_s)

    def drop(self, at_s: float, *frames: bytes) -> None:
        self.book.drop(FEED, frames, _time(at_s), 1000 + at_s)

    def tick(self, at_s: float) -> None:
        self.book.tick(_time(at_s), 1000 + at_s)

    def end(self, at_s: float) -> None:
        self.book.end(_time(at_s), 1000 + at_s)

    def take(self) -> list[Gap]:
        gaps, self.gaps[:] = list(self.gaps), []
        return gaps


def _time(at_s: float) -> datetime:
    return NOON + timedelta(seconds=at_s)


def _overflow(start_s: float, end_s: float, lost: int, start: int, end: int) -> Gap:
    return Gap(
        FEED,
        GapCause.OVERFLOW,
        _time(start_s),
        _time(end_s),
        lost,
        LOG,
        start,
        end,
        "the queue was full ([SOURCES] Queue_Messages)",
    )


def test_a_gap_is_told_when_it_begins_and_again_with_its_end() -> None:
    told = Told()
    told.begin(GapCause.DISCONNECT, 10)
    opened = Gap(FEED, GapCause.DISCONNECT, _time(10), detail="why")
    assert told.take() == [opened]
    assert told.book.is_open
    told.close(25)
    assert told.take() == [
        Gap(FEED, GapCause.DISCONNECT, _time(10), _time(25), detail="why")
    ]
    assert not told.book.is_open
    told.close(30)
    assert told.take() == []


def test_while_a_gap_is_open_its_first_cause_counts() -> None:
    told = Told()
    told.begin(GapCause.STALL, 10, "silent")
    told.begin(GapCause.CONNECT, 20, "refused")
    told.close(30)
    assert [(gap.cause, gap.detail) for gap in told.take()] == [
        (GapCause.STALL, "silent"),
        (GapCause.STALL, "silent"),
    ]


def test_the_time_we_did_not_run_ends_where_the_feed_begins_to_fail() -> None:
    told = Told()
    told.begin(GapCause.STOPPED, 10)
    told.begin(GapCause.CONNECT, 20)
    told.begin(GapCause.CONNECT, 25)
    told.close(30)
    assert [(g.cause, g.start, g.end) for g in told.take()] == [
        (GapCause.STOPPED, _time(10), None),
        (GapCause.STOPPED, _time(10), _time(20)),
        (GapCause.CONNECT, _time(20), None),
        (GapCause.CONNECT, _time(20), _time(30)),
    ]


def test_a_hole_noticed_after_a_reconnect_is_what_the_gap_before_cost() -> None:
    told = Told()
    told.follow(0, 1, 2, 3)
    told.begin(GapCause.DISCONNECT, 5)
    told.close(20)
    told.follow(20, 50, 51)
    told.take()
    told.tick(34)
    assert told.take() == []
    told.tick(36)
    assert told.take() == [
        Gap(FEED, GapCause.DISCONNECT, _time(5), _time(20), 46, LOG, 4, 50, "why")
    ]


@pytest.mark.parametrize("noticed_s", [4, 40])
def test_a_hole_before_or_long_after_a_gap_stands_for_itself(noticed_s: int) -> None:
    told = Told()
    told.follow(0, 1)
    if noticed_s < 5:
        told.follow(noticed_s, 9)
    told.begin(GapCause.DISCONNECT, 5)
    told.close(7)
    if noticed_s > 7:
        told.follow(noticed_s, 9)
    told.take()
    told.tick(60)
    (gap,) = told.take()
    assert (gap.cause, gap.start, gap.end) == (
        GapCause.HOLE,
        _time(noticed_s),
        _time(noticed_s),
    )
    assert (gap.lost, gap.log, gap.index_start, gap.index_end) == (7, LOG, 2, 9)


def test_an_overflow_is_told_in_calm_with_range_and_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()
    with caplog.at_level(logging.INFO):
        told.drop(10, message(5), message(6))
        told.tick(11)
        told.drop(13, message(9))
        told.tick(17)
        assert told.take() == []
        told.tick(18)
    assert told.take() == [_overflow(10, 13, 3, 5, 10)]
    told.tick(60)
    assert told.take() == []
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert "faster than they are judged" in texts[0]
    assert "3 messages were dropped" in texts[1]


def test_a_long_overflow_is_told_in_parts_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()
    for second in range(150):
        told.drop(second, message(second))
        told.tick(second)
    told.tick(155)
    gaps = told.take()
    assert [gap.lost for gap in gaps] == [61, 61, 28]
    assert [(gap.index_start, gap.index_end) for gap in gaps] == [
        (0, 61),
        (61, 122),
        (122, 150),
    ]
    assert len(caplog.records) == 2
    assert "150 messages were dropped" in caplog.text


def test_an_overflow_tells_each_log_and_what_bears_no_index() -> None:
    told = Told()
    nameless = b'{"data":["a.example"],"message_type":"dns_entries"}'
    told.drop(0, message(7), message(9, log="https://other.example/"), nameless)
    told.tick(5)
    found = {gap.log: (gap.lost, gap.index_start, gap.index_end) for gap in told.take()}
    assert found == {
        LOG: (1, 7, 8),
        "https://other.example": (1, 9, 10),
        "": (1, None, None),
    }


def test_invented_logs_do_not_fill_memory_or_store() -> None:
    told = Told()
    frames = [message(n, log=f"https://{n}.example/") for n in range(MAX_LOGS + 500)]
    told.drop(0, *frames)
    told.tick(5)
    gaps = told.take()
    assert len(gaps) == MAX_LOGS + 1
    assert sum(gap.lost or 0 for gap in gaps) == MAX_LOGS + 500


def test_at_the_end_all_is_told() -> None:
    told = Told()
    told.follow(0, 1, 5)
    told.drop(1, message(6))
    told.begin(GapCause.STALL, 2)
    told.take()
    told.end(3)
    assert [(gap.cause, gap.end) for gap in told.take()] == [
        (GapCause.STALL, _time(3)),
        (GapCause.HOLE, _time(0)),
        (GapCause.OVERFLOW, _time(1)),
    ]


def test_the_name_of_a_log_cannot_act_on_a_terminal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Told()
    frame = message(1).replace(b"https://log.example/2026/", b"a\x1b[2J%s\xff")
    told.book.follow(
        FEED, [frame, frame.replace(b'"cert_index":1', b'"cert_index":5')], 0
    )
    told.end(0)
    (gap,) = told.take()
    assert gap.log == "https://a\\x1b[2J%s\ufffd"
    assert gap.log in caplog.text
