"""
The thread that reads a feed: it connects, reads, and never waits for who comes after.

With several addresses the first that works is used, and the first of all again as soon
as it delivers. Each disconnect, stall and overflow, and each index that a server left
out, becomes a gap.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Gap, GapCause
from ctmonitor.net.backoff import pause_s
from ctmonitor.net.route import Route
from ctmonitor.sources.feedclient import FeedClient, shown
from ctmonitor.sources.feeddial import Dial, data_messages
from ctmonitor.sources.feedgaps import FeedGaps
from ctmonitor.sources.inbox import Chunk, Inbox
from ctmonitor.sources.message import seen_epoch

log = logging.getLogger(__name__)

# A read that brings little is followed by a short rest, so that a message costs a
# share of a wake-up and not one of its own; the kernel's buffers hold seconds.
_LITTLE_BYTES = 32 * 1024
_REST_S = 0.01
# How soon a stop is noticed while there is nothing to read.
_LOOK_S = 0.1
_STALE_CHECK_S = 5.0
_LISTEN_S = 10.0  # so long the first address may take for a message to be back


@dataclass(frozen=True, slots=True)
class Feed:
    """
    How a certstream feed is to be read; times are in seconds.

    Args:
        addresses: `ws://` and `wss://` addresses in order of preference, at least one.
        stall_s: silence, without a data message, after which to connect anew.
        stale_s: age of the newest `seen` that is an alarm; 0 for never.
        queue_messages: messages that wait at most.
        max_message_bytes: largest message taken.
        retry_first_s: how often the first address is tried while another serves.
        max_pause_s: longest pause between two attempts; the first is at most
            `first_pause_s`.
        handshake_s: the most an answer to the handshake may take.
        ping_s: servers drop clients that have not pinged for 60 s (Go) or do not
            answer within 45 s (Rust).
        lived_s: a connection that delivered so long was no failed attempt.
        hole_patience_s: how long a missing index may come late. Workers of a server
            overtake each other by seconds; its polls of a log are 4 s apart.
        calm_s: so long nothing is dropped when an overflow is over.
        complete_s: how often the position is handed on.
    """

    addresses: Sequence[str]
    stall_s: float = 60.0
    stale_s: float = 900.0
    queue_messages: int = 5000
    max_message_bytes: int = 16 * 1024 * 1024
    retry_first_s: float = 60.0
    max_pause_s: float = 60.0
    first_pause_s: float = 1.0
    handshake_s: float = 20.0
    ping_s: float = 20.0
    lived_s: float = 30.0
    hole_patience_s: float = 15.0
    calm_s: float = 5.0
    complete_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the reader has to tell beside messages."""

    dropped: int = 0
    reconnects: int = 0
    gaps: tuple[Gap, ...] = ()


class News:
    """Hands what the reader has to tell over to the consumer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told = Told()

    def __bool__(self) -> bool:
        return self._told != Told()

    def tell(self, *gaps: Gap, dropped: int = 0, reconnects: int = 0) -> None:
        with self._lock:
            self._told = Told(
                self._told.dropped + dropped,
                self._told.reconnects + reconnects,
                self._told.gaps + gaps,
            )

    def take(self) -> Told:
        with self._lock:
            told, self._told = self._told, Told()
        return told


@dataclass(frozen=True, slots=True)
class _Served:
    """How an address served: seconds it delivered, pause that it asked for."""

    delivered_s: float = 0.0
    asked_s: float = 0.0


class FeedReader(threading.Thread):
    """
    Keeps a connection and puts what comes into an inbox, until it is stopped.

    Attributes:
        news: what is to be told beside messages.
        ended: nothing more will come, neither messages nor news.
        complete: all is stored that came until then, once inbox and news are; set at
            the end.
        failure: why it ended without being stopped.
    """

    def __init__(
        self,
        feed: Feed,
        route: Route,
        inbox: Inbox,
        wake: Callable[[], None],
        stopped: datetime | None,
        now: Callable[[], datetime],
    ) -> None:
        """
        Args:
            wake: called after there is news, and at the end; `inbox` tells its own.
            stopped: up to when the last run had read; None when this is the first.
        """
        super().__init__(name="certstream", daemon=True)
        self.news = News()
        self.ended = False
        self.complete: datetime | None = None
        self.failure: SourceError | None = None
        self._feed = feed
        self._route = route
        self._inbox = inbox
        self._wake = wake
        self._now = now
        self._stopping = threading.Event()
        self._last_data = stopped or now()
        self._is_later_run = stopped is not None
        self._gaps = FeedGaps(self._tell_gap, feed.hole_patience_s, feed.calm_s)
        self._connections = 0
        self._troubles: dict[str, str] = {}  # of each address, told and not yet over
        self._stale: dict[str, _Staleness] = {}
        self._complete_told_s = 0.0
        self._is_delivering = False
        self._failed_since_s: float | None = None
        self._probe: Dial | None = None
        self._probed_s = 0.0

    @property
    def unreachable_since_s(self) -> float | None:
        """
        Since when no address delivers, on the clock of time.monotonic; None when one
        does. Connections that delivered for less than `lived_s` do not count.
        """
        return None if self._is_delivering else self._failed_since_s

    def stop(self) -> None:
        """End within a second or two, whatever the network does."""
        self._stopping.set()

    def run(self) -> None:
        try:
            self._keep_reading()
        except Exception as exc:  # a bug must end the daemon, not only a thread
            log.exception("the reader of the feed failed")
            self.failure = SourceError(f"the reader of the feed failed: {exc!r}")
        finally:
            self._give_up_probe()
            now = self._now()
            # An open gap ends here; what follows is the gap until the next start.
            self.complete = now if self._gaps.is_open else self._last_data
            self._gaps.end(now, time.monotonic())
            self.ended = True
            self._wake()

    def _tell_gap(self, gap: Gap) -> None:
        self.news.tell(gap)
        self._wake()

    # Which address, and when to try again

    def _keep_reading(self) -> None:
        feed = self._feed
        if self._is_later_run:
            self._begin_gap(
                feed.addresses[0], GapCause.STOPPED, "the daemon was not running"
            )
            self._last_data = self._now()  # of what follows nothing was missed yet
        attempt = 0
        while not self._stopping.is_set():
            asked_s: list[float] = []
            for address in feed.addresses:
                served = self._serve(address)
                if self._stopping.is_set():
                    return
                if served.delivered_s >= feed.lived_s:
                    attempt = 0
                    break  # begin with the first again, without a pause
                asked_s.append(served.asked_s)
            else:
                # Only now is nobody left to ask.
                if self._failed_since_s is None:
                    self._failed_since_s = time.monotonic()
                first = feed.addresses[0]
                reason = self._troubles.get(first, "")
                self._begin_gap(first, GapCause.CONNECT, reason)
                pause = pause_s(
                    attempt, first_s=feed.first_pause_s, most_s=feed.max_pause_s
                )
                attempt += 1
                self._pause(max(pause, min(*asked_s, feed.max_pause_s)))

    def _pause(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while (remaining := end_s - time.monotonic()) > 0:
            if self._stopping.wait(min(remaining, 10 * _LOOK_S)):
                return
            if self._first_is_back():
                return
            self._gaps.tick(self._now(), time.monotonic())

    def _serve(self, address: str) -> _Served:
        """Read from one address until it fails."""
        if self._first_is_back():
            dial: Dial | None = self._take_probe()
        else:
            dial = self._connect(address)
        delivered_s = 0.0
        while dial is not None:
            if dial.error is not None:
                self._say(address, str(dial.error))
                return _Served(delivered_s, dial.error.retry_after_s or 0.0)
            connection = _Connection(dial.client, shown(dial.client.url))
            try:
                failed = self._read(connection, dial.frames)
            finally:
                dial.client.close()
            delivered_s = connection.delivered_s(time.monotonic())
            if delivered_s >= self._feed.lived_s:
                self._failed_since_s = None
            self._is_delivering = False
            if failed is not None:
                cause, reason = failed
                self._say(dial.client.url, reason)
                if not self._first_is_back():
                    self._begin_gap(dial.client.url, cause, reason)
            # The first address is back, with a connection that already delivers.
            dial = self._take_probe() if self._first_is_back() else None
        return _Served(delivered_s)

    def _connect(self, address: str) -> Dial | None:
        """A finished attempt; None when we are stopped, or have a better one."""
        if address == self._feed.addresses[0]:
            self._give_up_probe()
        dial = Dial(self._client(address))
        dial.start()
        while not dial.done.wait(_LOOK_S):
            if self._stopping.is_set() or self._first_is_back():
                break
            self._gaps.tick(self._now(), time.monotonic())
        else:
            return dial
        dial.abandon()
        return None

    def _client(self, address: str) -> FeedClient:
        return FeedClient(
            address,
            self._route,
            self._feed.max_message_bytes,
            handshake_s=self._feed.handshake_s,
        )

    def _say(self, address: str, reason: str) -> None:
        """Log a trouble of an address once, until it changes or is over."""
        if self._troubles.get(address) != reason:
            self._troubles[address] = reason
            log.warning("feed %s: %s", shown(address), reason)

    def _begin_gap(self, address: str, cause: GapCause, reason: str) -> None:
        self._gaps.begin(Gap(shown(address), cause, self._last_data, detail=reason))

    # One connection

    def _read(
        self, connection: "_Connection", frames: list[bytes]
    ) -> tuple[GapCause, str] | None:
        """
        Read until the connection fails, we are stopped, or the first address is back.

        Args:
            frames: data messages that it brought already.
        """
        feed, client = self._feed, connection.client
        last_data_s = last_ping_s = time.monotonic()
        try:
            while not self._stopping.is_set() and not self._first_is_back():
                size = 0
                if not frames:
                    messages = client.read()
                    size = sum(map(len, messages))
                    frames = data_messages(messages)
                now_s = time.monotonic()
                if frames:
                    last_data_s = now_s
                    self._take_in(connection, frames, now_s)
                elif now_s - last_data_s >= feed.stall_s:
                    return GapCause.STALL, (
                        f"connected, but no message for {feed.stall_s:g} s: stalled, "
                        "connecting anew"
                    )
                if now_s - last_ping_s >= feed.ping_s:
                    client.ping()
                    last_ping_s = now_s
                self._gaps.tick(self._now(), now_s)
                self._try_first(client, now_s)
                if frames and size < _LITTLE_BYTES:
                    time.sleep(_REST_S)
                frames = []
        except SourceError as exc:
            return GapCause.DISCONNECT, str(exc)
        return None

    def _take_in(
        self, connection: "_Connection", frames: list[bytes], now_s: float
    ) -> None:
        address = connection.address
        now = self._now()
        if connection.since_s is None:
            connection.since_s = now_s
            self._connected(connection, now, now_s)
        self._last_data = now
        self._gaps.follow(address, frames, now_s)
        is_due = now_s - self._complete_told_s >= self._feed.complete_s
        taken = self._inbox.put(Chunk(address, frames, now if is_due else None))
        if taken < len(frames):
            lost = frames[taken:]
            self._gaps.drop(address, lost, now, now_s)
            self.news.tell(dropped=len(lost))
        elif is_due:
            self._complete_told_s = now_s
        stale = self._stale.setdefault(address, _Staleness(address, self._feed.stale_s))
        stale.check(frames[-1], now_s)

    def _connected(
        self, connection: "_Connection", now: datetime, now_s: float
    ) -> None:
        """The first message of a connection came."""
        self._is_delivering = True
        self._connections += 1
        if self._connections > 1:
            self.news.tell(reconnects=1)
        log.info("feed %s: connected, messages come in", connection.address)
        self._troubles.pop(connection.client.url, None)
        self._gaps.close(now, now_s)

    # Back to the first address

    def _try_first(self, client: FeedClient, now_s: float) -> None:
        """Try the first address beside another that serves, when it is due."""
        first = self._feed.addresses[0]
        if client.url == first:
            return
        if self._probe is not None:
            if not self._probe.done.is_set():
                return
            if self._probe.error is not None:
                self._say(first, str(self._probe.error))
                self._probe = None
        if not self._probed_s:
            self._probed_s = now_s
        if now_s - self._probed_s >= self._feed.retry_first_s:
            self._probed_s = now_s
            listen_s = min(self._feed.stall_s, _LISTEN_S)
            self._probe = Dial(self._client(first), listen_s)
            self._probe.start()

    def _first_is_back(self) -> bool:
        probe = self._probe
        return probe is not None and probe.done.is_set() and probe.error is None

    def _take_probe(self) -> Dial | None:
        probe, self._probe = self._probe, None
        return probe

    def _give_up_probe(self) -> None:
        if self._probe is not None:
            self._probe.abandon()
            self._probe = None


@dataclass(slots=True)
class _Connection:
    """An open client, and since when it delivers."""

    client: FeedClient
    address: str  # as shown
    since_s: float | None = None

    def delivered_s(self, now_s: float) -> float:
        return 0.0 if self.since_s is None else now_s - self.since_s


class _Staleness:
    """Watches the age of what a feed sends: old news is an alarm, though it flows."""

    def __init__(self, address: str, limit_s: float) -> None:
        self._address = address
        self._limit_s = limit_s
        self._checked_s = 0.0
        self._is_stale = False

    def check(self, frame: bytes, now_s: float) -> None:
        pause_s = min(_STALE_CHECK_S, self._limit_s / 4)
        if not self._limit_s or now_s - self._checked_s < pause_s:
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
