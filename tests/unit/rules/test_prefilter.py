"""The prefilter: every place that a rule can match in is pointed at."""

import pickle
from threading import Thread

from ctmonitor.rules.brand import Brand
from ctmonitor.rules.prefilter import Prefilter
from ctmonitor.rules.ruleset import Rules, RuleSet


def test_ends_of_literals_and_marks_without_regard_to_case() -> None:
    prefilter = Prefilter([b"paypal", b"login"], [b"\\u"])
    assert prefilter.ends(b"PayPal.LOGIN \\u0070 \\U") == [6, 12, 15, 22]


def test_numbers_name_the_literals() -> None:
    prefilter = Prefilter([b"paypal", b"login"])
    assert prefilter.literals == (b"login", b"paypal")
    assert prefilter.numbers(b"x.paypal.y.paypal") == {1}
    assert prefilter.numbers(b"") == set()


def test_without_literals_nothing_is_found() -> None:
    assert Prefilter([]).ends(b"paypal") == []


def test_steps_aside_when_an_alternative_has_no_literal() -> None:
    ruleset = RuleSet(Rules("paypal|[0-9]{12}", "", 1))
    assert ruleset.prefilter() is None
    assert ruleset.unfilterable == ("[0-9]{12}",)


def test_points_at_letters_that_only_fold_to_ascii() -> None:
    prefilter = RuleSet(Rules("secure|login|kiosk", "", 1)).prefilter()
    assert prefilter is not None
    for name in ("\u017fecure", "log\u0131n", "log\u0130n", "\u212aiosk"):
        assert prefilter.ends(name.encode()), name
    assert not prefilter.ends("Société Générale".encode())


def test_can_be_pickled() -> None:
    prefilter = pickle.loads(pickle.dumps(Prefilter([b"ab"], [b"cd"])))  # noqa: S301
    assert prefilter.ends(b"abcd") == [2, 4]


def test_a_twin_searches_the_same() -> None:
    prefilter = Prefilter([b"ab"], [b"cd"], [b"x[yz]"])
    twin = prefilter.twin()
    assert twin.ends(b"abcdxz") == prefilter.ends(b"abcdxz") == [2, 4, 6]
    assert twin.literals == prefilter.literals
    assert Prefilter([]).twin().ends(b"ab") == []


def test_names_are_judged_while_the_stream_is_searched() -> None:
    """Both search one database, each with a memory of its own for what it is at."""
    ruleset = RuleSet(Rules("login", brands=(Brand("PayPal", ("paypal",)),)))
    prefilter = ruleset.prefilter()
    assert prefilter is not None
    found: list[int] = []
    data = b"a.example " * 2_000_000 + b"paypal.example"

    def search() -> None:
        found.extend(len(prefilter.ends(data)) for _ in range(10))

    searching = Thread(target=search)
    searching.start()
    while searching.is_alive():
        assert ruleset.judge_name("paypal-login.example").reasons
    assert found == [1] * 10
