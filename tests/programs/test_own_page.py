"""The report on own domains in a real browser: what it shows, and that nothing runs."""

import os
import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from ctmonitor.model.own import DomainState, Issuer
from ctmonitor.watch.report import write
from tests import data
from tests.unit.watch.reported import HOSTILE, certificate, hostile, made, state

TIMEOUT_S = 60
WIDTH = 1000
HEIGHT = 1600  # all that comes before the tables
SCALE = 0.5  # a quarter of the pixels is enough, and read in a quarter of the time

PNG = b"\x89PNG\r\n\x1a\n"
COLOURS = {
    "first issuer": (0x2F, 0x6D, 0xB5),
    "second issuer": (0xD9, 0x82, 0x2B),
    "third issuer": (0x2A, 0x9D, 0x8F),
}


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        data.missing("no program chromium in PATH", "apt-get install chromium")
    return found


def run(browser: str, home: Path, *options: str) -> bytes:
    """What it prints; its own profile, and no sandbox, which containers refuse."""
    done = subprocess.run(
        [
            browser,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            f"--user-data-dir={home / 'profile'}",
            f"--window-size={WIDTH},{HEIGHT}",
            f"--force-device-scale-factor={SCALE}",
            *options,
        ],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def pixels(picture: bytes) -> Iterator[tuple[int, bytes]]:
    """
    The rows of a PNG of 8 bits a colour, each after the bytes that a pixel has.

    Source: PNG (Third Edition), section 9, "Filtering".
    """
    assert picture.startswith(PNG)
    at, packed, width, size = len(PNG), b"", 0, 0
    while at < len(picture):
        length, kind = struct.unpack_from(">I4s", picture, at)
        content = picture[at + 8 : at + 8 + length]
        at += length + 12  # and the checksum
        if kind == b"IHDR":
            width, _, bits, colour, *_ = struct.unpack(">IIBBBBB", content)
            assert (bits, colour) in {(8, 2), (8, 6)}
            size = 3 if colour == 2 else 4  # RGB, RGBA
        elif kind == b"IDAT":
            packed += content
    raw = zlib.decompress(packed)
    row_size = width * size
    above = bytes(row_size)
    for start in range(0, len(raw), row_size + 1):
        row = bytearray(raw[start + 1 : start + 1 + row_size])
        unfilter(raw[start], row, above, size)
        above = bytes(row)
        yield size, above


def unfilter(kind: int, row: bytearray, above: bytes, size: int) -> None:
    """Makes the row of what the filter left of it, in place."""
    if kind == 1:  # the pixel to the left
        for part in range(size):
            row[part::size] = bytes(one & 0xFF for one in accumulate(row[part::size]))
    elif kind == 2:  # the pixel above
        row[:] = bytes((one + up) & 0xFF for one, up in zip(row, above, strict=True))
    elif kind:
        for at, up in enumerate(above):
            left, corner = (row[at - size], above[at - size]) if at >= size else (0, 0)
            if kind == 3:
                guess = (left + up) // 2
            else:  # Paeth
                near = left + up - corner
                guess = min((left, up, corner), key=lambda one: abs(near - one))
            row[at] = (row[at] + guess) & 0xFF


def colours(picture: bytes) -> Counter[tuple[int, ...]]:
    """How many pixels there are of each colour."""
    found: Counter[tuple[int, ...]] = Counter()
    for size, row in pixels(picture):
        found.update(zip(*(row[part::size] for part in range(3)), strict=True))
    return found


def alike(found: Counter[tuple[int, ...]], colour: tuple[int, ...]) -> int:
    """Pixels of about this colour, which the hatching of a bar makes lighter."""
    return sum(
        count
        for other, count in found.items()
        if all(abs(one - two) <= 60 for one, two in zip(other, colour, strict=True))
    )


def issued() -> DomainState:
    """Certificates of three issuers, some in each month of five years."""
    known = state()
    for number in range(600):
        month = number % 60
        known.certificates.append(
            certificate(
                100 + number,
                issuer=Issuer(organisation=f"CA {number % 7 % 3}"),
                not_before=f"{2022 + month // 12}-{month % 12 + 1:02d}-01T00:00:00",
                not_after=f"{2022 + month // 12}-{month % 12 + 1:02d}-07T00:00:00",
            )
        )
    return known


def test_a_picture_shows_the_timeline(browser: str, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    known = issued()
    known.alerts.clear()  # the timeline stands below what needs attention
    write(made(known), str(report))
    picture = tmp_path / "picture.png"
    run(browser, tmp_path, f"--screenshot={picture}", report.as_uri())
    shown = colours(picture.read_bytes())
    assert shown.total() == WIDTH * HEIGHT * SCALE**2
    for name, colour in COLOURS.items():
        # Sixty bars of some pixels each; a square of the legend alone has 49.
        assert alike(shown, colour) > 500, name


def test_a_browser_reads_every_part(browser: str, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    write(made(issued()), str(report))
    read = run(browser, tmp_path, "--dump-dom", report.as_uri()).decode()
    for part in ("attention", "expiry", "timeline", "issuers", "certificates"):
        assert f'<section id="{part}">' in read
    assert "CA that is not authorised" in read
    assert len(re.findall(r"<path d=\"M[^\"]+\" fill=\"url\(#s\d\)\">", read)) == 5


def test_nothing_of_strangers_runs(browser: str, tmp_path: Path) -> None:
    """A script would change the title; the browser has it as it was written."""
    known = hostile("<script>document.title='ran'</script>")
    for number, text in enumerate(HOSTILE):
        known.names[f"{number}.example.com"] = hostile(text).names["a.example.com"]
        known.alerts += hostile(
            f"{text}<img src=x onerror=document.title='ran'>"
        ).alerts
    report = tmp_path / "report.html"
    write(made(known), str(report))
    read = run(browser, tmp_path, "--dump-dom", report.as_uri()).decode()
    assert "<title>Own domains, 2026-11-21</title>" in read
    assert "&lt;script&gt;document.title='ran'&lt;/script&gt;" in read
    assert not re.search(r"<(script|img|iframe)\b", read)
