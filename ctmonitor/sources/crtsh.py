"""
Certificates for a watched domain as crt.sh lists them.

A service that is free, slow and often away: it is asked one question at a time, with
pauses, again when it fails, and at last for less. Only a JSON list is an answer; an
error page, whatever its status, never means that there are no certificates.

Source: crt.sh `output=json` as of 2018 to 2026, certwatch_db `web_apis.fnc`.
"""

import contextlib
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

import msgspec

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.clock import from_utc_text, utc_text
from ctmonitor.model.dn import issuer_of
from ctmonitor.model.domain import name_in
from ctmonitor.model.own import Claim, OwnSource
from ctmonitor.model.text import shortened
from ctmonitor.net.backoff import pause_s
from ctmonitor.net.client import Client, Refused
from ctmonitor.sources.ownsource import Answer, without_login

# Above this crt.sh leaves rows out by chance, and does not say so.
MOST_ROWS = 10_000

_LONGEST_WAIT_S = 300.0  # a server that asks for more is asked in a later run
_PAUSE_GROWS = 16  # times, at most
_AWAY = 2  # domains in vain, after which each further one has one attempt
_MOST_NAMES = 200  # kept as evidence
_LONGEST_NAME = 300

_TIME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}")
_SERIAL = re.compile(r"[0-9a-f]{1,200}")

_Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Row(msgspec.Struct, gc=False):
    """A row; what its age does not have yet, or has no longer, is None."""

    id: _Id | None = None
    min_cert_id: _Id | None = None  # until 2019
    issuer_ca_id: _Id | None = None
    issuer_name: str | None = None
    common_name: str | None = None  # since summer 2020
    name_value: str | None = None  # what matched; one name until spring 2020
    entry_timestamp: str | None = None
    min_entry_timestamp: str | None = None  # until 2019
    not_before: str | None = None
    not_after: str | None = None
    serial_number: str | None = None  # since autumn 2020

    @property
    def number(self) -> int | None:
        return self.min_cert_id if self.id is None else self.id


_ROWS = msgspec.json.Decoder(list[_Row])


@dataclass(frozen=True, slots=True)
class _Rows:
    """One list: the rows that can be read, and how many there were."""

    rows: list[_Row]
    count: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What came of a question: an answer or none, and the failures before it."""

    rows: _Rows | None
    failures: Sequence[str]

    @property
    def said(self) -> str:
        return "; ".join(
            text if count == 1 else f"{text} ({count} times)"
            for text, count in Counter(self.failures).items()
        )


@dataclass(slots=True)
class _Issuance:
    """The rows that bear one id."""

    row: _Row
    names: dict[str, None] = field(default_factory=dict)  # in order, once
    all_names: dict[str, None] = field(default_factory=dict)


class CrtSh:
    """
    Asks crt.sh; blocks, and is for one thread at a time.

    Args:
        client: without retries of its own, or each attempt is several.
        url: `https://crt.sh`.
        pause_s: between two questions, of whatever domains; up to a quarter is added
            by chance.
        tries: attempts at a question, from 1; `retry_s` before the second, doubling.
        sleep: may return early; then `stopped` says why.
        draw: a number from 0 to 1.
    """

    def __init__(
        self,
        client: Client,
        url: str,
        *,
        pause_s: float,
        tries: int,
        retry_s: float,
        sleep: Callable[[float], object] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._pause_s = pause_s
        self._tries = tries
        self._retry_s = retry_s
        self._sleep = sleep
        self._stopped = stopped
        self._draw = draw
        self._asked_s = -math.inf  # when the last question ended
        self._closed_s = -math.inf  # when crt.sh wants the next one
        self._in_vain = 0  # domains in a row, whatever was tried

    def answer(
        self,
        domain: str,
        *,
        known: AbstractSet[str] = frozenset(),
        exact: bool = False,
    ) -> Answer:
        """
        The certificates for `domain` and all below it.

        Args:
            domain: as `watched_domain` gives it.
            known: ids of crt.sh whose certificates are left out, since nothing about
                them changes.
            exact: for the name alone, not for what is below it.

        Raises:
            SourceError: no answer, to a narrower question neither, or it was stopped.
        """
        reading = _Reading(domain, known)
        for pattern in (domain,) if exact else (f"%.{domain}", domain):
            self._read(pattern, reading)
        return reading.answer(without_login(self._url))

    def _read(self, pattern: str, reading: "_Reading") -> None:
        """All certificates; when that fails or is cut, those that are valid."""
        wide = self._ask(pattern, is_narrow=False)
        if wide.rows is not None:
            reading.add(wide.rows)
            if wide.failures:
                reading.note(f"crt.sh answered after failures: {wide.said}")
            if wide.rows.count < MOST_ROWS:
                return
            reading.note(
                f"crt.sh gives {wide.rows.count} rows for {pattern}, as many as it "
                "ever does, so expired certificates may be missing"
            )
        reading.is_full = False
        narrow = self._ask(pattern, is_narrow=True)
        if narrow.rows is None:
            self._in_vain += wide.rows is None
            # Half of what there is would make the other half look new next time.
            what = wide.said or f"{MOST_ROWS} rows, the most it gives"
            raise SourceError(
                f"crt.sh does not answer for {pattern}, in "
                f"{_attempts(wide)}: {what}; without expired certificates in "
                f"{_attempts(narrow)}: {narrow.said}. The next run asks again"
            )
        reading.add(narrow.rows)
        if wide.rows is None:
            reading.note(
                "crt.sh answered only when asked without expired certificates; "
                f"before: {wide.said}"
            )
        if narrow.rows.count >= MOST_ROWS:
            reading.is_complete = False
            reading.note(
                f"crt.sh gives no more than {narrow.rows.count} rows of valid "
                f"certificates for {pattern}, so some are missing; name domains below "
                f"{reading.domain} in [OWN] Domains as well, or add certspotter to "
                "[OWN] Source"
            )

    def _ask(self, pattern: str, *, is_narrow: bool) -> _Asked:
        """
        Up to `tries` attempts at one question; one while crt.sh seems to be away.

        Raises:
            SourceError: it was stopped, or is asked to wait longer than a run does.
        """
        query = {"q": pattern, "output": "json", "deduplicate": "Y"}
        if is_narrow:
            query["exclude"] = "expired"
        failures: list[str] = []
        wait_s = 0.0
        # With a hundred domains a service that is away would be asked for half a day.
        tries = 1 if self._in_vain >= _AWAY else self._tries
        while len(failures) < tries:
            self._wait(wait_s)
            try:
                rows = self._attempt(query)
                self._in_vain = 0
                return _Asked(rows, failures)
            except (SourceError, FormatError) as exc:
                failures.append(str(exc))
                if isinstance(exc, Refused):
                    break  # too long, or a redirect: the same brings the same again
            wait_s = pause_s(
                len(failures) - 1,
                first_s=self._retry_s,
                most_s=self._retry_s * _PAUSE_GROWS,
                draw=self._draw,
            )
        return _Asked(None, failures)

    def _attempt(self, query: dict[str, str]) -> _Rows:
        url = f"{self._url}/?{urlencode(query)}"
        try:
            reply = self._client.fetch(url, headers={"Accept": "application/json"})
        finally:
            self._asked_s = time.monotonic()
        if reply.status != 200:
            if reply.retry_after_s is not None:
                self._closed_s = self._asked_s + reply.retry_after_s
            raise SourceError(f"status {_status(reply.status)}")
        if not reply.body.strip():
            raise FormatError("an empty body where a JSON list is due")
        return _rows(reply.body)

    def _wait(self, wait_s: float) -> None:
        """
        Waits `wait_s`, or what is left of the pause between two questions, or as long
        as crt.sh asked for, whichever is longest.
        """
        now_s = time.monotonic()
        closed_s = self._closed_s - now_s
        if closed_s > _LONGEST_WAIT_S:
            raise SourceError(
                f"crt.sh wants to be left alone for {closed_s:.0f} s "
                "(Retry-After); a later run asks again",
                closed_s,
            )
        pause = self._pause_s * (1 + 0.25 * self._draw())
        wait_s = max(wait_s, closed_s, self._asked_s + pause - now_s)
        if wait_s > 0:
            self._sleep(wait_s)
        if self._stopped():
            raise SourceError("stopped before crt.sh had answered")
        self._closed_s = -math.inf


class _Reading:
    """What the answers for one domain come to."""

    def __init__(self, domain: str, known: AbstractSet[str]) -> None:
        self.domain = domain
        self.is_full = True
        self.is_complete = True
        self._known = known
        self._notes: dict[str, None] = {}
        self._issuances: dict[object, _Issuance] = {}
        self._unreadable = 0

    def note(self, text: str) -> None:
        self._notes[f"{self.domain}: {text}"] = None

    def add(self, found: _Rows) -> None:
        known = self._known
        for row in found.rows:
            number = row.number
            if number is not None and str(number) in known:
                continue
            key: object = number
            if number is None:
                key = (row.serial_number, row.issuer_name, row.not_before)
            issuance = self._issuances.get(key)
            if issuance is None:
                issuance = self._issuances[key] = _Issuance(row)
            written = (row.name_value or "").split("\n")
            if row.common_name:
                written.append(row.common_name)
            for name in written:
                if host := name_in(name, self.domain):
                    issuance.names[host] = None
                if name.strip() and len(issuance.all_names) < _MOST_NAMES:
                    issuance.all_names[shortened(name.strip(), _LONGEST_NAME)] = None
        self._unreadable += found.count - len(found.rows)

    def answer(self, url: str) -> Answer:
        if self._unreadable:
            self.note(f"{self._unreadable} rows of crt.sh could not be read")
        # Mail addresses below the domain match as well, in certificates of persons.
        claims = [_claim(one, url) for one in self._issuances.values() if one.names]
        return Answer(
            OwnSource.CRTSH,
            tuple(claims),
            is_full=self.is_full,
            is_complete=self.is_complete,
            notes=tuple(self._notes),
        )


def _rows(body: bytes) -> _Rows:
    """
    The rows of a list, without those that cannot be read.

    Raises:
        FormatError: it is no JSON list, or none of its rows can be read.
    """
    try:
        decoded = _ROWS.decode(body)
        count = len(decoded)
    except (ValueError, RecursionError):
        # One row may be wrong, which costs no other: each by itself, then.
        written = _list(body)
        count = len(written)
        decoded = []
        for one in written:
            with contextlib.suppress(ValueError):
                decoded.append(msgspec.convert(one, _Row))
    rows = [row for row in decoded if row.name_value or row.common_name]
    if count and not rows:
        raise FormatError("a list without rows of certificates")
    return _Rows(rows, count)


def _list(body: bytes) -> list[object]:
    start = " ".join(body[:200].decode("utf-8", "replace").split())
    begins = f"it begins {shortened(start, 60)!r}"
    try:
        written = json.loads(body)
    except (ValueError, RecursionError):
        raise FormatError("no JSON where a list is due", begins) from None
    if not isinstance(written, list):
        raise FormatError("no list", begins)
    return written


def _claim(issuance: _Issuance, url: str) -> Claim:
    row = issuance.row
    number = row.number
    return Claim(
        source=OwnSource.CRTSH,
        names=tuple(issuance.names),
        ids=() if number is None else (str(number),),
        all_names=tuple(issuance.all_names),
        issuer=issuer_of(row.issuer_name or "", row.issuer_ca_id),
        serial=_serial(row.serial_number or ""),
        not_before=_time(row.not_before or ""),
        not_after=_time(row.not_after or ""),
        logged=_time(row.entry_timestamp or row.min_entry_timestamp or ""),
        link="" if number is None else f"{url}/?id={number}",
    )


def _serial(text: str) -> str:
    digits = text.strip().replace(":", "").lower()
    return (digits.lstrip("0") or "0") if _SERIAL.fullmatch(digits) else ""


def _time(text: str) -> str:
    """UTC text of `2020-04-04T04:41:42.875`, without fraction, with space or zone."""
    if len(text) > 40:
        return ""
    try:
        if len(text) == 19 and _TIME.fullmatch(text):
            datetime.fromisoformat(text)  # the usual one, which is as we write it
            return text
        return utc_text(from_utc_text(text.strip().removesuffix(" UTC"))) or ""
    except (ValueError, OverflowError):
        return ""


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _attempts(asked: _Asked) -> str:
    count = len(asked.failures)
    return f"{count} attempt{'s' if count != 1 else ''}"
