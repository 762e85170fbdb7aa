"""Identity of an issuance: the strongest key that a sighting has."""

from dataclasses import replace
from datetime import UTC, datetime

from ctmonitor.model.certificate import Certificate, issuer_identity

BASE = Certificate(
    names=("a.example", "b.example"),
    issuer_id="us|ca|r3",
    authority_key_id="142eb317",
    serial=0x03F1,
    not_before=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_the_hash_of_the_tbs_comes_first_then_serial_and_issuer_then_names() -> None:
    assert replace(BASE, tbs_sha256="ab").identity == "tbs:ab"
    assert BASE.identity == "serial:3f1:142eb317"
    assert replace(BASE, authority_key_id="").identity == "serial:3f1:us|ca|r3"
    assert replace(BASE, serial=None).identity.startswith("names:")


def test_identity_by_names_does_not_depend_on_their_order_or_case() -> None:
    one = Certificate(names=("A.example", "b.example"))
    other = Certificate(names=("b.example", "a.example"))
    assert one.identity == other.identity
    assert one.identity != replace(one, names=("a.example",)).identity
    assert one.identity != replace(one, not_before=BASE.not_before).identity


def test_issuers_as_different_servers_write_them_are_one() -> None:
    assert issuer_identity("GB", "Sectigo  Limited", "CA R36") == issuer_identity(
        "gb", "sectigo limited", "ca r36 "
    )
    assert issuer_identity("", " ", "") == ""


def test_fingerprint_as_feeds_write_it() -> None:
    assert replace(BASE, sha1="30af23").fingerprint == "30:AF:23"
    assert BASE.fingerprint == ""
