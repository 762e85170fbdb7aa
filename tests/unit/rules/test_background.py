"""How often a text stands in ordinary names."""

import pytest

from ctmonitor.rules.background import Seen, background, read_background

TABLE = ["* 1000", "orange 11 3", "storage 4 28", "orang 43", "range 50"]


def test_a_table_is_read() -> None:
    table = read_background(TABLE)

    assert table.domains == 1000
    assert table.word("orange") == Seen(registrable=11, subdomain=3)
    assert table.word("paypal") == Seen(0, 0)


@pytest.mark.parametrize(
    ("text", "domains"),
    [("orange", 43), ("orang", 43), ("oranges", 0), ("oran", 0), ("", 0)],
)
def test_inside_words_the_rarest_run_of_letters_counts(text: str, domains: int) -> None:
    assert read_background(TABLE).inside(text) == domains


@pytest.mark.parametrize(
    ("text", "letters"),
    [("orange", 6), ("xorangex", 6), ("orangxrange", 10), ("oran", 0), ("qwertz", 0)],
)
def test_letters_as_in_words_are_counted_once(text: str, letters: int) -> None:
    assert read_background(TABLE).spoken(text) == letters


def test_letters_by_lot_are_stranger_than_words() -> None:
    table = background()

    assert table.strangeness("schmidt") < table.strangeness("whbnhq")
    assert table.strangeness("x") == 0


def test_the_table_of_the_package_knows_ordinary_words_and_no_others() -> None:
    table = background()

    assert table.domains > 100_000
    assert table.word("www").subdomain > 10_000
    assert table.inside("chase") > table.inside("netflix")
    assert table.word("qzxvkjw") == (0, 0)


def test_what_only_few_domains_share_is_not_kept() -> None:
    table = background()

    assert min(sum(seen) for seen in table._words.values()) >= 5
    assert min(table._runs.values()) >= 5
