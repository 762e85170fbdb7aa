"""A list of logs that is kept while its source changes, fails and lies."""

import asyncio
import gzip
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ctmonitor.ct.loglist import LOG_LIST_KEY, LOG_LIST_URL, parse_log_list
from ctmonitor.errors import SourceError
from ctmonitor.net.fetch import Fetcher
from ctmonitor.net.route import Route
from ctmonitor.sources.loglist import (
    MAX_LIST_BYTES,
    KeptList,
    LogListKeeper,
)
from tests.data import VECTORS, shared

CHROME = VECTORS / "loglists" / "gstatic_v3_log_list_2026-05-29.json"
BODY = CHROME.read_bytes()
SIGNATURE = CHROME.with_suffix(".sig").read_bytes()
SIGNATURE_URL = LOG_LIST_URL.replace(".json", ".sig")
URL = "https://lists.test/v3/logs.json?include=active"
OURS = ec.derive_private_key(2**200 + 1, ec.SECP256R1())
OUR_PEM = (
    OURS.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


class Web:
    """What stands at which address, and what was asked for."""

    def __init__(self) -> None:
        self.at: dict[str, bytes] = {}
        self.asked: list[str] = []

    async def fetch(self, url: str, max_bytes: int) -> bytes:
        self.asked.append(url)
        await asyncio.sleep(0)
        if url not in self.at:
            raise SourceError(f"{url}: 503")
        assert len(self.at[url]) <= max_bytes <= MAX_LIST_BYTES
        return self.at[url]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 5, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(web: Web, clock: Clock) -> Callable[..., LogListKeeper]:
    def _keeper(
        source: str | Path = LOG_LIST_URL,
        key_pem: str | None = None,
        cache_dir: Path | None = None,
    ) -> LogListKeeper:
        return LogListKeeper(str(source), key_pem, cache_dir, web.fetch, clock)

    return _keeper


def _current(keeper: LogListKeeper) -> KeptList:
    return asyncio.run(keeper.current())


def _changed(keep: int | None = None, **top: Any) -> bytes:
    """Chrome's list with other values at its top, or with its first logs alone."""
    document = json.loads(BODY) | top
    if keep is not None:
        for operator in document["operators"]:
            operator["logs"], operator["tiled_logs"] = operator["logs"][:keep], []
    return json.dumps(document).encode()


def test_chromes_list_is_verified_without_any_setting(
    web: Web, clock: Clock, keeper: Any
) -> None:
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    kept = _current(keeper())
    assert kept == KeptList(parse_log_list(BODY), clock.now, True, ())
    assert web.asked == [LOG_LIST_URL, SIGNATURE_URL]


def test_chromes_list_with_another_signature_is_not_taken(
    web: Web, keeper: Any
) -> None:
    web.at = {LOG_LIST_URL: BODY + b"\n", SIGNATURE_URL: SIGNATURE}
    with pytest.raises(SourceError, match=r"no log list from .*signature: wrong"):
        _current(keeper())
    assert len(web.asked) == 4  # the two may have been fetched around a renewal


def test_list_and_signature_fetched_around_a_renewal(web: Web, clock: Clock) -> None:
    """The first signature is of the list before."""
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: b"of the list before"}

    async def fetch(url: str, max_bytes: int) -> bytes:
        body = await web.fetch(url, max_bytes)
        web.at[SIGNATURE_URL] = SIGNATURE
        if url == SIGNATURE_URL and web.asked.count(url) == 1:
            return b"of the list before"
        return body

    keeper = LogListKeeper(LOG_LIST_URL, None, None, fetch, clock)
    assert _current(keeper).is_verified


def test_a_url_without_key_is_used_and_that_is_said(web: Web, keeper: Any) -> None:
    web.at = {URL: BODY}
    kept = _current(keeper(URL))
    assert not kept.is_verified
    assert kept.notes == (
        f"the log list {URL} is not verified: Log_List_Key names no key for it",
    )
    assert web.asked == [URL]


def test_a_url_with_a_key_of_its_own(web: Web, keeper: Any) -> None:
    """The signature stands beside the path; what is asked for there stays."""
    beside = URL.replace(".json", ".sig")
    web.at = {URL: BODY, beside: OURS.sign(BODY, ec.ECDSA(hashes.SHA256()))}
    kept = _current(keeper(URL, OUR_PEM))
    assert (kept.is_verified, kept.notes) == (True, ())
    with pytest.raises(SourceError, match=r"signature"):
        _current(keeper(URL, LOG_LIST_KEY))
    with pytest.raises(SourceError, match=r"log list key: no public key in PEM"):
        _current(keeper(URL, "no key"))


def test_a_password_in_the_address_is_used_and_not_shown(
    web: Web, clock: Clock, keeper: Any, tmp_path: Path
) -> None:
    url = "https://user:secret@lists.test/v3/logs.json?a=@"
    web.at = {url: BODY}
    one = keeper(url, cache_dir=tmp_path)
    assert (
        "https://lists.test/v3/logs.json?a=@ is not verified" in _current(one).notes[0]
    )
    assert b"secret" not in (tmp_path / "log_list.cache").read_bytes()
    assert _current(keeper(url, cache_dir=tmp_path)).list.logs
    assert web.asked == [url]


def test_over_http_with_the_fetcher_of_the_logs(clock: Clock, tmp_path: Path) -> None:
    """A server on loopback, as `python3 -m http.server` is one."""
    (tmp_path / "logs.json").write_bytes(BODY)
    (tmp_path / "logs.sig").write_bytes(SIGNATURE)
    served = partial(Quiet, directory=str(tmp_path))

    async def read(url: str) -> KeptList:
        async with Fetcher(Route(), "tests") as fetcher:

            async def fetch(url: str, max_bytes: int) -> bytes:
                return (await fetcher.get(url, max_bytes=max_bytes)).body

            return await LogListKeeper(url, LOG_LIST_KEY, None, fetch, clock).current()

    with ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            base = f"http://127.0.0.1:{server.server_port}"
            kept = asyncio.run(read(f"{base}/logs.json"))
            with pytest.raises(SourceError, match="404"):
                asyncio.run(read(f"{base}/none.json"))
            (tmp_path / "logs.json").write_bytes(b" " * (MAX_LIST_BYTES + 1))
            with pytest.raises(SourceError, match="bytes"):
                asyncio.run(read(f"{base}/logs.json"))
        finally:
            server.shutdown()
            thread.join()
    assert (len(kept.list.logs), kept.is_verified, kept.notes) == (54, True, ())


def test_a_url_is_read_again_after_six_hours(
    web: Web, clock: Clock, keeper: Any
) -> None:
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    one = keeper()
    first = _current(one)
    clock.forward(hours=5, minutes=59)
    assert _current(one) == first
    assert len(web.asked) == 2
    clock.forward(minutes=1)
    assert _current(one).fetched == clock.now
    assert len(web.asked) == 4
    clock.now -= timedelta(days=1)  # the clock was wrong, and is set back
    _current(one)
    assert len(web.asked) == 6


def test_the_last_good_copy_stays_and_its_age_is_said(
    web: Web, clock: Clock, keeper: Any
) -> None:
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    one = keeper()
    first = _current(one)
    good, web.at = web.at, {}
    clock.forward(days=3)
    kept = _current(one)
    assert (kept.list, kept.fetched) == (first.list, first.fetched)
    assert kept.notes == (
        f"the log list {LOG_LIST_URL} is not renewed: {LOG_LIST_URL}: 503; the copy of "
        "2026-05-30T00:00:00 (3 days old) stays in use",
    )
    asked = len(web.asked)
    clock.forward(minutes=14)
    assert _current(one).notes == kept.notes
    assert len(web.asked) == asked  # a quarter of an hour between two attempts
    web.at = good
    clock.forward(minutes=1)
    assert _current(one).notes == ()


def test_without_any_list_there_is_an_error_each_time(web: Web, keeper: Any) -> None:
    one = keeper()
    for _ in range(2):
        with pytest.raises(SourceError, match="503; look at the address"):
            _current(one)
    assert len(web.asked) == 2
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    assert _current(one).list.logs


def test_after_a_restart_the_kept_copy_is_used_while_it_is_fresh(
    web: Web, clock: Clock, keeper: Any, tmp_path: Path
) -> None:
    cache = tmp_path / "not" / "there"
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    first = _current(keeper(cache_dir=cache))
    assert [path.name for path in cache.iterdir()] == ["log_list.cache"]
    web.at, web.asked = {}, []
    clock.forward(hours=1)
    assert _current(keeper(cache_dir=cache)) == first
    assert web.asked == []
    clock.forward(days=2)
    kept = _current(keeper(cache_dir=cache))
    assert kept.list == first.list
    assert "503; the copy of 2026-05-30T00:00:00 (2 days old)" in kept.notes[0]


def test_the_copy_of_another_source_is_not_used(
    web: Web, keeper: Any, tmp_path: Path
) -> None:
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    _current(keeper(cache_dir=tmp_path))
    with pytest.raises(SourceError, match="503"):
        _current(keeper(URL, cache_dir=tmp_path))


def _cut(kept: bytes) -> bytes:
    return kept[: len(kept) // 2]


def _forged(kept: bytes) -> bytes:
    fields = json.loads(kept)
    fields["signature"] = "AAAA"
    return json.dumps(fields).encode()


def _without_zone(kept: bytes) -> bytes:
    return kept.replace(b'00:00:00Z"', b'00:00:00"')


@pytest.mark.parametrize(
    "spoil", [_cut, _forged, _without_zone, lambda kept: b"", lambda kept: b"[" * 99999]
)
def test_a_broken_copy_is_set_aside_and_told(
    spoil: Callable[[bytes], bytes],
    web: Web,
    keeper: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    _current(keeper(cache_dir=tmp_path))
    path = tmp_path / "log_list.cache"
    spoiled = spoil(path.read_bytes())
    assert spoiled != path.read_bytes()
    path.write_bytes(spoiled)
    with caplog.at_level(logging.WARNING):
        assert _current(keeper(cache_dir=tmp_path)).notes == ()
    assert "set aside as" in caplog.text
    assert (tmp_path / "log_list.cache.broken").read_bytes() == spoiled
    caplog.clear()
    assert _current(keeper(cache_dir=tmp_path)).is_verified
    assert caplog.text == ""


def test_a_folder_that_cannot_be_written_is_told(
    web: Web, keeper: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    one = keeper(cache_dir=tmp_path / "file")
    kept = _current(one)
    assert kept.list.logs
    assert "cannot be kept in" in kept.notes[0]
    assert _current(one).notes == kept.notes


def test_a_sudden_shrink_is_refused(
    web: Web, clock: Clock, keeper: Any, tmp_path: Path
) -> None:
    web.at = {URL: BODY}
    one = keeper(URL, cache_dir=tmp_path)
    _current(one)
    web.at = {URL: _changed(keep=1)}
    clock.forward(days=1)
    kept = _current(one)
    assert len(kept.list.logs) == 54
    assert "what is served lacks" in kept.notes[0]
    assert f"remove {tmp_path / 'log_list.cache'} and start again" in kept.notes[0]
    # Also after a restart, until the operator does what is said.
    assert len(_current(keeper(URL, cache_dir=tmp_path)).list.logs) == 54
    (tmp_path / "log_list.cache").unlink()
    assert len(_current(keeper(URL, cache_dir=tmp_path)).list.logs) < 10


def test_no_published_list_of_seven_months_is_refused(
    web: Web, clock: Clock, keeper: Any
) -> None:
    """In July 2026, 114 of 156 logs of RFC 6962 left the list; they were rejected."""
    files = shared("loglists/history").glob("*.json.gz")
    bodies = [gzip.decompress(file.read_bytes()) for file in files]
    bodies.sort(key=lambda body: json.loads(body)["log_list_timestamp"])
    one, first_and_last = keeper(URL), keeper(URL)
    for body in bodies:
        listed = parse_log_list(body)
        assert listed.timestamp
        clock.now = listed.timestamp + timedelta(hours=7)
        web.at = {URL: body}
        assert _current(one).list == listed
        if body in (bodies[0], bodies[-1]):
            assert _current(first_and_last).list == listed


def test_an_older_list_than_ours_is_refused(
    web: Web, clock: Clock, keeper: Any
) -> None:
    web.at = {URL: BODY}
    one = keeper(URL)
    _current(one)
    clock.forward(hours=6)
    web.at = {URL: _changed(log_list_timestamp="2026-05-28T00:00:00Z", version="0")}
    kept = _current(one)
    assert kept.list.version == "85.92"
    assert "was made on 2026-05-28T00:00:00, ours on 2026-05-29T13:42:48" in str(
        kept.notes
    )
    clock.forward(hours=6)
    web.at = {URL: _changed(log_list_timestamp="2026-05-30T00:00:00Z", version="1")}
    assert _current(one).list.version == "1"


def test_a_list_from_the_future_does_not_keep_out_the_next(
    web: Web, clock: Clock, keeper: Any
) -> None:
    web.at = {URL: _changed(log_list_timestamp="2036-01-01T00:00:00Z")}
    one = keeper(URL)
    assert "is made in the future, on 2036-01-01T00:00:00" in str(_current(one).notes)
    clock.forward(hours=6)
    web.at = {URL: BODY}
    assert _current(one).list.version == "85.92"


def test_an_old_list_is_told(web: Web, clock: Clock, keeper: Any) -> None:
    """A frozen list is served for ever and verifies for ever."""
    web.at = {LOG_LIST_URL: BODY, SIGNATURE_URL: SIGNATURE}
    one = keeper()
    clock.now = datetime(2026, 6, 12, 13, tzinfo=UTC)
    assert _current(one).notes == ()
    clock.forward(hours=7)
    (note,) = _current(one).notes
    assert "was made 14 days ago, on 2026-05-29T13:42:48: new logs may be" in note


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b'{"operators":[]}'])
def test_what_is_no_list_with_logs_is_refused(
    body: bytes, web: Web, clock: Clock, keeper: Any
) -> None:
    web.at = {URL: body}
    with pytest.raises(SourceError, match="log list: "):
        _current(keeper(URL))
    web.at = {URL: BODY}
    one = keeper(URL)
    _current(one)
    clock.forward(hours=6)
    web.at = {URL: body}
    kept = _current(one)
    assert len(kept.list.logs) == 54
    assert "is not renewed: log list: " in kept.notes[0]


def test_a_file_is_read_at_each_call_and_may_shrink(
    clock: Clock, keeper: Any, tmp_path: Path
) -> None:
    """Who edits his own list means it."""
    path = tmp_path / "logs.json"
    path.write_bytes(BODY)
    one = keeper(path, cache_dir=tmp_path / "cache")
    assert (_current(one).is_verified, _current(one).notes) == (False, ())
    assert len(_current(one).list.logs) == 54
    path.write_bytes(_changed(keep=1, log_list_timestamp="2026-05-20T00:00:00Z"))
    assert 0 < len(_current(one).list.logs) < 10
    assert not (tmp_path / "cache").exists()
    path.write_bytes(b"{")  # an editor is at work
    kept = _current(one)
    assert 0 < len(kept.list.logs) < 10
    assert "stays in use" in kept.notes[0]
    path.unlink()
    assert "No such file" in _current(one).notes[0]
    with pytest.raises(SourceError, match="No such file"):
        _current(keeper(path))


def test_a_file_with_a_key_needs_its_signature(keeper: Any, tmp_path: Path) -> None:
    assert _current(keeper(CHROME, LOG_LIST_KEY)).is_verified
    path = tmp_path / "logs.json"
    path.write_bytes(BODY)
    with pytest.raises(SourceError, match=r"logs\.sig: No such file"):
        _current(keeper(path, LOG_LIST_KEY))
    path.with_suffix(".sig").write_bytes(SIGNATURE[::-1])
    with pytest.raises(SourceError, match="signature: wrong"):
        _current(keeper(path, LOG_LIST_KEY))


def test_a_file_without_end_is_not_read_to_its_end(keeper: Any) -> None:
    with pytest.raises(SourceError, match=r"more than \d+ bytes"):
        _current(keeper(Path("/dev/zero")))
