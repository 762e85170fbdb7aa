"""The certstream source against real servers: requirements F1 to F9."""

import asyncio
import gc
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path

import pytest

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Cursor, GapCause
from ctmonitor.model.clock import from_utc_text
from ctmonitor.net.route import Proxy, Route
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.certstream import CURSOR, CertstreamSource, Feed
from ctmonitor.sources.message import MARKS
from tests import data
from tests.fakes import feed
from tests.fakes.feed import FeedServer, Peer
from tests.fakes.proxies import Proxy as RunningProxy
from tests.fakes.proxies import microsocks, tinyproxy
from tests.fakes.tls import Authority
from tests.unit.sources.collecting import HEARTBEAT, Collected, collect, message

RESUME = Cursor(CURSOR, "2026-11-20T08:00:00")
LOG = "https://log.example/2026"


@pytest.fixture(autouse=True)
def _nothing_is_left_running(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No thread of the reader outlives its test, and no socket stays open."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("certstream"):
            thread.join(timeout=10)
            assert not thread.is_alive(), thread.name
    gc.collect()


def _feed(*addresses: str, **settings: float) -> Feed:
    """Settings with short times, so that a test is quick."""
    quick = {
        "stall_s": 5.0,
        "first_pause_s": 0.02,
        "max_pause_s": 0.05,
        "retry_first_s": 0.3,
        "handshake_s": 5.0,
        "hole_patience_s": 0.3,
        "calm_s": 0.3,
        "complete_s": 0.1,
    } | settings
    queue = int(quick.pop("queue_messages", 5000))
    largest = int(quick.pop("max_message_bytes", 1_000_000))
    return Feed(addresses, queue_messages=queue, max_message_bytes=largest, **quick)


def _source(
    *addresses: str,
    route: Route | None = None,
    resume: Cursor | None = None,
    **settings: float,
) -> CertstreamSource:
    route = route or Route(timeout_s=5)
    return CertstreamSource(_feed(*addresses, **settings), route, None, resume)


def _messages(count: int, first: int = 0) -> list[bytes]:
    return [message(index) for index in range(first, first + count)]


def _has(count: int) -> Callable[[Collected], bool]:
    return lambda got: got.messages >= count


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("ctmonitor")
    ]


def _silent_listener() -> socket.socket:
    """Lets clients connect, and says nothing to them."""
    return socket.create_server(("127.0.0.1", 0))


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port


def _dead_url() -> str:
    with _silent_listener() as listener:
        return f"ws://127.0.0.1:{_port(listener)}/"


# Messages


def test_messages_of_all_servers_and_shapes_come_on_one_connection() -> None:
    """F8: every recorded generation; fragments, binary frames, heartbeats between."""
    recorded = [
        one
        for path in sorted((data.VECTORS / "certstream").iterdir())
        for one in data.messages(path)
        if b'"heartbeat"' not in one[:300]
    ]

    def script(peer: Peer) -> None:
        peer.handshake()
        for number, one in enumerate(recorded):
            if number % 3 == 0:
                peer.send_binary(one)
            elif number % 3 == 1:
                peer.send_fragments(one, [1, 100])
            else:
                peer.send_text(one)
            peer.send_text(HEARTBEAT)
            peer.send_text(b"")
        peer.wait_closed()

    with FeedServer(script) as server:
        got = collect(_source(server.url), _has(len(recorded)))
    assert got.messages == len(recorded)
    assert len(got.sightings) == len(recorded)
    assert got.gaps == []
    assert got.malformed.keys() <= {"as_der: not a certificate"}


def test_broken_messages_are_counted_and_the_connection_is_kept() -> None:
    bad = [
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"data":5}',
        b'{"data":{"leaf_cert":[]}}',
        b"null",
    ]
    mixed = [one for b in bad for one in (message(1), b)] + [message(2)]
    with FeedServer(feed.serve(mixed)) as server:
        got = collect(_source(server.url), _has(len(mixed)))
        assert len(server.connections) == 1
    assert got.names == ["n1.example"] * 6 + ["n2.example"]
    assert sum(got.malformed.values()) == 6


def test_the_prefilter_chooses_and_can_be_exchanged_between_batches() -> None:
    rules = RuleSet(Rules("wanted", "", 1))
    frames = [*_messages(50), message(99, name="wanted.example")]
    more = threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        for frame in frames:
            peer.send_text(frame)
        while not more.is_set():
            peer.wait(0.01)
        for frame in frames:
            peer.send_text(frame)
        peer.wait_closed()

    def until(got: Collected) -> bool:
        if got.messages >= 51 and not more.is_set():
            source.use(None)
            more.set()
        return got.messages >= 102

    with FeedServer(script) as server:
        source = CertstreamSource(_feed(server.url), Route(), rules.prefilter(MARKS))
        got = collect(source, until)
    assert len(got.sightings) == 1 + 51


def test_what_was_received_before_a_stop_is_handed_on() -> None:
    """The consumer is slow; nothing of what the reader took in is lost."""
    sent = 3000
    with FeedServer(feed.serve(_messages(sent))) as server:
        source = _source(server.url)

        def until(got: Collected) -> bool:
            return source._reader._gaps._continuity._logs != {} and (
                len(source._inbox) + got.messages == sent
            )

        got = collect(source, until, pause_s=0.2)
    assert got.dropped == 0
    assert got.names == [f"n{number}.example" for number in range(sent)]


def test_messages_before_a_broken_frame_are_kept_and_it_connects_anew() -> None:
    bad = feed.encode_frame(feed.TEXT, b"{}", rsv=4)

    def script(peer: Peer) -> None:
        peer.handshake()
        good = (feed.encode_frame(feed.TEXT, one) for one in _messages(20))
        peer.send_raw(b"".join(good) + bad)
        peer.wait_closed()

    with FeedServer(script, feed.serve(_messages(5, 20))) as server:
        got = collect(_source(server.url), _has(25))
    assert got.names == [f"n{number}.example" for number in range(25)]
    (gap,) = got.gaps
    assert (gap.cause, got.reconnects) == (GapCause.DISCONNECT, 1)
    assert "compressed" in gap.detail


# Silence (F1), age (F2), pings (F3)


@pytest.mark.parametrize("noise", [b"", HEARTBEAT, feed.encode_frame(feed.PING, b"x")])
def test_a_silent_feed_is_stalled_whatever_else_it_sends(
    noise: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """F1: heartbeats, pings and empty messages are no data."""

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_text(message(0))
        while True:
            if noise.startswith(b"\x89"):
                peer.send_raw(noise)
            else:
                peer.send_text(noise)
            peer.wait(0.05)

    with (
        caplog.at_level(logging.INFO),
        FeedServer(script, feed.serve(_messages(1, 1))) as server,
    ):
        got = collect(_source(server.url, stall_s=0.6), _has(2))
    (gap,) = got.gaps
    assert gap.cause is GapCause.STALL
    assert gap.feed == server.url
    assert gap.end is not None
    assert gap.end - gap.start >= timedelta(seconds=0.6)
    assert [old.end for old in got.told] == [None, gap.end]
    assert got.reconnects == 1
    stalled = [text for text in _warnings(caplog) if "stalled" in text]
    assert len(stalled) == 1


def test_a_feed_that_never_sends_is_told_once_and_its_gap_stays_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FeedServer(feed.silent()) as server:
        source = _source(server.url, stall_s=0.3)
        collect(source, lambda got: len(server.connections) >= 4)
        assert [text for text in _warnings(caplog) if "stalled" in text] != []
    assert len(_warnings(caplog)) == 1


def test_a_feed_that_sends_old_news_is_an_alarm_once_until_it_is_fresh(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F2, though messages flow."""
    fresh = threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        for index in range(10**6):
            age_s = 0 if fresh.is_set() else 3600
            peer.send_text(message(index, seen=time.time() - age_s))
            peer.wait(0.02)

    def until(got: Collected) -> bool:
        if got.messages > 60:
            fresh.set()
        return any("fresh again" in text for text in _warnings(caplog))

    with FeedServer(script) as server:
        collect(_source(server.url, stale_s=1), until)
    levels = [(r.levelname, "STALE" in r.getMessage()) for r in caplog.records]
    assert levels == [("ERROR", True), ("WARNING", False)]
    assert "60 minutes old" in caplog.text


def test_it_pings_and_a_missing_pong_is_no_failure() -> None:
    """F3."""

    def script(peer: Peer) -> None:
        peer.handshake()
        for index in range(10**6):
            peer.send_text(message(index))
            peer.receive()  # waits for a ping, which gets no answer

    with FeedServer(script) as server:
        got = collect(_source(server.url, ping_s=0.1), _has(4))
        assert len(server.connections) == 1
        pings = server.connections[0].pings
    assert len(pings) >= 3
    assert got.gaps == []


def test_by_default_it_pings_within_30_s() -> None:
    assert Feed(["ws://h/"]).ping_s <= 30


# Failures (F4), addresses (F5), gaps (F7)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (feed.refuse(503, body=b"busy"), "503 Refused"),
        (feed.refuse(521), "521 Refused"),
        (feed.wrong_accept(), "Invalid WebSocket Header"),
        (feed.close_with(1008, b"100%s sure %d"), "code 1008: 100%s sure %d"),
        (feed.masked_frame(), "masked"),
        (feed.oversized(2_000_000), "2000000 bytes is larger than 1000000"),
        (feed.redirect("ws://elsewhere.invalid/"), "redirects are not followed"),
    ],
)
def test_a_failure_is_told_once_in_its_own_words_and_overcome(
    script: feed.Script, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with FeedServer(script, script, script, feed.serve(_messages(3))) as server:
        got = collect(_source(server.url), _has(3))
    assert len(_warnings(caplog)) == 1
    assert reason in _warnings(caplog)[0]
    (gap,) = got.gaps
    assert reason in gap.detail
    assert gap.end is not None
    assert got.told[0].end is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ws://nowhere.invalid/", "nowhere.invalid:80"),
        ("wss://127.0.0.1:1/", "127.0.0.1:1"),
    ],
)
def test_a_feed_that_is_not_there_is_a_gap_and_no_end(
    url: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    got = collect(_source(url), lambda got: bool(got.told), stop_after_s=1.5)
    assert [gap.cause for gap in got.gaps] == [GapCause.CONNECT]
    assert reason in got.gaps[0].detail
    assert len(_warnings(caplog)) == 1


def test_pauses_grow_while_a_feed_is_down_and_begin_anew_afterwards() -> None:
    times: list[float] = []

    def refuse(peer: Peer) -> None:
        times.append(time.monotonic())
        feed.refuse(503)(peer)

    def deliver(peer: Peer) -> None:
        peer.handshake()
        for index in range(20):
            peer.send_text(message(index))
            peer.wait(0.02)

    scripts = [*[refuse] * 5, deliver, refuse]
    with FeedServer(*scripts) as server:
        source = _source(server.url, first_pause_s=0.1, max_pause_s=30, lived_s=0.2)
        collect(source, lambda got: len(times) >= 8)
    before = [later - earlier for earlier, later in pairwise(times[:5])]
    # 0.05..0.1, 0.1..0.2, 0.2..0.4, 0.4..0.8
    for number, pause in enumerate(before):
        assert pause >= 0.05 * 2**number
    # After it lived: 0.05..0.1 again, which would be 1.6 or more.
    assert times[6] - times[5] < 1.6


def test_a_pause_is_as_long_as_the_server_asks() -> None:
    times: list[float] = []

    def script(peer: Peer) -> None:
        times.append(time.monotonic())
        feed.refuse(429, [("Retry-After", "1")])(peer)

    with FeedServer(script) as server:
        source = _source(server.url, first_pause_s=0.01, max_pause_s=5)
        collect(source, lambda got: len(times) >= 2)
    assert times[1] - times[0] >= 1


def test_the_next_address_serves_and_each_trouble_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F5: no pause before the second address, and the probes of the first are quiet."""
    dead = _dead_url()
    with (
        FeedServer(feed.refuse(503)) as busy,
        FeedServer(feed.serve(_messages(2))) as good,
    ):
        source = _source(dead, busy.url, good.url, max_pause_s=60, first_pause_s=60)
        got = collect(source, _has(2), stop_after_s=1.5)
    assert {sighting.feed for sighting in got.sightings} == {good.url}
    assert len(_warnings(caplog)) == 2
    assert got.gaps == []


def test_with_all_addresses_down_each_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with FeedServer(feed.refuse(503)) as busy, FeedServer(feed.refuse(403)) as other:
        collect(
            _source(busy.url, other.url),
            lambda got: len(busy.connections) >= 4 and len(other.connections) >= 4,
        )
    assert len(_warnings(caplog)) == 2


def test_a_first_address_that_is_silent_does_not_keep_us_from_the_second() -> None:
    with (
        FeedServer(feed.silent()) as silent,
        FeedServer(feed.serve(_messages(2))) as good,
    ):
        source = _source(silent.url, good.url, stall_s=0.3, lived_s=0.1)
        got = collect(source, _has(2))
    assert {sighting.feed for sighting in got.sightings} == {good.url}


def test_the_first_address_is_used_again_once_it_delivers() -> None:
    """Its first messages come through too, and no gap is between the two."""

    def stream(first: int) -> feed.Script:
        def script(peer: Peer) -> None:
            peer.handshake()
            for index in range(first, first + 10**6):
                peer.send_text(message(index, log=f"https://{first}.example/"))
                peer.wait(0.02)

        return script

    with (
        FeedServer(feed.refuse(503), feed.silent(), stream(0)) as preferred,
        FeedServer(stream(1000)) as other,
    ):
        source = _source(preferred.url, other.url, stall_s=0.5)

        def until(got: Collected) -> bool:
            return sum(s.feed == preferred.url for s in got.sightings) >= 10

        got = collect(source, until)
        other.wait_for_ended()
        assert len(other.connections) == 1
    feeds = [sighting.feed for sighting in got.sightings]
    switched = feeds.index(preferred.url)
    assert set(feeds[:switched]) == {other.url}
    assert set(feeds[switched:]) == {preferred.url}
    indexes = [sighting.index for sighting in got.sightings[switched:]]
    assert indexes == list(range(len(indexes)))
    assert got.gaps == []


def test_every_disconnect_is_a_gap_with_its_end() -> None:
    """F7."""
    scripts = [feed.serve(_messages(2, 2 * n), "close") for n in range(3)]
    with FeedServer(*scripts, feed.serve(_messages(2, 6))) as server:
        got = collect(_source(server.url), _has(8))
    assert [gap.cause for gap in got.gaps] == [GapCause.DISCONNECT] * 3
    assert all(gap.end is not None and gap.end > gap.start for gap in got.gaps)
    assert all("code 1000" in gap.detail for gap in got.gaps)
    assert got.reconnects == 3
    assert got.names == [f"n{number}.example" for number in range(8)]


def test_what_was_missed_while_disconnected_is_known_by_index() -> None:
    scripts = [feed.serve(_messages(5), "close"), feed.serve(_messages(5, 40))]
    with FeedServer(*scripts) as server:
        got = collect(_source(server.url), lambda got: any(g.lost for g in got.told))
    known = [gap for gap in got.gaps if gap.lost]
    whole = [gap for gap in got.gaps if not gap.lost]
    assert [(g.cause, g.log, g.index_start, g.index_end, g.lost) for g in known] == [
        (GapCause.DISCONNECT, LOG, 5, 40, 35)
    ]
    assert (known[0].start, known[0].end) == (whole[0].start, whole[0].end)


def test_indexes_that_the_server_leaves_out_are_a_gap() -> None:
    frames = [*_messages(5), *_messages(5, 8), message(6)]
    with FeedServer(feed.serve(frames)) as server:
        got = collect(_source(server.url), lambda got: bool(got.told))
    (gap,) = got.gaps
    assert (gap.cause, gap.log, gap.lost) == (GapCause.HOLE, LOG, 2)
    assert (gap.index_start, gap.index_end) == (5, 8)
    assert gap.feed == server.url


def test_the_time_since_the_last_run_is_a_gap() -> None:
    with FeedServer(feed.serve(_messages(1))) as server:
        got = collect(_source(server.url, resume=RESUME), _has(1))
    (gap,) = got.gaps
    assert (gap.cause, gap.start) == (GapCause.STOPPED, from_utc_text(RESUME.position))
    assert gap.end is not None
    assert got.told[0].end is None


def test_what_follows_a_stop_without_a_feed_leaves_no_time_untold() -> None:
    """The last run, not running, no connection, and the next run: without a seam."""
    seconds = count()

    def clock() -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=next(seconds))

    settings, route = _feed(_dead_url()), Route(timeout_s=5)
    source = CertstreamSource(settings, route, None, RESUME, clock)
    got = collect(source, stop_after_s=0.5)
    stopped, unconnected = got.gaps
    assert (stopped.cause, unconnected.cause) == (GapCause.STOPPED, GapCause.CONNECT)
    assert stopped.start == from_utc_text(RESUME.position)
    assert stopped.end == unconnected.start
    assert unconnected.end == from_utc_text(got.cursors[-1].position)


def test_an_unreadable_cursor_is_no_cursor() -> None:
    with FeedServer(feed.serve(_messages(1))) as server:
        resume = Cursor(CURSOR, "no time")
        got = collect(_source(server.url, resume=resume), _has(1))
    assert got.gaps == []


def test_the_position_never_runs_ahead_of_the_messages() -> None:
    """It stands in the batch of the last message that it is true for, or later."""
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    ticks = 0

    def clock() -> datetime:
        nonlocal ticks
        ticks += 1
        return moment + timedelta(seconds=ticks)

    frames = _messages(30_000)
    with FeedServer(feed.serve(frames)) as server:
        settings = _feed(server.url, complete_s=0.0, queue_messages=30_000)
        source = CertstreamSource(settings, Route(), None, now=clock)
        reader = source._reader
        put: list[tuple[datetime, int]] = []
        original = source._inbox.put
        total = 0

        def noting(chunk):  # type: ignore[no-untyped-def]
            nonlocal total
            total += len(chunk.frames)
            put.append((chunk.complete, total))
            return original(chunk)

        source._inbox.put = noting  # type: ignore[method-assign]
        got = collect(source, _has(len(frames)), pause_s=0.01)
        assert reader.complete is not None
    stored = 0
    seen = 0
    for batch in got.batches:
        stored += batch.counts.messages
        if batch.cursor is not None:
            position = from_utc_text(batch.cursor.position)
            due = max((n for when, n in put if when == position), default=0)
            assert stored >= due
            seen += due > 0
    assert seen > 1


# Overflow (F6)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_slow_store_blocks_nobody_and_what_is_lost_is_counted(
    goes_on: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """F6: the end is told too when the feed falls silent after the burst."""
    sent = 20_000
    longest = 0.0

    def script(peer: Peer) -> None:
        nonlocal longest
        peer.handshake()
        for start in range(0, sent, 100):
            began_s = time.monotonic()
            burst = (feed.encode_frame(feed.TEXT, m) for m in _messages(100, start))
            peer.send_raw(b"".join(burst))
            longest = max(longest, time.monotonic() - began_s)
        index = sent
        while goes_on:
            peer.wait(0.05)
            peer.send_text(message(index))
            index += 1
        peer.wait_closed()

    def over(got: Collected) -> bool:
        return any(gap.cause is GapCause.OVERFLOW for gap in got.told)

    with FeedServer(script) as server:
        source = _source(server.url, queue_messages=500)
        got = collect(source, over, pause_s=0.3, timeout_s=40)
    (gap,) = got.gaps
    assert gap.index_start is not None
    assert gap.index_end is not None
    newest = max(sighting.index or 0 for sighting in got.sightings)
    assert got.dropped > 1000
    assert got.messages + got.dropped == max(newest + 1, gap.index_end) >= sent
    assert gap.lost == got.dropped
    assert (gap.feed, gap.log) == (server.url, LOG)
    assert 0 < gap.index_start < gap.index_end
    # A blocked reader would let the server's sends wait for the whole of a pause.
    assert longest < 5
    texts = _warnings(caplog)
    assert len(texts) == 2
    assert f"{got.dropped} messages were dropped" in texts[1]


def test_an_overflow_that_a_stop_cuts_short_is_told() -> None:
    with FeedServer(feed.serve(_messages(5000))) as server:
        source = _source(server.url, queue_messages=10, calm_s=60)
        got = collect(source, lambda got: got.dropped > 1000, pause_s=0.5)
    lost = sum(g.lost or 0 for g in got.gaps if g.cause is GapCause.OVERFLOW)
    assert lost == got.dropped


# Stopping


def _hanging_dns(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    asked = threading.Event()
    original = socket.getaddrinfo

    def slow(host, *args, **kwargs):  # type: ignore[no-untyped-def]
        if host == "slow.invalid":
            asked.set()
            time.sleep(2)
        return original(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    return asked


@pytest.mark.parametrize("what", ["handshake", "tls", "http", "socks5h"])
def test_a_stop_ends_it_while_something_hangs(what: str) -> None:
    """A server or proxy that accepts and is silent; each has 3 s before it fails."""
    with _silent_listener() as listener:
        port = _port(listener)
        route = Route(timeout_s=3)
        url = f"{'wss' if what == 'tls' else 'ws'}://127.0.0.1:{port}/"
        if what in ("http", "socks5h"):
            route = Route(Proxy(what, "127.0.0.1", port), timeout_s=3)
        got = collect(_source(url, route=route, handshake_s=3), stop_after_s=0.3)
        assert got.ended_s < 1.5
    assert got.messages == 0


def test_a_stop_ends_it_while_a_name_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = _hanging_dns(monkeypatch)
    got = collect(_source("ws://slow.invalid/"), lambda got: asked.is_set())
    assert got.ended_s < 1.5


def test_a_stop_ends_it_while_the_first_address_is_tried_beside_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _silent_listener() as listener, FeedServer(feed.serve(_messages(1))) as good:
        first = f"ws://127.0.0.1:{_port(listener)}/"
        source = _source(first, good.url, handshake_s=0.5, retry_first_s=0.1)

        def probing(got: Collected) -> bool:
            return got.messages >= 1 and source._reader._probe is not None

        got = collect(source, probing)
    assert got.ended_s < 1.5


@pytest.mark.parametrize("script", [feed.silent(), feed.half_open([message(0)])])
def test_a_stop_ends_it_while_nothing_comes(script: feed.Script) -> None:
    with FeedServer(script) as server:
        source = _source(server.url, stall_s=60)
        got = collect(source, lambda got: len(server.connections) > 0, stop_after_s=0.5)
    assert got.ended_s < 1.5


def test_a_stop_ends_it_during_a_long_pause() -> None:
    source = _source(_dead_url(), first_pause_s=60, max_pause_s=60)
    got = collect(source, lambda got: bool(got.told))
    assert got.ended_s < 1.5


def test_a_stop_before_the_start_ends_it_at_once() -> None:
    with FeedServer(feed.serve(_messages(1))) as server:
        source = _source(server.url)
        source.stop()
        got = collect(source, stop_after_s=5)
    assert got.messages == 0
    assert len(got.batches) == 1


def test_a_consumer_that_leaves_takes_the_reader_along() -> None:
    with FeedServer(feed.serve(_messages(10))) as server:

        async def run() -> None:
            batches = _source(server.url).batches()
            async for _ in batches:
                break
            await batches.aclose()  # type: ignore[attr-defined]

        asyncio.run(run())
        server.wait_for_ended()


def test_a_bug_in_the_reader_ends_the_source_with_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> datetime:
        if threading.current_thread().name == "certstream" and armed.is_set():
            armed.clear()
            raise ZeroDivisionError
        return datetime.now(UTC)

    armed = threading.Event()
    with FeedServer(feed.serve(_messages(1))) as server:
        source = CertstreamSource(_feed(server.url), Route(), None, now=broken)
        armed.set()
        with pytest.raises(SourceError, match="ZeroDivisionError"):
            collect(source, timeout_s=5)
    assert "Traceback" in caplog.text


# Credentials, TLS, proxies (F9)


def test_credentials_are_sent_and_nowhere_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scripts = feed.refuse(401), feed.serve(_messages(1), "close"), feed.silent()
    with caplog.at_level(logging.DEBUG), FeedServer(*scripts) as server:
        url = server.url.replace("ws://", "ws://user:secret@")
        got = collect(_source(url), lambda got: len(server.connections) >= 3)
        assert "authorization" in server.connections[1].request.headers
    assert {gap.feed for gap in got.gaps} == {server.url}
    assert {sighting.feed for sighting in got.sightings} == {server.url}
    assert "secret" not in caplog.text
    assert "secret" not in repr(got)


def test_tls_with_our_own_authority(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    route = Route(ca_file=str(authority.ca_file))
    server = FeedServer(
        feed.serve(_messages(500)), tls=authority.good(), host="localhost"
    )
    with server:
        got = collect(_source(server.url, route=route), _has(500))
    assert got.messages == 500


@pytest.mark.parametrize("kind", ["unknown", "wrong_name", "expired"])
def test_a_certificate_that_is_not_right_is_refused(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority.create(tmp_path)
    route = Route(ca_file="" if kind == "unknown" else str(authority.ca_file))
    context = authority.good() if kind == "unknown" else getattr(authority, kind)()
    with FeedServer(feed.serve(_messages(1)), tls=context, host="localhost") as server:
        got = collect(_source(server.url, route=route), lambda got: bool(got.told))
    assert got.messages == 0
    assert "its certificate is refused" in got.gaps[0].detail


Run = Callable[..., AbstractContextManager[RunningProxy]]


@pytest.mark.parametrize(
    ("run", "kind"),
    [(tinyproxy, "http"), (microsocks, "socks5"), (microsocks, "socks5h")],
)
@pytest.mark.parametrize("secure", [False, True])
def test_the_feed_comes_through_a_proxy_with_login(
    tmp_path: Path, run: Run, kind: str, secure: bool
) -> None:
    authority = Authority.create(tmp_path)
    server = FeedServer(
        feed.serve(_messages(300)),
        tls=authority.good() if secure else None,
        host="localhost",
    )
    with run(tmp_path, "user", "right") as running, server:
        proxy = Proxy(kind, running.host, running.port, "user", "right")
        route = Route(proxy, str(authority.ca_file), timeout_s=5)
        got = collect(_source(server.url, route=route), _has(300))
        assert running.tunnels() == 1
    assert got.messages == 300


@pytest.mark.parametrize(("run", "kind"), [(tinyproxy, "http"), (microsocks, "socks5")])
def test_a_proxy_that_refuses_the_login_is_told_once_with_its_settings(
    tmp_path: Path, run: Run, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with run(tmp_path, "user", "right") as running:
        proxy = Proxy(kind, running.host, running.port, "user", "wrong")
        source = _source(_dead_url(), route=Route(proxy, timeout_s=5))
        got = collect(source, stop_after_s=1.0)
        assert running.tunnels() == 0
    (text,) = _warnings(caplog)
    assert "check Proxy_Username and Proxy_Password" in text
    assert [gap.cause for gap in got.gaps] == [GapCause.CONNECT]


def test_the_environment_names_the_proxy_where_no_setting_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tinyproxy(tmp_path) as running, FeedServer(feed.serve(_messages(1))) as server:
        monkeypatch.setenv("http_proxy", running.url)
        collect(_source(server.url), _has(1))
        assert running.tunnels() == 1
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        collect(_source(server.url), _has(1))
        assert running.tunnels() == 1
