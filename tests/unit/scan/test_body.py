"""What is kept of a body, and what a body may cost."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.scan.body import Body


def fed(pieces: list[bytes], limit_bytes: int, encoding: str = "") -> Body:
    body = Body(limit_bytes, encoding)
    for piece in pieces:
        body.feed(piece)
    return body


@pytest.mark.parametrize(
    ("size", "is_truncated"), [(0, False), (9, False), (10, False), (11, True)]
)
@pytest.mark.parametrize("encoding", ["", "gzip", "br"])
def test_the_limit_is_the_last_byte_kept(
    size: int, is_truncated: bool, encoding: str
) -> None:
    data = b"x" * size
    sent = gzip.compress(data) if encoding == "gzip" else data
    body = fed([sent], 10, encoding)
    assert (body.kept, body.is_truncated) == (data[:10], is_truncated)


@given(st.binary(max_size=500), st.integers(1, 40), st.sampled_from([16, 300, 5000]))
def test_pieces_make_the_same_body(data: bytes, size: int, limit: int) -> None:
    for encoding, sent in [
        ("", data),
        ("gzip", gzip.compress(data)),
        ("deflate", zlib.compress(data)),
    ]:
        pieces = [sent[i : i + size] for i in range(0, len(sent), size)]
        body = fed(pieces, limit, encoding)
        assert body.kept == data[:limit]
        assert body.is_truncated is (len(data) > limit)


def test_what_follows_the_compressed_stream_is_dropped() -> None:
    body = fed([gzip.compress(b"whole"), b"junk", b"more"], 100, "x-gzip")
    assert (body.kept, body.is_truncated) == (b"whole", False)


def test_a_stream_that_stands_for_nothing_ends() -> None:
    """Empty deflate blocks without end unpack to no byte at all."""
    empty = zlib.compressobj(wbits=31)
    start = empty.compress(b"") + empty.flush(zlib.Z_FULL_FLUSH)
    body = fed([start], 100, "gzip")
    for _ in range(1000):
        body.feed(b"\x00\x00\x00\xff\xff")
    assert (body.kept, body.is_truncated) == (b"", True)


@given(st.binary(max_size=100), st.sampled_from(["gzip", "deflate", "GZIP "]))
def test_any_bytes_are_taken(data: bytes, encoding: str) -> None:
    assert len(fed([data, data], 10, encoding).kept) <= 10
