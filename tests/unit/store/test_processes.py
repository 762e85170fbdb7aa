"""Several programs on one database at the same time, and one that is killed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.unit.store.making import CHILD_ENVIRONMENT, Place, finding

RUN_S = 3.0

# Each writes batches of hosts until told to stop, and prints what was new to it.
WRITER = """
import json, sys, time
from pathlib import Path
from tests.unit.store.making import Place, certificate, finding

db_file, url, until, prefix, size = sys.argv[1:]
place = Place(Path(db_file) if db_file else None, url)
new, number = [], 0
with place.open() as store:
    print("open", flush=True)
    while not number or time.time() < float(until):
        batch = []
        for _ in range(int(size)):
            host = f"{prefix}{number}.example"
            cert = certificate(host, "www." + host, serial=number, issuer_id="i")
            batch.append(finding(host, certificate=cert, log="l", index=number))
            number += 1
        new += [r.host for r in store.record(batch) if r.novelty.value == "new"]
print(json.dumps(new))
"""

READER = """
import json, sys, time
from pathlib import Path
from tests.unit.store.making import Place

db_file, url, until = sys.argv[1:]
place = Place(Path(db_file) if db_file else None, url)
print("open", flush=True)
rounds = 0
while not rounds or time.time() < float(until):  # once, however long the start took
    for host, detail in place.details().items():
        assert detail.reasons and detail.issuances, f"half a finding: {detail}"
        assert all(each.seen and len(each.names) == 2 for each in detail.issuances)
    rounds += 1
print(json.dumps(rounds))
"""


Process = subprocess.Popen[str]
Start = Callable[..., Process]


@pytest.fixture
def start(place: Place) -> Iterator[Start]:
    """Starts a program on the database; none outlives the test."""
    processes: list[Process] = []

    def start_program(program: str, *arguments: object) -> Process:
        database = (str(place.db_file or ""), place.url)
        process = subprocess.Popen(
            [sys.executable, "-c", program, *database, *map(str, arguments)],
            env=CHILD_ENVIRONMENT,
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


def result(process: Process) -> object:
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return json.loads(output.splitlines()[-1])


def test_two_writers_and_a_reader_do_not_disturb_each_other(
    place: Place, start: Start
) -> None:
    """No lock escapes, no finding is read in half, and each host is new to one."""
    place.open().close()
    until = time.time() + RUN_S
    writers = [start(WRITER, until, "h", size) for size in (20, 7)]
    reader = start(READER, until)
    first, second = (result(process) for process in writers)
    assert isinstance(first, list)
    assert isinstance(second, list)
    rounds = result(reader)
    assert isinstance(rounds, int)
    assert rounds >= 1
    assert not set(first) & set(second)
    assert len(first) + len(second) == len(set(first) | set(second))
    assert sorted(place.details()) == sorted(first + second)
    # Both met the same certificates: one issuance each.
    assert place.count("ctm_issuance") == place.count("CertMon")


def test_a_writer_that_is_killed_leaves_no_half_finding(
    place: Place, start: Start
) -> None:
    place.open().close()
    for attempt in range(3):
        writer = start(WRITER, time.time() + 60, f"k{attempt}-", 200)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        # Somewhere among its transactions; never the same place twice.
        while place.count("CertMon") < 600 * (attempt + 1):
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        details = place.details()
        assert len(details) % 200 == 0
        for detail in details.values():
            assert detail.reasons
            assert len(detail.issuances) == 1
            assert detail.issuances[0].seen
    with place.open() as store:
        (told,) = store.record([finding("after.example")])
    assert told.novelty.value == "new"


@pytest.mark.parametrize("round_number", range(3))
def test_programs_that_open_a_new_database_at_once_all_succeed(
    place: Place, start: Start, round_number: int
) -> None:
    until = time.time() + 0.5
    writers = [start(WRITER, until, f"w{n}-", 1) for n in range(3)]
    for process in writers:
        result(process)
    assert place.sql("SELECT version FROM ctm_migrations ORDER BY version")[0] == (1,)
