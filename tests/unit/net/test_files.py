"""The limit of open files, in processes of their own: a lowered one stays lowered."""

import subprocess
import sys

import pytest

from tests.unit.store.making import CHILD_ENVIRONMENT

PROGRAM = """
import logging, resource, sys
from ctmonitor.net.files import raise_file_limit

logging.basicConfig(format="%(message)s", stream=sys.stdout)
soft, hard, concurrency = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
allowed = raise_file_limit(concurrency)
print(allowed, *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "concurrency", "allowed", "soft_then"),
    [
        (100, 400, 10, 10, 100),  # enough: 10 * 3 + 64
        (93, 400, 10, 10, 94),  # one is missing
        (100, 400, 112, 112, 400),
        (100, 400, 113, 112, 400),
        (100, 400, 1000, 112, 400),
        (64, 64, 1000, 1, 64),
        (70, 70, 2, 2, 70),
    ],
)
def test_the_soft_limit_is_raised_and_else_concurrency_lowered(
    soft: int, hard: int, concurrency: int, allowed: int, soft_then: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, (soft, hard, concurrency))],
        env=CHILD_ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    *said, last = done.stdout.splitlines()
    assert last == f"{allowed} {soft_then} {hard}"
    lowered = f"Concurrency is lowered from {concurrency} to {allowed}"
    assert [lowered in line for line in said] == [True] * (allowed < concurrency)
