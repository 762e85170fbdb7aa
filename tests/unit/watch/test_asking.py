"""Who is asked for a domain, and who stands in."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ctmonitor.errors import FormatError, SourceError
from ctmonitor.model.own import Claim, DomainState, Mark, OwnSource
from ctmonitor.sources.ownsource import Answer, BudgetSpent
from ctmonitor.watch.asking import Asked, Asking, Asks

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CRTSH, SPOTTER, LOGS = OwnSource.CRTSH, OwnSource.CERTSPOTTER, OwnSource.LOGS


class Asker:
    """A source that answers, or fails; notes what it was asked."""

    def __init__(self, source: OwnSource, failure: Exception | None = None) -> None:
        self.answer = Answer(source, (Claim(source, ("a.example.com",)),))
        self.failure = failure
        self.asked: list[str] = []

    def __call__(self, state: DomainState, after: str) -> Answer:
        self.asked.append(after)
        if self.failure is not None:
            raise self.failure
        return self.answer


def ask(*chosen: OwnSource, state: DomainState | None = None, **sources: Asks) -> Asked:
    known = {OwnSource(name): each for name, each in sources.items()}
    asking = Asking(known, chosen, lambda: NOW)
    return asking.ask(state or DomainState("example.com"))


def test_each_source_is_asked_and_each_answer_is_kept() -> None:
    crtsh, spotter, logs = Asker(CRTSH), Asker(SPOTTER), Asker(LOGS)
    asked = ask(CRTSH, SPOTTER, LOGS, crtsh=crtsh, certspotter=spotter, logs=logs)
    assert [each.source for each in asked.answers] == [CRTSH, SPOTTER, LOGS]
    assert (asked.problems, asked.notes) == ([], [])


@pytest.mark.parametrize("failure", [SourceError("502"), FormatError("not JSON")])
def test_cert_spotter_stands_in_for_crt_sh(failure: Exception) -> None:
    spotter = Asker(SPOTTER)
    asked = ask(CRTSH, crtsh=Asker(CRTSH, failure), certspotter=spotter)
    assert [each.source for each in asked.answers] == [SPOTTER]
    assert asked.problems == []
    assert str(failure) in asked.notes[0]


def test_nobody_stands_in_where_cert_spotter_is_asked_anyway() -> None:
    spotter = Asker(SPOTTER)
    sources = {"crtsh": Asker(CRTSH, SourceError("502")), "certspotter": spotter}
    asked = ask(CRTSH, SPOTTER, **sources)
    assert len(spotter.asked) == 1
    assert [str(each) for each in asked.problems] == ["crtsh, example.com: 502"]


def test_both_failures_are_told() -> None:
    sources = {
        "crtsh": Asker(CRTSH, SourceError("502")),
        "certspotter": Asker(SPOTTER, SourceError("401")),
    }
    asked = ask(CRTSH, **sources)
    assert [each.source for each in asked.problems] == ["crtsh", "certspotter"]
    assert asked.answers == []


def test_nobody_stands_in_for_others() -> None:
    spotter = Asker(SPOTTER)
    asked = ask(LOGS, logs=Asker(LOGS, SourceError("no")), certspotter=spotter)
    assert spotter.asked == []
    assert len(asked.problems) == 1


def test_a_budget_that_is_spent_is_no_failure() -> None:
    asked = ask(SPOTTER, certspotter=Asker(SPOTTER, BudgetSpent("in 20 minutes")))
    assert asked.problems == []
    assert asked.is_waiting
    assert "in 20 minutes" in asked.notes[0]
    assert "next run" in asked.notes[0]


def test_what_came_before_a_failure_counts_and_the_failure_is_told() -> None:
    spotter = Asker(SPOTTER)
    spotter.answer = Answer(SPOTTER, (), is_complete=False, failure="page 2: 502")
    asked = ask(SPOTTER, certspotter=spotter)
    assert len(asked.answers) == 1
    assert asked.problems[0].reason == "page 2: 502"


@pytest.mark.parametrize(
    ("mark", "asked_after"),
    [
        (None, [""]),
        (Mark(position="7"), ["7"]),  # its first reading was cut off
        (Mark("7", since="2026-11-01", reread="2026-11-22T00:00:00"), ["7"]),
        (Mark("7", since="2026-11-01", reread="2026-11-21T11:00:00"), ["7", ""]),
        (Mark("7", since="2026-11-01"), ["7", ""]),  # of an older script
        (Mark("7", since="2026-11-01", reread="never", rereading="3"), ["7", "3"]),
    ],
)
def test_once_a_day_cert_spotter_is_read_again(
    mark: Mark | None, asked_after: list[str]
) -> None:
    state = DomainState("example.com", marks={SPOTTER: mark} if mark else {})
    spotter = Asker(SPOTTER)
    asked = ask(SPOTTER, state=state, certspotter=spotter)
    assert spotter.asked == asked_after
    assert asked.rereading == ("" if len(asked_after) > 1 else None)


def test_a_second_reading_that_is_cut_off_goes_on_there_and_moves_no_mark() -> None:
    spotter = Asker(SPOTTER)
    spotter.answer = replace(spotter.answer, position="4", is_complete=False)
    state = DomainState("example.com", marks={SPOTTER: Mark("7", since="2026-11-01")})
    asked = ask(SPOTTER, state=state, certspotter=spotter)
    assert [each.position for each in asked.answers] == ["4", ""]
    assert asked.rereading == "4"


def test_a_stand_in_without_a_budget_is_none() -> None:
    sources = {
        "crtsh": Asker(CRTSH, SourceError("502")),
        "certspotter": Asker(SPOTTER, BudgetSpent("in 20 minutes")),
    }
    asked = ask(CRTSH, **sources)
    assert [str(each) for each in asked.problems] == ["crtsh, example.com: 502"]
    assert "in 20 minutes" in asked.notes[0]


def test_who_stood_in_is_asked_once_more_when_crt_sh_answers_at_last() -> None:
    known = Mark("7", since="2026-11-21T00:00:00", reread="2026-11-22T00:00:00")
    state = DomainState("example.com", marks={SPOTTER: known})
    spotter = Asker(SPOTTER)
    asked = ask(CRTSH, state=state, crtsh=Asker(CRTSH), certspotter=spotter)
    assert [each.source for each in asked.answers] == [CRTSH, SPOTTER]
    assert spotter.asked == ["7"]
    state.marks[CRTSH] = Mark(since="2026-11-22T00:00:00")
    asked = ask(CRTSH, state=state, crtsh=Asker(CRTSH), certspotter=spotter)
    assert [each.source for each in asked.answers] == [CRTSH]
