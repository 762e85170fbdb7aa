"""Authorities that are trusted: the system's, the operator's, and no others."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from ctmonitor.errors import ConfigError
from ctmonitor.net.route import Route
from ctmonitor.net.trust import trusting
from tests.fakes.tls import Authority, authority_in


def is_trusted(client: ssl.SSLContext, authority: Authority) -> bool:
    """Whether a handshake with a server of this authority succeeds."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            try:
                authority.good().wrap_socket(theirs, server_side=True).close()
            except OSError:
                return

    server = threading.Thread(target=serve)
    server.start()
    try:
        with ours:
            client.wrap_socket(ours, server_hostname="localhost").close()
    except ssl.SSLCertVerificationError:
        return False
    finally:
        server.join()
    return True


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return authority_in(tmp_path, "ours")


@pytest.fixture
def systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine's list holds."""
    authority = authority_in(tmp_path, "system's")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    return authority


def test_a_file_adds_to_the_authorities_of_the_system(
    ours: Authority, systems: Authority
) -> None:
    both = trusting(str(ours.ca_file))
    assert is_trusted(both, ours)
    assert is_trusted(both, systems)
    assert not is_trusted(trusting(""), ours)
    assert is_trusted(trusting(""), systems)


def test_a_file_that_stands_alone_takes_their_place(
    ours: Authority, systems: Authority
) -> None:
    pinned = trusting(str(ours.ca_file), alone=True)
    assert is_trusted(pinned, ours)
    assert not is_trusted(pinned, systems)
    assert is_trusted(trusting("", alone=True), systems)


def test_a_route_says_which_of_the_two_it_is(
    ours: Authority, systems: Authority
) -> None:
    for trusts_system in (False, True):
        route = Route(ca_file=str(ours.ca_file), trusts_system=trusts_system)
        assert is_trusted(route.tls, ours)
        assert is_trusted(route.tls, systems) == trusts_system


@pytest.mark.parametrize("alone", [False, True])
def test_a_file_of_no_authorities_is_a_mistake_of_the_settings(
    tmp_path: Path, alone: bool
) -> None:
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for path in (broken, tmp_path / "absent.pem", tmp_path):
        with pytest.raises(ConfigError, match=r"CA_File .* cannot be read as PEM"):
            trusting(str(path), alone=alone)
