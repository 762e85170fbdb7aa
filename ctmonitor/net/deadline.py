"""The end of a blocking call: its sockets are shut, whatever they are waiting for."""

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self


class Deadline:
    """
    Shuts the sockets of watched connections when a call has taken its time.

    A time-out of a socket begins anew with every byte; a server that sends one byte a
    second would hold a thread for hours.
    """

    def __init__(self, timeout_s: float) -> None:
        self.is_over = False
        self._end_s = time.monotonic() + timeout_s
        self._done = threading.Event()
        self._connections: list[Any] = []
        self._sockets: list[Any] = []
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._watcher.join()

    def remaining_s(self) -> float:
        return self._end_s - time.monotonic()

    def check(self) -> None:
        """Raises TimeoutError when the end of a body may be that of its socket."""
        if self.is_over:
            raise TimeoutError

    def watch(self, connection: Any) -> Any:
        """`connection`, whose sockets are shut when the time is over."""
        connect = connection.connect

        def connect_and_note() -> None:
            connect()
            # It forgets its socket when the server closes after the body.
            self._sockets.append(connection.sock)

        connection.connect = connect_and_note
        self._connections.append(connection)
        return connection

    def also(self, connection: Any) -> None:
        """Shuts the socket that is in `connection.sock` at the end, too."""
        self._connections.append(connection)

    def _watch(self) -> None:
        if self._done.wait(max(0.0, self.remaining_s())):
            return
        self.is_over = True
        while True:
            opened = [connection.sock for connection in list(self._connections)]
            for sock in [*opened, *self._sockets]:
                if sock is not None:
                    with contextlib.suppress(OSError):  # closed meanwhile
                        # Not SSLSocket's, which takes its state from under a reader.
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)
            if self._done.wait(0.1):  # a connection may be made at this moment
                return
