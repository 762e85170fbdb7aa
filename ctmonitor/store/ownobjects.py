"""Watched domains in a directory or bucket: one object each."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ctmonitor.errors import Busy, Unreadable
from ctmonitor.model.clock import now_utc
from ctmonitor.model.followup import OutboxItem
from ctmonitor.model.own import DomainState, SharedState
from ctmonitor.store.owndocument import (
    SHARED,
    aside_name,
    checked,
    encoded,
    is_domain,
    shared_of,
    state_of,
    with_pending,
)
from ctmonitor.store.ownpending import Pending


@dataclass(frozen=True, slots=True)
class Stored:
    """
    An object as it was read.

    Args:
        tag: unlike that of any other content; written: UTC text to the second.
    """

    body: bytes
    tag: str
    written: str


class ObjectStates(ABC):
    """
    A `StateStore` over objects that are read and replaced as a whole.

    A state and the messages that tell of it are one object, so both are written or
    none. What was read is replaced only while nobody else has written it.
    """

    def __init__(self, label: str, now: Callable[[], datetime] = now_utc) -> None:
        self._label = label
        self._now = now
        self._tags: dict[str, str] = {}  # of objects as we read or wrote them last
        # Messages are delivered while further domains are looked at.
        self._guard = threading.RLock()
        self._pending = Pending(self.renew, self._write_pending, self._guard)

    @property
    def label(self) -> str:
        """What it is and where, for people."""
        return self._label

    @abstractmethod
    def lock(self, owner: str, lease_s: float) -> AbstractContextManager[None]:
        """See `StateStore`."""

    @abstractmethod
    def renew(self) -> None:
        """See `StateStore`."""

    @abstractmethod
    def close(self) -> None:
        """See `StateStore`."""

    @abstractmethod
    def _read(self, name: str) -> Stored | None:
        """The object; None when there is none."""

    @abstractmethod
    def _write(self, name: str, body: bytes, tag: str | None) -> str:
        """
        Writes an object and returns its tag; durable at return.

        Args:
            tag: that it must have; None: it must not be there.

        Raises:
            Busy: it is another one by now.
        """

    @abstractmethod
    def _names(self) -> list[str]:
        """The names of all objects."""

    def load(self, domain: str) -> DomainState | None:
        """See `StateStore`."""
        with self._guard:
            stored = self._read_noting(checked(domain))
            if stored is None:
                return None
            state = state_of(stored.body, domain, self._label, stored.written)
            try:
                self._pending.know(domain, state.pending)
            except (KeyError, TypeError, ValueError) as exc:
                where = f"{self._label}: the document of {domain}"
                why = f"{where} cannot be read: a message in it is none"
                raise Unreadable(why, stored.written) from exc
            return state

    def set_aside(self, domain: str) -> str:
        """See `StateStore`."""
        with self._guard:
            self.renew()
            stored = self._read_noting(checked(domain))
        if stored is None:
            return ""
        name = aside_name(domain, stored.written)
        copy = self._read(name)
        if copy is None or copy.body != stored.body:
            self._write(name, stored.body, copy.tag if copy else None)
        return name

    def save(self, state: DomainState, items: Sequence[OutboxItem] = ()) -> None:
        """See `StateStore`."""
        domain = checked(state.domain)
        with self._guard:
            self.renew()
            state.pending = self._pending.rows(domain, items)
            self._replace(domain, encoded(state))
            self._pending.know(domain, state.pending)

    def domains(self) -> list[str]:
        """See `StateStore`."""
        return sorted(filter(is_domain, self._names()))

    def shared(self) -> SharedState:
        """See `StateStore`."""
        with self._guard:
            stored = self._read_noting(SHARED)
        if stored is None:
            return SharedState()
        return shared_of(stored.body, self._label, stored.written)

    def save_shared(self, shared: SharedState) -> None:
        """See `StateStore`."""
        with self._guard:
            self.renew()
            self._replace(SHARED, encoded(shared))

    def box(self) -> Pending:
        """See `StateStore`."""
        return self._pending

    def _read_noting(self, name: str) -> Stored | None:
        stored = self._read(name)
        if stored is None:
            self._tags.pop(name, None)
        else:
            self._tags[name] = stored.tag
        return stored

    def _replace(self, name: str, body: bytes) -> None:
        self._tags[name] = self._write(name, body, self._tags.get(name))

    def _write_pending(self, domain: str, rows: list[dict[str, Any]]) -> None:
        stored = self._read(domain)
        if stored is None or stored.tag != self._tags.get(domain):
            raise Busy(f"{self._label}: another run wrote {domain} meanwhile.")
        self._replace(domain, with_pending(stored.body, rows))
