"""
Connections to sites: checked addresses, TLS that is judged, evidence.

The first TLS handshake verifies the certificate as a browser would. When that fails a
second connection takes whatever is served, because a phishing site with a wrong
certificate is up all the same; what was wrong stands beside the certificate.

Source: RFC 8446, RFC 9110 section 4.3.4 (names in certificates).
"""

import asyncio
import asyncio.sslproto
import re
import ssl
from dataclasses import dataclass
from typing import Any, cast

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from ctmonitor.model.text import shortened
from ctmonitor.net.route import Proxy
from ctmonitor.net.trust import trusting
from ctmonitor.scan.dialer import TIMEOUT, Dialer, VisitFailure, connection_failure

_SHUTDOWN_S = 1.0  # how long a site may take to end TLS in an orderly way
_TLS_BUFFER_BYTES = 32 * 1024
_STATUS_LINE = re.compile(rb"HTTP/\d\.\d ([2-9]\d\d)(?=[ \r\n])")
_LONGEST_START = 64

_BUFFER_BYTES = 16 * 1024
_MAX_HEADERS = 128
_MAX_HEADER_BYTES = 8190
_SWITCHING_PROTOCOLS = 101


@dataclass(frozen=True, slots=True)
class Served:
    """
    A new connection.

    Args:
        address: whose it is; empty behind a proxy.
        certificate_der: None without TLS.
        problem: why a browser would refuse the certificate.
    """

    handler: "Handler"
    transport: asyncio.Transport
    address: str
    certificate_der: bytes | None = None
    problem: str = ""


class Handler(ResponseHandler):
    """
    aiohttp's reader of answers, without the client around it.

    That client makes a session, a request and a response of many parts for each
    question, which cost a quarter of a visit. It remembers that an answer began, though
    it never ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._start = b""

    async def ask(self, request: bytes) -> tuple[RawResponseMessage, StreamReader]:
        """
        Sends a request; gives the head of its answer, and its body to be read.

        Raises:
            aiohttp.ClientError: the connection ended.
            HttpProcessingError: what came is not HTTP.
        """
        self._start = b""
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=_BUFFER_BYTES,
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
            max_headers=_MAX_HEADERS,
        )
        if self.transport is not None:  # else `read` raises why
            self.transport.write(request)
        while True:
            message, body = await self.read()
            is_interim = 100 <= message.code <= 199
            if not is_interim or message.code == _SWITCHING_PROTOCOLS:
                return message, body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # aiohttp's own sets TCP_NODELAY, too, which every event loop does.
        self.transport = cast(asyncio.Transport, transport)

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent, now that an answer was read."""
        return self.is_connected() and not self.should_close

    def data_received(self, data: bytes) -> None:
        if len(self._start) < _LONGEST_START:
            self._start += data[:_LONGEST_START]
        super().data_received(data)

    @property
    def begun_status(self) -> int | None:
        """The status of the answer, once its status line came."""
        found = _STATUS_LINE.match(self._start)
        return int(found[1]) if found else None


class Transport:
    """
    Connects, for many visits at the same time.

    Args:
        connect_timeout_s: for one connection: TCP, proxy and TLS.
        ca_file: PEM file of authorities that are trusted beside the system's.

    Raises:
        ConfigError: `ca_file` cannot be used.
    """

    def __init__(
        self, dialer: Dialer, connect_timeout_s: float, ca_file: str = ""
    ) -> None:
        # asyncio, where uvloop is not used, clears 256 kB for every TLS connection:
        # 386 MB with 1,000 hosts in their handshakes. A TLS record has 16 kB.
        asyncio.sslproto.SSLProtocol.max_size = _TLS_BUFFER_BYTES
        self._dialer = dialer
        self._timeout_s = connect_timeout_s
        self._strict = _strict_tls(ca_file)
        self._lenient = _lenient_tls()

    @property
    def proxy(self) -> Proxy | None:
        return self._dialer.proxy

    async def connect(
        self,
        host: str,
        port: int,
        addresses: tuple[str, ...],
        *,
        secure: bool,
        is_relayed: bool = False,
    ) -> Served:
        """
        A connection to one of the addresses, or through the proxy to the host.

        Args:
            is_relayed: to the HTTP proxy alone, and without TLS.

        Raises:
            VisitFailure: none could be made.
        """
        if not secure:
            return await self._attempt(host, port, addresses, None, is_relayed)
        try:
            return await self._attempt(host, port, addresses, self._strict)
        except ssl.SSLError as exc:
            problem = _problem(exc)
        try:
            served = await self._attempt(host, port, addresses, self._lenient)
        except ssl.SSLError as exc:
            raise VisitFailure("SSL error", _problem(exc)) from exc
        return Served(
            served.handler,
            served.transport,
            served.address,
            served.certificate_der,
            problem,
        )

    async def _attempt(
        self,
        host: str,
        port: int,
        addresses: tuple[str, ...],
        tls: ssl.SSLContext | None,
        is_relayed: bool = False,
    ) -> Served:
        step = "no connection"
        try:
            async with asyncio.timeout(self._timeout_s):
                opened = await self._dialer.dial(
                    host, port, addresses, is_relayed=is_relayed
                )
                step = "TLS does not end"
                return await self._adopt(opened, host, tls)
        except TimeoutError as exc:
            reason = f"{step} within {self._timeout_s:g} s"
            raise VisitFailure(TIMEOUT, reason) from exc
        except ssl.SSLError:
            raise
        except OSError as exc:
            raise connection_failure(exc) from exc

    async def _adopt(
        self, opened: Any, host: str, tls: ssl.SSLContext | None
    ) -> Served:
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if tls is not None:
            options = {
                "ssl": tls,
                "server_hostname": host,
                "ssl_handshake_timeout": self._timeout_s + 1,  # ours comes first
                "ssl_shutdown_timeout": _SHUTDOWN_S,
            }
        try:
            transport, handler = await loop.create_connection(
                lambda: Handler(loop), sock=opened, **options
            )
        except BaseException:
            opened.close()
            raise
        peer = transport.get_extra_info("peername")
        address = "" if self.proxy is not None or not peer else peer[0]
        der = None
        if tls is not None:
            der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return Served(handler, transport, address, der)


def _strict_tls(ca_file: str) -> ssl.SSLContext:
    context = trusting(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _lenient_tls() -> ssl.SSLContext:
    """TLS as old and with keys as weak as this OpenSSL still speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)  # from 3.12
    context.set_alpn_protocols(["http/1.1"])
    return context


def _problem(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return shortened(exc.verify_message or str(exc), 200)
    words = (exc.reason or str(exc)).replace("_", " ").lower()
    return shortened(f"TLS failed: {words}", 200)
