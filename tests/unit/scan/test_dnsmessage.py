"""DNS messages: the same bytes as dnspython's, and any bytes from strangers."""

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.model.site import DnsState
from ctmonitor.scan.dnsmessage import (
    Answer,
    Kind,
    is_truncated,
    query_wire,
    read_answer,
)

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=12)
NAMES = st.lists(LABELS, min_size=1, max_size=6).map(".".join)


def response(
    *records: str, name: str = "x.test", kind: str = "A", authority: str = ""
) -> dns.message.Message:
    query = dns.message.from_wire(query_wire(7, name, Kind[kind]))
    made = dns.message.make_response(query)
    for record in records:
        owner, rdtype, text = record.split(" ", 2)
        made.answer.append(dns.rrset.from_text(owner, 60, "IN", rdtype, text))
    if authority:
        owner, rdtype, text = authority.split(" ", 2)
        made.authority.append(dns.rrset.from_text(owner, 60, "IN", rdtype, text))
    return made


def read(message: dns.message.Message, kind: str = "A") -> Answer:
    return read_answer(message.to_wire(), 7, "x.test", Kind[kind])


@given(st.integers(0, 0xFFFF), NAMES, st.sampled_from(list(Kind)))
def test_a_question_is_that_of_dnspython(number: int, name: str, kind: Kind) -> None:
    expected = dns.message.make_query(
        name, kind.name, id=number, use_edns=0, payload=1232
    )
    assert query_wire(number, name, kind) == expected.to_wire()


@given(NAMES, st.lists(st.ip_addresses(v=4).map(str), min_size=1, unique=True))
def test_addresses_are_read(name: str, addresses: list[str]) -> None:
    query = dns.message.from_wire(query_wire(7, name, Kind.A))
    made = dns.message.make_response(query)
    made.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "A", *addresses))
    answer = read_answer(made.to_wire(), 7, name, Kind.A)
    assert sorted(answer.texts) == sorted(addresses)


def test_other_records_are_read() -> None:
    answer = read(response("x.test. AAAA 2001:db8::1", kind="AAAA"), "AAAA")
    assert answer.texts == ("2001:db8::1",)
    answer = read(response("x.test. NS NS1.x.test.", kind="NS"), "NS")
    assert answer.texts == ("ns1.x.test",)
    records = ["x.test. MX 300 c.", "x.test. MX 5 b.", "x.test. MX 20 ."]
    assert read(response(*records, kind="MX"), "MX").texts == ("b", "c")


def test_aliases_are_followed_in_any_order() -> None:
    records = ["z.test. A 192.0.2.1", "y.test. CNAME z.test.", "X.test. CNAME Y.test."]
    answer = read(response(*records))
    assert answer == Answer(DnsState.FOUND, ("192.0.2.1",), ("y.test", "z.test"))


def test_an_address_of_another_name_is_not_ours() -> None:
    answer = read(response("other.test. A 192.0.2.1"))
    assert (answer.state, answer.texts) == (DnsState.NO_ADDRESS, ())


def test_the_zone_of_an_empty_answer() -> None:
    answer = read(response(authority="Test. SOA a. b. 1 2 3 4 5"))
    assert (answer.state, answer.zone) == (DnsState.NO_ADDRESS, "test")


def test_odd_characters_are_written_as_numbers() -> None:
    answer = read(response(r"x.test. NS a\032b\.c\007\255.test.", kind="NS"), "NS")
    assert answer.texts == (r"a\032b\046c\007\255.test",)


@pytest.mark.parametrize(
    ("rcode", "state"),
    [
        (dns.rcode.NXDOMAIN, DnsState.NXDOMAIN),
        (dns.rcode.SERVFAIL, DnsState.SERVFAIL),
        (dns.rcode.REFUSED, DnsState.SERVFAIL),
        (dns.rcode.NOTAUTH, DnsState.SERVFAIL),
    ],
)
def test_codes(rcode: dns.rcode.Rcode, state: DnsState) -> None:
    made = response()
    made.set_rcode(rcode)
    assert read(made).state is state


def test_a_cut_answer_is_told() -> None:
    made = response()
    assert not is_truncated(made.to_wire())
    made.flags |= dns.flags.TC
    assert is_truncated(made.to_wire())
    assert not is_truncated(b"\xff\xff\xff")


def test_answers_to_others_are_refused() -> None:
    wire = response("x.test. A 192.0.2.1").to_wire()
    assert read_answer(wire, 7, "x.test", Kind.A).texts
    for number, name, kind in [
        (8, "x.test", Kind.A),
        (7, "y.test", Kind.A),
        (7, "x.test", Kind.AAAA),
    ]:
        with pytest.raises(FormatError):
            read_answer(wire, number, name, kind)
    with pytest.raises(FormatError):
        read_answer(query_wire(7, "x.test", Kind.A), 7, "x.test", Kind.A)


def test_every_cut_is_refused_or_harmless() -> None:
    wire = response("x.test. CNAME y.test.", "y.test. A 192.0.2.1").to_wire()
    end_of_answer = len(wire) - 11  # the OPT record, which is not read
    for end in range(end_of_answer):
        with pytest.raises(FormatError):
            read_answer(wire[:end], 7, "x.test", Kind.A)


def test_pointers_that_loop_are_refused() -> None:
    head = response("x.test. NS y.test.", kind="NS").to_wire()
    question_end = 12 + len(query_wire(7, "x.test", Kind.NS)) - 12 - 11
    for pointer in (b"\xc0" + bytes([question_end]), b"\xc0\xff", b"\x80\x01"):
        with pytest.raises(FormatError):
            read_answer(head[:question_end] + pointer, 7, "x.test", Kind.NS)


def test_an_address_of_a_wrong_length_is_refused() -> None:
    made = response("x.test. AAAA ::1", kind="AAAA")
    wire = made.to_wire().replace(b"\x00\x10" + bytes(15) + b"\x01", b"\x00\x01\x01")
    with pytest.raises(FormatError):
        read_answer(wire, 7, "x.test", Kind.AAAA)


@given(st.binary(max_size=200), st.sampled_from(list(Kind)))
def test_any_bytes_give_an_answer_or_a_format_error(data: bytes, kind: Kind) -> None:
    question = query_wire(7, "x.test", kind)[12:-11]
    counts = b"\x00\x01\x00\x03\x00\x01\x00\x00"
    for wire in (data, b"\x00\x07\x80\x00" + counts + question + data):
        try:
            answer = read_answer(wire, 7, "x.test", kind)
        except FormatError:
            continue
        assert all(text.isprintable() for text in answer.texts)


@given(st.data())
def test_a_damaged_answer_gives_an_answer_or_a_format_error(
    data: st.DataObject,
) -> None:
    records = ["x.test. CNAME y.test.", "y.test. MX 5 b.test.", "y.test. MX 6 c.test."]
    wire = bytearray(response(*records, kind="MX").to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        answer = read_answer(bytes(wire), 7, "x.test", Kind.MX)
    except FormatError:
        return
    assert len(answer.texts) <= 2
