"""
Requests over connections of our own, which are kept and used again.

The direct road does without aiohttp's client. With its session, request, response and
stream of pieces that are joined, a request took 1.5 times the CPU time of this for a
tile of 200 kB, 1.4 times for 1.5 MB of get-entries, 1.2 times over TLS, where
deciphering costs most. Here a request is a few bytes, `AnswerReader` reads its answer
into where it stays, and its task is woken once.

Source: RFC 9112 section 9 (connections, and which requests may be sent again).
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import aiohappyeyeballs

from ctmonitor.net.answer import Answer, AnswerReader, TooLong, Unusable

# Sunlight and Skylight close a connection that was idle for 5.0 s.
KEPT_S = 4.0

# For a body that is only read so that its connection can be used again.
REFUSAL_S = 1.0

_SCRATCH_BYTES = 8 * 1024  # for heads, and bodies of unknown length

_STAGGER_S = 0.25  # before a second address is tried beside the first (RFC 8305)


class Ended(Unusable):
    """The server ended the connection instead of answering; `__cause__` tells more."""

    def __init__(self) -> None:
        super().__init__("the server ended the connection")


class NoConnection(Exception):
    """Nobody can be reached; `__cause__` is the OSError, TimeoutError when in vain."""


@dataclass(frozen=True, slots=True)
class Server:
    """
    Args:
        host: a name as DNS has it, or an address without brackets.
        tls: None for none.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None


class Connections:
    """
    Connections to any servers; for one event loop, and as many tasks as like.

    Args:
        timeout_s: for a connection to be made, TLS included.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._scratch = memoryview(bytearray(_SCRATCH_BYTES))
        self._open: set[_Connection] = set()
        self._kept: dict[Server, list[_Connection]] = {}
        self._is_closed = False

    async def close(self) -> None:
        """Ends every connection; requests under way are Unusable."""
        self._is_closed = True
        ending = list(self._open)
        for connection in ending:
            connection.give_up(Unusable("its connection was given up"))
        for connection in ending:
            await connection.gone.wait()

    async def ask(
        self, server: Server, request: bytes, *, max_bytes: int, idle_s: float
    ) -> Answer:
        """
        The answer to a request, which is sent again when its connection just ended.

        Args:
            request: complete, of a kind that may be sent twice.
            max_bytes: for the body of status 200.
            idle_s: for the server to send anything at all.

        Raises:
            NoConnection, ssl.SSLError: the server cannot be reached.
            Ended, Unusable, TooLong: its answer cannot be used.
        """
        connection = self._taken(server) or await self._made(server)
        try:
            return await self._asked(server, connection, request, max_bytes, idle_s)
        except Ended:
            connection = await self._made(server)
        return await self._asked(server, connection, request, max_bytes, idle_s)

    async def _asked(
        self,
        server: Server,
        connection: "_Connection",
        request: bytes,
        max_bytes: int,
        idle_s: float,
    ) -> Answer:
        try:
            answer = await connection.ask(request, max_bytes, idle_s)
        except BaseException:
            connection.give_up()  # what is still to come belongs to nobody
            raise
        if connection.is_reusable and not self._is_closed:
            connection.keep(KEPT_S)
            self._kept.setdefault(server, []).append(connection)
        else:
            connection.give_up()
        return answer

    def _taken(self, server: Server) -> "_Connection | None":
        """The connection that was used last, of those that are kept."""
        kept = self._kept.get(server, [])
        while kept:
            connection = kept.pop()
            if connection.is_reusable:
                return connection
        return None

    async def _made(self, server: Server) -> "_Connection":
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connected(server)
        except ssl.SSLError:
            raise
        except OSError as exc:  # TimeoutError is one
            raise NoConnection from exc
        if self._is_closed:
            connection.give_up()
            raise Unusable("its connection was given up")
        return connection

    async def _connected(self, server: Server) -> "_Connection":
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(
            server.host, server.port, type=socket.SOCK_STREAM
        )
        opened = await aiohappyeyeballs.start_connection(
            infos, happy_eyeballs_delay=_STAGGER_S, interleave=1
        )
        connection = _Connection(self._scratch, partial(self._gone, server))
        try:
            await loop.create_connection(
                lambda: connection,
                sock=opened,
                ssl=server.tls,
                server_hostname=None if server.tls is None else server.host.rstrip("."),
            )
        except BaseException:
            connection.give_up()
            opened.close()
            raise
        self._open.add(connection)
        return connection

    def _gone(self, server: Server, connection: "_Connection") -> None:
        self._open.discard(connection)
        kept = self._kept.get(server, [])
        if connection in kept:
            kept.remove(connection)
        if not kept:
            self._kept.pop(server, None)


class _Connection(asyncio.BufferedProtocol):
    """
    One connection, for one request at a time.

    Args:
        on_gone: called once, when the connection is over.
    """

    def __init__(
        self, scratch: memoryview, on_gone: "Callable[[_Connection], None]"
    ) -> None:
        self.gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._scratch = scratch
        self._on_gone = on_gone
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None  # while an answer is to come
        self._waiting: asyncio.Future[AnswerReader] = self._loop.create_future()
        self._is_kept = False
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        self._idle_s = 0.0

    @property
    def is_reusable(self) -> bool:
        """Whether another request may be sent, now that an answer was read."""
        return (
            self._is_kept
            and self._transport is not None
            and not self._transport.is_closing()
        )

    async def ask(self, request: bytes, max_bytes: int, idle_s: float) -> Answer:
        """
        The answer to one request; whatever is raised, the connection is to be given up.

        Raises:
            Ended, Unusable, TooLong: there is none.
        """
        if self._transport is None or self._transport.is_closing():
            raise Ended
        self._reader = AnswerReader(max_bytes, self._scratch)
        waiting: asyncio.Future[AnswerReader] = self._loop.create_future()
        self._waiting = waiting
        self._idle_s = idle_s
        self._expect(idle_s)
        self._transport.write(request)
        try:
            reader = await waiting
        finally:
            if waiting.done() and not waiting.cancelled():
                waiting.exception()  # else a cancelled task would leave it unseen
        # Not earlier: while the loop tells of the last bytes, it holds their room.
        return reader.answer()

    def keep(self, idle_s: float) -> None:
        """Ends the connection when it is not used for so long."""
        self._expect(idle_s)

    def give_up(self, why: Exception | None = None) -> None:
        """Ends the connection at once; `why` goes to the task that waits."""
        if why is not None:
            self._fail(why)
        self._reader = None
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        reader = self._reader
        return self._scratch if reader is None else reader.room

    def buffer_updated(self, nbytes: int) -> None:
        reader = self._reader
        if reader is None:
            self.give_up()  # nobody asked
            return
        had_head = reader.head is not None
        try:
            reader.took(nbytes)
        except (Unusable, TooLong) as exc:
            self.give_up(exc)
            return
        if reader.is_complete:
            self._finish(reader, is_kept=reader.is_kept)
        elif reader.head is None or reader.head.status == 200:
            self._due_s = self._loop.time() + self._idle_s
        elif not had_head:
            self._expect(min(REFUSAL_S, self._idle_s))

    def eof_received(self) -> None:
        self._over(None)  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        self._over(exc)
        self._is_kept = False
        if self._timer is not None:
            self._timer.cancel()
        self.gone.set()
        self._on_gone(self)

    def _over(self, cause: Exception | None) -> None:
        reader = self._reader
        if reader is None:
            return
        if reader.head is None:
            ended = Ended()
            ended.__cause__ = cause
            self._fail(ended)
            return
        try:
            reader.ended(is_clean=cause is None)
        except Unusable as exc:
            self._fail(exc)
        else:
            self._finish(reader, is_kept=False)

    def _fail(self, why: Exception) -> None:
        """Of an answer with another status than 200 its beginning is enough."""
        reader = self._reader
        if reader is None:
            return
        if reader.head is not None and reader.head.status != 200:
            self._finish(reader, is_kept=False)
            return
        self._reader = None
        if not self._waiting.done():
            self._waiting.set_exception(why)

    def _finish(self, reader: AnswerReader, *, is_kept: bool) -> None:
        self._reader = None
        self._is_kept = is_kept
        if not self._waiting.done():
            self._waiting.set_result(reader)

    def _expect(self, within_s: float) -> None:
        """
        Something has to come within this time, else the connection ends.

        A timer that would be too early stays and is set again when it is over: a
        request then costs none.
        """
        self._due_s = self._loop.time() + within_s
        if self._timer is None or self._due_s < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._due_s, self._look)

    def _look(self) -> None:
        if self._loop.time() < self._due_s:
            self._timer = self._loop.call_at(self._due_s, self._look)
        else:
            self._timer = None
            self.give_up(Unusable("nothing came for too long"))
