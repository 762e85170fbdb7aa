"""
An HTTP server on loopback that answers as a function tells it, well or badly.

    with ApiServer(lambda request: Reply(body=b"{}")) as server:
        ...
    assert server.requests[0].path == "/ip/192.0.2.1"
"""

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent; header names are in lower case."""

    method: str
    path: str  # with query
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What goes back.

    Args:
        drip_s: pause before each byte of the body; None sends all at once.
        is_endless: the body is sent again and again, without a length.
        is_silent: nothing is sent until the server stops.
        missing: bytes by which the body is shorter than its Content-Length.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float | None = None
    is_endless: bool = False
    is_silent: bool = False
    missing: int = 0

    @classmethod
    def of(cls, value: object, status: int = 200) -> Self:
        """JSON."""
        return cls(status, json.dumps(value).encode())


# The ways in which a service fails that answers at all.
FAILURES = {
    "html with 200": Reply(body=b"<html><title>Maintenance</title></html>"),
    "empty body": Reply(),
    "cut off": Reply(body=b'{"matches": [', missing=100),
    "a list": Reply(body=b"[]"),
    "a number": Reply(body=b"1e999"),
    "null": Reply(body=b"null"),
    "deeply nested": Reply(body=b"[" * 100_000),
    "not UTF-8": Reply(body=b'{"a": "\xff\xfe'),
    "server error": Reply(500, b"oops"),
    "elsewhere": Reply(302, headers={"Location": "http://198.51.100.1/"}),
    "endless": Reply(body=b" " * 65536, is_endless=True),
}


class ApiServer:
    """Listens on 127.0.0.1 from `__enter__` to `__exit__`; keeps what was asked."""

    def __init__(
        self, answer: Callable[[Request], Reply], tls: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        self._stopping = threading.Event()
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), self._handler(), bind_and_activate=True
        )
        self._server.daemon_threads = False  # joined, so that no socket stays open
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}
        )

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 20  # a client that never asks

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:  # the client has left, as some tests want it to
                    self.close_connection = True

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:
                    self.close_connection = True

            def do_GET(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): text for name, text in self.headers.items()}
                request = Request(
                    self.command, self.path, headers, self.rfile.read(size)
                )
                fake.requests.append(request)
                self._send(fake.answer(request))

            do_POST = do_GET

            def _send(self, reply: Reply) -> None:
                if reply.is_silent:
                    fake._stopping.wait()
                    return
                self.send_response(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name, text)
                if not reply.is_endless:
                    size = len(reply.body) + reply.missing
                    self.send_header("Content-Length", str(size))
                self.end_headers()
                if reply.drip_s is None:
                    self.wfile.write(reply.body)
                else:
                    for byte in reply.body:
                        if fake._stopping.wait(reply.drip_s):
                            return
                        self.wfile.write(bytes([byte]))
                while reply.is_endless and not fake._stopping.is_set():
                    self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:
                """Tests look at `requests`."""

        return Handler
