"""
One connection to a certstream server: raw messages, bounded in size and time.

certstream's client and websocket-client make the handshake and write what is sent;
reading is ours. The library reads three times from the socket for each message and
checks UTF-8 in Python; here one read brings a buffer full of messages, which are cut
out of it, and JSON is left alone.

Source: RFC 6455 (sections 4.1, 5.2 to 5.5, 7.4), RFC 7617 (Basic).
"""

import base64
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import certstream.core
from websocket import ABNF, WebSocket, WebSocketException

from ctmonitor.errors import SourceError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.text import shortened
from ctmonitor.net.backoff import retry_after_s
from ctmonitor.net.route import Route

_READ_BYTES = 256 * 1024
# A TLS record holds at most so much (RFC 8446 section 5.1), and a read gives one.
_RECORD_BYTES = 16 * 1024
# How long a read waits before it looks at the clock again.
_TICK_S = 0.2
_MAX_FRAGMENTS = 100_000
# Pieces of a large message are joined once, but not kept by the million when a server
# sends it byte by byte.
_MAX_PARTS = 4096

_TEXT, _BINARY, _CONTINUATION = 0x1, 0x2, 0x0
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA

# What of a server's answer is websocket-client's business; it would keep cookies.
_UPGRADE_HEADERS = (b"upgrade", b"connection", b"sec-websocket-")
_REDIRECTS = range(300, 400)


class Frames:
    """
    Cuts a stream of bytes into websocket messages (RFC 6455 section 5.2).

    Args:
        max_bytes: largest message taken; checked on the announced length, before the
            bytes come.

    Attributes:
        failure: why nothing that follows can be read: the stream broke RFC 6455, a
            message is too large, or the server closed. None while all is well.
        ping: the payload of the last ping that nobody took yet (RFC 6455 5.5.3: an
            answer to the last one is enough).
        closing: the payload of the server's close frame.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []  # of an incomplete frame
        self._have = 0
        self._need = 2
        self._fragments: list[bytes] | None = None
        self._fragments_bytes = 0
        self.failure: SourceError | None = None
        self.ping: bytes | None = None
        self.closing: bytes | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """
        The messages that `data` completes, up to what sets `failure`.
        """
        messages: list[bytes] = []
        if self.failure is None:
            if self._parts:
                self._parts.append(data)
                self._have += len(data)
                if self._have < self._need:
                    if len(self._parts) > _MAX_PARTS:
                        self._parts = [b"".join(self._parts)]
                    return messages
                data = b"".join(self._parts)
            try:
                end = self._cut(data, messages)
            except SourceError as exc:
                self.failure = exc
            else:
                self._parts = [data[end:]] if end < len(data) else []
                self._have = len(data) - end
        return messages

    def _cut(self, data: bytes, messages: list[bytes]) -> int:
        """Append the messages that are complete; where the first incomplete begins."""
        at, size = 0, len(data)
        room = self._max_bytes - self._fragments_bytes
        self._need = 2
        while size - at >= 2:
            # | FIN 1, RSV 3, opcode 4 | MASK 1, length 7 | length 0, 16 or 64 | payload
            first, length = data[at], data[at + 1]
            start = at + 2
            if length > 125:
                if length > 127:
                    raise SourceError("the server masked a frame (RFC 6455 5.1)")
                start += 2 if length == 126 else 8
                if start > size:
                    self._need = start - at
                    break
                length = int.from_bytes(data[at + 2 : start], "big")
            is_whole = (first == 0x81 or first == 0x82) and self._fragments is None
            if not is_whole:
                self._check(first, length)
            if length > room and not first & 0x08:
                raise SourceError(
                    f"a message of {self._fragments_bytes + length} bytes is larger "
                    f"than {self._max_bytes} ([SOURCES] Max_Message_MB)"
                )
            end = start + length
            if end > size:
                self._need = end - at
                break
            if is_whole:
                messages.append(data[start:end])
            else:
                self._take(first, data[start:end], messages)
                room = self._max_bytes - self._fragments_bytes
            at = end
        return at

    def _check(self, first: int, length: int) -> None:
        """Raise SourceError when no frame may begin like this at this place."""
        opcode = first & 0x0F
        if first & 0x70:
            raise SourceError(
                "the server sent a compressed frame, which was not offered"
                if first & 0x40
                else "the server set reserved bits (RFC 6455 5.2)"
            )
        if opcode in (_CLOSE, _PING, _PONG):
            if not first & 0x80 or length > 125:
                raise SourceError(
                    "the server sent a control frame in pieces or of over 125 bytes "
                    "(RFC 6455 5.5)"
                )
        elif opcode not in (_TEXT, _BINARY, _CONTINUATION) or (
            (opcode == _CONTINUATION) == (self._fragments is None)
        ):
            raise SourceError(f"the server sent opcode {opcode} where none may stand")

    def _take(self, first: int, payload: bytes, messages: list[bytes]) -> None:
        """A control frame, or a part of a message."""
        opcode = first & 0x0F
        if opcode == _PING:
            self.ping = payload
        elif opcode == _CLOSE:
            self.closing = payload
            raise SourceError(_close_reason(payload))
        elif opcode != _PONG:
            self._fragments = self._fragments or []
            self._fragments.append(payload)
            self._fragments_bytes += len(payload)
            if len(self._fragments) > _MAX_FRAGMENTS:
                raise SourceError(
                    f"the server sent a message in over {_MAX_FRAGMENTS} fragments"
                )
            if first & 0x80:
                messages.append(b"".join(self._fragments))
                self._fragments, self._fragments_bytes = None, 0


def shown(address: str) -> str:
    """An address without its credentials, for logs and the store."""
    parts = urlsplit(address)
    if parts.username is None and parts.password is None:
        return address
    return parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]).geturl()


def _close_reason(payload: bytes) -> str:
    code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005
    reason = shortened(payload[2:].decode("utf-8", "replace"), 100)
    said = f": {reason}" if reason else ""
    return f"the server closed the connection with code {code}{said}"


class _Answer:
    """
    A socket as websocket-client uses it in a handshake; the answer is read by ours.

    The library reads header lines byte by byte and without bound in size or time, and
    the body of a refusal as long as the server likes to announce it.
    """

    def __init__(self, sock: socket.socket, read: Callable[[], bytes]) -> None:
        """
        Args:
            read: reads the head of the answer; called once, when it is asked for.
        """
        self._sock = sock
        self._read = read
        self._head: bytes | None = None

    def recv(self, size: int) -> bytes:
        if self._head is None:
            self._head = self._read()
        data, self._head = self._head[:size], self._head[size:]
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class FeedClient(certstream.core.CertStreamClient):  # type: ignore[misc]
    """
    certstream's client, handing on raw messages. One thread opens, one reads.
    """

    def __init__(
        self,
        url: str,
        route: Route,
        max_bytes: int,
        *,
        handshake_s: float = 20.0,
        handshake_bytes: int = 64 * 1024,
    ) -> None:
        """
        Args:
            url: `ws://` or `wss://`, as in ACTServer; a name and password before the
                host are sent as HTTP Basic authorization.
            max_bytes: largest message taken.
            handshake_s, handshake_bytes: the most an answer to the handshake may take.
                Real ones have some 300 bytes.
        """
        super().__init__(message_callback=None, url=url)
        self._route = route
        self._handshake_s = handshake_s
        self._handshake_bytes = handshake_bytes
        self._frames = Frames(max_bytes)
        self._socket: socket.socket | None = None
        self._early = b""
        self._failure: SourceError | None = None
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make `open` fail soon, from another thread."""
        self._cancelled.set()

    def open(self) -> None:
        """
        Connect and shake hands.

        Raises:
            SourceError: with the reason as the other side gave it.
        """
        try:
            parts = urlsplit(self.url)
            secure = parts.scheme == "wss"
            host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        except ValueError as exc:
            raise SourceError(f"the address cannot be read: {exc}") from exc
        connected = self._route.connect(host, port, secure=secure)
        try:
            self._shake_hands(connected)
        except (OSError, WebSocketException, ValueError) as exc:
            connected.close()
            reason = shortened(str(exc), 200)
            raise SourceError(f"no websocket with {host}:{port}: {reason}") from exc
        except BaseException:
            connected.close()
            raise
        connected.settimeout(_TICK_S)
        self._socket = connected

    def _shake_hands(self, connected: socket.socket) -> None:
        # UTF-8 is the business of whoever parses a message; most are never parsed.
        self.sock = WebSocket(skip_utf8_validation=True)
        self.sock.connect(  # type: ignore[no-untyped-call]
            self.url,
            socket=_Answer(connected, lambda: self._read_answer(connected)),
            header=self._authorization(),
            redirect_limit=0,
            suppress_origin=True,
        )
        self.sock.sock = connected

    def _authorization(self) -> list[str]:
        parts = urlsplit(self.url)
        if parts.username is None and parts.password is None:
            return []
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        token = base64.b64encode(login.encode()).decode("ascii")
        return [f"Authorization: Basic {token}"]

    def _read_answer(self, sock: socket.socket) -> bytes:
        """
        The head of the server's answer, as far as websocket-client is to see it.

        Raises:
            SourceError: it is no upgrade, too long, or too slow.
        """
        received = b""
        deadline = time.monotonic() + self._handshake_s
        while b"\r\n\r\n" not in received:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise SourceError(f"no handshake within {self._handshake_s:g} s")
            if len(received) > self._handshake_bytes:
                raise SourceError(f"a handshake of over {self._handshake_bytes} bytes")
            if self._cancelled.is_set():
                raise SourceError("the handshake was given up")
            sock.settimeout(min(remaining, _TICK_S))
            try:
                more = sock.recv(_RECORD_BYTES)
            except TimeoutError:
                continue
            if not more:
                raise SourceError("the server ended the connection in the handshake")
            received += more
        head, _, self._early = received.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        if status.split(b" ")[1:2] != [b"101"]:
            raise _refusal(status, lines)
        kept = [line for line in lines if line.lower().startswith(_UPGRADE_HEADERS)]
        return b"\r\n".join([status, *kept, b"", b""])

    def read(self) -> list[bytes]:
        """
        The messages that have come, after waiting a moment for one at most.

        Raises:
            SourceError: the connection is over; the reason as the server gave it. All
                that came before has been handed on.
        """
        messages = [] if self._failure is not None else self._take_in()
        if self._failure is not None and not messages:
            raise self._failure
        return messages

    def _take_in(self) -> list[bytes]:
        """The messages of one read; what ends the connection is put by as failure."""
        assert self._socket is not None  # noqa: S101
        data, self._early = self._early, b""
        if not data:
            try:
                data = self._receive(self._socket)
            except TimeoutError:
                return []
            except OSError as exc:
                self._failure = SourceError(f"the connection broke: {exc}")
                return []
            if not data:
                self._failure = SourceError("the server ended the connection")
                return []
        frames = self._frames
        messages = frames.feed(data)
        self._failure = frames.failure
        try:
            if frames.closing is not None:
                code = frames.closing[:2] if len(frames.closing) > 1 else b""
                self._send(code, ABNF.OPCODE_CLOSE)
            elif frames.ping is not None:
                payload, frames.ping = frames.ping, None
                self._send(payload, ABNF.OPCODE_PONG)
        except SourceError as exc:
            self._failure = self._failure or exc
        return messages

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        """What there is, up to _READ_BYTES; a TLS socket gives one record at a time."""
        if not isinstance(sock, ssl.SSLSocket):
            return sock.recv(_READ_BYTES)
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        parts = [sock.recv(_RECORD_BYTES)]
        size = len(parts[0])
        while parts[-1] and size < _READ_BYTES and (sock.pending() or poll.poll(0)):
            try:
                parts.append(sock.recv(_RECORD_BYTES))
            except OSError:
                # The rest of a record is still on its way, or the connection broke,
                # which the next read will tell: what came before goes first.
                break
            size += len(parts[-1])
        return b"".join(parts)

    def ping(self) -> None:
        """Send a ping; raises SourceError when the server takes nothing any more."""
        self._send(b"", ABNF.OPCODE_PING)

    def _send(self, payload: bytes, opcode: int) -> None:
        try:
            self.sock.send(payload, opcode)
        except (OSError, WebSocketException) as exc:
            raise SourceError(f"the server takes no answer: {exc}") from exc

    def close(self, **_: Any) -> None:
        """End the connection, with a close frame where the server still listens."""
        if self._socket is None:
            return
        try:
            if self._failure is None:
                self._socket.settimeout(0.2)
                self._send(b"\x03\xe8", ABNF.OPCODE_CLOSE)
        except (OSError, SourceError):
            pass  # it is gone already, which is what was wanted
        finally:
            self._socket.close()
            self._socket = None


def _refusal(status: bytes, lines: list[bytes]) -> SourceError:
    """Why there is no upgrade, in the words of the server's first line."""
    words = status.split(b" ", 2)
    if not words[0].startswith(b"HTTP/") or not words[1:2] or not words[1].isdigit():
        said = shortened(status.decode("latin-1"), 80)
        return SourceError(f"the server does not speak HTTP: {said!r}")
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.decode("latin-1").partition(":") for line in lines)
    }
    code = int(words[1][:9])
    text = shortened(b" ".join(words[1:]).decode("latin-1"), 80)
    if code in _REDIRECTS:
        target = shortened(fields.get("location", ""), 200)
        return SourceError(
            f"the server answered {text} and names {target!r}; redirects are not "
            "followed, so give the right address in ACTServer"
        )
    advice = {
        401: "; it wants a login, as in wss://user:password@host/",
        403: "; it refuses this client or this path",
    }.get(code, "")
    wait_s = retry_after_s(fields.get("retry-after", ""), now_utc())
    if wait_s is not None:
        advice += f"; it asks to wait {wait_s:.0f} s"
    return SourceError(f"the server answered {text} instead of 101{advice}", wait_s)
