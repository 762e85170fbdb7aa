"""
Fake logs on the network: HTTP/1.1 on loopback, plain or TLS, well behaved or hostile.

    with LogServer(FakeLog("one.example/2026", entries)) as server:
        front = server.fronts[0]
        front.url                          # base of both protocols
        server.log_list()                  # log list v3 that names all logs
        front.faults = [fault("hang")]     # listed in tests.fakes.logfaults
        front.log = front.log.shrunk(100)  # another log behind the same address
    assert front.count("tile/") == 0

A front answers for one log as a value; the server only carries requests and replies.
"""

import asyncio
import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from tests.fakes.api import Reply, Request
from tests.fakes.guests import Guests
from tests.fakes.log import FakeLog, compressed

MOVED = "moved/"  # everything is there as well, for redirects

_START_S = 10
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
_IMMUTABLE = {
    "Content-Type": "application/octet-stream",
    "Cache-Control": "public, max-age=604800, immutable",
}


@dataclass(frozen=True, slots=True)
class LogReply(Reply):
    """
    Args:
        is_reset: the connection is reset instead of an answer.
        delay_s: pause before the answer.
    """

    is_reset: bool = False
    delay_s: float = 0.0


@dataclass(slots=True)
class Fault:
    """
    What a front does wrong.

    Args:
        where: pattern looked for in the path below the log, query included.
        spoil: makes the bad reply from the good one.
        times: requests until it ends by itself; None: never.
    """

    where: str
    spoil: Callable[["Front", Request, LogReply], LogReply]
    times: int | None = None

    def apply(self, front: "Front", request: Request, good: LogReply) -> LogReply:
        if self.times == 0 or not re.search(self.where, request.path):
            return good
        if self.times is not None:
            self.times -= 1
        return self.spoil(front, request, good)


@dataclass(slots=True)
class Front:
    """
    What answers for one log under `<url>`: both protocols.

    Args:
        log: can be changed at any time, for one that lies.
        older: a stale front end: every other head is the one of this log.
        max_entries: most entries in a reply to get-entries.
        is_aligned: such a reply ends at a multiple of that, as Trillian does it.
        is_gzipped: data tiles are sent compressed, whatever the client accepts.
        keeps_partials: partial tiles stay when the full one exists.
        proves_any: consistency from sizes that no head ever had.
        delay_s: pause before each answer.
        requests: all that came, with paths below the log's own.
    """

    log: FakeLog
    name: str
    is_tiled: bool = True
    operator: str = "Fake Logs"
    state: str = "usable"
    url: str = ""
    older: FakeLog | None = None
    max_entries: int = 256
    is_aligned: bool = False
    is_gzipped: bool = True
    has_names: bool = False
    keeps_partials: bool = True
    proves_any: bool = True
    delay_s: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    _heads_served: int = 0

    def count(self, start: str = "") -> int:
        """Requests so far for paths that begin so: `tile/`, `ct/v1/get-sth`."""
        return sum(request.path.startswith(start) for request in self.requests)

    def answer(self, request: Request) -> LogReply:
        self.requests.append(request)
        reply = replace(self._good(request), delay_s=self.delay_s)
        for each in self.faults:
            reply = each.apply(self, request, reply)
        return reply

    def _good(self, request: Request) -> LogReply:
        path = urlsplit(request.path).path.removeprefix(MOVED)
        if request.method != "GET":
            return LogReply(405)
        if path == "checkpoint":
            return LogReply(
                body=self._heads().checkpoint(),
                headers={**_TEXT, "Cache-Control": "no-store"},
            )
        if path.startswith("tile/"):
            return self._tile(path)
        if path.startswith("issuer/"):
            der = self.log.issuer(path.removeprefix("issuer/"))
            return _not_found() if der is None else LogReply(200, der, _IMMUTABLE)
        if path.startswith("ct/v1/"):
            query = parse_qs(urlsplit(request.path).query)
            arguments = {name: values[-1] for name, values in query.items()}
            try:
                return self._rfc6962(path.removeprefix("ct/v1/"), arguments)
            except (KeyError, ValueError) as exc:
                return _bad_request(f"parameter missing or malformed: {exc}")
        return _not_found()

    def _heads(self) -> FakeLog:
        """Of a stale front end each log in turn."""
        self._heads_served += 1
        if self.older is not None and self._heads_served % 2 == 0:
            return self.older
        return self.log

    def _tile(self, path: str) -> LogReply:
        if path.startswith("tile/names/") and not self.has_names:
            return _not_found()
        full, is_partial, _ = path.partition(".p/")
        if is_partial and not self.keeps_partials and self.log.tile(full) is not None:
            return _not_found()
        body = self.log.tile(path)
        if body is None:
            return _not_found()
        is_hashes = path[len("tile/")].isdigit()
        if is_hashes or (path.startswith("tile/data/") and not self.is_gzipped):
            return LogReply(200, body, _IMMUTABLE)
        return LogReply(
            200, compressed(body), {**_IMMUTABLE, "Content-Encoding": "gzip"}
        )

    def _rfc6962(self, call: str, arguments: Mapping[str, str]) -> LogReply:
        def number(name: str) -> int:
            value = int(arguments[name])
            if value < 0:
                raise ValueError(name)
            return value

        log = self.log
        if call == "get-sth":
            return _ok(self._heads().sth())
        if call == "get-roots":
            return _ok(log.get_roots())
        if call == "get-entries":
            return self._entries(number("start"), number("end") + 1)
        if call == "get-sth-consistency":
            first, second = number("first"), number("second")
            sizes = {head.size for head in log.heads}
            if not 0 < first <= second <= len(log.entries):
                return _bad_request("need tree size")
            if not self.proves_any and not {first, second} <= sizes:
                return _bad_request("tree size is no published tree head")
            return _ok(log.get_consistency(first, second))
        if call == "get-proof-by-hash":
            leaf_hash = base64.b64decode(arguments["hash"], validate=True)
            proof = log.get_proof_by_hash(leaf_hash, number("tree_size"))
            return _not_found() if proof is None else _ok(proof)
        if call == "get-entry-and-proof":
            index, size = number("leaf_index"), number("tree_size")
            if not index < size <= len(log.entries):
                return _bad_request("need tree size")
            return _ok(log.get_entry_and_proof(index, size))
        return _not_found()

    def _entries(self, start: int, end: int) -> LogReply:
        if start >= end:
            return _bad_request("start should not be after end")
        if start >= self.log.size:
            return _bad_request(f"need tree size: {end} to get leaves")
        if self.is_aligned and end - start >= self.max_entries:
            stop = (start // self.max_entries + 1) * self.max_entries
        else:
            stop = start + self.max_entries
        return _ok(self.log.get_entries(start, min(end, stop, self.log.size)))


class _Server(web.Server):
    """aiohttp's, whose connections are over when it is."""

    def __init__(self, guests: Guests, *handler: Any, **options: Any) -> None:
        super().__init__(*handler, **options)
        self._guests = guests

    def connection_made(
        self, handler: web.RequestHandler, transport: asyncio.Transport
    ) -> None:
        super().connection_made(handler, transport)
        self._guests.welcome(transport)


class LogServer:
    """
    Serves any number of logs, from `__enter__` to `__exit__`.

    Args:
        logs: logs with everything as `Front` has it by default, or fronts. Their names
            in addresses are `0`, `1`, ... for logs.
        keepalive_s: idle connections are closed then; real ones do it after 5.
    """

    def __init__(
        self,
        *logs: FakeLog | Front,
        tls: ssl.SSLContext | None = None,
        keepalive_s: float = 5.0,
    ) -> None:
        self.fronts = [
            each if isinstance(each, Front) else Front(each, str(number))
            for number, each in enumerate(logs)
        ]
        self.connections: set[int] = set()  # ports of clients, thus connections
        self.most_in_flight = 0
        self.strays: list[Request] = []  # for no log: nobody should ask
        self._in_flight = 0
        self._tls = tls
        self._keepalive_s = keepalive_s
        self._port = 0
        self._is_up = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._port}/"

    @property
    def requests(self) -> list[Request]:
        """Of all logs, each in its order."""
        return [request for front in self.fronts for request in front.requests]

    def log_list(self) -> bytes:
        """Log list v3 with all fronts."""
        operators: dict[str, dict[str, Any]] = {}
        for front in self.fronts:
            operator = operators.setdefault(
                front.operator,
                {"name": front.operator, "email": [], "logs": [], "tiled_logs": []},
            )
            member = front.log.listed(
                front.url, is_tiled=front.is_tiled, state=front.state
            )
            operator["tiled_logs" if front.is_tiled else "logs"].append(member)
        written = {
            "version": "1.0",
            "log_list_timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "operators": list(operators.values()),
        }
        return json.dumps(written, indent=1).encode()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._is_up.wait(_START_S):
            raise RuntimeError("the fake logs did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        guests = Guests()
        runner = web.ServerRunner(
            _Server(guests, self._handle, keepalive_timeout=self._keepalive_s),
            shutdown_timeout=0.1,
        )
        await runner.setup()
        assert runner.server is not None  # since `setup`
        server = await self._loop.create_server(
            runner.server, "127.0.0.1", 0, ssl=self._tls
        )
        self._port = server.sockets[0].getsockname()[1]
        for front in self.fronts:
            front.url = f"{self.url}{front.name}/"
        self._is_up.set()
        await self._stopping.wait()
        await guests.lock(server)
        await runner.cleanup()
        await guests.dismiss()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        name, _, path = request.path_qs.removeprefix("/").partition("/")
        headers = {key.lower(): text for key, text in request.headers.items()}
        body = await request.read()
        asked = Request(request.method, path, headers, body)
        if request.transport is not None:
            self.connections.add(request.transport.get_extra_info("peername")[1])
        front = next((each for each in self.fronts if each.name == name), None)
        if front is None:
            self.strays.append(replace(asked, path=request.path_qs))
            return web.Response(status=404)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            return await self._send(request, front.answer(asked))
        finally:
            self._in_flight -= 1

    async def _send(
        self, request: web.BaseRequest, reply: LogReply
    ) -> web.StreamResponse:
        if reply.is_silent:
            await self._stopping.wait()
        await asyncio.sleep(reply.delay_s)
        if reply.is_reset or reply.is_silent:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        answer = web.StreamResponse(status=reply.status, headers=reply.headers)
        if not reply.is_endless:
            answer.content_length = len(reply.body) + reply.missing
        await answer.prepare(request)
        if reply.drip_s is None:
            await answer.write(reply.body)
        else:
            for byte in reply.body:
                await answer.write(bytes([byte]))
                await asyncio.sleep(reply.drip_s)
        while reply.is_endless and not self._stopping.is_set():
            await answer.write(reply.body)
        if reply.missing and request.transport is not None:
            request.transport.abort()
        return answer


def _ok(body: bytes) -> LogReply:
    return LogReply(200, body, {"Content-Type": "application/json"})


def _not_found() -> LogReply:
    return LogReply(404, b"404 page not found\n", _TEXT)


def _bad_request(why: str) -> LogReply:
    return LogReply(400, why.encode() + b"\n", _TEXT)
