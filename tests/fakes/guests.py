"""
Connections to a server of asyncio, which are over when it is.

A transport that is closed in good manners waits: over TLS for the client's goodbye,
else for the client to take what is still to come. A loop that ends meanwhile leaves the
socket open, and a later test is blamed for it. `asyncio.Server` ends its connections
itself from Python 3.13 on only.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# From a socket that was just accepted to its protocol, and from an abort to a socket
# that is closed, asyncio takes three steps of the loop; tasks one more.
_STEPS = 5


class Guests:
    """The connections of one server; for its event loop alone."""

    def __init__(self) -> None:
        self._transports: list[asyncio.WriteTransport] = []
        self._is_over = False

    def welcome(self, transport: asyncio.WriteTransport) -> None:
        """Is to be called for each connection when it is made."""
        self._transports.append(transport)
        if self._is_over:
            transport.abort()

    async def lock(self, server: asyncio.Server) -> None:
        """
        Lets nobody in any more, and then closes.

        A server that closes between a connection and its transport leaves the socket
        open: an assertion of asyncio fails there, in Python 3.11 as in 3.13.
        """
        loop = asyncio.get_running_loop()
        for listener in server.sockets:
            loop.remove_reader(listener)
        await _steps()
        server.close()

    async def dismiss(self) -> None:
        """Ends all connections; the server is locked."""
        self._is_over = True
        for transport in self._transports:
            # In Python 3.11.2 (Debian 12) a connection of TLS that is over has none.
            with contextlib.suppress(AttributeError):
                transport.abort()
        await _steps()


@contextlib.asynccontextmanager
async def serving(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server on 127.0.0.1 that talks so, until the block ends."""
    guests = Guests()
    talks: set[asyncio.Task[None] | None] = set()

    async def receive(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        talks.add(asyncio.current_task())
        guests.welcome(writer.transport)
        try:
            await talk(reader, writer)
        finally:
            talks.discard(asyncio.current_task())

    server = await asyncio.start_server(receive, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await guests.lock(server)
        await guests.dismiss()
        for task in talks:
            if task is not None:
                task.cancel()
        await _steps()


async def _steps() -> None:
    for _ in range(_STEPS):
        await asyncio.sleep(0)
