"""Rules of a daemon that are replaced while it runs; more in tests/programs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ctmonitor.cli.liverules import LiveRules
from ctmonitor.config import Config
from ctmonitor.rules.ruleset import RuleSet
from ctmonitor.sources.base import Scanner

Read = Callable[..., Config]


def test_a_reading_that_breaks_down_does_not_end_the_next_ones(
    read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    regexes = tmp_path / "regexes.txt"
    regexes.write_text("^bank")
    config = read(f"[SEARCH]\nRegexFile = {regexes}\n[SOURCES]\nSource = logs\n")
    in_force: list[RuleSet] = []

    async def run() -> None:
        rules = LiveRules(config)
        exchanged = asyncio.Event()

        def exchange(ruleset: RuleSet, scanner: Scanner | None) -> None:
            in_force.append(ruleset)
            exchanged.set()

        def load() -> Config:
            if not caplog.messages:
                raise MemoryError
            return config

        keeping = asyncio.ensure_future(rules.keep(load, exchange))
        rules.ask()
        async with asyncio.timeout(20):
            while not caplog.messages:  # noqa: ASYNC110  the log sets no event
                await asyncio.sleep(0.01)
            regexes.write_text("^house")
            rules.ask()
            await exchanged.wait()
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping

    asyncio.run(run())
    assert caplog.messages[0] == "rules: the old ones stay in force"
    assert [one.rules.regexes.expressions[0].name for one in in_force] == ["^house"]
