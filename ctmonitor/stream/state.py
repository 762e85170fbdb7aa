"""
Where a stream stands in each log, as a JSON document that survives restarts.

    {"version": 1, "saved": "2026-11-21T15:04:05", "logs": {"<log id in hex>":
        {"name": "...", "version": 1, "next": 1234, "head": {...}, "nodes": [...]}}}

Beside the position stands the last head that was believed, so that a log cannot change
its past while nobody reads it.
"""

import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ctmonitor.errors import ConfigError, FormatError, StoreError
from ctmonitor.model.clock import utc_text
from ctmonitor.model.log import Log
from ctmonitor.model.text import shortened
from ctmonitor.sources.logcursor import PREFIX, LogCursor

log = logging.getLogger(__name__)

_VERSION = 1
_MOST_BYTES = 16 * 2**20
_ID_DIGITS = 64

Document = dict[str, Any]


def entry_of(log_: Log, at: LogCursor) -> Document:
    """What the document says of one log."""
    return {"name": log_.name, **json.loads(at.cursor(log_).position)}


def document(logs: Mapping[str, Document], now: datetime) -> Document:
    """
    The whole document.

    Args:
        logs: by log id in hex.
    """
    return {"version": _VERSION, "saved": utc_text(now), "logs": dict(logs)}


def parse(state: object) -> tuple[dict[str, Document], list[str]]:
    """
    What the document says of each log, by its id in hex, and what is wrong with it.

    A log whose position is damaged is left out, and named; the others stay.

    Raises:
        FormatError: nothing of it can be used.
    """
    if not isinstance(state, Mapping):
        raise FormatError("state: not an object", type(state).__name__)
    version = state.get("version")
    if version != _VERSION:
        raise FormatError(
            "state: of another version",
            f"{shortened(repr(version))}; this program reads {_VERSION}",
        )
    listed = state.get("logs")
    if not isinstance(listed, Mapping):
        raise FormatError("state: without logs")
    logs: dict[str, Document] = {}
    problems = []
    for log_id, told in listed.items():
        try:
            _check_id(log_id)
            if not isinstance(told, Mapping):
                raise FormatError("position: not an object")
            LogCursor.parse(json.dumps(dict(told)))
        except (FormatError, TypeError, ValueError) as exc:
            problems.append(f"log {shortened(str(log_id))}: {shortened(str(exc), 200)}")
        else:
            logs[log_id] = dict(told)
    return logs, problems


def cursors(logs: Mapping[str, Document]) -> dict[str, LogCursor]:
    """The positions of parsed logs, under the names that followers look for."""
    return {
        PREFIX + log_id: LogCursor.parse(json.dumps(told))
        for log_id, told in logs.items()
    }


def load(path: Path, now: datetime) -> Document | None:
    """
    The document in a file; None when there is none, or none that can be used.

    What is corrupt or of a later version is set aside as `FILE.bad-<time>` and told.

    Raises:
        ConfigError: the file cannot be read, or not be set aside.
    """
    try:
        with path.open("rb") as file:
            body = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ConfigError(
            f"The state file {str(path)!r} cannot be read: {exc.strerror or exc}."
        ) from exc
    try:
        if len(body) > _MOST_BYTES:
            raise FormatError("state: too long", f"more than {_MOST_BYTES} bytes")
        if not body.strip():
            raise FormatError("state: empty")
        found = json.loads(body)
        logs, problems = parse(found)
    except (FormatError, ValueError, RecursionError) as exc:
        aside = _set_aside(path, now)
        log.warning(
            "the state file %s cannot be used (%s): it is set aside as %s, and every "
            "log is begun as without it",
            path,
            shortened(str(exc), 300),
            aside,
        )
        return None
    if problems:
        aside = _set_aside(path, now)
        log.warning(
            "the state file %s is damaged: it is set aside as %s; these logs are begun "
            "as without it, the others go on: %s",
            path,
            aside,
            "; ".join(problems),
        )
    return document(logs, now)


def save(path: Path, state: Mapping[str, Any]) -> None:
    """
    Write the document so that the file is the old or the new one, whatever happens.

    Raises:
        StoreError: it cannot be written.
    """
    draft = path.with_name(path.name + ".new")
    try:
        with draft.open("wb") as file:
            file.write(json.dumps(state, indent=1).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as exc:
        raise StoreError(
            f"The state file {str(path)!r} cannot be written: {exc.strerror or exc}. "
            "Name a file in a directory that exists and is writable."
        ) from exc


def _check_id(log_id: object) -> None:
    if not isinstance(log_id, str) or len(log_id) != _ID_DIGITS:
        raise FormatError("log id: not 64 digits")
    bytes.fromhex(log_id)


def _set_aside(path: Path, now: datetime) -> Path:
    aside = path.with_name(f"{path.name}.bad-{now.strftime('%Y%m%dT%H%M%SZ')}")
    try:
        path.replace(aside)
    except OSError as exc:
        raise ConfigError(
            f"The state file {str(path)!r} cannot be used, and not be set aside as "
            f"{str(aside)!r}: {exc.strerror or exc}. Move it away."
        ) from exc
    return aside
