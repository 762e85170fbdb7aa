"""The keyword rule: the original's meaning, with three documented differences."""

import pickle
import re
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.model.verdict import Outcome, Reason
from ctmonitor.rules.keywords import Keywords
from ctmonitor.rules.pattern import check
from ctmonitor.rules.ruleset import Rules, RuleSet

KEYWORDS = "paypal|apple|account|secure|login"


@pytest.mark.parametrize(
    ("name", "outcome", "score"),
    [
        ("login-paypal.com", Outcome.MATCH, 2),
        ("paypal.com", Outcome.BELOW, 1),
        ("paypal-paypal.com", Outcome.BELOW, 1),  # distinct ones count
        ("PAYPAL.Login.example", Outcome.MATCH, 2),
        ("*.secure-account.example", Outcome.MATCH, 2),
        ("bank-login-paypal.com", Outcome.BLOCKED, 2),
        ("BANK-login-paypal.com", Outcome.BLOCKED, 2),
        ("bank-paypal.com", Outcome.BELOW, 1),  # not reached, so nothing to block
        ("example.com", Outcome.NONE, 0),
        ("", Outcome.NONE, 0),
        ("\u017fecure-login.com", Outcome.MATCH, 2),  # re takes long s for s
        ("xn--pypal-4ve.com", Outcome.NONE, 0),  # the name as issued
    ],
)
def test_outcomes(name: str, outcome: Outcome, score: int) -> None:
    verdict = RuleSet(Rules(KEYWORDS, "bank", 2)).judge_name(name)
    assert (verdict.outcome, verdict.score) == (outcome, score)


def test_a_verdict_names_every_rule_that_fired() -> None:
    verdict = RuleSet(Rules(KEYWORDS, "ba.k", 2)).judge_name("bank-login-paypal.com")
    assert verdict.reasons == (
        Reason("login", "keyword"),
        Reason("paypal", "keyword"),
        Reason("bank", "blacklist", 0),
    )


def test_all_names_of_a_certificate_are_judged() -> None:
    names = ("a.example", "login-paypal.com", "secure.example", "apple-account.net")
    verdict = RuleSet(Rules(KEYWORDS, "", 2)).judge(names)
    assert [v.name for v in verdict.findings] == [
        "login-paypal.com",
        "apple-account.net",
    ]
    assert [v.name for v in verdict.names] == list(names[1:])


def test_groups_do_not_change_what_is_counted() -> None:
    """The original counts what the group captured: here the empty text, twice."""
    ruleset = RuleSet(Rules("pay(pal)?|log(in)?", "", 2))
    assert ruleset.judge_name("pay-log.com").score == 2


def test_empty_matches_do_not_count() -> None:
    ruleset = RuleSet(Rules("paypal|", "", 1))
    assert ruleset.judge_name("example.com").outcome is Outcome.NONE
    assert ruleset.judge_name("paypal.com").score == 1
    assert ruleset.unfilterable == ()


def test_a_blacklist_that_matches_only_nothing_blocks_nothing() -> None:
    ruleset = RuleSet(Rules("paypal", "bank|", 1))
    assert ruleset.judge_name("paypal.com").outcome is Outcome.MATCH


def test_a_runaway_expression_is_given_up_and_counted() -> None:
    ruleset = RuleSet(Rules("(a|a)+$|paypal", "", 1))
    assert ruleset.judge_name("a" * 64 + "!").outcome is Outcome.NONE
    assert ruleset.timeouts == {"SearchKeywords": 1}
    assert ruleset.judge_name("paypal.com").outcome is Outcome.MATCH


def test_a_certificate_made_of_slow_names_costs_seconds_not_minutes() -> None:
    """After 10 time-outs of 0.1 s each name has a tenth of that."""
    ruleset = RuleSet(Rules("(a|a)+$|paypal", "", 1))
    ruleset.judge(f"{'a' * 60}{n}!" for n in range(100))
    assert ruleset.timeouts == {"SearchKeywords": 100}
    assert ruleset.judge_name("paypal.com").outcome is Outcome.MATCH


def test_rules_can_be_pickled() -> None:
    ruleset = pickle.loads(pickle.dumps(RuleSet(Rules(KEYWORDS, "bank", 2))))  # noqa: S301
    assert ruleset.judge_name("login-paypal.com").outcome is Outcome.MATCH
    assert pickle.loads(pickle.dumps(Keywords("a|b"))).pattern == "a|b"  # noqa: S301


def test_a_huge_name_is_judged_in_part() -> None:
    ruleset = RuleSet(Rules(KEYWORDS, "", 2))
    assert ruleset.judge_name("login-paypal" + "x" * 65536).outcome is Outcome.MATCH


def test_the_promised_description() -> None:
    described = RuleSet(Rules(KEYWORDS, "", 2)).describe()
    assert described == (
        f"Looking for these strings: {KEYWORDS}, detection threshold: 2"
    )


_WORD = st.text("abc-.", min_size=0, max_size=3)
_BRANCH = st.one_of(
    _WORD.map(re.escape),
    st.sampled_from(["a.c", "[ab]c", "a+b?", "^a", "c$", r"\bab", "(?:ab)+", "b(?!c)"]),
)


@given(
    st.lists(_BRANCH, min_size=1, max_size=30),
    st.lists(st.text("abcABC-.", max_size=12), min_size=1, max_size=10),
)
def test_finds_what_the_original_finds(parts: list[str], names: list[str]) -> None:
    """
    The reference is the original's line, on lower-cased names and without groups.

    From 12 alternatives on only those that the scan named are matched.
    """
    pattern = "|".join(parts)
    try:
        check(pattern)
    except FormatError:
        assume(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expression = re.compile(pattern, re.IGNORECASE)
    ruleset = RuleSet(Rules(pattern, "", 1))
    for name in names:
        found = {m.group() for m in expression.finditer(name.lower())} - {""}
        verdict = ruleset.judge_name(name)
        assert {reason.rule for reason in verdict.reasons} == found
        assert verdict.score == len(found)


def test_two_thousand_keywords() -> None:
    """Order decides between alternatives, as in one big expression."""
    words = [f"word{n}" for n in range(2000)]
    ruleset = RuleSet(Rules("|".join(words), "", 2))
    verdict = ruleset.judge_name("word1234-word77.example")
    # `word1` stands before `word1234` and `word7` before `word77`.
    assert [r.rule for r in verdict.reasons] == ["word1", "word7"]
    assert len(ruleset) == 2000
