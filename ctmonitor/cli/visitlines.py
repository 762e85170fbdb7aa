"""What a person, or a program with --json, reads of visits."""

import io
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from ctmonitor.alerts.text import message
from ctmonitor.cli import console
from ctmonitor.model.clock import utc_text
from ctmonitor.model.site import Presence, SiteReport
from ctmonitor.model.text import printable

_HEAD = "Test all domains in DB for Internet Presence:"


class VisitLines:
    """
    Lines on standard output: the original's, or one JSON object for each report.

    Nobody may read on (`| head`), or the disk be full: then no more is written, since
    what is stored and told matters more than what is printed.

    Args:
        is_lost: nothing more is written; problem: why, unless the reader has enough.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._status = _coloured() if sys.stdout.isatty() and not as_json else _plain
        self.is_lost = False
        self.problem = ""

    def head(self) -> None:
        if not self._as_json:
            self._write(f"{_HEAD}\n{'*' * len(_HEAD)}")

    def report(self, report: SiteReport) -> None:
        if self._as_json:
            # Escapes for all but ASCII: whatever a stranger wrote, in any encoding.
            self._write(json.dumps(_values(asdict(report))))
        elif report.presence is Presence.UP and report.page is not None:
            self._line("SUCCESS", f"HTTP {report.page.status} - {report.host}")
        else:
            words = report.error or report.reason or "no answer"
            self._line("ERROR", f"https://{report.visited} - {words}")

    def evidence(self, alert: Mapping[str, Any]) -> None:
        """What a notification would tell of the host, and what nobody could tell."""
        if self._as_json:
            return
        _, _, body = message(alert).body.partition("\n")
        self._write(body)
        for name, found in alert["enrichment"].items():
            if found["status"] in ("error", "rate_limited"):
                self._write(printable(f"{name}: {found['status']}: {found['detail']}"))

    def file(self, path: Path, alert: Mapping[str, Any]) -> None:
        """An alert that was written; the text is that of a Python dictionary."""
        if not self._as_json:
            self._write(f"Creating {printable(str(path))} : {dict(alert)}")

    def _line(self, kind: str, text: str) -> None:
        self._write(self._status(kind, printable(text)))

    def _write(self, line: str) -> None:
        if self.is_lost:
            return
        try:
            print(line, flush=True)
        except OSError as exc:
            self.is_lost = True
            if not isinstance(exc, BrokenPipeError):
                self.problem = f"standard output cannot be written: {exc.strerror}"
            console.discard_output()


def _plain(kind: str, text: str) -> str:
    return f"{time.strftime('%H:%M:%S')} - {kind} - {text}"


def _coloured() -> Callable[[str, str], str]:
    """Lines of hues, in its own colours and not in those of some `.hues.yml`."""
    try:
        from hues.console import Config, SimpleConsole
    except Exception:  # noqa: BLE001 - its import reads such a file, which may be broken
        return _plain
    written = io.StringIO()
    lines = SimpleConsole(Config(force_default=True), written)

    def line(kind: str, text: str) -> str:
        written.seek(0)
        written.truncate()
        (lines.success if kind == "SUCCESS" else lines.error)(text)
        return written.getvalue().removesuffix("\n")

    return line


def _values(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{utc_text(value)}Z"
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_values(item) for item in value]
    return value
