"""
Requests of one visit: every host resolved once, judged, and reached where judged.

No cookie, no credential and nothing of another visit goes along. Where an HTTP proxy
makes no tunnel for plain http it relays the request, and what it may have answered
itself never counts as the site's answer.

Source: RFC 9112 section 3.2.2 (absolute form).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from yarl import URL

from ctmonitor.model.site import Dns, DnsState, ServedCertificate
from ctmonitor.model.text import shortened
from ctmonitor.net.route import Proxy
from ctmonitor.scan.body import Body
from ctmonitor.scan.dialer import (
    NOT_ALLOWED,
    TunnelRefused,
    VisitFailure,
    connection_failure,
    proxy_login,
    proxy_says,
)
from ctmonitor.scan.guard import Guard, literal_address
from ctmonitor.scan.names import Names, ascii_host
from ctmonitor.scan.served import served_certificate
from ctmonitor.scan.transport import Handler, Transport

_HEADERS = (
    "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n"
    "Accept-Language: en\r\n"
    "Accept-Encoding: gzip, deflate\r\n"  # what `Body` unpacks
)

_DNS_ERRORS = {
    DnsState.NXDOMAIN: "DNS NXDOMAIN",
    DnsState.NO_ADDRESS: "DNS no address",
    DnsState.SERVFAIL: "DNS SERVFAIL",
    DnsState.TIMEOUT: "DNS timeout",
}
# Of relayed requests; tinyproxy says 500 of a site that it cannot reach.
_MAYBE_OF_PROXY = frozenset({407, 500, 502, 503, 504})
_IS_KNOWN = frozenset({DnsState.NXDOMAIN, DnsState.NO_ADDRESS})


@dataclass(frozen=True, slots=True)
class Response:
    """
    An answer, as far as it came.

    Args:
        headers: None of them when they never ended; names in any case.
        address: who answered; empty behind a proxy.
        flaw: what was wrong with the answer, for people.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_truncated: bool
    address: str
    flaw: str = ""


class Session:
    """
    Asks sites for pages; a context manager that closes every connection it made.

    Args:
        names: None behind a proxy, which resolves names.
        deadline_s: the end of the visit on the event loop's clock. A body gets half
            of the time that remains, so that a slow one leaves what was read of it.
        body_bytes: of a body, decoded.

    Attributes:
        dns: what is known already of hosts, by name in A-labels.
        certificates: the first that each host brought.
    """

    def __init__(
        self,
        transport: Transport,
        guard: Guard,
        names: Names | None,
        *,
        user_agent: str,
        deadline_s: float,
        body_bytes: int,
    ) -> None:
        self.dns: dict[str, Dns] = {}
        self.certificates: dict[str, ServedCertificate] = {}
        self._transport = transport
        self._guard = guard
        self._names = names
        self._deadline_s = deadline_s
        self._body_bytes = body_bytes
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._peers: dict[tuple[str, int], tuple[str, Handler]] = {}
        self._idle: dict[URL, Handler] = {}  # by origin
        self._relayed: dict[URL, int] = {}  # origins, with what CONNECT got
        self._transports: list[asyncio.Transport] = []
        self._user_agent = user_agent

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for transport in self._transports:
            # A site need not agree to the end. Until Python 3.11.5 or so one that has
            # ended already cannot be aborted.
            with contextlib.suppress(AttributeError):
                transport.abort()

    async def get(self, url: URL) -> Response:
        """
        The answer to one request; redirects are the caller's.

        Raises:
            VisitFailure: the URL may not be visited, or no answer came.
        """
        if reason := self._guard.refuse_url(url):
            raise VisitFailure(NOT_ALLOWED, reason, is_known=False)
        host, port = url.raw_host or "", url.port or 0
        if host not in self._addresses:
            self._addresses[host] = await self._judged(host)
        try:
            return await self._ask(url, host, port)
        except TunnelRefused as exc:
            if url.scheme != "http":
                raise
            self._relayed[url.origin()] = exc.status
        return await self._ask(url, host, port)

    async def _ask(self, url: URL, host: str, port: int) -> Response:
        origin = url.origin()
        proxy = self._transport.proxy if origin in self._relayed else None
        try:
            request = self._request(url, proxy)
            idle = self._idle.pop(origin, None)
            if idle is not None and idle.is_reusable:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    # A site may end a connection at any time; then a new one is made.
                    return await self._exchange(idle, request, url, proxy)
            handler = await self._open(host, port, url.scheme == "https", bool(proxy))
            return await self._exchange(handler, request, url, proxy)
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as exc:
            # ValueError: what aiohttp's parser lets through and yarl or zlib refuse.
            begun = self._begun(url, shortened(str(exc)))
            # The connection keeps it, and its frames the connection: see `alone`.
            exc.__traceback__ = None
            if begun is None:
                failure = _failure(exc)
                failure.is_known &= proxy is None  # else it may be the proxy's
                raise failure from exc
            return begun

    def _request(self, url: URL, proxy: Proxy | None) -> bytes:
        """A GET, to a proxy in absolute form."""
        target = str(url) if proxy else url.raw_path_qs
        lines = [
            f"GET {target} HTTP/1.1",
            f"Host: {url.host_port_subcomponent}",
            f"User-Agent: {self._user_agent}",
        ]
        if proxy:
            # Used once: tinyproxy passes what follows on to the site as it is, and with
            # it the password of the proxy.
            lines += [f"{name}: {value}" for name, value in proxy_login(proxy).items()]
            lines.append("Connection: close")
        if any("\r" in line or "\n" in line for line in lines):
            said = "a line break in the request"
            raise VisitFailure("Connection error", said, is_known=False)
        return ("\r\n".join(lines) + f"\r\n{_HEADERS}\r\n").encode()

    async def _exchange(
        self, handler: Handler, request: bytes, url: URL, proxy: Proxy | None
    ) -> Response:
        head, content = await handler.ask(request)
        if proxy and self._is_doubtful(url, head.code) and not _is_passed_on(head):
            said = proxy_says(proxy, f"{head.code} {head.reason or ''}")
            raise VisitFailure("Connection error", said, is_known=False)
        encoding = head.headers.get("Content-Encoding", "")
        body = await self._read(content, encoding)
        if not proxy and handler.is_reusable:
            self._idle[url.origin()] = handler
        elif handler.transport is not None:
            handler.abort()  # nothing more is wanted of it
        return Response(
            head.code,
            head.headers,
            body.kept,
            body.is_truncated,
            self._peers[url.raw_host or "", url.port or 0][0],
        )

    def is_connected(self, url: URL) -> bool:
        """Whether a connection to the URL's host and port was made."""
        return (url.raw_host or "", url.port or 0) in self._peers

    def begun(self, url: URL) -> Response | None:
        """The answer whose headers did not end before the visit did; None without."""
        return self._begun(url, "its headers do not end")

    def _begun(self, url: URL, flaw: str) -> Response | None:
        where = (url.raw_host or "", url.port or 0)
        address, handler = self._peers.get(where, ("", None))
        status = handler.begun_status if handler is not None else None
        if status is None or self._is_doubtful(url, status):
            return None
        return Response(status, {}, b"", True, address, flaw)

    def _is_doubtful(self, url: URL, status: int) -> bool:
        """Whether the proxy itself may have answered, as it did to CONNECT or so."""
        refusal = self._relayed.get(url.origin())
        return refusal is not None and status in {refusal, *_MAYBE_OF_PROXY}

    async def _read(self, content: StreamReader, encoding: str) -> Body:
        body = Body(self._body_bytes, encoding)
        if content.is_eof() and content.exception() is None:  # all of it is here
            body.feed(content.read_nowait())
            return body
        now_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at((now_s + self._deadline_s) / 2):
                async for piece in content.iter_any():
                    body.feed(piece)
                    if body.is_truncated:
                        break
        except (aiohttp.ClientError, OSError, ValueError):
            body.is_truncated = True  # TimeoutError is an OSError
        return body

    async def _judged(self, host: str) -> tuple[str, ...]:
        """The addresses that may be connected to, of all that the host has."""
        literal = literal_address(host)  # the guard has refused unclear ones
        if self._names is None:
            if literal is None and not ascii_host(host):
                raise VisitFailure(NOT_ALLOWED, "not a host name", is_known=False)
            if reason := self._guard.refuse_remote_host(host):
                raise VisitFailure(NOT_ALLOWED, reason, is_known=False)
            return ()
        if literal is not None:
            return (str(literal),)
        dns = self.dns.get(ascii_host(host)) or await self._names.addresses(host)
        if (failure := dns_failure(dns)) is not None:
            raise failure
        refused = {a: self._guard.refuse_address(a) for a in dns.addresses}
        judged = tuple(a for a, reason in refused.items() if not reason)
        if not judged:
            reason = next(iter(refused.values()))
            raise VisitFailure(NOT_ALLOWED, reason, is_known=False)
        return judged

    async def _open(
        self, host: str, port: int, secure: bool, is_relayed: bool
    ) -> Handler:
        served = await self._transport.connect(
            host, port, self._addresses[host], secure=secure, is_relayed=is_relayed
        )
        self._transports.append(served.transport)
        self._peers[host, port] = served.address, served.handler
        if served.certificate_der is not None and host not in self.certificates:
            self.certificates[host] = served_certificate(
                served.certificate_der, served.problem
            )
        return served.handler


def dns_failure(dns: Dns) -> VisitFailure | None:
    """Why the name servers' answer leads nowhere; None when it has an address."""
    if dns.state not in _DNS_ERRORS:
        return None
    is_known = dns.state in _IS_KNOWN
    return VisitFailure(_DNS_ERRORS[dns.state], dns.detail, is_known=is_known)


def _failure(exc: Exception) -> VisitFailure:
    if isinstance(exc, OSError) and not isinstance(exc, aiohttp.ClientError):
        return connection_failure(exc)
    if isinstance(exc, HttpProcessingError | ValueError):
        text = exc.message if isinstance(exc, HttpProcessingError) else str(exc)
        said = shortened(text, 120)
        return VisitFailure("Connection error", f"the answer is not HTTP: {said}")
    reason = shortened(str(exc) or type(exc).__name__, 120)
    return VisitFailure("Connection error", reason)


def _is_passed_on(head: RawResponseMessage) -> bool:
    """Whether an answer went through Squid, which marks those that are its own."""
    via = ",".join(head.headers.getall("Via", [])).lower()
    return "(squid" in via and "X-Squid-Error" not in head.headers
