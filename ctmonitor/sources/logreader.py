"""Requests to one log: within its limit, and tried again a few times."""

from ctmonitor.errors import SourceError
from ctmonitor.net.fetch import BadStatus, Fetcher, Refused
from ctmonitor.net.limit import Limit

_TRIES = 4  # of one request, before the whole log is given a rest
_LONG_S = 30.0  # a pause that the operator should hear of


class LogReader:
    """
    Reads what stands below one address.

    A request that was refused or broke off is tried again after the pause that the
    limit imposes, so that one lost answer does not cost the others in flight.
    """

    def __init__(
        self, fetcher: Fetcher, limit: Limit, base: str, timeout_s: float = 30.0
    ) -> None:
        """
        Args:
            base: address with a slash at its end.
            timeout_s: for a whole answer.
        """
        self.limit = limit
        self._fetcher = fetcher
        self._base = base
        self._timeout_s = timeout_s

    async def get(
        self, path: str, max_bytes: int, *, encoding: str = "gzip, identity"
    ) -> bytes:
        """
        The body of an answer with status 200.

        Raises:
            BadStatus: the log refuses this request; NotServed: it has no such thing.
            SourceError: the log could not be read, several times.
        """
        tries = 0
        while True:
            tries += 1
            async with self.limit.slot():
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
                    if tries >= _TRIES:
                        raise
                else:
                    self.limit.succeeded()
                    return reply.body
