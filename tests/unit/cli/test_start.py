"""What a command does not need is not loaded: a start takes a fraction of a second."""

import subprocess
import sys

import pytest

_HEAVY = (
    "aiohttp",
    "apprise",
    "certstream",
    "cryptography",
    "hues",
    "hyperscan",
    "psycopg",
    "requests",
    "rich",
    "sqlalchemy",
)
_LOADED = f"""
import sys
import ctmonitor.cli.%s
print(*(name for name in {_HEAVY} if name in sys.modules))
"""


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ("check_rules", "hyperscan"),
        ("gethost", ""),
        ("scanhost", "aiohttp cryptography"),
        ("certstreammonitor", "certstream cryptography hyperscan"),
        ("watchdomains", ""),
        ("ctstream", "aiohttp certstream cryptography hyperscan"),
    ],
)
def test_a_command_begins_with_what_it_always_needs(command: str, needed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED % command],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (f"{needed}\n", "")
