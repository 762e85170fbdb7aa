"""Strangers' text: one line, printable, bounded."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.text import MAX_KEY_CHARACTERS, bounded, printable, shortened


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("login-paypal.com", "login-paypal.com"),
        ("bücher.example", "bücher.example"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\0c\x7f", r"a\x0ab\x00c\x7f"),
        ("a\u202eb", r"a\u202eb"),  # would turn the rest of the line around
        ("a\u200bb", r"a\u200bb"),
        ("a\ud800b", r"a\ud800b"),
        ("a\u2028b", r"a\u2028b"),
        ("a\U000e0001b", r"a\U000e0001b"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_printable_text_can_be_encoded_and_moves_no_cursor(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Cn") for c in shown)
    assert printable(shown) == shown


@given(st.text(min_size=MAX_KEY_CHARACTERS + 1), st.text())
def test_different_long_texts_give_different_keys(long: str, other: str) -> None:
    assert len(bounded(long)) <= MAX_KEY_CHARACTERS
    if long != other:
        assert bounded(long) != bounded(other)


def test_short_texts_stay_and_long_ones_are_cut() -> None:
    assert bounded("x" * MAX_KEY_CHARACTERS) == "x" * MAX_KEY_CHARACTERS
    assert shortened("x" * 200, 10) == "xxxxxxx..."
    assert shortened("short") == "short"
