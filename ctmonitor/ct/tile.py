"""
Tiles of a static Certificate Transparency log: their paths, widths and contents.

    struct {                                  TileLeaf; a data tile has up to 256
        uint64 timestamp;                     ms; the TimestampedEntry begins here
        LogEntryType entry_type;              u16, 0 (x509_entry) or 1 (precert_entry)
        opaque issuer_key_hash[32];           of a precert_entry alone
        opaque signed_entry<1..2^24-1>;       certificate, or TBSCertificate
        CtExtensions extensions;              opaque<0..2^16-1>; so far it is signed
        opaque pre_certificate<1..2^24-1>;    of a precert_entry alone
        Fingerprint certificate_chain<0..2^16-1>;   SHA-256 of each, 32 bytes
    };

Source: c2sp.org/static-ct-api, sections "Merkle Tree", "Partial Tiles" and "Log
Entries"; c2sp.org/tlog-tiles (paths); Sunlight's names-tiles.md.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.leaf import (
    PRECERT_ENTRY,
    X509_ENTRY,
    leaf_index,
    malformed_since,
    parse_leaf,
)
from ctmonitor.ct.merkle import HASH_SIZE, hashes_of
from ctmonitor.errors import FormatError, IntegrityError
from ctmonitor.model.text import shortened

TILE_WIDTH = 256  # entries or hashes in a full tile

_MAX_LEVEL = 63  # tlog-tiles; static-ct-api itself has levels 0 to 5
_MAX_INDEX = 2**40 - 1  # of an entry: what leaf_index holds
_LEAF_START = b"\x00\x00"  # version and leaf_type, which a tile leaves out

_INDEX = r"(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[0-9]{1,3}))?"
_DATA_PATH = re.compile(rf"tile/data/{_INDEX}")
_HASH_PATH = re.compile(rf"tile/(?P<level>[0-9]{{1,2}})/{_INDEX}")

_TYPE_AT = 9  # where the low byte of the entry_type stands in an entry
# entry_type, then of a certificate and of a TBSCertificate the length and a byte more.
_HEAD = struct.Struct(">8xHI27xI").unpack_from
_U32 = struct.Struct(">I").unpack_from
_U16 = struct.Struct(">H").unpack_from
# Extensions with their length, then: length of the chain; length of the
# pre_certificate and one byte more.
_X509_END = struct.Struct(">HQH").unpack_from
_PRECERT_END = struct.Struct(">HQI").unpack_from
# The 8 bytes of extensions that hold a leaf_index alone: type 0, length 5, index.
_LEAF_INDEX_0 = 0x0000_05_00_0000_0000


def data_tile_path(index: int, width: int = TILE_WIDTH) -> str:
    """
    Path of a data tile below the monitoring prefix: `tile/data/x001/x234/067`.

    Args:
        index: position of the tile in the log, from 0.
        width: entries in the tile, 1..256; below 256 the path ends in `.p/<width>`.

    Raises:
        ValueError: an argument is out of range; the caller has a bug.
    """
    return f"tile/data/{_position(index, width)}"


def hash_tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """
    Path of a hash tile below the monitoring prefix: `tile/0/000.p/112`.

    Args:
        level: 0 for leaf hashes, else 1..63; each is 8 levels of the tree.

    Raises:
        ValueError: an argument is out of range; the caller has a bug.
    """
    if not 0 <= level <= _MAX_LEVEL:
        raise ValueError(f"no hash tile has level {level}")
    return f"tile/{level}/{_position(index, width)}"


def parse_data_tile_path(path: str) -> tuple[int, int]:
    """
    Index and width of a data tile.

    Raises:
        FormatError: `data_tile_path` makes no such path.
    """
    found = _DATA_PATH.fullmatch(path)
    index, width = _parsed_position(found, path)
    if data_tile_path(index, width) != path:
        raise _no_path(path)
    return index, width


def parse_hash_tile_path(path: str) -> tuple[int, int, int]:
    """
    Level, index and width of a hash tile.

    Raises:
        FormatError: `hash_tile_path` makes no such path.
    """
    found = _HASH_PATH.fullmatch(path)
    index, width = _parsed_position(found, path)
    level = int(found["level"]) if found else 0
    if level > _MAX_LEVEL or hash_tile_path(level, index, width) != path:
        raise _no_path(path)
    return level, index, width


def partial_width(level: int, size: int) -> int:
    """
    Width, 0..255, of the last tile of a level of a tree; 0: there is no partial one.

    Data tiles are as wide as the hash tiles of level 0.
    """
    return (size >> 8 * level) % TILE_WIDTH


def hash_tile_hashes(data: bytes, width: int) -> tuple[bytes, ...]:
    """
    The hashes in a hash tile.

    Raises:
        FormatError: they are not `width`.
    """
    if len(data) != width * HASH_SIZE:
        raise FormatError(
            "hash tile: wrong length",
            f"{len(data)} bytes, expected {width * HASH_SIZE} of {width} hashes",
        )
    return tuple(data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE))


@dataclass(frozen=True, slots=True, eq=False)
class TileLeaves:
    """The entries of a data tile; it has the methods of `entry.Leaves`."""

    lead: ClassVar[int] = 0

    start: int
    data: bytes
    spans: Sequence[tuple[int, int]]
    malformed: Mapping[int, str]

    @classmethod
    def parse(cls, data: bytes, index: int, width: int) -> "TileLeaves":
        """
        The entries of a data tile, which has to consist of them exactly.

        An entry of which only a part cannot be used is kept: it is in the tree, and
        the next one can be found.

        Args:
            data: the tile, decompressed.
            index: position of the tile in the log.
            width: entries in the tile, 1..256.

        Raises:
            FormatError: it has more or fewer entries, or one does not tell its length.
            IntegrityError: `inclusion`: an entry says that it belongs elsewhere.
        """
        if index < 0 or not 1 <= width <= TILE_WIDTH:
            raise ValueError(f"no data tile has index {index} and width {width}")
        start = index * TILE_WIDTH
        if start + width - 1 > _MAX_INDEX:
            raise FormatError("data tile: index beyond 40 bits", str(index))
        spans = []
        malformed = {}
        at = 0
        expected = _LEAF_INDEX_0 + start
        for number in range(width):
            # Nearly all entries hold a leaf_index alone. They are walked here, at half
            # a microsecond each; every other one, broken or not, in `_walked`, and so
            # is a last one of less than 45 bytes.
            try:
                entry_type, length, tbs_length = _HEAD(data, at)
                # A length of 24 bits is read with a byte after or before it.
                if entry_type == X509_ENTRY:
                    length >>= 8
                    end = at + 13 + length
                    size, extension, chain = _X509_END(data, end)
                    following = end + 12 + chain
                else:
                    length = tbs_length & 0xFFFFFF
                    end = at + 45 + length
                    size, extension, pre_certificate = _PRECERT_END(data, end)
                    pre_certificate >>= 8
                    following = end + 13 + pre_certificate
                    (chain,) = _U16(data, following)
                    following += 2 + chain
                    if not pre_certificate:
                        length = 0
                is_usual = (
                    extension == expected
                    and size == 8
                    and length
                    and entry_type <= PRECERT_ENTRY
                    and not chain % HASH_SIZE
                )
            except struct.error:
                is_usual = False
            if is_usual:
                end += 10
            else:
                end, following, kind = _walked(data, at, start + number)
                if kind:
                    malformed[number] = kind
            spans.append((at, end))
            at = following
            expected += 1
        if at != len(data):
            raise FormatError(
                "data tile: other length than its entries",
                f"tile {index}: {len(data)} bytes, its {width} entries have {at}",
            )
        return cls(start, data, spans, malformed)

    @property
    def kept_bytes(self) -> int:
        """See `entry.Leaves`."""
        return len(self.data)

    def __len__(self) -> int:
        return len(self.spans)

    def hashes(self) -> list[bytes]:
        """See `entry.Leaves`."""
        return hashes_of(_LEAF_START, self.data, self.spans)

    def entry(self, number: int) -> LogEntry:
        """See `entry.Leaves`."""
        at, end = self.spans[number]
        index = self.start + number
        if kind := self.malformed.get(number):
            raise FormatError(kind, f"entry {index}")
        data = self.data
        leaf_input = _LEAF_START + data[at:end]
        pre_certificate = b""
        if data[at + _TYPE_AT] == PRECERT_ENTRY:
            at = end + 3
            end = at + int.from_bytes(data[end:at], "big")
            pre_certificate = data[at:end]
        at = end + 2
        end = at + int.from_bytes(data[end:at], "big")
        return parse_leaf(
            leaf_input,
            index,
            pre_certificate=pre_certificate,
            fingerprints=tuple(
                [data[one : one + HASH_SIZE] for one in range(at, end, HASH_SIZE)]
            ),
        )

    def signed(self, number: int) -> LogEntry:
        """
        The same without pre_certificate and chain, of which the log signs nothing.

        Raises:
            FormatError: what it signed is malformed.
        """
        at, end = self.spans[number]
        return parse_leaf(_LEAF_START + self.data[at:end], self.start + number)

    def since(self, start: int) -> "TileLeaves":
        """See `entry.Leaves`."""
        left_out = start - self.start
        if left_out <= 0:
            return self
        return TileLeaves(
            start,
            self.data,
            self.spans[left_out:],
            malformed_since(self.malformed, left_out),
        )

    def first(self, width: int) -> "TileLeaves":
        """The first `width` entries: those of a partial tile that is gone."""
        kept = {at: kind for at, kind in self.malformed.items() if at < width}
        return TileLeaves(self.start, self.data, self.spans[:width], kept)


@dataclass(frozen=True, slots=True)
class NamesRecord:
    """
    What a names tile says of one entry: a hint, since no head covers it.

    Args:
        common_name: of the subject, empty without.
        dns, ip: the alternative names, without a common name that is not among them.
    """

    timestamp_ms: int
    common_name: str
    dns: tuple[str, ...]
    ip: tuple[str, ...]


class _Subject(msgspec.Struct, rename="pascal"):
    common_name: str = ""


class _Names(msgspec.Struct):
    timestamp: int = msgspec.field(name="Timestamp")
    subject: _Subject = msgspec.field(name="Subject", default_factory=_Subject)
    dns: tuple[str, ...] = msgspec.field(name="DNS", default=())
    ip: tuple[str, ...] = msgspec.field(name="IP", default=())


_NAMES = msgspec.json.Decoder(_Names)


def names_tile(data: bytes, width: int) -> list[NamesRecord]:
    """
    The records of a names tile, in the order of the entries.

    Args:
        data: the tile, decompressed: one JSON object a line.

    Raises:
        FormatError: not `width` records, or another thing in a line.
    """
    try:
        records = _NAMES.decode_lines(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise FormatError("names tile: malformed", shortened(str(exc), 160)) from None
    if len(records) != width:
        raise FormatError(
            "names tile: wrong number of records", f"{len(records)}, expected {width}"
        )
    return [
        NamesRecord(one.timestamp, one.subject.common_name, one.dns, one.ip)
        for one in records
    ]


def _walked(data: bytes, at: int, index: int) -> tuple[int, int, str]:
    """
    Ends of what is signed and of the whole entry, and what is malformed or "".

    Raises:
        FormatError: the next entry cannot be found.
        IntegrityError: the entry says that it belongs elsewhere.
    """
    defects = []
    if at == len(data):
        raise FormatError("data tile: too few entries", f"ends before entry {index}")
    try:
        (entry_type,) = _U16(data, at + 8)
        if entry_type > PRECERT_ENTRY:
            raise FormatError(
                "data tile: unknown entry type", f"{entry_type}, entry {index} at {at}"
            )
        signed = at + (42 if entry_type == PRECERT_ENTRY else 10)
        length = _U32(data, signed - 1)[0] & 0xFFFFFF
        if not length:
            defects.append("leaf: without a certificate")
        extensions = signed + 3 + length
        end = extensions + 2 + _U16(data, extensions)[0]
        chain = end
        if entry_type == PRECERT_ENTRY:
            length = _U32(data, end - 1)[0] & 0xFFFFFF
            if not length:
                defects.append("data tile: without a pre_certificate")
            chain = end + 3 + length
        following = chain + 2 + _U16(data, chain)[0]
    except struct.error:
        raise FormatError(
            "data tile: ends inside an entry", f"entry {index} at {at}"
        ) from None
    if (following - chain - 2) % HASH_SIZE:
        defects.append("data tile: chain is not of fingerprints")
    try:
        said = leaf_index(data[extensions + 2 : end])
    except FormatError as exc:
        defects.append(exc.kind)
    else:
        if said is not None and said != index:
            raise IntegrityError(
                "inclusion",
                f"the entry at {index} says that it is entry {said}",
                {f"tile-data-{index // TILE_WIDTH}": data},
            )
    return end, following, defects[0] if defects else ""


def _position(index: int, width: int) -> str:
    """`x001/x234/067.p/112`."""
    if index < 0 or not 1 <= width <= TILE_WIDTH:
        raise ValueError(f"no tile has index {index} and width {width}")
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join(reversed(groups)) + partial


def _parsed_position(found: re.Match[str] | None, path: str) -> tuple[int, int]:
    # The longest index that Python turns into a number at once has 4,300 digits.
    if found is None or len(path) > 100:
        raise _no_path(path)
    width = int(found["width"] or TILE_WIDTH)
    if not 1 <= width <= TILE_WIDTH:
        raise _no_path(path)
    return int(found["index"].replace("/", "").replace("x", "")), width


def _no_path(path: str) -> FormatError:
    return FormatError("tile path: malformed", repr(shortened(path)))
