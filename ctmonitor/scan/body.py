"""
The first bytes of a body, decoded from its encoding as they come.

However much a few compressed bytes stand for, no more is unpacked than is kept.

Source: RFC 9110 section 8.4.1 (gzip, deflate), RFC 1950 to 1952.
"""

import zlib

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32  # told apart by their headers
_RAW_DEFLATE = -zlib.MAX_WBITS  # what some servers call deflate
_OVERHEAD_BYTES = 4096  # by which an encoding may exceed twice what it stands for
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})


class Body:
    """
    Takes a body in pieces and keeps the first `limit_bytes` of it, decoded.

    Args:
        encoding: the Content-Encoding header; unknown and stacked ones are kept as
            they came.
    """

    def __init__(self, limit_bytes: int, encoding: str = "") -> None:
        self._limit_bytes = limit_bytes
        self._kept = bytearray()
        self._taken_bytes = 0
        self.is_truncated = False
        encoding = encoding.strip().lower()
        self._may_be_raw = encoding == "deflate"
        self._decoder = (
            zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in _ENCODINGS else None
        )

    @property
    def kept(self) -> bytes:
        return bytes(self._kept)

    def feed(self, piece: bytes) -> None:
        """Takes the next piece; after `is_truncated` no further one is needed."""
        room = self._limit_bytes - len(self._kept)
        self._taken_bytes += len(piece)
        if self._decoder is not None:
            if self._taken_bytes > 2 * self._limit_bytes + _OVERHEAD_BYTES:
                self.is_truncated = True  # it stands for nothing, for ever
            piece = self._decoded(self._decoder, piece, room + 1)
        if len(piece) > room:
            self.is_truncated = True
        self._kept += piece[:room]

    def _decoded(self, decoder: "zlib._Decompress", piece: bytes, most: int) -> bytes:
        if decoder.eof:
            return b""  # what follows the stream is no part of the body
        try:
            return decoder.decompress(piece, most)
        except zlib.error:
            if self._may_be_raw and not self._kept:
                self._may_be_raw = False
                self._decoder = zlib.decompressobj(_RAW_DEFLATE)
                return self._decoded(self._decoder, piece, most)
            self.is_truncated = True  # the rest cannot be read
            return b""
