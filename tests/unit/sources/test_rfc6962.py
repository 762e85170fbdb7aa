"""The client of logs of RFC 6962: proofs, groups, and what real logs do differently."""

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.ct.entry import Leaves
from ctmonitor.errors import IntegrityError
from ctmonitor.model.log import Log
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.route import Route
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.sources.rfc6962 import RFC6962Log
from tests.fakes.log import FakeLog
from tests.fakes.logentries import badly_filled, badly_framed, many_entries
from tests.fakes.logfaults import busy, fault
from tests.fakes.logserver import Fault, Front, LogReply, LogServer
from tests.unit.sources.following import (
    client_of,
    cursor_at,
    follow_once,
    front_of,
    listed,
    log_of,
    manner,
)

KIND = "rfc6962"


def read(
    front: Front,
    at: LogCursor,
    end: int | None = None,
    *,
    tiles: bool = False,
    **options: Any,
) -> tuple[list[Leaves], LogCursor]:
    """Adopt the present head and read to `end`, its size by default."""
    taken: list[Leaves] = []

    async def sink(leaves: Leaves, at: LogCursor) -> None:
        assert at.position == leaves.start + len(leaves)
        taken.append(leaves)

    async def run() -> LogCursor:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            known = named(listed(server)[0], front, tiles=tiles)
            client = client_of(known, fetcher, **options)
            head = await client.head()
            adopted = await client.adopt(head, at)
            return await client.read(adopted, end or head.size, lambda: True, sink)

    with LogServer(front) as server:
        return taken, asyncio.run(run())


def named(log: Log, front: Front, *, tiles: bool) -> Log:
    return replace(log, tiles_url=front.url) if tiles else log


def size_of(taken: list[Leaves]) -> int:
    return sum(map(len, taken))


def calls(front: Front) -> list[str]:
    return [
        request.path.removeprefix("ct/v1/").partition("?")[0]
        for request in front.requests
    ]


def test_a_group_that_ends_at_the_head_needs_no_proof() -> None:
    front = front_of(log_of(600), KIND)
    taken, reached = read(front, LogCursor(0))
    assert size_of(taken) == 600
    assert calls(front) == ["get-sth"] + ["get-entries"] * 3
    assert reached == replace(cursor_at(front.log, 600), head=reached.head)


def test_a_group_that_ends_before_it_needs_one_proof() -> None:
    front = front_of(log_of(600), KIND)
    _, reached = read(front, LogCursor(0), 300)
    assert reached.position == 300
    assert calls(front).count("get-sth-consistency") == 1


@pytest.mark.parametrize("position", [1, 2, 3, 128, 255, 256, 257, 512, 513, 599])
@pytest.mark.parametrize("proves_any", [True, False])
def test_a_log_is_begun_at_any_place(position: int, proves_any: bool) -> None:
    """Sizes that are powers of two, and logs that prove only sizes that were heads."""
    front = front_of(log_of(600), KIND, proves_any=proves_any)
    taken, reached = read(front, LogCursor(position))
    assert size_of(taken) == 600 - position
    assert reached.nodes == cursor_at(front.log, 600).nodes


@pytest.mark.parametrize("end", [256, 300, 512, 599])
def test_a_log_that_refuses_sizes_that_were_no_heads_shows_audit_paths(
    end: int,
) -> None:
    front = front_of(log_of(600), KIND, proves_any=False)
    taken, reached = read(front, LogCursor(0), end)
    assert size_of(taken) == reached.position == end
    assert reached.nodes == cursor_at(front.log, end).nodes
    assert calls(front).count("get-proof-by-hash") == 1


def test_a_proof_that_was_refused_once_is_asked_for_under_the_next_head() -> None:
    """It may have been a firewall, and audit paths cost the log more."""
    front = front_of(log_of(600), KIND)
    front.faults = [busy(times=1, status=403, where="get-sth-consistency")]

    async def sink(leaves: Leaves, at: LogCursor) -> None: ...

    async def run() -> None:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            client = client_of(listed(server)[0], fetcher)
            at = LogCursor(0)
            for end in (300, 500):
                at = await client.adopt(await client.head(), at)
                at = await client.read(at, end, lambda: True, sink)

    with LogServer(front) as server:
        asyncio.run(run())
    proofs = [call for call in calls(front) if "proof" in call or "consist" in call]
    assert proofs == ["get-sth-consistency", "get-proof-by-hash", "get-sth-consistency"]


def test_a_wrong_audit_path_proves_nothing() -> None:
    front = front_of(log_of(600), KIND, proves_any=False)
    front.faults = [fault("wrong inclusion proof")]
    with pytest.raises(IntegrityError) as caught:
        read(front, LogCursor(0), 400)
    assert caught.value.kind == "inclusion"
    assert set(caught.value.evidence) == {"head", "leaves-0", "leaves-256"}


def test_an_entry_before_the_last_is_covered_by_its_audit_path() -> None:
    """The path proves the last one; the nodes beside it, all before."""
    front = front_of(log_of(600), KIND, proves_any=False)
    front.faults = [fault("entry contradicts", where="start=0")]
    with pytest.raises(IntegrityError, match="but not all entries before it do"):
        read(front, LogCursor(0), 400)


def test_a_leaf_that_stands_twice_is_proven_where_it_was_read() -> None:
    """get-proof-by-hash names the first place of the two."""
    log = log_of(100, has_leaf_index=False)
    log.add_silently([log.entries[10]])
    log.add(many_entries(50))
    front = front_of(log, KIND, proves_any=False)
    taken, _ = read(front, LogCursor(0), 101)
    assert size_of(taken) == 101
    assert calls(front)[-1] == "get-entry-and-proof"


@pytest.mark.parametrize(
    ("most", "is_aligned"), [(1, False), (7, False), (32, True), (64, True)]
)
def test_a_log_may_give_fewer_entries_than_asked(most: int, is_aligned: bool) -> None:
    """L3; what it gives at once is learnt."""
    size = 60 if most == 1 else 600
    front = front_of(log_of(size), KIND, max_entries=most, is_aligned=is_aligned)
    taken, _ = read(front, LogCursor(0))
    assert size_of(taken) == size
    assert [each.start for each in taken] == sorted(each.start for each in taken)
    assert calls(front).count("get-entries") <= -(-size // most) + 12


@pytest.mark.parametrize("position", [0, 100, 256])
def test_a_hybrid_log_gives_tiles_in_bulk_and_the_rest_by_get_entries(
    position: int,
) -> None:
    """L10; of such logs there is no checkpoint, and no partial tile."""
    log = log_of(700, has_leaf_index=False)
    front = front_of(log, KIND)
    taken, reached = read(front, cursor_at(log, position, 600), tiles=True)
    assert size_of(taken) == 700 - position
    assert front.count("tile/data/") == (2 if position <= 0 else 1)
    assert front.count("tile/") == front.count("tile/data/")
    assert reached.nodes == cursor_at(log, 700).nodes


def test_tiles_of_a_hybrid_log_may_be_compressed_without_saying_so() -> None:
    front = front_of(log_of(512, has_leaf_index=False), KIND)
    front.faults = [
        Fault("tile/data/", lambda _, request, good: replace(good, headers={}))
    ]
    taken, _ = read(front, LogCursor(0), tiles=True)
    assert size_of(taken) == 512
    assert front.count("get-entries") == 0


def test_a_tile_that_a_hybrid_log_does_not_have_is_read_by_get_entries() -> None:
    log = log_of(700, has_leaf_index=False)
    front = front_of(log, KIND)
    front.faults = [fault("no tiles", where="tile/data/001")]
    taken, _ = read(front, LogCursor(0), tiles=True)
    assert size_of(taken) == 700
    front.faults = [fault("tile contradicts")]
    with pytest.raises(IntegrityError):
        read(front, LogCursor(0), tiles=True)


@pytest.mark.parametrize("proves_any", [True, False])
def test_what_waits_for_a_proof_is_bounded(proves_any: bool) -> None:
    front = front_of(log_of(2000), KIND, proves_any=proves_any)
    taken, _ = read(front, LogCursor(0), held_bytes=1)
    assert size_of(taken) == 2000
    proof = "get-sth-consistency" if proves_any else "get-proof-by-hash"
    assert calls(front).count(proof) == 7  # of eight groups the last ends at the head


def test_groups_before_one_that_contradicts_are_handed_on() -> None:
    front = front_of(log_of(2000), KIND)
    front.faults = [fault("entry contradicts", where="start=1024")]
    with LogServer(front) as server:
        collected, _, done = follow_once(listed(server)[0], held_bytes=1)
    assert not done
    collected.assert_true(front.log, end=1024)


def test_without_verifying_entries_are_handed_on_at_once() -> None:
    """Neither held nor hashed: a log of any size needs no memory."""
    front = front_of(log_of(2000), KIND)
    seen: list[int] = []

    def note(front: Front, request: Any, good: LogReply) -> LogReply:
        seen.append(len(taken_so_far))
        return good

    taken_so_far: list[int] = []

    async def run() -> None:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            client = client_of(listed(server)[0], fetcher, verify=False)

            async def sink(leaves: Leaves, at: LogCursor) -> None:
                taken_so_far.append(len(leaves))

            at = await client.adopt(await client.head(), LogCursor(0))
            await client.read(at, 2000, lambda: True, sink)

    front.faults = [Fault("get-entries", note)]
    with LogServer(front) as server:
        asyncio.run(run())
    assert sum(taken_so_far) == 2000
    assert seen[-1] > 0
    assert set(calls(front)) == {"get-sth", "get-entries"}


def test_without_verifying_a_log_is_begun_in_its_middle() -> None:
    front = front_of(log_of(600), KIND)
    taken, reached = read(front, LogCursor(300), verify=False)
    assert (taken[0].start, size_of(taken), reached.position) == (300, 300, 600)


def test_what_is_held_is_counted_with_what_is_not_signed() -> None:
    """A hostile log may fill extra_data, of which no head says anything."""
    filled = [replace(entry, raw_extra=bytes(20_000)) for entry in many_entries(600)]
    log = FakeLog("one.example/2026", filled, has_leaf_index=False)
    front = front_of(log, KIND)
    taken, _ = read(front, LogCursor(0), held_bytes=4_000_000)
    assert size_of(taken) == 600
    assert calls(front).count("get-sth-consistency") == 2


def test_a_wrong_root_comes_with_the_leaves(tmp_path: Path) -> None:
    front = front_of(log_of(600), KIND)
    front.faults = [fault("entry contradicts", where="start=256")]
    with pytest.raises(
        IntegrityError, match="give another root than it signed"
    ) as caught:
        read(front, LogCursor(0))
    assert set(caught.value.evidence) == {
        "head",
        "leaves-0",
        "leaves-256",
        "leaves-512",
    }


def test_entries_that_are_malformed_are_in_the_tree_and_handed_on() -> None:
    broken = [*badly_framed().values(), *badly_filled().values()]
    log = FakeLog(
        "one.example/2026", [*broken, *many_entries(50)], has_leaf_index=False
    )
    taken, _ = read(front_of(log, KIND), LogCursor(0))
    assert size_of(taken) == len(log.entries)
    assert sorted(taken[0].malformed) == list(range(len(badly_framed())))


def test_a_broken_entry_does_not_stop_the_search_for_a_time() -> None:
    wrong = badly_filled()["broken extra_data"]
    log = FakeLog("one.example/2026", [wrong] * 9, has_leaf_index=False)

    async def run() -> int:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            client = client_of(listed(server)[0], fetcher)
            return await client.logged_ms(4, 9)

    with LogServer(front_of(log, KIND)) as server:
        assert asyncio.run(run()) == wrong.timestamp_ms


def test_a_proof_that_names_another_place_is_not_taken_for_granted() -> None:
    """The place is proven by the path, and not by what the log says of it."""

    def elsewhere(front: Front, request: Any, good: LogReply) -> LogReply:
        told = json.loads(good.body)
        told["leaf_index"] = 5
        told["audit_path"] = [base64.b64encode(bytes(32)).decode()]
        return replace(good, body=json.dumps(told).encode())

    front = front_of(log_of(600), KIND, proves_any=False)
    front.faults = [Fault("get-proof-by-hash", elsewhere)]
    taken, _ = read(front, LogCursor(0), 400)
    assert size_of(taken) == 400
    front.faults.append(fault("wrong inclusion proof", where="get-entry-and-proof"))
    with pytest.raises(IntegrityError):
        read(front, LogCursor(0), 400)


def test_the_class_says_that_all_of_a_tree_can_be_read() -> None:
    front = front_of(log_of(1), KIND)
    with LogServer(front) as server:
        (known,) = listed(server)
    client = RFC6962Log(known, None)  # type: ignore[arg-type]  # it is not asked
    assert client.whole_end(601) == 601


def test_once_reads_to_the_first_head_while_the_log_grows() -> None:
    log = log_of(600)
    front = front_of(log, KIND)

    def grow(front: Front, request: Any, good: LogReply) -> LogReply:
        log.add(many_entries(300))
        return good

    front.faults = [Fault("get-entries", grow, 1)]
    with LogServer(front) as server:
        collected, _, done = follow_once(listed(server)[0], how=manner())
    assert done
    collected.assert_true(log, end=600)
