"""
What people want to read of a certificate beyond its names: distinguished names,
extensions in words, algorithms.

Tolerant as `x509`: what is broken is left out, and the rest is told. Written for
certificates that are shown, not for those that are searched.

Source: RFC 5280 sections 4.1 and 4.2, RFC 4514 (distinguished names as text).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from ctmonitor.ct.der import OCTET_STRING, SEQUENCE, Element, elements, inner
from ctmonitor.errors import FormatError

Attribute = tuple[str, str]  # the type's object identifier, and the text
RDN = tuple[Attribute, ...]  # nearly always one attribute

_VERSION = 0xA0
_EXTENSIONS = 0xA3
_TRUE = b"\x01\x01\xff"
_MOST_NAMES = 20_000
_MOST_OID = 64  # octets that are read of an object identifier
_MOST_CACHED = 512  # octets of a distinguished name

_WIDE = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}  # BMPString, UniversalString
_DIRECTORY_NAMES = {  # RFC 4514 section 3
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.6": "C",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
_ALGORITHMS = {
    "1.2.840.113549.1.1.4": "md5, rsa",
    "1.2.840.113549.1.1.5": "sha1, rsa",
    "1.2.840.113549.1.1.11": "sha256, rsa",
    "1.2.840.113549.1.1.12": "sha384, rsa",
    "1.2.840.113549.1.1.13": "sha512, rsa",
    "1.2.840.10045.4.1": "ecdsa, sha1",
    "1.2.840.10045.4.3.2": "ecdsa, sha256",
    "1.2.840.10045.4.3.3": "ecdsa, sha384",
    "1.2.840.10045.4.3.4": "ecdsa, sha512",
    "1.3.101.112": "ed25519",
}
_KEY_USAGES = (
    "Digital Signature",
    "Content Commitment",
    "Key Encipherment",
    "Data Encipherment",
    "Key Agreement",
    "Certificate Signing",
    "CRL Signing",
    "Encipher Only",
    "Decipher Only",
)
_OCSP = "1.3.6.1.5.5.7.48.1"
_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"


@dataclass(frozen=True, slots=True)
class Details:
    """
    Args:
        subject, issuer: in the order of the certificate.
        algorithm: as certstream servers write it, `sha256, rsa`; an object identifier
            when they have no word for it, empty when it cannot be read.
        extensions: name and text as certstream servers write them.
    """

    subject: tuple[RDN, ...] = ()
    issuer: tuple[RDN, ...] = ()
    algorithm: str = ""
    is_ca: bool = False
    extensions: Mapping[str, str] = field(default_factory=dict)


def details_of(
    der: bytes, *, is_tbs: bool = False, with_extensions: bool = True
) -> Details:
    """
    The details of a certificate, or of a TBSCertificate.

    Args:
        with_extensions: False reads subject and issuer alone.

    Whatever the bytes are, there is a result; what cannot be read is empty in it.
    """
    try:
        start, end = 0, len(der)
        if not is_tbs:
            start, end = inner(der, start, end, SEQUENCE)
        fields = elements(der, *inner(der, start, end, SEQUENCE))
    except FormatError:
        return Details()
    first = 1 if fields and der[fields[0][0]] == _VERSION else 0
    named = fields[first:]
    if len(named) < 5:
        return Details()
    if not with_extensions:
        return Details(_name(der, named[4]), _name(der, named[2]))
    listed = next((f for f in named[6:] if der[f[0]] == _EXTENSIONS), None)
    extensions: dict[str, str] = {}
    if listed is not None:
        _read_extensions(der, listed, extensions)
    return Details(
        subject=_name(der, named[4]),
        issuer=_name(der, named[2]),
        algorithm=_algorithm(der, named[1]),
        is_ca=extensions.get("basicConstraints") == "CA:TRUE",
        extensions={key: extensions[key] for key in _ORDER if key in extensions},
    )


@lru_cache(maxsize=4096)
def rfc4514(name: tuple[RDN, ...]) -> str:
    """A distinguished name as text, the last part first: `CN=E7,O=Let's Encrypt`."""
    return ",".join(
        "+".join(
            f"{_DIRECTORY_NAMES.get(kind, kind)}={_escaped(text)}" for kind, text in rdn
        )
        for rdn in reversed(name)
    )


def _escaped(text: str) -> str:
    """RFC 4514 section 2.4."""
    escaped = "".join(
        f"\\{char}" if char in '\\",+;<>' else "\\00" if char == "\0" else char
        for char in text
    )
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


def _name(der: bytes, field: Element) -> tuple[RDN, ...]:
    written = der[field[1] : field[2]]
    # The few issuers of a log come again and again.
    return (_known_name if len(written) <= _MOST_CACHED else _read_name)(written)


def _read_name(der: bytes) -> tuple[RDN, ...]:
    rdns: list[RDN] = []
    try:
        for _, start, end in elements(der, 0, len(der)):
            attributes = []
            for _, content, stop in elements(der, start, end):
                kind, value = elements(der, content, stop)[:2]
                attributes.append((_oid(der, kind), _text(der, value)))
            rdns.append(tuple(attributes))
    except (FormatError, ValueError):
        pass  # what came before is told
    return tuple(rdns)


_known_name = lru_cache(maxsize=4096)(_read_name)


def _text(der: bytes, value: Element) -> str:
    start, content, end = value
    written = der[content:end]
    if codec := _WIDE.get(der[start]):
        return written.decode(codec, "replace")
    try:
        return written.decode()
    except UnicodeDecodeError:
        return written.decode("latin-1")


def _oid(der: bytes, field: Element) -> str:
    return _known_oid(der[field[1] : min(field[2], field[1] + _MOST_OID)])


@lru_cache(maxsize=4096)
def _known_oid(content: bytes) -> str:
    """An object identifier in digits and dots (X.690 section 8.19)."""
    arcs: list[int] = []
    arc = 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(arc)
            arc = 0
    if not arcs:
        return ""
    top = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (top, arcs[0] - 40 * top, *arcs[1:]))


def _algorithm(der: bytes, field: Element) -> str:
    try:
        oid = _oid(der, elements(der, field[1], field[2])[0])
    except (FormatError, IndexError):
        return ""
    return _ALGORITHMS.get(oid, oid)


# Extensions


def _read_extensions(der: bytes, field: Element, found: dict[str, str]) -> None:
    try:
        listed = elements(der, *inner(der, field[1], field[2], SEQUENCE))
    except FormatError:
        return
    for start, _, end in listed:
        try:
            parts = elements(der, *inner(der, start, end, SEQUENCE))
            key, told = _EXTENSIONS_TOLD.get(_oid(der, parts[0]), ("", None))
            if told is None or key in found:
                continue
            value, stop = inner(der, parts[-1][0], parts[-1][2], OCTET_STRING)
            if text := told(der, value, stop):
                found[key] = text
        except (FormatError, IndexError, ValueError):
            continue


def _colons(octets: bytes) -> str:
    return octets.hex(":")


def _information_access(der: bytes, start: int, end: int) -> str:
    found: dict[str, list[str]] = {_CA_ISSUERS: [], _OCSP: []}
    for _, content, stop in elements(der, *inner(der, start, end, SEQUENCE)):
        method, place = elements(der, content, stop)
        if der[place[0]] == 0x86:  # [6] uniformResourceIdentifier
            found.setdefault(_oid(der, method), []).append(f"URI:{_text(der, place)}")
    return ", ".join((*found[_CA_ISSUERS], *found[_OCSP]))


def _authority_key_id(der: bytes, start: int, end: int) -> str:
    for at, content, stop in elements(der, *inner(der, start, end, SEQUENCE)):
        if der[at] == 0x80:  # [0] keyIdentifier
            return f"keyid:{_colons(der[content:stop])}"
    return ""


def _subject_key_id(der: bytes, start: int, end: int) -> str:
    content, stop = inner(der, start, end, OCTET_STRING)
    return f"keyid:{_colons(der[content:stop])}"


def _basic_constraints(der: bytes, start: int, end: int) -> str:
    content, stop = inner(der, start, end, SEQUENCE)
    return "CA:TRUE" if der.startswith(_TRUE, content, stop) else "CA:FALSE"


def _policies(der: bytes, start: int, end: int) -> str:
    return "".join(
        f"Policy: {_oid(der, elements(der, content, stop)[0])}\n"
        for _, content, stop in elements(der, *inner(der, start, end, SEQUENCE))
    )


def _key_usage(der: bytes, start: int, end: int) -> str:
    content, stop = inner(der, start, end, 0x03)  # BIT STRING
    bits = der[content + 1 : min(stop, content + 3)]
    return ", ".join(
        usage
        for number, usage in enumerate(_KEY_USAGES)
        if number // 8 < len(bits) and bits[number // 8] & 0x80 >> number % 8
    )


def _alternative_name(der: bytes, start: int, end: int) -> str:
    names: dict[int, list[str]] = {0x82: [], 0x81: [], 0x87: []}
    fields = elements(der, *inner(der, start, end, SEQUENCE))
    for at, content, stop in fields[:_MOST_NAMES]:
        if der[at] == 0x82:
            names[0x82].append(f"DNS:{_text(der, (at, content, stop))}")
        elif der[at] == 0x81:
            names[0x81].append(f"email:{_text(der, (at, content, stop))}")
        elif der[at] == 0x87 and stop - content in (4, 16):
            names[0x87].append(f"IP Address:{ip_address(der[content:stop])}")
    return ", ".join(name for listed in names.values() for name in listed)


_Told = Callable[[bytes, int, int], str]

_EXTENSIONS_TOLD: dict[str, tuple[str, _Told]] = {
    "1.3.6.1.5.5.7.1.1": ("authorityInfoAccess", _information_access),
    "2.5.29.35": ("authorityKeyIdentifier", _authority_key_id),
    "2.5.29.19": ("basicConstraints", _basic_constraints),
    "2.5.29.32": ("certificatePolicies", _policies),
    "2.5.29.15": ("keyUsage", _key_usage),
    "2.5.29.17": ("subjectAltName", _alternative_name),
    "2.5.29.14": ("subjectKeyIdentifier", _subject_key_id),
}
_ORDER = tuple(key for key, _ in _EXTENSIONS_TOLD.values())
