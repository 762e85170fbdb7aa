"""
How a server is reached: directly or through a proxy, in the clear or with TLS.

One proxy is set once and serves every connection of its kind; there is no exception
for loopback. Source: RFC 9110 section 9.3.6 (CONNECT), RFC 1928 (SOCKS 5).
"""

import contextlib
import socket
import ssl
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote, urlsplit

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
from python_socks.sync import Proxy as SocksProxy

from ctmonitor.errors import ConfigError, SourceError
from ctmonitor.model.text import shortened

_TYPES = {
    "http": (ProxyType.HTTP, True),
    "socks5": (ProxyType.SOCKS5, False),
    "socks5h": (ProxyType.SOCKS5, True),
}


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
        return f"{self.kind}://{self.host}:{self.port}"

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
        if parts.scheme not in _TYPES or not parts.hostname:
            raise ConfigError(
                "A proxy is written http://host:port, socks5://host:port or "
                "socks5h://host:port; its scheme or host cannot be read."
            )
        return cls(
            parts.scheme,
            parts.hostname,
            port or (80 if parts.scheme == "http" else 1080),
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
        timeout_s: for the connection to be made, each of proxy, TCP and TLS.
    """

    proxy: Proxy | None = None
    ca_file: str = ""
    use_environment: bool = True
    timeout_s: float = 20.0

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """
        The TLS settings; raises ConfigError when `ca_file` cannot be used.
        """
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                f"CA_File {self.ca_file!r} cannot be read as PEM certificates: {exc}. "
                "Give a file with the authorities that sign your server."
            ) from exc

    def proxy_for(self, host: str, *, secure: bool) -> Proxy | None:
        """The proxy in front of `host`; the environment's follow its `no_proxy`."""
        if self.proxy is not None or not self.use_environment:
            return self.proxy
        proxies = urllib.request.getproxies()
        if urllib.request.proxy_bypass(host):
            return None
        kinds = ("https", "all") if secure else ("http", "all")
        url = next((proxies[kind] for kind in kinds if proxies.get(kind)), "")
        return Proxy.from_url(url) if url else None

    def connect(self, host: str, port: int, *, secure: bool) -> socket.socket:
        """
        A connected socket, with TLS and the server's name checked when `secure`.

        Raises:
            SourceError: no connection; the reason in the words of who refused it.
        """
        proxy = self.proxy_for(host, secure=secure)
        try:
            plain = self._open(host, port, proxy)
        except (ProxyError, ProxyConnectionError, ProxyTimeoutError) as exc:
            raise SourceError(_proxy_failure(proxy, exc)) from exc
        except (OSError, UnicodeError, ValueError) as exc:
            by = f" through {proxy}" if proxy else ""
            raise SourceError(f"cannot connect to {host}:{port}{by}: {exc}") from exc
        if not secure:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname=host)
        except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
            plain.close()
            raise SourceError(f"TLS with {host}:{port} failed: {exc}") from exc
        except BaseException:
            plain.close()
            raise

    def _open(self, host: str, port: int, proxy: Proxy | None) -> socket.socket:
        if proxy is None:
            opened = socket.create_connection((host, port), timeout=self.timeout_s)
        else:
            kind, remote_names = _TYPES[proxy.kind]
            opened = SocksProxy.create(
                kind,
                proxy.host,
                proxy.port,
                username=proxy.username or None,
                password=(proxy.password or "") if proxy.username else None,
                rdns=remote_names,
            ).connect(host, port, timeout=self.timeout_s)
        opened.settimeout(self.timeout_s)
        with contextlib.suppress(OSError):  # not a TCP socket: nothing to tune
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened


def _proxy_failure(proxy: Proxy | None, exc: Exception) -> str:
    text = shortened(str(exc) or type(exc).__name__, 200)
    advice = ""
    if "407" in text or "auth" in text.lower():
        advice = " (check Proxy_Username and Proxy_Password)"
    return f"proxy {proxy} refused or failed: {text}{advice}"
