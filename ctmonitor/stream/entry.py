"""One entry of a log, as those see it who read the stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ctmonitor.ct.details import Details, details_of, rfc4514
from ctmonitor.ct.entry import Leaves, LogEntry
from ctmonitor.ct.x509 import certificate_of
from ctmonitor.errors import FormatError
from ctmonitor.model.certificate import Certificate
from ctmonitor.model.clock import from_epoch
from ctmonitor.model.log import Log


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A certificate or precertificate, proven to lie in its log.

    Everything in it was written by strangers: names may hold line ends and escape
    sequences. `ctmonitor.model.text.printable` makes them safe to show.

    Args:
        log: the log, with `name`, `operator`, `address` and `log_id`.
        index: position in the log, from 0.
        entry_type: `X509LogEntry` or `PrecertLogEntry`; empty when it cannot be told.
        timestamp_ms: the log's clock, milliseconds since 1970; None when the framing
            is broken.
        domains: DNS names and common names as issued, without doubles.
        certificate: the fields that were read; None when nothing could be.
        raw: the entry in bytes; None when its framing is broken.
        malformed: what could not be read, in words; empty for nearly all.
    """

    log: Log
    index: int
    entry_type: str = ""
    timestamp_ms: int | None = None
    domains: tuple[str, ...] = ()
    certificate: Certificate | None = field(default=None, repr=False)
    raw: LogEntry | None = field(default=None, repr=False)
    malformed: str = ""

    @property
    def log_name(self) -> str:
        return self.log.name

    @property
    def log_url(self) -> str:
        """Where the log is read, without a slash at the end."""
        return self.log.address.rstrip("/")

    @property
    def log_operator(self) -> str:
        return self.log.operator

    @property
    def log_id(self) -> str:
        """SHA-256 of the log's key, in hex."""
        return self.log.log_id.hex()

    @property
    def link(self) -> str:
        """Where the entry can be read in its log."""
        return self.log.link(self.index)

    @property
    def timestamp(self) -> datetime | None:
        """When the log took it, in UTC; None for a time that no calendar has."""
        if self.timestamp_ms is None:
            return None
        return from_epoch(self.timestamp_ms / 1000)

    @property
    def is_precert(self) -> bool:
        return self.entry_type == "PrecertLogEntry"

    @property
    def subject(self) -> str:
        """Distinguished name as RFC 4514 writes it; read anew at each call."""
        return rfc4514(self._names.subject)

    @property
    def issuer(self) -> str:
        """Likewise."""
        return rfc4514(self._names.issuer)

    @property
    def _names(self) -> Details:
        is_tbs = self.is_precert
        return details_of(self.signed, is_tbs=is_tbs, with_extensions=False)

    @property
    def not_before(self) -> datetime | None:
        return None if self.certificate is None else self.certificate.not_before

    @property
    def not_after(self) -> datetime | None:
        return None if self.certificate is None else self.certificate.not_after

    @property
    def serial_number(self) -> str:
        """In hex, upper case without leading zeros; empty when it cannot be read."""
        if self.certificate is None or self.certificate.serial is None:
            return ""
        return f"{self.certificate.serial:X}"

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """`sha256` and `sha1` of `der`, in hex with colons; empty without it."""
        if self.certificate is None:
            return {"sha256": "", "sha1": ""}
        return {
            "sha256": colons(self.certificate.sha256),
            "sha1": colons(self.certificate.sha1),
        }

    @property
    def der(self) -> bytes:
        """
        The certificate, or the precertificate as its CA submitted it.

        Of a precertificate the log signed `signed`; the names are those of that.
        Empty when the entry does not hold it in good order.
        """
        if self.raw is None:
            return b""
        return self.raw.pre_certificate if self.is_precert else self.raw.signed_entry

    @property
    def signed(self) -> bytes:
        """What the log signed: the certificate, or a TBSCertificate."""
        return b"" if self.raw is None else self.raw.signed_entry

    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER of the issuers; empty for tiled logs, which name them by fingerprint."""
        return () if self.raw is None else self.raw.chain


def read_entry(log: Log, leaves: Leaves, number: int) -> Entry:
    """
    Entry `leaves.start + number`; whatever is broken in it, there is an `Entry`.
    """
    index = leaves.start + number
    wrong: list[str] = []
    try:
        try:
            raw = leaves.entry(number)
        except FormatError as exc:
            # A log that hands out a broken chain must not hide a name by that.
            raw = leaves.signed(number)
            wrong.append(str(exc))
    except FormatError as exc:
        return Entry(log, index, malformed=str(exc))
    kind = "PrecertLogEntry" if raw.is_precert else "X509LogEntry"
    try:
        certificate, defects = certificate_of(raw)
    except FormatError as exc:
        wrong.append(str(exc))
        words = "; ".join(wrong)
        return Entry(log, index, kind, raw.timestamp_ms, raw=raw, malformed=words)
    wrong.extend(defects)
    return Entry(
        log,
        index,
        kind,
        raw.timestamp_ms,
        certificate.names,
        certificate,
        raw,
        "; ".join(wrong),
    )


def colons(digest: str) -> str:
    """Hex in upper case, with colons."""
    return bytes.fromhex(digest).hex(":").upper()
