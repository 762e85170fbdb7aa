"""What following a log asks of its protocol: heads, and entries that are proven."""

import struct
from collections.abc import Awaitable, Callable
from typing import Protocol

from ctmonitor.ct.entry import Leaves
from ctmonitor.errors import FormatError
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.sources.logcursor import LogCursor

_TIMESTAMP = struct.Struct(">Q")

# Takes entries that were proven, and the position that is true once they are stored.
Sink = Callable[[Leaves, LogCursor], Awaitable[None]]


class LogClient(Protocol):
    """
    One log, in its protocol. For one task at a time.

    Each method may raise SourceError (the log cannot be read now), FormatError (what
    it served is not in its format) and IntegrityError (it contradicts itself).
    """

    @property
    def log(self) -> Log: ...

    async def head(self) -> TreeHead:
        """The log's present head, its signature checked, and nothing else."""
        ...

    async def adopt(self, head: TreeHead, at: LogCursor) -> LogCursor:
        """
        `at` with `head` as the head that is believed.

        Proves that the last head believed lies in the new one, and what is needed to
        prove entries from `at.position` on.
        """
        ...

    async def read(
        self, at: LogCursor, end: int, more: Callable[[], bool], sink: Sink
    ) -> LogCursor:
        """
        Hand the entries from `at.position` to `end` to `sink`, proven and in order.

        Args:
            end: at most `at.head.size`.
            more: asked before each request; False ends early.

        Returns the position reached.
        """
        ...

    async def logged_ms(self, index: int, size: int) -> int:
        """
        The timestamp of one entry, unproven: to find where a time begins.

        Args:
            size: of a head that holds the entry.
        """
        ...

    def whole_end(self, size: int) -> int:
        """Up to which entry a tree of `size` is read without the end that grows."""
        ...


def timestamp_ms(leaves: Leaves, number: int) -> int:
    """
    Of entry `leaves.start + number`, also when the rest of it is malformed.

    Raises:
        FormatError: it ends before that.
    """
    start, end = leaves.spans[number]
    start += leaves.lead
    if end - start < _TIMESTAMP.size:
        raise FormatError("leaf: without timestamp", f"entry {leaves.start + number}")
    (found,) = _TIMESTAMP.unpack_from(leaves.data, start)
    return int(found)
