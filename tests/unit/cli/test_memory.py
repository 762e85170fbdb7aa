"""The memory of a program, in a process of its own since it cannot be set back."""

import subprocess
import sys

_PROGRAM = """
import gc, weakref
from ctmonitor.cli import memory
memory.settle()
assert gc.get_freeze_count() > 1000, gc.get_freeze_count()
first, *_ = gc.get_threshold()
assert first == 50_000 and gc.isenabled()
blocks = [bytes(1 << size) for size in range(27)]  # some of them mapped apart
del blocks
class Ring: pass
ring = Ring()
ring.itself = ring
seen = weakref.ref(ring)
del ring
gc.collect()
assert seen() is None
"""


def test_a_settled_process_still_frees_what_is_not_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
