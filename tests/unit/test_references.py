"""References to other keys and to the environment."""

import configparser
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.settings_files import NEEDED, with_line


@given(st.text("%()s2bcC {}", max_size=12), st.text("%()sc ", max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("%(b)s%%(b)s", "x")
@example("a%%%%b", "x")
def test_values_are_those_that_configparser_gives(
    read,
    first: str,
    second: str,
) -> None:
    text = f"{NEEDED}[CONNECT]\nhttp_UA = x{first}\nb = {second}\nC = 3\n"
    parser = configparser.ConfigParser()
    parser.read_string(text)
    try:
        expected = parser["CONNECT"]["http_UA"]
    except configparser.InterpolationError:
        return
    assert read(text).http_ua == expected


def test_a_percent_sign_that_means_nothing_stands_for_itself(read) -> None:
    config = read(with_line("REPORTING", "Alerts_dir = ./a/%Y/%%m/100%"))
    assert config.alerts_dir == "./a/%Y/%m/100%"


def test_a_reference_takes_the_value_of_another_key(read) -> None:
    text = f"[DEFAULT]\nbase = /srv\n{NEEDED}[DATABASE]\nname = ct\n"
    config = read(text + "DBFile = %(base)s/%(NAME)s.db\n")
    assert config.db_file == "/srv/ct.db"
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("%(nothing)s", "%(nothing)s stands for the value of a key that [CONNECT]"),
        ("%(http_UA)s", "leads back to itself"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(
    value: str,
    words: str,
    problems,
) -> None:
    (problem,) = problems(with_line("CONNECT", f"http_UA = {value}"))
    assert words in problem


def test_references_that_grow_without_end_are_an_error(problems) -> None:
    lines = ["a0 = xxxxxxxxxxxxxxxx"]
    lines += [f"a{i} = " + f"%(a{i - 1})s" * 16 for i in range(1, 10)]
    text = f"{NEEDED}[CONNECT]\n" + "\n".join(lines) + "\nhttp_UA = %(a9)s\n"
    assert any("is longer than 1,048,576 characters" in p for p in problems(text))


def test_variables_are_replaced_after_references(read) -> None:
    text = with_line("SERVER", "Proxy_Password = a${PW}%%$${PW}")
    assert read(text, PW="%(x)s${PW}").proxy_password == "a%(x)s${PW}%${PW}"


def test_missing_variables_are_all_told(problems) -> None:
    told = problems(with_line("SERVER", "Proxy_Username = ${A_1}${B}${A_1}"))
    assert [re.search(r"variable (\w+)\.", problem)[1] for problem in told] == [
        "A_1",
        "B",
    ]


def test_a_variable_without_value_leaves_a_key_empty(problems) -> None:
    (problem,) = problems(with_line("SEARCH", "SearchKeywords = ${K}"), K="")
    assert "is empty and must be given" in problem


def test_references_to_nothing_that_grow_in_number_are_an_error(problems) -> None:
    """No character comes of them, but 16 ** 9 replacements would take hours."""
    lines = ["a0 ="] + [f"a{i} = " + f"%(a{i - 1})s" * 16 for i in range(1, 10)]
    text = f"{NEEDED}[CONNECT]\n" + "\n".join(lines) + "\nhttp_UA = %(a9)s\n"
    assert any("is longer than 1,048,576 characters" in p for p in problems(text))


def test_the_tenth_reference_within_another_is_followed_and_the_eleventh_is_not(
    read, problems
) -> None:
    """As in ConfigParser, of which this is the limit."""
    lines = ["a0 = x"] + [f"a{i} = %(a{i - 1})s" for i in range(1, 11)]
    text = f"{NEEDED}[CONNECT]\n" + "\n".join(lines) + "\nhttp_UA = "
    assert read(text + "%(a9)s\n").http_ua == "x"
    assert any("through more than 10 keys" in p for p in problems(text + "%(a10)s\n"))
