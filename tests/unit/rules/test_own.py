"""
Own domains: whose a name is, and that the prefilter points at every own name.

Names stand in messages as servers write them, and in certificates in entries of both
kinds of log.
"""

import json
import pickle
from collections.abc import Callable, Iterator
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctmonitor.model.domain import name_in
from ctmonitor.rules.own import OwnDomains
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources import entryscreen, screen
from ctmonitor.sources.entryscreen import LEAF_MARKS, ODD_NAMES
from ctmonitor.sources.message import MARKS, parse
from tests.unit.ct.making import (
    BMP,
    COMMON_NAME,
    T61,
    UNIVERSAL,
    UTF8,
    attribute,
    tbs_certificate,
)
from tests.unit.sources.entryruns import Made, get_entries, tile

DOMAINS = (
    "example.com",
    "dev.example.com",
    "t.co",
    "kiki-shop.co.uk",
    "xn--bcher-kva.example",
)
OWN = OwnDomains(DOMAINS)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("example.com", {"example.com": ("example.com",)}),
        ("www.example.com", {"example.com": ("www.example.com",)}),
        ("*.Example.COM.", {"example.com": ("*.example.com",)}),
        (
            "*.dev.example.com",
            {
                "dev.example.com": ("*.dev.example.com",),
                "example.com": ("*.dev.example.com",),
            },
        ),
        (
            "www.B\u00dcCHER.example",
            {"xn--bcher-kva.example": ("www.xn--bcher-kva.example",)},
        ),
        ("\uff45xample\u3002com", {"example.com": ("example.com",)}),
        ("badexample.com", {}),
        ("example.com.evil.net", {}),
        ("x@example.com", {}),
        ("https://example.com", {}),
        ("a b.example.com", {}),
        ("x\0.example.com", {}),
        ("*.*.example.com", {}),
        ("com", {}),
        ("t.com", {}),
        ("", {}),
        (".", {}),
        ("*.", {}),
        ("." * 500, {}),
        ("x." * 200 + "example.com", {}),
        ("\ud800.example.com", {}),
        ("\u0661" * 300 + ".example.com", {}),
    ],
)
def test_a_name_is_of_the_domains_that_it_lies_in(
    name: str, found: dict[str, tuple[str, ...]]
) -> None:
    assert OWN.of([name]) == found


def test_names_of_a_certificate_keep_their_order_and_have_no_doubles() -> None:
    names = ["b.example.com", "x.example.net", "A.example.com", "B.example.com", "t.co"]
    assert OWN.of(names) == {
        "example.com": ("b.example.com", "a.example.com"),
        "t.co": ("t.co",),
    }


def test_without_domains_no_name_is_own() -> None:
    assert not OwnDomains()
    assert OwnDomains().of(["example.com"]) == {}
    assert OwnDomains().literals == ()


@given(
    st.lists(
        st.sampled_from(
            ["*", "www", "dev", "example", "com", "t", "co", "B\u00fccher", "", "_x"]
        ),
        max_size=6,
    ).map(".".join)
    | st.text(max_size=30)
)
def test_a_look_up_finds_what_going_through_all_domains_does(name: str) -> None:
    expected = {
        domain: (own,) for domain in DOMAINS if (own := name_in(name, domain)) != ""
    }
    assert OWN.of([name]) == expected


def test_names_in_another_script_are_looked_at_as_long_as_there_are_few() -> None:
    names = ["\u00fc" * 250] * 5000 + ["www.example.com", "\uff45xample.com"]
    assert OWN.of(names) == {"example.com": ("www.example.com",)}


# The prefilter

RULES = RuleSet(Rules("", own=DOMAINS))
WITH_KEYWORDS = RuleSet(Rules("paypal|login", own=DOMAINS))


def _leaf(listed: list[str], common_name: str | None) -> dict[str, object]:
    return {
        "all_domains": listed,
        "subject": {"CN": common_name, "aggregated": f"/CN={common_name}"},
        "issuer": {"CN": "E7", "O": "example.com", "aggregated": "/O=example.com"},
    }


def frames(name: str) -> Iterator[bytes]:
    for listed, common_name in (
        ([name], "x.test"),
        ([], name),
        (["x.test", name, "y.test"], None),
    ):
        leaf = _leaf(listed, common_name)
        message = {
            "message_type": "certificate_update",
            "data": {"leaf_cert": leaf, "chain": [_leaf([], "CA")]},
        }
        for ascii_only in (True, False):
            yield json.dumps(message, ensure_ascii=ascii_only).encode(
                "utf-8", "surrogatepass"
            )
    only = {"message_type": "dns_entries", "data": ["x.test", name]}
    yield json.dumps(only, separators=(",", ":")).encode()


def entries(name: str) -> list[Made]:
    tags = [UTF8, UNIVERSAL]
    if all(ord(char) < 0x10000 for char in name):
        tags.append(BMP)
    if all(ord(char) < 0x100 for char in name):
        tags.append(T61)
    placed = [
        tbs_certificate(subject=[attribute(COMMON_NAME, name, tag)]) for tag in tags
    ]
    if name.isascii():  # of others docs/rules.md tells
        placed += [
            tbs_certificate(name),
            tbs_certificate(name, extensions=()),
            tbs_certificate("x.test", name, "y.test"),
        ]
    return [Made(*each) for each in product(placed, (True, False))]


@pytest.mark.parametrize("rules", [RULES, WITH_KEYWORDS], ids=["alone", "keywords"])
@given(
    before=st.sampled_from(["", "*.", "www.", "WWW.", "a" * 50 + ".", "\u00fc."]),
    domain=st.sampled_from(DOMAINS),
    written=st.sampled_from([str.upper, str.title, str, str.lower]),
    behind=st.sampled_from(["", ".", " "]),
)
@example(before="www.", domain="b\u00fccher.example", written=str, behind="")
@example(before="", domain="\uff45xample\u3002com", written=str, behind="")
@example(before="", domain="example\uff0ecom", written=str, behind=".")
@example(before="", domain="\u212ai\u212ai-shop.co.uk", written=str, behind="")
def test_the_prefilter_points_at_every_own_name(
    rules: RuleSet, before: str, domain: str, written: Callable[[str], str], behind: str
) -> None:
    name = before + written(domain) + behind
    assert rules.own([name])
    every = list(frames(name))
    on_feed = rules.prefilter(MARKS)
    assert screen.candidates(every, on_feed) == list(range(len(every)))
    for frame in every:
        sighting, _ = parse(frame, "feed")
        assert sighting is not None
        assert rules.own(sighting.names)
    on_logs = rules.prefilter(LEAF_MARKS, ODD_NAMES)
    made = entries(name)
    quiet = Made(tbs_certificate("x.test"))
    for run in (tile, get_entries):
        found = entryscreen.candidates(run([quiet, *made, quiet]), on_logs)
        assert found == list(range(1, 1 + len(made)))


def test_others_are_not_pointed_at() -> None:
    """Also where the issuer bears the name of an own domain."""
    quiet = list(frames("www.example.net"))
    assert screen.candidates(quiet, RULES.prefilter(MARKS)) == []
    issuer = [attribute("2.5.4.10", "example.com")]
    made = [Made(tbs_certificate("www.example.net", issuer=issuer))]
    on_logs = RULES.prefilter(LEAF_MARKS, ODD_NAMES)
    assert entryscreen.candidates(tile(made), on_logs) == []


def test_an_own_domain_is_no_rule() -> None:
    assert WITH_KEYWORDS.unfilterable == ()
    assert not WITH_KEYWORDS.judge(["www.example.com", "example.com"]).names
    assert WITH_KEYWORDS.judge(["paypal.example.com"]).findings
    WITH_KEYWORDS.prefilter(MARKS)
    assert not WITH_KEYWORDS.judge(["www.example.com", "example.com"]).names
    again = pickle.loads(pickle.dumps(WITH_KEYWORDS))  # noqa: S301 (our own bytes)
    assert again.own(["t.co"]) == {"t.co": ("t.co",)}


def test_an_explanation_says_whose_a_name_is() -> None:
    told = "The name is in example.com, which watchdomains.py watches."
    assert told in WITH_KEYWORDS.explain("www.example.com").notes
    assert told not in WITH_KEYWORDS.explain("www.example.net").notes
