"""
certspotter follows the fake log, verifies it, and agrees on every matching certificate.

`apt-get install certspotter` gives version 0.16: RFC 6962, every root computed from the
entries and compared with the signed one.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests import data
from tests.fakes.log import FakeLog, rsa_key
from tests.fakes.logentries import entries_for, many_entries, recorded_entries
from tests.fakes.logserver import Front, LogServer
from tests.interop.certspotter import Spotted, follow
from tests.interop.programs import program

WATCHED = (".example.com", ".example.org", "exact.test")
MATCHING = (
    ["www.example.com", "example.com"],
    ["elsewhere.test", "*.login.example.org"],
    ["xn--bcher-kva.example.org"],
    ["exact.test"],
    [f"san-{number}.test" for number in range(99)] + ["a.b.c.example.com"],
)
OTHERS = (
    ["wwwexample.com"],
    ["example.com.test"],
    ["below.exact.test"],
    ["example.net", "www.example.net"],
)


@pytest.fixture(scope="module")
def certspotter() -> str:
    return program("certspotter", "apt-get install certspotter")


def truth(log: FakeLog) -> dict[int, frozenset[str]]:
    """What is in the log under the watched names, from how it was made."""
    return {
        index: frozenset(entry.names)
        for index, entry in enumerate(log.entries)
        if any(_is_watched(name) for name in entry.names)
    }


def _is_watched(name: str) -> bool:
    return any(
        name == watched.removeprefix(".")
        or (watched.startswith(".") and name.endswith(watched))
        for watched in WATCHED
    )


def spot(
    certspotter: str, server: LogServer, directory: Path, watched: Sequence[str]
) -> Spotted:
    """certspotter, until it has verified the log's head."""
    size = server.fronts[0].log.size
    return follow(
        certspotter, server, watched, directory, lambda verified, _: verified == size
    )


@pytest.mark.parametrize("kind", ["leaf_index", "rfc6962", "rsa"])
def test_it_finds_what_is_there(certspotter: str, tmp_path: Path, kind: str) -> None:
    key = rsa_key() if kind == "rsa" else None
    log = FakeLog(key=key, has_leaf_index=kind == "leaf_index")
    log.add(entries_for([*MATCHING, *OTHERS]))
    log.add(many_entries(700))
    with LogServer(Front(log, "log", is_tiled=False)) as server:
        first = spot(certspotter, server, tmp_path / "certspotter", WATCHED)
        assert first.names == truth(log)
        assert len(first.names) == 2 * len(MATCHING)

        # It goes on where it was, and verifies that the tree has only grown.
        log.add(entries_for([["new.example.com"], ["example.test"]]))
        second = spot(certspotter, server, tmp_path / "certspotter", WATCHED)
    assert second.names == truth(log)
    assert len(second.names) == 2 * len(MATCHING) + 2
    assert server.fronts[0].count("ct/v1/get-entries?start=0") == 1


def test_it_sees_through_a_fork(certspotter: str, tmp_path: Path) -> None:
    """So the fork is one, and its signature is good."""
    log = FakeLog(entries=entries_for([["www.example.com"], ["b.test"]]))
    with LogServer(Front(log, "log", is_tiled=False)) as server:
        spot(certspotter, server, tmp_path / "certspotter", WATCHED)
        (other,) = entries_for([["other.test"]], "cert")
        server.fronts[0].log = log.forked(1, other)
        server.fronts[0].log.add(entries_for([["c.test"]]))
        spotted = follow(
            certspotter,
            server,
            WATCHED,
            tmp_path / "certspotter",
            lambda _, output: "root hash" in output,
        )
    assert spotted.verified_size == 4


def test_it_refuses_another_key(certspotter: str, tmp_path: Path) -> None:
    log = FakeLog(entries=entries_for([["www.example.com"]])).with_other_key()
    with LogServer(Front(log, "log", is_tiled=False)) as server:
        spotted = follow(
            certspotter,
            server,
            WATCHED,
            tmp_path / "certspotter",
            lambda _, output: "signature" in output,
        )
    assert spotted.verified_size == -1
    assert spotted.names == {}


def test_recorded_certificates_have_the_same_names(
    certspotter: str, tmp_path: Path
) -> None:
    """2,668 real entries, and every name in them: all that both can load agree."""
    file = data.shared("rfc6962/entries.jsonl.gz")
    log = FakeLog(entries=recorded_entries(file), has_leaf_index=False)
    with LogServer(Front(log, "log", is_tiled=False)) as server:
        spotted = spot(certspotter, server, tmp_path / "certspotter", ["."])
    compared = 0
    for index, names in spotted.names.items():
        in_dns, in_subject = _names_in(log.entries[index].certificate)
        assert in_dns <= names, index
        assert names <= in_dns | in_subject, index
        compared += 1
    # It keeps a certificate that was logged twice once.
    assert compared >= 0.99 * len({entry.certificate for entry in log.entries})


def _names_in(certificate: bytes) -> tuple[set[str], set[str]]:
    """DNS names, and what stands in CN; in lower case, as certspotter has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # odd dates and serial numbers
        loaded = x509.load_der_x509_certificate(certificate)
        common = loaded.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        in_subject = {str(each.value).lower() for each in common}
        try:
            listed = loaded.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            ).value
        except x509.ExtensionNotFound:
            return set(), in_subject
    in_dns = listed.get_values_for_type(x509.DNSName)
    return {name.lower() for name in in_dns}, in_subject
