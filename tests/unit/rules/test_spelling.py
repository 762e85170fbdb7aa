"""One spelling of a brand, and the texts that can be taken for it."""

import dnstwist
import pytest

from ctmonitor.rules.resemblance import Trick
from ctmonitor.rules.spelling import (
    inner_errors,
    joined,
    look_alikes,
    parted,
    typing_error,
)


@pytest.mark.parametrize(
    ("text", "trick"),
    [
        ("paypl", Trick.OMISSION),
        ("aypal", Trick.OMISSION),
        ("paypa", Trick.OMISSION),
        ("payypal", Trick.REPETITION),
        ("ppaypal", Trick.REPETITION),
        ("paypall", Trick.REPETITION),
        ("papyal", Trick.TRANSPOSITION),
        ("apypal", Trick.TRANSPOSITION),
        ("paypla", Trick.TRANSPOSITION),
        ("psypal", Trick.NEIGHBOUR_KEY),
        ("pqypal", Trick.NEIGHBOUR_KEY),  # on a French keyboard
        ("paxpal", Trick.NEIGHBOUR_KEY),  # on a German one
        ("paypol", Trick.VOWEL_SWAP),
        ("paypad", Trick.BIT_FLIP),
        ("paynal", Trick.REPLACEMENT),
        ("paypa1", Trick.HOMOGLYPH),
        ("paygpal", Trick.INSERTION),
        ("xpaypal", Trick.INSERTION),
        ("paypalx", Trick.ADDITION),
        ("paypals", Trick.PLURAL),
        ("pay-pal", Trick.HYPHEN),
        ("pay.pal", Trick.HYPHEN),
        ("paypal", None),
        ("papayl", None),
        ("pypl", None),
        ("", None),
    ],
)
def test_a_typing_error_has_the_name_that_says_most(
    text: str, trick: Trick | None
) -> None:
    assert typing_error("paypal", text) is trick


def test_words_that_end_in_s_have_their_own_plural() -> None:
    assert typing_error("mastercard", "masestercard") is Trick.PLURAL
    assert typing_error("mastercard", "matestercard") is None


def test_the_keyboards_are_those_of_dnstwist() -> None:
    """Each of its replacements is a key's neighbour, or something that says more."""
    for word in ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"):
        permutations = dnstwist.Fuzzer(f"{word}.com")
        permutations.generate(["replacement"])
        for one in permutations.domains:
            assert typing_error(word, one["domain"].removesuffix(".com")) in (
                Trick.NEIGHBOUR_KEY,
                Trick.HOMOGLYPH,
                Trick.VOWEL_SWAP,
            )


def test_one_or_two_look_alike_characters_are_exchanged() -> None:
    alike = look_alikes("microsoft")
    assert {"rnicrosoft", "micr0soft", "rnicr0soft", "nnicrosoft", "mlcr0soft"} <= alike
    assert "rn1cr0soft" not in alike
    assert "microsoft" not in alike
    assert "g00gle" in look_alikes("google")
    assert "g001le" not in look_alikes("google")


def test_short_spellings_have_fewer_alike_and_no_errors() -> None:
    assert "app1e" in look_alikes("apple")
    assert "applc" not in look_alikes("apple")  # `c` for `e` is weak
    assert "applc1" not in look_alikes("apple")
    assert look_alikes("ebay") == frozenset()
    assert list(inner_errors("apple")) == []


def test_inner_errors_are_single_ones_that_keep_the_ends_but_for_transpositions() -> (
    None
):
    for text in inner_errors("paypal"):
        trick = typing_error("paypal", text.replace("_", "-"))
        assert trick is not None or text == "paypal"
        assert (text[0], text[-1]) == ("p", "l") or trick is Trick.TRANSPOSITION


def test_a_spelling_is_parted_by_several_hyphens_or_dots() -> None:
    assert {"bank-of-america", "bank.of.america"} <= set(parted("bankofamerica"))
    assert set(parted("paypal")) == {
        *("p-a-y-p-a-l", "p.a.y.p.a.l", "pa-yp-al", "pa.yp.al")
    }
    assert {joined(text) for text in parted("bankofamerica")} == {"bankofamerica"}
    assert list(parted("apple")) == list(parted("credit-agricole")) == []
