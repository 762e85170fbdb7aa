"""Three scanners on one database at the same time, one of which is killed."""

import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ctmonitor.model.clock import now_utc
from tests.unit.store.making import Place
from tests.unit.store.visiting import record

ROOT = Path(__file__).parents[3]
HOSTS = 400
# Only the scanner that is killed has short leases: one that lives may be slow.
SHORT_S, LONG_S = 2.0, 60.0

# Claims and visits until nothing is due and nothing is leased; each visit is printed
# with its times before it is stored. The last argument: visits after which it hangs,
# as one does that is about to be killed.
SCANNER = """
import sys, time
from datetime import timedelta
from pathlib import Path
from ctmonitor.model.clock import now_utc
from tests.unit.store.making import Place
from tests.unit.store.visiting import item, visit

db_file, url, owner, lease_s, hangs_after = sys.argv[1:]
visited = 0
with Place(Path(db_file) if db_file else None, url).open() as store:
    hosts = store.followups()
    print("open", flush=True)
    sys.stdin.readline()
    while True:
        now = now_utc()
        due = hosts.claim(now, 20, float(lease_s), owner)
        if not due:
            if store.followups().due_count(now_utc() + timedelta(hours=1)) == 0:
                break
            time.sleep(0.05)
            continue
        for host in due:
            print(host.domain, now.timestamp(), flush=True)
        visited += len(due)
        if visited > int(hangs_after):
            print("hangs", flush=True)
            time.sleep(600)
        again = now_utc() + timedelta(days=1)
        lost = hosts.finish(
            [
                visit(host, at=now_utc(), again=again, outbox=(item(host.domain),))
                for host in due
            ],
            owner,
        )
        for host in lost:
            print("lost", host, flush=True)
"""


@contextmanager
def scanner(
    place: Place, owner: str, lease_s: float = LONG_S, hangs_after: int = 10**6
) -> Iterator["subprocess.Popen[str]"]:
    """A scanner that waits for a line before it begins."""
    process = subprocess.Popen(
        [
            sys.executable,
            *("-c", SCANNER, str(place.db_file or ""), place.url),
            *(owner, str(lease_s), str(hangs_after)),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def begin(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def visited(place: Place) -> int:
    """The number of hosts that were visited."""
    ((number,),) = place.sql("SELECT count(*) FROM ctm_followup WHERE visits > 0")
    return int(number)


def claims(output: str) -> list[tuple[str, float]]:
    """Hosts with the time at which they were claimed."""
    lines = [line.split() for line in output.splitlines() if line != "hangs"]
    assert not [line for line in lines if line[0] == "lost"]
    return [(host, float(claimed)) for host, claimed in lines]


def test_each_host_is_visited_by_one_although_a_scanner_is_killed(place: Place) -> None:
    record(place, *(f"h{number}.example" for number in range(HOSTS)))
    with (
        scanner(place, "a") as first,
        scanner(place, "b") as second,
        scanner(place, "c", SHORT_S, hangs_after=40) as dying,
    ):
        begin(dying)
        told = ""
        assert dying.stdout is not None
        while not told.endswith("hangs\n"):
            line = dying.stdout.readline()
            assert line, "the scanner that was to hang has ended"
            told += line
        for process in (first, second):
            begin(process)
        while visited(place) == 40:
            assert first.poll() is None
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        outputs = [told]
        for process in (first, second):
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            outputs.append(output)
    times: defaultdict[str, list[float]] = defaultdict(list)
    for output in outputs:
        for host, claimed in claims(output):
            times[host].append(claimed)
    assert len(times) == HOSTS
    twice = {host: sorted(when) for host, when in times.items() if len(when) > 1}
    # Those alone that the dead one had and did not finish, after its leases.
    unfinished = {host for host, _ in claims(told)[-20:]}
    assert set(twice) == unfinished
    for first_claim, second_claim in twice.values():
        assert second_claim - first_claim > SHORT_S - 0.001
    assert place.count("ctm_outbox") == HOSTS
    rows = place.sql("SELECT visits, lease_owner, last_visit FROM ctm_followup")
    assert {(visits, owner) for visits, owner, _ in rows} == {(1, "")}
    assert all(last_visit for _, _, last_visit in rows)


def test_scanners_that_begin_at_once_share_the_hosts(place: Place) -> None:
    """No lock escapes, also while a daemon writes; nobody gets what another has."""
    record(place, *(f"h{number}.example" for number in range(HOSTS)))
    place.sql('UPDATE "CertMon" SET ctm_id = NULL')  # as the old program leaves them
    with (
        scanner(place, "a") as one,
        scanner(place, "b") as two,
        scanner(place, "c") as three,
    ):
        scanners = (one, two, three)
        for process in scanners:
            begin(process)
        late = [f"late{number}.example" for number in range(10)]
        for host in late:
            record(place, host)
        outputs = []
        for process in scanners:
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            outputs.append(claims(output))
    seen = [host for output in outputs for host, _ in output]
    assert len(seen) == len(set(seen))
    every = {f"h{number}.example" for number in range(HOSTS)}
    assert every <= set(seen)
    with place.open() as store:
        left = store.followups().claim(now_utc(), 100, 60, "after")
    assert set(seen) | {host.domain for host in left} == every | set(late)
