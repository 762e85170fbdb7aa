"""Replay: a file of recorded messages, whatever became of it."""

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import SourceError
from ctmonitor.rules.ruleset import Rules, RuleSet
from ctmonitor.sources.message import MARKS
from ctmonitor.sources.replay import ReplaySource
from tests.unit.sources.collecting import HEARTBEAT, Collected, collect, message

MAX_BYTES = 2000


def _replay(path: Path, max_bytes: int = MAX_BYTES) -> Collected:
    return collect(ReplaySource(path, None, max_bytes))


def _file(folder: Path, content: bytes, name: str = "feed.jsonl") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["feed.jsonl", "feed.jsonl.gz"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_every_line_is_a_message_plain_or_compressed(
    tmp_path: Path, name: str, newline: bytes, last: bytes
) -> None:
    lines = [message(number) for number in range(5000)]
    got = _replay(_file(tmp_path, newline.join(lines) + last, name))
    assert got.names == [f"n{number}.example" for number in range(5000)]
    assert {sighting.feed for sighting in got.sightings} == {name}
    assert (got.messages, got.malformed) == (5000, {})


def test_compression_is_seen_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(gzip.compress(message(1)) + gzip.compress(b"\n" + message(2)))
    assert _replay(path).names == ["n1.example", "n2.example"]


@pytest.mark.parametrize("name", ["feed.jsonl", "feed.jsonl.gz"])
def test_an_empty_file_ends_in_order(tmp_path: Path, name: str) -> None:
    assert _replay(_file(tmp_path, b"", name)).messages == 0


def test_blank_lines_and_heartbeats_are_no_messages(tmp_path: Path) -> None:
    content = b"\n\r\n  \n" + HEARTBEAT + b"\n" + message(7) + b"\n\n"
    got = _replay(_file(tmp_path, content))
    assert (got.names, got.messages, got.malformed) == (["n7.example"], 1, {})


def test_a_cut_file_gives_what_stood_before_the_cut(tmp_path: Path) -> None:
    # Random names, so that the cut is somewhere among the messages.
    draw = random.Random(4)
    names = [f"{draw.getrandbits(256):x}.example" for _ in range(3000)]
    lines = [message(number, name=name) for number, name in enumerate(names)]
    whole = gzip.compress(b"\n".join(lines))
    path = tmp_path / "feed.jsonl.gz"
    for kept in (len(whole) - 1, len(whole) - 9, len(whole) // 2, 30):
        path.write_bytes(whole[:kept])
        got = Collected()
        with pytest.raises(SourceError, match=r"feed\.jsonl\.gz.*end-of-stream"):
            collect(ReplaySource(path, None, MAX_BYTES), into=got)
        assert got.names == names[: len(got.names)]
        assert len(got.names) > len(names) * kept / len(whole) - 300


@pytest.mark.parametrize("name", ["feed.jsonl", "feed.jsonl.gz"])
def test_a_line_over_the_limit_is_counted_and_passed_over(
    tmp_path: Path, name: str
) -> None:
    huge = b"x" * 3_000_000
    content = b"\n".join(
        [message(1), b"y" * (MAX_BYTES + 1), message(2), huge, message(3)]
    )
    got = _replay(_file(tmp_path, content, name))
    assert got.names == ["n1.example", "n2.example", "n3.example"]
    assert got.malformed == {"line too long": 2}
    assert got.messages == 5
    samples = [sample for batch in got.batches for sample in batch.samples]
    assert any("Max_Message_MB" in sample for sample in samples)


def test_a_line_of_exactly_the_limit_is_read(tmp_path: Path) -> None:
    line = message(1)
    for limit, found in ((len(line), ["n1.example"]), (len(line) - 1, [])):
        assert _replay(_file(tmp_path, line + b"\n"), limit).names == found
        assert _replay(_file(tmp_path, line), limit).names == found


def test_a_huge_last_line_without_end_is_counted(tmp_path: Path) -> None:
    got = _replay(_file(tmp_path, message(1) + b"\n" + b"x" * 2_000_000))
    assert (got.names, got.malformed) == (["n1.example"], {"line too long": 1})


@given(st.lists(st.integers(0, 40), max_size=30), st.booleans())
def test_lines_come_out_whole_however_long_they_are(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], ends: bool
) -> None:
    """Lines around the limit of 20 bytes: read, counted as too long, or blank."""
    path = tmp_path_factory.mktemp("replay") / "feed"
    lines = [b"[" * size for size in sizes]
    path.write_bytes(b"\n".join(lines) + (b"\n" if ends and lines else b""))
    got = _replay(path, 20)
    assert got.messages == sum(size > 0 for size in sizes)
    assert got.malformed.get("line too long", 0) == sum(size > 20 for size in sizes)


@pytest.mark.parametrize(
    "content",
    [
        b"\x1f\x8b",
        b"\x1f\x8b" + bytes(100),
        gzip.compress(b"{}", mtime=0)[:-8] + bytes(8),
    ],
)
def test_a_broken_archive_is_a_source_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "feed.gz"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot be read to its end.*record it anew"):
        _replay(path)


def test_a_directory_or_nothing_at_all_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Is a directory"):
        _replay(tmp_path)
    with pytest.raises(SourceError, match="No such file"):
        _replay(tmp_path / "absent")


@pytest.mark.parametrize("name", ["feed.jsonl", "feed.jsonl.gz"])
def test_progress_is_told_up_to_the_size_of_the_file(tmp_path: Path, name: str) -> None:
    path = _file(tmp_path, b"\n".join(message(n) for n in range(20_000)), name)
    told: list[int] = []
    collect(ReplaySource(path, None, MAX_BYTES, told.append))
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == path.stat().st_size


def test_a_stop_ends_it_after_the_batch_at_hand(tmp_path: Path) -> None:
    path = _file(tmp_path, b"\n".join(message(n) for n in range(20_000)))
    source = ReplaySource(path, None, MAX_BYTES)
    got = collect(source, lambda got: got.messages > 0, pause_s=0.1)
    assert 0 < got.messages < 20_000


def test_the_prefilter_is_used_and_can_be_exchanged(tmp_path: Path) -> None:
    path = _file(tmp_path, b"\n".join(message(n) for n in range(1000)))
    source = ReplaySource(path, None, MAX_BYTES)
    source.use(RuleSet(Rules("n77[.]", "", 1)).prefilter(MARKS))
    got = collect(source)
    assert got.names == ["n77.example"]
    assert (got.messages, sum(b.counts.candidates for b in got.batches)) == (1000, 1)
