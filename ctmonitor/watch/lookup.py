"""Questions to name servers about many names, in vain where none answers at all."""

import asyncio
import time
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

REST_S = 300.0  # no more is asked so long, nor the same told again

_ENOUGH = 50  # failures without an answer between them: each costs some seconds
_NO_NAME = Answer(DnsState.NXDOMAIN, detail="not a host name")


class Asks(Protocol):
    """See `scan.dnsclient.DnsClient`."""

    def ask(self, name: str, kind: Kind) -> Awaitable[Answer]:
        """The answer; never raises."""
        ...


class Silence:
    """
    Whether name servers answer at all: none did, in so many questions.

    After some minutes it is tried again.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until_s = -REST_S

    def note(self, *, has_failed: bool) -> None:
        """Takes up what became of a question."""
        self._failures = self._failures + 1 if has_failed else 0
        if not has_failed:
            self._until_s = -REST_S
        elif self._failures >= _ENOUGH:
            self._failures = 0
            self._until_s = self._clock() + REST_S

    @property
    def is_sure(self) -> bool:
        return self._clock() < self._until_s


class Lookup:
    """
    Looks names up, of all domains, in one run after the other.

    Args:
        client: None behind a proxy, which DNS would go around.
        at_once: names that are looked up at the same time.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        client: Asks | None,
        *,
        at_once: int = 200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._at_once = at_once
        self._clock = clock
        self._silence = Silence(clock)
        self._said: dict[str, float] = {}

    @property
    def can_ask(self) -> bool:
        return self._client is not None

    @property
    def is_silent(self) -> bool:
        """Whether no name server seems to answer, so that nothing more is asked."""
        return self._silence.is_sure

    def once(self, note: str) -> list[str]:
        """The note, unless it was given some minutes ago: of a domain before."""
        now_s = self._clock()
        is_said = now_s - self._said.get(note, -REST_S) < REST_S
        self._said[note] = self._said[note] if is_said else now_s
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
