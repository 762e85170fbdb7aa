"""Addresses: what of one is shown."""

import pytest

from ctmonitor.addresses import masked_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/"),
        ("wss://u:p@h:1/full-stream", "wss://********@h:1/full-stream"),
        ("wss://u:p/q@h/x", "wss://********@h/x"),
        ("wss://h/x?token=1#2", "wss://h/x?********"),
        ("http://u:p", "http://u:********"),
        ("ws://[::1]:80/", "ws://[::1]:80/"),
        ("u:p@h", "********@h"),
        ("sqlite:////srv/a.db", "sqlite:////srv/a.db"),
    ],
)
def test_an_address_is_masked(url: str, shown: str) -> None:
    assert masked_url(url) == shown
