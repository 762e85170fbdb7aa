"""What names tell about the rules."""

import pytest

from ctmonitor.cli.check_advice import as_lines, as_object
from ctmonitor.cli.check_names import NAMES, Block, Names
from ctmonitor.cli.check_suggest import KeywordUse, Suggestions
from ctmonitor.rules.ruleset import Rules, RuleSet

SOURCE = Names("names", "'names'", NAMES, iter(()))


def suggested(keywords: str, names: list[str], share: float = 0.001) -> Suggestions:
    suggestions = Suggestions(RuleSet(Rules(keywords)), share=share)
    suggestions.add(Block(names, [], 0))
    return suggestions


def test_a_keyword_is_looked_for_by_itself() -> None:
    """As a whole, `pay|paypal` finds `pay` alone."""
    use = KeywordUse("pay|paypal|[0-9]{8}|secur(e|ity)")
    assert use.matches("paypal-security.example") == {
        0: "pay",
        1: "paypal",
        3: "security",
    }
    assert use.matches("20261121.\u017f.example") == {2: "20261121"}
    assert use.matches("\u017fecure.example") == {3: "\u017fecure"}


def test_keywords_that_never_fire_or_too_often_are_told() -> None:
    names = [f"host-{number}.example" for number in range(97)]
    names += ["login.a.example", "LOGIN.a.example", "login.b.example", "paypal.de"]
    result = as_object(suggested("login|paypal|absent", names, 0.011), SOURCE)
    assert result["never"] == [
        {"rule": "absent", "kind": "keyword", "fired": 0, "found": 0}
    ]
    assert result["often"] == [
        {"rule": "login", "kind": "keyword", "fired": 2, "found": 2}
    ]


@pytest.mark.parametrize(
    ("keywords", "covered"),
    [
        ("paypal|paypal-login", [("paypal-login", "paypal")]),
        ("paypal-login|paypal", [("paypal-login", "paypal")]),
        ("pay|paypal", [("paypal", "pay")]),
        ("paypal|paypal", [("paypal", "paypal")]),
        ("paypal|login", []),
        ("p[a4]ypal|paypal", [("paypal", "p[a4]ypal")]),
        ("paypal|p[a4]ypal", [("paypal", "p[a4]ypal")]),
        ("secure|secur(e|ity)", []),
        ("absent|absently", [("absently", "absent")]),
    ],
)
def test_a_keyword_that_another_covers_is_told(
    keywords: str, covered: list[tuple[str, str]]
) -> None:
    names = ["paypal-login.example", "p4ypal.example", "paypal.de", "security.de"]
    result = as_object(suggested(keywords, names), SOURCE)
    assert [(one["rule"], one["covered_by"]) for one in result["covered"]] == covered


def test_lines_for_the_allow_list_are_domains_and_words_that_come_again() -> None:
    names = [f"login-{number}.host.one.co.uk" for number in range(4)]
    names += [f"www.psychologin.{where}.de" for where in ("a", "b", "c")]
    names += [f"securelogin.{where}.fr" for where in ("a", "b", "c")]
    names += ["login.rare.example"]
    result = as_object(suggested("login|secure", names), SOURCE)
    assert result["allow"] == [
        {
            "line": "one.co.uk",
            "findings": 4,
            "registrable_domains": 1,
            "rules": ["login"],
        },
        {
            "line": "/(?:^|[.-])psychologin(?:[.-]|$)/",
            "findings": 3,
            "registrable_domains": 3,
            "rules": ["login"],
        },
    ]


def test_text_of_the_report_has_lines_to_paste() -> None:
    names = [f"login-{number}.one.example" for number in range(3)]
    lines = list(as_lines(suggested("login|absent", names), SOURCE))
    assert lines[-2:] == ["# 3 found: login", "one.example"]
    assert "  absent  keyword" in lines
    assert "  login  keyword  3 names  100.0000%  3 found" in lines
