"""
Where check_rules.py takes names from: a file of names, recorded messages, a database.
"""

import gzip
import os
import re
import sys
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedReader, RawIOBase
from itertools import accumulate
from pathlib import Path
from typing import IO, cast

import msgspec

from ctmonitor.config import masked_url
from ctmonitor.errors import ConfigError, FormatError, SourceError, StoreError
from ctmonitor.model.clock import from_epoch, utc_text
from ctmonitor.model.name import host_of
from ctmonitor.rules.prefilter import Prefilter
from ctmonitor.sources.message import is_heartbeat, parse

NAMES, MESSAGES, DATABASE = "names, one a line", "certstream messages", "a database"

_BLOCK_BYTES = 1024 * 1024
_LINE_BYTES = 64 * 1024
_MESSAGE_BYTES = 16 * 1024 * 1024
_ROWS = 20_000  # of a database, in one block
_SQLITE = b"SQLite format 3\0"
_POSTGRESQL = ("postgresql:", "postgres:", "postgresql+")
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"BZh", "compressed by bzip2"),
    (b"\xfd7zXZ", "compressed by xz"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"7z\xbc\xaf", "a 7z archive"),
)
_TEXT_FOR_NUL = 20  # bytes of a text for each NUL in it, at least
_PASTED = frozenset("/:?#@[]() \t")
_DAY_S = 86400
_NO_TIME_S = 1e12
# As utc_text writes it; the original's rows may hold anything.
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Block:
    """
    Names that follow each other, with doubles.

    Args:
        days: the day of each name in UTC, `2026-11-21`, empty where it is not known;
            an empty list for a source without times.
        end: bytes of the file read so far, rows of a database.
    """

    names: list[str]
    days: list[str]
    end: int


@dataclass(slots=True)
class Names:
    """
    A source of names, read once from its beginning to its end.

    Args:
        label: what a message calls it; without secrets, as `source`.
        what: NAMES, MESSAGES or DATABASE.
        blocks: raises SourceError when it cannot be read to its end.
        size: of the file in bytes; 0 where that is not known.
        malformed: lines read so far that are no message.
    """

    source: str
    label: str
    what: str
    blocks: Iterator[Block]
    size: int = 0
    malformed: int = 0


@contextmanager
def names_of(source: str, table: str) -> Iterator[Names]:
    """
    The names of a file (`-`: standard input), of an SQLite file or of a server.

    Args:
        source: a path, or a `postgresql://` address; what a file holds is told by its
            first bytes.
        table: name of the promised table of a database.

    Raises:
        ConfigError: it cannot be read, or holds no names.
    """
    with ExitStack() as stack:
        yield _opened(stack, source, table)


def _opened(stack: ExitStack, source: str, table: str) -> Names:
    if source.startswith(_POSTGRESQL):
        return _database(stack, None, source, table)
    label = "standard input" if source == "-" else repr(source)
    size = 0
    try:
        if source == "-":
            raw = cast(BufferedReader, sys.stdin.buffer)
        else:
            raw = stack.enter_context(_binary(source))
            size = os.fstat(raw.fileno()).st_size
        if source != "-" and raw.peek(len(_SQLITE)).startswith(_SQLITE):
            return _database(stack, Path(source), "", table)
        stream = _decompressed(raw)
        head = stream.peek(_LINE_BYTES)[:_LINE_BYTES]
    except (OSError, EOFError, ValueError, zlib.error) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigError(f"{label} cannot be read: {reason}.") from exc
    _check(label, head)
    names = Names(source, label, NAMES, iter(()), size)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        names.what = MESSAGES
        names.blocks = _messages(names, raw, stream)
    else:
        names.blocks = _plain(names, raw, stream)
    return names


def _binary(path: str) -> BufferedReader:
    return Path(path).open("rb")


def _decompressed(raw: BufferedReader) -> BufferedReader:
    if not raw.peek(2).startswith(b"\x1f\x8b"):
        return raw
    return BufferedReader(cast(RawIOBase, gzip.GzipFile(fileobj=raw)), _BLOCK_BYTES)


def _check(label: str, head: bytes) -> None:
    """Raises ConfigError when a file that begins with `head` can hold no names."""
    if not head:
        raise ConfigError(f"{label} is empty: give a file with one name a line.")
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise ConfigError(f"{label} is {what}: unpack it first, or pack it as .gz.")
    if head.startswith(_SQLITE):
        raise ConfigError(
            f"{label} is a database inside of something else: unpack it, and name it "
            "by its path."
        )
    if _is_binary(head):
        raise ConfigError(
            f"{label} is a binary file: give names, one a line in UTF-8, certstream "
            "messages, or a database of certstreammonitor.py."
        )


def _is_binary(head: bytes) -> bool:
    """Whether NUL says so: a stranger may have put one into a name, of many lines."""
    count = head.count(b"\0")
    if not count or count * _TEXT_FOR_NUL > len(head):
        return count > 0
    try:
        head.decode()
    except UnicodeDecodeError as exc:
        return exc.reason != "unexpected end of data"  # it is where `head` was cut
    return False


# Names, one a line


def lines(stream: IO[bytes], line_bytes: int = _LINE_BYTES) -> Iterator[list[bytes]]:
    """The lines of a stream in blocks; the first bytes of one that is longer."""
    rest = b""
    while block := stream.read(_BLOCK_BYTES):
        found = (rest + block).split(b"\n")
        rest = found.pop()[:line_bytes]
        yield found
    if rest:
        yield [rest]


def name_of(line: bytes) -> str:
    """The name on a line; nearly all are plain and need nothing done to them."""
    text = line[:_LINE_BYTES].decode("utf-8", "replace").strip()
    if text.isascii() and text.islower() and _PASTED.isdisjoint(text):
        return text[:-1] if text.endswith(".") and len(text) > 1 else text
    return host_of(text)


def _plain(
    names: Names, raw: BufferedReader, stream: BufferedReader
) -> Iterator[Block]:
    for some in _whole(names.label, lines(stream)):
        yield Block([n for n in map(name_of, some) if n], [], _position(raw))


def _whole(label: str, blocks: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    try:
        yield from blocks
    except (OSError, EOFError, zlib.error) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise SourceError(
            f"{label} cannot be read to its end: {reason}. Nothing was counted; check "
            "the file, or fetch it anew."
        ) from exc


def _position(raw: BufferedReader) -> int:
    return raw.tell() if raw.seekable() else 0


# Messages of a feed


class _Subject(msgspec.Struct, gc=False):
    CN: str | None = None


class _Leaf(msgspec.Struct, gc=False):
    all_domains: list[str] | None = None
    subject: _Subject | None = None


class _Data(msgspec.Struct, gc=False):
    leaf_cert: _Leaf
    seen: float | None = None


class _Message(msgspec.Struct, gc=False):
    """What a sound message has; of any other `message.parse` makes what it can."""

    data: _Data


_sound = msgspec.json.Decoder(_Message).decode


def _messages(
    names: Names, raw: BufferedReader, stream: BufferedReader
) -> Iterator[Block]:
    for some in _whole(names.label, lines(stream, _MESSAGE_BYTES)):
        found: list[str] = []
        days: list[str] = []
        for line in some:
            try:
                own, day = _read_message(line)
            except FormatError:
                names.malformed += 1
                continue
            found += own
            days += [day] * len(own)
        yield Block(found, days, _position(raw))


def _read_message(line: bytes) -> tuple[Sequence[str], str]:
    """Names and day of a message; raises FormatError when it is none."""
    try:
        data = _sound(line).data
        if data.seen is not None:
            leaf = data.leaf_cert
            own = dict.fromkeys(leaf.all_domains or ())
            if leaf.subject is not None and leaf.subject.CN:
                own[leaf.subject.CN] = None
            own.pop("", None)
            return tuple(own), _day(data.seen)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # it may be of another kind, or wrong in one field only
    if not line.strip() or is_heartbeat(line):
        return (), ""
    sighting, _ = parse(line, "")
    if sighting is None:
        return (), ""
    moment = sighting.seen or sighting.logged
    if moment is None and sighting.certificate is not None:
        moment = sighting.certificate.not_before
    return sighting.names, (utc_text(moment) or "")[:10]


def _day(seconds: float) -> str:
    """The day of a time in seconds since 1970; empty when there is none such."""
    return _day_of(int(seconds // _DAY_S)) if abs(seconds) < _NO_TIME_S else ""


@lru_cache(maxsize=1024)
def _day_of(number: int) -> str:
    return (utc_text(from_epoch(number * _DAY_S)) or "")[:10]


# A database


def _database(stack: ExitStack, path: Path | None, url: str, table: str) -> Names:
    # Here, since SQLAlchemy takes longer to load than most files to be judged.
    from ctmonitor.store.queries import Reader, open_reader

    source = masked_url(url) if url else str(path)

    def rows(reader: Reader) -> Iterator[Block]:
        names: list[str] = []
        days: list[str] = []
        count = 0
        try:
            for host in reader.hosts(None):
                count += 1
                own = dict.fromkeys((host.domain, *host.san.split(",")))
                for nothing in ("", "..."):  # a long list of names ends in `,...`
                    own.pop(nothing, None)
                is_day = _DAY.match(host.first_seen)
                names += own
                days += [is_day[0] if is_day else ""] * len(own)
                if len(names) >= _ROWS:
                    yield Block(names, days, count)
                    names, days = [], []
        except StoreError as exc:
            raise SourceError(f"{exc} Nothing was counted.") from exc
        if names:
            yield Block(names, days, count)

    try:
        reader = open_reader(db_file=path, url=url, table=table)
    except StoreError as exc:
        raise ConfigError(str(exc)) from exc
    stack.enter_context(reader)
    return Names(source, repr(source), DATABASE, rows(reader))


# Which of them to judge


def hits(prefilter: Prefilter | None, names: Sequence[str]) -> Iterable[int]:
    """Positions of the names that a rule may fire on."""
    if prefilter is None:
        return range(len(names))
    encoded = [name.encode("utf-8", "replace") for name in names]
    starts = list(accumulate((len(name) + 1 for name in encoded), initial=0))
    # A line feed between them would be a length in DER, of a name of ten characters.
    ends = prefilter.ends(b"\0".join(encoded))
    found = {bisect_right(starts, end - 1) - 1 for end in ends}
    # Names ought to be ASCII; of one that is not, the prefilter may not know what a
    # letter of it resembles.
    found.update(at for at, name in enumerate(names) if not name.isascii())
    return found


def with_progress(names: Names) -> Iterator[Block]:
    """The blocks, with a bar on a terminal where the size is known."""
    if not names.size or not sys.stderr.isatty():
        yield from names.blocks
        return
    # Here, since a run out of cron would load it for nothing.
    from ctmonitor.cli.progress import reading_bar

    with reading_bar(names.size) as advance_to:
        yield from _advancing(names.blocks, advance_to)


def _advancing(
    blocks: Iterator[Block], advance_to: Callable[[int], None]
) -> Iterator[Block]:
    for block in blocks:
        yield block
        advance_to(block.end)
