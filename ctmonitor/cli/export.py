"""The text file of all names that were found: one a line, whole or as it was before."""

import os
import secrets
import stat
import sys
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ctmonitor.errors import ConfigError, CTMonitorError

if TYPE_CHECKING:
    from ctmonitor.store.queries import Reader

STANDARD_OUTPUT = "-"
_LINES_AT_ONCE = 10_000


def check(path: str, where: str) -> None:
    """
    Whether the file can be written, as far as that is known before.

    Args:
        where: what names the file, such as `[REPORTING] Export_File`.

    Raises:
        ConfigError: it is a directory, or lies where this user may not write.
    """
    if path == STANDARD_OUTPUT:
        return
    target = Path(path)
    try:
        folder = target.resolve().parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        is_directory = target.is_dir()
        is_special = target.exists() and not target.is_file()
        may_write = os.access(target if is_special else folder, os.W_OK)
    except (OSError, ValueError, RuntimeError) as exc:  # a name too long, a NUL, a loop
        raise ConfigError(f"{where}: {path!r} cannot be used: {exc}.") from exc
    if is_directory:
        raise ConfigError(f"{where}: {path!r} is a directory. Name a file.")
    if not folder.is_dir():
        raise ConfigError(f"{where}: {path!r}: {str(folder)!r} is no directory.")
    if not may_write:
        raise ConfigError(
            f"{where}: {path!r} cannot be written by this user. Name a file elsewhere, "
            f"or change the owner or mode of {str(folder)!r}."
        )


def export(reader: "Reader", since: datetime | None, path: str) -> int:
    """
    The number of names of `Reader.names` that `write` has written to `path`.

    Raises:
        CTMonitorError: the file was not written, or the database cannot be read.
    """
    # Whatever ends it, the statement ends before the database is closed.
    with closing(_names(reader, since)) as names:
        return write(names, path)


def _names(reader: "Reader", since: datetime | None) -> Generator[str, None, None]:
    yield from reader.names(since)


def write(names: Iterable[str], path: str) -> int:
    """
    The number of names that were written to `path`, in their order.

    A reader sees the file as it was or whole. One that is replaced keeps its mode; what
    is no file, such as a pipe, is written as it is. Directories that are missing are
    made.

    Args:
        path: `-` for standard output.

    Raises:
        CTMonitorError: the file was not written, and is as it was.
    """
    if path == STANDARD_OUTPUT:
        return _write_lines(names, sys.stdout)
    try:
        target = Path(path).resolve()  # a link stays, and leads to the new file
        if target.exists() and not target.is_file():
            with target.open("w", encoding="utf-8") as pipe:
                return _write_lines(names, pipe)
        return _replace(names, target)
    except (OSError, ValueError, RuntimeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else None
        raise CTMonitorError(
            f"The names cannot be written to {path!r}: {why or exc}. Free space there, "
            "or name a file that this user may write."
        ) from exc


def _replace(names: Iterable[str], target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("x", encoding="utf-8") as file:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            count = _write_lines(names, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    return count


def _write_lines(names: Iterable[str], file: TextIO) -> int:
    count = 0
    remaining = iter(names)
    while some := list(islice(remaining, _LINES_AT_ONCE)):
        file.write("\n".join(some) + "\n")
        count += len(some)
    return count
