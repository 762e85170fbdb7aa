"""Host names: one stored form, and whatever an analyst pastes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.model.name import host_key, host_of


@pytest.mark.parametrize(
    ("pasted", "host"),
    [
        ("Login-PayPal.COM.", "login-paypal.com"),
        ("https://user:pw@login.example:8443/a?b#c", "login.example"),
        ("hxxps://login-paypal[.]com/x", "login-paypal.com"),
        ("login(dot)paypal[dot]com", "login.paypal.com"),
        ("login.example/path", "login.example"),
        ("login.example:443", "login.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("b\u3002example", "b.example"),
        ("*.example.com", "*.example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("☃.example", "xn--n3h.example"),
        ("xn--zzzzzzz.example", "xn--zzzzzzz.example"),  # no valid A-label: it stays
        ("http://[broken", "http://[broken"),
        ("  spaced.example \n", "spaced.example"),
        ("", ""),
    ],
)
def test_host_of_what_was_pasted(pasted: str, host: str) -> None:
    assert host_of(pasted) == host


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_gives_a_host_without_crashing(pasted: str) -> None:
    assert isinstance(host_of(pasted), str)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Login.Example.", "login.example"),
        (".", "."),
        ("a\0b", r"a\x00b"),
        ("*.Example.com", "*.example.com"),
    ],
)
def test_key_of_a_name(name: str, key: str) -> None:
    assert host_key(name) == key


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_a_key_is_printable_bounded_and_its_own_key(name: str) -> None:
    key = host_key(name)
    key.encode("utf-8")
    assert len(key) <= 500
    assert "\n" not in key
    assert "\0" not in key
