"""Requests to one log: within its limit, and tried again a few times."""

import asyncio
import time

from ctmonitor.errors import SourceError
from ctmonitor.net.backoff import pause_s
from ctmonitor.net.fetch import BadStatus, Fetcher, Refused, unpacked
from ctmonitor.net.limit import Limit

_TRIES = 4  # of one request, before the whole log is given a rest
_PATIENCE_S = 15.0  # likewise, in attempts of one request that came to nothing
_LONG_S = 30.0  # a pause that the operator should hear of
_GZIP = b"\x1f\x8b"


class LogReader:
    """
    Reads what stands below one address.

    A request that was refused is tried again after the pause that the limit imposes,
    one that broke off at once and then after growing pauses, so that one lost answer
    does not cost the others in flight.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        limit: Limit,
        base: str,
        timeout_s: float = 30.0,
        retry_first_s: float = 0.5,
    ) -> None:
        """
        Args:
            base: address with a slash at its end.
            timeout_s: for a whole answer.
            retry_first_s: between the second and the third attempt.
        """
        self.limit = limit
        self._fetcher = fetcher
        self._base = base
        self._timeout_s = timeout_s
        self._retry_first_s = retry_first_s

    async def get(
        self, path: str, max_bytes: int, *, encoding: str = "gzip, identity"
    ) -> bytes:
        """
        The body of an answer with status 200.

        Raises:
            BadStatus: the log refuses this request; NotServed: it has no such thing.
            SourceError: the log could not be read, several times.
        """
        tries, lost_s = 0, 0.0
        while True:
            if tries > 1:
                # The first time at once: the connection had been idle for too long.
                await asyncio.sleep(pause_s(tries - 2, first_s=self._retry_first_s))
            tries += 1
            async with self.limit.slot():
                begun_s = time.monotonic()
                try:
                    reply = await self._fetcher.get(
                        self._base + path,
                        max_bytes=max_bytes,
                        timeout_s=self._timeout_s,
                        accept_encoding=encoding,
                    )
                except Refused as exc:
                    self.limit.refused(exc.retry_after_s)
                    if tries >= _TRIES or (exc.retry_after_s or 0.0) > _LONG_S:
                        raise
                except BadStatus as exc:
                    if exc.status < 500:
                        # The log is well, and has an answer to this request.
                        self.limit.succeeded()
                        raise
                    self.limit.failed()
                    if tries >= _TRIES:
                        raise
                except SourceError:
                    self.limit.failed()
                    lost_s += time.monotonic() - begun_s
                    if tries >= _TRIES or lost_s > _PATIENCE_S:
                        raise
                else:
                    self.limit.succeeded()
                    return reply.body

    async def get_data_tile(self, path: str, max_bytes: int) -> bytes:
        """
        As `get`, and unpacked, also when the log does not say that it is packed.

        Logs keep data tiles compressed as files, and a storage or mirror may serve them
        without Content-Encoding. As a tile, what begins so would have been logged in a
        year of eight digits.
        """
        body = await self.get(path, max_bytes)
        if body.startswith(_GZIP):
            return unpacked(self._base + path, body, max_bytes)
        return body
