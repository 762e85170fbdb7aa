"""What may be written for a watched domain, and which names lie in one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.errors import FormatError
from ctmonitor.model.domain import a_labels, name_in, watched_domain


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("example.com", "example.com"),
        ("example.com.", "example.com"),
        ("*.example.com", "example.com"),
        (" EXAMPLE.com\n", "example.com"),
        ("dev.example.co.uk", "dev.example.co.uk"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("example。com", "example.com"),
        ("https://user:secret@www.example.com:8443/x?y=z", "www.example.com"),
        ("http://*.example.com/", "example.com"),
        ("hxxps://example[.]com/", "example.com"),
        ("example.com:443", "example.com"),
        ("example.com/*", "example.com"),
        ("a_b.example.com", "a_b.example.com"),
        ("mine.github.io", "mine.github.io"),  # below a suffix of the private part
    ],
)
def test_what_people_write_for_a_domain(written: str, domain: str) -> None:
    assert watched_domain(written) == domain


@pytest.mark.parametrize("written", ["com", "co.uk", "*.com", "github.io", "localhost"])
def test_below_a_public_suffix_all_is_others(written: str) -> None:
    with pytest.raises(FormatError, match="is a public suffix") as caught:
        watched_domain(written)
    assert repr(written) in str(caught.value)
    assert str(caught.value).endswith("write a domain of yours")


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            " ",
            ".",
            "*",
            "*.",
            "/",
            "http://",
            "://",
            "example..com",
            ".example.com",
        ),
        *("-a.example.com", "a-.example.com", "exa mple.com", "*example.com"),
        *("*.*.example.com", "a.*.example.com", "example.com..", "a" * 64 + ".com"),
        *("192.0.2.1", "192.0.2.0/24", "[2001:db8::1]", "2001:db8::1", "http://[a"),
        *("a." * 130 + "com", "exa\x00mple.com", "exa\nmple.com", "\ud800.com"),
        *("exa\u202emple.com", "exa\ue000mple.com"),
    ],
    ids=lambda written: ascii(written)[:30],
)
def test_what_is_no_domain_is_refused_by_name(written: str) -> None:
    with pytest.raises(FormatError, match="is no domain; write example") as caught:
        watched_domain(written)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("example.com", "example.com"),
        ("www.example.com", "www.example.com"),
        ("*.example.com", "*.example.com"),
        ("*.dev.example.com", "*.dev.example.com"),
        (" WWW.Example.COM.\r", "www.example.com"),
        ("bücher.example.com", "xn--bcher-kva.example.com"),
        ("*.bücher.example.com", "*.xn--bcher-kva.example.com"),
        ("_dmarc.bücher.example.com", "_dmarc.xn--bcher-kva.example.com"),
        ("XN--BCHER-KVA.example.com", "xn--bcher-kva.example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("www。example.com", "www.example.com"),
        ("notexample.com", ""),
        ("example.com.evil.org", ""),
        ("www.example.org", ""),
        ("com", ""),
        ("root@example.com", ""),
        ("root@mail.example.com", ""),
        ("Example Inc. example.com", ""),
        ("https://www.example.com", ""),
        ("www.example.com:443", ""),
        ("*.*.example.com", ""),
        ("a.*.example.com", ""),
        ("*a.example.com", ""),
        ("a..example.com", ""),
        (".example.com", ""),
        ("-a.example.com", ""),
        ("www.example.com..", ""),
        ("www.example.com\x00.evil.org", ""),
        ("\x00www.example.com", ""),
        ("\ud800.example.com", ""),
        ("a" * 63 + ".example.com", "a" * 63 + ".example.com"),
        ("a" * 64 + ".example.com", ""),
        ("a." * 121 + "example.com", "a." * 121 + "example.com"),  # 253
        ("a." * 122 + "example.com", ""),
        ("*." + "a." * 121 + "example.com", "*." + "a." * 121 + "example.com"),
        ("192.0.2.1", ""),
        ("*", ""),
        ("", ""),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_which_names_lie_in_a_domain(name: str, found: str) -> None:
    assert name_in(name, "example.com") == found


def test_a_domain_in_a_labels_has_names_in_either_form() -> None:
    domain = watched_domain("bücher.example")
    assert name_in("www.bücher.example", domain) == "www.xn--bcher-kva.example"
    assert name_in("www.xn--bcher-kva.example", domain) == "www.xn--bcher-kva.example"


def test_any_text_in_a_labels() -> None:
    """Also what is no host name: certificates hold such, and keys are made of it."""
    assert a_labels(" Jane Doe. ") == "jane doe"
    assert a_labels("BÜCHER.example") == "xn--bcher-kva.example"
    assert a_labels("\ud800") == ""


@pytest.mark.parametrize("letters", ["\u0661", "é."], ids=["one label", "many"])
def test_a_name_longer_than_any_host_is_none(letters: str) -> None:
    """And is not worked on: old versions of idna took two minutes for the first."""
    assert a_labels(letters * 50_000 + "example.com") == ""


WRITTEN = st.text() | st.text(alphabet="aé.*-/:@[]_1 \x00\ud800").map(
    lambda text: text + ".example.com"
)


@given(WRITTEN)
def test_any_text_is_a_domain_or_refused(written: str) -> None:
    try:
        domain = watched_domain(written)
    except FormatError:
        return
    assert watched_domain(domain) == domain
    assert name_in(domain, domain) == domain
    assert "/" not in domain  # it names a file


@given(WRITTEN)
def test_any_text_is_a_name_of_the_domain_or_none(written: str) -> None:
    found = name_in(written, "example.com")
    if found:
        assert found == "example.com" or found.endswith(".example.com")
        assert found.isascii()
        assert name_in(found, "example.com") == found
