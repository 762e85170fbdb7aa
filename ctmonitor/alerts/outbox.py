"""
The sender: takes alerts that are due from the outbox and delivers them.

    due -> file, hook, or message -> sent (after the delivery) | failed, due again later

Messages on own domains also go to a webhook and by mail: one each, or one digest of all
when there are many.

What ends in the middle is due again when its lease is over: told twice rather than
never. A destination gets so many messages a minute; the last of them names all hosts
that are still to be told. Look-alikes of a brand below one domain are one message, and
no second one on the same day (UTC).
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from ctmonitor.alerts import own
from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.text import (
    Alarm,
    Message,
    alarm_message,
    digest,
    fallback_message,
)
from ctmonitor.errors import AlertError, StoreError
from ctmonitor.model.clock import now_utc
from ctmonitor.model.followup import Channel, OutboxItem
from ctmonitor.model.text import shortened
from ctmonitor.net.backoff import pause_s

log = logging.getLogger(__name__)

_AT_ONCE = 100  # items a lease
_LEASE_S = 900.0  # a digest waits for up to a minute, a hook for those before it
_FIRST_PAUSE_S = 60.0
_MOST_PAUSE_S = 3600.0
_MOST_ASKED_S = 86400.0
_MOST_PROBLEMS = 10
_HOOKS_AT_ONCE = 4
_HOSTS_SHOWN = 50  # of an alarm; the others are counted
_FAILURES_IN_A_ROW = 2  # of a channel that may be away: then the rest comes together


class Box(Protocol):
    """The store's outbox; called from several threads."""

    def due(
        self, now: datetime, limit: int, lease_s: float, owner: str
    ) -> list[OutboxItem]:
        """Items to be sent now, which nobody else gets for `lease_s`."""
        ...

    def gather(
        self,
        item: OutboxItem,
        now: datetime,
        lease_s: float,
        owner: str,
        shown: int,
    ) -> list[OutboxItem]:
        """
        All items of the alarm of `item`, the first ones with payload; [] for later.
        """
        ...

    def sent(self, ids: Sequence[int], now: datetime, detail: str = "") -> None:
        """Notes that items were delivered."""
        ...

    def failed(
        self,
        ids: Sequence[int],
        now: datetime,
        error: str,
        next_attempt: datetime | None,
    ) -> None:
        """Notes a failed attempt; None for `next_attempt` gives the items up."""
        ...

    def take_place(
        self, destination: str, now: datetime, limit: int
    ) -> tuple[int, datetime]:
        """
        Takes one of the `limit` places for messages to a destination in a minute.

        Returns:
            The places that were free, 0 when none could be taken, and when one is.
        """
        ...

    def release(self, owner: str) -> None:
        """Gives all leases of `owner` back."""
        ...


class Notifies(Protocol):
    """Sends messages; see `ctmonitor.alerts.notify.Notifier`."""

    @property
    def has_fallback(self) -> bool: ...

    def name(self, index: int | None) -> str: ...

    async def send(self, index: int | None, message: Message) -> Outcome: ...


class Starts(Protocol):
    """Starts the operator's program; see `ctmonitor.alerts.hook.Hook`."""

    async def run(self, alert: Mapping[str, Any]) -> Outcome: ...


class Posts(Protocol):
    """Sends messages to an address; see `ctmonitor.alerts.webhook.Webhook`."""

    name: str

    async def send(self, payload: Mapping[str, Any]) -> Outcome: ...


class Mails(Protocol):
    """Sends mails; see `ctmonitor.alerts.mail.Mail`."""

    name: str

    async def send(
        self, payload: Mapping[str, Any], to: Sequence[str]
    ) -> Mapping[str, Outcome]: ...


@dataclass(slots=True)
class Flushed:
    """
    What a flush has done, in items.

    Args:
        failed: attempts that failed and are made again; dead: given up.
        held: messages that wait for the minute to end.
        problems: the first reasons, for people.
    """

    sent: int = 0
    failed: int = 0
    dead: int = 0
    held: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Leased:
    """
    What is told in one message.

    Args:
        more: the further items of its alarm, when they are gathered.
    """

    item: OutboxItem
    until: datetime
    more: tuple[OutboxItem, ...] = ()

    @property
    def items(self) -> tuple[OutboxItem, ...]:
        return (self.item, *self.more)


class Sender:
    """
    One sender of a process; one flush at a time.

    Args:
        files: writes alerts to their files; for each its path, or what went wrong.
        on_file: told of each file that was written.
        owner: names the sender in leases; unlike any other's.
        webhook, mail: for messages on own domains; None for none.
        digest_per_minute: messages to one destination, 1 or more, of all senders.
        digest_from: so many messages on own domains that wait for one destination are
            told in one.
        tries: attempts until an item is given up.
    """

    def __init__(
        self,
        box: Box,
        files: Callable[[Sequence[Mapping[str, Any]]], Sequence[Path | AlertError]],
        notifier: Notifies,
        hook: Starts | None,
        *,
        owner: str,
        webhook: Posts | None = None,
        mail: Mails | None = None,
        digest_per_minute: int = 10,
        digest_from: int = 20,
        tries: int = 10,
        on_file: Callable[[Path, Mapping[str, Any]], None] = lambda path, alert: None,
        now: Callable[[], datetime] = now_utc,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._box = box
        self._files = files
        self._notifier = notifier
        self._hook = hook
        self._owner = owner
        self._webhook = webhook
        self._mail = mail
        self._per_minute = digest_per_minute
        self._digest_from = digest_from
        self._tries = tries
        self._on_file = on_file
        self._now = now
        self._sleep = sleep
        self._draw = draw
        self._held: dict[str, list[_Leased]] = defaultdict(list)  # by destination
        self._own: dict[Channel, list[_Leased]] = defaultdict(list)
        self._hook_slots = asyncio.Semaphore(_HOOKS_AT_ONCE)
        self._flushed = Flushed()
        self._store_error: StoreError | None = None

    async def flush(self, *, wait: bool = True) -> Flushed:
        """
        Delivers all that is due; what fails is due again later.

        A cancelled flush gives back what it has not delivered.

        Args:
            wait: for the minute to end where a destination has had its messages. Else
                what is left stays with this sender until the next flush or `release`.

        Raises:
            StoreError: the outbox cannot be read, or what was sent cannot be marked as
                sent; everything else was delivered nevertheless.
        """
        self._flushed = Flushed()
        self._store_error = None
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    await self._collect(group)
                except StoreError as exc:
                    self._store_error = exc
                for channel, leased in self._own.items():
                    group.create_task(self._post(channel, leased))
                self._own = defaultdict(list)
                for destination in list(self._held):
                    group.create_task(self._tell(destination, wait=wait))
        except BaseException:
            await self.release()
            raise
        self._flushed.held = sum(
            len(one.items) for waiting in self._held.values() for one in waiting
        )
        if self._store_error is not None:
            raise self._store_error
        return self._flushed

    async def release(self) -> None:
        """Gives back what is held, so that the next sender need not wait for it."""
        self._held.clear()
        self._own.clear()
        try:
            await asyncio.to_thread(self._box.release, self._owner)
        except StoreError as exc:
            log.warning("alerts on their way are due again when leases end: %s", exc)

    async def _collect(self, group: asyncio.TaskGroup) -> None:
        """Writes files, starts hooks, and puts messages aside until all are known."""
        alarms = {
            (destination, one.item.alarm)
            for destination, waiting in self._held.items()
            for one in waiting
        }
        while True:
            now = self._now()
            items = await asyncio.to_thread(
                self._box.due, now, _AT_ONCE, _LEASE_S, self._owner
            )
            if not items:
                return
            until = now + timedelta(seconds=_LEASE_S)
            if files := [i for i in items if i.channel is Channel.FILE]:
                await self._write(files)
            for item in items:
                leased = _Leased(item, until)
                if not await self._can_be_told(item):
                    continue
                if item.channel is Channel.NOTIFY:
                    waiting = self._held[item.destination]
                    # Of an alarm, the first one brings the others along.
                    if not item.alarm or (item.destination, item.alarm) not in alarms:
                        waiting.append(leased)
                    alarms.add((item.destination, item.alarm))
                elif item.channel is Channel.HOOK:
                    group.create_task(self._start(leased))
                elif item.channel in (Channel.WEBHOOK, Channel.MAIL):
                    self._own[item.channel].append(leased)

    async def _can_be_told(self, item: OutboxItem) -> bool:
        """Fails a message on own domains of another version: it holds up no others."""
        is_post = item.channel in (Channel.WEBHOOK, Channel.MAIL)
        if not is_post and not own.is_own(item.payload):
            return True
        try:
            own.told(item.payload)
            own.told(own.digest([item.payload]))
        except (KeyError, TypeError, ValueError) as exc:
            log.error("no message can be made of %s: %r", item.key, exc)
            await self._failed([item], f"no record of an alert: {type(exc).__name__}")
            return False
        return True

    # Files

    async def _write(self, items: Sequence[OutboxItem]) -> None:
        results = await asyncio.to_thread(self._files, [i.payload for i in items])
        written: list[OutboxItem] = []
        for item, result in zip(items, results, strict=True):
            if isinstance(result, AlertError):
                await self._failed([item], str(result))
            else:
                self._on_file(result, item.payload)
                written.append(item)
        if written:
            await self._sent(written, "")

    # Hooks

    async def _start(self, leased: _Leased) -> None:
        async with self._hook_slots:
            if leased.until <= self._now():
                return  # another sender has it by now
            if self._hook is None:
                outcome = Outcome(False, "the settings have no hook any more")
            else:
                outcome = await self._hook.run(leased.item.payload)
        if outcome.is_ok:
            await self._sent([leased.item], outcome.detail)
        else:
            await self._failed([leased.item], outcome.detail)

    # Messages

    async def _tell(self, destination: str, *, wait: bool) -> None:
        """
        Tells one destination of all that waits for it.

        One message each, as long as the minute has room for more than one. The last
        one, and the next one after a failure, tells of all the rest.
        """
        waiting = self._held[destination]
        has_failed = False
        try:
            waiting[:] = await asyncio.to_thread(self._gathered, waiting)
        except StoreError as exc:
            self._store_error = exc
            return
        while True:
            now = self._now()
            waiting[:] = [one for one in waiting if one.until > now]
            if not waiting:
                return
            try:
                room, then = await asyncio.to_thread(
                    self._box.take_place, destination, now, self._per_minute
                )
            except StoreError as exc:  # nothing could be noted of it, either
                self._store_error = exc
                return
            if room:
                owns = sum(own.is_own(one.item.payload) for one in waiting)
                is_last = has_failed or room == 1 or owns >= self._digest_from
                count = len(waiting) if is_last else 1
                batch = waiting[:count]
                del waiting[:count]
                has_failed = not await self._message(destination, batch)
            elif wait:
                await self._sleep((then - now).total_seconds())
            else:
                return

    def _gathered(self, waiting: Sequence[_Leased]) -> list[_Leased]:
        """Alarms with all their items; without those that are not to be told now."""
        result = []
        for one in waiting:
            now = self._now()
            if not one.item.alarm:
                result.append(one)
            elif one.until > now and (
                items := self._box.gather(
                    one.item, now, _LEASE_S, self._owner, _HOSTS_SHOWN
                )
            ):
                until = now + timedelta(seconds=_LEASE_S)
                result.append(_Leased(items[0], until, tuple(items[1:])))
        return result

    async def _message(self, destination: str, told_of: Sequence[_Leased]) -> bool:
        index = int(destination) if destination.isdecimal() else -1
        items = [item for one in told_of for item in one.items]
        try:
            told = _message_of(told_of)
        except Exception as exc:  # a record of another version holds up no others
            log.exception("no message can be made of %s", items[0].key)
            await self._failed(items, f"no record of an alert: {type(exc).__name__}")
            return False
        outcome = await self._notifier.send(index, told)
        if outcome.is_ok:
            await self._sent(items, outcome.detail)
            return True
        await self._fall_back(items, outcome, self._notifier.name(index), told)
        return False

    async def _fall_back(
        self, items: Sequence[OutboxItem], outcome: Outcome, name: str, told: Message
    ) -> None:
        """Notes a failure, and tells the fallback of the first and the last one."""
        is_given_up = await self._failed(
            items, f"{name}: {outcome.detail}", outcome.retry_after_s
        )
        is_news = any(item.attempts == 0 for item in items)
        if self._notifier.has_fallback and (is_news or is_given_up):
            second = fallback_message(told, name, is_given_up=is_given_up)
            outcome = await self._notifier.send(None, second)
            if not outcome.is_ok:
                log.error("the fallback failed as well: %s", outcome.detail)

    # Messages on own domains to webhooks and by mail

    async def _post(self, channel: Channel, leased: Sequence[_Leased]) -> None:
        """Sends all that waits for a channel, the same to many recipients at once."""
        waiting: dict[str, list[_Leased]] = defaultdict(list)
        for one in leased:
            waiting[one.item.destination].append(one)
        posts = _posts(waiting, self._digest_from)
        failures = 0
        while posts:
            if self._store_error is not None:
                return  # what is told now could not be noted, and is told twice
            if failures == _FAILURES_IN_A_ROW:
                left: dict[str, list[_Leased]] = defaultdict(list)
                for post in posts:
                    for destination, batch in post.items():
                        left[destination] += batch
                posts = _posts(left, 1)
            outcome = await self._posted(channel, posts.pop(0))
            failures = 0 if outcome.is_ok else failures + 1

    async def _posted(
        self, channel: Channel, by_destination: dict[str, list[_Leased]]
    ) -> Outcome:
        """Sends one message; its outcome is good when anybody got it."""
        now = self._now()
        items = {
            destination: [one.item for one in batch]
            for destination, batch in by_destination.items()
            if all(one.until > now for one in batch)  # else another sender has it
        }
        if not items:
            return Outcome(True)
        payloads = [item.payload for item in next(iter(items.values()))]
        payload = payloads[0] if len(payloads) == 1 else own.digest(payloads)
        outcomes: Mapping[str, Outcome]
        if channel is Channel.WEBHOOK and self._webhook is not None:
            name = self._webhook.name
            outcomes = dict.fromkeys(items, await self._webhook.send(payload))
        elif channel is Channel.MAIL and self._mail is not None:
            name = self._mail.name
            outcomes = await self._mail.send(payload, list(items))
        else:
            name = channel.value
            gone = Outcome(False, f"the settings have no {name} any more")
            outcomes = dict.fromkeys(items, gone)
        told = own.message(payload)
        for destination, outcome in outcomes.items():
            if outcome.is_ok:
                await self._sent(items[destination], outcome.detail)
            else:
                await self._fall_back(items[destination], outcome, name, told)
        worst = [one for one in outcomes.values() if not one.is_ok]
        return worst[0] if len(worst) == len(outcomes) else Outcome(True)

    # What came of it

    async def _sent(self, items: Sequence[OutboxItem], detail: str) -> None:
        now = self._now()

        await self._noted(
            lambda: self._box.sent([item.id for item in items], now, detail)
        )
        self._flushed.sent += len(items)

    async def _failed(
        self, items: Sequence[OutboxItem], error: str, asked_s: float = 0.0
    ) -> bool:
        """
        Notes a failure; whether an item was given up.

        Args:
            asked_s: a pause that the channel wants.
        """
        now = self._now()
        error = shortened(error, 500)
        # One pause for all: told together, they stay together.
        pause = pause_s(
            max(item.attempts for item in items),
            first_s=_FIRST_PAUSE_S,
            most_s=_MOST_PAUSE_S,
            draw=self._draw,
        )
        again = now + timedelta(seconds=max(pause, min(asked_s, _MOST_ASKED_S)))
        dead = [item.id for item in items if item.attempts + 1 >= self._tries]
        left = [item.id for item in items if item.attempts + 1 < self._tries]

        def note() -> None:
            for ids, then in ((dead, None), (left, again)):
                if ids:
                    self._box.failed(ids, now, error, then)

        await self._noted(note)
        self._flushed.failed += len(left)
        self._flushed.dead += len(dead)
        problems = self._flushed.problems
        if error not in problems and len(problems) < _MOST_PROBLEMS:
            problems.append(error)
        for item in items:
            if item.attempts + 1 >= self._tries:
                log.error(
                    "alert given up after %d attempts: %s: %s",
                    item.attempts + 1,
                    item.key,
                    error,
                )
        log.warning(
            "%d alerts were not delivered, first %s: %s",
            len(items),
            items[0].key,
            error,
        )
        return bool(dead)

    async def _noted(self, note: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(note)
        except StoreError as exc:  # its lease ends, and it is told twice
            log.error("what came of alerts cannot be noted: %s", exc)
            self._store_error = exc


def _posts(
    waiting: Mapping[str, Sequence[_Leased]], digest_from: int
) -> list[dict[str, list[_Leased]]]:
    """
    The messages to be sent, each with its items by destination.

    Args:
        waiting: what each destination is to be told.
        digest_from: so many for one destination are one message.
    """
    posts: dict[tuple[str, ...], dict[str, list[_Leased]]] = defaultdict(dict)
    for destination, some in waiting.items():
        is_digest = len(some) >= digest_from
        for batch in [list(some)] if is_digest else [[one] for one in some]:
            ids = sorted(str(one.item.payload["id"]) for one in batch)
            posts[tuple(ids)].setdefault(destination, []).extend(batch)
    return list(posts.values())


def _message_of(told_of: Sequence[_Leased]) -> Message:
    """One message on all; on own domains and on hosts in two parts."""
    owns = [one.item.payload for one in told_of if own.is_own(one.item.payload)]
    alarms = [_alarm(one.items) for one in told_of if not own.is_own(one.item.payload)]
    parts: list[Message] = []
    if owns:
        parts.append(own.message(owns[0] if len(owns) == 1 else own.digest(owns)))
    if alarms:
        one = len(alarms) == 1
        parts.append(alarm_message(alarms[0]) if one else digest(alarms))
    return Message(
        "; ".join(part.subject for part in parts),
        "\n\n".join(part.body for part in parts),
    )


def _alarm(items: Sequence[OutboxItem]) -> Alarm:
    return Alarm([item.payload for item in items if item.payload], len(items))
