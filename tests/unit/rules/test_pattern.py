"""Expressions: taken apart without a change of meaning, compiled, bounded in time."""

import re
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.rules.pattern import TIME_LIMIT_S, branches, check, compiled, is_slow


def _sources(pattern: str) -> list[str]:
    return [branch.source for branch in branches(pattern)]


@pytest.mark.parametrize(
    ("pattern", "sources"),
    [
        ("paypal|apple", ["paypal", "apple"]),
        ("(paypal|apple)", ["paypal", "apple"]),
        ("(?:(paypal|apple))", ["paypal", "apple"]),
        ("(?i)paypal|apple", ["paypal", "apple"]),
        ("(a|b)c|d", ["(a|b)c", "d"]),
        (r"a\|b|c", [r"a\|b", "c"]),
        ("[|]|[a|b]|[]|]", ["[|]", "[a|b]", "[]|]"]),
        ("[^]|]|x", ["[^]|]", "x"]),
        ("(a)|(b)", ["(a)", "(b)"]),  # two groups, not one around all
        ("paypal|", ["paypal", ""]),
        (r"(a)\1|b", [r"(a)\1|b"]),  # the number of a group would change
        ("(?x) a | b", ["(?x) a | b"]),
        ("(?s:a|b)", ["(?s:a|b)"]),
        (r"\(a|b\)", [r"\(a", r"b\)"]),
        ("(?P<n>a)|b", ["(?P<n>a)", "b"]),
        ("a{11}|b{12}|c{13}", ["a{11}", "b{12}", "c{13}"]),
    ],
)
def test_alternatives(pattern: str, sources: list[str]) -> None:
    assert _sources(pattern) == sources


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a{e<=1}b", "a{e<=1}b"),  # fuzzy matching in the regex package, text in re
        ("[[:alpha:]]x", "[]x"),  # a POSIX class there, a class and a bracket here
        ("x{,2}y", "xxy"),
        ("x{1,}y", "xxxy"),
        ("{2}", "{2}"),
        (r"\{2}", "{2}"),
        ("[{]a", "{a"),
        ("a{1,2,3}", "a{1,2,3}"),
        (r"\N{LATIN SMALL LETTER A}b", "ab"),
    ],
)
def test_means_what_it_means_to_re(pattern: str, text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            expected = re.compile(pattern, re.IGNORECASE).search(text)
    except re.error:
        with pytest.raises(FormatError):
            check(pattern)
        return
    found = compiled(pattern).search(text)
    assert (found and found.group()) == (expected and expected.group())


@pytest.mark.parametrize(
    ("pattern", "position"), [("pay(pal", 3), ("a[b", 1), ("*a", 0), ("a(?P<1>)", 5)]
)
def test_a_bad_expression_is_told_with_its_position(
    pattern: str, position: int
) -> None:
    with pytest.raises(FormatError, match=f"at position {position}"):
        check(pattern)


def test_an_expression_nested_too_deep_is_an_error() -> None:
    with pytest.raises(FormatError):
        check("(" * 100_000 + ")" * 100_000)


@given(st.text(st.sampled_from("ab|()[]{}^$.*+?\\-1,<>=!:P"), max_size=12))
def test_any_text_is_an_expression_or_a_format_error(pattern: str) -> None:
    try:
        check(pattern)
    except FormatError:
        return
    assert branches(pattern)


_BRANCH = st.text(st.sampled_from("abc.-?+[]^$"), min_size=0, max_size=4)


@given(st.lists(_BRANCH, min_size=1, max_size=4), st.text("abc.-", max_size=10))
def test_matching_any_branch_is_matching_the_expression(
    parts: list[str], name: str
) -> None:
    pattern = "|".join(parts)
    try:
        check(pattern)
    except FormatError:
        assume(False)
    whole = compiled(pattern).search(name) is not None
    assert whole == any(
        compiled(branch.source).search(name) for branch in branches(pattern)
    )


@pytest.mark.parametrize(
    "pattern",
    [
        "((a{1000}){1000}){1000}",
        "(a{65000}){65000}",
        "(?:x|((a{1000}){1000}){1000})?",
        "(?=((a{1000}){1000}){1000})x",
    ],
)
def test_what_would_fill_the_memory_is_refused_before_it_is_compiled(
    pattern: str,
) -> None:
    """These are a line of text to `re`, and gigabytes to `regex`."""
    with pytest.raises(FormatError, match="too large: too much is repeated"):
        check(pattern)


def test_long_and_repeated_expressions_are_taken() -> None:
    check("|".join(f"keyword{i}{{2}}" for i in range(10_000)))
    check("(?:[a-z0-9-]{1,63}\\.){1,126}(a{1000}){9}(b{0,60000}){0,60000}")


def test_a_slow_expression_is_recognised() -> None:
    assert is_slow("(a|a)+$")
    assert not is_slow("paypal|apple|account|secure|login")
    assert TIME_LIMIT_S == 0.1
