"""
Whether answers of get-entries are asked for compressed.

To unpack one costs more than all else that is done with it, so it pays where the line
is the limit. Tiles are always asked for compressed: many logs keep them so.
"""

import time
from collections.abc import Callable

_COMPRESSED = "gzip, identity"
_PLAIN = "identity"

_LOOK_S = 0.5
# In shares of the time: above it the processor is the limit, below it the line.
_BUSY = 0.9
_IDLE = 0.6
# When plain bodies were too many for the line, they are not tried again for so long.
_REST_S = 60.0


class Coding:
    """The Accept-Encoding of the next request, by what the last half second showed."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
    ) -> None:
        """
        Args:
            processor: seconds that this process has used.
        """
        self._clock = clock
        self._processor = processor
        self._since_s = clock()
        self._used_s = processor()
        self._is_plain = False
        self._rests_until_s = self._since_s

    def header(self) -> str:
        """To be called before each request for entries."""
        now_s = self._clock()
        passed_s = now_s - self._since_s
        if passed_s >= _LOOK_S:
            used_s = self._processor()
            self._judge((used_s - self._used_s) / passed_s, now_s)
            self._since_s, self._used_s = now_s, used_s
        return _PLAIN if self._is_plain else _COMPRESSED

    def _judge(self, busy: float, now_s: float) -> None:
        if self._is_plain and busy < _IDLE:
            self._is_plain = False
            self._rests_until_s = now_s + _REST_S
        elif busy > _BUSY and now_s >= self._rests_until_s:
            self._is_plain = True
