"""Leaves of RFC 6962: recorded answers, round trips, and broken framing."""

import base64
import gzip
import hashlib
import json
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st

from ctmonitor.ct.certificate import tbs_sha256
from ctmonitor.ct.entry import Leaves, LogEntry
from ctmonitor.ct.leaf import EntriesLeaves, leaf_index, parse_leaf
from ctmonitor.ct.merkle import leaf_hash
from ctmonitor.errors import FormatError
from tests.data import VECTORS, shared


def _opaque(length_bytes: int, content: bytes) -> bytes:
    return len(content).to_bytes(length_bytes, "big") + content


def _leaf_input(
    timestamp_ms: int, issuer_key_hash: bytes, signed: bytes, extensions: bytes
) -> bytes:
    entry_type = 1 if issuer_key_hash else 0
    return b"".join(
        (
            struct.pack(">BBQH", 0, 0, timestamp_ms, entry_type),
            issuer_key_hash,
            _opaque(3, signed),
            _opaque(2, extensions),
        )
    )


def _extra_data(pre_certificate: bytes, chain: tuple[bytes, ...]) -> bytes:
    before = _opaque(3, pre_certificate) if pre_certificate else b""
    return before + _opaque(3, b"".join(_opaque(3, one) for one in chain))


def _answer(*entries: tuple[bytes, bytes]) -> bytes:
    return json.dumps(
        {
            "entries": [
                {
                    "leaf_input": base64.b64encode(leaf_input).decode(),
                    "extra_data": base64.b64encode(extra_data).decode(),
                }
                for leaf_input, extra_data in entries
            ]
        }
    ).encode()


X509 = _leaf_input(1_700_000_000_000, b"", b"certificate", b"")
PRECERT = _leaf_input(1_700_000_000_001, b"k" * 32, b"tbs", b"")
GOOD = (
    (X509, _extra_data(b"", (b"issuer", b"root"))),
    (PRECERT, _extra_data(b"precertificate", (b"issuer",))),
)

_SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

signed_parts = st.tuples(
    st.integers(0, 2**64 - 1),
    st.just(b"") | st.binary(min_size=32, max_size=32),
    st.binary(min_size=1, max_size=300),
    st.binary(max_size=20),
)
chains = st.lists(st.binary(min_size=1, max_size=40), max_size=4).map(tuple)


def test_it_is_a_run_of_leaves() -> None:
    leaves: Leaves = EntriesLeaves.parse(_answer(*GOOD), 7, 2)
    assert leaves.start == 7
    assert len(leaves) == 2
    assert leaves.lead == 2
    assert not leaves.malformed
    assert [leaves.data[at:end] for at, end in leaves.spans] == [X509, PRECERT]
    assert leaves.hashes() == [leaf_hash(X509), leaf_hash(PRECERT)]


def test_a_certificate_and_a_precertificate() -> None:
    leaves = EntriesLeaves.parse(_answer(*GOOD), 7, 256)
    assert leaves.entry(0) == LogEntry(
        index=7,
        timestamp_ms=1_700_000_000_000,
        is_precert=False,
        signed_entry=b"certificate",
        leaf_input=X509,
        chain=(b"issuer", b"root"),
    )
    assert leaves.entry(1) == LogEntry(
        index=8,
        timestamp_ms=1_700_000_000_001,
        is_precert=True,
        signed_entry=b"tbs",
        leaf_input=PRECERT,
        issuer_key_hash=b"k" * 32,
        pre_certificate=b"precertificate",
        chain=(b"issuer",),
    )


def test_real_entries_of_2014() -> None:
    """A precertificate and its certificate, whose issuers sign in their chains."""
    body = (VECTORS / "ctgo/get-entries_2014_precert_and_cert.json").read_bytes()
    leaves = EntriesLeaves.parse(body, 0, 2)
    assert not leaves.malformed
    precert, final = leaves.entry(0), leaves.entry(1)
    assert (precert.is_precert, final.is_precert) == (True, False)
    x509.load_der_x509_certificate(precert.pre_certificate)
    for entry in (precert, final):
        assert entry.chain
        for issuer in entry.chain:
            x509.load_der_x509_certificate(issuer)
    x509.load_der_x509_certificate(final.signed_entry)
    issuer = x509.load_der_x509_certificate(precert.chain[0])
    key = issuer.public_key().public_bytes(*_SPKI)
    assert hashlib.sha256(key).digest() == precert.issuer_key_hash
    signed = hashlib.sha256(precert.signed_entry).hexdigest()
    assert tbs_sha256(precert.pre_certificate) == signed


def test_the_recorded_leaf_hash_of_argon2020() -> None:
    """The hash by which its proof was asked for is in the proof's address."""
    body = (VECTORS / "argon2020/get-entries-start-10000-end-10000.json").read_bytes()
    leaves = EntriesLeaves.parse(body, 10_000, 1)
    (found,) = leaves.hashes()
    expected = b"nCs3mfIydh9x4CKyQ+u2xtmpxmFggA5MLymHwNQSlLg="
    assert base64.b64encode(found) == expected
    assert leaves.entry(0).index == 10_000


def test_every_recorded_entry() -> None:
    """2,668 real ones; for some `cryptography` says what the chain has to be."""
    checked = 0
    with gzip.open(shared("rfc6962/entries.jsonl.gz"), "rb") as lines:
        for line in lines:
            leaves = EntriesLeaves.parse(b'{"entries":[' + line + b"]}", 5, 1)
            assert not leaves.malformed
            entry = leaves.entry(0)
            checked += 1
            leaf = base64.b64decode(json.loads(line)["leaf_input"])
            assert entry.leaf_input == leaf
            assert leaves.hashes() == [hashlib.sha256(b"\0" + leaf).digest()]
            assert entry.is_precert == bool(entry.pre_certificate)
            if entry.is_precert and entry.chain:
                issuer = x509.load_der_x509_certificate(entry.chain[0])
                key = issuer.public_key().public_bytes(*_SPKI)
                # A precertificate signing certificate stands between (section 3.1).
                if not _signs_precertificates(issuer):
                    assert hashlib.sha256(key).digest() == entry.issuer_key_hash
    assert checked == 2668


def test_every_recorded_answer() -> None:
    answers = 0
    for path in sorted(shared("rfc6962/get-entries").glob("*get-entries*.json")):
        body = path.read_bytes()
        number = len(json.loads(body)["entries"])
        leaves = EntriesLeaves.parse(body, 0, number)
        assert len(leaves) == number
        for one in range(number):
            assert leaves.entry(one).chain
        with pytest.raises(FormatError, match="wrong number of entries"):
            EntriesLeaves.parse(body, 0, number - 1)
        answers += 1
    assert answers > 30


@given(st.lists(st.tuples(signed_parts, chains), min_size=1, max_size=5))
def test_entries_come_back_as_they_were_written(
    parts: list[tuple[tuple[int, bytes, bytes, bytes], tuple[bytes, ...]]],
) -> None:
    entries = []
    for (timestamp_ms, key_hash, signed, extensions), chain in parts:
        pre_certificate = b"pre" + signed if key_hash else b""
        leaf_input = _leaf_input(timestamp_ms, key_hash, signed, extensions)
        entries.append((leaf_input, _extra_data(pre_certificate, chain)))
    leaves = EntriesLeaves.parse(_answer(*entries), 3, len(entries))
    assert not leaves.malformed
    for number, ((timestamp_ms, key_hash, signed, _), chain) in enumerate(parts):
        entry = leaves.entry(number)
        assert entry.index == 3 + number
        assert entry.timestamp_ms == timestamp_ms
        assert entry.is_precert == bool(key_hash)
        assert entry.issuer_key_hash == key_hash
        assert entry.signed_entry == signed
        assert entry.pre_certificate == (b"pre" + signed if key_hash else b"")
        assert entry.chain == chain
        without = leaves.signed(number)
        assert without.signed_entry == signed
        assert without.chain == ()
        assert without.pre_certificate == b""


BROKEN = {
    "leaf: cut short": [b"", X509[:14], X509[:20], PRECERT[:40], PRECERT[:48]],
    "leaf: unknown version or type": [b"\1" + X509[1:], b"\0\1" + X509[2:]],
    "leaf: unknown entry type": [X509[:10] + b"\0\2" + X509[12:] + bytes(100)],
    "leaf: without a certificate": [
        _leaf_input(1, b"", b"", b"ext"),
        _leaf_input(1, b"k" * 32, b"", b"ext"),
    ],
    "leaf: other length than it says": [
        X509 + b"\0",
        X509[:-1] + b"\1",
        PRECERT + b"\0",
        PRECERT[:-1] + b"\1",
    ],
}


@pytest.mark.parametrize(
    ("kind", "leaf_input"),
    [(kind, leaf_input) for kind, many in BROKEN.items() for leaf_input in many],
)
def test_a_broken_leaf_is_kept_and_named(kind: str, leaf_input: bytes) -> None:
    """Its bytes are in the tree, and the entries around it are as they were."""
    body = _answer(GOOD[0], (leaf_input, b""), GOOD[1])
    leaves = EntriesLeaves.parse(body, 0, 3)
    assert leaves.malformed == {1: kind}
    assert leaves.hashes()[1] == hashlib.sha256(b"\0" + leaf_input).digest()
    assert leaves.entry(0).signed_entry == b"certificate"
    assert leaves.entry(2).signed_entry == b"tbs"
    with pytest.raises(FormatError, match=f"{kind}: entry 1"):
        leaves.entry(1)
    with pytest.raises(FormatError, match=kind):
        parse_leaf(leaf_input, 1)


@pytest.mark.parametrize(
    "extra_data",
    [
        b"",
        b"\0\0",
        _extra_data(b"", (b"issuer",))[:-1],
        _extra_data(b"", (b"issuer",)) + b"\0",
        _extra_data(b"", (b"issuer",)) + b"\0\0\1x",
        _extra_data(b"", (b"issuer", b"")),
        b"\0\0\2\0\0",
        b"\0\0\4\0\0\2x",
    ],
)
def test_extra_data_that_is_malformed(extra_data: bytes) -> None:
    """What the log signed can be read all the same."""
    leaves = EntriesLeaves.parse(_answer((X509, extra_data)), 0, 1)
    assert not leaves.malformed
    with pytest.raises(FormatError, match="extra_data"):
        leaves.entry(0)
    assert leaves.signed(0).signed_entry == b"certificate"


@pytest.mark.parametrize(
    "extra_data", [b"", _extra_data(b"", (b"issuer",)), b"\0\0\0\0\0\0", b"\0\0\1"]
)
def test_a_precertificate_without_pre_certificate(extra_data: bytes) -> None:
    leaves = EntriesLeaves.parse(_answer((PRECERT, extra_data)), 0, 1)
    with pytest.raises(FormatError, match="extra_data"):
        leaves.entry(0)
    assert leaves.signed(0).signed_entry == b"tbs"


@pytest.mark.parametrize("extra_data", ["null", "[]", '"A"', '"\\u00ff"', "{}"])
def test_extra_data_that_is_no_base64(extra_data: str) -> None:
    leaf_input = base64.b64encode(X509).decode()
    body = f'{{"entries":[{{"leaf_input":"{leaf_input}","extra_data":{extra_data}}}]}}'
    leaves = EntriesLeaves.parse(body.encode(), 0, 1)
    with pytest.raises(FormatError, match="extra_data: no base64: entry 0"):
        leaves.entry(0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b"[]",
        b"{}",
        b'{"entries":null}',
        b'{"entries":[{}]}',
        b'{"entries":[{"leaf_input":"AAAA"}]}',
        b'{"entries":[{"leaf_input":"A","extra_data":""}]}',
        b'{"entries":[{"leaf_input":5,"extra_data":""}]}',
        b'{"entries":[{"leaf_input":"\xff","extra_data":""}]}',
        b'{"error_message":"need tree size: 5 to get leaves but only got: 4"}',
        b'{"entries":' + b"[" * 100_000,
        _answer(*GOOD)[:-2],
    ],
)
def test_what_is_no_answer_of_get_entries(body: bytes) -> None:
    with pytest.raises(FormatError, match="get-entries"):
        EntriesLeaves.parse(body, 0, 256)


def _read(body: bytes) -> list[LogEntry | str]:
    found: list[LogEntry | str] = []
    leaves = EntriesLeaves.parse(body, 7, 256)
    for number in range(len(leaves)):
        try:
            found.append(leaves.entry(number))
        except FormatError as exc:
            found.append(exc.kind)
    return found


@given(
    st.lists(st.tuples(st.sampled_from([X509, PRECERT, b""]), st.binary()), max_size=4)
)
def test_an_answer_reads_the_same_with_and_without_spaces(
    more: list[tuple[bytes, bytes]],
) -> None:
    body = _answer(*GOOD, *more)
    assert _read(body.replace(b" ", b"")) == _read(body)


@pytest.mark.parametrize(
    "spoilt", ["A", "AA*A", "AAAA=", "=AAA", "A A=", "-_AA", "A\\nAA"]
)
@pytest.mark.parametrize("separators", [None, (",", ":")])
def test_a_leaf_input_that_is_no_base64(
    spoilt: str, separators: tuple[str, str] | None
) -> None:
    answer = json.loads(_answer(*GOOD))
    answer["entries"][-1]["leaf_input"] += spoilt
    body = json.dumps(answer, separators=separators).encode()
    with pytest.raises(FormatError, match="get-entries"):
        EntriesLeaves.parse(body, 7, 256)


@pytest.mark.parametrize(
    "text",
    [
        b'\\"}]}',
        b'\\"},{\\"leaf_input\\":\\"AAAA',
        b"\\u0041AAA",
        b'\\"},{"leaf_input":"AAAA","extra_data":"',
        b'","extra_data":"',
        b'"}],"entries":[{"leaf_input":"AAAA","extra_data":"',
    ],
)
def test_extra_data_that_looks_like_more_of_the_answer(text: bytes) -> None:
    body = _answer(*GOOD).replace(b" ", b"")
    end = body.index(b'"}')
    body = body[:end] + text + body[end:]
    try:
        expected = [entry["leaf_input"] for entry in json.loads(body)["entries"]]
    except ValueError:
        expected = None
    try:
        leaves = EntriesLeaves.parse(body, 7, 256)
    except FormatError:
        return
    if expected is not None:
        data = [leaves.data[start:end] for start, end in leaves.spans]
        assert [base64.b64encode(one).decode() for one in data] == expected


@pytest.mark.parametrize(("served", "asked"), [(0, 1), (2, 1), (3, 2), (257, 256)])
def test_no_entries_and_more_than_asked_for(served: int, asked: int) -> None:
    with pytest.raises(FormatError, match="wrong number of entries"):
        EntriesLeaves.parse(_answer(*[GOOD[0]] * served), 0, asked)


@pytest.mark.parametrize("served", [1, 255, 256])
def test_as_many_as_the_log_likes(served: int) -> None:
    leaves = EntriesLeaves.parse(_answer(*[GOOD[0]] * served), 0, 256)
    assert len(leaves) == len(leaves.hashes()) == served


def test_the_entries_from_an_index_on() -> None:
    body = _answer(GOOD[0], (b"", b""), GOOD[1], (b"\1", b""))
    leaves = EntriesLeaves.parse(body, 10, 4)
    assert leaves.since(9) is leaves
    assert leaves.since(10) is leaves
    rest = leaves.since(12)
    assert rest.start == 12
    assert len(rest) == 2
    assert rest.entry(0) == leaves.entry(2)
    assert rest.hashes() == leaves.hashes()[2:]
    assert rest.malformed == {1: "leaf: cut short"}
    assert len(leaves.since(14)) == 0


@given(st.binary(max_size=120))
@example(X509)
@example(PRECERT)
def test_any_leaf_gives_an_entry_or_a_format_error(leaf_input: bytes) -> None:
    """The check of a whole answer and that of one leaf say the same."""
    leaves = EntriesLeaves.parse(_answer((leaf_input, b"\0\0\0")), 0, 1)
    try:
        entry = parse_leaf(leaf_input, 0)
    except FormatError as exc:
        kind = exc.kind
    else:
        kind = ""
    assert leaves.malformed == ({0: kind} if kind else {})
    if kind:
        return
    written = _leaf_input(
        entry.timestamp_ms,
        entry.issuer_key_hash,
        entry.signed_entry,
        leaf_input[-_extensions_size(entry) :] if _extensions_size(entry) else b"",
    )
    assert written == leaf_input


@given(st.data())
def test_a_changed_answer_gives_entries_or_a_format_error(data: st.DataObject) -> None:
    body = bytearray(_answer(*GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        leaves = EntriesLeaves.parse(bytes(body), 0, 2)
    except FormatError:
        return
    assert len(leaves.hashes()) == len(leaves)
    for number in range(len(leaves)):
        try:
            assert leaves.entry(number).index == number
        except FormatError:
            continue


@given(st.booleans(), st.binary(max_size=60))
def test_any_extra_data_gives_a_chain_or_a_format_error(
    is_precert: bool, extra_data: bytes
) -> None:
    leaf_input = PRECERT if is_precert else X509
    leaves = EntriesLeaves.parse(_answer((leaf_input, extra_data)), 0, 1)
    try:
        entry = leaves.entry(0)
    except FormatError:
        return
    assert _extra_data(entry.pre_certificate, entry.chain) == extra_data


def test_the_leaf_index_of_the_specification() -> None:
    """The example of static-ct-api."""
    assert leaf_index(bytes.fromhex("0000050000000100")) == 256


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ("", None),
        ("0000050000000000", 0),
        ("000005ffffffffff", 2**40 - 1),
        ("010000", None),
        ("010002aabb 000005 0000000007", 7),
        ("000005 0000000007 010002aabb", 7),
        ("ff00050000000001", None),
    ],
)
def test_extensions(extensions: str, expected: int | None) -> None:
    """In any order, and others are passed over."""
    assert leaf_index(bytes.fromhex(extensions)) == expected


@pytest.mark.parametrize(
    "extensions",
    [
        "00",
        "0000",
        "000005",
        "0100050000",
        "00000500000001",
        "00000400000001",
        "000006000000000001",
        "0000050000000001 0000050000000001",
        "0000050000000001 00",
        "010000 010000",
    ],
)
def test_extensions_that_are_malformed(extensions: str) -> None:
    with pytest.raises(FormatError, match="extensions"):
        leaf_index(bytes.fromhex(extensions))


def test_extensions_of_rfc_6962_may_be_anything() -> None:
    """That document defines none, so the entry is read all the same."""
    entry = parse_leaf(_leaf_input(1, b"", b"certificate", b"\0\0"), 0)
    assert entry.leaf_index is None
    tiled = bytes.fromhex("0000050000000100")
    assert parse_leaf(_leaf_input(1, b"", b"c", tiled), 256).leaf_index == 256


def _extensions_size(entry: LogEntry) -> int:
    before = 12 + len(entry.issuer_key_hash) + 3 + len(entry.signed_entry)
    return len(entry.leaf_input) - before - 2


def _signs_precertificates(issuer: x509.Certificate) -> bool:
    try:
        usage = issuer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.4") in usage.value


@pytest.mark.parametrize("certificates", [1000, 1001])
def test_a_chain_without_end_is_not_read(certificates: int) -> None:
    """It would take as long as all entries of some thousand answers."""
    chain = b"\0\0\1a" * certificates
    extra_data = len(chain).to_bytes(3, "big") + chain
    row = {
        "leaf_input": base64.b64encode(bytes(12) + b"\0\0\1c\0\0").decode(),
        "extra_data": base64.b64encode(extra_data).decode(),
    }
    leaves = EntriesLeaves.parse(json.dumps({"entries": [row]}).encode(), 0, 1)
    if certificates == 1000:
        assert leaves.entry(0).chain == (b"a",) * 1000
        return
    with pytest.raises(FormatError, match="extra_data: chain too long: entry 0"):
        leaves.entry(0)
    assert leaves.signed(0).signed_entry == b"c"
