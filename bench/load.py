"""
A certstream feed made for measuring: far faster than any reader, or exactly paced.

    python bench/load.py --port 0 --kind lite --hits 0.01

A pool of 5,000 frames is rendered once, after the recorded frames in `tests/vectors`,
with new names, serial numbers and certificates. Only what has to change goes on
changing, in place: `cert_index`, which rises without a hole in each of five logs,
`seen`, and in frames that are hits everything that makes a finding distinct (host,
serial number, hashes, certificate).

Prints one JSON line when it listens (`port`, mean frame size) and one at the end of
each connection (messages, bytes and hits sent, when it began, seconds). A later
connection goes on where the one before stopped. With `--hold` it also prints a line
after each handshake, and sends nothing before a line comes on standard input: what
measures the client can look at it in between.
"""

import argparse
import base64
import hashlib
import itertools
import json
import math
import random
import re
import socket
import struct
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
)

DEFAULT_KEYWORDS = ("paypal", "apple", "account", "secure", "login")
VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "certstream"

SOURCES = 5
# A power of ten: a frame's last three digits of cert_index never change, and all
# frames of one log share the digits before them in each round through the pool.
FRAMES_PER_SOURCE = 1000
POOL = SOURCES * FRAMES_PER_SOURCE
CHUNK_BYTES = 256 * 1024  # handed to the system at once when blasting
MAX_ROUND = 1_000_000  # then the digits of one log would run into the next one's

# What is patched is written as a run of `~X~X~X`, in the width of the value.
FIELD = re.compile(rb"~([A-Z])(?:~\1)*~?")
WIDTHS = {"I": 7, "S": 14, "N": 9, "T": 16, "H": 32, "F": 59, "X": 95}


def blank(kind: str, width: int | None = None) -> str:
    """The placeholder of a field."""
    width = WIDTHS[kind] if width is None else width
    return (f"~{kind}" * width)[:width]


class Names:
    """Host names that look real and hold none of the keywords."""

    def __init__(self, seed: int, keywords: tuple[str, ...]) -> None:
        self._random = random.Random(seed)
        self._keywords = keywords

    def host(self) -> str:
        pick = self._random.choice
        while True:
            words = [
                "".join(
                    pick("bcdfghjklmnprstvwz") + pick("aeiou")
                    for _ in range(pick((2, 3, 3, 3)))
                )
                for _ in range(pick((1, 2, 2, 3)))
            ]
            if self._random.random() < 0.2:
                words.append(str(self._random.randrange(1000)))
            tld = pick(("com", "com", "com", "net", "org", "de", "io", "co.uk", "xyz"))
            host = f"{pick(('', '-')).join(words)}.{tld}"
            if not any(word in host for word in self._keywords):
                return host

    def set_of_names(self) -> list[str]:
        """The names of one certificate; most have one or two."""
        host = self.host()
        others = self._random.choice(
            (
                [],
                [],
                [f"www.{host}"],
                [f"*.{host}"],
                [f"{name}.{host}" for name in ("cpanel", "mail", "webmail", "www")],
            )
        )
        return [host, *others]


class Certificates:
    """Certificates for full frames; well-formed, their signatures are never asked."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject_key = rsa.generate_private_key(65537, 2048).public_key()
        self._now = datetime.now(UTC)
        self._issuers: dict[str | None, str] = {}

    def issuer(self, name: dict[str, str | None]) -> str:
        """What stands for an issuer's certificate in a chain, in base64."""
        known = name["aggregated"]
        if known not in self._issuers:
            der = self.issue(["issuer.invalid"], name, precert=False)
            self._issuers[known] = base64.b64encode(der).decode()
        return self._issuers[known]

    def issue(
        self, names: list[str], issuer: dict[str, str | None], *, precert: bool
    ) -> bytes:
        """
        The DER of a certificate of usual size.

        The serial number is 16 bytes; bytes 8 to 16 are ASCII `~S~S~S~S`.
        """
        common_name = [x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]
        serial = bytes([0x55, *self._random.randbytes(7)]) + b"~S~S~S~S"
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(common_name))
            .issuer_name(_distinguished_name(issuer))
            .public_key(self._subject_key)
            .serial_number(int.from_bytes(serial, "big"))
            .not_valid_before(self._now)
            .not_valid_after(self._now + timedelta(days=90))
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
                critical=False,
            )
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier(bytes(20), None, None), critical=False
            )
            .add_extension(
                x509.SubjectKeyIdentifier(self._random.randbytes(20)), critical=False
            )
            .add_extension(_ISSUER_LINKS, critical=False)
            .add_extension(_REVOCATION_LINKS, critical=False)
            .add_extension(_POLICIES, critical=False)
        )
        if precert:
            builder = builder.add_extension(x509.PrecertPoison(), critical=True)
        else:
            oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
            scts = self._sct() + self._sct()
            listed = len(scts).to_bytes(2, "big") + scts
            value = b"\x04\x81" + bytes([len(listed)]) + listed  # OCTET STRING
            extension = x509.UnrecognizedExtension(oid, value)
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.DER)

    def _sct(self) -> bytes:
        """A SignedCertificateTimestamp with its length before it (RFC 6962, 3.2)."""
        sct = b"\x00"  # version 1
        sct += self._random.randbytes(32)  # log id
        sct += int(self._now.timestamp() * 1000).to_bytes(8, "big")  # timestamp
        sct += b"\x00\x00"  # no extensions
        sct += b"\x04\x03"  # sha256, ecdsa
        sct += b"\x00\x48" + self._random.randbytes(72)  # signature
        return len(sct).to_bytes(2, "big") + sct


_ISSUER_LINKS = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.OCSP, "http://ocsp.bench.example/r12"),
            (AuthorityInformationAccessOID.CA_ISSUERS, "http://ca.bench.example/r12"),
        )
    ]
)
_REVOCATION_LINKS = x509.CRLDistributionPoints(
    [
        x509.DistributionPoint(
            [x509.UniformResourceIdentifier("http://crl.bench.example/r12/57.crl")],
            None,
            None,
            None,
        )
    ]
)
_POLICIES = x509.CertificatePolicies(
    [x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)]
)


def _distinguished_name(parts: dict[str, str | None]) -> x509.Name:
    oids = {
        "C": NameOID.COUNTRY_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "CN": NameOID.COMMON_NAME,
    }
    return x509.Name(
        [x509.NameAttribute(oids[k], v) for k, v in parts.items() if k in oids and v]
    )


def colons(digest: bytes) -> str:
    return digest.hex(":").upper()


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for; shares are 0..1."""

    kind: str
    hits: float
    issuer_noise: float
    keywords: tuple[str, ...]
    fragment: bool
    timestamped: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Field:
    kind: str
    start: int
    end: int


class Pool:
    """
    The frames, one behind the other in one buffer, and what is patched in them.

    Message number m is slot m % POOL in round m // POOL; it determines all that the
    message says but the time.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        chosen = random.Random(options.seed)
        hit_slots = set(chosen.sample(range(POOL), round(POOL * options.hits)))
        self.hits_before = [
            0,
            *itertools.accumulate(s in hit_slots for s in range(POOL)),
        ]
        self._ders: dict[int, bytes] = {}
        frames = self._frames(hit_slots)
        self.buffer = bytearray()
        self.starts = [0]
        self._fields: list[list[Field]] = []
        for payload in frames:
            self._append(payload)
        # Written once and never resized: views of the fields make patching cheap.
        self.view = memoryview(self.buffer)
        self.chunks = self._cut_chunks()
        self._seen_second = [-1] * len(self.chunks)
        self._index_views: list[list[list[memoryview]]] = []
        self._seen_views: list[list[memoryview]] = []
        for first, end in self.chunks:
            index: list[list[memoryview]] = [[] for _ in range(SOURCES)]
            seen = []
            for slot in range(first, end):
                for field in self._fields[slot]:
                    view = self.view[field.start : field.end]
                    if field.kind == "I":
                        index[slot % SOURCES].append(view)
                    elif field.kind == "S":
                        seen.append(view)
            self._index_views.append(index)
            self._seen_views.append(seen)

    def hits_among(self, messages: int) -> int:
        """How many of the first so many messages are hits."""
        rounds, slot = divmod(messages, POOL)
        return rounds * self.hits_before[-1] + self.hits_before[slot]

    def freshen_chunk(self, chunk: int, round_: int) -> None:
        """Makes a chunk say what its messages of this round say."""
        for source, views in enumerate(self._index_views[chunk]):
            digits = self._high_digits(source, round_)
            for view in views:
                view[:] = digits
        now_s = time.time()
        if int(now_s) != self._seen_second[chunk]:
            self._seen_second[chunk] = int(now_s)
            text = b"%.3f" % now_s
            for view in self._seen_views[chunk]:
                view[:] = text
        first, end = self.chunks[chunk]
        if self.hits_before[first] != self.hits_before[end]:
            for slot in range(first, end):
                if self.hits_before[slot] != self.hits_before[slot + 1]:
                    self._freshen_hit(slot, round_, now_s)

    def freshen_message(self, slot: int, round_: int) -> None:
        """Makes one message say what it says in this round, at this moment."""
        now_s = time.time()
        values = {
            "I": self._high_digits(slot % SOURCES, round_),
            "S": b"%.3f" % now_s,
        }
        for field in self._fields[slot]:
            if field.kind in values:
                self.view[field.start : field.end] = values[field.kind]
        if self.hits_before[slot] != self.hits_before[slot + 1]:
            self._freshen_hit(slot, round_, now_s)

    def _freshen_hit(self, slot: int, round_: int, now_s: float) -> None:
        number = b"%09d" % self.hits_among(round_ * POOL + slot)
        sent_us = b"%016d" % int(now_s * 1e6)
        serial = bytes.fromhex("5500000000000000") + b"%08x" % int(number)
        values = {"N": number, "T": sent_us, "H": serial.hex().upper().encode()}
        der = serial
        if slot in self._ders:
            der = self._ders[slot].replace(blank("N").encode(), number)
            der = der.replace(blank("T").encode(), sent_us)
            der = SERIAL_IN_DER.sub(lambda _: b"\x02\x10" + serial, der, count=1)
            values["D"] = base64.b64encode(der)
        values["F"] = colons(hashlib.sha1(der, usedforsecurity=False).digest()).encode()
        values["X"] = colons(hashlib.sha256(der).digest()).encode()
        for field in self._fields[slot]:
            if field.kind in values:
                self.view[field.start : field.end] = values[field.kind]

    @staticmethod
    def _high_digits(source: int, round_: int) -> bytes:
        return b"%07d" % ((source + 1) * MAX_ROUND + round_)

    def _append(self, payload: bytes) -> None:
        """Adds one message as one frame, or as two that are cut outside of fields."""
        spans = [(m.group(1).decode(), m.span()) for m in FIELD.finditer(payload)]
        cut = len(payload)
        if self._options.fragment:
            cut = len(payload) // 2
            while any(start < cut < end for _, (start, end) in spans):
                cut += 1
        base = len(self.buffer)
        head = frame_head(0x01 if cut < len(payload) else 0x81, cut)
        self.buffer += head + payload[:cut]
        second = b""
        if cut < len(payload):
            second = frame_head(0x80, len(payload) - cut)
            self.buffer += second + payload[cut:]
        self._fields.append(
            [
                Field(kind, start + shift, end + shift)
                for kind, (start, end) in spans
                for shift in [base + len(head) + (len(second) if start >= cut else 0)]
            ]
        )
        self.starts.append(len(self.buffer))

    def _cut_chunks(self) -> list[tuple[int, int]]:
        chunks, first = [], 0
        for slot in range(1, POOL + 1):
            if self.starts[slot] - self.starts[first] >= CHUNK_BYTES or slot == POOL:
                chunks.append((first, slot))
                first = slot
        return chunks

    def _frames(self, hit_slots: set[int]) -> list[bytes]:
        options = self._options
        names = Names(options.seed, options.keywords)
        hit_host = f"{'-'.join(hit_words(options.keywords))}-{blank('N')}"
        hit_host += f"-{blank('T')}" if options.timestamped else ""
        hit_host += ".example.com"
        slots = range(POOL)
        of_slot = [
            [hit_host] if s in hit_slots else names.set_of_names() for s in slots
        ]
        if options.kind == "domains":
            return [
                _json({"data": of_slot[s], "message_type": "dns_entries"})
                for s in slots
            ]
        templates = load_templates(options.kind)
        chosen = random.Random(options.seed)
        certificates = Certificates(options.seed)
        now_s = time.time()
        frames = []
        for slot in slots:
            message = json.loads(templates[slot % len(templates)])
            data, leaf = message["data"], message["data"]["leaf_cert"]
            hit = slot in hit_slots
            _rename(leaf, of_slot[slot])
            if not hit and chosen.random() < options.issuer_noise:
                _rename_issuer(data)
            _place_in_log(data, slot, now_s)
            if options.kind == "full":
                self._certify(data, slot, certificates, hit=hit)
            if hit:
                leaf["serial_number"] = blank("H")
                leaf["fingerprint"] = leaf["sha1"] = blank("F")
                leaf["sha256"] = blank("X")
            elif options.kind == "lite":
                leaf["serial_number"] = chosen.randbytes(16).hex().upper()
                leaf["fingerprint"] = leaf["sha1"] = colons(chosen.randbytes(20))
                leaf["sha256"] = colons(chosen.randbytes(32))
            frames.append(_unquoted_numbers(_json(message)))
        return frames

    def _certify(
        self, data: dict[str, Any], slot: int, certificates: Certificates, *, hit: bool
    ) -> None:
        """Gives a full frame its certificate, and a chain of one."""
        leaf = data["leaf_cert"]
        precert = data["update_type"] == "PrecertLogEntry"
        der = certificates.issue(leaf["all_domains"], leaf["issuer"], precert=precert)
        if hit:
            self._ders[slot] = der
            leaf["as_der"] = blank("D", len(base64.b64encode(der)))
        else:
            leaf["as_der"] = base64.b64encode(der).decode()
            leaf["serial_number"] = SERIAL_IN_DER.findall(der)[0].hex().upper()
            leaf["sha1"] = colons(hashlib.sha1(der, usedforsecurity=False).digest())
            leaf["fingerprint"] = leaf["sha1"]
            leaf["sha256"] = colons(hashlib.sha256(der).digest())
        chain = data["chain"] = data["chain"][:1]
        # The Rust server leaves it out, the Go server sends it: this is the Go size.
        chain[0]["as_der"] = certificates.issuer(leaf["issuer"])


# The serial number of `Certificates.issue`: INTEGER, 16 bytes.
SERIAL_IN_DER = re.compile(rb"(?s)\x02\x10(\x55.{7}~S~S~S~S)")


def hit_words(keywords: tuple[str, ...]) -> tuple[str, str]:
    """Two keywords that make a host a hit at threshold 2; the usual ones if there."""
    if {"login", "paypal"} <= set(keywords):
        return "login", "paypal"
    return keywords[0], keywords[1]


def load_templates(kind: str) -> list[str]:
    """Recorded messages without any default keyword outside of their base64."""
    lines: list[str] = []
    for name in ("rust_live_ct", "go_1.9_rfc6962"):
        lines += (VECTORS / f"{name}_{kind}.jsonl").read_text("utf-8").splitlines()
    unwanted = re.compile("|".join(DEFAULT_KEYWORDS), re.IGNORECASE)
    binary = re.compile(r'"as_der":"[^"]*"')
    return [line for line in lines if not unwanted.search(binary.sub("", line))]


def _rename(leaf: dict[str, Any], names: list[str]) -> None:
    leaf["all_domains"] = names
    leaf["extensions"]["subjectAltName"] = ", ".join(f"DNS:{name}" for name in names)
    leaf["subject"]["CN"] = names[0]
    leaf["subject"]["aggregated"] = f"/CN={names[0]}"


def _rename_issuer(data: dict[str, Any]) -> None:
    """An issuer whose own name holds a keyword, as that of every eighth certificate."""
    name = "Sectigo RSA Domain Validation Secure Server CA"
    issuer = data["leaf_cert"]["issuer"]
    issuer.update(C="GB", CN=name, O="Sectigo Limited")
    issuer["aggregated"] = f"/C=GB/CN={name}/O=Sectigo Limited"
    for certificate in data.get("chain", [])[:1]:
        certificate["subject"] = issuer


def _place_in_log(data: dict[str, Any], slot: int, now_s: float) -> None:
    position, source = divmod(slot, SOURCES)
    url = f"https://log{source}.bench.example/2026h2/"
    index = f"{blank('I')}{position:03d}"
    data["cert_index"] = index
    data["cert_link"] = f"{url}ct/v1/get-entries?start={index}&end={index}"
    data["seen"] = blank("S")
    data["source"].update(name=f"Bench 'log{source}'", url=url)
    for holder, key in ((data, "submission_timestamp"), (data["source"], "timestamp")):
        if key in holder:
            holder[key] = round(now_s, 3)


def _json(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def _unquoted_numbers(payload: bytes) -> bytes:
    """The placeholders of cert_index and seen stand for numbers, not for strings."""
    return re.sub(rb'"((?:cert_index|seen))":"([^"]*)"', rb'"\1":\2', payload)


def frame_head(first: int, size: int) -> bytes:
    """The header of an unmasked frame (RFC 6455, section 5.2)."""
    if size < 126:
        return bytes([first, size])
    if size < 2**16:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)


class Connection:
    """One client: its handshake, and a thread that reads what it sends."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._pongs: deque[bytes] = deque()
        self.left = threading.Event()
        self._pending = bytearray()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._handshake()
        self._reader = threading.Thread(target=self._read_all, daemon=True)
        self._reader.start()

    def send(self, frames: memoryview) -> None:
        """Whole frames; between them is the place for answers to pings."""
        while self._pongs:
            self._socket.sendall(self._pongs.popleft())
        self._socket.sendall(frames)

    def finish(self) -> None:
        """Closes in order; a slow client gets half a minute to read what is there."""
        try:
            self._socket.sendall(b"\x88\x02\x03\xe8")
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the client was quicker
        if not self.left.wait(30):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
        self._reader.join()
        self._socket.close()

    def _handshake(self) -> None:
        while b"\r\n\r\n" not in self._pending:
            more = self._socket.recv(4096)
            if not more or len(self._pending) > 65536:
                raise ConnectionError("no websocket request came")
            self._pending += more
        head, _, rest = bytes(self._pending).partition(b"\r\n\r\n")
        self._pending = bytearray(rest)
        found = re.search(rb"(?im)^sec-websocket-key: *(\S+)", head)
        if found is None:
            raise ConnectionError("the request has no Sec-WebSocket-Key")
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        digest = hashlib.sha1(found.group(1) + guid, usedforsecurity=False).digest()
        self._socket.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
            + base64.b64encode(digest)
            + b"\r\n\r\n"
        )

    def _read_all(self) -> None:
        try:
            while (frame := self._read_frame()) is not None:
                opcode, payload = frame
                if opcode == 0x8:
                    break
                if opcode == 0x9:
                    self._pongs.append(frame_head(0x8A, len(payload)) + payload)
        except OSError:
            pass  # the client left without a close frame
        self.left.set()

    def _read_frame(self) -> tuple[int, bytes] | None:
        """Control frames only, which are at most 125 bytes long and masked."""
        while len(self._pending) < 2 or len(self._pending) < self._frame_size():
            more = self._socket.recv(4096)
            if not more:
                return None
            self._pending += more
        size = self._frame_size()
        mask, payload = self._pending[2:6], self._pending[6:size]
        opcode = self._pending[0] & 0x0F
        del self._pending[:size]
        return opcode, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def _frame_size(self) -> int:
        return 6 + (self._pending[1] & 0x7F)


class Sender:
    """Sends the pool round after round; `sent` goes on over connections."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.sent = 0
        self.bytes = 0

    def blast(self, client: Connection, until: int, end_s: float) -> None:
        """As fast as the client reads, up to message number `until` or time `end_s`."""
        pool = self._pool
        while self.sent < until and not client.left.is_set():
            round_, slot = divmod(self.sent, POOL)
            chunk = next(
                number for number, (_, end) in enumerate(pool.chunks) if slot < end
            )
            for number in range(chunk, len(pool.chunks)):
                if self.sent >= until or client.left.is_set():
                    return
                if time.monotonic() >= end_s:
                    return
                pool.freshen_chunk(number, round_)
                end = min(pool.chunks[number][1], slot + until - self.sent)
                self._send(client, slot, end)
                slot = end

    def pace(self, client: Connection, until: int, end_s: float, rate: float) -> None:
        """Each message by itself, `rate` of them a second; late ones at once."""
        first, began = self.sent, time.monotonic()
        while self.sent < until and not client.left.is_set():
            ahead_s = (self.sent - first) / rate - (time.monotonic() - began)
            if ahead_s > 0:
                time.sleep(ahead_s)
            if time.monotonic() >= end_s:
                return
            round_, slot = divmod(self.sent, POOL)
            self._pool.freshen_message(slot, round_)
            self._send(client, slot, slot + 1)

    def _send(self, client: Connection, slot: int, end: int) -> None:
        frames = self._pool.view[self._pool.starts[slot] : self._pool.starts[end]]
        client.send(frames)
        self.sent += end - slot
        self.bytes += len(frames)


class Arguments(argparse.Namespace):
    port: int
    kind: str
    messages: int
    seconds: float
    hold: bool
    rate: float
    hits: float
    issuer_noise: float
    keywords: tuple[str, ...]
    fragment: str
    timestamped: bool
    connections: int
    seed: int


def tell(**values: object) -> None:
    print(json.dumps(values), flush=True)  # a program waits for this line


def serve(sender: Sender, pool: Pool, client: Connection, args: Arguments) -> None:
    if args.hold:
        tell(connected=True)
        sys.stdin.readline()
    began_s, sent, size = time.monotonic(), sender.sent, sender.bytes
    end_s = began_s + args.seconds if args.seconds else math.inf
    until = sent + args.messages if args.messages else MAX_ROUND * POOL
    try:
        if args.rate:
            sender.pace(client, until, end_s, args.rate)
        else:
            sender.blast(client, until, end_s)
    except OSError:
        client.left.set()  # what was on its way to it is lost and not counted
    seconds = time.monotonic() - began_s
    complete = not client.left.is_set()
    client.finish()
    tell(
        messages=sender.sent - sent,
        bytes=sender.bytes - size,
        hits=pool.hits_among(sender.sent) - pool.hits_among(sent),
        began_s=round(began_s, 6),  # of the clock that is the same in all processes
        seconds=round(seconds, 3),
        complete=complete,
    )


def share(text: str) -> float:
    value = float(text)
    if value and not 1 / POOL <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or {1 / POOL}..1")
    return value


def keyword_list(text: str) -> tuple[str, ...]:
    """`default`, or a file with one keyword a line."""
    if text == "default":
        return DEFAULT_KEYWORDS
    words = tuple(
        line.strip().lower() for line in Path(text).read_text("utf-8").splitlines()
    )
    words = tuple(word for word in words if word)
    if len(words) < 2:
        raise argparse.ArgumentTypeError(f"{text} holds fewer than two keywords")
    return words


def parse(argv: list[str]) -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    add = parser.add_argument
    add("--port", type=int, default=0, help="0: any free one, which is printed")
    add("--kind", choices=("lite", "full", "domains"), default="lite")
    add("--messages", type=int, default=0, help="a connection; 0: without end")
    add("--seconds", type=float, default=0, help="a connection; 0: without end")
    add("--hold", action="store_true", help="send when a line comes on stdin")
    add("--rate", type=float, default=0, help="messages a second; 0: all it can")
    add("--hits", type=share, default=0.01, help="share of messages that are hits")
    add("--issuer-noise", type=share, default=0.0, help='share of "Secure Server CA"')
    add("--keywords", type=keyword_list, default="default", metavar="FILE")
    add("--fragment", choices=("no", "yes"), default="no", help="two frames a message")
    add("--timestamped", action="store_true", help="hits name the microsecond sent")
    add("--connections", type=int, default=0, help="end after so many; 0: never")
    add("--seed", type=int, default=1)
    return parser.parse_args(argv, namespace=Arguments())


def main(argv: list[str]) -> int:
    args = parse(argv)
    pool = Pool(
        Options(
            kind=args.kind,
            hits=args.hits,
            issuer_noise=args.issuer_noise,
            keywords=args.keywords,
            fragment=args.fragment == "yes",
            timestamped=args.timestamped,
            seed=args.seed,
        )
    )
    sender = Sender(pool)
    with socket.create_server(("127.0.0.1", args.port)) as listener:
        port = listener.getsockname()[1]
        mean = round(len(pool.buffer) / POOL)
        tell(port=port, kind=args.kind, pool=POOL, mean_bytes=mean)
        served = 0
        while not args.connections or served < args.connections:
            connection, _ = listener.accept()
            try:
                client = Connection(connection)
            except OSError as exc:
                connection.close()
                print(f"a connection without a feed: {exc}", file=sys.stderr)
                continue
            serve(sender, pool, client, args)
            served += 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
