"""Files and lines: what ConfigParser takes, and every problem with its line."""

import configparser
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctmonitor import ini
from ctmonitor.config import load
from ctmonitor.errors import ConfigError
from ctmonitor.problems import Problems
from tests.settings_files import NEEDED, with_line

_INI_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["[A]", "[B]", "[DEFAULT]", " [A]", "[C] x", "[]", "# c", " ; c", "", "  "]
        ),
        st.builds(
            "{}{}{}{}".format,
            st.sampled_from(["", "", " ", "  ", "\t", "    "]),
            st.text("abcAB [%", max_size=3),
            st.sampled_from([" = ", "=", ":", " : ", "", "=="]),
            st.text("ab=:;#% []\t", max_size=5),
        ),
    ),
    max_size=12,
)


@given(_INI_LINES)
@settings(max_examples=400)
@example(["[A]", "  a = 1", "    more", "", "    still", "  b: 2", "#x", "   c=3"])
def test_sections_are_those_that_configparser_reads(lines: list[str]) -> None:
    """What ConfigParser takes means the same here; what it refuses is refused here."""
    text = "\n".join(lines)
    told = Problems(Path("a.conf"))
    ours = ini.parse(text, told).sections
    parser = configparser.RawConfigParser(default_section="no such section")
    try:
        parser.read_string(text)
    except configparser.Error:
        assert told.has_errors
        return
    assert not told.has_errors
    assert {
        name: {key: entry.raw for key, entry in section.entries.items()}
        for name, section in ours.items()
    } == {name: dict(parser[name]) for name in parser.sections()}


def test_keys_may_be_in_any_case_and_sections_may_not(read, problems) -> None:
    assert read(NEEDED.replace("SearchKeywords", "SEARCHkeywords")).search_keywords
    told = problems(NEEDED.replace("[SEARCH]", "[Search]"))
    assert "Did you mean [SEARCH]?" in told[0]
    assert "[SEARCH] SearchKeywords is missing" in told[-1]


@pytest.mark.parametrize(
    "content",
    [
        NEEDED.encode("utf-8-sig"),
        NEEDED.encode("utf-16"),
        b"\xfe\xff" + NEEDED.encode("utf-16-be"),
        NEEDED.replace("\n", "\r\n").encode(),
        NEEDED.replace("\n", "\r").encode(),
        NEEDED.replace("\n", "\r\n").encode("utf-16"),
    ],
    ids=["BOM", "UTF-16", "UTF-16-BE", "CRLF", "CR", "UTF-16 and CRLF"],
)
def test_files_of_other_editors_are_read(content: bytes, read) -> None:
    config = read(content)
    assert config.search_keywords == "paypal"
    assert config.warnings == ()


def test_latin_1_is_read_with_a_warning_that_names_the_line(read) -> None:
    config = read(with_line("CONNECT", "http_UA = Caf\u00e9").encode("latin-1"))
    assert config.http_ua == "Caf\u00e9"
    (warning,) = config.warnings
    assert "line 6: not UTF-8" in warning


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SQLite format 3\x00\x10\x00", "line 1: holds a control character (0x00)"),
        (NEEDED.encode() + b"\nx\x00", "line 6: holds a control character (0x00)"),
        (NEEDED.encode("utf-16")[:-1], "begins like UTF-16 and is cut or damaged"),
        (b"a = 1\nb = 2\n[SEARCH]\n", "line 1: stands before any section"),
        (b"", "[SEARCH] SearchKeywords is missing"),
        (b"x" * 5_000_000, "is larger than 4 MB"),
    ],
)
def test_what_is_no_settings_file_is_told(
    content: bytes,
    words: str,
    problems,
) -> None:
    assert any(words in problem for problem in problems(content))


def test_a_thousand_lines_of_something_else_are_not_told_one_by_one(problems) -> None:
    told = problems("[SEARCH]\n" + "lorem ipsum\n" * 1000)
    assert len(told) < 20
    assert any("990 further lines are no settings" in problem for problem in told)


def test_a_missing_file_and_a_directory_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such file.*example\.conf"):
        load(tmp_path / "none.conf", {})
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path, {})
    with pytest.raises(ConfigError, match="cannot be read: embedded null"):
        load("a\0b", {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text(NEEDED)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path, {})


def test_an_entry_knows_its_lines_and_what_is_swallowed_by_it() -> None:
    told = Problems(Path("a.conf"))
    file = ini.parse("[A]\nKey = 1\n# no\n  two\n\n  b: 3\nb = 4", told)
    assert not told.has_errors
    entry = file.entry("A", "KEY")
    assert entry is not None
    assert (entry.key, entry.line, entry.raw) == ("Key", 2, "1\ntwo\n\nb: 3")
    assert entry.indented_keys() == [(6, "b")]


def test_a_key_counts_in_every_section_when_it_stands_in_default() -> None:
    file = ini.parse("[A]\na = 1\n[DEFAULT]\na = 2\nb = 3", Problems(Path("a.conf")))
    found = {key: file.entry("A", key) for key in "abc"}
    assert {key: entry and entry.raw for key, entry in found.items()} == {
        "a": "1",
        "b": "3",
        "c": None,
    }
