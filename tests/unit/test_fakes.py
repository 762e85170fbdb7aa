"""The fakes do what their names say; other tests stand on them."""

import base64
import contextlib
import hashlib
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from cryptography import x509

from tests import data
from tests.fakes import feed
from tests.fakes.feed import FeedServer, Peer
from tests.fakes.proxies import Proxy, microsocks, tinyproxy
from tests.fakes.tls import Authority

TIMEOUT_S = 10


@contextlib.contextmanager
def client(url: str, **options: Any) -> Iterator[websocket.WebSocket]:
    connection = websocket.create_connection(url, timeout=TIMEOUT_S, **options)
    try:
        yield connection
    finally:
        # websocket-client leaves this method without types.
        connection.shutdown()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def raw_client(server: FeedServer) -> Iterator[socket.socket]:
    """A client whose every byte the test sees; the request is sent."""
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as connection:
        connection.sendall(
            b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        yield connection


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def read_frame_after_handshake(connection: socket.socket, size: int) -> bytes:
    read = b""
    while len(read.partition(b"\r\n\r\n")[2]) < size:
        more = connection.recv(65536)
        assert more, f"the server ended the connection after {read!r}"
        read += more
    return read.partition(b"\r\n\r\n")[2]


def test_the_accept_key_is_the_one_of_the_specification() -> None:
    """RFC 6455, section 1.3."""
    key = feed.accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    assert key == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("frame", "wire"),
    [
        (feed.encode_frame(feed.TEXT, b"Hello"), "810548656c6c6f"),
        (
            feed.encode_frame(feed.TEXT, b"Hello", mask=bytes.fromhex("37fa213d")),
            "818537fa213d7f9f4d5158",
        ),
        (feed.encode_frame(feed.TEXT, b"Hel", fin=False), "010348656c"),
        (feed.encode_frame(feed.CONTINUATION, b"lo"), "80026c6f"),
        (feed.encode_frame(feed.PING, b"Hello"), "890548656c6c6f"),
        (feed.encode_frame(feed.BINARY, bytes(256))[:4], "827e0100"),
        (feed.encode_frame(feed.BINARY, bytes(65536))[:10], "827f0000000000010000"),
    ],
)
def test_frames_are_those_of_the_specification(frame: bytes, wire: str) -> None:
    """RFC 6455, section 5.7."""
    assert frame.hex() == wire


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_messages_of_every_length_field_arrive(size: int) -> None:
    with FeedServer(feed.serve([b"x" * size])) as server, client(server.url) as c:
        assert c.recv() == "x" * size


def test_the_request_is_recorded() -> None:
    with FeedServer(feed.silent()) as server:
        with client(server.url + "full-stream", header={"X-One": "two"}):
            server.wait_for_connections(1)
        request = server.connections[0].request
    assert (request.method, request.target) == ("GET", "/full-stream")
    assert request.headers["x-one"] == "two"


def test_scripts_follow_one_another_and_the_last_one_repeats() -> None:
    first, second = feed.serve([b"first"]), feed.serve([b"second"])
    told = []
    with FeedServer(first, second) as server:
        for _ in range(3):
            with client(server.url) as c:
                told.append(c.recv())
    assert told == ["first", "second", "second"]
    assert [peer.number for peer in server.connections] == [0, 1, 2]


def test_served_messages_end_with_an_orderly_close_when_asked() -> None:
    with FeedServer(feed.serve([b"one"], then="close")) as server:
        with client(server.url) as c:
            assert c.recv() == "one"
            opcode, body = c.recv_data()
            assert (opcode, body[:2]) == (feed.CLOSE, b"\x03\xe8")
            server.wait_for(lambda s: bool(s.connections[0].closes))
        server.wait_for_ended()
    assert server.connections[0].closes[0].close_code == 1000
    assert len(server.connections[0].closes) == 1


def test_an_abort_is_a_reset() -> None:
    with (
        FeedServer(feed.serve([], then="abort")) as server,
        raw_client(server) as c,
        pytest.raises(ConnectionResetError),
    ):
        read_to_end(c)


def test_a_client_that_closes_is_answered_once_and_recorded() -> None:
    with FeedServer(feed.silent()) as server, client(server.url) as c:
        c.send_close(1001, b"leaving")
        assert c.recv_data() == (feed.CLOSE, b"\x03\xe9")
    [close] = server.connections[0].closes
    assert (close.close_code, close.payload[2:]) == (1001, b"leaving")
    assert close.masked


def test_a_silent_feed_answers_pings_and_says_nothing() -> None:
    with FeedServer(feed.silent()) as server, client(server.url) as c:
        c.ping("are you there")
        assert c.recv_data(control_frame=True) == (feed.PONG, b"are you there")
        assert [p.payload for p in server.connections[0].pings] == [b"are you there"]


def test_a_half_open_connection_answers_nothing_and_stays() -> None:
    with FeedServer(feed.half_open([b"last words"])) as server:
        with client(server.url) as c:
            assert c.recv() == "last words"
            c.ping("are you there")
            c.settimeout(0.3)
            with pytest.raises(websocket.WebSocketTimeoutException):
                c.recv_data(control_frame=True)
        assert server.connections[0].pings == []


def test_every_ping_of_a_flood_is_sent_and_its_pong_recorded() -> None:
    with FeedServer(feed.ping_flood(300, [b"after"])) as server:
        with client(server.url) as c:
            assert c.recv() == "after"
            server.wait_for(lambda s: len(s.connections[0].pongs) == 300)
        pongs = server.connections[0].pongs
    assert [pong.payload for pong in pongs] == [b"%d" % n for n in range(300)]
    assert [pong.at_s for pong in pongs] == sorted(pong.at_s for pong in pongs)


def test_fragments_have_the_sizes_asked_for_and_make_one_message() -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_fragments(b"0123456789", [3, 0, 2])
        peer.wait_closed()

    wire = bytes.fromhex("0103") + b"012" + bytes.fromhex("0000")
    wire += bytes.fromhex("0002") + b"34" + bytes.fromhex("8005") + b"56789"
    with FeedServer(script) as server:
        with client(server.url) as c:
            assert c.recv() == "0123456789"
        with raw_client(server) as raw:
            assert read_frame_after_handshake(raw, len(wire)) == wire


def test_binary_messages_are_binary() -> None:
    def script(peer: Peer) -> None:
        peer.handshake()
        peer.send_binary(b"\x00\xff")
        peer.wait_closed()

    with FeedServer(script) as server, client(server.url) as c:
        assert c.recv_data() == (feed.BINARY, b"\x00\xff")


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_a_refusal_carries_status_headers_and_body(status: int) -> None:
    script = feed.refuse(status, [("Retry-After", "17")], b"go away")
    with (
        FeedServer(script) as server,
        pytest.raises(websocket.WebSocketBadStatusException) as refused,
        client(server.url),
    ):
        pass
    assert refused.value.status_code == status
    assert refused.value.resp_headers is not None
    assert refused.value.resp_headers["retry-after"] == "17"
    assert refused.value.resp_body == b"go away"


def test_a_redirect_is_followed_by_a_client_that_does() -> None:
    with FeedServer(feed.serve([b"here"])) as target:
        with (
            FeedServer(feed.redirect(target.url)) as server,
            client(server.url, redirect_limit=1) as c,
        ):
            assert c.recv() == "here"
        assert len(target.connections) == 1


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (feed.wrong_accept(), "Invalid challenge response|Invalid WebSocket Header"),
        (feed.compressed_frame(), "rsv is not implemented"),
    ],
)
def test_a_breach_of_the_protocol_is_seen_as_one(
    script: feed.Script, complaint: str
) -> None:
    with (
        FeedServer(script) as server,
        pytest.raises(websocket.WebSocketException, match=complaint),
        client(server.url) as c,
    ):
        c.recv()


def test_a_masked_frame_has_the_mask_bit_and_a_mask() -> None:
    with FeedServer(feed.masked_frame(b"{}")) as server, raw_client(server) as c:
        frame = read_frame_after_handshake(c, 8)
    assert frame[:2] == bytes([0x81, 0x82])
    assert bytes(a ^ b for a, b in zip(frame[6:], frame[2:4], strict=True)) == b"{}"


@pytest.mark.parametrize("code", [1001, 1011, 1013, 4999])
def test_a_close_code_arrives_after_the_messages(code: int) -> None:
    script = feed.close_with(code, b"bye", [b"m"])
    with FeedServer(script) as server, client(server.url) as c:
        assert c.recv() == "m"
        assert c.recv_data() == (feed.CLOSE, code.to_bytes(2, "big") + b"bye")


def test_a_close_without_code_is_empty() -> None:
    with FeedServer(feed.close_with(None)) as server, raw_client(server) as c:
        assert read_frame_after_handshake(c, 2) == b"\x88\x00"


@pytest.mark.parametrize("size", [65535, 65536, 65537, 200_000])
def test_an_oversized_message_has_exactly_the_size_it_announces(size: int) -> None:
    with FeedServer(feed.oversized(size)) as server, raw_client(server) as c:
        frame = read_frame_after_handshake(c, 10 + size)
    assert frame[:10] == bytes([0x81, 127]) + size.to_bytes(8, "big")
    assert len(frame) == 10 + size


def test_an_oversized_message_stops_when_the_client_leaves() -> None:
    size = 1 << 30
    with FeedServer(feed.oversized(size)) as server:
        with raw_client(server) as c:
            read_frame_after_handshake(c, 1000)
        server.wait_for_ended()
    assert 1000 < server.connections[0].sent_bytes < size


def test_dripped_bytes_make_the_message() -> None:
    message = b"x" * 200
    with FeedServer(feed.drip(message)) as server, client(server.url) as c:
        assert c.recv() == "x" * 200


@pytest.mark.parametrize(
    ("script", "amount"), [(feed.endless_headers(), 300_000), (feed.slow_headers(), 60)]
)
def test_headers_without_end_go_on_until_the_client_leaves(
    script: feed.Script, amount: int
) -> None:
    with FeedServer(script) as server:
        with raw_client(server) as c:
            read = b""
            while len(read) < amount:
                read += c.recv(65536)
        server.wait_for_ended()
    assert read.startswith(b"HTTP/1.1 101 ")
    assert b"\r\n\r\n" not in read


def test_what_a_script_raises_fails_the_test() -> None:
    def script(peer: Peer) -> None:
        raise AssertionError("the client did wrong")

    with (
        pytest.raises(AssertionError, match="the client did wrong"),
        FeedServer(script) as server,
        raw_client(server) as c,
    ):
        assert read_to_end(c) == b""


def test_the_failure_of_the_test_itself_comes_before_that_of_a_script() -> None:
    def script(peer: Peer) -> None:
        raise AssertionError("the client did wrong")

    server = FeedServer(script)
    with pytest.raises(LookupError), server, raw_client(server) as c:
        raise LookupError(read_to_end(c))


@pytest.mark.parametrize(
    "script",
    [
        feed.silent(),
        feed.half_open(),
        feed.endless_headers(),
        feed.slow_headers(),
        feed.oversized(1 << 40),
        feed.drip(b"x" * 1000, interval_s=60),
    ],
)
@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_stops_leaves_no_thread_and_no_socket(
    script: feed.Script,
) -> None:
    before = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.ExitStack() as clients:
            with FeedServer(script) as server:
                for _ in range(3):
                    clients.enter_context(raw_client(server))
                silent_tcp = socket.create_connection(("127.0.0.1", server.port))
                clients.enter_context(silent_tcp)
                server.wait_for_connections(3)
                server.wait_for(lambda s: len(s.connections) == 4)
            assert set(threading.enumerate()) == before
            assert all(peer.ended for peer in server.connections)
            assert all(peer._socket.fileno() == -1 for peer in server.connections)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)


# TLS


def trusting(authority: Authority) -> dict[str, Any]:
    return {"sslopt": {"ca_certs": str(authority.ca_file)}}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_good_certificate_is_good_for_both_names(tmp_path: Path, host: str) -> None:
    authority = Authority.create(tmp_path)
    with FeedServer(feed.serve([b"m"]), tls=authority.good(), host=host) as server:
        assert server.url == f"wss://{host}:{server.port}/"
        with client(server.url, **trusting(authority)) as c:
            assert c.recv() == "m"


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [("wrong_name", "mismatch|not valid for"), ("expired", "expired")],
)
def test_a_bad_certificate_is_refused_for_its_reason(
    tmp_path: Path, kind: str, complaint: str
) -> None:
    authority = Authority.create(tmp_path)
    context: ssl.SSLContext = getattr(authority, kind)()
    with FeedServer(feed.silent(), tls=context, host="localhost") as server:
        with (
            pytest.raises(ssl.SSLCertVerificationError, match=complaint),
            client(server.url, **trusting(authority)),
        ):
            pass
        server.wait_for_ended()
    assert server.connections[0].request.raw == b""
    assert server.connections[0].failure


def test_an_authority_nobody_trusts_is_refused(tmp_path: Path) -> None:
    """Two authorities of one name: the key decides, not the name."""
    trusted, other = tmp_path / "trusted", tmp_path / "other"
    trusted.mkdir()
    other.mkdir()
    with (
        FeedServer(feed.silent(), tls=Authority.create(other).good()) as server,
        pytest.raises(ssl.SSLCertVerificationError),
        client(server.url, **trusting(Authority.create(trusted))),
    ):
        pass


def test_the_certificates_satisfy_strict_verification(tmp_path: Path) -> None:
    """Python 3.13 asks for it by default, Python 3.11 does not."""
    authority = Authority.create(tmp_path)
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        FeedServer(feed.serve([b"m"]), tls=authority.good()) as server,
        client(server.url, sslopt={"context": context}) as c,
    ):
        assert c.recv() == "m"


def test_a_tls_server_stops_while_clients_have_not_shaken_hands(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    tls = Authority.create(tmp_path).good()
    with contextlib.ExitStack() as clients:
        with FeedServer(feed.silent(), tls=tls) as server:
            for _ in range(5):
                plain = socket.create_connection(("127.0.0.1", server.port))
                clients.enter_context(plain)
            server.wait_for(lambda s: len(s.connections) == 5)
        assert set(threading.enumerate()) == before


# Proxies


def through(proxy: Proxy, **changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "proxy_type": proxy.kind,
        "http_proxy_host": proxy.host,
        "http_proxy_port": proxy.port,
        "http_no_proxy": ["nobody.invalid"],  # loopback is exempt by default
    }
    if proxy.username is not None:
        options["http_proxy_auth"] = (proxy.username, proxy.password)
    return {**options, **changes}


@pytest.mark.parametrize("start", [tinyproxy, microsocks])
@pytest.mark.parametrize("login", [(), ("watcher", "s3cret")])
def test_a_proxy_carries_the_feed_and_says_so(
    tmp_path: Path,
    start: Callable[..., contextlib.AbstractContextManager[Proxy]],
    login: tuple[str, ...],
) -> None:
    with FeedServer(feed.serve([b"m"])) as server, start(tmp_path, *login) as proxy:
        assert proxy.tunnels() == 0
        with client(server.url, **through(proxy)) as c:
            assert c.recv() == "m"
        assert proxy.tunnels() == 1
        assert len(server.connections) == 1
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", proxy.port), TIMEOUT_S)


@pytest.mark.parametrize("start", [tinyproxy, microsocks])
def test_a_proxy_with_a_login_refuses_who_has_none(
    tmp_path: Path, start: Callable[..., contextlib.AbstractContextManager[Proxy]]
) -> None:
    with (
        FeedServer(feed.serve([b"m"])) as server,
        start(tmp_path, "watcher", "s3cret") as proxy,
    ):
        for wrong in (None, ("watcher", "wrong")):
            options = through(proxy, http_proxy_auth=wrong)
            with (
                # tinyproxy says 407 without credentials and 401 to wrong ones.
                pytest.raises(Exception, match=r"status: 40[17]|[Aa]uth"),
                client(server.url, **options),
            ):
                pass
        assert proxy.tunnels() == 0
        assert server.connections == []


def test_a_proxy_s_address_carries_its_login(tmp_path: Path) -> None:
    with tinyproxy(tmp_path, "watcher", "s3cret") as proxy:
        assert proxy.url == f"http://watcher:s3cret@127.0.0.1:{proxy.port}"


def test_a_missing_proxy_is_skipped_by_name_and_fails_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    monkeypatch.delenv("CI", raising=False)
    with (
        pytest.raises(pytest.skip.Exception, match="microsocks is not installed"),
        microsocks(tmp_path),
    ):
        pass
    monkeypatch.setenv("CI", "true")
    with (
        pytest.raises(pytest.fail.Exception, match="microsocks is not installed"),
        microsocks(tmp_path),
    ):
        pass


# Data


def test_recorded_data_is_found_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTMONITOR_DATA", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "there").write_bytes(b"")
    assert data.shared("there") == tmp_path / "there"
    with pytest.raises(pytest.skip.Exception, match="'absent' is not in"):
        data.shared("absent")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="'absent' is not in"):
        data.shared("absent")


def test_every_vector_is_json_named_in_the_sources_and_small() -> None:
    folder = data.VECTORS / "certstream"
    sources = (data.VECTORS / "SOURCES.md").read_text()
    files = sorted(folder.iterdir())
    assert len(files) > 20
    for file in files:
        assert f"`{file.name}`" in sources
        for message in data.messages(file):
            assert "message_type" in json.loads(message), file.name
    assert sum(file.stat().st_size for file in files) < 700_000


def test_the_demo_feed_is_whole() -> None:
    demo = data.messages(data.VECTORS.parent.parent / "conf" / "demo_feed.jsonl.gz")
    assert len(demo) == 3000
    assert {json.loads(m)["message_type"] for m in demo} == {"certificate_update"}


# The load and the peer of the bench

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"
KEYWORDS = re.compile("paypal|apple|account|secure|login", re.IGNORECASE)


@contextlib.contextmanager
def load(*options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The load server, its address, and its process whose output has the totals."""
    command = [sys.executable, str(BENCH / "load.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            yield f"ws://127.0.0.1:{port}/", process
        finally:
            process.kill()


def totals(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


def receive(url: str, count: int) -> list[dict[str, Any]]:
    with client(url, skip_utf8_validation=True) as c:
        return [json.loads(c.recv()) for _ in range(count)]


def names_of(message: dict[str, Any]) -> list[str]:
    if message["message_type"] == "dns_entries":
        return list(message["data"])
    return list(message["data"]["leaf_cert"]["all_domains"])


def is_hit(host: str) -> bool:
    return len(set(KEYWORDS.findall(host))) >= 2


@pytest.mark.parametrize("pace", ["0", "100000"])
@pytest.mark.parametrize("fragment", ["no", "yes"])
def test_the_load_has_no_hole_and_the_hits_it_tells(pace: str, fragment: str) -> None:
    """7,000 messages cross the end of the pool; the second connection goes on."""
    options = ("--messages", "7000", "--rate", pace, "--fragment", fragment)
    with load("--connections", "2", *options) as (url, process):
        received = receive(url, 7000)
        first = totals(process)
        received += receive(url, 7000)
        second = totals(process)
    assert (first["messages"], second["messages"]) == (7000, 7000)
    assert first["complete"]
    positions: dict[str, list[int]] = {}
    for message in received:
        data_ = message["data"]
        positions.setdefault(data_["source"]["url"], []).append(data_["cert_index"])
        assert f"start={data_['cert_index']}&end=" in data_["cert_link"]
        assert isinstance(data_["seen"], float)
    assert len(positions) == 5
    for indexes in positions.values():
        assert indexes == list(range(indexes[0], indexes[0] + 2800))
    hits = [name for m in received for name in names_of(m) if is_hit(name)]
    assert len(hits) == first["hits"] + second["hits"] > 0
    assert len(set(hits)) == len(hits)
    assert all(re.fullmatch(r"login-paypal-\d{9}\.example\.com", h) for h in hits)
    others = [name for m in received for name in names_of(m) if not is_hit(name)]
    assert not any(KEYWORDS.search(name) for name in others)


def test_full_messages_of_the_load_carry_the_certificate_they_speak_of() -> None:
    with load("--kind", "full", "--hits", "0.2", "--timestamped") as (url, _):
        received = receive(url, 400)
    serials = set()
    for message in received:
        leaf = message["data"]["leaf_cert"]
        der = base64.b64decode(leaf["as_der"], validate=True)
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
        for extension in certificate.extensions:
            assert not isinstance(extension.value, x509.UnrecognizedExtension)
        assert names.get_values_for_type(x509.DNSName) == leaf["all_domains"]
        assert f"{certificate.serial_number:X}" == leaf["serial_number"]
        assert hashlib.sha256(der).hexdigest().upper() == leaf["sha256"].replace(
            ":", ""
        )
        assert leaf["sha1"] == leaf["fingerprint"]
        assert len(message["data"]["chain"]) == 1
        serials.add(certificate.serial_number)
        for name in leaf["all_domains"]:
            if is_hit(name):
                sent_us = int(name.split("-")[3].split(".")[0])
                assert abs(sent_us / 1e6 - message["data"]["seen"]) < 60
    assert len(serials) == 400
    assert sum(is_hit(names_of(message)[0]) for message in received) > 40


def test_issuer_noise_is_in_the_issuer_and_nowhere_else() -> None:
    with load("--hits", "0", "--issuer-noise", "0.12") as (url, _):
        received = receive(url, 5000)
    noisy = [
        message
        for message in received
        if KEYWORDS.search(json.dumps(message["data"]["leaf_cert"]["issuer"]))
    ]
    assert 400 < len(noisy) < 800
    for message in received:
        del message["data"]["leaf_cert"]["issuer"]
        assert not KEYWORDS.search(json.dumps(message))


def test_keywords_of_a_file_are_those_of_the_hits(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("bank\nwallet\nra\n")
    options = ("--kind", "domains", "--keywords", str(words))
    with load(*options) as (url, _):
        names = [name for m in receive(url, 5000) for name in names_of(m)]
    hits = [name for name in names if name.startswith("bank-wallet-")]
    assert len(hits) == 50
    assert not any("ra" in name for name in names if name not in hits)


def test_the_load_answers_pings() -> None:
    with load("--rate", "50") as (url, _), client(url) as c:
        c.ping("are you there")
        answers = (c.recv_data_frame(control_frame=True) for _ in range(200))
        pong = next(frame for opcode, frame in answers if opcode == feed.PONG)
    assert pong.data == b"are you there"


@pytest.mark.parametrize("kind", ["lite", "full", "domains"])
def test_the_peer_finds_every_hit_of_the_load(kind: str) -> None:
    with load("--kind", kind, "--messages", "1500", "--connections", "1") as (url, _):
        command = [sys.executable, str(BENCH / "peer.py"), "--url", url]
        done = subprocess.run(
            [*command, "--messages", "1500", "--seconds", "60"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=90,
        )
    result = json.loads(done.stdout)
    assert result["messages"] == 1500
    assert result["hits"] == expected_hits(kind)
    assert result["cpu_seconds"] > 0


def expected_hits(kind: str) -> int:
    with load("--kind", kind) as (url, _):
        return sum(is_hit(n) for m in receive(url, 1500) for n in names_of(m))
