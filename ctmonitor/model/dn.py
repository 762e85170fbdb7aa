"""
Distinguished names as text, in the spellings of those who tell us of certificates.

    C=US, O="VeriSign, Inc.", CN=...          crt.sh, Cert Spotter
    CN=...,O=VeriSign\\, Inc.,C=US             RFC 4514: the other way round
    /C=US/O=VeriSign, Inc./CN=...             feeds, old OpenSSL

Source: RFC 4514 sections 2 and 3 (escapes, quotes of its forerunners), OpenSSL
X509_NAME_print_ex and X509_NAME_oneline.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from ctmonitor.model.certificate import issuer_identity
from ctmonitor.model.own import Issuer
from ctmonitor.model.text import printable, shortened

# Issuers of public logs stay below 400 characters; the rest is a stranger's joke.
_LONGEST = 2000

_KEY = r"(?:[A-Za-z][A-Za-z0-9.-]{0,60}|[0-9][0-9.]{0,60})"
_PAIR = re.compile(
    rf"\s*({_KEY})\s*=\s*"
    r'(?:"((?:[^"\\]|\\.)*)"\s*(?=[,+]|\Z)'
    # A comma that no attribute follows is of the value: `O=VeriSign, Inc., CN=...`.
    rf"|((?:[^\\,+]|\\.|[,+](?!\s*{_KEY}\s*=)|\\\Z)*))",
    re.DOTALL,
)
_SLASH = re.compile(rf"/(?={_KEY}=)")
_ESCAPE = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_SLASH_ESCAPE = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")

_SHORT = {
    "COUNTRYNAME": "C",
    "2.5.4.6": "C",
    "ORGANIZATIONNAME": "O",
    "2.5.4.10": "O",
    "ORGANIZATIONALUNITNAME": "OU",
    "2.5.4.11": "OU",
    "COMMONNAME": "CN",
    "2.5.4.3": "CN",
}


def parse_dn(text: str) -> Mapping[str, list[str]]:
    """
    The values of each attribute, in the order of the certificate: country first.

    Keys are in upper case, `C`, `O`, `OU` and `CN` also where the text has the long
    name or the number. Text that is no distinguished name gives nothing.
    """
    text = text[:_LONGEST]
    pairs = _slashed(text) if text.startswith("/") else _separated(text)
    # RFC 4514 begins with the last, so that country or domain component stand behind.
    if pairs and pairs[-1][0] in {"C", "DC"} and pairs[0][0] not in {"C", "DC"}:
        pairs.reverse()
    values: dict[str, list[str]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    return values


@lru_cache(maxsize=4096)
def issuer_of(
    dn: str,
    ca_id: int | None = None,
    caa_domains: tuple[str, ...] | None = None,
    contact: str = "",
) -> Issuer:
    """
    The issuer that a source names; texts of it are safe to show and to store.

    As when we read certificates ourselves, the first country and organisation and
    the last common name count, so that identities agree.
    """
    values = parse_dn(dn)
    country, organisation = (
        printable(values.get(key, [""])[0].strip()) for key in ("C", "O")
    )
    name = printable(values.get("CN", [""])[-1].strip())
    return Issuer(
        dn=shortened(dn, _LONGEST),
        identity=issuer_identity(country, organisation, name),
        organisation=organisation or name,
        ca_id=ca_id,
        caa_domains=caa_domains,
        contact=contact,
    )


def _separated(text: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    at = 0
    while pair := _PAIR.match(text, at):
        key, quoted, plain = pair.groups()
        value = _unescaped(plain if quoted is None else quoted)
        pairs.append((_short(key), value.rstrip()))
        at = pair.end() + 1  # the separator
    return pairs


def _slashed(text: str) -> list[tuple[str, str]]:
    pairs = []
    # Slashes stand in values as well: /O=http://www.cacert.org/CN=...
    for part in _SLASH.split(text)[1:]:
        key, _, value = part.partition("=")
        value = _SLASH_ESCAPE.sub(
            lambda found: _decoded(found[0].replace("\\x", "")), value
        )
        pairs.append((_short(key), value))
    return pairs


def _short(key: str) -> str:
    key = key.upper().removeprefix("OID.")
    return _SHORT.get(key, key)


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return _ESCAPE.sub(
        lambda found: _decoded(found[1].replace("\\", "")) if found[1] else found[2],
        value,
    )


def _decoded(digits: str) -> str:
    raw = bytes.fromhex(digits)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
