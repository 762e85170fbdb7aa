"""What two sets of rules find, and one of them alone."""

from ctmonitor.cli.check_compare import Comparison, Side, as_lines, as_object
from ctmonitor.cli.check_names import NAMES, Block, Names
from ctmonitor.model.verdict import NameVerdict
from ctmonitor.rules.ruleset import Rules, RuleSet

FIRST = Side("old.conf", RuleSet(Rules("paypal|login")))
SECOND = Side("new.conf", RuleSet(Rules("paypal|secure|login", threshold=2)))
READ = [
    "plain.example",
    "paypal.example",
    "paypal-login.example",
    "PAYPAL-login.example",
    "login.one.example",
    "secure.paypal.example",
]
SOURCE = Names("names", "'names'", NAMES, iter(()))


def test_findings_are_told_apart_by_who_finds_them() -> None:
    told: list[tuple[str, str, str, str]] = []

    def listed(whose: str, first: NameVerdict, second: NameVerdict) -> None:
        told.append((whose, first.name, first.outcome.value, second.outcome.value))

    comparison = Comparison(FIRST, SECOND, on_finding=listed)
    comparison.add(Block([*READ, "secure.only.example", "secure-login.de"], [], 0))
    assert told == [
        ("first", "paypal.example", "match", "below-threshold"),
        ("both", "paypal-login.example", "match", "match"),
        ("first", "login.one.example", "match", "below-threshold"),
        ("both", "secure.paypal.example", "match", "match"),
        ("both", "secure-login.de", "match", "match"),
    ]
    result = as_object(comparison, SOURCE)
    assert result["first"] == {"config": "old.conf", "found": 5}
    assert result["second"] == {"config": "new.conf", "found": 3}
    assert result["names"] == 7
    only = result["only_first"]
    assert (only["found"], only["registrable_domains"]) == (2, 2)
    assert only["rules"] == [
        {"rule": "paypal", "kind": "keyword", "found": 1},
        {"rule": "login", "kind": "keyword", "found": 1},
    ]
    assert sorted(one["name"] for one in only["samples"]) == [
        "login.one.example",
        "paypal.example",
    ]
    assert result["only_second"]["found"] == 0


def test_the_sides_can_be_exchanged() -> None:
    comparison = Comparison(SECOND, FIRST)
    comparison.add(Block(READ, [], 0))
    result = as_object(comparison, SOURCE)
    assert (result["only_first"]["found"], result["only_second"]["found"]) == (0, 2)
    lines = [" ".join(line.split()) for line in as_lines(comparison, SOURCE)]
    assert "only by new.conf 0 0" in lines
    assert "only by old.conf 2 2" in lines
    assert "only by old.conf: the rules that found them" in lines
    assert "1 paypal.example paypal" in lines
