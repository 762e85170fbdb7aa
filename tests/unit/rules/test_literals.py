"""Required literals: every match holds one of them, whatever the expression."""

import re
import sys
import warnings

import pytest
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from ctmonitor.rules.literals import required_literals
from ctmonitor.rules.prefilter import FOLDING_TO_ASCII


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("paypal", {b"paypal"}),
        ("PayPal", {b"paypal"}),
        ("(^|[.-])pay[.-]", {b"pay.", b"pay-"}),
        (r"^login-?paypal\.com$", {b"loginpaypal.com", b"login-paypal.com"}),
        ("p[a4]yp[a4]l", {b"paypal", b"p4ypal", b"payp4l", b"p4yp4l"}),
        ("pay.*login", {b"login"}),  # the longer one
        ("pay(?!pal)x", {b"payx"}),  # a look-ahead has no width
        ("^(?=.*paypal)(?=.*login).*$", {b"paypal"}),  # but the name holds its text
        ("(?<=paypal)x", {b"paypal"}),
        ("(?=.*paypal)?login", {b"login"}),
        ("(?<=x)pay", {b"pay"}),
        (r"\bpay\b", {b"pay"}),
        ("(ab)+c", {b"ab"}),
        ("(ab){2}c", {b"ababc"}),
        ("(?:a|b)cd", {b"acd", b"bcd"}),
        ("(?>pay)pal", {b"paypal"}),
        ("pay++pal", {b"pal"}),
        (r"a\"pay", {b"pay"}),  # a quote may be escaped in JSON
        ("éboutique", {b"boutique"}),
        (r"(pay)\1", {b"pay"}),
        ("x{12}y", {b"x" * 12 + b"y"}),
        ("paypal|pay", {b"pay"}),  # the shorter one says it all
    ],
)
def test_literals_of_an_expression(pattern: str, literals: set[bytes]) -> None:
    assert required_literals(pattern) == literals


@pytest.mark.parametrize(
    "pattern",
    ["", ".*", "a", "[0-9]{8}", r"\d+", "é", "(pay)?", "pay|x", "[^a]b?", "p.y", "a/b"],
)
def test_expressions_without_a_literal(pattern: str) -> None:
    """The empty expression can match nothing that counts; the others anything."""
    assert required_literals(pattern) == (frozenset() if pattern == "" else None)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("(?=.*paypal)", {b"paypal"}),
        ("(?<=paypal)", {b"paypal"}),
        ("(?=paypal|ebay)", {b"paypal", b"ebay"}),
        ("(?!paypal)", None),
        ("(?=(?:paypal)?)", None),
        ("(?:(?=paypal)|)", None),
        (r"\b", None),
    ],
)
def test_what_matches_by_its_look_arounds_alone(
    pattern: str, literals: set[bytes] | None
) -> None:
    """`SearchKeywords` counts no empty match, `RegexFile` does."""
    assert required_literals(pattern, counts_empty=True) == literals
    assert required_literals(pattern) == frozenset()


def test_only_four_characters_fold_to_ascii() -> None:
    """The prefilter has these as marks; all of Unicode is tried."""
    folding = set()
    ours = regex.compile("[a-z]", regex.IGNORECASE)
    theirs = re.compile("[a-z]", re.IGNORECASE)
    for code in range(0x80, sys.maxunicode + 1):
        for char in {chr(code), chr(code).lower()}:
            if ours.search(char) or theirs.search(char):
                folding.add(chr(code))
    assert folding == set(FOLDING_TO_ASCII)


_ATOMS = st.sampled_from(
    [
        r"a",
        r"b",
        r"P",
        r"1",
        r"-",
        r"\.",
        r".",
        r"[ab]",
        r"[^a]",
        r"\d",
        r"\w",
        r"[a-c]",
        r"é",
        r"^",
        r"$",
        r"\b",
        r"pay",
        r"ſ",
        r"k",
        r"(?=a)",
        r"(?!b)",
        r"(?<=a)",
        r"(?=.*pay)",
        r"(?<=pay)",
        r"(?=ab|pb)",
        r"İ",
    ]
)
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda x: f"(?:{'|'.join(x)})"),
        inner.map(lambda x: f"({x})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,1}"])).map(
            lambda x: f"(?:{x[0]}){x[1]}"
        ),
    ),
    max_leaves=8,
)
_NAMES = st.text(st.sampled_from('abpy1.-éſkİıK\u212aAc"'), max_size=12)


@given(_PATTERNS, st.lists(_NAMES, max_size=20))
def test_every_match_holds_a_literal_or_a_folding_character(
    pattern: str, names: list[str]
) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expression = re.compile(pattern, re.IGNORECASE)
    except re.error:
        assume(False)
    literals = required_literals(pattern)
    with_empty = required_literals(pattern, counts_empty=True)
    looks_around = "(?=" in pattern or "(?<=" in pattern
    for name in names:
        for match in (m.group() for m in expression.finditer(name)):
            text = name if looks_around or not match else match
            folded = text.lower().encode()
            needed = literals if match else with_empty
            assert (
                needed is None
                or any(literal in folded for literal in needed)
                or any(char in text for char in FOLDING_TO_ASCII)
            )
