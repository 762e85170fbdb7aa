"""
Leaves of a log of RFC 6962, as get-entries serves them.

    struct {                                  MerkleTreeLeaf, the leaf_input
        Version version;                      u8, 0 (v1)
        MerkleLeafType leaf_type;             u8, 0 (timestamped_entry)
        uint64 timestamp;                     ms; the TimestampedEntry begins here
        LogEntryType entry_type;              u16, 0 (x509_entry) or 1 (precert_entry)
        opaque issuer_key_hash[32];           of a precert_entry alone
        opaque signed_entry<1..2^24-1>;       certificate, or TBSCertificate
        CtExtensions extensions;              opaque<0..2^16-1>
    };
    x509_entry:    opaque chain<0..2^24-1> of opaque<1..2^24-1>       extra_data
    precert_entry: opaque pre_certificate<1..2^24-1>, then the chain  extra_data

Source: RFC 6962 sections 3.1, 3.2, 3.4 and 4.6; c2sp.org/static-ct-api, section
"SCT Extension" (leaf_index).
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from pybase64 import b64decode

from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.jsonbody import decode
from ctmonitor.ct.merkle import hashes_of
from ctmonitor.errors import FormatError

X509_ENTRY = 0  # LogEntryType
PRECERT_ENTRY = 1
LEAF_INDEX = 0  # type of the only extension that is defined

_LEAF_INDEX_HEAD = bytes((LEAF_INDEX, 0, 5))  # its type, and its length
_TYPE_AT = 11  # where the low byte of the entry_type stands in a leaf_input
_HEAD = struct.Struct(">HQHI").unpack_from  # to the first byte of the signed entry
# Real ones have some three; four million of one byte fit into an answer, and take 2 s.
_MAX_CHAIN = 1_000
_U32 = struct.Struct(">I").unpack_from
_U16 = struct.Struct(">H").unpack_from


class _Entry(msgspec.Struct, gc=False):
    leaf_input: bytes
    # Four fifths of the answer, of use for hits alone, so it is not even decoded.
    extra_data: msgspec.Raw


class _Entries(msgspec.Struct):
    entries: list[_Entry]


_ENTRIES = msgspec.json.Decoder(_Entries)
_BASE64 = msgspec.json.Decoder(bytes)

# What stands between the texts of an answer as Go, in which logs are written, puts it.
_OPENING = b'{"entries":[{"leaf_input":"'
_BETWEEN = b'","extra_data":"'
_NEXT = b'"},{"leaf_input":"'
_CLOSING = b'"}]}'


@dataclass(frozen=True, slots=True, eq=False)
class EntriesLeaves:
    """
    An answer of get-entries; it has the methods of `entry.Leaves`.

    Args:
        body: holds the extra_data, each still a JSON string of base64.
        extra_spans: where each stands in `body`, quotes included.
    """

    lead: ClassVar[int] = 2

    start: int
    data: bytes
    spans: Sequence[tuple[int, int]]
    malformed: Mapping[int, str]
    body: bytes
    extra_spans: Sequence[tuple[int, int]]

    @classmethod
    def parse(cls, body: bytes, start: int, asked: int) -> "EntriesLeaves":
        """
        The entries of an answer, fewer than asked for as the log likes.

        A leaf whose framing is broken is kept: its bytes are in the tree.

        Args:
            start: index of the first entry that was asked for.
            asked: number of entries that were asked for.

        Raises:
            FormatError: no answer of get-entries, no entries in it, or too many.
        """
        leaf_inputs, body, extra_spans = _plain(body) or _decoded(body)
        if not 0 < len(leaf_inputs) <= asked:
            raise FormatError(
                "get-entries: wrong number of entries",
                f"{len(leaf_inputs)} from {start} on, expected 1 to {asked}",
            )
        spans = []
        malformed = {}
        at = 0
        for number, leaf_input in enumerate(leaf_inputs):
            try:
                _framing(leaf_input)
            except FormatError as exc:
                malformed[number] = exc.kind
            end = at + len(leaf_input)
            spans.append((at, end))
            at = end
        return cls(start, b"".join(leaf_inputs), spans, malformed, body, extra_spans)

    @property
    def kept_bytes(self) -> int:
        """See `entry.Leaves`."""
        return len(self.body)

    def __len__(self) -> int:
        return len(self.spans)

    def hashes(self) -> list[bytes]:
        """See `entry.Leaves`."""
        return hashes_of(b"", self.data, self.spans)

    def entry(self, number: int) -> LogEntry:
        """See `entry.Leaves`."""
        at, end = self.spans[number]
        index = self.start + number
        if kind := self.malformed.get(number):
            raise FormatError(kind, f"entry {index}")
        try:
            begin, stop = self.extra_spans[number]
            extra_data = _BASE64.decode(self.body[begin:stop])
        except (msgspec.MsgspecError, ValueError):
            raise FormatError("extra_data: no base64", f"entry {index}") from None
        is_precert = self.data[at + _TYPE_AT] == PRECERT_ENTRY
        pre_certificate, chain = _extra_data(extra_data, is_precert, index)
        return parse_leaf(
            self.data[at:end], index, pre_certificate=pre_certificate, chain=chain
        )

    def signed(self, number: int) -> LogEntry:
        """
        The same without extra_data, which the log may fill with anything.

        Raises:
            FormatError: the entry is one of `malformed`.
        """
        at, end = self.spans[number]
        return parse_leaf(self.data[at:end], self.start + number)

    def since(self, start: int) -> "EntriesLeaves":
        """See `entry.Leaves`."""
        left_out = start - self.start
        if left_out <= 0:
            return self
        return EntriesLeaves(
            start,
            self.data,
            self.spans[left_out:],
            malformed_since(self.malformed, left_out),
            self.body,
            self.extra_spans[left_out:],
        )


_Answer = tuple[list[bytes], bytes, list[tuple[int, int]]]


def _decoded(body: bytes) -> _Answer:
    """The leaf_inputs, and where in which bytes each extra_data stands."""
    entries = decode(_ENTRIES, body, "get-entries").entries
    spans = []
    at = 0
    for entry in entries:
        end = at + len(memoryview(entry.extra_data))
        spans.append((at, end))
        at = end
    extra_data = b"".join([entry.extra_data for entry in entries])
    return [entry.leaf_input for entry in entries], extra_data, spans


def _plain(body: bytes) -> _Answer | None:
    """
    The same of an answer written without spaces and escapes; None of any other.

    Here extra_data is skipped by `find`, six times as fast as by a parser of JSON. A
    quote behind a backslash does not mislead it: what has to follow the end of a text
    cannot be the rest of one in JSON.
    """
    if not body.startswith(_OPENING) or not body.endswith(_CLOSING):
        return None
    find = body.find
    leaf_inputs = []
    spans = []
    between, to_next = len(_BETWEEN), len(_NEXT)
    at = len(_OPENING)
    last = len(body) - len(_CLOSING)
    try:
        while True:
            end = find(b'"', at)
            extra = end + between
            stop = find(b'"', extra)
            if body[end:extra] != _BETWEEN:
                return None
            # Validated, so as strict as msgspec, and several times as fast; without
            # the names of the arguments, which cost as much as the decoding.
            leaf_inputs.append(b64decode(body[at:end], None, True))
            spans.append((extra - 1, stop + 1))  # quotes belong to a text
            if stop == last:
                return leaf_inputs, body, spans
            at = stop + to_next
            if body[stop:at] != _NEXT:
                return None
    except ValueError:
        return None  # the parser tells what is wrong


def parse_leaf(
    leaf_input: bytes,
    index: int,
    *,
    pre_certificate: bytes = b"",
    chain: tuple[bytes, ...] = (),
    fingerprints: tuple[bytes, ...] = (),
) -> LogEntry:
    """
    What the log signed of an entry, together with what it did not sign.

    Raises:
        FormatError: the MerkleTreeLeaf is malformed, or of another version or type.
    """
    try:
        timestamp_ms, entry_type, at, end = _framing(leaf_input)
    except FormatError as exc:
        raise FormatError(exc.kind, f"entry {index}: {exc.detail}") from None
    try:
        position = leaf_index(leaf_input[end + 2 :])
    except FormatError:
        position = None  # RFC 6962 does not say what extensions look like
    is_precert = entry_type == PRECERT_ENTRY
    return LogEntry(
        index,
        timestamp_ms,
        is_precert,
        leaf_input[at:end],
        leaf_input,
        leaf_input[12:44] if is_precert else b"",
        position,
        pre_certificate,
        chain,
        fingerprints,
    )


def leaf_index(extensions: bytes) -> int | None:
    """
    The index that a tiled log writes into entries and SCTs; None without.

        struct {
            ExtensionType extension_type;      u8, 0 (leaf_index)
            opaque extension_data<0..2^16-1>;  u40
        } Extension;                           CtExtensions: any number of these

    Raises:
        FormatError: these are no CtExtensions of a tiled log.
    """
    if len(extensions) == 8 and extensions.startswith(_LEAF_INDEX_HEAD):
        return int.from_bytes(extensions[3:], "big")
    found: dict[int, bytes] = {}
    at = 0
    while at < len(extensions):
        data = at + 3
        end = data + int.from_bytes(extensions[at + 1 : data], "big")
        if end > len(extensions):
            raise FormatError("extensions: cut short", f"at {at}")
        if extensions[at] in found:
            raise FormatError("extensions: a type twice", f"type {extensions[at]}")
        found[extensions[at]] = extensions[data:end]
        at = end
    if LEAF_INDEX not in found:
        return None
    if len(found[LEAF_INDEX]) != 5:
        raise FormatError("extensions: leaf_index is not of 5 bytes")
    return int.from_bytes(found[LEAF_INDEX], "big")


def malformed_since(malformed: Mapping[int, str], left_out: int) -> Mapping[int, str]:
    """`Leaves.malformed` of the run without its first `left_out` entries."""
    return {
        number - left_out: kind
        for number, kind in malformed.items()
        if number >= left_out
    }


def _framing(leaf_input: bytes) -> tuple[int, int, int, int]:
    """timestamp, entry_type, and where the signed entry begins and ends."""
    try:
        head, timestamp_ms, entry_type, length = _HEAD(leaf_input)
        # The length has 24 bits: it is read with a byte after or before it.
        if entry_type == X509_ENTRY:
            at = 15
            end = 15 + (length >> 8)
        else:
            at = 47
            end = 47 + (_U32(leaf_input, 43)[0] & 0xFFFFFF)
        (extensions,) = _U16(leaf_input, end)
    except struct.error:
        raise FormatError("leaf: cut short", f"{len(leaf_input)} bytes") from None
    if head:  # version and leaf_type
        raise FormatError("leaf: unknown version or type", leaf_input[:2].hex())
    if entry_type > PRECERT_ENTRY:
        raise FormatError("leaf: unknown entry type", str(entry_type))
    if at == end:
        raise FormatError("leaf: without a certificate")
    if end + 2 + extensions != len(leaf_input):
        raise FormatError(
            "leaf: other length than it says",
            f"{len(leaf_input)} bytes, its fields have {end + 2 + extensions}",
        )
    return timestamp_ms, entry_type, at, end


def _extra_data(
    data: bytes, is_precert: bool, index: int
) -> tuple[bytes, tuple[bytes, ...]]:
    """pre_certificate (empty for a certificate) and chain."""
    at = 0
    pre_certificate = b""
    if is_precert:
        pre_certificate, at = _asn1_cert(data, 0, index)
    chain_at = at + 3
    if chain_at + int.from_bytes(data[at:chain_at], "big") != len(data):
        raise FormatError(
            "extra_data: chain of other length than it says", f"entry {index}"
        )
    at = chain_at
    chain: list[bytes] = []
    while at < len(data):
        if len(chain) == _MAX_CHAIN:
            raise FormatError("extra_data: chain too long", f"entry {index}")
        certificate, at = _asn1_cert(data, at, index)
        chain.append(certificate)
    return pre_certificate, tuple(chain)


def _asn1_cert(data: bytes, at: int, index: int) -> tuple[bytes, int]:
    """ASN.1Cert, opaque<1..2^24-1>, and where it ends."""
    start = at + 3
    end = start + int.from_bytes(data[at:start], "big")
    if not start < end <= len(data):
        raise FormatError(
            "extra_data: certificate cut short", f"entry {index}, at {at}"
        )
    return data[start:end], end
