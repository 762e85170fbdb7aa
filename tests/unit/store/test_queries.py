"""What a reader gives back, of our databases and of others; it changes nothing."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctmonitor.errors import StoreError
from ctmonitor.model.batch import Gap, GapCause
from ctmonitor.model.finding import Host, Seen
from ctmonitor.model.verdict import Reason
from tests.unit.store.making import (
    NOON,
    ORIGINAL_TABLE,
    TABLE,
    Place,
    certificate,
    finding,
)
from tests.unit.store.visiting import insert_as_old, record


def test_everything_that_was_recorded_comes_back(place: Place) -> None:
    seen, logged = NOON - timedelta(seconds=2), NOON - timedelta(microseconds=7)
    cert = certificate(
        "a.example",
        "www.example",
        serial=0xABC,
        issuer_id="us|e7",
        issuer_dn="/CN=E7",
        not_before=NOON,
        not_after=NOON + timedelta(days=90),
        sha1="11" * 20,
        sha256="22" * 32,
    )
    reasons = (Reason("login", "keyword"), Reason("brand", "lookalike", 40))
    with place.open() as store:
        store.record(
            [
                finding(
                    "a.example",
                    certificate=cert,
                    reasons=reasons,
                    log="https://log.example/",
                    log_name="Example 'Log'",
                    index=2**40,
                    entry_type="PrecertLogEntry",
                    link="https://log.example/entry",
                    seen=seen,
                    logged=logged,
                )
            ]
        )
    detail = place.details()["a.example"]
    assert detail.host == Host(
        "a.example",
        "a.example,www.example",
        "/CN=E7",
        ":".join(["11"] * 20),
        "2026-11-21T12:00:00",
        "2026-11-21T12:00:00",
        None,
    )
    assert sorted(detail.reasons, key=lambda reason: reason.rule) == [
        reasons[1],
        reasons[0],
    ]
    (issuance,) = detail.issuances
    assert issuance.identity == "serial:abc:us|e7"
    assert (issuance.issuer, issuance.serial) == ("/CN=E7", "abc")
    assert issuance.not_before == "2026-11-21T12:00:00"
    assert issuance.not_after == "2027-02-19T12:00:00"
    assert issuance.names == ("a.example", "www.example")
    assert issuance.seen == (
        Seen(
            "wss://feed.example/",
            "https://log.example/",
            "Example 'Log'",
            2**40,
            "PrecertLogEntry",
            "https://log.example/entry",
            seen,
            logged,
        ),
    )
    assert detail.seen == ()


def test_hosts_come_by_first_seen_then_by_name_in_byte_order(place: Place) -> None:
    with place.open(now=lambda: NOON + timedelta(hours=1)) as store:
        store.record([finding("late.example")])
    with place.open() as store:
        store.record([finding(name) for name in ("b", "a-b", "aB", "a.b", "ab")])
    with place.reader() as reader:
        hosts = [host.domain for host in reader.hosts(None)]
        assert hosts == ["a-b", "a.b", "ab", "b", "late.example"]
        assert [host.domain for host in reader.hosts(NOON + timedelta(seconds=1))] == [
            "late.example"
        ]
        # The second itself belongs to it.
        assert len(list(reader.hosts(NOON + timedelta(hours=1)))) == 1
        assert not list(reader.hosts(NOON + timedelta(hours=1, seconds=1)))


def test_an_unreadable_first_seen_is_given_only_without_a_limit(place: Place) -> None:
    place.open().close()
    for host, first_seen in (("a", "zzz"), ("b", None), ("c", "2026-11-21T12:00:00")):
        place.sql(
            'INSERT INTO "CertMon" ("Domain", "FirstSeen") VALUES (:host, :first)',
            host=host,
            first=first_seen,
        )
    with place.reader() as reader:
        assert {host.domain for host in reader.hosts(None)} == {"a", "b", "c"}
        assert [host.domain for host in reader.hosts(NOON)] == ["c"]
        # What was never written is empty text; the state alone may be None.
        (bare,) = (host for host in reader.hosts(None) if host.domain == "b")
        assert bare == Host("b", "", "", "", "", "", None)


def test_gaps_that_reach_into_the_time_asked_for(place: Place) -> None:
    def gap(cause: GapCause, start_h: int, end_h: int | None) -> Gap:
        end = None if end_h is None else NOON + timedelta(hours=end_h)
        return Gap("f", cause, NOON + timedelta(hours=start_h), end)

    over = gap(GapCause.STALL, 0, 1)
    reaching = gap(GapCause.CONNECT, 1, 5)
    still_open = gap(GapCause.DISCONNECT, 2, None)
    with place.open() as store:
        store.record([], [still_open, reaching, over])
    with place.reader() as reader:
        assert reader.gaps(None) == [over, reaching, still_open]
        assert reader.gaps(NOON + timedelta(hours=3)) == [reaching, still_open]


def test_a_gap_of_a_cause_that_is_not_known_yet_is_left_out_and_named(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    with place.open() as store:
        store.record([], [Gap("f", GapCause.STALL, NOON)])
    place.sql("UPDATE ctm_gap SET cause = 'eclipse'")
    with place.reader() as reader:
        assert reader.gaps(None) == []
    assert "eclipse" in caplog.text


def test_hosts_are_read_while_they_are_consumed(place: Place) -> None:
    """A list of a million hosts is not held in memory, and details may be asked."""
    with place.open() as store:
        store.record([finding(f"h{number}.example") for number in range(1200)])
    with place.reader() as reader:
        hosts = reader.hosts(None)
        first = next(hosts)
        (detail,) = reader.details([first])
        assert detail.reasons
        assert sum(1 for _ in reader.details(hosts)) == 1199


def test_a_database_without_our_tables_is_read(place: Place) -> None:
    place.open().close()
    for (name,) in place.sql(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ctm_%'"
        if place.db_file
        else "SELECT tablename FROM pg_tables WHERE tablename LIKE 'ctm_%'"
    ):
        place.sql(f"DROP TABLE {name}")
    place.sql("DROP INDEX ctm_e7d48fb3_followed")  # of CertMon
    place.sql('ALTER TABLE "CertMon" DROP COLUMN ctm_id')
    place.sql('INSERT INTO "CertMon" ("Domain") VALUES (\'old.example\')')
    detail = place.details()["old.example"]
    assert (detail.reasons, detail.issuances, detail.seen) == ((), (), ())
    with place.reader() as reader:
        assert reader.gaps(None) == []


def test_a_table_that_lacks_a_column_is_as_if_it_were_not_there(place: Place) -> None:
    with place.open() as store:
        store.record([finding("a.example")], [Gap("f", GapCause.STALL, NOON)])
    place.sql("ALTER TABLE ctm_gap DROP COLUMN lost")
    with place.reader() as reader:
        assert reader.gaps(None) == []
    assert place.details()["a.example"].reasons


def test_a_database_without_the_table_names_it(place: Place) -> None:
    place.open().close()
    with pytest.raises(StoreError, match="has no table Other"):
        place.reader("Other")


def test_reading_an_original_file_leaves_every_byte(file: Place) -> None:
    file.sql(ORIGINAL_TABLE)
    file.sql("INSERT INTO CertMon (Domain) VALUES ('old.example')")
    assert file.db_file is not None
    before = file.db_file.read_bytes()
    assert list(file.details()) == ["old.example"]
    assert file.db_file.read_bytes() == before
    assert [path.name for path in file.db_file.parent.iterdir()] == [file.db_file.name]


@pytest.mark.parametrize("name", ["a b.db", "50%.db", "a?mode=rw.db", "a#b.db", "é.db"])
def test_odd_file_names_are_file_names(tmp_path: Path, name: str) -> None:
    odd = Place(tmp_path / name, "")
    with odd.open() as store:
        store.record([finding("a.example")])
        assert list(odd.details()) == ["a.example"]
    assert list(odd.details()) == ["a.example"]
    # A reader leaves the two files of the log, which it cannot remove.
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {name, f"{name}-wal", f"{name}-shm"}


def test_bytes_that_are_no_utf8_do_not_stop_the_reader(file: Place) -> None:
    file.sql(ORIGINAL_TABLE)
    file.sql("INSERT INTO CertMon (Domain, Issuer) VALUES ('a', CAST(x'ff' AS TEXT))")
    assert file.details()["a"].host.issuer == "\ufffd"


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    missing = Place(tmp_path / "none" / "certs.db", "")
    with pytest.raises(StoreError, match=r"none/certs.db does not exist.*run certstr"):
        missing.reader()
    assert not (tmp_path / "none").exists()


def test_other_files_are_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, " * 500)
    with pytest.raises(StoreError, match="is not an SQLite database"):
        Place(tmp_path / "text.db", "").reader()
    with pytest.raises(StoreError, match="does not exist"):
        Place(tmp_path, "").reader()


def test_times_of_our_tables_keep_microseconds(place: Place) -> None:
    start = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    with place.open(table=TABLE) as store:
        store.record([], [Gap("f", GapCause.STALL, start)])
    with place.reader() as reader:
        assert reader.gaps(None)[0].start == start


def test_gaps_that_a_dead_run_left_open_are_ended_for_its_feeds_alone(
    place: Place,
) -> None:
    began = NOON
    ours = Gap("ws://ours/", GapCause.DISCONNECT, began)
    other = Gap("ws://other/", GapCause.DISCONNECT, began)
    with place.open() as store:
        store.record([], [ours, other])
        store.end_open_gaps(["ws://ours/"], began + timedelta(hours=1))
    with place.reader() as reader:
        ended = {gap.feed: gap.end for gap in reader.gaps(None)}
    assert ended == {"ws://ours/": began + timedelta(hours=1), "ws://other/": None}


# Brands


def test_reasons_come_back_with_their_brand(place: Place) -> None:
    reasons = (
        Reason("paypa1", "homoglyph", 58, "PayPal"),
        Reason("login", "lure", 14, "PayPal"),
        Reason("login", "keyword"),
        # Two brands with one spelling: the one that scores.
        Reason("pay", "whole word", 0, "Pay"),
        Reason("pay", "whole word", 30, "Pay & Co"),
        Reason("go", "whole word", -3, "Go"),
        Reason("go", "whole word", 0, "Other"),
    )
    with place.open() as store:
        store.record([finding("a.example", reasons=reasons)])
    found = set(place.details()["a.example"].reasons)
    assert found == {*reasons[:3], reasons[4], reasons[5]}


def test_a_file_of_version_3_is_read_in_place_with_its_reasons(tmp_path: Path) -> None:
    vectors = Path(__file__).parents[2] / "vectors" / "databases"
    shutil.copy(vectors / "version_3.sqlite", tmp_path / "older.db")
    before = (tmp_path / "older.db").read_bytes()
    older = Place(tmp_path / "older.db", "")
    reasons = older.details()["login-paypal.example"].reasons
    assert reasons == (Reason("paypal", "keyword"),)
    assert (tmp_path / "older.db").read_bytes() == before


def test_a_program_of_the_version_before_still_writes(place: Place) -> None:
    record(place, "a.example")
    place.sql(
        "INSERT INTO ctm_reason (host_id, kind, rule, weight) VALUES (1, 'k', 'r', 1)"
    )
    columns = "key, channel, destination, payload, state, attempts, next_attempt, "
    columns += "last_result, created_at, lease_until, lease_owner"
    place.sql(
        f"INSERT INTO ctm_outbox ({columns}) VALUES "  # noqa: S608 - ours
        "('k', 'notify', '0', '{}', 'due', 0, '', '', '', '', '')"
    )
    assert Reason("r", "k") in place.details()["a.example"].reasons
    with place.open() as store:
        (due,) = store.outbox().due(NOON, 9, 60, "a")
    assert due.alarm == ""


# Names alone


def test_names_come_each_once_in_the_order_of_their_bytes(place: Place) -> None:
    hosts = ["b.example", "a.example", "*.a.example", "B.example", "b-a.example"]
    hosts += ["xn--pypal-4ve.example", "\u00e9.example", "10.example", "_x.example"]
    hosts += [f"{number}.many.example" for number in range(1201)]
    record(place, *hosts)
    with place.reader() as reader:
        names = list(reader.names(None))
    assert names == sorted({host.lower() for host in hosts}, key=str.encode)


def test_names_since_a_time_are_those_seen_first_then_or_later(place: Place) -> None:
    record(place, "old.example", at=NOON - timedelta(seconds=1))
    record(place, "z.example", "a.example")
    record(place, "new.example", "old.example", at=NOON + timedelta(seconds=1))
    insert_as_old(place, "odd.example", first_seen="unknown")
    with place.reader() as reader:
        assert list(reader.names(NOON)) == ["a.example", "new.example", "z.example"]
        assert "odd.example" in set(reader.names(None))


def test_names_of_another_program_are_one_a_line(file: Place) -> None:
    file.open().close()
    insert_as_old(file, "a\x1b[2J\n\u202eb.example")
    with file.reader() as reader:
        (name,) = reader.names(None)
    assert name == r"a\x1b[2J\x0a\u202eb.example"
