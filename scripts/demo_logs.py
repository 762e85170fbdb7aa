"""
Two signed logs of the demo, on loopback.

One speaks static-ct-api, the other RFC 6962. They hold certificates for the names of
the recorded feed, issued here and now; a third of them are in both. Their log list is
all that a reader of logs has to be told.
"""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.log import FakeLog
from tests.fakes.logentries import FakeEntry, Issuer
from tests.fakes.logserver import Front, LogServer

_RECORDING = Path(__file__).resolve().parent.parent / "conf" / "demo_feed.jsonl.gz"
_TILED = "tiled.demo.example/2026"
_RFC6962 = "rfc6962.demo.example/2026"
_BOTH_EVERY = 3
_STEP_MS = 200  # the entries came so far apart


class DemoLogs:
    """
    Serves the logs, from `__enter__` to `__exit__`.

    Args:
        directory: the log list is written there.
    """

    def __init__(self, directory: Path) -> None:
        entries = list(_entries())
        self._tiled = Front(FakeLog(_TILED, entries), "tiled", operator="Demo Tiled")
        also = FakeLog(_RFC6962, entries[::_BOTH_EVERY], has_leaf_index=False)
        self._server = LogServer(
            self._tiled, Front(also, "rfc6962", is_tiled=False, operator="Demo RFC")
        )
        self.log_list = directory / "log_list.json"

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.log_list.write_bytes(self._server.log_list())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, exc, trace)

    def lie(self) -> None:
        """The tiled log forgets an entry: its next head contradicts what it signed."""
        honest = self._tiled.log
        issuer = Issuer("Another CA of the demo")
        forged = issuer.entries([("login.paypal.example",)])[0]
        lying = honest.forked(7, forged)
        lying.add(issuer.entries([("secure-login.apple.example",)]))
        self._tiled.log = lying


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
