"""
Signed tree head and proofs, as a log of RFC 6962 answers with them.

Source: RFC 6962 sections 3.5, 4.3 to 4.5 and 4.8.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from ctmonitor.ct.jsonbody import decode
from ctmonitor.ct.signature import MAX_TREE_SIZE, LogKey, tree_head_bytes
from ctmonitor.errors import FormatError, IntegrityError
from ctmonitor.model.log import TreeHead

_HASH_SIZE = 32
# A tree of 2^63 entries has 63 levels; a consistency proof may bear one hash more.
_MAX_PROOF = 64

_Natural = Annotated[int, msgspec.Meta(ge=0, le=MAX_TREE_SIZE)]


class _Head(msgspec.Struct):
    tree_size: _Natural
    timestamp: _Natural
    sha256_root_hash: bytes
    tree_head_signature: bytes


class _Consistency(msgspec.Struct):
    consistency: list[bytes] | None  # null: what a Go program makes of an empty one


class _Inclusion(msgspec.Struct):
    leaf_index: _Natural
    audit_path: list[bytes] | None


class _EntryAndProof(msgspec.Struct):
    leaf_input: bytes
    extra_data: bytes
    audit_path: list[bytes] | None


_HEAD = msgspec.json.Decoder(_Head)
_CONSISTENCY = msgspec.json.Decoder(_Consistency)
_INCLUSION = msgspec.json.Decoder(_Inclusion)
_ENTRY_AND_PROOF = msgspec.json.Decoder(_EntryAndProof)


@dataclass(frozen=True, slots=True)
class EntryAndProof:
    """One entry as get-entries gives it, and its path to the root, leaf first."""

    leaf_input: bytes
    extra_data: bytes
    path: list[bytes]


def parse_sth(body: bytes, key: LogKey) -> TreeHead:
    """
    The head in an answer to get-sth, its signature checked.

    Raises:
        FormatError: not such an answer, or one with numbers or lengths out of range.
        IntegrityError: `signature`: not signed by `key`; the body is the evidence.
    """
    head = decode(_HEAD, body, "get-sth")
    if len(head.sha256_root_hash) != _HASH_SIZE:
        raise FormatError(
            "get-sth: root of other than 32 bytes", f"{len(head.sha256_root_hash)}"
        )
    message = tree_head_bytes(head.timestamp, head.tree_size, head.sha256_root_hash)
    try:
        key.verify_signed(message, head.tree_head_signature)
    except IntegrityError as exc:
        raise IntegrityError(
            exc.kind,
            f"get-sth of {head.tree_size} entries at {head.timestamp}: {exc.detail}",
            {"get-sth.json": body},
        ) from None
    return TreeHead(head.tree_size, head.sha256_root_hash, head.timestamp, body)


def parse_consistency(body: bytes) -> list[bytes]:
    """
    The hashes in an answer to get-sth-consistency; they prove nothing yet.

    Raises:
        FormatError: not such an answer, or more than 64 hashes, or one of other than
            32 bytes.
    """
    found = decode(_CONSISTENCY, body, "get-sth-consistency")
    return _hashes(found.consistency, "get-sth-consistency")


def parse_inclusion(body: bytes) -> tuple[int, list[bytes]]:
    """
    Index and path in an answer to get-proof-by-hash; they prove nothing yet.

    Raises:
        FormatError: as `parse_consistency`.
    """
    found = decode(_INCLUSION, body, "get-proof-by-hash")
    return found.leaf_index, _hashes(found.audit_path, "get-proof-by-hash")


def parse_entry_and_proof(body: bytes) -> EntryAndProof:
    """
    Entry and path in an answer to get-entry-and-proof; they prove nothing yet.

    Raises:
        FormatError: as `parse_consistency`.
    """
    found = decode(_ENTRY_AND_PROOF, body, "get-entry-and-proof")
    return EntryAndProof(
        found.leaf_input,
        found.extra_data,
        _hashes(found.audit_path, "get-entry-and-proof"),
    )


def _hashes(hashes: list[bytes] | None, what: str) -> list[bytes]:
    hashes = hashes or []
    if len(hashes) > _MAX_PROOF:
        raise FormatError(f"{what}: proof too long", f"{len(hashes)} hashes")
    for number, one in enumerate(hashes):
        if len(one) != _HASH_SIZE:
            raise FormatError(
                f"{what}: hash of other than 32 bytes", f"{len(one)}, number {number}"
            )
    return hashes
