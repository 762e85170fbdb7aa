"""Clients of logs that we did not write: where they are, and how they are started."""

import os
import shutil
import subprocess
from pathlib import Path

from tests import data

_TIMEOUT_S = 60


def program(name: str, how_to_get: str) -> str:
    """
    Its path. The test is skipped by name without it, and fails when CI=true.

    Args:
        how_to_get: a command that installs it.
    """
    found = shutil.which(name)
    if found is None:
        data.missing(f"no program {name} in PATH", how_to_get)
    return found


def environment(home: Path) -> dict[str, str]:
    """Ours without proxies, which cannot reach servers of this machine."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy")
    }
    return {**kept, "HOME": str(home)}


def run(home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
