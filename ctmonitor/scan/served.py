"""
The certificate that a host serves, read field by field.

Anybody can have made it: what cannot be read is left empty, and text is made safe.

Source: RFC 5280 sections 4.1 and 4.2.1.6.
"""

import hashlib
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from ctmonitor.ct.certificate import tbs_sha256
from ctmonitor.errors import FormatError
from ctmonitor.model.name import host_key
from ctmonitor.model.site import ServedCertificate
from ctmonitor.model.text import bounded, printable

_T = TypeVar("_T")

_MAX_NAMES = 1000  # a report is stored and sent; nobody reads more
_REMEMBERED = 256  # certificates; hosts that are found together often share theirs

_SHORT = {
    NameOID.COUNTRY_NAME: "C",
    NameOID.COMMON_NAME: "CN",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
}


@lru_cache(maxsize=_REMEMBERED)
def served_certificate(der: bytes, problem: str = "") -> ServedCertificate:
    """
    What is known of a served certificate.

    Args:
        problem: why a browser would refuse it; empty when it is trusted.
    """
    sha1 = hashlib.sha1(der, usedforsecurity=False).hexdigest()
    sha256 = hashlib.sha256(der).hexdigest()
    try:
        tbs = tbs_sha256(der)
    except FormatError:
        tbs = ""
    with warnings.catch_warnings():
        # cryptography warns of what strangers did wrong; nobody here can mend it.
        warnings.simplefilter("ignore")
        try:
            parsed = x509.load_der_x509_certificate(der)
        except ValueError:
            return ServedCertificate(sha1, sha256, tbs, problem=problem)
        common_name = _or(lambda: _common_name(parsed), "")
        return ServedCertificate(
            sha1,
            sha256,
            tbs,
            subject_cn=common_name,
            issuer_dn=_or(lambda: _dn(parsed.issuer), ""),
            names=_or(lambda: _names(parsed), ()) or tuple(filter(None, [common_name])),
            not_before=_or(lambda: parsed.not_valid_before_utc, None),
            not_after=_or(lambda: parsed.not_valid_after_utc, None),
            problem=problem,
        )


def _or(read: Callable[[], _T], otherwise: _T) -> _T:
    """A field, or `otherwise` where the certificate breaks its own format."""
    try:
        return read()
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return otherwise


def _common_name(parsed: x509.Certificate) -> str:
    found = parsed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return _safe(found[0].value) if found else ""


def _dn(name: x509.Name) -> str:
    """`/C=US/CN=E7/O=Let's Encrypt`, as the feed writes it: sorted by key."""
    parts = sorted(
        (_SHORT[attribute.oid], _safe(attribute.value))
        for attribute in name
        if attribute.oid in _SHORT
    )
    return bounded("".join(f"/{key}={value}" for key, value in parts))


def _names(parsed: x509.Certificate) -> tuple[str, ...]:
    extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    texts = [*names[:_MAX_NAMES], *map(str, addresses[:_MAX_NAMES])]
    return tuple(map(host_key, texts[:_MAX_NAMES]))


def _safe(value: str | bytes) -> str:
    text = value if isinstance(value, str) else value.hex()
    return bounded(printable(text[:2000]))
