"""Names alone: each once in a while, quick, and safe to show."""

from ctmonitor.ct.leaf import EntriesLeaves
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.stream.domains import Distinct, lines, names_of
from ctmonitor.stream.entry import read_entry
from ctmonitor.stream.inbox import Run
from tests.fakes.log import FakeLog
from tests.fakes.logentries import badly_filled, badly_framed, entries_for, many_entries

LOG = Log(b"\1" * 32, b"key", "a log", "operator", "https://log.example/")


def run_of(log: FakeLog, count: int | None = None) -> Run:
    leaves = EntriesLeaves.parse(log.get_entries(0, log.size), 0, log.size)
    count = log.size if count is None else count
    return Run(LOG, leaves, count, LogCursor(log.size, TreeHead(log.size, b"", 1)))


def test_the_names_of_a_run_are_those_of_its_entries() -> None:
    broken = [*badly_filled().values(), *badly_framed().values()]
    log = FakeLog("x", [*many_entries(60), *broken], has_leaf_index=False)
    run = run_of(log)
    assert run.leaves is not None
    noted: list[int] = []
    names = names_of(run, lambda log, index, why: noted.append(index))
    entries = [read_entry(LOG, run.leaves, n) for n in range(log.size)]
    assert names == [name for entry in entries for name in entry.domains]
    # What is broken beside the names may go unnoticed, and nothing else is noted.
    nameless = [entry.index for entry in entries if not entry.domains]
    assert set(nameless) <= set(noted)
    assert set(noted) <= {entry.index for entry in entries if entry.malformed}


def test_only_the_wanted_part_of_a_run_is_read() -> None:
    log = FakeLog("x", entries_for([["a.example"], ["b.example"]], "cert"))
    assert names_of(run_of(log, 1), lambda *_: None) == ["a.example"]


def test_a_name_comes_once_within_the_window() -> None:
    distinct = Distinct(3)
    assert distinct.of(["a", "b", "a"]) == ["a", "b"]
    assert distinct.of(["b", "c"]) == ["c"]  # the window is full: a new one begins
    assert distinct.of(["a", "d"]) == ["d"]
    assert distinct.of(["e"]) == ["e"]  # a, d, e: full again, b and c are forgotten
    assert distinct.of(["b", "a"]) == ["b"]


def test_what_is_remembered_is_bounded() -> None:
    distinct = Distinct(100)
    for number in range(10_000):
        distinct.of([f"{number}.example"])
    assert len(distinct._young) + len(distinct._old) <= 200


def test_names_that_lead_to_no_host_are_not_remembered() -> None:
    """Else 100,000 of them fill the memory: certificates have 16 MB."""
    distinct = Distinct()
    longest = "a" * 500
    assert distinct.of([longest, longest, longest + "a", longest + "a"]) == [
        longest,
        longest + "a",
        longest + "a",
    ]
    assert distinct.of([longest + "a"]) == [longest + "a"]
    assert distinct._young == {longest}


def test_a_name_is_one_line_whatever_is_in_it() -> None:
    hostile = ["a.example", "b\n.example", "\x1b[2J", "\u202egpj.exe", "ü.example"]
    assert lines(hostile).splitlines() == [
        "a.example",
        "b\\x0a.example",
        "\\x1b[2J",
        "\\u202egpj.exe",
        "ü.example",
    ]
    assert lines([]) == ""
