"""What is remembered of two watched domains, and the report on it, for the tests."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from ctmonitor.model.own import (
    AlertType,
    Authority,
    DomainState,
    Issuer,
    Mark,
    OwnAlert,
    OwnCertificate,
    OwnName,
    OwnSource,
    SeenBy,
    Severity,
    Typosquat,
)
from ctmonitor.watch.report import Facts, report

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = Draft202012Validator(
    json.loads((ROOT / "docs/own-report.schema.json").read_text())
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOW = "2026-11-21T12:00:00"
LINK = "https://crt.sh/?id=1"
OURS = Issuer(
    dn="C=US, O=Ours, CN=R1", organisation="Ours", caa_domains=("ours.example",)
)
OTHER = Issuer(dn="C=XX, O=Other CA, CN=X", organisation="Other CA", ca_id=7)
FACTS = Facts(started=NOON, authorities=[Authority("Ours")])

# Names, organisations and texts as a stranger may write them.
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "a\u202egnp.exe",
    "\u05d0\u05d1\u05d2.example",
    "a\x00b\x1b[2J\r\nSet-Cookie: x",
    "\ud800",
    '=HYPERLINK("http://x")',
    "x" * 70_000,
    "",
)


def certificate(number: int, **changed: Any) -> OwnCertificate:
    """One that is valid at noon."""
    known: dict[str, Any] = {
        "id": f"{number:016x}",
        "first_seen": NOW,
        "names": [f"h{number}.example.com"],
        "issuer": OURS,
        "serial": f"{number:x}",
        "not_before": "2026-11-01T00:00:00",
        "not_after": "2027-01-30T00:00:00",
        "seen_by": {OwnSource.CRTSH: SeenBy(NOW, ["1"], LINK)},
    }
    return OwnCertificate(**{**known, **changed})


def alert(number: int, **changed: Any) -> OwnAlert:
    """One on a certificate of a CA that is not authorised."""
    known: dict[str, Any] = {
        "id": f"{number:016x}",
        "type": AlertType.UNAUTHORIZED_CA,
        "severity": Severity.CRITICAL,
        "domain": "example.com",
        "first_seen": NOW,
        "names": ["login.example.com"],
        "certificate": f"{number:016x}",
        "serial": "4d2",
        "issuer": "Other CA",
        "not_before": "2026-11-01T00:00:00",
        "not_after": "2027-01-30T00:00:00",
        "source": "crtsh",
        "link": LINK,
        "summary": "Other CA is not authorised.",
        "next_step": "Ask who ordered it.",
    }
    return OwnAlert(**{**known, **changed})


def state(domain: str = "example.com") -> DomainState:
    """A domain with something of everything."""
    return DomainState(
        domain,
        since="2026-01-01T00:00:00",
        marks={OwnSource.CRTSH: Mark(since="2026-01-01T00:00:00", asked=NOW)},
        certificates=[
            certificate(1),
            certificate(2, issuer=OTHER, not_after="2026-11-26T00:00:00"),
            certificate(
                3, not_before="2025-01-01T00:00:00", not_after="2025-04-01T00:00:00"
            ),
        ],
        names={
            f"h1.{domain}": OwnName(NOW, NOW, "ok", ["192.0.2.1"]),
            f"old.{domain}": OwnName(NOW, NOW, "ok", [], "gone.cloud.example", True),
        },
        alerts=[
            alert(5, type=AlertType.NEW_CERTIFICATE, severity=Severity.INFO),
            alert(2),
            alert(8, is_baseline=True, type=AlertType.WILDCARD_CERTIFICATE),
            alert(9, acknowledged=NOW, first_seen="2026-11-01T00:00:00"),
        ],
        typosquats={
            "examp1e.com": Typosquat("homoglyph", True, NOW, [certificate(77)]),
            "exampel.com": Typosquat("transposition", False, NOW),
        },
    )


def made(*states: DomainState, facts: Facts = FACTS) -> dict[str, Any]:
    """A report, checked against its schema."""
    record = report(states or [state()], facts, NOON)
    SCHEMA.validate(record)
    return record


def hostile(text: str) -> DomainState:
    """A domain of which everything that a stranger can write is `text`."""
    issuer = Issuer(
        dn=text, organisation=text, ca_id=1, caa_domains=(text,), contact=text
    )
    one = certificate(
        1,
        names=[text],
        all_names=[text],
        issuer=issuer,
        seen_by={OwnSource.LOGS: SeenBy(NOW, [text], f"javascript:{text}")},
    )
    return DomainState(
        "example.com",
        certificates=[one],
        names={"a.example.com": OwnName(NOW, dns=text, addresses=[text], cname=text)},
        alerts=[
            alert(
                1,
                names=[text],
                issuer=text,
                source=text,
                summary=text,
                next_step=text,
                link=f"javascript:{text}",
                detail={"what": [text]},
            )
        ],
        typosquats={"examp1e.com": Typosquat(text, True, "", [one])},
    )
