"""Several sources as one: the batches of each as they come."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Batch
from ctmonitor.sources.base import Scanner, Source


class Streams:
    """
    Sources that are read at the same time, by one consumer.

    A source goes on when the batch that it gave last was stored: at the next call.
    """

    def __init__(self) -> None:
        self._streams: dict[Source, AsyncGenerator[Batch]] = {}
        self._steps: dict[asyncio.Task[Batch | None], Source] = {}
        self._given: Source | None = None  # whose batch is being stored

    def __bool__(self) -> bool:
        """Whether a source is left that has not ended."""
        return bool(self._streams)

    def __contains__(self, source: Source) -> bool:
        """Whether `source` was added and has not ended."""
        return source in self._streams

    def add(self, source: Source) -> None:
        """Read this one, too."""
        self._streams[source] = _stream(source)
        self._go_on(source)

    async def take(self, timeout_s: float | None = None) -> Batch | None:
        """
        The next batch of any; None after `timeout_s`, or when a source ended.

        Raises:
            SourceError: a source failed, and has ended by that.
        """
        if self._given is not None:
            self._go_on(self._given)
            self._given = None
        done, _ = await asyncio.wait(
            self._steps, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        # In the order in which they wait, so that none is left behind.
        for step, source in list(self._steps.items()):
            if step not in done:
                continue
            del self._steps[step]
            try:
                batch = step.result()
            except BaseException:
                del self._streams[source]
                raise
            if batch is None:
                del self._streams[source]
            else:
                self._given = source
            return batch
        return None

    async def close(self) -> None:
        """Leave what has not ended."""
        steps, self._steps = list(self._steps), {}
        for step in steps:
            step.cancel()
        await asyncio.gather(*steps, return_exceptions=True)
        while self._streams:
            _, stream = self._streams.popitem()
            await stream.aclose()

    def _go_on(self, source: Source) -> None:
        step = asyncio.ensure_future(anext(self._streams[source], None))
        self._steps[step] = source


class BothSources:
    """A feed and the logs, each with its own cursor; a `Source`."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    async def batches(self) -> AsyncIterator[Batch]:
        """
        The batches of either, until both have ended.

        Raises:
            SourceError: one failed; the other was stopped then, and read to its end.
        """
        streams = Streams()
        failure: SourceError | None = None
        try:
            for source in self._sources:
                streams.add(source)
            while streams:
                try:
                    batch = await streams.take()
                except SourceError as exc:
                    failure = failure or exc
                    self.stop()
                    continue
                if batch is not None:
                    yield batch
        finally:
            await streams.close()
        if failure is not None:
            raise failure

    def use(self, scanner: Scanner | None) -> None:
        """See `Source`."""
        for source in self._sources:
            source.use(scanner)

    def stop(self) -> None:
        """See `Source`."""
        for source in self._sources:
            source.stop()


async def _stream(source: Source) -> AsyncGenerator[Batch]:
    batches = source.batches()
    try:
        async for batch in batches:
            yield batch
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()
