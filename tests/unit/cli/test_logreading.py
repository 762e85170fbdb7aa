"""Settings of logs as they are used, on fake logs."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ctmonitor.cli import assemble, rulesets
from ctmonitor.cli.logreading import LogReading
from ctmonitor.config import Config
from ctmonitor.errors import ConfigError
from ctmonitor.model.log import LogState, TreeHead
from ctmonitor.sources.entryscreen import LEAF_MARKS
from ctmonitor.sources.logcursor import LogCursor, cursor_name
from ctmonitor.sources.logselection import Selection
from ctmonitor.sources.message import MARKS
from tests.fakes.api import ApiServer, Reply
from tests.fakes.log import FakeLog
from tests.fakes.logentries import many_entries
from tests.fakes.logserver import Front, LogServer

Read = Callable[..., Config]


def settings(folder: Path, server: LogServer, *lines: str) -> str:
    path = folder / "logs.json"
    path.write_bytes(server.log_list())
    return "\n".join(
        [
            "[SEARCH]",
            "SearchKeywords = paypal",
            "[SOURCES]",
            "Source = logs",
            f"Log_List = {path}",
            f"Cache_dir = {folder / 'cache'}",
            f"Evidence_dir = {folder / 'evidence'}",
            *lines,
            "",
        ]
    )


def with_reading(
    config: Config,
    script: Callable[[LogReading], Any],
    resume: Mapping[str, LogCursor] | None = None,
    say: Callable[[str], None] = print,
) -> Any:
    """What `script` gives, in an event loop."""

    async def run() -> Any:
        reading = assemble.log_reading(config, resume or {}, say, once=True)
        try:
            return await script(reading)
        finally:
            await reading.close()

    return asyncio.run(run())


def selected(
    config: Config, resume: Mapping[str, LogCursor] | None = None
) -> Selection:
    async def script(reading: LogReading) -> Selection:
        _, found = await reading.selection()
        return found

    found: Selection = with_reading(config, script, resume)
    return found


class AnyScanner:
    """Finds nothing."""

    def ends(self, data: bytes) -> list[int]:
        return []


def names(logs: Selection) -> list[str]:
    return [log.name for log in logs.chosen]


def test_the_settings_choose_the_logs(read: Read, tmp_path: Path) -> None:
    logs = [FakeLog(name) for name in ("a1.example", "a2.example", "b.example")]
    with LogServer(*logs) as server:
        config = read(
            settings(tmp_path, server, "Logs = a1, a2", "Exclude_Logs = a2.example")
        )
        found = selected(config)
    assert names(found) == ["a1.example"]
    assert dict((log.name, why) for log, why in found.left_out) == {
        "a2.example": "excluded by 'a2.example'",
        "b.example": "not among those that are named",
    }


@pytest.mark.parametrize(
    ("position", "size", "is_drained"), [(5, 9, True), (9, 9, False)]
)
def test_a_log_that_was_retired_is_read_as_far_as_it_was_seen(
    position: int, size: int, is_drained: bool, read: Read, tmp_path: Path
) -> None:
    front = Front(FakeLog("old.example"), "old", state="retired")
    with LogServer(front, FakeLog("new.example")) as server:
        config = read(settings(tmp_path, server))
        name = f"log:{front.log.log_id.hex()}"
        at = LogCursor(position, TreeHead(size, bytes(32), 0))
        found = selected(config, {name: at})
    drained = ["old.example"] if is_drained else []
    assert sorted(names(found)) == ["new.example", *drained]


def test_a_read_only_log_is_unfinished_up_to_its_final_head(
    read: Read, tmp_path: Path
) -> None:
    log = FakeLog("old.example", many_entries(20))
    front = Front(log, "old", state="readonly")
    with LogServer(front) as server:
        config = read(settings(tmp_path, server))
        (chosen,) = selected(config).chosen
        assert (chosen.state, chosen.final_size) == (LogState.READONLY, 20)

        async def script(reading: LogReading) -> list[int]:
            source = reading.begin({}, None)
            return [batch.counts.messages async for batch in source.batches()]

        head = TreeHead(20, log.head.root, 0)
        for position, read_on in ((8, 12), (20, 0)):
            at = {cursor_name(chosen): LogCursor(position, head)}
            assert sum(with_reading(config, script, at)) == read_on


@pytest.mark.parametrize(
    ("setting", "most"), [("Max_Requests = 1", 2), ("Max_Requests_Operator = 3", 3)]
)
def test_requests_at_the_same_time_have_a_limit(
    setting: str, most: int, read: Read, tmp_path: Path
) -> None:
    """Of two logs of one operator."""
    fronts = [
        Front(FakeLog(name, many_entries(4096)), name, delay_s=0.02)
        for name in ("a.example", "b.example")
    ]
    with LogServer(*fronts) as server:
        config = read(settings(tmp_path, server, "Start = beginning", setting))

        async def script(reading: LogReading) -> int:
            source = reading.begin({}, AnyScanner())
            return sum([batch.counts.messages async for batch in source.batches()])

        assert with_reading(config, script) == 2 * 4096
        assert server.most_in_flight == most


def test_the_lines_of_a_list_are_said_once(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []
    with LogServer(FakeLog("a.example"), FakeLog("b.example")) as server:
        config = read(settings(tmp_path, server, "Logs = a.example, nobody"))

        async def script(reading: LogReading) -> None:
            for _ in range(2):
                async for _ in reading.begin({}, None).batches():
                    pass

        with_reading(config, script, say=said.append)
    assert said == [
        "1 log followed: a.example",
        "1 log left out, not among those that are named: b.example",
    ]
    in_vain = (
        "no log of the list is meant by 'nobody': look for its name in --list-logs"
    )
    assert caplog.messages.count(in_vain) == 1


def test_positions_of_this_run_go_before_those_of_the_start(
    read: Read, tmp_path: Path
) -> None:
    log = FakeLog("a.example", many_entries(10))
    name = f"log:{log.log_id.hex()}"
    head = {"tree_size": 10, "root": "", "timestamp": 0}
    head["root"] = json.loads(log.sth())["sha256_root_hash"]
    later = json.dumps({"version": 1, "next": 9, "head": head})
    with LogServer(log) as server:
        config = read(settings(tmp_path, server, "Start = beginning"))

        async def script(reading: LogReading) -> int:
            source = reading.begin({"certstream": "2026", name: later}, None)
            return sum([batch.counts.messages async for batch in source.batches()])

        assert with_reading(config, script, {name: LogCursor(3)}) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), ("no key", "no public key"), ("\u00e9", "no public key")],
)
def test_a_key_that_cannot_be_used_is_told_before_the_start(
    content: str | None, words: str, read: Read, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    if content is not None:
        key.write_text(content, "utf-8")
    with LogServer(FakeLog()) as server:
        config = read(settings(tmp_path, server, f"Log_List_Key = {key}"))
    with pytest.raises(ConfigError, match=words) as caught:
        assemble.check(config)
    assert "[SOURCES] Log_List_Key" in str(caught.value)


def test_a_start_that_has_not_come_is_told_before_the_start(
    read: Read, tmp_path: Path
) -> None:
    with LogServer(FakeLog()) as server:
        config = read(settings(tmp_path, server, "Start = 2999-01-01"))
    with pytest.raises(ConfigError, match=r"\[SOURCES\] Start: 2999-01-01T00:00:00"):
        assemble.check(config)


@pytest.mark.parametrize(
    ("lines", "is_told"),
    [
        (["[SERVER]", "ACTServer = ws://a.example"], True),
        (["[SOURCES]", "Contact = soc@a.example"], False),
        # Read at once: it was told of the file.
        (["[SOURCES]", "Source = logs"], False),
    ],
    ids=["fails over", "contact", "logs"],
)
def test_that_no_contact_is_given_is_told_when_the_logs_take_over(
    lines: list[str], is_told: bool, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    search = ["[SEARCH]", "SearchKeywords = paypal"]
    server = ["[SERVER]", "ACTServer = ws://a.example"]
    config = read("\n".join([*search, *dict.fromkeys([*server, *lines]), ""]))

    async def script(reading: LogReading) -> None:
        assert caplog.messages == []
        reading.begin({}, None)

    with_reading(config, script)
    told = ["Contact is empty" in message for message in caplog.messages]
    assert told == ([True] if is_told else [])


@pytest.mark.parametrize("keeps", [True, False])
def test_the_list_is_kept_unless_nothing_is_to_be(
    keeps: bool, read: Read, tmp_path: Path
) -> None:
    with (
        LogServer(FakeLog()) as server,
        ApiServer(lambda request: Reply(body=server.log_list())) as listing,
    ):
        text = settings(tmp_path, server)
        file = str(tmp_path / "logs.json")
        config = read(text.replace(file, f"{listing.url}/logs.json"))

        async def run() -> None:
            reading = assemble.log_reading(config, {}, print, keeps=keeps)
            await reading.selection()
            await reading.close()

        asyncio.run(run())
    assert (tmp_path / "cache").exists() is keeps


def test_every_source_has_its_prefilter(read: Read) -> None:
    feed = "[SERVER]\nACTServer = ws://127.0.0.1/\n"
    for source, failover, marks in (
        ("logs", "10", {*LEAF_MARKS}),
        ("certstream", "10", {*MARKS}),
        ("certstream logs", "10", {*LEAF_MARKS, *MARKS}),
        ("", "10", {*LEAF_MARKS, *MARKS}),
        ("", "0", {*MARKS}),
    ):
        config = read(
            f"{feed}[SEARCH]\nSearchKeywords = paypal\n[SOURCES]\nSource = {source}\n"
            f"Failover_Minutes = {failover}\n"
        )
        scanner: Any = assemble.scanner(config, rulesets.rules(config))
        assert marks <= {*scanner.marks}
        assert not ({*LEAF_MARKS, *MARKS} - marks) & {*scanner.marks}


_IMPORTS = """
import sys
from pathlib import Path
from ctmonitor.cli import assemble, certstreammonitor
from ctmonitor.config import load
reading = assemble.log_reading(load(Path(sys.argv[1]), {}), {}, print)
print([name for name in ("aiohttp", "certstream", "sqlalchemy") if name in sys.modules])
"""


def test_what_speaks_to_logs_is_loaded_when_a_log_is_read(tmp_path: Path) -> None:
    """A daemon that reads a feed would carry 9 MB for the day when it fails."""
    path = tmp_path / "a.conf"
    path.write_text(
        "[SEARCH]\nSearchKeywords = paypal\n[SERVER]\nACTServer = ws://a.example\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTS, str(path)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("['certstream']\n", "")
