"""Several runs on the states of one store, and one that is killed in the middle."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ctmonitor.errors import Busy
from ctmonitor.model.clock import now_utc
from tests.unit.store.making import CHILD_ENVIRONMENT
from tests.unit.store.watching import DOMAIN, Kept

Process = subprocess.Popen[str]
Start = Callable[..., Process]
_PATIENCE_S = 60

OPEN = """
import json, os, sys, time
from contextlib import ExitStack
from pathlib import Path
from ctmonitor.errors import Busy
from ctmonitor.model.clock import now_utc
from ctmonitor.model.own import DomainState, Mark, OwnSource
from tests.unit.store.making import Place
from tests.unit.store.watching import Kept, message
from ctmonitor.store.ownplace import open_states

state, endpoint, db_file, url, *more = sys.argv[1:]
if state:
    states = open_states(state, endpoint)
else:
    place = Place(Path(db_file) if db_file else None, url)
    states = place.open(now=now_utc).own_states()
owner = str(os.getpid())
"""

# Takes the lock, saves a state with a message, and is killed before it tells it.
VICTIM = """
with states.lock(owner, 1.5):
    states.save(DomainState("example.com"), [message()])
    print("saved", flush=True)
    time.sleep(600)
"""

# Counts in the position of a mark; whoever is refused comes again.
COUNTER = """
done = refused = 0
while done < 8:
    try:
        with states.lock(owner, 60):
            state = states.load("example.com") or DomainState("example.com")
            mark = state.marks.setdefault(OwnSource.CRTSH, Mark("0"))
            mark.position = str(int(mark.position) + 1)
            time.sleep(0.01)
            states.save(state, [message(f"own:{mark.position}:webhook")])
            done += 1
    except Busy:
        refused += 1
    time.sleep(0.005)
print(json.dumps(refused))
"""


@pytest.fixture
def start(kept: Kept) -> Iterator[Start]:
    """Starts a program on the store; none outlives the test."""
    processes: list[Process] = []
    database = ("", "")
    if kept.place is not None:
        database = (str(kept.place.db_file or ""), kept.place.url)
    state = "" if kept.place is not None else kept.address
    endpoint = kept.s3.url if kept.s3 is not None else ""

    def start_program(program: str) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-c", OPEN + program, state, endpoint, *database],
            env=CHILD_ENVIRONMENT | kept.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start_program
    for process in processes:
        process.kill()
        process.communicate()


def told(process: Process) -> Any:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_run_that_is_killed_keeps_nobody_out_for_long_and_loses_nothing(
    kept: Kept, start: Start
) -> None:
    victim = start(VICTIM)
    assert told(victim) == "saved", victim.communicate()
    with kept.open(now_utc) as states:
        with pytest.raises(Busy), states.lock("b", 60):
            pytest.fail("two runs at once")
        victim.kill()
        victim.wait()
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with states.lock("b", 60):
                    assert states.load(DOMAIN) is not None
                    (item,) = states.box().due(now_utc(), 9, 60, "s")
                    states.box().sent([item.id], now_utc())
                break
            except Busy:
                assert time.monotonic() < until, "the lease does not end"
                time.sleep(0.05)
        with states.lock("c", 60):
            states.load(DOMAIN)
            assert states.box().pending() == 0


@pytest.mark.parametrize(
    "kept",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        "directory",
    ],
    indirect=True,
)
def test_of_many_runs_at_once_each_sees_what_the_others_did(
    kept: Kept, start: Start
) -> None:
    for process in [start(COUNTER), start(COUNTER)]:
        output, errors = process.communicate(timeout=_PATIENCE_S)
        assert process.returncode == 0, errors
        assert json.loads(output) >= 0
    with kept.open() as states, states.lock("a", 60):
        state = states.load(DOMAIN)
        assert state is not None
        assert [mark.position for mark in state.marks.values()] == ["16"]
        assert states.box().pending() == 16
