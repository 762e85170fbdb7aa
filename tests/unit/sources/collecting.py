"""Runs a source until enough has come, and keeps what it gave."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ctmonitor.model.batch import Batch, Cursor, Gap, GapCause, Sighting
from ctmonitor.sources.base import Source


@dataclass
class Collected:
    """The batches so far; `ended_s` is how long the end took after the stop."""

    batches: list[Batch] = field(default_factory=list)
    ended_s: float = 0.0

    @property
    def messages(self) -> int:
        return sum(batch.counts.messages for batch in self.batches)

    @property
    def dropped(self) -> int:
        return sum(batch.counts.dropped for batch in self.batches)

    @property
    def reconnects(self) -> int:
        return sum(batch.counts.reconnects for batch in self.batches)

    @property
    def sightings(self) -> list[Sighting]:
        return [sighting for batch in self.batches for sighting in batch.sightings]

    @property
    def names(self) -> list[str]:
        return [name for sighting in self.sightings for name in sighting.names]

    @property
    def malformed(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for batch in self.batches:
            for kind, count in batch.counts.malformed.items():
                found[kind] = found.get(kind, 0) + count
        return found

    @property
    def told(self) -> list[Gap]:
        """Every gap as often as it was told."""
        return [gap for batch in self.batches for gap in batch.gaps]

    @property
    def gaps(self) -> list[Gap]:
        """Each gap once, as it was told last; a store does the same."""
        last: dict[tuple[str, GapCause, datetime, str, int | None], Gap] = {}
        for gap in self.told:
            last[gap.feed, gap.cause, gap.start, gap.log, gap.index_start] = gap
        return list(last.values())

    @property
    def cursors(self) -> list[Cursor]:
        return [b.cursor for b in self.batches if b.cursor is not None]


def collect(
    source: Source,
    until: Callable[[Collected], bool] = lambda got: False,
    *,
    timeout_s: float = 20.0,
    pause_s: float = 0.0,
    stop_after_s: float | None = None,
    into: Collected | None = None,
) -> Collected:
    """
    What `source` gives until it ends by itself, or `until` is true and it is stopped.

    Args:
        pause_s: how long the consumer takes for each batch, as a slow store would.
        stop_after_s: stop then, whatever has come.
        into: takes the batches, for who expects an error at the end.

    Raises:
        TimeoutError: `until` was still false; the source was stopped nevertheless.
    """
    got = Collected() if into is None else into

    async def watch(ended: asyncio.Event) -> None:
        began_s = time.monotonic()
        while not ended.is_set():
            passed_s = time.monotonic() - began_s
            if stop_after_s is not None and passed_s >= stop_after_s:
                break
            if until(got):
                break
            if passed_s >= timeout_s:
                source.stop()
                raise TimeoutError(f"in vain: {got}")
            await asyncio.sleep(0.02)
        stopped_s = time.monotonic()
        source.stop()
        await ended.wait()
        got.ended_s = time.monotonic() - stopped_s

    async def consume(ended: asyncio.Event) -> None:
        try:
            async for batch in source.batches():
                got.batches.append(batch)
                await asyncio.sleep(pause_s)
        finally:
            ended.set()

    async def run() -> None:
        ended = asyncio.Event()
        await asyncio.gather(consume(ended), watch(ended))

    asyncio.run(run())
    return got


def message(
    index: int,
    *,
    name: str = "",
    log: str = "https://log.example/2026/",
    seen: float | None = None,
) -> bytes:
    """A lite message as the Go server writes it, with the name `n<index>.example`."""
    data = {
        "cert_index": index,
        "leaf_cert": {
            "all_domains": [name or f"n{index}.example"],
            "subject": {"CN": ""},
        },
        "seen": time.time() if seen is None else seen,
        "source": {"name": "A log", "url": log},
        "update_type": "X509LogEntry",
    }
    update = {"data": data, "message_type": "certificate_update"}
    return json.dumps(update, separators=(",", ":")).encode()


HEARTBEAT = b'{"message_type":"heartbeat","timestamp":1.5}'
