"""
Lists of logs, schema v3, as Chrome, Apple, crt.sh and SSLMate publish them.

Beside these, the description that a Sunlight log gives of itself, `log.v3.json`.

Source: www.gstatic.com/ct/log_list/v3/log_list_schema.json, `log_states.md` of Chrome.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from ctmonitor.ct.jsonbody import decode
from ctmonitor.ct.signature import HASH_SHA256, MAX_TREE_SIZE, LogKey
from ctmonitor.errors import FormatError
from ctmonitor.model.clock import from_utc_text
from ctmonitor.model.log import Log, LogState
from ctmonitor.model.text import printable, shortened

LOG_LIST_URL = "https://www.gstatic.com/ct/log_list/v3/log_list.json"

# What Chrome's lists are signed with: log_list_pubkey.pem beside them, of which the
# SHA-256 (of the DER) begins f1d8b68e50210d8e.
LOG_LIST_KEY = """\
-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAsu0BHGnQ++W2CTdyZyxv
HHRALOZPlnu/VMVgo2m+JZ8MNbAOH2cgXb8mvOj8flsX/qPMuKIaauO+PwROMjiq
fUpcFm80Kl7i97ZQyBDYKm3MkEYYpGN+skAR2OebX9G2DfDqFY8+jUpOOWtBNr3L
rmVcwx+FcFdMjGDlrZ5JRmoJ/SeGKiORkbbu9eY1Wd0uVhz/xI5bQb0OgII7hEj+
i/IPbJqOHgB8xQ5zWAJJ0DmG+FM6o7gk403v6W3S8qRYiR84c50KppGwe4YqSMkF
bLDleGQWLoaDSpEWtESisb4JiLaY4H+Kk0EyAhPSb+49JfUozYl+lf7iFN3qRq/S
IXXTh6z0S7Qa8EYDhKGCrpI03/+qprwy+my6fpWHi6aUIk4holUCmWvFxZDfixox
K0RlqbFDl2JXMBquwlQpm8u5wrsic1ksIv9z8x9zh4PJqNpCah0ciemI3YGRQqSe
/mRRXBiSn9YQBUPcaeqCYan+snGADFwHuXCd9xIAdFBolw9R9HTedHGUfVXPJDiF
4VusfX6BRR/qaadB+bqEArF/TzuDUr6FvOR4o8lUUxgLuZ/7HO+bHnaPFKYHHSm+
+z1lVDhhYuSZ8ax3T0C3FZpb7HMjZtpEorSV5ElKJEJwrhrBCMOD8L01EoSPrGlS
1w22i9uGHMn/uGQKo28u7AsCAwEAAQ==
-----END PUBLIC KEY-----
"""

# Scheme, host and path; no user, query or fragment, to which nothing can be appended.
_ADDRESS = re.compile(
    r"https?://([A-Za-z0-9._:\[\]-]+)(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
)
_PLACEHOLDER = re.compile(r"(?:.*\.)?example\.com(?::\d*)?", re.IGNORECASE)
# Statuses of log.v3.json: such a log stands in no list, so nobody calls it usable.
_STATUSES = {
    "active": LogState.USABLE,
    "readonly": LogState.READONLY,
    "inactive": LogState.RETIRED,
}


@dataclass(frozen=True, slots=True)
class LogList:
    """
    What a list says.

    Args:
        version: the list's own, for people; empty when it has none.
        timestamp: when the list was made; None when it does not say.
        logs: in the list's order, one for each log id.
        left_out: for people: each log of the list that cannot be followed, and why.
    """

    version: str
    timestamp: datetime | None
    logs: tuple[Log, ...]
    left_out: tuple[str, ...] = ()


class _Interval(msgspec.Struct):
    start_inclusive: str = ""
    end_exclusive: str = ""


class _FinalHead(msgspec.Struct):
    tree_size: Annotated[int, msgspec.Meta(ge=0, le=MAX_TREE_SIZE)]
    sha256_root_hash: bytes


class _State(msgspec.Struct):
    timestamp: str = ""
    final_tree_head: _FinalHead | None = None


class _Log(msgspec.Struct):
    key: bytes
    log_id: bytes
    description: str = ""
    url: str = ""
    submission_url: str = ""
    monitoring_url: str = ""
    # Ours: a log of RFC 6962 whose full tiles can be read too, though its lists do
    # not say so (TrustAsia since 2026-05-22).
    tiles_url: str = ""
    mmd: Annotated[int, msgspec.Meta(ge=0, le=10 * 366 * 86400)] = 86400
    log_type: str = ""
    temporal_interval: _Interval | None = None
    state: dict[str, _State] | None = None
    # Of log.v3.json:
    status: str = ""
    status_timestamp: str = ""
    final_tree_head: _FinalHead | None = None


class _Operator(msgspec.Struct):
    name: str = ""
    logs: list[msgspec.Raw] | None = None
    tiled_logs: list[msgspec.Raw] | None = None


class _List(msgspec.Struct):
    operators: list[_Operator] | None = None
    version: str | int | float = ""
    log_list_timestamp: str = ""
    # A log.v3.json is a log itself.
    log_id: str | None = None


class _Name(msgspec.Struct):
    description: str = ""


_LIST = msgspec.json.Decoder(_List)
_LOG = msgspec.json.Decoder(_Log)
_NAME = msgspec.json.Decoder(_Name)


def parse_log_list(body: bytes) -> LogList:
    """
    The logs of a list, or of a single `log.v3.json`.

    A log that cannot be followed does not hinder the others: it is left out by name.
    Those are logs without a usable address (Mozilla's list has none), with a broken
    key or one that is not the log id's, doubles, test logs, and the placeholders at
    example.com, which exist for clients that fail on an operator without logs.

    Raises:
        FormatError: neither a list nor a log.
    """
    document = decode(_LIST, body, "log list")
    if document.operators is None and document.log_id is None:
        raise FormatError("log list: neither operators nor a log")
    logs: dict[bytes, Log] = {}
    left_out = []
    for operator, raw in _raw_logs(document, body):
        try:
            log = _log(raw, operator)
            if log.log_id in logs:
                raise FormatError(f"a double of {logs[log.log_id].name}")
            logs[log.log_id] = log
        except FormatError as exc:
            left_out.append(f"{_name(raw)}: {shortened(str(exc), 200)}")
    return LogList(
        printable(str(document.version)),
        _moment(document.log_list_timestamp),
        tuple(logs.values()),
        tuple(left_out),
    )


def verify_log_list(body: bytes, signature: bytes, key_pem: str) -> None:
    """
    Returns when `signature` is the signature of the list by the key.

    Args:
        body: the list, every byte as served.
        signature: the file `.sig` beside it: PKCS #1 v1.5 of RSA, or ECDSA, with
            SHA-256, raw.

    Raises:
        FormatError: the key is not readable, or of a kind that `LogKey` refuses.
        IntegrityError: `signature`: it is not.
    """
    try:
        public = load_pem_public_key(key_pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise FormatError("log list key: no public key in PEM") from None
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = LogKey(spki)
    key.verify(body, HASH_SHA256, key.signature_algorithm, signature)


def _raw_logs(document: _List, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Each log with its operator's name."""
    if document.operators is None:
        yield "", body
        return
    for operator in document.operators:
        for raw in (*(operator.logs or ()), *(operator.tiled_logs or ())):
            yield printable(operator.name), bytes(raw)


def _name(raw: bytes) -> str:
    try:
        found = decode(_NAME, raw, "log").description
    except FormatError:
        found = ""
    return shortened(found) or "a log without name"


def _log(raw: bytes, operator: str) -> Log:
    listed = decode(_LOG, raw, "log")
    if listed.log_type == "test":
        raise FormatError("a test log")
    url = _address(listed.submission_url if listed.monitoring_url else listed.url)
    monitoring_url = _address(listed.monitoring_url) if listed.monitoring_url else ""
    key = LogKey(listed.key)
    if key.log_id != listed.log_id:
        raise FormatError("its log_id is not the SHA-256 of its key")
    state, since, final = _state(listed)
    interval = listed.temporal_interval or _Interval()
    return Log(
        log_id=listed.log_id,
        key=listed.key,
        name=printable(listed.description) or url,
        operator=operator,
        url=url,
        monitoring_url=monitoring_url,
        tiles_url=_address(listed.tiles_url) if listed.tiles_url else "",
        mmd_s=listed.mmd,
        state=state,
        state_since=since,
        interval_start=_moment(interval.start_inclusive),
        interval_end=_moment(interval.end_exclusive),
        final_size=final.tree_size if final else None,
        final_root=final.sha256_root_hash if final else b"",
    )


def _address(url: str) -> str:
    match = _ADDRESS.fullmatch(url)
    if not match:
        raise FormatError("no address to read it at", repr(shortened(url)))
    if _PLACEHOLDER.fullmatch(match[1]):
        raise FormatError("a placeholder", shortened(url))
    return url if url.endswith("/") else url + "/"


def _state(listed: _Log) -> tuple[LogState, datetime | None, _FinalHead | None]:
    """State, since when, and the final head of a log that takes no more entries."""
    if listed.state is None:
        state = _STATUSES.get(listed.status, LogState.UNKNOWN)
        final = listed.final_tree_head
        since = _moment(listed.status_timestamp)
    elif not listed.state:
        state, since, final = LogState.UNKNOWN, None, None
    else:
        # Mozilla names every state that a log has had: the last one is its state.
        moments = {word: _moment(at.timestamp) for word, at in listed.state.items()}
        word = max(moments, key=lambda word: moments[word] or _LONG_AGO)
        state = LogState(word) if word in set(LogState) else LogState.UNKNOWN
        since, final = moments[word], listed.state[word].final_tree_head
    if final is None or state is not LogState.READONLY:
        return state, since, None
    if len(final.sha256_root_hash) != 32:
        raise FormatError("final_tree_head: root of other than 32 bytes")
    return state, since, final


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _moment(text: str) -> datetime | None:
    moment = from_utc_text(text)
    try:
        return moment and moment.astimezone(UTC)
    except OverflowError:  # a zone that leads out of the years 1 to 9999
        return None
