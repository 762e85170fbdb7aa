"""What reasons come to, and how they are said."""

from itertools import permutations

from ctmonitor.model.reasons import brand_of, resemblances, score_of
from ctmonitor.model.verdict import Reason

KEYWORD = Reason("login", "keyword")
PAYPAL = (
    Reason("paypa1", "homoglyph", 58, "PayPal"),
    Reason("login", "lure", 14, "PayPal"),
    Reason(".xyz", "suffix", 9, "PayPal"),
)
APPLE = Reason("apple", "inside a word", 0, "Apple")


def test_the_brand_that_weighs_most_is_told_first_whatever_the_order() -> None:
    for reasons in permutations((KEYWORD, *PAYPAL[:2], APPLE)):
        assert brand_of(reasons) == "PayPal"
        assert resemblances(reasons) == [
            "resembles PayPal: homoglyph paypa1 +58, lure login +14 = 72",
            "resembles Apple: inside a word apple",
        ]
    assert resemblances(PAYPAL) == [
        "resembles PayPal: homoglyph paypa1 +58, lure login +14, suffix .xyz +9 = 81"
    ]


def test_what_speaks_for_a_name_is_taken_off_and_no_score_is_below_zero() -> None:
    known = Reason("old", "popular", -100, "PayPal")
    assert score_of((*PAYPAL, KEYWORD)) == 82
    assert score_of((*PAYPAL, known)) == 0
    (said,) = resemblances((*PAYPAL, known))
    assert said.endswith("suffix .xyz +9, popular old -100 = 0")


def test_rules_without_a_brand_resemble_nothing() -> None:
    assert brand_of([KEYWORD]) == ""
    assert resemblances([KEYWORD]) == []
    assert (brand_of([]), score_of([]), resemblances([])) == ("", 0, [])
    # The first of equals, which is the order of the rules.
    assert brand_of([APPLE, Reason("x", "y", 0, "Other")]) == "Apple"
