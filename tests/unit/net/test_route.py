"""Routes: direct, through real proxies, with TLS; and refusals told clearly."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from ctmonitor.errors import ConfigError, SourceError
from ctmonitor.net.route import Proxy, Route
from tests.fakes.proxies import Proxy as RunningProxy
from tests.fakes.proxies import microsocks, tinyproxy
from tests.fakes.tls import Authority

PROXIES = [
    pytest.param(tinyproxy, "http", id="http"),
    pytest.param(microsocks, "socks5", id="socks5"),
    pytest.param(microsocks, "socks5h", id="socks5h"),
]
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _VARIABLES:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


Talk = Callable[[socket.socket], None]


def _greet(connection: socket.socket) -> None:
    connection.sendall(b"hello")
    while connection.recv(1024):
        pass


@contextmanager
def _server(talk: Talk = _greet, host: str = "127.0.0.1") -> Iterator[int]:
    """Listens for one connection; its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:

        def run() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    talk(connection)
                except OSError:
                    return

        thread = threading.Thread(target=run)
        thread.start()
        yield listener.getsockname()[1]
        # Wakes an accept that nobody connected to.
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _tls_server(context: ssl.SSLContext) -> Talk:
    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            _greet(secured)

    return talk


def _hello(route: Route, port: int, host: str = "127.0.0.1") -> bytes:
    with route.connect(host, port, secure=False) as connection:
        return connection.recv(5)


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _as_route(running: RunningProxy, kind: str, login: tuple[str, str]) -> Route:
    return Route(Proxy(kind, running.host, running.port, *login), timeout_s=5)


# Direct


def test_a_direct_route_reaches_the_server() -> None:
    with _server() as port:
        assert _hello(Route(), port) == b"hello"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_ipv6_literal_is_reached() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with _server(host="::1") as port:
        assert _hello(Route(), port, "::1") == b"hello"


def test_a_refused_connection_names_address_and_reason() -> None:
    port = _closed_port()
    with pytest.raises(SourceError, match=rf"127\.0\.0\.1:{port}: .*refused"):
        Route().connect("127.0.0.1", port, secure=False)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".invalid", "", "a\0b"])
def test_a_name_that_is_none_is_a_source_error(host: str) -> None:
    with pytest.raises(SourceError, match="cannot connect to"):
        Route(timeout_s=5).connect(host, _closed_port(), secure=False)


# TLS


def test_our_own_authority_is_trusted_through_the_ca_file(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    route = Route(ca_file=str(authority.ca_file))
    with (
        _server(_tls_server(authority.good())) as port,
        route.connect("localhost", port, secure=True) as connection,
    ):
        assert connection.recv(5) == b"hello"


def test_an_unknown_authority_is_refused_and_ca_file_is_named(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    with (
        _server(_tls_server(authority.good())) as port,
        pytest.raises(SourceError, match=r"TLS with .*issuer.*\[SERVER\] CA_File"),
    ):
        Route().connect("localhost", port, secure=True)


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [(Authority.wrong_name, "[Hh]ostname mismatch"), (Authority.expired, "expired")],
)
def test_a_bad_certificate_is_refused_with_the_reason(
    tmp_path: Path,
    certificate: Callable[[Authority], ssl.SSLContext],
    reason: str,
) -> None:
    authority = Authority.create(tmp_path)
    route = Route(ca_file=str(authority.ca_file))
    with (
        _server(_tls_server(certificate(authority))) as port,
        pytest.raises(SourceError, match=f"certificate is refused: .*{reason}") as told,
    ):
        route.connect("localhost", port, secure=True)
    assert "CA_File" not in str(told.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_certificate_has_to_be_for_the_host_of_the_address(
    tmp_path: Path, host: str
) -> None:
    authority = Authority.create(tmp_path)
    route = Route(ca_file=str(authority.ca_file))
    with (
        _server(_tls_server(authority.wrong_name())) as port,
        pytest.raises(SourceError, match=f"not valid for '{host}'"),
    ):
        route.connect(host, port, secure=True)


def test_a_server_without_tls_is_told() -> None:
    with (
        _server() as port,
        pytest.raises(SourceError, match=rf"TLS with 127\.0\.0\.1:{port} failed"),
    ):
        Route().connect("127.0.0.1", port, secure=True)


def test_a_silent_tls_server_costs_the_time_limit_and_no_more() -> None:
    def silent(connection: socket.socket) -> None:
        while connection.recv(1024):
            pass

    with _server(silent) as port, pytest.raises(SourceError, match="timed out"):
        Route(timeout_s=0.3).connect("127.0.0.1", port, secure=True)


def test_a_ca_file_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "absent.pem"):
        with pytest.raises(ConfigError, match=r"CA_File .* cannot be read as PEM"):
            _ = Route(ca_file=str(path)).tls


# Proxies


@pytest.mark.parametrize(("run", "kind"), PROXIES)
@pytest.mark.parametrize("login", [("", ""), ("user", "right")])
def test_the_server_is_reached_through_the_proxy(
    tmp_path: Path,
    run: Callable[..., AbstractContextManager[RunningProxy]],
    kind: str,
    login: tuple[str, str],
) -> None:
    with run(tmp_path, *(text or None for text in login)) as running, _server() as port:
        assert _hello(_as_route(running, kind, login), port) == b"hello"
        assert running.tunnels() == 1


@pytest.mark.parametrize(("run", "kind"), PROXIES)
@pytest.mark.parametrize("login", [("", ""), ("user", "wrong")])
def test_a_wrong_login_names_the_settings_and_shows_no_password(
    tmp_path: Path,
    run: Callable[..., AbstractContextManager[RunningProxy]],
    kind: str,
    login: tuple[str, str],
) -> None:
    with run(tmp_path, "user", "right") as running:
        route = _as_route(running, kind, login)
        with pytest.raises(SourceError) as told:
            route.connect("127.0.0.1", _closed_port(), secure=False)
        assert running.tunnels() == 0
    text = str(told.value)
    assert f"proxy {kind}://127.0.0.1:{running.port}" in text
    assert "check Proxy_Username and Proxy_Password" in text
    assert "wrong" not in text
    assert "wrong" not in repr(route)


@pytest.mark.parametrize(("run", "kind"), PROXIES)
def test_a_server_that_the_proxy_cannot_reach_is_told(
    tmp_path: Path, run: Callable[..., AbstractContextManager[RunningProxy]], kind: str
) -> None:
    port = _closed_port()
    with run(tmp_path) as running:
        route = _as_route(running, kind, ("", ""))
        with pytest.raises(SourceError, match=rf"no way to 127\.0\.0\.1:{port}"):
            route.connect("127.0.0.1", port, secure=False)


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
def test_a_proxy_that_is_down_is_told_as_the_proxy(kind: str) -> None:
    proxy = Proxy(kind, "127.0.0.1", _closed_port(), "user", "secret")
    with pytest.raises(SourceError, match=rf"proxy {kind}://.*refused") as told:
        Route(proxy).connect("server.invalid", 1, secure=False)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "resolved_here"), [("http", False), ("socks5", True), ("socks5h", False)]
)
def test_names_are_resolved_where_the_kind_of_proxy_says(
    kind: str, resolved_here: bool
) -> None:
    asked: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        connection.settimeout(5)
        asked.append(connection.recv(1024))
        if kind != "http":
            connection.sendall(b"\x05\x00")
            asked.append(connection.recv(1024))

    with _server(listen) as port, pytest.raises(SourceError):
        Route(Proxy(kind, "127.0.0.1", port)).connect("localhost", 9, secure=False)
    assert (b"localhost" not in b"".join(asked)) == resolved_here


@pytest.mark.parametrize(("run", "kind"), PROXIES)
def test_tls_ends_at_the_server_and_not_at_the_proxy(
    tmp_path: Path, run: Callable[..., AbstractContextManager[RunningProxy]], kind: str
) -> None:
    authority = Authority.create(tmp_path)
    with (
        run(tmp_path) as running,
        _server(_tls_server(authority.good())) as port,
    ):
        proxy = Proxy(kind, running.host, running.port)
        route = Route(proxy, str(authority.ca_file), timeout_s=5)
        with route.connect("localhost", port, secure=True) as connection:
            assert connection.recv(5) == b"hello"
    with (
        run(tmp_path) as running,
        _server(_tls_server(authority.good())) as port,
        pytest.raises(SourceError, match=r"TLS with .* CA_File"),
    ):
        _as_route(running, kind, ("", "")).connect("localhost", port, secure=True)


def _reply(*parts: bytes, then: bytes = b"") -> Talk:
    """A proxy that answers CONNECT with these parts, each in a packet of its own."""

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while b"\r\n\r\n" not in connection.recv(4096, socket.MSG_PEEK):
            pass
        connection.recv(4096)
        for part in parts:
            connection.sendall(part)
            threading.Event().wait(0.05)
        if then:
            connection.sendall(then)

    return talk


def test_a_reply_to_connect_in_many_packets_is_read_to_its_end() -> None:
    """What is left of it would be taken for the server's first bytes."""
    reply = _reply(b"HTTP/1.1 200", b" OK\r\nVia: x\r\n", b"\r", b"\n", then=b"hello")
    with _server(reply) as port:
        assert _hello(Route(Proxy("http", "127.0.0.1", port)), 1) == b"hello"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "403 Forbidden"),
        (b"HTTP/1.1 502 100%s down\r\n\r\n", "502 100%s down"),
        (b"HTTP/1.1 200 OK\r\n", "ended the connection"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 20_000, "16384 bytes"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1\r\n\r\n", "refused or failed"),
        (b"", "ended the connection"),
    ],
)
def test_a_proxy_that_does_not_open_the_tunnel_is_quoted(
    reply: bytes, reason: str
) -> None:
    with _server(_reply(reply)) as port, pytest.raises(SourceError) as told:
        Route(Proxy("http", "127.0.0.1", port)).connect("a.invalid", 1, secure=False)
    assert reason in str(told.value)
    assert f"http://127.0.0.1:{port}" in str(told.value)


@pytest.mark.parametrize("kind", ["http", "socks5h"])
def test_a_proxy_that_says_nothing_costs_the_time_limit(kind: str) -> None:
    def silent(connection: socket.socket) -> None:
        while connection.recv(1024):
            pass

    with _server(silent) as port:
        proxy = Proxy(kind, "127.0.0.1", port)
        with pytest.raises(SourceError, match=r"proxy .* refused or failed"):
            Route(proxy, timeout_s=0.3).connect("a.invalid", 1, secure=False)


@pytest.mark.parametrize("host", ["2001:db8::1", "h.example"])
def test_connect_names_the_server_as_the_rfc_wants(host: str) -> None:
    """RFC 9110 section 9.3.6; a literal IPv6 address stands in brackets."""
    asked: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        asked.append(connection.recv(4096))

    with _server(listen) as port, pytest.raises(SourceError):
        Route(Proxy("http", "127.0.0.1", port)).connect(host, 99, secure=False)
    where = b"[2001:db8::1]:99" if ":" in host else b"h.example:99"
    assert asked[0].startswith(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n" % (where, where))


# The environment


def test_the_environment_counts_only_where_no_proxy_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://plain.example:8080")
    monkeypatch.setenv("https_proxy", "http://us%40er:p%3Aw@secure.example:8443")
    named = Proxy("socks5", "ours.example", 1080)
    assert Route(named).proxy_for("h.example", secure=True) == named
    assert Route().proxy_for("h.example", secure=False) == Proxy(
        "http", "plain.example", 8080
    )
    assert Route().proxy_for("h.example", secure=True) == Proxy(
        "http", "secure.example", 8443, "us@er", "p:w"
    )
    assert Route(use_environment=False).proxy_for("h.example", secure=True) is None


def test_all_proxy_serves_what_has_no_variable_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks5h://all.example")
    everything = Proxy("socks5h", "all.example", 1080)
    assert Route().proxy_for("h.example", secure=False) == everything
    assert Route().proxy_for("h.example", secure=True) == everything


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_exempt_only_where_no_proxy_says_so(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://plain.example:8080")
    assert Route().proxy_for(host, secure=False) is not None
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert Route().proxy_for(host, secure=False) is None
    named = Proxy("http", "ours.example", 80)
    assert Route(named).proxy_for(host, secure=False) == named


def test_a_kind_of_proxy_that_we_do_not_speak_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "socks4://user:secret@old.example:1080")
    with pytest.raises(SourceError, match="https_proxy") as told:
        Route().connect("h.example", 443, secure=True)
    assert "secret" not in str(told.value)


# Addresses of proxies


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("h.example:3128", Proxy("http", "h.example", 3128)),
        ("http://h.example", Proxy("http", "h.example", 80)),
        ("socks5://h.example", Proxy("socks5", "h.example", 1080)),
        ("socks5h://[::1]:9", Proxy("socks5h", "::1", 9)),
        ("http://u:p%20w@h.example:1", Proxy("http", "h.example", 1, "u", "p w")),
    ],
)
def test_the_address_of_a_proxy_is_read(url: str, proxy: Proxy) -> None:
    assert Proxy.from_url(url) == proxy


@pytest.mark.parametrize(
    "url", ["", "ftp://h", "https://h:1", "http://", "http://h:99999", "http://[::1"]
)
def test_an_address_that_is_no_proxy_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigError, match="A proxy is written"):
        Proxy.from_url(url)


def test_a_proxy_is_shown_without_its_login() -> None:
    proxy = Proxy("http", "::1", 8080, "user", "secret")
    assert str(proxy) == "http://[::1]:8080"
    assert "secret" not in repr(proxy)
