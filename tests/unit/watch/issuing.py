"""Certificates for example.com, as sources tell of them."""

from typing import Any

from ctmonitor.model.dn import issuer_of
from ctmonitor.model.own import Claim, DomainState, OwnAlert, OwnSource
from ctmonitor.sources.ownsource import Answer
from ctmonitor.watch import inventory
from ctmonitor.watch.judge import Policy, expiring, judge

LETS_ENCRYPT = issuer_of("C=US, O=Let's Encrypt, CN=R11", 1)
DIGICERT = issuer_of('C=US, O="DigiCert, Inc.", CN=DigiCert Global G2', 2)
FIRST = "2026-01-01T12:00:00"
SECOND = "2026-01-02T12:00:00"
THIRD = "2026-01-03T12:00:00"


def claim(*names: str, number: int = 1, **facts: Any) -> Claim:
    """A row of crt.sh of the present shape, of 90 days from December on."""
    source = facts.pop("source", OwnSource.CRTSH)
    given: dict[str, Any] = {
        "ids": (str(1000 + number),),
        "issuer": LETS_ENCRYPT,
        "serial": f"5e{number:x}",
        "not_before": "2025-12-20T00:00:00",
        "not_after": "2026-03-19T23:59:59",
        "link": f"https://{source}.example/{number}",
    }
    names = names or ("www.example.com",)
    return Claim(source, names, **(given | facts))


def spotted(*names: str, number: int = 1, **facts: Any) -> Claim:
    """The same certificate as Cert Spotter tells of it."""
    given = {
        "source": OwnSource.CERTSPOTTER,
        "tbs_sha256": f"{number:064x}",
        "key_sha256": "ab" * 32,
    }
    return claim(*names, number=number, **(given | facts))


def crtsh(*claims: Claim, **facts: Any) -> Answer:
    return Answer(OwnSource.CRTSH, claims, **facts)


def certspotter(*claims: Claim, position: str = "1", **facts: Any) -> Answer:
    facts = {"is_full": False} | facts
    return Answer(OwnSource.CERTSPOTTER, claims, position, **facts)


def run(
    state: DomainState,
    now: str,
    *answers: Answer,
    policy: Policy | None = None,
    **more: Any,
) -> list[OwnAlert]:
    """One run over the domain: what is told."""
    changes = [
        change for each in answers for change in inventory.take(state, each, now)
    ]
    alerts = judge(state, changes, policy or Policy(), now, **more)
    alerts += expiring(state, policy or Policy(), now)
    return [alert for alert in alerts if not alert.is_baseline]


def watched(*claims: Claim, policy: Policy | None = None) -> DomainState:
    """A domain after its first run, of which these were the answer of crt.sh."""
    state = DomainState("example.com")
    run(state, FIRST, crtsh(*claims), policy=policy)
    return state


def types(alerts: list[OwnAlert]) -> list[str]:
    return sorted(alert.type.value for alert in alerts)
