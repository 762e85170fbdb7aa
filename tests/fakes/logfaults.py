"""
What fake logs do wrong, by name: `front.faults = [fault("hang")]`.

Lies that are signed are not here but in `tests.fakes.log`: a log that shrank, forked,
has another key or another origin.
"""

import base64
import functools
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.api import Request
from tests.fakes.log import compressed
from tests.fakes.logserver import MOVED, Fault, Front, LogReply

BOMB_BYTES = 100_000_000

_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
_NOT_FOUND = LogReply(404, b"404 page not found\n", _TEXT)

_HEADS = r"^checkpoint$|^ct/v1/get-sth$"
_ENTRIES = r"^ct/v1/get-entries"
_DATA = r"^tile/data/"
_HASHES = r"^tile/\d/"
_BULK = rf"{_ENTRIES}|{_DATA}"


def _body(change: Callable[[bytes], bytes]) -> Callable[..., LogReply]:
    """Changes what is inside the body, below its compression."""

    def spoil(front: Front, request: Request, good: LogReply) -> LogReply:
        if good.status != 200:
            return good
        if good.headers.get("Content-Encoding") == "gzip":
            plain = zlib.decompress(good.body, wbits=31)
            return replace(good, body=compressed(change(plain)))
        return replace(good, body=change(good.body))

    return spoil


def _instead(reply: Callable[[], LogReply]) -> Callable[..., LogReply]:
    return lambda front, request, good: reply()


def _with_entries(change: Callable[[list[Any]], list[Any]]) -> Callable[..., LogReply]:
    def rewrite(body: bytes) -> bytes:
        return json.dumps({"entries": change(json.loads(body)["entries"])}).encode()

    return _body(rewrite)


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _flip_leaf(body: bytes) -> bytes:
    """Another timestamp in the first leaf_input: well framed, not what was hashed."""
    entries = json.loads(body)["entries"]
    leaf_input = _flip(base64.b64decode(entries[0]["leaf_input"]), 9)
    entries[0]["leaf_input"] = base64.b64encode(leaf_input).decode()
    return json.dumps({"entries": entries}).encode()


def _flip_proof(body: bytes) -> bytes:
    reply = json.loads(body)
    name = "consistency" if "consistency" in reply else "audit_path"
    if reply[name]:
        last = _flip(base64.b64decode(reply[name][-1]), 0)
        reply[name][-1] = base64.b64encode(last).decode()
    return json.dumps(reply).encode()


def _more_than_asked(front: Front, request: Request, good: LogReply) -> LogReply:
    query = parse_qs(urlsplit(request.path).query)
    start, end = int(query["start"][0]), int(query["end"][0]) + 1
    return replace(good, body=front.log.get_entries(start, end + 1))


@functools.cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return packer.compress(bytes(BOMB_BYTES)) + packer.flush()


def _bomb_reply() -> LogReply:
    return LogReply(200, _bomb(), {"Content-Encoding": "gzip"})


# Each as (where, how). Times of those that end by themselves are given with `fault`.
FAULTS: dict[str, tuple[str, Callable[[Front, Request, LogReply], LogReply]]] = {
    # what was asked for, but wrong
    "truncated tile": (_DATA, _body(lambda body: body[:-1])),
    "tile with less entries": (_DATA, _body(lambda body: body[: len(body) // 2])),
    "longer tile": (_DATA, _body(lambda body: body + b"\0" * 10)),
    "tile contradicts": (_DATA, _body(lambda body: _flip(body, 7))),
    "another tile": (
        _DATA,
        lambda front, request, good: replace(
            good, body=compressed(front.log.tile("tile/data/000") or b"")
        ),
    ),
    "hash tile contradicts": (_HASHES, _body(lambda body: _flip(body, 0))),
    "truncated hash tile": (_HASHES, _body(lambda body: body[:-1])),
    "longer hash tile": (_HASHES, _body(lambda body: body + bytes(32))),
    "empty hash tile": (_HASHES, _body(lambda _: b"")),
    "zero entries": (_ENTRIES, _with_entries(lambda _: [])),
    "more entries than asked": (_ENTRIES, _more_than_asked),
    "entries in wrong order": (_ENTRIES, _with_entries(lambda listed: listed[::-1])),
    "entry contradicts": (_ENTRIES, _body(_flip_leaf)),
    "wrong consistency proof": (r"get-sth-consistency", _body(_flip_proof)),
    "wrong inclusion proof": (r"get-proof|get-entry-and", _body(_flip_proof)),
    # no answer, or no end of it
    "gzip bomb": (_BULK, _instead(_bomb_reply)),
    "gzip bomb as head": (_HEADS, _instead(_bomb_reply)),
    "broken gzip": (
        _BULK,
        _instead(lambda: LogReply(200, b"\x1f\x8b..", {"Content-Encoding": "gzip"})),
    ),
    "endless body": (
        "",
        _instead(lambda: LogReply(body=b" " * 65536, is_endless=True)),
    ),
    "one byte a second": ("", lambda front, request, good: replace(good, drip_s=1.0)),
    "hang": ("", _instead(lambda: LogReply(is_silent=True))),
    "reset": ("", _instead(lambda: LogReply(is_reset=True))),
    "cut off": ("", lambda front, request, good: replace(good, missing=100)),
    # another answer
    "html with 200": (
        "",
        _instead(
            lambda: LogReply(200, b"<html>Maintenance", {"Content-Type": "text/html"})
        ),
    ),
    "empty body": ("", _instead(LogReply)),
    "redirect to another host": (
        "",
        _instead(lambda: LogReply(302, headers={"Location": "http://127.0.0.2:9/"})),
    ),
    "redirect to itself": (
        "",
        lambda front, request, good: LogReply(
            302, headers={"Location": front.url + request.path}
        ),
    ),
    "redirect to another scheme": (
        "",
        lambda front, request, good: LogReply(
            302, headers={"Location": "ftp" + front.url[4:] + request.path}
        ),
    ),
    "redirect within the log": (
        rf"^(?!{MOVED})",
        lambda front, request, good: LogReply(
            302, headers={"Location": front.url + MOVED + request.path}
        ),
    ),
    "too many requests": (
        "",
        _instead(lambda: LogReply(429, headers={"Retry-After": "1"})),
    ),
    "too many requests, no hint": ("", _instead(lambda: LogReply(429))),
    "unavailable": ("", _instead(lambda: LogReply(503, b"<html>503", _TEXT))),
    "not found": ("", _instead(lambda: _NOT_FOUND)),
    "no tiles": (r"^tile/", _instead(lambda: _NOT_FOUND)),
    "no consistency proofs": (r"get-sth-consistency", _instead(lambda: _NOT_FOUND)),
}


def fault(name: str, *, times: int | None = None, where: str | None = None) -> Fault:
    """
    A fault by its name in `FAULTS`.

    Args:
        times: for so many requests only.
        where: for these paths instead of the usual ones.
    """
    usual, spoil = FAULTS[name]
    return Fault(usual if where is None else where, spoil, times)


def busy(
    times: int | None = None,
    *,
    retry_after: str = "1",
    status: int = 429,
    where: str = "",
) -> Fault:
    """429 (or 503) with a Retry-After in seconds or as a date."""
    headers = {"Retry-After": retry_after}
    return Fault(
        where, lambda front, request, good: LogReply(status, headers=headers), times
    )
