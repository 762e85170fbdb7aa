"""
The hash of a certificate's TBSCertificate as a log signs it.

A precertificate and its certificate differ in the poison extension, which only the
former has, and the SCT list, which only the latter has. Without these two their
TBSCertificates are the same bytes, so their hash joins them.

Source: RFC 6962 sections 3.1 to 3.3, RFC 5280 section 4.1, X.690 (DER).
"""

import hashlib

from ctmonitor.errors import FormatError

_SEQUENCE = 0x30
_EXTENSIONS = 0xA3  # [3] EXPLICIT, the last field of a TBSCertificate
# 1.3.6.1.4.1.11129.2.4.3 and .2.4.2 as complete DER objects.
_POISON = bytes.fromhex("060a2b06010401d679020403")
_SCT_LIST = bytes.fromhex("060a2b06010401d679020402")


def tbs_sha256(der: bytes) -> str:
    """
    SHA-256, in hex, of the TBSCertificate of `der` without poison and SCT list.

    Args:
        der: a Certificate, precertificate or not.

    Raises:
        FormatError: the bytes are no certificate down to the list of extensions.
    """
    start, end = _inner(der, 0, len(der), _SEQUENCE)
    tbs_start, tbs_end = _inner(der, start, end, _SEQUENCE)
    fields = list(_elements(der, tbs_start, tbs_end))
    if not fields or der[fields[-1][0]] != _EXTENSIONS:
        # Without extensions there is nothing to leave out.
        return hashlib.sha256(der[start:tbs_end]).hexdigest()
    explicit_start, explicit_end = _inner(der, *fields[-1], _EXTENSIONS)
    list_start, list_end = _inner(der, explicit_start, explicit_end, _SEQUENCE)
    kept = b"".join(
        der[a:b]
        for a, b in _elements(der, list_start, list_end)
        if not _is_left_out(der, a, b)
    )
    # A certificate whose only extension was the poison signs a TBSCertificate
    # without the field: an empty SEQUENCE of extensions is not allowed.
    extensions = _encoded(_EXTENSIONS, _encoded(_SEQUENCE, kept)) if kept else b""
    body = der[tbs_start : fields[-1][0]] + extensions
    return hashlib.sha256(_encoded(_SEQUENCE, body)).hexdigest()


def _is_left_out(der: bytes, start: int, end: int) -> bool:
    inner, _ = _inner(der, start, end, _SEQUENCE)
    return der.startswith((_POISON, _SCT_LIST), inner, end)


def _encoded(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _inner(der: bytes, start: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of the element at `start` stands; it has to fit into `end`."""
    if start >= end or der[start] != tag:
        raise FormatError("DER: other tag than expected", f"0x{tag:02x} at {start}")
    content, content_end = _extent(der, start, end)
    return content, content_end


def _elements(der: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """The elements that fill [start, end), each with its tag and length."""
    elements = []
    while start < end:
        _, content_end = _extent(der, start, end)
        elements.append((start, content_end))
        start = content_end
    return elements


def _extent(der: bytes, start: int, end: int) -> tuple[int, int]:
    if start + 2 > end:
        raise FormatError("DER: element without length", f"at {start}")
    content = start + 2
    size = der[start + 1]
    if size & 0x80:
        octets = size & 0x7F
        if not 1 <= octets <= 4 or content + octets > end:
            raise FormatError("DER: length out of range", f"at {start}")
        size = int.from_bytes(der[content : content + octets], "big")
        content += octets
    if content + size > end:
        raise FormatError("DER: element longer than its container", f"at {start}")
    return content, content + size
