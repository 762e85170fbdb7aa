"""What a stranger's name or redirect may not lead us to."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from ctmonitor.scan.guard import Guard, literal_address

GUARD = Guard()


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.255.255.255", "unspecified"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("100.64.0.0", "shared"),
        ("100.127.255.255", "shared"),
        ("100.100.100.200", "metadata"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("168.63.129.16", "metadata"),
        ("169.254.169.254", "metadata"),
        ("169.254.1.1", "link-local"),
        ("172.16.0.0", "private"),
        ("172.31.255.255", "private"),
        ("192.0.0.192", "metadata"),
        ("192.0.2.1", "reserved"),
        ("192.168.255.255", "private"),
        ("198.19.255.255", "reserved"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fc00::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "private"),
        ("ff02::1", "multicast"),
        ("100::1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001:10::1", "reserved"),
        ("3fff::1", "reserved"),
        ("5f00::1", "reserved"),
        ("4000::1", "reserved"),
        ("nonsense", "no address"),
    ],
)
def test_inner_addresses_are_refused_with_their_kind(address: str, kind: str) -> None:
    assert kind in GUARD.refuse_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
    ],
)
def test_public_addresses_up_to_the_borders_are_visited(address: str) -> None:
    assert GUARD.refuse_address(address) == ""


@pytest.mark.parametrize(
    ("form", "inside"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:0:10.0.0.1", "10.0.0.1"),
        ("::10.0.0.1", "10.0.0.1"),
        ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
        ("64:ff9b:1::7f00:1", "127.0.0.1"),
        ("2002:7f00:1::", "127.0.0.1"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "127.0.0.1"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("64:ff9b::808:808", "8.8.8.8"),
    ],
)
def test_ipv4_in_an_ipv6_form_is_refused_by_name(form: str, inside: str) -> None:
    """Nobody publishes such an address for a web site, so none is visited."""
    assert f"is {inside} in an IPv6 form" in GUARD.refuse_address(form)


def test_allowed_networks_are_visited_and_nothing_beside_them() -> None:
    guard = Guard(allowed=[ip_network("127.0.8.0/24"), ip_network("fd00::/120")])
    assert guard.refuse_address("127.0.8.255") == ""
    assert guard.refuse_address("fd00::ff") == ""
    assert guard.refuse_address("::ffff:127.0.8.1") == ""
    assert guard.refuse_address("127.0.9.0") != ""
    assert guard.refuse_address("fd00::100") != ""
    assert guard.refuse_address("::ffff:127.0.9.1") != ""
    assert guard.refuse_address("64:ff9b::7f00:801") != ""


def test_an_allowed_nat64_opens_public_addresses_only() -> None:
    guard = Guard(allowed=[ip_network("64:ff9b::/96")])
    assert guard.refuse_address("64:ff9b::808:808") == ""
    assert "loopback" in guard.refuse_address("64:ff9b::7f00:1")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0X7F000001",
        "0x7f.0x0.0x0.0x1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0",
        "0x",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "::ffff:7f00:1",
        "[fe80::1%25eth0]",
        "fe80::1%eth0",
        "localhost",
        "LOCALHOST.",
        "a.b.localhost",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "",
        "a" * 254,
        "1.2.3.4.5",
        "300.1.1.1",
        "4294967296",
        "1.2.3.0x100",
        "x.1",
        "[::1",
        "a:b",
    ],
)
def test_every_notation_of_an_inner_address_is_refused(host: str) -> None:
    assert GUARD.refuse_host(host) != ""
    assert GUARD.refuse_remote_host(host) != ""


@pytest.mark.parametrize(
    "host",
    ["example.com", "1.example", "0x7f.example", "1.1.1.1", "134744072", "a-1.b-2"],
)
def test_names_and_public_literals_pass(host: str) -> None:
    assert GUARD.refuse_host(host) == ""
    assert GUARD.refuse_remote_host(host) == ""


@pytest.mark.parametrize(
    "host",
    ["intranet", "printer.local", "metadata.google.internal.", "x.home.arpa", "a.LAN"],
)
def test_names_of_inner_networks_are_not_asked_of_a_proxy(host: str) -> None:
    assert "inner network" in GUARD.refuse_remote_host(host)
    assert GUARD.refuse_host(host) == ""  # our own resolver's answer is judged


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://example.com/", ""),
        ("http://example.com:80/", ""),
        ("http://example.com:8000/", ""),
        ("http://example.com:8999/", ""),
        ("http://example.com:7999/", "port 7999"),
        ("http://example.com:9000/", "port 9000"),
        ("http://example.com:22/", "port 22"),
        ("https://example.com:10443/", ""),
        ("file:///etc/passwd", "scheme 'file'"),
        ("gopher://example.com/", "scheme 'gopher'"),
        ("javascript:alert(1)", "scheme 'javascript'"),
        ("//example.com/", "scheme ''"),
        ("http://user@example.com/", "user info"),
        ("http://:secret@example.com/", "user info"),
        ("http://169.254.169.254/latest/", "metadata"),
        ("http://0x7f.1/", "loopback"),
        ("http://%31%32%37.0.0.1/", "unclear"),
        ("http://localhost/", "loopback"),
        (f"http://example.com/{'a' * 5000}", "characters"),
    ],
)
def test_redirects_are_followed_by_scheme_port_and_host(url: str, reason: str) -> None:
    refused = Guard(ports=(10443,)).refuse_url(URL(url))
    assert reason in refused
    assert bool(reason) is bool(refused)


@given(st.text(max_size=300))
def test_any_text_gets_an_answer(host: str) -> None:
    assert isinstance(GUARD.refuse_host(host), str)
    assert isinstance(GUARD.refuse_remote_host(host), str)


@given(st.integers(0, 2**32 - 1))
def test_all_notations_mean_the_same_address(value: int) -> None:
    address = IPv4Address(value)
    a, b, c, d = address.packed
    for text in (
        f"{value}",
        f"{value:#x}",
        f"{a}.{value & 0xFFFFFF}",
        f"{a:#x}.{b}.{c << 8 | d:#X}",
        f"{address}.",
    ):
        assert literal_address(text) == address


@given(st.integers(0, 2**128 - 1))
def test_nothing_outside_global_unicast_is_visited(value: int) -> None:
    address = IPv6Address(value)
    if not GUARD.refuse_address(address):
        assert address in ip_network("2000::/3")
