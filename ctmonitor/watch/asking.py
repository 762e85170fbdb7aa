"""Who is asked for a domain, in which order, and who stands in for whom."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.clock import from_utc_text
from ctmonitor.model.own import DomainState, Mark, OwnSource
from ctmonitor.sources.ownsource import Answer, BudgetSpent

log = logging.getLogger(__name__)

_REREAD = timedelta(days=1)  # unexpired certificates, for what was revoked meanwhile


class Asks(Protocol):
    """One source, as it is asked; blocks."""

    def __call__(self, state: DomainState, after: str) -> Answer:
        """
        What is said of the domain.

        Args:
            after: how far it was read, as the source said it; empty: the beginning.

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
        rereading: how far Cert Spotter was read once more, for what was revoked; empty
            when that is done, None when nothing was read so.
        is_waiting: a source may not be asked now: the next run begins with this domain.
    """

    answers: list[Answer] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rereading: str | None = None
    is_waiting: bool = False


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
                if source is OwnSource.CRTSH:
                    self._ask_who_stood_in(state, asked)
                continue
            stand_in = OwnSource.CERTSPOTTER
            if source is not OwnSource.CRTSH or stand_in in self._chosen:
                asked.problems.append(Problem(source, state.domain, failure))
                continue
            if stand_in not in self._sources:
                asked.problems.append(Problem(source, state.domain, failure))
                continue
            second = self._ask(stand_in, state, asked)
            if second is None and asked.answers:
                asked.notes.append(
                    f"{state.domain}: crt.sh did not answer ({failure}); Cert Spotter "
                    "was asked in its place, which knows no expired certificates"
                )
                continue
            asked.problems.append(Problem(source, state.domain, failure))
            if second is not None:
                why = f"in its place: {second}"
                asked.problems.append(Problem(stand_in, state.domain, why))
        return asked

    def _ask_who_stood_in(self, state: DomainState, asked: Asked) -> None:
        """
        Asks Cert Spotter where it alone was read before crt.sh has answered at last.

        What crt.sh lists at first is silent; this tells what came meanwhile.
        """
        stand_in = OwnSource.CERTSPOTTER
        if stand_in in self._chosen or stand_in not in self._sources:
            return
        known = {source for source, mark in state.marks.items() if mark.since}
        if stand_in not in known or OwnSource.CRTSH in known:
            return
        if why := self._ask(stand_in, state, asked):
            asked.notes.append(f"{state.domain}: Cert Spotter: {why}")

    def _ask(self, source: OwnSource, state: DomainState, asked: Asked) -> str | None:
        """Asks one source; why it failed, or None."""
        mark = state.marks.get(source) or Mark()
        failure = self._answered(source, state, mark.position, asked)
        is_spotter = source is OwnSource.CERTSPOTTER
        if failure is not None or not (is_spotter and self._is_reread_due(mark)):
            return failure
        answers, asked.answers = asked.answers, []
        failure = self._answered(source, state, mark.rereading, asked)
        for answer in asked.answers:
            asked.rereading = "" if answer.is_complete else answer.position
            # What is new was read already; this reading has a mark of its own.
            answers.append(replace(answer, position=""))
        asked.answers = answers
        return failure

    def _answered(
        self, source: OwnSource, state: DomainState, after: str, asked: Asked
    ) -> str | None:
        try:
            answer = self._sources[source](state, after)
        except BudgetSpent as exc:
            asked.notes.append(f"{state.domain}: {exc}; it waits for the next run")
            asked.is_waiting = True
            return None
        except (SourceError, FormatError) as exc:
            log.info("%s, %s: %s", source, state.domain, exc)
            return str(exc)
        asked.answers.append(answer)
        asked.notes += answer.notes
        if answer.failure:
            asked.problems.append(Problem(source, state.domain, answer.failure))
        return None

    def _is_reread_due(self, mark: Mark) -> bool:
        """Whether what was read long ago is to be read again."""
        if not mark.since:
            return False  # it was not read to its end yet
        last = from_utc_text(mark.reread)
        return last is None or self._now() - last >= _REREAD
