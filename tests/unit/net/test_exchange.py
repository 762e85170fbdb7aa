"""Connections are kept while they are sound, and never carry a foreign answer."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ctmonitor.net import exchange
from ctmonitor.net.answer import Unusable
from ctmonitor.net.exchange import Connections, Ended, NoConnection, Server
from tests.fakes.guests import serving
from tests.fakes.tls import Authority

try:
    import uvloop
except ImportError:  # an extra
    uvloop = None  # type: ignore[assignment]

REQUEST = b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """A server on loopback that counts its connections, and sees their ends."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.opened = 0
        self.ended = 0


@asynccontextmanager
async def site(serve: Serve, authority: Authority | None) -> AsyncIterator[Site]:
    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.opened += 1
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            found.ended += 1
            writer.transport.abort()

    tls = authority.good() if authority else None
    trusted = (
        ssl.create_default_context(cafile=authority.ca_file) if authority else None
    )
    async with serving(count, tls) as port:
        found = Site(Server("127.0.0.1", port, trusted))
        yield found


def answering(body: bytes, head: bytes = b"") -> Serve:
    head = head or b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + body)
            await writer.drain()

    return serve


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):  # less than any request here waits
        while not is_so():  # noqa: ASYNC110 # the end of a connection tells nobody
            await asyncio.sleep(0.01)


LOOPS = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(
        None if uvloop is None else uvloop.new_event_loop,
        id="uvloop",
        marks=pytest.mark.skipif(uvloop is None, reason="uvloop is not installed"),
    ),
]


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as running:
        yield running


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def authority(request: pytest.FixtureRequest, tmp_path: Path) -> Authority | None:
    return Authority.create(tmp_path) if request.param else None


async def ask(connections: Connections, server: Server, **more: float) -> bytes:
    max_bytes, idle_s = int(more.get("max_bytes", 1 << 24)), more.get("idle_s", 20.0)
    answer = await connections.ask(server, REQUEST, max_bytes=max_bytes, idle_s=idle_s)
    return answer.body


def test_large_bodies_arrive_whole_side_by_side(
    runner: asyncio.Runner, authority: Authority | None
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for turn in range(100):
            await reader.readuntil(b"\r\n\r\n")
            body = bytes([turn]) * (turn * 30_000)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()

    async def some(connections: Connections, server: Server) -> list[bytes]:
        return [await ask(connections, server) for _ in range(6)]

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            rows = await asyncio.gather(
                *(some(connections, found.server) for _ in range(5))
            )
            await connections.close()
        bodies = sorted(body for row in rows for body in row)
        assert found.opened == 5
        for body in bodies:
            assert len(set(body)) <= 1
            assert not body or len(body) == body[0] * 30_000
        assert bodies.count(b"") == 5  # the first of each connection
        assert len(bodies) == 30

    runner.run(run())


def test_a_body_that_ends_with_its_connection_is_read(
    runner: asyncio.Runner, authority: Authority | None
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 300_000)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            for _ in range(2):
                assert await ask(connections, found.server) == b"x" * 300_000
            assert found.opened == 2
            await connections.close()

    runner.run(run())


def test_a_request_that_is_cancelled_in_the_body_takes_its_connection_along(
    runner: asyncio.Runner, authority: Authority | None
) -> None:
    sent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
        await writer.drain()
        sent.set()
        await reader.read()

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            asking = asyncio.ensure_future(ask(connections, found.server))
            await sent.wait()
            await asyncio.sleep(0.05)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await eventually(lambda: found.ended == 1)
            sent.clear()
            again = asyncio.ensure_future(ask(connections, found.server))
            await sent.wait()
            assert found.opened == 2
            await connections.close()
            with pytest.raises(Unusable, match="given up"):
                await again

    runner.run(run())


def test_a_connection_that_is_not_used_ends(
    monkeypatch: pytest.MonkeyPatch,
    runner: asyncio.Runner,
    authority: Authority | None,
) -> None:
    monkeypatch.setattr(exchange, "KEPT_S", 0.1)

    async def run() -> None:
        connections = Connections(20)
        async with site(answering(b"fine"), authority) as found:
            assert await ask(connections, found.server) == b"fine"
            assert (found.opened, found.ended) == (1, 0)
            await eventually(lambda: found.ended == 1)
            assert await ask(connections, found.server) == b"fine"
            assert found.opened == 2
            await connections.close()

    runner.run(run())


def test_what_comes_to_a_kept_connection_ends_it(
    monkeypatch: pytest.MonkeyPatch,
    runner: asyncio.Runner,
    authority: Authority | None,
) -> None:
    monkeypatch.setattr(exchange, "KEPT_S", 60.0)  # its time does not end it

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        await reader.read()

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            for turn in range(1, 3):
                assert await ask(connections, found.server) == b"fine"
                await eventually(lambda turn=turn: found.ended == turn)  # type: ignore[misc]
            await connections.close()

    runner.run(run())


def test_a_server_that_is_slow_but_steady_is_waited_for(
    runner: asyncio.Runner, authority: Authority | None
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            writer.write(b"x")
            await asyncio.sleep(0.1)
        await reader.read()

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            body = await ask(connections, found.server, idle_s=0.7)
            assert body == b"x" * 10
            await connections.close()

    runner.run(run())


def test_a_kept_connections_time_is_not_that_of_the_next_request(
    monkeypatch: pytest.MonkeyPatch, runner: asyncio.Runner
) -> None:
    monkeypatch.setattr(exchange, "KEPT_S", 0.2)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for pause_s in (0.0, 0.6, 60.0):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(pause_s)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, None) as found:
            for _ in range(2):
                assert await ask(connections, found.server, idle_s=20) == b"fine"
            with pytest.raises(Unusable, match="nothing came for too long"):
                await ask(connections, found.server, idle_s=0.3)
            assert found.opened == 1
            await connections.close()

    runner.run(run())


def test_closing_ends_what_is_under_way_and_lets_nothing_begin(
    runner: asyncio.Runner, authority: Authority | None
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            asking = [
                asyncio.ensure_future(ask(connections, found.server)) for _ in range(3)
            ]
            await eventually(lambda: found.opened == 3)
            await asyncio.sleep(0.05)
            await connections.close()
            for one in asking:
                with pytest.raises(Unusable, match="given up"):
                    await one
            with pytest.raises(Unusable, match="given up"):
                await ask(connections, found.server)
            await eventually(lambda: found.ended == found.opened)

    runner.run(run())


def test_a_request_is_sent_again_once_over_a_new_connection(
    runner: asyncio.Runner, authority: Authority | None
) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        writer.transport.abort()

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            with pytest.raises(Ended):
                await ask(connections, found.server)
            assert (requests, found.opened) == (2, 2)
            await connections.close()

    runner.run(run())


def test_connections_that_all_ended_meanwhile_cost_nothing(
    runner: asyncio.Runner, authority: Authority | None
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")
        await reader.readuntil(b"\r\n\r\n")  # which is answered by the end

    async def run() -> None:
        connections = Connections(20)
        async with site(serve, authority) as found:
            await asyncio.gather(*(ask(connections, found.server) for _ in range(3)))
            assert found.opened == 3
            assert await ask(connections, found.server) == b"fine"
            assert found.opened == 4
            await connections.close()

    runner.run(run())


def test_a_handshake_that_does_not_end_is_no_connection(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def run(server: Server) -> None:
        with pytest.raises(NoConnection):
            await ask(Connections(0.3), server)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        runner.run(run(Server("127.0.0.1", port, ssl.create_default_context())))


def test_a_name_is_tried_at_all_its_addresses(runner: asyncio.Runner) -> None:
    async def run() -> None:
        connections = Connections(20)
        async with site(answering(b"fine"), None) as found:
            named = Server("localhost", found.server.port, None)  # perhaps ::1 first
            assert await ask(connections, named) == b"fine"
            await connections.close()

    runner.run(run())
