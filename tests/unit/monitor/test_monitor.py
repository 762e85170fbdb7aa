"""The monitor judges, stores, then tells; with real rules, and a real store."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from ctmonitor.errors import SourceError, StoreError, StoreUnavailable
from ctmonitor.model.batch import Batch, Counts, Cursor, Gap, Malformed, Sighting
from ctmonitor.model.finding import Finding, Novelty, Recorded
from ctmonitor.model.own import OwnSighting
from ctmonitor.monitor import monitor as module
from ctmonitor.monitor.monitor import Forgetful, Monitor, Recorder
from ctmonitor.rules.allowlist import parse_allowlist
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.base import Scanner
from ctmonitor.store.queries import open_reader
from ctmonitor.store.store import open_store


def batch(*names: str, cursor: str = "") -> Batch:
    return Batch(
        sightings=tuple(Sighting((name,), "feed") for name in names),
        counts=Counts(messages=len(names), candidates=len(names)),
        cursor=Cursor("feed", cursor) if cursor else None,
    )


def rules(keywords: str) -> RuleSet:
    return RuleSet(Rules(keywords))


class Batches:
    """A source of batches that are given; calls what stands between them."""

    def __init__(self, *items: Batch | Callable[[], None]) -> None:
        self._items = items
        self.used: list[Scanner | None] = []
        self.stopped = False

    async def batches(self) -> AsyncIterator[Batch]:
        for item in self._items:
            if isinstance(item, Batch):
                yield item
            else:
                item()
            await asyncio.sleep(0)

    def use(self, scanner: Scanner | None) -> None:
        self.used.append(scanner)

    def stop(self) -> None:
        self.stopped = True


class Failing(Forgetful):
    """A store that fails some times first."""

    def __init__(self, *failures: StoreError) -> None:
        super().__init__()
        self._failures = list(failures)
        self.calls: list[tuple[Sequence[Finding], Sequence[Gap], Cursor | None]] = []
        self.own: list[Sequence[OwnSighting]] = []

    def record(
        self,
        findings: Sequence[Finding],
        gaps: Sequence[Gap] = (),
        cursor: Cursor | None = None,
        *,
        malformed: Sequence[Malformed] = (),
        own: Sequence[OwnSighting] = (),
    ) -> list[Recorded]:
        self.calls.append((findings, gaps, cursor))
        self.own.append(own)
        if self._failures:
            raise self._failures.pop(0)
        return super().record(findings, gaps, cursor, malformed=malformed, own=own)


def run(
    source: Batches, recorder: Recorder, keywords: str = "paypal"
) -> tuple[Monitor, list[str]]:
    told: list[Recorded] = []
    running = Monitor(source, rules(keywords), recorder, told.append)
    asyncio.run(running.run())
    return running, [recorded.host for recorded in told]


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STORE_PAUSE_S", 0.01)


def test_findings_are_stored_with_the_cursor_and_told_once(tmp_path: Path) -> None:
    with open_store(db_file=tmp_path / "db", url="", table="CertMon") as store:
        running, told = run(
            Batches(
                batch("a.paypal.example", "plain.example", cursor="1"),
                batch("a.paypal.example", "b.paypal.example", cursor="2"),
                batch("plain.example", cursor="3"),
            ),
            store,
        )
        assert store.cursor("feed") == Cursor("feed", "3")
    assert told == ["a.paypal.example", "b.paypal.example"]
    assert running.tally.findings == 2
    assert running.tally.messages == 5


def test_malformed_entries_are_stored_with_the_cursor(tmp_path: Path) -> None:
    entry = Malformed("https://log.example/", 7, "leaf: cut short")
    with open_store(db_file=tmp_path / "db", url="", table="CertMon") as store:
        run(
            Batches(
                Batch(malformed_entries=(entry,)),
                Batch(malformed_entries=(entry,), cursor=Cursor("log", "8")),
            ),
            store,
        )
        assert store.cursor("log") == Cursor("log", "8")
    with open_reader(db_file=tmp_path / "db", url="", table="CertMon") as reader:
        (stored,) = reader.malformed(None)
    assert (stored.log, stored.index, stored.kind) == (
        entry.log,
        entry.index,
        entry.kind,
    )
    run(Batches(Batch(malformed_entries=(entry,))), Forgetful())


def test_a_batch_is_stored_before_the_next_is_asked_for() -> None:
    recorder = Failing()
    stored: list[int] = []
    run(
        Batches(
            batch("a.paypal.example"),
            lambda: stored.append(len(recorder.calls)),
            batch("b.paypal.example"),
            lambda: stored.append(len(recorder.calls)),
        ),
        recorder,
    )
    assert stored == [1, 2]


@pytest.mark.usefixtures("no_pauses")
def test_names_in_own_domains_are_stored_and_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever rules, allow-list and block list say of them."""
    caplog.set_level(logging.DEBUG)
    judge = RuleSet(
        Rules(
            "paypal|login",
            "blocked",
            allowed=parse_allowlist("allowed.example.com\n", "allow.txt"),
            own=("example.com", "example.org"),
        )
    )
    recorder = Failing(StoreUnavailable("It is locked."))
    told: list[Recorded] = []
    source = Batches(
        batch("www.example.com", "x.test", cursor="1"),
        batch("x.test"),
        batch("login.allowed.example.com", "login-blocked.example.org"),
        batch("login.example.com", "login.test"),
    )
    running = Monitor(source, judge, recorder, told.append)
    asyncio.run(running.run())
    assert [one.host for one in told] == ["login.example.com", "login.test"]
    assert [
        [(seen.domain, *seen.claim.names) for seen in own] for own in recorder.own
    ] == [
        [("example.com", "www.example.com")],
        [("example.com", "www.example.com")],  # once more, since it failed
        [
            ("example.com", "login.allowed.example.com"),
            ("example.org", "login-blocked.example.org"),
        ],
        [("example.com", "login.example.com")],
    ]
    assert running.tally.own == 4
    shown = [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]
    assert shown.count("own domain example.com: www.example.com") == 1


def test_nothing_is_stored_for_a_batch_without_news() -> None:
    recorder = Failing()
    run(Batches(batch("plain.example"), batch("also-plain.example")), recorder)
    assert recorder.calls == []


@pytest.mark.usefixtures("no_pauses")
def test_a_store_that_fails_gets_the_same_again_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    recorder = Failing(*(StoreUnavailable("It is locked.") for _ in range(4)))
    _, told = run(
        Batches(batch("a.paypal.example", cursor="1"), batch("b.paypal.example")),
        recorder,
    )
    assert told == ["a.paypal.example", "b.paypal.example"]
    first, *others = recorder.calls
    assert others[:4] == [first] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "It is locked. Findings are kept and stored when it is usable again.",
        "the store can be used again, nothing was lost",
    ]


def test_after_a_stop_a_store_that_goes_on_failing_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LAST_ATTEMPTS_S", -1.0)
    source = Batches(batch("a.paypal.example"))
    told: list[Recorded] = []
    recorder = Failing(*(StoreUnavailable("It is locked.") for _ in range(9)))
    running = Monitor(source, rules("paypal"), recorder, told.append)
    running.stop()
    with pytest.raises(StoreUnavailable, match="It is locked"):
        asyncio.run(running.run())
    assert source.stopped
    assert told == []
    assert running.tally.messages == 0, "what is not stored is not counted as done"


def test_other_rules_judge_from_the_next_batch_on_and_the_source_gets_them() -> None:
    old, new = rules("old"), rules("new")
    scanner = new.prefilter()

    def exchange() -> None:
        running.exchange(new, scanner)

    source = Batches(batch("old.new.1"), exchange, batch("old.2", "new.2"))
    told: list[Recorded] = []
    running = Monitor(source, old, Forgetful(), told.append)
    asyncio.run(running.run())
    judged = [one.finding.verdict.names[0].reasons[0].rule for one in told]
    assert [one.host for one in told] == ["old.new.1", "new.2"]
    assert judged == ["old", "new"]
    assert source.used == [scanner]


def test_a_slow_rule_is_named_once_for_each_set_of_rules(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = "a" * 60 + "!"

    def exchange() -> None:
        running.exchange(rules("(a|aa)+$|b"), None)

    source = Batches(batch(slow, slow), batch(slow), exchange, batch(slow))
    running = Monitor(source, rules("(a|aa)+$"), Forgetful(), lambda _: None)
    asyncio.run(running.run())
    named = [r for r in caplog.records if "takes too long" in r.getMessage()]
    assert len(named) == 2


def test_samples_of_malformed_messages_are_logged_at_a_bounded_rate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    bad = Batch(counts=Counts(messages=1, malformed={"x": 1}), samples=("x: y",))
    running, _ = run(Batches(*[bad] * 50), Forgetful())
    assert running.tally.malformed == {"x": 50}
    shown = [r for r in caplog.records if r.getMessage() == "malformed: x: y"]
    assert len(shown) == 20
    held = [r for r in caplog.records if "more, not shown" in r.getMessage()]
    assert len(held) == 30


def test_what_came_before_a_source_failed_is_told() -> None:
    def fail() -> None:
        raise SourceError("the file is cut short")

    told: list[Recorded] = []
    source = Batches(batch("a.paypal.example"), fail)
    running = Monitor(source, rules("paypal"), Forgetful(), told.append)
    with pytest.raises(SourceError):
        asyncio.run(running.run())
    assert [one.host for one in told] == ["a.paypal.example"]


def test_a_dry_run_remembers_a_bounded_number_of_hosts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Forgetful, "_MOST", 2)
    recorder = Forgetful()
    judge = rules("paypal")

    def novelty(name: str) -> Novelty:
        finding = Finding(Sighting((name,), "feed"), judge.judge([name]))
        (recorded,) = recorder.record([finding])
        return recorded.novelty

    names = ("1.paypal", "2.paypal", "2.paypal", "3.paypal", "3.paypal", "1.paypal")
    assert [novelty(name) for name in names] == [
        Novelty.NEW,
        Novelty.NEW,
        Novelty.KNOWN,
        Novelty.NEW,
        Novelty.KNOWN,
        Novelty.NEW,  # forgotten meanwhile
    ]
