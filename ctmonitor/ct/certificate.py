"""
The hash of a certificate's TBSCertificate as a log signs it, and that of its key.

A precertificate and its certificate differ in the poison extension, which only the
former has, and the SCT list, which only the latter has. Without these two their
TBSCertificates are the same bytes, so their hash joins them.

Source: RFC 6962 sections 3.1 to 3.3, RFC 5280 section 4.1.
"""

import hashlib
from collections.abc import Sequence

from ctmonitor.ct.der import SEQUENCE, Element, elements, encoded, inner
from ctmonitor.errors import FormatError

VERSION = 0xA0  # [0] EXPLICIT, the first field of a TBSCertificate, if told
EXTENSIONS = 0xA3  # [3] EXPLICIT, the last
# 1.3.6.1.4.1.11129.2.4.3 and .2.4.2 as complete DER objects.
_POISON = bytes.fromhex("060a2b06010401d679020403")
_SCT_LIST = bytes.fromhex("060a2b06010401d679020402")
_LEFT_OUT = (_POISON, _SCT_LIST)


def tbs_sha256(der: bytes) -> str:
    """
    SHA-256, in hex, of the TBSCertificate of `der` without poison and SCT list.

    Args:
        der: a Certificate, precertificate or not.

    Raises:
        FormatError: the bytes are no certificate down to the list of extensions.
    """
    start, end = inner(der, 0, len(der), SEQUENCE)
    tbs, tbs_end = inner(der, start, end, SEQUENCE)
    fields = elements(der, tbs, tbs_end)
    if not fields or der[fields[-1][0]] != EXTENSIONS:
        # Without extensions there is nothing to leave out.
        return hashlib.sha256(der[start:tbs_end]).hexdigest()
    at, content, stop = fields[-1]
    listed = elements(der, *inner(der, content, stop, SEQUENCE))
    for extension, _, extension_end in listed:
        inner(der, extension, extension_end, SEQUENCE)
    return joining_sha256(der, tbs, at, listed)


def key_sha256(der: bytes) -> str:
    """
    SHA-256, in hex, of the SubjectPublicKeyInfo of `der`.

    Args:
        der: a Certificate, precertificate or not.

    Raises:
        FormatError: the bytes are no certificate down to its key.
    """
    start, end = inner(der, 0, len(der), SEQUENCE)
    fields = elements(der, *inner(der, start, end, SEQUENCE))
    first = 1 if fields and der[fields[0][0]] == VERSION else 0
    digest = key_sha256_of(der, fields[first:])
    if not digest:
        raise FormatError("certificate: no public key", f"{len(fields)} fields")
    return digest


def key_sha256_of(der: bytes, fields: Sequence[Element]) -> str:
    """
    The same, of a TBSCertificate that was walked already; empty when it has none.

    Args:
        fields: from the serial number on, as far as they were read.
    """
    if len(fields) < 6:
        return ""
    start, _, end = fields[5]
    return hashlib.sha256(der[start:end]).hexdigest() if der[start] == SEQUENCE else ""


def joining_sha256(
    der: bytes, tbs: int, extensions: int, listed: Sequence[Element]
) -> str:
    """
    The same, of a TBSCertificate that was walked already.

    Args:
        tbs: where its content begins; extensions: where their field does, the last.
        listed: the extensions, which follow one another.
    """
    pieces = []
    at = listed[0][0] if listed else 0
    for start, content, end in listed:
        if der.startswith(_LEFT_OUT, content, end):
            pieces.append(der[at:start])
            at = end
    if listed:
        pieces.append(der[at : listed[-1][2]])
    kept = b"".join(pieces)
    # A certificate whose only extension was the poison signs a TBSCertificate
    # without the field: an empty SEQUENCE of extensions is not allowed.
    field = encoded(EXTENSIONS, encoded(SEQUENCE, kept)) if kept else b""
    return hashlib.sha256(encoded(SEQUENCE, der[tbs:extensions] + field)).hexdigest()
