"""check_rules.py as a process on many names: what rules find, and what to change."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

from tests.programs.program import CHECKOUT, encoded, message, run, settings

CHECK = "check_rules.py"
NAMES = [
    "plain.example",
    "login.one.example",
    "paypal-login.one.example",
    "PayPal-Login.one.example",
    "paypal-login.intranet",
    "secure-paypal.two.co.uk",
]


@pytest.fixture
def rules(folder: Path) -> Path:
    """A folder with two sets of rules, and names."""
    settings(
        folder,
        keywords="paypal|login|secure|absent",
        SEARCH__BlacklistKeywords="intranet",
    )
    settings(folder, name="other.conf", keywords="paypal", threshold=1)
    (folder / "names.txt").write_text("\n".join([*NAMES, ""]))
    return folder


def test_a_backtest_counts_what_the_rules_find(rules: Path) -> None:
    (rules / "names.gz").write_bytes(gzip.compress((rules / "names.txt").read_bytes()))
    arguments = ("-c", "daemon.conf", "--backtest", "names.gz", "--output", "all.tsv")
    result = run(CHECK, *arguments, cwd=rules)
    assert (result.code, result.err) == (0, "")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[:2] == [
        "Looking for these strings: paypal|login|secure|absent, detection threshold: 2",
        "'names.gz': names, one a line",
    ]
    for line in (
        "names read 6",
        "distinct names 5",
        "found 2 (4000.00 in 10,000 distinct names)",
        "registrable domains found 2",
        "blocked by BlacklistKeywords 1",
        "DetectionThreshold 1 3 2",
        "DetectionThreshold 2 2 2 as set",
        "2 paypal-login.one.example paypal, login",
    ):
        assert line in lines, result.out
    assert any(line.startswith("paypal keyword 3 2 2 (100%) 2 ") for line in lines)
    assert (rules / "all.tsv").read_text().splitlines() == [
        "paypal-login.one.example\t2\tmatch\tpaypal,login",
        "secure-paypal.two.co.uk\t2\tmatch\tsecure,paypal",
    ]


def test_messages_out_of_a_pipe_are_counted_by_day(rules: Path) -> None:
    feed = b"\n".join([message(*NAMES[:3]), encoded({"data": 1}), message(NAMES[5])])
    arguments = ("-c", "daemon.conf", "--backtest", "-", "--format", "json")
    result = run(CHECK, *arguments, cwd=rules, stdin=feed)
    assert (result.code, result.err) == (0, "")
    report = json.loads(result.out)
    assert (report["kind"], report["malformed"]) == ("certstream messages", 1)
    assert report["days"] == [
        {"day": "2026-11-21", "names": 4, "found": 2, "registrable_domains": 2}
    ]


def test_a_database_is_tried_and_left_as_it_is(rules: Path) -> None:
    database = CHECKOUT / "tests" / "vectors" / "databases" / "version_2.sqlite"
    shutil.copy(database, rules / "found.db")
    (rules / "daemon.conf").write_text(
        "[SEARCH]\nSearchKeywords = paypal|login\nDetectionThreshold = 1\n"
        "[DATABASE]\nDBFile = never.db\nTABLEname = CertMon\n"
    )
    arguments = ("-c", "daemon.conf", "--backtest", "found.db", "--format", "json")
    result = run(CHECK, *arguments, cwd=rules)
    assert (result.code, result.err) == (0, "")
    report = json.loads(result.out)
    assert report["kind"] == "a database"
    assert report["names"] >= 3
    assert all(day["day"] for day in report["days"])
    assert (rules / "found.db").read_bytes() == database.read_bytes()
    assert not (rules / "never.db").exists()


def test_two_sets_of_rules_are_compared(rules: Path) -> None:
    result = run(
        CHECK,
        *("-c", "daemon.conf", "--backtest", "names.txt"),
        *("--compare", "other.conf", "--output", "all.tsv"),
        cwd=rules,
    )
    assert (result.code, result.err) == (0, "")
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "found by both 2 2" in lines
    assert "only by daemon.conf 0 0" in lines
    assert "only by other.conf 1 1" in lines
    assert (rules / "all.tsv").read_text().splitlines() == [
        "both\tpaypal-login.one.example\t2\tmatch\tpaypal,login\t1\tmatch\tpaypal",
        "second\tpaypal-login.intranet\t2\tblacklisted\tpaypal,login,intranet"
        "\t1\tmatch\tpaypal",
        "both\tsecure-paypal.two.co.uk\t2\tmatch\tsecure,paypal\t1\tmatch\tpaypal",
    ]


def test_rules_that_do_nothing_are_told(rules: Path) -> None:
    arguments = ("-c", "daemon.conf", "--suggest", "names.txt", "--share", "0.5")
    result = run(CHECK, *arguments, cwd=rules)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[1] == "5 distinct names, 2 found"
    assert lines[lines.index("never fired") + 1] == "  absent  keyword"
    often = lines.index("fired on more than 50.0000% of the names")
    assert lines[often + 1].split()[:2] == ["paypal", "keyword"]


def test_what_cannot_be_tried_is_told_with_the_next_step(rules: Path) -> None:
    (rules / "blank.txt").write_text("\n" * 70_000)
    (rules / "spread.json").write_text('{"message_type":\n"other"}')
    names = "".join(f"host-{number}.example\n" for number in range(150_000))
    (rules / "short.gz").write_bytes(gzip.compress(names.encode())[:-20])
    for arguments, code, told in (
        (("--backtest", "absent.txt"), 2, "'absent.txt' cannot be read: No such file"),
        (("--backtest", "blank.txt"), 2, "holds no names"),
        (("--suggest", "spread.json"), 2, "2 lines of it are no certstream message"),
        (("--backtest", "short.gz"), 1, "cannot be read to its end"),
        (
            ("--backtest", "names.txt", "--output", "names.txt"),
            2,
            "'names.txt' is the file to be read",
        ),
        (("--backtest", "names.txt", "--output", "no/x"), 2, "cannot be written"),
        (("--backtest", "names.txt", "--compare", "absent.conf"), 2, "absent.conf"),
    ):
        result = run(CHECK, "-c", "daemon.conf", *arguments, cwd=rules)
        assert result.code == code, (arguments, result)
        assert told in result.err
        assert result.out == ""
    assert (rules / "names.txt").read_text().splitlines() == NAMES
