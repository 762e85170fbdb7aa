"""The replay source: a recorded feed out of a file, one message a line."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO

from ctmonitor.errors import SourceError
from ctmonitor.model.batch import Batch
from ctmonitor.sources.base import Scanner
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
        feed = self._path.name
        try:
            with self._path.open("rb") as raw:
                for lines in self._blocks(raw):
                    if self._stopped:
                        return
                    yield screen(lines, self._scanner, feed)
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

    def _blocks(self, raw: IO[bytes]) -> Iterator[list[bytes]]:
        is_gzip = raw.peek(2)[:2] == b"\x1f\x8b"  # type: ignore[attr-defined]
        stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
        rest = b""
        while block := stream.read(_BLOCK_BYTES):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            if len(rest) > self._max_bytes:
                raise SourceError(
                    f"Replay_File {str(self._path)!r} has a line of over "
                    f"{self._max_bytes} bytes ([SOURCES] Max_Message_MB)."
                )
            yield [line for line in lines if line.strip()]
        if rest.strip():
            yield [rest]
