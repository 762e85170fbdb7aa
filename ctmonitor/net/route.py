"""
How a server is reached: directly or through a proxy, in the clear or with TLS.

One proxy is set once and serves every connection of its kind; there is no exception
for loopback. Source: RFC 9110 section 9.3.6 (CONNECT), RFC 1928 (SOCKS 5).
"""

import base64
import contextlib
import socket
import ssl
import time
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote, urlsplit

from python_socks import ProxyError, ProxyType

from ctmonitor.errors import ConfigError, SourceError
from ctmonitor.model.text import shortened
from ctmonitor.net.trust import trusting

_KINDS = {"http": 80, "socks5": 1080, "socks5h": 1080}  # with their usual ports
_MAX_REPLY_BYTES = 16 * 1024

# X509_V_ERR_*: an authority is not among those trusted (OpenSSL, x509_vfy.h).
_UNKNOWN_AUTHORITY = {18, 19, 20, 21}


@dataclass(frozen=True)
class Proxy:
    """
    A proxy of the operator's.

    Args:
        kind: `http`, `socks5` (names resolved here) or `socks5h` (resolved there).
    """

    kind: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.kind}://{_host_port(self.host, self.port)}"

    @classmethod
    def from_url(cls, url: str) -> "Proxy":
        """
        The proxy of `http://user:password@host:port`; raises ConfigError otherwise.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in _KINDS or not parts.hostname:
            raise ConfigError(
                "A proxy is written http://host:port, socks5://host:port or "
                "socks5h://host:port; its scheme or host cannot be read."
            )
        return cls(
            parts.scheme,
            parts.hostname,
            port or _KINDS[parts.scheme],
            unquote(parts.username or ""),
            unquote(parts.password or ""),
        )


@dataclass(frozen=True)
class Route:
    """
    Opens connections.

    Args:
        proxy: the proxy for every connection; None for none, or for what the
            environment names when `use_environment` is set.
        ca_file: PEM file of the only authorities to be trusted; empty for the system's.
        trusts_system: the system's authorities are trusted beside those of `ca_file`.
        timeout_s: for the connection to be made, each of proxy, TCP and TLS.
    """

    proxy: Proxy | None = None
    ca_file: str = ""
    trusts_system: bool = False
    use_environment: bool = True
    timeout_s: float = 20.0

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """
        The TLS settings; raises ConfigError when `ca_file` cannot be used.
        """
        return trusting(self.ca_file, alone=not self.trusts_system)

    def proxy_for(self, host: str, *, secure: bool) -> Proxy | None:
        """
        The proxy in front of `host`; the environment's follow its `no_proxy`.

        Raises:
            ConfigError: an environment variable names a proxy of an unknown kind.
        """
        if self.proxy is not None or not self.use_environment:
            return self.proxy
        proxies = urllib.request.getproxies()
        if urllib.request.proxy_bypass(host):
            return None
        for kind in ("https" if secure else "http", "all"):
            if url := proxies.get(kind):
                try:
                    return Proxy.from_url(url)
                except ConfigError as exc:
                    raise ConfigError(
                        f"Environment variable {kind}_proxy: {exc}"
                    ) from exc
        return None

    def connect(self, host: str, port: int, *, secure: bool) -> socket.socket:
        """
        A connected socket, with TLS and the server's name checked when `secure`.

        Raises:
            SourceError: no connection; the reason in the words of who refused it.
        """
        try:
            proxy = self.proxy_for(host, secure=secure)
            tls = self.tls if secure else None
        except ConfigError as exc:
            raise SourceError(str(exc)) from exc
        plain = self._through(proxy, host, port) if proxy else self._open(host, port)
        if tls is None:
            return plain
        try:
            return tls.wrap_socket(plain, server_hostname=host)
        except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
            plain.close()
            where = _host_port(host, port)
            raise SourceError(f"TLS with {where} failed: {tls_failure(exc)}") from exc
        except BaseException:
            plain.close()
            raise

    def _open(self, host: str, port: int) -> socket.socket:
        try:
            return self._tuned(socket.create_connection((host, port), self.timeout_s))
        except (OSError, ValueError, OverflowError) as exc:  # ValueError: a bad name
            where = _host_port(host, port)
            raise SourceError(f"cannot connect to {where}: {exc}") from exc

    def _tuned(self, opened: socket.socket) -> socket.socket:
        opened.settimeout(self.timeout_s)
        with contextlib.suppress(OSError):  # not a TCP socket: nothing to tune
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def _through(self, proxy: Proxy, host: str, port: int) -> socket.socket:
        where = _host_port(host, port)
        try:
            if proxy.kind == "http":
                return self._tunnel(proxy, where)
            from python_socks.sync import Proxy as SocksProxy  # few have one

            opened = SocksProxy.create(
                ProxyType.SOCKS5,
                proxy.host,
                proxy.port,
                username=proxy.username or None,
                password=proxy.password if proxy.username else None,
                rdns=proxy.kind == "socks5h",
            ).connect(host, port, timeout=self.timeout_s)
        except (ProxyError, OSError, ValueError) as exc:
            # Also ProxyConnectionError and ProxyTimeoutError, which are OSErrors.
            said = str(exc) or type(exc).__name__
            raise proxy_refusal(where, proxy, said) from exc
        return self._tuned(opened)

    def _tunnel(self, proxy: Proxy, where: str) -> socket.socket:
        """
        A tunnel of an HTTP proxy, by CONNECT.

        python-socks takes what one read brings for the whole reply; the rest of a
        reply in two packets would then stand before the server's first bytes.
        """
        opened = self._tuned(
            socket.create_connection((proxy.host, proxy.port), self.timeout_s)
        )
        try:
            lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
            if proxy.username:
                login = f"{proxy.username}:{proxy.password}".encode()
                token = base64.b64encode(login).decode("ascii")
                lines.append(f"Proxy-Authorization: Basic {token}")
            opened.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
            status = _reply_status(opened, time.monotonic() + self.timeout_s)
            if not status.startswith("2"):
                raise ProxyError(status)
        except BaseException:
            opened.close()
            raise
        return self._tuned(opened)


def _reply_status(sock: socket.socket, deadline_s: float) -> str:
    """
    Code and reason of a proxy's reply, of which nothing is left to be read.

    Byte by byte, since what follows belongs to the server behind the proxy.
    """
    reply = bytearray()
    while not reply.endswith(b"\r\n\r\n"):
        remaining = deadline_s - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("no reply to CONNECT in time")
        sock.settimeout(remaining)
        byte = sock.recv(1)
        if not byte:
            raise ProxyError("it ended the connection instead of replying to CONNECT")
        reply += byte
        if len(reply) > _MAX_REPLY_BYTES:
            raise ProxyError(f"its reply has over {_MAX_REPLY_BYTES} bytes")
    version, _, status = reply.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    if not version.startswith("HTTP/"):
        raise ProxyError("its reply is not HTTP")
    return status.strip()


def proxy_refusal(where: str, proxy: Proxy, said: str) -> SourceError:
    """The error for a connection that `proxy` did not make, with what it said."""
    text = shortened(said, 200)
    advice = ""
    if "407" in text or "auth" in text.lower():
        advice = " (check Proxy_Username and Proxy_Password)"
    return SourceError(
        f"no way to {where}: proxy {proxy} refused or failed: {text}{advice}"
    )


def tls_failure(exc: Exception) -> str:
    """Why TLS was not agreed on, with what to do about an unknown authority."""
    if not isinstance(exc, ssl.SSLCertVerificationError):
        return str(exc)
    advice = ""
    if exc.verify_code in _UNKNOWN_AUTHORITY:
        advice = (
            "; if the server is yours, give its authority's PEM file in "
            "[SERVER] CA_File"
        )
    return f"its certificate is refused: {exc.verify_message}{advice}"


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
