"""
JSON alerts as files: where each one lies, and how it gets there whole.

A host name is a stranger's; `alert_path` is the one function that makes a path of it.
"""

import contextlib
import errno
import json
import logging
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import msgspec

from ctmonitor.errors import AlertError
from ctmonitor.model.clock import from_utc_text
from ctmonitor.model.text import bounded, shortened

log = logging.getLogger(__name__)

_SUFFIX = ".json"
_LONGEST_NAME = 255  # bytes of a name in a directory (NAME_MAX)
_TIME_PARTS = ("%Y", "%m", "%d", "%H", "%M")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")  # a label that is written as it is
_OPEN_AT_ONCE = 16  # files, beside the connections of visits
# What file systems say that cannot do it, and directories that may not be listed.
_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES})


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
        if part in directory:
            directory = directory.replace(part, moment.strftime(part))
    labels = [_label(label) for label in host.removesuffix(".").split(".")]
    name = bounded(".".join(labels), _LONGEST_NAME - len(_SUFFIX)) + _SUFFIX
    folder = Path(directory)
    if fqdn_dirs:
        folder = folder.joinpath(*(bounded(one, _LONGEST_NAME) for one in labels[::-1]))
    return folder / name


def _label(label: str) -> str:
    """One label as a part of a file name; never empty, `.`, `..` or an option."""
    if _PLAIN.fullmatch(label):
        return label
    written = quote(label, safe="", errors="surrogatepass").replace("~", "%7E")
    if written.startswith("-"):
        written = "%2D" + written[1:]
    return written or "%"


@dataclass(frozen=True, slots=True)
class _Draft:
    """A file that is written, beside the place where it belongs."""

    path: Path  # its place
    beside: Path
    file: IO[bytes]

    def place(self) -> None:
        """Puts it into its place whole; raises OSError, and leaves no trace."""
        try:
            os.fsync(self.file.fileno())
            self.file.close()
            self.beside.replace(self.path)
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """Leaves nothing of it."""
        for undo in (self.file.close, self.beside.unlink):
            with contextlib.suppress(OSError):  # what cannot be written fails to close
                undo()


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

    def write(self, alerts: Sequence[Mapping[str, Any]]) -> list[Path | AlertError]:
        """
        The file that holds each alert, whole and on the disk, or what went wrong.

        Where one was not written, an older one of the name stays.
        """
        changed: set[Path] = set()  # directories
        results: list[Path | AlertError] = []
        for start in range(0, len(alerts), _OPEN_AT_ONCE):
            # Files that are written together reach the disk together: one that waits
            # for the disk on its own takes twice the time.
            some = alerts[start : start + _OPEN_AT_ONCE]
            drafts = [self._draft(alert, changed) for alert in some]
            results += [_placed(draft) for draft in drafts]
        unsafe = {folder: exc for folder in changed if (exc := _synced(folder))}
        if unsafe:
            results = [_checked(result, unsafe) for result in results]
        return results

    def _draft(
        self, alert: Mapping[str, Any], changed: set[Path]
    ) -> _Draft | AlertError:
        try:
            path = self._path(alert)
            content = _content(alert)
        except AlertError as exc:
            return exc
        except Exception as exc:  # a record of another version holds up no others
            log.exception("no file can be made of an alert")
            return AlertError(f"no record of an alert: {type(exc).__name__}")
        try:
            return _drafted(path, content, changed)
        except OSError as exc:
            return _not_written(path, exc)

    def _path(self, alert: Mapping[str, Any]) -> Path:
        visited = from_utc_text(alert["visited_at"])
        if visited is None:
            when = shortened(repr(alert["visited_at"]))
            raise AlertError(f"an alert has no readable time of its visit: {when}")
        return alert_path(
            self._directory,
            alert["hostname"],
            visited.astimezone(),  # local time, as in the original
            fqdn_dirs=self._fqdn_dirs,
        )


def _content(alert: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.format(msgspec.json.encode(alert)) + b"\n"
    except UnicodeEncodeError:
        # A lone surrogate becomes `\ud800`, which is how JSON writes it. This takes
        # twenty times as long.
        text = json.dumps(alert, indent=2, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8", "backslashreplace") + b"\n"


def _drafted(path: Path, content: bytes, changed: set[Path]) -> _Draft:
    """
    A file with `content` beside `path`; directories that are missing are made.

    Args:
        changed: takes the directories that have new entries.

    Raises:
        OSError: there is no such file.
    """
    folder = path.parent
    beside = folder / f".{secrets.token_hex(8)}.tmp"
    try:
        # Not `tempfile`, whose files only their owner may read.
        file = beside.open("xb")
    except FileNotFoundError:
        missing = takewhile(lambda one: not one.exists(), (folder, *folder.parents))
        changed.update([one.parent for one in missing])
        folder.mkdir(parents=True, exist_ok=True)
        file = beside.open("xb")
    changed.add(folder)
    draft = _Draft(path, beside, file)
    try:
        file.write(content)
        file.flush()
    except BaseException:
        draft.remove()
        raise
    return draft


def _placed(draft: _Draft | AlertError) -> Path | AlertError:
    if isinstance(draft, AlertError):
        return draft
    try:
        draft.place()
    except OSError as exc:
        return _not_written(draft.path, exc)
    return draft.path


def _synced(folder: Path) -> OSError | None:
    """Puts the names in a directory on the disk; None, or why they may be lost."""
    try:
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
    except OSError as exc:
        return None if exc.errno in _CANNOT_SYNC else exc
    return None


def _checked(
    result: Path | AlertError, unsafe: Mapping[Path, OSError]
) -> Path | AlertError:
    if isinstance(result, AlertError):
        return result
    for folder in result.parents:
        if folder in unsafe:
            return _not_written(result, unsafe[folder])
    return result


def _not_written(path: Path, exc: OSError) -> AlertError:
    return AlertError(
        f"alert {str(path)!r} cannot be written: {exc.strerror or exc}. Free "
        "space there, or set [REPORTING] Alerts_dir to a directory that this "
        "user may write to; the alert is tried again."
    )
