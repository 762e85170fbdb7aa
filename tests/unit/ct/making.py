"""Certificates made byte by byte, also such as no library would make."""

from collections.abc import Iterable, Sequence

COUNTRY, ORGANISATION, COMMON_NAME = "2.5.4.6", "2.5.4.10", "2.5.4.3"
SUBJECT_ALT_NAME, AUTHORITY_KEY_ID = "2.5.29.17", "2.5.29.35"
POISON, SCT_LIST = "1.3.6.1.4.1.11129.2.4.3", "1.3.6.1.4.1.11129.2.4.2"
UTF8, PRINTABLE, T61, IA5, UNIVERSAL, BMP = 0x0C, 0x13, 0x14, 0x16, 0x1C, 0x1E
CODECS = {UNIVERSAL: "utf-32-be", BMP: "utf-16-be", T61: "latin-1"}

Attribute = tuple[str, int, bytes]  # type, tag, bytes


def der(tag: int, *parts: bytes) -> bytes:
    """An element with the shortest length."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def oid(text: str) -> bytes:
    """`2.5.4.3` as an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, text.split("."))
    content = b""
    for number in (first * 40 + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        content += bytes(reversed(groups))
    return der(0x06, content)


def attribute(kind: str, text: str, tag: int = UTF8) -> Attribute:
    """An attribute in a string of this type."""
    return kind, tag, text.encode(CODECS.get(tag, "utf-8"))


def distinguished_name(*attributes: Attribute) -> bytes:
    """A Name with one attribute in each set."""
    sets = [
        der(0x31, der(0x30, oid(kind), der(tag, text)))
        for kind, tag, text in attributes
    ]
    return der(0x30, *sets)


def dns_names(names: Iterable[bytes]) -> bytes:
    """The value of a subjectAltName extension."""
    return der(0x30, *(der(0x82, name) for name in names))


def extension(kind: str, value: bytes, critical: bool = False) -> bytes:
    """One Extension."""
    flag = der(0x01, b"\xff") if critical else b""
    return der(0x30, oid(kind), flag, der(0x04, value))


ISSUER = (
    attribute(COUNTRY, "US", PRINTABLE),
    attribute(ORGANISATION, "Let's Encrypt"),
    attribute(COMMON_NAME, "E7"),
)
KEY_ID = extension(AUTHORITY_KEY_ID, der(0x30, der(0x80, b"\xae" * 20)))
VALIDITY = der(0x30, der(0x17, b"261121120000Z"), der(0x17, b"270219115959Z"))


def tbs_certificate(
    *names: str,
    subject: Sequence[Attribute] = (),
    issuer: Sequence[Attribute] = ISSUER,
    serial: bytes = b"\x01\x02",
    validity: bytes = VALIDITY,
    extensions: Sequence[bytes] = (KEY_ID,),
) -> bytes:
    """A TBSCertificate with `names` as dNSNames, and an Ed25519 key of zeros."""
    listed = [*extensions]
    if names:
        encoded = [name.encode() for name in names]
        listed.append(extension(SUBJECT_ALT_NAME, dns_names(encoded)))
    return der(
        0x30,
        der(0xA0, der(0x02, b"\x02")),
        der(0x02, serial),
        der(0x30, oid("1.3.101.112")),
        distinguished_name(*issuer),
        validity,
        distinguished_name(*subject),
        der(0x30, der(0x30, oid("1.3.101.112")), der(0x03, bytes(33))),
        der(0xA3, der(0x30, *listed)) if listed else b"",
    )


def certificate(tbs: bytes) -> bytes:
    """A Certificate with a signature of zeros."""
    return der(0x30, tbs, der(0x30, oid("1.3.101.112")), der(0x03, bytes(65)))
