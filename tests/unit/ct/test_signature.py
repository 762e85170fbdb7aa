"""The keys of logs and what they sign."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.signature import (
    HASH_SHA256,
    SIGNATURE_ECDSA,
    SIGNATURE_RSA,
    DigitallySigned,
    LogKey,
    tree_head_bytes,
)
from ctmonitor.errors import FormatError, IntegrityError
from tests.data import VECTORS

YETI = json.loads((VECTORS / "logs" / "yeti2018_get-sth_with_key.json").read_bytes())
YETI_KEY = base64.b64decode(YETI["log_public_key_b64"])
YETI_SIGNED = base64.b64decode(YETI["sth"]["tree_head_signature"])
YETI_HEAD = tree_head_bytes(
    YETI["sth"]["timestamp"],
    YETI["sth"]["tree_size"],
    base64.b64decode(YETI["sth"]["sha256_root_hash"]),
)


def _spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_head_of_a_real_log_verifies() -> None:
    key = LogKey(YETI_KEY)
    assert key.log_id == hashlib.sha256(YETI_KEY).digest()
    key.verify_signed(YETI_HEAD, YETI_SIGNED)


@pytest.mark.parametrize("position", [0, 1, 2, 9, 17, 49])
def test_no_byte_of_a_signed_head_can_change(position: int) -> None:
    changed = bytearray(YETI_HEAD)
    changed[position] ^= 1
    with pytest.raises(IntegrityError, match=r"^signature: wrong under the key"):
        LogKey(YETI_KEY).verify_signed(bytes(changed), YETI_SIGNED)


def test_the_key_of_another_log_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(IntegrityError, match=r"^signature: wrong"):
        LogKey(_spki(other)).verify_signed(YETI_HEAD, YETI_SIGNED)


@pytest.mark.parametrize(
    ("hash_algorithm", "signature_algorithm"),
    [(2, SIGNATURE_ECDSA), (5, SIGNATURE_ECDSA), (HASH_SHA256, 1), (0, 0), (255, 255)],
)
def test_other_algorithms_than_those_of_the_key_are_refused(
    hash_algorithm: int, signature_algorithm: int
) -> None:
    signature = DigitallySigned.parse(YETI_SIGNED).signature
    with pytest.raises(IntegrityError, match=r"^signature: algorithms"):
        LogKey(YETI_KEY).verify(
            YETI_HEAD, hash_algorithm, signature_algorithm, signature
        )


def test_rsa_with_pkcs1_verifies_and_pss_does_not() -> None:
    private = rsa.generate_private_key(65537, 2048)
    key = LogKey(_spki(private.public_key()))
    good = private.sign(YETI_HEAD, padding.PKCS1v15(), hashes.SHA256())
    key.verify(YETI_HEAD, HASH_SHA256, SIGNATURE_RSA, good)
    assert len(good) == 256  # both bytes of its length count
    key.verify_signed(YETI_HEAD, DigitallySigned(4, 1, good).encoded())
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    wrong = private.sign(YETI_HEAD, pss, hashes.SHA256())
    for signature in (wrong, good[:-1], good + b"\0", b""):
        with pytest.raises(IntegrityError, match=r"^signature: wrong"):
            key.verify(YETI_HEAD, HASH_SHA256, SIGNATURE_RSA, signature)
    with pytest.raises(IntegrityError, match=r"^signature: algorithms"):
        key.verify(YETI_HEAD, HASH_SHA256, SIGNATURE_ECDSA, good)


def test_keys_that_no_log_may_have_are_refused() -> None:
    for key, kind in (
        (ec.generate_private_key(ec.SECP384R1()).public_key(), "key: other curve"),
        (ed25519.Ed25519PrivateKey.generate().public_key(), "key: neither ECDSA"),
        (rsa.RSAPublicNumbers(65537, 2**1023 + 1).public_key(), "key: RSA of this"),
        (rsa.RSAPublicNumbers(65537, 2**8999 + 1).public_key(), "key: RSA of this"),
    ):
        with pytest.raises(FormatError, match=rf"^{kind}"):
            LogKey(_spki(key))


def test_a_key_with_bytes_behind_it_is_refused() -> None:
    with pytest.raises(FormatError, match=r"^key: not readable"):
        LogKey(YETI_KEY + b"\0")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "signature: too short"),
        (b"\4\3\0", "signature: too short"),
        (b"\4\3\0\1", "signature: other length than it says"),
        (b"\4\3\0\0\0", "signature: other length than it says"),
        (YETI_SIGNED[:-1], "signature: other length than it says"),
        (YETI_SIGNED + b"\0", "signature: other length than it says"),
    ],
)
def test_a_signature_fills_its_bytes(data: bytes, kind: str) -> None:
    """Cut or prolonged, it is no DigitallySigned, and nothing is signed by it."""
    with pytest.raises(FormatError) as caught:
        DigitallySigned.parse(data)
    assert caught.value.kind == kind
    with pytest.raises(IntegrityError) as refused:
        LogKey(YETI_KEY).verify_signed(YETI_HEAD, data)
    assert refused.value.kind == "signature"


@given(st.integers(0, 255), st.integers(0, 255), st.binary())
def test_digitally_signed_round_trip(
    hash_algorithm: int, signature_algorithm: int, signature: bytes
) -> None:
    signed = DigitallySigned(hash_algorithm, signature_algorithm, signature)
    assert DigitallySigned.parse(signed.encoded()) == signed


def test_a_signature_that_does_not_fit_is_a_bug() -> None:
    for signed in (DigitallySigned(4, 3, b"\0" * 65536), DigitallySigned(256, 3, b"")):
        with pytest.raises(ValueError, match=r"^no DigitallySigned"):
            signed.encoded()


def test_what_a_head_signs_is_fifty_bytes() -> None:
    """RFC 6962 section 3.5: version v1 and type tree_hash begin it."""
    root = bytes(range(32))
    assert tree_head_bytes(0x0102, 0x0304, root) == (
        b"\0\1" + b"\0\0\0\0\0\0\1\2" + b"\0\0\0\0\0\0\3\4" + root
    )
    assert len(tree_head_bytes(2**64 - 1, 2**64 - 1, root)) == 50


@pytest.mark.parametrize(
    ("timestamp_ms", "size", "root"),
    [
        (-1, 0, bytes(32)),
        (2**64, 0, bytes(32)),
        (0, -1, bytes(32)),
        (0, 2**64, bytes(32)),
        (0, 0, bytes(31)),
        (0, 0, bytes(33)),
    ],
)
def test_a_head_that_cannot_be_signed_is_a_bug(
    timestamp_ms: int, size: int, root: bytes
) -> None:
    with pytest.raises(ValueError, match=r"^no head of"):
        tree_head_bytes(timestamp_ms, size, root)


@given(
    st.binary(max_size=200) | st.binary(max_size=40).map(lambda b: YETI_KEY[:60] + b)
)
def test_any_bytes_are_a_key_or_a_format_error(data: bytes) -> None:
    try:
        key = LogKey(data)
    except FormatError:
        return
    assert key.log_id == hashlib.sha256(data).digest()


@given(st.binary(max_size=100) | st.binary(max_size=9).map(lambda b: b"\4\3\0\x09" + b))
def test_any_bytes_are_no_signature_of_the_key(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        LogKey(YETI_KEY).verify_signed(YETI_HEAD, data)
