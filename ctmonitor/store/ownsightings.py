"""Certificates for watched domains, as the daemon saw them in feeds and logs."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, select

from ctmonitor.model.own import Claim, OwnSighting
from ctmonitor.store.engine import Database, chunks
from ctmonitor.store.schema import (
    OWN_SIGHTING,
    from_json_text,
    json_text,
    moment_text,
)

_C = OWN_SIGHTING.c
_AT_ONCE = 500


def record_sightings(
    database: Database,
    connection: Connection,
    sightings: Iterable[OwnSighting],
    now: datetime,
) -> None:
    """
    Adds sightings in the caller's transaction, in which no other writer is beside it.

    What was seen in the same entry of a log is one sighting, or two: one by a feed that
    tells no key, and one that knows it.
    """
    insert = database.insert(OWN_SIGHTING).on_conflict_do_nothing(
        index_elements=[_C.domain, _C.entry]
    )
    rows = []
    for sighting in sightings:
        claim = json_text(msgspec.to_builtins(sighting.claim))
        # Without ids, as of a feed that tells none, it is what the claim says.
        ids, key = sighting.claim.ids, sighting.claim.key_sha256
        entry = json_text({"ids": ids, "key": key}) if ids else claim
        rows.append(
            {
                "domain": sighting.domain,
                "entry": hashlib.sha256(entry.encode()).hexdigest(),
                "claim": claim,
                "recorded_at": moment_text(now),
            }
        )
    connection.execute(insert, rows)


class OwnSightings:
    """
    The reader's side. Any thread and process may call at any time.

    Every method raises StoreUnavailable or StoreError when the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(
        self, number: int, domains: Sequence[str], limit: int
    ) -> list[OwnSighting]:
        """
        Sightings for `domains` that were recorded after the one of this number.

        Args:
            number: 0 for all.
            limit: the most of them, the first ones; fewer means that there are no more.
        """
        found: list[OwnSighting] = []
        for some in chunks(domains):
            query = (
                select(_C.number, _C.domain, _C.claim)
                .where(_C.domain.in_(some), _C.number > number)
                .order_by(_C.number)
                .limit(limit)
            )
            with self._database.sharing() as connection:
                rows = connection.execute(query).all()
            found += [
                OwnSighting(row.domain, _claim(row.claim), row.number) for row in rows
            ]
        return sorted(found, key=lambda sighting: sighting.number)[:limit]

    def forget(self, up_to: int, domains: Sequence[str]) -> int:
        """Removes sightings for `domains` up to this number; how many they were."""
        removed = 0
        with self._database.writing() as connection:
            for some in chunks(domains):
                old = _C.domain.in_(some) & (_C.number <= up_to)
                removed += connection.execute(delete(OWN_SIGHTING).where(old)).rowcount
        return removed

    def forget_old(self, before: datetime) -> int:
        """
        Removes what was recorded before `before`, whether anybody took it up or not.

        It goes in steps: when one fails, those before it stay.

        Returns:
            The number of sightings that were removed.
        """
        # They are numbered as they come, so the old ones stand at the beginning.
        first = select(_C.number, _C.recorded_at).order_by(_C.number).limit(_AT_ONCE)
        limit, removed = moment_text(before) or "", 0
        while True:
            with self._database.writing() as connection:
                rows = connection.execute(first).all()
                old = [row.number for row in rows if row.recorded_at < limit]
                for some in chunks(old):
                    gone = delete(OWN_SIGHTING).where(_C.number.in_(some))
                    removed += connection.execute(gone).rowcount
            if len(old) < _AT_ONCE:
                return removed


def _claim(text: str) -> Claim:
    return msgspec.convert(from_json_text(text), Claim)
