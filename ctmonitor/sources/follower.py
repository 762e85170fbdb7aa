"""
One log, followed for as long as it lives.

    head -> adopt (proofs) -> read (entries, proven) -> outlet -> sleep -> head ...

A log that does not answer is asked again after growing pauses. One that contradicts
itself is not believed: the evidence is kept, one alarm is raised, and it is asked
again, because caches lie, too; when it persists the log is held to be bad and asked
rarely. Each change of state is one line for the operator.
"""

import asyncio
import json
import logging
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ctmonitor.ct.entry import Leaves
from ctmonitor.errors import FormatError, IntegrityError, SourceError
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.model.text import shortened
from ctmonitor.net.backoff import pause_s as backoff_s
from ctmonitor.sources.backlog import Backlog
from ctmonitor.sources.evidence import Evidence
from ctmonitor.sources.logclient import LogClient
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.logselection import way_out
from ctmonitor.sources.start import Start

log = logging.getLogger(__name__)

_ROUND_S = 30.0  # then the log is asked for its head again
_FUTURE_S = 3600.0  # a log's clock may be ahead by this
_MOST_CASES = 50  # of a log, as evidence
_MOST_ENTRIES = 2**40  # leaf_index has 40 bits; no log has come near 2**34


class Condition(StrEnum):
    """How it goes with a log."""

    STARTING = "starting"
    FOLLOWING = "following"
    UNREACHABLE = "unreachable"  # it does not answer, or not in its protocol
    SUSPECT = "suspect"  # it contradicted itself and is asked again
    BAD = "bad"  # it does so persistently
    DRAINED = "drained"  # read to its final head
    FINISHED = "finished"  # read to the head it had at the start


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Times of following, in seconds.

    Args:
        poll_s: between two heads.
        partial_s: how long the head stays inside a tile until its part is read.
        alarm_s: a log that was away for so long, and its merge delay, is an alarm.
        retry_first_s, retry_most_s: pauses after a log did not answer.
        stale_s: how long an earlier head may come from a server that is late.
        doubt_first_s: pause after a contradiction, doubled each time.
        bad_after_s: contradictions over this time make a log bad.
        bad_poll_s: pause of a bad log.
    """

    poll_s: float = 15.0
    partial_s: float = 60.0
    alarm_s: float = 3600.0
    retry_first_s: float = 1.0
    retry_most_s: float = 300.0
    stale_s: float = 600.0
    doubt_first_s: float = 30.0
    bad_after_s: float = 1800.0
    bad_poll_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class LogStatus:
    """
    How far and how well a log is read, for people.

    Args:
        position: next entry; None before the first head.
        head_size: of the last head that was believed.
        read: entries since the start of the program; errors: likewise.
    """

    log: Log
    condition: Condition
    since: datetime
    position: int | None
    head_size: int | None
    read: int
    errors: int
    last_error: str

    @property
    def backlog(self) -> int | None:
        """Entries that wait."""
        if self.position is None or self.head_size is None:
            return None
        return self.head_size - self.position


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How logs are followed; the same for all of a run.

    Args:
        start: where logs begin that were never read.
        once: end at the head that a log shows first.
        tries: with `once`, attempts in a row before a log is given up.
    """

    start: Start
    pace: Pace
    evidence: Evidence
    once: bool = False
    tries: int = 4
    now: Callable[[], datetime] = now_utc


# Takes proven entries and the cursor that is true once they are stored; no entries
# when only the head moved.
Outlet = Callable[[Log, Leaves | None, LogCursor], Awaitable[None]]


class Follower:
    """One log and its position."""

    def __init__(
        self,
        log_: Log,
        client: LogClient,
        at: LogCursor | None,
        outlet: Outlet,
        manner: Manner,
    ) -> None:
        """
        Args:
            at: where an earlier run stopped; None starts at `manner.start`.
        """
        self._log = log_
        self._client = client
        self._at = at
        self._outlet = outlet
        self._manner = manner
        self._is_at_end = False
        self._is_primed = False  # the client knows the tree of `at.head`
        self._goal: int | None = None  # with `once`
        self._inside = (-1, 0.0)  # a tile, and since when the head is in it
        self._stale_since: float | None = None
        self._failed_since: float | None = None
        self._doubted_since: float | None = None
        self._doubts = 0  # since the log was last read
        self._final_root = b""  # that was found in the log
        self._is_alarmed = False
        self._cases: set[tuple[str, str]] = set()
        self._backlog = Backlog()
        self._condition = Condition.STARTING
        self._since = manner.now()
        self._read = 0
        self._errors = 0
        self._last_error = ""

    @property
    def at(self) -> LogCursor | None:
        """Up to where entries were handed on; None before the first head."""
        return self._at

    @property
    def status(self) -> LogStatus:
        """A snapshot."""
        at = self._at
        return LogStatus(
            self._log,
            self._condition,
            self._since,
            None if at is None else at.position,
            None if at is None or at.head is None else at.head.size,
            self._read,
            self._errors,
            self._last_error,
        )

    def describe(self, log_: Log) -> None:
        """Take over what a newer log list says of the same log."""
        self._log = log_

    async def run(self) -> bool:
        """
        Follow until the log is drained, or with `once` until it was read.

        Returns False when it was given up (`once` alone).
        """
        attempt = 0
        while True:
            try:
                ended = await self._round()
            except IntegrityError as exc:
                attempt += 1
                pause_s = self._doubt(exc)
            except (SourceError, FormatError) as exc:
                attempt += 1
                pause_s = self._miss(exc, attempt)
            else:
                attempt = 0
                self._follow()
                if ended is not None:
                    self._enter(ended)
                    log.info("log %s: %s at %d", self._log.name, ended, self._position)
                    return True
                pause_s = self._manner.pace.poll_s if self._is_at_end else 0.0
            if self._manner.once and attempt >= self._manner.tries:
                return False
            await asyncio.sleep(pause_s)

    @property
    def _position(self) -> int:
        return 0 if self._at is None else self._at.position

    async def _round(self) -> Condition | None:
        """Read what the log's present head allows; how it ended, if it did."""
        if self._was_drained():
            return Condition.DRAINED
        at = await self._adopted(await self._client.head())
        head = at.head
        assert head is not None  # noqa: S101  just adopted
        if self._goal is None and self._manner.once:
            self._goal = head.size
        end = self._readable(head, at.position)
        self._is_at_end = True
        if at.position < end:
            until_s = time.monotonic() + _ROUND_S
            await self._client.read(
                at, end, lambda: time.monotonic() < until_s, self._take
            )
            self._is_at_end = self._position >= end
            self._inside = (head.size >> 8, time.monotonic())
        change = self._backlog.observe(time.monotonic(), self._position, head.size)
        if change is not None and change.is_behind:
            log.error(
                "log %s: cannot keep up: %s. Raise [SOURCES] Max_Requests, or share "
                "the logs among several machines.",
                self._log.name,
                change,
            )
        elif change is not None:
            log.warning("log %s: keeps up again: %s", self._log.name, change)
        final = self._log.final_size
        if final is not None and self._position >= final:
            return Condition.DRAINED
        if self._goal is not None and self._position >= self._goal:
            return Condition.FINISHED
        return None

    def _was_drained(self) -> bool:
        """Whether nothing is left to ask: the log may have been switched off since."""
        final, at = self._log.final_size, self._at
        if final is None or at is None or at.head is None or at.position < final:
            return False
        root = self._log.final_root
        return not root or (at.head.size, at.head.root) == (final, root)

    async def _adopted(self, head: TreeHead) -> LogCursor:
        """The position, under `head` or one that is as good."""
        client, at = self._client, self._at
        self._check_plausible(head)
        if at is None:
            at = LogCursor(await self._manner.start.position(client, head))
        before = at.head
        if before is not None:
            head = self._later(head, before)
        if at.position > head.size:
            raise SourceError(
                f"{self._log.name} has {head.size} entries, and is to be read from "
                f"{at.position}"
            )
        is_final_known = self._is_final_known(head)
        if before is not None and is_final_known:
            # Nothing new: no request for a tile or a proof (L7).
            is_read = at.position >= head.size
            if head.size == before.size and (self._is_primed or is_read):
                return at
        # Until all is proven the client may know a tree that is not the log's.
        self._is_primed = False
        at = await client.adopt(head, at)
        if not is_final_known:
            await self._check_final(head)
        self._is_primed = True
        is_news = before is None or head.size > before.size
        self._at = at
        if is_news:
            # Kept even when nothing is read: the next head has to contain this one.
            await self._outlet(self._log, None, at)
        return at

    def _later(self, head: TreeHead, before: TreeHead) -> TreeHead:
        """
        `head`, or `before` for as long as a server of the log may be late.

        Raises IntegrityError when `head` cannot follow `before`.
        """
        documents = {"head": head.document, "head-before": before.document}
        if head.size == before.size and head.root != before.root:
            raise IntegrityError(
                "forked",
                f"{self._log.name} signed two heads of {head.size} entries, with the "
                f"roots {before.root.hex()} and {head.root.hex()}",
                documents,
            )
        if head.size >= before.size:
            self._stale_since = None
            return head
        shown = (
            f"{self._log.name} shows a head of {head.size} entries after one of "
            f"{before.size}"
        )
        now_s = time.monotonic()
        if self._stale_since is None:
            self._stale_since = now_s
        is_old = head.timestamp_ms <= before.timestamp_ms
        if is_old and now_s - self._stale_since < self._manner.pace.stale_s:
            # One of several servers of the log, or a cache, is late: no news.
            return before
        raise IntegrityError("shrunk", shown, documents)

    def _is_final_known(self, head: TreeHead) -> bool:
        """Whether there is nothing in `head` for `_check_final`."""
        size, root = self._log.final_size, self._log.final_root
        return size is None or not root or head.size < size or root == self._final_root

    async def _check_final(self, head: TreeHead) -> None:
        """
        Raises IntegrityError when a read-only log has another tree than the final one
        that the log list names.
        """
        size, root = self._log.final_size, self._log.final_root
        assert size is not None  # noqa: S101  not known, so there is one
        text = b64encode(root).decode("ascii")
        named = {"final_tree_head": {"tree_size": size, "sha256_root_hash": text}}
        final = TreeHead(size, root, 0, json.dumps(named).encode())
        if head.size > size:
            # The log is read no further, and yet shows more.
            await self._client.adopt(head, LogCursor(size, final))
        elif head.root != root:
            raise IntegrityError(
                "forked",
                f"{self._log.name} ends in another tree than the log list says: at "
                f"{size} entries its root is {head.root.hex()}, not {root.hex()}",
                {"head": head.document, "head-before": final.document},
            )
        self._final_root = root

    def _check_plausible(self, head: TreeHead) -> None:
        if head.size > _MOST_ENTRIES:
            raise IntegrityError(
                "root",
                f"{self._log.name} signed a head of {head.size} entries, which no log "
                "can hold",
                {"head": head.document},
            )
        ahead_s = head.timestamp_ms / 1000 - self._manner.now().timestamp()
        if ahead_s > _FUTURE_S:
            raise IntegrityError(
                "future",
                f"{self._log.name} signed a head that is {ahead_s:.0f} s ahead of this "
                "machine's clock; check that this one is right",
                {"head": head.document},
            )

    def _readable(self, head: TreeHead, position: int) -> int:
        """Up to where to read now: a tile that still grows is left for later."""
        final = self._log.final_size
        ends = [end for end in (self._goal, final) if end is not None]
        end = min(head.size, *ends) if ends else head.size
        whole = self._client.whole_end(head.size)
        if end <= whole or self._manner.once or end == final:
            return end
        tile, since_s = self._inside
        now_s = time.monotonic()
        if tile != head.size >> 8:
            self._inside = (head.size >> 8, now_s)
        elif now_s - since_s >= self._manner.pace.partial_s:
            return end
        return whole

    async def _take(self, leaves: Leaves, at: LogCursor) -> None:
        await self._outlet(self._log, leaves, at)
        self._at = at
        self._read += len(leaves)

    def _enter(self, condition: Condition) -> None:
        self._condition = condition
        self._since = self._manner.now()

    def _follow(self) -> None:
        if self._condition is not Condition.FOLLOWING:
            if self._condition is not Condition.STARTING:
                log.warning(
                    "log %s: is read again, after being %s since %s",
                    self._log.name,
                    self._condition,
                    utc_text(self._since),
                )
            self._enter(Condition.FOLLOWING)
        self._failed_since = None
        self._doubted_since = None
        self._doubts = 0
        self._is_alarmed = False

    def _failing_s(self, exc: Exception) -> float:
        """For how long this has gone on; 0 at the first time."""
        self._errors += 1
        self._last_error = shortened(str(exc), 300)
        now_s = time.monotonic()
        if self._failed_since is None:
            self._failed_since = now_s
        return now_s - self._failed_since

    @property
    def _alarm_after_s(self) -> float:
        """Absence is the business of an operator past the merge delay (L6)."""
        # Tiled logs have one of a minute, in which a server may start anew.
        return max(self._log.mmd_s, self._manner.pace.alarm_s)

    def _miss(self, exc: SourceError | FormatError, attempt: int) -> float:
        """Note that the log could not be read; the pause, in seconds."""
        failing_s = self._failing_s(exc)
        if self._condition in (Condition.STARTING, Condition.FOLLOWING):
            self._enter(Condition.UNREACHABLE)
            log.warning(
                "log %s: cannot be read, it is tried again: %s",
                self._log.name,
                self._last_error,
            )
        elif failing_s > self._alarm_after_s and not self._is_alarmed:
            self._is_alarmed = True
            hint = way_out(self._log, self._manner.now())
            log.error(
                "log %s: could not be read since %s, longer than its merge delay of "
                "%d s: %s%s",
                self._log.name,
                utc_text(self._since),
                self._log.mmd_s,
                self._last_error,
                f"; {hint}" if hint else "",
            )
        pace = self._manner.pace
        asked_s = exc.retry_after_s if isinstance(exc, SourceError) else None
        own_s = backoff_s(
            attempt - 1, first_s=pace.retry_first_s, most_s=pace.retry_most_s
        )
        return max(own_s, asked_s or 0.0)

    def _doubt(self, exc: IntegrityError) -> float:
        """Note a contradiction, with its evidence; the pause, in seconds."""
        self._failing_s(exc)
        now_s = time.monotonic()
        if self._doubted_since is None:
            self._doubted_since = now_s
        doubted_s = now_s - self._doubted_since
        self._doubts += 1
        self._is_primed = False
        where = None
        case = (exc.kind, exc.detail)
        if case not in self._cases and len(self._cases) < _MOST_CASES:
            self._cases.add(case)
            where = self._manner.evidence.keep(self._log, exc, self._manner.now())
        pace = self._manner.pace
        if self._condition not in (Condition.SUSPECT, Condition.BAD):
            self._enter(Condition.SUSPECT)
            log.error(
                "log %s: CONTRADICTION (%s): %s. Nothing more of it is believed until "
                "it is resolved; it is asked again. Evidence: %s",
                self._log.name,
                exc.kind,
                shortened(exc.detail, 500),
                where or "not kept",
            )
        elif self._condition is Condition.SUSPECT and doubted_s >= pace.bad_after_s:
            self._enter(Condition.BAD)
            log.error(
                "log %s: is held to be BAD, the contradiction (%s) has persisted for "
                "%d s: %s",
                self._log.name,
                exc.kind,
                doubted_s,
                shortened(exc.detail, 500),
            )
        if self._condition is Condition.BAD:
            return pace.bad_poll_s
        doubled = 2.0 ** min(self._doubts - 1, 20)
        return min(pace.doubt_first_s * doubled, pace.bad_poll_s)
