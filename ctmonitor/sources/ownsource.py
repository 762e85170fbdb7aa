"""What a source of own-domain certificates gives, and how often it may be asked."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from ctmonitor.errors import SourceError
from ctmonitor.model.own import Claim, OwnSource


@dataclass(frozen=True, slots=True)
class Answer:
    """
    All that one source says of one watched domain at one time.

    Args:
        source: that answered, which in the ladder may be another than was asked.
        position: to go on from in a later run, as `Mark.position` keeps it.
        is_full: expired certificates are among the claims, if there are any.
        is_complete: a limit or a budget ended it otherwise; a later run has the rest.
        notes: for people, what was odd: whole sentences that name the domain.
        failure: the error that ended it, when that was no limit and no budget: the
            claims are good, and the run is complete in part only.
    """

    source: OwnSource
    claims: tuple[Claim, ...]
    position: str = ""
    is_full: bool = True
    is_complete: bool = True
    notes: tuple[str, ...] = ()
    failure: str = ""


def without_login(url: str) -> str:
    """The address of a service as links may bear it: links stand in messages."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", "")).rstrip("/")


class BudgetSpent(SourceError):
    """
    No further question is allowed now; `retry_after_s` tells when the next one is.

    Nothing failed: what was left out is asked for in a later run.
    """


class Budget(Protocol):
    """Counts the questions to a source, over all runs."""

    def take(self, now: datetime) -> None:
        """
        Counts one question, before it is asked.

        Raises:
            BudgetSpent: it may not be asked.
        """
