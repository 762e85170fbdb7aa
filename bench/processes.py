"""Child processes of a run: each on its core, watched, and never left behind."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bench.machine import CHECKOUT

TIMEOUT_S = 120.0
_SHOWN_CHARACTERS = 2000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A measurement could not be made; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where what is measured runs, and where what feeds it; None: anywhere."""

    measured: int | None
    load: int | None

    @classmethod
    def of_this_machine(cls) -> "Cores":
        """
        Two cores that this process may use; none where the system cannot tell.

        The first and the last: neighbours are often two threads of one core.
        """
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1]) if len(usable) > 1 else cls(None, None)

    def __str__(self) -> str:
        if self.measured is None:
            return "not pinned"
        return f"measured on core {self.measured}, load on core {self.load}"


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What this thread starts inside runs on `core`."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """
    A program that runs in the checkout, its output read line by line as it comes.

    Killed at the end of the `with` block if it still runs.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        core: int | None,
        on_line: Callable[[str], None] | None = None,
        *,
        program: str = sys.executable,
    ) -> None:
        """
        Args:
            arguments: behind the name of the program.
            on_line: takes each line of standard output, in a thread of its own;
                without it `line` hands them out.
        """
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._on_line = on_line or self._lines.put
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 closed by __exit__
        self._name = " ".join(str(argument) for argument in arguments[:2])
        with on_core(core):
            self.process = subprocess.Popen(
                [program, *map(str, arguments)],
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                # Ctrl-C reaches the bench alone, which then ends its children.
                start_new_session=True,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                stream.close()

    def told(self, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """The next line, which is a JSON object; raises BenchError when none comes."""
        told = self.told_within(timeout_s)
        if told is None:
            raise BenchError(f"{self._name} said nothing for {timeout_s:.0f} s")
        return told

    def told_within(self, seconds: float) -> dict[str, Any] | None:
        """The next line if one comes in time; raises BenchError when it has ended."""
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return None
        if not line:
            raise BenchError(f"{self._name} ended early\n{self.errors()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def go(self) -> None:
        """Sends the line for which `--hold` waits."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        """Asks it to end."""
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> int:
        """Its exit code, once it has ended; raises BenchError."""
        try:
            code = self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{self._name} did not end on SIGTERM") from None
        self._reader.join()
        return code

    def has_ended(self) -> bool:
        """Whether it did; its figures can still be read, until `end`."""
        kept = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, kept) is not None

    def errors(self) -> str:
        """The end of what it wrote on standard error."""
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")[-_SHOWN_CHARACTERS:]

    def cpu_s(self) -> float:
        """Seconds of the processor used until now; also true just after its end."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / _TICKS_PER_S

    def rss_mb(self, *, highest: bool = False) -> float:
        """Memory in use now, or the most so far; 0 when it has ended."""
        key = "VmHWM:" if highest else "VmRSS:"
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) / 1024
        return 0.0

    def _read(self) -> None:
        stream: IO[str] | None = self.process.stdout
        assert stream is not None
        for line in stream:
            self._on_line(line)
        if self._on_line == self._lines.put:
            self._lines.put("")


def wait_until(
    true: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S
) -> None:
    """Returns once `true()` holds; raises BenchError."""
    deadline_s = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline_s:
            raise BenchError(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(0.005)
