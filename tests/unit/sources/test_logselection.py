"""Which logs are followed by default, by name, by operator and by state."""

from datetime import UTC, datetime, timedelta

import pytest

from ctmonitor.ct.loglist import parse_log_list
from ctmonitor.model.log import Log, LogState, TreeHead
from ctmonitor.sources.logcursor import LogCursor, cursor_name
from ctmonitor.sources.logselection import (
    Selection,
    describe,
    in_vain,
    meant,
    select,
    unfinished,
    way_out,
)
from tests.data import VECTORS

NOW = datetime(2026, 7, 15, tzinfo=UTC)


def _log(name: str, state: LogState = LogState.USABLE, **fields: object) -> Log:
    values = {
        "log_id": name.encode(),
        "key": b"",
        "name": name,
        "operator": "Us",
        "url": f"https://{name.lower()}.log.test/",
        "state": state,
    }
    return Log(**(values | fields))  # type: ignore[arg-type]


LOGS = [
    _log("Usable"),
    _log("Qualified", LogState.QUALIFIED),
    _log("Pending", LogState.PENDING),
    _log("Readonly", LogState.READONLY, operator="Others & Sons"),
    _log("Retired", LogState.RETIRED),
    _log("Rejected", LogState.REJECTED),
    _log("Stateless", LogState.UNKNOWN),
    _log("Over", interval_end=NOW - timedelta(days=30)),
]


def _names(selection: Selection) -> list[str]:
    return [log.name for log in selection.chosen]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("2026h2", ["Us 2026h2", "Us 2026h2 test"]),
        ("us 2026H2", ["Us 2026h2"]),  # the whole name of one
        ("us 2026h2.log.test", ["Us 2026h2"]),
        ("nobody", []),
    ],
)
def test_a_log_is_meant_by_its_whole_name_before_all_that_have_it_in_theirs(
    pattern: str, names: list[str]
) -> None:
    logs = [_log("Us 2026h2"), _log("Us 2026h2 test"), _log("Us 2027h1")]
    assert [log.name for log in meant(logs, pattern)] == names


def test_by_default_what_a_browser_believes_is_followed() -> None:
    found = select(LOGS, [], [], now=NOW)
    assert _names(found) == ["Usable", "Qualified", "Readonly", "Stateless"]
    assert {log.name: reason for log, reason in found.left_out} == {
        "Pending": "state pending",
        "Retired": "state retired",
        "Rejected": "state rejected",
        "Over": "the range of expiry dates is over",
    }
    assert found.unmatched == ()


@pytest.mark.parametrize(
    ("include", "names"),
    [
        (["usable"], ["Usable"]),
        (["READ"], ["Readonly"]),
        (["*able"], ["Usable"]),
        (["?sable"], ["Usable"]),
        (["us*"], ["Usable"]),
        (["usable.log.test"], ["Usable"]),  # the origin
        (["stateless", "usable"], ["Usable", "Stateless"]),
        (["re"], ["Readonly"]),  # a part of a name does not bring back the retired
        (["re*"], ["Readonly"]),
        (["retired"], ["Retired"]),
        ([" Retired "], ["Retired"]),
        (["rejected.log.test"], ["Rejected"]),
        (["over"], ["Over"]),
        (["operator:others & sons"], ["Readonly"]),
        (["operator:other*"], ["Readonly"]),
        (["Operator: SONS"], ["Readonly"]),
        (["state:pending"], ["Pending"]),
        (["state:Retired", "state:rejected"], ["Retired", "Rejected"]),
        (["state:unknown"], ["Stateless"]),
        (["state:usable"], ["Usable"]),  # not the shard that is over
        (["*", "state:pending"], ["Usable", "Qualified", "Pending", "Readonly"]),
    ],
)
def test_include(include: list[str], names: list[str]) -> None:
    found = select(LOGS, include, [], now=NOW)
    assert _names(found)[: len(names)] == names
    assert len(found.chosen) == len(names) + ("*" in include)
    assert found.unmatched == ()
    assert len(found.chosen) + len(found.left_out) == len(LOGS)


@pytest.mark.parametrize(
    "exclude", ["Usable", "usa", "us*", "operator:Us", "state:usable"]
)
def test_exclude_goes_before_include(exclude: str) -> None:
    found = select(LOGS, ["Usable", "Readonly"], [exclude], now=NOW)
    assert _names(found) == ["Readonly"]
    reasons = {log.name: reason for log, reason in found.left_out}
    assert reasons["Usable"] == f"excluded by {exclude!r}"
    assert reasons["Qualified"] == (
        f"excluded by {exclude!r}"
        if exclude == "operator:Us"
        else "not among those that are named"
    )


def test_a_pattern_that_means_no_log_is_told() -> None:
    found = select(LOGS, ["usable", "argon"], ["state:frozen", " "], now=NOW)
    assert found.unmatched == ("argon", "state:frozen", " ")
    assert _names(found) == ["Usable"]


def test_brackets_are_no_wildcards() -> None:
    logs = [_log("a[b]c"), _log("abc")]
    assert _names(select(logs, ["*[b]c"], [], now=NOW)) == ["a[b]c"]


def test_without_a_colon_it_is_a_name() -> None:
    logs = [_log("State of the art"), _log("Operator's"), _log("Other")]
    found = select(logs, ["state", "operator"], [], now=NOW)
    assert _names(found) == ["State of the art", "Operator's"]


def test_a_shard_is_over_when_nothing_can_come_any_more() -> None:
    """Its range has ended, all that it took is merged, and a day for clocks is gone."""
    end = NOW - timedelta(days=2)
    shard = _log("Shard", interval_end=end, mmd_s=86400)
    assert select([shard], [], [], now=NOW).chosen == ()
    just = NOW - timedelta(seconds=1)
    assert select([shard], [], [], now=just).chosen == (shard,)
    readonly = _log("Shard", LogState.READONLY, interval_end=end)
    assert select([readonly], [], [], now=NOW).chosen == ()
    last = _log("Last", interval_end=datetime.max.replace(tzinfo=UTC))
    assert select([last], [], [], now=NOW).chosen == (last,)


def test_what_was_begun_is_drained() -> None:
    """A log that retires while it is followed is read to its end, unless excluded."""
    begun = {b"Retired", b"Over"}
    found = select(LOGS, [], [], now=NOW, unfinished=begun)
    assert {"Retired", "Over"} <= set(_names(found))
    assert "Rejected" not in _names(found)
    found = select(LOGS, [], ["retired"], now=NOW, unfinished=begun)
    assert "Retired" not in _names(found)


def test_what_waits_is_unfinished() -> None:
    """What a follower knows goes before what an earlier run stored."""
    head = TreeHead(9, b"", 0)
    done, left = LogCursor(9, head), LogCursor(5, head)
    ended = _log("Ended", final_size=5)
    names = ("New", "Begun", "Read", "Behind", "Caught up", "Starting")
    logs = [*map(_log, names), ended]
    stored = {cursor_name(log): left for log in logs[1:]}
    stored[cursor_name(logs[2])] = done
    backlogs = {b"Behind": 4, b"Caught up": 0, b"Starting": None}
    assert unfinished(logs, backlogs, stored) == {b"Begun", b"Behind"}
    assert unfinished(logs, {}, {cursor_name(logs[0]): LogCursor(5)}) == set()


def test_a_log_that_is_over_can_be_excluded_when_nobody_serves_it() -> None:
    told = {log.name: way_out(log, NOW) for log in LOGS}
    over = {name: words for name, words in told.items() if words}
    assert set(over) == {"Pending", "Retired", "Rejected", "Over"}
    assert over["Retired"] == (
        "state retired: when it was switched off for good, name it in [SOURCES] "
        "Exclude_Logs"
    )


def test_states_can_be_set() -> None:
    found = select(LOGS, [], [], {LogState.PENDING}, now=NOW)
    assert _names(found) == ["Pending"]


def test_the_list_of_chrome_in_july() -> None:
    path = VECTORS / "loglists" / "gstatic_v3_log_list_2026-05-29.json"
    listed = parse_log_list(path.read_bytes())
    found = select(listed.logs, [], [], now=NOW)
    assert not any("2026h1" in log.name for log in found.chosen)
    assert sum(log.is_tiled for log in found.chosen) >= 15
    assert len(found.chosen) + len(found.left_out) == 54
    argon = select(listed.logs, ["argon"], [], now=NOW)
    assert _names(argon) == ["Google 'Argon2026h2' log", "Google 'Argon2027h1'"]


def test_lines_for_the_operator() -> None:
    """What is followed, what is not and why, and what was asked for in vain (L12)."""
    found = select(LOGS, ["*", "argon"], ["rejected"], now=NOW)
    assert describe(found, ["Bogus: a placeholder"]) == [
        "4 logs followed: Usable, Qualified, Readonly, Stateless",
        "1 log left out, state pending: Pending",
        "1 log left out, state retired: Retired",
        "1 log left out, excluded by 'rejected': Rejected",
        "1 log left out, the range of expiry dates is over: Over",
        "1 log of the list cannot be followed: Bogus: a placeholder",
    ]
    assert in_vain(found) == [
        "no log of the list is meant by 'argon': look for its name in --list-logs",
    ]
    assert describe(select([], [], [], now=NOW)) == ["0 logs followed: none"]
