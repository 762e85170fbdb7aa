"""The library against logs on loopback: complete, resumable, bounded, filtered."""

import asyncio
import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import ctmonitor
from ctmonitor.errors import ConfigError, SourceError
from ctmonitor.model.log import TreeHead
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.stream import Entry, LogMonitor
from tests.fakes.logentries import FakeEntry, badly_filled, badly_framed, entries_for
from tests.fakes.logserver import Front
from tests.unit.ct import making
from tests.unit.stream.streaming import (
    ONE,
    TWO,
    all_of,
    log_of,
    log_with,
    places,
    rfc6962,
    serving,
    until,
    within,
)


def test_every_entry_of_every_log_comes_once(tmp_path: Path) -> None:
    with serving(tmp_path, log_of(600), rfc6962(log_of(300, TWO))) as (_, listed):
        entries = all_of(listed)
    assert places(entries) == [(ONE, n) for n in range(600)] + [
        (TWO, n) for n in range(300)
    ]


def test_an_entry_has_what_the_log_holds(tmp_path: Path) -> None:
    precert, final = entries_for([["a.example", "b.example"]])
    with serving(tmp_path, rfc6962(log_with([precert, final]))) as (server, listed):
        first, second = all_of(listed)
        assert first.log_url == server.fronts[0].url.rstrip("/")
        assert first.link == f"{first.log_url}/ct/v1/get-entries?start=0&end=0"
    assert (first.entry_type, second.entry_type) == ("PrecertLogEntry", "X509LogEntry")
    assert first.domains == second.domains == ("a.example", "b.example")
    assert first.subject == "CN=a.example"
    assert first.issuer == "CN=Fake Log Issuing CA"
    assert (first.der, first.signed) == (precert.pre_certificate, precert.signed_entry)
    assert second.der == second.signed == final.signed_entry
    assert first.chain == precert.chain
    assert first.timestamp_ms == precert.timestamp_ms
    assert first.timestamp is not None
    assert first.timestamp.timestamp() * 1000 == precert.timestamp_ms
    assert (first.log_name, first.log_operator) == (ONE, "Fake Logs")
    assert first.log_id == server.fronts[0].log.log_id.hex()
    assert not first.malformed
    assert first.certificate is not None
    assert first.serial_number == f"{first.certificate.serial:X}"
    assert first.fingerprints["sha256"].replace(":", "").lower() == (
        first.certificate.sha256
    )


@pytest.mark.parametrize("is_tiled", [True, False])
def test_a_malformed_entry_comes_with_its_reason(
    tmp_path: Path, is_tiled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    good = entries_for([["good.example"]])
    broken = {
        what: entry
        for what, entry in {**badly_filled(), **badly_framed()}.items()
        if not is_tiled or (entry.raw_leaf is None and entry.raw_extra is None)
    }
    log = log_with([*good, *broken.values(), *good], has_leaf_index=is_tiled)
    with serving(tmp_path, Front(log, "0", is_tiled=is_tiled)) as (_, listed):
        entries = all_of(listed)
    assert [entry.index for entry in entries] == list(range(log.size))
    reasons = [entry.malformed for entry in entries]
    inner = reasons[2:-2]
    assert not any(reasons[:2] + reasons[-2:])
    # Of a precertificate that is none the log signed the rest, which is in order.
    without = [what for what, told in zip(broken, inner, strict=True) if not told]
    assert without == ["no precertificate"]
    told = [m for m in caplog.messages if "is malformed" in m]
    assert len(told) == len(broken) - 1


def test_match_lets_through_what_has_such_a_name(tmp_path: Path) -> None:
    names = [[f"h{n}.example", f"x{n}.example"] for n in range(300)]
    names[7].append("LOGIN.paypal.test")
    names[250].append("www.PayPal-login.test")
    with serving(tmp_path, log_with(entries_for(names, "cert"))) as (_, listed):
        assert places(all_of(listed, match="paypal")) == [(ONE, 7), (ONE, 250)]
        # No text is known that such a name must hold: every entry is parsed.
        assert places(all_of(listed, match="^h2[57]0.*e$")) == [(ONE, 250), (ONE, 270)]
        rules = RuleSet(Rules("paypal|login|www", threshold=3))
        assert places(all_of(listed, match=rules)) == [(ONE, 250)]


def test_match_looks_at_names_in_other_scripts(tmp_path: Path) -> None:
    """What a letter looks like no text says, so such an entry is read whole."""
    names = (
        (making.COMMON_NAME, "p\u0430ypal.example"),
        (making.COMMON_NAME, "x.example"),
    )
    entries = [
        FakeEntry(
            1_790_000_000_000, making.certificate(making.tbs_certificate(subject=[n]))
        )
        for n in (making.attribute(*name) for name in names)
    ]
    rules = RuleSet(Rules("", brands=(Brand("PayPal", ("paypal",)),), alert_score=1))
    with serving(tmp_path, rfc6962(log_with(entries))) as (_, listed):
        assert places(all_of(listed, match=rules)) == [(ONE, 0)]


def test_with_match_a_broken_framing_is_still_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [*entries_for([["a.example"]]), *badly_framed().values()]
    log = log_with(entries, has_leaf_index=False)

    async def read(listed: str) -> int:
        how: Any = {"start": "beginning", "once": True, "match": "nowhere"}
        async with LogMonitor(log_list=listed, **how) as monitor:
            assert [entry async for entry in monitor] == []
            return monitor.stats().malformed

    with serving(tmp_path, rfc6962(log)) as (_, listed):
        assert within(read(listed)) == len(badly_framed())
    assert sum("is malformed" in m for m in caplog.messages) == len(badly_framed())


@pytest.mark.parametrize("span", [(0, 0), (0, 1), (255, 258), (256, 512), (590, 600)])
@pytest.mark.parametrize("is_tiled", [True, False])
def test_a_span_has_its_entries_and_no_others(
    tmp_path: Path, span: tuple[int, int], is_tiled: bool
) -> None:
    front = Front(log_of(600, has_leaf_index=is_tiled), "0", is_tiled=is_tiled)
    with serving(tmp_path, front, log_of(10, TWO)) as (_, listed):
        entries = all_of(listed, logs=[ONE], span=span)
    assert [entry.index for entry in entries] == list(range(*span))


def test_a_span_without_end_ends_with_the_log(tmp_path: Path) -> None:
    with serving(tmp_path, log_of(600)) as (_, listed):
        entries = all_of(listed, span=(597, None))
    assert [entry.index for entry in entries] == [597, 598, 599]


def test_a_span_beyond_the_log_ends_with_an_error(tmp_path: Path) -> None:
    with (
        serving(tmp_path, log_of(20)) as (_, listed),
        pytest.raises(SourceError, match="has 20 entries"),
    ):
        all_of(listed, span=(10, 30), retries=1)


def test_a_span_needs_exactly_one_log(tmp_path: Path) -> None:
    with (
        serving(tmp_path, log_of(3), log_of(3, TWO)) as (_, listed),
        pytest.raises(ConfigError, match=r"2 are chosen: one\.example/2026, two"),
    ):
        all_of(listed, span=(0, 1))


# Positions


@pytest.mark.parametrize("is_tiled", [True, False])
@pytest.mark.parametrize("taken", [1, 255, 256, 257, 400])
def test_a_stream_goes_on_behind_the_last_entry_that_was_handed_out(
    tmp_path: Path, is_tiled: bool, taken: int
) -> None:
    front = Front(log_of(600, has_leaf_index=is_tiled), "0", is_tiled=is_tiled)
    with serving(tmp_path, front) as (_, listed):

        async def first() -> str:
            async with LogMonitor(log_list=listed, start="beginning") as monitor:
                for index in range(taken):
                    assert (await anext(monitor)).index == index
                return json.dumps(monitor.state())

        state = json.loads(within(first()))
        rest = all_of(listed, state=state)
    assert [entry.index for entry in rest] == list(range(taken, 600))


def test_a_state_file_goes_on_with_every_log(tmp_path: Path) -> None:
    state = tmp_path / "positions.json"
    one, two = log_of(300), log_of(40, TWO)
    with serving(tmp_path, one, rfc6962(two)) as (_, listed):
        assert len(all_of(listed, state=state)) == 340
        assert all_of(listed, state=state) == []
        one.add(entries_for([["new.example"]]))
        two.add(entries_for([["new.example"]]))
        later = all_of(listed, state=str(state))
    assert places(later) == [(ONE, 300), (ONE, 301), (TWO, 40), (TWO, 41)]


def test_the_entry_at_which_the_loop_broke_comes_again(tmp_path: Path) -> None:
    state = tmp_path / "positions.json"
    with serving(tmp_path, log_of(20)) as (_, listed):

        async def fail_at(index: int) -> None:
            how: Any = {"start": "beginning", "once": True, "state": state}
            async with LogMonitor(log_list=listed, **how) as monitor:
                async for entry in monitor:
                    if entry.index == index:
                        raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            within(fail_at(12))
        assert all_of(listed, state=state)[0].index == 12


def test_who_is_cancelled_while_it_ends_is_told_so(tmp_path: Path) -> None:
    """Else a timeout around the stream would be lost; what was read is kept."""
    state = tmp_path / "state"

    async def read(listed: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        async with LogMonitor(
            log_list=listed, start="beginning", state=state
        ) as monitor:
            await anext(monitor)
            asyncio.get_running_loop().call_soon(task.cancel)
        pytest.fail("the cancellation was lost")

    async def run(listed: str) -> None:
        reading = asyncio.ensure_future(read(listed))
        await asyncio.wait({reading})
        assert reading.cancelled()

    with serving(tmp_path, log_of(256)) as (_, listed):
        within(run(listed))
    (log,) = json.loads(state.read_text())["logs"].values()
    assert log["next"] == 1


def test_a_log_that_changed_its_past_between_two_runs_is_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path, log_of(300)) as (server, listed):
        state = tmp_path / "positions.json"
        all_of(listed, state=state)
        others = entries_for([[f"x{n}.test"] for n in range(200)])
        server.fronts[0].log = log_with(others, key=server.fronts[0].log.key)
        assert all_of(listed, state=state, retries=1) == []
    assert any("CONTRADICTION" in message for message in caplog.messages)


def test_a_state_that_is_none_is_refused_when_it_was_given() -> None:
    async def enter() -> None:
        async with LogMonitor(log_list="nowhere", state={"version": 9, "logs": {}}):
            pass

    with pytest.raises(ConfigError, match="of another version"):
        within(enter())


def test_positions_of_logs_that_are_gone_are_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    at = LogCursor(5, TreeHead(9, b"r" * 32, 1))
    told = {"name": "gone.example", "version": 1, "next": at.position}
    state = {"version": 1, "logs": {"ab" * 32: told}}
    with serving(tmp_path, log_of(3)) as (_, listed):

        async def read() -> Any:
            how: Any = {"start": "beginning", "once": True, "state": state}
            async with LogMonitor(log_list=listed, **how) as monitor:
                assert len([entry async for entry in monitor]) == 3
                return monitor.state()

        after = within(read())
    assert after["logs"]["ab" * 32] == told
    assert len(after["logs"]) == 2
    assert any("gone.example" in message for message in caplog.messages)


# Callbacks


def test_callbacks_may_be_functions_of_both_kinds(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    def plain(entry: Entry) -> None:
        seen["plain"] += 1

    async def awaited(entry: Entry) -> None:
        await asyncio.sleep(0)
        seen["awaited"] += 1

    async def run(listed: str) -> None:
        how: Any = {"log_list": listed, "start": "beginning", "once": True}
        async with LogMonitor(**how, callback=plain) as monitor:
            await monitor.run()
        async with LogMonitor(**how) as monitor:
            await monitor.run(awaited)

    with serving(tmp_path, log_of(30)) as (_, listed):
        within(run(listed))
    assert seen == {"plain": 30, "awaited": 30}


def test_a_callback_that_raises_is_told_and_does_not_stop_the_stream(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    async def fails(entry: Entry) -> None:
        seen.append(entry.index)
        if entry.index % 10 == 3:
            raise KeyError("of the callback")

    async def run(listed: str) -> int:
        how: Any = {"log_list": listed, "start": "beginning", "once": True}
        async with LogMonitor(**how) as monitor:
            await monitor.run(fails)
            return monitor.stats().callback_errors

    with serving(tmp_path, log_of(30)) as (_, listed):
        assert within(run(listed)) == 3
    assert seen == list(range(30))
    told = [m for m in caplog.messages if "callback failed" in m]
    assert told[0] == f"the callback failed for entry 3 of log {ONE}"


# Bounds and figures


def test_a_slow_consumer_holds_the_readers_back(tmp_path: Path) -> None:
    """Of 5,000 entries a few hundred are read; the rest when they are asked for."""
    with serving(tmp_path, log_of(5000)) as (server, listed):

        async def read() -> int:
            how: Any = {"start": "beginning", "once": True, "queue_entries": 300}
            async with LogMonitor(log_list=listed, **how) as monitor:
                await anext(monitor)
                await until(lambda: monitor.stats().waiting > 300)
                await asyncio.sleep(0.5)  # in which all could be read
                assert monitor.stats().waiting <= 300 + 256
                # Of 20 tiles: those that wait, and those in flight.
                assert server.fronts[0].count("tile/data/") <= 12
                return 1 + len([entry async for entry in monitor])

        assert within(read()) == 5000


def test_stats_tell_how_each_log_is_doing(tmp_path: Path) -> None:
    with serving(tmp_path, log_of(400), log_of(5, TWO)) as (_, listed):

        async def read() -> None:
            how: Any = {"start": "beginning", "once": True}
            async with LogMonitor(log_list=listed, **how) as monitor:
                assert monitor.stats().entries == 0
                async for entry in monitor:
                    if entry.log_name == ONE and entry.index == 299:
                        one = monitor.stats().logs[0]
                        assert (one.name, one.position, one.backlog) == (ONE, 300, 100)
                stats = monitor.stats()
            assert [log.name for log in stats.logs] == [ONE, TWO]
            assert [log.entries for log in stats.logs] == [400, 5]
            assert {log.condition for log in stats.logs} == {"finished"}
            assert (stats.entries, stats.backlog, stats.errors) == (405, 0, 0)
            assert stats.rate > 0

        within(read())


def test_a_log_that_cannot_be_read_is_named_and_the_others_come(tmp_path: Path) -> None:
    dead = Front(log_of(5, TWO), "1")
    with serving(tmp_path, log_of(40), dead) as (_, listed):
        dead.name = "elsewhere"

        async def read() -> list[str]:
            how: Any = {"start": "beginning", "once": True, "retries": 1}
            async with LogMonitor(log_list=listed, **how) as monitor:
                assert len([entry async for entry in monitor]) == 40
                return [status.log.name for status in monitor.given_up()]

        assert within(read()) == [TWO]


def test_new_entries_come_while_it_runs(tmp_path: Path) -> None:
    log = log_of(256)
    with serving(tmp_path, rfc6962(log)) as (_, listed):

        async def read() -> Entry:
            async with LogMonitor(log_list=listed, poll_seconds=0.05) as monitor:
                first = asyncio.ensure_future(anext(monitor))
                await until(lambda: monitor.stats().logs != ())
                await until(lambda: monitor.stats().logs[0].position == 256)
                log.add(entries_for([["new.example"]]))
                return await first

        entry = within(read())
    assert (entry.index, entry.domains) == (256, ("new.example",))


# Arguments


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"match": "("}, "is no regular expression"),
        ({"start": "yesterday"}, "start: 'yesterday' is neither tip"),
        ({"start": "2999-01-01"}, "start: 2999-01-01T00:00:00.* lies in the future"),
        ({"span": (5, 4)}, "from 5 to 4"),
        ({"span": (4, 5), "state": {}}, "state does not go with span"),
        ({"queue_entries": 0}, "begin at 1"),
        ({"proxy": "ftp://proxy"}, "A proxy is written"),
        ({"ca_file": "/nowhere.pem"}, "cannot be read as PEM"),
        ({"contact": "soc@example.org\n"}, "cannot be sent"),
    ],
)
def test_an_argument_that_cannot_be_used_is_told_at_once(
    how: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        LogMonitor(**how)


def test_patterns_that_leave_no_log_end_it(tmp_path: Path) -> None:
    with (
        serving(tmp_path, log_of(3)) as (_, listed),
        pytest.raises(ConfigError, match="none is meant by 'thre'"),
    ):
        all_of(listed, logs=["thre"])


def test_a_pattern_that_means_nothing_beside_others_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with serving(tmp_path, log_of(3), log_of(4, TWO)) as (_, listed):
        assert len(all_of(listed, logs=["one", "thre"])) == 3
    assert any("'thre'" in message for message in caplog.messages)


@pytest.mark.parametrize("contact", ["", "soc@example.org"])
def test_that_no_contact_is_given_is_told(
    contact: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with serving(tmp_path, log_of(3)) as (_, listed):
        all_of(listed, contact=contact)
    told = [message for message in caplog.messages if "no contact is given" in message]
    assert len(told) == (0 if contact else 1)


def test_without_a_log_list_a_run_that_is_to_end_fails(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="log list"):
        all_of(str(tmp_path / "missing.json"))


def test_it_is_imported_from_the_root_of_the_package() -> None:
    assert ctmonitor.LogMonitor is LogMonitor
    assert ctmonitor.Entry is Entry
    with pytest.raises(AttributeError):
        _ = ctmonitor.Nothing
