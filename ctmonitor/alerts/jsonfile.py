"""
JSON alerts as files: where each one lies, and how it gets there whole.

A host name is a stranger's; `alert_path` is the one function that makes a path of it.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ctmonitor.errors import AlertError
from ctmonitor.model.clock import from_utc_text
from ctmonitor.model.text import bounded, shortened

_SUFFIX = ".json"
_LONGEST_NAME = 255  # bytes of a name in a directory (NAME_MAX)
_TIME_PARTS = ("%Y", "%m", "%d", "%H", "%M")


def alert_path(
    directory: str, host: str, moment: datetime, *, fqdn_dirs: bool = False
) -> Path:
    """
    `<directory>/login.example.com.json`; with `fqdn_dirs` each label is a directory,
    the top one first: `<directory>/com/example/login/login.example.com.json`.

    Whatever `host` holds, the path lies below the directory, and different hosts have
    different paths: what is no letter, digit, `-` or `_` is written `%2A`.

    Args:
        directory: `%Y`, `%m`, `%d`, `%H` and `%M` stand for the time.
        moment: with the zone in which the directory's time is meant.
    """
    for part in _TIME_PARTS:
        directory = directory.replace(part, moment.strftime(part))
    labels = [_label(label) for label in host.removesuffix(".").split(".")]
    name = bounded(".".join(labels), _LONGEST_NAME - len(_SUFFIX)) + _SUFFIX
    folder = Path(directory)
    if fqdn_dirs:
        folder = folder.joinpath(*(bounded(one, _LONGEST_NAME) for one in labels[::-1]))
    return folder / name


def _label(label: str) -> str:
    """One label as a part of a file name; never empty, `.`, `..` or an option."""
    written = quote(label, safe="", errors="surrogatepass").replace("~", "%7E")
    if written.startswith("-"):
        written = "%2D" + written[1:]
    return written or "%"


class AlertFiles:
    """
    The files below `directory`.

    Args:
        directory, fqdn_dirs: as for `alert_path`; the time is that of the visit, so
            that an alert which is written again is the same file.
    """

    def __init__(self, directory: str, *, fqdn_dirs: bool = False) -> None:
        self._directory = directory
        self._fqdn_dirs = fqdn_dirs

    def write(self, alert: Mapping[str, Any]) -> Path:
        """
        The file that holds `alert`, whole and on the disk.

        Raises:
            AlertError: it was not written; an older file of the name stays.
        """
        visited = from_utc_text(alert["visited_at"])
        if visited is None:
            when = shortened(repr(alert["visited_at"]))
            raise AlertError(f"an alert has no readable time of its visit: {when}")
        path = alert_path(
            self._directory,
            alert["hostname"],
            visited.astimezone(),  # local time, as in the original
            fqdn_dirs=self._fqdn_dirs,
        )
        text = json.dumps(alert, indent=2, ensure_ascii=False, allow_nan=False)
        # A lone surrogate becomes `\ud800`, which is how JSON writes it.
        content = text.encode("utf-8", "backslashreplace") + b"\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)
        except OSError as exc:
            raise AlertError(
                f"alert {str(path)!r} cannot be written: {exc.strerror or exc}. Free "
                "space there, or set [REPORTING] Alerts_dir to a directory that this "
                "user may write to; the alert is tried again."
            ) from exc
        return path


def _replace(path: Path, content: bytes) -> None:
    """Puts `content` in the place of `path` at once, or leaves everything as it was."""
    draft = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        # Not `tempfile`, whose files only their owner may read.
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
