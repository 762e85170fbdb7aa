"""
Questions to name servers: over UDP, over TCP where an answer is cut short.

One socket serves the few questions about one host and is closed then: a thousand hosts
at a time hold a thousand sockets at most, and every host has a port drawn anew, which
whoever wants to forge an answer has to guess.

Source: RFC 1035 section 4.2, RFC 5452 (forged answers).
"""

import asyncio
import secrets
import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self, cast

from ctmonitor.errors import FormatError
from ctmonitor.model.site import DnsState
from ctmonitor.model.text import shortened
from ctmonitor.scan.dnsmessage import (
    Answer,
    Kind,
    is_truncated,
    query_wire,
    read_answer,
)

Server = tuple[str, int]  # address and port


class DnsClient:
    """
    Asks `servers` in turn about one host; a context manager that owns its sockets.

    Args:
        servers: at least one.
        timeout_s: for one question, all servers and attempts together.
        attempts: how often each server is asked; UDP loses packets.
    """

    def __init__(
        self, servers: Sequence[Server], timeout_s: float, attempts: int = 2
    ) -> None:
        self._servers = servers
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._sockets: dict[Server, _Socket] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for opened in self._sockets.values():
            opened.close()

    async def ask(self, name: str, kind: Kind) -> Answer:
        """
        The first answer; SERVFAIL or TIMEOUT when no server gave a usable one.

        Args:
            name: as `names.ascii_host` spells it.
        """
        failure = Answer(DnsState.TIMEOUT, detail="no name server answered in time")
        each_s = self._timeout_s / (self._attempts * len(self._servers))
        for _ in range(self._attempts):
            for server in self._servers:
                try:
                    async with asyncio.timeout(each_s):
                        answer = await self._ask_one(server, name, kind)
                except TimeoutError:
                    continue
                except (FormatError, OSError, EOFError) as exc:
                    detail = shortened(str(exc) or type(exc).__name__)
                    failure = Answer(DnsState.SERVFAIL, detail=detail)
                    continue
                if not answer.has_failed:
                    return answer
                failure = answer
        return failure

    async def _ask_one(self, server: Server, name: str, kind: Kind) -> Answer:
        if server not in self._sockets:
            opened = await _connected(server)
            if server in self._sockets:  # another question was faster
                opened.close()
            else:
                self._sockets[server] = opened
        query_id = self._sockets[server].new_id()
        query = query_wire(query_id, name, kind)
        wire = await self._sockets[server].exchange(query_id, query)
        if is_truncated(wire):
            wire = await _over_tcp(server, query)
        return read_answer(wire, query_id, name, kind)


async def _connected(server: Server) -> "_Socket":
    # Handed over as an address, uvloop resolves it: three times the work.
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    plain = socket.socket(family, socket.SOCK_DGRAM)
    try:
        plain.setblocking(False)
        plain.connect(server)
        loop = asyncio.get_running_loop()
        _, opened = await loop.create_datagram_endpoint(_Socket, sock=plain)
    except BaseException:
        plain.close()
        raise
    return opened


async def _over_tcp(server: Server, query: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.transport.abort()


class _Socket(asyncio.DatagramProtocol):
    """A connected socket: the kernel drops what others than the server send."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        waiting = self._waiting.get(int.from_bytes(data[:2], "big"))
        if waiting is not None and not waiting.done():
            waiting.set_result(data)

    def error_received(self, exc: Exception) -> None:
        for waiting in self._waiting.values():  # nobody listens there
            if not waiting.done():
                waiting.set_exception(exc)

    def new_id(self) -> int:
        """A number that no other question on this socket has."""
        while (number := secrets.randbelow(1 << 16)) in self._waiting:
            pass
        return number

    async def exchange(self, query_id: int, query: bytes) -> bytes:
        """The first datagram that bears the number; the caller bounds the time."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[query_id] = answer
        try:
            if self._transport is not None:
                self._transport.sendto(query)
            return await answer
        finally:
            del self._waiting[query_id]

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
