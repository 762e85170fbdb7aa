"""A run of watchdomains.py, as an object. All else of it: tests/programs."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from ctmonitor.cli.watchrun import WatchRun
from ctmonitor.config import Config, load
from ctmonitor.errors import Busy
from ctmonitor.store.store import open_store
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


def test_the_lock_is_kept_while_a_source_takes_longer_than_a_lease(
    tmp_path: Path,
) -> None:
    """Else the next run takes over, and what the first one has asked for is lost."""

    async def run_beside_another() -> list[str]:
        run = WatchRun(settings(tmp_path, crtsh), timeout_s=1.5, resolves=False)
        try:
            running = asyncio.ensure_future(run.ended_once(lease_s=0.3))
            await asyncio.sleep(1.0)
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
