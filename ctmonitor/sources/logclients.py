"""How logs are reached: one fetcher for all, a limit for each and for its operator."""

import asyncio
from pathlib import Path

from ctmonitor.model.clock import now_utc
from ctmonitor.model.log import Log
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.limit import Limit
from ctmonitor.net.route import Route
from ctmonitor.sources.logclient import LogClient
from ctmonitor.sources.loglist import LogListKeeper
from ctmonitor.sources.logreader import LogReader
from ctmonitor.sources.rfc6962 import RFC6962Log
from ctmonitor.sources.tiled import TiledLog

# Shared by all logs: requests at the same time, and bytes of entries that wait for
# their proof.
_REQUESTS = 96
_HELD_BYTES = 96 * 2**20
_LEAST_HELD_BYTES, _MOST_HELD_BYTES = 2**20, 16 * 2**20


class LogClients:
    """Makes what reads a log; the connections are closed by `close`."""

    def __init__(
        self,
        route: Route,
        agent: str,
        *,
        verify: bool,
        max_requests: int,
        max_requests_operator: int,
    ) -> None:
        """
        Args:
            agent: User-Agent; see `net/useragent`.
            verify: whether entries have to be proven.
            max_requests, max_requests_operator: at the same time, to one log, and to
                all of one operator.
        """
        self._fetcher = Fetcher(route, agent, total_connections=_REQUESTS)
        self._verify = verify
        self._most = max_requests
        self._most_of_operator = max_requests_operator
        self._operators: dict[str, asyncio.Semaphore] = {}

    async def close(self) -> None:
        """End all connections."""
        await self._fetcher.close()

    def keeper(
        self, source: str, key_pem: str | None, cache_dir: Path | None
    ) -> LogListKeeper:
        """What keeps the list of logs."""
        return LogListKeeper(source, key_pem, cache_dir, self._body, now_utc)

    async def _body(self, url: str, max_bytes: int) -> bytes:
        return (await self._fetcher.get(url, max_bytes=max_bytes)).body

    def client_of(self, log: Log, logs: int) -> LogClient:
        """
        The client of its protocol.

        Args:
            logs: how many are read, which share the memory.
        """
        shared = self._operators.get(log.operator)
        if shared is None:
            shared = asyncio.Semaphore(self._most_of_operator)
            self._operators[log.operator] = shared
        limit = Limit(min(self._most, max(2, _REQUESTS // logs)), shared=shared)
        reader = LogReader(self._fetcher, limit, log.address)
        if log.is_tiled:
            return TiledLog(log, reader, verify=self._verify)
        tiles = None
        if log.tiles_url:
            tiles = LogReader(self._fetcher, limit, log.tiles_url)
        held = min(_MOST_HELD_BYTES, max(_LEAST_HELD_BYTES, _HELD_BYTES // logs))
        return RFC6962Log(log, reader, tiles, verify=self._verify, held_bytes=held)
