"""Files of rules in a daemon: read at start, and again when they change."""

from pathlib import Path

import pytest

from tests.fakes.feed import FeedServer
from tests.programs.program import Daemon, Tap, message, replaying, run, settings

DAEMON = "certstreammonitor.py"
BRANDS = """
[{"brand": "PayPal", "names": ["paypal"], "domains": ["paypal.com"]},
 {"brand": "Microsoft", "names": ["microsoft"], "domains": ["microsoft.com"]}]
"""


@pytest.fixture
def files(folder: Path) -> dict[str, str]:
    """The settings of one file of each kind, in the folder."""
    keys = {}
    for key, name, text in (
        ("RegexFile", "regexes.txt", "bank = ^bank[0-9]+\\.\n"),
        ("AllowFile", "allow.txt", "quiet.example\n"),
        ("BrandFile", "brands.json", BRANDS),
    ):
        (folder / name).write_text(text)
        keys[f"SEARCH__{key}"] = str(folder / name)
    return keys


def test_each_kind_of_rule_finds_without_any_keyword(
    folder: Path, files: dict[str, str]
) -> None:
    config = replaying(
        folder,
        [
            message("bank7.example"),
            message("bank8.quiet.example"),
            message("paypa1-account-verify.xyz"),
            message("www.paypal.com"),
            message("nothing.example"),
        ],
        keywords="",
        threshold=1,
        **files,
    )
    result = run(DAEMON, "-c", config, cwd=folder)
    assert result.code == 0, result.err
    assert result.found == ["bank7.example", "paypa1-account-verify.xyz"]
    for line in ("expressions: 1, from", "allow-list: 1, from", "brands: 2, from"):
        assert line in result.out
    assert "look-alikes: findings from a score of 100 on" in result.out


def test_a_file_that_changes_is_in_force_without_a_restart(
    folder: Path, files: dict[str, str]
) -> None:
    tap = Tap()
    regexes, allowed = folder / "regexes.txt", folder / "allow.txt"
    with FeedServer(tap) as server:
        config = settings(
            folder, keywords="", threshold=1, SERVER__ACTServer=server.url, **files
        )
        with Daemon(config) as daemon:
            tap.put(message("bank1.example", index=1))
            daemon.wait_for_out(" bank1.example ")

            allowed.write_text("quiet.example\nloud.example\n")
            daemon.wait_for_err("changed files are in force")
            tap.put(message("bank2.loud.example", "bank2.example", index=2))
            daemon.wait_for_out(" bank2.example ")

            regexes.write_text("bank = (\n")
            daemon.wait_for_err("regexes.txt, line 1: ")
            tap.put(message("bank3.example", "haus3.example", index=3))
            daemon.wait_for_out(" bank3.example ")

            # One that the prefilter of the old rules would not let pass.
            regexes.write_text("house = ^haus[0-9]\nfarm = ^hof[0-9]\n")
            daemon.wait_for_err("expressions: 2, from")
            tap.put(message("haus4.example", index=4))
            daemon.wait_for_out(" haus4.example ")
            result = daemon.stop()
        assert len(server.connections) == 1
    assert result.code == 0
    assert result.found == [
        "bank1.example",
        "bank2.example",
        "bank3.example",
        "haus4.example",
    ]


def test_files_that_are_wrong_are_all_told_by_line(
    folder: Path, files: dict[str, str]
) -> None:
    (folder / "regexes.txt").write_text("fine\n(\n*\n")
    (folder / "allow.txt").write_text("co.uk\n/.*/\nfine.example\n")
    (folder / "brands.json").write_text('[{"brand": "x"}]')
    config = replaying(folder, [], keywords="", threshold=1, **files)
    result = run(DAEMON, "-c", config, cwd=folder)
    assert result.code == 2
    for where in (
        "regexes.txt, line 2: ",
        "regexes.txt, line 3: ",
        "allow.txt, line 1: ",
        "allow.txt, line 2: ",
        "brands.json, ",
    ):
        assert where in result.err
    assert "Traceback" not in result.err
