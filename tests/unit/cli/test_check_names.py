"""Where check_rules.py takes names from, and what it makes of other files."""

import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.cli.check_names import DATABASE, MESSAGES, NAMES, hits, names_of
from ctmonitor.errors import ConfigError, SourceError
from ctmonitor.model.verdict import Outcome
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.prefilter import Prefilter
from ctmonitor.rules.regexes import parse_regexes
from ctmonitor.rules.ruleset import Rules, RuleSet
from tests.programs.program import encoded, message, message_object

DATABASES = Path(__file__).resolve().parents[2] / "vectors" / "databases"
SEEN = "2026-11-21"  # of the messages


def read(path: Path | str) -> tuple[str, list[tuple[str, str]], int]:
    """What it is, its names with their days, and how many lines were no message."""
    found: list[tuple[str, str]] = []
    with names_of(str(path), "CertMon") as names:
        for block in names.blocks:
            days = block.days or [""] * len(block.names)
            found += zip(block.names, days, strict=True)
    return names.what, found, names.malformed


def test_names_a_line_are_read_as_pasted(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_bytes(
        b"\xef\xbb\xbfone.example\r\n\n \t\nhttps://TWO.example./x\nb\xc3\xbc.de"
    )
    expected = [("one.example", ""), ("two.example", ""), ("xn--b-eha.de", "")]
    assert read(path) == (NAMES, expected, 0)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert read(path) == (NAMES, expected, 0)


def test_a_nul_in_a_name_makes_no_binary_file(tmp_path: Path) -> None:
    """Strangers put it there (M9), and the rest of a month's names is to be tried."""
    path = tmp_path / "names"
    # The part that is looked at ends within a letter: 21 bytes, then two for each.
    path.write_text("evil\0.paypal.example\n" + "\u00fc" * 100_000 + "\nlast.example")
    found = [name for name, _ in read(path)[1]]
    assert found[0] == "evil\0.paypal.example"
    assert found[-1] == "last.example"


def test_no_name_is_lost_where_blocks_meet(tmp_path: Path) -> None:
    path = tmp_path / "names"
    names = [f"host-{number}.example" for number in range(200_000)]
    path.write_text("\n".join(names))
    assert path.stat().st_size > 3 * 1024 * 1024
    assert [name for name, _ in read(path)[1]] == names


def test_messages_give_all_their_names_with_the_day_they_were_seen(
    tmp_path: Path,
) -> None:
    unseen = message_object("unseen.example")
    unseen["data"]["seen"] = None
    untimed = message_object("untimed.example")
    del untimed["data"]["seen"], untimed["data"]["source"]
    long_ago = message_object("old.example")
    long_ago["data"]["seen"] = -1e300
    common = message_object("san.example")
    common["data"]["leaf_cert"]["subject"]["CN"] = "cn.example"
    half = message_object("half.example", "x")
    odd = encoded(half).replace(b'"x"', b'"\\ud800.example"')
    lines = [
        message("A.example", "*.b.example"),
        encoded(common),
        encoded(unseen),
        encoded(untimed),
        encoded(long_ago),
        odd,
        encoded({"data": ["d.example", "e.example"], "message_type": "dns_entries"}),
        encoded({"message_type": "heartbeat", "timestamp": 1.0}),
        b"",
        b"{broken",
        b'{"message_type": "certificate_update", "data": 1}',
    ]
    path = tmp_path / "feed"
    path.write_bytes(b"\n".join(lines))
    what, found, malformed = read(path)
    assert (what, malformed) == (MESSAGES, 2)
    assert found == [
        ("A.example", SEEN),
        ("*.b.example", SEEN),
        ("san.example", SEEN),
        ("cn.example", SEEN),
        ("unseen.example", SEEN),
        ("untimed.example", SEEN),
        ("old.example", ""),
        ("half.example", SEEN),
        ("\ud800.example", SEEN),
        ("d.example", ""),
        ("e.example", ""),
    ]


@pytest.mark.parametrize("version", [0, 1, 2])
def test_a_database_gives_its_hosts_and_the_names_beside_them(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "found"
    shutil.copy(DATABASES / f"version_{version}.sqlite", path)
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            'SELECT Domain, SAN, FirstSeen FROM "CertMon" ORDER BY FirstSeen, Domain'
        ).fetchall()
    what, found, _ = read(path)
    expected = [
        (name, str(first_seen)[:10])
        for domain, san, first_seen in rows
        for name in dict.fromkeys([domain, *(san or "").split(",")])
        if name
    ]
    assert (what, found) == (DATABASE, expected)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"a.example\n\0\1\2", "is a binary file"),
        ("a.example\n".encode("utf-16-le"), "is a binary file"),
        (b"a.example\n" * 9 + b"\0\xff\xfe", "is a binary file"),
        (b"PK\x03\x04whatever", "is a ZIP archive: unpack it first"),
        (b"\x28\xb5\x2f\xfdwhatever", "is compressed by zstd"),
        (b"\x1f\x8bno gzip at all", "cannot be read"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(b"SQLite format 3\0", mtime=0), "unpack it"),
        (b"SQLite format 3\0" + b"x" * 200, "damaged|not an SQLite database"),
        (None, "cannot be read: No such file"),
    ],
)
def test_what_holds_no_names_is_told(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "names"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=told) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_database_of_another_program_is_told(tmp_path: Path) -> None:
    path = tmp_path / "other"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (name TEXT)")
    with pytest.raises(ConfigError, match="has no table CertMon"):
        read(path)


def test_a_server_that_is_away_is_told_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        read("postgresql://user:secret@127.0.0.1:1/names")
    assert "secret" not in str(caught.value)


def test_a_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_file_cut_short_is_an_error_and_not_a_smaller_file(tmp_path: Path) -> None:
    path = tmp_path / "names.gz"
    names = "".join(f"host-{number}.example\n" for number in range(200_000))
    path.write_bytes(gzip.compress(names.encode())[:-20])
    with pytest.raises(SourceError, match="cannot be read to its end"):
        read(path)


def test_errors_of_who_reads_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text("a.example\n")
    with pytest.raises(BrokenPipeError), names_of(str(path), "CertMon"):
        raise BrokenPipeError


def test_a_block_tells_how_far_the_file_was_read(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text(json.dumps(message_object("a.example")) + "\n")
    with names_of(str(path), "CertMon") as names:
        assert [block.end for block in names.blocks] == [names.size]


RULES = RuleSet(
    Rules(
        "login",
        threshold=2,
        regexes=parse_regexes("^[0-9]{4}shop\n", "expressions.txt"),
        brands=(
            Brand("ING", ("ing",)),
            Brand("Chase", ("chase",)),
            Brand("PayPal", ("paypal", "pay-pal"), frozenset({"paypal.com"})),
        ),
    )
)
PIECES = ["ing", "chase", "paypal", "paypl", "p\u0430ypal", "xn--pypal-4ve", "2026shop"]
PIECES += ["login", "LOGIN", "pay", "pal", "x", "k\u0131ng", ".", "-", "1", "com", "\n"]


@cache
def prefilter() -> Prefilter:
    """Compiled once, which takes a tenth of a second."""
    found = RULES.prefilter()
    assert found is not None
    return found


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=5).map("".join)))
def test_names_scanned_as_a_block_lose_nothing(names: list[str]) -> None:
    """A rule that needs the border of a token finds it between names, too."""
    hit = set(hits(prefilter(), names))
    for number, name in enumerate(names):
        if number not in hit:
            assert RULES.judge_name(name).outcome is Outcome.NONE


@pytest.mark.parametrize("size", [9, 10, 12, 13, 46])
def test_no_brand_is_hidden_by_what_parts_the_names(size: int) -> None:
    """Before a spelling of ten letters a line feed would look like its length."""
    spelling = ("qwertzuiopasdfghjklmnbvc" * 2)[:size]
    ruleset = RuleSet(Rules("login", brands=(Brand("it", (spelling,)),)))
    names = [f"{spelling}-login.example", f"{spelling}.other.example"]
    assert set(hits(ruleset.prefilter(), ["x.example", *names])) == {1, 2}
