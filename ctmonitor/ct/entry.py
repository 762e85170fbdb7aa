"""
Entries of a log: runs of them as bytes, and single ones taken apart.

Source: RFC 6962 sections 3.1 and 3.4, c2sp.org/static-ct-api section "Log Entries".
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

# In a TimestampedEntry, behind the timestamp of 8 bytes: the low byte of the entry's
# type, and the certificate, or TBSCertificate behind the SHA-256 of the issuer's key;
# its length comes before.
TYPE_AT = 9
CERTIFICATE_AT = 8 + 2 + 3
TBS_CERTIFICATE_AT = 8 + 2 + 32 + 3


# Made in a tenth of the time of a frozen dataclass, once for each candidate.
class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """
    One entry taken apart.

    Args:
        index: position in the log, from 0.
        timestamp_ms: the log's clock.
        signed_entry: the certificate's DER, or of a precertificate the DER of the
            TBSCertificate, which is what the log signed.
        issuer_key_hash: of a precertificate 32 bytes, else empty.
        leaf_index: the index that a tiled log wrote into the entry; None without.
        pre_certificate: of a precertificate its DER, which nobody checked; else empty.
        chain: DER of the issuers, leaf's issuer first (RFC 6962).
        fingerprints: SHA-256 of the issuers' DER, likewise (static-ct-api).
        leaf_input: the MerkleTreeLeaf, as hashed.
    """

    index: int
    timestamp_ms: int
    is_precert: bool
    signed_entry: bytes
    leaf_input: bytes
    issuer_key_hash: bytes = b""
    leaf_index: int | None = None
    pre_certificate: bytes = b""
    chain: tuple[bytes, ...] = ()
    fingerprints: tuple[bytes, ...] = ()


class Leaves(Protocol):
    """
    Consecutive entries of one log, as bytes in one buffer.

    `data[spans[i][0] : spans[i][1]]` is entry `start + i` as far as the log signed it:
    the TimestampedEntry in a tile, the whole leaf_input of get-entries. What is not
    signed (a tile's pre_certificate and chain, extra_data) lies outside the spans.
    """

    @property
    def start(self) -> int:
        """Index of the first entry."""
        ...

    @property
    def data(self) -> bytes: ...

    @property
    def spans(self) -> Sequence[tuple[int, int]]: ...

    @property
    def lead(self) -> int:
        """Bytes of each span before its timestamp: 0 in a tile, 2 of get-entries."""
        ...

    @property
    def malformed(self) -> Mapping[int, str]:
        """
        Number of an entry (from 0) -> kind, where the framing is broken.

        Such an entry hashes as any other, but `entry` raises.
        """
        ...

    @property
    def kept_bytes(self) -> int:
        """Of the answer of the log, which stays in memory as long as the run does."""
        ...

    def __len__(self) -> int: ...

    def hashes(self) -> list[bytes]:
        """The leaf hashes, 32 bytes each, in order (RFC 6962 section 2.1)."""
        ...

    def entry(self, number: int) -> LogEntry:
        """
        Entry `start + number` taken apart.

        Raises:
            FormatError: its unsigned part (pre_certificate, chain) is malformed, or
                the signed one beyond the framing that was checked before.
        """
        ...

    def signed(self, number: int) -> LogEntry:
        """
        The same without what the log did not sign, however broken that is.

        Raises:
            FormatError: the framing of the signed part is broken.
        """
        ...

    def since(self, start: int) -> "Leaves":
        """The same without the entries before `start`; `self` when there are none."""
        ...
