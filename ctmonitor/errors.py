"""
All exceptions of the toolkit, one for each thing a caller does differently.

    CTMonitorError            anything of ours; str() is a sentence for the operator
    +-- ConfigError           settings or command line are wrong; nothing was started
    +-- FormatError           bytes from outside are not what their format promises
    +-- SourceError           a feed or log cannot be read now; trying again may help
    +-- IntegrityError        a log contradicts itself or its signature: evidence
    +-- StoreError            the database, or another store, cannot be used
        +-- Unreadable        ... for one document, which can be set aside
        +-- StoreUnavailable  ... at this moment (locked, disk full, server away): retry
            +-- Busy          ... because another run is at work on it
    +-- AlertError            an alert could not be written; it is tried again

A message begins with what is wrong, says where, and ends with the next step.
"""

from collections.abc import Mapping, Sequence


class CTMonitorError(Exception):
    """Base of all our exceptions."""


class ConfigError(CTMonitorError):
    """
    Settings, command line or state are unusable; the command ends with exit code 2.

    Args:
        problems: every problem found, each a complete sentence.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class FormatError(CTMonitorError):
    """
    Bytes do not follow their format; `kind` is a short constant, used as a counter.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(f"{kind}: {detail}" if detail else kind)


class SourceError(CTMonitorError):
    """
    A feed or log could not be reached or broke off.

    Args:
        message: what happened, in the words of the library or server that said it.
        retry_after_s: seconds the server asked us to wait, None when it did not.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class IntegrityError(CTMonitorError):
    """
    What a log served contradicts its signed head, an earlier one, or its key.

    Nothing of it is believed. It may be the fault of a cache on the way, so it is
    asked for again before the log is held to be bad.

    Args:
        kind: a short constant: `signature`, `shrunk`, `forked`, `root`, `inclusion`,
            `consistency`, `origin`, `future`.
        detail: expected and got, log and index.
        evidence: name -> bytes as served, to be kept.
    """

    def __init__(
        self, kind: str, detail: str, evidence: Mapping[str, bytes] | None = None
    ) -> None:
        self.kind = kind
        self.detail = detail
        self.evidence = dict(evidence or {})
        super().__init__(f"{kind}: {detail}")


class StoreError(CTMonitorError):
    """The database cannot be used, and waiting will not help."""


class StoreUnavailable(StoreError):
    """The database cannot be used at this moment; nothing of the call was written."""


class Busy(StoreUnavailable):
    """Another run has the store, or took it over: this one must tell nothing more."""


class Unreadable(StoreError):
    """
    A document is there and cannot be read; the next step is to set it aside.

    Args:
        since: when it was last written, UTC text to the second; empty: not known.
    """

    def __init__(self, message: str, since: str = "") -> None:
        self.since = since
        super().__init__(message)


class AlertError(CTMonitorError):
    """An alert was not written, and no part of it is left."""
