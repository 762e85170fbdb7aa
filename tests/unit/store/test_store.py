"""What is stored of a finding, and what its hosts were to the store; both databases."""

import itertools
import random
import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctmonitor.errors import StoreError
from ctmonitor.model.batch import Cursor, Gap, GapCause
from ctmonitor.model.finding import Novelty, Recorded
from ctmonitor.model.name import host_key
from ctmonitor.model.text import printable
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason
from ctmonitor.store.schema import promised_table
from ctmonitor.store.store import open_store
from tests.unit.store.making import (
    NOON,
    ORIGINAL_TABLE,
    TABLE,
    Place,
    certificate,
    finding,
)

HOST = "login-paypal.example"


def novelties(recorded: list[Recorded]) -> list[tuple[str, str]]:
    return [(each.host, each.novelty.value) for each in recorded]


def test_a_new_host_becomes_a_row_of_the_promised_table(place: Place) -> None:
    cert = certificate(
        "Login-PayPal.example",
        "www.example",
        issuer_dn="/C=US/CN=E7/O=Let's Encrypt",
        sha1="00ff" + "ab" * 18,
        not_before=datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC),
        serial=5,
        issuer_id="us|let's encrypt|e7",
    )
    with place.open() as store:
        told = store.record([finding("Login-PayPal.example", certificate=cert)])
    assert novelties(told) == [(HOST, "new")]
    rows = place.sql(
        'SELECT "Domain", "SAN", "Issuer", "Fingerprint", "Startime", "FirstSeen", '
        '"StillInvestig" FROM "CertMon"'
    )
    assert rows == [
        (
            HOST,
            "Login-PayPal.example,www.example",
            "/C=US/CN=E7/O=Let's Encrypt",
            "00:FF:" + ":".join(["AB"] * 18),
            "2026-11-20T01:02:03",
            "2026-11-21T12:00:00",
            None,
        )
    ]


def test_names_that_did_not_match_are_no_hosts(place: Place) -> None:
    told = finding(HOST, names=(HOST, "below.example"))
    below = NameVerdict("below.example", Outcome.BELOW, 1)
    told = type(told)(told.sighting, type(told.verdict)((*told.verdict.names, below)))
    with place.open() as store:
        assert novelties(store.record([told])) == [(HOST, "new")]
    assert list(place.details()) == [HOST]


def test_a_host_that_comes_again_is_known_and_gains_issuance_reasons_and_sighting(
    place: Place,
) -> None:
    first = certificate(HOST, serial=1, issuer_id="x")
    second = certificate(HOST, serial=2, issuer_id="x")
    with place.open() as store:
        store.record([finding(HOST, certificate=first)])
        told = store.record(
            [finding(HOST, certificate=second, reasons=(Reason("login", "keyword"),))]
        )
    assert novelties(told) == [(HOST, "known")]
    detail = place.details()[HOST]
    assert [each.serial for each in detail.issuances] == ["1", "2"]
    assert {reason.rule for reason in detail.reasons} == {"paypal", "login"}
    assert all(len(each.seen) == 1 for each in detail.issuances)


def test_a_host_twice_in_one_batch_is_told_once(place: Place) -> None:
    with place.open() as store:
        told = store.record([finding(HOST), finding(HOST.upper(), feed="wss://other/")])
        assert novelties(told) == [(HOST, "new"), (HOST, "known")]
        # Both spellings in one finding are one host of it.
        told = store.record([finding("a.example", "A.example.")])
        assert novelties(told) == [("a.example", "new")]


@pytest.mark.parametrize("mark", ["Stop checking on 2026-09-27", "Stop checking"])
def test_a_host_given_up_is_followed_again_and_told_once(
    place: Place, mark: str
) -> None:
    later = NOON + timedelta(days=3)
    with place.open() as store:
        store.record([finding(HOST), finding("up.example")])
    place.sql(
        'UPDATE "CertMon" SET "StillInvestig" = :mark WHERE "Domain" = :host',
        mark=mark,
        host=HOST,
    )
    up = "2026-11-21T13:00:00"
    place.sql(
        'UPDATE "CertMon" SET "StillInvestig" = :up WHERE "Domain" = :host',
        up=up,
        host="up.example",
    )
    with place.open(now=lambda: later) as store:
        told = store.record([finding(HOST), finding("up.example"), finding(HOST)])
        assert [each.novelty for each in told] == [
            Novelty.FOLLOWED_AGAIN,
            Novelty.KNOWN,
            Novelty.KNOWN,
        ]
    details = place.details()
    assert details[HOST].host.still_investig is None
    assert details[HOST].host.first_seen == "2026-11-24T12:00:00"
    assert details["up.example"].host.still_investig == up
    assert details["up.example"].host.first_seen == "2026-11-21T12:00:00"


def test_the_same_batch_twice_changes_nothing(place: Place) -> None:
    """A caller that does not know whether a commit arrived may repeat it."""
    cert = certificate(HOST, "www.example", serial=1, issuer_id="x")
    batch = [
        finding(HOST, certificate=cert, log="https://log.example/", index=7),
        finding("domains-only.example"),
    ]
    gaps = [Gap("wss://feed.example/", GapCause.STALL, NOON)]
    tables = (
        TABLE,
        "ctm_issuance",
        "ctm_issuance_name",
        "ctm_host_issuance",
        "ctm_reason",
        "ctm_seen",
        "ctm_gap",
        "ctm_cursor",
    )
    with place.open() as store:
        store.record(batch, gaps, Cursor("feed", "1"))
        before = [place.count(table) for table in tables]
        told = store.record(batch, gaps, Cursor("feed", "1"))
        assert {each.novelty for each in told} == {Novelty.KNOWN}
        assert [place.count(table) for table in tables] == before
    assert before == [2, 1, 2, 1, 2, 2, 1, 1]


def test_domains_only_sightings_hang_on_the_host(place: Place) -> None:
    with place.open() as store:
        store.record([finding("a.example", "b.example")])
        store.record([finding("a.example", feed="wss://second.example/")])
    details = place.details()
    assert [seen.feed for seen in details["a.example"].seen] == [
        "wss://feed.example/",
        "wss://second.example/",
    ]
    assert [seen.index for seen in details["b.example"].seen] == [None]
    assert details["a.example"].issuances == ()
    assert place.count("ctm_issuance") == 0


def test_nothing_to_record_needs_no_transaction(place: Place) -> None:
    with place.open() as store:
        assert store.record([]) == []


def test_a_cursor_is_kept_with_its_batch(place: Place) -> None:
    with place.open() as store:
        assert store.cursor("log a") is None
        store.record([], cursor=Cursor("log a", "1"))
        store.record([finding(HOST)], cursor=Cursor("log a", "2 opaque"))
        store.record([], cursor=Cursor("log b", "9"))
    with place.open() as store:
        assert store.cursor("log a") == Cursor("log a", "2 opaque")


def test_a_batch_that_fails_in_its_last_statement_leaves_nothing(place: Place) -> None:
    with place.open() as store:
        store.record([finding("before.example")])
        place.sql("DROP TABLE ctm_cursor")
        with pytest.raises(StoreError):
            store.record([finding(HOST)], cursor=Cursor("log", "1"))
        told = store.record([finding(HOST)])
        assert novelties(told) == [(HOST, "new")]


def test_a_gap_told_again_keeps_its_row_and_what_was_known(place: Place) -> None:
    end = NOON + timedelta(seconds=90)
    gap = Gap("f", GapCause.HOLE, NOON, lost=3, log="l", index_start=5, index_end=8)
    with place.open() as store:
        store.record([], [gap])
        store.record(
            [], [Gap("f", GapCause.HOLE, NOON, end, log="l", index_start=5, detail="d")]
        )
        store.record([], [Gap("f", GapCause.STALL, NOON)])
        # The same gap twice in one batch: the later word counts.
        again = [Gap("f", GapCause.STALL, NOON, end, lost=n) for n in (1, 2)]
        store.record([], again)
    with place.reader() as reader:
        gaps = sorted(reader.gaps(None), key=lambda gap: gap.cause)
    assert gaps == [Gap("f", GapCause.HOLE, NOON, end, 3, "l", 5, 8, "d"), again[1]]


def test_more_hosts_than_fit_into_one_statement(place: Place) -> None:
    hosts = [f"h{number}.example" for number in range(1203)]
    with place.open() as store:
        store.record([finding(host) for host in hosts[:700]])
        told = store.record([finding(host) for host in hosts])
    assert [each.novelty for each in told] == [Novelty.KNOWN] * 700 + [
        Novelty.NEW
    ] * 503
    details = place.details()
    assert sorted(details) == sorted(hosts)
    assert all(len(detail.reasons) == 1 for detail in details.values())


def test_a_certificate_of_which_ten_thousand_names_match_stays_small(
    place: Place,
) -> None:
    """Each of its rows would hold 10,000 names: 2 GB for one frame."""
    hosts = tuple(f"paypal-{number:05}.example" for number in range(10_000))
    with place.open() as store:
        told = store.record([finding(*hosts, certificate=certificate(*hosts))])
        assert len(told) == 10_000
    ((longest,),) = place.sql('SELECT max(length("SAN")) FROM "CertMon"')
    assert 0 < longest < 500
    assert place.count("ctm_issuance_name") == 10_000


strange = st.text(max_size=40) | st.sampled_from(
    [
        "a\x00b",
        "\ud800.example",
        "x'); DROP TABLE CertMon;--",
        "\x1b[2J.example",
        "a\nb",
        "\U0001f600" * 501,
        "%s%(x)s:name?",
        "",
        "\u202eevil",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    names=st.lists(strange, min_size=1, max_size=4),
    issuer=strange,
    other=strange,
    serial=st.integers(-1, 2**200) | st.none(),
    index=st.integers(-5, 2**70) | st.none(),
)
def test_whatever_a_stranger_writes_is_stored_as_printable_keys(
    place: Place,
    names: list[str],
    issuer: str,
    other: str,
    serial: int | None,
    index: int | None,
) -> None:
    cert = certificate(
        *names,
        issuer_dn=issuer,
        issuer_id=other,
        authority_key_id=other,
        tbs_sha256=issuer,
        sha1=other,
        sha256=other,
        serial=serial,
    )
    more = {
        "feed": other,
        "log": issuer,
        "log_name": other,
        "entry_type": issuer,
        "link": other,
        "index": index,
    }
    reasons = (Reason(other, issuer, 2**80),)
    batch = [
        finding(*names, certificate=cert, reasons=reasons, **more),
        finding(*names, reasons=reasons, **more),
    ]
    gap = Gap(other, GapCause.HOLE, NOON, None, index, issuer, index, index, other)
    with place.open() as store:
        store.record(batch, [gap])
        again = store.record(batch, [gap])
        assert {each.novelty for each in again} == {Novelty.KNOWN}
    details = place.details()
    for name in names:
        detail = details[host_key(name)]
        assert detail.reasons
        assert detail.issuances
        assert detail.seen
        host = detail.host
        shown = [host.domain, host.san, host.issuer, host.fingerprint]
        shown += [reason.rule for reason in detail.reasons]
        for issuance in detail.issuances:
            shown += [issuance.identity, issuance.issuer, *issuance.names]
            shown += [seen.link + seen.feed + seen.log for seen in issuance.seen]
        assert [printable(text) for text in shown] == shown
        assert max(map(len, shown[:1])) <= 500


@pytest.mark.parametrize("letter", ["a", "\U0001f600", "\x00", "\udc80"])
def test_texts_of_64_kilobytes_become_keys_that_differ(
    place: Place, letter: str
) -> None:
    """PostgreSQL refuses index rows above 2,704 bytes; compressible ones may pass."""
    noise = "".join(random.Random(7).choices("abcdefgh\U0001f600\u20ac", k=3_000))
    names = tuple(letter * 64_000 + noise + end for end in "xy")
    cert = certificate(
        *names, issuer_dn=noise, issuer_id=noise, serial=1 << 300_000, sha1=noise
    )
    more = {"feed": noise, "log": noise, "entry_type": noise, "link": noise}
    batch = [
        finding(*names, certificate=cert, reasons=(Reason(noise, noise),), **more),
        finding(*names, reasons=(Reason(noise, noise),), **more),
    ]
    with place.open() as store:
        told = store.record(batch)
    assert [each.novelty for each in told] == [Novelty.NEW] * 2 + [Novelty.KNOWN] * 2
    details = place.details()
    assert list(details) == sorted(host_key(name) for name in names)
    assert all(len(detail.seen) == 1 for detail in details.values())


def test_two_tables_in_one_database_do_not_mix(place: Place) -> None:
    with place.open() as store, place.open(table='Odd "name" 2') as other:
        store.record([finding(HOST)])
        told = other.record([finding(HOST, reasons=(Reason("other", "keyword"),))])
        assert novelties(told) == [(HOST, "new")]
        store.record([finding("second.example")])
    details = place.details()
    assert [each.rule for each in details[HOST].reasons] == ["paypal"]
    with place.reader('Odd "name" 2') as reader:
        (detail,) = reader.details(reader.hosts(None))
    assert [each.rule for each in detail.reasons] == ["other"]


@pytest.mark.parametrize(
    "table", ["", "ctm_seen", "sqlite_master", "PG_x", "a\nb", "x" * 64]
)
def test_a_table_name_that_cannot_be_used_is_refused(place: Place, table: str) -> None:
    with pytest.raises(StoreError, match="TABLEname"):
        place.open(table=table)


def test_a_table_with_other_columns_is_refused(place: Place) -> None:
    place.sql('CREATE TABLE "CertMon" ("Domain" TEXT PRIMARY KEY, "SAN" TEXT)')
    with pytest.raises(StoreError, match="without the columns Issuer, Fingerprint"):
        place.open()


def test_a_table_in_which_hosts_may_stand_twice_is_refused(place: Place) -> None:
    listed = ", ".join(f'"{column.name}" TEXT' for column in promised_table(TABLE).c)
    place.sql(f'CREATE TABLE "CertMon" ({listed})')
    with pytest.raises(StoreError, match="no primary key"):
        place.open()


def test_no_database_named() -> None:
    with pytest.raises(StoreError, match="DBFile"):
        open_store(db_file=None, url="", table=TABLE)


def test_the_old_program_works_on_the_same_file_while_ours_is_open(file: Place) -> None:
    """Its statements, in its order, by the plain driver."""
    assert file.db_file is not None
    insert = (
        "INSERT OR IGNORE INTO CertMon (Domain, SAN, Issuer, Fingerprint, Startime, "
        "FirstSeen) VALUES (?, ?, ?, ?, ?, ?)"
    )

    def old_program(host: str) -> bool:
        with sqlite3.connect(file.db_file) as old:
            old.execute(ORIGINAL_TABLE)
            query = "SELECT EXISTS(SELECT 1 FROM CertMon WHERE Domain = ?)"
            (exists,) = old.execute(query, (host,)).fetchone()
            old.execute(insert, (host, "", "CN=x", "AA:BB", "t", "2026-11-20T01:00:00"))
            old.commit()
        old.close()
        return bool(exists)

    assert not old_program("old.example")
    with file.open() as store:
        assert old_program("old.example")
        told = store.record([finding("old.example"), finding("new.example")])
        assert novelties(told) == [("old.example", "known"), ("new.example", "new")]
        assert old_program("new.example")
        assert not old_program("later.example")
        assert novelties(store.record([finding("later.example")])) == [
            ("later.example", "known")
        ]
    assert not old_program("last.example")
    with sqlite3.connect(file.db_file) as old:
        rows = old.execute("SELECT * FROM CertMon ORDER BY rowid").fetchall()
    old.close()
    assert [row[0] for row in rows] == [
        "old.example",
        "new.example",
        "later.example",
        "last.example",
    ]
    assert rows[0][:7] == (
        "old.example",
        "",
        "CN=x",
        "AA:BB",
        "t",
        "2026-11-20T01:00:00",
        None,
    )
    details = file.details()
    assert [each.rule for each in details["old.example"].reasons] == ["paypal"]
    assert details["last.example"].reasons == ()


@pytest.mark.postgresql
def test_a_writer_that_does_not_know_our_lock_is_not_told_twice(server: Place) -> None:
    """It inserts the host, and commits while our INSERT waits for it."""
    import psycopg

    with server.open() as store, psycopg.connect(server.url) as other:
        other.execute(
            'INSERT INTO "CertMon" ("Domain", "FirstSeen") VALUES (%s, %s)',
            (HOST, "2026-11-21T00:00:00"),
        )
        told: list[Recorded] = []
        batch = [finding("a.example"), finding(HOST)]
        thread = threading.Thread(target=lambda: told.extend(store.record(batch)))
        thread.start()
        for _ in itertools.repeat(None, 1000):
            waiting = server.sql(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database()"
            )
            if waiting:
                break
            thread.join(0.01)
        assert waiting
        other.commit()
        thread.join(30)
    assert novelties(told) == [("a.example", "new"), (HOST, "known")]
    assert len(server.details()[HOST].reasons) == 1
