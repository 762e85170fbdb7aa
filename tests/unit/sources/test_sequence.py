"""Jobs at the same time, results in order, and nothing left running."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import pytest

from ctmonitor.errors import SourceError
from ctmonitor.sources.sequence import in_order


def test_results_come_in_order_and_no_more_jobs_run_than_allowed() -> None:
    running, most = 0, 0
    taken: list[int] = []

    async def job(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001 * ((number * 7) % 5))
        running -= 1
        return number

    async def sink(number: int) -> None:
        taken.append(number)

    asyncio.run(in_order([partial(job, n) for n in range(50)], lambda: 4, sink))
    assert taken == list(range(50))
    assert most == 4


def test_an_endless_number_of_jobs_waits_for_a_slow_sink() -> None:
    begun = 0
    failure = SourceError("enough")

    async def job() -> int:
        return 1

    def jobs() -> Iterator[Callable[[], Awaitable[int]]]:
        nonlocal begun
        while True:
            begun += 1
            yield job

    taken = 0

    async def sink(result: int) -> None:
        nonlocal taken
        taken += result
        assert begun <= taken + 3
        if taken == 100:
            raise failure

    with pytest.raises(SourceError) as caught:
        asyncio.run(in_order(jobs(), lambda: 3, sink))
    assert caught.value is failure


def test_a_job_that_fails_ends_the_others_and_a_sink_that_waits() -> None:
    ended: list[str] = []

    async def waiting(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    async def at_once() -> None:
        return

    async def failing() -> None:
        await asyncio.sleep(0.01)
        raise SourceError("broken")

    async def sink(_: None) -> None:
        await waiting("sink")

    jobs: list[Callable[[], Awaitable[None]]]
    jobs = [at_once, failing, partial(waiting, "job")]
    with pytest.raises(SourceError, match="broken"):
        asyncio.run(in_order(jobs, lambda: 3, sink))
    assert sorted(ended) == ["job", "sink"]


def test_a_job_that_fails_meanwhile_does_not_hide_what_the_sink_raised() -> None:
    """Else who has enough, and says so by raising, is given the same once more."""

    async def run() -> None:
        is_taken = asyncio.Event()

        async def good() -> None:
            return

        async def failing() -> None:
            await is_taken.wait()
            raise SourceError("broken")

        async def sink(_: None) -> None:
            is_taken.set()
            await asyncio.sleep(0)
            raise LookupError("enough")

        await in_order([good, failing], lambda: 2, sink)

    with pytest.raises(LookupError, match="enough"):
        asyncio.run(run())


@pytest.mark.parametrize("fails", [False, True])
def test_a_caller_that_is_cancelled_is_told_so(fails: bool) -> None:
    """Also when a job fails because it is cancelled; else nothing would ever end."""

    async def job() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if fails:
                raise SourceError("the connection was closed") from None
            raise

    async def sink(_: None) -> None:
        raise AssertionError

    async def run() -> None:
        task = asyncio.ensure_future(in_order([job, job], lambda: 2, sink))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(run())
