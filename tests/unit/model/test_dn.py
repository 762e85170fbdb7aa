"""Issuers are recognised however a source spells their names."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.dn import issuer_of, parse_dn
from tests.data import shared

SPELLINGS = {
    "crt.sh": 'C=US, O="VeriSign, Inc.", OU=Trust, OU=Terms (c)10, CN=Class 3 CA',
    "no space": r'C=US,O="VeriSign, Inc.",OU=Trust,OU=Terms (c)10,CN=Class 3 CA',
    "RFC 4514": r"CN=Class 3 CA,OU=Terms (c)10,OU=Trust,O=VeriSign\, Inc.,C=US",
    "hex escape": r"CN=Class 3 CA,OU=Terms (c)10,OU=Trust,O=VeriSign\2C Inc.,C=US",
    "slashes": "/C=US/O=VeriSign, Inc./OU=Trust/OU=Terms (c)10/CN=Class 3 CA",
    "no quotes": "C=US, O=VeriSign, Inc., OU=Trust, OU=Terms (c)10, CN=Class 3 CA",
    "old OpenSSL": "C = US, O = VeriSign\\, Inc., OU = Trust, OU = Terms (c)10, "
    "CN = Class 3 CA",
    "numbers": "2.5.4.6=US, OID.2.5.4.10=VeriSign\\, Inc., OU=Trust, OU=Terms (c)10, "
    "commonName=Class 3 CA",
    "several in one": 'C=US + O="VeriSign, Inc.", OU=Trust+OU=Terms (c)10, '
    "CN=Class 3 CA",
    "case": 'c=US, o="VeriSign, Inc.", ou=Trust, ou=Terms (c)10, cn=Class 3 CA',
}


@pytest.mark.parametrize("spelling", list(SPELLINGS))
def test_one_name_in_each_spelling(spelling: str) -> None:
    assert parse_dn(SPELLINGS[spelling]) == {
        "C": ["US"],
        "O": ["VeriSign, Inc."],
        "OU": ["Trust", "Terms (c)10"],
        "CN": ["Class 3 CA"],
    }


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (r'O="say \"hi\" \\ there", C=US', {"O": [r'say "hi" \ there'], "C": ["US"]}),
        (r"O=Netz\C3\BCberall, CN=a", {"O": ["Netzüberall"], "CN": ["a"]}),
        (r"O=Netz\FCberall", {"O": ["Netzüberall"]}),
        (r"/O=Netz\xC3\xBCberall/CN=a", {"O": ["Netzüberall"], "CN": ["a"]}),
        (
            "/O=http://www.cacert.org/CN=a",
            {"O": ["http://www.cacert.org"], "CN": ["a"]},
        ),
        ("C=US, O=, CN=a=b", {"C": ["US"], "O": [""], "CN": ["a=b"]}),
        ('O="not closed, CN=a', {"O": ['"not closed'], "CN": ["a"]}),
        ('O="Foo" Inc, CN=a', {"O": ['"Foo" Inc'], "CN": ["a"]}),
        ("O=ends in \\", {"O": ["ends in \\"]}),
        ("DC=org, DC=example, CN=a", {"DC": ["org", "example"], "CN": ["a"]}),
        ("CN=a, DC=example, DC=org", {"DC": ["org", "example"], "CN": ["a"]}),
        ("", {}),
        ("Let's Encrypt", {}),
        ("/", {}),
    ],
)
def test_quotes_escapes_and_oddities(text: str, values: dict[str, list[str]]) -> None:
    assert parse_dn(text) == values


def test_no_more_is_read_of_it_than_an_issuer_has() -> None:
    assert len(parse_dn("O=a," * 100_000)["O"]) == 500


def test_the_same_issuer_has_one_identity() -> None:
    found = {issuer_of(text).identity for text in SPELLINGS.values()}
    assert found == {"us|verisign, inc.|class 3 ca"}


def test_an_issuer_is_what_the_source_says_of_it() -> None:
    issuer = issuer_of(
        "C=US, O=Let's Encrypt, CN=E7", 295819, ("letsencrypt.org",), "x"
    )
    assert (issuer.organisation, issuer.ca_id) == ("Let's Encrypt", 295819)
    assert (issuer.caa_domains, issuer.contact) == (("letsencrypt.org",), "x")
    assert issuer_of("CN=Only a name").organisation == "Only a name"
    assert issuer_of("").identity == ""


def test_the_last_common_name_counts_as_when_we_read_a_certificate_ourselves() -> None:
    assert issuer_of("O=a, O=b, CN=c, CN=d").identity == "|a|d"


def test_what_could_harm_a_terminal_or_a_store_is_escaped() -> None:
    issuer = issuer_of("O=a\x1b[2J\ud800, CN=" + "b" * 5000)
    assert issuer.organisation == "a\\x1b[2J\\ud800"
    assert len(issuer.dn) <= 2000
    (issuer.dn + issuer.identity).encode()


def test_the_issuers_of_a_recorded_answer() -> None:
    path = shared("apis/crtsh/python.org_2020-04_output_json.json")
    names = {row["issuer_name"] for row in json.loads(path.read_bytes())}
    assert {issuer_of(name).organisation for name in names} == {
        *("COMODO CA Limited", "DigiCert Inc", "GANDI SAS", "Gandi"),
        *("GlobalSign nv-sa", "Let's Encrypt", "Root CA", "StartCom Ltd."),
        "VeriSign, Inc.",
    }


@given(st.text(alphabet='COcno=,+/\\" "\'x2é1.\n\x00\ud800', max_size=60) | st.text())
def test_any_text_gives_values_that_can_be_stored(text: str) -> None:
    for key, values in parse_dn(text).items():
        assert key
        assert values
    issuer = issuer_of(text)
    "".join((issuer.dn, issuer.identity, issuer.organisation)).encode()


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1))
def test_escaped_values_come_back(values: list[str]) -> None:
    escaped = ["".join(f"\\{byte:02x}" for byte in text.encode()) for text in values]
    dn = ",".join(f"O={text}" for text in escaped)
    if len(dn) <= 2000:
        assert parse_dn(dn) == {"O": [text.rstrip() for text in values]}
