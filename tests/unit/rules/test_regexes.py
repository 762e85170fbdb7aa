"""Regular expressions of an operator, each of which makes a finding by itself."""

import pickle
import re
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ctmonitor.errors import ConfigError
from ctmonitor.rules.hostname import host_name
from ctmonitor.rules.regexes import MAX_EXPRESSIONS, Regexes, parse_regexes

PATH = "conf/regexes.txt"

FILE = r"""
# anchored, as users of their own domains write them
^(?:.*\.)?example\.com$
bank login = (bank|konto).*log-?in
both = (?=.*paypal)(?=.*secure)
müller
"""


def found(text: str, name: str) -> list[str]:
    return [rule for rule, _ in parse_regexes(text, PATH).found(host_name(name))]


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("example.com", [r"^(?:.*\.)?example\.com$"]),
        ("*.Example.COM.", [r"^(?:.*\.)?example\.com$"]),
        ("www.example.com", [r"^(?:.*\.)?example\.com$"]),
        ("notexample.com", []),
        ("example.com.evil.ru", []),
        ("KONTO-Log-In.de", ["bank login"]),
        ("bank.login.example.com", [r"^(?:.*\.)?example\.com$", "bank login"]),
        ("secure.paypal.ru", ["both"]),
        ("paypal.ru", []),
        ("xn--mller-kva.de", ["müller"]),
        ("M\u00dcLLER.de", ["müller"]),
        ("", []),
    ],
)
def test_what_is_found(name: str, rules: list[str]) -> None:
    assert found(FILE, name) == rules


@pytest.mark.parametrize(
    ("pattern", "name", "text"),
    [
        (r"^\*\.", "*.example.com", "*."),
        (r"^example", "*.example.com", "example"),
        (r"^xn--mller", "M\u00fcller.de", "xn--mller"),
        (r"^m.ller\.", "xn--mller-kva.de", "m\u00fcller."),
        (r"(?P<a>[a-z])(?P=a){2}", "xaaa.com", "aaa"),
        (r"(?x) pay  pal", "paypal.com", "paypal"),
        (r"(?<=pay)pal(?!s)", "paypals-paypal.com", "pal"),
        (r"PAYPAL", "paypal.com", "paypal"),
        (r"a[#]b", "a#b", "a#b"),
    ],
)
def test_names_are_searched_in_each_of_their_forms(
    pattern: str, name: str, text: str
) -> None:
    regexes = parse_regexes(pattern, PATH)
    assert regexes.found(host_name(name)) == ((pattern, text),)


@pytest.mark.parametrize(
    ("line", "name", "pattern"),
    [
        ("abc = d", "abc", "d"),
        ("Bank 2.0-a_b=d=e", "Bank 2.0-a_b", "d=e"),
        ("  \u00e9t\u00e9 =  d", "\u00e9t\u00e9", "d"),
        ("(?=.*b)c", "(?=.*b)c", "(?=.*b)c"),
        ("(?P<a>b)(?P=a)", "(?P<a>b)(?P=a)", "(?P<a>b)(?P=a)"),
        (".a=b", ".a=b", ".a=b"),
        ("_a=b", "_a=b", "_a=b"),
        ("x(?<=x)y", "x(?<=x)y", "x(?<=x)y"),
        ("a[=]b", "a[=]b", "a[=]b"),
    ],
)
def test_what_stands_before_the_first_sign_is_a_name(
    line: str, name: str, pattern: str
) -> None:
    (expression,) = parse_regexes(line, PATH).expressions
    assert (expression.name, expression.pattern) == (name, pattern)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("a(b", "missing ), unterminated subpattern at position 2 of the line"),
        ("  x = [a", "unterminated character set at position 7 of the line"),
        ("(?P<1>a)", "bad character in group name '1' at position 5 of the line"),
        ("(" * 2000 + ")" * 2000, "the expression is too large or nested too deep"),
        ("(?:x|(a{1000}){1000})", "the expression is too large: too much is repeated"),
        ("paypal # ours", "blank and # at position 7 of the line are part of"),
        ("paypal|", "'paypal|' matches the empty text, which is in every name"),
        ("^", "'^' matches the empty text"),
        ("(?!x)", "'(?!x)' matches the empty text"),
        ("name =", "has a name and no expression. Write one behind the =."),
        ("y" * 5000, "has 5000 characters, and a rule at most 4096"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_with_position_and_reason(
    line: str, told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_regexes(f"good\n{line}\n", PATH)
    (problem,) = raised.value.problems
    assert problem.startswith(f"conf/regexes.txt, line 2: {told}")


def test_all_lines_that_are_wrong_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        parse_regexes("a(\ngood\n\nb)\nx = better\nx = best\n", PATH)
    assert [problem.split(":")[0] for problem in raised.value.problems] == [
        "conf/regexes.txt, line 1",
        "conf/regexes.txt, line 4",
        "conf/regexes.txt, line 6",
    ]
    assert "'x' is the name of line 5, too." in raised.value.problems[2]


def test_a_comment_in_a_verbose_expression_is_one() -> None:
    assert found("(?x) pay pal # ours", "paypal.com") == ["(?x) pay pal # ours"]


def test_doubles_and_an_empty_file_are_warned_of() -> None:
    regexes = parse_regexes("a\nb\nc = a\n", PATH)
    assert [each.name for each in regexes.expressions] == ["a", "b"]
    assert regexes.warnings == (
        "conf/regexes.txt, line 3: holds the expression of line 1. Remove one of them.",
    )
    assert parse_regexes("# none\n", PATH).warnings == (
        "conf/regexes.txt: holds no expression. Write one a line, or remove RegexFile.",
    )


def test_a_file_of_100_000_lines_is_refused_with_the_first_line_too_many() -> None:
    text = "".join(f"word{i}\n" for i in range(100_000))
    with pytest.raises(ConfigError, match=f"line {MAX_EXPRESSIONS + 1}: .* of 100000"):
        parse_regexes(text, PATH)


def test_only_what_the_prefilter_named_is_tried() -> None:
    regexes = parse_regexes("paypal\nsecure\n[0-9]{4}", PATH)
    assert regexes.literals == (
        frozenset({b"paypal"}),
        frozenset({b"secure"}),
        None,
    )
    assert regexes.unfilterable == ("[0-9]{4}",)
    host = host_name("paypal-secure-2024.com")
    assert regexes.found(host, {1}) == (("secure", "secure"), ("[0-9]{4}", "2024"))
    assert regexes.found(host, set()) == (("[0-9]{4}", "2024"),)


def test_of_several_look_aheads_the_prefilter_searches_one() -> None:
    regexes = parse_regexes("(?=.*paypal)(?=.*login)", PATH)
    assert regexes.literals == (frozenset({b"paypal"}),)
    assert regexes.found(host_name("login.paypal.com"), {0}) == (
        ("(?=.*paypal)(?=.*login)", ""),
    )


def test_an_expression_that_backtracks_for_ever_stops_no_other() -> None:
    regexes = parse_regexes(r"runaway = (x|xx)+$" + "\nplain = x{3}", PATH)
    given_up: list[str] = []
    found = regexes.found(host_name("x" * 60 + "!"), None, 0.01, given_up.append)
    assert (found, given_up) == ((("plain", "xxx"),), ["runaway"])


def test_slow_expressions_are_named_within_the_time_given() -> None:
    regexes = parse_regexes("runaway = (x|xx)+$\nplain\n", PATH)
    assert regexes.slow() == (("runaway",), 0)
    ticks = iter(range(10))
    assert regexes.slow(1.5, lambda: float(next(ticks))) == (("runaway",), 1)


def test_it_can_be_sent_to_another_process() -> None:
    regexes = pickle.loads(pickle.dumps(parse_regexes(FILE, PATH)))  # noqa: S301
    assert regexes.expressions == parse_regexes(FILE, PATH).expressions
    assert len(regexes) == 4
    assert len(Regexes()) == 0


PIECES = r"pay pal a b - . \. \b ^ $ \ ( (?= (?: ) | * + ? {2} [ ]"


@given(
    st.lists(st.sampled_from(PIECES.split()), max_size=8).map("".join),
    st.text("paylb.-2", min_size=1, max_size=20),
)
def test_an_expression_is_found_where_re_finds_it(pattern: str, name: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = re.search(pattern, name.removesuffix("."), re.IGNORECASE)
        regexes = parse_regexes(pattern, PATH)
    except (re.error, ConfigError):
        assume(False)
    if len(regexes) == 1:
        found = regexes.found(host_name(name))
        assert [text for _, text in found] == ([expected.group()] if expected else [])
        literals = regexes.literals[0]
        if found and literals is not None:
            assert any(literal.decode() in name for literal in literals)


@given(st.text(max_size=300))
def test_any_text_gives_expressions_or_a_message(text: str) -> None:
    try:
        regexes = parse_regexes(text, PATH)
    except ConfigError as exc:
        told = exc.problems
    else:
        told = regexes.warnings
        regexes.found(host_name("login.paypal.com"), None, 0.01)
    assert all(problem.startswith(PATH) for problem in told)
