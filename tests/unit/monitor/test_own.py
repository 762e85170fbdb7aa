"""A sighting becomes a claim of what it knows of a certificate for an own domain."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.batch import Sighting
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.own import Claim, Issuer, OwnSighting, OwnSource
from ctmonitor.monitor.own import own_sightings

NOON = datetime(2026, 11, 21, 12, 0, 0, 250000, tzinfo=UTC)
CERTIFICATE = Certificate(
    names=("www.example.com", "example.net"),
    issuer_dn="/C=US/CN=E7/O=Let's Encrypt",
    issuer_id="us|let's encrypt|e7",
    issuer_organisation="Let's Encrypt",
    serial=0x0A1B,
    not_before=NOON,
    not_after=datetime(2027, 2, 19, 11, 59, 59, tzinfo=UTC),
    sha256="5" * 64,
    tbs_sha256="7" * 64,
    key_sha256="9" * 64,
)
SIGHTING = Sighting(
    names=CERTIFICATE.names,
    feed="wss://feed.example/",
    certificate=CERTIFICATE,
    log="https://log.example/2026h2",
    index=12,
    logged=NOON,
    link="https://log.example/entry",
)


def test_a_claim_says_all_that_the_sighting_knows() -> None:
    own = {"example.com": ("www.example.com",), "example.net": ("example.net",)}
    first, second = own_sightings(SIGHTING, own)
    assert first == OwnSighting(
        "example.com",
        Claim(
            source=OwnSource.LOGS,
            names=("www.example.com",),
            ids=("https://log.example/2026h2:12",),
            all_names=("www.example.com", "example.net"),
            issuer=Issuer(
                dn="/C=US/CN=E7/O=Let's Encrypt",
                identity="us|let's encrypt|e7",
                organisation="Let's Encrypt",
            ),
            serial="a1b",
            tbs_sha256="7" * 64,
            cert_sha256="5" * 64,
            key_sha256="9" * 64,
            not_before="2026-11-21T12:00:00",
            not_after="2027-02-19T11:59:59",
            logged="2026-11-21T12:00:00",
            link="https://log.example/entry",
        ),
    )
    assert (second.domain, second.claim.names) == ("example.net", ("example.net",))


def test_a_message_of_names_alone_makes_a_claim_of_names_alone() -> None:
    sighting = Sighting(("example.com", "x.test"), "feed")
    (seen,) = own_sightings(sighting, {"example.com": ("example.com",)})
    assert seen.claim == Claim(
        source=OwnSource.LOGS,
        names=("example.com",),
        all_names=("example.com", "x.test"),
    )


def test_what_a_certificate_is_full_of_is_bounded() -> None:
    names = ("example.com", *(f"{number}.test" for number in range(5000)), "x" * 9000)
    long = Certificate(names, issuer_dn="/O=" + "o" * 9000)
    sighting = Sighting(names, "feed", long, log="l" * 9000, index=1, link="k" * 9000)
    (seen,) = own_sightings(sighting, {"example.com": ("example.com",)})
    assert len(seen.claim.all_names) == 200
    assert len(msgspec.json.encode(seen.claim)) < 8000


@given(st.text(st.characters(categories=None), max_size=20))
def test_any_text_of_a_stranger_can_be_kept(text: str) -> None:
    """NUL, line ends and halves of surrogate pairs, which no database takes."""
    certificate = Certificate((text,), issuer_dn=text, issuer_organisation=text)
    sighting = Sighting((text,), "feed", certificate, log=text, index=0, link=text)
    (seen,) = own_sightings(sighting, {"example.com": ("example.com",)})
    kept = msgspec.json.encode(seen.claim)
    assert b"\\u0000" not in kept
    assert msgspec.json.decode(kept, type=Claim) == seen.claim
