"""
Following fake logs: well behaved, late, broken and hostile ones.

Whatever a log does: nothing false is handed on, everything true comes in the end and
once, each change of state is one event, and other logs do not notice.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmonitor.errors import IntegrityError
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.route import Route
from ctmonitor.sources.follower import Condition, Follower
from ctmonitor.sources.logcursor import LogCursor, cursor_name
from ctmonitor.sources.rfc6962 import RFC6962Log
from ctmonitor.sources.start import Start
from ctmonitor.sources.tiled import TiledLog
from tests.fakes.log import FakeLog
from tests.fakes.logentries import entries_for, many_entries
from tests.fakes.logfaults import busy, fault
from tests.fakes.logserver import Fault, Front, LogReply, LogServer
from tests.unit.sources.following import (
    KINDS,
    QUICK,
    Collected,
    Watched,
    client_of,
    cursor_at,
    follow_once,
    front_of,
    head_of,
    listed,
    log_of,
    manner,
    until,
    watching,
)

SIZE = 600  # two full tiles, and 88 entries of a third
BORDERS = (0, 1, 255, 256, 257, 512, SIZE - 1, SIZE)
both = pytest.mark.parametrize("kind", KINDS)

UNREACHABLE, SUSPECT = Condition.UNREACHABLE, Condition.SUSPECT
# What each fault makes of a log, by its kind.
EVERYWHERE = {
    "endless body": UNREACHABLE,
    "one byte a second": UNREACHABLE,
    "hang": UNREACHABLE,
    "reset": UNREACHABLE,
    "cut off": UNREACHABLE,
    "html with 200": UNREACHABLE,
    "empty body": UNREACHABLE,
    "redirect to another host": UNREACHABLE,
    "redirect to itself": UNREACHABLE,
    "not found": UNREACHABLE,
    "gzip bomb": UNREACHABLE,
    "gzip bomb as head": UNREACHABLE,
    "broken gzip": UNREACHABLE,
}
TILED = {
    **EVERYWHERE,
    "truncated tile": UNREACHABLE,
    "tile with less entries": UNREACHABLE,
    "longer tile": UNREACHABLE,
    "tile contradicts": SUSPECT,
    "another tile": SUSPECT,
    "hash tile contradicts": SUSPECT,
    "truncated hash tile": UNREACHABLE,
    "longer hash tile": UNREACHABLE,
    "empty hash tile": UNREACHABLE,
    "no tiles": UNREACHABLE,
}
RFC6962 = {
    **EVERYWHERE,
    "zero entries": UNREACHABLE,
    "more entries than asked": UNREACHABLE,
    "entries in wrong order": SUSPECT,
    "entry contradicts": SUSPECT,
}
HOSTILE = [("tiled", *each) for each in TILED.items()] + [
    ("rfc6962", *each) for each in RFC6962.items()
]


class Events:
    """What the operator is told, of one log."""

    def __init__(self, caplog: pytest.LogCaptureFixture, front: Front) -> None:
        self._caplog = caplog
        self._start = f"log {front.log.origin}: "

    def __call__(self, *words: str) -> list[str]:
        told = [record.getMessage() for record in self._caplog.records]
        mine = [line for line in told if line.startswith(self._start)]
        return [line for line in mine if all(word in line for word in words)]


def cases(directory: Path) -> list[dict[str, Any]]:
    """about.json of each case that was kept; its documents are there."""
    found = []
    for file in sorted(directory.rglob("about.json")):
        about = json.loads(file.read_bytes())
        names = {each.name for each in file.parent.iterdir()} - {file.name}
        assert names == set(about["documents"])
        found.append(about)
    return found


def watch(
    server: LogServer,
    script: Callable[[Watched], Awaitable[None]],
    **options: Any,
) -> None:
    async def run() -> None:
        async with asyncio.timeout(40), watching(server, **options) as watched:
            await script(watched)

    asyncio.run(run())


# Reading


@both
@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, SIZE])
def test_a_log_is_read_from_its_beginning_to_its_end(kind: str, size: int) -> None:
    log = log_of(size)
    with LogServer(front_of(log, kind)) as server:
        collected, follower, done = follow_once(listed(server)[0])
    assert done
    collected.assert_true(log)
    assert follower.status.condition is Condition.FINISHED
    assert (follower.status.position, follower.status.backlog) == (size, 0)


@pytest.mark.parametrize(
    ("kind", "nodes"), [("tiled", False), ("rfc6962", True), ("rfc6962", False)]
)
@pytest.mark.parametrize("position", BORDERS)
def test_after_a_restart_the_rest_comes_once(
    kind: str, position: int, nodes: bool
) -> None:
    """Also when an earlier version kept no nodes, or nothing was proven then."""
    log = log_of(SIZE)
    log.add(many_entries(30))
    at = cursor_at(log, position, SIZE, nodes=nodes)
    with LogServer(front_of(log, kind)) as server:
        collected, _, done = follow_once(listed(server)[0], at)
    assert done
    collected.assert_true(log, position)
    assert collected.cursor is not None
    assert collected.cursor.position == SIZE + 30
    assert collected.cursor.head == replace(
        head_of(log), timestamp_ms=log.head.timestamp_ms
    )


@both
@pytest.mark.parametrize("back", [0, 1, 88, 256, SIZE + 1])
@pytest.mark.parametrize("size", [512, SIZE])
def test_a_log_is_begun_at_its_end_or_some_entries_back(
    kind: str, back: int, size: int
) -> None:
    """Entries to come are proven as well: 40 more, then 1."""
    log = log_of(size)
    front = front_of(log, kind)

    async def script(watched: Watched) -> None:
        begin = max(0, size - back)
        await until(lambda: front.count() > 1)
        await until(lambda: watched.status(front).head_size == size)
        for more in (40, 1):
            log.add(many_entries(more))
            await until(lambda: watched.status(front).position == log.size)
        watched.of(front).assert_true(log, begin)

    with LogServer(front) as server:
        watch(server, script, how=manner(Start(back), once=False))


@both
@pytest.mark.parametrize("first", [0, 1, 256, 300, 512, SIZE])
def test_a_log_is_begun_at_a_time(kind: str, first: int) -> None:
    """The fake's entries are a millisecond apart."""
    log = log_of(SIZE)
    begin_ms = log.entries[0].timestamp_ms + first
    start = Start(None, datetime.fromtimestamp(begin_ms / 1000, UTC))
    with LogServer(front_of(log, kind)) as server:
        collected, _, done = follow_once(listed(server)[0], how=manner(start))
    assert done
    collected.assert_true(log, first)


@both
def test_an_unchanged_head_costs_one_request(kind: str) -> None:
    """L7: neither a tile nor a proof nor an entry."""
    log = log_of(SIZE)
    front = front_of(log, kind)
    head = "checkpoint" if kind == "tiled" else "ct/v1/get-sth"

    async def script(watched: Watched) -> None:
        await watched.read(front)
        before = front.count()
        log.publish()  # a new timestamp alone is no news either
        await until(lambda: front.count() >= before + 5)
        assert {request.path for request in front.requests[before:]} == {head}

    with LogServer(front) as server:
        watch(server, script)


@both
def test_a_restart_without_news_costs_one_request(kind: str) -> None:
    log = log_of(SIZE)
    front = front_of(log, kind)
    with LogServer(front) as server:
        collected, _, done = follow_once(listed(server)[0], cursor_at(log, SIZE))
    assert done
    assert not collected.entries
    assert front.count() == 1


def test_a_partial_tile_is_read_late_and_each_width_once() -> None:
    log = log_of(SIZE)
    front = front_of(log)
    pace = replace(QUICK, partial_s=0.4)

    async def script(watched: Watched) -> None:
        await until(lambda: len(watched.of(front).entries) == 512)
        assert front.count("tile/data/002") == 0
        began_s = time.monotonic()
        await watched.read(front)
        assert time.monotonic() - began_s >= 0.3
        log.add(many_entries(10))
        began_s = time.monotonic()
        await watched.read(front)
        assert time.monotonic() - began_s >= 0.3
        polls = front.count("checkpoint")
        await until(lambda: front.count("checkpoint") > polls + 10)
        assert front.count("tile/data/002.p/88") == 1
        assert front.count("tile/data/002.p/98") == 1
        log.add(many_entries(256))  # now it is full
        await until(lambda: len(watched.of(front).entries) == 768)
        await watched.read(front)
        watched.of(front).assert_true(log)
        asked = [request.path for request in front.requests]
        assert len([path for path in asked if path == "tile/data/002"]) == 1
        data = [path for path in asked if path.startswith("tile/data/")]
        assert len(data) == len(set(data))

    with LogServer(front) as server:
        watch(server, script, how=manner(once=False, pace=pace))


def test_a_partial_tile_that_is_gone_is_the_beginning_of_the_full_one() -> None:
    """The log grew between its checkpoint and our request, and cleaned up."""
    log = log_of(SIZE)
    older = log.head
    log.add(many_entries(300))
    front = front_of(log, keeps_partials=False)
    with LogServer(front) as server:
        # The head of then is served on: its partial tiles are not there any more.
        log.heads.append(older)
        collected, _, done = follow_once(listed(server)[0])
    assert done
    collected.assert_true(log, end=SIZE)
    asked = [request.path for request in front.requests]
    assert asked.count("tile/data/002.p/88") == asked.count("tile/data/002") == 1
    assert asked.count("tile/0/002.p/88") == asked.count("tile/0/002") == 1


# Hostile


@pytest.mark.parametrize(("kind", "name", "condition"), HOSTILE)
def test_a_fault_costs_nothing_but_time(
    kind: str,
    name: str,
    condition: Condition,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, other = log_of(SIZE), log_of(300, "two.example/2026")
    log.add_silently(many_entries(300))
    bad, good = front_of(log, kind), front_of(other, kind, "1")
    bad.faults = [fault(name)]

    async def script(watched: Watched) -> None:
        await until(lambda: watched.status(bad).condition is condition)
        await watched.read(good)
        errors = watched.status(bad).errors
        await until(lambda: watched.status(bad).errors > errors)
        assert watched.status(bad).condition is condition
        watched.of(bad).assert_not_false(log)
        assert len(watched.of(bad).entries) < SIZE
        bad.faults = []
        await watched.read(bad)
        await until(lambda: watched.status(bad).condition is Condition.FOLLOWING)
        watched.of(bad).assert_true(log)
        watched.of(good).assert_true(other)

    pace = replace(QUICK, bad_after_s=60.0)
    how = manner(once=False, pace=pace, evidence=tmp_path)
    with LogServer(bad, good) as server:
        slow = name in ("hang", "one byte a second")
        watch(server, script, how=how, timeout_s=0.2 if slow else 3.0)
    events = Events(caplog, bad)
    assert len(events("is read again")) == 1
    assert len(events()) == 2, events()
    if condition is Condition.SUSPECT:
        (line,) = events("CONTRADICTION")
        assert str(tmp_path) in line
        kept = cases(tmp_path)
        assert kept
        assert {each["log_id"] for each in kept} == {log.log_id.hex()}
        assert all("head" in each["documents"] for each in kept)
    else:
        assert len(events("cannot be read, it is tried again")) == 1
        assert not list(tmp_path.iterdir())
    assert not Events(caplog, good)()


def test_overload_for_long_is_one_event_and_no_flood(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Five logs, each refusing in its own way, beside one that is well."""
    refusals = {
        "hint": busy(retry_after="1"),
        "no-hint": fault("too many requests, no hint"),
        "unavailable": fault("unavailable"),
        "500": Fault("", lambda front, request, good: LogReply(500)),
        "502": Fault("^tile/data", lambda front, request, good: LogReply(502)),
    }
    fronts = {}
    for number, (name, refusal) in enumerate(refusals.items()):
        front = front_of(log_of(300, f"{name}.example/2026"), name=str(number))
        front.faults = [refusal]
        fronts[name] = front
    good = front_of(log_of(SIZE), name="good")

    async def script(watched: Watched) -> None:
        await watched.read(good)
        await until(
            lambda: all(
                watched.status(front).condition is UNREACHABLE
                for front in fronts.values()
            )
        )
        for name in ("hint", "no-hint", "unavailable"):
            assert fronts[name].count() < 8
        for front in fronts.values():
            front.faults = []
        for front in fronts.values():
            await watched.read(front)
            watched.of(front).assert_true(front.log)
        await until(
            lambda: all(
                watched.status(front).condition is Condition.FOLLOWING
                for front in fronts.values()
            )
        )

    with LogServer(*fronts.values(), good) as server:
        watch(server, script)
    for front in fronts.values():
        events = Events(caplog, front)
        assert len(events("cannot be read")) == len(events("is read again")) == 1
        assert len(events()) == 2, events()
    assert not Events(caplog, good)()


@both
def test_no_request_comes_before_the_time_that_the_log_asked_for(kind: str) -> None:
    log = log_of(SIZE)
    front = front_of(log, kind)
    seen: list[float] = []

    def refuse(front: Front, request: Any, good: LogReply) -> LogReply:
        seen.append(time.monotonic())
        return LogReply(429, headers={"Retry-After": "1"}) if len(seen) == 3 else good

    front.faults = [Fault("", refuse)]
    with LogServer(front) as server:
        collected, follower, _ = follow_once(listed(server)[0])
    collected.assert_true(log)
    assert follower.status.errors == 0
    # Those that were under way when it refused may have come after it.
    after = [moment - seen[2] for moment in seen[3:] if moment - seen[2] > 0.5]
    assert after
    assert min(after) >= 0.99


@both
def test_a_log_that_asks_for_a_long_rest_gets_it(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without holding up others, and the operator hears of it at once."""
    log, other = log_of(SIZE), log_of(SIZE, "two.example/2026")
    bad, good = front_of(log, kind), front_of(other, kind, "1")
    bad.faults = [busy(retry_after="60")]

    async def script(watched: Watched) -> None:
        await until(lambda: watched.status(bad).condition is UNREACHABLE)
        await watched.read(good)
        polls = good.count()
        await until(lambda: good.count() > polls + 10)
        assert bad.count() == 1

    with LogServer(bad, good) as server:
        watch(server, script)
    assert len(Events(caplog, bad)()) == 1


# Lies that are signed


def lie_shrunk(log: FakeLog) -> FakeLog:
    return log.shrunk(400)


def lie_forked(log: FakeLog) -> FakeLog:
    (other,) = entries_for([["forged.example"]], "cert")
    return log.forked(log.size - 1, other)


def lie_forked_and_grown(log: FakeLog) -> FakeLog:
    forked = lie_forked(log)
    forked.add(many_entries(300))
    return forked


def lie_other_key(log: FakeLog) -> FakeLog:
    other = log.with_other_key()
    other.add(many_entries(10))
    return other


def lie_future(log: FakeLog) -> FakeLog:
    other = log.renamed(log.origin)
    other.add_silently(many_entries(10))
    other.publish(time.time_ns() // 1_000_000 + 7_200_000)
    return other


def lie_huge(log: FakeLog) -> FakeLog:
    other = log.renamed(log.origin)
    other.claim(2**62)
    return other


LIES = {
    "shrunk": (lie_shrunk, "shrunk", {"head", "head-before"}),
    "forked": (lie_forked, "forked", {"head", "head-before"}),
    "forked and grown": (lie_forked_and_grown, "forked", {"head", "head-before"}),
    "other key": (lie_other_key, "signature", set()),
    "future": (lie_future, "future", {"head"}),
    "huge": (lie_huge, "root", {"head"}),
}


@both
@pytest.mark.parametrize("lie", LIES)
def test_a_log_that_lies_is_suspect_then_bad_then_read_again(
    kind: str, lie: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make, named, documents = LIES[lie]
    log, other = log_of(SIZE), log_of(300, "two.example/2026")
    bad, good = front_of(log, kind), front_of(other, kind, "1")

    async def script(watched: Watched) -> None:
        await watched.read(bad)
        bad.log = make(log)
        await until(lambda: watched.status(bad).condition is Condition.SUSPECT)
        # Asked again, though not for ever at this pace.
        await until(lambda: watched.status(bad).condition is Condition.BAD)
        other.add(many_entries(5))
        await watched.read(good)
        watched.of(bad).assert_true(log)
        assert watched.status(bad).head_size == SIZE
        bad.log = log
        log.add(many_entries(20))
        await until(lambda: watched.status(bad).condition is Condition.FOLLOWING)
        await watched.read(bad)
        watched.of(bad).assert_true(log)
        watched.of(good).assert_true(other)

    how = manner(once=False, evidence=tmp_path)
    with LogServer(bad, good) as server:
        watch(server, script, how=how)
    events = Events(caplog, bad)
    assert len(events(f"CONTRADICTION ({named})", str(tmp_path))) == 1
    assert len(events("is held to be BAD", f"({named})")) == 1
    assert len(events("is read again, after being bad")) == 1
    assert len(events()) == 3, events()
    assert not Events(caplog, good)()
    kept = cases(tmp_path)
    assert {each["kind"] for each in kept} == {named}
    assert all(documents <= set(each["documents"]) for each in kept)
    assert all(each["documents"] for each in kept)


def test_a_checkpoint_of_another_origin_is_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_of(SIZE)
    front = front_of(log)

    async def script(watched: Watched) -> None:
        await watched.read(front)
        front.log = log.renamed("another.example/2026")
        front.log.add(many_entries(300))
        await until(lambda: watched.fleet.status()[0].condition is Condition.BAD)
        front.log = log
        watched.of(front).assert_true(log)
        log.add(many_entries(10))
        await watched.read(front)
        watched.of(front).assert_true(log)

    how = manner(once=False, evidence=tmp_path)
    with LogServer(front) as server:
        watch(server, script, how=how)
    assert {each["kind"] for each in cases(tmp_path)} == {"origin"}
    assert len(Events(caplog, front)("CONTRADICTION (origin)")) == 1


@both
def test_a_fork_while_we_were_not_running_is_found(kind: str, tmp_path: Path) -> None:
    log = log_of(SIZE)
    (other,) = entries_for([["forged.example"]], "cert")
    forked = log.forked(10, other)
    forked.add(many_entries(100))
    at = cursor_at(log, 300, 500)
    with LogServer(front_of(forked, kind)) as server:
        collected, follower, done = follow_once(
            listed(server)[0], at, manner(evidence=tmp_path)
        )
    assert not done
    assert not collected.entries
    assert follower.status.condition in (Condition.SUSPECT, Condition.BAD)
    assert {each["kind"] for each in cases(tmp_path)} == {"forked"}


@both
def test_a_log_that_shrank_while_we_were_not_running_is_found(
    kind: str, tmp_path: Path
) -> None:
    log = log_of(SIZE)
    at = cursor_at(log, 550)
    with LogServer(front_of(log.shrunk(500), kind)) as server:
        collected, follower, _ = follow_once(
            listed(server)[0], at, manner(evidence=tmp_path), verify=False
        )
    assert not collected.entries
    assert follower.status.position == 550
    assert {each["kind"] for each in cases(tmp_path)} == {"shrunk"}


# Late and doubtful


@both
def test_a_late_server_between_others_is_no_news(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every other head is an older one, with the time of then."""
    log = log_of(500)
    older = log.renamed(log.origin)
    older.heads[-1] = log.head
    log.add(many_entries(100))
    front = front_of(log, kind, older=older)
    heads = "checkpoint" if kind == "tiled" else "ct/v1/get-sth"

    async def script(watched: Watched) -> None:
        await watched.read(front)
        polls = front.count(heads)
        await until(lambda: front.count(heads) > polls + 20)
        log.add(many_entries(1))
        await watched.read(front)
        watched.of(front).assert_true(log)
        assert watched.status(front).errors == 0

    with LogServer(front) as server:
        how = manner(once=False, evidence=tmp_path)
        watch(server, script, how=how)
    assert not Events(caplog, front)()
    assert not cases(tmp_path)


@both
def test_a_server_that_stays_late_is_alarmed(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = log_of(500)
    then = log.head
    log.add(many_entries(100))
    front = front_of(log, kind)
    now = log.head

    async def script(watched: Watched) -> None:
        await watched.read(front)
        log.heads.append(then)
        began_s = time.monotonic()
        await until(lambda: watched.status(front).condition is Condition.SUSPECT)
        assert time.monotonic() - began_s >= 0.25
        log.heads.append(now)
        await until(lambda: watched.status(front).condition is Condition.FOLLOWING)

    with LogServer(front) as server:
        how = manner(once=False, evidence=tmp_path)
        watch(server, script, how=how)
    assert len(Events(caplog, front)("CONTRADICTION (shrunk)")) == 1
    assert len(Events(caplog, front)()) == 2
    assert cases(tmp_path)


def test_a_cache_with_wrong_proofs_is_asked_again_before_a_log_is_bad(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Seen on a real log in May 2026."""
    log = log_of(SIZE)
    front = front_of(log, "rfc6962")
    pace = replace(QUICK, bad_after_s=30.0)

    async def script(watched: Watched) -> None:
        await watched.read(front)
        front.faults = [fault("wrong consistency proof", times=5)]
        log.add(many_entries(100))
        await until(lambda: watched.status(front).condition is Condition.SUSPECT)
        assert len(watched.of(front).entries) == SIZE
        await watched.read(front)
        watched.of(front).assert_true(log)

    with LogServer(front) as server:
        watch(server, script, how=manner(once=False, pace=pace, evidence=tmp_path))
    events = Events(caplog, front)
    assert len(events("CONTRADICTION (forked)")) == 1
    assert not events("BAD")
    (case,) = cases(tmp_path)  # the same five times is one case
    assert case["documents"] == ["head", "head-before", "proof"]


def test_a_log_without_proofs_is_not_believed_further() -> None:
    log = log_of(SIZE)
    front = front_of(log, "rfc6962")

    async def script(watched: Watched) -> None:
        await watched.read(front)
        front.faults = [fault("no consistency proofs")]
        log.add(many_entries(100))
        await until(lambda: watched.status(front).condition is UNREACHABLE)
        assert len(watched.of(front).entries) == SIZE
        front.faults = []
        await watched.read(front)
        watched.of(front).assert_true(log)

    with LogServer(front) as server:
        watch(server, script)


@both
def test_doubt_is_counted_from_the_first_contradiction(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not from when the log was unreachable, which may have been long before."""
    log = log_of(SIZE)
    front = front_of(log, kind)
    pace = replace(QUICK, bad_after_s=0.5)

    async def script(watched: Watched) -> None:
        await watched.read(front)
        front.faults = [fault("html with 200")]
        await until(lambda: watched.status(front).condition is UNREACHABLE)
        await asyncio.sleep(0.6)
        for _ in range(2):
            front.log = log.shrunk(400)
            front.faults = []
            await until(lambda: watched.status(front).condition is Condition.SUSPECT)
            began_s = time.monotonic()
            await until(lambda: watched.status(front).condition is Condition.BAD)
            assert time.monotonic() - began_s >= 0.45
            front.log = log
            await until(lambda: watched.status(front).condition is Condition.FOLLOWING)

    with LogServer(front) as server:
        watch(server, script, how=manner(once=False, pace=pace))


def test_a_log_that_is_away_longer_than_its_merge_delay_is_alarmed_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = log_of(SIZE)
    front = front_of(log)
    front.faults = [fault("html with 200")]

    async def run() -> None:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            known = replace(listed(server)[0], mmd_s=0)
            collected = Collected()
            follower = Follower(
                known,
                client_of(known, fetcher),
                None,
                collected.take,
                manner(once=False),
            )
            task = asyncio.ensure_future(follower.run())
            await until(lambda: follower.status.errors > 6)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    with LogServer(front) as server:
        asyncio.run(run())
    assert len(Events(caplog, front)("longer than its merge delay")) == 1
    assert len(Events(caplog, front)()) == 2


# Clocks and sizes at the start


@both
@pytest.mark.parametrize("start", [Start(), Start(None), Start(10)], ids=str)
def test_a_head_of_2_to_the_62_is_no_backlog(
    kind: str, start: Start, tmp_path: Path
) -> None:
    """Also as the very first head; later the true one is followed."""
    log = log_of(SIZE)
    front = front_of(lie_huge(log), kind)

    async def script(watched: Watched) -> None:
        await until(lambda: watched.status(front).condition is Condition.BAD)
        assert watched.status(front).position is None
        assert front.count("tile/") == front.count("ct/v1/get-entries") == 0
        front.log = log
        await until(lambda: watched.status(front).condition is Condition.FOLLOWING)
        log.add(many_entries(3))
        await until(lambda: watched.status(front).position == log.size)
        watched.of(front).assert_not_false(log)

    how = manner(start, once=False, evidence=tmp_path)
    with LogServer(front) as server:
        watch(server, script, how=how)
    (case,) = cases(tmp_path)
    assert "4611686018427387904 entries" in case["detail"]


@both
@pytest.mark.parametrize(("ahead", "is_believed"), [(59, True), (61, False)])
def test_a_clock_may_be_an_hour_ahead(kind: str, ahead: int, is_believed: bool) -> None:
    log = log_of(SIZE)

    def earlier() -> datetime:
        head = datetime.fromtimestamp(log.head.timestamp_ms / 1000, UTC)
        return head - timedelta(minutes=ahead)

    with LogServer(front_of(log, kind)) as server:
        collected, follower, done = follow_once(
            listed(server)[0], how=manner(now=earlier)
        )
    assert done is is_believed
    assert bool(collected.entries) is is_believed
    assert ("check that this one is right" in follower.status.last_error) is not done


@both
def test_a_position_beyond_the_head_waits(kind: str) -> None:
    """One that was given by hand, without a head."""
    log = log_of(300)
    front = front_of(log, kind)

    async def script(watched: Watched) -> None:
        await until(lambda: watched.status(front).condition is UNREACHABLE)
        assert "is to be read from 310" in watched.status(front).last_error
        log.add(many_entries(20))
        await until(lambda: watched.status(front).position == 320)
        watched.of(front).assert_true(log, 310)

    with LogServer(front) as server:
        name = cursor_name(listed(server)[0])
        watch(server, script, resume={name: LogCursor(310)})


# Read-only logs


def final(log: Log, fake: FakeLog, size: int) -> Log:
    return replace(log, final_size=size, final_root=fake.tree.root(size))


@both
@pytest.mark.parametrize("position", [0, SIZE])
@pytest.mark.parametrize("final_size", [512, 550, SIZE])
def test_a_read_only_log_is_read_to_its_end_and_closed(
    kind: str, final_size: int, position: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Even one that shows more than the list says."""
    caplog.set_level(logging.INFO)
    log = log_of(SIZE)
    front = front_of(log, kind)
    at = cursor_at(log, position) if position else None
    with LogServer(front) as server:
        known = final(listed(server)[0], log, final_size)
        collected, follower, done = follow_once(known, at, manner(once=False))
    assert done
    assert follower.status.condition is Condition.DRAINED
    end = max(position, final_size)
    assert set(range(position, end)) <= set(collected.entries)
    collected.assert_not_false(log)
    assert len(Events(caplog, front)("drained")) == 1
    assert len(Events(caplog, front)()) == 1


@both
def test_a_log_that_was_read_to_its_end_may_be_switched_off(kind: str) -> None:
    """Else a run with `once` would fail for as long as a list names it."""
    log = log_of(SIZE)
    with LogServer(front_of(log, kind)) as server:
        known = final(listed(server)[0], log, SIZE)
    _, follower, done = follow_once(known, cursor_at(log, SIZE))
    assert done
    assert follower.status.condition is Condition.DRAINED


@both
@pytest.mark.parametrize("final_size", [512, 550, SIZE])
@pytest.mark.parametrize("position", [0, SIZE])
def test_a_final_tree_that_the_list_does_not_name_is_a_contradiction(
    kind: str, final_size: int, position: int, tmp_path: Path
) -> None:
    log = log_of(SIZE)
    (other,) = entries_for([["forged.example"]], "cert")
    forked = log.forked(20, other)
    at = cursor_at(log, position) if position else None
    with LogServer(front_of(log, kind)) as server:
        known = final(listed(server)[0], forked, final_size)
        collected, _, done = follow_once(known, at, manner(evidence=tmp_path))
    assert not done
    assert not collected.entries
    (case,) = cases(tmp_path)
    assert case["kind"] == "forked"
    assert "head-before" in case["documents"]


@both
def test_a_head_is_proven_past_the_own_one_before_the_final_tree_is_looked_at(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the client knows the tree of a head that was refused, when it goes on."""
    log = log_of(SIZE)
    (other,) = entries_for([["forged.example"]], "cert")
    forked = log.forked(20, other)
    client = TiledLog if kind == "tiled" else RFC6962Log
    adopt = client.adopt
    bases = []

    async def noting(self: Any, head: TreeHead, at: LogCursor) -> LogCursor:
        assert at.head is not None
        bases.append(at.head)
        return await adopt(self, head, at)

    monkeypatch.setattr(client, "adopt", noting)
    with LogServer(front_of(forked, kind)) as server:
        known = final(listed(server)[0], forked, 512)
        collected, _, done = follow_once(known, cursor_at(log, 300, 300))
    assert not done
    assert not collected.entries
    assert {base.root for base in bases} == {log.tree.root(300)}


@pytest.mark.parametrize("evidence", [True, False])
def test_a_log_that_lies_anew_each_time_fills_no_memory(
    evidence: bool, tmp_path: Path
) -> None:
    log = Log(bytes(32), b"", "liar", "operator", "https://liar.example/")
    how = manner(evidence=tmp_path if evidence else None)
    client: Any = None  # nothing is asked
    follower = Follower(log, client, None, Collected().take, how)
    for number in range(120):
        follower._doubt(IntegrityError("root", f"entry {number}", {"head": b"h"}))
    assert len(follower._cases) == 50
    assert len(cases(tmp_path)) == (50 if evidence else 0)
    assert follower.status.errors == 120


# Anything in any order

STEPS = st.sampled_from(
    [
        "grow 1",
        "grow 100",
        "grow 256",
        "restart",
        "wait",
        "reset",
        "html with 200",
        "cut off",
        "tile contradicts",
        "hash tile contradicts",
        "another tile",
        "truncated tile",
        "entry contradicts",
        "entries in wrong order",
        "wrong consistency proof",
        "wrong inclusion proof",
        "zero entries",
        "no consistency proofs",
        "late",
    ]
)


@both
@settings(max_examples=8)
@given(data=st.data())
def test_whatever_happens_every_entry_comes_once_and_in_order(
    kind: str, data: st.DataObject
) -> None:
    steps = data.draw(st.lists(STEPS, min_size=3, max_size=12))
    is_strict = data.draw(st.booleans())
    log = log_of(data.draw(st.sampled_from([0, 1, 255, 256, 300])))
    front = front_of(
        log,
        kind,
        proves_any=not is_strict,
        keeps_partials=not is_strict,
        max_entries=data.draw(st.sampled_from([7, 32, 256])),
    )
    pace = replace(QUICK, bad_after_s=60.0, doubt_first_s=0.01, partial_s=0.02)
    how = manner(once=False, pace=pace)
    collected = Collected()

    async def run(server: LogServer) -> None:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            (known,) = listed(server)

            def started() -> tuple[Follower, asyncio.Task[bool]]:
                client = (
                    client_of(known, fetcher, held_bytes=4_000_000)
                    if (kind == "rfc6962")
                    else client_of(known, fetcher)
                )
                follower = Follower(
                    known, client, collected.cursor, collected.take, how
                )
                return follower, asyncio.ensure_future(follower.run())

            follower, task = started()
            for step in steps:
                if step.startswith("grow"):
                    log.add(many_entries(int(step[5:])))
                elif step == "restart":
                    task.cancel()
                    await asyncio.wait({task})
                    follower, task = started()
                elif step == "late":
                    front.older = log.renamed(log.origin)
                    front.older.heads[-1] = log.head
                elif step != "wait":
                    front.faults.append(fault(step, times=3))
                await asyncio.sleep(0.02)
                assert not task.done()
            front.faults = []
            front.older = None
            await until(lambda: follower.status.position == log.size)
            task.cancel()
            await asyncio.wait({task})

    with LogServer(front) as server:
        asyncio.run(run(server))
    collected.assert_true(log)
