"""The prefilter over runs of entries: what the rules find, and nothing is hidden."""

import base64
import json
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.entry import Leaves
from ctmonitor.ct.leaf import EntriesLeaves
from ctmonitor.ct.tile import TileLeaves
from ctmonitor.model.batch import Malformed
from ctmonitor.model.log import Log
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.base import Scanner
from ctmonitor.sources.entryscreen import (
    LEAF_MARKS,
    Screened,
    candidates,
    screen_leaves,
)
from tests.unit.ct import making
from tests.unit.ct.making import (
    BMP,
    COMMON_NAME,
    IA5,
    ORGANISATION,
    PRINTABLE,
    T61,
    UNIVERSAL,
    UTF8,
    attribute,
    der,
    tbs_certificate,
)
from tests.unit.sources.entryruns import (
    LOGGED,
    START,
    Made,
    get_entries,
    tile,
    u24,
)

TILED = Log(bytes(32), b"", "Tuscolo", "G", "https://s.example/", "https://m.example/")
CLASSIC = Log(bytes(32), b"", "Argon", "G", "https://argon.example/")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


Run = Callable[[Sequence[Made]], Leaves]
BOTH = pytest.mark.parametrize("run", [tile, get_entries])


def prefilter(keywords: str) -> Scanner:
    found = RuleSet(Rules(keywords)).prefilter(LEAF_MARKS)
    assert found is not None
    return found


def screened(leaves: Leaves, keywords: str | None = "paypal") -> Screened:
    log = TILED if isinstance(leaves, TileLeaves) else CLASSIC
    scanner = None if keywords is None else prefilter(keywords)
    return run_through(screen_leaves(leaves, log, log.address, scanner, NOW))[0]


def run_through(screening: Coroutine[None, None, Screened]) -> tuple[Screened, int]:
    """What it gives, and how often it let others run."""
    pauses = 0
    while True:
        try:
            screening.send(None)
        except StopIteration as end:
            return end.value, pauses
        pauses += 1


@BOTH
def test_a_candidate_becomes_a_sighting_with_its_place(run: Run) -> None:
    leaves = run(
        [
            Made(tbs_certificate("plain.example")),
            Made(tbs_certificate("login-PayPal.example"), is_precert=True),
            Made(tbs_certificate("paypal.example")),
        ]
    )
    log = TILED if run is tile else CLASSIC
    result = screened(leaves)
    assert result.candidates == 2
    assert result.malformed == ()
    first, second = result.sightings
    assert first.names == ("login-PayPal.example",)
    assert first.entry_type == "PrecertLogEntry"
    assert second.entry_type == "X509LogEntry"
    assert [s.index for s in result.sightings] == [513, 514]
    assert first.certificate is not None
    assert first.certificate.names == first.names
    # Without the slash, as a feed names the log.
    assert (first.log, first.log_name, first.feed) == (
        log.address.rstrip("/"),
        log.name,
        log.address,
    )
    assert first.link == log.link(513)
    assert (first.seen, first.logged) == (NOW, LOGGED)


@BOTH
def test_without_a_prefilter_every_entry_is_parsed(run: Run) -> None:
    leaves = run([Made(tbs_certificate(f"{n}.example")) for n in range(256)])
    result = screened(leaves, None)
    assert result.candidates == 256
    assert [s.names for s in result.sightings] == [
        (f"{n}.example",) for n in range(256)
    ]


@BOTH
def test_hits_outside_of_names_make_no_candidates(run: Run) -> None:
    issuer = [attribute(ORGANISATION, "Secure Server CA")]
    policy = making.extension("2.5.29.31", b"http://crl.secure.example/")
    leaves = run(
        [
            Made(tbs_certificate("a.example", issuer=issuer)),
            Made(tbs_certificate("b.example", issuer=issuer), is_precert=True),
            Made(tbs_certificate("c.example", extensions=[policy])),
            Made(tbs_certificate("d.example"), pre=b"secure", is_precert=True),
            Made(tbs_certificate("e.example"), chain=b"secure"),
            Made(tbs_certificate("f-secure.example", issuer=issuer)),
        ]
    )
    result = screened(leaves, "secure")
    assert [s.names for s in result.sightings] == [("f-secure.example",)]
    assert result.candidates == 1


@BOTH
def test_a_hit_belongs_to_the_entry_that_it_ends_in(run: Run) -> None:
    """The first and the last entry, and names at both ends of what holds them."""
    subject = [attribute(COMMON_NAME, "paypal")]
    entries = [Made(tbs_certificate(f"{n}.example")) for n in range(20)]
    for number in (0, 7, 8, 19):
        entries[number] = Made(tbs_certificate(subject=subject))
    assert candidates(run(entries), prefilter("paypal")) == [0, 7, 8, 19]
    assert candidates(run(entries).since(START + 8), prefilter("paypal")) == [0, 11]
    assert candidates(run(entries[:1]).since(START + 1), prefilter("paypal")) == []


class At:
    """A prefilter that hits at given places."""

    def __init__(self, *ends: int) -> None:
        self._ends = list(ends)

    def ends(self, data: bytes) -> list[int]:
        return self._ends


@BOTH
def test_every_place_of_a_run_belongs_to_one_entry_or_none(run: Run) -> None:
    leaves = run([Made(tbs_certificate("a.example"), n == 1) for n in range(3)])
    found = [candidates(leaves, At(end)) for end in range(1, len(leaves.data) + 1)]
    for number, (start, end) in enumerate(leaves.spans):
        name = leaves.data.index(b"a.example", start)
        inside = [i + 1 for i, picked in enumerate(found) if picked == [number]]
        assert inside
        assert start < inside[0] <= name + 1
        assert name + len("a.example") in inside
        assert inside[-1] <= end
    all_of_them = At(*range(1, len(leaves.data) + 1))
    assert candidates(leaves, all_of_them) == [0, 1, 2]


# Nothing is hidden


LABELS = st.sampled_from(
    [
        "paypal",
        "PayPal",
        "pay",
        "\u017fecure",
        "SECURE",
        "log\u0131n",
        "kiosk",
        "a",
        "-",
        "\u212aiosk",
        "münchen",
        "\0",
        "login",
        ".example",
    ]
)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map("".join)
STRINGS = st.sampled_from([UTF8, PRINTABLE, T61, IA5, BMP, UNIVERSAL])


def representable(kind: str, text: str, tag: int) -> making.Attribute:
    try:
        return attribute(kind, text, tag)
    except UnicodeEncodeError:  # T61String is Latin-1 here
        return attribute(kind, text, UTF8)


@st.composite
def made_entries(draw: st.DrawFn) -> Made:
    subject = [
        representable(kind, text, tag)
        for kind, text, tag in draw(
            st.lists(
                st.tuples(st.sampled_from([COMMON_NAME, ORGANISATION]), NAMES, STRINGS),
                max_size=3,
            )
        )
    ]
    tbs = tbs_certificate(
        *draw(st.lists(NAMES, max_size=3)),
        subject=subject,
        issuer=[attribute(ORGANISATION, draw(NAMES))],
        extensions=draw(
            st.sampled_from(
                [
                    (making.KEY_ID,),
                    (),
                    (making.extension("2.5.29.31", b"paypal"), making.KEY_ID),
                    # The object of a subjectAltName where none is.
                    (making.extension("1.2.3", bytes.fromhex("0603551d11047f")),),
                ]
            )
        ),
    )
    at = draw(st.integers(0, 400))
    if at < len(tbs):  # a few are broken
        tbs = tbs[:at] + bytes([draw(st.integers(0, 255))]) + tbs[at + 1 :]
    return Made(tbs, draw(st.booleans()), chain=b"paypal", broken=draw(st.booleans()))


@pytest.mark.parametrize(
    ("names", "count", "most"), [(1, 256, 0), (19_000, 40, 40), (19_000, 2, 0)]
)
def test_other_tasks_run_while_much_is_parsed(
    names: int, count: int, most: int
) -> None:
    """19,000 names of one byte take 20 ms a certificate."""
    full = der(0x82, b"\xff") * (names - 1) + der(0x82, b"paypal.example")
    alternative = making.extension(making.SUBJECT_ALT_NAME, der(0x30, full))
    tbs = tbs_certificate(extensions=[alternative])
    leaves = get_entries([Made(tbs)] * count)
    screening = screen_leaves(leaves, CLASSIC, "feed", prefilter("paypal"), NOW)
    found, pauses = run_through(screening)
    assert len(found.sightings) == found.candidates == count
    assert most // 6 <= pauses <= most


@given(st.lists(made_entries(), min_size=1, max_size=8))
def test_what_the_rules_find_the_prefilter_points_at(entries: list[Made]) -> None:
    rules = RuleSet(Rules("paypal|secure|^login|kiosk$|pay.?pal|m.nchen"))
    scanner = rules.prefilter(LEAF_MARKS)
    assert scanner is not None
    for leaves in (tile(entries), get_entries(entries)):
        every = screened(leaves, None)
        found = {
            sighting.index
            for sighting in every.sightings
            if rules.judge(sighting.names).findings
        }
        some, _ = run_through(screen_leaves(leaves, TILED, "feed", scanner, NOW))
        assert found <= {sighting.index for sighting in some.sightings}
        known = {sighting.index: sighting.names for sighting in every.sightings}
        assert all(known[s.index] == s.names for s in some.sightings)
        told = {(each.index, each.kind) for each in every.malformed}
        assert {(each.index, each.kind) for each in some.malformed} <= told


@BOTH
@pytest.mark.parametrize("tag", [BMP, UNIVERSAL])
def test_names_in_wide_characters_are_worth_a_look_whatever_the_rules(
    run: Run, tag: int
) -> None:
    wide = [attribute(COMMON_NAME, "paypal.example", tag)]
    other = [attribute(ORGANISATION, "paypal.example", tag)]
    leaves = run(
        [Made(tbs_certificate(subject=wide)), Made(tbs_certificate(subject=other))]
    )
    assert candidates(leaves, prefilter("paypal")) == [0]


# Malformed entries


@BOTH
def test_defects_of_certificates_are_told_with_log_and_index(
    run: Run,
) -> None:
    leaves = run(
        [
            Made(tbs_certificate("paypal.example", serial=b"", validity=b"\x30\x00")),
            Made(tbs_certificate("plain.example", serial=b"")),  # nobody looks
            Made(making.der(0x30, b"paypal")),
        ]
    )
    result = screened(leaves)
    address = (TILED if run is tile else CLASSIC).address.rstrip("/")
    assert result.candidates == 2
    assert [s.names for s in result.sightings] == [("paypal.example",)]
    first, second = result.malformed
    assert first == Malformed(
        address,
        512,
        "serial number: missing",
        "serial number: missing; validity: not two times",
    )
    assert (second.log, second.index) == (address, 514)
    assert second.detail.startswith(second.kind)


@BOTH
def test_a_broken_chain_hides_no_name(run: Run) -> None:
    leaves = run(
        [
            Made(tbs_certificate("paypal.example"), is_precert=True, broken=True),
            Made(tbs_certificate("plain.example"), broken=True),
        ]
    )
    result = screened(leaves)
    assert [s.names for s in result.sightings] == [("paypal.example",)]
    assert "chain" in result.malformed[0].kind
    assert result.malformed[0].index == 512
    # A tile tells it of every entry, since the next one stands behind it.
    assert [m.index for m in result.malformed] == [512, 513][: 1 + (run is tile)]


def test_a_broken_framing_is_told_of_every_entry() -> None:
    good = get_entries([Made(tbs_certificate("paypal.example"))])
    leaf = good.data
    rows = [leaf, b"\1" + leaf[1:], leaf[:40], leaf, leaf[:-1]]
    body = {
        "entries": [
            {
                "leaf_input": base64.b64encode(row).decode(),
                "extra_data": base64.b64encode(u24(b"")).decode(),
            }
            for row in rows
        ]
    }
    leaves = EntriesLeaves.parse(json.dumps(body).encode(), 100, 5)
    result = screened(leaves)
    assert [s.index for s in result.sightings] == [100, 103]
    assert [m.index for m in result.malformed] == [101, 102, 104]
    assert all(m.kind.startswith("leaf: ") for m in result.malformed)
    nothing = screened(leaves, "elsewhere")
    assert nothing.sightings == ()
    assert [m.index for m in nothing.malformed] == [101, 102, 104]


def test_an_impossible_time_of_a_log_is_none() -> None:
    body = tile([Made(tbs_certificate("a.example"))]).data
    leaves = TileLeaves.parse(b"\xff" * 8 + body[8:], START // 256, 1)
    assert screened(leaves, None).sightings[0].logged is None


@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_any_bytes_in_an_entry_are_a_sighting_or_malformed(
    data: bytes, is_precert: bool
) -> None:
    for run in (tile, get_entries):
        result = screened(run([Made(data, is_precert)]), None)
        assert len(result.sightings) + len(result.malformed) >= 1
