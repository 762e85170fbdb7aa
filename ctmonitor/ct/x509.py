"""
Certificates as logs hold them: all fields that are used, by a tolerant walk.

Logs hold certificates that strict parsers refuse: a serial number below zero, a time
of the wrong type, a name that is no ASCII. Here one broken field is a defect and the
others are read all the same.

Names are the dNSNames and the common names of the subject, as a certstream feed tells
them; addresses, mailboxes and other kinds are none. A name that holds NUL counts
twice: as issued, and as far as the NUL, where programs in C stop reading.

Source: RFC 5280 sections 4.1 and 4.2.1, X.520 (attribute types), X.680 (string types).
"""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from ctmonitor.ct.certificate import (
    EXTENSIONS,
    VERSION,
    joining_sha256,
    key_sha256_of,
)
from ctmonitor.ct.der import (
    BOOLEAN,
    INTEGER,
    MAX_ELEMENTS,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    extent,
    inner,
    walk,
)
from ctmonitor.ct.entry import LogEntry
from ctmonitor.errors import FormatError
from ctmonitor.model.certificate import Certificate, issuer_identity

Span = tuple[int, int]

# Of any kind in the extensions. Nobody's certificate needs more (real ones have at most
# 2,000), and it bounds what one entry can cost: 16 MB of names take 6 s, in which other
# logs wait.
MAX_NAMES = 20_000

COMMON_NAME = bytes.fromhex("0603550403")  # 2.5.4.3, tag and length included
# String types in which a character takes two or four bytes, so that no name shows in
# the bytes of the certificate.
BMP_STRING = 0x1E
UNIVERSAL_STRING = 0x1C

_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")
_AUTHORITY_KEY_ID = bytes.fromhex("0603551d23")
_OID_BYTES = 5  # of these three

_DNS_NAME = 0x82  # [2] IMPLICIT IA5String
_KEY_ID = 0x80  # [0] IMPLICIT OCTET STRING
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18

# UTF8, Numeric, Printable, Teletex (T61), Videotex, IA5, Graphic, Visible, General.
_BYTE_STRINGS = frozenset((0x0C, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B))
_WIDE_STRINGS = {BMP_STRING: "utf-16-be", UNIVERSAL_STRING: "utf-32-be"}

# The attributes that feeds tell of an issuer, by the letters they use, in whose order
# they write them.
_ATTRIBUTES = {
    bytes.fromhex("0603550406"): "C",
    COMMON_NAME: "CN",
    bytes.fromhex("0603550407"): "L",
    bytes.fromhex("060355040a"): "O",
    bytes.fromhex("060355040b"): "OU",
    bytes.fromhex("0603550408"): "ST",
    bytes.fromhex("06092a864886f70d010901"): "emailAddress",
}

# RFC 5280 section 4.1.2.2 allows 20 octets; real ones had up to 40.
_MAX_SERIAL_BYTES = 64
_MAX_CACHED_BYTES = 512  # of what the few issuers of a log have in common
_MAX_ALT_NAME_LISTS = 8  # a certificate may have one
_MAX_ATTRIBUTES = 2_000  # of a subject or issuer
_MAX_EXTENSIONS = 1_000  # real ones have some ten
_MAX_KEY_ID_PARTS = 8  # of which there are three kinds
_BROKEN_LIST = "extensions: broken"
_TOO_MANY = "too many names"
# Of a text that is broken, since each broken character takes 0.2 us; no host name is
# as long.
_MAX_BROKEN_BYTES = 512


def certificate_of(entry: LogEntry) -> tuple[Certificate, tuple[str, ...]]:
    """
    The certificate of an entry, and what was wrong with it nevertheless.

    Of a precertificate all fields come from the TBSCertificate that the log signed;
    only `sha1` and `sha256` are those of the precertificate, which nobody checked.

    Returns:
        The defects are constants that count kinds, such as `serial number: missing`.

    Raises:
        FormatError: the structure is broken before any name.
    """
    der = entry.signed_entry
    size = len(der)
    names: dict[str, None] = {}
    defects: list[str] = []
    if entry.is_precert:
        start, end = 0, size
    else:
        start, end = inner(der, 0, size, SEQUENCE)
    tbs, tbs_end = inner(der, start, end, SEQUENCE)
    if (tbs_end if entry.is_precert else end) != size:
        defects.append("certificate: bytes behind it")

    fields: list[Element] = []
    broken = _walked(der, tbs, tbs_end, fields)
    first = 1 if fields and der[fields[0][0]] == VERSION else 0
    # Serial number, algorithm, issuer, validity, subject, public key.
    if broken is None and len(fields) < first + 6:
        broken = FormatError("certificate: fields are missing", f"{len(fields)} of 6")
    named = fields[first:]
    serial = _serial(der, named[0], defects) if named else None
    issuer_dn = issuer_id = organisation = ""
    if len(named) > 2:
        issuer_dn, issuer_id, organisation = _issuer(der, named[2], defects)
    not_before = not_after = None
    if len(named) > 3:
        not_before, not_after = _validity(der, named[3], defects)

    # Names stand in the subject and in the extensions. Those of the extensions come
    # first, as feeds tell them.
    common_names: list[str] = []
    if len(named) > 4:
        common_names = _common_names(der, named[4], defects)
    key_id = tbs_sha256 = ""
    extensions: Element | None = None
    listed: list[Element] = []
    for field in named[6:]:
        if der[field[0]] == EXTENSIONS and extensions is None:
            extensions = field
            listed = _listed(der, field, defects)
            key_id = _read_extensions(der, listed, names, defects)
    if entry.is_precert:
        tbs_sha256 = hashlib.sha256(der).hexdigest()
    elif broken is None and extensions is None:
        tbs_sha256 = hashlib.sha256(der[start:tbs_end]).hexdigest()
    elif broken is None and extensions is fields[-1] and _BROKEN_LIST not in defects:
        tbs_sha256 = joining_sha256(der, tbs, extensions[0], listed)
    for name in common_names:
        _add(name, names, defects)

    if broken is not None:
        if not names:
            raise broken
        defects.append(broken.kind)
    whole = entry.pre_certificate if entry.is_precert else der
    return Certificate(
        names=tuple(names),
        # The last one is the most specific, and the one that feeds tell.
        subject_cn=common_names[-1] if common_names else "",
        issuer_dn=issuer_dn,
        issuer_id=issuer_id,
        authority_key_id=key_id,
        serial=serial,
        not_before=not_before,
        not_after=not_after,
        sha1=hashlib.sha1(whole, usedforsecurity=False).hexdigest() if whole else "",
        sha256=hashlib.sha256(whole).hexdigest() if whole else "",
        tbs_sha256=tbs_sha256,
        is_precert=entry.is_precert,
        issuer_organisation=organisation,
        key_sha256=key_sha256_of(der, named),
    ), tuple(dict.fromkeys(defects)) if defects else ()


def name_spans(
    data: bytes, start: int, end: int, is_precert: bool, until: int
) -> list[Span] | None:
    """
    The parts of a certificate in which names stand, without taking it apart.

    Whatever `certificate_of` takes for a name lies in one of them. They may hold more.

    Args:
        start: where in `data` the certificate begins, or the TBSCertificate of a
            precertificate; end: where it ends.
        until: parts that begin there or later may be left out.

    Returns:
        None when the bytes do not tell: the certificate has to be parsed.
    """
    try:
        at = start
        if not is_precert:
            at, _ = inner(data, at, end, SEQUENCE)
        at, _ = inner(data, at, end, SEQUENCE)
        # Version (if told), serial number, algorithm, issuer, validity.
        for _ in range(5 if data[at] == VERSION else 4):
            if at >= until:
                return [] if at <= end else None
            size = data[at + 1]
            at = at + 2 + size if size < 0x80 else extent(data, at, end)[1]
        _, subject_end = extent(data, at, end)
        spans = [(at, subject_end)]
        # The object may also occur by chance, in a key; that makes a span too many.
        at = data.find(_SUBJECT_ALT_NAME, subject_end, min(until, end))
        while at >= 0:
            if len(spans) > _MAX_ALT_NAME_LISTS:
                return None
            spans.append(_value(data, at, end))
            at = data.find(_SUBJECT_ALT_NAME, at + _OID_BYTES, min(until, end))
    except (FormatError, IndexError):  # the end of `data` may come first
        return None
    return spans


def _walked(
    der: bytes,
    start: int,
    end: int,
    found: list[Element],
    limit: int = MAX_ELEMENTS,
) -> FormatError | None:
    """As `walk`, but what is wrong is returned."""
    try:
        walk(der, start, end, found, limit)
    except FormatError as exc:
        return exc
    return None


def _counted(
    der: bytes,
    start: int,
    end: int,
    found: list[Element],
    most: int,
    defects: list[str],
) -> FormatError | None:
    """As `_walked` for the first `most`; that there are more is a defect of its own."""
    broken = _walked(der, start, end, found, most)
    if broken is not None and len(found) == most:
        defects.append(_TOO_MANY)
        return None
    return broken


def _serial(der: bytes, field: Element, defects: list[str]) -> int | None:
    start, content, end = field
    if der[start] != INTEGER or content == end:
        defects.append("serial number: missing")
        return None
    if end - content > _MAX_SERIAL_BYTES:
        defects.append("serial number: too long")
        return None
    return int.from_bytes(der[content:end], "big", signed=True)


# Times


def _validity(
    der: bytes, field: Element, defects: list[str]
) -> tuple[datetime | None, datetime | None]:
    _, content, end = field
    times: list[Element] = []
    broken = _walked(der, content, end, times)
    if broken is not None or len(times) != 2:
        defects.append("validity: not two times")
    moments: list[datetime | None] = [None, None]
    for number, (start, begin, stop) in enumerate(times[:2]):
        moments[number] = moment = _moment(der[start], der[begin:stop])
        if moment is None:
            defects.append("validity: no such time")
    return moments[0], moments[1]


def _moment(tag: int, written: bytes) -> datetime | None:
    """A UTCTime or GeneralizedTime; seconds may be left out, and zones are heeded."""
    try:
        text = written.decode("ascii")
        if tag == _UTC_TIME and len(text) == 13 and text[:12].isdigit():
            century = "19" if text >= "5" else "20"
            return datetime.fromisoformat(f"{century}{text[:6]}T{text[6:]}")
        if tag == _UTC_TIME:
            # RFC 5280 section 4.1.2.5.1: 50 and above are of the last century.
            text = ("19" if text >= "5" else "20") + text
        elif tag != _GENERALIZED_TIME:
            return None
        moment = text.rstrip("Z") if text.endswith("Z") else text
        zone = "Z"
        for sign in "+-":
            moment, found, offset = moment.partition(sign)
            if found:
                zone = sign + offset
                break
        whole, _, _ = moment.partition(".")
        if len(whole) not in (12, 14) or not whole.isdigit():
            return None
        read = datetime.fromisoformat(f"{whole[:8]}T{whole[8:]}{zone}")
        return read if zone == "Z" else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# Names


def _common_names(der: bytes, subject: Element, defects: list[str]) -> list[str]:
    found: list[str] = []
    for kind, tag, written in _attributes(der, subject, "subject", defects):
        if kind == COMMON_NAME and written:
            text = _text(tag, written, "common name", defects)
            if text:
                found.append(text)
    return found


def _issuer(der: bytes, issuer: Element, defects: list[str]) -> tuple[str, str, str]:
    """
    For people, for comparing, and the organisation.

    The few issuers of a log come again and again.
    """
    start, _, end = issuer
    raw = der[start:end]
    is_short = len(raw) <= _MAX_CACHED_BYTES
    read = _known_issuer if is_short else _read_issuer
    text, identity, organisation, wrong = read(raw)
    defects.extend(wrong)
    return text, identity, organisation


def _read_issuer(raw: bytes) -> tuple[str, str, str, tuple[str, ...]]:
    defects: list[str] = []
    content, end = extent(raw, 0, len(raw))
    parts: dict[str, str] = {}
    for kind, tag, written in _attributes(raw, (0, content, end), "issuer", defects):
        letters = _ATTRIBUTES.get(kind)
        # The last common name is the most specific; of the others feeds tell the first.
        if letters is not None and (letters == "CN" or letters not in parts):
            parts[letters] = _text(tag, written, "issuer", defects)
    text = "".join(
        f"/{letters}={parts[letters]}"
        for letters in _ATTRIBUTES.values()
        if parts.get(letters)
    )
    country, organisation, name = (parts.get(key, "") for key in ("C", "O", "CN"))
    identity = issuer_identity(country, organisation, name)
    return text, identity, organisation or name, tuple(defects)


_known_issuer = lru_cache(maxsize=4096)(_read_issuer)


def _attributes(
    der: bytes, name: Element, where: str, defects: list[str]
) -> Iterator[tuple[bytes, int, bytes]]:
    """
    Type, tag and bytes of each attribute of a distinguished name, in order.

    Those that are one too many are left out.
    """
    start, content, end = name
    if der[start] != SEQUENCE:
        defects.append(f"{where}: not a sequence")
    sets: list[Element] = []
    broken = _counted(der, content, end, sets, _MAX_ATTRIBUTES, defects)
    left = _MAX_ATTRIBUTES
    for start, content, end in sets:
        # Nearly always one attribute, and a value of less than 128 bytes.
        pair = content + 2
        if (
            der[start] == SET
            and pair + 2 <= end
            and der[content] == SEQUENCE
            and der[content + 1] == end - pair < 0x80
            and (value := pair + 2 + der[pair + 1]) + 2 <= end
            and der[value + 1] == end - value - 2
        ):
            yield der[pair:value], der[value], der[value + 2 : end]
            continue
        if left <= 0:
            defects.append(_TOO_MANY)
            break
        pairs: list[Element] = []
        if (
            der[start] != SET
            or _counted(der, content, end, pairs, left, defects) is not None
        ):
            broken = broken or FormatError("")
        left -= max(1, len(pairs))
        for start, content, end in pairs:
            parts: list[Element] = []
            if (
                der[start] != SEQUENCE
                or _walked(der, content, end, parts, 2) is not None
                or len(parts) != 2
            ):
                broken = broken or FormatError("")
            if len(parts) >= 2:
                (kind, _, kind_end), (value, written, value_end) = parts[:2]
                yield der[kind:kind_end], der[value], der[written:value_end]
    if broken is not None:
        defects.append(f"{where}: broken")


def _text(tag: int, written: bytes, where: str, defects: list[str]) -> str:
    """The text of a string of any type; empty for what is no string."""
    if tag in _BYTE_STRINGS:
        return _decoded(written)
    codec = _WIDE_STRINGS.get(tag)
    if codec is None:
        defects.append(f"{where}: not a string")
        return ""
    try:
        return written.decode(codec)
    except UnicodeDecodeError:
        defects.append(f"{where}: broken characters")
        return written[:_MAX_BROKEN_BYTES].decode(codec, "replace")


def _decoded(written: bytes) -> str:
    """
    UTF-8, or else Latin-1, whatever the type: CAs put either into each.

    Both leave ASCII as it is, so what the rules find can be found in the bytes.
    """
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("latin-1")


def _add(name: str, names: dict[str, None], defects: list[str]) -> None:
    if len(names) >= MAX_NAMES:
        defects.append(_TOO_MANY)
        return
    names[name] = None
    if "\0" in name:
        defects.append("name: NUL in it")
        if before := name.partition("\0")[0]:
            names[before] = None


# Extensions


def _listed(der: bytes, field: Element, defects: list[str]) -> list[Element]:
    """The extensions, as far as they can be told apart."""
    listed: list[Element] = []
    try:
        _, content, end = field
        walk(der, *inner(der, content, end, SEQUENCE), listed, _MAX_EXTENSIONS)
    except FormatError:
        defects.append(_BROKEN_LIST)
    return listed


def _read_extensions(
    der: bytes, listed: list[Element], names: dict[str, None], defects: list[str]
) -> str:
    """Adds the dNSNames to `names`; gives the authority key identifier."""
    key_id = ""
    left = MAX_NAMES
    for _, content, end in listed:
        kind = der[content : content + _OID_BYTES]
        if kind == _SUBJECT_ALT_NAME:
            if left <= 0:
                defects.append(_TOO_MANY)
                continue
            try:
                value = _value(der, content, end)
                left -= _alternative_names(der, value, left, names, defects)
            except (FormatError, IndexError):
                defects.append("subject alternative name: broken")
        elif kind == _AUTHORITY_KEY_ID:
            try:
                key_id = _key_id(der[content:end])
            except (FormatError, IndexError):
                defects.append("authority key identifier: broken")
    return key_id


def _value(der: bytes, kind: int, end: int) -> Span:
    """Where the value of the extension stands whose object begins at `kind`."""
    at = kind + _OID_BYTES
    if der[at] == BOOLEAN:  # critical
        _, at = extent(der, at, end)
    return inner(der, at, end, OCTET_STRING)


def _alternative_names(
    der: bytes, value: Span, most: int, names: dict[str, None], defects: list[str]
) -> int:
    """How many of at most `most` were looked at; dNSNames are added to `names`."""
    found: list[Element] = []
    broken = _counted(der, *inner(der, *value, SEQUENCE), found, most, defects)
    # What came before the break is read.
    for start, content, end in found:
        if der[start] != _DNS_NAME:
            continue
        written = der[content:end]
        if not written:
            defects.append("dNSName: empty")
        elif written.isascii() and b"\0" not in written and len(names) < MAX_NAMES:
            names[written.decode()] = None
        else:
            if not written.isascii():
                defects.append("dNSName: not ASCII")
            _add(_decoded(written), names, defects)
    if broken is not None:
        defects.append("subject alternative name: broken")
    return max(1, len(found))


def _key_id(extension: bytes) -> str:
    is_short = len(extension) <= _MAX_CACHED_BYTES
    return (_known_key_id if is_short else _read_key_id)(extension)


def _read_key_id(extension: bytes) -> str:
    value = _value(extension, 0, len(extension))
    parts: list[Element] = []
    walk(extension, *inner(extension, *value, SEQUENCE), parts, _MAX_KEY_ID_PARTS)
    for start, content, end in parts:
        if extension[start] == _KEY_ID:
            return extension[content:end].hex()
    return ""


_known_key_id = lru_cache(maxsize=4096)(_read_key_id)
