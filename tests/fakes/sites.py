"""
Web sites on loopback, good and hostile, with TLS and without.

    with Sites() as sites:
        sites.plain("127.0.8.1", page(b"<title>Sign in</title>"))
        sites.tls("127.0.8.1", endless(b"HTTP/1.1 200 OK\\r\\n\\r\\n"), context)
        ...  # visit with http_ports=(sites.http_port,), https_ports=(sites.https_port,)

All plain sites share one port and all TLS sites another, as on the internet. A script
gets the connection after the head of a request was read; it may send what it likes.
"""

import contextlib
import os
import random
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_MAX_HEAD_BYTES = 64 * 1024
_ATTEMPTS = 20
_WORKERS, _PORTS = 8, 1500
_PAUSE_S = 0.02
_FILL = 3


@dataclass(frozen=True, slots=True)
class Visit:
    """
    One request: its head as it came, and the open connection.

    Args:
        stopping: is set when the server ends; scripts that wait look at it.
    """

    head: bytes
    connection: socket.socket
    stopping: threading.Event

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    def header(self, name: str) -> str:
        """A header's value; '' without."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.decode("latin-1").partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return ""

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def drip(self, data: bytes) -> None:
        """Sends `data` again and again, slowly, until the client or the test ends."""
        while not self.stopping.wait(_PAUSE_S):
            self.send(data)


# True when another request may follow on the connection.
Script = Callable[[Visit], bool | None]


def page(
    body: bytes = b"",
    *,
    status: str = "200 OK",
    content_type: str = "text/html",
    headers: Sequence[str] = (),
) -> Script:
    """An answer in good order."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body)}",
        f"Content-Type: {content_type}",
        *headers,
        "",
        "",
    ]
    answer = "\r\n".join(lines).encode("latin-1") + body

    def script(visit: Visit) -> bool:
        visit.send(answer)
        return True

    return script


def redirect(location: str, status: str = "302 Found") -> Script:
    return page(status=status, headers=[f"Location: {location}"])


def raw(answer: bytes) -> Script:
    """Any bytes, then the end of the connection."""
    return lambda visit: visit.send(answer)


def dripping(start: bytes, again: bytes) -> Script:
    """`start` at once, then `again` slowly and without end."""

    def script(visit: Visit) -> None:
        visit.send(start)
        visit.drip(again)

    return script


def endless(start: bytes, again: bytes = b"x" * 65536) -> Script:
    """`start`, then `again` as fast as the client takes it."""

    def script(visit: Visit) -> None:
        visit.send(start)
        while not visit.stopping.is_set():
            visit.send(again)

    return script


def by_target(scripts: dict[str, Script]) -> Script:
    """Different answers by target; 404 for the others."""
    missing = page(b"", status="404 Not Found")
    return lambda visit: scripts.get(visit.target, missing)(visit)


@dataclass(slots=True)
class Site:
    """
    A running site.

    Args:
        connections: how many were accepted, also when TLS failed on them.
    """

    script: Script
    connections: int = 0
    visits: list[Visit] = field(default_factory=list)


class Sites:
    """Servers on addresses of 127.0.0.0/8; a context manager that stops them."""

    def __init__(self) -> None:
        self.http_port = _free_port()
        self.https_port = _free_port()
        self._stopping = threading.Event()
        self._listeners: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self._threads:
            thread.join()

    def plain(self, address: str, script: Script) -> Site:
        """A site over http."""
        return self._start(address, self.http_port, script, None)

    def tls(self, address: str, script: Script, context: ssl.SSLContext) -> Site:
        """A site over https."""
        return self._start(address, self.https_port, script, context)

    def holding(self, address: str, start: bytes = b"") -> Site:
        """Takes connections on the https port, says `start` and nothing more."""

        def hold(opened: socket.socket) -> None:
            opened.sendall(start)
            opened.settimeout(_PAUSE_S)
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    if not opened.recv(65536):
                        return

        site = Site(page())
        self._listen(address, self.https_port, site, hold)
        return site

    def dropping(self, address: str) -> None:
        """Answers no connection on either port, as behind a firewall that drops."""
        for port in (self.http_port, self.https_port):
            listener = socket.create_server((address, port), backlog=0)
            self._listeners.append(listener)
            for _ in range(_FILL):  # what the kernel takes before it drops the rest
                opened = socket.socket()
                opened.setblocking(False)
                opened.connect_ex((address, port))
                self._listeners.append(opened)

    def _start(
        self, address: str, port: int, script: Script, tls: ssl.SSLContext | None
    ) -> Site:
        site = Site(script)

        def serve(opened: socket.socket) -> None:
            if tls is None:
                self._converse(site, opened)
                return
            with tls.wrap_socket(opened, server_side=True) as wrapped:
                self._converse(site, wrapped)

        self._listen(address, port, site, serve)
        return site

    def _listen(
        self,
        address: str,
        port: int,
        site: Site,
        serve: Callable[[socket.socket], None],
    ) -> None:
        listener = socket.create_server((address, port), backlog=512)
        self._listeners.append(listener)

        def handle(opened: socket.socket) -> None:
            with opened, contextlib.suppress(OSError):  # ssl.SSLError is one
                opened.settimeout(30)
                serve(opened)

        def accept() -> None:
            while True:
                try:
                    opened, _ = listener.accept()
                except OSError:
                    return  # closed
                site.connections += 1
                thread = threading.Thread(target=handle, args=(opened,))
                self._threads.append(thread)
                thread.start()

        thread = threading.Thread(target=accept)
        thread.start()
        self._threads.insert(0, thread)

    def _converse(self, site: Site, opened: socket.socket) -> None:
        """Reads heads and runs the script, until the client or the test ends."""
        opened.settimeout(_PAUSE_S)
        received = b""
        while not self._stopping.is_set() and len(received) < _MAX_HEAD_BYTES:
            try:
                part = opened.recv(65536)
            except TimeoutError:
                continue
            received += part
            if not part:
                return
            if b"\r\n\r\n" in received:
                opened.settimeout(30)
                visit = Visit(received, opened, self._stopping)
                site.visits.append(visit)
                if not site.script(visit):
                    return
                received = b""
                opened.settimeout(_PAUSE_S)


def self_signed(directory: Path, names: Sequence[str]) -> ssl.SSLContext:
    """TLS of a server that vouches for itself, with any number of names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    pem = directory / f"self_signed_{len(names)}.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def _free_port() -> int:
    """
    A port of 127.0.0.0/8 that nobody uses, above those that the system gives away.

    The system gives them to clients; a server would then find its port taken. Tests
    that run at the same time have ports of their own: one on which nothing listens yet
    must not be another's.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 20000 + worker % _WORKERS * _PORTS
    for port in random.sample(range(first, first + _PORTS), _ATTEMPTS):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port
    raise RuntimeError("no port is free")
