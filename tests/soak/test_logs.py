"""The daemon on logs that grow for SOAK_SECONDS."""

import os
from pathlib import Path

import pytest

from bench.logfiles import KEYWORDS, write_log
from bench.logs import GrowingLogs, measured_live
from bench.processes import Cores

_SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
_LOGS = 40
_RATE = 2000.0  # entries/s of all logs; CT as a whole has some hundred
_FIRST_ENTRIES = 30_000  # at which `bench.growing` begins, the largest log
_MOST_MB = 250.0

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not _SECONDS, reason="SOAK_SECONDS is not set"),
    pytest.mark.timeout(_SECONDS + 240),
]


def test_logs_that_grow_are_kept_up_with_in_bounded_memory(tmp_path: Path) -> None:
    seconds = max(_SECONDS, 40.0)  # the first poll comes after 15
    cores = Cores.of_this_machine()
    tree = write_log(tmp_path / "tree", _FIRST_ENTRIES + int(_RATE / _LOGS * seconds))
    with GrowingLogs(tree.directory, _LOGS, _RATE, cores.load) as logs:
        run = measured_live(logs, seconds, KEYWORDS, tmp_path, cores)
    assert run.flaws == ()
    assert run.rss_mb <= _MOST_MB
