"""
A Certificate Transparency log as a log list describes it, and its signed heads.

Source: RFC 6962 section 3.5 (signed tree head), c2sp.org/static-ct-api, log list
schema v3.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LogState(StrEnum):
    """The states of log list v3; meanings in Chrome's `log_states.md`."""

    PENDING = "pending"
    QUALIFIED = "qualified"
    USABLE = "usable"
    READONLY = "readonly"
    RETIRED = "retired"
    REJECTED = "rejected"
    UNKNOWN = ""  # the list names none, or one that we do not know


@dataclass(frozen=True, slots=True)
class Log:
    """
    One log.

    Args:
        log_id: SHA-256 of `key`, 32 bytes.
        key: the SubjectPublicKeyInfo, DER.
        name: the list's description, for people; unique in a list, or nearly.
        url: the base of `ct/v1/`, or of a tiled log the submission prefix; with a
            slash at its end.
        monitoring_url: where a tiled log is read, with a slash at its end; empty for
            a log of RFC 6962.
        tiles_url: where a log of RFC 6962 also serves full `tile/data/`, though no
            checkpoint; empty for most.
        mmd_s: maximum merge delay, seconds.
        interval_start, interval_end: the `not_after` that the log accepts, half-open.
        final_size: size of the final tree of a log that is read-only; None otherwise.
    """

    log_id: bytes
    key: bytes
    name: str
    operator: str
    url: str
    monitoring_url: str = ""
    tiles_url: str = ""
    mmd_s: int = 86400
    state: LogState = LogState.UNKNOWN
    state_since: datetime | None = None
    interval_start: datetime | None = None
    interval_end: datetime | None = None
    final_size: int | None = None
    final_root: bytes = b""

    @property
    def is_tiled(self) -> bool:
        """Whether the log speaks static-ct-api."""
        return bool(self.monitoring_url)

    @property
    def address(self) -> str:
        """Where it is read."""
        return self.monitoring_url or self.url

    @property
    def origin(self) -> str:
        """First line of its checkpoints: the submission prefix without scheme."""
        return self.url.partition("://")[2].rstrip("/")

    def link(self, index: int) -> str:
        """
        An address at which the entry can be read, for both kinds of log.

        Of a tiled log that of the full tile, which is served for good, from when it is
        full; a partial one is there at once, and may be gone soon after.
        """
        if not self.is_tiled:
            return f"{self.url}ct/v1/get-entries?start={index}&end={index}"
        number = f"{index // 256 % 1000:03d}"
        rest = index // 256 // 1000
        while rest:
            number = f"x{rest % 1000:03d}/{number}"
            rest //= 1000
        return f"{self.monitoring_url}tile/data/{number}"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """
    A head whose signature was checked; whether the tree is as it says was not.

    Args:
        size: entries in the tree, from 0.
        root: 32 bytes.
        timestamp_ms: the log's clock.
        document: the bytes in which the log served it (evidence).
    """

    size: int
    root: bytes
    timestamp_ms: int
    document: bytes = b""
