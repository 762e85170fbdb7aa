"""SCTs: those of recorded certificates, whose signatures hold, and broken ones."""

import base64
import gzip
import hashlib
import json
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.leaf import EntriesLeaves
from ctmonitor.ct.sct import SCT, sct_list, signed_bytes
from ctmonitor.ct.signature import DigitallySigned, LogKey
from ctmonitor.errors import FormatError
from tests.data import shared, vector_messages

# 1.3.6.1.4.1.11129.2.4.2 as a complete DER object; an OCTET STRING follows.
_SCT_LIST = bytes.fromhex("060a2b06010401d679020402")


def _opaque(length_bytes: int, content: bytes) -> bytes:
    return len(content).to_bytes(length_bytes, "big") + content


def _encoded(sct: SCT) -> bytes:
    return b"".join(
        (
            bytes((sct.version,)),
            sct.log_id,
            struct.pack(">Q", sct.timestamp_ms),
            _opaque(2, sct.extensions),
            sct.signature.encoded(),
        )
    )


def _list(*scts: bytes) -> bytes:
    return _opaque(2, b"".join(_opaque(2, sct) for sct in scts))


def _in_certificate(der: bytes) -> bytes:
    """The SignedCertificateTimestampList, out of its two OCTET STRINGs."""
    at = der.index(_SCT_LIST) + len(_SCT_LIST)
    for _ in range(2):
        assert der[at] == 0x04
        octets = der[at + 1] & 0x7F if der[at + 1] & 0x80 else 0
        length = der[at + 2 : at + 2 + octets] or der[at + 1 : at + 2]
        at += 2 + octets
    return der[at : at + int.from_bytes(length, "big")]


SIGNATURE = DigitallySigned(4, 3, b"signature")
PLAIN = SCT(0, b"l" * 32, 1_700_000_000_000, b"", None, SIGNATURE)
TILED = SCT(
    0, b"t" * 32, 1_700_000_000_001, bytes.fromhex("0000050000000100"), 256, SIGNATURE
)

scts = st.builds(
    SCT,
    st.just(0),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**64 - 1),
    st.just(b""),
    st.none(),
    st.builds(
        DigitallySigned,
        st.integers(0, 255),
        st.integers(0, 255),
        st.binary(max_size=80),
    ),
)


def test_an_sct_of_each_kind_of_log() -> None:
    assert sct_list(_list(_encoded(PLAIN), _encoded(TILED))) == [PLAIN, TILED]


@given(st.lists(scts | st.just(TILED), max_size=5))
def test_scts_come_back_as_they_were_written(written: list[SCT]) -> None:
    assert sct_list(_list(*[_encoded(sct) for sct in written])) == written


def test_agrees_with_cryptography_on_recorded_certificates() -> None:
    checked = 0
    for line in vector_messages("rust_live_ct_full.jsonl"):
        der = base64.b64decode(json.loads(line)["data"]["leaf_cert"]["as_der"])
        if _SCT_LIST not in der:
            continue
        extension = x509.load_der_x509_certificate(
            der
        ).extensions.get_extension_for_class(
            x509.PrecertificateSignedCertificateTimestamps
        )
        found = sct_list(_in_certificate(der))
        for sct, expected in zip(found, extension.value, strict=True):
            assert sct.log_id == expected.log_id
            assert sct.timestamp_ms // 1000 == int(expected.timestamp.timestamp())
            assert sct.extensions == expected.extension_bytes
            assert sct.signature.signature == expected.signature
            checked += 1
    assert checked > 10


def test_signatures_of_recorded_certificates_hold() -> None:
    """1,276 SCTs of real logs, each over the precertificate's TBSCertificate."""
    keys = _log_keys()
    checked = with_index = 0
    with gzip.open(shared("rfc6962/entries.jsonl.gz"), "rb") as lines:
        for line in lines:
            entry = EntriesLeaves.parse(b'{"entries":[' + line + b"]}", 0, 1).entry(0)
            if entry.is_precert or not entry.chain:
                continue
            if _SCT_LIST not in entry.signed_entry:
                continue
            try:
                precert = _precert_entry(entry)
            except ValueError:  # `cryptography` refuses the certificate
                continue
            for sct in sct_list(_in_certificate(entry.signed_entry)):
                LogKey(keys[sct.log_id]).verify(
                    signed_bytes(sct, precert),
                    sct.signature.hash_algorithm,
                    sct.signature.signature_algorithm,
                    sct.signature.signature,
                )
                checked += 1
                with_index += sct.leaf_index is not None
    assert (checked, with_index) == (1276, 18)


def test_what_a_log_signs() -> None:
    """RFC 6962 section 3.2, field by field."""
    head = bytes.fromhex("00 00 0000018bcfe56801")  # v1, certificate_timestamp, time
    final = LogEntry(0, 1, False, b"certificate", b"")
    assert signed_bytes(TILED, final) == (
        head + b"\0\0" + b"\0\0\x0bcertificate" + b"\0\x08" + TILED.extensions
    )
    precert = LogEntry(0, 1, True, b"tbs", b"", issuer_key_hash=b"k" * 32)
    assert signed_bytes(TILED, precert) == (
        head + b"\0\1" + b"k" * 32 + b"\0\0\3tbs" + b"\0\x08" + TILED.extensions
    )
    assert signed_bytes(PLAIN, final).endswith(b"certificate\0\0")


def test_other_versions_are_passed_over() -> None:
    """A later one need not look like one of version 1 at all."""
    assert sct_list(_list(b"\1", _encoded(PLAIN), b"\xffanything")) == [PLAIN]
    with pytest.raises(FormatError, match="unknown version"):
        SCT.parse(b"\1" + _encoded(PLAIN)[1:])


def test_extensions_of_rfc_6962_may_be_anything() -> None:
    strange = SCT(0, b"l" * 32, 1, b"\0\0", None, SIGNATURE)
    assert sct_list(_list(_encoded(strange))) == [strange]


@pytest.mark.parametrize("sct", [PLAIN, TILED])
def test_every_cut_is_noticed(sct: SCT) -> None:
    whole = _encoded(sct)
    for size in range(len(whole)):
        with pytest.raises(FormatError):
            SCT.parse(whole[:size])
    with pytest.raises(FormatError):
        SCT.parse(whole + b"\0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\0\1",
        b"\0\0\0",
        b"\0\1\0",
        b"\0\2\0\0",
        b"\0\2\0\1",
        b"\0\3\0\2\1",
        _list(_encoded(PLAIN)) + b"\0",
        _list() + _list(_encoded(PLAIN)),
        _list() + _opaque(2, _encoded(PLAIN)),
        _list(_encoded(PLAIN))[:-1],
        _list(_encoded(PLAIN), b""),
        _list(_encoded(PLAIN)[:-1]),
    ],
)
def test_lists_that_are_malformed(data: bytes) -> None:
    with pytest.raises(FormatError):
        sct_list(data)


@given(st.binary(max_size=120))
def test_any_bytes_give_scts_or_a_format_error(data: bytes) -> None:
    for one in (data, _list(b"\0" + data), _list(_encoded(TILED)[:50] + data)):
        try:
            found = sct_list(one)
        except FormatError:
            continue
        for sct in found:
            assert _encoded(sct) in one


def _precert_entry(entry: LogEntry) -> LogEntry:
    """The entry that the logs signed before the certificate existed."""
    certificate = x509.load_der_x509_certificate(entry.signed_entry)
    issuer = x509.load_der_x509_certificate(entry.chain[0])
    key = issuer.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return LogEntry(
        index=0,
        timestamp_ms=0,
        is_precert=True,
        signed_entry=certificate.tbs_precertificate_bytes,
        leaf_input=b"",
        issuer_key_hash=hashlib.sha256(key).digest(),
    )


def _log_keys() -> dict[bytes, bytes]:
    keys = {}
    for name in ("gstatic_v3_all_logs_list.json", "crtsh_v3_all_logs_list.json"):
        listed = json.loads(shared(f"loglists/{name}").read_bytes())
        for operator in listed["operators"]:
            for log in operator.get("logs", []) + operator.get("tiled_logs", []):
                key = base64.b64decode(log["key"])
                keys[hashlib.sha256(key).digest()] = key
    return keys
