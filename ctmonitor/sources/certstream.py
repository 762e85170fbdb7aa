"""
The certstream source: a thread that only reads, behind a bounded queue.

    reader thread: connect, read, follow indexes  ->  Inbox  ->  batches(): prefilter

Each disconnect, stall and overflow, and each index that a server left out, becomes a
gap. With several addresses the first that works is used, and the first of all again
as soon as it is back.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Batch, Cursor, Gap, GapCause
from ctmonitor.model.clock import from_utc_text, now_utc, utc_text
from ctmonitor.net.backoff import pause_s
from ctmonitor.net.route import Route
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.continuity import Continuity, Hole
from ctmonitor.sources.feedclient import FeedClient
from ctmonitor.sources.inbox import Chunk, Inbox
from ctmonitor.sources.message import is_heartbeat, log_address, position, seen_epoch
from ctmonitor.sources.screen import screen

log = logging.getLogger(__name__)

# Servers drop clients that have not pinged for 60 s (Go) or answer within 45 s (Rust).
_PING_S = 20.0
# Workers of a server overtake each other by seconds; polls of a log are 4 s apart.
_HOLE_PATIENCE_S = 15.0
# A read that brings little is followed by a short rest, so that a message costs a
# share of a wake-up and not one of its own; the kernel's buffers hold seconds.
_LITTLE_BYTES = 32 * 1024
_REST_S = 0.01
_LINGER_S = 0.05
_BATCH_MESSAGES = 2000
# A connection that lived this long was no failed attempt.
_LIVED_S = 30.0
_CURSOR_EVERY_S = 10.0
# The first message of each log after a reconnect shows what was missed meanwhile.
_AFTERMATH = timedelta(seconds=10)
_STALE_CHECK_S = 5.0

CURSOR = "certstream"


@dataclass(frozen=True, slots=True)
class Feed:
    """
    How a certstream feed is to be read.

    Args:
        addresses: `ws://` and `wss://` addresses in order of preference, at least one.
        stall_s: silence, without a data message, after which to connect anew.
        stale_s: age of the newest `seen` that is an alarm; 0 for never.
        queue_messages: messages that wait at most.
        max_message_bytes: largest message taken.
        retry_first_s: how often the first address is tried while another serves.
        max_pause_s: longest pause between two attempts.
    """

    addresses: Sequence[str]
    stall_s: float = 60.0
    stale_s: float = 900.0
    queue_messages: int = 5000
    max_message_bytes: int = 16 * 1024 * 1024
    retry_first_s: float = 60.0
    max_pause_s: float = 60.0


def shown(address: str) -> str:
    """An address without its credentials, for logs and the store."""
    parts = urlsplit(address)
    if parts.username is None and parts.password is None:
        return address
    host = parts.netloc.rsplit("@", 1)[-1]
    return parts._replace(netloc=host).geturl()


class CertstreamSource:
    """Batches of one certstream feed, for as long as it is not stopped."""

    def __init__(
        self,
        feed: Feed,
        route: Route,
        scanner: Scanner | None,
        resume: Cursor | None = None,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        """
        Args:
            scanner: the prefilter; None parses every message.
            resume: the cursor of the last run: what lies between is a gap.
        """
        self._feed = feed
        self._scanner = scanner
        self._ready = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox = Inbox(feed.queue_messages, self._wake)
        self._reader = _Reader(feed, route, self._inbox, self._wake, resume, now)

    def use(self, scanner: Scanner | None) -> None:
        self._scanner = scanner

    def stop(self) -> None:
        self._reader.stop()

    def _wake(self) -> None:
        """Called in the reader's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)

    async def batches(self) -> AsyncIterator[Batch]:
        self._loop = asyncio.get_running_loop()
        self._reader.start()
        try:
            while True:
                await self._ready.wait()
                self._ready.clear()
                if not self._inbox.is_well_filled and not self._reader.ended:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._ready.wait(), _LINGER_S)
                ended = self._reader.ended  # before the last look into the inbox
                while (batch := self._next()) is not None:
                    yield batch
                    # Signals and timers get their turn between two batches.
                    await asyncio.sleep(0)
                if ended:
                    break
        finally:
            self._reader.stop()
            await asyncio.to_thread(self._reader.join)
        if self._reader.failure is not None:
            raise self._reader.failure

    def _next(self) -> Batch | None:
        chunk = self._inbox.take(_BATCH_MESSAGES)
        news = self._reader.news.take()
        if chunk is None and not news:
            return None
        frames: Sequence[bytes] = chunk.frames if chunk else ()
        return screen(
            frames,
            self._scanner,
            chunk.feed if chunk else "",
            dropped=news.dropped,
            reconnects=news.reconnects,
            gaps=news.gaps,
            cursor=news.cursor,
        )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the reader has to tell beside messages."""

    dropped: int = 0
    reconnects: int = 0
    gaps: tuple[Gap, ...] = ()
    cursor: Cursor | None = None

    def __bool__(self) -> bool:
        return bool(self.dropped or self.reconnects or self.gaps or self.cursor)


class _News:
    """Hands what the reader has to tell over to the consumer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told = _Told()

    def tell(
        self,
        *gaps: Gap,
        dropped: int = 0,
        reconnects: int = 0,
        cursor: Cursor | None = None,
    ) -> None:
        with self._lock:
            self._told = _Told(
                self._told.dropped + dropped,
                self._told.reconnects + reconnects,
                self._told.gaps + gaps,
                cursor or self._told.cursor,
            )

    def take(self) -> _Told:
        with self._lock:
            told, self._told = self._told, _Told()
        return told


class _Reader(threading.Thread):
    """Keeps a connection, reads, and never waits for what is behind the inbox."""

    def __init__(
        self,
        feed: Feed,
        route: Route,
        inbox: Inbox,
        wake: Callable[[], None],
        resume: Cursor | None,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(name="certstream", daemon=True)
        self._feed = feed
        self._route = route
        self._inbox = inbox
        self._wake = wake
        self._now = now
        self._stopping = threading.Event()
        self.news = _News()
        self.failure: SourceError | None = None
        self.ended = False
        self._connections = 0
        self._last_data = now()
        self._resume = from_utc_text(resume.position) if resume else None
        self._address = shown(feed.addresses[0])
        self._open_gap: Gap | None = None
        self._last_gap: Gap | None = None
        self._continuity = Continuity(_HOLE_PATIENCE_S)
        self._overflow = _Overflow()
        self._trouble = ""  # the last error told, so that each is told once
        self._preferred: FeedClient | None = None
        self._attempted_first_s = 0.0
        self._probe: threading.Thread | None = None

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        try:
            self._keep_reading()
        except Exception as exc:  # a bug must end the daemon, not only a thread
            log.exception("the reader of the feed failed")
            self.failure = SourceError(f"the reader of the feed failed: {exc!r}")
        finally:
            if self._probe is not None:
                self._probe.join()
            if self._preferred is not None:
                self._preferred.close()
            self._close_gap()
            self._tell_holes(self._continuity.expired(time.monotonic(), patience_s=0))
            self.news.tell(*self._overflow.gaps(self._now()))
            self.news.tell(cursor=self._cursor())
            self.ended = True
            self._wake()

    def _cursor(self) -> Cursor:
        return Cursor(CURSOR, utc_text(self._last_data) or "")

    # Which address, and when to try again

    def _keep_reading(self) -> None:
        attempt = 0
        while not self._stopping.is_set():
            for address in self._feed.addresses:
                lived_s = self._serve(address)
                if self._stopping.is_set():
                    return
                if lived_s >= _LIVED_S:
                    attempt = 0
                    break  # begin with the first again, without a pause
            else:
                # Only now is nobody left to ask.
                first = self._feed.addresses[0]
                self._begin_gap(first, GapCause.CONNECT, self._trouble)
                pause = pause_s(attempt, most_s=self._feed.max_pause_s)
                attempt += 1
                self._stopping.wait(pause)

    def _serve(self, address: str) -> float:
        """Read from one address until it fails; seconds it was connected."""
        client = FeedClient(address, self._route, self._feed.max_message_bytes)
        try:
            client.open()
        except SourceError as exc:
            self._say(address, str(exc))
            return 0.0
        while True:
            began_s = time.monotonic()
            failed = self._read(client)
            client.close()
            if self._preferred is None or self._stopping.is_set():
                break
            # The first address is back, with a connection that already delivers.
            client, self._preferred = self._preferred, None
        if failed is not None:
            cause, reason = failed
            self._say(shown(client.url), reason)
            self._begin_gap(client.url, cause, reason)
        return time.monotonic() - began_s

    def _say(self, address: str, reason: str) -> None:
        """Log a trouble once, until it changes or is over."""
        trouble = f"{shown(address)}: {reason}"
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("feed %s", trouble)

    # One connection

    def _read(self, client: FeedClient) -> tuple[GapCause, str] | None:
        """Read until the connection fails, we are stopped, or a better one is there."""
        address = shown(client.url)
        last_data_s = last_ping_s = time.monotonic()
        stale = _Staleness(address, self._feed.stale_s)
        cursor_s = 0.0
        delivered = False
        try:
            while not self._stopping.is_set() and self._preferred is None:
                messages = client.read()
                now_s = time.monotonic()
                frames = [m for m in messages if m and not is_heartbeat(m)]
                if frames:
                    last_data_s = now_s
                    if not delivered:
                        delivered = True
                        self._connected(address)
                    self._last_data = self._now()
                    self._follow(frames, now_s)
                    self._hand_on(address, frames)
                    stale.check(frames[-1], now_s)
                elif now_s - last_data_s >= self._feed.stall_s:
                    return (
                        GapCause.STALL,
                        f"connected, but no message for {self._feed.stall_s:.0f} s: "
                        "stalled, connecting anew",
                    )
                if now_s - last_ping_s >= _PING_S:
                    client.ping()
                    last_ping_s = now_s
                self._tell_holes(self._continuity.expired(now_s))
                if delivered and now_s - cursor_s >= _CURSOR_EVERY_S:
                    cursor_s = now_s
                    self.news.tell(cursor=self._cursor())
                    self._wake()
                self._try_first(client, now_s)
                if frames and sum(map(len, messages)) < _LITTLE_BYTES:
                    time.sleep(_REST_S)
        except SourceError as exc:
            return GapCause.DISCONNECT, str(exc)
        return None

    def _connected(self, address: str) -> None:
        """The first message of a connection came."""
        self._address = address
        self._connections += 1
        if self._connections > 1:
            self.news.tell(reconnects=1)
        log.info("feed %s: connected, messages come in", address)
        self._trouble = ""
        now = self._now()
        if self._resume is not None:
            detail = "the daemon was not running"
            gap = Gap(address, GapCause.STOPPED, self._resume, now, detail=detail)
            self.news.tell(gap)
            self._resume = None
        self._close_gap()

    def _follow(self, frames: Sequence[bytes], now_s: float) -> None:
        observe = self._continuity.observe
        for frame in frames:
            at = position(frame)
            if at is not None:
                observe(at[0], at[1], now_s)

    def _hand_on(self, address: str, frames: Sequence[bytes]) -> None:
        taken = self._inbox.put(Chunk(address, frames))
        lost = frames[taken:]
        if lost:
            if not self._overflow:
                log.warning(
                    "feed %s: messages come faster than they are judged and stored; "
                    "%d are waiting, further ones are dropped and counted",
                    address,
                    len(self._inbox),
                )
            self._overflow.add(address, lost, self._now())
            self.news.tell(dropped=len(lost))
        elif self._overflow and len(self._inbox) * 2 <= self._feed.queue_messages:
            log.warning("feed %s: keeping up again, %s", address, self._overflow)
            self.news.tell(*self._overflow.gaps(self._now()))
            self._overflow = _Overflow()

    # Gaps

    def _begin_gap(self, address: str, cause: GapCause, reason: str) -> None:
        if self._open_gap is None:
            self._open_gap = Gap(shown(address), cause, self._last_data, detail=reason)
            self.news.tell(self._open_gap)
            self._wake()

    def _close_gap(self) -> None:
        if self._open_gap is not None:
            self._last_gap = replace(self._open_gap, end=self._now())
            self._open_gap = None
            self.news.tell(self._last_gap)
            self._wake()

    def _tell_holes(self, holes: Sequence[Hole]) -> None:
        for hole in holes:
            gap = self._gap_of(hole)
            log.warning(
                "feed %s: %d entries of %s did not come, indexes %d to %d",
                gap.feed,
                hole.end - hole.start,
                gap.log,
                hole.start,
                hole.end - 1,
            )
            self.news.tell(gap)
            self._wake()

    def _gap_of(self, hole: Hole) -> Gap:
        """A hole noticed as a connection came back is what the gap before it cost."""
        noticed = self._now() - timedelta(seconds=time.monotonic() - hole.noticed_s)
        before = self._last_gap
        if before is None or before.end is None or noticed > before.end + _AFTERMATH:
            before = Gap(
                self._address,
                GapCause.HOLE,
                noticed,
                noticed,
                detail="the server left these indexes out",
            )
        return replace(
            before,
            lost=hole.end - hole.start,
            log=log_address(hole.log.decode("utf-8", "replace")),
            index_start=hole.start,
            index_end=hole.end,
        )

    # Back to the first address

    def _try_first(self, client: FeedClient, now_s: float) -> None:
        first = self._feed.addresses[0]
        if client.url == first or (self._probe is not None and self._probe.is_alive()):
            return
        if self._attempted_first_s == 0.0:
            self._attempted_first_s = now_s
        if now_s - self._attempted_first_s < self._feed.retry_first_s:
            return
        self._attempted_first_s = now_s
        self._probe = threading.Thread(
            target=self._probe_first, args=(first,), name="certstream-first"
        )
        self._probe.start()

    def _probe_first(self, address: str) -> None:
        """Connect to the first address; it is back when a message comes."""
        client = FeedClient(address, self._route, self._feed.max_message_bytes)
        try:
            client.open()
            deadline = time.monotonic() + min(self._feed.stall_s, 10.0)
            while time.monotonic() < deadline and not self._stopping.is_set():
                frames = [m for m in client.read() if m and not is_heartbeat(m)]
                if frames:
                    self._inbox.put(Chunk(shown(address), frames))
                    self._preferred = client
                    return
            client.close()
        except SourceError:
            client.close()  # still down; the next attempt is due later


class _Overflow:
    """An episode of dropping: how many messages of which logs were lost."""

    def __init__(self) -> None:
        self._address = ""
        self._began: datetime | None = None
        self._lost: Counter[bytes] = Counter()
        self._lowest: dict[bytes, int] = {}
        self._highest: dict[bytes, int] = {}

    def __bool__(self) -> bool:
        return self._began is not None

    def __str__(self) -> str:
        return f"{self._lost.total()} messages were dropped"

    def add(self, address: str, frames: Sequence[bytes], now: datetime) -> None:
        self._address = address
        self._began = self._began or now
        for frame in frames:
            at = position(frame)
            where, index = at if at is not None else (b"", -1)
            self._lost[where] += 1
            self._lowest[where] = min(index, self._lowest.get(where, index))
            self._highest[where] = max(index, self._highest.get(where, index))

    def gaps(self, now: datetime) -> list[Gap]:
        """One gap for each log, with its range; one without for what bore no index."""
        if self._began is None:
            return []
        return [
            Gap(
                self._address,
                GapCause.OVERFLOW,
                self._began,
                now,
                lost=lost,
                log=log_address(where.decode("utf-8", "replace")),
                index_start=self._lowest[where] if where else None,
                index_end=self._highest[where] + 1 if where else None,
                detail="the queue was full ([SOURCES] Queue_Messages)",
            )
            for where, lost in self._lost.items()
        ]


class _Staleness:
    """Watches the age of what a feed sends: old news is an alarm, though it flows."""

    def __init__(self, address: str, limit_s: float) -> None:
        self._address = address
        self._limit_s = limit_s
        self._checked_s = 0.0
        self._is_stale = False

    def check(self, frame: bytes, now_s: float) -> None:
        if not self._limit_s or now_s - self._checked_s < _STALE_CHECK_S:
            return
        self._checked_s = now_s
        seen = seen_epoch(frame)
        if seen is None:
            return
        age_s = time.time() - seen
        if (age_s > self._limit_s) == self._is_stale:
            return
        self._is_stale = not self._is_stale
        if self._is_stale:
            log.error(
                "feed %s: STALE, its newest messages are %.0f minutes old "
                "([SOURCES] Stale_Minutes)",
                self._address,
                age_s / 60,
            )
        else:
            log.warning("feed %s: its messages are fresh again", self._address)
