"""What a label looks like when it is read as ASCII."""

import dnstwist
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.rules.confusables import folded, skeleton


@pytest.mark.parametrize(
    ("label", "look"),
    [
        ("paypal", "paypal"),
        ("\u0440\u0430\u0443\u0440\u0430l", "paypal"),  # Cyrillic
        ("\u217f\U0001d422crosoft", "microsoft"),  # a Roman numeral, a bold letter
        ("m\u00fcller", "muller"),
        ("mu\u0308ller", "muller"),  # the mark by itself
        ("pay\u200dpal", "paypal"),  # not shown
        ("\uff50\uff41\uff59", "pay"),  # full width
        ("f\u0153tus", "foetus"),
        ("stra\u00dfe", "strasse"),
        ("a\u2024b", "a-b"),  # looks like a dot, and is none
        ("\u65e5\u672c", "\u65e5\u672c"),
        ("", ""),
    ],
)
def test_a_label_is_folded_to_the_ascii_that_it_looks_like(
    label: str, look: str
) -> None:
    assert skeleton(label) == look


def test_all_letters_that_dnstwist_takes_for_alike_are_folded() -> None:
    fuzzer = dnstwist.Fuzzer
    tables = [
        fuzzer.glyphs_unicode,
        fuzzer.latin_to_cyrillic,
        *fuzzer.glyphs_idn_by_tld.values(),
    ]
    for table in tables:
        for letter, alike in table.items():
            assert [skeleton(char) for char in alike] == [letter] * len(alike)


@given(st.text())
def test_each_character_of_a_look_has_its_origin(label: str) -> None:
    look, origins = folded(label)
    assert len(look) == len(origins)
    assert list(origins) == sorted(origins)
    assert all(0 <= origin < len(label) for origin in origins)
    assert "." not in look or "." in label


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_itself_in_lower_case(label: str) -> None:
    assert folded(label) == (label.lower(), tuple(range(len(label))))
