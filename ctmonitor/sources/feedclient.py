"""
One connection to a certstream server: raw messages, bounded in size and time.

certstream's client and websocket-client make the handshake and write what is sent;
reading is ours. The library reads three times from the socket for each message and
checks UTF-8 in Python; here one read brings a buffer full of messages, which are cut
out of it, and JSON is left alone.

Source: RFC 6455 (sections 4.1, 5.2 to 5.5, 7.4).
"""

import select
import socket
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import certstream.core
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException

from ctmonitor.errors import SourceError
from ctmonitor.model.text import shortened
from ctmonitor.net.route import Route

_READ_BYTES = 256 * 1024
# A handshake has some 300 bytes. Refusals bring a page of HTML with them.
_MAX_HANDSHAKE_BYTES = 64 * 1024
_HANDSHAKE_S = 20.0
# How long a read waits before it looks at the clock again.
_TICK_S = 0.5

_TEXT, _BINARY, _CONTINUATION = 0x1, 0x2, 0x0
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA


class Frames:
    """
    Cuts a stream of bytes into websocket messages (RFC 6455 section 5.2).

    Control frames are handed to `control` as they come.
    """

    def __init__(self, max_bytes: int) -> None:
        """
        Args:
            max_bytes: largest message taken; checked on the announced length, before
                the bytes come.
        """
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []  # of an incomplete frame
        self._have = 0
        self._need = 2
        self._fragments: list[bytes] | None = None
        self._fragments_bytes = 0
        self.control: list[tuple[int, bytes]] = []

    def feed(self, data: bytes) -> list[bytes]:
        """
        The messages that `data` completes.

        Raises:
            SourceError: the stream is not what RFC 6455 allows, or a message is too
                large; nothing that follows can be understood.
        """
        if self._parts:
            self._parts.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._parts)
        messages: list[bytes] = []
        at, size = 0, len(data)
        self._need = 2
        while size - at >= 2:
            first, length = data[at], data[at + 1]
            start = at + 2
            if length > 125:
                wide = 2 if length == 126 else 8
                if length > 127:
                    raise SourceError("the server masked a frame (RFC 6455 5.1)")
                start += wide
                if start > size:
                    self._need = start - at
                    break
                length = int.from_bytes(data[start - wide : start], "big")
            end = start + length
            if length + self._fragments_bytes > self._max_bytes:
                raise SourceError(
                    f"a message of {length + self._fragments_bytes} bytes is larger "
                    f"than {self._max_bytes} ([SOURCES] Max_Message_MB)"
                )
            if end > size:
                self._need = end - at
                break
            if first in (0x81, 0x82) and self._fragments is None:
                messages.append(data[start:end])
            else:
                self._other(first, data[start:end], messages)
            at = end
        self._parts = [data[at:]] if at < size else []
        self._have = size - at
        return messages

    def _other(self, first: int, payload: bytes, messages: list[bytes]) -> None:
        final, reserved, opcode = first & 0x80, first & 0x70, first & 0x0F
        if reserved:
            raise SourceError(
                "the server sent a compressed frame, which was not offered"
                if reserved & 0x40
                else "the server set reserved bits (RFC 6455 5.2)"
            )
        if opcode in (_CLOSE, _PING, _PONG):
            if not final or len(payload) > 125:
                raise SourceError("the server sent a control frame in pieces")
            self.control.append((opcode, payload))
        elif opcode == _CONTINUATION and self._fragments is not None:
            self._add_fragment(payload)
            if final:
                messages.append(b"".join(self._fragments))
                self._fragments, self._fragments_bytes = None, 0
        elif opcode in (_TEXT, _BINARY) and not final and self._fragments is None:
            self._fragments = []
            self._add_fragment(payload)
        else:
            raise SourceError(f"the server sent opcode {opcode} where none may stand")

    def _add_fragment(self, payload: bytes) -> None:
        assert self._fragments is not None  # noqa: S101
        self._fragments.append(payload)
        self._fragments_bytes += len(payload)
        if len(self._fragments) > 100_000:
            raise SourceError("the server sent a message in over 100,000 fragments")


class _Bounded:
    """
    A socket as websocket-client uses it in a handshake, within bytes and seconds.

    The library reads header lines byte by byte and without bound; from here they come
    out of a buffer. Bytes behind the handshake stay in `rest`.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._deadline = time.monotonic() + _HANDSHAKE_S
        self._received = 0
        self.rest = b""

    def recv(self, size: int) -> bytes:
        if not self.rest:
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                raise SourceError(f"no handshake within {_HANDSHAKE_S:.0f} s")
            self._sock.settimeout(remaining)
            try:
                self.rest = self._sock.recv(16384)
            except TimeoutError as exc:
                raise SourceError(f"no handshake within {_HANDSHAKE_S:.0f} s") from exc
            self._received += len(self.rest)
            if self._received > _MAX_HANDSHAKE_BYTES:
                raise SourceError(f"a handshake of over {_MAX_HANDSHAKE_BYTES} bytes")
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class FeedClient(certstream.core.CertStreamClient):  # type: ignore[misc]
    """
    certstream's client, handing on raw messages. For one thread.
    """

    def __init__(self, url: str, route: Route, max_bytes: int) -> None:
        """
        Args:
            url: `ws://` or `wss://`, as in ACTServer.
            max_bytes: largest message taken.
        """
        super().__init__(message_callback=None, url=url)
        self._route = route
        self._frames = Frames(max_bytes)
        self._socket: socket.socket | None = None
        self._early = b""

    def open(self) -> None:
        """
        Connect and shake hands.

        Raises:
            SourceError: with the reason as the other side gave it.
        """
        parts = urlsplit(self.url)
        secure = parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        connected = self._route.connect(parts.hostname or "", port, secure=secure)
        bounded = _Bounded(connected)
        # UTF-8 is the business of whoever parses a message; most are never parsed.
        self.sock = WebSocket(skip_utf8_validation=True)
        try:
            self.sock.connect(  # type: ignore[no-untyped-call]
                self.url, socket=bounded, redirect_limit=0, suppress_origin=True
            )
        except WebSocketBadStatusException as exc:
            connected.close()
            raise SourceError(
                f"the server answered {exc.status_code} instead of 101"
            ) from exc
        except WebSocketException as exc:
            connected.close()
            reason = str(exc)
            if "Redirect" in reason:
                reason = "the server redirects elsewhere, which is not followed"
            raise SourceError(f"no websocket: {shortened(reason, 200)}") from exc
        except (OSError, ValueError, UnicodeError) as exc:
            connected.close()
            raise SourceError(f"no websocket: {shortened(str(exc), 200)}") from exc
        except BaseException:
            connected.close()
            raise
        self._socket = connected
        self.sock.sock = connected
        connected.settimeout(_TICK_S)
        self._early = bounded.rest

    def read(self) -> list[bytes]:
        """
        The messages that have come, after waiting half a second for one at most.

        Raises:
            SourceError: the connection is over; the reason as the server gave it.
        """
        assert self._socket is not None  # noqa: S101
        data, self._early = self._early, b""
        if not data:
            try:
                data = self._receive(self._socket)
            except TimeoutError:
                return []
            except OSError as exc:
                raise SourceError(f"the connection broke: {exc}") from exc
            if not data:
                raise SourceError("the server ended the connection")
        messages = self._frames.feed(data)
        if self._frames.control:
            self._answer(messages)
        return messages

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        """What there is, up to _READ_BYTES; a TLS socket gives one record at a time."""
        data = sock.recv(_READ_BYTES)
        if not isinstance(sock, ssl.SSLSocket):
            return data
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        parts, size = [data], len(data)
        while parts[-1] and size < _READ_BYTES and (sock.pending() or poll.poll(0)):
            try:
                parts.append(sock.recv(_READ_BYTES))
            except TimeoutError:  # the rest of a record is still on its way
                break
            size += len(parts[-1])
        return b"".join(parts)

    def _answer(self, messages: list[bytes]) -> None:
        """Answer pings and closes; of several pings the last (RFC 6455 5.5.3)."""
        control, self._frames.control = self._frames.control, []
        for opcode, payload in control:
            if opcode == _CLOSE:
                if messages:
                    # What came before the close counts; tell of it at the next read.
                    self._frames.control = [(opcode, payload)]
                    self._early = b"\x8a\x00"  # an empty pong, to have something
                    return
                self._close_reason(payload)
        pings = [payload for opcode, payload in control if opcode == _PING]
        if pings:
            self._send(pings[-1], ABNF.OPCODE_PONG)

    def _close_reason(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005
        reason = shortened(payload[2:].decode("utf-8", "replace"), 100)
        self._send(payload[:2], ABNF.OPCODE_CLOSE)
        raise SourceError(
            f"the server closed the connection with code {code}"
            + (f": {reason}" if reason else "")
        )

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
            self._socket.settimeout(0.2)
            self.sock.send(b"\x03\xe8", ABNF.OPCODE_CLOSE)
        except (OSError, WebSocketException):
            pass  # it is gone already, which is what was wanted
        finally:
            self._socket.close()
            self._socket = None
