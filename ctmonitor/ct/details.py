"""
What people want to read of a certificate beyond its names: distinguished names,
extensions in words, algorithms.

Tolerant as `x509`: what is broken is left out, and the rest is told. Written for
certificates that are shown, not for those that are searched. An entry of a log may have
16 MB, so each field is read up to a limit that no real certificate comes near; what was
cut is named.

Source: RFC 5280 sections 4.1 and 4.2, RFC 4514 (distinguished names as text).
"""

from codecs import utf_8_decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from ctmonitor.ct.der import OCTET_STRING, SEQUENCE, Element, elements, inner, walk
from ctmonitor.errors import FormatError

Attribute = tuple[str, str]  # the type's object identifier, and the text
RDN = tuple[Attribute, ...]  # nearly always one attribute

_VERSION = 0xA0
_EXTENSIONS = 0xA3
_TRUE = b"\x01\x01\xff"
# What is read, together some 50 ms of a certificate made for it.
_MOST_NAMES = 3000  # of a subjectAltName; some 2,000 are the most that was ever seen
_MOST_EXTENSIONS = 100
_MOST_PARTS = 64  # of a distinguished name, and of each other list
_MOST_OCTETS = 1024  # of a text, and of a key identifier
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
_ESCAPED = str.maketrans({char: f"\\{char}" for char in '\\",+;<>'} | {"\0": "\\00"})


@dataclass(frozen=True, slots=True)
class Details:
    """
    Args:
        subject, issuer: in the order of the certificate.
        algorithm: as certstream servers write it, `sha256, rsa`; an object identifier
            when they have no word for it, empty when it cannot be read.
        extensions: name and text as certstream servers write them.
        truncated: what was not read to its end: `subject`, `issuer`, `extensions`, or
            a key of `extensions`; empty for nearly all.
    """

    subject: tuple[RDN, ...] = ()
    issuer: tuple[RDN, ...] = ()
    algorithm: str = ""
    is_ca: bool = False
    extensions: Mapping[str, str] = field(default_factory=dict)
    truncated: tuple[str, ...] = ()


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
    truncated: list[str] = []
    subject = _name(der, named[4], "subject", truncated)
    issuer = _name(der, named[2], "issuer", truncated)
    if not with_extensions:
        return Details(subject, issuer, truncated=tuple(truncated))
    listed = next((f for f in named[6:] if der[f[0]] == _EXTENSIONS), None)
    extensions: dict[str, str] = {}
    if listed is not None:
        _read_extensions(der, listed, extensions, truncated)
    return Details(
        subject=subject,
        issuer=issuer,
        algorithm=_algorithm(der, named[1]),
        is_ca=extensions.get("basicConstraints") == "CA:TRUE",
        extensions={key: extensions[key] for key in _ORDER if key in extensions},
        truncated=tuple(truncated),
    )


# The issuers of all logs are a few hundred, and subjects are rarely met again.
@lru_cache(maxsize=256)
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
    escaped = text.translate(_ESCAPED)
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and len(text) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


class _Bounded:
    """A certificate of which no list and no text is read without end."""

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.is_cut = False

    def some(self, start: int, end: int, most: int = _MOST_PARTS) -> list[Element]:
        """
        The first elements of [start, end), `most` of them at most.

        Raises:
            FormatError: something else stands there.
        """
        found: list[Element] = []
        try:
            walk(self.der, start, end, found, most)
        except FormatError:
            if len(found) < most:
                raise
            self.is_cut = True
        return found

    def octets(self, start: int, end: int) -> bytes:
        """Those of [start, end), or the first of them."""
        stop = min(end, start + _MOST_OCTETS)
        self.is_cut |= stop < end
        return self.der[start:stop]

    def text(self, value: Element) -> str:
        start, content, end = value
        der, is_whole = self.der, end - content <= _MOST_OCTETS
        written = der[content:end] if is_whole else self.octets(content, end)
        if codec := _WIDE.get(der[start]):
            return written.decode(codec, "replace")
        try:
            # The cut may go through a character.
            return written.decode() if is_whole else utf_8_decode(written)[0]
        except UnicodeDecodeError:
            return written.decode("latin-1")


def _name(
    der: bytes, field: Element, label: str, truncated: list[str]
) -> tuple[RDN, ...]:
    _, content, end = field
    if end - content <= _MOST_CACHED:
        # The few issuers of a log come again and again.
        rdns, is_cut = _known_name(der[content:end])
    else:
        rdns, is_cut = _read_name(der, content, end)
    if is_cut:
        truncated.append(label)
    return rdns


@lru_cache(maxsize=1024)
def _known_name(written: bytes) -> tuple[tuple[RDN, ...], bool]:
    return _read_name(written, 0, len(written))


def _read_name(der: bytes, start: int, end: int) -> tuple[tuple[RDN, ...], bool]:
    """The parts of a distinguished name, and whether there are more."""
    source = _Bounded(der)
    rdns: list[RDN] = []
    room = _MOST_PARTS
    try:
        for _, first, last in source.some(start, end):
            if not room:
                source.is_cut = True
                break
            attributes = []
            for _, content, stop in source.some(first, last, room):
                kind, value = source.some(content, stop)[:2]
                attributes.append((_oid(der, kind), source.text(value)))
            rdns.append(tuple(attributes))
            room -= len(attributes)
    except (FormatError, ValueError):
        pass  # what came before is told
    return tuple(rdns), source.is_cut


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


def _read_extensions(
    der: bytes, field: Element, found: dict[str, str], truncated: list[str]
) -> None:
    source = _Bounded(der)
    try:
        start, end = inner(der, field[1], field[2], SEQUENCE)
        listed = source.some(start, end, _MOST_EXTENSIONS)
    except FormatError:
        return
    if source.is_cut:
        truncated.append("extensions")
    read = set()
    for start, _, end in listed:
        source.is_cut = False
        try:
            parts = source.some(*inner(der, start, end, SEQUENCE))
            key, told = _EXTENSIONS_TOLD.get(_oid(der, parts[0]), ("", None))
            if told is None or key in read:
                continue
            read.add(key)  # no certificate may have one twice
            value, stop = inner(der, parts[-1][0], parts[-1][2], OCTET_STRING)
            if text := told(source, value, stop):
                found[key] = text
        except (FormatError, IndexError, ValueError):
            continue
        if source.is_cut:
            truncated.append(key)


def _information_access(source: _Bounded, start: int, end: int) -> str:
    der = source.der
    found: dict[str, list[str]] = {_CA_ISSUERS: [], _OCSP: []}
    for _, content, stop in source.some(*inner(der, start, end, SEQUENCE)):
        method, place = source.some(content, stop)
        if der[place[0]] == 0x86:  # [6] uniformResourceIdentifier
            found.setdefault(_oid(der, method), []).append(f"URI:{source.text(place)}")
    return ", ".join((*found[_CA_ISSUERS], *found[_OCSP]))


def _authority_key_id(source: _Bounded, start: int, end: int) -> str:
    for at, content, stop in source.some(*inner(source.der, start, end, SEQUENCE)):
        if source.der[at] == 0x80:  # [0] keyIdentifier
            return f"keyid:{source.octets(content, stop).hex(':')}"
    return ""


def _subject_key_id(source: _Bounded, start: int, end: int) -> str:
    content, stop = inner(source.der, start, end, OCTET_STRING)
    return f"keyid:{source.octets(content, stop).hex(':')}"


def _basic_constraints(source: _Bounded, start: int, end: int) -> str:
    content, stop = inner(source.der, start, end, SEQUENCE)
    return "CA:TRUE" if source.der.startswith(_TRUE, content, stop) else "CA:FALSE"


def _policies(source: _Bounded, start: int, end: int) -> str:
    return "".join(
        f"Policy: {_oid(source.der, source.some(content, stop)[0])}\n"
        for _, content, stop in source.some(*inner(source.der, start, end, SEQUENCE))
    )


def _key_usage(source: _Bounded, start: int, end: int) -> str:
    content, stop = inner(source.der, start, end, 0x03)  # BIT STRING
    bits = source.der[content + 1 : min(stop, content + 3)]
    return ", ".join(
        usage
        for number, usage in enumerate(_KEY_USAGES)
        if number // 8 < len(bits) and bits[number // 8] & 0x80 >> number % 8
    )


def _alternative_name(source: _Bounded, start: int, end: int) -> str:
    der = source.der
    names: dict[int, list[str]] = {0x82: [], 0x81: [], 0x87: []}
    for name in source.some(*inner(der, start, end, SEQUENCE), _MOST_NAMES):
        at, content, stop = name
        if der[at] == 0x82:
            names[0x82].append(f"DNS:{source.text(name)}")
        elif der[at] == 0x81:
            names[0x81].append(f"email:{source.text(name)}")
        elif der[at] == 0x87 and stop - content in (4, 16):
            names[0x87].append(f"IP Address:{ip_address(der[content:stop])}")
    return ", ".join(name for listed in names.values() for name in listed)


_Told = Callable[[_Bounded, int, int], str]

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
