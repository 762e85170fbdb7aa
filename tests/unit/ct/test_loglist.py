"""Lists of logs as they are published, and what their traps are."""

import base64
import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.loglist import (
    LOG_LIST_KEY,
    LogList,
    parse_log_list,
    verify_log_list,
)
from ctmonitor.errors import FormatError, IntegrityError
from ctmonitor.model.log import Log, LogState
from ctmonitor.model.text import printable
from tests.data import VECTORS, shared

CHROME = VECTORS / "loglists" / "gstatic_v3_log_list_2026-05-29.json"
SAMPLE = VECTORS / "loglists" / "ctgo_sample_loglist3_2022.json"
PRIVATE = ec.derive_private_key(2**200 + 1, ec.SECP256R1())
SPKI = PRIVATE.public_key().public_bytes(
    Encoding.DER, PublicFormat.SubjectPublicKeyInfo
)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _log(**changed: Any) -> dict[str, Any]:
    """A log of RFC 6962; a field that is changed to None is left out."""
    fields = {
        "description": "Ours",
        "log_id": _b64(hashlib.sha256(SPKI).digest()),
        "key": _b64(SPKI),
        "url": "https://log.test/ours/",
    }
    return {name: value for name, value in (fields | changed).items() if value}


def _tiled(**changed: Any) -> dict[str, Any]:
    addresses = {
        "url": None,
        "submission_url": "https://log.test/tiled",
        "monitoring_url": "https://mon.test/tiled",
    }
    return _log(**(addresses | changed))


def _list(*logs: dict[str, Any], kind: str = "logs", **top: Any) -> LogList:
    operator = {"name": "Us", "email": [], kind: list(logs)}
    return parse_log_list(json.dumps({"operators": [operator], **top}).encode())


def _only(listed: LogList) -> Log:
    assert listed.left_out == ()
    (log,) = listed.logs
    return log


def _left_out(listed: LogList) -> str:
    assert listed.logs == ()
    (reason,) = listed.left_out
    return reason


def test_list_of_chrome() -> None:
    listed = parse_log_list(CHROME.read_bytes())
    assert listed.version == "85.92"
    assert listed.timestamp == datetime(2026, 5, 29, 13, 42, 48, tzinfo=UTC)
    assert len(listed.logs) == 54
    assert sum(log.is_tiled for log in listed.logs) == 21
    named = {log.name: log for log in listed.logs}
    tuscolo = named["Geomys 'Tuscolo2026h2'"]
    assert tuscolo == Log(
        log_id=hashlib.sha256(tuscolo.key).digest(),
        key=tuscolo.key,
        name="Geomys 'Tuscolo2026h2'",
        operator="Geomys",
        url="https://tuscolo2026h2.sunlight.geomys.org/",
        monitoring_url="https://tuscolo2026h2.skylight.geomys.org/",
        mmd_s=60,
        state=LogState.USABLE,
        state_since=datetime(2025, 8, 31, 7, tzinfo=UTC),
        interval_start=datetime(2026, 7, 1, tzinfo=UTC),
        interval_end=datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert tuscolo.origin == "tuscolo2026h2.sunlight.geomys.org"
    mammoth = named["Sectigo 'Mammoth2026h2'"]
    assert mammoth.state is LogState.READONLY
    assert mammoth.final_size == 57_634_084
    assert len(mammoth.final_root) == 32
    assert mammoth.mmd_s == 86400


def test_placeholders_at_example_com_are_left_out_by_name() -> None:
    """Geomys and IPng have them for clients that fail without `logs`."""
    listed = parse_log_list(CHROME.read_bytes())
    assert not any("example.com" in log.url for log in listed.logs)
    assert [reason.partition(":")[0] for reason in listed.left_out] == [
        "Bogus placeholder log to unbreak misbehaving CT libraries",
        "Bogus RFC6962 log to avoid breaking misbehaving CT libraries",
    ]
    assert all("a placeholder: https://ct.example.com" in x for x in listed.left_out)
    for url in ("https://example.com/", "http://EXAMPLE.com:8080/x/"):
        assert "a placeholder" in _left_out(_list(_log(url=url)))
    for url in ("https://notexample.com/", "https://example.com.test/"):
        assert _only(_list(_log(url=url))).url == url


def test_a_log_with_a_broken_key_is_left_out_and_the_others_stay() -> None:
    """Racketeer's key in this list is a bare point."""
    listed = parse_log_list(SAMPLE.read_bytes())
    assert len(listed.logs) == 5
    (reason,) = listed.left_out
    assert reason == "Google 'Racketeer' log: key: not readable: 64 bytes"
    aviator = listed.logs[0]
    assert (aviator.state, aviator.final_size) == (LogState.READONLY, 46_466_472)
    assert listed.logs[-1].url == "https://log.bob.io/"  # without slash in the list


@pytest.mark.parametrize(
    ("file", "logs", "tiled", "left_out"),
    [
        ("apple_current_log_list.json", 166, 31, 0),
        ("bimi_v3_approved_logs_list.json", 1, 0, 0),
        ("chrome_log_mimics_list.json", 0, 0, 2),  # no `tiled_logs`, nothing at top
        ("crtsh_v3_active_logs_list.json", 107, 52, 45),  # no states
        ("crtsh_v3_all_logs_list.json", 241, 73, 68),
        ("gstatic_v3_all_logs_list.json", 91, 56, 26),
        ("gstatic_v3_log_list_2026-01-20.json", 73, 26, 2),
        ("gstatic_v3_log_list_appmattus.json", 73, 26, 2),
        ("mozilla_v3_known_logs_list.json", 0, 0, 48),  # no addresses
    ],
)
def test_every_published_list_is_read(
    file: str, logs: int, tiled: int, left_out: int
) -> None:
    listed = parse_log_list(shared(f"loglists/{file}").read_bytes())
    assert len(listed.logs) == logs
    assert sum(log.is_tiled for log in listed.logs) == tiled
    assert len(listed.left_out) == left_out
    for log in listed.logs:
        assert hashlib.sha256(log.key).digest() == log.log_id
        assert log.url.endswith("/")
        assert log.address.startswith(("https://", "http://"))
    assert len({log.log_id for log in listed.logs}) == logs


def _history() -> list[Path]:
    return sorted(shared("loglists/history").glob("*.json.gz"))


def test_every_list_of_seven_months_verifies_and_is_read() -> None:
    files = _history()
    assert len(files) == 34
    for file in files:
        body = gzip.decompress(file.read_bytes())
        signature = file.with_name(file.name.replace(".json.gz", ".sig"))
        verify_log_list(body, signature.read_bytes(), LOG_LIST_KEY)
        assert len(parse_log_list(body).logs) > 60


@pytest.mark.parametrize(
    ("name", "state", "final_size"),
    [
        ("sunlight_own_log.v3.json", LogState.USABLE, None),
        ("skylight_log.v3.json", LogState.READONLY, 300),
    ],
)
def test_a_log_that_describes_itself(
    name: str, state: LogState, final_size: int | None
) -> None:
    listed = parse_log_list((VECTORS / "logs" / name).read_bytes())
    log = _only(listed)
    assert log.is_tiled
    assert log.origin == log.name
    assert (log.operator, log.state, log.final_size) == ("", state, final_size)
    assert log.mmd_s == 60
    assert (listed.version, listed.timestamp) == ("", None)


def test_either_kind_of_logs_may_be_missing_or_null() -> None:
    """The Elixir server fell over an operator without `tiled_logs`."""
    operators: list[dict[str, Any]] = [
        {"name": "A"},
        {"name": "B", "logs": None, "tiled_logs": None},
        {"logs": [_log()]},
    ]
    log = _only(parse_log_list(json.dumps({"operators": operators}).encode()))
    assert log.operator == ""
    assert _only(_list(_tiled(), kind="tiled_logs")).is_tiled


def test_a_log_id_that_is_not_of_the_key_is_left_out() -> None:
    for wrong in (b"", bytes(32), hashlib.sha256(SPKI).digest() + b"\0"):
        log = _log() | {"log_id": _b64(wrong)}
        reason = _left_out(_list(log))
        assert reason == "Ours: its log_id is not the SHA-256 of its key"


def test_a_double_is_left_out_and_says_of_what() -> None:
    listed = _list(_log(), _log(description="Again", url="https://other.test/"))
    assert [log.name for log in listed.logs] == ["Ours"]
    assert listed.left_out == ("Again: a double of Ours",)


def test_unknown_fields_and_states_are_passed_over() -> None:
    log = _only(
        _list(
            _log(
                state={"frozen": {"timestamp": "2026-01-01T00:00:00Z", "x": 1}}, dns=3
            ),
            unknown=[1],
        )
    )
    assert log.state is LogState.UNKNOWN
    assert log.state_since == datetime(2026, 1, 1, tzinfo=UTC)
    assert _only(_list(_log(state={}))).state is LogState.UNKNOWN
    assert _only(_list(_log())).state is LogState.UNKNOWN


@pytest.mark.parametrize(
    "state", ["pending", "qualified", "usable", "readonly", "retired", "rejected"]
)
def test_every_state(state: str) -> None:
    log = _only(_list(_log(state={state: {"timestamp": "2026-01-01T00:00:00+01:00"}})))
    assert log.state == state
    assert log.state_since == datetime(2025, 12, 31, 23, tzinfo=UTC)


def test_of_several_states_the_latest_is_the_state() -> None:
    """Mozilla names all that a log has had, and in whichever order."""
    states = {
        "usable": {"timestamp": "2025-09-22T12:29:18+01:00"},
        "qualified": {"timestamp": "2025-08-11T12:33:27+01:00"},
        "pending": {},
    }
    assert _only(_list(_log(state=states))).state is LogState.USABLE


def test_a_final_head_counts_for_a_read_only_log() -> None:
    head = {"tree_size": 5, "sha256_root_hash": _b64(bytes(32))}
    for state, size in (("readonly", 5), ("usable", None), ("qualified", None)):
        log = _only(_list(_log(state={state: {"final_tree_head": head}})))
        assert log.final_size == size
        assert log.final_root == (b"" if size is None else bytes(32))
    for wrong in (
        {"tree_size": -1},
        {"tree_size": 2**63},
        {"sha256_root_hash": "AA=="},
    ):
        reason = _left_out(
            _list(_log(state={"readonly": {"final_tree_head": head | wrong}}))
        )
        assert reason.startswith("Ours: ")


def test_test_logs_are_left_out() -> None:
    assert _left_out(_list(_log(log_type="test"))) == "Ours: a test log"
    for kind in ("prod", "monitoring_only", "another"):
        assert _only(_list(_log(log_type=kind))).name == "Ours"


@pytest.mark.parametrize(
    "url",
    [
        "log.test/ours/",
        "ftp://log.test/",
        "https://",
        "https:///x/",
        "https://user@log.test/",
        "https://log.test/?a=b",
        "https://log.test/#a",
        "https://log.test/a b/",
        "https://log.test/\n",
        "https://log.test\\x/",
        "https://l\u00f6g.test/",
    ],
)
def test_an_address_to_which_nothing_can_be_appended_is_none(url: str) -> None:
    assert "no address to read it at" in _left_out(_list(_log(url=url)))
    for name in ("submission_url", "monitoring_url"):
        assert "no address" in _left_out(_list(_tiled(**{name: url})))
    assert "no address" in _left_out(_list(_log(tiles_url=url)))


def test_a_tiled_log_needs_both_addresses_and_gets_its_slashes() -> None:
    log = _only(_list(_tiled(), kind="tiled_logs"))
    assert log.url == "https://log.test/tiled/"
    assert log.monitoring_url == "https://mon.test/tiled/"
    assert log.origin == "log.test/tiled"
    for name in ("submission_url", "monitoring_url"):
        assert "no address" in _left_out(_list(_tiled(**{name: None})))


def test_a_log_of_rfc_6962_can_have_tiles() -> None:
    """TrustAsia's do, though no list says so: a local list can."""
    log = _only(_list(_log(tiles_url="https://log.test/ours")))
    assert (log.is_tiled, log.tiles_url) == (False, "https://log.test/ours/")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:59"]
)
def test_a_time_that_is_none_does_not_cost_the_log(text: str) -> None:
    log = _only(_list(_log(temporal_interval={"end_exclusive": text})))
    assert (log.interval_start, log.interval_end) == (None, None)
    assert _list(log_list_timestamp=text).timestamp is None


def test_names_of_strangers_are_made_printable() -> None:
    named = _only(_list(_log(description="a\x1b[2J\n")))
    assert named.name == r"a\x1b[2J\x0a"
    assert _only(_list(_log(description=None))).name == "https://log.test/ours/"
    reason = _left_out(_list(_log(description="x" * 5000 + "\n", key="")))
    assert len(reason) < 300
    assert reason.isprintable()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b"[]",
        b"{}",
        b"null",
        b'{"operators": {}}',
        b'{"operators": [3]}',
        b'{"operators": [{"logs": 3}]}',
        b'{"operators": [',
        b"[" * 100_000,
        b'{"operators": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_list(body: bytes) -> None:
    with pytest.raises(FormatError, match=r"^log list: "):
        parse_log_list(body)


@pytest.mark.parametrize(
    "log",
    [
        3,
        None,
        [],
        {},
        {"key": 3, "log_id": "AA=="},
        {"key": "?", "log_id": "AA=="},
        _log(mmd="soon"),
        _log(mmd=-1),
        _log(state=[1]),
        _log(description=["x"]),
    ],
)
def test_what_is_no_log_is_left_out_alone(log: Any) -> None:
    listed = _list(log, _tiled(description="Good"))
    assert [log.name for log in listed.logs] == ["Good"]
    assert len(listed.left_out) == 1


def test_built_in_key_is_the_one_of_chrome() -> None:
    der = base64.b64decode("".join(LOG_LIST_KEY.splitlines()[1:-1]))
    assert hashlib.sha256(der).hexdigest().startswith("f1d8b68e50210d8e")
    body = CHROME.read_bytes()
    signature = CHROME.with_suffix(".sig").read_bytes()
    verify_log_list(body, signature, LOG_LIST_KEY)


def test_a_changed_list_or_signature_does_not_verify() -> None:
    body = CHROME.read_bytes()
    signature = CHROME.with_suffix(".sig").read_bytes()
    for changed, signed in (
        (body + b"\n", signature),
        (body.replace(b"Tuscolo2026h2", b"Tuscolo2026h3"), signature),
        (body, signature[:-1]),
        (body, b""),
        (body, base64.b64encode(signature)),
    ):
        with pytest.raises(IntegrityError, match=r"^signature: wrong"):
            verify_log_list(changed, signed, LOG_LIST_KEY)


def test_a_list_of_ones_own_can_be_signed_with_ecdsa() -> None:
    pem = PRIVATE.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    signature = PRIVATE.sign(b"{}", ec.ECDSA(hashes.SHA256()))
    verify_log_list(b"{}", signature, pem.decode())
    with pytest.raises(IntegrityError):
        verify_log_list(b"{} ", signature, pem.decode())


@pytest.mark.parametrize("pem", ["", "x", LOG_LIST_KEY[:300], "\ud800", "\u00e9"])
def test_a_key_file_that_holds_no_key(pem: str) -> None:
    with pytest.raises(FormatError, match=r"^log list key: "):
        verify_log_list(b"{}", b"", pem)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["usable", "readonly", "timestamp", "final_tree_head"]),
            inner,
        )
    ),
    max_leaves=6,
)


@st.composite
def _spoiled(draw: st.DrawFn) -> bytes:
    """A list whose log has a few fields of other kinds."""
    names = [*_tiled(), "state", "mmd", "temporal_interval", "status", "log_type"]
    changed = draw(st.dictionaries(st.sampled_from(names), _JSON, max_size=3))
    log = (_tiled() if draw(st.booleans()) else _log()) | changed
    document = log if draw(st.booleans()) else {"operators": [{"logs": [log]}]}
    return json.dumps(document).encode()


@given(st.binary() | _spoiled())
def test_any_bytes_are_a_list_or_a_format_error(body: bytes) -> None:
    try:
        listed = parse_log_list(body)
    except FormatError:
        return
    assert len(listed.logs) + len(listed.left_out) <= 1
    for text in (*listed.left_out, *(log.name for log in listed.logs)):
        assert printable(text) == text


@given(st.binary(max_size=600))
def test_any_bytes_are_no_signature(signature: bytes) -> None:
    with pytest.raises(IntegrityError):
        verify_log_list(b"{}", signature, LOG_LIST_KEY)
