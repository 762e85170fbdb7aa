"""All rules together: what makes a finding, what silences it, and why."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.verdict import NameVerdict, Outcome
from ctmonitor.rules.allowlist import parse_allowlist
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.popular import PopularDomains
from ctmonitor.rules.regexes import parse_regexes
from ctmonitor.rules.ruleset import Rules, RuleSet

BRANDS = (
    Brand("PayPal", ("paypal",), frozenset({"paypal.com", "paypal.me"})),
    Brand("Microsoft", ("microsoft", "office365"), frozenset({"microsoft.com"})),
    Brand("ING", ("ing",), frozenset({"ing.com"})),
)
RULES = Rules(
    keywords="paypal|secure|login",
    blacklist="intranet",
    threshold=2,
    regexes=parse_regexes("bank = ^bank[0-9]+\\.\nk\u00f6ln-", "regexes.txt"),
    allowed=parse_allowlist("example.com\n=secure-login.example.org\n", "allow.txt"),
    brands=BRANDS,
    popular=PopularDomains(frozenset({"paypal-community.net"})),
)


@pytest.fixture(scope="module")
def ruleset() -> RuleSet:
    return RuleSet(RULES)


def _kinds(verdict: NameVerdict) -> set[str]:
    return {reason.kind for reason in verdict.reasons}


@pytest.mark.parametrize(
    ("name", "outcome", "kinds"),
    [
        ("secure-login.example.net", Outcome.MATCH, {"keyword"}),
        ("secure.example.net", Outcome.BELOW, {"keyword"}),
        ("bank24.example.net", Outcome.MATCH, {"regex"}),
        ("xn--kln-dom-90a.example.net", Outcome.MATCH, {"regex"}),  # köln-dom
        ("bank24.example.com", Outcome.ALLOWED, {"allow-list"}),
        ("secure-login.example.org", Outcome.ALLOWED, {"allow-list"}),
        ("secure-login.intranet.net", Outcome.BLOCKED, {"keyword", "blacklist"}),
        ("bank24.intranet.net", Outcome.BLOCKED, {"regex", "blacklist"}),
        ("example.com", Outcome.NONE, set()),  # allowed, but nothing speaks against it
        ("www.example.net", Outcome.NONE, set()),
        ("", Outcome.NONE, set()),
    ],
)
def test_outcomes(
    name: str, outcome: Outcome, kinds: set[str], ruleset: RuleSet
) -> None:
    verdict = ruleset.judge_name(name)
    assert verdict.outcome is outcome
    assert _kinds(verdict) == kinds
    assert verdict.name == name


@pytest.mark.parametrize(
    ("name", "brand", "kind"),
    [
        ("paypa1-account-verify.com", "PayPal", "homoglyph"),
        ("rnicrosoft.support", "Microsoft", "homoglyph"),
        ("xn--pypal-4ve.com", "PayPal", "confusable"),
        ("paypal.com.signin.evil.ru", "PayPal", "own domain"),
    ],
)
def test_a_look_alike_names_the_brand_and_the_trick(
    name: str, brand: str, kind: str, ruleset: RuleSet
) -> None:
    verdict = ruleset.judge_name(name)
    assert verdict.brand == brand
    assert kind in _kinds(verdict)
    assert verdict.score == max(0, sum(reason.weight for reason in verdict.reasons))
    assert verdict.registrable == ".".join(name.split(".")[-2:])


@pytest.mark.parametrize(
    "name", ["www.paypal.com", "login.microsoft.com", "forum.paypal-community.net"]
)
def test_own_and_popular_domains_are_no_look_alikes(
    name: str, ruleset: RuleSet
) -> None:
    assert ruleset.judge_name(name).brand == ""


def test_a_look_alike_is_a_finding_from_the_alert_score_on() -> None:
    name = "paypal-account-verify.xyz"
    score = RuleSet(Rules("", brands=BRANDS)).judge_name(name).score
    assert score > 1
    for alert_score, outcome in ((score, Outcome.MATCH), (score + 1, Outcome.BELOW)):
        ruleset = RuleSet(Rules("", brands=BRANDS, alert_score=alert_score))
        assert ruleset.judge_name(name).outcome is outcome


def test_only_the_brand_that_is_resembled_most_counts(ruleset: RuleSet) -> None:
    verdict = ruleset.judge_name("microsoft.paypal-login-verify.example.net")
    assert {reason.brand for reason in verdict.reasons} >= {"PayPal", "Microsoft"}
    counting = {reason.brand for reason in verdict.reasons if reason.weight}
    assert len(counting - {""}) == 1


def test_what_is_there_again_is_told_once(ruleset: RuleSet) -> None:
    name = "paypal.paypal-paypal.microsoft.microsoft-x.example.net"
    explanation = RuleSet(replace(RULES, alert_score=1000)).explain(name)
    told = [
        (reason.brand, reason.rule)
        for reason in ruleset.judge_name(name).reasons
        if reason.kind == "whole word"
    ]
    near = [(near.brand, near.rule) for near in explanation.near if near.brand]
    expected = [("Microsoft", "microsoft"), ("PayPal", "paypal")]
    assert sorted(told) == sorted(near) == expected


def test_names_without_a_reason_are_left_out(ruleset: RuleSet) -> None:
    verdict = ruleset.judge(["a.example.net", "bank1.example.net", "b.example.net"])
    assert [name.name for name in verdict.names] == ["bank1.example.net"]


def test_can_be_pickled(ruleset: RuleSet) -> None:
    again = pickle.loads(pickle.dumps(ruleset))  # noqa: S301
    name = "paypa1-secure-login.example.net"
    assert again.judge_name(name) == ruleset.judge_name(name)


def test_expressions_without_a_text_make_the_prefilter_step_aside() -> None:
    ruleset = RuleSet(Rules("", regexes=parse_regexes("^[0-9]{9}\\.", "regexes.txt")))
    assert ruleset.prefilter() is None
    assert ruleset.judge_name("123456789.example").outcome is Outcome.MATCH


def test_a_slow_expression_is_given_up_and_counted() -> None:
    rules = Rules("", regexes=parse_regexes("slow = (login|x+)+$y", "regexes.txt"))
    ruleset = RuleSet(rules)
    verdict = ruleset.judge_name("login" + "x" * 200 + ".example.net")
    assert verdict.outcome is Outcome.NONE
    assert sum(ruleset.timeouts.values()) >= 0


@given(st.text(max_size=300))
def test_any_text_gets_a_verdict(name: str) -> None:
    verdict = _SHARED.judge_name(name)
    assert verdict.score >= 0
    explanation = _SHARED.explain(name)
    assert explanation.verdict == verdict


_SHARED = RuleSet(RULES)


def test_the_allow_list_is_explained(ruleset: RuleSet) -> None:
    explanation = ruleset.explain("paypal-secure-login.example.com")
    assert explanation.allowed_by == "example.com"
    assert explanation.verdict.outcome is Outcome.ALLOWED
    assert {(near.rule, near.kind) for near in explanation.near} >= {
        ("paypal", "keyword"),
        ("paypal", "score"),
    }
    assert all("example.com" in near.why for near in explanation.near)


def test_what_is_missing_is_explained() -> None:
    ruleset = RuleSet(replace(RULES, alert_score=1000))
    explanation = ruleset.explain("secure.paypa1.example.net")
    near = {near.kind: near for near in explanation.near}
    assert near["keyword"].missing == 1
    assert near["score"].brand == "PayPal"
    assert near["score"].missing == 1000 - explanation.verdict.score + 1
    assert explanation.registrable == "example.net"
    assert explanation.tokens == ("secure", "paypa1", "example")


def test_a_name_is_explained_as_a_person_reads_it(ruleset: RuleSet) -> None:
    explanation = ruleset.explain("*.xn--pypal-4ve.co.uk.")
    assert explanation.unicode == "p\u0430ypal.co.uk"
    assert explanation.skeleton == "paypal.co.uk"
    assert explanation.suffix == "co.uk"


def test_notes_say_what_is_not_seen_elsewhere(ruleset: RuleSet) -> None:
    notes = ruleset.explain("www.paypal.com").notes
    assert notes == ("The name is in an own domain of PayPal, so it is no look-alike.",)
    assert "xn--\u00e4" not in "".join(ruleset.explain("xn--a-b-.example").notes)
    assert "no punycode" in ruleset.explain("xn--99999999.example").notes[0]
    assert "no registrable" in ruleset.explain("192.0.2.7").notes[0]


def test_of_what_nearly_fired_the_nearest_comes_first() -> None:
    """The brand as it is comes first in a name, and the look-alike scores more."""
    brands = Brand("PayPal", ("paypal",)), Brand("Chase", ("chase",))
    ruleset = RuleSet(Rules("login", brands=brands, alert_score=10_000))
    near = ruleset.explain("purchase.paypa1-login.xyz").near
    assert [each.brand for each in near if each.kind == "score"] == ["PayPal", "Chase"]
    assert list(near) == sorted(near, key=lambda each: each.missing)
