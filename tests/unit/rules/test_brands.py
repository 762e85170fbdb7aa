"""A file of brands: what it says, and what is wrong with it, by line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import ConfigError
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.brands import MAX_SPELLINGS, parse_brands

INI = """\
# whom we watch
[PayPal]
names = paypal, pay pal
domains = paypal.com paypal.me
    paypal.de
words = wallet
; a comment of the other kind

[Crédit Agricole]
domains = Credit-Agricole.FR
"""
PAYPAL = Brand(
    "PayPal",
    ("paypal", "pay-pal"),
    frozenset({"paypal.com", "paypal.me", "paypal.de"}),
    frozenset({"wallet"}),
)
CREDIT_AGRICOLE = Brand(
    "Crédit Agricole",
    ("creditagricole", "credit-agricole"),
    frozenset({"credit-agricole.fr"}),
)


def problems(text: str, path: str = "brands.ini") -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        parse_brands(text, path)
    return raised.value.problems


def test_an_ini_file_and_a_json_file_say_the_same() -> None:
    as_json = [
        {
            "brand": "PayPal",
            "names": ["paypal", "pay pal"],
            "domains": ["paypal.com", "paypal.me", "paypal.de"],
            "words": ["wallet"],
        },
        {"brand": "Crédit Agricole", "domains": ["Credit-Agricole.FR"]},
    ]
    brands = (PAYPAL, CREDIT_AGRICOLE)
    assert parse_brands(INI, "brands.ini") == brands
    assert parse_brands(json.dumps(as_json), "brands.json") == brands
    assert parse_brands(json.dumps(as_json, indent=1), "brands") == brands
    assert parse_brands("\ufeff" + INI.replace("\n", "\r\n"), "brands") == brands


@pytest.mark.parametrize(
    ("written", "spellings"),
    [
        ("Müller", ("muller", "mueller")),
        ("Société Générale", ("societegenerale", "societe-generale")),
        ("l'Oréal", ("loreal", "l-oreal")),
        ("Booking.com", ("bookingcom", "booking-com")),
        ("xn--mller-kva", ("muller", "mueller")),
        ("Großbank", ("grossbank",)),
        ("Office 365", ("office365", "office-365")),
    ],
)
def test_a_spelling_is_written_as_people_write_it(
    written: str, spellings: tuple[str, ...]
) -> None:
    (brand,) = parse_brands(json.dumps([{"brand": written}]), "brands.json")
    assert brand.name == written
    assert brand.spellings == spellings


def test_umlauts_in_own_domains_are_read_as_certificates_write_them() -> None:
    (brand,) = parse_brands("[Müller]\ndomains = müller.de", "brands.ini")
    assert brand.domains == {"xn--mller-kva.de"}


def test_both_forms_of_a_spelling_may_be_written() -> None:
    for names in (["credit-agricole", "creditagricole"], ["ca bank", "ca-bank"]):
        text = json.dumps([{"brand": "x bank", "names": names}])
        (brand,) = parse_brands(text, "brands.json")
        assert len(brand.spellings) == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("names = x", "'x' has fewer than two letters"),
        ("names = ***", "'***' has fewer than two letters"),
        ("names = 365", "'365' has no letter"),
        ("names = " + "x" * 64, "longer than the 63 characters of a label"),
        ("names = сбербанк", "other letters than Latin ones"),
        ("names = paypal, PayPal", "stands twice in a list, in lines 2 and 2"),
        ("domains = co.uk", "'co.uk' is a public suffix"),
        ("domains = *.paypal.com", "'*.paypal.com' is no domain"),
        ("domains = https://paypal.com/", "is no domain"),
        ("domains = com", "'com' is no domain"),
        ("words = ääh!", "'ääh!' is no word"),
        ("words = log-in", "'log-in' is no word"),
        ("words", "'words' has no value"),
        ("keywords = login", "'keywords' is no key of a brand"),
        ("names = a\x00b", "holds a control character (0x00)"),
        ("names = " + "paypal " * 1000, "has 7007 characters"),
    ],
)
def test_what_cannot_be_right_is_refused_by_line(line: str, said: str) -> None:
    (first, *_) = problems(f"[paypal]\n{line}\n[ebay]\n")
    assert first.startswith("brands.ini, line 2: ")
    assert said in first


def test_a_brand_or_spelling_that_stands_twice_is_refused() -> None:
    (told,) = problems("[paypal]\n[ebay]\n[PayPal]\n")
    assert told.startswith("brands.ini, line 3: brand 'PayPal' stands in line 1")
    (told,) = problems("[paypal]\n[ebay]\nnames = pay-pal\n")
    assert told.startswith("brands.ini, line 2: 'paypal' is a spelling of 'paypal'")
    (told,) = problems('[{"brand": "ebay"}, {"brand": "eBay"}]')
    assert "stands in line 1 already" in told


def test_problems_are_told_together_and_in_order() -> None:
    told = problems("[x]\n[paypal]\ndomains = com\nfoo = bar\n[ebay]\nwords = a\n")
    assert [text.split(":")[0] for text in told] == [
        f"brands.ini, line {line}" for line in (1, 3, 4, 6)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "brands.json, line 1: Expecting a list of brands at column 1"),
        ("[]", "brands.json: holds no brand"),
        ('{"brand": "x"}', "line 1: Expecting a list of brands at column 1"),
        ('[\n{"brand": "paypal"\n', "line 3: Expecting ',' delimiter at column 1"),
        ('[{"brand": "paypal"}]\nx', "line 2: Extra data at column 1"),
        ('[{"brand": "paypal"} {}]', "line 1: Expecting ',' or ']' at column 22"),
        ('[\n"paypal"]', "line 2: is no brand"),
        ('[{"brand": "x', "line 1: Unterminated string starting at column 12"),
        (
            '[{"brand": "a\\u202eb"}]',
            r"'a\u202eb' is no name of a brand. Write 1 to 80 characters that can be "
            "printed",
        ),
        ('[{"brand": 1}]', "line 1: '' is no name of a brand"),
        ('[{"names": ["paypal"]}]', "line 1: '' is no name of a brand"),
        ('[{"brand": "ab",\n"names": "ab"}]', "line 1: 'names' is no list of texts"),
        ('[{"brand": "ab", "names": [1]}]', "'names' is no list of texts"),
        ('[{"brand": "ab", "brand": "cd"}]', "'brand' stands twice in a brand"),
        ('[{"brand": "ab",\n"names": ["ab",\n"x"]}]', "line 3: 'x' has fewer"),
        ("[" * 100_000, "is nested too deep"),
        ("[1" + "1" * 5000 + "]", "line 1: "),
    ],
)
def test_json_that_is_none_is_refused_with_its_place(text: str, said: str) -> None:
    (first, *_) = problems(text, "brands.json")
    assert said in first


def test_an_empty_file_and_one_without_sections_are_told_what_to_write() -> None:
    assert problems("\n# nothing\n") == (
        "brands.ini: holds no brand. Write one, or remove BrandFile.",
    )
    (told,) = problems("paypal.com\n" * 100_000)
    assert told == (
        "brands.ini, line 1: stands before any brand. Begin with a line such as "
        "[paypal]."
    )


def test_a_file_of_100_000_lines_is_refused_in_few_sentences() -> None:
    names = "".join(f"[brand{i}]\n" for i in range(100_000))
    (told,) = problems(names)
    assert told.startswith(f"brands.ini, line {MAX_SPELLINGS + 1}: ")
    assert f"more than {MAX_SPELLINGS} spellings" in told
    assert len(problems("[ab]\n" * 100_000)) <= 25


@given(st.text())
def test_any_text_gives_brands_or_a_config_error(text: str) -> None:
    for path in ("brands.ini", "brands.json"):
        try:
            brands = parse_brands(text, path)
        except ConfigError:
            continue
        assert all(brand.spellings for brand in brands)
