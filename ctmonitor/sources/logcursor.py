"""
How far a log has been read, as text that the store keeps.

Beside the position stand the last head that was believed, so that a log cannot change
its past while we are not running, and of a log of RFC 6962 the compact range of what
was read, from which the proofs go on.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass

from ctmonitor.ct.merkle import CompactRange
from ctmonitor.errors import FormatError
from ctmonitor.model.batch import Cursor
from ctmonitor.model.log import Log, TreeHead

PREFIX = "log:"  # of Cursor.source; the hexadecimal log id follows
_VERSION = 1
_MOST_CHARACTERS = 16_384


def cursor_name(log: Log) -> str:
    """Under which name the store keeps the cursor of `log`."""
    return PREFIX + log.log_id.hex()


@dataclass(frozen=True, slots=True)
class LogCursor:
    """
    Args:
        position: index of the next entry to be read.
        head: the last head that was believed; None before the first one was.
        nodes: of the compact range of size `position`, left to right; None when it is
            not known or not needed (tiled logs).
    """

    position: int
    head: TreeHead | None = None
    nodes: tuple[bytes, ...] | None = None

    def cursor(self, log: Log) -> Cursor:
        """For the store."""
        document: dict[str, object] = {"version": _VERSION, "next": self.position}
        if self.head is not None:
            document["head"] = {
                "tree_size": self.head.size,
                "root": _text(self.head.root),
                "timestamp": self.head.timestamp_ms,
            }
        if self.nodes is not None:
            document["nodes"] = [_text(node) for node in self.nodes]
        return Cursor(cursor_name(log), json.dumps(document, separators=(",", ":")))

    @classmethod
    def parse(cls, text: str) -> "LogCursor":
        """
        What `cursor` wrote.

        Raises:
            FormatError: it is damaged, or of a later version of this program.
        """
        if len(text) > _MOST_CHARACTERS:
            raise FormatError("position: too long", f"{len(text)} characters")
        try:
            document = json.loads(text)
            version = document["version"]
            if version != _VERSION:
                raise FormatError(
                    "position: of another version", f"{version!r}, not {_VERSION}"
                )
            position = _count(document["next"])
            head = None
            if (stored := document.get("head")) is not None:
                head = TreeHead(
                    _count(stored["tree_size"]),
                    _hash(stored["root"]),
                    _count(stored["timestamp"]),
                )
            nodes = None
            if (kept := document.get("nodes")) is not None:
                # A wrong number of nodes is told by the range itself.
                nodes = CompactRange(position, [_hash(node) for node in kept]).nodes
        except (KeyError, TypeError, ValueError, RecursionError) as exc:
            raise FormatError("position: damaged", str(exc)[:100]) from exc
        if head is not None and head.size < position:
            raise FormatError("position: damaged", "it lies beyond the head")
        return cls(position, head, nodes)


def _text(value: bytes) -> str:
    return b64encode(value).decode("ascii")


def _hash(text: str) -> bytes:
    value = b64decode(text, validate=True)
    if len(value) != 32:
        raise ValueError(f"a hash of {len(value)} bytes")
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{value!r} is no number of entries")
    return value
