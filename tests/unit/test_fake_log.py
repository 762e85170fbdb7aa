"""The fake logs follow the specifications, and each fault does what its name says."""

import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests import data
from tests.fakes import logfaults
from tests.fakes.log import FakeLog, Tree, rsa_key, tile_path, tiles_of
from tests.fakes.logentries import (
    FakeEntry,
    Issuer,
    badly_filled,
    badly_framed,
    entries_for,
    many_entries,
    recorded_entries,
    recorded_tiles,
)
from tests.fakes.logfaults import FAULTS, busy, fault
from tests.fakes.logserver import Front, LogServer
from tests.fakes.tls import Authority

TIMEOUT_S = 10

# The tree that implementations have been tested with since Google's first one.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.fixture(scope="module")
def log() -> FakeLog:
    """300 entries, with heads at 0, 2, 256 and 300."""
    made = FakeLog("one.example/2026")
    entries = list(many_entries(300))
    for start, end in ((0, 2), (2, 256), (256, 300)):
        made.add(entries[start:end])
    return made


@pytest.fixture
def front(log: FakeLog):
    with LogServer(log) as server:
        yield server.fronts[0]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def inflated(self) -> bytes:
        is_packed = self.headers["Content-Encoding"] == "gzip"
        return gzip.decompress(self.body) if is_packed else self.body


def ask(front: Front, path: str, tls: ssl.SSLContext | None = None) -> Answer:
    port = urlsplit(front.url).port
    connection = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        if tls is None
        else http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=TIMEOUT_S, context=tls
        )
    )
    with contextlib.closing(connection):
        connection.request("GET", f"/{front.name}/{path}")
        with connection.getresponse() as reply:
            return Answer(reply.status, reply.headers, reply.read())


def get(front: Front, path: str) -> bytes:
    answer = ask(front, path)
    assert answer.status == 200, (path, answer)
    return answer.body


def get_json(front: Front, path: str) -> Any:
    return json.loads(get(front, path))


def status(front: Front, path: str) -> int:
    return ask(front, path).status


def test_roots_and_proofs_are_those_of_the_known_tree() -> None:
    tree = Tree()
    for leaf in LEAVES:
        tree.append(leaf)
    assert {size: tree.root(size).hex() for size in ROOTS} == ROOTS
    # RFC 6962 section 2.1.3 draws this tree of 7: paths of d0, d3, d4 and d6.
    h = tree.mth
    assert tree.inclusion(0, 7) == [h(1, 2), h(2, 4), h(4, 7)]
    assert tree.inclusion(3, 7) == [h(2, 3), h(0, 2), h(4, 7)]
    assert tree.inclusion(4, 7) == [h(5, 6), h(6, 7), h(0, 4)]
    assert tree.inclusion(6, 7) == [h(4, 6), h(0, 4)]
    # And these consistency proofs: from 3, 4 and 6 to 7.
    assert tree.consistency(3, 7) == [h(2, 3), h(3, 4), h(0, 2), h(4, 7)]
    assert tree.consistency(4, 7) == [h(4, 7)]
    assert tree.consistency(6, 7) == [h(4, 6), h(6, 7), h(0, 4)]
    assert tree.consistency(7, 7) == []


def test_vectors_of_google_have_the_same_proofs() -> None:
    tree = Tree()
    for leaf in LEAVES:
        tree.append(leaf)
    checked = 0
    file = data.shared("rfc6962/merkle-vectors/consistency.jsonl")
    for line in file.read_text("utf-8").splitlines():
        vector = json.loads(line)
        if vector["wantErr"] or not 0 < vector["size1"] <= vector["size2"] <= 8:
            continue
        if base64.b64decode(vector["root2"]) != tree.root(vector["size2"]):
            continue  # of another tree
        proof = [base64.b64decode(one) for one in vector["proof"] or ()]
        assert tree.consistency(vector["size1"], vector["size2"]) == proof
        checked += 1
    assert checked >= 3


def test_a_recorded_tiled_log_comes_out_byte_for_byte() -> None:
    folder = data.shared("static-ct/sunlight_own")
    log = FakeLog("127.0.0.1/peers", recorded_tiles(folder))
    files = [file for file in (folder / "tile").rglob("*") if file.is_file()]
    assert len(files) >= 10
    for file in files:
        recorded = file.read_bytes()
        if recorded.startswith(b"\x1f\x8b"):
            recorded = gzip.decompress(recorded)
        made = log.tile(str(file.relative_to(folder)))
        if "names" in file.parts:
            assert made is not None
            assert _lines(made) == _lines(recorded)
        else:
            assert made == recorded, file
    lines = (folder / "checkpoint").read_text("utf-8").splitlines()
    assert lines[1] == str(log.size)
    assert base64.b64decode(lines[2]) == log.head.root


def _lines(tile: bytes) -> list[Any]:
    return [json.loads(line) for line in tile.splitlines()]


def test_roots_of_another_recorded_log() -> None:
    folder = data.shared("static-ct/navigli2025h2")
    log = FakeLog("navigli", recorded_tiles(folder))
    known = json.loads((folder.parent / "computed_roots.json").read_text("utf-8"))
    for size, root in known["navigli2025h2"].items():
        assert log.tree.root(int(size)) == base64.b64decode(root)


def test_recorded_entries_come_out_byte_for_byte() -> None:
    file = data.shared("rfc6962/entries.jsonl.gz")
    log = FakeLog("recorded", recorded_entries(file))
    served = json.loads(log.get_entries(0, log.size))["entries"]
    recorded_lines = gzip.decompress(file.read_bytes()).splitlines()
    for line, entry in zip(recorded_lines, served, strict=True):
        recorded = json.loads(line)
        assert entry["leaf_input"] == recorded["leaf_input"]
        assert entry["extra_data"] == recorded["extra_data"]
    log.check()


def test_what_the_issuer_makes_is_what_authorities_make() -> None:
    issuer = Issuer("Some CA")
    precert, final = issuer.entries([["www.example.com", "*.example.com"]])
    assert precert.is_precert
    assert not final.is_precert
    certificate = x509.load_der_x509_certificate(final.signed_entry)
    assert certificate.tbs_precertificate_bytes == precert.signed_entry
    poisoned = x509.load_der_x509_certificate(precert.pre_certificate)
    assert poisoned.extensions.get_extension_for_class(x509.PrecertPoison).critical
    issued_by = x509.load_der_x509_certificate(final.chain[0])
    for each in (certificate, poisoned):
        each.verify_directly_issued_by(issued_by)
        names = each.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert names.value.get_values_for_type(x509.DNSName) == list(final.names)
    issued_by.verify_directly_issued_by(x509.load_der_x509_certificate(final.chain[1]))
    spki = issued_by.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert hashlib.sha256(spki).digest() == precert.issuer_key_hash


def test_the_scts_in_certificates_are_signed() -> None:
    issuer = Issuer()
    precert, final = issuer.entries([["a.example"]], start_ms=1_800_000_000_000)
    certificate = x509.load_der_x509_certificate(final.signed_entry)
    (sct,) = certificate.extensions.get_extension_for_class(
        x509.PrecertificateSignedCertificateTimestamps
    ).value
    assert sct.log_id == hashlib.sha256(issuer.sct_key).digest()
    key = serialization.load_der_public_key(issuer.sct_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    signed = b"\0\0" + precert.timestamped_entry(b"")
    key.verify(sct.signature, signed, ec.ECDSA(hashes.SHA256()))


def test_one_kind_alone() -> None:
    listed = [["a.example"], ["b.example"]]
    assert [entry.is_precert for entry in entries_for(listed)] == [True, False] * 2
    assert [entry.is_precert for entry in entries_for(listed, "cert")] == [False] * 2
    assert [entry.names for entry in entries_for(listed, "precert")] == [
        ("a.example",),
        ("b.example",),
    ]


def test_many_entries_differ_and_hits_come_once() -> None:
    entries = list(many_entries(1000, hits=[["hit.example"], ["other.example"]]))
    assert len({entry.timestamped_entry(b"") for entry in entries}) == 1000
    found = [entry.names for entry in entries if not entry.names[0].startswith("host")]
    assert found == [("hit.example",), ("other.example",)]


def test_a_log_checks_itself(log: FakeLog) -> None:
    log.check()
    FakeLog("rsa.example", entries_for([["a.example"]]), key=rsa_key()).check()
    FakeLog("empty.example").check()


def test_malformed_entries_are_served_and_signed() -> None:
    bad = [*badly_framed().values(), *badly_filled().values()]
    log = FakeLog("bad.example", [*entries_for([["a.example"]]), *bad])
    log.check()
    served = json.loads(log.get_entries(0, log.size))["entries"]
    leaves = [base64.b64decode(entry["leaf_input"]) for entry in served]
    hashed = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    assert hashed == log.tree.leaf_hashes
    filled = FakeLog("bad.example", badly_filled().values())
    names = filled.tile(f"tile/names/000.p/{filled.size}")
    assert names is not None
    assert len(names.splitlines()) == filled.size


@pytest.mark.parametrize("lie", ["entry", "key", "root"])
def test_a_log_that_lies_does_not_pass_its_check(lie: str) -> None:
    log = FakeLog(entries=entries_for([["a.example"], ["b.example"]]))
    if lie == "entry":
        log.entries[1] = log.entries[1].at(1)
    elif lie == "key":
        log = log.with_other_key()
    else:
        log.claim(4, bytes(32))
    with pytest.raises((AssertionError, InvalidSignature)):
        log.check()


@pytest.mark.parametrize(
    ("index", "number"),
    [(0, "000"), (256, "256"), (1000, "x001/000"), (1234067, "x001/x234/067")],
)
def test_paths_are_those_of_the_specification(index: int, number: str) -> None:
    assert tile_path("0", index) == f"tile/0/{number}"
    assert tile_path("data", index, 7) == f"tile/data/{number}.p/7"


def test_the_tiles_of_the_specification() -> None:
    """c2sp.org/tlog-tiles gives this example."""
    tiles = tiles_of(70_000)
    assert [tile for tile in tiles if tile[0] == 0 and tile[1] > 271] == [
        (0, 272, 256),
        (0, 273, 112),
    ]
    assert [tile for tile in tiles if tile[0]] == [(1, 0, 256), (1, 1, 17), (2, 0, 1)]


def test_all_tiles_of_a_head_are_there_and_no_others(log: FakeLog) -> None:
    for level, index, width in tiles_of(log.size):
        tile = log.tile(tile_path(str(level), index, width))
        assert tile is not None
        assert len(tile) == 32 * width
    assert log.tile("tile/0/000.p/2") is not None  # of an earlier head
    for path in (
        "tile/0/000.p/3",  # was never a size
        "tile/0/001",  # not full yet
        "tile/1/000",
        "tile/6/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/0",
        "tile/data/002",
        "tile",
    ):
        assert log.tile(path) is None, path


def test_a_checkpoint_has_the_lines_of_a_real_one(log: FakeLog) -> None:
    orders = set()
    for _ in range(20):
        body, _, notes = log.checkpoint().decode().partition("\n\n")
        origin, size, root = body.split("\n")
        assert (origin, int(size)) == (log.origin, 300)
        assert base64.b64decode(root) == log.head.root
        lines = re.findall(r"^— (\S+) (\S+)$", notes, re.MULTILINE)
        assert [name for name, _ in lines].count(log.origin) == 3
        assert "grease.invalid" in dict(lines)
        named = log.origin.encode() + b"\n\x05" + log.log_id
        key_id = hashlib.sha256(named).digest()[:4]
        signed = [base64.b64decode(text) for _, text in lines]
        own = [n for n, signature in enumerate(signed) if signature[:4] == key_id]
        orders.add(own[0])
        signature = signed[own[0]]
        assert signature[4:12] == log.head.timestamp_ms.to_bytes(8, "big")
        assert signature[12:14] == b"\4\3"
        key = serialization.load_der_public_key(log.spki)
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(signature[16:], log.head.signed_bytes(), ec.ECDSA(hashes.SHA256()))
    assert len(orders) > 1


def test_lies_are_signed_and_different(log: FakeLog) -> None:
    (other,) = entries_for([["other.example"]], "cert")
    fork = log.forked(5, other)
    fork.check()
    assert (fork.size, fork.spki, fork.origin) == (log.size, log.spki, log.origin)
    assert fork.tree.root(5) == log.tree.root(5)
    assert fork.head.root != log.head.root
    shrunk = log.shrunk(256)
    shrunk.check()
    assert shrunk.head.root == log.tree.root(256)
    assert log.with_other_key().log_id == log.log_id
    assert log.renamed("b.example").checkpoint().startswith(b"b.example\n")
    grown = log.shrunk(2)
    grown.claim(2**62, timestamp_ms=2**42)
    assert json.loads(grown.sth())["tree_size"] == 2**62
    assert grown.tile("tile/0/000.p/2") is not None  # what is there is served


# The front


def test_get_entries_has_both_ends_and_a_maximum(front: Front) -> None:
    def count(start: int, end: int) -> int:
        reply = get_json(front, f"ct/v1/get-entries?start={start}&end={end}")
        return len(reply["entries"])

    assert count(0, 0) == 1
    assert count(10, 299) == 256
    assert count(290, 1000) == 10
    front.is_aligned, front.max_entries = True, 32
    assert count(10, 299) == 22
    assert count(10, 15) == 6
    assert status(front, "ct/v1/get-entries?start=300&end=300") == 400
    assert status(front, "ct/v1/get-entries?start=-1&end=300") == 400
    assert status(front, "ct/v1/get-entries?start=2&end=1") == 400
    assert status(front, "ct/v1/get-entries?start=2") == 400


def test_get_calls_of_rfc6962(front: Front, log: FakeLog) -> None:
    assert get_json(front, "ct/v1/get-sth")["tree_size"] == 300
    proof = get_json(front, "ct/v1/get-sth-consistency?first=2&second=300")
    assert len(proof["consistency"]) == len(log.tree.consistency(2, 300)) > 0
    leaf_hash = base64.b64encode(log.tree.leaf_hashes[7]).decode().replace("+", "%2B")
    by_hash = get_json(front, f"ct/v1/get-proof-by-hash?hash={leaf_hash}&tree_size=300")
    both = get_json(front, "ct/v1/get-entry-and-proof?leaf_index=7&tree_size=300")
    assert by_hash["leaf_index"] == 7
    assert by_hash["audit_path"] == both["audit_path"]
    assert base64.b64decode(both["leaf_input"]) == log.leaf_input(7)
    (root,) = get_json(front, "ct/v1/get-roots")["certificates"]
    assert base64.b64decode(root) == log.entries[0].chain[-1]
    front.proves_any = False
    get(front, "ct/v1/get-sth-consistency?first=256&second=300")
    assert status(front, "ct/v1/get-sth-consistency?first=3&second=300") == 400
    assert status(front, "ct/v1/get-sth-consistency?first=2&second=301") == 400
    assert status(front, "ct/v1/get-proof-by-hash?hash=AAAA&tree_size=300") == 404
    assert status(front, "ct/v1/add-chain") == 404


def test_tiles_over_http(front: Front, log: FakeLog) -> None:
    answer = ask(front, "tile/data/000")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.inflated == log.tile("tile/data/000")
    front.is_gzipped = False
    assert get(front, "tile/data/000") == log.tile("tile/data/000")
    assert get(front, "tile/0/000") == log.tile("tile/0/000")
    assert get(front, "tile/0/000.p/2") == log.tile("tile/0/000.p/2")
    front.keeps_partials = False
    assert status(front, "tile/0/000.p/2") == 404
    assert get(front, "tile/0/001.p/44") == log.tile("tile/0/001.p/44")
    assert status(front, "tile/names/000") == 404
    front.has_names = True
    assert len(gzip.decompress(get(front, "tile/names/000")).splitlines()) == 256
    der = log.entries[0].chain[0]
    assert get(front, f"issuer/{hashlib.sha256(der).hexdigest()}") == der
    assert status(front, f"issuer/{'0' * 64}") == 404
    assert front.count("tile/names/") == 2
    assert front.count("checkpoint") == 0


def test_a_stale_front_end_alternates(front: Front, log: FakeLog) -> None:
    front.older = log.shrunk(256)
    sizes = [get_json(front, "ct/v1/get-sth")["tree_size"] for _ in range(4)]
    assert sizes == [300, 256, 300, 256]
    assert {get(front, "checkpoint").split(b"\n")[1] for _ in range(2)} == {
        b"300",
        b"256",
    }


def test_the_log_list_names_all_fronts(log: FakeLog) -> None:
    old = Front(log, "old", is_tiled=False, operator="B", state="readonly")
    with LogServer(Front(log, "new"), old) as server:
        listed = json.loads(server.log_list())
        a, b = listed["operators"]
        assert a["tiled_logs"][0]["monitoring_url"] == server.url + "new/"
        assert a["tiled_logs"][0]["submission_url"] == "https://one.example/2026/"
        assert b["logs"][0]["url"] == old.url
        assert b["logs"][0]["state"]["readonly"]["final_tree_head"]["tree_size"] == 300
        key = base64.b64decode(b["logs"][0]["key"])
        log_id = base64.b64decode(b["logs"][0]["log_id"])
        assert hashlib.sha256(key).digest() == log_id


def test_connections_are_kept_and_counted(log: FakeLog) -> None:
    with LogServer(log, keepalive_s=1.5) as server:
        port = urlsplit(server.url).port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        for _ in range(3):
            connection.request("GET", "/0/checkpoint")
            connection.getresponse().read()
        assert len(server.connections) == 1
        assert connection.sock.recv(1) == b""  # closed after a while without request
        connection.close()
        connection.request("GET", "/elsewhere/checkpoint")
        assert connection.getresponse().read() == b""
        connection.close()
        assert [request.path for request in server.strays] == ["/elsewhere/checkpoint"]
        assert len(server.requests) == 3


def test_over_tls(log: FakeLog, tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    trusting = ssl.create_default_context(cafile=authority.ca_file)
    with LogServer(log, tls=authority.good()) as server:
        assert server.url.startswith("https://")
        answer = ask(server.fronts[0], "checkpoint", trusting)
        assert answer.body.startswith(b"one.example/2026\n300\n")


def test_requests_in_flight_are_counted(front: Front, log: FakeLog) -> None:
    with LogServer(log) as server:
        (slow,) = server.fronts
        slow.delay_s = 1.0
        threads = [
            threading.Thread(target=get, args=(slow, "checkpoint")) for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 2 <= server.most_in_flight <= 5


# Faults


def test_a_fault_ends_after_its_times(front: Front) -> None:
    front.faults = [busy(2, retry_after="7", status=503, where="^tile/")]
    get(front, "checkpoint")
    for _ in range(2):
        answer = ask(front, "tile/0/000")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    get(front, "tile/0/000")


PATHS = {
    "data": "tile/data/001.p/44",
    "hashes": "tile/0/001.p/44",
    "entries": "ct/v1/get-entries?start=0&end=9",
    "proof": "ct/v1/get-sth-consistency?first=2&second=300",
    "inclusion": "ct/v1/get-entry-and-proof?leaf_index=7&tree_size=300",
    "head": "checkpoint",
}
# What every fault changes: paths, and what comes instead of the good body.
EXPECTED: dict[str, tuple[str, Any]] = {
    "truncated tile": ("data", lambda good, bad: bad == good[:-1]),
    "tile with less entries": ("data", lambda good, bad: bad == good[: len(good) // 2]),
    "longer tile": ("data", lambda good, bad: bad[:-10] == good),
    "tile contradicts": ("data", lambda good, bad: _differing(good, bad) == [7]),
    "another tile": ("data", lambda good, bad: len(bad) > 2 * len(good)),
    "hash tile contradicts": ("hashes", lambda good, bad: _differing(good, bad) == [0]),
    "truncated hash tile": ("hashes", lambda good, bad: bad == good[:-1]),
    "longer hash tile": ("hashes", lambda good, bad: bad == good + bytes(32)),
    "empty hash tile": ("hashes", lambda good, bad: bad == b""),
    "zero entries": ("entries", lambda good, bad: bad == b'{"entries": []}'),
    "more entries than asked": ("entries", lambda good, bad: _count(bad) == 11),
    "entries in wrong order": (
        "entries",
        lambda good, bad: _entries(bad) == _entries(good)[::-1],
    ),
    "entry contradicts": (
        "entries",
        lambda good, bad: (
            _entries(bad)[0] != _entries(good)[0]
            and _entries(bad)[1:] == _entries(good)[1:]
        ),
    ),
    "wrong consistency proof": ("proof", lambda good, bad: _differing(good, bad)),
    "wrong inclusion proof": (
        "inclusion",
        lambda good, bad: (
            json.loads(good)["leaf_input"] == json.loads(bad)["leaf_input"]
            and json.loads(good)["audit_path"] != json.loads(bad)["audit_path"]
        ),
    ),
    "gzip bomb": ("data", lambda good, bad: len(bad) == logfaults.BOMB_BYTES),
    "gzip bomb as head": ("head", lambda good, bad: len(bad) == logfaults.BOMB_BYTES),
    "html with 200": ("head", lambda good, bad: bad.startswith(b"<html>")),
    "empty body": ("head", lambda good, bad: bad == b""),
}
STATUSES = {
    "redirect to another host": 302,
    "redirect to itself": 302,
    "redirect to another scheme": 302,
    "redirect within the log": 302,
    "too many requests": 429,
    "too many requests, no hint": 429,
    "unavailable": 503,
    "not found": 404,
    "no tiles": 404,
    "no consistency proofs": 404,
}
BROKEN = {
    "hang",
    "reset",
    "cut off",
    "endless body",
    "one byte a second",
    "broken gzip",
}


def test_every_fault_is_tested() -> None:
    assert set(EXPECTED) | set(STATUSES) | BROKEN == set(FAULTS)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_wrong_body(front: Front, name: str) -> None:
    kind, is_as_named = EXPECTED[name]
    good = ask(front, PATHS[kind]).inflated
    front.faults = [fault(name)]
    for other in PATHS:
        if other != kind and not re.search(front.faults[0].where, PATHS[other]):
            get(front, PATHS[other])
    assert is_as_named(good, ask(front, PATHS[kind]).inflated)


@pytest.mark.parametrize("name", STATUSES)
def test_a_bad_status(front: Front, name: str) -> None:
    front.faults = [fault(name)]
    where = FAULTS[name][0]
    answer = ask(front, next(path for path in PATHS.values() if re.search(where, path)))
    assert answer.status == STATUSES[name]
    assert (answer.headers["Retry-After"] == "1") == (name == "too many requests")
    assert ("Location" in answer.headers) == name.startswith("redirect")


def test_a_redirect_within_the_log_leads_somewhere(front: Front) -> None:
    good = get(front, PATHS["hashes"])
    front.faults = [fault("redirect within the log")]
    location = ask(front, PATHS["hashes"]).headers["Location"]
    assert location.startswith(front.url)
    assert get(front, location.removeprefix(front.url)) == good


def test_no_answer(front: Front) -> None:
    front.faults = [fault("hang")]
    with pytest.raises(TimeoutError), _raw(front, timeout_s=0.3) as opened:
        opened.recv(1)
    front.faults = [fault("reset")]
    with _raw(front) as opened, contextlib.suppress(ConnectionResetError):
        assert opened.recv(1) == b""
    front.faults = [fault("cut off")]
    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        get(front, "checkpoint")


def test_no_end_of_the_answer(front: Front) -> None:
    front.faults = [fault("endless body")]
    with _raw(front) as opened:
        read = 0
        while read < 20_000_000:
            read += len(opened.recv(1 << 20))
    front.faults = [fault("one byte a second")]
    with _raw(front) as opened:
        began_s = time.monotonic()
        received = b""
        while len(received.partition(b"\r\n\r\n")[2]) < 3:
            received += opened.recv(65536)
        assert time.monotonic() - began_s > 1.5  # never faster, whatever the load
    front.faults = [fault("broken gzip")]
    with pytest.raises(EOFError):
        gzip.decompress(get(front, PATHS["data"]))


def _raw(front: Front, timeout_s: float = TIMEOUT_S) -> socket.socket:
    address = ("127.0.0.1", urlsplit(front.url).port)
    opened = socket.create_connection(address, timeout_s)
    opened.sendall(b"GET /0/checkpoint HTTP/1.1\r\nHost: h\r\n\r\n")
    return opened


def _entries(body: bytes) -> list[Any]:
    return json.loads(body)["entries"]


def _count(body: bytes) -> int:
    return len(_entries(body))


def _differing(one: bytes, other: bytes) -> list[int]:
    return [n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]


def test_entries_of_another_kind_are_told_apart() -> None:
    """A timestamp is part of what is hashed; names are only the truth for tests."""
    (entry,) = entries_for([["a.example"]], "cert")
    assert FakeLog("x", [entry]).head.root != FakeLog("x", [entry.at(1)]).head.root
    renamed = FakeEntry(entry.timestamp_ms, entry.signed_entry, chain=entry.chain)
    assert FakeLog("x", [entry]).head.root == FakeLog("x", [renamed]).head.root
