"""Watched domains in our database: a row each, and their messages in its outbox."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from isal import isal_zlib
from sqlalchemy import Connection, delete, select

from ctmonitor.errors import Busy, StoreError, Unreadable
from ctmonitor.model.clock import utc_text
from ctmonitor.model.followup import OutboxItem
from ctmonitor.model.own import DomainState, SharedState
from ctmonitor.store.engine import Database
from ctmonitor.store.holder import is_gone
from ctmonitor.store.outbox import Outbox, put_into_outbox, release_leases
from ctmonitor.store.owndocument import (
    SHARED,
    aside_name,
    checked,
    encoded,
    is_domain,
    shared_of,
    state_of,
)
from ctmonitor.store.schema import OWN_LOCK, OWN_STATE, moment_text

log = logging.getLogger(__name__)

_WATCH = "watch"  # the one lock there is
# Of 1.5 MB, a domain of 2,000 certificates, 130 kB are left at a cost of 1 ms; as they
# are, a cycle over 100 domains would write 150 MB.
_LEVEL = 1
_GZIP = 31  # zlib's number for that format, which every other program unpacks


class DatabaseStates:
    """
    A `StateStore` in the database of findings.

    For one thread at a time, but for what `box` gives; open as long as the store is.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._owner = ""
        self._lease_s = 0.0
        put = database.insert(OWN_STATE)
        self._put = put.on_conflict_do_update(
            index_elements=[OWN_STATE.c.name],
            set_={
                "document": put.excluded.document,
                "updated_at": put.excluded.updated_at,
            },
        )
        take = database.insert(OWN_LOCK)
        self._take = take.on_conflict_do_update(
            index_elements=[OWN_LOCK.c.name],
            set_={
                "owner": take.excluded.owner,
                "lease_until": take.excluded.lease_until,
            },
        )

    @property
    def label(self) -> str:
        """What it is and where, for people."""
        return self._database.label

    @contextmanager
    def lock(self, owner: str, lease_s: float) -> Iterator[None]:
        """See `StateStore`."""
        c = OWN_LOCK.c
        held = select(c.owner, c.lease_until).where(c.name == _WATCH)
        with self._database.writing() as connection:
            now = self._now()
            row = connection.execute(held).one_or_none()
            other = row if row is not None and row.owner != owner else None
            if (
                other is not None
                and other.lease_until > (moment_text(now) or "")
                and not is_gone(other.owner)
            ):
                raise Busy(
                    f"{self.label}: another run watches its domains, at the latest "
                    f"until {other.lease_until[:19]} UTC. Wait for its end."
                )
            until = moment_text(now + timedelta(seconds=lease_s))
            values = {"name": _WATCH, "owner": owner, "lease_until": until}
            connection.execute(self._take, values)
            if other is not None:
                # It may have died over messages, which nobody sends but who is here.
                release_leases(connection, other.owner)
        self._owner, self._lease_s = owner, lease_s
        try:
            yield
        finally:
            self._owner = ""
            self._give_back(owner)

    def renew(self) -> None:
        """See `StateStore`."""
        with self._database.writing() as connection:
            self._renew(connection)

    def load(self, domain: str) -> DomainState | None:
        """See `StateStore`."""
        row = self._row(checked(domain))
        if row is None:
            return None
        document, written = row
        where = f"{self.label}: the document of {domain}"
        body = _unpacked(document, where, written)
        return state_of(body, domain, self.label, written)

    def set_aside(self, domain: str) -> str:
        """See `StateStore`."""
        row = self._row(checked(domain))
        if row is None:
            return ""
        document, written = row
        name = aside_name(domain, written)
        with self._database.writing() as connection:
            self._renew(connection)
            self._write(connection, name, document)
        return name

    def save(self, state: DomainState, items: Sequence[OutboxItem] = ()) -> None:
        """See `StateStore`."""
        domain = checked(state.domain)
        state.pending = []  # the outbox has them
        packed = _packed(state)
        with self._database.writing() as connection:
            self._renew(connection)
            self._write(connection, domain, packed)
            put_into_outbox(self._database, connection, items, self._now())

    def domains(self) -> list[str]:
        """See `StateStore`."""
        with self._database.sharing() as connection:
            names = connection.execute(select(OWN_STATE.c.name)).scalars().all()
        return sorted(filter(is_domain, names))

    def shared(self) -> SharedState:
        """See `StateStore`."""
        row = self._row(SHARED)
        if row is None:
            return SharedState()
        document, written = row
        body = _unpacked(document, f"{self.label}: the document {SHARED}", written)
        return shared_of(body, self.label, written)

    def save_shared(self, shared: SharedState) -> None:
        """See `StateStore`."""
        packed = _packed(shared)
        with self._database.writing() as connection:
            self._renew(connection)
            self._write(connection, SHARED, packed)

    def box(self) -> Outbox:
        """See `StateStore`."""
        return Outbox(self._database, is_own=True)

    def close(self) -> None:
        """See `StateStore`: the store of findings closes the database."""

    def _give_back(self, owner: str) -> None:
        ours = (OWN_LOCK.c.name == _WATCH) & (OWN_LOCK.c.owner == owner)
        try:
            with self._database.writing() as connection:
                connection.execute(delete(OWN_LOCK).where(ours))
        except StoreError as exc:
            log.warning("the lock lasts until its lease ends: %s", exc)

    def _renew(self, connection: Connection) -> None:
        until = moment_text(self._now() + timedelta(seconds=self._lease_s))
        ours = (OWN_LOCK.c.name == _WATCH) & (OWN_LOCK.c.owner == self._owner)
        renew = OWN_LOCK.update().where(ours).values(lease_until=until)
        if not connection.execute(renew).rowcount:
            raise Busy(
                f"{self.label}: its domains are not locked by this run any more. "
                "Wait for the end of the other one."
            )

    def _row(self, name: str) -> tuple[bytes, str] | None:
        """Document, and when it was written to the second, as UTC text."""
        c = OWN_STATE.c
        query = select(c.document, c.updated_at).where(c.name == name)
        with self._database.sharing() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.document, row.updated_at)

    def _write(self, connection: Connection, name: str, document: bytes) -> None:
        row = {"name": name, "document": document, "updated_at": utc_text(self._now())}
        connection.execute(self._put, row)


def _packed(document: DomainState | SharedState) -> bytes:
    return isal_zlib.compress(encoded(document), _LEVEL, wbits=_GZIP)


def _unpacked(document: bytes, where: str, written: str) -> bytes:
    try:
        return isal_zlib.decompress(document, wbits=_GZIP)
    except isal_zlib.error as exc:  # type: ignore[misc] # its stub says an instance
        raise Unreadable(f"{where} cannot be read: {exc}", written) from exc
