"""A run over watched domains, with its state in a directory."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from pathlib import Path

import pytest

from ctmonitor.errors import Busy, StoreError
from ctmonitor.model.followup import OutboxItem
from ctmonitor.model.own import (
    AlertType,
    Authority,
    Claim,
    DomainState,
    Issuer,
    OwnAlert,
    OwnSource,
    SharedState,
)
from ctmonitor.sources.ownsource import Answer
from ctmonitor.store.owndirectory import DirectoryStates
from ctmonitor.watch.asking import Asked, Problem
from ctmonitor.watch.cycle import Cycle, Ended, Squats
from ctmonitor.watch.judge import Policy
from ctmonitor.watch.telling import items, messages

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
CRTSH = OwnSource.CRTSH


def claim(number: int, name: str, organisation: str = "Good CA") -> Claim:
    return Claim(
        CRTSH,
        (name,),
        ids=(str(number),),
        issuer=Issuer(f"O={organisation}", f"|{organisation.lower()}|", organisation),
        serial=f"{number:x}",
        not_before="2026-11-20T00:00:00",
        not_after="2027-02-18T00:00:00",
    )


class World:
    """What sources say, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START
        self.claims: dict[str, list[Claim]] = {}
        self.failing: set[str] = set()
        self.asked: list[str] = []
        self.told: list[OwnAlert] = []
        self.delivered = 0
        self.policy = Policy()
        self.stops_after = 10**9
        self.squats: Squats | None = None
        self.draws: Iterator[float] = repeat(0.5)

    def ask(self, state: DomainState) -> Asked:
        self.asked.append(state.domain)
        self.now += timedelta(seconds=1)
        if state.domain in self.failing:
            return Asked(problems=[Problem("crtsh", state.domain, "502")])
        claims = tuple(self.claims.get(state.domain, ()))
        return Asked(answers=[Answer(CRTSH, claims)])

    def items(self, alerts: Sequence[OwnAlert]) -> list[OutboxItem]:
        self.told += alerts
        return items(messages(alerts), destinations=(), webhook=True, mail=())

    async def deliver(self) -> list[Problem]:
        self.delivered += 1
        return []

    def policy_of(self, shared: SharedState) -> Policy:
        known = (*self.policy.authorities, *shared.authorities)
        return Policy(authorities=known, quiet=self.policy.quiet)

    def run(self, *domains: str, to_authorise: set[str] | None = None) -> Ended:
        states = DirectoryStates(self.folder)
        self.told, self.asked = [], []
        with states.lock("a", 60.0):
            cycle = Cycle(
                states,
                states.shared(),
                self,
                self.policy_of,
                self.items,
                squats=self.squats,
                draw=lambda: next(self.draws),
                to_authorise=to_authorise,
                now=lambda: self.now,
                stopped=lambda: len(self.asked) >= self.stops_after,
            )
            ended = asyncio.run(cycle.run(domains, self.deliver))
        states.close()
        self.now += timedelta(minutes=15)
        return ended


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def types(alerts: Sequence[OwnAlert]) -> list[str]:
    return sorted(alert.type for alert in alerts)


def test_a_first_run_is_silent_and_a_later_one_tells_once(world: World) -> None:
    world.claims["example.com"] = [claim(1, "a.example.com")]
    first = world.run("example.com")
    assert (types(first.alerts), world.told) == ([], [])
    assert str(first.counts["example.com"]) == "1 certificates, watched from now on"
    world.claims["example.com"].append(claim(2, "b.example.com"))
    second = world.run("example.com")
    assert types(second.alerts) == ["new_certificate", "new_subdomain"]
    assert world.told == second.alerts
    assert second.counts["example.com"].new == 1
    third = world.run("example.com")
    assert (types(third.alerts), world.told) == ([], [])
    assert world.delivered == 3


def test_a_domain_that_fails_leaves_the_others(world: World) -> None:
    world.claims["b.example"] = [claim(1, "b.example")]
    world.failing = {"a.example"}
    ended = world.run("a.example", "b.example")
    assert ended.is_partial
    assert [str(each) for each in ended.problems] == ["crtsh, a.example: 502"]
    assert ended.counts["b.example"].certificates == 1
    # What failed was not its first reading: the next one is, and is silent.
    world.failing = set()
    world.claims["a.example"] = [claim(2, "a.example")]
    assert world.run("a.example", "b.example").alerts == []


def test_a_quiet_domain_is_written_once_a_day(world: World) -> None:
    """Else its report would say for a year that nobody was asked since."""

    def asked() -> str:
        state = DirectoryStates(world.folder).load("a.example")
        assert state is not None
        return state.marks[CRTSH].asked

    world.run("a.example")
    first = asked()
    world.run("a.example")
    assert asked() == first
    world.now += timedelta(days=1)
    world.run("a.example")
    assert asked() > first


def test_what_waited_longest_comes_first(world: World) -> None:
    world.run("b.example")
    world.run("a.example", "b.example", "c.example")
    assert world.asked == ["a.example", "c.example", "b.example"]
    world.run("c.example", "b.example", "a.example")
    assert world.asked == ["a.example", "c.example", "b.example"]


def test_a_stop_ends_it_between_two_domains(world: World) -> None:
    world.stops_after = 1
    ended = world.run("a.example", "b.example")
    assert world.asked == ["a.example"]
    assert [each.domain for each in ended.problems] == ["b.example"]
    assert world.delivered == 1
    world.stops_after = 10
    world.run("a.example", "b.example")
    assert world.asked == ["b.example", "a.example"]


def test_a_state_that_is_unreadable_is_set_aside_and_told(world: World) -> None:
    world.claims = {"a.example": [claim(1, "a.example")]}
    world.run("a.example", "b.example")
    (world.folder / "a.example").write_text("rubbish", "utf-8")
    ended = world.run("a.example", "b.example")
    assert types(ended.alerts) == [AlertType.STATE_LOST]
    kept = [each.name for each in world.folder.glob("a.example?*")]
    assert len(kept) == 1
    assert kept[0] in ended.alerts[0].summary
    # It is watched anew, from now on.
    world.claims["a.example"].append(claim(2, "b.a.example"))
    assert types(world.run("a.example").alerts) == ["new_certificate", "new_subdomain"]


def test_a_state_that_cannot_be_written_tells_nothing_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.claims = {"a.example": [], "b.example": []}
    world.run("a.example", "b.example")
    world.claims = {
        "a.example": [claim(1, "a.example")],
        "b.example": [claim(2, "b.example")],
    }
    save = DirectoryStates.save

    def failing(
        self: DirectoryStates, state: DomainState, items: Sequence[OutboxItem] = ()
    ) -> None:
        if state.domain == "a.example":
            raise StoreError("the disk is full")
        save(self, state, items)

    monkeypatch.setattr(DirectoryStates, "save", failing)
    ended = world.run("a.example", "b.example")
    assert [alert.domain for alert in ended.alerts] == ["b.example"]
    assert ended.problems[0].reason == "the disk is full"
    monkeypatch.undo()
    later = world.run("a.example", "b.example")
    assert [alert.domain for alert in later.alerts] == ["a.example"]


def test_who_lost_the_state_to_another_run_tells_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(self: DirectoryStates) -> None:
        raise Busy("another run has it")

    monkeypatch.setattr(DirectoryStates, "renew", taken)
    with pytest.raises(Busy):
        world.run("a.example")
    assert world.delivered == 0


def test_cas_of_what_is_valid_are_authorised_before_it_is_judged(world: World) -> None:
    world.claims["a.example"] = [claim(1, "a.example")]
    left = {"a.example"}
    ended = world.run("a.example", to_authorise=left)
    assert [each.organisation for each in ended.authorised] == ["Good CA"]
    assert ended.authorities == tuple(ended.authorised)
    world.claims["a.example"] += [
        claim(2, "a.example"),
        claim(3, "a.example", "Evil CA"),
    ]
    later = world.run("a.example", to_authorise=left)
    wrong = [each for each in later.alerts if each.type is AlertType.UNAUTHORIZED_CA]
    assert [each.issuer for each in wrong] == ["O=Evil CA"]
    assert later.authorised == []


def test_a_domain_that_was_not_read_has_its_cas_authorised_later(world: World) -> None:
    left = {"a.example", "b.example"}
    world.claims = {"a.example": [claim(1, "a.example")]}
    world.claims["b.example"] = [claim(2, "b.example", "Other CA")]
    world.failing = {"b.example"}
    assert len(world.run("a.example", "b.example", to_authorise=left).authorised) == 1
    assert left == {"b.example"}
    world.failing = set()
    (added,) = world.run("a.example", "b.example", to_authorise=left).authorised
    assert (added.organisation, added.domain) == ("Other CA", "b.example")


def test_quiet_types_are_listed_and_not_told(world: World) -> None:
    world.policy = Policy(
        authorities=(Authority("Good CA"),),
        quiet=frozenset({AlertType.NEW_CERTIFICATE}),
    )
    world.run("a.example")
    world.claims["a.example"] = [claim(1, "www.a.example")]
    ended = world.run("a.example")
    assert types(ended.alerts) == ["new_certificate", "new_subdomain"]
    assert types(world.told) == ["new_subdomain"]


def test_each_domain_has_its_turn_to_spend_the_questions_on_look_alikes(
    world: World,
) -> None:
    class One:
        """The first one asked for would spend all questions of the run."""

        def __init__(self) -> None:
            self.looked: list[str] = []

        async def look(
            self, state: DomainState, now: str
        ) -> tuple[list[OwnAlert], Asked]:
            self.looked.append(state.domain)
            return [], Asked()

    first = []
    for draws in ([0.1, 0.2, 0.3], [0.3, 0.2, 0.1]):
        squats = One()
        world.squats, world.draws = squats, iter(draws)
        world.run("a.example", "b.example", "c.example")
        assert len(set(squats.looked)) == 3
        first.append(squats.looked[0])
    assert first == ["a.example", "c.example"]


def test_a_run_with_nothing_new_writes_no_state(world: World) -> None:
    world.claims["a.example"] = [claim(1, "a.example")]
    world.run("a.example")
    before = (world.folder / "a.example").stat().st_mtime_ns
    world.run("a.example")
    assert (world.folder / "a.example").stat().st_mtime_ns == before
