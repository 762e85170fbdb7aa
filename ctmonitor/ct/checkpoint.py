"""
Checkpoint of a tiled log: a signed note that carries the signature of RFC 6962.

Source: c2sp.org/static-ct-api section "Checkpoints", c2sp.org/signed-note,
c2sp.org/tlog-checkpoint.
"""

import base64
import binascii
import hashlib
import re

from ctmonitor.ct.signature import MAX_TREE_SIZE, LogKey, tree_head_bytes
from ctmonitor.errors import FormatError, IntegrityError
from ctmonitor.model.log import TreeHead
from ctmonitor.model.text import shortened

# signed-note asks readers to take 16 at least; Go's reader stops at 100.
_MAX_SIGNATURES = 100
_RFC6962_NOTE = b"\x05"  # the signature type of RFC 6962 heads in key ids
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


def key_id(origin: str, log_id: bytes) -> bytes:
    """The four bytes that begin the log's own signature, for its key `log_id`."""
    seed = origin.encode() + b"\n" + _RFC6962_NOTE + log_id
    return hashlib.sha256(seed).digest()[:4]


def signature_line(name: str, data: bytes) -> str:
    """A line of signatures, without its end: `data` is key id and signature."""
    return f"\u2014 {name} {base64.b64encode(data).decode()}"


def format_checkpoint(
    origin: str, size: int, root: bytes, timestamp_ms: int, log_id: bytes, signed: bytes
) -> bytes:
    """
    The checkpoint of a log; lines of `signature_line` may be appended to it.

    Args:
        signed: DigitallySigned of `tree_head_bytes(timestamp_ms, size, root)`.
    """
    body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n\n"
    data = key_id(origin, log_id) + timestamp_ms.to_bytes(8, "big") + signed
    return f"{body}{signature_line(origin, data)}\n".encode()


def parse_checkpoint(body: bytes, origin: str, key: LogKey) -> TreeHead:
    """
    The head in a checkpoint, its own signature checked.

    The log's own line is known by name and key id alone. All others are strangers':
    witnesses, the log's further keys, and lines that mean nothing.

    Args:
        origin: what its first line and its signature's name have to be.

    Raises:
        FormatError: not a checkpoint, or one with numbers or lengths out of range.
        IntegrityError: `origin`: it is of another log; `signature`: the log's own is
            missing or wrong. The body is the evidence.
    """
    try:
        return _checked(body, origin, key)
    except IntegrityError as exc:
        raise IntegrityError(exc.kind, exc.detail, {"checkpoint": body}) from None


def _checked(body: bytes, origin: str, key: LogKey) -> TreeHead:
    named, size, root, lines = _parts(body)
    signatures = [_signature(line) for line in lines]
    if named != origin:
        raise IntegrityError("origin", f"expected {origin!r}, got {shortened(named)!r}")
    own = (origin, key_id(origin, key.log_id))
    timestamps = []
    for name, data in signatures:
        if (name, data[:4]) != own:
            continue
        # struct { uint64 timestamp; TreeHeadSignature signature; } RFC6962NoteSignature
        timestamp_ms = int.from_bytes(data[4:12], "big")
        message = tree_head_bytes(timestamp_ms, size, root)
        try:
            key.verify_signed(message, data[12:])
        except IntegrityError as exc:
            raise IntegrityError(
                exc.kind, f"checkpoint of {size} entries: {exc.detail}"
            ) from None
        timestamps.append(timestamp_ms)
    if not timestamps:
        raise IntegrityError(
            "signature",
            f"missing: none of the {len(lines)} lines is by {origin!r} with the key "
            f"{key.log_id.hex()}",
        )
    # The text carries no time, so of several signatures each says another one.
    return TreeHead(size, root, max(timestamps), body)


def _parts(body: bytes) -> tuple[str, int, bytes, list[str]]:
    """Origin, size, root, and the lines of signatures."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise FormatError("checkpoint: not UTF-8") from None
    if _CONTROL.search(text):
        raise FormatError("checkpoint: control characters")
    head, blank, tail = text.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise FormatError("checkpoint: no signatures", f"begins {shortened(text)!r}")
    # Not splitlines(): a note's lines end in LF and in nothing else.
    lines = head.split("\n")
    if len(lines) != 3:
        # The signature covers three values; what further lines say is signed by none.
        raise FormatError("checkpoint: other than three lines", f"{len(lines)}")
    named, size, root = lines
    if not named:
        raise FormatError("checkpoint: no origin")
    if not _SIZE.fullmatch(size) or int(size) > MAX_TREE_SIZE:
        raise FormatError("checkpoint: tree size", repr(shortened(size)))
    signatures = tail[:-1].split("\n")
    if len(signatures) > _MAX_SIGNATURES:
        raise FormatError("checkpoint: too many signatures", f"{len(signatures)}")
    hash_ = _base64(root)
    if len(hash_) != 32:
        raise FormatError("checkpoint: root of other than 32 bytes", f"{len(hash_)}")
    return named, int(size), hash_, signatures


def _signature(line: str) -> tuple[str, bytes]:
    """Name, and key id with signature; the shape is all that a stranger's has."""
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.rpartition(" ")
    if dash != "\u2014" or "+" in name or name.split() != [name]:
        raise FormatError("checkpoint: signature line", repr(shortened(line)))
    data = _base64(encoded)
    if len(data) < 5:
        raise FormatError("checkpoint: signature too short", repr(shortened(line)))
    return name, data


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FormatError("checkpoint: not base64", repr(shortened(text))) from None
