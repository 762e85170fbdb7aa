"""
The peer of the logs: every certificate parsed by `cryptography`, matched by `re`.

    python -m bench.parsing http://127.0.0.1:8000/log/ 20480

It reads the data tiles of a static log, eight at a time by aiohttp, takes of each entry
what CT Moniteur tells of one (names, subject, issuer, validity, serial number, two
fingerprints), and looks for the keywords in each name. It verifies nothing and stores
and prints nothing, which is in its favour.

Prints one JSON line: entries, hits, seconds of the clock and of the processor from the
first request on, and the highest memory in use.
"""

import asyncio
import json
import re
import resource
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from bench.load import DEFAULT_KEYWORDS

_WIDTH = 256
_IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Parsed:
    """What is told of one entry."""

    timestamp_ms: int
    is_precert: bool
    domains: list[str]
    subject: dict[str, str]
    issuer: dict[str, str]
    not_before: datetime
    not_after: datetime
    serial_number: str
    fingerprints: dict[str, str]


def entries(tile: bytes) -> Iterator[Parsed]:
    """The entries of a data tile."""
    at = 0
    while at < len(tile):
        timestamp_ms, entry_type = struct.unpack_from(">QH", tile, at)
        at += 10 + (32 if entry_type else 0)
        der, at = _opaque(tile, at, 3)
        _, at = _opaque(tile, at, 2)  # extensions
        if entry_type:
            der, at = _opaque(tile, at, 3)  # the precertificate
        _, at = _opaque(tile, at, 2)  # fingerprints of the chain
        yield _parsed(timestamp_ms, bool(entry_type), der)


def _opaque(tile: bytes, at: int, length_bytes: int) -> tuple[bytes, int]:
    start = at + length_bytes
    end = start + int.from_bytes(tile[at:start], "big")
    return tile[start:end], end


def _parsed(timestamp_ms: int, is_precert: bool, der: bytes) -> Parsed:
    certificate = x509.load_der_x509_certificate(der)
    subject = _attributes(certificate.subject)
    domains = {subject["CN"]} if "CN" in subject else set()
    try:
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
        domains.update(names.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        pass
    return Parsed(
        timestamp_ms,
        is_precert,
        sorted(domains),
        subject,
        _attributes(certificate.issuer),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        f"{certificate.serial_number:X}",
        {
            "sha1": certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        },
    )


def _attributes(name: x509.Name) -> dict[str, str]:
    return {each.rfc4514_attribute_name: str(each.value) for each in name}


async def read(url: str, count: int) -> tuple[int, int]:
    """So many entries from the beginning of the log: entries and hits."""
    found = re.compile("|".join(DEFAULT_KEYWORDS), re.IGNORECASE).search
    paths = iter(range(count // _WIDTH))
    read = hits = 0

    async def reader(session: aiohttp.ClientSession) -> None:
        nonlocal read, hits
        for tile in paths:
            async with session.get(f"{url}tile/data/{tile:03d}") as response:
                response.raise_for_status()
                body = await response.read()
            for parsed in entries(body):
                read += 1
                hits += any(found(name) for name in parsed.domains)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(reader(session) for _ in range(_IN_FLIGHT)))
    return read, hits


def main(argv: list[str]) -> int:
    url, count = argv
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    read_entries, hits = asyncio.run(read(url, int(count)))
    result = {
        "entries": read_entries,
        "hits": hits,
        "seconds": round(time.monotonic() - began_s, 3),
        "cpu_seconds": round(time.process_time() - began_cpu_s, 3),
        "max_rss_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
