"""
Entries of a fake log: certificates that were recorded, or made here.

    issuer = Issuer()
    entries = issuer.entries([["www.example.com", "example.com"]])  # precert and cert

The structures are written by hand after RFC 6962 section 3 and static-ct-api, without
the product's code, which they check.
"""

import base64
import functools
import gzip
import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SCT_LIST = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_EPOCH_MS = 1_790_000_000_000  # 2026-09-21
_LOG_STEP_MS = 10


@dataclass(frozen=True, slots=True)
class FakeEntry:
    """
    What a log keeps of one submission.

    Args:
        signed_entry: certificate, or of a precertificate its TBSCertificate; DER.
        issuer_key_hash, pre_certificate: of a precertificate, else empty.
        chain: DER of the issuers, leaf's issuer first.
        names: DNS names and addresses as issued, where known: the truth for tests.
        extensions: CtExtensions as recorded; None: the log writes its own.
        raw_leaf, raw_extra: leaf_input and extra_data as they are, framed or not, for
            a log of RFC 6962; None: made from the rest.
    """

    timestamp_ms: int
    signed_entry: bytes
    issuer_key_hash: bytes = b""
    pre_certificate: bytes = b""
    chain: tuple[bytes, ...] = ()
    names: tuple[str, ...] = ()
    extensions: bytes | None = None
    raw_leaf: bytes | None = None
    raw_extra: bytes | None = None

    @property
    def is_precert(self) -> bool:
        return bool(self.issuer_key_hash)

    @property
    def certificate(self) -> bytes:
        """DER that a program can load: the certificate or the precertificate."""
        return self.pre_certificate or self.signed_entry

    def timestamped_entry(self, extensions: bytes) -> bytes:
        # struct { uint64 timestamp; LogEntryType entry_type;
        #   select (entry_type) { case x509_entry: ASN.1Cert;      0
        #                         case precert_entry: PreCert; };  1
        #   CtExtensions extensions; } TimestampedEntry;
        if self.extensions is not None:
            extensions = self.extensions
        return (
            struct.pack(">QH", self.timestamp_ms, self.is_precert)
            + self.issuer_key_hash
            + _u24(self.signed_entry)
            + _u16(extensions)
        )

    def leaf_input(self, extensions: bytes) -> bytes:
        # struct { Version version = v1(0); MerkleLeafType = timestamped_entry(0); ...
        if self.raw_leaf is not None:
            return self.raw_leaf
        return b"\0\0" + self.timestamped_entry(extensions)

    def extra_data(self) -> bytes:
        if self.raw_extra is not None:
            return self.raw_extra
        chain = _u24(b"".join(_u24(der) for der in self.chain))
        return _u24(self.pre_certificate) + chain if self.is_precert else chain

    def tile_leaf(self, extensions: bytes) -> bytes:
        fingerprints = b"".join(hashlib.sha256(der).digest() for der in self.chain)
        return (
            self.timestamped_entry(extensions)
            + (_u24(self.pre_certificate) if self.is_precert else b"")
            + _u16(fingerprints)  # the length counts bytes
        )

    def at(self, timestamp_ms: int) -> "FakeEntry":
        """The same, submitted at another time."""
        return replace(self, timestamp_ms=timestamp_ms)

    @classmethod
    def from_rfc6962(cls, leaf_input: bytes, extra_data: bytes) -> Self:
        """A recorded entry of get-entries, whose framing is known to be good."""
        timestamp_ms, kind = struct.unpack_from(">QH", leaf_input, 2)
        issuer_key_hash, at = (leaf_input[12:44], 44) if kind else (b"", 12)
        signed_entry, at = _take24(leaf_input, at)
        pre_certificate, start = _take24(extra_data, 0) if kind else (b"", 0)
        listed, _ = _take24(extra_data, start)
        chain, position = [], 0
        while position < len(listed):
            der, position = _take24(listed, position)
            chain.append(der)
        return cls(
            timestamp_ms,
            signed_entry,
            issuer_key_hash,
            pre_certificate,
            tuple(chain),
            extensions=leaf_input[at + 2 :],
        )

    @classmethod
    def from_tile(
        cls, tile: bytes, at: int, issuers: Mapping[bytes, bytes]
    ) -> tuple[Self, int]:
        """
        A recorded TileLeaf whose framing is known to be good, and where it ends.

        Args:
            issuers: DER by fingerprint.
        """
        timestamp_ms, kind = struct.unpack_from(">QH", tile, at)
        issuer_key_hash, pre_certificate = b"", b""
        at += 10
        if kind:
            issuer_key_hash, at = tile[at : at + 32], at + 32
        signed_entry, at = _take24(tile, at)
        extensions, at = _take16(tile, at)
        if kind:
            pre_certificate, at = _take24(tile, at)
        fingerprints, at = _take16(tile, at)
        chain = tuple(
            issuers[fingerprints[n : n + 32]] for n in range(0, len(fingerprints), 32)
        )
        entry = cls(
            timestamp_ms,
            signed_entry,
            issuer_key_hash,
            pre_certificate,
            chain,
            extensions=extensions,
        )
        return entry, at


class Issuer:
    """
    A certificate authority: a root, an intermediate, and what it issues.

    Args:
        name: CN of the intermediate.
    """

    def __init__(self, name: str = "Fake Log Issuing CA") -> None:
        root_key = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject_key = ec.generate_private_key(ec.SECP256R1()).public_key()
        self._sct_key = ec.generate_private_key(ec.SECP256R1())
        root = _authority("Fake Log Root", "Fake Log Root", root_key, root_key)
        self._certificate = _authority(name, "Fake Log Root", self._key, root_key)
        self.chain = (
            self._certificate.public_bytes(Encoding.DER),
            root.public_bytes(Encoding.DER),
        )
        self.key_hash = hashlib.sha256(_spki(self._key.public_key())).digest()
        self.sct_key = _spki(self._sct_key.public_key())  # of the SCTs in certificates
        self._serial = 0x0102030405060708090A0B0C0D0E0000

    def entries(
        self,
        names: Sequence[Sequence[str]],
        *,
        kind: str = "both",
        start_ms: int = _EPOCH_MS,
    ) -> list[FakeEntry]:
        """
        Entries for certificates with these names or addresses each, in this order.

        Args:
            kind: `both` (the precertificate, then its certificate), `precert`, `cert`.
            start_ms: timestamp of the first; the others follow 10 ms apart.
        """
        made = [
            entry
            for listed in names
            for entry in self._pair(listed, start_ms)
            if kind == "both" or entry.is_precert == (kind == "precert")
        ]
        return [
            entry.at(start_ms + number * _LOG_STEP_MS)
            for number, entry in enumerate(made)
        ]

    def _pair(self, names: Sequence[str], now_ms: int) -> tuple[FakeEntry, FakeEntry]:
        self._serial += 1
        plain = self._builder(names, now_ms)
        # What the log signs of a precertificate has neither poison nor SCT list.
        tbs = self._sign(plain).tbs_certificate_bytes
        poisoned = self._sign(plain.add_extension(x509.PrecertPoison(), critical=True))
        precert = FakeEntry(
            now_ms,
            tbs,
            self.key_hash,
            poisoned.public_bytes(Encoding.DER),
            self.chain,
            tuple(names),
        )
        listed = x509.UnrecognizedExtension(_SCT_LIST, self._sct_list(precert))
        final = self._sign(plain.add_extension(listed, critical=False))
        der = final.public_bytes(Encoding.DER)
        return precert, FakeEntry(now_ms, der, chain=self.chain, names=tuple(names))

    def _sct_list(self, precert: FakeEntry) -> bytes:
        """One SCT, rightly signed by `sct_key`, as an OCTET STRING in DER."""
        log_id = hashlib.sha256(self.sct_key).digest()
        signed = b"\0\0" + precert.timestamped_entry(b"")
        signature = self._sct_key.sign(signed, ec.ECDSA(hashes.SHA256()))
        sct = (
            b"\0"  # v1
            + log_id
            + struct.pack(">Q", precert.timestamp_ms)
            + _u16(b"")  # extensions
            + b"\4\3"  # SHA-256, ECDSA
            + _u16(signature)
        )
        value = _u16(_u16(sct))
        length = bytes([len(value)]) if len(value) < 128 else bytes([0x81, len(value)])
        return b"\x04" + length + value

    def _builder(self, names: Sequence[str], now_ms: int) -> x509.CertificateBuilder:
        begins = datetime.fromtimestamp(now_ms // 1000, UTC)
        # A CN has at most 64 characters.
        common = [_cn(names[0])] if names and len(names[0]) <= 64 else []
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(common))
            .issuer_name(self._certificate.subject)
            .public_key(self._subject_key)
            .serial_number(self._serial)
            .not_valid_before(begins)
            .not_valid_after(begins + timedelta(days=90))
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._key.public_key()
                ),
                critical=False,
            )
            .add_extension(
                x509.SubjectAlternativeName([_general(name) for name in names]),
                critical=False,
            )
        )

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self._key, hashes.SHA256())


@functools.cache
def _issuer() -> Issuer:
    return Issuer()


@functools.cache
def _cached(names: tuple[tuple[str, ...], ...], kind: str) -> tuple[FakeEntry, ...]:
    return tuple(_issuer().entries(names, kind=kind))


def entries_for(names: Sequence[Sequence[str]], kind: str = "both") -> list[FakeEntry]:
    """As `Issuer.entries`, by one issuer; what was made once in this run is kept."""
    return list(_cached(tuple(tuple(listed) for listed in names), kind))


def badly_framed() -> dict[str, FakeEntry]:
    """By what is wrong: leaves that are hashed like any, and cannot be taken apart."""
    (good,) = entries_for([["framed.example"]], "cert")
    leaf = good.leaf_input(b"")
    leaves = {
        "empty leaf": b"",
        "unknown version": b"\1" + leaf[1:],
        "unknown leaf type": b"\0\1" + leaf[2:],
        "unknown entry type": leaf[:10] + b"\x80\0" + leaf[12:],
        "length beyond the end": leaf[:12] + b"\xff\xff\xff" + leaf[15:],
        "leaf cut short": leaf[:-1],
        "bytes behind the leaf": leaf + b"\0",
    }
    return {what: replace(good, raw_leaf=raw) for what, raw in leaves.items()}


def badly_filled() -> dict[str, FakeEntry]:
    """By what is wrong: leaves in good order, around something that is not."""
    precert, final = entries_for([["filled.example"]])
    return {
        "no certificate": replace(final, signed_entry=b"no certificate"),
        "certificate cut short": replace(final, signed_entry=final.signed_entry[:-9]),
        "bytes behind the certificate": replace(
            final, signed_entry=final.signed_entry + b"\0"
        ),
        "no TBSCertificate": replace(precert, signed_entry=b"\x30\0"),
        "no precertificate": replace(precert, pre_certificate=b"no precertificate"),
        "empty extra_data": replace(final, raw_extra=b""),
        "broken extra_data": replace(precert, raw_extra=b"\0\0\7short"),
    }


def many_entries(
    count: int, *, pool: int = 50, hits: Sequence[Sequence[str]] = ()
) -> Iterator[FakeEntry]:
    """
    Any number of entries, cheaply: a pool, again and again, at different times.

    Args:
        pool: certificates that differ; each gives a precertificate and a certificate.
        hits: names of certificates that come once each, spread over the whole.
    """
    ordinary = entries_for([[f"host-{n}.example", f"n{n}.test"] for n in range(pool)])
    special = entries_for(hits, kind="cert")
    places = {(n + 1) * count // (len(special) + 1): n for n in range(len(special))}
    for number in range(count):
        place = places.get(number)
        entry = ordinary[number % len(ordinary)] if place is None else special[place]
        yield entry.at(_EPOCH_MS + number)


def recorded_entries(file: Path, most: int | None = None) -> list[FakeEntry]:
    """Entries of real logs, from lines of JSON as in `rfc6962/entries.jsonl.gz`."""
    entries = []
    for line in gzip.decompress(file.read_bytes()).splitlines()[:most]:
        entry = json.loads(line)
        entries.append(
            FakeEntry.from_rfc6962(
                base64.b64decode(entry["leaf_input"]),
                base64.b64decode(entry["extra_data"]),
            )
        )
    return entries


def recorded_tiles(directory: Path) -> list[FakeEntry]:
    """All entries of a recorded tiled log, from its `tile/data` and `issuer`."""
    issuers = {
        bytes.fromhex(file.name): file.read_bytes()
        for file in (directory / "issuer").iterdir()
    }
    data = directory / "tile" / "data"
    full = sorted(file for file in data.iterdir() if file.is_file())
    rest = sorted(data.glob("*.p/*"))
    entries: list[FakeEntry] = []
    for file in full + [one for one in rest if not one.parent.with_suffix("").exists()]:
        entries += _tile_entries(_inflated(file.read_bytes()), issuers)
    return entries


def _tile_entries(tile: bytes, issuers: Mapping[bytes, bytes]) -> Iterator[FakeEntry]:
    at = 0
    while at < len(tile):
        entry, at = FakeEntry.from_tile(tile, at, issuers)
        yield entry


def _inflated(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def _authority(
    name: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([_cn(name)]))
        .issuer_name(x509.Name([_cn(issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _cn(text: str) -> x509.NameAttribute[str]:
    return x509.NameAttribute(NameOID.COMMON_NAME, text)


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _u16(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _u24(data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + data


def _take24(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 3 + int.from_bytes(data[at : at + 3], "big")
    return data[at + 3 : end], end


def _take16(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : end], end
