"""The sign of life after a run."""

import asyncio

import pytest

from ctmonitor.alerts.heartbeat import send_heartbeat
from ctmonitor.net.client import Client
from ctmonitor.net.route import Proxy, Route
from tests.fakes.api import ApiServer, Reply
from tests.fakes.proxies import tinyproxy


def beat(url: str, *, timeout_s: float = 5.0, proxy: Proxy | None = None) -> bool:
    route = Route(proxy=proxy, use_environment=False)
    with Client("ctmonitor/1", route=route, timeout_s=timeout_s, retries=0) as client:
        return asyncio.run(send_heartbeat(client, url))


def test_the_address_is_fetched_once() -> None:
    with ApiServer(lambda _: Reply(body=b"OK")) as server:
        assert beat(f"{server.url}/ping/secret-uuid?run=1")
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/ping/secret-uuid?run=1")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(404), "HTTP 404"),
        (Reply(500), "HTTP 500"),
        (Reply(304), "HTTP 304"),
        (Reply(302, headers={"Location": "http://198.51.100.1/"}), "not followed"),
        (Reply(is_silent=True), "no complete answer within 1 s"),
        (Reply(body=b"x" * 65536, is_endless=True), "2000000 bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_failure_is_logged_without_the_secret(
    reply: Reply, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ApiServer(lambda _: reply) as server:
        url = f"{server.url}/ping/secret-uuid"
        assert not beat(url, timeout_s=1.0 if reply.is_silent else 10.0)
        assert f"heartbeat to {server.url} failed: " in caplog.text
    assert why in caplog.text
    assert "secret" not in caplog.text


def test_nobody_there_is_a_failure_like_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ApiServer(lambda _: Reply()) as server:
        url = server.url
    assert not beat(f"{url}/secret-uuid")
    assert "refused" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", ["ftp://user:secret@x.example/", "http://[broken"])
def test_what_is_no_address_is_a_failure(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not beat(url)
    assert "heartbeat" in caplog.text
    assert "secret" not in caplog.text


def test_it_goes_through_the_proxy(tmp_path) -> None:
    with (
        ApiServer(lambda _: Reply()) as server,
        tinyproxy(tmp_path) as proxy,
    ):
        assert beat(f"{server.url}/", proxy=Proxy("http", proxy.host, proxy.port))
        assert f"127.0.0.1:{server.port}" in proxy.log()
