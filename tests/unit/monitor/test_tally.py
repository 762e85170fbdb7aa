"""The counts of a run, and its summary line."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ctmonitor.model.batch import Batch, Counts, Gap, GapCause
from ctmonitor.monitor.tally import Tally

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OPEN = Gap("ws://feed/", GapCause.STALL, START)
CLOSED = replace(OPEN, end=START + timedelta(seconds=9))


def gaps(*batches: tuple[Gap, ...]) -> int:
    tally = Tally()
    for some in batches:
        tally.add(Batch(gaps=some))
    return tally.gaps


def test_the_summary_line_is_the_promised_one() -> None:
    tally = Tally(findings=3)
    counts = Counts(10, 5, dropped=4, reconnects=2, malformed={"a": 1, "b": 2})
    tally.add(Batch(counts=counts))
    tally.add(Batch(counts=counts, gaps=(CLOSED,)))
    assert str(tally) == (
        "messages=20 candidates=10 findings=3 malformed=6 dropped=8 reconnects=4 gaps=1"
    )
    assert tally.malformed == {"a": 2, "b": 4}


def test_a_gap_that_was_told_while_open_counts_once() -> None:
    assert gaps((OPEN,), (CLOSED,)) == 1
    assert gaps((OPEN, CLOSED)) == 1
    assert gaps((CLOSED,)) == 1
    assert gaps((OPEN,)) == 1


def test_other_gaps_count_beside_it() -> None:
    later = replace(OPEN, start=START + timedelta(minutes=1))
    hole = replace(CLOSED, log="https://log.example", index_start=1, index_end=2)
    assert gaps((OPEN,), (CLOSED,), (later,)) == 2
    assert gaps((OPEN,), (hole,), (CLOSED,)) == 2
    assert gaps((OPEN,), (CLOSED,), (hole,), (replace(hole, index_start=5),)) == 3
