"""What people read of a certificate, as another library reads it."""

import base64
import json

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.details import Details, details_of, rfc4514
from tests.data import VECTORS
from tests.fakes.logentries import entries_for
from tests.unit.ct.making import (
    COMMON_NAME,
    ORGANISATION,
    attribute,
    certificate,
    der,
    distinguished_name,
    dns_names,
    extension,
    oid,
    tbs_certificate,
)

SAMPLE = [
    (record["name"], base64.b64decode(record["der"]))
    for record in map(
        json.loads, (VECTORS / "certificates.jsonl").read_text().splitlines()
    )
]


@pytest.mark.parametrize(("name", "data"), SAMPLE, ids=[name for name, _ in SAMPLE])
@pytest.mark.filterwarnings("ignore")
def test_names_are_written_as_another_library_writes_them(
    name: str, data: bytes
) -> None:
    try:
        other = x509.load_der_x509_certificate(data)
        subject = other.subject.rfc4514_string()
        issuer = other.issuer.rfc4514_string()
    except (ValueError, x509.InvalidVersion):
        details_of(data)  # whatever it is, it is taken
        return
    details = details_of(data)
    assert rfc4514(details.subject) == subject
    assert rfc4514(details.issuer) == issuer


def test_characters_with_a_meaning_are_escaped() -> None:
    text = ' #a, b+c="d";<e>\\ '
    made = certificate(tbs_certificate(subject=[attribute(ORGANISATION, text)]))
    other = x509.load_der_x509_certificate(made)
    assert rfc4514(details_of(made).subject) == other.subject.rfc4514_string()


def test_a_precertificate_has_the_details_of_its_certificate() -> None:
    precert, final = entries_for([["a.example", "192.0.2.7"]])
    of_precert = details_of(precert.signed_entry, is_tbs=True)
    assert of_precert == details_of(final.signed_entry)
    assert of_precert.extensions["subjectAltName"] == (
        "DNS:a.example, IP Address:192.0.2.7"
    )
    assert of_precert.extensions["basicConstraints"] == "CA:FALSE"
    assert of_precert.extensions["authorityKeyIdentifier"].startswith("keyid:")
    assert of_precert.algorithm == "ecdsa, sha256"


def test_extensions_in_words() -> None:
    made = tbs_certificate(
        extensions=[
            extension("2.5.29.19", der(0x30, b"\x01\x01\xff"), critical=True),
            extension("2.5.29.15", b"\x03\x02\x01\x86"),
            extension("2.5.29.32", der(0x30, der(0x30, oid("2.23.140.1.2.1")))),
            extension("2.5.29.14", der(0x04, b"\x01\x02")),
            extension(
                "1.3.6.1.5.5.7.1.1",
                der(
                    0x30,
                    der(0x30, oid("1.3.6.1.5.5.7.48.1"), der(0x86, b"http://o")),
                    der(0x30, oid("1.3.6.1.5.5.7.48.2"), der(0x86, b"http://i")),
                ),
            ),
        ]
    )
    details = details_of(certificate(made))
    assert details.is_ca
    assert details.extensions == {
        "authorityInfoAccess": "URI:http://i, URI:http://o",
        "basicConstraints": "CA:TRUE",
        "certificatePolicies": "Policy: 2.23.140.1.2.1\n",
        "keyUsage": "Digital Signature, Certificate Signing, CRL Signing",
        "subjectKeyIdentifier": "keyid:01:02",
    }


def test_a_broken_extension_leaves_the_others() -> None:
    made = tbs_certificate(
        "a.example",
        subject=[attribute(COMMON_NAME, "a.example")],
        extensions=[extension("2.5.29.19", b"\x30\x09"), extension("2.5.29.15", b"")],
    )
    details = details_of(certificate(made))
    assert details.extensions == {"subjectAltName": "DNS:a.example"}
    assert rfc4514(details.subject) == "CN=a.example"


@pytest.mark.parametrize("count", [64, 65, 60_000])
def test_of_a_distinguished_name_a_limited_number_of_parts_is_told(count: int) -> None:
    parts = [attribute(ORGANISATION, str(number)) for number in range(count)]
    details = details_of(certificate(tbs_certificate(subject=parts, issuer=parts)))
    told = [text for ((_, text),) in details.subject]
    assert told == [str(number) for number in range(min(count, 64))]
    assert details.issuer == details.subject
    assert details.truncated == (() if count == 64 else ("subject", "issuer"))


def test_of_parts_of_several_attributes_likewise() -> None:
    several = der(
        0x31, *(der(0x30, oid(ORGANISATION), der(0x0C, b"x")) for _ in "12345")
    )
    whole = tbs_certificate(subject=[attribute(ORGANISATION, "subject")])
    name = distinguished_name(attribute(ORGANISATION, "subject"))
    _, rest = whole[1:].split(name)
    before = whole[whole.index(b"\xa0") : whole.index(name)]
    made = certificate(der(0x30, before, der(0x30, several * 13), rest))
    details = details_of(made)
    assert [len(rdn) for rdn in details.subject] == [5] * 12 + [4]
    assert details.truncated == ("subject",)


@pytest.mark.parametrize(
    ("text", "told", "is_cut"),
    [
        ("x" * 1024, "x" * 1024, False),
        ("x" * 1025, "x" * 1024, True),
        ("x" + "é" * 512, "x" + "é" * 511, True),  # the cut goes through a character
        ("," * 2_000_000, "," * 1024, True),
    ],
    ids=["whole", "one more", "character", "huge"],
)
def test_of_a_text_a_limited_number_of_octets_is_told(
    text: str, told: str, is_cut: bool
) -> None:
    made = certificate(tbs_certificate(subject=[attribute(ORGANISATION, text)]))
    details = details_of(made, with_extensions=False)
    assert details.subject == (((ORGANISATION, told),),)
    assert details.truncated == (("subject",) if is_cut else ())


def test_text_that_is_no_utf_8_is_cut_as_latin_1() -> None:
    subject = [(ORGANISATION, 0x0C, b"\xe9" * 1500)]
    details = details_of(certificate(tbs_certificate(subject=subject)))
    assert details.subject == (((ORGANISATION, "é" * 1024),),)


@pytest.mark.parametrize(
    ("made", "key", "told"),
    [
        (
            extension("2.5.29.17", dns_names([b"a.example"] * 3001)),
            "subjectAltName",
            ", ".join(["DNS:a.example"] * 3000),
        ),
        (
            extension("2.5.29.14", der(0x04, bytes(5000))),
            "subjectKeyIdentifier",
            "keyid:" + ":".join(["00"] * 1024),
        ),
        (
            extension("2.5.29.35", der(0x30, der(0x80, bytes(5000)))),
            "authorityKeyIdentifier",
            "keyid:" + ":".join(["00"] * 1024),
        ),
        (
            extension("2.5.29.32", der(0x30, der(0x30, oid("1.2.3")) * 65)),
            "certificatePolicies",
            "Policy: 1.2.3\n" * 64,
        ),
    ],
    ids=["names", "subject key", "authority key", "policies"],
)
def test_of_an_extension_a_limited_part_is_told(
    made: bytes, key: str, told: str
) -> None:
    details = details_of(certificate(tbs_certificate(extensions=[made])))
    assert details.extensions == {key: told}
    assert details.truncated == (key,)


def test_a_limited_number_of_extensions_is_read() -> None:
    unknown = extension("2.5.29.99", b"")
    usage = extension("2.5.29.15", b"\x03\x02\x01\x86")
    read = details_of(certificate(tbs_certificate(extensions=[unknown] * 99 + [usage])))
    assert list(read.extensions) == ["keyUsage"]
    assert read.truncated == ()
    cut = details_of(certificate(tbs_certificate(extensions=[unknown] * 100 + [usage])))
    assert cut.extensions == {}
    assert cut.truncated == ("extensions",)


def test_an_extension_is_read_once() -> None:
    first = extension("2.5.29.14", der(0x04, b"\x01"))
    second = extension("2.5.29.14", der(0x04, b"\x02"))
    details = details_of(certificate(tbs_certificate(extensions=[first, second])))
    assert details.extensions == {"subjectKeyIdentifier": "keyid:01"}


def test_what_is_no_certificate_has_no_details() -> None:
    assert details_of(b"no certificate") == Details()


@given(st.data())
def test_any_change_to_a_certificate_gives_details(data) -> None:
    changed = bytearray(data.draw(st.sampled_from(SAMPLE))[1])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] = data.draw(st.integers(0, 255))
    rfc4514(details_of(bytes(changed)).subject)


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_give_details(data: bytes, is_tbs: bool) -> None:
    details_of(data, is_tbs=is_tbs)
