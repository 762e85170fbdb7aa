"""Connecting in a thread of its own: who waits may leave, and nothing stays open."""

import gc
from collections.abc import Iterator

import pytest

from ctmonitor.net.route import Route
from ctmonitor.sources.feedclient import FeedClient
from ctmonitor.sources.feeddial import Dial, data_messages
from tests.fakes import feed
from tests.fakes.feed import FeedServer, Peer
from tests.unit.sources.collecting import HEARTBEAT, message

DATA = message(1)


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    yield
    gc.collect()


class Deaf(FeedClient):
    """A client whose connecting nothing can end, as in a name server that hangs."""

    def cancel(self) -> None:
        pass


def _client(server: FeedServer, kind: type[FeedClient] = FeedClient) -> FeedClient:
    return kind(server.url, Route(timeout_s=5), 1_000_000, handshake_s=5)


def _slow(peer: Peer) -> None:
    peer.wait(0.3)
    peer.handshake()
    peer.wait_closed()


def test_an_open_client_is_handed_over() -> None:
    with FeedServer(feed.serve([DATA])) as server:
        dial = Dial(_client(server))
        dial.start()
        assert dial.done.wait(5)
        assert (dial.error, dial.frames) == (None, [])
        assert dial.client.read() == [DATA]
        dial.client.close()


def test_an_error_is_handed_over() -> None:
    with FeedServer(feed.refuse(503, [("Retry-After", "9")])) as server:
        dial = Dial(_client(server))
        dial.start()
        assert dial.done.wait(5)
    assert dial.error is not None
    assert dial.error.retry_after_s == 9


def test_a_bug_is_an_error_too() -> None:
    class Broken(FeedClient):
        def open(self) -> None:
            raise ZeroDivisionError

    with FeedServer(feed.silent()) as server:
        dial = Dial(_client(server, Broken))
        dial.start()
        assert dial.done.wait(5)
    assert "ZeroDivisionError" in str(dial.error)


def test_who_listens_gets_the_first_messages() -> None:
    with FeedServer(feed.serve([HEARTBEAT, b"", DATA])) as server:
        dial = Dial(_client(server), listen_s=5)
        dial.start()
        assert dial.done.wait(5)
        assert (dial.error, dial.frames) == (None, [DATA])
        dial.client.close()


def test_a_server_that_sends_only_heartbeats_does_not_count() -> None:
    with FeedServer(feed.serve([HEARTBEAT])) as server:
        dial = Dial(_client(server), listen_s=0.3)
        dial.start()
        assert dial.done.wait(5)
        assert "no message for 0.3 s" in str(dial.error)
        server.wait_for_ended()


@pytest.mark.parametrize("kind", [FeedClient, Deaf])
def test_an_abandoned_connection_is_closed_when_it_comes(
    kind: type[FeedClient],
) -> None:
    with FeedServer(_slow) as server:
        dial = Dial(_client(server, kind))
        dial.start()
        server.wait_for_connections(1)
        dial.abandon()
        server.wait_for_ended()
        dial.join(5)
        assert not dial.is_alive()
        assert dial.client._socket is None


def test_an_abandoned_client_that_is_open_is_closed() -> None:
    with FeedServer(feed.silent()) as server:
        dial = Dial(_client(server))
        dial.start()
        assert dial.done.wait(5)
        dial.abandon()
        server.wait_for_ended()


def test_heartbeats_and_empty_messages_are_no_data() -> None:
    assert data_messages([b"", HEARTBEAT, b"x", DATA]) == [b"x", DATA]
