"""Positions as text: what was written is read, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.model.log import Log, TreeHead
from ctmonitor.sources.logcursor import LogCursor, cursor_name

LOG = Log(bytes(range(32)), b"", "One", "Op", "https://one.example/")
NODE = bytes(32)
HEAD = TreeHead(700, b"\7" * 32, 1_790_000_000_000)
FULL = LogCursor(300, HEAD, (NODE,) * 4)  # 300 has four bits


def test_the_name_is_that_of_the_key_and_not_of_the_address() -> None:
    assert cursor_name(LOG) == "log:" + bytes(range(32)).hex()
    assert FULL.cursor(LOG).source == cursor_name(LOG)


@given(
    position=st.integers(0, 2**62),
    beyond=st.integers(0, 2**62 - 1),
    has_head=st.booleans(),
    has_nodes=st.booleans(),
    root=st.binary(min_size=32, max_size=32),
)
def test_what_was_written_is_read(
    position: int, beyond: int, has_head: bool, has_nodes: bool, root: bytes
) -> None:
    head = TreeHead(position + beyond, root, 5) if has_head else None
    nodes = (root,) * position.bit_count() if has_nodes else None
    cursor = LogCursor(position, head, nodes)
    assert LogCursor.parse(cursor.cursor(LOG).position) == cursor


def changed(**members: Any) -> str:
    return json.dumps(json.loads(FULL.cursor(LOG).position) | members)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "damaged"),
        ("null", "damaged"),
        ("[]", "damaged"),
        ("7", "damaged"),
        ("{}", "damaged"),
        ("[" * 10_000, "damaged"),
        (changed(version=2), "of another version: 2, not 1"),
        (changed(next=-1), "damaged"),
        (changed(next=True), "damaged"),
        (changed(next="1"), "damaged"),
        (changed(next=2**63), "damaged"),
        (changed(next=701, nodes=None), "it lies beyond the head"),
        (changed(next=301, nodes=["AA=="]), "damaged"),
        (changed(next=301), "wrong number of nodes|beyond"),
        (changed(nodes="x"), "damaged"),
        (changed(nodes=[1]), "damaged"),
        (changed(head=[]), "damaged"),
        (changed(head={"tree_size": 700}), "damaged"),
        (changed(pad="x" * 20_000), "too long"),
    ],
)
def test_what_is_damaged_is_told(text: str, why: str) -> None:
    if why.startswith("wrong number"):
        text = changed(next=303)  # five bits
    with pytest.raises(FormatError, match=why):
        LogCursor.parse(text)


@given(
    st.text() | st.builds(changed, next=st.integers(), head=st.from_type(type(None)))
)
def test_any_text_is_a_position_or_a_format_error(text: str) -> None:
    try:
        cursor = LogCursor.parse(text)
    except FormatError:
        return
    assert LogCursor.parse(cursor.cursor(LOG).position) == cursor
