"""check_rules.py as a process: the rules' word on names, and nothing touched."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs.program import CHECKOUT, Result, environment, run, settings

CHECK = "check_rules.py"
RULES = {"SEARCH__BlacklistKeywords": "intranet", "DATABASE__DBFile": "never/db"}
HEADER = "Looking for these strings: paypal|login|xn--pypal-4ve, detection threshold: 2"
NOT_FOUND = "No match - Keywords not found."
BELOW = "No match - Detection threashold not reached."
BLOCKED = "No match - Blacklisted keywords."
MATCH = "This is a match, detection threashold reached."


@pytest.fixture
def rules(folder: Path) -> Path:
    """A folder with rules whose settings name a feed and a database to be left be."""
    settings(
        folder,
        keywords="paypal|login|xn--pypal-4ve",
        SERVER__ACTServer="ws://127.0.0.1:1/",
        **RULES,  # type: ignore[arg-type]
    )
    return folder


def check(folder: Path, *arguments: str, stdin: bytes = b"") -> Result:
    result = run(CHECK, "-c", "daemon.conf", *arguments, cwd=folder, stdin=stdin)
    assert not (folder / "never").exists(), "the database is none of its business"
    return result


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("plain.example", NOT_FOUND),
        ("paypal-paypal.example", BELOW),
        ("paypal-login.intranet.example", BLOCKED),
        ("hxxps://LOGIN[.]PayPal[.]example.:443/a?b=intranet#c", MATCH),
    ],
)
def test_one_name_gives_the_promised_two_lines(
    rules: Path, name: str, sentence: str
) -> None:
    result = check(rules, "-d", name)
    assert (result.code, result.err) == (0, "")
    assert result.out == f"{HEADER}\n{sentence}\n"


def test_several_names_are_each_named(rules: Path) -> None:
    names = {
        "p\u0430ypal.login.example": f"xn--pypal-4ve.login.example: {MATCH}",
        "XN--PYPAL-4VE.LOGIN.EXAMPLE.": f"xn--pypal-4ve.login.example: {MATCH}",
        "": f": {NOT_FOUND}",
        "a\x1b[2J": f"a\\x1b[2j: {NOT_FOUND}",
    }
    arguments = [part for name in names for part in ("--domain", name)]
    result = check(rules, *arguments)
    assert result.out.splitlines() == [HEADER, *names.values()]
    as_json = check(rules, *arguments[:2], "--format", "json")
    assert json.loads(as_json.out) == {
        "name": "xn--pypal-4ve.login.example",
        "score": 2,
        "verdict": "match",
        "reasons": [
            {"rule": "xn--pypal-4ve", "kind": "keyword", "weight": 1},
            {"rule": "login", "kind": "keyword", "weight": 1},
        ],
    }


# A line of a file, and what is said of it; nothing for a line without a name.
LINES: list[tuple[bytes, str]] = [
    (b"plain.example", "plain.example\t0\tno-match\t"),
    (b"\xef\xbb\xbfpaypal.example", "paypal.example\t1\tbelow-threshold\tpaypal"),
    (b"", ""),
    (b" \t ", ""),
    (b"PAYPAL-Login.EXAMPLE.", "paypal-login.example\t2\tmatch\tpaypal,login"),
    (
        b"paypal.login.intranet\r",
        "paypal.login.intranet\t2\tblacklisted\tpaypal,login,intranet",
    ),
    (
        "p\u0430ypal.login.example".encode(),
        "xn--pypal-4ve.login.example\t2\tmatch\txn--pypal-4ve,login",
    ),
    (
        b"https://user:pw@login.paypal.example:8443/x",
        "login.paypal.example\t2\tmatch\tlogin,paypal",
    ),
    (b"login[.]paypal[.]example", "login.paypal.example\t2\tmatch\tlogin,paypal"),
    (b"paypal\x00login", "paypal\\x00login\t2\tmatch\tpaypal,login"),
    (b"paypal\tlogin", "paypal\\x09login\t2\tmatch\tpaypal,login"),
    (b"paypal\x1b[31mlogin", "paypal\\x1b[31mlogin\t2\tmatch\tpaypal,login"),
]


def test_a_file_gives_name_score_verdict_and_reasons_a_line(rules: Path) -> None:
    lines = LINES[:1] + LINES[2:]
    text = b"\n".join(line for line, _ in lines)  # the last line has no end
    (rules / "names.txt").write_bytes(text)
    from_file = check(rules, "--file", "names.txt")
    assert (from_file.code, from_file.err) == (0, "")
    expected = [told for _, told in lines if told]
    assert from_file.out.splitlines() == expected
    from_pipe = check(rules, "--file", "-", "--format", "json", stdin=text)
    objects = [json.loads(line) for line in from_pipe.out.splitlines()]
    assert [
        "\t".join(
            (
                one["name"],
                str(one["score"]),
                one["verdict"],
                ",".join(reason["rule"] for reason in one["reasons"]),
            )
        )
        for one in objects
    ] == expected


def test_a_byte_order_mark_is_no_part_of_the_first_name(rules: Path) -> None:
    line, told = LINES[1]
    assert check(rules, "--file", "-", stdin=line).out == told + "\n"


def test_hostile_lines_hinder_no_other(rules: Path) -> None:
    hostile = [
        b"\xff\xfe\xed\xa0\x80.example",
        b"a" * 65_536,
        b"b" * 3_000_000,
        b"\xe2\x80\xae",
        b"http://[broken",
        b"xn--" * 1000,
        b"." * 300,
        "\u0130\u017f".encode() * 100,
    ]
    lines = [line for pair in hostile for line in (pair[:0] + b"paypal-login.x", pair)]
    result = check(rules, "--file", "-", stdin=b"\n".join(lines) + b"\n")
    assert (result.code, result.err) == (0, "")
    told = result.out.splitlines()
    assert told.count("paypal-login.x\t2\tmatch\tpaypal,login") == len(hostile)
    assert len(told) == len(lines)
    assert all(len(line.split("\t")) == 4 for line in told)


def test_a_hundred_thousand_lines_come_out_in_order(rules: Path) -> None:
    names = [
        f"paypal-login-{n}.example" if n % 1000 == 0 else f"host-{n}.example"
        for n in range(100_000)
    ]
    result = check(rules, "--file", "-", stdin="\n".join(names).encode())
    table = [line.split("\t") for line in result.out.splitlines()]
    assert [row[0] for row in table] == names
    assert [n for n, row in enumerate(table) if row[2] == "match"] == list(
        range(0, 100_000, 1000)
    )


def test_a_closed_pipe_ends_it_quietly(rules: Path) -> None:
    (rules / "names.txt").write_bytes(b"paypal-login.example\n" * 200_000)
    with subprocess.Popen(
        [sys.executable, CHECKOUT / CHECK, "-c", "daemon.conf", "--file", "names.txt"],
        cwd=rules,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == (
            b"paypal-login.example\t2\tmatch\tpaypal,login\n"
        )
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 0


def test_what_cannot_be_checked_is_told_with_the_next_step(rules: Path) -> None:
    for arguments, told in (
        ((), "give a name with -d or a file with --file"),
        (("--file", "absent.txt"), "'absent.txt' cannot be read"),
        (("--file", "."), "cannot be read"),
    ):
        result = check(rules, *arguments)
        assert (result.code, result.out) == (2, "")
        assert told in result.err
    result = run(CHECK, "-d", "x", cwd=rules)
    assert result.code == 2
    assert "give one with -c FILE" in result.err


@pytest.fixture
def all_rules(folder: Path) -> Path:
    """A folder with rules of every kind."""
    settings(
        folder,
        keywords="paypal|login",
        SEARCH__RegexFile="expressions.txt",
        SEARCH__AllowFile="allowed.txt",
        SEARCH__BrandFile="brands.ini",
        SEARCH__AlertScore="90000",
        **RULES,  # type: ignore[arg-type]
    )
    (folder / "expressions.txt").write_text("four digits = ^[0-9]{4}\\.\n")
    (folder / "allowed.txt").write_text("# ours\nallowed.example\n")
    (folder / "brands.ini").write_text(
        "[PayPal]\nnames = paypal\ndomains = paypal.com\n"
    )
    return folder


def test_an_explanation_says_what_fired_and_what_nearly_did(all_rules: Path) -> None:
    names = ("paypa1-login.co.uk", "2026.example", "paypal-login.allowed.example")
    arguments = [part for name in names for part in ("-d", name)]
    result = check(all_rules, "--explain", *arguments)
    assert (result.code, result.err) == (0, "")
    header, *parts = result.out.split("\n\npaypa1-login.co.uk: ")
    assert header.startswith("Looking for these strings: paypal|login, detection ")
    look_alike, rest = parts[0].split("\n\n2026.example: ")
    expression, allowed = rest.split("\n\npaypal-login.allowed.example: ")
    told = [line.split() for line in look_alike.splitlines()]
    assert ["registrable", "domain", "paypa1-login.co.uk"] in told
    assert ["tokens", "paypa1", "login"] in told
    assert ["login", "keyword", "1", "of", "2", "keywords"] in told
    assert any(line[:2] == ["resembles", "PayPal"] for line in told)
    assert any("homoglyph" in line and "paypa1" in line for line in told)
    assert any(line[:3] == ["paypa1", "score", "PayPal"] for line in told)
    assert expression.startswith("a finding")
    assert ["+1", "regex", "four", "digits"] in map(str.split, expression.splitlines())
    assert allowed.startswith("no finding: AllowFile allows it")
    assert any(
        line.split() == ["paypal", "keyword", "allowed", "by", "allowed.example"]
        for line in allowed.splitlines()
    )


def test_an_explanation_is_given_as_json_too(all_rules: Path) -> None:
    name = "login.xn--pypal-4ve.example"
    result = check(all_rules, "--explain", "--format", "json", "-d", name)
    told = json.loads(result.out)
    assert (told["name"], told["verdict"]) == (name, "below-threshold")
    assert told["unicode"] == "login.p\u0430ypal.example"
    assert told["skeleton"] == "login.paypal.example"
    assert (told["detection_threshold"], told["alert_score"]) == (2, 90000)
    kinds = {(one["kind"], one.get("brand")) for one in told["reasons"]}
    assert {("keyword", None), ("confusable", "PayPal")} <= kinds
    near = {one["kind"]: one["missing"] for one in told["near"]}
    assert near["keyword"] == 1
    assert near["score"] > 0


def test_a_file_gives_the_score_of_names_below_the_alert_score(all_rules: Path) -> None:
    names = (
        b"paypa1-secure.de\n1234.example\nlogin.allowed.example\nwww.paypal.com\n"
        b"login-paypa1.de\n"
    )
    result = check(all_rules, "--file", "-", stdin=names)
    assert (result.code, result.err) == (0, "")
    rows = [line.split("\t") for line in result.out.splitlines()]
    assert [row[2] for row in rows] == [
        "below-threshold",
        "match",
        "allow-listed",
        "below-threshold",
        "below-threshold",
    ]
    assert rows[4][3].startswith("login; resembles PayPal: homoglyph paypa1 +")
    assert rows[0][3].startswith("resembles PayPal: homoglyph paypa1 +")
    assert rows[0][3].endswith(f" = {rows[0][1]}")
    assert rows[1][1:] == ["1", "match", "four digits"]
    assert rows[2][1:] == ["0", "allow-listed", "allowed.example"]
    assert rows[3][1:] == ["1", "below-threshold", "paypal"]
    sentence = check(all_rules, "-d", "login.allowed.example").out.splitlines()[1]
    assert sentence == "No match - Allow-listed."
