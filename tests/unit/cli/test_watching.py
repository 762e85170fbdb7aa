"""What settings become for the watch over own domains."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ctmonitor.cli import watching
from ctmonitor.config import load
from ctmonitor.model.own import DomainState, OwnSource, SharedState
from ctmonitor.store.store import open_store
from ctmonitor.watch.inventory import take
from tests.unit.store.watching import DOMAIN, seen


def test_a_first_reading_of_the_logs_goes_on_until_all_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a limit left out was there before as well, and is nothing to be told."""
    monkeypatch.setattr(watching, "_SIGHTINGS", 2)
    config = load(os.devnull, {}, needs_source=False, needs_rules=False)
    config = replace(config, own_source=frozenset({OwnSource.LOGS}))
    state = DomainState(DOMAIN)
    with open_store(db_file=tmp_path / "a.sqlite3", url="", table="CertMon") as store:
        store.record([], own=[seen(f"l:{n}", name=f"n{n}.{DOMAIN}") for n in range(5)])
        sources = watching.Sources(config, 1.0, store, float, lambda: False)
        asking = sources.asking(SharedState(), store.own_states())
        silent = []
        for run in range(4):
            if run == 3:
                store.record([], own=[seen("l:9", name=f"n9.{DOMAIN}")])
            (answer,) = asking.ask(state).answers
            changes = take(state, answer, f"2026-11-22T12:00:0{run}")
            silent.append([change.is_silent for change in changes])
        sources.close()
    assert silent == [[True, True], [True, True], [True], [False]]
