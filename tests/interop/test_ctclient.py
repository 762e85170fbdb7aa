"""
ctclient of certificate-transparency-go verifies heads and proofs of the fake log.

    go install github.com/google/certificate-transparency-go/client/ctclient@v1.1.6

Version 1.1.6 is the last one that builds with Go 1.19, which is Debian 12's.
"""

import base64
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.fakes.log import FakeLog, rsa_key
from tests.fakes.logentries import FakeEntry, entries_for, many_entries
from tests.fakes.logfaults import fault
from tests.fakes.logserver import Front, LogServer
from tests.interop.programs import program, run

VERIFIED = "Verified that hash"
SIZES = (1, 2, 3, 4, 7, 8, 64, 65, 255, 256, 257, 300)


@pytest.fixture(scope="module")
def ctclient() -> str:
    package = "github.com/google/certificate-transparency-go/client/ctclient"
    return program("ctclient", f"go install {package}@v1.1.6")


class Client:
    """ctclient told of one front and of its key."""

    def __init__(self, program: str, front: Front, directory: Path) -> None:
        self._home = directory
        self._front = front
        key = serialization.load_der_public_key(front.log.spki)
        pem = directory / "key.pem"
        pem.write_bytes(
            key.public_bytes(
                serialization.Encoding.PEM,
                serialization.PublicFormat.SubjectPublicKeyInfo,
            )
        )
        self._program = program
        self._options = ("--log_uri", front.url, "--pub_key", str(pem))

    def run(self, verb: str, *arguments: str) -> tuple[bool, str]:
        """Whether it was content, and what it said."""
        done = run(self._home, self._program, verb, *self._options, *arguments)
        return done.returncode == 0, done.stdout

    def consistency(self, first: int, second: int) -> tuple[bool, str]:
        root = self._front.log.tree.root
        return self.run(
            *("get-consistency-proof", f"--size={second}", f"--prev_size={first}"),
            f"--tree_hash={root(second).hex()}",
            f"--prev_hash={root(first).hex()}",
        )

    def inclusion(self, index: int) -> tuple[bool, str]:
        """Under the head, which it fetches."""
        leaf_hash = base64.b64encode(self._front.log.tree.leaf_hashes[index]).decode()
        return self.run("get-inclusion-proof", f"--leaf_hash={leaf_hash}")

    def inclusion_of(self, entry: FakeEntry) -> tuple[bool, str]:
        """The same, with a leaf hash that it makes from the certificates alone."""
        chain = self._home / "chain.pem"
        chain.write_text(
            "".join(
                ssl.DER_cert_to_PEM_cert(der)
                for der in (entry.certificate, *entry.chain)
            )
        )
        return self.run(
            "get-inclusion-proof",
            f"--cert_chain={chain}",
            f"--timestamp={entry.timestamp_ms}",
        )


@pytest.fixture
def front():
    with LogServer(FakeLog(entries=many_entries(300))) as server:
        yield server.fronts[0]


@pytest.fixture
def client(ctclient: str, front: Front, tmp_path: Path) -> Client:
    return Client(ctclient, front, tmp_path)


def test_the_head(client: Client, front: Front) -> None:
    is_good, said = client.run("get-sth")
    assert is_good, said
    assert "size=300" in said
    assert front.log.head.root.hex() in said
    front.log = front.log.with_other_key()
    is_good, said = client.run("get-sth")
    assert not is_good
    assert "signature" in said


def test_a_head_signed_with_rsa(ctclient: str, tmp_path: Path) -> None:
    log = FakeLog(entries=entries_for([["a.example"]]), key=rsa_key())
    with LogServer(log) as server:
        is_good, said = Client(ctclient, server.fronts[0], tmp_path).run("get-sth")
    assert is_good, said


@pytest.mark.parametrize("second", SIZES)
def test_consistency_from_every_size(client: Client, second: int) -> None:
    for first in (size for size in SIZES if size < second):
        is_good, said = client.consistency(first, second)
        assert is_good, said
        assert VERIFIED in said


def test_a_wrong_consistency_proof_is_refused(client: Client, front: Front) -> None:
    front.faults = [fault("wrong consistency proof")]
    is_good, said = client.consistency(7, 300)
    assert not is_good
    assert VERIFIED not in said


@pytest.mark.parametrize("index", [0, 1, 127, 128, 255, 256, 298, 299])
def test_inclusion(client: Client, index: int) -> None:
    is_good, said = client.inclusion(index)
    assert is_good, said
    assert VERIFIED in said


@pytest.mark.parametrize("index", [0, 1])
def test_it_makes_the_same_leaf(ctclient: str, tmp_path: Path, index: int) -> None:
    """Of a precertificate it takes the poison out itself."""
    log = FakeLog(entries=many_entries(3), has_leaf_index=False)
    with LogServer(log) as server:
        client = Client(ctclient, server.fronts[0], tmp_path)
        is_good, said = client.inclusion_of(log.entries[index])
    assert is_good, said
    assert f"for index {index} in tree of size 3" in said
    assert VERIFIED in said


def test_a_wrong_inclusion_proof_is_refused(client: Client, front: Front) -> None:
    front.faults = [fault("wrong inclusion proof")]
    is_good, said = client.inclusion(7)
    assert not is_good
    assert VERIFIED not in said


def test_entries_are_read_as_they_were_made(client: Client, front: Front) -> None:
    front.log.add(entries_for([["www.example.com", "example.com"]]))
    is_good, said = client.run("get-entries", "--first=300", "--last=301")
    assert is_good, said
    assert said.count("DNS:www.example.com, DNS:example.com") == 2
