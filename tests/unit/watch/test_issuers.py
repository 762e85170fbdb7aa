"""Which identifiers of a CAA record allow an issuer."""

import re

import pytest

from ctmonitor.model.dn import issuer_of
from ctmonitor.model.own import Issuer
from ctmonitor.watch.issuers import _TABLE, caa_identifiers


@pytest.mark.parametrize(
    ("dn", "identifier"),
    [
        ("C=US, O=Let's Encrypt, CN=YE1", "letsencrypt.org"),
        ("C=US, O=DigiCert Inc, OU=www.digicert.com, CN=DigiCert EV", "digicert.com"),
        ("C=US, O=DigiCert Inc, OU=www.digicert.com, CN=DigiCert EV", "geotrust.com"),
        ("C=GB, ST=Greater Manchester, O=Sectigo Limited, CN=Sectigo", "sectigo.com"),
        ("C=GB, O=COMODO CA Limited, CN=COMODO RSA", "comodoca.com"),
        ("C=BE, O=GlobalSign nv-sa, CN=GlobalSign Atlas R3", "globalsign.com"),
        ("C=US, O=Google Trust Services, CN=WE1", "pki.goog"),
        ("C=US, O=Amazon, CN=Amazon RSA 2048 M03", "amazontrust.com"),
        ("C=US, O=Microsoft Corporation, CN=Azure TLS", "microsoft.com"),
        ('C=US, O="GoDaddy.com, Inc.", CN=Go Daddy Secure', "godaddy.com"),
        ('C=US, O="Entrust, Inc.", CN=Entrust L1K', "entrust.net"),
        ("C=AT, O=ZeroSSL, CN=ZeroSSL ECC", "sectigo.com"),
        ("C=US, O=SSL Corporation, CN=SSL.com TLS", "ssl.com"),
        ('C=JP, O="Japan Registry Services Co., Ltd.", CN=JPRS DV', "jprs.jp"),
        ("C=DE, O=D-Trust GmbH, CN=D-TRUST", "d-trust.net"),
        ("C=IT, O=Actalis S.p.A., CN=Actalis DV", "actalis.it"),
        ('C=US, O="CLOUDFLARE, INC.", CN=Cloudflare TLS Issuing ECC CA 1', "ssl.com"),
        ("C=US, O=LET'S  ENCRYPT, CN=E5", "letsencrypt.org"),
    ],
)
def test_the_main_cas_are_known(dn, identifier):
    assert identifier in (caa_identifiers(issuer_of(dn)) or ())


@pytest.mark.parametrize("told", [("ca.example",), ()])
def test_what_a_source_tells_counts_before_the_table(told):
    issuer = issuer_of("O=Let's Encrypt, CN=E5", caa_domains=told)
    assert caa_identifiers(issuer) == told


@pytest.mark.parametrize(
    "issuer",
    [Issuer(), Issuer(organisation="Nobody Ltd"), Issuer(organisation="Let's")],
    ids=["none", "unknown", "a part"],
)
def test_any_other_issuer_is_unknown(issuer):
    assert caa_identifiers(issuer) is None


def test_the_table_has_domains_in_lower_case():
    domain = re.compile(r"([a-z0-9][a-z0-9-]*\.)+[a-z]{2,}")
    found = {each for identifiers in _TABLE.values() for each in identifiers}
    assert {each for each in found if not domain.fullmatch(each)} == set()
    folded = [" ".join(each.split()).casefold() for each in _TABLE]
    assert len(set(folded)) == len(folded)
