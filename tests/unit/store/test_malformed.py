"""Malformed entries of logs: stored once each, and not without end; both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ctmonitor.model.batch import Cursor, Malformed
from ctmonitor.store.store import MAX_MALFORMED_A_DAY
from tests.unit.store.making import NOON, Place, finding

LOG = "https://log.example/2026h2/"
ENTRY = Malformed(LOG, 2**40, "leaf: cut short", "leaf: cut short: 12 bytes")


def listed(place: Place, since: datetime | None = None) -> list[Malformed]:
    with place.reader() as reader:
        return list(reader.malformed(since))


def test_they_are_stored_with_findings_and_cursor_and_once_each(place: Place) -> None:
    other = replace(ENTRY, index=3, kind="serial number: missing", detail="")
    with place.open() as store:
        told = store.record(
            [finding("a.example")], (), Cursor("log", "9"), malformed=[ENTRY, other]
        )
        assert [each.host for each in told] == ["a.example"]
        assert store.record([], malformed=[replace(ENTRY, detail="again")]) == []
        assert store.cursor("log") == Cursor("log", "9")
    assert listed(place) == [
        replace(other, recorded=NOON),
        replace(ENTRY, recorded=NOON),
    ]


def test_a_log_is_told_from_another(place: Place) -> None:
    elsewhere = replace(ENTRY, log="https://another.example/")
    with place.open() as store:
        store.record([], malformed=[ENTRY, elsewhere])
    assert [each.log for each in listed(place)] == [elsewhere.log, LOG]


def test_what_a_stranger_wrote_is_stored_printable_and_bounded(place: Place) -> None:
    strange = Malformed("https://l.example/\n\0", -1, "k\ud800" * 900, "\x1b[2J" * 9000)
    beyond = replace(strange, index=2**64)
    with place.open() as store:
        store.record([], malformed=[strange, beyond])
    (stored,) = listed(place)  # an index that no column holds is not known
    assert stored.index == -1
    for text in (stored.log, stored.kind, stored.detail):
        assert text.isprintable()
        assert len(text) <= 500


def test_they_are_listed_since_a_time(place: Place) -> None:
    now = [NOON - timedelta(hours=1)]
    with place.open(now=lambda: now[0]) as store:
        store.record([], malformed=[ENTRY])
        now[0] = NOON
        store.record([], malformed=[replace(ENTRY, index=1)])
    assert [each.index for each in listed(place, NOON)] == [1]
    assert len(listed(place)) == 2


def test_what_was_recorded_before_a_time_is_forgotten_of_each_log(place: Place) -> None:
    now = [NOON]
    logs = [LOG, "https://another.example/", ""]
    old = [replace(ENTRY, log=log, index=n) for log in logs for n in range(501)]
    with place.open(now=lambda: now[0]) as store:
        assert store.forget_malformed(NOON) == 0
        for start in range(0, len(old), 1000):
            store.record([], malformed=old[start : start + 1000])
        now[0] = NOON + timedelta(hours=1)
        store.record([], malformed=[replace(ENTRY, log=log, index=501) for log in logs])
        assert store.forget_malformed(NOON) == 0
        assert store.forget_malformed(now[0]) == len(old)
        assert store.forget_malformed(now[0]) == 0
    assert {(each.log, each.index) for each in listed(place)} == {
        (log, 501) for log in logs
    }


def test_of_each_log_so_many_a_day(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    now = [datetime(2026, 11, 21, tzinfo=UTC)]
    entries = [replace(ENTRY, index=n) for n in range(MAX_MALFORMED_A_DAY + 1)]
    one_more = replace(ENTRY, index=5000)
    with place.open(now=lambda: now[0]) as store:
        store.record([], malformed=entries[:600])
        store.record([], malformed=entries[600:-1])
        assert not caplog.records
        store.record([], malformed=[replace(ENTRY, log="https://other.example/")])
        store.record([], malformed=entries[-2:])
        store.record([], malformed=[one_more])
        assert len(listed(place)) == MAX_MALFORMED_A_DAY + 1
        now[0] = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
        store.record([], malformed=[one_more])
        assert one_more.index not in {each.index for each in listed(place)}
        now[0] += timedelta(seconds=1)
        store.record([], malformed=[one_more])
    assert one_more.index in {each.index for each in listed(place)}


def test_the_limit_is_told_once_a_day(
    file: Place, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [replace(ENTRY, index=n) for n in range(MAX_MALFORMED_A_DAY + 5)]
    now = [NOON]
    with file.open(now=lambda: now[0]) as store:
        store.record([], malformed=entries[:MAX_MALFORMED_A_DAY])
        assert not caplog.records
        store.record([], malformed=entries[-1:])
        store.record([], malformed=entries)
        (record,) = caplog.records
        now[0] += timedelta(days=1)
        store.record([], malformed=entries[-4:])
    assert caplog.records == [record]
    assert f"{LOG}: more than 1000 malformed entries today" in record.message


def test_a_database_without_the_table_has_none(place: Place) -> None:
    place.open().close()
    place.sql("DROP TABLE ctm_malformed")
    assert listed(place) == []
