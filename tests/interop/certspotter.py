"""certspotter on a fake log: started, waited for, and what it found and verified."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.logserver import LogServer
from tests.interop.programs import environment

_MOST_S = 60
_LOG_ENTRY = re.compile(r"^\s*Log Entry = (\d+) @ ", re.MULTILINE)
_DNS_NAME = re.compile(r"^\s*DNS Name = (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Spotted:
    """
    Args:
        names: of every matching certificate, by its index in the log.
        verified_size: size of the tree whose root it computed itself and found signed.
        output: what it printed.
    """

    names: dict[int, frozenset[str]]
    verified_size: int
    output: str


def follow(
    program: str,
    server: LogServer,
    watched: Sequence[str],
    directory: Path,
    until: Callable[[int, str], bool],
) -> Spotted:
    """
    certspotter from its last position, or the beginning, until it says so.

    Args:
        watched: lines of a watch list; `.example.com` is the name and all below.
        directory: its state; a second start there goes on.
        until: is told the verified size and the output so far.

    Raises:
        TimeoutError: it did not get there.
    """
    directory.mkdir(exist_ok=True)
    (directory / "logs.json").write_bytes(server.log_list())
    (directory / "watchlist").write_text("".join(f"{line}\n" for line in watched))
    state = directory / "state"
    output = directory / "output"
    with output.open("a") as written:
        running = subprocess.Popen(
            [
                *(program, "-logs", str(directory / "logs.json")),
                *("-watchlist", str(directory / "watchlist")),
                *("-state_dir", str(state)),
                "-stdout",
                "-verbose",
            ],
            env=environment(directory),
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(lambda: until(_verified_size(state), output.read_text()), running)
        except TimeoutError as exc:
            raise TimeoutError(output.read_text()) from exc
        finally:
            running.terminate()
            running.wait()
    return Spotted(_names(state), _verified_size(state), output.read_text())


def _wait(is_done: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _MOST_S
    while not is_done():
        if time.monotonic() > deadline_s or running.poll() is not None:
            raise TimeoutError
        time.sleep(0.05)


def _verified_size(state: Path) -> int:
    size = -1
    for file in state.glob("logs/*/state.json"):
        try:
            kept: dict[str, Any] = json.loads(file.read_bytes())
        except ValueError:
            continue  # it is being written
        size = kept["verified_sth"]["tree_size"] if kept.get("verified_sth") else -1
    return size


def _names(state: Path) -> dict[int, frozenset[str]]:
    found = {}
    for file in state.glob("certs/*/*.txt"):
        text = file.read_text("utf-8")
        index = _LOG_ENTRY.search(text)
        assert index is not None, text
        found[int(index[1])] = frozenset(_DNS_NAME.findall(text))
    return found
