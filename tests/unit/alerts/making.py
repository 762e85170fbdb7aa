"""Reports and alerts for the tests, each alert checked against the schema."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from ctmonitor.alerts.record import alert_record
from ctmonitor.model.finding import Host, HostDetail, Issuance, Seen
from ctmonitor.model.followup import DueHost, EventKind, HostState
from ctmonitor.model.site import (
    Dns,
    DnsState,
    Enrichment,
    EnrichmentStatus,
    Hop,
    Page,
    Presence,
    ServedCertificate,
    SiteReport,
)
from ctmonitor.model.verdict import Reason

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs/alert.schema.json").read_text()))

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOST = "login-paypal.example"
SHA1 = "ab" * 20
FINGERPRINT = ":".join(["AB"] * 20)
TBS = "1f" * 32

SEEN = Seen(
    feed="wss://feed.example/",
    log="https://log.example/2026h2/",
    log_name="Example 2026h2",
    index=1234,
    entry_type="PrecertLogEntry",
    link="https://log.example/2026h2/ct/v1/get-entries?start=1234&end=1234",
    seen=NOON - timedelta(hours=1),
    logged=None,
)
ISSUANCE = Issuance(
    identity=f"tbs:{TBS}",
    issuer="/C=US/CN=R11/O=Let's Encrypt",
    serial="4d2",
    not_before="2026-11-21T10:00:00",
    not_after="2027-02-19T10:00:00",
    sha1=SHA1,
    sha256="cd" * 32,
    names=(HOST, f"www.{HOST}"),
    seen=(SEEN,),
)
SERVED = ServedCertificate(
    sha1="77" * 20,
    sha256="88" * 32,
    tbs_sha256=TBS,
    subject_cn=HOST,
    issuer_dn="/C=US/CN=R11/O=Let's Encrypt",
    names=(HOST,),
    not_before=NOON,
    not_after=NOON + timedelta(days=90),
)
NETWORK = Enrichment(
    EnrichmentStatus.OK,
    data={
        "asn": "64500",
        "asn_cidr": "192.0.2.0/24",
        "asn_country_code": "NL",
        "asn_description": "EXAMPLE-AS Example Hosting, NL",
        "asn_abuse_email": "abuse@hosting.example",
        "asn_abuse_emails": ["abuse@hosting.example"],
        "source": "origin.asn.cymru.com",
    },
)
LISTED = Enrichment(
    EnrichmentStatus.OK, data={"status": "not_listed", "matches": [], "answer": {}}
)
REGISTERED = Enrichment(
    EnrichmentStatus.OK,
    data={
        "domain": HOST,
        "registered": "2026-11-20T08:00:00",
        "expires": None,
        "registrar": "Example Registrar",
        "registrar_abuse_email": "abuse@registrar.example",
        "problem": "",
        "source": "rdap.example",
    },
)


def report(host: str = HOST, **more: Any) -> SiteReport:
    """The report of a visit to a host that is up."""
    up = SiteReport(
        host=host,
        visited=host,
        started=NOON - timedelta(seconds=2),
        finished=NOON,
        presence=Presence.UP,
        dns=Dns(DnsState.FOUND, ("192.0.2.7",), is_wildcard=False),
        url=f"https://{host}/",
        address="192.0.2.7",
        page=Page(
            url=f"https://{host}/signin",
            status=200,
            title="PayPal: log in",
            server="nginx",
            content_type="text/html; charset=utf-8",
            body_sha256="00" * 32,
            body_bytes=5120,
            favicon_mmh3=-1234567,
        ),
        hops=(Hop(f"https://{host}/", 302, "/signin", True),),
        certificate=SERVED,
        enrichments={"asn": NETWORK, "safe_browsing": LISTED, "domain": REGISTERED},
    )
    return replace(up, **more)


def due(host: str = HOST, **more: Any) -> DueHost:
    return replace(
        DueHost(host, FINGERPRINT, NOON - timedelta(hours=1), None, HostState()), **more
    )


def detail(host: str = HOST, **more: Any) -> HostDetail:
    row = Host(host, f"{host},www.{host}", "/CN=R11", FINGERPRINT, "", "", None)
    known = HostDetail(row, (Reason("paypal", "keyword"),), (ISSUANCE,), ())
    return replace(known, **more)


def checked(alert: Mapping[str, Any]) -> dict[str, Any]:
    """`alert` as a reader of the file gets it, after the schema has passed it."""
    read: dict[str, Any] = json.loads(json.dumps(alert, allow_nan=False))
    problems = [f"{one.json_path}: {one.message}" for one in SCHEMA.iter_errors(read)]
    assert problems == []
    return read


def alert(
    host: str = HOST, event: EventKind = EventKind.UP, **more: Any
) -> dict[str, Any]:
    """The alert on `host`; `more` goes into the report."""
    return checked(alert_record(report(host, **more), due(host), detail(host), event))


def titled(title: str, host: str = HOST) -> dict[str, Any]:
    """An alert on a page with this title."""
    page = report(host).page
    assert page is not None
    return alert(host, page=replace(page, title=title))
