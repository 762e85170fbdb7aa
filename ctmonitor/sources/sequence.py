"""Work done at the same time, its results taken in order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def in_order(
    jobs: Iterable[Callable[[], Awaitable[T]]],
    width: Callable[[], int],
    sink: Callable[[T], Awaitable[None]],
) -> None:
    """
    Run `jobs`, at most `width()` at once, and hand their results to `sink` in order.

    Jobs are taken from the iterable when there is room, so it may be endless; a slow
    sink holds them back.

    Raises:
        Exception: of the sink, or else the first of a job; other jobs are cancelled.
        CancelledError: the caller was cancelled, whatever failed at the same time.
    """
    try:
        async with asyncio.TaskGroup() as group:
            running: deque[asyncio.Task[T]] = deque()
            for job in jobs:
                running.append(group.create_task(_run(job)))
                while len(running) >= width():
                    await sink(await running.popleft())
            while running:
                await sink(await running.popleft())
    except BaseExceptionGroup as exc:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A group of Python 3.11 forgets this when a job fails in the same moment.
            raise asyncio.CancelledError from None
        # One reason is enough for the caller, and he acts on its class. What ended the
        # loop above is the last one: a job that fails meanwhile must not hide it.
        raise exc.exceptions[-1] from None


async def _run(job: Callable[[], Awaitable[T]]) -> T:
    return await job()
