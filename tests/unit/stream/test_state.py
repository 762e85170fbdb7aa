"""Positions survive what happens to a file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import ConfigError, FormatError, StoreError
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.sources.logcursor import LogCursor
from ctmonitor.stream import state

NOW = datetime(2026, 11, 21, 15, 4, 5, tzinfo=UTC)
LOG = Log(b"\x0a" * 32, b"key", "a log", "operator", "https://log.example/")
AT = LogCursor(7, TreeHead(9, b"r" * 32, 1234))
LOG_ID = "0a" * 32


def written() -> state.Document:
    return state.document({LOG_ID: state.entry_of(LOG, AT)}, NOW)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    state.save(path, written())
    loaded = state.load(path, NOW)
    assert loaded == written()
    logs, problems = state.parse(loaded)
    assert problems == []
    assert state.cursors(logs) == {f"log:{LOG_ID}": AT}
    assert [each.name for each in tmp_path.iterdir()] == ["a.state"]


def test_a_file_that_is_not_there_is_no_state(tmp_path: Path) -> None:
    assert state.load(tmp_path / "a.state", NOW) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 512,
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"version": 2, "logs": {}}',
        b'{"version": 1}',
        b"[" * 100_000,
    ],
    ids=["empty", "NUL", "cut", "list", "bytes", "later", "no logs", "deep"],
)
def test_a_file_that_cannot_be_used_is_set_aside_and_told(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.state"
    path.write_bytes(content)
    assert state.load(path, NOW) is None
    assert not path.exists()
    assert (tmp_path / "a.state.bad-20261121T150405Z").read_bytes() == content
    assert "is set aside as" in caplog.text


def test_of_a_damaged_file_the_logs_in_order_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = written()
    told["logs"]["0b" * 32] = {"name": "broken", "version": 1, "next": -1}
    told["logs"]["short"] = told["logs"][LOG_ID]
    path = tmp_path / "a.state"
    path.write_text(json.dumps(told))
    loaded = state.load(path, NOW)
    assert loaded is not None
    assert list(loaded["logs"]) == [LOG_ID]
    assert len(list(tmp_path.glob("a.state.bad-*"))) == 1
    assert "0b" * 32 in caplog.text
    assert "short" in caplog.text


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written: No such file"):
        state.save(tmp_path / "missing" / "a.state", written())


def test_a_place_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        state.load(tmp_path, NOW)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.state"
    state.save(path, written())
    (tmp_path / "a.state.new").mkdir()  # in the way of the draft
    with pytest.raises(StoreError):
        state.save(path, state.document({}, NOW))
    assert state.load(path, NOW) == written()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_a_state_or_a_format_error(value: object) -> None:
    for each in (
        value,
        {"version": 1, "logs": value},
        {"version": 1, "logs": {LOG_ID: value}},
    ):
        try:
            state.cursors(state.parse(each)[0])
        except FormatError:
            continue
