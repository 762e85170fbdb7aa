"""
The superset promise: what the rules find in a message, the prefilter points at.

Messages are built in every shape that servers send and in many that none does: other
key orders, doubled keys, escapes, spaces, nested values, strings full of brackets.
"""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.message import MARKS, parse
from ctmonitor.sources.screen import candidates, screen

RULES = RuleSet(Rules("paypal|apple|account|a-b|login$|se.{0,2}cure", "", 1))
SCANNER = RULES.prefilter(MARKS)

_PIECES = st.sampled_from(
    [
        *[
            "paypal",
            "apple",
            "account",
            "a-b",
            "/",
            "login",
            "secure",
            "www.",
            ".com",
            "-",
            "x",
            "é",
            "ſ",
            "İ",
        ],
        *["]", "[", "{", "}", '"', "\\", ",", ":", '"],', '"}', "\\u0070"],
        *["all_domains", "subject", "leaf_cert", "chain", "dns_entries"],
        *"\n\0 ",
    ]
)
_TEXT = st.lists(_PIECES, max_size=4).map("".join)
_VALUE: st.SearchStrategy[Any] = st.recursive(
    st.one_of(_TEXT, st.none(), st.integers(), st.booleans(), st.floats(0, 1)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                _TEXT, st.sampled_from(["CN", "all_domains", "subject", "chain"])
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)
_SUBJECT = st.one_of(
    st.fixed_dictionaries({}, optional={"O": _VALUE, "CN": _TEXT, "aggregated": _TEXT}),
    _VALUE,
)
_DOMAINS = st.one_of(st.lists(st.one_of(_TEXT, _VALUE), max_size=3), _VALUE)
_CERT = st.lists(
    st.one_of(
        st.tuples(st.just("all_domains"), _DOMAINS),
        st.tuples(st.just("subject"), _SUBJECT),
        st.tuples(st.just("issuer"), _SUBJECT),
        st.tuples(st.just("extensions"), _VALUE),
        st.tuples(_TEXT, _VALUE),
    ),
    max_size=5,
)


class Doubled(list[tuple[str, Any]]):
    """A JSON object in which a key may stand twice."""


def _dump(value: Any, draw: Any) -> str:
    """JSON as a strange server might write it."""
    comma, colon = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
    if isinstance(value, Doubled):
        members = [
            f"{_string(key, draw)}{colon}{_dump(item, draw)}" for key, item in value
        ]
        return "{" + comma.join(members) + "}"
    if isinstance(value, dict):
        return _dump(Doubled(value.items()), draw)
    if isinstance(value, list):
        return "[" + comma.join(_dump(item, draw) for item in value) + "]"
    if isinstance(value, str):
        return _string(value, draw)
    return json.dumps(value)


def _string(text: str, draw: Any) -> str:
    style = draw(st.sampled_from(["ascii", "raw", "slash", "escaped"]))
    if style == "escaped" and text:
        at = draw(st.integers(0, len(text) - 1))
        head, tail = json.dumps(text[:at])[1:-1], json.dumps(text[at + 1 :])[1:-1]
        middle = f"\\u{ord(text[at]):04X}" if ord(text[at]) < 0x10000 else ""
        return f'"{head}{middle}{tail}"'
    result = json.dumps(text, ensure_ascii=style == "ascii")
    return result.replace("/", "\\/") if style == "slash" else result


@st.composite
def _frames(draw: Any) -> bytes:
    leaf = Doubled(draw(_CERT))
    chain = [Doubled(draw(_CERT)) for _ in range(draw(st.integers(0, 2)))]
    data = Doubled(
        draw(
            st.permutations(
                [("leaf_cert", leaf), ("chain", chain), ("cert_index", 1)]
                + ([("leaf_cert", Doubled(draw(_CERT)))] if draw(st.booleans()) else [])
            )
        )
    )
    kind = draw(st.sampled_from(["certificate_update", "dns_entries", "heartbeat"]))
    body = data if kind == "certificate_update" else draw(_DOMAINS)
    if draw(st.booleans()):
        body = data
    message = [("message_type", kind), ("data", body)]
    if draw(st.booleans()):
        message.reverse()
    return _dump(Doubled(message), draw).encode("utf-8", "surrogatepass")


def _finds(frame: bytes) -> bool:
    try:
        sighting, _ = parse(frame, "feed")
    except FormatError:
        return False
    return sighting is not None and bool(RULES.judge(sighting.names).names)


@given(_frames())
@example(b'{"data":{"leaf_cert":{"all_domains":["]x","paypal.com"]}}}')
@example(b'{"data":{"leaf_cert":{"all_domains":["a\\",\\"]","paypal.com"]}}}')
@example(b'{"data":{"leaf_cert":{"subject":{"O":"}","CN":"paypal.com"}}}}')
@example(b'{"data":{"leaf_cert":{"all\\u005fdomains":["paypal.com"]}}}')
@example(b'{"data":{"leaf_cert":{"all_domains":["\\u0070aypal.com"]}}}')
@example(b'{"data":{"leaf_cert":{"chain":[],"all_domains":["paypal.com"]}}}')
@example(b'{"data":{"leaf_cert":{"x":"}","chain":[],"subject":{"CN":"paypal"}}}}')
@example(b'{"data":{"leaf_cert":{"all_domains":["x"],"all_domains":["paypal"]}}}')
@example(b'{"data":{"leaf_cert":{"all_domains":[["x"],"paypal.com"]}}}')
@example(b'{"data":["a","paypal.com"],"message_type":"dns_entries"}')
@example(b'{"data":["paypal.com"]}')
@example(b'{"message_type":"dns_entries","data":["paypal.com","leaf_cert"]}')
@example(b'{"data":{"leaf_cert":{"all_domains":["paypal.com","dns_entries"]}}}')
@example('{"data":{"leaf_cert":{"all_domains":["\u017fecure"]}}}'.encode())
@example(b'{"data":{"leaf_cert":{"all_domains":["a\\/paypal"],"subject":null}}}')
def test_what_the_rules_find_the_prefilter_points_at(frame: bytes) -> None:
    if _finds(frame):
        assert candidates([frame], SCANNER) == [0]
        # Also among other messages, where all are scanned in one pass.
        quiet = b'{"data":["x.com"],"message_type":"dns_entries"}'
        assert candidates([quiet, frame, quiet], SCANNER) == [1]


@given(st.binary(max_size=200), _frames(), st.integers(0, 400), st.binary(max_size=3))
def test_any_bytes_give_sightings_or_are_counted(
    junk: bytes, frame: bytes, at: int, change: bytes
) -> None:
    changed = frame[:at] + change + frame[at + len(change) :]
    batch = screen([junk, changed, frame[:at]], None, "feed")
    assert batch.counts.candidates + 3 >= batch.counts.messages
    if _finds(changed):
        assert 0 in candidates([changed], SCANNER)


def _lite(names: list[str], issuer: str, organisation: str = "Example") -> bytes:
    leaf = {
        "all_domains": names,
        "issuer": {"O": issuer, "CN": f"{issuer} Secure Server CA"},
        "extensions": {"authorityInfoAccess": "URI:http://paypal.example/ca.crt\n"},
        "subject": {"CN": names[0], "O": organisation},
    }
    data = {"cert_index": 7, "leaf_cert": leaf, "source": {"url": "https://log/"}}
    message = {"data": data, "message_type": "certificate_update"}
    return json.dumps(message, separators=(",", ":")).encode()


def test_issuer_and_extensions_make_no_candidate() -> None:
    assert candidates([_lite(["x.com"], "Apple Account")], SCANNER) == []
    assert candidates([_lite(["x.com"], "CA", "Apple Inc.")], SCANNER) == [0]
    assert candidates([_lite(["x.com", "paypal.com"], "CA")], SCANNER) == [0]


@pytest.mark.parametrize("chain_first", [True, False])
def test_chain_and_base64_make_no_candidate(chain_first: bool) -> None:
    """Go and Elixir send the chain before the leaf, Rust behind it."""
    chain = [{"subject": {"CN": "Secure Apple CA"}, "as_der": "xxpaypalLOGINxx"}]
    leaf = {"subject": {"CN": "x.com"}, "all_domains": ["x.com"], "as_der": "appleZZ"}
    order = ["chain", "leaf_cert"] if chain_first else ["leaf_cert", "chain"]
    parts = {"chain": chain, "leaf_cert": leaf}
    data = {key: parts[key] for key in order}
    frame = json.dumps({"data": data}, separators=(",", ":")).encode()
    assert candidates([frame], SCANNER) == []
    hit = frame.replace(b'["x.com"]', b'["x.com","paypal.com"]')
    assert candidates([hit], SCANNER) == [0]


def test_counts_of_a_batch() -> None:
    frames = [
        _lite(["x.com"], "CA"),
        _lite(["paypal.com"], "CA"),
        b'{"data":{"leaf_cert":{"all_domains":["paypal.com"],',
        b'{"data":["paypal.com", 3],"message_type":"dns_entries"}',
    ]
    batch = screen(frames, SCANNER, "ws://feed", dropped=2, reconnects=1)
    assert [s.names for s in batch.sightings] == [("paypal.com",), ("paypal.com",)]
    assert batch.counts.messages == 4
    assert batch.counts.candidates == 3
    assert batch.counts.malformed == {"broken JSON": 1, "name: not a string": 1}
    assert (batch.counts.dropped, batch.counts.reconnects) == (2, 1)
    assert len(batch.samples) == 2


def test_without_a_scanner_everything_is_parsed() -> None:
    assert candidates([b"a", b"b"], None) == [0, 1]
