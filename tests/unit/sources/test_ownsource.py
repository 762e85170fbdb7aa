"""What sources of own domains share."""

import pytest

from ctmonitor.sources.ownsource import without_login


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://crt.sh", "https://crt.sh"),
        ("https://crt.sh/", "https://crt.sh"),
        (
            "https://me:SECRET@crt.example:8443/mirror/",
            "https://crt.example:8443/mirror",
        ),
        ("https://me:SEC@RET@crt.example/?key=SECRET", "https://crt.example"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_links_bear_no_login_of_a_mirror(url: str, shown: str) -> None:
    """They stand in messages, in the report and in what --list prints."""
    assert without_login(url) == shown
