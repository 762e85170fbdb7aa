"""Documents of watched domains: any bytes are a state, or refused as they should be."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import StoreError
from ctmonitor.model.own import DomainState, SharedState
from ctmonitor.store.owndocument import (
    aside_name,
    checked,
    encoded,
    is_domain,
    shared_of,
    state_of,
    with_pending,
)
from tests.unit.store.watching import DOMAIN, full_state

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
fields = sorted(msgspec.to_builtins(full_state()))


@given(st.binary() | json_values.map(msgspec.json.encode))
def test_any_bytes_are_a_document_or_our_error(body: bytes) -> None:
    for read in (
        lambda: state_of(body, DOMAIN, "here", ""),
        lambda: shared_of(body, "here", ""),
    ):
        with suppress(StoreError):
            assert isinstance(read(), DomainState | SharedState)


@given(st.sampled_from(fields), json_values)
def test_a_state_with_any_field_changed_is_a_state_or_our_error(
    field: str, value: object
) -> None:
    changed = msgspec.to_builtins(full_state()) | {field: value}
    body = msgspec.json.encode(changed)
    try:
        state = state_of(body, DOMAIN, "here", "")
    except StoreError:
        return
    assert state_of(encoded(state), DOMAIN, "here", "") == state


def test_messages_are_changed_without_touching_anything_else() -> None:
    state = full_state()
    body = with_pending(encoded(state), [{"key": "own:1", "payload": {"a": "\ud800"}}])
    state.pending = [{"key": "own:1", "payload": {"a": "?"}}]
    assert state_of(body, DOMAIN, "here", "") == state


def test_fields_of_later_versions_are_no_obstacle() -> None:
    body = msgspec.json.encode({"domain": DOMAIN, "more": [1]})
    assert state_of(body, DOMAIN, "here", "") == DomainState(DOMAIN)


@given(st.text())
def test_a_name_is_a_domain_of_harmless_letters_or_refused(name: str) -> None:
    try:
        checked(name)
    except StoreError:
        return
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert not name.startswith(".")
    assert "." in name


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("example.com", True),
        ("_dmarc.xn--bcher-kva.example", True),
        (".lock", False),
        (".shared", False),
        (".writing", False),
        (aside_name("example.com", "2026-11-20T10:00:00"), False),
        (aside_name("example.com", ""), False),
        ("example.com/x", False),
        ("example.com\n", False),
    ],
)
def test_only_states_are_listed_as_domains(name: str, is_one: bool) -> None:
    assert is_domain(name) is is_one
