"""Questions to name servers about many names, in vain where none answers at all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from ctmonitor.model.site import DnsState
from ctmonitor.scan.dnsmessage import Answer, Kind
from ctmonitor.scan.names import ascii_host

AROUND_PROXY = (
    "name servers are not asked, since that would go around the proxy: sub-domains "
    "are not resolved, CAA is not checked, and permutations that somebody registered "
    "are not told from others"
)

_ENOUGH = 20  # failures without an answer: each costs some seconds
_NO_NAME = Answer(DnsState.NXDOMAIN, detail="not a host name")


class Asks(Protocol):
    """See `scan.dnsclient.DnsClient`."""

    def ask(self, name: str, kind: Kind) -> Awaitable[Answer]:
        """The answer; never raises."""
        ...


class Silence:
    """Whether name servers answer at all: none did, in so many questions."""

    def __init__(self) -> None:
        self._failures = 0
        self._has_answered = False

    def note(self, *, has_failed: bool) -> None:
        """Takes up what became of a question."""
        self._failures += has_failed
        self._has_answered |= not has_failed

    @property
    def is_sure(self) -> bool:
        return not self._has_answered and self._failures >= _ENOUGH


class Lookup:
    """
    Looks names up for one run, all domains together.

    Args:
        client: None behind a proxy, which DNS would go around.
        at_once: names that are looked up at the same time.
    """

    def __init__(self, client: Asks | None, *, at_once: int = 200) -> None:
        self._client = client
        self._at_once = at_once
        self._silence = Silence()
        self._said: set[str] = set()

    @property
    def can_ask(self) -> bool:
        return self._client is not None

    @property
    def is_silent(self) -> bool:
        """Whether no name server seems to answer, so that nothing more is asked."""
        return self._silence.is_sure

    def once(self, note: str) -> list[str]:
        """The note, where it was not given in this run before."""
        is_said = note in self._said
        self._said.add(note)
        return [] if is_said else [note]

    async def nameservers(self, name: str) -> Answer:
        """The name servers of the name itself; never raises."""
        return await self._ask(name, Kind.NS)

    async def addresses(self, name: str) -> Answer:
        """IPv4, then IPv6 addresses, and the aliases to them; never raises."""
        first = await self._ask(name, Kind.A)
        if first.has_failed or first.state is DnsState.NXDOMAIN:
            return first  # of a name that does not exist half the questions are saved
        second = await self._ask(name, Kind.AAAA)
        if first.texts:
            return replace(first, texts=first.texts + second.texts)
        return second

    async def answers(
        self, names: Sequence[str], ask: Callable[[str], Awaitable[Answer]]
    ) -> dict[str, Answer]:
        """
        What `ask` says of each name; without those left when none answers at all.

        Args:
            ask: a method of this object.
        """
        found: dict[str, Answer] = {}
        left = iter(names)

        async def work() -> None:
            while not self.is_silent and (name := next(left, None)) is not None:
                answer = await ask(name)
                self._silence.note(has_failed=answer.has_failed)
                found[name] = answer

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._at_once, len(names))):
                group.create_task(work())
        return found

    async def _ask(self, name: str, kind: Kind) -> Answer:
        if self._client is None:
            return Answer(DnsState.NOT_APPLICABLE, detail=AROUND_PROXY)
        if not ascii_host(name):
            return _NO_NAME
        return await self._client.ask(ascii_host(name), kind)
