"""
A log's key, and what it signs: DigitallySigned and the head of a tree.

Source: RFC 5246 section 4.7 (DigitallySigned), RFC 6962 sections 2.1.4 (algorithms),
3.2 (log id) and 3.5 (TreeHeadSignature).
"""

import hashlib
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ctmonitor.errors import FormatError, IntegrityError

HASH_SHA256 = 4  # HashAlgorithm of RFC 5246
SIGNATURE_RSA = 1  # SignatureAlgorithm of RFC 5246
SIGNATURE_ECDSA = 3
MAX_TREE_SIZE = 2**63 - 1  # what a database's integers hold

_RSA_BITS = range(2048, 8193)  # above, one check would take long
_U64 = range(2**64)


@dataclass(frozen=True, slots=True)
class DigitallySigned:
    """A signature with its algorithms, as their numbers."""

    hash_algorithm: int
    signature_algorithm: int
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> "DigitallySigned":
        """
        The DigitallySigned that fills `data`.

        Raises:
            FormatError: it ends too early or goes on after the signature.
        """
        if len(data) < 4:
            raise FormatError("signature: too short", f"{len(data)} bytes")
        length = int.from_bytes(data[2:4], "big")
        if len(data) != 4 + length:
            raise FormatError(
                "signature: other length than it says",
                f"says {length} bytes, has {len(data) - 4}",
            )
        return cls(data[0], data[1], data[4:])

    def encoded(self) -> bytes:
        """
        The bytes that `parse` reads.

        Raises:
            ValueError: a number or the signature's length does not fit its field.
        """
        try:
            return (
                struct.pack(
                    ">BBH",
                    self.hash_algorithm,  # enum HashAlgorithm
                    self.signature_algorithm,  # enum SignatureAlgorithm
                    len(self.signature),  # opaque signature<0..2^16-1>
                )
                + self.signature
            )
        except struct.error as exc:
            raise ValueError(f"no DigitallySigned: {exc}") from None


class LogKey:
    """
    The public key of a log.

    Args:
        spki: the SubjectPublicKeyInfo, DER.

    Raises:
        FormatError: no key, or none that a log may have: ECDSA on NIST P-256, or RSA
            of 2048 to 8192 bits.
    """

    def __init__(self, spki: bytes) -> None:
        self.log_id = hashlib.sha256(spki).digest()
        try:
            key = load_der_public_key(spki)
        except (ValueError, UnsupportedAlgorithm):
            raise FormatError("key: not readable", f"{len(spki)} bytes") from None
        if isinstance(key, ec.EllipticCurvePublicKey):
            if not isinstance(key.curve, ec.SECP256R1):
                raise FormatError("key: other curve than P-256", key.curve.name)
            self.signature_algorithm = SIGNATURE_ECDSA
        elif isinstance(key, rsa.RSAPublicKey):
            if key.key_size not in _RSA_BITS:
                raise FormatError("key: RSA of this size", f"{key.key_size} bits")
            self.signature_algorithm = SIGNATURE_RSA
        else:
            raise FormatError("key: neither ECDSA nor RSA", type(key).__name__)
        self._key = key

    def verify(
        self, message: bytes, hash_alg: int, sig_alg: int, signature: bytes
    ) -> None:
        """
        Returns when `signature` is this key's signature of `message`.

        Args:
            hash_alg, sig_alg: the numbers of DigitallySigned.

        Raises:
            IntegrityError: `signature`: it is not, or its algorithms are not those of
                this key with SHA-256.
        """
        if (hash_alg, sig_alg) != (HASH_SHA256, self.signature_algorithm):
            raise IntegrityError(
                "signature",
                f"algorithms {hash_alg} and {sig_alg}, expected {HASH_SHA256} "
                f"(SHA-256) and {self.signature_algorithm}, which the key has",
            )
        try:
            if isinstance(self._key, ec.EllipticCurvePublicKey):
                self._key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
            else:
                self._key.verify(
                    signature, message, padding.PKCS1v15(), hashes.SHA256()
                )
        except InvalidSignature:
            raise IntegrityError(
                "signature", f"wrong under the key of log {self.log_id.hex()}"
            ) from None

    def verify_signed(self, message: bytes, signed: bytes) -> None:
        """
        The same for a DigitallySigned as bytes.

        Raises:
            IntegrityError: `signature`: also when `signed` is cut or not well formed.
        """
        try:
            parsed = DigitallySigned.parse(signed)
        except FormatError as exc:
            raise IntegrityError("signature", str(exc)) from None
        self.verify(
            message,
            parsed.hash_algorithm,
            parsed.signature_algorithm,
            parsed.signature,
        )


def tree_head_bytes(timestamp_ms: int, size: int, root: bytes) -> bytes:
    """
    What a log signs for a head: the TreeHeadSignature, 50 bytes.

    Raises:
        ValueError: an argument does not fit its field; the caller has a bug.
    """
    if timestamp_ms not in _U64 or size not in _U64 or len(root) != 32:
        raise ValueError(
            f"no head of {size} entries at {timestamp_ms} has a root of "
            f"{len(root)} bytes"
        )
    return struct.pack(
        ">BBQQ32s",
        0,  # Version sct_version: v1
        1,  # SignatureType signature_type: tree_hash
        timestamp_ms,  # uint64 timestamp
        size,  # uint64 tree_size
        root,  # opaque sha256_root_hash[32]
    )
