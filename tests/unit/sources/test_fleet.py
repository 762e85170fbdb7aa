"""All logs of a list: how they come, go, move and end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ctmonitor.ct.entry import Leaves
from ctmonitor.errors import IntegrityError, SourceError
from ctmonitor.model.log import Log
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.route import Route
from ctmonitor.sources.fleet import Fleet
from ctmonitor.sources.follower import Condition, Manner
from ctmonitor.sources.logcursor import LogCursor, cursor_name
from ctmonitor.sources.start import Start
from tests.fakes.logentries import many_entries
from tests.fakes.logfaults import fault
from tests.fakes.logserver import LogServer
from tests.unit.sources.following import (
    KINDS,
    Collected,
    client_of,
    cursor_at,
    front_of,
    listed,
    log_of,
    manner,
    until,
)

both = pytest.mark.parametrize("kind", KINDS)


@dataclass
class Listing:
    """A log list that changes, or cannot be read."""

    logs: list[Log]
    failure: Exception | None = None
    asked: int = 0
    collected: dict[bytes, Collected] = field(default_factory=dict)

    async def read(self) -> Sequence[Log]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return list(self.logs)

    async def take(self, log: Log, leaves: Leaves | None, at: LogCursor) -> None:
        await self.collected.setdefault(log.log_id, Collected()).take(log, leaves, at)

    async def renewed(self) -> None:
        """Until the list was read once more, after what was changed."""
        asked = self.asked
        await until(lambda: self.asked > asked + 1)


def run(
    listing: Listing,
    script: Callable[[Fleet, "asyncio.Task[None]"], Awaitable[None]],
    how: Manner | None = None,
    resume: dict[str, LogCursor] | None = None,
    **options: Any,
) -> None:
    async def bounded() -> None:
        async with Fetcher(Route(use_environment=False), "test") as fetcher:
            fleet = Fleet(
                listing.read,
                lambda log, _: client_of(log, fetcher, **options),
                resume or {},
                listing.take,
                how or manner(once=False),
                refresh_s=0.05,
            )
            task = asyncio.ensure_future(fleet.run())
            async with asyncio.timeout(20):
                await script(fleet, task)
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(bounded())


@both
def test_a_log_that_leaves_the_list_is_closed_and_goes_on_when_it_returns(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it was, and not at its end, however it was begun at first."""
    log = log_of(300)
    with LogServer(front_of(log, kind)) as server:
        (known,) = listed(server)
        listing = Listing([known])

        async def script(fleet: Fleet, task: Any) -> None:
            await until(lambda: bool(listing.collected.get(known.log_id)))
            await until(lambda: len(listing.collected[known.log_id].entries) == 50)
            listing.logs = []
            await until(lambda: not fleet.status())
            log.add(many_entries(300))
            await listing.renewed()  # a last request may be under way
            polls = server.fronts[0].count()
            await listing.renewed()
            assert server.fronts[0].count() == polls
            listing.logs = [known]
            await until(lambda: len(listing.collected[known.log_id].entries) == 350)
            listing.collected[known.log_id].assert_true(log, 250)

        run(listing, script, manner(Start(50), once=False))
    closed = [r for r in caplog.records if "it is followed no more" in r.getMessage()]
    assert len(closed) == 1
    assert "closed at entry 300 of 300" in closed[0].getMessage()


@both
def test_a_log_that_moves_is_read_at_its_new_address(kind: str) -> None:
    log = log_of(300)
    old, new = front_of(log, kind), front_of(log, kind, "1")
    with LogServer(old, new) as server:
        known = listed(server)[0]
        moved = (
            replace(known, monitoring_url=new.url)
            if known.is_tiled
            else replace(known, url=new.url)
        )
        listing = Listing(
            [
                replace(moved, monitoring_url=old.url)
                if known.is_tiled
                else replace(moved, url=old.url)
            ]
        )

        async def script(fleet: Fleet, task: Any) -> None:
            await until(lambda: bool(listing.collected))
            await until(lambda: len(listing.collected[known.log_id].entries) == 300)
            listing.logs = [moved]
            await until(lambda: new.count() > 0)
            await listing.renewed()
            polls = old.count()
            log.add(many_entries(40))
            await until(lambda: len(listing.collected[known.log_id].entries) == 340)
            assert old.count() == polls
            listing.collected[known.log_id].assert_true(log)
            assert len(fleet.status()) == 1

        run(listing, script)


@both
def test_new_logs_start_and_read_only_ones_end(kind: str) -> None:
    one, two = log_of(300), log_of(200, "two.example/2026")
    with LogServer(front_of(one, kind), front_of(two, kind, "1")) as server:
        first, second = listed(server)
        listing = Listing([first])

        async def script(fleet: Fleet, task: Any) -> None:
            await until(lambda: bool(listing.collected))
            await until(lambda: len(listing.collected[first.log_id].entries) == 300)
            final = replace(first, final_size=300, final_root=one.tree.root(300))
            listing.logs = [final, second]
            await until(lambda: second.log_id in listing.collected)
            await until(lambda: len(listing.collected[second.log_id].entries) == 200)
            await until(lambda: fleet.status()[0].condition is Condition.DRAINED)
            await listing.renewed()
            polls = server.fronts[0].count()
            await listing.renewed()
            assert server.fronts[0].count() == polls
            assert [each.log.name for each in fleet.status()] == [
                one.origin,
                two.origin,
            ]

        run(listing, script)


def test_logs_go_on_where_the_store_says() -> None:
    log = log_of(300)
    with LogServer(front_of(log)) as server:
        (known,) = listed(server)
        listing = Listing([known])

        async def script(fleet: Fleet, task: Any) -> None:
            await task

        resume = {cursor_name(known): cursor_at(log, 257)}
        run(listing, script, manner(), resume)
    listing.collected[known.log_id].assert_true(log, 257)


def test_once_names_the_logs_that_were_given_up() -> None:
    good, bad = log_of(300), log_of(200, "bad.example/2026")
    broken = front_of(bad, name="1")
    broken.faults = [fault("html with 200")]
    with LogServer(front_of(good), broken) as server:
        listing = Listing(listed(server))

        async def script(fleet: Fleet, task: Any) -> None:
            await task
            (given_up,) = fleet.given_up()
            assert given_up.log.name == "bad.example/2026"
            assert given_up.errors == 4

        run(listing, script, manner())
    assert len(listing.collected) == 1


def test_a_list_that_cannot_be_read_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = log_of(300)
    with LogServer(front_of(log)) as server:
        (known,) = listed(server)
        listing = Listing([known], IntegrityError("signature", "wrong"))

        async def script(fleet: Fleet, task: Any) -> None:
            await until(lambda: listing.asked == 1)
            assert fleet.status() == []
            listing.failure = None
            await until(lambda: bool(listing.collected))
            listing.failure = SourceError("no answer")
            await listing.renewed()
            log.add(many_entries(300))
            await until(lambda: len(listing.collected[known.log_id].entries) == 600)

        run(listing, script)
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "log list: signature: wrong; tried again until it can be read"
    assert "log list: no answer; the logs at hand are followed on" in told


def test_once_without_a_list_is_an_error() -> None:
    listing = Listing([], SourceError("no answer"))

    async def script(fleet: Fleet, task: Any) -> None:
        with pytest.raises(SourceError, match=r"^no answer"):
            await task

    run(listing, script, manner())


def test_a_defect_of_ours_in_one_log_is_told_and_does_not_end_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one, two = log_of(300), log_of(200, "two.example/2026")
    with LogServer(front_of(one), front_of(two, name="1")) as server:
        first, second = listed(server)
        listing = Listing([first, second])
        take = listing.take

        async def failing(log: Log, leaves: Leaves | None, at: LogCursor) -> None:
            if log.log_id == first.log_id:
                raise RuntimeError("a defect")
            await take(log, leaves, at)

        listing.take = failing  # type: ignore[method-assign]

        async def script(fleet: Fleet, task: Any) -> None:
            await task
            assert [each.log.name for each in fleet.given_up()] == [one.origin]

        run(listing, script, manner())
    assert "its reader failed" in caplog.text
    listing.collected[second.log_id].assert_true(two)


def test_a_defect_of_ours_in_the_list_ends_the_run_as_itself() -> None:
    listing = Listing([], RuntimeError("a defect"))
    listing.failure = None

    async def script(fleet: Fleet, task: Any) -> None:
        await until(lambda: listing.asked > 0)
        listing.failure = RuntimeError("a defect")
        with pytest.raises(RuntimeError, match="a defect"):
            await task

    run(listing, script)
