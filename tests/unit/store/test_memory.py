"""Answers that are remembered for a while, and budgets that are shared."""

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.store.making import NOON, ORIGINAL_TABLE, Place
from tests.unit.store.visiting import DAY, HOUR

ROOT = Path(__file__).parents[3]
TINY = timedelta(microseconds=1)


def test_an_answer_is_remembered_until_it_expires(place: Place) -> None:
    value = {"asn": ["1", "2"], "text": "\x00\u202e\ud800", "none": None}
    with place.open() as store:
        memory = store.memory()
        assert memory.get("prefix", "192.0.2.0/24", NOON) is None
        memory.put("prefix", "192.0.2.0/24", value, NOON + HOUR)
    with place.open() as store:
        memory = store.memory()
        assert memory.get("prefix", "192.0.2.0/24", NOON + HOUR - TINY) == value
        assert memory.get("prefix", "192.0.2.0/24", NOON + HOUR) is None
        assert memory.get("domain", "192.0.2.0/24", NOON) is None


def test_a_later_answer_takes_the_place_of_an_earlier_one(place: Place) -> None:
    with place.open() as store:
        memory = store.memory()
        memory.put("k", "key", {"n": 1}, NOON + DAY)
        memory.put("k", "key", {}, NOON + HOUR)
        assert memory.get("k", "key", NOON) == {}
        assert memory.get("k", "key", NOON + HOUR) is None


def test_keys_of_strangers_are_kept_apart_whatever_they_hold(place: Place) -> None:
    keys = ["a\x00b", "\ud800", "x" * 9999, "x" * 9999 + "y", "'; --", ""]
    with place.open() as store:
        memory = store.memory()
        for number, key in enumerate(keys):
            memory.put("k", key, {"n": number}, NOON + DAY)
        found = [memory.get("k", key, NOON) for key in keys]
    assert found == [{"n": number} for number in range(len(keys))]


def test_what_has_expired_is_removed_when_the_memory_is_opened(place: Place) -> None:
    with place.open() as store:
        store.memory().put("k", "old", {}, NOON)
        store.memory().put("k", "new", {}, NOON + TINY)
    with place.open() as store:
        store.memory()
    assert place.sql("SELECT key FROM ctm_memory") == [("new",)]


def test_a_budget_is_spent_to_its_limit_and_is_new_each_day_of_utc(
    place: Place,
) -> None:
    with place.open() as store:
        memory = store.memory()
        assert memory.take("b", 3, 5, NOON) == 3
        assert memory.take("b", 3, 5, NOON) == 2
        assert memory.take("b", 1, 5, NOON) == 0
        assert memory.take("b", 0, 9, NOON) == 0
        assert memory.take("b", -4, 9, NOON) == 0
        assert memory.take("b", 9, 4, NOON) == 0  # the limit was lowered
        assert memory.take("other", 9, 5, NOON) == 5
        midnight = datetime.fromisoformat("2026-11-22T01:00:00+01:00")
        assert memory.take("b", 9, 5, midnight - TINY) == 0
        assert memory.take("b", 9, 5, midnight) == 5
    rows = place.sql("SELECT name, day, spent FROM ctm_budget ORDER BY name, day")
    assert rows == [("b", "2026-11-22", 5), ("other", "2026-11-21", 5)]


def test_what_is_borrowed_begins_with_what_is_stored_and_stores_nothing(
    place: Place,
) -> None:
    with place.open() as store:
        memory = store.memory()
        memory.put("k", "known", {"n": 1}, NOON + HOUR)
        memory.take("b", 3, 10, NOON)
    with place.reader() as reader:
        borrowed = reader.memory()
        assert borrowed.get("k", "known", NOON) == {"n": 1}
        assert borrowed.get("k", "known", NOON + HOUR) is None
        borrowed.put("k", "known", {"n": 2}, NOON + 2 * HOUR)
        borrowed.put("k", "new", {"n": 3}, NOON + HOUR)
        assert borrowed.get("k", "known", NOON + HOUR) == {"n": 2}
        assert borrowed.get("k", "new", NOON) == {"n": 3}
        assert borrowed.get("k", "new", NOON + HOUR) is None
        assert [borrowed.take("b", 5, 10, NOON) for _ in range(3)] == [5, 2, 0]
        assert borrowed.take("b", 5, 4, NOON) == 0  # the limit was lowered
        assert borrowed.take("b", 5, 10, NOON + DAY) == 5
    (row,) = place.sql("SELECT key, value FROM ctm_memory")
    assert (row[0], json.loads(row[1])) == ("known", {"n": 1})
    assert place.sql("SELECT name, spent FROM ctm_budget") == [("b", 3)]


def test_a_database_of_the_old_program_lends_an_empty_memory(file: Place) -> None:
    file.sql(ORIGINAL_TABLE)
    with file.reader() as reader:
        borrowed = reader.memory()
        assert borrowed.get("k", "known", NOON) is None
        assert [borrowed.take("b", 3, 5, NOON) for _ in range(2)] == [3, 2]


SPENDER = """
import json, sys
from pathlib import Path
from tests.unit.store.making import NOON, Place

db_file, url = sys.argv[1:]
with Place(Path(db_file) if db_file else None, url).open() as store:
    memory = store.memory()
    print("open", flush=True)
    sys.stdin.readline()
    print(json.dumps(sum(memory.take("b", 3, 100, NOON) for _ in range(30))))
"""


@pytest.mark.parametrize("processes", [3])
def test_processes_that_share_a_budget_do_not_exceed_it(
    place: Place, processes: int
) -> None:
    place.open().close()
    command = [sys.executable, "-c", SPENDER, str(place.db_file or ""), place.url]
    started = [
        subprocess.Popen(
            command,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
        taken = []
        for process in started:  # each waits for its line, so they begin together
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        for process in started:
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            taken.append(json.loads(output))
    finally:
        for process in started:
            process.kill()
            process.communicate()
    assert sum(taken) == 100
