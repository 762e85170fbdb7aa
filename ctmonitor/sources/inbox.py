"""
The bounded queue between the thread that reads a feed and everything behind it.

The reader must go on reading whatever rules and disk do: a server drops silently what
a slow client does not take. So a full inbox refuses, and what it refuses is counted.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

# Full messages have some 6 kB, a hostile one up to Max_Message_MB.
MAX_BYTES = 48 * 1024 * 1024
# The consumer takes the whole queue every few milliseconds while it works; this long
# without a step means that it waits for something, and the reader stops waiting too.
PATIENCE_S = 0.25


@dataclass(frozen=True, slots=True)
class Chunk:
    """
    Messages of one feed that came together.

    Args:
        complete: once these are stored all is that came until then; None when nobody
            needs to know.
    """

    feed: str
    frames: Sequence[bytes]
    complete: datetime | None = None


class Inbox:
    """
    Chunks of messages, at most `capacity` messages and MAX_BYTES bytes.

    One thread puts, another takes. `on_item` is called, in the putting thread, when
    something is there after the queue was empty, and when it becomes half full.
    """

    def __init__(self, capacity: int, on_item: Callable[[], None]) -> None:
        """
        Args:
            capacity: messages it holds, 1 or more.
        """
        self._capacity = capacity
        self._on_item = on_item
        self._chunks: deque[Chunk] = deque()
        self._messages = 0
        self._bytes = 0
        self._lock = threading.Condition()
        self._overflowing = False

    def __len__(self) -> int:
        """Messages waiting."""
        return self._messages

    @property
    def is_well_filled(self) -> bool:
        """Whether waiting for more would be waiting too long."""
        return self._messages * 2 >= self._capacity

    def put(self, chunk: Chunk) -> int:
        """
        Take in a chunk, or as much of it as there is room for.

        Waits for room while the consumer makes progress, PATIENCE_S at most, and not
        at all once it overflows, until half of the queue is free again.

        Returns:
            How many messages, from the front, were taken in.
        """
        taken = 0
        deadline = time.monotonic() + PATIENCE_S
        with self._lock:
            if self._messages * 2 <= self._capacity:
                self._overflowing = False
            while True:
                taken += self._put(chunk, taken)
                if taken == len(chunk.frames):
                    return taken
                remaining = deadline - time.monotonic()
                if self._overflowing or remaining <= 0:
                    self._overflowing = True
                    return taken
                self._lock.wait(remaining)

    def _put(self, chunk: Chunk, skip: int) -> int:
        free = self._capacity - self._messages
        frames = chunk.frames[skip : skip + free] if free > 0 else ()
        size = sum(map(len, frames))
        if not frames or (self._messages and self._bytes + size > MAX_BYTES):
            return 0
        before = self._messages
        is_last = skip + len(frames) == len(chunk.frames)
        complete = chunk.complete if is_last else None
        self._chunks.append(Chunk(chunk.feed, frames, complete))
        self._messages += len(frames)
        self._bytes += size
        if not before or before * 2 < self._capacity <= self._messages * 2:
            self._on_item()
        return len(frames)

    def take(self, most: int) -> Chunk | None:
        """
        Up to about `most` messages of one feed; None when there are none.
        """
        with self._lock:
            if not self._chunks:
                return None
            feed = self._chunks[0].feed
            frames: list[bytes] = []
            complete: datetime | None = None
            while self._chunks and self._chunks[0].feed == feed and len(frames) < most:
                chunk = self._chunks.popleft()
                frames.extend(chunk.frames)
                complete = chunk.complete or complete
            self._messages -= len(frames)
            self._bytes -= sum(map(len, frames))
            self._lock.notify()
            return Chunk(feed, frames, complete)
