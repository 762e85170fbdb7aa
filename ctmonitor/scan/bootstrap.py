"""
Which registry answers for a top-level domain: IANA's list of RDAP servers.

Source: RFC 9224; data.iana.org/rdap/dns.json.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.net.client import Client
from ctmonitor.scan import rdap
from ctmonitor.scan.memory import Recall

IANA_URL = "https://data.iana.org/rdap/dns.json"

_KIND = "rdap-servers"
_FRESH = timedelta(days=7)
_KEEP = timedelta(days=365)  # an old list is better than none
_RETRY = timedelta(minutes=30)

_log = logging.getLogger(__name__)


def servers(listed: object) -> dict[str, str]:
    """
    The address of the RDAP server of each top-level domain, ending in `/`.

    A domain whose addresses are all unusable is left out.

    Raises:
        FormatError: the list has another form; a part of it is not taken.
    """
    services = listed.get("services") if isinstance(listed, dict) else None
    if not isinstance(services, list) or not services:
        raise FormatError("no list of RDAP servers", "it has no services")
    found: dict[str, str] = {}
    for service in services:
        match service:
            case [list(domains), list(urls)] if all(
                isinstance(text, str) for text in [*domains, *urls]
            ):
                good = sorted(filter(_is_usable, urls), key=_is_plain)
                if good:
                    base = good[0].rstrip("/") + "/"
                    found.update(dict.fromkeys(map(str.lower, domains), base))
            case _:
                raise FormatError(
                    "no list of RDAP servers", "a service has another form"
                )
    return found


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and "%" not in url
        and url.isascii()
        and url.isprintable()
    )


def _is_plain(url: str) -> bool:
    return not url.startswith("https:")


class Bootstrap:
    """
    The list of RDAP servers, read when it is needed and kept in the memory.

    Args:
        source: its address, or a file on this machine.
    """

    def __init__(
        self,
        recall: Recall,
        clock: Callable[[], datetime],
        client: Client,
        source: str | Path = IANA_URL,
    ) -> None:
        self._recall = recall
        self._clock = clock
        self._client = client
        self._source = source
        self._lock = asyncio.Lock()
        self._servers: Mapping[str, str] = {}
        self._next: datetime | None = None  # when it is looked at again
        self._problem = ""  # why there is none until then

    async def server(self, domain: str) -> str | None:
        """
        The server for `domain`, by the most labels; None where there is none.

        Raises:
            SourceError: no list can be read, and none is kept.
        """
        async with self._lock:
            now = self._clock()
            if self._next is None or now >= self._next:
                self._servers = await self._current(now)
            if self._problem:
                raise SourceError(self._problem)
        labels = domain.split(".")
        for start in range(len(labels)):
            if found := self._servers.get(".".join(labels[start:])):
                return found
        return None

    async def _current(self, now: datetime) -> Mapping[str, str]:
        kept: Mapping[str, Any] = {}
        if not isinstance(self._source, Path):
            kept = await self._recall.get(_KIND, self._source, now) or {}
            read = from_utc_text(kept.get("read"))
            if read is not None and now - read < _FRESH:
                self._next = read + _FRESH
                return dict(kept["servers"])
        try:
            found = servers(await self._listed())
        except (SourceError, FormatError) as exc:
            self._next = now + _RETRY
            if not (last := self._servers or kept.get("servers")):
                self._problem = f"no list of RDAP servers: {exc}"
                return {}
            _log.warning(
                "The list of RDAP servers of %s stays in use: %s",
                kept.get("read", "before"),
                exc,
            )
            return dict(last)
        self._problem = ""
        self._next = now + _FRESH
        if not isinstance(self._source, Path):
            value = {"read": utc_text(now), "servers": found}
            await self._recall.put(_KIND, self._source, value, now + _KEEP)
        return found

    async def _listed(self) -> object:
        if not isinstance(self._source, Path):
            return rdap.content(await self._client.get(self._source))
        try:
            listed: object = json.loads(
                await asyncio.to_thread(self._source.read_bytes)
            )
        except OSError as exc:
            raise SourceError(f"{self._source} cannot be read: {exc}") from exc
        except (ValueError, RecursionError) as exc:
            raise FormatError("not JSON", str(self._source)) from exc
        return listed
