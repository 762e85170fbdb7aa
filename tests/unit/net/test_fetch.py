"""Logs are asked within bounds: whatever they send, a request ends and says why."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctmonitor.errors import SourceError
from ctmonitor.net.fetch import BadStatus, Fetcher, NotServed, Refused, Reply
from ctmonitor.net.route import Proxy, Route
from tests.fakes.guests import serving
from tests.fakes.proxies import microsocks, tinyproxy
from tests.fakes.tls import Authority

DIRECT = Route(use_environment=False, timeout_s=5)
AGENT = "ctmonitor-test (mailto:soc@example.org)"
MAX_BYTES = 100_000

# Yields what goes to the client; the connection stays open when it ends.
Talk = Callable[[str], AsyncIterator[bytes]]


class Hang(Exception):
    """Raised by a talk: the connection stays open and silent."""


class Reset(Exception):
    """Raised by a talk: the connection ends without a goodbye."""


class Close(Exception):
    """Raised by a talk: the connection is closed."""


class Server:
    """A server on loopback whose talk may be any bytes at any pace."""

    def __init__(self, talk: Talk, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self._talk = talk
        self._tls = tls
        self._serving = serving(self._serve, tls)

    async def __aenter__(self) -> "Server":
        self.port = await self._serving.__aenter__()
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._serving.__aexit__(None, None, None)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while True:
                request = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.requests.append(request)
                async for part in self._talk(request):
                    writer.write(part)
                    await writer.drain()
        except Hang:
            await asyncio.sleep(60)
        except Reset:
            writer.transport.abort()
        except (Close, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    named = {"Content_Length": str(len(body)), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def always(sent: bytes, then: type[Exception] | None = None) -> Talk:
    async def talk(request: str) -> AsyncIterator[bytes]:
        yield sent
        if then:
            raise then

    return talk


def fetch(
    talk: Talk,
    *,
    path: str = "/x",
    timeout_s: float = 5.0,
    idle_s: float = 5.0,
    max_bytes: int = MAX_BYTES,
) -> Reply:
    """What one request to a server with this talk brings."""

    async def run() -> Reply:
        async with Server(talk) as server, Fetcher(DIRECT, AGENT) as fetcher:
            return await fetcher.get(
                server.url + path,
                max_bytes=max_bytes,
                timeout_s=timeout_s,
                idle_s=idle_s,
            )

    return asyncio.run(run())


def failure(talk: Talk, **arguments: float) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch(talk, **arguments)  # type: ignore[arg-type]
    return caught.value


# Requests and replies


def test_a_request_says_who_asks_and_brings_nothing_else_along() -> None:
    async def run() -> None:
        sent = answer(b"{}", Set_Cookie="a=1", Content_Type="Text/Plain; charset=x")
        async with (
            Server(always(sent)) as server,
            Fetcher(DIRECT, AGENT) as fetcher,
        ):
            url = f"http://localhost:{server.port}/t/x001/002?a=1"
            for _ in range(2):
                reply = await fetcher.get(url, max_bytes=10)
                assert reply == Reply(200, b"{}", "text/plain")
            assert server.connections == 1
            for request in server.requests:
                assert sorted(request.split("\r\n")) == sorted(
                    [
                        "GET /t/x001/002?a=1 HTTP/1.1",
                        f"Host: localhost:{server.port}",
                        f"User-Agent: {AGENT}",
                        "Accept: */*",
                        "Accept-Encoding: gzip, identity",
                        "",
                        "",
                    ]
                )

    asyncio.run(run())


def test_the_coding_that_is_asked_for_is_the_callers_choice() -> None:
    async def run() -> None:
        async with (
            Server(always(answer())) as server,
            Fetcher(DIRECT, AGENT) as fetcher,
        ):
            await fetcher.get(server.url, max_bytes=1, accept_encoding="identity")
            assert "Accept-Encoding: identity\r\n" in server.requests[0]

    asyncio.run(run())


def test_a_base64_hash_in_a_query_arrives_as_it_was_given() -> None:
    async def run() -> None:
        async with (
            Server(always(answer())) as server,
            Fetcher(DIRECT, AGENT) as fetcher,
        ):
            await fetcher.get(f"{server.url}/p?hash=a%2Bb%3D&n=1", max_bytes=1)
            assert server.requests[0].startswith("GET /p?hash=a%2Bb%3D&n=1 HTTP/1.1")

    asyncio.run(run())


def test_an_empty_200_is_an_empty_reply() -> None:
    assert fetch(always(answer())) == Reply(200, b"", "")


def test_html_with_status_200_is_a_reply_with_its_type() -> None:
    reply = fetch(always(answer(b"<p>", Content_Type="text/html")))
    assert (reply.body, reply.content_type) == (b"<p>", "text/html")


def test_a_reply_may_ask_for_a_pause() -> None:
    assert fetch(always(answer(b"{}", Retry_After="7"))).retry_after_s == 7


@pytest.mark.parametrize(("extra", "is_read"), [(0, True), (1, False)])
@pytest.mark.parametrize("framing", ["length", "chunked", "close", "gzip"])
def test_the_limit_of_the_body_is_exact(
    framing: str, extra: int, is_read: bool
) -> None:
    body = b"x" * (MAX_BYTES + extra)
    if framing == "length":
        talk = always(answer(body))
    elif framing == "chunked":
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        talk = always(head + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")
    elif framing == "close":
        talk = always(b"HTTP/1.1 200 OK\r\n\r\n" + body, Close)
    else:
        talk = always(answer(gzip.compress(body), Content_Encoding="gzip"))
    if is_read:
        assert fetch(talk).body == body
    else:
        assert "more than 100000 bytes" in str(failure(talk))


def test_gzip_is_unpacked_though_it_was_not_asked_for() -> None:
    async def run() -> None:
        sent = answer(gzip.compress(b"body"), Content_Encoding="GZIP")
        async with (
            Server(always(sent)) as server,
            Fetcher(DIRECT, AGENT) as fetcher,
        ):
            reply = await fetcher.get(
                server.url, max_bytes=MAX_BYTES, accept_encoding="identity"
            )
            assert reply.body == b"body"

    asyncio.run(run())


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"plain", id="no gzip"),
        pytest.param(zlib.compress(b"body"), id="zlib"),
        pytest.param(gzip.compress(b"body")[:-9], id="cut in the data"),
        pytest.param(gzip.compress(b"body")[:-4], id="cut in the trailer"),
        pytest.param(gzip.compress(b"body")[:-8] + bytes(8), id="wrong checksum"),
        pytest.param(gzip.compress(b"body") + b"x", id="more behind it"),
        pytest.param(gzip.compress(b"a") + gzip.compress(b"b"), id="two members"),
    ],
)
def test_gzip_that_is_broken_is_no_reply(packed: bytes) -> None:
    caught = failure(always(answer(packed, Content_Encoding="gzip")))
    assert "its gzip data" in str(caught)


def test_a_coding_that_nobody_asked_for_is_no_reply() -> None:
    caught = failure(always(answer(b"x", Content_Encoding="br\x1b")))
    assert "HTTP" in str(caught) or "content coding" in str(caught)
    caught = failure(always(answer(b"x", Content_Encoding="br")))
    assert "its content coding is 'br'" in str(caught)


# Statuses


@pytest.mark.parametrize("status", ["404 Not Found", "410 Gone"])
def test_what_a_server_does_not_have_is_told_apart(status: str) -> None:
    caught = failure(
        always(answer(b"nothing here\n", status, Content_Type="text/plain"))
    )
    assert isinstance(caught, NotServed)
    assert caught.status == int(status[:3])
    assert str(caught).endswith(f"/x answers {status}: nothing here")


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 500, 502, 999])
def test_any_other_status_is_told_with_its_number(status: int) -> None:
    sent = answer(status=f"{status} Some\tthing") if status >= 300 else answer()
    if status < 300:
        sent = sent.replace(b"200 OK", f"{status} OK".encode())
    caught = failure(always(sent))
    assert type(caught) is BadStatus
    assert (caught.status, caught.retry_after_s) == (status, None)


def test_a_refusal_is_quoted_short_and_printable() -> None:
    text = "Please add an email address\x1b[2J" + "!" * 10_000
    caught = failure(
        always(answer(text.encode(), "429 Slow", Content_Type="text/plain"))
    )
    assert "answers 429 Slow: Please add an email address\\x1b[2J!" in str(caught)
    assert len(str(caught)) < 200


def test_503_with_html_is_refused_without_the_page() -> None:
    page = b"<html>" + b"x" * 5000
    sent = answer(page, "503 Busy", Content_Type="text/html", Retry_After="20")
    caught = failure(always(sent))
    assert isinstance(caught, Refused)
    assert caught.retry_after_s == 20
    assert str(caught).endswith("answers 503 Busy")


def test_a_refusal_without_an_end_is_a_refusal() -> None:
    sent = b"HTTP/1.1 429 Slow\r\nRetry-After: 9\r\nContent-Length: 99999999\r\n\r\n"
    caught = failure(always(sent + b"x" * 1_000_000, Reset))
    assert isinstance(caught, Refused)
    assert caught.retry_after_s == 9


def test_a_refusal_that_falls_silent_is_a_refusal() -> None:
    sent = answer(b"half", "429 Slow", Content_Length="8", Retry_After="9")
    assert isinstance(failure(always(sent, Hang), timeout_s=3), Refused)


def _date(seconds: float, zone: str) -> Callable[[], str]:
    def header() -> str:
        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        return moment.strftime(f"%a, %d %b %Y %H:%M:%S {zone}")

    return header


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [
        pytest.param("120", 120, 120, id="seconds"),
        pytest.param("0", 1, 1, id="no seconds"),
        pytest.param("99999999999999999999", 3600, 3600, id="absurd seconds"),
        pytest.param(_date(600, "GMT"), 500, 600, id="date in GMT"),
        pytest.param(_date(600, "UTC"), 500, 600, id="date in UTC"),
        pytest.param(_date(-600, "UTC"), 1, 1, id="date in the past"),
        pytest.param(_date(10**9, "GMT"), 3600, 3600, id="absurd date"),
    ],
)
def test_429_asks_for_a_pause(
    header: str | Callable[[], str], least_s: float, most_s: float
) -> None:
    asked = header if isinstance(header, str) else header()
    caught = failure(always(answer(b"", "429 Slow", Retry_After=asked)))
    assert isinstance(caught, Refused)
    assert caught.retry_after_s is not None
    assert least_s <= caught.retry_after_s <= most_s


def test_429_with_words_for_a_pause_asks_for_none() -> None:
    caught = failure(always(answer(b"", "429 Slow", Retry_After="tomorrow")))
    assert isinstance(caught, Refused)
    assert caught.retry_after_s is None


def test_a_connection_is_used_again_after_a_refusal() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        yield answer(b"no", "404 Not Found") if "/no" in request else answer(b"yes")

    async def run() -> None:
        async with Server(talk) as server, Fetcher(DIRECT, AGENT) as fetcher:
            for _ in range(3):
                with pytest.raises(NotServed):
                    await fetcher.get(f"{server.url}/no", max_bytes=9)
                reply = await fetcher.get(f"{server.url}/yes", max_bytes=9)
                assert reply.body == b"yes"
            assert server.connections == 1

    asyncio.run(run())


# Redirects


def _redirecting(location: str) -> Talk:
    async def talk(request: str) -> AsyncIterator[bytes]:
        if request.startswith("GET /x "):
            yield answer(b"moved", "302 Found", Location=location)
        else:
            yield answer(request.split()[1].encode())

    return talk


@pytest.mark.parametrize("location", ["/y/z?a=1", "y/z?a=1", "?a=1#part"])
def test_a_redirect_within_the_server_is_followed(location: str) -> None:
    expected = b"/x?a=1" if location.startswith("?") else b"/y/z?a=1"
    assert fetch(_redirecting(location)).body == expected


def test_a_redirect_with_the_own_address_in_full_is_followed() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        host = request.split("Host: ")[1].split("\r\n")[0]
        if request.startswith("GET /x "):
            yield answer(b"", "308 Moved", Location=f"http://{host}/y")
        else:
            yield answer(b"found")

    assert fetch(talk).body == b"found"


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param(
            "http://127.0.0.2:1/a?k=s3cret", "http://127.0.0.2:1/a", id="host"
        ),
        pytest.param("http://127.0.0.1:1/", "http://127.0.0.1:1/", id="port"),
        pytest.param("https://127.0.0.1/", "https://127.0.0.1/", id="scheme"),
        pytest.param("//u:s3cret@h.example/", "http://h.example/", id="login"),
        pytest.param("ftp://h.example/a", "ftp://h.example/a", id="ftp"),
        pytest.param("file:///etc/passwd", "it", id="file"),
        pytest.param("http://[broken", "nowhere", id="broken"),
        pytest.param("", "nowhere", id="nothing"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(location: str, shown: str) -> None:
    caught = failure(_redirecting(location))
    assert str(caught).endswith(f"/x redirects to {shown}, which is not followed")
    assert "s3cret" not in str(caught)


def test_a_redirect_loop_ends() -> None:
    async def run() -> None:
        async with (
            Server(always(answer(b"", "302 Found", Location="/x"))) as server,
            Fetcher(DIRECT, AGENT) as fetcher,
        ):
            with pytest.raises(SourceError, match="redirects more than 3 times"):
                await fetcher.get(f"{server.url}/x", max_bytes=9)
            assert len(server.requests) == 4

    asyncio.run(run())


# Hostile and broken servers


def test_an_endless_body_is_not_read_on() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"x" * 10_000

    assert "sends more than 100000 bytes" in str(failure(talk))


def test_an_endless_chunked_body_with_a_small_length_is_not_read_on() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        yield answer(Transfer_Encoding="chunked", Content_Length="5")
        while True:
            yield b"2710\r\n" + b"x" * 10_000 + b"\r\n"

    failure(talk)


def test_a_gzip_bomb_is_not_unpacked_on() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = gzip.compress(b"")[:10] + block * 1024  # 1 GB
    assert len(bomb) < 1_100_000
    tracemalloc.start()
    try:
        talk = always(answer(bomb, Content_Encoding="gzip"))
        assert "unpacks to more than" in str(failure(talk, max_bytes=2_000_000))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_body_shorter_than_announced_is_no_reply() -> None:
    talk = always(answer(b"short", Content_Length="400"), Close)
    assert "cannot be read: its body is broken off" in str(failure(talk))


def test_a_body_longer_than_announced_spoils_no_later_reply() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        yield answer(request.split()[1].encode()) + answer(b"forged")

    async def run() -> None:
        async with Server(talk) as server, Fetcher(DIRECT, AGENT) as fetcher:
            for path in ("/a", "/b", "/c"):
                reply = await fetcher.get(server.url + path, max_bytes=99)
                assert reply.body == path.encode()

    asyncio.run(run())


def test_one_byte_at_a_time_ends_after_the_time_limit() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        yield answer(Content_Length="1000")
        while True:
            yield b"x"
            await asyncio.sleep(0.05)

    caught = failure(talk, timeout_s=0.4)
    assert "no complete answer within 0.4 s" in str(caught)


def test_headers_one_byte_at_a_time_end_after_the_time_limit() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        for byte in b"HTTP/1.1 200 OK\r\nA: " + b"x" * 5000:
            yield bytes([byte])
            await asyncio.sleep(0.05)

    caught = failure(talk, timeout_s=0.4)
    assert "no complete answer within 0.4 s" in str(caught)


@pytest.mark.parametrize("sent", [b"", answer(b"half", Content_Length="8")])
def test_silence_ends_after_the_idle_time(sent: bytes) -> None:
    caught = failure(always(sent, Hang), idle_s=0.3)
    assert "nothing came for too long" in str(caught)


def test_a_reset_in_the_middle_is_no_reply() -> None:
    caught = failure(always(answer(b"half", Content_Length="8"), Reset))
    assert "cannot be read" in str(caught)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(b"".join(b"A%d: b\r\n" % n for n in range(5000)), id="many"),
        pytest.param(b"A: " + b"x" * 1_000_000 + b"\r\n", id="long"),
    ],
)
def test_a_header_flood_is_no_reply(headers: bytes) -> None:
    talk = always(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n", Hang)
    assert "its answer is not HTTP" in str(failure(talk))


def test_an_endless_row_of_interim_answers_ends_after_the_time_limit() -> None:
    async def talk(request: str) -> AsyncIterator[bytes]:
        while True:
            yield b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100
            await asyncio.sleep(0.01)

    failure(talk, timeout_s=0.5)


def test_what_is_not_http_is_no_reply() -> None:
    caught = failure(always(b"SSH-2.0-OpenSSH_9.2\x1b[2J\r\n", Close))
    assert "its answer is not HTTP" in str(caught)
    assert "\x1b" not in str(caught)


# Connections


def test_a_connection_that_the_server_has_just_closed_costs_nothing() -> None:
    answered = 0

    async def talk(request: str) -> AsyncIterator[bytes]:
        nonlocal answered
        answered += 1
        if answered == 2:
            raise Close  # the idle time ends while the second request comes
        yield answer(b"fine")

    async def run() -> None:
        async with Server(talk) as server, Fetcher(DIRECT, AGENT) as fetcher:
            for _ in range(2):
                reply = await fetcher.get(f"{server.url}/", max_bytes=9)
                assert reply.body == b"fine"
            assert (server.connections, len(server.requests)) == (2, 3)

    asyncio.run(run())


def test_a_server_that_ends_every_connection_is_not_asked_for_ever() -> None:
    async def run() -> None:
        async with (
            Server(always(b"", Close)) as server,
            Fetcher(DIRECT, AGENT) as fetcher,
        ):
            with pytest.raises(SourceError, match="the server ended the connection"):
                await fetcher.get(server.url, max_bytes=9)
            assert len(server.requests) == 2

    asyncio.run(run())


def test_no_more_requests_are_under_way_than_there_are_places() -> None:
    under_way = most = 0

    async def talk(request: str) -> AsyncIterator[bytes]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        under_way -= 1
        yield answer(b"fine")

    async def run() -> None:
        async with (
            Server(talk) as server,
            Fetcher(DIRECT, AGENT, total_connections=3) as fetcher,
        ):
            # Waiting for a place is not part of a request's time.
            await asyncio.gather(
                *(
                    fetcher.get(server.url, max_bytes=9, timeout_s=0.7)
                    for _ in range(60)
                )
            )
            assert server.connections <= 3

    asyncio.run(run())
    assert most == 3


def test_a_request_that_is_cancelled_gives_its_place_back() -> None:
    async def run() -> None:
        async with (
            Server(always(b"", Hang)) as server,
            Fetcher(DIRECT, AGENT, total_connections=1) as fetcher,
        ):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await fetcher.get(server.url, max_bytes=9)
            assert len(server.requests) == 3

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h.example/",
        "/path",
        "",
        "http://",
        "http://h:99999/",
        "http://[x/",
        "file:///etc/passwd",
    ],
)
def test_only_http_addresses_are_read(url: str) -> None:
    async def run() -> None:
        async with Fetcher(DIRECT, AGENT) as fetcher:
            await fetcher.get(url, max_bytes=9)

    with pytest.raises(SourceError, match="is not an HTTP address"):
        asyncio.run(run())


def _refused_by(url: str, route: Route = DIRECT) -> str:
    async def run() -> None:
        async with Fetcher(route, AGENT) as fetcher:
            await fetcher.get(url, max_bytes=9)

    with pytest.raises(SourceError) as caught:
        asyncio.run(run())
    return str(caught.value)


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_nobody_listening_is_told_without_login_and_query() -> None:
    port = _closed_port()
    said = _refused_by(f"http://s3cuser:s3cret@127.0.0.1:{port}/a?key=s3cret")
    assert said == f"cannot connect to 127.0.0.1:{port}: Connection refused"


def test_a_name_that_nobody_has_is_told() -> None:
    said = _refused_by("http://nobody.invalid/")
    assert said.startswith("cannot connect to nobody.invalid:80: ")
    assert len(said) > len("cannot connect to nobody.invalid:80: ")


def test_a_header_that_cannot_be_sent_is_told() -> None:
    async def run() -> None:
        async with (
            Server(always(answer())) as server,
            Fetcher(DIRECT, "a\r\nb") as fetcher,
        ):
            await fetcher.get(server.url, max_bytes=9)

    with pytest.raises(SourceError, match="header cannot be sent"):
        asyncio.run(run())


# TLS and proxies


def _fetch_over_tls(tls: ssl.SSLContext, route: Route) -> bytes:
    async def run() -> bytes:
        async with (
            Server(always(answer(b"fine")), tls) as server,
            Fetcher(route, AGENT) as fetcher,
        ):
            for _ in range(2):
                reply = await fetcher.get(f"{server.url}/x", max_bytes=9)
            assert server.connections == 1
            return reply.body

    return asyncio.run(run())


def test_the_authorities_of_the_route_are_trusted(tmp_path: Path) -> None:
    ours = Authority.create(tmp_path)
    route = Route(use_environment=False, ca_file=str(ours.ca_file))
    assert _fetch_over_tls(ours.good(), route) == b"fine"


def test_other_authorities_are_refused_and_ca_file_is_named(tmp_path: Path) -> None:
    ours = Authority.create(tmp_path)
    with pytest.raises(SourceError, match=r"TLS with .*\[SERVER\] CA_File"):
        _fetch_over_tls(ours.good(), DIRECT)


@pytest.mark.parametrize(
    ("kind", "said"), [("expired", "expired"), ("wrong_name", "IP")]
)
def test_a_bad_certificate_is_refused(tmp_path: Path, kind: str, said: str) -> None:
    ours = Authority.create(tmp_path)
    route = Route(use_environment=False, ca_file=str(ours.ca_file))
    with pytest.raises(SourceError, match=f"its certificate is refused: .*{said}"):
        _fetch_over_tls(getattr(ours, kind)(), route)


def test_a_ca_file_that_is_none_is_told() -> None:
    said = _refused_by("https://127.0.0.1:1/", Route(ca_file="/nowhere.pem"))
    assert said.startswith("CA_File '/nowhere.pem' cannot be read")


def test_a_server_without_tls_is_told() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run() -> None:
        async with serving(talk) as port, Fetcher(DIRECT, AGENT) as fetcher:
            await fetcher.get(f"https://127.0.0.1:{port}/", max_bytes=9)

    with pytest.raises(SourceError, match=r"TLS with 127.0.0.1:\d+ failed: .+"):
        asyncio.run(run())


PROXIES = [
    pytest.param(tinyproxy, "http", id="http"),
    pytest.param(microsocks, "socks5", id="socks5"),
    pytest.param(microsocks, "socks5h", id="socks5h"),
]


@pytest.mark.parametrize(("run_proxy", "kind"), PROXIES)
@pytest.mark.parametrize("secure", [False, True])
def test_requests_go_through_the_proxy_with_its_login(
    tmp_path: Path, run_proxy: Callable[..., object], kind: str, secure: bool
) -> None:
    ours = Authority.create(tmp_path)

    async def run(route: Route) -> list[str]:
        async with (
            Server(always(answer(b"fine")), ours.good() if secure else None) as server,
            Fetcher(route, AGENT) as fetcher,
        ):
            for _ in range(2):
                reply = await fetcher.get(f"{server.url}/x", max_bytes=9)
                assert reply.body == b"fine"
            return server.requests

    with contextlib.ExitStack() as stack:
        running = stack.enter_context(run_proxy(tmp_path, "scout", "p4ss"))
        proxy = Proxy(kind, running.host, running.port, "scout", "p4ss")
        requests = asyncio.run(run(Route(proxy, str(ours.ca_file), timeout_s=5)))
        assert running.tunnels() >= 1
        assert len(requests) == 2
        assert "roxy-" not in "".join(requests)

        wrong = Proxy(kind, running.host, running.port, "scout", "wr0ng")
        with pytest.raises(SourceError) as caught:
            asyncio.run(run(Route(wrong, str(ours.ca_file), timeout_s=5)))
        assert f"proxy {kind}://127.0.0.1:{running.port} refused" in str(caught.value)
        assert "check Proxy_Username and Proxy_Password" in str(caught.value)
        assert "wr0ng" not in str(caught.value)


def test_a_proxys_connection_in_the_clear_carries_one_request() -> None:
    # What comes after it may go to the server as it stands, with the login.
    async def run() -> None:
        async with Server(always(answer(b"fine"))) as server:
            proxy = Proxy("http", "127.0.0.1", server.port, "scout", "p4ss")
            async with Fetcher(Route(proxy), AGENT) as fetcher:
                for _ in range(2):
                    await fetcher.get("http://h.example/x?y", max_bytes=9)
            assert server.connections == 2
            for request in server.requests:
                assert request.startswith("GET http://h.example/x?y HTTP/1.1\r\n")
                assert "Proxy-Authorization: Basic c2NvdXQ6cDRzcw==\r\n" in request

    asyncio.run(run())


def _through_a_proxy(talk: Talk, **arguments: float) -> Reply:
    """What a proxy with this talk brings; it is aiohttp that reads it."""

    async def run() -> Reply:
        async with Server(talk) as server:
            proxy = Proxy("http", "127.0.0.1", server.port)
            async with Fetcher(Route(proxy, timeout_s=5), AGENT) as fetcher:
                return await fetcher.get(
                    "http://h.example/x",
                    max_bytes=MAX_BYTES,
                    timeout_s=arguments.get("timeout_s", 5.0),
                    idle_s=arguments.get("idle_s", 5.0),
                )

    return asyncio.run(run())


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("read", [fetch, _through_a_proxy])
@pytest.mark.parametrize(
    ("sent", "then"),
    [
        pytest.param(answer(b"x" * MAX_BYTES), None, id="length"),
        pytest.param(
            _CHUNKED + b"%x\r\n" % MAX_BYTES + b"x" * MAX_BYTES + b"\r\n0\r\n\r\n",
            None,
            id="chunked",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * MAX_BYTES, Close, id="close"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * MAX_BYTES, Close, id="1.0"),
        pytest.param(
            answer(gzip.compress(b"x" * MAX_BYTES), Content_Encoding="gzip"),
            None,
            id="gzip",
        ),
        pytest.param(
            b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + answer(b"x" * MAX_BYTES),
            None,
            id="interim",
        ),
    ],
)
def test_a_body_is_the_same_on_both_roads(
    read: Callable[..., Reply], sent: bytes, then: type[Exception] | None
) -> None:
    assert read(always(sent, then)) == Reply(200, b"x" * MAX_BYTES, "")


@pytest.mark.parametrize("read", [fetch, _through_a_proxy])
@pytest.mark.parametrize(
    ("sent", "then", "said"),
    [
        pytest.param(
            answer(b"x" * (MAX_BYTES + 1)), None, "more than 100000 bytes", id="long"
        ),
        pytest.param(
            answer(b"short", Content_Length="400"), Close, "its body is", id="short"
        ),
        pytest.param(_CHUNKED + b"xyz\r\n", Hang, "", id="chunk"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
            Hang,
            "its answer is not HTTP",
            id="headers",
        ),
        pytest.param(b"SSH-2.0-x\r\n", Close, "its answer is not HTTP", id="ssh"),
        pytest.param(b"", Close, "the server ended the connection", id="nothing"),
        pytest.param(b"", Hang, "nothing came for too long", id="silence"),
        pytest.param(
            answer(b"no", "429 Slow", Content_Type="text/plain"),
            None,
            "/x answers 429 Slow: no",
            id="refusal",
        ),
        pytest.param(
            answer(b"no", "404 None", Content_Length="9", Content_Type="text/plain"),
            Hang,
            "/x answers 404 None: no",
            id="refusal cut off",
        ),
        pytest.param(
            answer(b"", "302 Found", Location="/x"), None, "more than 3", id="loop"
        ),
        pytest.param(
            answer(b"", "302 Found", Location="http://127.0.0.2:1/"),
            None,
            "redirects to http://127.0.0.2:1/, which is not followed",
            id="redirect",
        ),
        pytest.param(
            answer(b"x", Content_Encoding="br"), None, "coding is 'br'", id="coding"
        ),
    ],
)
def test_a_failure_is_the_same_on_both_roads(
    read: Callable[..., Reply], sent: bytes, then: type[Exception] | None, said: str
) -> None:
    with pytest.raises(SourceError) as caught:
        read(always(sent, then), idle_s=1.5)
    assert said in str(caught.value)


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_login_in_an_address_is_sent_to_its_server(is_direct: bool) -> None:
    async def run() -> None:
        async with Server(always(answer(b"fine"))) as server:
            proxy = None if is_direct else Proxy("http", "127.0.0.1", server.port)
            async with Fetcher(Route(proxy, use_environment=False), AGENT) as fetcher:
                url = f"http://scout:p4ss@127.0.0.1:{server.port}/x"
                await fetcher.get(url, max_bytes=9)
            assert "\r\nAuthorization: Basic c2NvdXQ6cDRzcw==\r\n" in server.requests[0]
            assert "scout" not in server.requests[0]

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["expired", "wrong_name"])
def test_a_bad_certificate_behind_socks_is_refused(tmp_path: Path, kind: str) -> None:
    ours = Authority.create(tmp_path)
    tls = getattr(ours, kind)()
    with microsocks(tmp_path) as running:
        proxy = Proxy("socks5", running.host, running.port)
        route = Route(proxy, str(ours.ca_file), timeout_s=5)
        with pytest.raises(SourceError, match=r"TLS .* its certificate is refused: "):
            _fetch_over_tls(tls, route)


@pytest.mark.parametrize(("kind", "form"), [("socks5", b"\1"), ("socks5h", b"\3")])
def test_names_are_resolved_where_the_kind_of_proxy_says(
    kind: str, form: bytes
) -> None:
    asked = []

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)  # version, one method: no login
        writer.write(b"\5\0")
        # Version, CONNECT, reserved; then 1 for an IPv4 address, 3 for a name.
        asked.append((await reader.readexactly(4))[3:])
        writer.close()

    async def run() -> None:
        async with serving(socks) as port:
            proxy = Proxy(kind, "127.0.0.1", port)
            async with Fetcher(Route(proxy), AGENT) as fetcher:
                with pytest.raises(
                    SourceError, match=r"proxy socks5.* ended the connection"
                ):
                    await fetcher.get("http://localhost:9/", max_bytes=9)

    asyncio.run(run())
    assert asked == [form]


@pytest.mark.parametrize("secure", [False, True])
def test_407_of_a_proxy_is_told_as_the_proxys(secure: bool) -> None:
    async def run() -> None:
        sent = answer(b"", "407 Proxy Authentication Required")
        async with Server(always(sent, Close)) as server:
            proxy = Proxy("http", "127.0.0.1", server.port)
            async with Fetcher(Route(proxy), AGENT) as fetcher:
                scheme = "https" if secure else "http"
                await fetcher.get(f"{scheme}://h.example/x", max_bytes=9)

    with pytest.raises(
        SourceError, match=r"no way to h.example:\d+: proxy .*407.*check"
    ):
        asyncio.run(run())


@pytest.mark.parametrize("kind", ["http", "socks5", "socks5h"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_down_is_told_as_the_proxy(kind: str, scheme: str) -> None:
    proxy = Proxy(kind, "127.0.0.1", _closed_port(), "scout", "s3cret")
    said = _refused_by(f"{scheme}://127.0.0.1:9/", Route(proxy))
    assert said.startswith(f"no way to 127.0.0.1:9: proxy {proxy} refused or failed: ")
    assert "s3cret" not in said


@pytest.mark.parametrize("kind", ["socks5", "socks5h"])
def test_a_silent_proxy_costs_the_time_for_a_connection(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(kind, "127.0.0.1", listener.getsockname()[1])
        said = _refused_by("http://127.0.0.1:9/", Route(proxy, timeout_s=0.3))
    assert said.startswith("no way to 127.0.0.1:9: proxy socks5")


def test_a_silent_tls_server_costs_the_time_for_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        route = Route(use_environment=False, timeout_s=0.7)
        said = _refused_by(f"https://127.0.0.1:{port}/", route)
    assert said == f"cannot connect to 127.0.0.1:{port}: no connection in time"


def test_the_environments_proxy_serves_hosts_that_no_proxy_does_not_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        async with (
            Server(always(answer(b"fine"))) as server,
            Fetcher(Route(), AGENT) as fetcher,
        ):
            reply = await fetcher.get(f"{server.url}/x", max_bytes=9)
            assert reply.body == b"fine"
            with pytest.raises(SourceError, match=r"proxy http://127.0.0.1:9 "):
                await fetcher.get("http://h.example/", max_bytes=9)

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    asyncio.run(run())
