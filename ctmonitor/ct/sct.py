"""
Signed certificate timestamps: what a log promises to a certificate.

    opaque SerializedSCT<1..2^16-1>;                SignedCertificateTimestampList:
    SerializedSCT sct_list<1..2^16-1>;              the extension in a certificate
    struct {
        Version sct_version;                        u8, 0 (v1)
        LogID id;                                   SHA-256 of the log's key
        uint64 timestamp;                           ms
        CtExtensions extensions;                    opaque<0..2^16-1>
        DigitallySigned signature;
    } SignedCertificateTimestamp;

Source: RFC 6962 sections 3.2 and 3.3; c2sp.org/static-ct-api, section "SCT Extension".
"""

import struct
from dataclasses import dataclass

from ctmonitor.ct.entry import LogEntry
from ctmonitor.ct.leaf import leaf_index
from ctmonitor.ct.signature import DigitallySigned
from ctmonitor.errors import FormatError

_HEAD = struct.Struct(">B32sQH")
_V1 = 0


@dataclass(frozen=True, slots=True)
class SCT:
    """
    One SCT of version 1.

    Args:
        log_id: 32 bytes.
        leaf_index: where a tiled log promises to put the entry; None without.
    """

    version: int
    log_id: bytes
    timestamp_ms: int
    extensions: bytes
    leaf_index: int | None
    signature: DigitallySigned

    @classmethod
    def parse(cls, data: bytes) -> "SCT":
        """
        The SCT that fills `data`.

        Raises:
            FormatError: it does not, or is of another version.
        """
        if data[:1] != bytes((_V1,)):
            raise FormatError("SCT: unknown version", data[:1].hex())
        if len(data) < _HEAD.size:
            raise FormatError("SCT: cut short", f"{len(data)} bytes")
        _, log_id, timestamp_ms, length = _HEAD.unpack_from(data)
        end = _HEAD.size + length
        extensions = data[_HEAD.size : end]
        # A length that is too large leaves nothing for the signature.
        signature = DigitallySigned.parse(data[end:])
        try:
            position = leaf_index(extensions)
        except FormatError:
            position = None  # RFC 6962 does not say what extensions look like
        return cls(_V1, log_id, timestamp_ms, extensions, position, signature)


def sct_list(data: bytes) -> list[SCT]:
    """
    The SCTs of a SignedCertificateTimestampList.

    Those of other versions are passed over, as RFC 6962 section 3.3 wants it.

    Args:
        data: as TLS has it; in a certificate it stands within two OCTET STRINGs.

    Raises:
        FormatError: the list or one of its SCTs is malformed.
    """
    if int.from_bytes(data[:2], "big") != len(data) - 2:
        raise FormatError("SCT list: other length than it says", f"{len(data)} bytes")
    found = []
    at = 2
    while at < len(data):
        start = at + 2
        end = start + int.from_bytes(data[at:start], "big")
        if not start < end <= len(data):
            raise FormatError("SCT list: SCT cut short", f"at {at}")
        if data[start] == _V1:
            found.append(SCT.parse(data[start:end]))
        at = end
    return found


def signed_bytes(sct: SCT, entry: LogEntry) -> bytes:
    """
    What the log signed when it promised to take up this entry.

        Version sct_version;                  u8, 0 (v1)
        SignatureType signature_type;         u8, 0 (certificate_timestamp)
        uint64 timestamp;
        LogEntryType entry_type;              u16
        signed_entry, CtExtensions            as in the leaf

    Args:
        entry: of a certificate the x509_entry or, for an SCT that the certificate
            contains, the precert_entry.
    """
    return b"".join(
        (
            struct.pack(">BBQH", sct.version, 0, sct.timestamp_ms, entry.is_precert),
            entry.issuer_key_hash,
            len(entry.signed_entry).to_bytes(3, "big"),
            entry.signed_entry,
            len(sct.extensions).to_bytes(2, "big"),
            sct.extensions,
        )
    )
