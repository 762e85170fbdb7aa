"""The replay source: a recorded feed out of a file, one message a line."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Batch
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.message import is_heartbeat
from ctmonitor.sources.screen import screen

_BLOCK_BYTES = 512 * 1024


class ReplaySource:
    """
    Batches of a file of JSON lines, gzip or not; ends with the file.
    """

    def __init__(
        self,
        path: Path,
        scanner: Scanner | None,
        max_message_bytes: int,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        """
        Args:
            max_message_bytes: a longer line is counted as malformed and passed over.
            on_progress: told how many bytes of the file have been read.
        """
        self._path = path
        self._scanner = scanner
        self._max_bytes = max_message_bytes
        self._on_progress = on_progress
        self._stopped = False

    def use(self, scanner: Scanner | None) -> None:
        self._scanner = scanner

    def stop(self) -> None:
        self._stopped = True

    async def batches(self) -> AsyncIterator[Batch]:
        try:
            with self._path.open("rb") as raw:
                for lines, too_long in self._blocks(raw):
                    if self._stopped:
                        return
                    yield self._batch(lines, too_long)
                    await asyncio.sleep(0)  # signals get their turn
                    if self._on_progress is not None:
                        self._on_progress(raw.tell())
        except (OSError, EOFError, zlib.error) as exc:
            # gzip.BadGzipFile is an OSError; EOFError is a file cut short.
            reason = getattr(exc, "strerror", None) or exc
            raise SourceError(
                f"Replay_File {str(self._path)!r} cannot be read to its end: {reason}. "
                "What stood before was judged; check the file, or record it anew."
            ) from exc

    def _batch(self, lines: list[bytes], too_long: int) -> Batch:
        messages = [line for line in lines if not is_heartbeat(line)]
        batch = screen(messages, self._scanner, self._path.name)
        if not too_long:
            return batch
        counts = replace(
            batch.counts,
            messages=batch.counts.messages + too_long,
            malformed={**batch.counts.malformed, "line too long": too_long},
        )
        sample = f"a line of over {self._max_bytes} bytes ([SOURCES] Max_Message_MB)"
        return replace(batch, counts=counts, samples=(*batch.samples, sample))

    def _blocks(self, raw: BufferedReader) -> Iterator[tuple[list[bytes], int]]:
        """Lines that stand together, and the number of those that were too long."""
        is_gzip = raw.peek(2)[:2] == b"\x1f\x8b"
        stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        parts: list[bytes] = []  # of a line that goes on
        size = 0
        # read1, since read would lose what stands before the end of a cut file.
        while block := stream.read1(_BLOCK_BYTES):
            first, *others = block.split(b"\n")
            size += len(first)
            if size <= self._max_bytes:
                parts.append(first)
            else:
                parts.clear()  # too long: only its length is of interest
            if not others:
                continue
            lines = [b"".join(parts), *others[:-1]]
            kept = [line for line in lines if len(line) <= self._max_bytes]
            too_long = len(lines) - len(kept) + (size > self._max_bytes)
            yield [line for line in kept if line.strip()], too_long
            parts, size = [others[-1]], len(others[-1])
        if size > self._max_bytes:
            yield [], 1
        elif b"".join(parts).strip():
            yield [b"".join(parts)], 0
