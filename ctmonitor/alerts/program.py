"""
A program of somebody else's: what it is given, how long it may run, what it says.

Each runs in a process group of its own, which is killed when its time is over, so that
nothing it started stays behind.
"""

import asyncio
import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

_CHUNK_BYTES = 64 * 1024
_TICK_S = 0.05  # how late the end of a program is noticed


@dataclass(frozen=True, slots=True)
class Ended:
    """
    Args:
        code: exit code, negative for a signal; None when its time was over.
        output: the first bytes of what it wrote.
    """

    code: int | None
    output: bytes


class Programs:
    """
    Runs programs, a few at the same time.

    Args:
        timeout_s: for each.
        max_output: bytes of output that are kept; the rest is read and thrown away.
    """

    def __init__(self, at_once: int, *, timeout_s: float, max_output: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, "program")
        self._timeout_s = timeout_s
        self._max_output = max_output

    async def run(
        self,
        command: Sequence[str],
        given: bytes,
        environment: Mapping[str, str],
        *,
        with_errors: bool,
    ) -> Ended:
        """
        How the program ended. A cancelled call kills it first.

        Args:
            given: what it reads from standard input.
            with_errors: whether standard error counts as output; else it is dropped.

        Raises:
            OSError: it cannot be started.
        """
        stopping = threading.Event()

        def work() -> Ended:
            process = subprocess.Popen(  # noqa: S603 # the operator's own program
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
                bufsize=0,
            )
            return self._watched(process, given, stopping)

        queued = self._threads.submit(work)
        working = asyncio.wrap_future(queued)
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            stopping.set()
            if not queued.cancel():  # it has a thread, which ends within a tick
                await asyncio.wait({working})
            raise

    def _watched(
        self,
        process: "subprocess.Popen[bytes]",
        given: bytes,
        stopping: threading.Event,
    ) -> Ended:
        """
        Feeds and reads until the program has ended.

        Its end counts, not that of its output: a child that it left behind may hold
        that open for ever.
        """
        end_s = time.monotonic() + self._timeout_s
        output = bytearray()
        remaining = memoryview(given)
        assert process.stdin is not None  # noqa: S101 # for mypy: both are pipes
        assert process.stdout is not None  # noqa: S101
        with process.stdin, process.stdout, selectors.DefaultSelector() as selector:
            for pipe, what in (
                (process.stdin, selectors.EVENT_WRITE),
                (process.stdout, selectors.EVENT_READ),
            ):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, what)
            try:
                has_ended = False
                while not has_ended:
                    if time.monotonic() > end_s or stopping.is_set():
                        return Ended(None, bytes(output))
                    # What it wrote before its end is in the pipe by then.
                    has_ended = process.poll() is not None
                    for key, _ in selector.select(0 if has_ended else _TICK_S):
                        if key.fileobj is process.stdout:
                            self._read(process.stdout, output, selector, has_ended)
                        else:
                            remaining = _write(process.stdin, remaining, selector)
                return Ended(process.returncode, bytes(output))
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def _read(
        self,
        pipe: IO[bytes],
        output: bytearray,
        selector: selectors.BaseSelector,
        has_ended: bool,
    ) -> None:
        while chunk := pipe.read(_CHUNK_BYTES):
            output += chunk[: self._max_output - len(output)]
            if not has_ended or len(output) >= self._max_output:
                return
        if chunk == b"":
            selector.unregister(pipe)


def _write(
    pipe: IO[bytes], remaining: memoryview, selector: selectors.BaseSelector
) -> memoryview:
    """What is left to be written; the pipe is closed after the last byte."""
    try:
        remaining = remaining[pipe.write(remaining[:_CHUNK_BYTES]) or 0 :]
    except BrokenPipeError:  # the program does not want to read it
        remaining = remaining[:0]
    if not remaining:
        selector.unregister(pipe)
        pipe.close()
    return remaining
