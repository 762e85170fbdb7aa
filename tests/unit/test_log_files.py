"""The logs that the bench writes as files are logs, and hold what they say."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from cryptography import x509

from bench.logfiles import KEYWORDS, WrittenLog, nginx_locations, write_log
from tests.fakes.log import FakeLog, tile_path, tiles_of
from tests.fakes.logentries import FakeEntry

COUNT = 1024


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> WrittenLog:
    return write_log(
        tmp_path_factory.mktemp("log"),
        COUNT,
        hit_rate=0.05,
        secure_issuer_rate=0.1,
        has_replies=True,
    )


@pytest.fixture(scope="module")
def entries(written: WrittenLog) -> list[FakeEntry]:
    """As they stand in the replies for RFC 6962."""
    found = []
    for start in range(0, COUNT, 256):
        file = written.directory / f"ct/v1/entries/{start}"
        for entry in json.loads(file.read_bytes())["entries"]:
            leaf_input = base64.b64decode(entry["leaf_input"])
            extra_data = base64.b64decode(entry["extra_data"])
            found.append(FakeEntry.from_rfc6962(leaf_input, extra_data))
    return found


def test_every_file_is_that_of_the_same_log_in_memory(
    written: WrittenLog, entries: list[FakeEntry]
) -> None:
    log = FakeLog(written.log.origin, entries)
    folder = written.directory
    assert written.log.head.root == log.head.root
    paths = {tile_path(str(level), n, width) for level, n, width in tiles_of(COUNT)}
    paths |= {tile_path("data", index) for index in range(COUNT // 256)}
    for path in paths:
        assert (folder / path).read_bytes() == log.tile(path), path
    for path in paths:
        if path.startswith("tile/data/"):
            packed = (folder / f"{path}.gz").read_bytes()
            assert gzip.decompress(packed) == log.tile(path)
    files = {str(file.relative_to(folder)) for file in (folder / "tile").rglob("*")}
    assert paths <= files
    for first in range(256, COUNT, 256):
        proof = (folder / f"ct/v1/consistency/{first}-{COUNT}").read_bytes()
        assert json.loads(proof) == json.loads(log.get_consistency(first, COUNT))
    chains = {der for entry in entries for der in entry.chain}
    for der in chains:
        fingerprint = hashlib.sha256(der).hexdigest()
        assert (folder / "issuer" / fingerprint).read_bytes() == der
    checkpoint = (folder / "checkpoint").read_text("utf-8")
    assert checkpoint.startswith(f"{written.log.origin}\n{COUNT}\n")
    assert json.loads((folder / "ct/v1/get-sth").read_bytes())["tree_size"] == COUNT


def test_certificates_differ_can_be_parsed_and_hold_the_hits(
    written: WrittenLog, entries: list[FakeEntry]
) -> None:
    keyword = re.compile("|".join(KEYWORDS))
    found = {}
    issuers = set()
    serials = set()
    for index, entry in enumerate(entries):
        certificate = x509.load_der_x509_certificate(entry.certificate)
        issuers.add(certificate.issuer.rfc4514_string())
        serials.add(certificate.serial_number)
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value.get_values_for_type(x509.DNSName)
        hits = [name for name in names if keyword.search(name)]
        assert len(hits) <= 1
        if hits:
            found[index] = hits[0]
        if entry.is_precert:
            # The leaf holds the same names.
            assert all(name.encode() in entry.signed_entry for name in names)
    assert found == written.hits
    assert 20 < len(found) < 100
    assert len(serials) == COUNT
    assert any("Secure Server CA" in issuer for issuer in issuers)
    assert 0.5 < sum(entry.is_precert for entry in entries) / COUNT < 0.7


def test_sizes_are_those_of_public_logs(written: WrittenLog) -> None:
    assert 1450 < written.entry_bytes < 1750
    packed = (written.directory / "tile/data/000.gz").stat().st_size / 256
    assert 400 < packed < 700
    reply = (written.directory / "ct/v1/entries/0").stat().st_size / 256
    assert 5200 < reply < 6400


def test_a_count_that_leaves_a_partial_tile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 256"):
        write_log(tmp_path, 300)


def test_locations_name_the_directory() -> None:
    assert "root /some/where;" in nginx_locations(Path("/some/where"))
