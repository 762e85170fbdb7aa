"""
A websocket server on loopback that does, byte for byte, what a script tells it.

    with FeedServer(refuse(503), serve([b"{}"])) as server:
        ...  # first connection: refused; second and every later one: served
        assert server.connections[1].request.target == "/"

A script is a function that takes a `Peer`, one connection, and talks to it with plain
calls. Each connection has its thread. A script ends when the client leaves, when the
server stops, or by returning; then the connection is closed in an orderly way.

Source: RFC 6455, sections 4.2.2 (handshake), 5.2 (frames), 7.4 (close codes).
"""

import base64
import contextlib
import hashlib
import itertools
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

_ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_MAX_REQUEST_BYTES = 64 * 1024
_LINGER_S = 2.0  # how long a client may take to close after we did

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a client's request; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame from the client, unmasked; `at_s` is on the clock of time.monotonic."""

    opcode: int
    payload: bytes
    fin: bool
    masked: bool
    at_s: float

    @property
    def close_code(self) -> int | None:
        """The code of a close frame; None without one and in every other frame."""
        if self.opcode != CLOSE or len(self.payload) < 2:
            return None
        return int.from_bytes(self.payload[:2], "big")


class ServerStopped(Exception):
    """The server is leaving its `with` block; a script lets this pass through."""


def encode_frame(
    opcode: int,
    payload: bytes,
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = None,
) -> bytes:
    """
    One frame as it goes over the wire.

    Args:
        rsv: the three reserved bits, 0..7; 4 is RSV1, "this frame is compressed".
        mask: four bytes, which a server must never send.
    """
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 2**16:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    if mask is None:
        return head + payload
    return head + mask + _masked(payload, mask)


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455, section 4.2.2)."""
    digest = hashlib.sha1(key.encode() + _ACCEPT_GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def _masked(payload: bytes, mask: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(payload, itertools.cycle(mask), strict=False))


@dataclass(eq=False)
class Peer:
    """
    One connection, as its script and the test see it.

    Every method that sends or reads raises OSError when the client is gone, and
    ServerStopped when the server stops meanwhile.

    Args:
        number: 0 for the first connection the server accepted.
        request: filled before the script begins.
        received: every frame from the client that the script has read, in order.
        sent_bytes: what was handed to the system, handshake included.
        failure: how the connection ended when neither side closed it in order.
        ended: true once the script is over and the socket closed.
    """

    number: int
    _socket: socket.socket
    _stopping: threading.Event
    _changed: threading.Condition
    request: Request = field(default_factory=lambda: Request("", "", {}, b""))
    received: list[Frame] = field(default_factory=list)
    sent_bytes: int = 0
    failure: str = ""
    ended: bool = False
    _close_sent: bool = False
    _pending: bytearray = field(default_factory=bytearray)

    # What the test looks at.

    @property
    def pings(self) -> list[Frame]:
        return [frame for frame in self.received if frame.opcode == PING]

    @property
    def pongs(self) -> list[Frame]:
        return [frame for frame in self.received if frame.opcode == PONG]

    @property
    def closes(self) -> list[Frame]:
        return [frame for frame in self.received if frame.opcode == CLOSE]

    # What the script does.

    def handshake(self) -> None:
        """Accepts the upgrade as RFC 6455 wants it, without any extension."""
        key = self.request.headers.get("sec-websocket-key", "")
        self.send_raw(
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
        )

    def send_raw(self, data: bytes) -> None:
        self._guard()
        self._socket.sendall(data)
        self.sent_bytes += len(data)

    def send_text(self, payload: bytes) -> None:
        self.send_raw(encode_frame(TEXT, payload))

    def send_binary(self, payload: bytes) -> None:
        self.send_raw(encode_frame(BINARY, payload))

    def send_fragments(self, payload: bytes, sizes: Sequence[int]) -> None:
        """Sends one text message as frames of these sizes; what remains comes last."""
        ends = [0, *itertools.accumulate(sizes), len(payload)]
        for part, (start, end) in enumerate(itertools.pairwise(ends)):
            last = part == len(sizes)
            opcode = CONTINUATION if part else TEXT
            self.send_raw(encode_frame(opcode, payload[start:end], fin=last))

    def ping(self, payload: bytes = b"") -> None:
        self.send_raw(encode_frame(PING, payload))

    def close(self, code: int | None = 1000, reason: bytes = b"") -> None:
        """Sends a close frame; without a code it is empty. The socket stays open."""
        body = b"" if code is None else struct.pack("!H", code) + reason
        self._close_sent = True
        self.send_raw(encode_frame(CLOSE, body))

    def abort(self) -> None:
        """Ends the connection with a TCP reset; nothing can be sent after it."""
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self._socket.close()

    def receive(self) -> Frame | None:
        """The client's next frame, which is recorded too; None when it has left."""
        head = self._read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self._read(2 if size == 126 else 8), "big")
        masked = bool(head[1] & 0x80)
        mask = self._read(4) if masked else bytes(4)
        payload = self._read(size)
        if len(payload) < size:
            return None
        frame = Frame(
            opcode=head[0] & 0x0F,
            payload=_masked(payload, mask),
            fin=bool(head[0] & 0x80),
            masked=masked,
            at_s=time.monotonic(),
        )
        with self._changed:
            self.received.append(frame)
            self._changed.notify_all()
        return frame

    def wait_closed(self) -> Frame | None:
        """
        Answers pings until the client closes; its close frame, or None without one.

        This is how a well-behaved server spends its time when it has nothing to send.
        A close that answers ours is the last word; any other is answered.
        """
        while (frame := self.receive()) is not None:
            if frame.opcode == PING:
                self.send_raw(encode_frame(PONG, frame.payload))
            elif frame.opcode == CLOSE:
                # The client may be gone before it hears the answer; that is its right.
                with contextlib.suppress(OSError):
                    if not self._close_sent:
                        self.close(frame.close_code)
                return frame
        return None

    def wait(self, seconds: float | None = None) -> None:
        """Neither reads nor writes for so long; without a number, until the end."""
        self._stopping.wait(seconds)
        self._guard()

    # How it works.

    def read_request(self) -> None:
        """Reads the request's head, as the server does before the script begins."""
        while b"\r\n\r\n" not in self._pending:
            more = self._socket.recv(4096)
            if not more:
                raise ConnectionError("the client left before its request was complete")
            self._pending += more
            if len(self._pending) > _MAX_REQUEST_BYTES:
                raise ConnectionError("the client's request has no end")
        raw, _, rest = bytes(self._pending).partition(b"\r\n\r\n")
        self._pending = bytearray(rest)
        first, *lines = raw.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        with self._changed:
            self.request = Request(method, target, headers, raw)
            self._changed.notify_all()

    def finish(self) -> None:
        """
        Closes the socket so that what was sent arrives.

        Closing with unread bytes would make the kernel send a reset, which may destroy
        an answer that the client has not read yet: so it is shut down, then read empty.
        """
        with contextlib.suppress(OSError, ValueError):
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
            self._socket.settimeout(_LINGER_S)
            deadline = time.monotonic() + _LINGER_S
            while time.monotonic() < deadline and self._socket.recv(65536):
                pass
        self._socket.close()

    def _guard(self) -> None:
        if self._stopping.is_set():
            raise ServerStopped

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes, fewer only when the client has left."""
        while len(self._pending) < size:
            more = self._socket.recv(65536)
            self._guard()
            if not more:
                break
            self._pending += more
        data = bytes(self._pending[:size])
        del self._pending[:size]
        return data


Script = Callable[[Peer], None]


class FeedServer:
    """
    Listens while the `with` block runs; what a script raised is raised at its end.

    Args:
        scripts: what the first, second, ... connection meets; the last one repeats.
        tls: a server context, which makes it `wss`.
        host: the name that `url` carries; the server listens on 127.0.0.1 anyway.
    """

    def __init__(
        self,
        *scripts: Script,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        if not scripts:
            raise ValueError("a FeedServer needs at least one script")
        self.connections: list[Peer] = []
        self._scripts = scripts
        self._tls = tls
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'wss' if tls else 'ws'}://{host}:{self.port}/"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        # Only shutdown wakes a thread that is inside accept, recv or send; close would
        # leave it there. The threads themselves close their sockets.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._changed:
            peers, threads = list(self.connections), list(self._threads)
        for peer in peers:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown: that drops the TLS state under the thread.
                socket.socket.shutdown(peer._socket, socket.SHUT_RDWR)
        for thread in threads:
            thread.join(timeout=10)
        self._listener.close()
        stuck = [thread.name for thread in threads if thread.is_alive()]
        if exc is None and stuck:
            raise RuntimeError(f"scripts that do not end: {', '.join(stuck)}")
        if exc is None and self._failures:
            raise self._failures[0]

    def wait_for(self, seen: Callable[[Self], bool], timeout_s: float = 10) -> None:
        """
        Returns once `seen(server)` is true; it is asked whenever something arrived.

        Raises:
            TimeoutError: it was still false after `timeout_s` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: seen(self), timeout_s):
                raise TimeoutError(f"the feed server waited {timeout_s} s in vain")

    def wait_for_connections(self, count: int, timeout_s: float = 10) -> None:
        """Returns once so many clients have sent their request."""
        self.wait_for(
            lambda server: (
                sum(bool(p.request.raw) for p in server.connections) >= count
            ),
            timeout_s,
        )

    def wait_for_ended(self, count: int = 1, timeout_s: float = 10) -> None:
        """Returns once so many connections are over and closed."""
        self.wait_for(
            lambda server: sum(peer.ended for peer in server.connections) >= count,
            timeout_s,
        )

    def _start(self, target: Callable[..., None], *args: object) -> None:
        name = f"feed-{self.port}-{len(self._threads)}"
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Frames go out as the script sends them, not when Nagle thinks fit.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                if self._stopping.is_set():
                    connection.close()
                    return
                number = len(self.connections)
                peer = Peer(number, connection, self._stopping, self._changed)
                self.connections.append(peer)
                self._start(self._run, peer)
                self._changed.notify_all()

    def _run(self, peer: Peer) -> None:
        script = self._scripts[min(peer.number, len(self._scripts) - 1)]
        try:
            if self._tls is not None:
                secured = self._tls.wrap_socket(
                    peer._socket, server_side=True, do_handshake_on_connect=False
                )
                peer._socket = secured
                # A stop before this line shut down the plain socket, which is gone.
                peer._guard()
                secured.do_handshake()
            peer.read_request()
            script(peer)
        except ServerStopped:
            pass
        except OSError as exc:  # the client left, or refused our certificate
            peer.failure = str(exc)
        except BaseException as exc:  # noqa: BLE001 -- raised again by __exit__
            self._failures.append(exc)
        finally:
            peer.finish()
            with self._changed:
                peer.ended = True
                self._changed.notify_all()


# Ready-made scripts.


def serve(
    messages: Iterable[bytes], then: Literal["hold", "close", "abort"] = "hold"
) -> Script:
    """
    Sends these text messages, then holds the connection, closes or resets it.

    Args:
        then: `hold` answers pings until the client leaves; `close` sends code 1000 and
            waits for the answer; `abort` is a TCP reset, which may overtake messages
            that the client has not read yet.
    """
    kept = list(messages)  # the script may run once for each connection

    def script(peer: Peer) -> None:
        peer.handshake()
        for message in kept:
            peer.send_text(message)
        if then == "abort":
            peer.abort()
            return
        if then == "close":
            peer.close(1000)
        peer.wait_closed()

    return script


def refuse(
    status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> Script:
    """Answers the request with this HTTP status instead of an upgrade."""
    lines = [f"HTTP/1.1 {status} Refused", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    answer = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    return lambda peer: peer.send_raw(answer)


def redirect(location: str, status: int = 302) -> Script:
    """Sends the client elsewhere."""
    return refuse(status, [("Location", location)])


def wrong_accept() -> Script:
    """Upgrades with the Sec-WebSocket-Accept of another key, then sends a message."""

    def script(peer: Peer) -> None:
        key = accept_key("AAAAAAAAAAAAAAAAAAAAAA==").encode()
        peer.send_raw(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + key + b"\r\n\r\n"
        )
        peer.send_text(b"{}")
        peer.wait_closed()

    return script


def endless_headers() -> Script:
    """Begins an upgrade whose header lines never end, as fast as they are read."""

    def script(peer: Peer) -> None:
        peer.send_raw(b"HTTP/1.1 101 Switching Protocols\r\n")
        for number in itertools.count():
            peer.send_raw(b"X-Filler-%d: %s\r\n" % (number, b"x" * 1000))

    return script


def slow_headers(interval_s: float = 0.05) -> Script:
    """Begins an upgrade that arrives byte by byte and never ends."""

    def script(peer: Peer) -> None:
        peer.send_raw(b"HTTP/1.1 101 Switching Protocols\r\nX-Slow: ")
        while True:
            peer.send_raw(b"x")
            peer.wait(interval_s)

    return script


def silent() -> Script:
    """Upgrades and never sends a message; pings are answered, so TCP is alive."""
    return serve([])


def half_open(messages: Iterable[bytes] = ()) -> Script:
    """Sends these messages, then neither reads nor writes and keeps TCP open."""
    kept = list(messages)

    def script(peer: Peer) -> None:
        peer.handshake()
        for message in kept:
            peer.send_text(message)
        peer.wait()

    return script


def ping_flood(count: int, messages: Iterable[bytes] = ()) -> Script:
    """Sends so many pings, then these messages; reads the pongs afterwards."""
    kept = list(messages)

    def script(peer: Peer) -> None:
        peer.handshake()
        for number in range(count):
            peer.ping(b"%d" % number)
        for message in kept:
            peer.send_text(message)
        peer.wait_closed()

    return script


def close_with(
    code: int | None, reason: bytes = b"", messages: Iterable[bytes] = ()
) -> Script:
    """Sends these messages and a close frame with this code; waits for the answer."""
    kept = list(messages)

    def script(peer: Peer) -> None:
        peer.handshake()
        for message in kept:
            peer.send_text(message)
        peer.close(code, reason)
        peer.wait_closed()

    return script


def oversized(n_bytes: int) -> Script:
    """One text message of so many bytes; `sent_bytes` tells when the client left."""

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_raw(struct.pack("!BBQ", 0x80 | TEXT, 127, n_bytes))
        piece = b" " * 65536
        for start in range(0, n_bytes, len(piece)):
            peer.send_raw(piece[: n_bytes - start])
        peer.wait_closed()

    return script


def compressed_frame(message: bytes = b"{}") -> Script:
    """A frame with RSV1 and deflated content, though no extension was agreed."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return _one_frame(encode_frame(TEXT, body[:-4], rsv=4))


def masked_frame(message: bytes = b"{}") -> Script:
    """A masked frame, which only a client may send (RFC 6455, section 5.1)."""
    return _one_frame(encode_frame(TEXT, message, mask=b"\x11\x22\x33\x44"))


def drip(message: bytes, interval_s: float = 0.0) -> Script:
    """One correct text frame, header included, byte by byte."""

    def script(peer: Peer) -> None:
        peer.handshake()
        for byte in encode_frame(TEXT, message):
            peer.send_raw(bytes([byte]))
            peer.wait(interval_s)
        peer.wait_closed()

    return script


def _one_frame(frame: bytes) -> Script:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_raw(frame)
        peer.wait_closed()

    return script
