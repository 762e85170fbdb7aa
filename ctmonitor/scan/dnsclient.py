"""
Questions to name servers: over UDP, over TCP where an answer is cut short.

All visits share few sockets, which serve some dozens of questions each: to open one for
every host takes more of the processor than its questions. Whoever wants to forge an
answer has to guess both its number and a port that was drawn not long ago.

Source: RFC 1035 section 4.2, RFC 5452 (forged answers).
"""

import asyncio
import secrets
import socket
from collections import OrderedDict
from collections.abc import Callable, Sequence

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

_NOT_IN_TIME = Answer(DnsState.TIMEOUT, detail="no name server answered in time")

_QUESTIONS_A_PORT = 64
_READ_AT_ONCE = 64  # answers of a socket, before others have their turn
_MAX_DATAGRAM_BYTES = 4096


class DnsClient:
    """
    Asks `servers` in turn; many questions at the same time.

    Args:
        servers: at least one.
        timeout_s: for one question, all servers and attempts together.
        attempts: how often each server is asked; UDP loses packets.
    """

    def __init__(
        self, servers: Sequence[Server], timeout_s: float, attempts: int = 2
    ) -> None:
        self._turns = tuple(servers) * attempts
        self._sockets: dict[Server, _Socket] = {}
        self._open: set[_Socket] = set()
        self._patience = _Patience(timeout_s / len(self._turns))

    def close(self) -> None:
        """Closes all sockets; what is still asked gets no answer but a time-out."""
        for opened in tuple(self._open):
            opened.close()
        self._sockets.clear()
        self._patience.close()

    def ask(self, name: str, kind: Kind) -> "asyncio.Future[Answer]":
        """
        The first answer; SERVFAIL or TIMEOUT when no server gave a usable one.

        The question is on its way at return. It never raises; after it was cancelled no
        further server is asked.

        Args:
            name: as `names.ascii_host` spells it.
        """
        return _Question(self._turns, self._patience, self._socket, name, kind).answer

    def _socket(self, server: Server) -> "_Socket":
        opened = self._sockets.get(server)
        if opened is None or opened.is_spent:
            opened = self._sockets[server] = _Socket(server, self._open.discard)
            self._open.add(opened)
        return opened


class _Patience:
    """
    When who waits has waited long enough: one timer for all, who wait equally long.

    A timer for each question would cost a tenth of the question.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: OrderedDict[_Question, float] = OrderedDict()  # soonest first
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, question: "_Question") -> None:
        loop = asyncio.get_running_loop()
        self._ends[question] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._end)

    def forget(self, question: "_Question") -> None:
        self._ends.pop(question, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _end(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._ends:
            question, end_s = next(iter(self._ends.items()))
            if end_s > loop.time():
                self._timer = loop.call_at(end_s, self._end)
                return
            question.go_on()  # which forgets it, and may begin it again


class _Question:
    """A question until its answer: asked again, and of the next server."""

    def __init__(
        self,
        turns: Sequence[Server],
        patience: _Patience,
        socket_to: Callable[[Server], "_Socket"],
        name: str,
        kind: Kind,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Answer] = self._loop.create_future()
        self._turns = iter(turns)
        self._patience = patience
        self._socket_to = socket_to
        self._name = name
        self._kind = kind
        self._failure = _NOT_IN_TIME
        self._socket: _Socket | None = None
        self._over_tcp: asyncio.Task[None] | None = None
        self.go_on()

    def received(self, wire: bytes) -> None:
        """Takes the datagram that bears our number."""
        if self.answer.done() or self._over_tcp is not None:
            return
        if is_truncated(wire):
            self._over_tcp = self._loop.create_task(self._ask_over_tcp())
        else:
            self._judge(wire)

    def failed(self, exc: Exception) -> None:
        """Goes on to the next server."""
        if not self.answer.done():
            detail = shortened(str(exc) or type(exc).__name__)
            self._failure = Answer(DnsState.SERVFAIL, detail=detail)
            self.go_on()

    def _judge(self, wire: bytes) -> None:
        try:
            answer = read_answer(wire, self._id, self._name, self._kind)
        except FormatError as exc:
            self.failed(exc)
            return
        if answer.has_failed:
            self._failure = answer
            self.go_on()
        else:
            self._leave()
            self.answer.set_result(answer)

    def go_on(self) -> None:
        """Asks the next server, or gives up; ends what nobody waits for any more."""
        self._leave()
        if self.answer.done():
            return
        for server in self._turns:
            self._server = server
            try:
                self._socket = self._socket_to(server)
                self._id = self._socket.new_id(self)
                self._query = query_wire(self._id, self._name, self._kind)
                self._socket.send(self._query)
            except OSError as exc:
                self._leave()
                detail = shortened(str(exc))
                self._failure = Answer(DnsState.SERVFAIL, detail=detail)
                continue
            self._patience.begin(self)
            return
        self.answer.set_result(self._failure)

    async def _ask_over_tcp(self) -> None:
        """Within the time for this server, after which it is cancelled."""
        try:
            wire = await _exchange_over_tcp(self._server, self._query)
        except (OSError, EOFError) as exc:
            self._over_tcp = None
            self.failed(exc)
        else:
            self._over_tcp = None
            self._judge(wire)

    def _leave(self) -> None:
        """What was done to ask this server comes to its end."""
        self._patience.forget(self)
        if self._over_tcp is not None:
            self._over_tcp.cancel()
            self._over_tcp = None
        if self._socket is not None:
            self._socket.forget(self._id)
            self._socket = None


async def _exchange_over_tcp(server: Server, query: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.transport.abort()


class _Socket:
    """
    A connected socket: the kernel drops what others than the server send.

    Once it is spent it ends with its last question.

    Args:
        on_close: told of the end.

    Raises:
        OSError: there is no way to the server.
    """

    def __init__(self, server: Server, on_close: Callable[["_Socket"], None]) -> None:
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self._loop = asyncio.get_running_loop()
        self._on_close = on_close
        self._waiting: dict[int, _Question] = {}
        self._left = _QUESTIONS_A_PORT
        self._plain = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._plain.setblocking(False)
            self._plain.connect(server)
            self._loop.add_reader(self._plain, self._read)
        except BaseException:
            self._plain.close()
            raise

    @property
    def is_spent(self) -> bool:
        return self._left <= 0

    def new_id(self, question: _Question) -> int:
        """A number that no other question on this socket has."""
        number = -1
        while number < 0 or number in self._waiting:
            number = int.from_bytes(secrets.token_bytes(2), "big")
        self._waiting[number] = question
        self._left -= 1
        return number

    def forget(self, number: int) -> None:
        self._waiting.pop(number, None)
        if self.is_spent and not self._waiting:
            self.close()

    def send(self, query: bytes) -> None:
        """What finds no room now is lost, as UDP may do, and asked again."""
        try:
            self._plain.send(query)
        except BlockingIOError:
            return

    def close(self) -> None:
        if self._plain.fileno() < 0:
            return
        self._left = 0
        self._loop.remove_reader(self._plain)
        self._plain.close()
        self._on_close(self)

    def _read(self) -> None:
        for _ in range(_READ_AT_ONCE):
            if self._plain.fileno() < 0:
                return  # an answer ended the last question
            try:
                wire = self._plain.recv(_MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError as exc:  # nobody listens there
                for waiting in tuple(self._waiting.values()):
                    waiting.failed(exc)
                return
            waiting_for = self._waiting.get(int.from_bytes(wire[:2], "big"))
            if waiting_for is not None:
                waiting_for.received(wire)
