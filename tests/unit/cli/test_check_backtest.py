"""What a backtest counts."""

import re

import pytest

from ctmonitor.cli.check_backtest import Backtest
from ctmonitor.cli.check_names import NAMES, Block, Names
from ctmonitor.cli.check_report import as_lines, as_object
from ctmonitor.model.verdict import NameVerdict
from ctmonitor.rules.ruleset import Rules, RuleSet

RULES = RuleSet(Rules("paypal|login|secure", "intranet", 2))
NAMES_READ = [
    "plain.example",
    "login.example",
    "login.intranet",
    "paypal-login.one.example",
    "PAYPAL-LOGIN.one.example",
    "secure-login.two.one.example",
    "paypal-login.secure.de",
    "paypal-login.intranet",
]


def block(names: list[str], days: list[str] | None = None) -> Block:
    return Block(names, days or [], 0)


def source(names: list[str]) -> Names:
    return Names("names", "'names'", NAMES, iter([block(names)]))


def tried(**more: int) -> Backtest:
    backtest = Backtest(RULES, **more)
    backtest.add(block(NAMES_READ[:5]))
    backtest.add(block(NAMES_READ[5:]))
    return backtest


def test_names_count_once_and_findings_by_their_domains() -> None:
    result = as_object(tried(), source([]))
    assert (result["names_read"], result["names"]) == (8, 7)
    assert (result["found"], result["registrable_domains"]) == (3, 2)
    assert result["outcomes"] == {
        "match": 3,
        "blacklisted": 1,
        "allow-listed": 0,
        "below-threshold": 2,
    }


def test_rules_are_told_with_what_only_they_find() -> None:
    rules = {
        (rule["kind"], rule["rule"]): [
            rule[key] for key in ("fired", "found", "alone", "registrable_domains")
        ]
        for rule in as_object(tried(), source([]))["rules"]
    }
    assert rules == {
        ("keyword", "login"): [6, 3, 2, 2],
        ("keyword", "paypal"): [3, 2, 1, 2],
        ("keyword", "secure"): [2, 2, 1, 2],
        ("blacklist", "intranet"): [1, 0, 0, 0],
    }


def test_another_threshold_is_tried_and_what_is_blocked_stays_so() -> None:
    trials = as_object(tried(), source([]))["thresholds"]
    assert [
        (one["value"], one["is_set"], one["found"], one["registrable_domains"])
        for one in trials
        if one["setting"] == "DetectionThreshold"
    ] == [(1, False, 4, 3), (2, True, 3, 2), (3, False, 1, 1)]


@pytest.mark.parametrize("threshold", [1, 3])
def test_a_trial_finds_what_rules_with_that_threshold_find(threshold: int) -> None:
    other = Backtest(RuleSet(Rules("paypal|login|secure", "intranet", threshold)))
    other.add(block(NAMES_READ))
    trials = as_object(tried(), source([]))["thresholds"]
    assert other.found == trials[threshold - 1]["found"]


def test_days_are_counted_where_they_are_known() -> None:
    backtest = Backtest(RULES)
    days = ["2026-11-20", "2026-11-21", "2026-11-21", ""]
    backtest.add(
        block(
            ["paypal-login.a.de", "PayPal-login.a.de", "secure-login.b.de", "x"], days
        )
    )
    assert as_object(backtest, source([]))["days"] == [
        {"day": None, "names": 1, "found": 0, "registrable_domains": 0},
        {"day": "2026-11-20", "names": 1, "found": 1, "registrable_domains": 1},
        {"day": "2026-11-21", "names": 2, "found": 1, "registrable_domains": 1},
    ]


def test_samples_are_those_of_the_seed() -> None:
    names = [f"paypal-login-{number}.example" for number in range(100)]

    def drawn(seed: int, samples: int = 5) -> list[str]:
        backtest = Backtest(RULES, samples=samples, seed=seed)
        backtest.add(block(names))
        return [one["name"] for one in as_object(backtest, source([]))["samples"]]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 5
    assert set(drawn(1, samples=200)) == set(names)
    assert drawn(1, samples=0) == []


def test_each_finding_is_told_in_order() -> None:
    told: list[NameVerdict] = []
    backtest = Backtest(RULES, on_finding=told.append)
    backtest.add(block(NAMES_READ))
    assert [verdict.name for verdict in told] == [
        NAMES_READ[3],
        NAMES_READ[5],
        NAMES_READ[6],
    ]


def test_rules_without_a_known_text_find_the_same() -> None:
    """`[a-z]{40}` has no text for the prefilter, so that all names are judged."""
    backtest = Backtest(RuleSet(Rules("login|[a-z]{40}")))
    backtest.add(block(["a" * 40, "x.example", "login.example"]))
    assert (backtest.found, len(backtest.names)) == (2, 3)


def test_the_report_is_text_without_escapes_of_strangers() -> None:
    backtest = Backtest(RULES)
    backtest.add(block(["paypal-login\x1b[2J\n.example"]))
    text = "\n".join(as_lines(backtest, source([])))
    assert "\x1b" not in text
    assert r"2  paypal-login\x1b[2J\x0a.example  paypal, login" in text
    assert re.search(r"^found +1 +\(10000\.00 in 10,000 distinct", text, re.MULTILINE)
