"""
certspotter follows the fake log, verifies it, and agrees on every matching certificate.

`apt-get install certspotter` gives version 0.16: RFC 6962, every root computed from the
entries and compared with the signed one.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes.log import FakeLog, rsa_key
from tests.fakes.logentries import entries_for, many_entries
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
