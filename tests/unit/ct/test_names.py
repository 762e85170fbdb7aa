"""The quick way to the names gives what the parser gives, or nothing."""

import base64
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.names import plain_names
from ctmonitor.ct.x509 import certificate_of
from ctmonitor.errors import FormatError
from tests.data import VECTORS, shared
from tests.fakes.logentries import entries_for
from tests.unit.ct.making import (
    BMP,
    COMMON_NAME,
    ORGANISATION,
    UTF8,
    Attribute,
    attribute,
    certificate,
    der,
    tbs_certificate,
)

CORPORA = ("ct_leaf_certs", "ca_certs", "zlint_v3_testdata", "misc_testdata")


def records(path: Path) -> list[bytes]:
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()
    parsed = map(json.loads, lines)
    return [base64.b64decode(each.get("der") or each["der_b64"]) for each in parsed]


SAMPLE = records(VECTORS / "certificates.jsonl")


def quick(der: bytes, *, is_precert: bool = False) -> list[str] | None:
    # Other bytes stand around it, as in a tile.
    data = b"\x30\x82" + der + b"\x06\x03\x55\x1d\x11"
    found = plain_names(data, data.decode("latin-1"), 2, 2 + len(der), is_precert)
    return None if found is None else list(dict.fromkeys(found))


def parsed(der: bytes, *, is_precert: bool = False) -> list[str] | None:
    try:
        return list(certificate_of(LogEntry(0, 0, is_precert, der, b""))[0].names)
    except FormatError:
        return None


@pytest.mark.parametrize("number", range(len(SAMPLE)))
def test_it_agrees_with_the_parser_or_leaves_it_to_it(number: int) -> None:
    found = quick(SAMPLE[number])
    assert found is None or found == parsed(SAMPLE[number])


@pytest.mark.parametrize("corpus", CORPORA)
def test_it_agrees_on_every_recorded_certificate(corpus: str) -> None:
    ders = records(shared(f"certs/{corpus}.jsonl.gz"))
    wrong = [
        der
        for der in ders
        if (found := quick(der)) is not None and found != parsed(der)
    ]
    assert wrong == []


def test_it_reads_nearly_every_certificate_that_logs_hold() -> None:
    """Else it would not be quick."""
    ders = records(shared("certs/ct_leaf_certs.jsonl.gz"))
    read = [der for der in ders if quick(der) is not None]
    assert len(read) > 0.97 * len(ders)


def test_it_reads_certificates_and_precertificates_of_logs() -> None:
    precert, final = entries_for([["a.example", "*.b.example", "192.0.2.1"]])
    assert quick(precert.signed_entry, is_precert=True) == ["a.example", "*.b.example"]
    assert quick(final.signed_entry) == ["a.example", "*.b.example"]


def test_a_common_name_comes_behind_the_alternative_names_and_once() -> None:
    subject = [attribute(COMMON_NAME, "cn.example")]
    both = certificate(tbs_certificate("a.example", subject=subject))
    assert quick(both) == ["a.example", "cn.example"] == parsed(both)
    same = certificate(tbs_certificate("cn.example", subject=subject))
    assert quick(same) == ["cn.example"] == parsed(same)


@pytest.mark.parametrize(
    "subject",
    [
        attribute(COMMON_NAME, "bmp.example", BMP),
        attribute(COMMON_NAME, "é.example"),
        attribute(COMMON_NAME, "nul.example\0.test"),
        attribute(ORGANISATION, "x" * 200),
    ],
)
def test_what_is_unusual_is_left_to_the_parser(subject: Attribute) -> None:
    made = certificate(tbs_certificate("a.test", subject=[subject]))
    assert quick(made) is None
    assert parsed(made) is not None


@pytest.mark.parametrize(("number", "is_quick"), [(8, True), (9, False)])
def test_so_are_many_common_names(number: int, is_quick: bool) -> None:
    """Thousands, each compared with all before it, would take 0.3 s."""
    names = [f"{n}.example" for n in range(number)]
    subject = [attribute(COMMON_NAME, name) for name in names]
    made = certificate(tbs_certificate("a.test", subject=subject))
    assert (quick(made) is not None) == is_quick
    assert parsed(made) == ["a.test", *names]


@pytest.mark.parametrize("name", ["", "ü.example", "nul.example\0"])
def test_so_are_unusual_dns_names(name: str) -> None:
    assert quick(certificate(tbs_certificate("a.test", name))) is None


def test_the_object_of_the_extension_elsewhere_makes_no_name() -> None:
    """As text of a subject, which whoever asks for a certificate writes."""
    hidden = b"\x06\x03\x55\x1d\x11" + der(0x04, der(0x30, der(0x82, b"false.test")))
    subject = (ORGANISATION, UTF8, hidden)
    made = certificate(tbs_certificate("true.test", subject=[subject]))
    assert quick(made) == ["true.test"] == parsed(made)


def test_extensions_that_begin_with_the_object_itself_are_left_to_the_parser() -> None:
    hidden = b"\x06\x03\x55\x1d\x11" + der(0x04, der(0x30, der(0x82, b"false.test")))
    made = certificate(tbs_certificate(extensions=[hidden]))
    assert quick(made) is None
    assert parsed(made) == []


@given(st.data())
def test_a_changed_certificate_gives_what_the_parser_gives_or_nothing(data) -> None:
    der = bytearray(data.draw(st.sampled_from(SAMPLE)))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    found = quick(bytes(der))
    assert found is None or found == parsed(bytes(der))


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_give_names_or_nothing(data: bytes, is_precert: bool) -> None:
    quick(data, is_precert=is_precert)
