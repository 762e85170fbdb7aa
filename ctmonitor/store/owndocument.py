"""
The JSON documents of watched domains, as every store keeps them. No I/O.

Beside ours stands the bare number that older scripts kept in the same place: the last
id of Cert Spotter.
"""

import json
import re
from typing import Any

import msgspec

from ctmonitor.errors import StoreError, Unreadable
from ctmonitor.model.own import DomainState, Mark, OwnSource, SharedState
from ctmonitor.model.text import shortened

VERSION = 1
SHARED = ".shared"  # the name of the document that all domains share
ASIDE = "~"  # in the name of a document set aside; in that of no domain
_LONGEST = 200  # of a domain in such a name: files have names of 255 bytes
_DOMAIN = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})+")
_BARE_ID = re.compile(rb'\s*(["\']?)([0-9]{1,40})\1\s*')
_STATE = msgspec.json.Decoder(DomainState)
_SHARED = msgspec.json.Decoder(SharedState)
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


def encoded(document: DomainState | SharedState | list[dict[str, Any]]) -> bytes:
    """A document, or a part of it, as JSON."""
    try:
        return _ENCODER.encode(document)
    except UnicodeEncodeError:  # a lone surrogate, out of a stranger's answer
        plain = json.dumps(msgspec.to_builtins(document), ensure_ascii=False)
        return plain.encode("utf-8", "replace")


def state_of(body: bytes, domain: str, label: str, written: str) -> DomainState:
    """
    The state of a domain out of its document.

    Args:
        label: of the store, for messages.
        written: when the document was last written, UTC text; empty: not known.

    Raises:
        Unreadable: it is none, or another domain's.
        StoreError: a newer version wrote it.
    """
    if (bare := _BARE_ID.fullmatch(body)) is not None:
        # It was told of all up to this id, and never had expired ones.
        mark = Mark(bare[2].decode(), since=written, is_full=False, asked=written)
        marks = {OwnSource.CERTSPOTTER: mark}
        return DomainState(domain, since=written, marks=marks)
    where = f"{label}: the document of {domain}"
    state: DomainState = _decoded(_STATE, body, where, written)
    if state.domain != domain:
        about = repr(shortened(state.domain, 100))
        raise Unreadable(f"{where} is about {about}", written)
    return state


def shared_of(body: bytes, label: str, written: str) -> SharedState:
    """
    What all domains share, out of its document.

    Raises:
        Unreadable, StoreError: as `state_of`.
    """
    where = f"{label}: the document {SHARED}, which has the CAs of --add-ca,"
    try:
        shared: SharedState = _decoded(_SHARED, body, where, written)
    except Unreadable as exc:
        advice = "Restore a copy of it, or remove it and add the CAs again."
        raise Unreadable(f"{exc}. {advice}", written) from exc
    return shared


def with_pending(body: bytes, pending: list[dict[str, Any]]) -> bytes:
    """The document of a state with other messages on their way."""
    parts = _PARTS.decode(body)
    parts["pending"] = msgspec.Raw(encoded(pending))
    return _ENCODER.encode(parts)


def checked(domain: str) -> str:
    """
    `domain`, when it can be the name of a file, a key and a row.

    Raises:
        StoreError: it cannot.
    """
    if len(domain) > 253 or _DOMAIN.fullmatch(domain) is None:
        shown = repr(shortened(domain, 100))
        raise StoreError(f"{shown} is no domain; write example.com, as A-labels")
    return domain


def is_domain(name: str) -> bool:
    """Whether a file, key or row of this name is the state of a domain."""
    return _DOMAIN.fullmatch(name) is not None


def aside_name(domain: str, written: str) -> str:
    """
    The name under which an unreadable document is kept.

    The same document has the same one whenever it is met.
    """
    return f"{domain[:_LONGEST]}{ASIDE}{written.replace(':', '')}"


def _decoded(
    decoder: msgspec.json.Decoder[Any], body: bytes, where: str, written: str
) -> Any:
    try:
        document = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        detail = shortened(str(exc), 200)
        raise Unreadable(f"{where} cannot be read: {detail}", written) from exc
    if document.version > VERSION:
        raise StoreError(
            f"{where} was written by a newer version of ctmonitor (version "
            f"{document.version}; this program knows {VERSION}). Upgrade the program."
        )
    return document
