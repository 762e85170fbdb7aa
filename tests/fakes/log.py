"""
A Certificate Transparency log in memory: one Merkle tree, signed heads, both protocols.

    log = FakeLog("one.example/2026")
    log.add(entries_for([["www.example.com"]]))  # grows, and signs a head
    log.sth(), log.checkpoint(), log.tree.consistency(1, 2), log.tile("tile/0/000.p/2")

It checks the product, so it is written by the definitions of RFC 6962 section 2.1 and
c2sp.org/static-ct-api, slow and obvious, and shares no code with it. `check()` has it
check itself. `tests.fakes.logserver` puts it on the network. Logs that lie are made
from one that does not: `shrunk`, `forked`, `with_other_key`, `renamed`, `claim`.
"""

import base64
import copy
import gzip
import hashlib
import json
import random
import re
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.fakes.logentries import FakeEntry

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_WIDTH = 256
_RSA_BITS = 2048
_MLDSA_BYTES = 2420
_PATH = re.compile(
    r"tile/(data|names|[0-5])/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class FakeHead:
    """What a log signs."""

    size: int
    root: bytes
    timestamp_ms: int

    def signed_bytes(self) -> bytes:
        # digitally-signed struct { Version v1(0); SignatureType tree_hash(1);
        #   uint64 timestamp; uint64 tree_size; opaque sha256_root_hash[32]; }
        numbers = struct.pack(">QQ", self.timestamp_ms, self.size)
        return b"\0\1" + numbers + self.root


class Tree:
    """A Merkle tree, by the definitions of RFC 6962 section 2.1."""

    def __init__(self) -> None:
        self.leaf_hashes: list[bytes] = []
        self._complete: dict[tuple[int, int], bytes] = {}

    def append(self, leaf: bytes) -> None:
        self.leaf_hashes.append(_sha256(b"\0", leaf))

    def root(self, size: int) -> bytes:
        """MTH(D[0:size])."""
        return self.mth(0, size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[0:size])."""
        return self._path(index, 0, size)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """PROOF(first, D[0:second]), for 0 < first <= second."""
        return self._subproof(first, 0, second, True)

    def mth(self, start: int, end: int) -> bytes:
        """MTH(D[start:end])."""
        count = end - start
        if count == 0:
            return _sha256()
        if count == 1:
            return self.leaf_hashes[start]
        known = self._complete.get((start, end))
        if known is None:
            middle = start + _split(count)
            known = _sha256(b"\1", self.mth(start, middle), self.mth(middle, end))
            if count & (count - 1) == 0:  # complete, so that it never changes
                self._complete[start, end] = known
        return known

    def _path(self, index: int, start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        middle = start + _split(end - start)
        if index < middle:
            return [*self._path(index, start, middle), self.mth(middle, end)]
        return [*self._path(index, middle, end), self.mth(start, middle)]

    def _subproof(self, first: int, start: int, end: int, whole: bool) -> list[bytes]:
        if first == end:
            return [] if whole else [self.mth(start, end)]
        middle = start + _split(end - start)
        if first <= middle:
            left = self._subproof(first, start, middle, whole)
            return [*left, self.mth(middle, end)]
        right = self._subproof(first, middle, end, False)
        return [*right, self.mth(start, middle)]


class FakeLog:
    """
    Args:
        origin: submission prefix without scheme; name of the log for people, too.
        key: its private key; a new one of P-256 by default.
        has_leaf_index: entries carry the extension of static-ct-api. Logs of RFC 6962
            alone write none.
    """

    def __init__(
        self,
        origin: str = "log.example/2026",
        entries: Iterable[FakeEntry] = (),
        *,
        key: Key | None = None,
        has_leaf_index: bool = True,
    ) -> None:
        self.origin = origin
        self.key: Key = key or ec.generate_private_key(ec.SECP256R1())
        self.spki = _spki(self.key)  # what the log list tells; liars keep it
        self.entries: list[FakeEntry] = []
        self.heads: list[FakeHead] = []
        self._has_leaf_index = has_leaf_index
        self.tree = Tree()
        self._random = random.Random(origin)
        self.add(entries)

    @property
    def log_id(self) -> bytes:
        return hashlib.sha256(self.spki).digest()

    @property
    def size(self) -> int:
        """Entries under the last head."""
        return self.heads[-1].size

    @property
    def head(self) -> FakeHead:
        return self.heads[-1]

    # Growing

    def add(self, entries: Iterable[FakeEntry]) -> None:
        """Appends entries and signs a head over all of them."""
        self.add_silently(entries)
        self.publish()

    def add_silently(self, entries: Iterable[FakeEntry]) -> None:
        """Appends entries that no head covers yet."""
        for entry in entries:
            self.entries.append(entry)
            self.tree.append(self.leaf_input(len(self.entries) - 1))

    def publish(self, timestamp_ms: int | None = None) -> FakeHead:
        """Signs a head over all entries, now."""
        size = len(self.entries)
        return self.claim(size, self.tree.root(size), timestamp_ms)

    def claim(
        self, size: int, root: bytes | None = None, timestamp_ms: int | None = None
    ) -> FakeHead:
        """Signs a head, true or not: of any size, with any root, from any time."""
        if timestamp_ms is None:
            timestamp_ms = time.time_ns() // 1_000_000
        self.heads.append(
            FakeHead(
                size,
                self.tree.root(len(self.entries)) if root is None else root,
                timestamp_ms,
            )
        )
        return self.heads[-1]

    # Lying

    def shrunk(self, size: int) -> Self:
        """The same log as it was at an earlier size."""
        earlier = self._copy(self.entries[:size])
        earlier.heads = [head for head in self.heads if head.size < size]
        earlier.publish()
        return earlier

    def forked(self, index: int, entry: FakeEntry) -> Self:
        """The same log, signed by the same key, with another entry at `index`."""
        entries = [*self.entries[:index], entry, *self.entries[index + 1 :]]
        return self._copy(entries)

    def with_other_key(self) -> Self:
        """The same log under the same name, signed by a key that is not its own."""
        other = self._copy(self.entries)
        other.key = ec.generate_private_key(ec.SECP256R1())
        return other

    def renamed(self, origin: str) -> Self:
        """The same log, with another origin on its checkpoints."""
        other = self._copy(self.entries)
        other.origin = origin
        return other

    def _copy(self, entries: Sequence[FakeEntry]) -> Self:
        other = copy.copy(self)
        other.entries, other.heads, other.tree = [], [], Tree()
        other.add(entries)
        return other

    # Entries

    def extensions(self, index: int) -> bytes:
        """CtExtensions with leaf_index (type 0, 5 bytes), or none."""
        leaf_index = b"\0\0\5" + index.to_bytes(5, "big")
        return leaf_index if self._has_leaf_index else b""

    def leaf_input(self, index: int) -> bytes:
        return self.entries[index].leaf_input(self.extensions(index))

    # RFC 6962 section 4

    def sth(self) -> bytes:
        """The reply to get-sth: the last head."""
        head = self.head
        return _json(
            {
                "tree_size": head.size,
                "timestamp": head.timestamp_ms,
                "sha256_root_hash": _base64(head.root),
                "tree_head_signature": _base64(self._digitally_signed(head)),
            }
        )

    def get_entries(self, start: int, end: int) -> bytes:
        """The reply to get-entries for `start` to `end`, half-open."""
        return _json({"entries": [self._entry(n) for n in range(start, end)]})

    def get_consistency(self, first: int, second: int) -> bytes:
        return _json({"consistency": _all_base64(self.tree.consistency(first, second))})

    def get_proof_by_hash(self, leaf_hash: bytes, size: int) -> bytes | None:
        """None: no such leaf under that head."""
        if leaf_hash not in self.tree.leaf_hashes[:size]:
            return None
        index = self.tree.leaf_hashes.index(leaf_hash)
        path = _all_base64(self.tree.inclusion(index, size))
        return _json({"leaf_index": index, "audit_path": path})

    def get_entry_and_proof(self, index: int, size: int) -> bytes:
        path = _all_base64(self.tree.inclusion(index, size))
        return _json({**self._entry(index), "audit_path": path})

    def get_roots(self) -> bytes:
        roots = {entry.chain[-1] for entry in self.entries if entry.chain}
        return _json({"certificates": [_base64(der) for der in sorted(roots)]})

    def _entry(self, index: int) -> dict[str, Any]:
        extra_data = self.entries[index].extra_data()
        return {
            "leaf_input": _base64(self.leaf_input(index)),
            "extra_data": _base64(extra_data),
        }

    # static-ct-api

    def checkpoint(self) -> bytes:
        """The last head as a signed note, with the four lines of a real one."""
        head = self.head
        name = self.origin
        log_id = hashlib.sha256(_spki(self.key)).digest()
        own = struct.pack(">Q", head.timestamp_ms) + self._digitally_signed(head)
        noise = self._random.randbytes
        lines = [
            _note_line(name, _key_id(name, b"\x05" + log_id), own),
            _note_line(name, _key_id(name, b"\x06" + log_id), noise(8 + _MLDSA_BYTES)),
            _note_line("grease.invalid", noise(4), noise(self._random.randint(1, 100))),
            _note_line(name, noise(4), noise(self._random.randint(1, 100))),
        ]
        self._random.shuffle(lines)
        body = f"{name}\n{head.size}\n{_base64(head.root)}\n"
        return (body + "\n" + "".join(lines)).encode()

    def tile(self, path: str) -> bytes | None:
        """
        A tile by its path as in the specification, not compressed; None: none such.

        A partial one exists when a head had that size.
        """
        parsed = _PATH.fullmatch(path)
        if parsed is None:
            return None
        kind = parsed[1]
        index = int(parsed[2].replace("/", "").replace("x", ""))
        level = int(kind) if kind.isdigit() else 0
        unit = _WIDTH**level
        whole = [
            head.size // unit for head in self.heads if head.size <= len(self.entries)
        ]
        start = index * _WIDTH
        width = int(parsed[3] or _WIDTH)
        if parsed[3]:
            is_there = width < _WIDTH and start + width in whole
        else:
            is_there = start + width <= max(whole)
        if not is_there:
            return None
        numbers = range(start, start + width)
        if kind == "data":
            leaves = (self.entries[n].tile_leaf(self.extensions(n)) for n in numbers)
            return b"".join(leaves)
        if kind == "names":
            return b"".join(_names_line(self.entries[n]) for n in numbers)
        return b"".join(self.tree.mth(n * unit, (n + 1) * unit) for n in numbers)

    def issuer(self, fingerprint: str) -> bytes | None:
        """DER by the hexadecimal SHA-256 of it."""
        for entry in self.entries:
            for der in entry.chain:
                if hashlib.sha256(der).hexdigest() == fingerprint:
                    return der
        return None

    # Log list v3

    def listed(
        self, base: str, *, is_tiled: bool, state: str = "usable"
    ) -> dict[str, Any]:
        """
        Its member of a log list.

        Args:
            base: where it is read, with a slash at the end.
        """
        places = {"url": base}
        if is_tiled:
            places = {
                "submission_url": f"https://{self.origin}/",
                "monitoring_url": base,
            }
        since: dict[str, Any] = {"timestamp": "2026-01-01T00:00:00Z"}
        if state == "readonly":
            since["final_tree_head"] = {
                "tree_size": self.size,
                "sha256_root_hash": _base64(self.head.root),
            }
        return {
            "description": self.origin,
            "log_id": _base64(self.log_id),
            "key": _base64(self.spki),
            **places,
            "mmd": 60 if is_tiled else 86400,
            "state": {state: since},
            "temporal_interval": {
                "start_inclusive": "2026-01-01T00:00:00Z",
                "end_exclusive": "2036-01-01T00:00:00Z",
            },
        }

    # Itself

    def check(self) -> None:
        """
        Every head that has its entries has their root; the last one is rightly signed.

        Raises:
            AssertionError: it is no log, or one that lies.
        """
        for head in self.heads:
            assert head.size <= len(self.entries), f"{head.size} entries do not exist"
            leaves = [_sha256(b"\0", self.leaf_input(n)) for n in range(head.size)]
            assert _root(leaves) == head.root, f"the root of size {head.size} is wrong"
        served = json.loads(self.sth())
        signature = base64.b64decode(served["tree_head_signature"])[4:]
        message = self.head.signed_bytes()
        assert self.spki == _spki(self.key), "the key is not the one that is listed"
        _verify(self.key, signature, message)

    def _digitally_signed(self, head: FakeHead) -> bytes:
        # struct { HashAlgorithm sha256(4); SignatureAlgorithm rsa(1), ecdsa(3);
        #          opaque signature<0..2^16-1>; } DigitallySigned;
        message = head.signed_bytes()
        if isinstance(self.key, rsa.RSAPrivateKey):
            kind = 1
            signature = self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        else:
            kind = 3
            signature = self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        return struct.pack(">BBH", 4, kind, len(signature)) + signature


def rsa_key() -> rsa.RSAPrivateKey:
    """A key of the kind that some logs of RFC 6962 have."""
    return rsa.generate_private_key(65537, _RSA_BITS)


def tile_path(kind: str, index: int, width: int = _WIDTH) -> str:
    """`tile/<kind>/<N>[.p/<W>]`; the kind is a level, `data` or `names`."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[n : n + 3] for n in range(0, len(digits), 3)]
    number = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{kind}/{number}" + (f".p/{width}" if width < _WIDTH else "")


def tiles_of(size: int) -> list[tuple[int, int, int]]:
    """(level, index, width) of every hash tile of a tree, the last ones partial."""
    tiles = []
    level = 0
    while size:
        full, rest = divmod(size, _WIDTH)
        tiles += [(level, index, _WIDTH) for index in range(full)]
        tiles += [(level, full, rest)] if rest else []
        size, level = full, level + 1
    return tiles


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << (count - 1).bit_length() - 1


def _root(hashed: Sequence[bytes]) -> bytes:
    """MTH once more, by slices and without memory: checks the one above."""
    if not hashed:
        return _sha256()
    if len(hashed) == 1:
        return hashed[0]
    middle = _split(len(hashed))
    return _sha256(b"\1", _root(hashed[:middle]), _root(hashed[middle:]))


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _verify(key: Key, signature: bytes, message: bytes) -> None:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    else:
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))


def _spki(key: Key) -> bytes:
    return key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def _key_id(name: str, rest: bytes) -> bytes:
    return _sha256(name.encode(), b"\n", rest)[:4]


def _note_line(name: str, key_id: bytes, signature: bytes) -> str:
    return f"\N{EM DASH} {name} {_base64(key_id + signature)}\n"


def _names_line(entry: FakeEntry) -> bytes:
    """One line of a names tile: what is absent is left out."""
    line: dict[str, Any] = {"Timestamp": entry.timestamp_ms}
    try:
        certificate = x509.load_der_x509_certificate(entry.certificate)
    except ValueError:
        return _json(line) + b"\n"
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if common:
        line["Subject"] = {"CommonName": common[0].value}
    try:
        listed = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return _json(line) + b"\n"
    names = listed.get_values_for_type(x509.DNSName)
    addresses = [str(one) for one in listed.get_values_for_type(x509.IPAddress)]
    line |= {"DNS": names} if names else {}
    line |= {"IP": addresses} if addresses else {}
    return _json(line) + b"\n"


def compressed(tile: bytes) -> bytes:
    """As logs store data tiles; the same bytes each time."""
    return gzip.compress(tile, compresslevel=1, mtime=0)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _all_base64(hashed: Iterable[bytes]) -> list[str]:
    return [_base64(one) for one in hashed]
