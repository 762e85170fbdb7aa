"""Elements and their lengths: borders, and any bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct import der
from ctmonitor.errors import FormatError


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "0400"),
        (0x7F, "047f"),
        (0x80, "048180"),
        (0xFF, "0481ff"),
        (0x100, "04820100"),
        (0xFFFF, "0482ffff"),
        (0x10000, "0483010000"),
    ],
)
def test_lengths_are_the_shortest_and_are_read_again(size: int, head: str) -> None:
    element = der.encoded(0x04, bytes(size))
    assert element == bytes.fromhex(head) + bytes(size)
    end = len(element)
    assert der.extent(element, 0, end) == (len(head) // 2, end)
    assert der.elements(element, 0, end) == [(0, len(head) // 2, end)]
    for read in (der.extent, der.elements):
        with pytest.raises(FormatError, match="DER: "):
            read(element, 0, end - 1 if size else 1)


@given(st.binary(max_size=300), st.integers(0, 255))
def test_round_trip(content: bytes, tag: int) -> None:
    element = der.encoded(tag, content)
    start, end = der.inner(b"\0" + element, 1, 1 + len(element), tag)
    assert (b"\0" + element)[start:end] == content


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("30", "without length"),
        ("3080", "length out of range"),  # the indefinite form
        ("30850000000000", "length out of range"),
        ("3082 00", "length out of range"),
        ("3002 00", "longer than its container"),
        ("3084ffffffff", "longer than its container"),
    ],
)
def test_lengths_that_do_not_hold(text: str, kind: str) -> None:
    data = bytes.fromhex(text)
    for read in (der.extent, der.elements):
        with pytest.raises(FormatError, match=kind):
            read(data, 0, len(data))


def test_longer_lengths_than_need_be_are_read() -> None:
    assert der.elements(bytes.fromhex("0483000001 61"), 0, 6) == [(0, 5, 6)]


def test_a_container_ends_where_it_says_though_bytes_follow() -> None:
    data = bytes.fromhex("040261620403616263")
    assert der.elements(data, 0, 4) == [(0, 2, 4)]
    with pytest.raises(FormatError, match="longer than its container"):
        der.elements(data, 0, 8)


def test_another_tag_and_no_element_at_all() -> None:
    with pytest.raises(FormatError, match="other tag"):
        der.inner(b"\x31\x00", 0, 2, der.SEQUENCE)
    with pytest.raises(FormatError, match="other tag"):
        der.inner(b"\x30\x00", 2, 2, der.SEQUENCE)


def test_the_number_of_elements_has_a_limit() -> None:
    data = b"\x05\x00" * (der.MAX_ELEMENTS + 1)
    assert len(der.elements(data, 2, len(data))) == der.MAX_ELEMENTS
    with pytest.raises(FormatError, match="more than 50000 elements"):
        der.elements(data, 0, len(data))


def test_what_came_before_a_break_is_kept() -> None:
    found: list[der.Element] = []
    with pytest.raises(FormatError):
        der.walk(bytes.fromhex("040161 0400 0405"), 0, 7, found)
    assert found == [(0, 2, 3), (3, 5, 5)]


@given(st.binary(max_size=400))
def test_any_bytes_are_elements_that_fill_them_or_an_error(data: bytes) -> None:
    try:
        found = der.elements(data, 0, len(data))
    except FormatError:
        return
    at = 0
    for start, content, end in found:
        assert start == at < content <= end <= len(data)
        at = end
    assert at == len(data)
