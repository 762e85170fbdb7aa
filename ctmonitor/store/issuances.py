"""
Which stored issuance a certificate belongs to; what a sighting adds, and merging.

A precertificate, its certificate, and both in several logs and feeds are one issuance,
although each tells different things of it. Two rows that turn out to be the same by a
sighting that fits both become one. Hashes of the TBSCertificate that differ keep rows
apart, whatever else is equal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from sqlalchemy import (
    Connection,
    Insert,
    Table,
    bindparam,
    delete,
    func,
    literal,
    select,
)

from ctmonitor.model.certificate import Certificate
from ctmonitor.model.clock import utc_text
from ctmonitor.model.text import bounded
from ctmonitor.store.engine import BatchInsert, Database, chunks
from ctmonitor.store.rows import recurring_text, text
from ctmonitor.store.schema import (
    HOST_ISSUANCE,
    ISSUANCE,
    ISSUANCE_NAME,
    SEEN,
    moment_text,
)

_RANK = {"tbs": 2, "serial": 1, "names": 0}
_KEYS = ("tbs_sha256", "authority_key_id", "issuer_id", "serial")
_FACTS = ("issuer_dn", "not_before", "not_after", "sha1", "sha256")


@dataclass(slots=True)
class _Row:
    """A row of ctm_issuance while it is worked on: its columns; empty is unknown."""

    id: int
    identity: str
    tbs_sha256: str
    authority_key_id: str
    issuer_id: str
    serial: str
    issuer_dn: str
    not_before: str | None
    not_after: str | None
    sha1: str
    sha256: str
    as_precert: bool
    as_certificate: bool
    first_seen: str

    @property
    def rank(self) -> int:
        return _RANK[self.identity.partition(":")[0]]

    def is_same(self, other: "_Row") -> bool:
        """True when nothing is against it and issuer and serial, or more, agree."""
        if self.identity == other.identity:
            return True
        if self.is_apart(other) or not self.serial or self.serial != other.serial:
            return False
        if self.authority_key_id and other.authority_key_id:
            return self.authority_key_id == other.authority_key_id
        return bool(self.issuer_id) and self.issuer_id == other.issuer_id

    def is_apart(self, other: "_Row") -> bool:
        """True when both hashes of the TBSCertificate are known and differ."""
        return (
            bool(self.tbs_sha256 and other.tbs_sha256)
            and self.tbs_sha256 != other.tbs_sha256
        )

    def learn(self, other: "_Row") -> bool:
        """Takes what `other` knows more; True when that was anything."""
        changed = False
        # A row that is known by its names alone keeps to them: a serial number of one
        # sighting and an issuer of another would make a key that nobody told.
        for column in _FACTS if self.rank == 0 else _KEYS + _FACTS:
            if getattr(other, column) and not getattr(self, column):
                setattr(self, column, getattr(other, column))
                changed = True
        for flag in ("as_precert", "as_certificate"):
            if getattr(other, flag) and not getattr(self, flag):
                setattr(self, flag, True)
                changed = True
        if other.rank > self.rank:
            self.identity = other.identity
            changed = True
        return changed


_NAMES = [field.name for field in fields(_Row)]
_COLUMNS = [ISSUANCE.c[name] for name in _NAMES]
_BY_IDENTITY = select(*_COLUMNS).where(
    ISSUANCE.c.identity.in_(bindparam("keys", expanding=True))
)
_BY_SERIAL = select(*_COLUMNS).where(
    ISSUANCE.c.serial.in_(bindparam("keys", expanding=True))
)
_UPDATE = ISSUANCE.update().where(ISSUANCE.c.id == bindparam("row_id"))
_ROW = attrgetter(*_NAMES)


class _Shelf:
    """The rows in question, found by identity and by serial number."""

    def __init__(self, rows: Iterable[_Row]) -> None:
        self._by_identity: dict[str, _Row] = {}
        self._by_serial: dict[str, list[_Row]] = {}
        self._moved: dict[int, _Row] = {}  # id -> the row that took it in
        for row in rows:
            self.add(row)

    def add(self, row: _Row) -> None:
        self._by_identity[row.identity] = row
        if row.serial:
            self._by_serial.setdefault(row.serial, []).append(row)

    def fitting(self, row: _Row) -> list[_Row]:
        """All rows that are the same as `row`, the one to keep first."""
        found: dict[int, _Row] = {}
        direct = self._by_identity.get(row.identity)
        near = self._by_serial.get(row.serial, ()) if row.serial else ()
        for candidate in (*((direct,) if direct else ()), *near):
            kept = self.kept(candidate)
            if kept.is_same(row):
                found[kept.id] = kept
        # The oldest that has a hash: the one with the most children, as a rule.
        return sorted(found.values(), key=lambda each: (-each.rank, each.id))

    def kept(self, row: _Row) -> _Row:
        while row.id in self._moved:
            row = self._moved[row.id]
        return row

    def move(self, row: _Row, into: _Row) -> None:
        self._moved[row.id] = into


def record_issuances(
    database: Database,
    connection: Connection,
    certificates: Sequence[Certificate],
    now: datetime,
) -> list[int]:
    """
    The id of the issuance of each certificate, new and old ones, as far as written.

    The caller writes names, hosts and sightings under these ids. The transaction has
    to be the only one that writes.
    """
    first_seen = moment_text(now) or ""
    last_id = connection.execute(select(func.max(ISSUANCE.c.id))).scalar() or 0
    told = [
        _row_of(certificate, last_id + number, first_seen)
        for number, certificate in enumerate(certificates, start=1)
    ]
    shelf = _Shelf(_stored(connection, told))
    new: dict[int, _Row] = {}
    changed: dict[int, _Row] = {}
    moved: list[_Row] = []
    chosen: list[_Row] = []
    for row in told:
        fitting = shelf.fitting(row)
        if not fitting:
            shelf.add(row)
            new[row.id] = row
            chosen.append(row)
            continue
        keep, *others = fitting
        has_learned = keep.learn(row)
        for other in others:
            if keep.is_apart(other):
                continue
            # What only this batch knows has no children yet, and vanishes.
            if new.pop(other.id, None) is None:
                moved.append(other)
            changed.pop(other.id, None)
            shelf.move(other, keep)
            has_learned |= keep.learn(other)
            if other.first_seen < keep.first_seen:
                keep.first_seen, has_learned = other.first_seen, True
        if has_learned:
            shelf.add(keep)
            if keep.id not in new:
                changed[keep.id] = keep
        chosen.append(keep)
    # First, since a row that stays may take the identity of one that goes.
    _merge(database, connection, [(row.id, shelf.kept(row).id) for row in moved])
    if changed:
        connection.execute(
            _UPDATE,
            [
                dict(zip(_NAMES[1:], _ROW(row)[1:], strict=True)) | {"row_id": row.id}
                for row in changed.values()
            ],
        )
    if new:
        BatchInsert.of(database, ISSUANCE).run(
            connection, [_ROW(row) for row in new.values()]
        )
    return [shelf.kept(row).id for row in chosen]


def _row_of(certificate: Certificate, row_id: int, first_seen: str) -> _Row:
    serial = certificate.serial
    return _Row(
        id=row_id,
        identity=text(certificate.identity),
        tbs_sha256=text(certificate.tbs_sha256),
        authority_key_id=recurring_text(certificate.authority_key_id),
        issuer_id=recurring_text(certificate.issuer_id),
        serial="" if serial is None else bounded(f"{serial:x}"),
        issuer_dn=recurring_text(certificate.issuer_dn),
        not_before=utc_text(certificate.not_before),
        not_after=utc_text(certificate.not_after),
        sha1=text(certificate.sha1),
        sha256=text(certificate.sha256),
        as_precert=certificate.is_precert is True,
        as_certificate=certificate.is_precert is False,
        first_seen=first_seen,
    )


def _stored(connection: Connection, told: Sequence[_Row]) -> list[_Row]:
    found: dict[int, _Row] = {}
    for statement, keys in (
        (_BY_IDENTITY, {row.identity for row in told}),
        (_BY_SERIAL, {row.serial for row in told if row.serial}),
    ):
        for some in chunks(sorted(keys)):
            for values in connection.execute(statement, {"keys": some}):
                found.setdefault(values[0], _Row(*values))
    return list(found.values())


def _merge(
    database: Database, connection: Connection, moved: Sequence[tuple[int, int]]
) -> None:
    for source, target in moved:
        for table in (HOST_ISSUANCE, ISSUANCE_NAME, SEEN):
            connection.execute(_copy(database, table, source, target))
            connection.execute(delete(table).where(table.c.issuance_id == source))
        connection.execute(delete(ISSUANCE).where(ISSUANCE.c.id == source))


def _copy(database: Database, table: Table, source: int, target: int) -> Insert:
    others = [column for column in table.c if column.name != "issuance_id"]
    rows = select(literal(target), *others).where(table.c.issuance_id == source)
    return (
        database.insert(table)
        .from_select(["issuance_id", *(column.name for column in others)], rows)
        .on_conflict_do_nothing()
    )
