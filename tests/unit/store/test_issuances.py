"""When sightings are one issuance, what a later one adds; merging; both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctmonitor.model.certificate import Certificate
from ctmonitor.model.finding import Issuance
from tests.unit.store.making import Place, certificate, finding

HOST = "login-paypal.example"
TBS, OTHER_TBS = "aa" * 32, "bb" * 32
AKI, ISSUER = "0123" * 10, "us|let's encrypt|e7"


def stored(place: Place, *certificates: Certificate, at_once: bool) -> list[Issuance]:
    """The issuances of HOST after these sightings, in one batch or one by one."""
    findings = [
        finding(HOST, certificate=each, log="https://log.example/", index=number)
        for number, each in enumerate(certificates)
    ]
    with place.open() as store:
        if at_once:
            store.record(findings)
        else:
            for each in findings:
                store.record([each])
    details = place.details()
    return list(details[HOST].issuances)


both_ways = pytest.mark.parametrize("at_once", [True, False])


def cert(**known: Any) -> Certificate:
    return certificate(HOST, **known)


@both_ways
@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(
            (
                cert(tbs_sha256=TBS, serial=5, authority_key_id=AKI, is_precert=True),
                cert(tbs_sha256=TBS, serial=5, authority_key_id=AKI, is_precert=False),
            ),
            id="precertificate and certificate, same TBS",
        ),
        pytest.param((cert(tbs_sha256=TBS), cert(tbs_sha256=TBS, serial=5)), id="TBS"),
        pytest.param(
            (
                cert(serial=5, authority_key_id=AKI, issuer_id="lite spelling"),
                cert(serial=5, authority_key_id=AKI, issuer_id="full spelling"),
            ),
            id="serial and key of the issuer",
        ),
        pytest.param(
            (
                cert(serial=5, issuer_id=ISSUER),
                cert(serial=5, issuer_id=ISSUER, authority_key_id=AKI),
            ),
            id="serial and issuer, one without key",
        ),
        pytest.param(
            (
                cert(serial=5, issuer_id=ISSUER),
                cert(serial=5, issuer_id=ISSUER, tbs_sha256=TBS),
            ),
            id="a lite feed first, then a full one",
        ),
        pytest.param(
            (
                cert(serial=5, issuer_id=ISSUER, tbs_sha256=TBS),
                cert(serial=5, issuer_id=ISSUER),
            ),
            id="a full feed first, then a lite one",
        ),
        pytest.param((cert(), cert(issuer_dn="/CN=later")), id="names and validity"),
    ],
)
def test_these_are_one_issuance(
    place: Place, pair: Sequence[Certificate], at_once: bool
) -> None:
    (issuance,) = stored(place, *pair, at_once=at_once)
    assert [seen.index for seen in issuance.seen] == [0, 1]


@both_ways
@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(
            (
                cert(tbs_sha256=TBS, serial=5, authority_key_id=AKI),
                cert(tbs_sha256=OTHER_TBS, serial=5, authority_key_id=AKI),
            ),
            id="other TBS, all else equal",
        ),
        pytest.param(
            (cert(serial=5, issuer_id=ISSUER), cert(serial=6, issuer_id=ISSUER)),
            id="other serial",
        ),
        pytest.param(
            (cert(serial=5, issuer_id=ISSUER), cert(serial=5, issuer_id="other")),
            id="other issuer",
        ),
        pytest.param(
            (
                cert(serial=5, issuer_id=ISSUER, authority_key_id=AKI),
                cert(serial=5, issuer_id=ISSUER, authority_key_id="ff" * 20),
            ),
            id="other key of the issuer",
        ),
        pytest.param(
            (cert(), cert(not_before=datetime(2026, 1, 1, tzinfo=UTC))),
            id="other validity",
        ),
        pytest.param(
            # SHA-1 of nothing stands in feeds: a fingerprint is no identity.
            (
                cert(serial=5, issuer_id=ISSUER, sha1="da39"),
                cert(serial=6, issuer_id=ISSUER, sha1="da39"),
            ),
            id="same fingerprint",
        ),
        pytest.param(
            # Neither issuer is known to be the other.
            (cert(serial=5, issuer_id=ISSUER), cert(serial=5, authority_key_id=AKI)),
            id="nothing of the issuer in common",
        ),
    ],
)
def test_these_are_two_issuances(
    place: Place, pair: Sequence[Certificate], at_once: bool
) -> None:
    assert len(stored(place, *pair, at_once=at_once)) == 2


@both_ways
def test_a_later_sighting_fills_in_what_was_not_known(
    place: Place, at_once: bool
) -> None:
    lite = certificate(HOST, serial=0xAB, issuer_id=ISSUER, is_precert=True)
    full = certificate(
        HOST,
        "www.example",
        serial=0xAB,
        issuer_id=ISSUER,
        authority_key_id=AKI,
        issuer_dn="/CN=E7",
        sha1="11" * 20,
        sha256="22" * 32,
        tbs_sha256=TBS,
        not_before=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        is_precert=False,
    )
    (issuance,) = stored(place, lite, full, lite, at_once=at_once)
    assert issuance.identity == f"tbs:{TBS}"
    assert issuance.serial == "ab"
    assert issuance.issuer == "/CN=E7"
    assert (issuance.sha1, issuance.sha256) == ("11" * 20, "22" * 32)
    assert issuance.not_before == "2026-01-02T03:04:05"
    assert issuance.names == (HOST, "www.example")
    flags = place.sql("SELECT as_precert, as_certificate FROM ctm_issuance")
    assert [tuple(map(bool, row)) for row in flags] == [(True, True)]


@both_ways
def test_rows_that_turn_out_to_be_one_are_merged_with_all_that_hangs_on_them(
    place: Place, at_once: bool
) -> None:
    """Only the third sighting knows both keys under which the first two are stored."""
    by_issuer = certificate(HOST, serial=5, issuer_id=ISSUER)
    by_key = certificate(HOST, "www.example", serial=5, authority_key_id=AKI)
    both = certificate(HOST, serial=5, issuer_id=ISSUER, authority_key_id=AKI)
    (issuance,) = stored(place, by_issuer, by_key, both, at_once=at_once)
    assert issuance.names == (HOST, "www.example")
    assert [seen.index for seen in issuance.seen] == [0, 1, 2]
    for table, rows in (("issuance", 1), ("issuance_name", 2), ("host_issuance", 1)):
        assert place.count(f"ctm_{table}") == rows, table


def test_a_merge_moves_the_other_hosts_too(place: Place) -> None:
    with place.open() as store:
        one = certificate("a.example", serial=5, issuer_id=ISSUER)
        two = certificate("b.example", serial=5, tbs_sha256=TBS)
        store.record(
            [
                finding("a.example", certificate=one),
                finding("b.example", certificate=two),
            ]
        )
        assert place.count("ctm_issuance") == 2
        all_known = certificate("a.example", serial=5, issuer_id=ISSUER, tbs_sha256=TBS)
        store.record([finding("a.example", certificate=all_known)])
    details = place.details()
    assert details["a.example"].issuances == details["b.example"].issuances
    assert details["a.example"].issuances[0].identity == f"tbs:{TBS}"


@both_ways
def test_a_sighting_that_fits_two_tbs_hashes_merges_neither(
    place: Place, at_once: bool
) -> None:
    known = {"serial": 5, "issuer_id": ISSUER}
    issuances = stored(
        place,
        cert(tbs_sha256=TBS, **known),
        cert(tbs_sha256=OTHER_TBS, **known),
        cert(**known),
        at_once=at_once,
    )
    assert [each.identity for each in issuances] == [f"tbs:{TBS}", f"tbs:{OTHER_TBS}"]
    assert [len(each.seen) for each in issuances] == [2, 1]


def test_a_number_without_issuer_does_not_join_strangers(place: Place) -> None:
    """Serial of one sighting and issuer of another make no key that nobody told."""
    (issuance, other) = stored(
        place,
        cert(serial=5),
        cert(issuer_id=ISSUER),
        cert(serial=5, issuer_id=ISSUER),
        at_once=False,
    )
    assert issuance.identity.startswith("names:")
    assert other.identity == f"serial:5:{ISSUER}"


sightings = st.lists(
    st.builds(
        Certificate,
        names=st.just((HOST,)),
        serial=st.sampled_from([None, 1, 2]),
        issuer_id=st.sampled_from(["", "i", "j"]),
        authority_key_id=st.sampled_from(["", "k", "l"]),
        tbs_sha256=st.sampled_from(["", "t", "u"]),
        is_precert=st.sampled_from([None, True, False]),
    ),
    min_size=1,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(batches=st.lists(sightings, min_size=1, max_size=3))
def test_any_order_of_sightings_keeps_every_sighting_and_no_orphan(
    place: Place, batches: list[list[Certificate]]
) -> None:
    with place.open() as store:
        place.empty()
        total = 0
        for batch in batches:
            findings = []
            for each in batch:
                findings.append(finding(HOST, certificate=each, log="l", index=total))
                total += 1
            store.record(findings)
    issuances = place.details()[HOST].issuances
    indexes = [seen.index for each in issuances for seen in each.seen]
    assert sorted(index for index in indexes if index is not None) == list(range(total))
    assert len(issuances) == place.count("ctm_issuance")
    hashes = {each.tbs_sha256 for batch in batches for each in batch} - {""}
    told = {each.identity for each in issuances if each.identity.startswith("tbs:")}
    assert told == {f"tbs:{each}" for each in hashes}
