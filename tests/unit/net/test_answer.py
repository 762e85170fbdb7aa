"""An answer is read the same however it is cut, and what is none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.net.answer import (
    MAX_REFUSAL_BYTES,
    Answer,
    AnswerReader,
    TooLong,
    Unusable,
    parse_head,
)

MAX_BYTES = 1000


def read(
    sent: bytes,
    *,
    steps: tuple[int, ...] = (),
    ends: bool = False,
    max_bytes: int = MAX_BYTES,
    scratch_bytes: int = 64,
) -> AnswerReader:
    """A reader that was given `sent`, in pieces of at most these sizes."""
    reader = AnswerReader(max_bytes, memoryview(bytearray(scratch_bytes)))
    at = turn = 0
    while at < len(sent) and not reader.is_complete:
        size = min(len(reader.room), len(sent) - at)
        assert size > 0
        if steps:
            size = min(size, steps[turn % len(steps)])
            turn += 1
        reader.room[:size] = sent[at : at + size]
        reader.took(size)
        at += size
    if ends and not reader.is_complete:
        reader.ended(is_clean=True)
    return reader


def head(*fields: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([status, *fields, "", ""]).encode("latin-1")


CHUNKED = head("Transfer-Encoding: chunked")
ANSWERS = [
    pytest.param(head("Content-Length: 5") + b"hello", b"hello", id="length"),
    pytest.param(head("Content-Length: 0"), b"", id="empty"),
    pytest.param(
        CHUNKED + b"3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n", b"hello", id="chunked"
    ),
    pytest.param(
        head("transfer-encoding:CHUNKED") + b"00005 \r\nhello\r\n0\r\nA: b\r\n\r\n",
        b"hello",
        id="chunked with trailer",
    ),
    pytest.param(head() + b"hello", b"hello", id="to the end"),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        + head("Content-Length: 5")
        + b"hello",
        b"hello",
        id="interim answers",
    ),
    pytest.param(head("Content-Length: 900") + b"x" * 900, b"x" * 900, id="large"),
]


@pytest.mark.parametrize(("sent", "body"), ANSWERS)
def test_an_answer_is_the_same_however_it_is_cut(sent: bytes, body: bytes) -> None:
    whole = read(sent, ends=True, scratch_bytes=4096).answer()
    assert (whole.status, whole.reason, whole.body) == (200, "OK", body)
    for cut in range(1, len(sent)):
        assert read(sent, steps=(cut, len(sent)), ends=True).answer() == whole
    assert read(sent, steps=(1,), ends=True).answer() == whole


@pytest.mark.parametrize(("sent", "body"), ANSWERS)
def test_an_answer_that_is_cut_off_is_none(sent: bytes, body: bytes) -> None:
    if sent.startswith(head() + body):
        return  # its end is its connection's
    for size in range(len(sent)):
        with pytest.raises(Unusable, match="broken off"):
            read(sent[:size], ends=True)


def test_a_connection_that_breaks_off_completes_nothing() -> None:
    reader = read(head() + b"half")
    with pytest.raises(Unusable, match="broken off"):
        reader.ended(is_clean=False)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="a request"),
        pytest.param(b"\r\n" + head(), id="empty line before"),
        pytest.param(head(status="HTTP/2.0 200 OK"), id="version 2"),
        pytest.param(head(status="HTTP/1.2 200 OK"), id="version 1.2"),
        pytest.param(head(status="HTTP/1.1 099 OK"), id="status 99"),
        pytest.param(head(status="HTTP/1.1 20 OK"), id="two digits"),
        pytest.param(head(status="HTTP/1.1 2000 OK"), id="four digits"),
        pytest.param(head(status="HTTP/1.1  200 OK"), id="two spaces"),
        pytest.param(head(status="HTTP/1.1 200 O\x1bK"), id="escape"),
        pytest.param(head("A : b"), id="space before colon"),
        pytest.param(head("A: b", " c"), id="folded"),
        pytest.param(head(": b"), id="no name"),
        pytest.param(head("A"), id="no colon"),
        pytest.param(head("A: b\x00"), id="NUL"),
        pytest.param(head("A: b\nContent-Length: 1"), id="bare LF"),
        pytest.param(head("A: b\rc"), id="bare CR"),
        pytest.param(head("Content-Length: 1", "content-length: 1"), id="length twice"),
        pytest.param(head("Content-Length: 1, 1"), id="list of lengths"),
        pytest.param(head("Content-Length: +1"), id="signed length"),
        pytest.param(head("Content-Length: -1"), id="negative length"),
        pytest.param(head("Content-Length: 0x1"), id="hexadecimal length"),
        pytest.param(head("Content-Length: \xb2"), id="length in other digits"),
        pytest.param(head("Content-Length:"), id="no length"),
        pytest.param(head("Content-Length: " + "9" * 19), id="absurd length"),
        pytest.param(
            head("Content-Length: 1", "Transfer-Encoding: chunked"), id="two framings"
        ),
        pytest.param(head("Transfer-Encoding: gzip, chunked"), id="two codings"),
        pytest.param(head("Transfer-Encoding: identity"), id="other coding"),
        pytest.param(
            head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
            id="chunked twice",
        ),
        pytest.param(
            head("Transfer-Encoding: chunked", status="HTTP/1.0 200 OK"),
            id="chunked in HTTP/1.0",
        ),
        pytest.param(head(*[f"A{n}: b" for n in range(129)]), id="many headers"),
        pytest.param(head("A: " + "b" * 65_600), id="a long header"),
        pytest.param(b"HTTP/1.1 200 " + b"b" * 65_600, id="a long reason"),
        pytest.param(b"HTTP/1.1 103 E\r\n\r\n" * 4000, id="many interim answers"),
    ],
)
def test_a_head_that_could_be_misread_is_refused(sent: bytes) -> None:
    with pytest.raises(Unusable, match="its answer is not HTTP"):
        read(sent, scratch_bytes=4096)
    with pytest.raises(Unusable, match="its answer is not HTTP"):
        read(sent, steps=(1,) if len(sent) < 1000 else (63,))


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\n",
        b"\r\n",
        b"-1\r\n",
        b"5\nhello",
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"f" * 16 + b"\r\n",
        b"1;" + b"a" * 300 + b"\r\n",
        b"1" * 300,
        b"0\r\nno field\r\n\r\n",
        b"0\r\n" + b"A: b\r\n" * 2000 + b"\r\n",
        b"0\r\nA: " + b"b" * 9000,
    ],
)
def test_chunks_that_are_badly_framed_are_refused(body: bytes) -> None:
    for steps in ((), (1,)):
        with pytest.raises(Unusable, match="badly framed"):
            read(CHUNKED + body, steps=steps)


@pytest.mark.parametrize("scratch_bytes", [16, 4096])
@pytest.mark.parametrize(
    ("framed", "ends"),
    [
        pytest.param(lambda b: head(f"Content-Length: {len(b)}") + b, False, id="len"),
        pytest.param(
            lambda b: CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(b), b),
            False,
            id="chunk",
        ),
        pytest.param(lambda b: head() + b, True, id="end"),
    ],
)
def test_a_body_has_as_many_bytes_as_are_wanted(framed, ends, scratch_bytes) -> None:  # type: ignore[no-untyped-def]
    most = framed(b"x" * MAX_BYTES)
    assert len(read(most, ends=ends, scratch_bytes=scratch_bytes).answer().body) == 1000
    with pytest.raises(TooLong):
        read(framed(b"x" * (MAX_BYTES + 1)), ends=ends, scratch_bytes=scratch_bytes)


def test_a_length_that_is_not_wanted_takes_no_memory() -> None:
    with pytest.raises(TooLong):
        read(head("Content-Length: 999999999999999999"))


@pytest.mark.parametrize("framing", ["Content-Length: 99999999", "A: b"])
def test_of_a_refusal_the_beginning_is_enough(framing: str) -> None:
    sent = head(framing, status="HTTP/1.1 503 Busy") + b"x" * 100_000
    reader = read(sent)
    assert reader.is_complete
    assert not reader.is_kept
    answer = reader.answer()
    assert (answer.status, answer.reason) == (503, "Busy")
    assert MAX_REFUSAL_BYTES < len(answer.body) < MAX_REFUSAL_BYTES + 100


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_answers_have_no_body(status: str) -> None:
    reader = read(head("Content-Length: 5", status=f"HTTP/1.1 {status}"))
    assert reader.is_complete
    assert reader.is_kept
    assert reader.answer().body == b""


@pytest.mark.parametrize(
    ("fields", "version", "is_kept"),
    [
        ([], "1.1", True),
        (["Connection: keep-alive"], "1.1", True),
        (["Connection: close"], "1.1", False),
        (["Connection: Foo , CLOSE"], "1.1", False),
        (["Connection: keep-alive", "Connection: close"], "1.1", False),
        ([], "1.0", False),
        (["Connection: Keep-Alive"], "1.0", True),
        (["Connection: keep-alive, close"], "1.0", False),
    ],
)
def test_a_connection_is_kept_when_both_want_it(
    fields: list[str], version: str, is_kept: bool
) -> None:
    sent = head(*fields, "Content-Length: 2", status=f"HTTP/{version} 200 OK") + b"ok"
    assert read(sent).is_kept is is_kept


def test_a_connection_without_http_behind_it_is_not_kept() -> None:
    reader = read(head(status="HTTP/1.1 101 Switching Protocols"))
    assert (reader.is_complete, reader.is_kept) == (True, False)


@pytest.mark.parametrize("scratch_bytes", [16, 64, 4096])
@pytest.mark.parametrize(
    "sent",
    [
        head("Content-Length: 500") + b"x" * 500,
        head("Content-Length: 0"),
        CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
    ],
)
def test_what_follows_an_answer_uncalled_for_is_noticed(
    sent: bytes, scratch_bytes: int
) -> None:
    assert read(sent, scratch_bytes=scratch_bytes).is_kept
    longer = sent + b"HTTP/1.1 200 forged\r\n\r\n"
    reader = AnswerReader(MAX_BYTES, memoryview(bytearray(len(longer))))
    first, rest = longer[: len(sent) - 1], longer[len(sent) - 1 :]
    for part in (first, rest):
        size = min(len(reader.room), len(part))
        reader.room[:size] = part[:size]
        reader.took(size)
    assert (reader.is_complete, reader.has_more, reader.is_kept) == (True, True, False)


def test_headers_are_found_by_their_names_in_lower_case() -> None:
    found = parse_head(b"HTTP/1.1 404\r\nX-A:\t1 \r\nx-a: 2\r\nB: \xc3\xa4\r\nC:")
    assert found.headers == {"x-a": "1", "b": "ä", "c": ""}
    assert (found.status, found.reason, found.length) == (404, "", None)


def test_no_body_changes_with_one_that_is_read_after_it() -> None:
    scratch = memoryview(bytearray(64))
    bodies = [bytes([letter]) * (100_000 + letter) for letter in b"abc"]
    read_bodies = []
    for body in bodies:
        reader = AnswerReader(1_000_000, scratch)
        sent = head(f"Content-Length: {len(body)}") + body
        while sent:
            size = min(len(reader.room), len(sent))
            reader.room[:size] = sent[:size]
            reader.took(size)
            sent = sent[size:]
        read_bodies.append(reader.answer().body)
    assert read_bodies == bodies
    assert {type(body) for body in read_bodies} == {bytes}


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 100 C\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"A:",
        b"\r\n",
        b"\r",
        b"\n",
        b"5\r\nhello\r\n",
        b"0\r\n",
        b"hello",
        b"\x00\xff",
    ]
)


@given(
    st.lists(PIECES | st.binary(max_size=20), max_size=30).map(b"".join),
    st.lists(st.integers(1, 40), max_size=5).map(tuple),
    st.booleans(),
)
def test_any_bytes_are_an_answer_or_refused(
    sent: bytes, steps: tuple[int, ...], ends: bool
) -> None:
    def outcome(steps: tuple[int, ...]) -> Answer | str | None:
        try:
            reader = read(sent, steps=steps, ends=ends, max_bytes=50)
        except (Unusable, TooLong) as exc:
            return type(exc).__name__
        return reader.answer() if reader.is_complete else None

    assert outcome(steps) == outcome((1,))
