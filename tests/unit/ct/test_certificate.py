"""TBS hashes: a precertificate and its certificate are one; hashes of keys."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.certificate import key_sha256, tbs_sha256
from ctmonitor.errors import FormatError
from tests.data import shared, vector_messages
from tests.unit.ct import making


def _leaves(name: str) -> list[tuple[str, bytes]]:
    result = []
    for line in vector_messages(name):
        data = json.loads(line)["data"]
        der = data["leaf_cert"].get("as_der")
        if der:
            result.append((data["update_type"], base64.b64decode(der)))
    return result


def test_agrees_with_cryptography_on_final_certificates() -> None:
    """`tbs_precertificate_bytes` is the TBSCertificate without the SCT list."""
    checked = 0
    for _, der in _leaves("rust_live_ct_full.jsonl"):
        certificate = x509.load_der_x509_certificate(der)
        try:
            expected = certificate.tbs_precertificate_bytes
        except ValueError:  # a precertificate: it has no SCT list
            continue
        checked += 1
        assert tbs_sha256(der) == hashlib.sha256(expected).hexdigest()
    assert checked


def test_without_poison_and_sct_list_the_tbs_stays_as_it_is() -> None:
    """A root has neither, so its TBSCertificate is hashed as it is."""
    checked = 0
    with gzip.open(shared("certs/ca_certs.jsonl.gz"), "rt") as lines:
        for line in lines:
            record = json.loads(line)
            if {"ct_poison", "sct_list"} & set(record["traits"]):
                continue
            der = base64.b64decode(record["der_b64"])
            try:
                expected = x509.load_der_x509_certificate(der).tbs_certificate_bytes
            except (ValueError, CryptographyDeprecationWarning):
                # Malformed on purpose, or older than the rules.
                continue
            checked += 1
            assert tbs_sha256(der) == hashlib.sha256(expected).hexdigest()
    assert checked > 100


def test_precertificate_and_certificate_have_one_hash() -> None:
    """In this log of ours each certificate follows its precertificate."""
    hashes: dict[int, set[str]] = {}
    kinds: dict[int, set[str]] = {}
    with shared("certstream/go_1.9_rfc6962_full.jsonl").open("rb") as lines:
        for line in lines:
            data = json.loads(line)["data"]
            der = base64.b64decode(data["leaf_cert"]["as_der"])
            serial = x509.load_der_x509_certificate(der).serial_number
            hashes.setdefault(serial, set()).add(tbs_sha256(der))
            kinds.setdefault(serial, set()).add(data["update_type"])
    assert all(len(of_serial) == 1 for of_serial in hashes.values())
    assert any(len(of_serial) == 2 for of_serial in kinds.values())


def test_agrees_with_cryptography_on_recorded_leaf_certificates() -> None:
    checked = 0
    with gzip.open(shared("certs/ct_leaf_certs.jsonl.gz"), "rt") as lines:
        for line in lines:
            record = json.loads(line)
            der = base64.b64decode(record["der_b64"])
            try:
                expected = x509.load_der_x509_certificate(der).tbs_precertificate_bytes
            except ValueError:
                continue
            checked += 1
            assert tbs_sha256(der) == hashlib.sha256(expected).hexdigest()
    assert checked > 100


def test_the_key_is_the_one_that_cryptography_finds() -> None:
    leaves = [*_leaves("rust_live_ct_full.jsonl"), *_leaves("go_1.9_full.jsonl")]
    kinds = set()
    for kind, der in leaves:
        key = x509.load_der_x509_certificate(der).public_key()
        info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert key_sha256(der) == hashlib.sha256(info).hexdigest()
        kinds.add(kind)
    assert kinds == {"PrecertLogEntry", "X509LogEntry"}


def test_a_certificate_without_version_has_a_key_too() -> None:
    """Of version 1, which is the default and not told."""
    key = making.der(0x30, making.der(0x30, making.oid("1.3.101.112")))
    fields = [making.der(0x02, b"\1"), *[making.der(0x30)] * 4, key]
    made = making.certificate(making.der(0x30, *fields))
    assert key_sha256(made) == hashlib.sha256(key).hexdigest()


@pytest.mark.parametrize("key", [[], [making.der(0x04, b"no key")]])
def test_a_certificate_without_key_is_named(key: list[bytes]) -> None:
    fields = [making.der(0x02, b"\1"), *[making.der(0x30)] * 4, *key]
    with pytest.raises(FormatError, match="no public key"):
        key_sha256(making.certificate(making.der(0x30, *fields)))


@pytest.mark.parametrize("digest", [tbs_sha256, key_sha256])
@given(der=st.binary(max_size=300))
def test_any_bytes_give_a_hash_or_a_format_error(
    digest: Callable[[bytes], str], der: bytes
) -> None:
    try:
        assert len(digest(der)) == 64
    except FormatError:
        return


@pytest.mark.parametrize("digest", [tbs_sha256, key_sha256])
@given(data=st.data())
def test_a_changed_certificate_gives_a_hash_or_a_format_error(
    digest: Callable[[bytes], str], data: st.DataObject
) -> None:
    der = bytearray(_leaves("go_1.9_full.jsonl")[0][1])
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] = data.draw(st.integers(0, 255))
    try:
        assert len(digest(bytes(der[: data.draw(st.integers(0, len(der)))]))) == 64
    except FormatError:
        return


def test_what_is_no_certificate_is_named() -> None:
    with pytest.raises(FormatError, match="DER"):
        tbs_sha256(b"\x30\x03\x02\x01\x05")
    with pytest.raises(FormatError, match="DER"):
        tbs_sha256(b"")


def test_pem_is_not_der() -> None:
    _, der = _leaves("go_1.9_full.jsonl")[0]
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    with pytest.raises(FormatError):
        tbs_sha256(pem)
