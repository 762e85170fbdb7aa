r"""
DNS messages: the question a stub resolver asks, and what it needs of the answer.

dnspython reads and writes every record there is, at half a millisecond of CPU for a
question and its answer; a scan asks some questions for each host, and these few fields
take a twentieth of that.

    header      id, flags, and how many entries each section has: six times 16 bits
    question    name, type, class
    record      name, type, class, ttl (32 bits), length, data
    name        labels, each after its length; 0 ends it; two high bits point back

Names are text in lower case without trailing dot; what is no plain character in them
is written `\ddd`.

Source: RFC 1035 sections 4.1 and 5.1, RFC 2308 (no such name, no such data), RFC 6891
(EDNS, payload 1232 as of DNS flag day 2020), RFC 7505 (no mail at all).
"""

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from ctmonitor.errors import FormatError
from ctmonitor.model.site import DnsState

_HEADER = struct.Struct("!6H")
_TAIL = struct.Struct("!2H")  # of a question: type, class
_RECORD = struct.Struct("!2HIH")  # after the name: type, class, ttl, length
_OPT = b"\x00" + _RECORD.pack(41, 1232, 0, 0)  # class is the payload we take

_POINTER_TO_QUESTION = struct.pack("!H", 0xC000 | _HEADER.size)

_IN = 1
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0200, 0x0100
_RCODE, _OPCODE = 0x000F, 0x7800
_NOERROR, _NXDOMAIN = 0, 3
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}

_MAX_NAME_BYTES = 255
_MAX_ALIASES = 16
_MAX_RECORDS = 256  # of one kind; an answer over TCP may hold thousands


class Kind(IntEnum):
    """Types of records."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    MX = 15
    AAAA = 28


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What was said to one question.

    Args:
        state: FOUND with records of the kind asked for; NO_ADDRESS without.
        texts: addresses or host names, in the server's order, mail by preference.
        cnames: the aliases on the way, without the name itself.
        zone: whose SOA came with an answer without records; empty when none came.
        detail: what went wrong, for people.
    """

    state: DnsState
    texts: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    zone: str = ""
    detail: str = ""

    @property
    def has_failed(self) -> bool:
        return self.state in (DnsState.SERVFAIL, DnsState.TIMEOUT)


class _Entry(NamedTuple):
    """A record: where its data stands in the message."""

    name: str
    kind: int
    start: int
    end: int


def query_wire(query_id: int, name: str, kind: Kind) -> bytes:
    """
    A question with EDNS, for a server that resolves.

    Args:
        query_id: 0..65535.
        name: in A-labels, at most 253 characters, labels of 1 to 63.
    """
    head = _HEADER.pack(query_id, _RECURSION_DESIRED, 1, 0, 0, 1)
    return head + _question(name, kind) + _OPT


def _question(name: str, kind: Kind) -> bytes:
    return _spelled(name) + _TAIL.pack(kind, _IN)


@lru_cache(maxsize=4096)  # each name is asked for in several ways
def _spelled(name: str) -> bytes:
    labels = (label.encode("ascii") for label in name.split("."))
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\x00"


def is_truncated(wire: bytes) -> bool:
    """Whether the server asks to come again over TCP."""
    return len(wire) >= 4 and bool(wire[2] << 8 & _TRUNCATED)


def read_answer(wire: bytes, query_id: int, name: str, kind: Kind) -> Answer:
    """
    The answer to the question of `query_wire` with the same arguments.

    Raises:
        FormatError: the bytes are no answer, or one to another question.
    """
    if len(wire) < _HEADER.size:
        raise FormatError("DNS: shorter than a header")
    got_id, flags, questions, answers, authorities, _ = _HEADER.unpack_from(wire)
    if got_id != query_id or not flags & _RESPONSE or flags & _OPCODE:
        raise FormatError("DNS: no answer to this question")
    rcode = flags & _RCODE
    if rcode not in (_NOERROR, _NXDOMAIN):
        word = _RCODES.get(rcode, f"code {rcode}")
        return Answer(DnsState.SERVFAIL, detail=f"the name server says {word}")
    if questions != 1:
        raise FormatError("DNS: not one question")
    asked = _question(name, kind)
    position = _HEADER.size + len(asked)
    # Capitals may come back; neither lengths nor our kinds look like one.
    if wire[_HEADER.size : position].lower() != asked:
        raise FormatError("DNS: answer to another question")
    records, position = _entries(wire, position, answers, name)
    cnames, found = _chain(wire, records, name, kind)
    if found:
        return Answer(DnsState.FOUND, _texts(wire, found, kind), cnames)
    if rcode == _NXDOMAIN:
        return Answer(DnsState.NXDOMAIN, cnames=cnames, detail="no such name")
    authority, _ = _entries(wire, position, authorities, name)
    zone = next((one.name for one in authority if one.kind == Kind.SOA), "")
    return Answer(DnsState.NO_ADDRESS, (), cnames, zone, "no such record")


def _entries(
    wire: bytes, position: int, count: int, asked: str
) -> tuple[list[_Entry], int]:
    """The records of a section and where the next begins; other classes left out."""
    entries = []
    for _ in range(count):
        if wire.startswith(_POINTER_TO_QUESTION, position):
            name, position = asked, position + len(_POINTER_TO_QUESTION)
        else:
            name, position = _name_at(wire, position)
        start = position + _RECORD.size
        if start > len(wire):
            raise FormatError("DNS: record cut off")
        kind, class_, _ttl, size = _RECORD.unpack_from(wire, position)
        position = start + size
        if position > len(wire):
            raise FormatError("DNS: record longer than the message")
        if class_ == _IN:
            entries.append(_Entry(name, kind, start, position))
    return entries, position


def _chain(
    wire: bytes, records: Sequence[_Entry], name: str, kind: Kind
) -> tuple[tuple[str, ...], list[_Entry]]:
    """The aliases from `name` on, and the records at their end."""
    aliases = {one.name: one for one in records if one.kind == Kind.CNAME}
    cnames: list[str] = []
    while True:
        found = [one for one in records if one.kind == kind and one.name == name]
        alias = aliases.get(name)
        if found or alias is None:
            return tuple(cnames), found[:_MAX_RECORDS]
        if len(cnames) == _MAX_ALIASES:
            raise FormatError("DNS: too many aliases")
        name, _ = _name_at(wire, alias.start)
        cnames.append(name)


def _texts(wire: bytes, found: Sequence[_Entry], kind: Kind) -> tuple[str, ...]:
    if kind in (Kind.A, Kind.AAAA):
        family = socket.AF_INET if kind == Kind.A else socket.AF_INET6
        try:
            return tuple(
                socket.inet_ntop(family, wire[one.start : one.end]) for one in found
            )
        except ValueError as exc:
            raise FormatError("DNS: address of a wrong length") from exc
    if kind == Kind.MX:
        # preference (16 bits), name; the root stands for "no mail at all"
        ordered = sorted(found, key=lambda one: wire[one.start : one.start + 2])
        hosts = (_name_at(wire, one.start + 2)[0] for one in ordered)
        return tuple(host for host in hosts if host)
    return tuple(_name_at(wire, one.start)[0] for one in found)


def _name_at(wire: bytes, position: int) -> tuple[str, int]:
    """
    The name at `position`, and where what follows it begins.

    Every pointer has to lead further back than all before it, so that none loops.
    """
    labels: list[str] = []
    after = -1
    lowest = position
    size = 0
    try:
        while length := wire[position]:
            if length < 0x40:
                size += 1 + length
                label = wire[position + 1 : position + 1 + length]
                if size >= _MAX_NAME_BYTES or len(label) < length:
                    raise FormatError("DNS: name too long or cut off")
                labels.append(_label_text(label))
                position += 1 + length
            elif length >= 0xC0:
                if after < 0:
                    after = position + 2
                position = (length & 0x3F) << 8 | wire[position + 1]
                if position >= lowest:
                    raise FormatError("DNS: pointer that does not lead back")
                lowest = position
            else:
                raise FormatError("DNS: unknown kind of label")
    except IndexError as exc:
        raise FormatError("DNS: name cut off") from exc
    return ".".join(labels), after if after >= 0 else position + 1


def _label_text(label: bytes) -> str:
    text = label.decode("latin-1").lower()
    if text.isascii() and text.replace("-", "").replace("_", "").isalnum():
        return text
    return "".join(
        char if "!" <= char <= "~" and char not in ".\\" else f"\\{ord(char):03d}"
        for char in text
    )
