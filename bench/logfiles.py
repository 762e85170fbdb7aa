"""
A log as files, for a web server that serves far faster than any reader reads.

    written = write_log(Path("/tmp/log"), 256_000, hit_rate=0.01)
    nginx_locations(written.directory)      # for a server {} of nginx

A few hundred certificates are really issued, in the sizes that public logs have today.
Of each entry only names, serial number and an RSA key's modulus are new, written over
those of its pattern at the same length: every entry differs, can be parsed, and is as
hard to compress as a real one. Its issuer's signature is wrong, which no reader of logs
checks. Leaves, tree, heads, tiles and proofs are right.
"""

import base64
import gzip
import hashlib
import json
import random
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
)

from tests.fakes.log import FakeLog, Tree, tile_path
from tests.fakes.logentries import FakeEntry

WIDTH = 256
KEYWORDS = ("paypal", "apple", "account", "secure", "login")

_PATTERNS = 400  # far more than a window of gzip (32 kB) holds
_PRECERTS = 0.6  # of all entries
_P256_KEYS = 0.35
_SAN_COUNTS = (1, 2, 3, 4, 5, 7, 10)
_SAN_WEIGHTS = (22, 36, 14, 10, 7, 6, 5)  # 3.0 in the mean
_SERIAL_BYTES = 18
_MODULUS_BYTES = 240  # those in the middle, of 256
_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_SCTS = 2
_START_MS = 1_795_000_000_000
_TEXT_CHARACTERS = 1 << 20
_SUFFIXES = ("com", "net", "org", "de", "co.uk", "com.br", "shop", "online", "xyz")
_PREFIXES = ("", "", "www.", "mail.", "api.", "*.", "cpanel.", "autodiscover.")

_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class WrittenLog:
    """
    Args:
        log: has key, origin and head, though not the entries; `log.listed(url,
            is_tiled=...)` is its member of a log list.
        hits: by index the name with a keyword, of every entry that has one.
        entry_bytes: mean of an entry in a tile.
    """

    directory: Path
    log: FakeLog
    hits: dict[int, str]
    entry_bytes: float

    @property
    def size(self) -> int:
        return self.log.size


def write_log(
    directory: Path,
    count: int,
    *,
    hit_rate: float = 0.01,
    keywords: Sequence[str] = KEYWORDS,
    secure_issuer_rate: float = 0.0,
    has_tiles: bool = True,
    gzip_level: int | None = 6,
    has_replies: bool = False,
    seed: int = 1,
    origin: str = "bench.example/2026",
) -> WrittenLog:
    """
    Writes a log below `directory`.

    For static-ct-api `checkpoint`, `issuer/`, `tile/`, data tiles also as `.gz`. For
    RFC 6962 `ct/v1/get-sth`, `entries/<start>` with 256 entries and
    `consistency/<first>-<second>`, from every multiple of 256 to the head.

    Args:
        count: entries; a multiple of 256, so that no partial data tile is needed.
        hit_rate: share of entries with one keyword in one name; no other has any.
        secure_issuer_rate: share of entries of an issuer called "Some DV Secure
            Server CA", which is no hit and looks like one.
        gzip_level: None: data tiles are not written compressed.
        has_replies: writes the files for RFC 6962.
    """
    if count <= 0 or count % WIDTH:
        raise ValueError(f"count has to be a multiple of {WIDTH}: {count}")
    corpus = _Corpus(random.Random(seed), hit_rate, keywords, secure_issuer_rate)
    blocks = Tree()  # each leaf is the root of 256 entries
    written_bytes = 0
    for block in range(count // WIDTH):
        indexes = range(block * WIDTH, (block + 1) * WIDTH)
        entries = [corpus.entry(index) for index in indexes]
        extensions = [b"\0\0\5" + index.to_bytes(5, "big") for index in indexes]
        pairs = list(zip(entries, extensions, strict=True))
        leaves = Tree()
        for entry, extension in pairs:
            leaves.append(entry.leaf_input(extension))
        blocks.leaf_hashes.append(leaves.root(WIDTH))
        if has_tiles:
            tile = b"".join(entry.tile_leaf(extension) for entry, extension in pairs)
            written_bytes += len(tile)
            file = directory / tile_path("data", block)
            _write(file, tile)
            if gzip_level is not None:
                packed = gzip.compress(tile, gzip_level, mtime=0)
                _write(file.with_name(file.name + ".gz"), packed)
            hashed = b"".join(leaves.leaf_hashes)
            _write(directory / tile_path("0", block), hashed)
        if has_replies:
            reply = b",".join(_reply_entry(*pair) for pair in pairs)
            file = directory / "ct/v1/entries" / str(indexes.start)
            _write(file, b'{"entries":[' + reply + b"]}")
    log = FakeLog(origin)
    log.claim(count, blocks.root(count // WIDTH))
    if has_tiles:
        _write_upper_tiles(directory, blocks)
        _write(directory / "checkpoint", log.checkpoint())
        for der in corpus.issuers:
            _write(directory / "issuer" / hashlib.sha256(der).hexdigest(), der)
    if has_replies:
        _write(directory / "ct/v1/get-sth", log.sth())
        for first in range(1, count // WIDTH):
            proof = blocks.consistency(first, count // WIDTH)
            _write(
                directory / f"ct/v1/consistency/{first * WIDTH}-{count}",
                json.dumps(
                    {"consistency": [base64.b64encode(one).decode() for one in proof]}
                ).encode(),
            )
    return WrittenLog(directory, log, corpus.hits, written_bytes / count)


def nginx_locations(directory: Path) -> str:
    """What makes nginx serve it; belongs into `server { }`. Needs no extra module."""
    return f"""
    root {directory};
    default_type application/octet-stream;
    gzip_static on;
    location = /ct/v1/get-sth {{ default_type application/json; }}
    location = /ct/v1/get-entries {{
        default_type application/json;
        try_files /ct/v1/entries/$arg_start =404;
    }}
    location = /ct/v1/get-sth-consistency {{
        default_type application/json;
        try_files /ct/v1/consistency/$arg_first-$arg_second =400;
    }}
"""


def _write(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def _write_upper_tiles(directory: Path, blocks: Tree) -> None:
    """The hash tiles from level 1 on; a node of level L spans 256^(L-1) blocks."""
    level, unit = 1, 1
    while count := len(blocks.leaf_hashes) // unit:
        for index in range(-(-count // WIDTH)):
            width = min(WIDTH, count - index * WIDTH)
            nodes = range(index * WIDTH, index * WIDTH + width)
            tile = b"".join(blocks.mth(n * unit, (n + 1) * unit) for n in nodes)
            _write(directory / tile_path(str(level), index, width), tile)
        level, unit = level + 1, unit * WIDTH


def _reply_entry(entry: FakeEntry, extension: bytes) -> bytes:
    return b'{"leaf_input":"%s","extra_data":"%s"}' % (
        base64.b64encode(entry.leaf_input(extension)),
        base64.b64encode(entry.extra_data()),
    )


class _Corpus:
    """
    Entries made from patterns.

    Args:
        hit_rate, keywords, secure_issuer_rate: as in `write_log`.
    """

    def __init__(
        self,
        chance: random.Random,
        hit_rate: float,
        keywords: Sequence[str],
        secure_issuer_rate: float,
    ) -> None:
        self.hits: dict[int, str] = {}
        self._chance = chance
        self._hit_rate = hit_rate
        self._keywords = keywords
        self._secure_rate = secure_issuer_rate
        longest = max(map(len, keywords), default=0)
        root_key = _rsa_key(4096)
        usual = [
            _Issuer("E7", ec.generate_private_key(ec.SECP384R1()), root_key),
            _Issuer("R12", _rsa_key(), root_key),
        ]
        secure = [_Issuer("Some DV Secure Server CA", _rsa_key(), root_key)]
        self.issuers = [der for issuer in usual + secure for der in issuer.chain]
        rsa_key = _rsa_key().public_key()
        p256_key = ec.generate_private_key(ec.SECP256R1()).public_key()

        def pattern(issuer: _Issuer, number: int) -> _Pattern:
            key = p256_key if chance.random() < _P256_KEYS else rsa_key
            return _Pattern(chance, issuer, key, number, longest)

        self._patterns = [
            pattern(usual[number % len(usual)], number) for number in range(_PATTERNS)
        ]
        self._secure = [
            pattern(secure[0], _PATTERNS + number)
            for number in range(_PATTERNS // 4 if secure_issuer_rate else 0)
        ]
        self._text = _text(chance, keywords)

    def entry(self, index: int) -> FakeEntry:
        """The next entry; indexes are asked for in order."""
        chance = self._chance.random
        patterns = self._secure if chance() < self._secure_rate else self._patterns
        pattern = patterns[index % len(patterns)]
        labels = []
        for length in pattern.lengths:
            at = int(chance() * (_TEXT_CHARACTERS - length))
            labels.append(self._text[at : at + length])
        if chance() < self._hit_rate:
            keyword = self._chance.choice(self._keywords).encode()
            at = int(chance() * (len(labels[0]) - len(keyword) + 1))
            labels[0] = labels[0][:at] + keyword + labels[0][at + len(keyword) :]
            self.hits[index] = pattern.first_name(labels[0])
        serial = index.to_bytes(_SERIAL_BYTES, "big")[1:]
        values = [serial, *labels, self._chance.randbytes(_MODULUS_BYTES)]
        timestamp_ms = _START_MS + index
        if chance() < _PRECERTS:
            return FakeEntry(
                timestamp_ms,
                pattern.tbs.filled(values),
                pattern.issuer.key_hash,
                pattern.precert.filled(values),
                pattern.issuer.chain,
            )
        certificate = pattern.certificate.filled(values)
        return FakeEntry(timestamp_ms, certificate, chain=pattern.issuer.chain)


class _Form:
    """A structure in DER with places to be filled."""

    def __init__(self, der: bytes, marks: Sequence[bytes]) -> None:
        self._parts: list[bytes] = []
        self._order: list[int] = []
        end = 0
        for found in re.finditer(b"|".join(map(re.escape, marks)), der):
            self._parts.append(der[end : found.start()])
            self._order.append(marks.index(found[0]))
            end = found.end()
        self._rest = der[end:]

    def filled(self, values: Sequence[bytes]) -> bytes:
        """With a value of the mark's length for each mark, wherever it stood."""
        pieces: list[bytes] = []
        for part, number in zip(self._parts, self._order, strict=True):
            pieces += (part, values[number])
        pieces.append(self._rest)
        return b"".join(pieces)


class _Pattern:
    """One issuance, of which serial number and labels of names can be changed."""

    def __init__(
        self,
        chance: random.Random,
        issuer: "_Issuer",
        key: _PublicKey,
        number: int,
        longest: int,
    ) -> None:
        self.issuer = issuer
        count = chance.choices(_SAN_COUNTS, _SAN_WEIGHTS)[0]
        # The first label takes any keyword.
        least = [max(8, longest)] + [6] * (count - 1)
        self.lengths = [chance.randint(low, low + 12) for low in least]
        labels = [_mark(number, place, n) for place, n in enumerate(self.lengths)]
        names = [
            chance.choice(_PREFIXES) + label + "." + chance.choice(_SUFFIXES)
            for label in labels
        ]
        self._first = names[0].encode(), labels[0].encode()
        serial = b"\x55" + hashlib.sha256(b"%d" % number).digest()[: _SERIAL_BYTES - 1]
        marks = [serial[1:], *(label.encode() for label in labels)]
        if isinstance(key, rsa.RSAPublicKey):
            modulus = key.public_numbers().n.to_bytes(256, "big")
            marks.append(modulus[8 : 8 + _MODULUS_BYTES])
        plain = issuer.builder(names, int.from_bytes(serial, "big"), key)
        tbs = issuer.sign(plain).tbs_certificate_bytes
        poisoned = plain.add_extension(x509.PrecertPoison(), critical=True)
        listed = x509.UnrecognizedExtension(_SCT_LIST, _sct_list(chance))
        final = plain.add_extension(listed, critical=False)
        self.tbs = _Form(tbs, marks)
        self.precert = _Form(issuer.sign(poisoned).public_bytes(Encoding.DER), marks)
        self.certificate = _Form(issuer.sign(final).public_bytes(Encoding.DER), marks)

    def first_name(self, label: bytes) -> str:
        name, mark = self._first
        return name.replace(mark, label).decode()


class _Issuer:
    """An intermediate under a root, in the sizes that public ones have."""

    def __init__(
        self, name: str, key: _PrivateKey, root_key: rsa.RSAPrivateKey
    ) -> None:
        self._key = key
        root = _name("Some Trust Services LLC", "Some Root X1")
        self._subject = _name("Some Certificates Inc", name)
        self.chain = tuple(
            _authority(subject, root, key, root_key)
            for subject, key in ((self._subject, self._key), (root, root_key))
        )
        spki = self._key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self.key_hash = hashlib.sha256(spki).digest()

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return builder.sign(self._key, hashes.SHA256())
        return builder.sign(self._key, hashes.SHA384())

    def builder(
        self, names: Sequence[str], serial: int, key: _PublicKey
    ) -> x509.CertificateBuilder:
        begins = datetime.fromtimestamp(_START_MS // 1000, UTC)
        common = x509.NameAttribute(NameOID.COMMON_NAME, names[0])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([common]))
            .issuer_name(self._subject)
            .public_key(key)
            .serial_number(serial)
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=90))
            .add_extension(_key_usage(signs=False), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
                critical=False,
            )
        )
        return _with_pointers(builder, key, self._key.public_key())


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: _PrivateKey,
    issuer_key: rsa.RSAPrivateKey,
) -> bytes:
    begins = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs=True), critical=True)
    )
    certificate = _with_pointers(
        builder, key.public_key(), issuer_key.public_key()
    ).sign(issuer_key, hashes.SHA256())
    return certificate.public_bytes(Encoding.DER)


def _with_pointers(
    builder: x509.CertificateBuilder, key: _PublicKey, issuer_key: _PublicKey
) -> x509.CertificateBuilder:
    """What every certificate says of its keys, and of where to ask."""
    issuers = x509.UniformResourceIdentifier("http://r12.i.some-trust.test/")
    revoked = x509.UniformResourceIdentifier("http://r12.c.some-trust.test/92.crl")
    policy = x509.ObjectIdentifier("2.23.140.1.2.1")
    where = x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, issuers)
    for extension in (
        x509.SubjectKeyIdentifier.from_public_key(key),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key),
        x509.AuthorityInformationAccess([where]),
        x509.CertificatePolicies([x509.PolicyInformation(policy, None)]),
        x509.CRLDistributionPoints(
            [x509.DistributionPoint([revoked], None, None, None)]
        ),
    ):
        builder = builder.add_extension(extension, critical=False)
    return builder


def _key_usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(organization: str, common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def _mark(number: int, place: int, length: int) -> str:
    """A label that stands nowhere else in a certificate."""
    digest = hashlib.sha256(struct.pack(">II", number, place)).hexdigest()
    return digest[:length]


def _sct_list(chance: random.Random) -> bytes:
    """SCTs as they look, of unknown logs, as an OCTET STRING in DER."""
    listed = b""
    for _ in range(_SCTS):
        signature = b"\x30\x45" + chance.randbytes(69)
        sct = (
            b"\0"
            + chance.randbytes(32)
            + struct.pack(">QH", _START_MS, 0)
            + b"\4\3"
            + len(signature).to_bytes(2, "big")
            + signature
        )
        listed += len(sct).to_bytes(2, "big") + sct
    value = len(listed).to_bytes(2, "big") + listed
    return b"\x04\x81" + bytes([len(value)]) + value


def _text(chance: random.Random, keywords: Sequence[str]) -> bytes:
    """Letters as in words, from which labels are cut; it holds no keyword."""
    text = "".join(_syllables(chance))
    if keywords:
        pattern = re.compile("|".join(map(re.escape, keywords)))
        while pattern.search(text):
            text = pattern.sub(lambda found: "z" * len(found[0]), text)
    return text.encode()


def _syllables(chance: random.Random) -> Iterator[str]:
    length = 0
    while length < _TEXT_CHARACTERS:
        part = chance.choice("bcdfghklmnprstvw") + chance.choice("aeiou")
        part += chance.choice(("", "", "l", "n", "r", "s", "t", "ck", "sh"))
        length += len(part)
        yield part
