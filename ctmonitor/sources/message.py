"""
Messages of a certstream feed: what can be told from the raw bytes, and the parser.

Three shapes come on one connection: full and lite (`certificate_update`, with and
without `as_der` and `chain`) and domains-only (`dns_entries`). Servers differ in the
order of keys, in absent fields (null, left out, empty) and in what they get wrong.

Source: the servers of CaliDog (Elixir), d-Rickyy-b (Go) and reloading01 (Rust), as
recorded in tests/vectors/certstream.
"""

import binascii
import hashlib
import json
import re
from typing import Any

import msgspec

from ctmonitor.ct.certificate import key_sha256, tbs_sha256
from ctmonitor.errors import FormatError
from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import (
    SHA1_OF_NOTHING,
    SHA256_OF_NOTHING,
    Certificate,
    issuer_identity,
)
from ctmonitor.model.clock import from_epoch
from ctmonitor.model.text import shortened

# In JSON any character, also those of a key, may be written as \u0070. Other escapes
# (\n, \/, \") cannot hide a letter, so this is the one thing to look out for.
MARKS = (b"\\u",)

# A name list has commas and quotes; nobody's certificate needs more names than this,
# and it bounds what one message can cost (real ones have at most 2,000).
MAX_NAMES = 20_000
_MAX_INDEX = 2**63 - 1

_KEY_ID = re.compile(r"(?:[0-9A-Fa-f]{2}:){7,63}[0-9A-Fa-f]{2}")
_HEX = re.compile(r"[0-9a-f]+")

Span = tuple[int, int]


def is_heartbeat(frame: bytes) -> bool:
    """Whether a message is a sign of life without a certificate."""
    return len(frame) < 256 and b'"heartbeat"' in frame


def name_spans(frame: bytes) -> list[Span] | None:
    """
    The parts of a message, as [start, end), in which names of its certificate stand.

    Found by bytes, without parsing. Outside of them nothing that `parse` takes for a
    name occurs, provided that the message holds none of MARKS.

    Returns:
        None when the bytes do not tell: the message has to be parsed.
    """
    leaf = frame.find(b'"leaf_cert"')
    is_domains_only = b'"dns_entries"' in frame
    if leaf < 0 and is_domains_only:
        return _values(frame, b'"data"', b"[", b"]", 0, len(frame))
    if leaf < 0 or is_domains_only or frame.find(b'"leaf_cert"', leaf + 1) >= 0:
        return None  # the words may stand there as names, too
    # Go and Elixir send the chain before the leaf, Rust behind it.
    end = len(frame)
    chain = frame.find(b'"chain"', leaf)
    if chain >= 0 and _is_closed(frame[leaf:chain]):
        end = chain
    names = _values(frame, b'"all_domains"', b"[", b"]", leaf, end)
    subject = _values(frame, b'"subject"', b"{", b"}", leaf, end)
    return None if names is None or subject is None else names + subject


def _is_closed(part: bytes) -> bool:
    """Whether the object that begins in `part` has ended; False when in doubt."""
    if b'\\"' in part or b"\\\\" in part:
        return False  # quotes no longer tell what is a string
    structure = b"".join(part.split(b'"')[::2])
    return structure.count(b"{") == structure.count(b"}") > 0


def _values(
    frame: bytes, key: bytes, opening: bytes, closing: bytes, start: int, end: int
) -> list[Span] | None:
    """Where the flat lists or objects under `key` stand; None when one is not flat."""
    spans: list[Span] = []
    at = frame.find(key, start, end)
    while at >= 0:
        begin = at + len(key)
        while begin < at + len(key) + 4 and frame[begin : begin + 1] in (b":", b" "):
            begin += 1
        if frame.startswith(b"null", begin):
            stop = begin + 4
        else:
            stop = frame.find(closing, begin, end)
            inner = frame[begin + 1 : stop]
            if (
                stop < 0
                or not frame.startswith(opening, begin)
                or opening in inner
                or b"\\" in inner  # it may hide a quote
                or inner.count(b'"') % 2  # the closing bracket stands in a string
            ):
                return None
            spans.append((begin, stop))
        at = frame.find(key, stop, end)
    return spans


def position(frame: bytes) -> tuple[bytes, int] | None:
    """
    The log's address as sent and `cert_index`, from the raw bytes; None without them.
    """
    at = frame.find(b'"cert_index":', 0, 400)
    if at < 0 and (at := frame.rfind(b'"cert_index":')) < 0:
        return None
    source = frame.rfind(b'"source":{')
    url = frame.find(b'"url":"', source) + 7
    if source < 0 or url < 7:
        return None
    try:
        index = int(frame[at + 13 : frame.find(b",", at + 13, at + 40)])
    except ValueError:
        return None
    if not 0 <= index <= _MAX_INDEX:
        return None
    return frame[url : frame.find(b'"', url, url + 512)], index


def seen_epoch(frame: bytes) -> float | None:
    """`seen` in seconds since 1970, from the raw bytes; None without it."""
    at = frame.rfind(b'"seen":')
    if at < 0:
        return None
    number = re.match(rb"\s*(\d{1,12}(?:\.\d{1,9})?)", frame[at + 7 : at + 40])
    return float(number[1]) if number else None


def log_address(url: str) -> str:
    """A log's address in one form: with scheme, without trailing slash."""
    text = url.strip().rstrip("/")
    if not text:
        return ""
    return text if "://" in text else f"https://{text}"


def parse(frame: bytes, feed: str) -> tuple[Sighting | None, tuple[str, ...]]:
    """
    The sighting of a message, and what was wrong with it nevertheless.

    Args:
        frame: the payload of one websocket message.
        feed: address of the feed, for the sighting.

    Returns:
        None for a heartbeat. The defects are constants that count kinds, such as
        `all_domains: not a list`; what is wrong in one field leaves the others.

    Raises:
        FormatError: nothing of the message can be used.
    """
    message = _decoded(frame)
    if not isinstance(message, dict):
        raise FormatError("not a JSON object", type(message).__name__)
    kind, data = message.get("message_type"), message.get("data")
    if kind == "heartbeat":
        return None, ()
    if isinstance(data, list) and kind == "dns_entries":
        return _domains_only(data, feed)
    if not isinstance(data, dict):
        raise FormatError("data: other than message_type says", shortened(repr(kind)))
    leaf = data.get("leaf_cert")
    if not isinstance(leaf, dict):
        raise FormatError("leaf_cert: not an object", shortened(repr(kind)))
    return _certificate_update(data, leaf, feed)


def _decoded(frame: bytes) -> Any:
    try:
        try:
            return msgspec.json.decode(frame)
        except msgspec.DecodeError:
            if b"\\u" not in frame:
                raise
            # A name may hold one half of a surrogate pair, which only the standard
            # library takes; the other names of the message are none the worse for it.
            return json.loads(frame)
    except RecursionError:
        raise FormatError("JSON nested too deep") from None
    except ValueError as exc:  # of both libraries, UnicodeDecodeError included
        raise FormatError("broken JSON", shortened(str(exc))) from None


def _domains_only(
    data: list[Any], feed: str
) -> tuple[Sighting | None, tuple[str, ...]]:
    names = tuple(dict.fromkeys(n for n in data[:MAX_NAMES] if _is_name(n)))
    defects = _name_defects(data)
    return Sighting(names, feed, entry_type=""), defects


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _name_defects(data: list[Any]) -> tuple[str, ...]:
    defects = []
    if not all(isinstance(name, str) for name in data):
        defects.append("name: not a string")
    if len(data) > MAX_NAMES:
        defects.append(f"more than {MAX_NAMES} names")
    return tuple(defects)


class _Fields:
    """Reads fields of a JSON object by type, and notes what has another one."""

    def __init__(self) -> None:
        self.defects: list[str] = []

    def wrong(self, field: str, expected: str) -> None:
        self.defects.append(f"{field}: not {expected}")

    def text(self, source: dict[str, Any], key: str) -> str:
        value = source.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self.wrong(key, "a string")
        return ""

    def object(self, source: dict[str, Any], key: str) -> dict[str, Any]:
        value = source.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.wrong(key, "an object")
        return {}

    def hexadecimal(self, source: dict[str, Any], key: str, digits: int) -> str:
        value = self.text(source, key).replace(":", "").lower()
        if len(value) == digits and _HEX.fullmatch(value):
            return value
        if value:
            self.wrong(key, "a digest")
        return ""

    def serial(self, leaf: dict[str, Any]) -> int | None:
        """Hex with or without padding, in either case; the oldest servers send none."""
        text = self.text(leaf, "serial_number").replace(":", "").lower()
        if not text:
            return None
        # RFC 5280 section 4.1.2.2 allows 20 octets; real ones had up to 40.
        if len(text) <= 128 and _HEX.fullmatch(text):
            return int(text, 16)
        self.wrong("serial_number", "a number in hex")
        return None

    def index(self, data: dict[str, Any]) -> int | None:
        value = data.get("cert_index")
        if value is None:
            return None
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if is_integer and 0 <= value <= _MAX_INDEX:
            return int(value)
        self.wrong("cert_index", "an index")
        return None


def _certificate_update(
    data: dict[str, Any], leaf: dict[str, Any], feed: str
) -> tuple[Sighting | None, tuple[str, ...]]:
    fields = _Fields()
    listed = leaf.get("all_domains")
    if listed is None:
        listed = []
    elif not isinstance(listed, list):
        fields.wrong("all_domains", "a list")
        listed = []
    fields.defects.extend(_name_defects(listed))
    subject = fields.object(leaf, "subject")
    common_name = fields.text(subject, "CN")
    names = [name for name in listed[:MAX_NAMES] if _is_name(name)]
    if common_name:
        names.append(common_name)
    unique = tuple(dict.fromkeys(names))

    entry_type = fields.text(data, "update_type")
    source = fields.object(data, "source")
    sighting = Sighting(
        names=unique,
        feed=feed,
        certificate=_certificate(fields, data, leaf, unique, common_name),
        log=log_address(fields.text(source, "url")),
        log_name=fields.text(source, "name"),
        index=fields.index(data),
        entry_type=entry_type,
        seen=from_epoch(data.get("seen")),
        logged=from_epoch(source.get("timestamp", data.get("submission_timestamp"))),
        link=fields.text(data, "cert_link"),
    )
    return sighting, tuple(fields.defects)


def _certificate(
    fields: _Fields,
    data: dict[str, Any],
    leaf: dict[str, Any],
    names: tuple[str, ...],
    common_name: str,
) -> Certificate:
    issuer = fields.object(leaf, "issuer") or _first_subject(data)
    country, organisation, issuer_cn = (
        fields.text(issuer, k) for k in ("C", "O", "CN")
    )
    issuer_dn = fields.text(issuer, "aggregated") or "".join(
        f"/{key}={value}"
        for key, value in (("C", country), ("CN", issuer_cn), ("O", organisation))
        if value
    )
    extensions = fields.object(leaf, "extensions")
    key_id = _KEY_ID.search(fields.text(extensions, "authorityKeyIdentifier")[:400])
    sha1 = fields.hexadecimal(leaf, "fingerprint", 40)
    sha1 = sha1 or fields.hexadecimal(leaf, "sha1", 40)
    sha256 = fields.hexadecimal(leaf, "sha256", 64)
    tbs = key = ""
    if der := _der(fields.text(leaf, "as_der")):
        # The bytes know better than what a server says of them.
        sha1 = hashlib.sha1(der, usedforsecurity=False).hexdigest()
        sha256 = hashlib.sha256(der).hexdigest()
        try:
            tbs = tbs_sha256(der)
            key = key_sha256(der)
        except FormatError:
            fields.wrong("as_der", "a certificate")
    entry_type = data.get("update_type")
    return Certificate(
        names=names,
        subject_cn=common_name,
        issuer_dn=issuer_dn,
        issuer_id=issuer_identity(country, organisation, issuer_cn),
        authority_key_id=key_id[0].replace(":", "").lower() if key_id else "",
        serial=fields.serial(leaf),
        not_before=from_epoch(leaf.get("not_before")),
        not_after=from_epoch(leaf.get("not_after")),
        sha1="" if sha1 == SHA1_OF_NOTHING else sha1,
        sha256="" if sha256 == SHA256_OF_NOTHING else sha256,
        tbs_sha256=tbs,
        is_precert=entry_type == "PrecertLogEntry" if entry_type else None,
        issuer_organisation=organisation or issuer_cn,
        key_sha256=key,
    )


def _first_subject(data: dict[str, Any]) -> dict[str, Any]:
    """The first chain certificate's subject: before 2020 servers sent no issuer."""
    chain = data.get("chain")
    first = chain[0] if isinstance(chain, list) and chain else None
    subject = first.get("subject") if isinstance(first, dict) else None
    return subject if isinstance(subject, dict) else {}


def _der(text: str) -> bytes:
    """The bytes of `as_der`; empty for placeholders that servers and archives put."""
    try:
        der = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return b""
    return der if der[:1] == b"\x30" else b""
