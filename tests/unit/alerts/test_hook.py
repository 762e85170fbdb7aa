"""The hook: an alert on standard input, and nothing of it anywhere else."""

import asyncio
import json
import logging
import stat
import sys
from pathlib import Path

import pytest

from ctmonitor.alerts.base import Outcome
from ctmonitor.alerts.hook import Hook
from tests.unit.alerts.making import alert, checked, titled


@pytest.fixture
def script(tmp_path: Path):
    """Makes an executable of Python lines."""

    def make(lines: str) -> str:
        path, code = tmp_path / "hook", tmp_path / "hook.py"
        code.write_text(f"{lines}\n")
        # Not named in the first line, where no path with a space may stand.
        path.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{code}' \"$@\"\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def run(*command: str, timeout_s: float = 30.0, **more: object) -> Outcome:
    told = alert() | more
    return asyncio.run(Hook(command, timeout_s=timeout_s).run(told))


def test_the_alert_is_on_standard_input(script, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    command = script(f"import sys; open({str(copy)!r}, 'w').write(sys.stdin.read())")
    assert run(command) == Outcome(True, "exit code 0")
    assert checked(json.loads(copy.read_text())) == alert()


def test_nothing_of_it_is_on_the_command_line_or_in_the_environment(
    script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTMONITOR_DB_PASSWORD", "secret")
    seen = tmp_path / "seen"
    command = script(
        "import json, os, sys\n"
        f"json.dump([sys.argv, dict(os.environ)], open({str(seen)!r}, 'w'))"
    )
    title = "$(touch evil) `x` ; rm -rf"
    told = asyncio.run(Hook((command, "-x", "$HOME")).run(titled(title)))
    assert told.is_ok
    arguments, environment = json.loads(seen.read_text())
    assert arguments == [f"{command}.py", "-x", "$HOME"]
    # LC_CTYPE is Python's own, in the C locale; the last three are the shell's.
    ours = {"PATH", "HOME", "LANG", "TZ", "LC_CTYPE"}
    assert set(environment) <= ours | {"PWD", "SHLVL", "_"}
    assert "PATH" in environment
    assert "secret" not in str(environment)
    assert "evil" not in str(environment)


def test_its_output_goes_to_the_log_bounded_and_printable(
    script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    command = script("print('\\x1b[2J' + 'x' * 5_000_000)")
    assert run(command).is_ok
    (record,) = caplog.records
    assert record.getMessage().startswith("hook for login-paypal.example: \\x1b[2Jxxx")
    assert len(record.getMessage()) < 1100


def test_an_exit_code_is_a_failure_with_its_words(script) -> None:
    told = run(script("import sys; print('no ticket'); sys.exit(7)"))
    assert told == Outcome(False, "the hook ended with exit code 7: no ticket")


def test_one_that_hangs_is_killed(script) -> None:
    told = run(script("import time; time.sleep(60)"), timeout_s=0.5)
    assert told == Outcome(False, "the hook was killed after 0.5 s: ")


def test_one_that_does_not_read_succeeds(script) -> None:
    assert run(script("pass"), names=["x" * 250] * 10_000).is_ok


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/nowhere/at/all", "No such file or directory"),
        ("/etc/passwd", "Permission denied"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_one_that_cannot_be_started_is_named(command: str, why: str) -> None:
    told = run(command)
    assert not told.is_ok
    assert why in told.detail
    assert told.detail.endswith("check [REPORTING] Hook")
