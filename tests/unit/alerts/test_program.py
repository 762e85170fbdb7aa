"""Programs of other people: fed, bounded, and ended with all that they started."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from ctmonitor.alerts.program import Ended, Programs

_ENVIRONMENT = {"PATH": os.defpath}


def run(
    script: str, given: bytes = b"", *, timeout_s: float = 30.0, max_output: int = 1000
) -> Ended:
    """How a Python script ended."""
    programs = Programs(1, timeout_s=timeout_s, max_output=max_output)
    command = (sys.executable, "-c", script)
    return asyncio.run(programs.run(command, given, _ENVIRONMENT, with_errors=True))


def is_alive(pid: int) -> bool:
    """A zombie, which nobody has waited for yet, is dead."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(pid: int) -> bool:
    """Whether a process that was killed is gone; the kernel takes a moment."""
    for _ in range(200):
        if not is_alive(pid):
            return True
        time.sleep(0.01)
    return False


def number_in(file: Path) -> int:
    """The number that a script writes into a file, at some time."""
    for _ in range(1000):
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.01)
    raise AssertionError(f"{file} was not written")


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 1_000_000])
def test_everything_given_is_read(size: int) -> None:
    script = "import sys; print(len(sys.stdin.buffer.read()))"
    assert run(script, b"x" * size) == Ended(0, f"{size}\n".encode())


def test_a_program_that_does_not_read_is_not_waited_for() -> None:
    assert run("print('done')", b"x" * 1_000_000) == Ended(0, b"done\n")


def test_a_program_that_closes_its_input_goes_on() -> None:
    script = "import os, time; os.close(0); time.sleep(0.3); print('done')"
    assert run(script, b"x" * 1_000_000) == Ended(0, b"done\n")


def test_exit_codes_and_both_outputs_come_back() -> None:
    script = "import sys; print('a', flush=True); print('b', file=sys.stderr); exit(3)"
    assert run(script) == Ended(3, b"a\nb\n")


def test_a_flood_is_read_and_cut() -> None:
    script = "import sys; sys.stdout.write('x' * 20_000_000); sys.exit(4)"
    assert run(script) == Ended(4, b"x" * 1000)


def test_an_endless_flood_ends_with_its_time() -> None:
    ended = run("while True: print('x' * 1000)", timeout_s=0.5)
    assert ended.code is None
    assert len(ended.output) <= 1000


def test_what_hangs_is_killed_whatever_it_thinks_of_signals() -> None:
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    assert run(script, timeout_s=0.5) == Ended(None, b"")


def test_a_child_that_keeps_the_output_open_does_not_hold_us() -> None:
    script = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "print(subprocess.Popen(command).pid)\n"
    )
    ended = run(script, timeout_s=30)
    os.kill(int(ended.output), signal.SIGKILL)
    assert ended.code == 0


def test_a_cancelled_call_kills_the_program_and_its_children(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "child = subprocess.Popen(command)\n"
        f"print(child.pid, file=open({str(pid_file)!r}, 'w'), flush=True)\n"
        "time.sleep(60)\n"
    )

    async def start_and_cancel() -> None:
        programs = Programs(1, timeout_s=60, max_output=1000)
        command = (sys.executable, "-c", script)
        async with asyncio.TaskGroup() as group:
            running, queued = (
                group.create_task(
                    programs.run(command, b"", _ENVIRONMENT, with_errors=True)
                )
                for _ in range(2)
            )
            await asyncio.to_thread(number_in, pid_file)
            running.cancel()
            queued.cancel()
        assert running.cancelled()
        assert queued.cancelled()

    asyncio.run(start_and_cancel())
    assert wait_for_end(number_in(pid_file))


def test_only_so_many_run_at_once(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "mine = folder / str(os.getpid()); mine.touch()\n"
        "time.sleep(0.1)\n"
        "print(len(list(folder.iterdir()))); mine.unlink()\n"
    )
    programs = Programs(2, timeout_s=30, max_output=100)

    async def run_many() -> list[Ended]:
        command = (sys.executable, "-c", script)
        return await asyncio.gather(
            *(
                programs.run(command, b"", _ENVIRONMENT, with_errors=True)
                for _ in range(6)
            )
        )

    counts = [int(ended.output) for ended in asyncio.run(run_many())]
    assert max(counts) == 2


def test_what_cannot_be_started_raises() -> None:
    programs = Programs(1, timeout_s=1, max_output=100)
    with pytest.raises(FileNotFoundError):
        asyncio.run(programs.run(("/nowhere/at/all",), b"", {}, with_errors=True))
