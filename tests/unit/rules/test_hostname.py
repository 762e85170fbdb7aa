"""A name from a certificate, taken apart for the rules."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmonitor.rules.hostname import MAX_CHARACTERS, host_name


@pytest.mark.parametrize(
    ("name", "registrable", "suffix", "is_private"),
    [
        ("www.paypal.com", "paypal.com", "com", False),
        ("*.Login.PayPal.CO.UK.", "paypal.co.uk", "co.uk", False),
        ("a.b.me.github.io", "me.github.io", "github.io", True),
        ("github.io", "", "github.io", True),
        ("com", "", "com", False),
        ("localhost", "", "localhost", False),
        ("192.0.2.1", "", "", False),
        ("12345", "", "", False),
        ("2001:db8::1", "", "", False),
        ("[2001:db8::1]", "", "", False),
        ("", "", "", False),
        (".", "", "", False),
        ("*.", "", "", False),
        ("a..com", "", "", False),
        ("a.b\x00.com", "b\x00.com", "com", False),
        ("a b.com\n", "a b.com\n", "com\n", False),
    ],
)
def test_registrable_domain_and_suffix(
    name: str, registrable: str, suffix: str, is_private: bool
) -> None:
    host = host_name(name)
    assert (host.registrable, host.suffix) == (registrable, suffix)
    assert host.is_private is is_private
    assert host.name == name


@pytest.mark.parametrize(
    ("name", "labels", "unicode"),
    [
        ("WWW.Example.com", "www.example.com", "www.example.com"),
        (
            "xn--mller-kva.xn--p1ai",
            "xn--mller-kva.xn--p1ai",
            "m\u00fcller.\u0440\u0444",
        ),
        ("M\u00dcLLER.de", "xn--mller-kva.de", "m\u00fcller.de"),
        # IDNA refuses the heart, registries of some countries do not.
        ("xn--i-7iq.ws", "xn--i-7iq.ws", "i\u2764.ws"),
        ("\uff50aypal.com", "paypal.com", "\uff50aypal.com"),
        ("login\u3002paypal\uff0ecom", "login.paypal.com", "login.paypal.com"),
        ("xn--paypal-.com", "xn--paypal-.com", "paypal.com"),
        # No punycode: nothing behind the prefix, half a surrogate pair, cut short.
        ("xn--.com", "xn--.com", "xn--.com"),
        ("xn--ib9b.com", "xn--ib9b.com", "xn--ib9b.com"),
        ("xn--pypal-4v.com", "xn--pypal-4v.com", "xn--pypal-4v.com"),
        ("a.xn--99999999.com", "a.xn--99999999.com", "a.xn--99999999.com"),
        # No label is longer than 63 octets, and decoding takes its square.
        (f"xn--{'a' * 60}.com", f"xn--{'a' * 60}.com", f"xn--{'a' * 60}.com"),
        ("\u00fc" * 64 + ".com", "\u00fc" * 64 + ".com", "\u00fc" * 64 + ".com"),
    ],
)
def test_labels_in_both_forms(name: str, labels: str, unicode: str) -> None:
    host = host_name(name)
    assert host.labels == tuple(labels.split("."))
    assert host.unicode == tuple(unicode.split("."))
    assert host.text == labels


def test_of_a_name_with_too_many_labels_the_last_are_looked_at() -> None:
    host = host_name("x." * 1000 + "paypal.com")
    assert len(host.labels) == len(host.unicode) == 127
    assert host.registrable == "paypal.com"


def test_of_a_name_of_64_kb_the_beginning_is_looked_at() -> None:
    host = host_name("a" * 65_000)
    assert host.text == "a" * MAX_CHARACTERS
    assert host.suffix == host.text


HOSTILE = st.one_of(
    st.text(max_size=60),
    st.text("xn-.a1\u00fc\u3002\u0130\u202e\ud800*[:]", max_size=40),
    st.lists(st.text("ab9-", max_size=12).map("xn--{}".format)).map(".".join),
    st.ip_addresses().map(str),
)


@given(HOSTILE)
def test_any_text_is_taken_apart(name: str) -> None:
    host = host_name(name)
    assert host.text == ".".join(host.labels)
    assert len(host.labels) == len(host.unicode)
    assert -1 <= host.at < len(host.labels)
    assert host.text.endswith(host.suffix)
    assert host.registrable == "" or host.registrable.endswith("." + host.suffix)
    assert pickle.loads(pickle.dumps(host)) == host  # noqa: S301, our own


@given(st.ip_addresses().map(str))
def test_an_ip_address_is_in_no_domain(address: str) -> None:
    assert host_name(address).registrable == ""
