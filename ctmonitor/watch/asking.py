"""Who is asked for a domain, in which order, and who stands in for whom."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.clock import from_utc_text
from ctmonitor.model.own import DomainState, OwnSource
from ctmonitor.sources.ownsource import Answer, BudgetSpent

log = logging.getLogger(__name__)

_REREAD = timedelta(days=1)  # unexpired certificates, for what was revoked meanwhile


class Asks(Protocol):
    """One source, as it is asked; blocks."""

    def __call__(self, state: DomainState, *, anew: bool) -> Answer:
        """
        What is said of the domain.

        Args:
            anew: from the beginning, although its mark says how far it was read.

        Raises:
            BudgetSpent: not now; SourceError, FormatError: it failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """What made a run incomplete: of a source, a domain, or a channel."""

    source: str
    domain: str
    reason: str

    def __str__(self) -> str:
        where = ", ".join(filter(None, [self.source, self.domain]))
        return f"{where}: {self.reason}"


@dataclass(slots=True)
class Asked:
    """
    What came of all questions for one domain.

    Args:
        problems: sources that failed, and nobody stood in.
        notes: what is left for a later run, and what was odd.
        has_reread: Cert Spotter was read from its beginning.
    """

    answers: list[Answer] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    has_reread: bool = False


class Asking:
    """
    Args:
        sources: each that may be asked; Cert Spotter also where it only stands in.
        chosen: those that are asked in any case, in this order.
    """

    def __init__(
        self,
        sources: dict[OwnSource, Asks],
        chosen: tuple[OwnSource, ...],
        now: Callable[[], datetime],
    ) -> None:
        self._sources = sources
        self._chosen = chosen
        self._now = now

    def ask(self, state: DomainState) -> Asked:
        """The answers of all sources for one domain; raises nothing but StoreError."""
        asked = Asked()
        for source in self._chosen:
            failure = self._ask(source, state, asked)
            if failure is None:
                continue
            stand_in = OwnSource.CERTSPOTTER
            if source is not OwnSource.CRTSH or stand_in in self._chosen:
                asked.problems.append(Problem(source, state.domain, failure))
                continue
            if stand_in not in self._sources:
                asked.problems.append(Problem(source, state.domain, failure))
                continue
            second = self._ask(stand_in, state, asked)
            if second is None:
                asked.notes.append(
                    f"{state.domain}: crt.sh did not answer ({failure}); Cert Spotter "
                    "was asked in its place, which knows no expired certificates"
                )
            else:
                asked.problems += [
                    Problem(source, state.domain, failure),
                    Problem(stand_in, state.domain, f"in its place: {second}"),
                ]
        return asked

    def _ask(self, source: OwnSource, state: DomainState, asked: Asked) -> str | None:
        """Asks one source; why it failed, or None."""
        anew = source is OwnSource.CERTSPOTTER and self._is_reread_due(state)
        try:
            answer = self._sources[source](state, anew=anew)
        except BudgetSpent as exc:
            asked.notes.append(f"{state.domain}: {exc}; it waits for the next run")
            return None
        except (SourceError, FormatError) as exc:
            log.warning("%s, %s: %s", source, state.domain, exc)
            return str(exc)
        asked.answers.append(answer)
        asked.notes += answer.notes
        if answer.failure:
            asked.problems.append(Problem(source, state.domain, answer.failure))
        asked.has_reread |= anew and answer.is_complete
        return None

    def _is_reread_due(self, state: DomainState) -> bool:
        mark = state.marks.get(OwnSource.CERTSPOTTER)
        if mark is None or not mark.position:
            return True
        last = from_utc_text(mark.reread)
        return last is None or self._now() - last >= _REREAD
