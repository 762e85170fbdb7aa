"""Quiet APIs are asked with manners, and none of them can hold a caller for long."""

import asyncio
import contextlib
import socket
import threading
from pathlib import Path

import pytest

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.net.client import Client, Refused
from ctmonitor.net.route import Proxy, Route
from tests.fakes.api import FAILURES, ApiServer, Reply
from tests.fakes.proxies import microsocks, tinyproxy
from tests.fakes.tls import Authority

DIRECT = Route(use_environment=False)


def client(
    route: Route = DIRECT,
    *,
    timeout_s: float = 5.0,
    max_bytes: int = 100_000,
    limited_by: str = "",
    retries: int = 2,
) -> Client:
    return Client(
        "ctmonitor-test (mailto:soc@example.org)",
        route=route,
        timeout_s=timeout_s,
        max_bytes=max_bytes,
        limited_by=limited_by,
        retries=retries,
        first_pause_s=0.001,
    )


def test_a_call_says_who_asks_and_brings_nothing_else_along() -> None:
    def answer(request):
        return Reply(body=b'{"a": 1}', headers={"Set-Cookie": "a=1"})

    with ApiServer(answer) as server, client() as api:
        for _ in range(2):
            found = asyncio.run(api.get(f"{server.url}/x?y=1", accept="text/x"))
    assert (found.status, found.json()) == (200, {"a": 1})
    for request in server.requests:
        assert request.method == "GET"
        assert request.path == "/x?y=1"
        assert request.headers == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": "ctmonitor-test (mailto:soc@example.org)",
            "accept": "text/x",
            "accept-encoding": "identity",
        }


def test_post_sends_json() -> None:
    with (
        ApiServer(lambda request: Reply(body=request.body)) as server,
        client() as api,
    ):
        found = asyncio.run(
            api.post(f"{server.url}/", {"ü": [1]}, headers={"X-Key": "k"})
        )
    assert found.json() == {"ü": [1]}
    assert server.requests[0].headers["content-type"] == "application/json"
    assert server.requests[0].headers["x-key"] == "k"


@pytest.mark.parametrize("status", [400, 403, 404, 429, 501])
def test_a_status_that_will_not_pass_is_an_answer_at_once(status: int) -> None:
    reply = Reply(status, b"no", headers={"Retry-After": "7"})
    with ApiServer(lambda request: reply) as server, client() as api:
        found = api.fetch(f"{server.url}/a")
    assert (found.status, found.body, found.retry_after_s) == (status, b"no", 7.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_that_may_pass_is_tried_again(status: int) -> None:
    def answer(request):
        return Reply(status) if len(server.requests) < 3 else Reply(body=b"{}")

    with ApiServer(answer) as server, client() as api:
        assert api.fetch(f"{server.url}/", body=b"{}").status == 200
    assert len(server.requests) == 3


def test_a_failure_that_stays_is_told_after_two_more_attempts() -> None:
    with ApiServer(lambda request: Reply(503, b"later")) as server, client() as api:
        found = api.fetch(f"{server.url}/")
    assert (found.status, found.body) == (503, b"later")
    assert len(server.requests) == 3


@pytest.mark.parametrize("body", [None, b"{}"], ids=["GET", "POST"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_client_without_retries_asks_once(status: int, body: bytes | None) -> None:
    reply = Reply(status, b"later", {"Retry-After": "0"})
    with ApiServer(lambda request: reply) as server, client(retries=0) as api:
        assert api.fetch(f"{server.url}/", body=body).status == status
    assert len(server.requests) == 1


def test_a_post_whose_answer_never_came_is_not_sent_again() -> None:
    """Nobody knows whether it was acted upon."""
    taken = 0
    listener = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        nonlocal taken
        with contextlib.suppress(OSError):  # the listener is shut
            while True:
                peer, _ = listener.accept()
                with peer:
                    peer.recv(65536)
                    taken += 1

    thread = threading.Thread(target=hang_up)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    try:
        with client() as api, pytest.raises(SourceError, match="cannot be read"):
            api.fetch(url, body=b"{}")
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()
    assert taken == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(is_silent=True),
        Reply(body=b"x" * 1000, drip_s=0.05),
        Reply(500, b"x" * 1000, drip_s=0.05),
        # A body that ends with its connection must not pass for complete.
        Reply(
            body=b"x" * 1000,
            drip_s=0.05,
            headers={"Connection": "close", "Transfer-Encoding": "identity"},
        ),
    ],
    ids=["silent", "one byte at a time", "the same with a 500", "until it closes"],
)
def test_a_server_that_crawls_ends_at_the_time_limit(reply: Reply) -> None:
    with (
        ApiServer(lambda request: reply) as server,
        client(timeout_s=0.4) as api,
        pytest.raises(SourceError, match=r"no complete answer within 0\.4 s"),
    ):
        api.fetch(f"{server.url}/")
    assert len(server.requests) == 1


def test_headers_that_come_one_byte_at_a_time_end_at_the_time_limit() -> None:
    """Each byte starts a socket's time-out anew, so that alone would not end it."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        peer, _ = listener.accept()
        with peer, contextlib.suppress(OSError):
            peer.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
            while not stop.wait(0.05):
                peer.sendall(b"a")

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with client(timeout_s=0.4) as api, pytest.raises(SourceError, match="within"):
            api.fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    finally:
        stop.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize("status", [200, 302, 500])
def test_an_endless_body_is_not_read_on(status: int) -> None:
    reply = Reply(status, b" " * 65536, {"Location": "/"}, is_endless=True)
    with (
        ApiServer(lambda request: reply) as server,
        client() as api,
        pytest.raises(SourceError, match="more than 100000 bytes"),
    ):
        api.fetch(f"{server.url}/")


@pytest.mark.parametrize(("extra", "is_read"), [(0, True), (1, False)])
def test_the_size_limit_is_exact(extra: int, is_read: bool) -> None:
    reply = Reply(body=b"x" * (1000 + extra))
    with ApiServer(lambda request: reply) as server, client(max_bytes=1000) as api:
        if is_read:
            assert len(api.fetch(f"{server.url}/").body) == 1000
        else:
            with pytest.raises(Refused, match="more than 1000 bytes"):
                api.fetch(f"{server.url}/")


def test_an_answer_announced_as_too_long_is_not_waited_for() -> None:
    """The 200 MB would come, one byte an hour."""
    reply = Reply(body=b"[]", missing=200_000_000, drip_s=3600)
    with (
        ApiServer(lambda request: reply) as server,
        client(limited_by="[OWN] Max_Answer_MB") as api,
        pytest.raises(
            Refused, match=r"more than 100000 bytes \(\[OWN\] Max_Answer_MB\)"
        ),
    ):
        api.fetch(f"{server.url}/")


def test_a_body_shorter_than_announced_is_no_answer() -> None:
    with (
        ApiServer(lambda request: FAILURES["cut off"]) as server,
        client() as api,
        pytest.raises(SourceError, match="cannot be read"),
    ):
        api.fetch(f"{server.url}/")


@pytest.mark.parametrize(
    "name",
    ["html with 200", "empty body", "not UTF-8", "deeply nested"],
)
def test_what_is_not_json_is_a_format_error(name: str) -> None:
    with (
        ApiServer(lambda request: FAILURES[name]) as server,
        client(max_bytes=200_000) as api,
    ):
        found = api.fetch(f"{server.url}/")
    with pytest.raises(FormatError, match="not JSON"):
        found.json()


def test_a_redirect_on_the_same_server_is_followed() -> None:
    def answer(request):
        if request.path == "/old":
            return Reply(301, headers={"Location": "/new"})
        return Reply(body=b"{}")

    with ApiServer(answer) as server, client() as api:
        assert api.fetch(f"{server.url}/old").status == 200
    assert [request.path for request in server.requests] == ["/old", "/new"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_server_is_not_followed(status: int) -> None:
    """The other one is never spoken to, so a key cannot go there."""
    with ApiServer(lambda request: Reply(body=b"{}")) as canary:
        reply = Reply(status, headers={"Location": f"{canary.url}/x?secret=1"})
        with (
            ApiServer(lambda request: reply) as server,
            client() as api,
            pytest.raises(Refused, match="not followed") as caught,
        ):
            api.fetch(f"{server.url}/", headers={"Authorization": "Bearer s3cret"})
    assert canary.requests == []
    assert server.requests[0].headers["authorization"] == "Bearer s3cret"
    assert "secret" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_headers_go_along_a_redirect_on_the_same_server() -> None:
    def answer(request):
        if request.path == "/old":
            return Reply(307, headers={"Location": "/new"})
        return Reply(body=b"{}")

    with ApiServer(answer) as server, client() as api:
        api.fetch(f"{server.url}/old", headers={"Authorization": "Bearer k"})
    assert [one.headers["authorization"] for one in server.requests] == ["Bearer k"] * 2


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "//198.51.100.1/", "http://[broken", ""]
)
def test_a_redirect_elsewhere_is_not_followed(location: str) -> None:
    reply = Reply(302, headers={"Location": location})
    with (
        ApiServer(lambda request: reply) as server,
        client() as api,
        pytest.raises(SourceError, match="not followed"),
    ):
        api.fetch(f"{server.url}/")
    assert len(server.requests) == 1


def test_a_post_is_never_redirected() -> None:
    reply = Reply(307, headers={"Location": "/b"})
    with (
        ApiServer(lambda request: reply) as server,
        client() as api,
        pytest.raises(SourceError, match="not followed"),
    ):
        api.fetch(f"{server.url}/a", body=b"{}")
    assert len(server.requests) == 1


def test_a_redirect_loop_ends() -> None:
    reply = Reply(302, headers={"Location": "/"})
    with (
        ApiServer(lambda request: reply) as server,
        client() as api,
        pytest.raises(SourceError, match="more than 3 times"),
    ):
        api.fetch(f"{server.url}/")
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    "url", ["ftp://h/?s3cret", "file:///s3cret", "http://", "http://h:x/?s3cret", ""]
)
def test_only_http_addresses_are_read(url: str) -> None:
    with client() as api, pytest.raises(SourceError, match="not an HTTP address"):
        api.fetch(url)


@pytest.mark.parametrize("key", ["s3cret\n", "s3cr\u20act", " s3cret"])
def test_a_message_quotes_neither_header_nor_query_nor_login(key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://s3cuser:s3cret@127.0.0.1:{port}/path?key=s3cret"
    with client() as api, pytest.raises(SourceError) as caught:
        api.fetch(url, headers={"X-Key": key})
    assert f"http://127.0.0.1:{port}/path cannot be read" in str(caught.value)
    assert "s3c" not in str(caught.value)


def test_nobody_listening_is_a_source_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with client() as api, pytest.raises(SourceError, match="Connection refused"):
        asyncio.run(api.get(f"http://127.0.0.1:{port}/"))


def test_only_the_authorities_of_the_route_are_trusted(tmp_path: Path) -> None:
    ours = Authority.create(tmp_path)
    (tmp_path / "other").mkdir()
    other = Authority.create(tmp_path / "other", "another authority")
    with ApiServer(lambda request: Reply(body=b"{}"), ours.good()) as server:
        good = Route(use_environment=False, ca_file=str(ours.ca_file))
        with client(good) as api:
            assert api.fetch(f"{server.url}/").status == 200
        for route in (DIRECT, Route(use_environment=False, ca_file=str(other.ca_file))):
            with (
                client(route) as api,
                pytest.raises(SourceError, match=r"(?i)certificate verify failed"),
            ):
                api.fetch(f"{server.url}/")
    assert len(server.requests) == 1


def test_a_body_that_crawls_over_tls_ends_at_the_time_limit(tmp_path: Path) -> None:
    ours = Authority.create(tmp_path)
    reply = Reply(body=b"x" * 1000, drip_s=0.05)
    route = Route(use_environment=False, ca_file=str(ours.ca_file))
    with (
        ApiServer(lambda request: reply, ours.good()) as server,
        client(route, timeout_s=0.6) as api,
        pytest.raises(SourceError, match="no complete answer"),
    ):
        api.fetch(f"{server.url}/")


def test_every_call_goes_through_the_http_proxy(tmp_path: Path) -> None:
    with (
        tinyproxy(tmp_path, "scout", "pass") as running,
        ApiServer(lambda request: Reply(body=b"{}")) as server,
    ):
        login = Proxy("http", running.host, running.port, "scout", "pass")
        with client(Route(proxy=login)) as api:
            assert api.fetch(f"{server.url}/").status == 200
        assert "via" in server.requests[0].headers
        wrong = Proxy("http", running.host, running.port, "scout", "wr0ng")
        with client(Route(proxy=wrong)) as api:
            found = api.fetch(f"{server.url}/")
        assert found.status in {401, 407}  # tinyproxy answers 401
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", ["socks5", "socks5h"])
def test_every_call_goes_through_the_socks_proxy(tmp_path: Path, kind: str) -> None:
    with (
        microsocks(tmp_path, "scout", "p@ss:w/rd") as running,
        ApiServer(lambda request: Reply(body=b"{}")) as server,
    ):
        proxy = Proxy(kind, running.host, running.port, "scout", "p@ss:w/rd")
        with client(Route(proxy=proxy)) as api:
            assert api.fetch(f"{server.url}/").status == 200
        assert running.tunnels() == 1
        wrong = Proxy(kind, running.host, running.port, "scout", "wr0ng")
        with client(Route(proxy=wrong)) as api, pytest.raises(SourceError) as caught:
            api.fetch(f"{server.url}/")
        assert "wr0ng" not in str(caught.value)
    assert len(server.requests) == 1


def test_tls_goes_through_the_proxy_to_the_server(tmp_path: Path) -> None:
    ours = Authority.create(tmp_path)
    with (
        tinyproxy(tmp_path) as running,
        ApiServer(lambda request: Reply(body=b"{}"), ours.good()) as server,
    ):
        proxy = Proxy("http", running.host, running.port)
        with client(Route(proxy=proxy, ca_file=str(ours.ca_file))) as api:
            assert api.fetch(f"{server.url}/").status == 200
        assert running.tunnels() == 1


def test_the_environment_names_a_proxy_only_where_the_route_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with (
        ApiServer(lambda request: Reply(body=b"{}")) as server,
        client(DIRECT) as api,
    ):
        assert api.fetch(f"{server.url}/").status == 200
        with client(Route()) as api, pytest.raises(SourceError):
            api.fetch(f"{server.url}/")
    assert len(server.requests) == 1
