"""
The superset promise for all rules: what they say something of, the prefilter points at.

Names are look-alikes of brands in every kind and place, and names that regular
expressions take; they stand in messages as servers write them, and in certificates in
entries of both kinds of log.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctmonitor.ct.tile import TileLeaves
from ctmonitor.ct.x509 import certificate_of
from ctmonitor.rules.brand import Brand
from ctmonitor.rules.brands import parse_brands
from ctmonitor.rules.prefilter import Prefilter
from ctmonitor.rules.regexes import parse_regexes
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources import entryscreen, screen
from ctmonitor.sources.entryscreen import LEAF_MARKS, ODD_NAMES
from ctmonitor.sources.message import MARKS, parse
from tests.data import VECTORS, shared
from tests.unit.ct.making import (
    BMP,
    COMMON_NAME,
    IA5,
    PRINTABLE,
    UNIVERSAL,
    UTF8,
    attribute,
    tbs_certificate,
)
from tests.unit.sources.entryruns import Made, get_entries, tile

CHECKOUT = Path(__file__).parents[3]
BRANDS = (
    Brand("paypal", ("paypal",), frozenset({"paypal.com", "paypal.co.uk"})),
    Brand("microsoft", ("microsoft", "office365"), frozenset({"live.com"})),
    Brand("mastercard", ("mastercard",), frozenset({"mastercard.us"})),
    Brand("intesa", ("intesasanpaolo", "intesa"), frozenset({"intesasanpaolo.com"})),
    Brand("rewe", ("rewe", "reweonline"), frozenset({"rewe.de"})),
    Brand("credit", ("creditagricole", "credit-agricole")),
    Brand("apple", ("apple", "appleid"), frozenset({"apple.com"})),
    Brand("chase", ("chase",), frozenset({"chase.com"})),
    Brand("ing", ("ing",), frozenset({"ing.nl", "ing-diba.de"})),
    Brand("o2", ("o2", "o2online"), frozenset({"o2online.de"})),
    Brand("n26", ("n26",), frozenset({"n26.com"})),
    Brand("ups", ("ups",), frozenset({"ups.com"})),
    Brand("hsbc", ("hsbc",), frozenset({"hsbc.co.uk"})),
)
REGEXES = r"""
^bank\d+\.
[a-z]-konto$
(?<!my)wallet(?=\.top)
(?:claim|prize)[0-9]{2,4}
\bcoinbase\b
k.ln-bank
(?i:GEWINN)
(?!x)tracking\.(?:io|me)
"""
SPELLINGS = sorted({text for brand in BRANDS for text in brand.spellings})
FOUND_BY_REGEX = (
    "bank24.x.com",
    "mein-konto",
    "wallet.top",
    "prize2026",
    "coinbase",
    "k\u00f6ln-bank",
    "gewinn",
    "tracking.io",
)
# At these lengths the byte before a name is the code of a digit, a letter, a dot; from
# 128 on it is two bytes, from 256 on three of which the last can be anything.
LENGTHS = (46, *range(48, 58), *range(65, 91), *range(97, 123), *range(126, 134), 253)
LONG_LENGTHS = (256 + 6, 256 + 46, 256 + 105, 300, 0x6161, 0x10061)

RULES = RuleSet(
    Rules(
        "secure|login$|se.{0,2}ver",
        regexes=parse_regexes(REGEXES, "regexes.txt"),
        brands=BRANDS,
    )
)


def _prefilter(marks: tuple[bytes, ...], expressions: tuple[bytes, ...]) -> Prefilter:
    found = RULES.prefilter(marks, expressions)
    assert found is not None
    return found


ON_FEED = _prefilter(MARKS, ())
ON_LOGS = _prefilter(LEAF_MARKS, ODD_NAMES)
WITHOUT_STREAM = RuleSet(RULES.rules)


def says_something(name: str) -> bool:
    return bool(RULES.judge([name]).names)


# Messages


def _leaf(listed: list[str], common_name: str | None) -> dict[str, object]:
    return {
        "all_domains": listed,
        "extensions": {"authorityInfoAccess": "URI:http://ca.example/r12\n"},
        "subject": {"C": None, "CN": common_name, "aggregated": f"/CN={common_name}"},
        "issuer": {"CN": "R12", "O": "Some CA", "aggregated": "/CN=R12/O=Some CA"},
    }


def frames(name: str) -> Iterator[bytes]:
    """Messages with one name, in the shapes and spellings that servers use."""
    chain = [_leaf(["ca.example"], "R12") | {"as_der": "AAAA"}]
    placed: list[tuple[list[str], str | None]] = [
        ([name], "x.example"),
        ([], name),
        (["x.example", name, "y.example"], None),
    ]
    messages: list[dict[str, object]] = [
        {"data": [name], "message_type": "dns_entries"},
        {"message_type": "dns_entries", "data": ["x.example", name]},
    ]
    for listed, common_name in placed:
        leaf = _leaf(listed, common_name)
        for data in (
            {"cert_index": 1, "leaf_cert": leaf},  # lite
            {"chain": chain, "leaf_cert": leaf | {"as_der": "AAAA"}},  # Go, Elixir
            {"leaf_cert": leaf | {"as_der": "AAAA"}, "chain": chain},  # Rust
        ):
            messages.append({"message_type": "certificate_update", "data": data})
    for message, separators, is_ascii in product(
        messages, ((",", ":"), (", ", ": ")), (True, False)
    ):
        yield json.dumps(message, separators=separators, ensure_ascii=is_ascii).encode(
            "utf-8", "surrogatepass"
        )


def assert_frames_are_candidates(name: str) -> None:
    every = list(frames(name))
    assert screen.candidates(every, ON_FEED) == list(range(len(every)))
    for frame in every[:3]:
        assert screen.candidates([frame], ON_FEED) == [0]


# Entries


def entries(name: str) -> Iterator[Made]:
    """Entries with one name, at the ends of its list, alone, and as a common name."""
    tags = [UTF8, UNIVERSAL]
    if name.isascii():
        tags += [PRINTABLE, IA5]
    if all(ord(char) < 0x10000 for char in name):
        tags.append(BMP)
    placed = [
        tbs_certificate(subject=[attribute(COMMON_NAME, name, tag)]) for tag in tags
    ]
    if name.isascii():  # RFC 5280; docs/rules.md tells what becomes of others
        # With a name of the subject before it, and extensions behind it or none.
        placed += [
            tbs_certificate(name),
            tbs_certificate(name, extensions=()),
            tbs_certificate("x.example", name, "y.example"),
        ]
    for tbs, is_precert in product(placed, (True, False)):
        yield Made(tbs, is_precert)


def assert_entries_are_candidates(name: str) -> None:
    every = list(entries(name))
    quiet = Made(tbs_certificate("x.example"))
    for run in (tile, get_entries):
        found = entryscreen.candidates(run([*every, quiet]), ON_LOGS)
        assert found == list(range(len(every)))
        for made in every[-2:]:
            assert entryscreen.candidates(run([made]), ON_LOGS) == [0]


def assert_promise(name: str) -> None:
    if says_something(name):
        assert_frames_are_candidates(name)
        assert_entries_are_candidates(name)


# Names

_CHARS = st.sampled_from("abceghilmnoprstuvwxyz0123456789-._")
_LOOKS = st.sampled_from("\u0430\u0435\u043e\u0440\u0455\u0456\u00e4\u00f6\u0261\u03bf")
_BEFORE = st.sampled_from(
    [
        *[
            "",
            "",
            "",
            "*.",
            "www.",
            "x",
            "my",
            "s",
            "1",
            "0",
            "24-",
            "-",
            "_",
            "a.",
            ".",
        ],
        *["login-", "xn--", "c-", "paypal.com.", "ups.com-", "\n", "z-"],
    ]
)
_BEHIND = st.sampled_from(
    [
        *["", "", ".com", ".com", ".example.net", ".co.uk", ".", "..com", ".top"],
        *["-", "-login.com", "s.com", "0.com", "24.de", ".com.evil.ru", "-com.evil.ru"],
        *["1", ".0", "x.com", ".ing", "-ups.com", " x.com", "%20.com", ".xn--p1ai"],
        *[".xn--p1ai.com", "/x", '"', "\\n"],
    ]
)


@st.composite
def look_alikes(draw: st.DrawFn) -> str:
    """A spelling with up to two errors, in a place where it may be found or not."""
    text = draw(st.sampled_from(SPELLINGS))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        kind = draw(st.sampled_from("irdtol"))
        char = draw(_LOOKS if kind == "l" else _CHARS)
        head, here, rest = text[:at], text[at : at + 1], text[at + 1 :]
        text = {
            "i": head + char + here + rest,
            "r": head + char + rest,
            "d": head + rest,
            "t": head + rest[:1] + here + rest[1:],
            "o": head + here * 2 + rest,
            "l": head + char + rest,
        }[kind]
    return text


@st.composite
def names(draw: st.DrawFn) -> str:
    inner = draw(st.one_of(look_alikes(), st.sampled_from(FOUND_BY_REGEX)))
    name = draw(_BEFORE) + inner + draw(_BEHIND)
    if draw(st.booleans()):
        name += "." + draw(look_alikes()) + ".com"
    wanted = draw(st.sampled_from((0, 0, *LENGTHS)))
    if missing := max(0, wanted - len(name)):
        filling = ("." + "q" * 40) * (missing // 41 + 1)
        # Before or behind, so that the name's first or last token is what is looked at.
        if draw(st.booleans()):
            name += filling[:missing]
        else:
            name = filling[1 : missing + 1] + name
    written = draw(st.sampled_from(["as is", "upper", "title", "A-label"]))
    if written == "A-label":
        return ".".join(_a_label(label) for label in name.split("."))
    return {"upper": name.upper(), "title": name.title()}.get(written, name)


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    return "xn--" + label.encode("punycode").decode("ascii")


@given(names())
@example("p\u0430ypal.com")
@example("\u0440\u0430\u0443\u0440\u0430l.com")
@example("x\ning.com")
@example("x\ny.\u0430pple.com")
@example("paypal.com.evil.ru")
@example("PAYPAL.COM.EVIL.RU")
@example("xn--pypal-4ve.com")
@example("ing\u3002x\u3002com")
def test_what_the_rules_say_something_of_the_prefilter_points_at(name: str) -> None:
    assert_promise(name)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_pointed_at_whatever_byte_tells_the_length(spelling: str) -> None:
    """Also where that byte is the code of a letter, a digit, a dot."""
    for length, first in product(
        (*LENGTHS, *LONG_LENGTHS),
        (spelling, spelling.upper(), f"{spelling}-login", f"*.{spelling}"),
    ):
        filling = ("." + "q" * 40) * (length // 41 + 1)
        name = first + filling[: length - len(first)]
        if len(spelling) > 4 or length < 256:
            assert says_something(name)
        assert_entries_are_candidates(name)


@given(names())
def test_names_are_judged_alike_by_the_database_of_the_prefilter(name: str) -> None:
    assert RULES.judge_name(name) == WITHOUT_STREAM.judge_name(name)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_pointed_at_where_a_name_ends(spelling: str) -> None:
    """Where an address follows nothing is a public suffix, and all labels count."""
    for name in (
        f"x..{spelling}",
        f"..x-{spelling}",
        f"x..{spelling}.",
        f"..{spelling}",
    ):
        assert_promise(name)


@pytest.mark.parametrize("tag", [PRINTABLE, UTF8, IA5])
def test_issuers_with_a_brand_are_not_pointed_at(tag: int) -> None:
    issuer = [attribute("2.5.4.10", "Microsoft Corporation", tag)]
    made = Made(tbs_certificate("x.example", issuer=issuer))
    assert entryscreen.candidates(tile([made]), ON_LOGS) == []


def test_a_common_name_in_another_script_is_a_candidate() -> None:
    """In which nothing but the last letter of the brand is ASCII."""
    quiet = Made(tbs_certificate(subject=[attribute(COMMON_NAME, "x.example")]))
    for name in ("\u0440\u0430\u0443\u0440\u0430l.com", "a" * 200 + "\u0440.com"):
        foreign = Made(tbs_certificate(subject=[attribute(COMMON_NAME, name)]))
        found = entryscreen.candidates(tile([quiet, foreign, quiet]), ON_LOGS)
        assert found == [1]


# What was recorded


@pytest.fixture(scope="module")
def shipped() -> RuleSet:
    """The brands that come with the program."""
    path = CHECKOUT / "conf" / "brands.json"
    brands = parse_brands(path.read_text("utf-8"), str(path))
    return RuleSet(Rules("secure|login", threshold=2, brands=brands))


def test_recorded_entries_with_something_to_say_are_candidates(
    shipped: RuleSet,
) -> None:
    scanner = shipped.prefilter(LEAF_MARKS, ODD_NAMES)
    for number in range(4):
        body = shared(f"static-ct/navigli2025h2/tile/data/00{number}").read_bytes()
        leaves = TileLeaves.parse(body, number, 256)
        said = {
            one
            for one in range(len(leaves))
            if shipped.judge(certificate_of(leaves.entry(one))[0].names).names
        }
        assert said
        assert said <= set(entryscreen.candidates(leaves, scanner))


def test_recorded_messages_with_something_to_say_are_candidates(
    shipped: RuleSet,
) -> None:
    scanner = shipped.prefilter(MARKS)
    said = 0
    for path in sorted((VECTORS / "certstream").glob("*.jsonl")):
        recorded = path.read_bytes().splitlines()
        picked = set(screen.candidates(recorded, scanner))
        for number, frame in enumerate(recorded):
            sighting, _ = parse(frame, "feed")
            if sighting is not None and shipped.judge(sighting.names).names:
                said += 1
                assert number in picked
    assert said
