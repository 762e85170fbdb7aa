"""A run of watchdomains.py, as an object. All else of it: tests/programs."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ctmonitor.cli import databases, watching
from ctmonitor.cli.watchrun import WatchRun
from ctmonitor.config import Config, load
from ctmonitor.errors import Busy, ConfigError
from ctmonitor.store.store import Store, open_store
from tests.fakes.crtsh import FAULTS, FakeCrtSh


def settings(folder: Path, crtsh: FakeCrtSh) -> Config:
    config = load(os.devnull, {}, needs_source=False, needs_rules=False)
    return replace(
        config,
        db_file=str(folder / "own.sqlite3"),
        own_domains=("example.com",),
        own_crtsh_url=crtsh.url,
        own_certspotter_url="http://127.0.0.1:1",
        own_crtsh_pause=0.0,
        own_retry_seconds=0.0,
        own_tries=1,
    )


def test_what_was_opened_is_closed_when_a_later_setting_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function of Lambda is called again and again in one process."""
    opened: list[Store] = []

    def noting(config: Config) -> Store | None:
        store = databases.store(config)
        opened.append(store)
        monkeypatch.setattr(store, "close", lambda: closed.append(store))
        return store

    closed: list[Store] = []
    monkeypatch.setattr(watching, "store", noting)
    with FakeCrtSh({}) as crtsh:
        config = replace(settings(tmp_path, crtsh), own_email_to=("ops@example.com",))
        with pytest.raises(ConfigError, match="Mails need a mail server"):
            WatchRun(config, timeout_s=1.0)
    assert closed == opened
    monkeypatch.undo()
    opened[0].close()


def test_the_lock_is_kept_while_a_source_takes_longer_than_a_lease(
    tmp_path: Path,
) -> None:
    """Else the next run takes over, and what the first one has asked for is lost."""

    async def run_beside_another() -> list[str]:
        run = WatchRun(settings(tmp_path, crtsh), timeout_s=1.8, resolves=False)
        try:
            running = asyncio.ensure_future(run.ended_once(lease_s=0.9))
            await asyncio.sleep(1.4)
            with open_store(
                db_file=tmp_path / "own.sqlite3", url="", table="CertMon"
            ) as store:
                states = store.own_states()
                with pytest.raises(Busy), states.lock("another", 60.0):
                    pass
            ended = await running
            return sorted({problem.source for problem in ended.problems})
        finally:
            run.close()

    with FakeCrtSh({}) as crtsh:
        crtsh.failures.append(FAULTS["hang"])
        crtsh.failure = FAULTS["502"]
        assert asyncio.run(run_beside_another()) == ["certspotter", "crtsh"]
