"""The scanner over many hosts, half of them dead, for about SOAK_SECONDS."""

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench.feed import growth
from bench.processes import Cores
from bench.scanning import HALF_DEAD, SiteServer, make_database, names, run_scanner
from bench.sites import is_up

_SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
_HOSTS = round(100_000 * _SECONDS / 600)  # what a slow machine visits in that time
_MOST_MB = 250.0
_MOST_GROWTH = 1.10  # see `growth`
# Short, since a time-out is no work: more hosts are visited in the time.
_TIMEOUT_S = 2.0

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not _SECONDS, reason="SOAK_SECONDS is not set"),
    pytest.mark.timeout(4 * _SECONDS + 240),
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A working directory; its alerts are tens of thousands of files."""
    path = tmp_path / "a folder"
    path.mkdir()
    yield path
    shutil.rmtree(path)


def test_every_host_is_visited_once_and_memory_stays_flat(
    folder: Path, tmp_path: Path
) -> None:
    cores = Cores.of_this_machine()
    hosts = names(HALF_DEAD, _HOSTS)
    up = [name for name in hosts if is_up(name)]
    make_database(folder / "found.sqlite3", hosts)
    with SiteServer(tmp_path / "sites", cores.load) as server:
        run = run_scanner(
            server,
            folder,
            cores.measured,
            timeout_s=_TIMEOUT_S,
            longest_s=4 * _SECONDS + 120,
        )
    assert run.code == 0, run.log
    assert "Traceback" not in run.log + (folder / "scan.log").read_text("utf-8")
    assert run.flaws(hosts) == ()
    assert Counter(run.printed) == Counter(hosts)
    with closing(sqlite3.connect(folder / "found.sqlite3")) as connection:
        visits = connection.execute(
            "SELECT Domain, visits, StillInvestig > '' FROM CertMon"
            " JOIN ctm_followup ON host_id = ctm_id"
        ).fetchall()
    came_up = set(up)
    assert sorted(visits) == sorted(
        (name, 1, 1 if name in came_up else None) for name in hosts
    )
    alerts = [path for path in (folder / "alerts").rglob("*.json")]
    assert len(alerts) == len(up)
    assert run.highest_rss_mb <= _MOST_MB
    assert len(run.rss_mb) >= 100, "memory was looked at too rarely"
    assert growth(run.rss_mb) < _MOST_GROWTH
