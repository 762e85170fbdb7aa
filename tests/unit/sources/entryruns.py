"""Runs of entries as either kind of log hands them out, made byte by byte."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ctmonitor.ct.leaf import EntriesLeaves
from ctmonitor.ct.tile import TileLeaves
from tests.unit.ct import making

LOGGED = datetime(2026, 11, 21, 11, 59, 59, 250000, tzinfo=UTC)
LOGGED_MS = int(LOGGED.timestamp() * 1000)
START = 512  # a multiple of 256, where a tile begins


@dataclass(frozen=True)
class Made:
    """An entry for either kind of log; `chain` and `pre` are not signed."""

    tbs: bytes
    is_precert: bool = False
    pre: bytes = b"pre_certificate"
    chain: bytes = b"issuer"
    broken: bool = False  # the unsigned part is


def u24(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


def u16(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def signed_part(made: Made, index: int) -> bytes:
    """The TimestampedEntry."""
    head = LOGGED_MS.to_bytes(8, "big")
    extensions = u16(b"\0\0\5" + index.to_bytes(5, "big"))
    if made.is_precert:
        return head + b"\0\1" + bytes(32) + u24(made.tbs) + extensions
    return head + b"\0\0" + u24(making.certificate(made.tbs)) + extensions


def tile(entries: Sequence[Made]) -> TileLeaves:
    data = b""
    for number, made in enumerate(entries):
        data += signed_part(made, START + number)
        data += u24(made.pre) if made.is_precert else b""
        data += u16(made.chain.ljust(32, b"\0")[: 31 if made.broken else 32])
    return TileLeaves.parse(data, START // 256, len(entries))


def get_entries(entries: Sequence[Made]) -> EntriesLeaves:
    rows = []
    for number, made in enumerate(entries):
        extra = u24(made.pre) if made.is_precert else b""
        extra += u24(u24(made.chain))
        if made.broken:
            extra += b"\0"
        rows.append(
            {
                "leaf_input": base64.b64encode(
                    b"\0\0" + signed_part(made, START + number)
                ).decode(),
                "extra_data": base64.b64encode(extra).decode(),
            }
        )
    body = json.dumps({"entries": rows}).encode()
    return EntriesLeaves.parse(body, START, len(entries))
