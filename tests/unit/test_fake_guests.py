"""A server on loopback leaves no connection behind, whatever its clients do."""

import asyncio
import contextlib
import gc
import socket
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.guests import serving
from tests.fakes.log import FakeLog
from tests.fakes.logentries import many_entries
from tests.fakes.logserver import LogServer
from tests.fakes.tls import Authority

TIMEOUT_S = 10


@contextlib.contextmanager
def client(port: int, authority: Authority | None) -> Iterator[socket.socket]:
    """One that takes nothing, and to whom a goodbye over TLS means nothing."""
    plain = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    if authority is None:
        with plain:
            yield plain
        return
    trusting = ssl.create_default_context(cafile=authority.ca_file)
    with trusting.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
        yield secured


def assert_over(connection: socket.socket) -> None:
    """It ends below TLS, of which the server's goodbye is a part."""
    with contextlib.suppress(ConnectionError):
        while socket.socket.recv(connection, 65536):
            pass


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def authority(request: pytest.FixtureRequest, tmp_path: Path) -> Authority | None:
    return Authority.create(tmp_path) if request.param else None


def test_of_a_fake_log(authority: Authority | None) -> None:
    log = FakeLog("one.example/2026", many_entries(1))
    tls = authority.good() if authority else None
    with contextlib.ExitStack() as stack:
        with LogServer(log, tls=tls) as server:
            port = int(server.url.rsplit(":", 1)[1].strip("/"))
            connection = stack.enter_context(client(port, authority))
            connection.sendall(b"GET /0/checkpoint HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert_over(connection)


def test_of_a_talk(authority: Authority | None) -> None:
    """With more to take than the kernel keeps, and a talk that closes politely."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(16 << 20))
        writer.close()

    async def run() -> None:
        async with serving(talk, authority.good() if authority else None) as port:
            await asyncio.to_thread(connect, port)

    with contextlib.ExitStack() as stack:

        def connect(port: int) -> None:
            connected.append(stack.enter_context(client(port, authority)))
            assert connected[0].recv(1) == b"\0"

        connected: list[socket.socket] = []
        asyncio.run(run())
        assert_over(connected[0])


@pytest.mark.parametrize("steps", range(8))
def test_of_one_that_comes_while_the_server_ends(
    authority: Authority | None, steps: int
) -> None:
    """Before each step that the loop takes from a connection to its transport."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def run() -> None:
        tls = authority.good() if authority else None
        async with serving(talk, tls) as port:
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(steps):
                await asyncio.sleep(0)

    with warnings.catch_warnings(record=True) as told, contextlib.ExitStack() as stack:
        warnings.simplefilter("always", ResourceWarning)
        asyncio.run(run())
        gc.collect()
    assert [str(each.message) for each in told] == []
