"""
The names of a certificate and nothing else, for reading all certificates of all logs.

Certificates are built alike, so the fields before the names are stepped over by their
lengths. What is built in any other way is left to `x509.certificate_of`, whose names
these are.

Source: RFC 5280 sections 4.1 and 4.2.1.6.
"""

from ctmonitor.ct.certificate import EXTENSIONS
from ctmonitor.ct.der import BOOLEAN, OCTET_STRING, SEQUENCE, SET
from ctmonitor.ct.x509 import COMMON_NAME

_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")
_VERSION = 0xA0
_DNS_NAME = 0x82
_BYTE_STRINGS = frozenset((0x0C, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B))
_MAX_NAMES = 2_000  # beyond it the slow way has limits of its own
_MAX_COMMON_NAMES = 8  # each is compared with every other name


def plain_names(
    data: bytes, text: str, start: int, end: int, is_precert: bool
) -> list[str] | None:
    """
    The names that `certificate_of` finds, in its order, possibly with doubles.

    Args:
        data: any bytes; the certificate, or TBSCertificate of a precertificate, is
            `data[start:end]`.
        text: `data` as Latin-1, so that a name is one slice of it.

    Returns:
        None when the certificate has to be parsed: it is broken, or written in a way
        that certificates rarely are. The empty list when it has no names.
    """
    try:
        at = start
        if not is_precert:
            if data[at] != SEQUENCE:
                return None
            at, stop = _extent(data, at)
            if stop > end:
                return None
            end = stop
        if data[at] != SEQUENCE:
            return None
        at, tbs_end = _extent(data, at)
        if tbs_end > end:
            return None
        # Version (if told), serial number, algorithm, issuer, validity.
        for _ in range(5 if data[at] == _VERSION else 4):
            size = data[at + 1]
            at = at + 2 + size if size < 0x80 else _extent(data, at)[1]
        subject, at = _extent(data, at)
        if at > tbs_end:
            return None
        names: list[str] = []
        if subject != at:
            common_names = _common_names(data, text, subject, at)
            if common_names is None or len(common_names) > _MAX_COMMON_NAMES:
                return None
        else:
            common_names = names
        at = _extent(data, at)[1]  # the public key
        while at < tbs_end and data[at] != EXTENSIONS:
            at = _extent(data, at)[1]
        if at < tbs_end:
            found = _alternative_names(data, text, at, tbs_end)
            if found is None:
                return None
            names = found
        elif at > tbs_end:
            return None
        for name in common_names:
            if name not in names:
                names.append(name)
    except IndexError:  # the end of `data` may come first
        return None
    return names


def _extent(data: bytes, at: int) -> tuple[int, int]:
    """As `der.extent`, without a container; IndexError for a length of any oddity."""
    size = data[at + 1]
    if size < 0x80:
        return at + 2, at + 2 + size
    if size == 0x82:
        return at + 4, at + 4 + (data[at + 2] << 8 | data[at + 3])
    if size == 0x81:
        return at + 3, at + 3 + data[at + 2]
    raise IndexError


def _common_names(data: bytes, text: str, at: int, end: int) -> list[str] | None:
    """Of a subject; None when an attribute is long or otherwise unusual."""
    names = []
    while at < end:
        # SET { SEQUENCE { type, value } }
        pair = at + 2
        stop = pair + data[at + 1]
        value = pair + 4 + data[pair + 3]
        if (
            data[at] != SET
            or data[at + 1] >= 0x80
            or data[pair] != SEQUENCE
            or data[pair + 1] != stop - pair - 2
            or value + 2 + data[value + 1] != stop
        ):
            return None
        if data.startswith(COMMON_NAME, pair + 2):
            name = text[value + 2 : stop]
            if data[value] not in _BYTE_STRINGS or not name.isascii() or "\0" in name:
                return None
            if name:
                names.append(name)
        at = stop
    return names if at == end else None


def _alternative_names(data: bytes, text: str, at: int, end: int) -> list[str] | None:
    """
    Args:
        at: where the field of the extensions begins, the last one.
    """
    names: list[str] = []
    at, stop = _extent(data, at)
    if stop != end or data[at] != SEQUENCE:
        return None
    at, stop = _extent(data, at)
    if stop != end:
        return None
    found = data.find(_SUBJECT_ALT_NAME, at, end)
    if found < 0:
        return names
    # The bytes may also occur by chance: then no extension begins with them.
    content = list_start = at
    while at < found:
        size = data[at + 1]
        if size < 0x80:
            content, at = at + 2, at + 2 + size
        else:
            content, at = _extent(data, at)
    stop = at
    if (
        content != found
        or content == list_start
        or data.find(_SUBJECT_ALT_NAME, found + 5, end) >= 0
    ):
        return None
    at = found + 5
    if data[at] == BOOLEAN and data[at + 1] == 1:
        at += 3
    if data[at] != OCTET_STRING:
        return None
    at, value_end = _extent(data, at)
    if value_end != stop or data[at] != SEQUENCE:
        return None
    at, value_end = _extent(data, at)
    if value_end != stop:
        return None
    while at < stop:
        size = data[at + 1]
        if size >= 0x80:
            return None
        content = at + 2
        if data[at] == _DNS_NAME:
            names.append(text[content : content + size])
        at = content + size
    if at != stop or len(names) > _MAX_NAMES:
        return None
    joined = "".join(names)
    if not joined.isascii() or "\0" in joined or "" in names:
        return None
    return names
