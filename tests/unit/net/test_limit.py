"""A log gets as many requests as it bears; time is that of the tests' own loop."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ctmonitor.net.limit import Limit


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer instead of passing."""

    def __init__(self) -> None:
        loop = self
        self._now = 1000.0

        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                if timeout:
                    loop._now += timeout
                return super().select(0)

        super().__init__(Selector())

    def time(self) -> float:
        return self._now


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(work())


def now() -> float:
    return asyncio.get_running_loop().time()


async def settled() -> None:
    """Everything that can go on without time passing has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


class Requests:
    """Requests that stay in their slots until they are told what comes of them."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.begun: list[int] = []
        self.begun_at: dict[int, float] = {}
        self._outcomes: dict[int, asyncio.Future[Callable[[], None]]] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def ask(self, *names: int) -> None:
        loop = asyncio.get_running_loop()
        for name in names:
            self._outcomes[name] = loop.create_future()
            self.tasks[name] = loop.create_task(self._request(name))

    async def _request(self, name: int) -> None:
        async with self.limit.slot():
            self.begun.append(name)
            self.begun_at[name] = now()
            (await self._outcomes[name])()

    async def end(self, *names: int, outcome: Callable[[], None]) -> None:
        for name in names:
            self._outcomes[name].set_result(outcome)
        await settled()

    async def stop(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def widened(limit: Limit, width: int) -> None:
    """Has requests succeed, as many at a time as may be, until it is that wide."""
    while limit.width < width:
        requests = Requests(limit)
        count = limit.width
        requests.ask(*range(count))
        await settled()
        await requests.end(*range(count), outcome=limit.succeeded)


@pytest.mark.parametrize(("most", "first", "width"), [(8, 2, 2), (1, 2, 1), (8, 8, 8)])
def test_it_begins_with_the_first_width(most: int, first: int, width: int) -> None:
    async def work() -> None:
        limit = Limit(most, first)
        requests = Requests(limit)
        requests.ask(*range(10))
        await settled()
        assert limit.width == width
        assert requests.begun == list(range(width))
        await requests.stop()

    run(work)


def test_it_grows_by_one_place_in_a_round_up_to_the_most() -> None:
    async def work() -> None:
        limit = Limit(5)
        widths = []
        for _ in range(6):
            count = limit.width
            widths.append(count)
            requests = Requests(limit)
            requests.ask(*range(count))
            await settled()
            # While all the places are taken, which is when they prove to be too few.
            for name in range(count):
                requests.ask(100 + name)
                await requests.end(name, outcome=limit.succeeded)
            await requests.end(*range(100, 100 + count), outcome=lambda: None)
        assert widths == [2, 3, 4, 5, 5, 5]

    run(work)


def test_a_width_that_nobody_uses_does_not_grow() -> None:
    async def work() -> None:
        limit = Limit(8)
        for _ in range(50):
            async with limit.slot():
                limit.succeeded()
        assert limit.width == 2

    run(work)


def test_a_failure_halves_and_pauses_nothing() -> None:
    async def work() -> None:
        limit = Limit(8, 8)
        widths = []
        for _ in range(5):
            async with limit.slot():
                limit.failed()
            widths.append(limit.width)
        assert widths == [4, 2, 1, 1, 1]
        assert now() == 1000

    run(work)


@pytest.mark.parametrize("outcome", ["failed", "refused"])
def test_requests_that_fall_together_halve_once(outcome: str) -> None:
    async def work() -> None:
        limit = Limit(8, 8)
        requests = Requests(limit)
        requests.ask(*range(8))
        await settled()
        await requests.end(*range(8), outcome=getattr(limit, outcome))
        assert limit.width == 4

    run(work)


def test_a_success_from_before_a_cut_grows_nothing() -> None:
    async def work() -> None:
        limit = Limit(4, 4)
        requests = Requests(limit)
        requests.ask(*range(4))
        await settled()
        await requests.end(0, outcome=limit.failed)
        await requests.end(1, 2, 3, outcome=limit.succeeded)
        assert limit.width == 2
        await widened(limit, 3)

    run(work)


@pytest.mark.parametrize(
    ("asked_s", "waited_s"),
    [(30.0, 30.0), (0.0, 1.0), (None, 1.0), (1e9, 3600.0)],
)
def test_a_refusal_is_followed_by_the_pause_that_was_asked_for(
    asked_s: float | None, waited_s: float
) -> None:
    async def work() -> None:
        limit = Limit(8, draw=lambda: 1.0)
        async with limit.slot():
            limit.refused(asked_s)
        async with limit.slot():
            assert now() == pytest.approx(1000 + waited_s)

    run(work)


def test_pauses_grow_with_refusals_in_a_row_and_begin_anew_after_a_success() -> None:
    async def work() -> None:
        limit = Limit(8, draw=lambda: 1.0)
        pauses = []
        begun = now()
        for number in range(11):
            async with limit.slot():
                pauses.append(round(now() - begun))
                begun = now()
                if number == 8:
                    limit.succeeded()
                else:
                    limit.refused(2.0)
        assert pauses == [0, 2, 2, 4, 8, 16, 32, 60, 60, 0, 2]

    run(work)


def test_pauses_without_a_wish_are_drawn() -> None:
    async def work() -> None:
        limit = Limit(8, draw=lambda: 0.0)
        async with limit.slot():
            limit.refused()
        async with limit.slot():
            assert now() == pytest.approx(1000.5)

    run(work)


def test_a_longer_wish_during_a_pause_makes_it_longer_and_a_shorter_does_not() -> None:
    async def work() -> None:
        limit = Limit(4, 4, draw=lambda: 1.0)
        requests = Requests(limit)
        requests.ask(0, 1, 2, 3)
        await settled()
        for name, asked_s in enumerate([20.0, 50.0, 5.0]):
            await requests.end(name, outcome=lambda s=asked_s: limit.refused(s))
        await requests.end(3, outcome=limit.succeeded)
        async with limit.slot():
            assert now() == pytest.approx(1050)

    run(work)


def test_after_a_pause_one_request_goes_first_and_the_others_with_its_success() -> None:
    async def work() -> None:
        limit = Limit(8, 8, draw=lambda: 1.0)
        requests = Requests(limit)
        requests.ask(*range(20))
        await settled()
        assert len(requests.begun) == 8
        await requests.end(*range(8), outcome=lambda: limit.refused(10))
        assert len(requests.begun) == 8
        await asyncio.sleep(9.9)
        assert len(requests.begun) == 8
        await asyncio.sleep(0.2)
        assert requests.begun[8:] == [8]
        await asyncio.sleep(100)
        assert requests.begun[8:] == [8]
        await requests.end(8, outcome=limit.succeeded)
        assert requests.begun[8:] == [8, 9, 10, 11, 12]
        assert limit.width == 4
        await requests.stop()

    run(work)


def test_a_first_request_that_is_refused_pauses_again_and_one_goes_first_again() -> (
    None
):
    async def work() -> None:
        limit = Limit(8, 8, draw=lambda: 1.0)
        requests = Requests(limit)
        requests.ask(*range(20))
        await settled()
        await requests.end(*range(8), outcome=lambda: limit.refused(10))
        await asyncio.sleep(11)
        await requests.end(8, outcome=lambda: limit.refused(10))
        assert limit.width == 2
        await asyncio.sleep(11)
        assert requests.begun[8:] == [8, 9]
        assert requests.begun_at[9] == pytest.approx(1021)
        await requests.stop()

    run(work)


def test_the_first_request_waits_for_those_from_before_the_pause() -> None:
    async def work() -> None:
        limit = Limit(4, 4, draw=lambda: 1.0)
        requests = Requests(limit)
        requests.ask(*range(10))
        await settled()
        await requests.end(0, outcome=lambda: limit.refused(10))
        await asyncio.sleep(100)
        assert len(requests.begun) == 4
        await requests.end(1, 2, outcome=limit.succeeded)
        assert len(requests.begun) == 4
        await requests.end(3, outcome=limit.succeeded)
        assert requests.begun[4:] == [4]
        await requests.end(4, outcome=limit.succeeded)
        assert requests.begun[4:] == [4, 5, 6]
        await requests.stop()

    run(work)


def test_requests_begin_in_the_order_in_which_they_asked() -> None:
    async def work() -> None:
        limit = Limit(1, 1)
        order = []

        async def worker(name: int) -> None:
            for _ in range(3):
                async with limit.slot():
                    order.append(name)
                    await asyncio.sleep(1)

        await asyncio.gather(*(worker(name) for name in range(3)))
        assert order == [0, 1, 2] * 3

    run(work)


def test_a_request_that_raises_leaves_its_place() -> None:
    async def work() -> None:
        limit = Limit(1, 1)
        for _ in range(3):
            with pytest.raises(ValueError, match="broken"):
                async with limit.slot():
                    raise ValueError("broken")

    run(work)


@pytest.mark.parametrize("with_shared", [False, True])
def test_cancelled_requests_leave_their_places_to_the_next(with_shared: bool) -> None:
    async def work() -> None:
        shared = asyncio.Semaphore(2) if with_shared else None
        limit = Limit(2, 2, shared)
        requests = Requests(limit)
        requests.ask(*range(6))
        await settled()
        # One that waits, one that is under way, and one that is given its place in
        # the moment in which it is cancelled.
        requests.tasks[3].cancel()
        requests.tasks[0].cancel()
        await asyncio.sleep(0)
        requests.tasks[2].cancel()
        await settled()
        assert requests.begun == [0, 1, 4]
        requests.tasks[1].cancel()
        await settled()
        assert requests.begun == [0, 1, 4, 5]
        await requests.end(4, 5, outcome=lambda: None)
        requests.ask(6, 7, 8)
        await settled()
        assert requests.begun[4:] == [6, 7]
        await requests.stop()

    run(work)


def test_a_first_request_that_is_cancelled_lets_another_go_first() -> None:
    async def work() -> None:
        limit = Limit(2, 2, draw=lambda: 1.0)
        async with limit.slot():
            limit.refused(10)
        requests = Requests(limit)
        requests.ask(0, 1, 2)
        await asyncio.sleep(11)
        assert requests.begun == [0]
        requests.tasks[0].cancel()
        await settled()
        assert requests.begun == [0, 1]
        await requests.stop()

    run(work)


def test_a_request_without_outcome_hides_no_later_outcome() -> None:
    async def work() -> None:
        limit = Limit(4, 4, draw=lambda: 1.0)
        requests = Requests(limit)
        requests.ask(*range(8))
        await settled()
        await requests.end(0, outcome=lambda: limit.refused(10))
        for name in (1, 2, 3):
            requests.tasks[name].cancel()
        await asyncio.sleep(11)
        assert requests.begun[4:] == [4]
        await requests.end(4, outcome=limit.succeeded)
        assert requests.begun[4:] == [4, 5, 6]
        await requests.stop()

    run(work)


def test_a_pause_of_one_log_does_not_hold_another_of_the_operator() -> None:
    async def work() -> None:
        shared = asyncio.Semaphore(2)
        refusing, other = Limit(2, 2, shared), Limit(2, 2, shared)
        async with refusing.slot():
            refusing.refused(100)
        waiting = Requests(refusing)
        waiting.ask(0, 1)
        await settled()
        requests = Requests(other)
        requests.ask(0, 1, 2)
        await settled()
        assert (waiting.begun, requests.begun) == ([], [0, 1])
        await waiting.stop()
        await requests.stop()

    run(work)


def test_the_logs_of_an_operator_share_its_places() -> None:
    async def work() -> None:
        shared = asyncio.Semaphore(3)
        logs = [Requests(Limit(2, 2, shared)) for _ in range(3)]
        for requests in logs:
            requests.ask(0, 1)
        await settled()
        assert [requests.begun for requests in logs] == [[0, 1], [0], []]
        await logs[0].end(0, 1, outcome=lambda: None)
        assert [requests.begun for requests in logs] == [[0, 1], [0, 1], [0]]
        for requests in logs:
            await requests.stop()
        assert not shared.locked()

    run(work)


def test_a_request_that_is_cancelled_before_its_shared_place_leaves_its_own() -> None:
    async def work() -> None:
        shared = asyncio.Semaphore(1)
        requests = Requests(Limit(1, 1, shared))
        await shared.acquire()  # by another log
        requests.ask(0, 1)
        await settled()
        requests.tasks[0].cancel()
        await settled()
        shared.release()
        await settled()
        assert requests.begun == [1]
        await requests.stop()

    run(work)


def test_a_shared_place_that_comes_during_a_pause_is_given_back() -> None:
    async def work() -> None:
        shared = asyncio.Semaphore(1)
        limit, other = Limit(2, 2, shared), Limit(2, 2, shared)
        mine, others = Requests(limit), Requests(other)
        mine.ask(0)
        await settled()
        mine.ask(1)
        others.ask(0)
        await settled()
        assert (mine.begun, others.begun) == ([0], [])
        await mine.end(0, outcome=lambda: limit.refused(50))
        assert (mine.begun, others.begun) == ([0], [0])
        await others.end(0, outcome=other.succeeded)
        await asyncio.sleep(51)
        assert mine.begun == [0, 1]
        assert mine.begun_at[1] >= 1050
        await mine.stop()

    run(work)
