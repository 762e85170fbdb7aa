"""Where a name resembles a brand, and how."""

import pickle

import dnstwist
import hyperscan
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ctmonitor.rules.brand import Brand
from ctmonitor.rules.hostname import host_name
from ctmonitor.rules.lookalike import LookAlikes
from ctmonitor.rules.resemblance import Place, Resemblance, Trick

BRANDS = (
    Brand("paypal", ("paypal",), frozenset({"paypal.com", "paypal.co.uk"})),
    Brand(
        "microsoft",
        ("microsoft", "office365", "outlook"),
        frozenset({"microsoft.com", "hotmail.com", "live.com", "office365.com"}),
    ),
    Brand("apple", ("apple", "appleid", "icloud"), frozenset({"apple.com"})),
    Brand("chase", ("chase",)),
    Brand("mastercard", ("mastercard",)),
    Brand("muller", ("muller", "mueller"), frozenset({"xn--mller-kva.de"})),
    Brand("ing", ("ing",), frozenset({"ing.nl"})),
    Brand("ups", ("ups",), frozenset({"ups.com"})),
    Brand("ubs", ("ubs",), frozenset({"ubs.com"})),
    Brand("tsa", ("tsa",)),
    Brand("mtb", ("mtb",)),
    Brand("box", ("box",)),
    Brand("ice", ("ice",)),
    Brand("ui", ("ui",)),
)
LONG = """\
paypal microsoft office365 onedrive outlook icloud appleid amazon google facebook
instagram whatsapp linkedin netflix dropbox docusign steamcommunity discord lloyds
lloydsbank barclays natwest halifax santander wellsfargo bankofamerica citibank
americanexpress mastercard creditagricole sparkasse postfinance intesasanpaolo
posteitaliane allegro allegrolokalnie orange vodafone docomo rakuten mercari saison
saisoncard aeoncard eposcard coinbase binance metamask ledger bradesco capitec intesa
"""
# How each kind of dnstwist is told; the first is the usual one, others say more.
KINDS = {
    "addition": {Trick.ADDITION, Trick.PLURAL, Trick.REPETITION, Trick.WHOLE},
    "bitsquatting": {Trick.BIT_FLIP, Trick.NEIGHBOUR_KEY, Trick.VOWEL_SWAP},
    "cyrillic": {Trick.CONFUSABLE},
    "dictionary": {Trick.INSIDE, Trick.WHOLE},
    "homoglyph": {
        Trick.CONFUSABLE,
        Trick.HOMOGLYPH,
        # `nmicrosoft` for `m`, `1barclays` for `lb`, `netfilx` for two exchanges.
        Trick.INSERTION,
        Trick.REPETITION,
        Trick.TRANSPOSITION,
        Trick.WHOLE,
        Trick.INSIDE,
    },
    "hyphenation": {Trick.HYPHEN},
    "insertion": {Trick.INSERTION, Trick.PLURAL, Trick.REPETITION, Trick.WHOLE},
    "omission": {Trick.OMISSION},
    "plural": {Trick.PLURAL, Trick.REPETITION},
    "repetition": {Trick.REPETITION},
    "replacement": {Trick.NEIGHBOUR_KEY, Trick.VOWEL_SWAP, Trick.HOMOGLYPH},
    "subdomain": {Trick.HYPHEN},
    "tld-swap": {Trick.WHOLE},
    "transposition": {Trick.TRANSPOSITION},
    "various": {Trick.WHOLE, Trick.INSIDE},
    "vowel-swap": {Trick.VOWEL_SWAP},
    "*original": {Trick.WHOLE},
}


@pytest.fixture(scope="module")
def looks() -> LookAlikes:
    return LookAlikes(BRANDS)


def told(looks: LookAlikes, name: str) -> list[tuple[str, str, str]]:
    return [(r.brand, r.text, r.trick) for r in looks.find(host_name(name))]


@pytest.mark.parametrize(
    ("name", "brand", "text", "trick", "place"),
    [
        ("login-paypal.com", "paypal", "paypal", "whole word", "registrable"),
        ("paypal.evil.ru", "paypal", "paypal", "whole word", "subdomain"),
        ("paypal24.com", "paypal", "paypal", "whole word", "registrable"),
        ("securepaypallogin.com", "paypal", "paypal", "inside a word", "registrable"),
        ("paypal.com.evil.ru", "paypal", "paypal.com", "own domain", "across"),
        ("paypal-com.evil.ru", "paypal", "paypal-com", "own domain", "subdomain"),
        ("www.paypal.com-x.ru", "paypal", "paypal.com", "own domain", "across"),
        ("paypal.co.uk.x.ru", "paypal", "paypal.co.uk", "own domain", "across"),
        ("hotmail.com.x.ru", "microsoft", "hotmail.com", "own domain", "across"),
        ("ubs.com.x.ru", "ubs", "ubs.com", "own domain", "across"),
        ("paypa1-secure.com", "paypal", "paypa1", "homoglyph", "registrable"),
        ("rnicrosoft.support", "microsoft", "rnicrosoft", "homoglyph", "registrable"),
        ("login-nnicros0ft.x.de", "microsoft", "nnicros0ft", "homoglyph", "subdomain"),
        ("app1e-login.com", "apple", "app1e", "homoglyph", "registrable"),
        ("xn--pypal-4ve.com", "paypal", "p\u0430ypal", "confusable", "registrable"),
        ("p\u00e4ypal.com", "paypal", "p\u00e4ypal", "confusable", "registrable"),
        ("m\u00fcller-bank.com", "muller", "m\u00fcller", "confusable", "registrable"),
        ("pay.pal.example", "paypal", "pay.pal", "hyphen", "across"),
        ("www.xn--pypal-4ve.com", "paypal", "p\u0430ypal", "confusable", "registrable"),
        ("p-a-y-p-a-l.de", "paypal", "p-a-y-p-a-l", "hyphen", "registrable"),
        ("ma-ster-card.de", "mastercard", "ma-ster-card", "hyphen", "registrable"),
        ("ma.ster.card.de", "mastercard", "ma.ster.card", "hyphen", "across"),
        ("paypa.l", "paypal", "paypa.l", "hyphen", "across"),
        ("pay-pal.x.de", "paypal", "pay-pal", "hyphen", "subdomain"),
        ("masercard.com", "mastercard", "masercard", "omission", "registrable"),
        (
            "mymatsercard.com",
            "mastercard",
            "matsercard",
            "transposition",
            "registrable",
        ),
        ("ups-delivery.top", "ups", "ups", "whole word", "registrable"),
    ],
)
def test_a_resemblance_names_brand_text_trick_and_place(
    looks: LookAlikes, name: str, brand: str, text: str, trick: str, place: str
) -> None:
    found = looks.find(host_name(name))
    assert [(r.brand, r.text, r.trick, r.place) for r in found] == [
        (brand, text, Trick(trick), Place(place))
    ]


def test_ranges_are_those_of_the_labels_in_unicode(looks: LookAlikes) -> None:
    for name in (
        "*.www.login-paypal.com.",
        "www.xn--login-pypal-c9a.xn--mller-kva.com",
        "a.pay.pal.example",
        "xn--80ak6aa92e.paypal.com.xn--p1ai",
        "f\u0153-p\u00e4yp\u00e5l-x.de",
    ):
        host = host_name(name)
        for found in looks.find(host):
            rest = ".".join(host.unicode[found.label :])
            assert rest[found.start : found.end] == found.text
        assert looks.find(host)


def test_a_range_ends_where_the_spelling_does() -> None:
    agricole = LookAlikes((Brand("agricole", ("creditagricole",)),))
    for name in ("a.credit-agricole.xn--p1ai", "xn--p1ai.credit-agricole-.example"):
        assert told(agricole, name) == [("agricole", "credit-agricole", "hyphen")]


def test_own_domains_of_any_brand_and_what_is_below_them_are_silent(
    looks: LookAlikes,
) -> None:
    for name in ("paypal.com", "login.microsoft.com", "*.paypal.co.uk", "paypal.com."):
        assert looks.find(host_name(name)) == []
    assert looks.find(host_name("microsoft.paypal.com")) == []
    assert looks.find(host_name("www.xn--mller-kva.de")) == []
    assert looks.find(host_name("xpaypal.com"))
    assert told(looks, "paypal.com.mx") == [("paypal", "paypal", "whole word")]


def test_below_an_own_domain_where_anybody_gets_a_name_strangers_are_seen() -> None:
    hosting = Brand("microsoft", ("microsoft",), frozenset({"azurewebsites.net"}))
    looks = LookAlikes((hosting, Brand("paypal", ("paypal",))))
    for name in ("azurewebsites.net", "shop.azurewebsites.net"):
        assert looks.find(host_name(name)) == []
    assert told(looks, "paypal-login.azurewebsites.net") == [
        ("paypal", "paypal", "whole word")
    ]
    assert told(looks, "microsoft.x.azurewebsites.net") == [
        ("microsoft", "microsoft", "whole word")
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("usa.gov", "mlb.com", "xbox.com", "live.com", "suite.com"),  # M4
        *("tsaa.gov", "boxes.de", "b0x.de", "ixe.com", "u1.com"),
        "shipping.com",  # `ing`
        "groups.de",
    ],
)
def test_short_brands_are_nothing_but_whole_tokens(
    looks: LookAlikes, name: str
) -> None:
    assert told(looks, name) == []
    assert told(looks, f"ups-{name}")[0] == ("ups", "ups", "whole word")


def test_five_letters_are_found_inside_words_but_not_with_errors(
    looks: LookAlikes,
) -> None:
    assert told(looks, "purchases.de") == [("chase", "chase", "inside a word")]
    assert told(looks, "appl-login.de") == []
    assert told(looks, "aple-login.de") == []
    assert told(looks, "myapp1epie.de") == []


def test_errors_at_the_ends_count_for_whole_tokens_only(looks: LookAlikes) -> None:
    assert told(looks, "aypal-login.de") == [("paypal", "aypal", "omission")]
    assert told(looks, "paypa.de") == [("paypal", "paypa", "omission")]
    assert told(looks, "xaypal.de") == [("paypal", "xaypal", "bit flip")]
    assert told(looks, "okaypals.de") == []
    assert told(looks, "paypark.de") == []
    assert told(looks, "loastercardio.de") == []


def test_long_spellings_may_be_glued_where_they_are_right(looks: LookAlikes) -> None:
    assert told(looks, "mymastercar.de") == [("mastercard", "mastercar", "omission")]
    assert told(looks, "astercardlogin.de") == [("mastercard", "astercard", "omission")]
    assert told(looks, "mastercarlogin.de") == []
    assert told(looks, "mypaypa.de") == []


def test_hyphens_part_a_spelling_and_not_other_words(looks: LookAlikes) -> None:
    assert told(looks, "securepay-pallogin.de") == [("paypal", "pay-pal", "hyphen")]
    assert told(looks, "pa-ypal.de") == [("paypal", "pa-ypal", "hyphen")]
    assert told(looks, "lapa-ypal.de") == []
    assert told(looks, "grandmast-rcards.de") == []  # `-` for `e`
    assert told(looks, "mast-rcard.de") == [("mastercard", "mast-rcard", "replacement")]


def test_letters_with_marks_and_an_error_are_not_found_inside_words(
    looks: LookAlikes,
) -> None:
    assert told(looks, "p\u00e4ypl.de") == [("paypal", "p\u00e4ypl", "confusable")]
    assert told(looks, "myp\u00e4ypalx.de") == [("paypal", "p\u00e4ypal", "confusable")]
    assert told(looks, "myp\u00e4yplx.de") == []


def test_digits_that_belong_together_are_not_folded(looks: LookAlikes) -> None:
    assert told(looks, "paypa1.de") == [("paypal", "paypa1", "homoglyph")]
    assert told(looks, "paypa123.de") == [("paypal", "paypa", "omission")]
    assert told(looks, "2010utlook.de") == [("microsoft", "utlook", "omission")]


def test_two_letters_for_others_are_seen_in_whole_tokens_only(
    looks: LookAlikes,
) -> None:
    assert told(looks, "idoub-login.de") == [("apple", "idoub", "homoglyph")]
    assert told(looks, "digidouble.de") == []
    assert told(looks, "my1c1oudlogin.de") == []  # its first letter is another one
    assert told(looks, "myrnicr0softlogin.de") == [
        ("microsoft", "rnicr0soft", "homoglyph")
    ]


def test_the_longest_spelling_explains_a_place(looks: LookAlikes) -> None:
    assert told(looks, "myappleid.de") == [("apple", "appleid", "inside a word")]
    assert told(looks, "apple-appleid.de") == [
        ("apple", "appleid", "whole word"),
        ("apple", "apple", "whole word"),
    ]
    assert told(looks, "paypal-paypa1.de") == [
        ("paypal", "paypal", "whole word"),
        ("paypal", "paypa1", "homoglyph"),
    ]


def test_other_brands_are_named_beside_one_another(looks: LookAlikes) -> None:
    found = told(looks, "paypal-outlook-ups.de")
    assert [brand for brand, _, _ in found] == ["microsoft", "paypal", "ups"]


@pytest.mark.parametrize(
    "name",
    [
        "xn--przisionsteile-5hb.de",
        "pr\u00e4zisionsteile.de",
        "xn--fentre-kva.re",
        "fen\u00eatre.re",
        "xn--4dbcagdahymbxekheh6e0a7fei0b.com",
        "\u05e9\u05dc\u05d5\u05dd.co.il",
    ],
)
def test_an_idn_alone_resembles_nothing(looks: LookAlikes, name: str) -> None:
    assert looks.find(host_name(name)) == []


def test_labels_that_cannot_be_decoded_are_read_as_they_are(looks: LookAlikes) -> None:
    for label in ("xn--", "xn---", "xn--999999999", "xn--paypal-\u0080", "xn--a\x00"):
        name = f"{label}.paypal-login.com"
        assert ("paypal", "paypal", "whole word") in told(looks, name)
    assert told(looks, "xn--paypal-99999999.com") == [
        ("paypal", "paypal", "whole word")
    ]


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "*", "*.", "-", "xn--", "192.168.0.1", "2001:db8::1", "[::1]"),
        *(
            "paypal",
            "*.paypal",
            "paypal.",
            "ups",
            "12345678.90",
            "com",
            "co.uk",
            "a" * 253,
            "a." * 126 + "a",
            "\x00",
            "\u202e",
        ),
        *("\ud800.com", "\u0130.com", "\u212a.de", "xn--" * 60, ".".join("é" * 127)),
    ],
)
def test_odd_names_resemble_nothing(looks: LookAlikes, name: str) -> None:
    assert looks.find(host_name(name)) == []


def test_odd_characters_hide_nothing(looks: LookAlikes) -> None:
    for name in (
        "PAYPAL-LOGIN.COM",
        "paypal\x00.evil.com",
        "\u202epaypal-login.com",
        "p\u200daypal-login.com",
        "a." * 121 + "paypal-x.com",
        "paypal.com\n.evil.ru",
        "paypal_login.evil.ru",
        "x" * 56 + "-paypal.com",
        "paypal..com",
    ):
        assert {brand for brand, _, _ in told(looks, name)} == {"paypal"}


def test_of_a_hostile_name_a_few_places_are_told(looks: LookAlikes) -> None:
    for unit in ("paypal", "paypal.", "paypl-", "p\u0430ypal", "xn--pypal-4ve."):
        assert 0 < len(looks.find(host_name((unit * 700)[:4096]))) <= 16


def test_pickled_it_finds_the_same(looks: LookAlikes) -> None:
    again = pickle.loads(pickle.dumps(looks))  # noqa: S301 - our own bytes
    assert again.expressions == looks.expressions
    assert told(again, "paypa1.de") == told(looks, "paypa1.de")


def test_without_brands_nothing_is_found() -> None:
    assert LookAlikes(()).find(host_name("paypal.de")) == []
    assert LookAlikes(()).expressions == ()


def test_domains_of_a_brand_that_no_name_can_show_are_left_out() -> None:
    """`live.com` is too short to say anything, and holds no spelling."""
    looks = LookAlikes(BRANDS)
    assert told(looks, "live.com.evil.ru") == []


@pytest.mark.parametrize("count", [300, 3000])
def test_a_brand_may_have_any_number_of_own_domains(count: int) -> None:
    """Hyperscan refuses expressions of more than 16,000 bytes."""
    own = frozenset(f"paypal{number}-shop.example" for number in range(count))
    looks = LookAlikes((Brand("paypal", ("paypal",), own),))
    assert told(looks, "login.paypal-x.example") == [("paypal", "paypal", "whole word")]
    assert looks.find(host_name(f"www.paypal{count - 1}-shop.example")) == []


@pytest.mark.parametrize("size", [5, 10, 32, 45, 46, 47, 58, 61, 63])
def test_a_spelling_may_have_any_length(size: int) -> None:
    """It stands in a character class, as the length of a string in DER."""
    spelling = ("qwertzuiopasdfghjklmnbvc" * 3)[:size]
    looks = LookAlikes((Brand("it", (spelling,)),))
    assert told(looks, f"{spelling}.example.org") != []
    assert told(looks, f"www.{spelling}.example.org") != []


def test_of_brands_that_are_resembled_alike_the_first_comes_first() -> None:
    """In every run: two programs say the same of a name."""
    for text in ("qwertzuiopkj", "xkcdmnbvtrew", "zzyxwvutsrqp", "kjhgfdsaqwxy"):
        # One is found by its beginning, the other by its end.
        brands = [Brand(each, (each,)) for each in (f"{text[:-1]}a", f"b{text[1:]}")]
        for pair in (brands, brands[::-1]):
            found = LookAlikes(pair).find(host_name(f"{text}.example"))
            assert [each.brand for each in found] == [brand.name for brand in pair]


@pytest.fixture(scope="module")
def long_brands() -> LookAlikes:
    return LookAlikes([Brand(text, (text,)) for text in LONG.split()])


@pytest.mark.parametrize("spelling", LONG.split())
def test_each_permutation_of_dnstwist_is_found_with_its_kind(
    long_brands: LookAlikes, spelling: str
) -> None:
    # Which letters with marks are tried depends on the registry: all of them for `com`,
    # 92 for `de`, none for `us`; of long spellings in pairs, they are 5,000 and more.
    tld = "us" if len(spelling) > 12 else "de"
    if spelling in ("paypal", "google", "microsoft"):
        tld = "com"
    permutations = dnstwist.Fuzzer(
        f"{spelling}.{tld}", dictionary=["login", "konto"], tld_dictionary=["ru", "top"]
    )
    permutations.generate()
    kinds = set()
    for one in permutations.domains:
        kinds.add(one["fuzzer"])
        found = long_brands.find(host_name(one["domain"]))
        tricks = {r.trick for r in found if r.spelling == spelling}
        assert tricks & KINDS[one["fuzzer"]], (one["fuzzer"], one["domain"], found)
    assert kinds >= set(KINDS) - {"cyrillic", "plural", "vowel-swap"}


def in_der(name: str, tag: int) -> bytes:
    data = name.encode()
    if len(data) < 0x80:
        return bytes([tag, len(data)]) + data
    if len(data) < 0x100:
        return bytes([tag, 0x81, len(data)]) + data
    return bytes([tag, 0x82]) + len(data).to_bytes(2, "big") + data


@pytest.fixture(scope="module")
def stream(looks: LookAlikes) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=looks.expressions,
        ids=list(range(len(looks.expressions))),
        elements=len(looks.expressions),
        flags=hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_DOTALL,
    )
    return database


def hits(database: hyperscan.Database, data: bytes) -> set[int]:
    found: set[int] = set()
    database.scan(data, match_event_handler=lambda number, *_: found.add(number))
    return found


PIECES = st.sampled_from(
    [
        *(
            "paypal",
            "paypa1",
            "aypal",
            "paypa",
            "xaypal",
            "pay-pal",
            "pay.pal",
            "papyal",
        ),
        *("ing", "ups", "box", "ui", "chase", "rnicrosoft", "astercard", "masterc4rd"),
        *(
            "hotmail.com",
            "paypal.com",
            "icloud",
            "cloud",
            "com",
            "x",
            "a1",
            "-",
            ".",
            "_",
        ),
        *("login", "0", "7", "S", "office365", "off1ce365", "m", "r"),
    ]
)
NAMES = st.lists(PIECES, min_size=1, max_size=12).map("".join)


@given(NAMES, st.integers(0, 300), st.sampled_from([0x82, 0x0C, 0x13, 0x16]))
@example("ing.nl.evil.com", 90, 0x82)
@example("aypal.com", 300, 0x82)
@example("astercard", 67, 0x82)  # 77 characters, which is the code of `M`
def test_what_is_found_in_a_name_is_hit_in_the_stream(
    looks: LookAlikes,
    stream: hyperscan.Database,
    name: str,
    more: int,
    tag: int,
) -> None:
    """Also where the length of the name is the code of a letter or digit."""
    name += "." + "q" * more
    host = host_name(name)
    assume("" not in host.labels)  # no name that anybody can reach
    numbers = looks.numbers(name.lower())
    found = looks.find(host, numbers)
    assert looks.find(host, set()) == []
    assert found == looks.find(host)
    if found:
        assert numbers
    if len(name) <= 255:  # longer ones are looked at whatever they say
        for after in (b"\x82\x03a.b", b"0\x0d", b"\xa3", b"\x00\x00", b""):
            assert hits(stream, b"a" + in_der(name, tag) + after) >= numbers
    for around in (b'"%s"', b'["%s","b.c"]', b" %s ", b"\n%s\n"):
        assert hits(stream, around % name.encode()) >= numbers


def test_what_certificates_say_of_issuers_is_no_hit(
    stream: hyperscan.Database,
) -> None:
    for issuer in ("paypal", "Microsoft RSA TLS CA 02", "Apple Inc.", "UPS Trust CA"):
        for tag in (0x0C, 0x13):
            assert not hits(stream, b"\x04\x0a" + in_der(issuer, tag) + b"1\x1c0\x1a")
    for address in (
        "http://www.microsoft.com/pkiops/certs/Microsoft%20RSA%20TLS.crt",
        "http://ocsp.apple.com",
        "http://crl.paypal.co.uk/a.crl",
    ):
        assert not hits(stream, in_der(address, 0x86) + b"06\x06\x08")
    for name in ("ocsp.apple.com.x.de", "ocsp.apple.com0.x.de", "ocsp.apple.com-x.de"):
        assert hits(stream, in_der(name, 0x82) + b"0\x13\x06")


@given(st.text() | NAMES)
@example("\u0131cloud.com")
@example("\u212a.paypal")
def test_any_text_gives_places_that_are_in_it(looks: LookAlikes, name: str) -> None:
    host = host_name(name)
    for found in looks.find(host):
        assert isinstance(found, Resemblance)
        rest = ".".join(host.unicode[found.label :])
        assert rest[found.start : found.end] == found.text != ""
        assert found.brand in {brand.name for brand in looks.brands}


def test_expressions_are_some_300_a_spelling(long_brands: LookAlikes) -> None:
    """Pieces stand for many errors; all of them would be 700."""
    assert len(long_brands.expressions) < 350 * len(LONG.split())
