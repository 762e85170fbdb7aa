"""
An HTTP/1.1 answer as it comes from a connection: strict, bounded, few copies.

A body whose length is known is written by the system to where it stays, and becomes
bytes without a copy. Nothing here waits or opens anything: bytes in, an Answer out.

Source: RFC 9112 (sections 4 status line, 5 fields, 6 message body, 7.1 chunked,
9.3 persistence), RFC 9110 section 15 (status codes).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

_MAX_HEAD_BYTES = 64 * 1024
_MAX_FIELDS = 128
_MAX_CHUNK_LINE_BYTES = 256
_MAX_TRAILER_BYTES = 8 * 1024

# Of an answer with another status than 200, so that its connection can be used again.
MAX_REFUSAL_BYTES = 16 * 1024

_BEGINNING = b"HTTP/1."
# Status line and fields: token ":" value, each behind a CRLF.
_HEAD = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?"
    rb"((?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*)"
)
_FIELD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")

_FRAMING = frozenset({"content-length", "transfer-encoding"})
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = frozenset({_SWITCHING_PROTOCOLS, 204, 304})


class Unusable(Exception):
    """An answer cannot be used; str() is why, for a message that names its address."""


class TooLong(Exception):
    """A body with status 200 has more bytes than are wanted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Args:
        status: 101, or 200 to 999.
        reason: may be empty.
        headers: by their lower-case names; the first of those that are repeated.
        body: of status 200 complete, of another perhaps only its beginning.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """
    What stands before a body.

    Args:
        length: of the body; None when it ends with its connection, or is chunked.
        is_kept: the server keeps the connection.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    length: int | None
    is_chunked: bool
    is_kept: bool


class AnswerReader:
    """
    Reads one answer.

    Args:
        max_bytes: for the body of status 200.
        scratch: for what has no place yet, at least one byte; shared by any number of
            readers, since none leaves anything there.
    """

    def __init__(self, max_bytes: int, scratch: memoryview) -> None:
        self.head: Head | None = None
        self.is_complete = False
        self.has_more = False
        self._max_bytes = max_bytes
        self._scratch = self._room = scratch
        self._begun = bytearray()  # a head, or the framing of chunks, to be completed
        self._interim_bytes = 0
        self._body = bytearray()
        self._place = BytesIO()  # of a body whose length is known
        self._view: memoryview | None = None  # of `_place`
        self._filled = 0
        self._chunks: _Chunks | None = None

    def __del__(self) -> None:
        # An answer that broke off may lie in a cycle of references, and the collector
        # of 3.13 complains of a BytesIO that it clears before the views of it.
        if self._view is not None:
            if self._room is not self._scratch:
                self._room.release()
            self._view.release()

    @property
    def room(self) -> memoryview:
        """Where the next bytes are to be written, until `took`; never empty."""
        return self._room

    @property
    def is_kept(self) -> bool:
        """Whether another request may follow on the connection."""
        return (
            self.is_complete
            and not self.has_more
            and self.head is not None
            and self.head.is_kept
        )

    def took(self, size: int) -> None:
        """
        Reads on, after `size` bytes were written to `room`.

        Raises:
            Unusable, TooLong: likewise for all that follows.
        """
        if self._view is not None:
            self._filled += size
            self._settle_length(self._view)
        elif self.head is None:
            self._begun += self._scratch[:size]
            self._read_heads()
        else:
            self._read_body(self._scratch[:size])

    def ended(self, *, is_clean: bool) -> None:
        """
        The connection ended, which completes a body without any other end.

        Raises:
            Unusable: the answer was broken off.
        """
        head = self.head
        if head is not None and head.length is None and not head.is_chunked:
            self.is_complete = is_clean
        if not self.is_complete:
            raise Unusable("its body is broken off or badly framed")

    def answer(self) -> Answer:
        """
        The answer, with as much of its body as came; can be had once, when nobody
        holds a `room` any more.
        """
        if self.head is None:
            raise Unusable("its answer is not HTTP: no head")
        if self._view is None:
            body = bytes(self._body)
        else:
            size = min(self._filled, len(self._view) - 1)
            self._room = self._scratch
            self._view.release()
            self._place.truncate(size)
            body = self._place.getvalue()
        return Answer(self.head.status, self.head.reason, self.head.headers, body)

    def _read_heads(self) -> None:
        """Reads interim answers and the head, whose body it begins."""
        begun = self._begun
        while self.head is None:
            if not begun.startswith(_BEGINNING[: len(begun)]):
                raise Unusable("its answer is not HTTP: no status line")
            end = begun.find(b"\r\n\r\n")
            size = self._interim_bytes + (len(begun) if end < 0 else end)
            if size > _MAX_HEAD_BYTES:
                raise Unusable(
                    f"its answer is not HTTP: over {_MAX_HEAD_BYTES} bytes of headers"
                )
            if end < 0:
                return
            head = parse_head(bytes(begun[:end]))
            del begun[: end + 4]
            if 100 <= head.status < 200 and head.status != _SWITCHING_PROTOCOLS:
                self._interim_bytes = size + 4
            else:
                self.head = head
        self._begin_body(self.head)
        self._begun = bytearray()

    def _begin_body(self, head: Head) -> None:
        first = self._begun
        limit = self._limit(head)
        if head.length is not None and head.length > limit and head.status == 200:
            raise TooLong
        if head.is_chunked:
            self._chunks = _Chunks()
        elif head.length is not None and head.length <= limit:
            # One byte more shows whether anything follows that nobody asked for.
            size = head.length + 1
            # Its bytes are those that `getvalue` gives: a copy of 1.5 MB took a
            # twentieth of the time of a log of RFC 6962.
            self._place = BytesIO(bytes(size))
            self._view = view = self._place.getbuffer()
            self._filled = min(len(first), len(view))
            view[: self._filled] = first[: self._filled]
            self._settle_length(view)
            return
        if first:
            self._read_body(memoryview(first))

    def _settle_length(self, view: memoryview) -> None:
        missing = len(view) - 1 - self._filled
        self.is_complete = missing <= 0
        self.has_more = missing < 0
        self._room = view[self._filled :] if missing > 0 else self._scratch

    def _read_body(self, came: memoryview) -> None:
        head = self.head
        if head is None or self.is_complete:
            self.has_more = True
            return
        if self._chunks is None:
            self._body += came
        else:
            self._chunks.read(came, self._body)
            self.is_complete = self._chunks.is_complete
            self.has_more = self._chunks.has_more
        if len(self._body) > self._limit(head):
            if head.status == 200:
                raise TooLong
            self.is_complete = self.has_more = True  # as much as is wanted

    def _limit(self, head: Head) -> int:
        return self._max_bytes if head.status == 200 else MAX_REFUSAL_BYTES


class _Chunks:
    """Takes the framing off a chunked body."""

    def __init__(self) -> None:
        self.is_complete = False
        self.has_more = False
        self._left = 0  # of a chunk's data
        self._line = bytearray()  # begun, without its end
        self._reads_trailers = False
        self._trailer_bytes = 0
        self._ends_chunk = False  # the line to come is the empty one behind the data

    def read(self, came: memoryview, body: bytearray) -> None:
        """Appends to `body` what stands in `came`; raises Unusable."""
        at = 0
        while at < len(came) and not self.is_complete:
            if self._left:
                data = came[at : at + self._left]
                body += data
                at += len(data)
                self._left -= len(data)
                continue
            # Only as much as a line may have is looked at, however much there is.
            piece = bytes(came[at : at + _MAX_CHUNK_LINE_BYTES])
            end = piece.find(b"\n")
            taken = len(piece) if end < 0 else end + 1
            self._line += piece[:taken]
            at += taken
            self._bound()
            if end >= 0:
                line = bytes(self._line)
                self._line.clear()
                if not line.endswith(b"\r\n"):
                    raise _badly_framed()
                self._read_line(line[:-2])
        self.has_more = at < len(came)

    def _bound(self) -> None:
        size = len(self._line)
        most = _MAX_CHUNK_LINE_BYTES
        if self._reads_trailers:
            size += self._trailer_bytes
            most = _MAX_TRAILER_BYTES
        if size > most:
            raise _badly_framed()

    def _read_line(self, line: bytes) -> None:
        if self._reads_trailers:
            self._trailer_bytes += len(line) + 2
            self.is_complete = not line
            if line and not _FIELD.fullmatch(line):
                raise _badly_framed()
        elif self._ends_chunk:
            self._ends_chunk = False
            if line:
                raise _badly_framed()
        else:
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise _badly_framed()
            self._left = int(size[1], 16)
            self._ends_chunk = self._left > 0
            self._reads_trailers = self._left == 0


def parse_head(data: bytes) -> Head:
    """
    The head of an answer, from its status line to before its empty line.

    Raises:
        Unusable: not HTTP/1.0 or 1.1, or its end could be understood in two ways.
    """
    parts = _HEAD.fullmatch(data)
    if parts is None:
        raise Unusable("its answer is not HTTP: its head cannot be read")
    lines = parts[4].decode("utf-8", "surrogateescape").split("\r\n")[1:]
    if len(lines) > _MAX_FIELDS:
        raise Unusable(f"its answer is not HTTP: over {_MAX_FIELDS} headers")
    headers: dict[str, str] = {}
    connection = ""
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        value = value.strip(" \t")
        if name in _FRAMING and name in headers:
            raise Unusable(f"its answer is not HTTP: its {name} is repeated")
        if name == "connection":
            connection += f",{value.lower()}"
        headers.setdefault(name, value)
    options = {option.strip(" \t") for option in connection.split(",")}
    is_1_1 = parts[1] == b"1"
    status = int(parts[2])
    length, is_chunked = None, False
    if "transfer-encoding" in headers:
        is_chunked = headers["transfer-encoding"].lower() == "chunked"
        if not is_chunked or not is_1_1 or "content-length" in headers:
            raise Unusable("its answer is not HTTP: its transfer-encoding is refused")
    elif "content-length" in headers:
        if not _LENGTH.fullmatch(headers["content-length"]):
            raise Unusable("its answer is not HTTP: its content-length is no number")
        length = int(headers["content-length"])
    if status in _WITHOUT_BODY:
        length, is_chunked = 0, False
    return Head(
        status,
        (parts[3] or b"").decode("utf-8", "surrogateescape"),
        headers,
        length,
        is_chunked,
        is_kept=(is_1_1 or "keep-alive" in options)
        and "close" not in options
        and status != _SWITCHING_PROTOCOLS,
    )


def _badly_framed() -> Unusable:
    return Unusable("its body is broken off or badly framed")
