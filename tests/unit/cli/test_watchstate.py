"""--list and --ack, over states of which one is damaged. All else: tests/programs."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ctmonitor.cli.watchstate import acknowledge, show
from ctmonitor.config import load
from ctmonitor.model.own import AlertType, DomainState, OwnAlert, Severity
from ctmonitor.store.owndirectory import DirectoryStates


def test_a_damaged_state_is_named_and_the_others_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alert = OwnAlert(
        "0123456789abcdef",
        AlertType.NEW_CERTIFICATE,
        Severity.INFO,
        "b.example",
        "2026-11-21T12:00:00",
        summary="said \x1b[2J by a stranger",
    )
    states = DirectoryStates(tmp_path)
    with states.lock("a", 60.0):
        states.save(DomainState("b.example", alerts=[alert]))
    states.close()
    (tmp_path / "a.example").write_text("rubbish", "utf-8")
    config = load(os.devnull, {}, needs_source=False, needs_rules=False)
    config = replace(config, own_state=str(tmp_path))
    assert show(config, "text") == 1
    told = capsys.readouterr()
    assert "0123456789abcdef" in told.out
    assert "a.example cannot be read" in told.err
    assert "The next run sets it aside" in told.err
    assert acknowledge(config, [alert.id]) == 1
    told = capsys.readouterr()
    assert told.out.startswith("acknowledged 0123456789abcdef: said ")
    assert "\x1b" not in told.out
    assert "a.example cannot be read" in told.err
    # What is damaged stays as it is for the run that sets it aside.
    assert (tmp_path / "a.example").read_text("utf-8") == "rubbish"
