"""Tiles of static logs: paths of the specification, recorded tiles, broken ones."""

import base64
import gzip
import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.ct import tile
from ctmonitor.ct.certificate import tbs_sha256
from ctmonitor.ct.entry import Leaves, LogEntry
from ctmonitor.ct.merkle import CompactRange, leaf_hash, root_of
from ctmonitor.ct.tile import TileLeaves
from ctmonitor.errors import FormatError, IntegrityError
from tests.data import VECTORS, shared

NAVIGLI = VECTORS / "navigli2025h2" / "tile"


def _opaque(length_bytes: int, content: bytes) -> bytes:
    return len(content).to_bytes(length_bytes, "big") + content


def _position(index: int) -> bytes:
    return b"\0\0\5" + index.to_bytes(5, "big")


def _signed(
    timestamp_ms: int, issuer_key_hash: bytes, signed: bytes, extensions: bytes
) -> bytes:
    return b"".join(
        (
            struct.pack(">QH", timestamp_ms, bool(issuer_key_hash)),
            issuer_key_hash,
            _opaque(3, signed),
            _opaque(2, extensions),
        )
    )


def _unsigned(pre_certificate: bytes, fingerprints: tuple[bytes, ...]) -> bytes:
    before = _opaque(3, pre_certificate) if pre_certificate else b""
    return before + _opaque(2, b"".join(fingerprints))


def _x509(index: int) -> bytes:
    return _signed(1_000 + index, b"", b"certificate", _position(index)) + _unsigned(
        b"", (b"f" * 32, b"g" * 32)
    )


def _precert(index: int) -> bytes:
    return _signed(1_000 + index, b"k" * 32, b"tbs", _position(index)) + _unsigned(
        b"precertificate", (b"f" * 32,)
    )


def _tile(index: int, width: int = 256) -> bytes:
    """A tile in which certificates and precertificates take turns."""
    start = index * 256
    return b"".join(
        _precert(one) if one & 1 else _x509(one) for one in range(start, start + width)
    )


def _inflated(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw


# Names as a log has them in its folder, with index and width.
RECORDED = [
    ("navigli2025h2", "000", 0, 256),
    ("navigli2025h2", "001", 1, 256),
    ("navigli2025h2", "002", 2, 256),
    ("navigli2025h2", "003", 3, 256),
    ("navigli2025h2", "003.p/10", 3, 10),
    ("sunlight_own", "000", 0, 256),
    ("sunlight_own", "001", 1, 256),
    ("sunlight_own", "002.p/189", 2, 189),
    ("tesseract-example-tile", "004", 4, 256),
]

# An index and its digits, from static-ct-api and beyond its borders.
PATHS = [
    (0, "000"),
    (1, "001"),
    (255, "255"),
    (256, "256"),
    (257, "257"),
    (999, "999"),
    (1000, "x001/000"),
    (1_234_067, "x001/x234/067"),
    (1_000_000_000, "x001/x000/x000/000"),
]


@pytest.mark.parametrize(("index", "digits"), PATHS)
def test_paths(index: int, digits: str) -> None:
    assert tile.data_tile_path(index) == f"tile/data/{digits}"
    assert tile.data_tile_path(index, 255) == f"tile/data/{digits}.p/255"
    assert tile.hash_tile_path(0, index, 1) == f"tile/0/{digits}.p/1"
    assert tile.hash_tile_path(5, index, 256) == f"tile/5/{digits}"


@pytest.mark.parametrize(("index", "width"), [(-1, 256), (0, 0), (0, 257), (0, -1)])
def test_no_such_tile(index: int, width: int) -> None:
    with pytest.raises(ValueError, match="no tile"):
        tile.data_tile_path(index, width)
    with pytest.raises(ValueError, match="no tile"):
        tile.hash_tile_path(0, index, width)
    with pytest.raises(ValueError, match="no data tile"):
        TileLeaves.parse(b"", index, width)


@pytest.mark.parametrize("level", [-1, 64])
def test_no_such_level(level: int) -> None:
    with pytest.raises(ValueError, match="level"):
        tile.hash_tile_path(level, 0)


@given(st.integers(0, 2**63), st.integers(1, 256), st.integers(0, 63))
def test_path_round_trip(index: int, width: int, level: int) -> None:
    path = tile.data_tile_path(index, width)
    assert tile.parse_data_tile_path(path) == (index, width)
    path = tile.hash_tile_path(level, index, width)
    assert tile.parse_hash_tile_path(path) == (level, index, width)


@pytest.mark.parametrize(
    "position",
    [
        "",
        "0",
        "00",
        "0000",
        "x000/000",
        "x000/x001/000",
        "001/000",
        "x001/x000",
        "x1/000",
        "000.p/0",
        "000.p/00",
        "000.p/01",
        "000.p/256",
        "000.p/999",
        "000.p/-1",
        "000.p/",
        "000.p",
        "000/",
        "000\n",
        " 000",
        "00٣",
        "x001/" * 2000 + "000",
    ],
)
def test_other_paths_are_of_no_tile(position: str) -> None:
    """A path has one spelling."""
    with pytest.raises(FormatError, match="tile path"):
        tile.parse_data_tile_path(f"tile/data/{position}")
    with pytest.raises(FormatError, match="tile path"):
        tile.parse_hash_tile_path(f"tile/0/{position}")


@pytest.mark.parametrize("level", ["", "-1", "00", "01", "64", "100", "data"])
def test_other_levels_are_of_no_hash_tile(level: str) -> None:
    with pytest.raises(FormatError, match="tile path"):
        tile.parse_hash_tile_path(f"tile/{level}/000")


@given(st.text(max_size=30))
def test_any_path_is_that_of_a_tile_or_a_format_error(text: str) -> None:
    for path in (text, f"tile/data/{text}", f"tile/{text}"):
        with suppress(FormatError):
            assert tile.data_tile_path(*tile.parse_data_tile_path(path)) == path
        with suppress(FormatError):
            assert tile.hash_tile_path(*tile.parse_hash_tile_path(path)) == path


@pytest.mark.parametrize(("level", "width"), [(0, 112), (1, 17), (2, 1), (3, 0)])
def test_partial_widths_of_the_specification(level: int, width: int) -> None:
    """A tree of size 70,000 is the example in section "Partial Tiles"."""
    assert tile.partial_width(level, 70_000) == width


@pytest.mark.parametrize(
    ("size", "widths"),
    [
        (0, (0, 0)),
        (1, (1, 0)),
        (255, (255, 0)),
        (256, (0, 1)),
        (257, (1, 1)),
        (65_535, (255, 255)),
        (65_536, (0, 0)),
    ],
)
def test_partial_widths_at_the_borders(size: int, widths: tuple[int, int]) -> None:
    assert (tile.partial_width(0, size), tile.partial_width(1, size)) == widths


@given(st.integers(0, 2**63))
def test_partial_tiles_hold_the_whole_tree(size: int) -> None:
    widths = [tile.partial_width(level, size) for level in range(8)]
    assert sum(width << 8 * level for level, width in enumerate(widths)) == size


@pytest.mark.parametrize("width", [1, 255, 256])
def test_hash_tile(width: int) -> None:
    hashes = tuple(leaf_hash(bytes((one % 256,))) for one in range(width))
    data = b"".join(hashes)
    assert tile.hash_tile_hashes(data, width) == hashes
    for wrong in (b"", data[:-1], data + b"\0", data[32:], data + data[:32]):
        with pytest.raises(FormatError, match="hash tile"):
            tile.hash_tile_hashes(wrong, width)


def test_a_recorded_partial_tile() -> None:
    """Entries 768 to 777 of a real log hash to the hash tile beside them."""
    data = (NAVIGLI / "data/003.p/10").read_bytes()
    leaves = TileLeaves.parse(data, 3, 10)
    assert not leaves.malformed
    hashes = tile.hash_tile_hashes((NAVIGLI / "0/003.p/10").read_bytes(), 10)
    assert tuple(leaves.hashes()) == hashes
    for number in range(10):
        entry = leaves.entry(number)
        assert entry.is_precert
        assert entry.index == entry.leaf_index == 768 + number
        assert len(entry.fingerprints) == 2
        x509.load_der_x509_certificate(entry.pre_certificate)
        signed = hashlib.sha256(entry.signed_entry).hexdigest()
        assert tbs_sha256(entry.pre_certificate) == signed
        assert leaf_hash(entry.leaf_input) == hashes[number]


def test_a_recorded_names_tile_says_what_the_certificates_say() -> None:
    records = tile.names_tile((NAVIGLI / "names/003.p/10").read_bytes(), 10)
    leaves = TileLeaves.parse((NAVIGLI / "data/003.p/10").read_bytes(), 3, 10)
    for number, record in enumerate(records):
        entry = leaves.entry(number)
        assert record.timestamp_ms == entry.timestamp_ms
        assert record.dns == _dns_names(entry.pre_certificate)
        assert record.ip == ()


@pytest.mark.parametrize(("log", "name", "index", "width"), RECORDED)
def test_recorded_tiles(log: str, name: str, index: int, width: int) -> None:
    """Parsed to the last byte; their hashes are those of the hash tile."""
    data = _inflated(shared(f"static-ct/{log}/tile/data/{name}"))
    leaves = TileLeaves.parse(data, index, width)
    assert not leaves.malformed
    assert len(leaves) == width
    expected = _inflated(shared(f"static-ct/{log}/tile/0/{name}"))
    assert tuple(leaves.hashes()) == tile.hash_tile_hashes(expected, width)
    for number in range(width):
        entry = leaves.entry(number)
        assert entry.leaf_index == index * 256 + number
        assert entry.fingerprints
        if entry.is_precert:
            signed = hashlib.sha256(entry.signed_entry).hexdigest()
            assert tbs_sha256(entry.pre_certificate) == signed
        else:
            x509.load_der_x509_certificate(entry.signed_entry)


def test_the_whole_log_has_the_root_of_its_checkpoint() -> None:
    """A real log of 701 entries, from its data tiles and from its hash tiles."""
    checkpoint = shared("static-ct/sunlight_own/checkpoint").read_text()
    _, size, root = checkpoint.splitlines()[:3]
    assert size == "701"
    grown = CompactRange()
    from_tiles = CompactRange()
    level_1 = tile.hash_tile_hashes(
        shared("static-ct/sunlight_own/tile/1/000.p/2").read_bytes(), 2
    )
    for log, name, index, width in RECORDED:
        if log != "sunlight_own":
            continue
        data = _inflated(shared(f"static-ct/{log}/tile/data/{name}"))
        hashes = TileLeaves.parse(data, index, width).hashes()
        grown.append_hashes(hashes)
        if width == 256:
            assert root_of(hashes) == level_1[index]
            from_tiles.append_subtree(8, level_1[index])
        else:
            from_tiles.append_hashes(hashes)
    assert grown.size == 701
    assert grown == from_tiles
    assert base64.b64encode(grown.root()).decode() == root


def test_entries_are_those_that_were_submitted() -> None:
    """Names, kinds and times of all 701, as the one who submitted them wrote down."""
    lines = shared("static-ct/sunlight_own/truth.jsonl").read_text().splitlines()
    truth = [json.loads(line) for line in lines]
    checked = 0
    for log, name, index, width in RECORDED:
        if log != "sunlight_own":
            continue
        folder = shared("static-ct/sunlight_own/tile")
        leaves = TileLeaves.parse(_inflated(folder / "data" / name), index, width)
        records = tile.names_tile(_inflated(folder / "names" / name), width)
        for number in range(width):
            entry, record = leaves.entry(number), records[number]
            true = truth[entry.index]
            der = entry.pre_certificate or entry.signed_entry
            assert entry.is_precert == (true["kind"] == "precert")
            assert hashlib.sha256(der).hexdigest() == true["sha256"]
            assert entry.timestamp_ms == record.timestamp_ms == true["timestamp"]
            assert record.common_name == (true["cn"] or "")
            assert list(record.dns) == true["dns"]
            assert list(record.ip) == true["ip"]
            checked += 1
    assert checked == len(truth) == 701


@pytest.mark.parametrize(
    ("index", "width"), [(0, 1), (0, 255), (0, 256), (1, 1), (1, 2), (2**32 - 1, 256)]
)
def test_tiles_at_the_borders(index: int, width: int) -> None:
    leaves: Leaves = TileLeaves.parse(_tile(index, width), index, width)
    assert leaves.start == index * 256
    assert leaves.lead == 0
    assert len(leaves) == len(leaves.spans) == width
    assert not leaves.malformed
    last = leaves.entry(width - 1)
    assert last.index == last.leaf_index == index * 256 + width - 1


def test_a_certificate_and_a_precertificate() -> None:
    leaves = TileLeaves.parse(_tile(5, 2), 5, 2)
    first = _signed(2280, b"", b"certificate", _position(1280))
    second = _signed(2281, b"k" * 32, b"tbs", _position(1281))
    assert [leaves.data[at:end] for at, end in leaves.spans] == [first, second]
    assert leaves.entry(0) == LogEntry(
        index=1280,
        timestamp_ms=2280,
        is_precert=False,
        signed_entry=b"certificate",
        leaf_input=b"\0\0" + first,
        leaf_index=1280,
        fingerprints=(b"f" * 32, b"g" * 32),
    )
    assert leaves.entry(1) == LogEntry(
        index=1281,
        timestamp_ms=2281,
        is_precert=True,
        signed_entry=b"tbs",
        leaf_input=b"\0\0" + second,
        issuer_key_hash=b"k" * 32,
        leaf_index=1281,
        pre_certificate=b"precertificate",
        fingerprints=(b"f" * 32,),
    )
    assert leaves.hashes() == [leaf_hash(b"\0\0" + one) for one in (first, second)]


entries = st.tuples(
    st.integers(0, 2**64 - 1),
    st.just(b"") | st.binary(min_size=32, max_size=32),
    st.binary(min_size=1, max_size=300),
    st.sampled_from(["index", "", "other", "index first", "index last"]),
    st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple),
)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(entries, min_size=1, max_size=6),
)
def test_entries_come_back_as_they_were_written(
    index: int,
    parts: list[tuple[int, bytes, bytes, str, tuple[bytes, ...]]],
) -> None:
    """With a leaf_index alone, as all logs write it, and with other extensions."""
    written = []
    other = b"\x09\0\2xy"
    for number, (timestamp_ms, key_hash, signed, kind, chain) in enumerate(parts):
        position = _position(index * 256 + number)
        extensions = {
            "index": position,
            "": b"",
            "other": other,
            "index first": position + other,
            "index last": other + position,
        }[kind]
        pre_certificate = b"pre" + signed if key_hash else b""
        written.append(
            _signed(timestamp_ms, key_hash, signed, extensions)
            + _unsigned(pre_certificate, chain)
        )
    leaves = TileLeaves.parse(b"".join(written), index, len(parts))
    assert not leaves.malformed
    for number, (timestamp_ms, key_hash, signed, kind, chain) in enumerate(parts):
        entry = leaves.entry(number)
        assert entry.index == index * 256 + number
        assert entry.leaf_index == (entry.index if "index" in kind else None)
        assert entry.timestamp_ms == timestamp_ms
        assert entry.is_precert == bool(key_hash)
        assert entry.issuer_key_hash == key_hash
        assert entry.signed_entry == signed
        assert entry.pre_certificate == (b"pre" + signed if key_hash else b"")
        assert entry.fingerprints == chain
        assert entry.chain == ()
        without = leaves.signed(number)
        assert without.signed_entry == signed
        assert without.pre_certificate == b""
        assert without.fingerprints == ()


@pytest.mark.parametrize("said", [0, 255, 257, 512, 2**40 - 1])
def test_an_entry_that_says_it_belongs_elsewhere(said: int) -> None:
    """It is evidence, so the tile goes with the error."""
    stranger = _signed(1, b"", b"certificate", _position(said)) + _unsigned(b"", ())
    data = stranger + _x509(257)
    with pytest.raises(IntegrityError, match=f"at 256 says that it is entry {said}"):
        TileLeaves.parse(data, 1, 2)
    with pytest.raises(IntegrityError) as caught:
        TileLeaves.parse(data, 1, 2)
    assert caught.value.kind == "inclusion"
    assert caught.value.evidence == {"tile-data-1": data}


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        (
            "leaf: without a certificate",
            _signed(1, b"", b"", _position(1)) + _unsigned(b"", ()),
        ),
        (
            "leaf: without a certificate",
            _signed(1, b"k" * 32, b"", _position(1)) + _unsigned(b"pre", ()),
        ),
        (
            "data tile: without a pre_certificate",
            _signed(1, b"k" * 32, b"tbs", _position(1)) + b"\0\0\0" + b"\0\0",
        ),
        (
            "data tile: chain is not of fingerprints",
            _signed(1, b"", b"cert", _position(1)) + _opaque(2, b"f" * 33),
        ),
        (
            "data tile: chain is not of fingerprints",
            _signed(1, b"k" * 32, b"tbs", _position(1))
            + _opaque(3, b"pre")
            + _opaque(2, b"f" * 31),
        ),
        (
            "extensions: cut short",
            _signed(1, b"", b"cert", b"\0\0\5\0\0\0\0") + _unsigned(b"", ()),
        ),
        (
            "extensions: a type twice",
            _signed(1, b"", b"cert", _position(1) * 2) + _unsigned(b"", ()),
        ),
        (
            "extensions: leaf_index is not of 5 bytes",
            _signed(1, b"", b"cert", b"\0\0\4" + bytes(4)) + _unsigned(b"", ()),
        ),
    ],
)
def test_a_broken_entry_is_kept_and_named(kind: str, entry: bytes) -> None:
    """Its bytes are in the tree, and the entries around it are as they were."""
    leaves = TileLeaves.parse(_x509(0) + entry + _precert(2), 0, 3)
    assert leaves.malformed == {1: kind}
    at, end = leaves.spans[1]
    assert entry.startswith(leaves.data[at:end])
    assert leaves.hashes()[1] == leaf_hash(b"\0\0" + leaves.data[at:end])
    assert leaves.entry(0).index == 0
    assert leaves.entry(2).signed_entry == b"tbs"
    with pytest.raises(FormatError, match=f"{kind}: entry 1"):
        leaves.entry(1)
    if kind.startswith("leaf"):
        with pytest.raises(FormatError, match=kind):
            leaves.signed(1)
    else:
        assert leaves.signed(1).signed_entry in (b"cert", b"tbs")


@pytest.mark.parametrize("entry_type", [2, 255, 256, 0x8000])
def test_an_unknown_entry_type_ends_the_walk(entry_type: int) -> None:
    """Nobody knows where the next entry begins."""
    unknown = struct.pack(">QH", 1, entry_type) + bytes(100)
    for width in (1, 2):
        with pytest.raises(FormatError, match="unknown entry type"):
            TileLeaves.parse(unknown, 0, width)
        with pytest.raises(FormatError, match=f"{entry_type}, entry 1 at"):
            TileLeaves.parse(_x509(0) + unknown, 0, 2)


@pytest.mark.parametrize("width", [1, 2, 10])
def test_every_cut_is_noticed(width: int) -> None:
    data = _tile(3, width)
    for size in range(len(data)):
        with pytest.raises(FormatError, match="data tile"):
            TileLeaves.parse(data[:size], 3, width)


@pytest.mark.parametrize(
    ("held", "width"), [(0, 1), (1, 2), (2, 1), (255, 256), (256, 255), (257, 256)]
)
def test_a_tile_has_its_width(held: int, width: int) -> None:
    with pytest.raises(FormatError, match="data tile"):
        TileLeaves.parse(_tile(0, held), 0, width)


@pytest.mark.parametrize("held", [0, 1, 255])
def test_a_tile_that_ends_too_early_says_where(held: int) -> None:
    with pytest.raises(FormatError, match=f"too few entries: ends before entry {held}"):
        TileLeaves.parse(_tile(0, held), 0, 256)


def test_bytes_behind_the_last_entry() -> None:
    for width in (1, 2):
        with pytest.raises(FormatError, match="other length than its entries"):
            TileLeaves.parse(_tile(0, width) + b"\0", 0, width)


def test_an_index_that_no_leaf_index_can_hold() -> None:
    """At 2**40 the bytes of the index would run over into its length."""
    over = struct.pack(">QHI", 1, 0, 1)[:13] + b"c" + b"\0\x08\0\0\6" + bytes(5)
    with pytest.raises(FormatError, match="beyond 40 bits"):
        TileLeaves.parse(over + b"\0\0", 2**32, 1)


@given(st.binary(max_size=200), st.integers(0, 3), st.integers(1, 3))
def test_any_bytes_give_entries_or_an_error(
    data: bytes, index: int, width: int
) -> None:
    try:
        leaves = TileLeaves.parse(data, index, width)
    except (FormatError, IntegrityError):
        return
    assert len(leaves) == len(leaves.hashes()) == width


@given(st.data())
def test_a_changed_tile_gives_entries_or_an_error(data: st.DataObject) -> None:
    """What is read is what stands there: written again, it is the same tile."""
    changed = bytearray(_tile(0, 4))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    try:
        leaves = TileLeaves.parse(bytes(changed), 0, 4)
    except (FormatError, IntegrityError):
        return
    assert len(leaves.hashes()) == 4
    assert b"".join(_again(leaves)) == changed


def _again(leaves: TileLeaves) -> Iterator[bytes]:
    starts = [at for at, _ in leaves.spans] + [len(leaves.data)]
    for number, (at, end) in enumerate(leaves.spans):
        try:
            entry = leaves.entry(number)
        except FormatError:
            assert number in leaves.malformed
            yield leaves.data[at : starts[number + 1]]
            continue
        assert number not in leaves.malformed
        assert entry.leaf_input == b"\0\0" + leaves.data[at:end]
        yield leaves.data[at:end] + _unsigned(entry.pre_certificate, entry.fingerprints)


def test_the_entries_from_an_index_on() -> None:
    leaves = TileLeaves.parse(_tile(1), 1, 256)
    assert leaves.since(0) is leaves
    assert leaves.since(256) is leaves
    rest = leaves.since(510)
    assert (rest.start, len(rest)) == (510, 2)
    assert rest.hashes() == leaves.hashes()[254:]
    assert [rest.entry(one) for one in (0, 1)] == [
        leaves.entry(one) for one in (254, 255)
    ]
    assert len(leaves.since(512)) == 0


@pytest.mark.parametrize("width", [1, 255, 256])
def test_the_first_entries_of_a_full_tile(width: int) -> None:
    """What a partial tile held, when only the full one is left."""
    leaves = TileLeaves.parse(_tile(1), 1, 256).first(width)
    partial = TileLeaves.parse(_tile(1, width), 1, width)
    assert (leaves.start, len(leaves)) == (256, width)
    assert leaves.hashes() == partial.hashes()
    assert leaves.entry(width - 1) == partial.entry(width - 1)


def test_broken_entries_keep_their_place_in_a_part() -> None:
    broken = _signed(1, b"", b"", _position(1)) + _unsigned(b"", ())
    leaves = TileLeaves.parse(_x509(0) + broken + _x509(2), 0, 3)
    assert leaves.since(1).malformed == {0: "leaf: without a certificate"}
    assert leaves.since(2).malformed == {}
    assert leaves.first(1).malformed == {}
    assert leaves.first(2).malformed == {1: "leaf: without a certificate"}


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"null",
        b'{"DNS":["a"]}',
        b'{"Timestamp":"1"}',
        b'{"Timestamp":1,"DNS":"a"}',
        b'{"Timestamp":1,"DNS":[1]}',
        b'{"Timestamp":1,"Subject":"a"}',
        b'{"Timestamp":1,"DNS":["\xff"]}',
        b'{"Timestamp":1,"X":' + b"[" * 100_000,
        b"\x1f\x8b",
    ],
)
def test_what_is_no_names_tile(data: bytes) -> None:
    with pytest.raises(FormatError, match="names tile: malformed"):
        tile.names_tile(data, 1)


@pytest.mark.parametrize(("held", "width"), [(0, 1), (1, 2), (2, 1), (257, 256)])
def test_a_names_tile_has_its_width(held: int, width: int) -> None:
    with pytest.raises(FormatError, match="wrong number of records"):
        tile.names_tile(b'{"Timestamp":1}\n' * held, width)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_names_tile_or_a_format_error(data: bytes) -> None:
    try:
        assert len(tile.names_tile(data, 1)) == 1
    except FormatError:
        return


def _dns_names(der: bytes) -> tuple[str, ...]:
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return tuple(names.value.get_values_for_type(x509.DNSName))
