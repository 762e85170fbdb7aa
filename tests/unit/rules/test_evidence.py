"""What speaks for and against a resemblance."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctmonitor.model.verdict import Reason
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.evidence import evidence, signs
from ctmonitor.rules.hostname import host_name
from ctmonitor.rules.lookalike import LookAlikes
from ctmonitor.rules.resemblance import Place, Resemblance, Trick
from ctmonitor.rules.weights import DEFAULTS, WEIGHTS

ALERT_SCORE = 100
BRANDS = (
    Brand("paypal", ("paypal",), frozenset({"paypal.com"}), frozenset({"xoom"})),
    Brand("chase", ("chase",), frozenset({"chase.com"})),
    Brand("ing", ("ing",), frozenset({"ing.com", "ing.nl"})),
    Brand("ups", ("ups",), frozenset({"ups.com"})),
    Brand("hsbc", ("hsbc",), frozenset({"hsbc.com"})),
    Brand("netflix", ("netflix",), frozenset({"netflix.com"})),
)
BY_NAME = {brand.name: brand for brand in BRANDS}
ENGINE = LookAlikes(BRANDS)


def reasons(name: str) -> tuple[Reason, ...]:
    """The parts of the score of the strongest resemblance in a name."""
    host = host_name(name)
    found = [
        evidence(host, each, BY_NAME[each.brand], DEFAULTS)
        for each in ENGINE.find(host)
    ]
    return max(found, key=total, default=())


def total(parts: Iterable[Reason]) -> int:
    return sum(part.weight for part in parts)


def score(name: str) -> int:
    return total(reasons(name))


@pytest.mark.parametrize(
    "name",
    [
        "paypal-login-secure.xyz",
        "paypal.com.account-verify.top",
        "secure-login.paypal.com.qwrtz.icu",
        "paypa1-account-login.com",
        "xn--pypal-4ve.login-account.xyz",
        "netfiix-account-update.top",
        "hsbc-secure-login.top",
        "ing-mijn-account-verificatie.xyz",
        "a.b.c.d.e.f.paypa1-secure-login.com",
        "a.b.c.d.e.f.paypal-login.com",
        "paypal.com.evil.ru",
        "\u0441hase.com".encode("idna").decode(),
    ],
)
def test_phishing_reaches_the_alert_score(name: str) -> None:
    assert score(name) >= ALERT_SCORE


@pytest.mark.parametrize(
    "name",
    [
        "purchase.example.de",
        "www.purchase-order.example.com",
        "mail.chase-gmbh.de",
        "ing.mueller-maschinenbau.de",
        "autodiscover.ing-schmidt.de",
        "push-ups.de",
        "ups.dev.example.ru",
        "steuerberatung-ing.example.com",
    ],
)
def test_ordinary_names_do_not(name: str) -> None:
    assert score(name) < ALERT_SCORE


@pytest.mark.parametrize("spelling", ["ing", "ups", "hsbc"])
@pytest.mark.parametrize(
    "form", ["{}.example.com", "www.{}.de", "{}.com.br", "x-{}.org", "my.{}.net"]
)
def test_a_short_brand_alone_is_no_alarm(spelling: str, form: str) -> None:
    assert score(form.format(spelling)) < ALERT_SCORE


@pytest.mark.parametrize(
    ("name", "rule", "kind"),
    [
        ("paypal-login.de", "login", "lure"),
        ("paypal-rechnung.de", "rechnung", "lure"),
        ("paypal-account.xyz", ".xyz", "suffix"),
        ("paypal.github.io", ".github.io", "suffix"),
        ("mail.paypal.de", "mail", "service name"),
        ("paypal-uk.com", "uk", "country"),
        ("paypal-xoom.com", "xoom", "brand's word"),
        ("paypal.example.de", "sub-domain", "place"),
        ("purchase.example.de", "'purchase' is an ordinary word", "ordinary"),
        ("paypal-garten.de", "garten", "ordinary word"),
        ("paypal.de", "whole label", "place"),
        ("a.paypal-login.de", "1 label left of the domain", "depth"),
        ("paypal-login.de", "'login' beside it", "lure"),
        ("paypal-login.example.de", "'login' beside it, in a sub-domain", "lure"),
    ],
)
def test_a_part_says_what_was_seen(name: str, rule: str, kind: str) -> None:
    assert (rule, kind) in [(part.rule, part.kind) for part in reasons(name)]


def test_the_resemblance_itself_comes_first() -> None:
    first = reasons("paypa1-login.com")[0]

    assert (first.rule, first.kind, first.brand) == ("paypa1", "homoglyph", "paypal")
    assert {part.brand for part in reasons("paypa1-login.com")} == {"paypal"}


def test_parts_that_weigh_nothing_are_left_out() -> None:
    host = host_name("paypal-login.xyz")
    (found,) = ENGINE.find(host)
    nothing = dict.fromkeys(DEFAULTS, 0.0)

    parts = evidence(host, found, BY_NAME["paypal"], nothing)

    assert parts == (Reason("paypal", "whole word", 0, "paypal"),)


def test_weights_of_the_settings_are_used() -> None:
    host = host_name("paypal-login.xyz")
    (found,) = ENGINE.find(host)

    parts = evidence(host, found, BY_NAME["paypal"], {**DEFAULTS, "LureLogin": 77})

    assert Reason("login", "lure", 77, "paypal") in parts


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("paypal.example.de", "paypal-login.example.de"),
        ("paypal-shoes.de", "paypal-shoes.top"),
        ("netflix.example.com", "netflix.com.example.com"),
        ("mail.paypal.de", "pay.paypal.de"),
        ("purchase.example.xyz", "mychasebank.example.xyz"),
        ("paypal-gh.de", "paypal-gh.duckdns.org"),
    ],
)
def test_more_evidence_is_a_higher_score(less: str, more: str) -> None:
    assert score(less) < score(more)


@pytest.mark.parametrize("name", ["paypa1-login.com", "paypal-login.com"])
def test_more_labels_buy_no_silence(name: str) -> None:
    assert score(f"a.b.c.d.{name}") == score(f"a.{name}")


def test_what_nobody_writes_for_a_word_is_not_charged_as_one() -> None:
    def is_charged(name: str) -> bool:
        return any(part.kind == "ordinary" for part in reasons(name))

    assert is_charged("paypal.de")
    assert not is_charged("\u0440aypal.de".encode("idna").decode())
    assert not is_charged("paypal.com.example.de")


def test_a_name_without_a_suffix_is_judged_too() -> None:
    found = Resemblance(
        "paypal", "paypal", "paypal", Trick.WHOLE, Place.REGISTRABLE, 0, 0, 6, True
    )

    assert signs(host_name("paypal"), found, BY_NAME["paypal"])[0][0] == "WholeWord"


_LABEL = st.text(st.sampled_from("abcing-paypl.0159ups\u00e4\u0430"), max_size=30)


@settings(max_examples=300, deadline=None)
@given(_LABEL, st.sampled_from(["paypal", "ing", "netflix", "paypa1"]), _LABEL)
def test_any_name_gets_keys_that_have_a_weight(
    left: str, brand: str, right: str
) -> None:
    host = host_name(f"{left}{brand}{right}.example.co.uk")
    keys = {weight.key for weight in WEIGHTS}

    for found in ENGINE.find(host):
        listed = signs(host, found, BY_NAME[found.brand])
        assert {key for key, _, _ in listed} <= keys
        assert all(0 <= amount <= 16 for _, _, amount in listed)
