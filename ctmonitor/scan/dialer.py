"""
TCP connections to sites: directly to addresses that were checked, or through a proxy.

A proxy gets the name and resolves it at its end, of SOCKS in either spelling: no DNS
query of ours tells anybody what is visited. HTTP proxies are asked for a tunnel
(CONNECT) for plain http too: what a proxy itself says of a dead site must never look
like an answer of the site. Many make tunnels to port 443 alone: after `TunnelRefused`
the caller may have them relay a request instead.

Source: RFC 8305 (addresses tried side by side), RFC 9110 section 9.3.6 (CONNECT),
RFC 1928 section 6 (replies of SOCKS 5).
"""

import asyncio
import base64
import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import aiohappyeyeballs
from python_socks import ProxyConnectionError, ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy as SocksProxy

from ctmonitor.model.text import shortened
from ctmonitor.net.route import Proxy

# Short forms that somebody acts on.
TIMEOUT = "Timeout"  # it did not come in time
NOT_ALLOWED = "Not allowed"  # the guard refused it

_MAX_TRIED = 8  # addresses of one host; some names have hundreds
_STAGGER_S = 0.25  # RFC 8305 section 5
_MAX_REPLY_BYTES = 16 * 1024

# What is wrong on our side says nothing about the site.
_OURS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,
        errno.ENETUNREACH,
        errno.EACCES,
        errno.EPERM,
    }
)
_REFUSED_BY_PROXY = frozenset({400, 401, 403, 405})
_DEAD_BY_SOCKS = frozenset({1, 3, 4, 5, 6})  # general, unreachable, refused, TTL


class VisitFailure(Exception):
    """
    A site, or a step on the way to it, could not be had; str() is one sentence.

    Args:
        error: the short form for status lines, as `Connection error`.
        is_known: the site is down; False when nothing can be said of it.
    """

    def __init__(self, error: str, reason: str, *, is_known: bool = True) -> None:
        self.error = error
        self.is_known = is_known
        super().__init__(reason)

    def alone(self) -> Self:
        """
        Itself, without the frames that it came through.

        Those hold what they worked with, this failure among it: a circle, which only
        the garbage collector would break.
        """
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class TunnelRefused(VisitFailure):
    """An HTTP proxy answered CONNECT with `status`; it may still relay requests."""

    def __init__(self, reason: str, status: int) -> None:
        self.status = status
        super().__init__("Connection error", reason, is_known=False)


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections; the caller bounds the time."""

    proxy: Proxy | None = None

    async def dial(
        self,
        host: str,
        port: int,
        addresses: Sequence[str],
        *,
        is_relayed: bool = False,
    ) -> socket.socket:
        """
        A connected socket that does not block.

        Args:
            addresses: the only ones connected to; not used with a proxy.
            is_relayed: ends at the HTTP proxy, which gets requests in absolute form.

        Raises:
            VisitFailure: no connection.
        """
        if self.proxy is None:
            try:
                return await _connect(addresses, port)
            except OSError as exc:
                raise connection_failure(exc) from exc
        try:
            if is_relayed:
                return await _reached(self.proxy)
            if self.proxy.kind == "http":
                return await _tunnel(self.proxy, host, port)
            return await SocksProxy(
                ProxyType.SOCKS5,
                self.proxy.host,
                self.proxy.port,
                self.proxy.username or None,
                self.proxy.password if self.proxy.username else None,
                rdns=True,
            ).connect(host, port)
        except ProxyConnectionError as exc:
            raise _no_proxy(self.proxy, exc) from exc
        except ProxyError as exc:
            raise VisitFailure(
                "Connection error",
                f"proxy {self.proxy}: {shortened(str(exc))}",
                is_known=exc.error_code in _DEAD_BY_SOCKS,
            ) from exc
        except OSError as exc:
            raise _no_proxy(self.proxy, exc) from exc


def connection_failure(exc: OSError) -> VisitFailure:
    """What an error of a connection says about the site."""
    reason = exc.strerror or str(exc) or type(exc).__name__
    is_known = exc.errno not in _OURS
    return VisitFailure("Connection error", shortened(reason), is_known=is_known)


def proxy_says(proxy: Proxy, status: str) -> str:
    """The sentence on a status that an HTTP proxy gave, as `403 Forbidden`."""
    advice = " (check the user and password of [CONNECT] Proxy)" * (status[:3] == "407")
    return f"proxy {proxy} says {shortened(status)}{advice}"


def proxy_login(proxy: Proxy) -> dict[str, str]:
    """The header that lets us use an HTTP proxy; none without a user."""
    if not proxy.username:
        return {}
    login = f"{proxy.username}:{proxy.password}".encode()
    token = base64.b64encode(login).decode("ascii")
    return {"Proxy-Authorization": f"Basic {token}"}


def _no_proxy(proxy: Proxy, exc: OSError) -> VisitFailure:
    reason = shortened(exc.strerror or str(exc) or type(exc).__name__)
    return VisitFailure(
        "Connection error", f"proxy {proxy} cannot be used: {reason}", is_known=False
    )


async def _connect(addresses: Sequence[str], port: int) -> socket.socket:
    infos: list[aiohappyeyeballs.AddrInfoType] = []
    for address in addresses[:_MAX_TRIED]:
        is_v6 = ":" in address
        family = socket.AF_INET6 if is_v6 else socket.AF_INET
        where = (address, port, 0, 0) if is_v6 else (address, port)
        infos.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where))
    if len(infos) == 1:
        return await _connected(*infos[0])
    return await aiohappyeyeballs.start_connection(
        infos, happy_eyeballs_delay=_STAGGER_S, interleave=1
    )


async def _connected(
    family: int, kind: int, protocol: int, _: str, where: tuple[Any, ...]
) -> socket.socket:
    """What most hosts need, which have one address, and no other to be tried."""
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, where)
    except BaseException:
        opened.close()
        raise
    return opened


async def _reached(proxy: Proxy) -> socket.socket:
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    return await aiohappyeyeballs.start_connection(
        infos, happy_eyeballs_delay=_STAGGER_S, interleave=1
    )


async def _tunnel(proxy: Proxy, host: str, port: int) -> socket.socket:
    """
    A tunnel of an HTTP proxy, by CONNECT.

    Both HTTP and TLS have the client speak first, so nothing may follow the reply.
    """
    loop = asyncio.get_running_loop()
    opened = await _reached(proxy)
    try:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
        lines += [f"{name}: {value}" for name, value in proxy_login(proxy).items()]
        await loop.sock_sendall(opened, "\r\n".join([*lines, "", ""]).encode("ascii"))
        reply = b""
        while b"\r\n\r\n" not in reply:
            part = await loop.sock_recv(opened, 4096)
            if not part or len(reply) > _MAX_REPLY_BYTES:
                raise OSError("it does not reply to CONNECT in HTTP")
            reply += part
        _judge(proxy, reply)
    except BaseException:
        opened.close()
        raise
    return opened


def _judge(proxy: Proxy, reply: bytes) -> None:
    head, _, rest = reply.partition(b"\r\n\r\n")
    line = head.split(b"\r\n", 1)[0].decode("latin-1")
    version, _, status = line.partition(" ")
    if not version.startswith("HTTP/") or not status[:3].isdecimal():
        raise OSError("its reply to CONNECT is not HTTP")
    if status.startswith("2"):
        if rest:
            raise OSError("it sends more than a reply to CONNECT")
        return
    reason, code = proxy_says(proxy, status), int(status[:3])
    if code in _REFUSED_BY_PROXY:
        raise TunnelRefused(reason, code)
    raise VisitFailure("Connection error", reason, is_known=code != 407)
