"""
Watched domains in a directory: a file each, named as the domain.

Source: Linux manual, flock(2), rename(2), fsync(2).
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ctmonitor.errors import Busy, StoreError, StoreUnavailable
from ctmonitor.model.clock import now_utc, utc_text
from ctmonitor.store.ownobjects import ObjectStates, Stored

_LOCK = ".lock"
_WRITING = ".writing"  # one writer at a time, who may have died over it
_PASSING = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.ESTALE,
    errno.EMFILE,
}


class DirectoryStates(ObjectStates):
    """
    A `StateStore` of files that are replaced as a whole, and last.

    The lock is the system's: it ends with the process that has it.

    Raises:
        StoreError: the directory cannot be used by this user.
    """

    def __init__(self, directory: Path, now: Callable[[], datetime] = now_utc) -> None:
        super().__init__(f"The directory {directory}", now)
        self._directory = directory
        self._lock: int | None = None  # the open file
        with self._translated():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not directory.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))

    @contextmanager
    def lock(self, owner: str, lease_s: float) -> Iterator[None]:
        """See `StateStore`."""
        path = self._directory / _LOCK
        with self._translated():
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise Busy(
                    f"{self.label} is in use by another run. Wait for its end; `fuser "
                    f"{path}` names it."
                ) from exc
            except OSError as exc:
                raise StoreError(
                    f"{self.label} cannot be locked: {exc.strerror}. Choose one on a "
                    "file system with locks."
                ) from exc
            self._lock = opened
            try:
                yield
            finally:
                self._lock = None
        finally:
            os.close(opened)

    def renew(self) -> None:
        """See `StateStore`."""
        with suppress(OSError):
            if self._lock is not None and os.path.samestat(
                os.fstat(self._lock), (self._directory / _LOCK).stat()
            ):
                return
        raise Busy(f"{self.label} is not locked by this run any more. Start it again.")

    def close(self) -> None:
        """See `StateStore`."""

    def _read(self, name: str) -> Stored | None:
        with self._translated(), suppress(FileNotFoundError):
            with (self._directory / name).open("rb") as file:
                body = file.read()
                status = os.fstat(file.fileno())
            written = utc_text(datetime.fromtimestamp(status.st_mtime, UTC)) or ""
            return Stored(body, _tag(status), written)
        return None

    def _write(self, name: str, body: bytes, tag: str | None) -> str:
        path, writing = self._directory / name, self._directory / _WRITING
        with self._translated():
            present = None
            with suppress(FileNotFoundError):
                present = _tag(path.stat())
            if present != tag:
                raise Busy(
                    f"{self.label}: another program wrote {name} meanwhile. Start "
                    "this one again."
                )
            try:
                # Not the file of one who died over it: its mode may be any.
                writing.unlink(missing_ok=True)
                descriptor = os.open(
                    writing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
                )
                with os.fdopen(descriptor, "wb") as file:
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                    written = _tag(os.fstat(file.fileno()))
                writing.replace(path)
            except OSError:
                with suppress(OSError):
                    writing.unlink(missing_ok=True)
                raise
            folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return written

    def _names(self) -> list[str]:
        with self._translated():
            return [path.name for path in self._directory.iterdir()]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            why = exc.strerror or str(exc)
            if exc.errno in _PASSING:
                raise StoreUnavailable(
                    f"{self.label} cannot be used now: {why}. Look for a full disk, a "
                    "quota, a file size limit, or a failing disk."
                ) from exc
            raise StoreError(
                f"{self.label} cannot be used: {why}. Let this user read and write it "
                "and its files, or change [OWN] State."
            ) from exc


def _tag(status: os.stat_result) -> str:
    # Each writing makes a file of its own.
    return f"{status.st_ino}.{status.st_mtime_ns}.{status.st_size}"
