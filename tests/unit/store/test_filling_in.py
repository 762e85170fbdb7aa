"""The promised row of a host whose first sighting did not know all; both databases."""

from datetime import timedelta
from typing import Any

import pytest

from ctmonitor.model.certificate import Certificate
from tests.unit.store.making import NOON, Place, certificate, finding
from tests.unit.store.visiting import insert_as_old

HOST = "login-paypal.example"
SHA1 = "00ff" + "ab" * 18
FINGERPRINT = "00:FF:" + ":".join(["AB"] * 18)
ISSUER = "/C=US/CN=E7"
START = NOON - timedelta(hours=2)
WHOLE = (ISSUER, FINGERPRINT, "2026-11-21T10:00:00")


def issued(**known: Any) -> Certificate:
    return certificate(HOST, serial=5, issuer_id="us||e7", **known)


def row(place: Place, host: str = HOST) -> tuple[Any, ...]:
    """Issuer, Fingerprint, Startime."""
    (found,) = place.sql(
        'SELECT "Issuer", "Fingerprint", "Startime" FROM "CertMon" '
        'WHERE "Domain" = :host',
        host=host,
    )
    return found


# As certstream-server-go has it: the precertificate of a tiled log comes first, with
# the hash of nothing.
PRECERT = issued(issuer_dn=ISSUER, not_before=START, is_precert=True)
CERT = issued(issuer_dn=ISSUER, not_before=START, sha1=SHA1, is_precert=False)


def test_the_fingerprint_of_a_later_sighting_is_filled_in(place: Place) -> None:
    with place.open() as store:
        store.record([finding(HOST, certificate=PRECERT)])
        assert row(place) == (ISSUER, "", "2026-11-21T10:00:00")
        (told,) = store.record([finding(HOST, certificate=CERT)])
    assert told.novelty.value == "known"
    assert row(place) == WHOLE


def test_both_in_one_batch_make_one_whole_row(place: Place) -> None:
    with place.open() as store:
        told = [finding(HOST, certificate=PRECERT), finding(HOST, certificate=CERT)]
        store.record(told)
    assert row(place) == WHOLE


def test_a_host_of_a_domains_only_feed_gains_all_three(place: Place) -> None:
    with place.open() as store:
        store.record([finding(HOST)])
        assert row(place) == ("", "", "")
        store.record([finding(HOST, certificate=CERT)])
    assert row(place) == WHOLE


def test_a_row_of_the_old_program_with_null_gains_what_it_lacks(place: Place) -> None:
    with place.open() as store:
        insert_as_old(place, HOST)  # without Issuer and Startime
        store.record([finding(HOST, certificate=CERT)])
    assert row(place) == (ISSUER, "AA:BB", "2026-11-21T10:00:00")


def test_what_is_known_stays(place: Place) -> None:
    other = issued(issuer_dn="/CN=other", not_before=START, sha1="11" * 20)
    with place.open() as store:
        store.record([finding(HOST, certificate=CERT)])
        store.record([finding(HOST, certificate=other)])
        store.record([finding(HOST)])
    assert row(place) == WHOLE


@pytest.mark.parametrize("is_one_batch", [True, False])
def test_a_renewal_lends_its_fingerprint_to_no_other_certificate(
    place: Place, is_one_batch: bool
) -> None:
    renewal = issued(not_before=START + timedelta(days=60), sha1="22" * 20)
    told = [finding(HOST, certificate=PRECERT), finding(HOST, certificate=renewal)]
    with place.open() as store:
        for batch in [told] if is_one_batch else [told[:1], told[1:]]:
            store.record(batch)
        assert row(place) == (ISSUER, "", "2026-11-21T10:00:00")


def test_only_the_rows_that_lack_something_are_written(place: Place) -> None:
    hosts = [f"h{number}.example" for number in range(1001)]
    with place.open() as store:
        store.record([finding(*hosts, certificate=PRECERT)])
        store.record([finding("whole.example", certificate=CERT)])
        later = issued(issuer_dn=ISSUER, not_before=START, sha1="33" * 20)
        store.record([finding(*hosts, "whole.example", certificate=later)])
    filled = place.sql(
        'SELECT count(*) FROM "CertMon" WHERE "Fingerprint" LIKE \'33:%\''
    )
    assert filled == [(1001,)]
    assert row(place, "whole.example") == WHOLE
