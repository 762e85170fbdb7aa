"""
The sites that the scanner visits: a name server, TLS sites that are up, and dead hosts.

    python -m bench.sites FOLDER

All of it on loopback, in one process on the core of the load. A host's name says what
it is: `000001-up.bench.test` serves a page, `...-hang` accepts TCP and never answers
(on the port for http it refuses), `...-drop` lets every SYN fall.

Prints one JSON line: the ports, and the file of the authority. For each line that it
reads it prints what happened since the one before.
"""

import argparse
import asyncio
import json
import resource
import socket
import ssl
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ZONE = "bench.test"
ADDRESSES = {"up": "127.0.8.1", "hang": "127.0.8.2", "drop": "127.0.8.3"}
NETWORK = "127.0.8.0/24"

_PAGE_BYTES = 4096
_BACKLOG = 4096
_A, _NS, _MX = 1, 2, 15
_NXDOMAIN = 3
_IS_RESPONSE = 0x8580  # authoritative, recursion wanted and available
_TTL_S = 60


def host(kind: str, number: int) -> str:
    """The name of a host; `kind` is a key of `ADDRESSES`."""
    # By number in the order of names, too: a mixture, as in life, and not first all
    # of one kind.
    return f"{number:06d}-{kind}.{ZONE}"


def address(name: str) -> str | None:
    """Where a host is; None for a name that does not exist."""
    kind = name.removesuffix(f".{ZONE}").partition("-")[2]
    return ADDRESSES.get(kind) if name.endswith(f".{ZONE}") else None


def is_up(name: str) -> bool:
    """Whether `name` is one of those that serve a page."""
    return name.partition("-")[2].startswith("up.")


class Counts:
    """What came since it was last told."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.questions = 0
        self.open = self.most_open = 0
        self.first_s = 0.0
        self._cpu_s = _cpu_s()

    def connected(self) -> None:
        """A connection, over TCP alone or, at a site, with its TLS."""
        self.first_s = self.first_s or time.monotonic()
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)

    def told(self) -> dict[str, float]:
        """The counts, which begin anew."""
        told = {
            "connections": self.connections,
            "requests": self.requests,
            "questions": self.questions,
            "most_open": self.most_open,
            "first_s": self.first_s,
            "cpu_s": _cpu_s() - self._cpu_s,
        }
        self.connections = self.requests = self.questions = 0
        self.most_open, self.first_s, self._cpu_s = self.open, 0.0, _cpu_s()
        return told


class _Dead(asyncio.Protocol):
    """Says nothing."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counts.connected()

    def connection_lost(self, exc: Exception | None) -> None:
        self._counts.open -= 1


class _Site(_Dead):
    """Answers each request with the page."""

    def __init__(self, counts: Counts) -> None:
        super().__init__(counts)
        self._transport: asyncio.WriteTransport | None = None
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while self._transport is not None and b"\r\n\r\n" in self._heard:
            self._heard = self._heard.partition(b"\r\n\r\n")[2]
            self._counts.requests += 1
            self._transport.write(_ANSWER)


class _Names(asyncio.DatagramProtocol):
    """Knows `ZONE`; the hosts in it have an IPv4 address each and nothing else."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._counts.questions += 1
        if self._transport is not None:
            self._transport.sendto(answer(data), addr)


def answer(query: bytes) -> bytes:
    """The answer to a query with one question, spelled without compression."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii").lower())
        at += 1 + length
    question, kind = query[12 : at + 5], int.from_bytes(query[at + 1 : at + 3], "big")
    name = ".".join(labels)
    where = address(name)
    records, authority, code = b"", b"", 0
    if kind == _NS and name == ZONE:
        records = _record(b"\xc0\x0c", _NS, _wire(f"ns.{ZONE}"))
    elif kind == _A and where is not None:
        records = _record(b"\xc0\x0c", _A, socket.inet_aton(where))
    else:
        authority = _SOA
        code = 0 if where is not None or name == ZONE else _NXDOMAIN
    head = query[:2] + (_IS_RESPONSE | code).to_bytes(2, "big") + b"\0\1"
    counts = bytes((0, bool(records), 0, bool(authority), 0, 0))
    return head + counts + question + records + authority


def _wire(name: str) -> bytes:
    labels = name.split(".")
    return b"".join(bytes((len(x),)) + x.encode("ascii") for x in labels) + b"\0"


def _record(owner: bytes, kind: int, value: bytes) -> bytes:
    fixed = kind.to_bytes(2, "big") + b"\0\1" + _TTL_S.to_bytes(4, "big")
    return owner + fixed + len(value).to_bytes(2, "big") + value


_SOA = _record(
    _wire(ZONE), 6, _wire(f"ns.{ZONE}") + _wire(f"admin.{ZONE}") + b"\0\0\0\1" * 5
)


def _answer() -> bytes:
    head = "<!doctype html><html><head><title>Sign in to your account</title></head><p>"
    body = head.ljust(_PAGE_BYTES, "x").encode("ascii")
    lines = (
        "HTTP/1.1 200 OK",
        "Server: bench",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii") + body


_ANSWER = _answer()


def _tls(folder: Path) -> ssl.SSLContext:
    """A certificate for all hosts; it is its own authority, in `ca.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)

    def signed(name: str, of: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        is_ca = of is issuer_key
        builder = (
            x509.CertificateBuilder()
            .subject_name(_common_name(name))
            .issuer_name(_common_name("bench authority"))
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(of.public_key()),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    issuer_key.public_key()
                ),
                critical=False,
            )
            .add_extension(_key_usage(is_ca=is_ca), critical=True)
        )
        if not is_ca:
            names = x509.SubjectAlternativeName([x509.DNSName(f"*.{ZONE}")])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    authority = signed("bench authority", issuer_key)
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    chain = folder / "sites.pem"
    chain.write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed("bench sites", key).public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def _listening(where: str, port: int, backlog: int, stack: ExitStack) -> socket.socket:
    opened = stack.enter_context(socket.socket())
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((where, port))
    opened.listen(backlog)
    return opened


def _deaf(port: int, stack: ExitStack) -> None:
    """A listener whose queue is full: Linux drops every further SYN."""
    listening = _listening(ADDRESSES["drop"], port, 0, stack)
    for _ in range(3):  # one finds room, and another may while that is queued
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listening.getsockname())


async def _serve(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    counts = Counts()
    tls = _tls(folder)
    with ExitStack() as stack:
        up = _listening(ADDRESSES["up"], 0, _BACKLOG, stack)
        plain = _listening(ADDRESSES["up"], 0, _BACKLOG, stack)
        https, http = up.getsockname()[1], plain.getsockname()[1]
        hanging = _listening(ADDRESSES["hang"], https, _BACKLOG, stack)
        for port in (https, http):
            _deaf(port, stack)
        await loop.create_server(
            lambda: _Site(counts), sock=up, ssl=tls, backlog=_BACKLOG
        )
        await loop.create_server(lambda: _Site(counts), sock=plain, backlog=_BACKLOG)
        await loop.create_server(lambda: _Dead(counts), sock=hanging, backlog=_BACKLOG)
        asking = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        # A thousand hosts begin at once, with a few questions each.
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        asking.bind(("127.0.0.1", 0))
        await loop.create_datagram_endpoint(lambda: _Names(counts), sock=asking)
        ports = {"https": https, "http": http, "dns": asking.getsockname()[1]}
        print(json.dumps(ports), flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(counts.told()), flush=True)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="where the certificates are put")
    uvloop.run(_serve(parser.parse_args(argv).folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
