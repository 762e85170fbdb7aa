"""
Fetches from logs over HTTP: many requests at the same time, none of them for ever.

A log may be slow, overloaded, broken or hostile. Whatever it sends, a request ends
after its time with a bounded number of bytes, or with a SourceError that says who
refused. Connections are kept and used again.

Without a proxy a request goes over connections of our own (`exchange.py` says why);
through one, HTTP or SOCKS, it is aiohttp's.

Source: RFC 9110 (sections 10.2.3 Retry-After, 15.4 redirects), RFC 1952 (gzip).
"""

import asyncio
import base64
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp_socks import (
    ProxyConnectionError,
    ProxyConnector,
    ProxyError,
    ProxyTimeoutError,
)
from isal import isal_zlib
from yarl import URL

from ctmonitor.errors import ConfigError, SourceError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.text import shortened
from ctmonitor.net.answer import MAX_REFUSAL_BYTES, Answer, TooLong, Unusable
from ctmonitor.net.backoff import retry_after_s
from ctmonitor.net.exchange import (
    KEPT_S,
    REFUSAL_S,
    Connections,
    Ended,
    NoConnection,
    Server,
)
from ctmonitor.net.route import Proxy, Route, proxy_refusal, tls_failure

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Skylight asks to wait until the second that has just begun.
_LEAST_PAUSE_S = 1.0
_MOST_PAUSE_S = 3600.0

# Larger than aiohttp's own, so that a tile of 400 kB is read without pauses.
_BUFFER_BYTES = 512 * 1024

# What ends a line of a request, or is nothing that a server should be sent.
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\U0010ffff]")

_GZIP = 31  # zlib's wbits for a gzip member, its header and checksum included

# ValueError: an address or a header that cannot be written.
_FAILURES = (
    Unusable,
    NoConnection,
    aiohttp.ClientError,
    ProxyError,
    ProxyConnectionError,
    ProxyTimeoutError,
    EOFError,  # of a SOCKS proxy that ends the connection instead of replying
    OSError,
    ValueError,
)


class BadStatus(SourceError):
    """
    The server answered, with another status than 200.

    Args:
        status: as served, 100 to 999.
    """

    def __init__(
        self, message: str, status: int, retry_after_s: float | None = None
    ) -> None:
        self.status = status
        super().__init__(message, retry_after_s)


class NotServed(BadStatus):
    """Status 404 or 410: the server does not have it, now or any more."""


class Refused(BadStatus):
    """Status 429 or 503: the server wants fewer requests."""


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What a server served.

    Args:
        status: always 200.
        body: without content coding; may be empty.
        content_type: lower case, without parameters; "" when the server names none.
        retry_after_s: 1 to 3,600 s that the server asks to wait before the next
            request; None when it does not ask.
    """

    status: int
    body: bytes
    content_type: str
    retry_after_s: float | None = None


class Fetcher:
    """
    Sends GET requests; an async context manager, which closes all connections.

    Args:
        route: the proxy, the authorities that are trusted, the time for a connection
            to be made.
        user_agent: names the tool, and whom to write to.
        total_connections: requests under way at the same time, to all servers.
    """

    def __init__(
        self, route: Route, user_agent: str, *, total_connections: int = 100
    ) -> None:
        self._route = route
        self._user_agent = user_agent
        self._places = asyncio.Semaphore(total_connections)
        self._proxies: dict[tuple[str, bool], Proxy | None] = {}
        self._connections = Connections(route.timeout_s)
        self._sessions: dict[tuple[Proxy, bool], aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every connection, also those of requests under way."""
        await self._connections.close()
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()

    async def get(
        self,
        url: str,
        *,
        max_bytes: int,
        timeout_s: float = 30.0,
        idle_s: float = 10.0,
        accept_encoding: str = "gzip, identity",
    ) -> Reply:
        """
        What is served at `url`, with redirects within its scheme, host and port.

        Any number of tasks may call at the same time; one that finds all places taken
        waits for one first, which is not part of its time.

        Args:
            max_bytes: for the body, as sent and again as unpacked.
            timeout_s: for everything from connecting to the last byte.
            idle_s: for the server to send anything at all.
            accept_encoding: gzip is unpacked even if it was not asked for.

        Raises:
            BadStatus: the server answered, with another status than 200.
            NotServed: 404 or 410 of them.
            Refused: 429 or 503 of them.
            SourceError: no answer that can be used; trying again may help.
        """
        asked = _Asked(_address(url), max_bytes, idle_s, accept_encoding)
        async with self._places:
            proxy = self._proxy(asked.url)
            deadline = asyncio.timeout(timeout_s)
            try:
                async with deadline:
                    return await self._followed(asked, proxy)
            except _FAILURES as exc:
                if deadline.expired():
                    why = f"no complete answer within {timeout_s:g} s"
                    raise _unread(asked.url, why) from exc
                raise _failure(asked.url, proxy, exc) from exc

    async def _followed(self, asked: "_Asked", proxy: Proxy | None) -> Reply:
        url = asked.url
        for _ in range(_MAX_REDIRECTS + 1):
            found = await self._exchanged(url, asked, proxy)
            if isinstance(found, Reply):
                return found
            target = _joined(url, found)
            if target is None or _origin(target) != _origin(url):
                shown = "nowhere" if target is None else _shown(target)
                raise SourceError(
                    f"{_shown(url)} redirects to {shown}, which is not followed"
                )
            url = target
        raise SourceError(
            f"{_shown(asked.url)} redirects more than {_MAX_REDIRECTS} times"
        )

    async def _exchanged(
        self, url: URL, asked: "_Asked", proxy: Proxy | None
    ) -> Reply | str:
        """One request: the reply, or the Location of a redirect."""
        try:
            if proxy is None:
                answer = await self._answered(url, asked)
            else:
                answer = await self._relayed(url, asked, proxy)
        except TooLong as exc:
            raise SourceError(
                f"{_shown(url)} sends more than {asked.max_bytes} bytes; not read on"
            ) from exc
        if answer.status in _REDIRECTS:
            return answer.headers.get("location", "")
        if answer.status != 200:
            raise _refusal(url, answer, proxy)
        return Reply(
            200,
            _content(url, answer, asked.max_bytes),
            _content_type(answer.headers),
            _pause(answer.headers),
        )

    async def _answered(self, url: URL, asked: "_Asked") -> Answer:
        """What the server answers itself."""
        tls = self._tls() if url.scheme == "https" else None
        return await self._connections.ask(
            Server(url.raw_host or "", url.port or 0, tls),
            _request(url, self._user_agent, asked.accept_encoding),
            max_bytes=asked.max_bytes,
            idle_s=asked.idle_s,
        )

    async def _relayed(self, url: URL, asked: "_Asked", proxy: Proxy) -> Answer:
        """What comes through a proxy."""
        is_secure = url.scheme == "https"
        relay = proxy if proxy.kind == "http" else None
        headers = {"Accept-Encoding": asked.accept_encoding}
        login = {} if relay is None else _login(relay)
        if not is_secure:  # else it is for CONNECT, and not for the server
            headers |= login
        async with self._session(proxy, is_secure).get(
            url,
            headers=headers,
            allow_redirects=False,
            proxy=None if relay is None else str(relay),
            proxy_headers=login if is_secure else None,
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=self._route.timeout_s,
                sock_read=asked.idle_s,
            ),
        ) as response:
            if response.status == 200:
                body = await _body(response, asked.max_bytes)
            else:
                body = await _beginning(response)
            headers = {}
            for name, value in response.headers.items():
                headers.setdefault(name.lower(), value)
            return Answer(response.status, response.reason or "", headers, body)

    def _tls(self) -> ssl.SSLContext:
        try:
            return self._route.tls
        except ConfigError as exc:
            raise SourceError(str(exc)) from exc

    def _proxy(self, url: URL) -> Proxy | None:
        """The proxy in front of a host; asked for once, as it costs 0.2 ms."""
        key = url.host or "", url.scheme == "https"
        if key not in self._proxies:
            try:
                self._proxies[key] = self._route.proxy_for(key[0], secure=key[1])
            except ConfigError as exc:
                raise SourceError(str(exc)) from exc
        return self._proxies[key]

    def _session(self, proxy: Proxy, secure: bool) -> aiohttp.ClientSession:
        key = proxy, secure
        if key not in self._sessions:
            self._sessions[key] = aiohttp.ClientSession(
                connector=self._connector(proxy, secure),
                headers={"User-Agent": self._user_agent},
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # it would unpack without a limit
                read_bufsize=_BUFFER_BYTES,
            )
        return self._sessions[key]

    def _connector(self, proxy: Proxy, secure: bool) -> aiohttp.TCPConnector:
        tls = self._tls() if secure else True
        if proxy.kind == "http" and secure:
            return aiohttp.TCPConnector(limit=0, ssl=tls, keepalive_timeout=KEPT_S)
        if proxy.kind == "http":
            # Used once: tinyproxy passes what follows on to the server as it is, and
            # with it the password of the proxy.
            return aiohttp.TCPConnector(limit=0, force_close=True)
        return ProxyConnector(
            proxy.host,
            proxy.port,
            username=proxy.username or None,
            password=proxy.password if proxy.username else None,
            rdns=proxy.kind == "socks5h",
            limit=0,
            ssl=tls,
            keepalive_timeout=KEPT_S,
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The arguments of a request."""

    url: URL
    max_bytes: int
    idle_s: float
    accept_encoding: str


def _failure(url: URL, proxy: Proxy | None, exc: Exception) -> SourceError:
    """The failure in the words of who refused, without any login."""
    where = _where(url)
    if type(exc) is aiohttp.ClientOSError and isinstance(exc.__cause__, OSError):
        exc = exc.__cause__  # what SOCKS, or TLS behind it, did not wrap for aiohttp
    if proxy is not None:
        match exc:
            case aiohttp.ClientHttpProxyError():
                said = f"status {exc.status} {exc.message}"
                return proxy_refusal(where, proxy, said)
            case aiohttp.ClientProxyConnectionError():
                return proxy_refusal(where, proxy, _reason(exc.os_error))
            case ProxyError() | ProxyConnectionError() | ProxyTimeoutError():
                return proxy_refusal(where, proxy, _reason(exc))
            case EOFError():
                return proxy_refusal(where, proxy, "it ended the connection")
    match exc:
        case NoConnection():
            cause = exc.__cause__ or exc
            is_late = isinstance(cause, TimeoutError)
            why = "no connection in time" if is_late else _reason(cause)
            return SourceError(f"cannot connect to {where}: {why}")
        case Ended() if exc.__cause__ is not None:
            return _unread(url, _reason(exc.__cause__))
        case Unusable():
            return _unread(url, str(exc))
        case aiohttp.ClientConnectorCertificateError():
            why = tls_failure(exc.certificate_error)
            return SourceError(f"TLS with {where} failed: {why}")
        case aiohttp.ClientConnectorSSLError():
            return SourceError(f"TLS with {where} failed: {_reason(exc.os_error)}")
        case ssl.SSLError():
            return SourceError(f"TLS with {where} failed: {tls_failure(exc)}")
        case aiohttp.ClientConnectorError():
            return SourceError(f"cannot connect to {where}: {_reason(exc.os_error)}")
        case aiohttp.ConnectionTimeoutError():
            return SourceError(f"cannot connect to {where}: no connection in time")
        case aiohttp.SocketTimeoutError():
            return _unread(url, "nothing came for too long")
        case aiohttp.ServerDisconnectedError():
            return _unread(url, "the server ended the connection")
        case aiohttp.ClientPayloadError():
            return _unread(url, "its body is broken off or badly framed")
        case aiohttp.ClientResponseError():
            why = exc.message.partition("\n")[0]  # without a drawing of the place
            return _unread(url, f"its answer is not HTTP: {why}")
        case OSError():
            return _unread(url, _reason(exc))
    return _unread(url, "its address or a header cannot be sent")


def _request(url: URL, user_agent: str, accept_encoding: str) -> bytes:
    """A whole request; raises ValueError when a part of it cannot be sent."""
    lines = [
        f"GET {url.raw_path_qs} HTTP/1.1",
        f"Host: {url.host_port_subcomponent}",
        f"User-Agent: {user_agent}",
        "Accept: */*",
        f"Accept-Encoding: {accept_encoding}",
    ]
    if url.user is not None or url.password is not None:
        lines.append(f"Authorization: {_basic(url.user or '', url.password or '')}")
    if _UNSENDABLE.search("".join(lines)):
        raise ValueError("a control character in a request")
    return "\r\n".join([*lines, "", ""]).encode()


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    pieces = []
    size = 0
    while piece := await response.content.readany():
        size += len(piece)
        if size > max_bytes:
            raise TooLong
        pieces.append(piece)
    return b"".join(pieces)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The body as far as it comes soon; its status says enough."""
    body = bytearray()
    try:
        async with asyncio.timeout(REFUSAL_S):
            while piece := await response.content.readany():
                body += piece
                if len(body) > MAX_REFUSAL_BYTES:
                    break
    except (aiohttp.ClientError, OSError):
        pass
    return bytes(body)


def _content(url: URL, answer: Answer, max_bytes: int) -> bytes:
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip"}:
        raise _unread(url, f"its content coding is {shortened(coding, 40)!r}")
    if coding.endswith("gzip"):
        return unpacked(url, answer.body, max_bytes)
    return answer.body


def unpacked(address: URL | str, packed: bytes, max_bytes: int) -> bytes:
    """
    The content of one gzip member, which has to be all there is.

    Raises:
        SourceError: it is none, or has more than `max_bytes`.
    """
    url = URL(address)
    member = isal_zlib.decompressobj(wbits=_GZIP)
    try:
        body: bytes = member.decompress(packed, max_bytes + 1)
    except isal_zlib.error as exc:  # type: ignore[misc] # its stub says an instance
        raise _unread(url, f"its gzip data are broken: {exc}") from exc
    if len(body) > max_bytes:
        raise SourceError(
            f"{_shown(url)} unpacks to more than {max_bytes} bytes; not unpacked on"
        )
    if not member.eof or member.unused_data:
        raise _unread(url, "its gzip data do not end with its body")
    return body


def _refusal(url: URL, answer: Answer, proxy: Proxy | None) -> SourceError:
    status = f"{answer.status} {shortened(answer.reason, 60)}".strip()
    if proxy is not None and proxy.kind == "http" and answer.status in {401, 407}:
        # tinyproxy answers 401; a log asks nobody for a password.
        return proxy_refusal(_where(url), proxy, f"status {status}")
    said = _said(answer)
    message = f"{_shown(url)} answers {status}{said and ': '}{said}"
    kind: type[BadStatus] = BadStatus
    if answer.status in {404, 410}:
        kind = NotServed
    elif answer.status in {429, 503}:
        kind = Refused
    return kind(message, answer.status, _pause(answer.headers))


def _said(answer: Answer) -> str:
    """The beginning of a refusal in plain text."""
    if (
        _content_type(answer.headers) != "text/plain"
        or "content-encoding" in answer.headers
    ):
        return ""
    return shortened(answer.body[:400].decode("utf-8", "replace").strip(), 100)


def _pause(headers: Mapping[str, str]) -> float | None:
    header = headers.get("retry-after")
    seconds = None if header is None else retry_after_s(header, now_utc())
    if seconds is None:
        return None
    return min(max(seconds, _LEAST_PAUSE_S), _MOST_PAUSE_S)


def _content_type(headers: Mapping[str, str]) -> str:
    kind, _, _ = headers.get("content-type", "").partition(";")
    return shortened(kind.strip().lower(), 100)


def _login(proxy: Proxy) -> dict[str, str]:
    if not proxy.username:
        return {}
    return {"Proxy-Authorization": _basic(proxy.username, proxy.password)}


def _basic(user: str, password: str) -> str:
    login = f"{user}:{password}".encode()
    return f"Basic {base64.b64encode(login).decode('ascii')}"


def _address(url: str) -> URL:
    try:
        address = URL(url)
    except ValueError:
        address = URL()
    if address.scheme not in {"http", "https"} or not address.host:
        raise SourceError(f"{_shown(address)} is not an HTTP address")
    return address


def _joined(url: URL, location: str) -> URL | None:
    try:
        return url.join(URL(location)) if location else None
    except ValueError:  # `http://[broken`
        return None


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port


def _shown(url: URL) -> str:
    """The address for a message: without login, query and fragment."""
    host = _where(url) if url.explicit_port is not None else url.host_subcomponent
    return shortened(f"{url.scheme}://{host}{url.path}" if host else "it", 200)


def _where(url: URL) -> str:
    return shortened(f"{url.host_subcomponent}:{url.port}", 200)


def _unread(url: URL, why: str) -> SourceError:
    return SourceError(f"{_shown(url)} cannot be read: {shortened(why, 200)}")


def _reason(exc: BaseException) -> str:
    if isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError):
        if exc.errno is not None and exc.errno > 0:
            return os.strerror(exc.errno)
        if exc.strerror:  # of getaddrinfo
            return shortened(exc.strerror, 200)
    return shortened(str(exc) or type(exc).__name__, 200)
