"""The daemon blasted for SOAK_SECONDS, and held up by a slow database meanwhile."""

import os
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench.feed import DaemonRun, Load, LoadServer, growth, run_daemon
from bench.load import DEFAULT_KEYWORDS, MAX_ROUND, POOL, SOURCES, Options, Pool
from bench.processes import Child, Cores

_SECONDS = float(os.environ.get("SOAK_SECONDS", "0"))
# In a short run the database's cache has to have its size within the first seconds;
# in a long one as many would make a database of many gigabytes.
_HITS = 0.1 if _SECONDS < 120 else 0.01
_MOST_MB = 150.0
_MOST_GROWTH = 1.10  # see `growth`

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not _SECONDS, reason="SOAK_SECONDS is not set"),
    pytest.mark.timeout(_SECONDS + 240),
]

# Holds the only write lock of a database for 3 s of every 5 s.
_GREEDY = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
while True:
    connection.execute("BEGIN EXCLUSIVE")
    print('{"locked": true}', flush=True)
    time.sleep(3)
    connection.execute("ROLLBACK")
    time.sleep(2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a space in its name."""
    path = tmp_path / "a folder"
    path.mkdir()
    return path


def stored(folder: Path, statement: str) -> list[tuple[object, ...]]:
    """What a statement gives, asked by a program that is not ours."""
    with closing(sqlite3.connect(folder / "found.sqlite3")) as connection:
        return connection.execute(statement).fetchall()


def check_end(run: DaemonRun) -> None:
    """Whatever it went through: the daemon ends well and has counted everything."""
    assert run.code == 0, run.log
    assert "Traceback" not in run.log
    assert run.tally["malformed"] == 0
    assert run.tally["messages"] + run.tally["dropped"] == run.sent["messages"]


@pytest.mark.parametrize("kind", ["lite", "full"])
def test_memory_stays_flat_and_nothing_is_lost_without_a_count(
    kind: str, folder: Path
) -> None:
    cores = Cores.of_this_machine()
    load = Load(kind, seconds=_SECONDS, hits=_HITS)
    with LoadServer(load, cores.load) as server:
        run = run_daemon(server, folder, cores.measured)
    check_end(run)
    assert run.tally["findings"] <= run.sent["hits"]
    assert run.sent["hits"] - run.tally["findings"] <= run.tally["dropped"]
    hosts = stored(folder, "SELECT count(*), count(DISTINCT Domain) FROM CertMon")
    assert hosts == [(run.tally["findings"],) * 2]
    assert run.highest_rss_mb <= _MOST_MB
    assert len(run.rss_mb) >= 30, "memory was looked at too rarely"
    assert growth(run.rss_mb) < _MOST_GROWTH


@pytest.mark.parametrize("queue_messages", [1_000, 20_000])
def test_a_slow_database_loses_nothing_that_is_not_recorded_as_a_gap(
    queue_messages: int, folder: Path
) -> None:
    """2,000 messages/s while another program locks the database 3 s of every 5 s."""
    cores = Cores.of_this_machine()
    load = Load(seconds=min(_SECONDS, 120.0), rate=2000.0)
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer(load, cores.load))

        def lock_now() -> None:
            database = folder / "found.sqlite3"
            greedy = Child(("-c", _GREEDY, database), cores.load)
            stack.enter_context(greedy).told()

        run = run_daemon(
            server,
            folder,
            cores.measured,
            queue_messages=queue_messages,
            before_sending=lock_now,
        )
    check_end(run)
    if queue_messages == 1_000:
        assert run.tally["dropped"] > 0, "6,000 messages found room in a queue of 1,000"
    else:
        assert run.tally["dropped"] == 0, run.log
    gaps = stored(
        folder,
        "SELECT log, index_start, index_end, lost FROM ctm_gap WHERE cause='overflow'",
    )
    assert sum(int(str(lost)) for *_, lost in gaps) == run.tally["dropped"]
    hosts = {host for (host,) in stored(folder, "SELECT Domain FROM CertMon")}
    assert len(hosts) == run.tally["findings"]
    pool = Pool(Options("lite", 0.01, 0.0, DEFAULT_KEYWORDS, False, False, seed=1))
    for number in range(run.sent["hits"]):
        host = f"login-paypal-{number:09d}.example.com"
        if host not in hosts:
            log, index = place_of_hit(pool, number)
            assert any(
                log in str(where) and int(str(start)) <= index < int(str(end))
                for where, start, end, _ in gaps
            ), f"{host}, index {index} of {log}, is neither stored nor in a gap"


def place_of_hit(pool: Pool, number: int) -> tuple[str, int]:
    """Log and index of a load server's hit, which are counted from 0."""
    slots = [
        slot
        for slot in range(POOL)
        if pool.hits_before[slot] != pool.hits_before[slot + 1]
    ]
    round_, which = divmod(number, len(slots))
    position, source = divmod(slots[which], SOURCES)
    return f"log{source}.bench", ((source + 1) * MAX_ROUND + round_) * 1000 + position
