"""
Who holds a lock, written so that another process can tell whether the holder still is.

A lease keeps others out for minutes after its holder was killed. Where both run on one
Linux, in the same namespace of process ids, that need not be waited for.

Source: proc_pid_stat(5), fields 3 and 22; pid_namespaces(7).
"""

import os
import secrets
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SPACE = Path("/proc/self/ns/pid")
_ENDED = {"Z", "X"}  # killed, and only not yet taken note of


def this_process() -> str:
    """A name for a holder in this process, unlike any other's."""
    try:
        where = f"{_BOOT.read_text('ascii').strip()}/{_SPACE.readlink()}"
        since = _since(os.getpid())
    except (OSError, ValueError):
        where = since = ""  # nobody can tell
    return f"{where} {os.getpid()} {since} {secrets.token_hex(8)}"


def is_gone(holder: str) -> bool:
    """Whether a holder is known to have ended; False where that cannot be told."""
    where, _, left = holder.partition(" ")
    mine, _, _ = this_process().partition(" ")
    parts = left.split(" ")
    if not where or where != mine or len(parts) != 3 or not parts[0].isdecimal():
        return False
    try:
        os.kill(int(parts[0]), 0)
        return _since(int(parts[0])) != parts[1]
    except ProcessLookupError:
        return True
    except (OSError, OverflowError, ValueError):
        return False  # it is there, and another user's


def _since(pid: int) -> str:
    """When a process began, in ticks of the machine's clock; empty: it ended."""
    # The name of the program stands in brackets, and may hold any.
    said = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    fields = said.rpartition(")")[2].split()
    return "" if fields[0] in _ENDED else fields[19]
