"""Lure words, glued together as host names have them."""

import pytest

from ctmonitor.rules.lures import Lured, Topic, lured, lures, read_lures

LANGUAGES = {
    "en": "account",
    "fr": "facture",
    "de": "rechnung",
    "es": "cuenta",
    "it": "rimborso",
    "pl": "logowanie",
    "pt": "boleto",
    "nl": "inloggen",
}


@pytest.mark.parametrize("word", LANGUAGES.values(), ids=LANGUAGES.keys())
def test_each_language_of_our_users_has_its_words(word: str) -> None:
    assert lured(word) == Lured((word,), 0)


def test_each_topic_has_words() -> None:
    assert set(lures().values()) == set(Topic)


@pytest.mark.parametrize(
    ("piece", "words", "rest"),
    [
        ("securelogin", ("secure", "login"), 0),
        ("supportteamonline", ("support", "team", "online"), 0),
        ("kundenkonto", ("kunden", "konto"), 0),
        ("xyzlogin", ("login",), 3),
        ("loginxyz", ("login",), 3),
        # Four letters beside others are more often a part of another word.
        ("passion", (), 7),
        ("bankrott", (), 8),
        # Three and fewer count as a whole piece only.
        ("pay", ("pay",), 0),
        ("payqrs", (), 6),
        ("", (), 0),
        ("zq", (), 2),
    ],
)
def test_a_piece_is_taken_apart(piece: str, words: tuple[str, ...], rest: int) -> None:
    assert lured(piece) == Lured(words, rest)


@pytest.mark.parametrize(
    "line", ["en: login login", "en: log-in", "en: Login", "en: z", "[unknown]"]
)
def test_a_line_that_cannot_be_right_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"login|log-in|Login|'z'|unknown"):
        read_lures(["[login]", line])
