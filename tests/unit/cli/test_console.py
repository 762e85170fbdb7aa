"""Exit codes, and sentences instead of tracebacks."""

import pytest

from ctmonitor.cli import console
from ctmonitor.errors import ConfigError, SourceError, StoreError


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigError(("One.", "Two.")), 2, "x.py: One.\nx.py: Two.\n"),
        (StoreError("Disk."), 1, "x.py: Disk.\n"),
        (SourceError("Feed."), 1, "x.py: Feed.\n"),
        (KeyboardInterrupt(), 1, "x.py: interrupted\n"),
    ],
)
def test_errors_become_sentences_and_exit_codes(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, told: str
) -> None:
    def body() -> int:
        raise error

    assert console.run("x.py", body) == code
    assert capsys.readouterr().err == told


def test_a_bug_is_not_hidden() -> None:
    def body() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        console.run("x.py", body)


def test_options_have_no_abbreviations(capsys: pytest.CaptureFixture[str]) -> None:
    parser = console.parser("x.py", "Does x.", ("x.py -c F",))
    for spelt in ("-c", "--config", "--conf"):
        assert parser.parse_args([spelt, "F"]).config == "F"
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--con", "F"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --con" in capsys.readouterr().err
