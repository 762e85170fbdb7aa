"""One connection: what a server may send, and what it may not."""

import base64
import gc
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctmonitor.errors import SourceError
from ctmonitor.net.route import Route
from ctmonitor.sources.feedclient import FeedClient, Frames, shown
from tests.fakes import feed
from tests.fakes.feed import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    FeedServer,
    Peer,
    encode_frame,
)
from tests.fakes.tls import Authority

MAX_BYTES = 1_000_000


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    """A socket that nobody closed is a ResourceWarning, which is an error."""
    yield
    gc.collect()


@contextmanager
def _client(
    url: str, route: Route | None = None, max_bytes: int = MAX_BYTES, **limits: float
) -> Iterator[FeedClient]:
    client = FeedClient(
        url,
        route or Route(timeout_s=5),
        max_bytes,
        handshake_s=limits.get("handshake_s", 5.0),
        handshake_bytes=int(limits.get("handshake_bytes", 4096)),
    )
    try:
        client.open()
        yield client
    finally:
        client.close()


def _read(client: FeedClient, count: int) -> list[bytes]:
    """So many messages; an empty read means that nothing came for a while."""
    messages: list[bytes] = []
    deadline = time.monotonic() + 10
    while len(messages) < count and time.monotonic() < deadline:
        messages += client.read()
    return messages


def _read_to_end(client: FeedClient) -> tuple[list[bytes], str]:
    """All messages, and why there are no more."""
    messages: list[bytes] = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            messages += client.read()
        except SourceError as exc:
            return messages, str(exc)
    raise TimeoutError("the connection goes on")


def _refusal(script: feed.Script, **limits: float) -> SourceError:
    with FeedServer(script) as server, pytest.raises(SourceError) as told:
        FeedClient(
            server.url,
            Route(timeout_s=5),
            MAX_BYTES,
            handshake_s=limits.get("handshake_s", 5.0),
            handshake_bytes=int(limits.get("handshake_bytes", 4096)),
        ).open()
    return told.value


# Frames, without a network

_PAYLOADS = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([125, 126, 127, 65535, 65536]).map(bytes),
)


@st.composite
def _streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A valid stream and its messages: fragments, control frames between them."""
    wire, messages = b"", []
    for payload in draw(st.lists(_PAYLOADS, max_size=6)):
        opcode = draw(st.sampled_from([TEXT, BINARY]))
        cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
        ends = [0, *cuts, len(payload)]
        for part, start in enumerate(ends[:-1]):
            wire += encode_frame(
                CONTINUATION if part else opcode,
                payload[start : ends[part + 1]],
                fin=part == len(cuts),
            )
            if draw(st.booleans()):
                control = draw(st.sampled_from([PING, PONG]))
                wire += encode_frame(control, draw(st.binary(max_size=125)))
        messages.append(payload)
    return wire, messages


@given(_streams(), st.data())
def test_any_split_of_a_stream_gives_the_same_messages(
    stream: tuple[bytes, list[bytes]], data: st.DataObject
) -> None:
    wire, expected = stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=20)))
    frames, messages = Frames(MAX_BYTES), []
    for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        messages += frames.feed(wire[start:end])
    assert messages == expected
    assert frames.failure is None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 300, 5000, 65536])
def test_a_stream_may_come_byte_by_byte(size: int) -> None:
    payload = bytes(size)
    wire = encode_frame(TEXT, payload) + encode_frame(PING, b"p") * 2
    wire += encode_frame(TEXT, payload, fin=False) + encode_frame(CONTINUATION, b"end")
    frames, messages = Frames(MAX_BYTES), []
    for at in range(len(wire)):
        messages += frames.feed(wire[at : at + 1])
    assert messages == [payload, payload + b"end"]


@given(st.lists(st.binary(max_size=200), max_size=8))
@example([b"\x81\xff" + bytes(12)])
@example([b"\x81\x7f\xff" + bytes(20)])
def test_any_bytes_give_messages_or_a_failure(pieces: list[bytes]) -> None:
    frames = Frames(1000)
    for piece in pieces:
        messages = frames.feed(piece)
        assert all(len(message) <= 1000 for message in messages)
    assert frames.failure is None or isinstance(frames.failure, SourceError)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (encode_frame(TEXT, b"{}", rsv=4), "compressed"),
        (encode_frame(CONTINUATION, b"{}", rsv=4), "compressed"),
        (encode_frame(TEXT, b"{}", rsv=1), "reserved bits"),
        (encode_frame(TEXT, b"{}", rsv=2), "reserved bits"),
        (encode_frame(TEXT, b"{}", mask=b"abcd"), "masked"),
        (encode_frame(3, b""), "opcode 3"),
        (encode_frame(7, b""), "opcode 7"),
        (encode_frame(11, b""), "opcode 11"),
        (encode_frame(15, b""), "opcode 15"),
        (encode_frame(CONTINUATION, b"x"), "opcode 0"),
        (encode_frame(TEXT, b"x", fin=False) + encode_frame(TEXT, b""), "opcode 1"),
        (encode_frame(TEXT, b"x", fin=False) + encode_frame(BINARY, b""), "opcode 2"),
        (encode_frame(PING, b"x", fin=False), "in pieces"),
        (encode_frame(PING, bytes(126)), "over 125 bytes"),
        (encode_frame(CLOSE, b"\x03\xe8bye"), "code 1000: bye"),
    ],
)
def test_a_broken_stream_fails_after_what_stood_before(bad: bytes, reason: str) -> None:
    good = encode_frame(TEXT, b"good")
    frames = Frames(MAX_BYTES)
    assert frames.feed(good + bad + good) == [b"good"]
    assert reason in str(frames.failure)
    assert frames.feed(good) == []


@pytest.mark.parametrize(("size", "taken"), [(999, True), (1000, True), (1001, False)])
def test_the_limit_is_judged_on_the_announced_length(size: int, taken: bool) -> None:
    header = encode_frame(TEXT, bytes(size))[:-size]
    frames = Frames(1000)
    assert frames.feed(header) == []
    assert (frames.failure is None) == taken
    if not taken:
        assert "1001 bytes is larger than 1000" in str(frames.failure)


def test_fragments_are_limited_in_sum_and_number() -> None:
    frames = Frames(1000)
    frames.feed(encode_frame(TEXT, bytes(600), fin=False))
    frames.feed(encode_frame(CONTINUATION, bytes(400), fin=False))
    frames.feed(encode_frame(PING, b"between"))
    assert (frames.failure, frames.ping) == (None, b"between")
    frames.feed(encode_frame(CONTINUATION, bytes(1), fin=False))
    assert "1001 bytes" in str(frames.failure)

    endless = Frames(1000)
    endless.feed(encode_frame(TEXT, b"", fin=False))
    endless.feed(encode_frame(CONTINUATION, b"", fin=False) * 100_000)
    assert "fragments" in str(endless.failure)


def test_a_control_frame_too_long_is_refused_before_it_comes() -> None:
    frames = Frames(MAX_BYTES)
    frames.feed(b"\x89\x7f" + (2**40).to_bytes(8, "big"))
    assert frames.failure is not None


# The handshake


def test_path_and_query_of_the_address_are_asked_for() -> None:
    with FeedServer(feed.serve([b"{}"])) as server:
        with _client(server.url + "full-stream?a=b%20c&d") as client:
            assert _read(client, 1) == [b"{}"]
        request = server.connections[0].request
    assert request.target == "/full-stream?a=b%20c&d"
    assert "sec-websocket-extensions" not in request.headers
    assert "authorization" not in request.headers


def test_credentials_of_the_address_are_sent_as_basic_authorization() -> None:
    with FeedServer(feed.serve([b"{}"])) as server:
        url = server.url.replace("ws://", "ws://us%40er:p%3Aw@")
        with _client(url) as client:
            assert _read(client, 1) == [b"{}"]
        headers = server.connections[0].request.headers
    token = headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(token) == b"us@er:p:w"
    assert headers["host"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ws://h:1/p?q", "ws://h:1/p?q"),
        ("wss://user:p@ss@h:1/p?q", "wss://h:1/p?q"),
        ("wss://token@[::1]:1/", "wss://[::1]:1/"),
    ],
)
def test_an_address_is_shown_without_credentials(address: str, expected: str) -> None:
    assert shown(address) == expected


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 521])
def test_a_refusal_is_quoted_whatever_its_body(status: int) -> None:
    body = b"<html>" + b"x" * 100_000
    error = _refusal(feed.refuse(status, [("Retry-After", "120")], body))
    assert f"answered {status} Refused" in str(error)
    assert "wait 120 s" in str(error)
    assert error.retry_after_s == 120


def test_a_refusal_that_announces_more_than_it_sends_is_told_at_once() -> None:
    def script(peer: Peer) -> None:
        peer.send_raw(b"HTTP/1.1 503 Busy 100%s\r\nContent-Length: 99999\r\n\r\nx")
        peer.wait()

    error = _refusal(script, handshake_s=30)
    assert "503 Busy 100%s" in str(error)
    assert error.retry_after_s is None


def test_a_missing_login_is_told_with_the_way_to_give_it() -> None:
    assert "wss://user:password@" in str(_refusal(feed.refuse(401)))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_told_and_not_followed(status: int) -> None:
    with FeedServer(feed.silent()) as elsewhere:
        error = _refusal(feed.redirect(elsewhere.url + "\x1b[2Jx", status))
        assert not elsewhere.connections
    assert elsewhere.url in str(error)
    assert str(error).isprintable()


def test_an_accept_key_of_somebody_else_is_refused() -> None:
    assert "Invalid WebSocket Header" in str(_refusal(feed.wrong_accept()))


def test_endless_headers_are_cut_off() -> None:
    error = _refusal(feed.endless_headers(), handshake_bytes=5000)
    assert "a handshake of over 5000 bytes" in str(error)


def test_slow_headers_are_cut_off() -> None:
    error = _refusal(feed.slow_headers(0.02), handshake_s=0.4)
    assert "no handshake within 0.4 s" in str(error)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "does not speak HTTP"),
        (b"\x15\x03\x01\x00\x02\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1\r\n\r\n", "does not speak HTTP"),
        (b"\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "200 OK instead of 101"),
        (b"HTTP/1.1 101 Yes\r\n\r\n", "no websocket"),
        (b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nnonsense\r\n\r\n", "no websocket"),
        (b"HTTP/1.1 101 Yes\r\nConnection: \xff\xfe\r\n\r\n", "no websocket"),
        (b"HTTP/1.1 101", "ended the connection in the handshake"),
        (b"", "ended the connection in the handshake"),
    ],
)
def test_an_answer_that_is_no_upgrade_is_a_source_error(
    answer: bytes, reason: str
) -> None:
    assert reason in str(_refusal(lambda peer: peer.send_raw(answer)))


def test_cookies_of_a_server_are_not_kept() -> None:
    """websocket-client would, for all connections of the program."""

    def script(peer: Peer) -> None:
        key = feed.accept_key(peer.request.headers["sec-websocket-key"]).encode()
        peer.send_raw(
            b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Set-Cookie: c=d; domain=127.0.0.1\r\n"
            b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
        )
        peer.send_text(b"{}")
        peer.wait_closed()

    with FeedServer(script) as server:
        for _ in range(2):
            with _client(server.url) as client:
                assert _read(client, 1) == [b"{}"]
        assert "cookie" not in server.connections[1].request.headers


def test_messages_that_come_with_the_handshake_are_read() -> None:
    def script(peer: Peer) -> None:
        key = feed.accept_key(peer.request.headers["sec-websocket-key"]).encode()
        peer.send_raw(
            b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n" + encode_frame(TEXT, b"early")
        )
        peer.wait_closed()

    with FeedServer(script) as server, _client(server.url) as client:
        assert _read(client, 1) == [b"early"]


@pytest.mark.parametrize("address", ["ws://127.0.0.1:99999/", "ws://[::1/", "ws:///x"])
def test_an_address_that_cannot_be_used_is_a_source_error(address: str) -> None:
    with pytest.raises(SourceError):
        FeedClient(address, Route(timeout_s=2), MAX_BYTES).open()


def test_cancel_ends_a_slow_handshake_from_another_thread() -> None:
    with FeedServer(feed.slow_headers()) as server:
        client = FeedClient(server.url, Route(), MAX_BYTES, handshake_s=60)
        timer = threading.Timer(0.2, client.cancel)
        timer.start()
        with pytest.raises(SourceError, match="given up"):
            client.open()
        timer.join()


# Reading


def test_messages_of_all_kinds_come_in_order() -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_text(b"text")
        peer.send_binary(b"\xff\x00")
        peer.send_text(b"")
        peer.send_fragments(b"in fragments", [3, 0, 4])
        peer.send_text(b"x" * 70_000)
        peer.wait_closed()

    with FeedServer(script) as server, _client(server.url) as client:
        expected = [b"text", b"\xff\x00", b"", b"in fragments", b"x" * 70_000]
        assert _read(client, 5) == expected


def test_pings_are_answered_with_their_payload() -> None:
    with (
        FeedServer(feed.ping_flood(1, [b"{}"])) as server,
        _client(server.url) as client,
    ):
        assert _read(client, 1) == [b"{}"]
        client.ping()
        client.read()
        server.wait_for(lambda s: bool(s.connections[0].pings))
        pongs = server.connections[0].pongs
        assert [pong.payload for pong in pongs] == [b"0"]
        assert all(frame.masked for frame in server.connections[0].received)


def test_a_flood_of_pings_is_answered_for_the_last_ones() -> None:
    with FeedServer(feed.ping_flood(20_000, [b"{}"])) as server:
        with _client(server.url) as client:
            assert _read(client, 1) == [b"{}"]
        server.wait_for_ended()
        pongs = server.connections[0].pongs
    assert pongs[-1].payload == b"19999"
    assert len(pongs) < 5000


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1000, b"", "code 1000"),
        (1001, b"going away", "code 1001: going away"),
        (1008, b"No ping received!", "code 1008: No ping received!"),
        (1013, "\u202ezu voll".encode(), r"code 1013: \u202ezu voll"),
        (1011, b"\xff\xfe", "code 1011"),
        (None, b"", "code 1005"),
    ],
)
def test_a_close_is_told_after_the_messages_and_answered(
    code: int | None, reason: bytes, told: str
) -> None:
    script = feed.close_with(code, reason, [b"one", b"two"])
    with FeedServer(script) as server:
        with _client(server.url) as client:
            messages, why = _read_to_end(client)
        server.wait_for_ended()
        closes = server.connections[0].closes
    assert messages == [b"one", b"two"]
    assert told in why
    assert [close.close_code for close in closes] == [code]


def test_messages_before_a_broken_frame_are_handed_on() -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        bad = encode_frame(TEXT, b"{}", rsv=4)
        peer.send_raw(encode_frame(TEXT, b"good") * 50 + bad)
        peer.wait_closed()

    with FeedServer(script) as server, _client(server.url) as client:
        messages, why = _read_to_end(client)
    assert messages == [b"good"] * 50
    assert "compressed" in why


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (feed.compressed_frame(), "compressed"),
        (feed.masked_frame(), "masked"),
        (feed.oversized(64 * 2**20), "67108864 bytes is larger than 1000000"),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(
    script: feed.Script, reason: str
) -> None:
    with FeedServer(script) as server:
        with _client(server.url) as client:
            messages, why = _read_to_end(client)
        server.wait_for_ended()
        # What lies in the buffers of both ends was sent, 64 MB were not.
        assert server.connections[0].sent_bytes < 32 * 2**20
    assert messages == []
    assert reason in why


def test_a_reset_is_told_as_a_broken_connection() -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_text(b"{}")
        peer.receive()
        peer.abort()

    with FeedServer(script) as server, _client(server.url) as client:
        assert _read(client, 1) == [b"{}"]
        client.ping()
        _, why = _read_to_end(client)
    assert "the connection broke: " in why


def test_an_end_without_close_is_told() -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_text(b"{}")

    with FeedServer(script) as server, _client(server.url) as client:
        assert _read_to_end(client) == ([b"{}"], "the server ended the connection")


def test_a_close_of_ours_says_so_to_the_server() -> None:
    with FeedServer(feed.silent()) as server:
        with _client(server.url):
            pass
        server.wait_for_ended()
        assert [f.close_code for f in server.connections[0].closes] == [1000]


def test_a_server_that_reads_nothing_does_not_hold_us() -> None:
    """Its receive buffer fills with our pongs; then it counts as broken."""

    def script(peer: Peer) -> None:
        peer.handshake()
        small = peer._socket
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        while True:
            peer.send_raw(encode_frame(PING, bytes(125)) * 10)
            select.select([], [], [], 0.0005)

    with FeedServer(script) as server, _client(server.url) as client:
        assert client._socket is not None
        client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
        _, why = _read_to_end(client)
    assert "takes no answer" in why


# TLS


def test_tls_gives_all_messages_several_records_at_a_time(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    messages = [b"%d" % number + b"x" * 5000 for number in range(2000)]
    with FeedServer(
        feed.serve(messages, "close"), tls=authority.good(), host="localhost"
    ) as server:
        route = Route(ca_file=str(authority.ca_file))
        with _client(server.url, route) as client:
            server.wait_for_connections(1)
            got: list[bytes] = []
            largest = 0
            while len(got) < len(messages):
                came = client.read()
                largest = max(largest, sum(map(len, came)))
                got += came
                threading.Event().wait(0.002)
    assert got == messages
    # One record holds 16 kB; how many come together is up to the kernel.
    assert largest > 3 * 16 * 1024


def test_tls_that_breaks_off_loses_nothing_that_came(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        for number in range(100):
            peer.send_text(b"%d" % number)
        # Without TLS's own goodbye.
        peer._socket.shutdown(socket.SHUT_RDWR)

    authority = Authority.create(tmp_path)
    with FeedServer(script, tls=authority.good(), host="localhost") as server:
        route = Route(ca_file=str(authority.ca_file))
        with _client(server.url, route) as client:
            messages, why = _read_to_end(client)
    assert messages == [b"%d" % number for number in range(100)]
    assert why


@pytest.mark.parametrize(
    "record",
    [b"\x17\x03\x03\x40\x00its rest comes late", b"\x17\x03\x03\x00\x05forged"],
)
def test_a_tls_record_that_is_incomplete_or_forged_loses_nothing_before_it(
    tmp_path: Path, record: bytes
) -> None:
    sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_text(b"{}")
        # Past the TLS layer, as somebody on the way could.
        socket.socket.sendall(peer._socket, record)
        sent.set()
        peer.wait()

    authority = Authority.create(tmp_path)
    with FeedServer(script, tls=authority.good(), host="localhost") as server:
        route = Route(ca_file=str(authority.ca_file))
        with _client(server.url, route) as client:
            assert sent.wait(10)
            assert _read(client, 1) == [b"{}"]
