"""What check_rules.py takes on its command line."""

import pytest

from ctmonitor.cli.check_rules import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--backtest", "a", "-d", "b"], "-d or --file and --backtest do not go"),
        (["--suggest", "a", "--file", "b"], "-d or --file and --suggest do not go"),
        (["--backtest", "a", "--suggest", "b"], "--backtest and --suggest do not go"),
        (["-d", "a", "--compare", "b"], "--compare goes with --backtest"),
        (["--suggest", "a", "--output", "b"], "--output goes with --backtest"),
        (["--file", "a", "--samples", "3"], "--samples goes with --backtest"),
        (["--file", "a", "--seed", "0"], "--seed goes with --backtest"),
        (["--backtest", "a", "--share", "0"], "--share goes with --suggest"),
        (["--backtest", "a", "--samples", "-1"], "'-1' is no number from 0 to"),
        (["--backtest", "a", "--samples", "1e3"], "'1e3' is no number from 0 to"),
        (["--explain", "--file", "a"], "--explain goes with -d"),
        (["--explain"], "--explain goes with -d"),
        (["--suggest", "a", "--share", "2"], "'2' is no share from 0 to 1"),
        (["--suggest", "a", "--share", "nan"], "'nan' is no share from 0 to 1"),
        (["--suggest", "a", "--share", "x"], "'x' is no share from 0 to 1"),
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
