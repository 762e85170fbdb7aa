"""Counting in bounded memory, and which rules a finding is owed to."""

import random

import pytest

from ctmonitor.cli.check_tally import (
    LOOK_ALIKE,
    OTHER_RULES,
    Distinct,
    Few,
    Parts,
    Remembered,
    RuleCounts,
    Sample,
    domain_of,
    rule_of,
    table,
)
from ctmonitor.model.verdict import NameVerdict, Outcome, Reason

PAYPAL = Reason("paypal", "keyword")
LOGIN = Reason("login", "keyword")
NUMBERS = Reason("numbers", "regex")
TYPO = Reason("paypl", "omission", 70, "PayPal")
LURE = Reason("login", "lure", 40, "PayPal")
AGAINST = Reason("deep", "structure", -20, "PayPal")
OTHER = Reason("pay", "whole word", 0, "Payback")


def test_distinct_texts_are_counted_exactly_at_first() -> None:
    distinct = Distinct()
    distinct.add(["a", "b", "a"])
    distinct.add(["b", "c"])
    assert (len(distinct), distinct.is_exact) == (3, True)


def test_beyond_it_the_number_is_estimated_within_one_in_a_thousand() -> None:
    distinct = Distinct(exact=1000)
    for start in range(0, 300_000, 10_000):
        distinct.add(
            f"host-{number}.example" for number in range(start, start + 10_000)
        )
        distinct.add(f"host-{number}.example" for number in range(start))
    assert not distinct.is_exact
    assert len(distinct) == pytest.approx(300_000, rel=0.001)


def test_few_says_when_there_may_be_more() -> None:
    few = Few(2)
    few.add("a")
    few.add("a")
    assert (len(few), few.is_full) == (1, False)
    few.add("b")
    few.add("c")
    assert (len(few), few.is_full) == (2, True)


def test_a_name_is_remembered_in_any_case() -> None:
    remembered = Remembered(2)
    assert [remembered.is_new(name) for name in ("a", "A", "b", "a")] == [
        True,
        False,
        True,
        False,
    ]
    assert not remembered.is_full
    assert [remembered.is_new("c"), remembered.is_new("c")] == [True, True]
    assert remembered.is_full


def test_each_thing_has_the_same_chance_to_be_in_a_sample() -> None:
    drawn = [0] * 10
    chance = random.Random(1)
    for _ in range(2000):
        sample = Sample(3, chance)
        for thing in range(10):
            sample.add(thing)
        for thing in sample.things:
            drawn[thing] += 1
    assert sum(drawn) == 6000
    assert all(500 < count < 700 for count in drawn)


def verdict(*reasons: Reason, outcome: Outcome = Outcome.MATCH) -> NameVerdict:
    return NameVerdict("a.b.example", outcome, 0, reasons)


@pytest.mark.parametrize(
    ("reasons", "causes", "needed"),
    [
        ([PAYPAL], [], []),
        ([PAYPAL, LOGIN], ["paypal", "login"], ["paypal", "login"]),
        ([PAYPAL, LOGIN, Reason("x", "keyword")], ["paypal", "login", "x"], []),
        ([PAYPAL, NUMBERS], ["numbers"], ["numbers"]),
        ([NUMBERS, Reason("x", "regex")], ["numbers", "x"], []),
        ([PAYPAL, LOGIN, NUMBERS], ["numbers", "paypal", "login"], []),
        ([TYPO], [], []),
        ([OTHER, TYPO, LURE], ["PayPal"], ["PayPal"]),
        ([TYPO, LURE, AGAINST], [], []),
        ([TYPO, LURE, NUMBERS], ["numbers", "PayPal"], []),
    ],
)
def test_a_finding_is_owed_to_rules(
    reasons: list[Reason], causes: list[str], needed: list[str]
) -> None:
    """With two keywords or 100 points, and what would be missing without each."""
    parts = Parts.of(verdict(*reasons))
    assert [rule for _, rule in parts.causes(2, 100)] == causes
    assert [rule for _, rule in parts.needed(2, 100)] == needed
    assert parts.makes(2, 100) == bool(causes)


def test_rules_are_counted_with_what_they_alone_find() -> None:
    counts = RuleCounts(2, 100, random.Random(0))
    found = [
        verdict(PAYPAL, LOGIN),
        verdict(PAYPAL, LOGIN, NUMBERS),
        verdict(TYPO, LURE, LOGIN),
    ]
    missed = verdict(TYPO, LOGIN, OTHER, outcome=Outcome.BELOW)
    for number, one in enumerate([*found, missed]):
        counts.note(one, Parts.of(one), f"{number % 2}.example")
    table_of = {
        (kind, rule): (count.fired, count.found, count.alone, len(count.domains))
        for kind, rule, count in counts.sorted()
    }
    assert table_of == {
        ("keyword", "login"): (4, 2, 1, 2),
        ("keyword", "paypal"): (2, 2, 1, 2),
        ("regex", "numbers"): (1, 1, 0, 1),
        (LOOK_ALIKE, "PayPal"): (2, 1, 1, 1),
        (LOOK_ALIKE, "Payback"): (1, 0, 0, 0),
    }
    assert next(iter(table_of)) == ("keyword", "login")


def test_the_example_of_a_rule_is_a_finding_where_there_is_one() -> None:
    counts = RuleCounts(1, 100, random.Random(0))
    for number in range(20):
        kept = Reason("found", "keyword") if number == 7 else Reason("nothing", "x")
        outcome = Outcome.MATCH if number == 7 else Outcome.BELOW
        one = NameVerdict(f"{number}.example", outcome, 1, (kept, TYPO))
        counts.note(one, Parts.of(one), "a.example")
    examples = {rule: count.example for _, rule, count in counts.sorted()}
    assert examples["found"] == "7.example"
    assert examples["nothing"] != "7.example"


def test_rules_without_end_are_counted_together() -> None:
    """A keyword that is an expression may match another text in every name."""
    counts = RuleCounts(1, 100, random.Random(0))
    for number in range(10_050):
        one = verdict(Reason(str(number), "keyword"))
        counts.note(one, Parts.of(one), "a.example")
    assert counts.counts[("keyword", OTHER_RULES)].found == 50
    assert len(counts.counts) == 10_001


def test_the_domain_of_a_name_is_the_registrable_one() -> None:
    assert domain_of(NameVerdict("a.b.co.uk", Outcome.MATCH)) == "b.co.uk"
    assert domain_of(NameVerdict("x", Outcome.MATCH, registrable="y.de")) == "y.de"
    assert domain_of(NameVerdict("192.0.2.1", Outcome.MATCH)) == "192.0.2.1"


def test_all_reasons_of_a_brand_are_of_one_rule() -> None:
    assert {rule_of(TYPO), rule_of(LURE)} == {(LOOK_ALIKE, "PayPal")}
    assert rule_of(LOGIN) == ("keyword", "login")


def test_a_table_has_aligned_columns() -> None:
    rows = [("a", "1", "x"), ("bbb", "1,000", "")]
    assert table(rows, frozenset({1})) == ["a        1  x", "bbb  1,000"]
    assert table([], frozenset()) == []
