"""How the logs of a stream are reached: one fetcher, a limit for each log."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from ctmonitor import __version__
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


class Clients:
    """Makes what reads a log; the connections are closed by `close`."""

    def __init__(
        self,
        route: Route,
        *,
        contact: str,
        verify: bool,
        max_requests: int,
        max_requests_operator: int,
    ) -> None:
        """
        Raises:
            ConfigError: the authorities of the route cannot be used.
        """
        if route.ca_file:
            _ = route.tls  # a bad file is told now and not at the first connection
        agent = f"ctmonitor/{__version__}"
        if contact:
            agent += f" (+{contact})"
        self._fetcher = Fetcher(route, agent, total_connections=_REQUESTS)
        self._verify = verify
        self._most = max_requests
        self._most_of_operator = max_requests_operator
        self._operators: dict[str, asyncio.Semaphore] = {}

    async def close(self) -> None:
        """End all connections."""
        await self._fetcher.close()

    def keeper(
        self, source: str, key_pem: str, cache_dir: Path | None
    ) -> LogListKeeper:
        """What keeps the list of logs."""
        fetch: Callable[[str, int], Awaitable[bytes]] = self._body
        return LogListKeeper(source, key_pem or None, cache_dir, fetch, now_utc)

    async def _body(self, url: str, max_bytes: int) -> bytes:
        return (await self._fetcher.get(url, max_bytes=max_bytes)).body

    def client_of(self, log: Log, logs: int) -> LogClient:
        """
        The client of its protocol.

        Args:
            logs: how many are read, which share the memory.
        """
        shared = self._operators.setdefault(
            log.operator, asyncio.Semaphore(self._most_of_operator)
        )
        limit = Limit(min(self._most, max(2, _REQUESTS // logs)), shared=shared)
        reader = LogReader(self._fetcher, limit, log.address)
        if log.is_tiled:
            return TiledLog(log, reader, verify=self._verify)
        tiles = None
        if log.tiles_url:
            tiles = LogReader(self._fetcher, limit, log.tiles_url)
        held = min(_MOST_HELD_BYTES, max(_LEAST_HELD_BYTES, _HELD_BYTES // logs))
        return RFC6962Log(log, reader, tiles, verify=self._verify, held_bytes=held)
