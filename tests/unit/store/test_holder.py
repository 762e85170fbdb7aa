"""Whether the holder of a lock is still there."""

import subprocess
import sys

import pytest

from ctmonitor.store.holder import is_gone, this_process

TELLS = """
from ctmonitor.store.holder import this_process
print(this_process(), flush=True)
input()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_process_that_was_killed_is_gone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TELLS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        holder = child.stdout.readline().rstrip("\n")
        assert not is_gone(holder)
        where, pid, since, token = holder.split(" ")
        # Its number, given to another process.
        assert is_gone(f"{where} {pid} {int(since) - 1} {token}")
        child.kill()
        child.wait()
        assert is_gone(holder)


def test_a_process_is_not_gone_itself_and_has_many_names() -> None:
    assert not is_gone(this_process())
    assert this_process() != this_process()


@pytest.mark.parametrize("count", range(5))
def test_of_others_nobody_can_tell(count: int) -> None:
    where = this_process().partition(" ")[0]
    holder = [
        "host-0123456789abcdef",
        "",
        "another/pid:[1] 999999 1 ab",
        f"{where} {'9' * 30} 1 ab",
        f"{where} x 1 ab",
    ][count]
    assert not is_gone(holder)
