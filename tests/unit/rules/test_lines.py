"""A file with one rule a line, and what is wrong with its lines."""

import pytest

from ctmonitor.errors import ConfigError
from ctmonitor.rules.lines import MAX_LINE_CHARACTERS, Problems, rule_lines


def test_comments_and_blank_lines_are_no_rules() -> None:
    text = "# one\n\na b \r\n\t# two\r\n  c#d\rlast"
    found = list(rule_lines(text, Problems("f")))
    assert found == [(3, "a b"), (5, "  c#d"), (6, "last")]


def test_the_longest_rule_is_taken_and_one_longer_is_told() -> None:
    problems = Problems("rules.txt")
    longest = "x" * MAX_LINE_CHARACTERS
    assert list(rule_lines(f"{longest}\n{longest}y", problems)) == [(1, longest)]
    with pytest.raises(ConfigError, match=r"^rules.txt, line 2: has 4097 characters"):
        problems.raise_errors()


def test_what_is_no_text_is_told_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"^f, line 2: holds a control .*\(0x00\)"):
        rule_lines("a\n\0b", Problems("f"))


def test_problems_are_told_by_line_the_first_twenty() -> None:
    problems = Problems("f\x1b[2J")
    for line in range(100, 0, -1):
        problems.error(line, "is wrong.")
    problems.warning(0, "is odd.")
    with pytest.raises(ConfigError) as raised:
        problems.raise_errors()
    told = raised.value.problems
    assert told[0] == r"f\x1b[2J, line 1: is wrong."
    assert told[19:] == (
        r"f\x1b[2J, line 20: is wrong.",
        r"f\x1b[2J: 80 further errors. Is it the right file?",
    )
    assert problems.warnings() == (r"f\x1b[2J: is odd.",)


def test_without_errors_nothing_is_raised() -> None:
    problems = Problems("f")
    problems.warning(1, "is odd.")
    problems.raise_errors()
