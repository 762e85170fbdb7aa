"""Stores of watched domains of each kind, and states for them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ctmonitor.errors import StoreError
from ctmonitor.model.followup import Channel, OutboxItem
from ctmonitor.model.own import (
    AlertType,
    Claim,
    DomainState,
    Issuer,
    Mark,
    OwnAlert,
    OwnCertificate,
    OwnName,
    OwnSighting,
    OwnSource,
    SeenBy,
    Severity,
    Typosquat,
)
from ctmonitor.store.ownplace import open_states
from ctmonitor.store.ownstate import StateStore
from tests.fakes.s3 import ENVIRONMENT, S3Server
from tests.unit.store.making import NOON, Place

DOMAIN = "example.com"
PREFIX = "watch/own"


@dataclass(frozen=True)
class Kept:
    """Where states are kept: a database, a directory or a bucket."""

    place: Place | None = None
    directory: Path | None = None
    s3: S3Server | None = None
    bucket: str = ""

    @contextmanager
    def open(self, now: Callable[[], datetime] = lambda: NOON) -> Iterator[StateStore]:
        """A run's view of it."""
        if self.place is not None:
            with self.place.open(now=now) as store:
                yield store.own_states()
            return
        endpoint = self.s3.url if self.s3 is not None else ""
        states = open_states(self.address, endpoint, now=now)
        try:
            yield states
        finally:
            states.close()

    @property
    def address(self) -> str:
        """`[OWN] State`."""
        if self.directory is not None:
            return str(self.directory)
        return f"s3://{self.bucket}/{PREFIX}"

    @property
    def environment(self) -> dict[str, str]:
        """What another process needs to use it."""
        return ENVIRONMENT if self.s3 is not None else {}

    def write(self, name: str, body: bytes) -> None:
        """What another program, or an accident, puts there."""
        if self.place is not None:
            self.place.sql(
                "INSERT INTO ctm_own_state (name, document, updated_at) VALUES "
                "(:name, :body, '2026-11-20T10:00:00') ON CONFLICT (name) DO UPDATE "
                "SET document = excluded.document, updated_at = excluded.updated_at",
                name=name,
                body=body,
            )
        elif self.directory is not None:
            (self.directory / name).write_bytes(body)
            os.utime(self.directory / name, (WRITTEN.timestamp(),) * 2)
        elif self.s3 is not None:
            self.s3.put(self.bucket, f"{PREFIX}/{name}", body)

    def read(self, name: str) -> bytes:
        """What is there."""
        if self.place is not None:
            ((body,),) = self.place.sql(
                "SELECT document FROM ctm_own_state WHERE name = :name", name=name
            )
            return bytes(body)
        if self.directory is not None:
            return (self.directory / name).read_bytes()
        if self.s3 is not None:
            return self.s3.get(self.bucket, f"{PREFIX}/{name}")
        raise StoreError("there is nothing")


WRITTEN = datetime.fromisoformat("2026-11-20T10:00:00+00:00")


def message(key: str = "own:1:webhook", **more: str) -> OutboxItem:
    """A message of an own domain."""
    payload = {"kind": "own", "id": key, "names": ["\u202e\x00", DOMAIN]}
    return OutboxItem(key, Channel.WEBHOOK, payload, **more)


def full_state(domain: str = DOMAIN) -> DomainState:
    """A state in which every field differs from its default."""
    source = OwnSource.CRTSH
    dn = "C=US, O=Let's Encrypt, CN=R11"
    issuer = Issuer(dn, "us|le|r11", "Let's Encrypt", 295810, ("le.org",), "mail")
    at = "2026-11-21T12:00:00"
    certificate = OwnCertificate(
        id="ab12",
        first_seen=at,
        names=[domain, f"*.{domain}"],
        issuer=issuer,
        all_names=[domain, "O=\u202eB\u00fccher \x00"],
        serial="3ab",
        tbs_sha256="aa" * 32,
        cert_sha256="bb" * 32,
        key_sha256="cc" * 32,
        not_before=at,
        not_after="2027-02-21T12:00:00",
        logged=at,
        is_revoked=False,
        is_baseline=True,
        seen_by={source: SeenBy(at, ["1", "2"], "https://crt.sh/?id=1")},
    )
    alert = OwnAlert(
        id="0123456789abcdef",
        type=AlertType.CERTIFICATE_EXPIRING,
        severity=Severity.HIGH,
        domain=domain,
        first_seen=at,
        names=[domain],
        certificate="ab12",
        detail={"days_left": 7, "more": [1, None, {"a": 1.5}]},
        acknowledged=at,
    )
    return DomainState(
        domain,
        since=at,
        marks={source: Mark("17", at, False, at, at)},
        certificates=[certificate],
        names={f"www.{domain}": OwnName(at, at, "found", ["192.0.2.1"], "x.y", True)},
        alerts=[alert],
        wildcards=["*.x|y"],
        typosquats={"exarnple.com": Typosquat("homoglyph", True, at, [certificate])},
    )


def seen(*ids: str, domain: str = DOMAIN, name: str = "") -> OwnSighting:
    """A sighting of the daemon."""
    names = (name or f"www.{domain}",)
    return OwnSighting(domain, Claim(OwnSource.LOGS, names, ids))
