"""
Entries as lines: for people, as JSON in CT Moniteur's names, as certstream messages.

Lines are ASCII where a terminal could act on a character: in text it is an escape as
`model.text.printable` writes it, in JSON one of JSON's own.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha1, sha256
from typing import Any

import msgspec

from ctmonitor.ct.details import RDN, Details, details_of, rfc4514
from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.x509 import certificate_of
from ctmonitor.errors import FormatError
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.text import printable
from ctmonitor.stream.entry import Entry, colons

_ENCODER = msgspec.json.Encoder()
_DELETE = b"\x7f"

# The attributes that certstream messages have, in their order.
_CERTSTREAM_NAMES = {
    "2.5.4.6": "C",
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.8": "ST",
}
_EMAIL = "1.2.840.113549.1.9.1"
# Of a chain, which real logs serve with some 10 kB; it may fill an entry of 16 MB.
_MOST_ISSUERS = 20
_MOST_CHAIN_BYTES = 256 * 1024


def text_line(entry: Entry) -> str:
    """`[2026-11-21T15:04:05.123Z] https://log.example/2026 - [a.example, b.test]`."""
    names = ", ".join(printable(name) for name in entry.domains)
    line = f"[{_time(entry.timestamp)}] {printable(entry.log_url)} - [{names}]"
    if entry.malformed:
        line += f" (entry {entry.index} is malformed: {printable(entry.malformed)})"
    return line


def json_line(entry: Entry) -> bytes:
    """
    An object with CT Moniteur's names; `docs/library.md` describes it.
    """
    return _encoded(as_object(entry))


def as_object(entry: Entry) -> dict[str, Any]:
    """The same, not encoded."""
    details = details_of(entry.signed, is_tbs=entry.is_precert, with_extensions=False)
    told: dict[str, Any] = {
        "timestamp": entry.timestamp_ms,
        "entry_type": entry.entry_type,
        "source": {
            "index": entry.index,
            "log": {
                "url": entry.log_url,
                "name": entry.log_name,
                "operator": entry.log_operator,
            },
        },
        "domains": entry.domains,
        "subject": rfc4514(details.subject),
        "issuer": rfc4514(details.issuer),
        "not_before": _iso(entry.not_before),
        "not_after": _iso(entry.not_after),
        "serial_number": entry.serial_number,
        "fingerprints": entry.fingerprints,
    }
    if entry.malformed:
        told["malformed"] = entry.malformed
    if details.truncated:
        told["truncated"] = details.truncated
    return told


# Messages of a certstream server


def certstream_domains(entry: Entry) -> bytes | None:
    """A `dns_entries` message; None when the entry could not be read."""
    if entry.certificate is None:
        return None
    return _encoded({"data": entry.domains, "message_type": "dns_entries"})


def certstream_update(entry: Entry, seen: datetime, *, is_full: bool) -> bytes | None:
    """
    A `certificate_update` message, full or lite; None when the entry could not be read.

    Args:
        seen: when the entry was received.
    """
    certificate, raw = entry.certificate, entry.raw
    if certificate is None or raw is None:
        return None
    details = details_of(entry.signed, is_tbs=entry.is_precert)
    leaf = _leaf_cert(
        certificate,
        details,
        entry.domains,
        entry.der if is_full else b"",
        is_precert=entry.is_precert,
    )
    data: dict[str, Any] = {"cert_index": entry.index, "cert_link": entry.link}
    if is_full and raw.chain:
        told = _first_issuers(raw.chain)
        data["chain"] = [_issuer(der) for der in told]
        if len(told) < len(raw.chain):
            data["truncated"] = ["chain"]
    data |= {
        "leaf_cert": leaf,
        "seen": round(seen.timestamp(), 3),
        "source": {
            "name": entry.log_name,
            "url": entry.log_url,
            "timestamp": raw.timestamp_ms / 1000,
            "type": "tiled" if entry.log.is_tiled else "rfc6962",
        },
        "update_type": entry.entry_type,
    }
    return _encoded({"data": data, "message_type": "certificate_update"})


def _leaf_cert(
    certificate: Certificate,
    details: Details,
    domains: Sequence[str],
    der: bytes,
    *,
    is_precert: bool,
) -> dict[str, Any]:
    extensions: dict[str, object] = dict(details.extensions)
    if is_precert:
        extensions["ctlPoisonByte"] = True
    told: dict[str, Any] = {"all_domains": domains}
    if der:
        told["as_der"] = b64encode(der).decode()
    if details.truncated:
        told["truncated"] = details.truncated
    fingerprint = colons(certificate.sha1)
    return told | {
        "extensions": extensions,
        "fingerprint": fingerprint,
        "sha1": fingerprint,
        "sha256": colons(certificate.sha256),
        "not_after": _seconds(certificate.not_after),
        "not_before": _seconds(certificate.not_before),
        "serial_number": _octets(certificate.serial),
        "signature_algorithm": details.algorithm,
        "subject": _name(details.subject),
        "issuer": _name(details.issuer),
        "is_ca": details.is_ca,
    }


def _first_issuers(chain: Sequence[bytes]) -> Sequence[bytes]:
    room = _MOST_CHAIN_BYTES
    for number, der in enumerate(chain):
        room -= len(der)
        if room < 0 or number == _MOST_ISSUERS:
            return chain[:number]
    return chain


def _issuer(der: bytes) -> dict[str, Any]:
    """One certificate of a chain, in the shape of `leaf_cert`."""
    entry = LogEntry(0, 0, False, der, b"")
    try:
        certificate, _ = certificate_of(entry)
    except FormatError:
        certificate = Certificate(
            (),
            sha1=sha1(der, usedforsecurity=False).hexdigest(),
            sha256=sha256(der).hexdigest(),
        )
    details = details_of(der)
    domains = () if details.is_ca else certificate.names
    return _leaf_cert(certificate, details, domains, der, is_precert=False)


def _name(rdns: Sequence[RDN]) -> dict[str, str | None]:
    parts: dict[str, str] = {}
    email = None
    for rdn in rdns:
        for kind, text in rdn:
            letters = _CERTSTREAM_NAMES.get(kind)
            # The last common name is the most specific; of the others servers tell
            # the first.
            if letters is not None and (letters == "CN" or letters not in parts):
                parts[letters] = text
            elif kind == _EMAIL and email is None:
                email = text
    name: dict[str, str | None] = {
        letters: parts.get(letters) for letters in ("C", "CN", "L", "O", "OU", "ST")
    }
    name["CN"] = parts.get("CN", "")
    name["aggregated"] = "".join(
        f"/{letters}={name[letters]}"
        for letters in _CERTSTREAM_NAMES.values()
        if name[letters] is not None
    )
    name["email_address"] = email
    return name


def _encoded(told: Mapping[str, Any]) -> bytes:
    line = _ENCODER.encode(told)
    if not line.isascii() or _DELETE in line:
        # Characters that a terminal or a line-based program may act on hide among
        # those beyond ASCII.
        text = json.dumps(told, separators=(",", ":"), default=list)
        return text.encode().replace(_DELETE, b"\\u007f")
    return line


def _octets(serial: int | None) -> str:
    """Whole octets in hex, upper case."""
    if serial is None:
        return ""
    digits = f"{abs(serial):X}"
    return digits if len(digits) % 2 == 0 else "0" + digits


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(moment: datetime | None) -> str:
    if moment is None:
        return "-"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
