"""Checkpoints of real logs, with all that stands beside the log's own signature."""

import base64
import itertools
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct.checkpoint import (
    format_checkpoint,
    key_id,
    parse_checkpoint,
    signature_line,
)
from ctmonitor.ct.signature import DigitallySigned, LogKey, tree_head_bytes
from ctmonitor.errors import FormatError, IntegrityError
from tests.data import VECTORS

LOGS = VECTORS / "logs"
SUNLIGHT = (LOGS / "sunlight_own_checkpoint").read_bytes()
ORIGIN = "log.test/2026h2"
# One key and one signature of each text: parameters have to be the same in each run.
PRIVATE = ec.derive_private_key(2**200 + 1, ec.SECP256R1())
ALGORITHM = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
KEY = LogKey(
    PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
ROOT = bytes(range(32))
TIME_MS = 1_700_000_000_000


def _log(name: str) -> tuple[str, LogKey]:
    """Origin and key that a log tells of itself."""
    told = json.loads((LOGS / name).read_bytes())
    return told["description"], LogKey(base64.b64decode(told["key"]))


def _signed(size: int, root: bytes = ROOT, timestamp_ms: int = TIME_MS) -> bytes:
    message = tree_head_bytes(timestamp_ms, size, root)
    signature = PRIVATE.sign(message, ALGORITHM)
    return DigitallySigned(4, 3, signature).encoded()


def _checkpoint(size: int = 7, timestamp_ms: int = TIME_MS) -> bytes:
    signed = _signed(size, ROOT, timestamp_ms)
    return format_checkpoint(ORIGIN, size, ROOT, timestamp_ms, KEY.log_id, signed)


def _with(*lines: str) -> bytes:
    """A good checkpoint with further lines of signatures behind its own."""
    return _checkpoint() + "".join(f"{line}\n" for line in lines).encode()


def test_checkpoint_of_skylight_verifies() -> None:
    origin, key = _log("skylight_log.v3.json")
    body = (LOGS / "skylight_checkpoint").read_bytes()
    head = parse_checkpoint(body, origin, key)
    final = json.loads((LOGS / "skylight_log.v3.json").read_bytes())["final_tree_head"]
    assert head.size == final["tree_size"]
    assert head.root == base64.b64decode(final["sha256_root_hash"])
    assert head.document == body


def test_four_lines_of_sunlight_in_any_order() -> None:
    """One is the log's; two more bear its name, and one of these is noise."""
    origin, key = _log("sunlight_own_log.v3.json")
    text, _, lines = SUNLIGHT.decode().partition("\n\n")
    signatures = lines.splitlines()
    assert sum(f" {origin} " in line for line in signatures) == 3
    assert any(" grease.invalid " in line for line in signatures)
    for order in itertools.permutations(signatures):
        body = f"{text}\n\n" + "".join(f"{line}\n" for line in order)
        head = parse_checkpoint(body.encode(), origin, key)
        assert (head.size, head.timestamp_ms) == (701, 1795263616965)


def test_without_the_line_of_the_log_the_others_count_for_nothing() -> None:
    """The cosignature and the noise under the log's own name are no signatures."""
    origin, key = _log("sunlight_own_log.v3.json")
    own = base64.b64encode(key_id(origin, key.log_id))[:5].decode()
    kept = [
        line for line in SUNLIGHT.decode().split("\n") if f"{origin} {own}" not in line
    ]
    assert len(kept) == SUNLIGHT.count(b"\n")
    body = "\n".join(kept).encode()
    with pytest.raises(IntegrityError, match=r"^signature: missing") as caught:
        parse_checkpoint(body, origin, key)
    assert caught.value.evidence == {"checkpoint": body}


def test_a_key_that_is_not_the_logs_finds_its_line_missing() -> None:
    origin, _ = _log("sunlight_own_log.v3.json")
    with pytest.raises(IntegrityError, match=r"^signature: missing"):
        parse_checkpoint(SUNLIGHT, origin, KEY)


def test_a_foreign_origin_is_told_apart_from_a_bad_signature() -> None:
    origin, key = _log("skylight_log.v3.json")
    with pytest.raises(IntegrityError) as caught:
        parse_checkpoint(SUNLIGHT, origin, key)
    assert caught.value.kind == "origin"
    assert origin in caught.value.detail
    assert "127.0.0.1/peers" in caught.value.detail
    assert caught.value.evidence == {"checkpoint": SUNLIGHT}


def test_own_line_under_another_name_is_not_the_logs() -> None:
    """Name and key id both have to be right; the key id here is the log's."""
    own = key_id(ORIGIN, KEY.log_id) + TIME_MS.to_bytes(8, "big") + _signed(7)
    text = _checkpoint().partition(b"\n\n")[0]
    body = text + f"\n\n{signature_line('other.test', own)}\n".encode()
    with pytest.raises(IntegrityError, match=r"^signature: missing"):
        parse_checkpoint(body, ORIGIN, KEY)


@pytest.mark.parametrize("length", [1, 2, 40, 100, 2428])
def test_foreign_signatures_may_have_any_length(length: int) -> None:
    """A witness, noise under the log's name, and noise under another's."""
    foreign = b"\1\2\3\4" + b"x" * length
    body = _with(signature_line(ORIGIN, foreign), signature_line("w.test", foreign))
    assert parse_checkpoint(body, ORIGIN, KEY).size == 7


def test_sixteen_signatures_are_read_and_a_hundred_and_one_are_not() -> None:
    line = signature_line("witness.test/w", b"\1\2\3\4" + bytes(72))
    assert parse_checkpoint(_with(*[line] * 15), ORIGIN, KEY).size == 7
    assert parse_checkpoint(_with(*[line] * 99), ORIGIN, KEY).size == 7
    with pytest.raises(FormatError, match="too many signatures"):
        parse_checkpoint(_with(*[line] * 100), ORIGIN, KEY)


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        bytes(8),
        TIME_MS.to_bytes(8, "big") + b"\4\3\0",
        TIME_MS.to_bytes(8, "big") + _signed(8),
        (TIME_MS + 1).to_bytes(8, "big") + _signed(7),
        TIME_MS.to_bytes(8, "big") + _signed(7)[:-8],  # as Tuscolo's in the drafts
        TIME_MS.to_bytes(8, "big") + _signed(7) + b"\0",
        TIME_MS.to_bytes(8, "big") + b"\4\1" + _signed(7)[2:],
    ],
)
def test_a_line_of_the_known_key_that_fails_spoils_the_checkpoint(data: bytes) -> None:
    """Also beside a good one, before it or behind it."""
    line = signature_line(ORIGIN, key_id(ORIGIN, KEY.log_id) + data)
    text, _, own = _checkpoint().decode().partition("\n\n")
    for lines in (f"{line}\n", f"{line}\n{own}", f"{own}{line}\n"):
        body = f"{text}\n\n{lines}".encode()
        with pytest.raises(
            IntegrityError, match=r"^signature: checkpoint of 7 entries"
        ):
            parse_checkpoint(body, ORIGIN, KEY)


def test_of_two_good_lines_the_later_time_counts() -> None:
    later = _signed(7, ROOT, TIME_MS + 5)
    data = key_id(ORIGIN, KEY.log_id) + (TIME_MS + 5).to_bytes(8, "big") + later
    body = _with(signature_line(ORIGIN, data))
    assert parse_checkpoint(body, ORIGIN, KEY).timestamp_ms == TIME_MS + 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n7\n", b"\n8\n"),
        (base64.b64encode(ROOT), base64.b64encode(ROOT[::-1])),
    ],
)
def test_text_that_was_changed_does_not_verify(old: bytes, new: bytes) -> None:
    body = _checkpoint().replace(old, new)
    with pytest.raises(IntegrityError, match=r"^signature: "):
        parse_checkpoint(body, ORIGIN, KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n7\n", b"\n07\n"),
        (b"\n7\n", b"\n+7\n"),
        (b"\n7\n", b"\n-7\n"),
        (b"\n7\n", b"\n 7\n"),
        (b"\n7\n", b"\n7 \n"),
        (b"\n7\n", b"\n7.0\n"),
        (b"\n7\n", b"\n\n"),
        (b"\n7\n", "\n\u0667\n".encode()),
        (b"\n7\n", b"\n9223372036854775808\n"),
        (b"\n7\n", b"\n" + b"9" * 5000 + b"\n"),
        (b"\n7\n", b"\n7\r\n"),
        (b"\n7\n", b"\n7\0\n"),
        (b"\n7\n", b"\n7\n7\n"),
        (b"\n7\n", b"\n"),
        (base64.b64encode(ROOT), base64.b64encode(ROOT[1:])),
        (base64.b64encode(ROOT), base64.b64encode(ROOT + b"\0")),
        (base64.b64encode(ROOT), b"?" * 44),
        (base64.b64encode(ROOT), base64.b64encode(ROOT).rstrip(b"=")),
        (b"\n\n", b"\nextension line\n\n"),
        (b"\n\n", b"\n"),
        (ORIGIN.encode() + b"\n", b"\n"),
        (ORIGIN.encode() + b"\n", b"\xff\n"),
        ("\u2014 ".encode(), b"- "),
        ("\u2014 ".encode(), "\u2014".encode()),
        ("\u2014 ".encode(), "\u2014  ".encode()),
        ("\u2014 ".encode(), "\u2014 a b".encode()),
        ("\u2014 ".encode(), "\u2014 a+".encode()),
    ],
)
def test_what_is_no_checkpoint(old: bytes, new: bytes) -> None:
    body = _checkpoint()
    assert body.count(old) >= 1
    with pytest.raises(FormatError, match=r"^checkpoint: "):
        parse_checkpoint(body.replace(old, new, 1), ORIGIN, KEY)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"\n\n",
        b"\n\n\n",
        b"<html>404</html>",
        _checkpoint()[:-1],
        _checkpoint() + b"\n",
        _checkpoint() + b"x\n",
        _with("\u2014 w.test"),
        _with("\u2014 w.test AAAA"),  # nothing behind the key id
        _with("\u2014 w.test ????"),
    ],
)
def test_what_is_no_note(body: bytes) -> None:
    with pytest.raises(FormatError, match=r"^checkpoint: "):
        parse_checkpoint(body, ORIGIN, KEY)


def test_a_key_id_is_the_one_of_the_specification() -> None:
    """static-ct-api: SHA-256(name, 0x0A, 0x05, log id), of a real log here."""
    origin, key = _log("skylight_log.v3.json")
    last = (LOGS / "skylight_checkpoint").read_bytes().split()[-1]
    assert key_id(origin, key.log_id) == base64.b64decode(last)[:4]


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**64 - 1))
def test_round_trip(size: int, timestamp_ms: int) -> None:
    body = _checkpoint(size, timestamp_ms)
    head = parse_checkpoint(body, ORIGIN, KEY)
    assert (head.size, head.root, head.timestamp_ms) == (size, ROOT, timestamp_ms)
    assert head.document == body


@st.composite
def _spoiled(draw: st.DrawFn) -> bytes:
    """A good checkpoint with a stretch of other bytes in it."""
    body = _checkpoint()
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 10)))
    return body[:start] + draw(st.binary(max_size=10)) + body[end:]


@given(st.binary() | st.text().map(str.encode) | _spoiled())
def test_any_bytes_are_a_head_or_an_error_of_ours(body: bytes) -> None:
    try:
        head = parse_checkpoint(body, ORIGIN, KEY)
    except (FormatError, IntegrityError):
        return
    assert (head.size, head.root) == (7, ROOT)
