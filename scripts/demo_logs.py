"""
Two signed logs of the demo, on loopback, until Ctrl-C.

    python -m scripts.demo_logs demo

One speaks static-ct-api, the other RFC 6962. They hold certificates for the names of
the recorded feed, issued here and now; a third of them are in both. Prints the path of
the log list that names them, which is all that a reader of logs has to be told.
"""

import gzip
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.fakes.log import FakeLog
from tests.fakes.logentries import FakeEntry, Issuer
from tests.fakes.logserver import Front, LogServer

_RECORDING = Path(__file__).resolve().parent.parent / "conf" / "demo_feed.jsonl.gz"
_TILED = "tiled.demo.example/2026"
_RFC6962 = "rfc6962.demo.example/2026"
_BOTH_EVERY = 3
_STEP_MS = 200  # the entries came so far apart


def serve(directory: Path) -> tuple[Path, Callable[[], None]]:
    """
    Starts the logs.

    Args:
        directory: the log list is written there.

    Returns:
        The path of the log list, and what stops the logs.
    """
    entries = list(_entries())
    tiled = FakeLog(_TILED, entries)
    also = FakeLog(_RFC6962, entries[::_BOTH_EVERY], has_leaf_index=False)
    server = LogServer(
        Front(tiled, "tiled", operator="Demo Tiled"),
        Front(also, "rfc6962", is_tiled=False, operator="Demo RFC 6962"),
    )
    server.__enter__()
    log_list = directory / "log_list.json"
    log_list.write_bytes(server.log_list())
    return log_list, lambda: server.__exit__(None, None, None)


def _entries() -> Iterator[FakeEntry]:
    """As they stand in the recording: precertificates and certificates, interleaved."""
    issuer = Issuer("Issuing CA of the demo")
    issued: dict[tuple[str, ...], list[FakeEntry]] = {}
    lines = gzip.decompress(_RECORDING.read_bytes()).splitlines()
    started_ms = time.time_ns() // 1_000_000 - len(lines) * _STEP_MS
    for number, line in enumerate(lines):
        message = json.loads(line)["data"]
        names = tuple(message["leaf_cert"]["all_domains"])
        if names not in issued:
            issued[names] = issuer.entries([names], start_ms=started_ms)
        precert, certificate = issued[names]
        is_precert = message["update_type"] == "PrecertLogEntry"
        entry = precert if is_precert else certificate
        yield entry.at(started_ms + number * _STEP_MS)


def main(arguments: Sequence[str]) -> int:
    """Serves until it is interrupted."""
    if len(arguments) != 1:
        print("usage: python -m scripts.demo_logs DIRECTORY", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(exist_ok=True)
    log_list, stop = serve(directory)
    print(f"Two signed logs are served on this machine, until Ctrl-C: {log_list}")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    finally:
        stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
