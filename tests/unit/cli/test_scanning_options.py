"""What scanhost.py takes on its command line."""

import pytest

from ctmonitor.cli.scanhost import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--store"], "--store goes with --host"),
        (["--host", "a.example", "--all"], "--host and --all do not go together"),
        (["--host", "a", "--store", "--dry-run"], "--store and --dry-run do not go"),
        (["--flush", "--dry-run"], "--flush and --dry-run do not go together"),
        (["--notify-test", "--flush"], "--notify-test and --flush do not go"),
        (["--limit", "0"], "'0' is no number of hosts"),
        (["--limit", "1e3"], "'1e3' is no number of hosts"),
        (["--host", ""], "'' is no name of a host"),
        (["--host", "https:///path"], "is no name of a host"),
    ],
)
def test_options_that_make_no_sense_start_nothing(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err


def test_without_settings_the_next_step_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    assert "give one with -c FILE" in capsys.readouterr().err
