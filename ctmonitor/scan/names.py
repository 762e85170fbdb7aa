"""
What the name servers say of a host: addresses, aliases, who serves it, wildcards.

Source: RFC 1034 section 3.6.2 (aliases), RFC 4592 (wildcards), RFC 5891 (labels in
Unicode).
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Generic, Self, TypeVar

import idna

from ctmonitor.errors import ConfigError
from ctmonitor.model.site import Dns, DnsState
from ctmonitor.scan.dnsclient import DnsClient, Server
from ctmonitor.scan.dnsmessage import Answer, Kind

_T = TypeVar("_T")

_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_MAX_CHARACTERS = 253
_MAX_STEPS_UP = 3  # from a host to the zone that holds it
_MAX_REMEMBERED = 10_000  # zones


@lru_cache(maxsize=4096)  # each visit asks for its host in several places
def ascii_host(host: str) -> str:
    """
    The host in lower-case A-labels without trailing dot; '' when it is no host name.

    Underscores are let through: people run sites under such names.
    """
    if len(host) <= _MAX_CHARACTERS and _NAME.fullmatch(host):
        return host  # as nearly all of them come
    labels = []
    for label in host.removesuffix(".").split("."):
        spelled = label.lower()
        if not label.isascii():
            try:
                spelled = idna.encode(label, uts46=True).decode("ascii")
            except (idna.IDNAError, UnicodeError):
                return ""
        if not _LABEL.fullmatch(spelled):
            return ""
        labels.append(spelled)
    name = ".".join(labels)
    return name if len(name) <= _MAX_CHARACTERS else ""


def system_servers() -> tuple[Server, ...]:
    """
    The name servers that this machine uses.

    Raises:
        ConfigError: it names none.
    """
    # Loaded where no setting names a server: it takes as long as the rest of this part.
    import dns.exception
    import dns.resolver

    try:
        resolver = dns.resolver.Resolver(configure=True)
    except (dns.exception.DNSException, OSError) as exc:
        raise ConfigError(
            f"This machine names no name servers ({exc}). Give one in [SCAN] Resolver."
        ) from exc
    return tuple((str(server), resolver.port) for server in resolver.nameservers)


class Names:
    """
    Looks hosts up; many at the same time. An async context manager.

    Args:
        servers: addresses and ports, asked in this order; the system's when empty.
        timeout_s: for one question, all servers together.
        random_label: makes the label that shows a wildcard.

    Raises:
        ConfigError: no server is given and the system has none.
    """

    def __init__(
        self,
        servers: Sequence[Server] = (),
        timeout_s: float = 5.0,
        *,
        random_label: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._client = DnsClient(tuple(servers) or system_servers(), timeout_s)
        self._random_label = random_label
        self._wildcards: _Once[frozenset[str] | None] = _Once()
        self._nameservers: _Once[tuple[str, ...]] = _Once()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends what is still asked."""
        self._client.close()

    async def lookup(self, host: str) -> Dns:
        """Everything about a host. Never raises for what name servers do."""
        name = ascii_host(host)
        if not name:
            return _NO_NAME
        first = await self._client.ask(name, Kind.A)
        if first.has_failed or first.state is DnsState.NXDOMAIN:
            return _dns(first, first)
        # Of a zone that is known already this makes no task, which would cost as much
        # as a question.
        parent = _parent(name)
        first_of_zone = []
        if "." in parent and parent not in self._wildcards:
            first_of_zone.append(self._beside(parent))
        asked = [self._client.ask(name, Kind.AAAA), self._client.ask(name, Kind.MX)]
        await asyncio.gather(*asked, *first_of_zone)
        second, mail = (each.result() for each in asked)
        found = _dns(first, second)
        return Dns(
            found.state,
            found.addresses,
            found.cnames,
            nameservers=await self._zone_servers(name, (first, second, mail)),
            mail_hosts=mail.texts,
            is_wildcard=_is_wildcard(found, await self._beside(parent)),
            detail=found.detail,
        )

    async def addresses(self, host: str) -> Dns:
        """Addresses and aliases alone, as a redirect needs them. Never raises."""
        name = ascii_host(host)
        if not name:
            return _NO_NAME
        return _dns(
            *await asyncio.gather(
                self._client.ask(name, Kind.A), self._client.ask(name, Kind.AAAA)
            )
        )

    async def _beside(self, parent: str) -> frozenset[str] | None:
        """What a random name below `parent` leads to; None when it was not asked."""
        if "." not in parent:  # `example.com` stands beside all of `com`
            return None

        async def ask() -> frozenset[str] | None:
            beside = ascii_host(f"{self._random_label()}.{parent}")
            if not beside:
                return None  # the parent leaves no room
            answer = await self._client.ask(beside, Kind.A)
            if answer.state is DnsState.NO_ADDRESS:
                answer = await self._client.ask(beside, Kind.AAAA)
            if answer.has_failed:
                return None
            return frozenset((*answer.texts, *answer.cnames[-1:]))

        return await self._wildcards.get(parent, ask)

    async def _zone_servers(
        self, host: str, known: Sequence[Answer]
    ) -> tuple[str, ...]:
        """
        The name servers of the zone that holds the host.

        Args:
            known: what was answered of the host; where one names a zone above it, the
                host itself need not be asked.
        """
        zone = next(filter(None, (_zone_above(host, each) for each in known)), "")
        if not zone:
            answer = await self._client.ask(host, Kind.NS)
            if answer.texts or answer.has_failed or "." not in host:
                return answer.texts
            zone = _above(host, answer)

        async def climb() -> tuple[str, ...]:
            name = zone
            for _ in range(_MAX_STEPS_UP):
                answer = await self._client.ask(name, Kind.NS)
                if answer.texts or answer.has_failed or "." not in name:
                    return answer.texts
                name = _above(name, answer)
            return ()

        return await self._nameservers.get(zone, climb)


class _Once(Generic[_T]):
    """Results by zone, each made once, also when many ask at the same time."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._made: dict[str, _T] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._made

    async def get(self, key: str, make: Callable[[], Awaitable[_T]]) -> _T:
        if key not in self._made:
            async with self._locks.setdefault(key, asyncio.Lock()):
                if key not in self._made:
                    self._made[key] = await make()
        result = self._made[key]
        self._locks.pop(key, None)
        while len(self._made) > _MAX_REMEMBERED:
            del self._made[next(iter(self._made))]
        return result


_NO_NAME = Dns(DnsState.NXDOMAIN, detail="not a host name")


def _parent(name: str) -> str:
    return name.partition(".")[2]


def _above(name: str, answer: Answer) -> str:
    """The zone that an answer without records names, else the parent."""
    return _zone_above(name, answer) or _parent(name)


def _zone_above(name: str, answer: Answer) -> str:
    """The zone above `name` that an answer without records names; '' for none."""
    # Behind an alias it is the zone of another name.
    return answer.zone if name.endswith(f".{answer.zone}") else ""


def _dns(first: Answer, second: Answer) -> Dns:
    """Both kinds of addresses together; what failed counts when nothing was found."""
    addresses = first.texts + second.texts
    cnames = first.cnames or second.cnames
    if addresses:
        return Dns(DnsState.FOUND, addresses, cnames)
    worse = second if second.has_failed else first
    return Dns(worse.state, cnames=cnames, detail=worse.detail)


def _is_wildcard(found: Dns, beside: frozenset[str] | None) -> bool | None:
    if beside is None or found.state is not DnsState.FOUND:
        return None
    # Large sites answer with other addresses each time, under one alias.
    return not beside.isdisjoint((*found.addresses, *found.cnames[-1:]))
