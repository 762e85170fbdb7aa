"""
One run over all watched domains.

    load -> ask -> take -> judge -> save with what is to be told      for each domain
    deliver                                                           in the end
    load -> look for typosquats -> save; deliver                      when wanted

A state is saved as soon as its domain is done, with its messages in the same step: what
ends in the middle has lost nothing, and goes on in the next run. Messages are sent when
all domains are done, since many become one.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from ctmonitor.errors import Busy, StoreError, Unreadable
from ctmonitor.model.clock import utc_text
from ctmonitor.model.followup import OutboxItem
from ctmonitor.model.own import (
    Authority,
    DomainState,
    OwnAlert,
    OwnCertificate,
    OwnSource,
    SharedState,
)
from ctmonitor.store.ownstate import StateStore
from ctmonitor.watch import inventory, judge
from ctmonitor.watch.asking import Asked, Problem
from ctmonitor.watch.authorities import auto_baseline, without_doubles
from ctmonitor.watch.caa import CaaVerdict
from ctmonitor.watch.judge import Policy

log = logging.getLogger(__name__)

_DAY = len("2026-11-21")

# What is done for one domain: what is to be told, and what came of the questions.
_Work = Callable[[DomainState], Awaitable[tuple[list[OwnAlert], Asked]]]


class Asks(Protocol):
    """See `watch.asking.Asking`."""

    def ask(self, state: DomainState) -> Asked: ...


class Dns(Protocol):
    """What the name servers are asked; none of it fails the run."""

    async def caa(
        self, certificates: Sequence[OwnCertificate]
    ) -> Mapping[str, CaaVerdict]:
        """By id of the certificate."""
        ...

    async def resolve(self, state: DomainState, now: str) -> list[str]:
        """Looks the names of the state up; notes for people."""
        ...


class Squats(Protocol):
    """Permutations of a domain, as far as the time and the budget of a run go."""

    async def look(self, state: DomainState, now: str) -> tuple[list[OwnAlert], Asked]:
        """New certificates for permutations, which are noted in the state."""
        ...


@dataclass(frozen=True, slots=True)
class Count:
    """
    Of the certificates of one domain.

    Args:
        certificates: that are known; new: that came since the last run.
        is_first: the domain was not watched before: all is baseline.
    """

    certificates: int
    new: int
    is_first: bool

    def __str__(self) -> str:
        if self.is_first:
            return f"{self.certificates} certificates, watched from now on"
        return f"{self.certificates} certificates, {self.new} new"


@dataclass(slots=True)
class Ended:
    """
    What a run has done.

    Args:
        counts: by domain, in the order of the run.
        read: the domains that a source answered for, or that wait for their turn to
            be asked, and whose state is stored.
        alerts: what is told, and what is not because [OWN] Quiet says so.
        problems: why the run is not complete.
        notes: what is left for a later run, and what was odd.
        authorised: CAs that this run has authorised; authorities: all.
    """

    counts: dict[str, Count] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    alerts: list[OwnAlert] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    authorised: list[Authority] = field(default_factory=list)
    authorities: tuple[Authority, ...] = ()

    @property
    def is_partial(self) -> bool:
        return bool(self.problems)


class Cycle:
    """
    One run over domains, to be made inside the lock of the states.

    Args:
        policy_of: the policy, with the authorities that all domains share.
        items_of: the messages that tell of alerts, for each channel.
        dns, squats: None for what is not wanted.
        to_authorise: domains of which the CAs of what is valid now are authorised, once
            they were read; each is taken out then, so that no later run authorises
            whoever issued since.
        stopped: asked between two domains.
        draw: a number from 0 to 1.
    """

    def __init__(
        self,
        states: StateStore,
        shared: SharedState,
        asking: Asks,
        policy_of: Callable[[SharedState], Policy],
        items_of: Callable[[Sequence[OwnAlert]], Sequence[OutboxItem]],
        dns: Dns | None = None,
        squats: Squats | None = None,
        *,
        to_authorise: set[str] | None = None,
        now: Callable[[], datetime],
        stopped: Callable[[], bool],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._states = states
        self._shared = shared
        self._asking = asking
        self._policy_of = policy_of
        self._policy = policy_of(shared)
        self._items_of = items_of
        self._dns = dns
        self._squats = squats
        self._to_authorise = set() if to_authorise is None else to_authorise
        self._now = now
        self._stopped = stopped
        self._draw = draw
        self._ended = Ended()
        self._has_changed = False

    async def run(
        self, domains: Sequence[str], deliver: Callable[[], Awaitable[list[Problem]]]
    ) -> Ended:
        """
        What came of it.

        Args:
            deliver: sends what waits; what failed.

        Raises:
            Busy: another run took over: nothing more is told.
        """
        ended, shared = self._ended, self._shared
        # With a budget for few questions an hour, each has its turn.
        ordered = sorted(domains, key=lambda each: shared.asked.get(each, ""))
        for domain in ordered:
            if self._stopped():
                ended.problems.append(Problem("run", domain, "it was stopped before"))
                continue
            asked = await self._domain(domain, self._watched)
            if asked is not None and not asked.is_waiting:
                shared.asked[domain] = _text(self._now())
            if asked is not None and (asked.answers or not asked.problems):
                ended.read.add(domain)
        for gone in shared.asked.keys() - set(domains):
            del shared.asked[gone]
        try:
            await asyncio.to_thread(self._states.save_shared, shared)
        except Busy:
            raise
        except StoreError as exc:
            ended.problems.append(Problem("state", "", str(exc)))
        ended.authorities = self._policy.authorities
        ended.problems += await deliver()
        if self._squats is not None:
            # They take many minutes, for which nothing of our own domains waits.
            # The first one may spend all questions of a run, each time.
            for domain in sorted(ordered, key=lambda _: self._draw()):
                if not self._stopped():
                    await self._domain(domain, partial(self._squatted, self._squats))
            failed = await deliver()
            ended.problems += [each for each in failed if each not in ended.problems]
        return ended

    async def _domain(self, domain: str, work: _Work) -> Asked | None:
        """What came of the questions; None when the state failed."""
        ended = self._ended
        self._has_changed = False
        try:
            await asyncio.to_thread(self._states.renew)
            state, told = await asyncio.to_thread(self._loaded, domain)
            before = _without_times(state)
            found, asked = await work(state)
            told += found
            # What only tells that nothing is new is not worth a megabyte of writing.
            if self._has_changed or told or _without_times(state) != before:
                items = self._items_of(
                    [each for each in told if each.type not in self._policy.quiet]
                )
                await asyncio.to_thread(self._states.save, state, items)
        except Busy:
            raise
        except StoreError as exc:
            log.error("%s: %s", domain, exc)
            ended.problems.append(Problem("state", domain, str(exc)))
            return None
        ended.problems += asked.problems
        ended.notes += asked.notes
        ended.alerts += told
        return asked

    async def _watched(self, state: DomainState) -> tuple[list[OwnAlert], Asked]:
        asked = await asyncio.to_thread(self._asking.ask, state)
        told = await self._judged(state, asked, is_first=not state.since)
        if self._dns is not None:
            asked.notes += await self._dns.resolve(state, _text(self._now()))
        return told, asked

    async def _squatted(
        self, squats: Squats, state: DomainState
    ) -> tuple[list[OwnAlert], Asked]:
        return await squats.look(state, _text(self._now()))

    def _loaded(self, domain: str) -> tuple[DomainState, list[OwnAlert]]:
        """The state of a domain, and the alert that it was lost, if so."""
        try:
            state = self._states.load(domain)
        except Unreadable as exc:
            aside = self._states.set_aside(domain)
            log.error("%s: %s; it was set aside as %s", domain, exc, aside)
            state = DomainState(domain)
            lost = judge.state_lost(state, exc.since, aside, _text(self._now()))
            return state, [lost]
        return state or DomainState(domain), []

    async def _judged(
        self, state: DomainState, asked: Asked, *, is_first: bool
    ) -> list[OwnAlert]:
        """What is to be told of the answers, and of the day."""
        now = _text(self._now())
        changes = [
            change
            for answer in asked.answers
            for change in inventory.take(state, answer, now)
        ]
        self._has_changed = bool(changes)
        if asked.rereading is not None:
            mark = state.marks[OwnSource.CERTSPOTTER]
            mark.rereading = asked.rereading
            if not asked.rereading:
                mark.reread = now
        self._ended.counts[state.domain] = Count(
            len(state.certificates),
            sum(change.is_new and not change.is_silent for change in changes),
            is_first and bool(state.since),
        )
        if state.domain in self._to_authorise and state.since:
            self._authorise(auto_baseline(state, now))
            self._to_authorise.discard(state.domain)
        caa: Mapping[str, CaaVerdict] = {}
        if self._dns is not None and changes:
            new = (change.certificate for change in changes if change.is_new)
            caa = await self._dns.caa([each for each in new if each.not_after > now])
        alerts = judge.judge(state, changes, self._policy, now, caa)
        alerts += judge.expiring(state, self._policy, now)
        return [alert for alert in alerts if not alert.is_baseline]

    def _authorise(self, found: Sequence[Authority]) -> None:
        known = self._policy.authorities
        added = without_doubles(known, found)[len(known) :]
        if added:
            self._shared.authorities += added
            self._ended.authorised += added
            self._policy = self._policy_of(self._shared)


def _without_times(state: DomainState) -> list[object]:
    """What may change although no certificate is new, times by the day."""
    marks = [
        # A report in a quiet month says so of the day.
        (source, replace(mark, asked=mark.asked[:_DAY]))
        for source, mark in sorted(state.marks.items())
    ]
    names = [each.checked for each in state.names.values()]
    squats = [(each.asked, each.failed) for each in state.typosquats.values()]
    return [marks, names, squats, len(state.alerts), state.since]


def _text(moment: datetime) -> str:
    return utc_text(moment) or ""
