"""Certificates: every name of real ones, and as much as can be read of broken ones."""

import base64
import gzip
import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.certificate import key_sha256, tbs_sha256
from ctmonitor.ct.der import SEQUENCE, inner
from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.x509 import MAX_NAMES, certificate_of, name_spans
from ctmonitor.errors import FormatError
from ctmonitor.model.certificate import Certificate
from tests.data import VECTORS, shared, vector_messages
from tests.unit.ct import making
from tests.unit.ct.making import (
    AUTHORITY_KEY_ID,
    BMP,
    COMMON_NAME,
    COUNTRY,
    IA5,
    ORGANISATION,
    PRINTABLE,
    SUBJECT_ALT_NAME,
    T61,
    UNIVERSAL,
    UTF8,
    attribute,
    der,
    tbs_certificate,
)

# Certificates of which cryptography tells other names, and why.
EXPLAINED = {
    # A name with NUL counts a second time, as far as the NUL.
    "google+certificate-transparency/python/ct/crypto/testdata/null_chars.pem",
    "pcap:../dcode/OISF+suricata-verify/tests/tls/tls-altname-zero/input.pcap#0",
}


def records(path: Path) -> list[tuple[str, bytes]]:
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()
    parsed = map(json.loads, lines)
    return [(r["name"], base64.b64decode(r.get("der") or r["der_b64"])) for r in parsed]


SAMPLE = records(VECTORS / "certificates.jsonl")


def x509_entry(certificate: bytes) -> LogEntry:
    return LogEntry(7, 0, False, certificate, b"")


def precert_entry(tbs: bytes, pre_certificate: bytes = b"") -> LogEntry:
    return LogEntry(7, 0, True, tbs, b"", pre_certificate=pre_certificate)


def read(tbs: bytes) -> Certificate:
    """What is read of a certificate without any defect."""
    certificate, defects = certificate_of(x509_entry(making.certificate(tbs)))
    assert defects == ()
    return certificate


def tbs_of(certificate: bytes) -> bytes:
    start, end = inner(certificate, 0, len(certificate), SEQUENCE)
    _, tbs_end = inner(certificate, start, end, SEQUENCE)
    return certificate[start:tbs_end]


# The same by another library

_REFUSALS = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def expected(certificate: bytes) -> dict[str, Any] | None:
    """What cryptography tells, without what it cannot read; None when it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            parsed = x509.load_der_x509_certificate(certificate)
        except _REFUSALS:
            return None
        told: dict[str, Any] = {}
        questions: dict[str, Callable[[], object]] = {
            "serial": lambda: parsed.serial_number,
            "not_before": lambda: parsed.not_valid_before_utc,
            "not_after": lambda: parsed.not_valid_after_utc,
            "names": partial(_names, parsed),
            "issuer_dn": partial(_issuer, parsed),
            "authority_key_id": partial(_key_id, parsed),
        }
        for field, ask in questions.items():
            try:
                told[field] = ask()
            except _REFUSALS:
                continue
    return told


def _names(parsed: x509.Certificate) -> tuple[str, ...]:
    names: list[Any] = []
    try:
        found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names += found.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        pass
    names += [
        a.value for a in parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]
    return tuple(dict.fromkeys(filter(None, names)))


def _issuer(parsed: x509.Certificate) -> str:
    text = ""
    for letters, oid in (
        ("C", NameOID.COUNTRY_NAME),
        ("CN", NameOID.COMMON_NAME),
        ("L", NameOID.LOCALITY_NAME),
        ("O", NameOID.ORGANIZATION_NAME),
        ("OU", NameOID.ORGANIZATIONAL_UNIT_NAME),
        ("ST", NameOID.STATE_OR_PROVINCE_NAME),
        ("emailAddress", NameOID.EMAIL_ADDRESS),
    ):
        values = [a.value for a in parsed.issuer.get_attributes_for_oid(oid)]
        if values and (value := values[-1 if letters == "CN" else 0]):
            text += f"/{letters}={value!s}"
    return text


def _key_id(parsed: x509.Certificate) -> str:
    try:
        found = parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return ""
    return (found.value.key_identifier or b"").hex()


def agrees(name: str, data: bytes) -> set[str]:
    """The fields that both read, which have to be equal."""
    told = expected(data)
    if told is None:
        return set()
    certificate, _ = certificate_of(x509_entry(data))
    if name in EXPLAINED:
        assert set(told.pop("names")) < set(certificate.names), name
    for field, value in told.items():
        assert getattr(certificate, field) == value, (name, field)
    return set(told)


def test_every_name_of_certificates_that_logs_hold() -> None:
    """Each field is exactly that of cryptography, and none has a defect."""
    unread = []
    found = records(shared("certs/ct_leaf_certs.jsonl.gz"))
    for name, data in found:
        if not agrees(name, data) >= {"names", "issuer_dn", "serial", "not_after"}:
            unread.append(certificate_of(x509_entry(data))[0].names)
        certificate, defects = certificate_of(x509_entry(data))
        assert defects == (), name
        assert certificate.tbs_sha256 == tbs_sha256(data)
        assert certificate.sha256 == hashlib.sha256(data).hexdigest()
        of_leaf, _ = certificate_of(precert_entry(tbs_of(data), data))
        assert of_leaf.names == certificate.names
        assert of_leaf.sha1 == certificate.sha1
        assert of_leaf.identity.startswith("tbs:")
    assert len(found) > 3900
    # Where cryptography cannot read the names, we do.
    assert len(unread) == 2
    assert all(unread)


@pytest.mark.parametrize(
    "name",
    [
        "ca_certs",
        "google_ct_testdata",
        "misc_testdata",
        "pkilint_testdata",
        "zlint_v3_testdata",
        "openssl_fuzz_x509",
    ],
)
def test_certificates_of_all_kinds_give_the_names_that_another_library_finds(
    name: str,
) -> None:
    compared = 0
    for each, data in records(shared(f"certs/{name}.jsonl.gz")):
        try:
            certificate, _ = certificate_of(x509_entry(data))
        except FormatError:
            assert expected(data) is None, each
            continue
        compared += "names" in agrees(each, data)
        assert_names_lie_in_spans(data, certificate)
    assert compared >= (3 if name == "openssl_fuzz_x509" else 100)


def test_the_sample_of_odd_certificates() -> None:
    lines = (VECTORS / "certificates.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        entry = x509_entry(base64.b64decode(line["der"]))
        if line["names"] is None:
            with pytest.raises(FormatError, match="DER: "):
                certificate_of(entry)
            continue
        certificate, _ = certificate_of(entry)
        assert list(certificate.names) == line["names"], line["name"]
        agrees(line["name"], entry.signed_entry)


def test_fields_are_those_that_a_feed_tells() -> None:
    """The Rust server reads its certificates with another library."""
    for line in vector_messages("rust_live_ct_full.jsonl"):
        leaf = json.loads(line)["data"]["leaf_cert"]
        data = base64.b64decode(leaf["as_der"])
        certificate, defects = certificate_of(x509_entry(data))
        assert defects == ()
        assert set(certificate.names) == set(leaf["all_domains"])
        assert certificate.issuer_dn == leaf["issuer"]["aggregated"]
        assert certificate.subject_cn == (leaf["subject"].get("CN") or "")
        assert certificate.fingerprint == leaf["fingerprint"]
        assert certificate.serial == int(leaf["serial_number"], 16)
        assert certificate.issuer_organisation == leaf["issuer"]["O"]
        assert certificate.key_sha256 == key_sha256(data)
        assert certificate.not_before == datetime.fromtimestamp(leaf["not_before"], UTC)


# Precertificates


def test_of_a_precertificate_the_signed_tbs_certificate_counts() -> None:
    tbs = tbs_certificate("signed.example")
    other = making.certificate(tbs_certificate("unsigned.example", serial=b"\x09"))
    certificate, defects = certificate_of(precert_entry(tbs, other))
    assert defects == ()
    assert certificate.names == ("signed.example",)
    assert certificate.serial == 0x0102
    assert certificate.is_precert is True
    assert certificate.tbs_sha256 == hashlib.sha256(tbs).hexdigest()
    assert certificate.sha256 == hashlib.sha256(other).hexdigest()
    assert certificate.sha1 == hashlib.sha1(other, usedforsecurity=False).hexdigest()
    assert certificate.key_sha256 == key_sha256(making.certificate(tbs))
    without, _ = certificate_of(precert_entry(tbs))
    assert (without.sha1, without.sha256) == ("", "")


def test_a_precertificate_and_its_certificate_are_one_issuance() -> None:
    tbs = tbs_certificate("one.example")
    scts = making.extension(making.SCT_LIST, b"scts")
    final = tbs_certificate("one.example", extensions=(making.KEY_ID, scts))
    precert, _ = certificate_of(precert_entry(tbs))
    certificate = read(final)
    assert certificate.identity == precert.identity
    assert certificate.is_precert is False
    only_scts = tbs_certificate(extensions=[scts])
    none, _ = certificate_of(precert_entry(tbs_certificate(extensions=[])))
    assert read(only_scts).tbs_sha256 == none.tbs_sha256


# Names


def test_names_are_those_of_the_extension_and_then_the_common_names() -> None:
    certificate = read(
        tbs_certificate(
            "a.example",
            "B.example",
            "a.example",
            subject=(
                attribute(COMMON_NAME, "b.example"),
                attribute(ORGANISATION, "No Name Ltd"),
                attribute(COMMON_NAME, "a.example"),
                attribute(COMMON_NAME, ""),
            ),
        )
    )
    assert certificate.names == ("a.example", "B.example", "b.example")
    assert certificate.subject_cn == "a.example"


def test_addresses_and_mailboxes_are_no_names() -> None:
    value = der(
        0x30,
        der(0x87, b"\x7f\0\0\1"),
        der(0x81, b"me@paypal.example"),
        der(0x86, b"https://uri.example/"),
        der(0xA4, making.distinguished_name(attribute(COMMON_NAME, "dir.example"))),
        der(0x82, b"dns.example"),
    )
    extension = making.extension(SUBJECT_ALT_NAME, value, critical=True)
    certificate = read(tbs_certificate(extensions=(making.KEY_ID, extension)))
    assert certificate.names == ("dns.example",)
    assert certificate.authority_key_id == "ae" * 20


@pytest.mark.parametrize("tag", [UTF8, PRINTABLE, T61, IA5, UNIVERSAL, BMP, 0x1A, 0x1B])
def test_common_names_in_every_type_of_string(tag: int) -> None:
    text = "login-paypal.example" if tag in (PRINTABLE, IA5, 0x1A) else "páypal.example"
    certificate = read(tbs_certificate(subject=[attribute(COMMON_NAME, text, tag)]))
    assert certificate.names == (text,)
    assert certificate.subject_cn == text


def test_bytes_that_are_no_utf_8_are_latin_1_whatever_the_type() -> None:
    subject = [(COMMON_NAME, UTF8, b"m\xfcnchen.example")]
    assert read(tbs_certificate(subject=subject)).names == ("münchen.example",)
    value = making.dns_names([b"m\xfcnchen.example", "größe.example".encode()])
    extension = making.extension(SUBJECT_ALT_NAME, value)
    tbs = tbs_certificate(extensions=[extension])
    certificate, defects = certificate_of(precert_entry(tbs))
    assert certificate.names == ("münchen.example", "größe.example")
    assert defects == ("dNSName: not ASCII",)


def test_a_name_with_nul_counts_as_far_as_the_nul_too() -> None:
    tbs = tbs_certificate(
        "www.bank.example\0.evil.example",
        "\0x.example",
        subject=[attribute(COMMON_NAME, "cn.example\0.evil.example", BMP)],
    )
    certificate, defects = certificate_of(precert_entry(tbs))
    assert certificate.names == (
        "www.bank.example\0.evil.example",
        "www.bank.example",
        "\0x.example",
        "cn.example\0.evil.example",
        "cn.example",
    )
    assert defects == ("name: NUL in it",)


@pytest.mark.parametrize(("more", "defects"), [(0, 0), (1, 1)])
def test_the_number_of_names_has_a_limit(more: int, defects: int) -> None:
    names = [f"{number}.example" for number in range(MAX_NAMES + more)]
    certificate, found = certificate_of(precert_entry(tbs_certificate(*names)))
    assert list(certificate.names) == names[:MAX_NAMES]
    assert found == ("too many names",) * defects


def test_a_subject_of_names_without_end_has_the_same_limit() -> None:
    one = der(0x30, making.oid(COMMON_NAME), der(UTF8, b"a"))
    subject = der(0x30, *[der(0x31, one * 1000)] * 30)
    whole = tbs_certificate("a.example")
    start, end = inner(whole, 0, len(whole), SEQUENCE)
    empty = making.VALIDITY + der(0x30)
    content = whole[start:end].replace(empty, making.VALIDITY + subject)
    certificate, defects = certificate_of(precert_entry(der(0x30, content)))
    assert certificate.names == ("a.example", "a")
    assert defects == ("too many names",)


STRANGE_NAMES = der(0x30, der(0x82, b"\xff") * 40_000)
COMMON = der(0x30, making.oid(COMMON_NAME), der(UTF8, b"a.example"))
STRANGE_KEY_ID = making.extension(AUTHORITY_KEY_ID, der(0x30, b"\5\0" * 20_000))


@pytest.mark.parametrize(
    ("subject", "extensions", "defect"),
    [
        (
            b"",
            [making.extension(SUBJECT_ALT_NAME, STRANGE_NAMES)] * 20,
            "too many names",
        ),
        (b"", [making.extension(SUBJECT_ALT_NAME, b"")] * 40_000, "extensions: broken"),
        (b"", [STRANGE_KEY_ID] * 20, "authority key identifier: broken"),
        (der(0x31, COMMON * 9) * 10_000, [], "too many names"),
        (der(0x31, COMMON) * 40_000, [], "too many names"),
        (der(0x31, COMMON * 40_000), [], "too many names"),
        (der(0x31, der(0x30, b"\5\0" * 20_000)) * 20, [], "subject: broken"),
    ],
    ids=["names", "lists", "key-ids", "sets", "single", "one-set", "parts"],
)
def test_the_work_for_one_certificate_has_a_limit(
    subject: bytes, extensions: list[bytes], defect: str
) -> None:
    whole = tbs_certificate()
    start, end = inner(whole, 0, len(whole), SEQUENCE)
    fields, _, _ = whole[start:end].partition(making.VALIDITY)
    tbs = der(
        0x30,
        fields + making.VALIDITY,
        der(0x30, subject),
        der(0x30),
        der(0xA3, der(0x30, *extensions)),
    )
    lines = 0

    def trace(*_: object) -> Any:
        nonlocal lines
        lines += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        _, defects = certificate_of(precert_entry(tbs))
    finally:
        sys.settrace(before)
    assert lines < 40 * MAX_NAMES  # some 40 ms
    assert defect in defects


def test_of_a_broken_common_name_only_the_beginning_is_read() -> None:
    """Each character that is replaced takes as long as a name."""
    text = "a".encode("utf-16-be") * 100 + b"\xd8\x00" * 100_000
    name = [(COMMON_NAME, BMP, text)]
    certificate, defects = certificate_of(precert_entry(tbs_certificate(subject=name)))
    assert len(certificate.names[0]) == 256
    assert certificate.names[0].startswith("a" * 100)
    assert defects == ("common name: broken characters",)


# Defects: the rest goes on

BROKEN_SAN = making.extension(SUBJECT_ALT_NAME, b"\x30\x20" + der(0x82, b"a.example"))
HALF_SAN = making.extension(
    SUBJECT_ALT_NAME, der(0x30, der(0x82, b"a.example"), b"\x82\x20b.exa")
)
UNKNOWN_TYPE = (COMMON_NAME, 0x04, b"octets")


@pytest.mark.parametrize(
    ("options", "defect", "names"),
    [
        ({"serial": b""}, "serial number: missing", ("b.example",)),
        ({"serial": bytes(65)}, "serial number: too long", ("b.example",)),
        ({"validity": der(0x30)}, "validity: not two times", ("b.example",)),
        ({"extensions": [BROKEN_SAN]}, "subject alternative name", ("b.example",)),
        (
            {"extensions": [HALF_SAN]},
            "subject alternative name: broken",
            ("a.example", "b.example"),
        ),
        (
            {"extensions": [making.extension("2.5.29.35", b"\x30\x01")]},
            "authority key identifier: broken",
            ("b.example",),
        ),
        (
            {"extensions": [making.KEY_ID, b"\x30\x7f"]},
            "extensions: broken",
            (),
        ),
        ({"subject": [UNKNOWN_TYPE]}, "common name: not a string", ("b.example",)),
        (
            {"subject": [(COMMON_NAME, BMP, b"\0a\0")]},
            "common name: broken characters",
            ("b.example", "a\ufffd"),
        ),
        ({"issuer": [UNKNOWN_TYPE]}, "issuer: not a string", ("b.example",)),
    ],
)
def test_a_broken_field_is_a_defect_and_the_others_are_read(
    options: dict[str, Any], defect: str, names: tuple[str, ...]
) -> None:
    tbs = tbs_certificate("b.example", **options)
    for entry in (precert_entry(tbs), x509_entry(making.certificate(tbs))):
        certificate, defects = certificate_of(entry)
        assert certificate.names == names
        assert len(defects) == 1
        assert defects[0].startswith(defect)
        if "serial" not in options:
            assert certificate.serial == 0x0102


def test_a_broken_list_of_extensions_has_no_hash_to_be_joined_by() -> None:
    tbs = tbs_certificate("a.example", extensions=[making.KEY_ID, b"\x30\x7f"])
    certificate, _ = certificate_of(x509_entry(making.certificate(tbs)))
    assert certificate.tbs_sha256 == ""
    assert certificate.identity.startswith("serial:")


def test_without_fields_behind_the_subject_its_names_are_read() -> None:
    whole = tbs_certificate(subject=[attribute(COMMON_NAME, "cn.example")])
    at = whole.index(b"cn.example") + len("cn.example")
    start, _ = inner(whole, 0, len(whole), SEQUENCE)
    certificate, defects = certificate_of(precert_entry(der(0x30, whole[start:at])))
    assert certificate.names == ("cn.example",)
    assert defects == ("certificate: fields are missing",)
    with pytest.raises(FormatError, match="fields are missing"):
        certificate_of(precert_entry(der(0x30, whole[start : start + 5])))


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x00", b"\x30\x80\x00\x00"])
def test_what_is_no_certificate_is_an_error(data: bytes) -> None:
    for entry in (precert_entry(data), x509_entry(data)):
        with pytest.raises(FormatError):
            certificate_of(entry)


def test_bytes_behind_a_certificate_are_a_defect() -> None:
    tbs = tbs_certificate("a.example")
    for entry in (
        precert_entry(tbs + b"\0"),
        x509_entry(making.certificate(tbs) + b"\0"),
    ):
        certificate, defects = certificate_of(entry)
        assert certificate.names == ("a.example",)
        assert defects == ("certificate: bytes behind it",)


# Other fields


@pytest.mark.parametrize(
    ("tag", "written", "read_as"),
    [
        (0x17, b"491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (0x17, b"500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        (0x17, b"2611211200Z", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        (0x17, b"261121120000+0130", datetime(2026, 11, 21, 10, 30, tzinfo=UTC)),
        (0x18, b"20500101000000Z", datetime(2050, 1, 1, tzinfo=UTC)),
        (0x18, b"20261121120000.25Z", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        (0x18, b"99991231235959Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (0x18, b"20261121120000", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        (0x18, b"99991231235959-0100", None),
        (0x18, b"00000101000000Z", None),
        (0x17, b"261121126000Z", None),
        (0x17, b"2611211200", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        (0x17, b"26W2111200000Z", None),
        (0x17, b"", None),
        (0x17, b"\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2\xb2Z", None),
        (0x04, b"261121120000Z", None),
    ],
)
def test_times_of_both_types(
    tag: int, written: bytes, read_as: datetime | None
) -> None:
    validity = der(0x30, der(tag, written), der(0x17, b"270219115959Z"))
    certificate, defects = certificate_of(
        precert_entry(tbs_certificate("a.example", validity=validity))
    )
    assert certificate.not_before == read_as
    assert defects == (() if read_as else ("validity: no such time",))
    assert certificate.not_after == datetime(2027, 2, 19, 11, 59, 59, tzinfo=UTC)


def test_serial_numbers_of_either_sign() -> None:
    assert read(tbs_certificate(serial=b"\x00\xff")).serial == 255
    assert read(tbs_certificate(serial=b"\xff")).serial == -1
    assert read(tbs_certificate(serial=b"\x7f" * 64)).serial == int("7f" * 64, 16)


def test_an_issuer_is_told_as_feeds_do() -> None:
    issuer = (
        attribute(COMMON_NAME, "first"),
        attribute(ORGANISATION, "Let's  Encrypt"),
        attribute(ORGANISATION, "second"),
        attribute("2.5.4.5", "a serial number"),
        attribute(COUNTRY, "US", PRINTABLE),
        attribute(COMMON_NAME, "E7", BMP),
    )
    certificate = read(tbs_certificate("a.example", issuer=issuer))
    assert certificate.issuer_dn == "/C=US/CN=E7/O=Let's  Encrypt"
    assert certificate.issuer_id == "us|let's encrypt|e7"
    assert certificate.issuer_organisation == "Let's  Encrypt"
    alone = read(tbs_certificate(issuer=[attribute(COMMON_NAME, "Own CA")]))
    assert alone.issuer_organisation == "Own CA"
    nobody = read(tbs_certificate("a.example", issuer=()))
    assert (nobody.issuer_dn, nobody.issuer_id) == ("", "")
    long = [attribute(ORGANISATION, "o" * 5000)]
    assert read(tbs_certificate(issuer=long)).issuer_dn == "/O=" + "o" * 5000


# Any bytes


def assert_names_lie_in_spans(data: bytes, certificate: Certificate) -> None:
    """What the prefilter may skip holds no name."""
    padded = b"\x30\x82" + data + b"\x30\x82"
    spans = name_spans(padded, 2, 2 + len(data), False, len(padded))
    if spans is None:
        return
    for name in certificate.names:
        if name.isascii():
            wide = [name.encode(codec) for codec in ("utf-16-be", "utf-32-be")]
            parts = [padded[start:end] for start, end in spans]
            assert any(
                text in part for part in parts for text in (name.encode(), *wide)
            ), name


def attempted(entry: LogEntry) -> Certificate | None:
    try:
        certificate, defects = certificate_of(entry)
    except FormatError:
        return None
    assert all(defects)
    assert certificate.identity
    return certificate


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_give_a_certificate_or_an_error(data: bytes, precert: bool) -> None:
    attempted(LogEntry(0, 0, precert, data, b""))
    name_spans(data, 0, len(data), precert, len(data))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A certificate in which a few bytes are others, are missing or stand twice."""
    data = bytearray(draw(st.sampled_from(SAMPLE))[1])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(len(data) - 1, 1000)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at] = draw(st.integers(0, 255))
            case 1:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case 2:
                del data[at : at + draw(st.integers(1, 3))]
            case _:
                data[at:at] = data[at : at + draw(st.integers(1, 8))]
    return bytes(data)


@given(mutated())
def test_changed_certificates_give_names_out_of_their_spans(data: bytes) -> None:
    certificate = attempted(x509_entry(data))
    if certificate is not None:
        assert_names_lie_in_spans(data, certificate)
    attempted(precert_entry(data[4:]))


def all_cuts(data: bytes) -> Iterator[bytes]:
    for end in range(len(data)):
        yield data[:end]


def test_a_certificate_cut_off_anywhere_is_an_error() -> None:
    for data in all_cuts(making.certificate(tbs_certificate("a.example"))):
        with pytest.raises(FormatError):
            certificate_of(x509_entry(data))


def test_spans_are_not_told_where_certificates_hide_them() -> None:
    lists = making.extension(SUBJECT_ALT_NAME, making.dns_names([b"a.example"]))
    many = tbs_certificate(extensions=[lists] * 9)
    assert name_spans(many, 0, len(many), True, len(many)) is None
    certificate, _ = certificate_of(precert_entry(many))
    assert certificate.names == ("a.example",)
    some = tbs_certificate(extensions=[lists] * 8)
    assert len(name_spans(some, 0, len(some), True, len(some)) or []) == 9
