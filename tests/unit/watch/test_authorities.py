"""Which CAs may issue for a domain."""

import pytest

from ctmonitor.model.own import Authority, DomainState, Issuer
from ctmonitor.watch.authorities import (
    Authorities,
    auto_baseline,
    known_ca_ids,
    without_doubles,
)
from ctmonitor.watch.inventory import take
from tests.unit.watch.issuing import (
    DIGICERT,
    FIRST,
    LETS_ENCRYPT,
    claim,
    crtsh,
    watched,
)

DOMAIN = "example.com"


@pytest.mark.parametrize(
    ("authority", "is_allowed"),
    [
        (Authority("Let's Encrypt"), True),
        (Authority("let's encrypt"), False),
        (Authority("Let's"), False),
        (Authority("DigiCert, Inc."), False),
        (Authority(ca_id=1), True),
        (Authority(ca_id=2), False),
        (Authority("DigiCert, Inc.", 1), True),
        (Authority("Let's Encrypt", 2), True),
        (Authority("Let's Encrypt", domain=DOMAIN), True),
    ],
    ids=lambda value: str(value) if isinstance(value, bool) else "",
)
def test_organisation_exactly_or_ca_id(authority, is_allowed):
    assert Authorities([authority], DOMAIN).allow(LETS_ENCRYPT) is is_allowed


def test_what_is_for_another_domain_does_not_count():
    """Then none is configured for this one, and none is unauthorised."""
    for_other = Authority("DigiCert, Inc.", domain="example.org")
    alone = Authorities([for_other], DOMAIN)
    assert not alone.is_any
    assert alone.allow(LETS_ENCRYPT)
    both = Authorities([for_other, Authority("Let's Encrypt")], DOMAIN)
    assert both.is_any
    assert both.allow(LETS_ENCRYPT)
    assert not both.allow(DIGICERT)


def test_an_issuer_that_nobody_names_is_not_accused():
    assert Authorities([Authority("Let's Encrypt")], DOMAIN).allow(Issuer())


def test_the_id_of_an_issuer_is_known_from_crtsh():
    """Cert Spotter tells no ids; what crt.sh told of the same issuer counts."""
    without_id = Issuer("x", LETS_ENCRYPT.identity, LETS_ENCRYPT.organisation)
    by_id = [Authority(ca_id=1)]
    assert not Authorities(by_id, DOMAIN).allow(without_id)
    ids = known_ca_ids(watched(claim()))
    assert ids == {LETS_ENCRYPT.identity: 1}
    assert Authorities(by_id, DOMAIN, ids).allow(without_id)


def test_auto_baseline_takes_organisations_of_what_is_valid():
    ended = {"not_before": "2020-01-01T00:00:00", "not_after": "2020-02-01T00:00:00"}
    state = DomainState(DOMAIN)
    rows = [
        claim(),
        claim(number=2),
        claim(number=3, issuer=DIGICERT),
        claim(number=4, issuer=Issuer(organisation="Old"), **ended),
        claim(number=5, issuer=Issuer(organisation="Revoked"), is_revoked=True),
        claim(number=6, issuer=Issuer()),
        claim(number=7, issuer=Issuer(organisation="Endless"), not_after=""),
    ]
    take(state, crtsh(*rows), FIRST)
    assert auto_baseline(state, FIRST) == [
        Authority("DigiCert, Inc.", domain=DOMAIN),
        Authority("Let's Encrypt", domain=DOMAIN),
    ]


def test_added_authorities_stand_once():
    known = [Authority("A"), Authority("B", domain=DOMAIN)]
    added = [
        Authority("A", domain=DOMAIN),
        Authority("B", domain=DOMAIN),
        Authority("B", domain="example.org"),
        Authority("C", 7),
        Authority("C", 7),
    ]
    assert without_doubles(known, added) == [*known, added[2], added[3]]
