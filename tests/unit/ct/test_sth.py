"""Heads and proofs of real logs, and what is refused."""

import base64
import contextlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct import sth
from ctmonitor.ct.signature import DigitallySigned, LogKey, tree_head_bytes
from ctmonitor.errors import FormatError, IntegrityError
from tests.data import VECTORS

LISTED = json.loads(
    (VECTORS / "loglists" / "ctgo_sample_loglist3_2022.json").read_bytes()
)
# One key and one signature of each text: parameters have to be the same in each run.
PRIVATE = ec.derive_private_key(2**200 + 1, ec.SECP256R1())
ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
KEY = LogKey(
    PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
ROOT = bytes(range(32))


def _key_of(name: str) -> LogKey:
    for operator in LISTED["operators"]:
        for log in operator["logs"]:
            if name in log["description"]:
                return LogKey(base64.b64decode(log["key"]))
    raise AssertionError(name)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _signed(timestamp_ms: int, size: int, root: bytes) -> str:
    signature = PRIVATE.sign(tree_head_bytes(timestamp_ms, size, root), ALGORITHM)
    return _b64(DigitallySigned(4, 3, signature).encoded())


def _body(**changed: Any) -> bytes:
    """A head that is signed, unless a field is changed."""
    fields = {
        "tree_size": 7,
        "timestamp": 1_700_000_000_000,
        "sha256_root_hash": _b64(ROOT),
        "tree_head_signature": _signed(1_700_000_000_000, 7, ROOT),
    }
    return json.dumps(fields | changed).encode()


@pytest.mark.parametrize(
    ("file", "name", "size"),
    [
        ("argon2020/get-sth.json", "Argon2020", 961_984_011),
        ("icarus/get-sth_129596132.json", "Icarus", 129_596_132),
        ("icarus/get-sth_129721434.json", "Icarus", 129_721_434),
    ],
)
def test_heads_of_real_logs_verify(file: str, name: str, size: int) -> None:
    body = (VECTORS / file).read_bytes()
    head = sth.parse_sth(body, _key_of(name))
    assert head.size == size
    assert head.root == base64.b64decode(json.loads(body)["sha256_root_hash"])
    assert head.timestamp_ms == json.loads(body)["timestamp"]
    assert head.document == body


def test_a_real_head_under_the_key_of_another_log_is_evidence() -> None:
    body = (VECTORS / "argon2020" / "get-sth.json").read_bytes()
    with pytest.raises(IntegrityError) as caught:
        sth.parse_sth(body, _key_of("Icarus"))
    assert caught.value.kind == "signature"
    assert "961984011" in caught.value.detail
    assert caught.value.evidence == {"get-sth.json": body}


@pytest.mark.parametrize(
    "changed",
    [
        {"tree_size": 8},
        {"timestamp": 1_700_000_000_001},
        {"sha256_root_hash": _b64(ROOT[::-1])},
        {"tree_head_signature": _signed(1_700_000_000_000, 8, ROOT)},
        {"tree_head_signature": ""},
        {"tree_head_signature": _b64(b"\4\3\0\5abc")},
    ],
)
def test_a_head_with_a_signature_for_something_else_is_refused(
    changed: dict[str, Any],
) -> None:
    sth.parse_sth(_body(), KEY)
    with pytest.raises(IntegrityError, match=r"^signature: "):
        sth.parse_sth(_body(**changed), KEY)


def test_the_largest_size_and_the_empty_tree_are_heads() -> None:
    for size in (0, 2**62, 2**63 - 1):
        signed = _signed(5, size, ROOT)
        body = _body(tree_size=size, timestamp=5, tree_head_signature=signed)
        assert sth.parse_sth(body, KEY).size == size


@pytest.mark.parametrize(
    "changed",
    [
        {"tree_size": -1},
        {"tree_size": 2**63},
        {"tree_size": 2**64},
        {"tree_size": 10**400},
        {"tree_size": "7"},
        {"tree_size": 7.5},
        {"tree_size": None},
        {"timestamp": -1},
        {"timestamp": 2**63},
        {"sha256_root_hash": _b64(ROOT[:31])},
        {"sha256_root_hash": _b64(ROOT + b"\0")},
        {"sha256_root_hash": "?"},
        {"tree_head_signature": "?"},
        {"tree_head_signature": None},
    ],
)
def test_a_head_out_of_range_is_a_format_error(changed: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=r"^get-sth: "):
        sth.parse_sth(_body(**changed), KEY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"[]",
        b"{}",
        b'{"tree_size": 7',
        _body() + b"{}",
        b"[" * 100_000,
        b'{"tree_size": "\xff"}',
    ],
)
def test_an_answer_that_is_no_head_says_how_it_begins(body: bytes) -> None:
    with pytest.raises(FormatError, match=r"^get-sth: ") as caught:
        sth.parse_sth(body, KEY)
    assert len(str(caught.value)) < 400
    if b"html" in body:
        assert "<html>" in str(caught.value)


def test_unknown_fields_are_passed_over() -> None:
    assert sth.parse_sth(_body(witnesses=[1], tree_head={}), KEY).size == 7


def test_proofs_of_real_logs() -> None:
    name = "argon2020/get-sth-consistency-first-3654490-second-961984011.json"
    proof = sth.parse_consistency((VECTORS / name).read_bytes())
    assert len(proof) > 20
    assert all(len(one) == 32 for one in proof)
    name = "argon2020/get-proof-by-hash-tree-size-961984011.json"
    index, path = sth.parse_inclusion((VECTORS / name).read_bytes())
    assert index == 10_000
    assert len(path) == 30
    name = "icarus/get-entry-and-proof_leaf_index-120000000_tree_size-129721434.json"
    found = sth.parse_entry_and_proof((VECTORS / name).read_bytes())
    assert found.leaf_input.startswith(b"\0\0")
    assert found.extra_data
    assert len(found.path) in (26, 27)


def _consistency(hashes_: Any) -> bytes:
    return json.dumps({"consistency": hashes_}).encode()


def _inclusion(hashes_: Any) -> bytes:
    return json.dumps({"leaf_index": 3, "audit_path": hashes_}).encode()


def _entry(hashes_: Any) -> bytes:
    fields = {"leaf_input": "AAA=", "extra_data": "", "audit_path": hashes_}
    return json.dumps(fields).encode()


PROOFS = [
    (sth.parse_consistency, _consistency, lambda found: found),
    (sth.parse_inclusion, _inclusion, lambda found: found[1]),
    (sth.parse_entry_and_proof, _entry, lambda found: found.path),
]


@pytest.mark.parametrize(("parse", "body", "path"), PROOFS)
def test_limits_of_proofs(parse: Any, body: Any, path: Any) -> None:
    one = _b64(ROOT)
    assert path(parse(body([]))) == []
    assert path(parse(body(None))) == []  # a Go program's empty list
    assert path(parse(body([one] * 64))) == [ROOT] * 64
    for wrong in (
        [one] * 65,
        [_b64(ROOT[:31])],
        [one, ""],
        [one, _b64(ROOT * 2)],
        ["?"],
        [None],
        one,
        3,
    ):
        with pytest.raises(FormatError):
            parse(body(wrong))
    for broken in (b"", b"{}", b"null", b"<html>", body([one])[:-1]):
        with pytest.raises(FormatError):
            parse(broken)


def test_index_out_of_range_is_a_format_error() -> None:
    for index in ("-1", str(2**63), "1.5", '"3"'):
        with pytest.raises(FormatError):
            sth.parse_inclusion(f'{{"leaf_index":{index},"audit_path":[]}}'.encode())


# Nearly right: fields of the right names with values of all kinds.
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        [
            "tree_size",
            "timestamp",
            "sha256_root_hash",
            "tree_head_signature",
            "consistency",
            "leaf_index",
            "audit_path",
            "leaf_input",
            "extra_data",
        ]
    ),
    _JSON | st.integers(0, 2**64) | st.binary(max_size=40).map(_b64),
)
_BODIES = st.binary() | _FIELDS.map(lambda fields: json.dumps(fields).encode())


@given(_BODIES)
def test_any_bytes_are_a_value_or_an_error_of_ours(body: bytes) -> None:
    for parse in (
        lambda: sth.parse_sth(body, KEY),
        lambda: sth.parse_consistency(body),
        lambda: sth.parse_inclusion(body),
        lambda: sth.parse_entry_and_proof(body),
    ):
        with contextlib.suppress(FormatError, IntegrityError):
            parse()
