"""
The list of logs, kept: fetched, verified, renewed, and still there when it is not.

Source: Chrome's `3p_libraries.md`, on lists that were frozen, cut or broken for a
while to find readers that trust them blindly.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ctmonitor.ct.loglist import (
    LOG_LIST_KEY,
    LOG_LIST_URL,
    LogList,
    parse_log_list,
    verify_log_list,
)
from ctmonitor.errors import FormatError, IntegrityError, SourceError
from ctmonitor.model.clock import utc_text
from ctmonitor.model.log import LogState

log = logging.getLogger(__name__)

MAX_LIST_BYTES: Final = 4 * 2**20  # the largest published one has 164 kB
MAX_SIGNATURE_BYTES: Final = 16 * 2**10

REFRESH: Final = timedelta(hours=6)
_RETRY: Final = timedelta(minutes=15)
# Chrome makes its list anew each day.
_OLD: Final = timedelta(days=14)
_CLOCKS: Final = timedelta(days=1)

# All lists in this folder are signed with one key.
_SIGNED_FOLDER = LOG_LIST_URL.rpartition("/")[0] + "/"


@dataclass(frozen=True, slots=True)
class KeptList:
    """
    A list as it is to be used now.

    Args:
        fetched: when it was read from its source, or last found unchanged there.
        is_verified: whether its signature was checked.
        notes: sentences for the operator; the same ones as long as they are true.
    """

    list: LogList
    fetched: datetime
    is_verified: bool
    notes: tuple[str, ...] = ()


class _Stored(msgspec.Struct):
    """The file in which the last good copy is kept."""

    source: str
    fetched: datetime
    body: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class _Copy:
    body: bytes
    signature: bytes
    fetched: datetime
    list: LogList


class LogListKeeper:
    """
    Keeps one list.

    Args:
        source: a URL, or the path of a file.
        key_pem: what the list has to be signed with, in a file `.sig` beside it.
            None: Chrome's key for Chrome's lists, and no check for others.
        cache_dir: where the last good copy of a URL is kept; None: in memory only.
        fetch: the body at a URL of at most so many bytes; raises SourceError.
        now: the present time.
    """

    def __init__(
        self,
        source: str,
        key_pem: str | None,
        cache_dir: Path | None,
        fetch: Callable[[str, int], Awaitable[bytes]],
        now: Callable[[], datetime],
    ) -> None:
        self._source = source
        self._shown = _without_password(source)
        self._is_url = source.lower().startswith(("http://", "https://"))
        if not key_pem and source.startswith(_SIGNED_FOLDER):
            key_pem = LOG_LIST_KEY
        self._key_pem = key_pem or None
        self._cache = cache_dir / "log_list.cache" if cache_dir else None
        self._fetch = fetch
        self._now = now
        self._held: _Copy | None = None
        self._next_try: datetime | None = None
        self._trouble = ""  # why the copy that is held could not be renewed
        self._cache_trouble = ""

    async def current(self) -> KeptList:
        """
        The list, renewed when it is due: a URL each 6 hours, a file at each call.

        What cannot be fetched, does not verify, is older than what we have or has lost
        more than half of its logs is not taken over; the notes say so, and the copy
        that we have stays. Call it as often as you like, from one task.

        Raises:
            SourceError: there is no list yet, and none could be had; try again.
        """
        if self._held is None and self._is_url and self._cache is not None:
            self._held = await asyncio.to_thread(self._stored, self._cache)
        now = self._now()
        if self._is_due(now):
            await self._renew(now)
        if self._held is None:
            raise SourceError(
                f"no log list from {self._shown}: {self._trouble}; look at the "
                "address of the list, and at the key that signs it"
            )
        return KeptList(
            self._held.list,
            self._held.fetched,
            self._key_pem is not None,
            tuple(self._notes(self._held, now)),
        )

    def _is_due(self, now: datetime) -> bool:
        if self._held is None or not self._is_url:
            return True
        # The clock may have been set back, too.
        is_fresh = timedelta(0) <= now - self._held.fetched < REFRESH
        waits = (
            self._next_try is not None
            and self._next_try - _RETRY <= now < self._next_try
        )
        return not is_fresh and not waits

    async def _renew(self, now: datetime) -> None:
        try:
            new = await self._read(now)
            if self._held is not None and self._is_url:
                _refuse_worse(self._held.list, new.list, now, self._cache)
        except (SourceError, FormatError, IntegrityError) as exc:
            self._trouble = str(exc)
            self._next_try = now + _RETRY
            return
        self._held, self._trouble, self._next_try = new, "", None
        if self._is_url and self._cache is not None:
            await asyncio.to_thread(self._store, self._cache, new)

    async def _read(self, now: datetime) -> _Copy:
        """The list as its source has it."""
        try:
            return await self._read_once(now)
        except IntegrityError:
            # List and signature are two files: the one may have been replaced between
            # the two requests.
            return await self._read_once(now)

    async def _read_once(self, now: datetime) -> _Copy:
        body = await self._get(self._source, MAX_LIST_BYTES)
        signature = b""
        if self._key_pem is not None:
            beside = _signature_address(self._source, is_url=self._is_url)
            signature = await self._get(beside, MAX_SIGNATURE_BYTES)
        if self._held and (body, signature) == (self._held.body, self._held.signature):
            return replace(self._held, fetched=now)
        return self._checked(body, signature, now)

    async def _get(self, address: str, max_bytes: int) -> bytes:
        if self._is_url:
            return await self._fetch(address, max_bytes)
        return await asyncio.to_thread(_file, Path(address), max_bytes)

    def _checked(self, body: bytes, signature: bytes, fetched: datetime) -> _Copy:
        if self._key_pem is not None:
            verify_log_list(body, signature, self._key_pem)
        found = parse_log_list(body)
        if not found.logs:
            why = found.left_out[0] if found.left_out else "it is empty"
            raise FormatError("log list: no log that could be followed", why)
        return _Copy(body, signature, fetched, found)

    def _notes(self, held: _Copy, now: datetime) -> list[str]:
        notes = []
        if self._trouble:
            notes.append(
                f"the log list {self._shown} is not renewed: {self._trouble}; the "
                f"copy of {utc_text(held.fetched)} ({_age(now - held.fetched)} old) "
                "stays in use"
            )
        if self._cache_trouble:
            notes.append(self._cache_trouble)
        if self._is_url and self._key_pem is None:
            notes.append(
                f"the log list {self._shown} is not verified: Log_List_Key names no "
                "key for it"
            )
        made = held.list.timestamp
        if made is not None and now - made > _OLD:
            notes.append(
                f"the log list {self._shown} was made {_age(now - made)} ago, on "
                f"{utc_text(made)}: new logs may be missing in it; see whether it is "
                "still published"
            )
        elif made is not None and made - now > _CLOCKS:
            notes.append(
                f"the log list {self._shown} is made in the future, on "
                f"{utc_text(made)}: look at this machine's clock"
            )
        return notes

    def _stored(self, path: Path) -> _Copy | None:
        """The last good copy, when it is of this source and as good as it was."""
        try:
            stored = msgspec.json.decode(path.read_bytes(), type=_Stored)
            if stored.source != self._shown:
                return None
            if stored.fetched.tzinfo is None:
                raise FormatError("log list cache: time without zone")
            return self._checked(stored.body, stored.signature, stored.fetched)
        except FileNotFoundError:
            return None
        except (
            OSError,
            ValueError,
            RecursionError,
            msgspec.MsgspecError,
            FormatError,
            IntegrityError,
        ) as exc:
            trouble = str(exc)
        aside = path.with_name(path.name + ".broken")
        with contextlib.suppress(OSError):
            path.replace(aside)
        log.warning(
            "the kept log list %s cannot be used (%s): it is set aside as %s, and the "
            "list is fetched",
            path,
            trouble,
            aside,
        )
        return None

    def _store(self, path: Path, copy: _Copy) -> None:
        stored = _Stored(self._shown, copy.fetched, copy.body, copy.signature)
        draft = path.with_name(path.name + ".new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(stored))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as exc:
            self._cache_trouble = (
                f"the log list cannot be kept in {path}: {exc.strerror or exc}; after "
                "a restart it has to be fetched"
            )
        else:
            self._cache_trouble = ""


def _refuse_worse(
    held: LogList, new: LogList, now: datetime, cache: Path | None
) -> None:
    """
    Raises SourceError when `new` is not to follow `held`: older, or suddenly small.

    The end of a shard's range is no loss: such logs leave the lists in due time.
    """
    known = held.timestamp
    # A list from the future must not keep out all that come until then.
    if known and new.timestamp and new.timestamp < known and known <= now + _CLOCKS:
        raise SourceError(
            f"what is served was made on {utc_text(new.timestamp)}, ours on "
            f"{utc_text(known)}"
        )
    before, after = _alive(held, now), _alive(new, now)
    gone = before - after
    if 2 * len(gone) > len(before):
        remove = f"remove {cache} and start again" if cache else "start again"
        raise SourceError(
            f"what is served lacks {len(gone)} of our {len(before)} logs; if that is "
            f"right, {remove}"
        )


def _alive(listed: LogList, now: datetime) -> set[bytes]:
    dead = (LogState.RETIRED, LogState.REJECTED)
    return {
        one.log_id
        for one in listed.logs
        if one.state not in dead
        and (one.interval_end is None or one.interval_end > now)
    }


def _signature_address(source: str, *, is_url: bool) -> str:
    """`.sig` instead of `.json`, or behind what has another ending."""
    if not is_url:
        return source.removesuffix(".json") + ".sig"
    parts = urlsplit(source)
    return urlunsplit(parts._replace(path=parts.path.removesuffix(".json") + ".sig"))


def _without_password(source: str) -> str:
    scheme, slashes, rest = source.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"


def _file(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(max_bytes + 1)
    except OSError as exc:
        raise SourceError(f"{path}: {exc.strerror or exc}") from exc
    if len(body) > max_bytes:
        raise SourceError(f"{path}: more than {max_bytes} bytes")
    return body


def _age(span: timedelta) -> str:
    hours = max(0, int(span / timedelta(hours=1)))
    return f"{hours // 24} days" if hours >= 48 else f"{hours} h"
