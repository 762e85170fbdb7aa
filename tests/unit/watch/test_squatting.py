"""Typosquats of a watched domain, as far as a run goes."""

import asyncio
from collections.abc import Callable

import pytest

from ctmonitor.errors import Busy, SourceError
from ctmonitor.model.own import (
    AlertType,
    Claim,
    DomainState,
    Issuer,
    OwnAlert,
    OwnSource,
)
from ctmonitor.sources.ownsource import Answer, BudgetSpent
from ctmonitor.watch import squatting
from ctmonitor.watch.asking import Asked
from ctmonitor.watch.lookup import Lookup

DOMAIN = "ibm.com"
NOW = "2026-11-22T12:00:00"


def look(
    state: DomainState,
    ask: Callable[[str], Answer],
    *,
    most: int = 10,
    renew: Callable[[], None] = lambda: None,
) -> tuple[list[OwnAlert], Asked]:
    squats = squatting.Squatting(
        ask,
        Lookup(None),
        frozenset({DOMAIN}),
        most=most,
        stopped=lambda: False,
        on_done=lambda domain, done, total: None,
        renew=renew,
    )
    return asyncio.run(squats.look(state, NOW))


def empty(name: str) -> Answer:
    return Answer(OwnSource.CRTSH, ())


def test_a_run_goes_on_where_the_last_one_ended() -> None:
    state = DomainState(DOMAIN)
    asked: list[str] = []

    def ask(name: str) -> Answer:
        asked.append(name)
        claim = Claim(
            OwnSource.CRTSH,
            (name,),
            ids=(str(len(asked)),),
            issuer=Issuer("O=A CA", "|a ca|", "A CA"),
            not_before="2026-11-20T00:00:00",
            not_after="2027-02-18T00:00:00",
        )
        return Answer(OwnSource.CRTSH, (claim,) if len(asked) == 2 else ())

    alerts, said = look(state, ask)
    assert [(one.type, one.names) for one in alerts] == [
        (AlertType.TYPOSQUAT_DETECTED, [asked[1]])
    ]
    assert said.notes[0].startswith(f"{DOMAIN}: 10 of ")
    again, _ = look(state, ask)
    assert (again, len(asked)) == ([], len(set(asked)))
    assert len(asked) == 20


def test_a_source_that_fails_is_left_alone_and_a_spent_budget_is_no_failure() -> None:
    asked: list[str] = []

    def fails(name: str) -> Answer:
        asked.append(name)
        raise SourceError("502")

    _, said = look(DomainState(DOMAIN), fails)
    assert len(asked) == 3
    assert [one.reason for one in said.problems] == ["502"]

    def spent(name: str) -> Answer:
        raise BudgetSpent("in 20 minutes")

    _, said = look(DomainState(DOMAIN), spent)
    assert said.problems == []
    assert "in 20 minutes" in said.notes[0]


def test_names_that_always_fail_hold_up_no_others() -> None:
    """Of a large site crt.sh never gives the list; three such came first each time."""
    state = DomainState(DOMAIN)
    asked: list[str] = []

    def ask(name: str) -> Answer:
        asked.append(name)
        if name in bad:
            raise SourceError("502")
        return empty(name)

    bad: set[str] = set()
    look(DomainState(DOMAIN), ask)
    bad = set(asked[:3])
    asked.clear()
    look(state, ask)
    assert set(asked) == bad
    asked.clear()
    look(state, ask)
    assert len(set(asked) - bad) == 10


def test_the_lock_is_kept_and_who_lost_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look takes 20 minutes, and the lock lasts for 15."""
    renewed: list[int] = []
    look(DomainState(DOMAIN), empty, renew=lambda: renewed.append(1))
    assert renewed == []  # not for each name
    monkeypatch.setattr(squatting, "_RENEW_S", -1.0)
    look(DomainState(DOMAIN), empty, renew=lambda: renewed.append(1))
    assert len(renewed) == 10

    def lost() -> None:
        raise Busy("another run has it.")

    with pytest.raises(Busy):
        look(DomainState(DOMAIN), empty, renew=lost)
