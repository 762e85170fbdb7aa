"""
An attempt to connect, in a thread of its own.

A name server, a proxy or a slow handshake can hold a thread for its time limit, and
nothing wakes it. Here nobody waits for it longer than he wants to.
"""

import threading
import time

from ctmonitor.errors import SourceError
from ctmonitor.sources.feedclient import FeedClient
from ctmonitor.sources.message import is_heartbeat


class Dial(threading.Thread):
    """
    Opens a client. Once `done` is set there is either an `error` or an open client.

    Args:
        listen_s: an open client counts only with a data message within this time; 0
            when it need not send any. The message stands in `frames`.
    """

    def __init__(self, client: FeedClient, listen_s: float = 0.0) -> None:
        super().__init__(name="certstream-dial", daemon=True)
        self.client = client
        self.error: SourceError | None = None
        self.frames: list[bytes] = []
        self.done = threading.Event()
        self._listen_s = listen_s
        self._lock = threading.Lock()
        self._abandoned = False

    def run(self) -> None:
        try:
            self.client.open()
            if self._listen_s:
                self._listen()
        except SourceError as exc:
            self.error = exc
        except Exception as exc:  # noqa: BLE001 -- a bug; who waits tells of it
            self.error = SourceError(f"connecting failed: {exc!r}")
        finally:
            with self._lock:
                if self._abandoned or self.error is not None:
                    self.client.close()
                self.done.set()

    def _listen(self) -> None:
        deadline = time.monotonic() + self._listen_s
        while time.monotonic() < deadline and not self._abandoned:
            self.frames = data_messages(self.client.read())
            if self.frames:
                return
        raise SourceError(f"connected, but no message for {self._listen_s:g} s")

    def abandon(self) -> None:
        """Let it end by itself; whatever it opens is closed."""
        with self._lock:
            self._abandoned = True
            self.client.cancel()
            if self.done.is_set():
                self.client.close()


def data_messages(messages: list[bytes]) -> list[bytes]:
    """Without heartbeats and empty messages: a feed that sends only those is silent."""
    return [message for message in messages if message and not is_heartbeat(message)]
