"""
The addresses and URLs that a stranger's name or redirect may not lead us to.

An address is judged, not a name: what a name means is for the resolver to say, and the
address that was judged is the one connected to. Behind a proxy, which resolves names at
its end, literal addresses and names that mean an inner network are judged.

Source: IANA special-purpose address registries (RFC 6890), RFC 6761 (`localhost`),
RFC 6598 (shared addresses), RFC 4291, 3056, 4380, 6052, 8215 (IPv4 inside IPv6),
inet_aton(3) (`127.1`, `0x7f.1`).
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from yarl import URL

from ctmonitor.model.text import shortened

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAX_HOST_CHARACTERS = 253  # RFC 1035 section 2.3.4
_MAX_URL_CHARACTERS = 4096

_KINDS: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), kind)
    for network, kind in (
        # Metadata first, so that the reason names what would have been at stake.
        ("169.254.169.254/32", "cloud metadata"),  # AWS, Azure, GCP, OpenStack
        ("169.254.170.2/32", "cloud metadata"),  # AWS ECS credentials
        ("100.100.100.200/32", "cloud metadata"),  # Alibaba
        ("168.63.129.16/32", "cloud metadata"),  # Azure, a public address otherwise
        ("192.0.0.192/32", "cloud metadata"),  # Oracle
        ("fd00:ec2::254/128", "cloud metadata"),  # AWS
        ("fd20:ce::254/128", "cloud metadata"),  # GCP
        ("fd00:c1::a9fe:a9fe/128", "cloud metadata"),  # Oracle
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a provider's customers"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),  # relays of 6to4
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),  # site-local
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "reserved"),
        ("3fff::/20", "reserved"),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that was ever given out

# Forms that hold an IPv4 address, and by how many bits it stands left of the end.
_FORMS: tuple[tuple[IPv6Network, int], ...] = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # IPv4-translated (RFC 2765)
    (IPv6Network("::/96"), 0),  # IPv4-compatible
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("64:ff9b:1::/48"), 0),  # NAT64 of a network's own
    (IPv6Network("2002::/16"), 80),  # 6to4
    (IPv6Network("2001::/32"), 0),  # Teredo, every bit inverted
)
_TEREDO = IPv6Network("2001::/32")
_LOCALHOST = IPv4Address("127.0.0.1")

# Names that no public name server knows: behind a proxy they mean its own network.
_INNER_SUFFIXES = ("local", "localdomain", "internal", "intranet", "lan", "home.arpa")


@dataclass(frozen=True, slots=True)
class Guard:
    """
    Refuses addresses of inner networks. Every method gives the reason, or ''.

    Args:
        allowed: networks that may be visited all the same. An IPv6 form that holds an
            IPv4 address is visited only where both the form and the IPv4 are allowed
            or harmless: `64:ff9b::/96` opens NAT64 to public addresses.
        ports: allowed beside 80, 443 and 8000 to 8999.
    """

    allowed: Sequence[Network] = ()
    ports: Sequence[int] = ()

    def refuse_address(self, address: str | Address) -> str:
        """Why no connection may be made to this address; '' when it may."""
        try:
            judged = ip_address(address)
        except ValueError:
            return f"{shortened(str(address))} is no address"
        if isinstance(judged, IPv6Address) and judged.scope_id is not None:
            return f"{judged} is link-local"
        inner = _ipv4_inside(judged)
        if self._is_allowed(judged):
            return self.refuse_address(inner) if inner else ""
        if inner:
            if isinstance(judged, IPv6Address) and judged.ipv4_mapped:
                # The system connects to the IPv4 address itself.
                allowed = self._is_allowed(inner)
                return "" if allowed else f"{judged} is {inner} in an IPv6 form"
            return f"{judged} is {inner} in an IPv6 form"
        for network, kind in _KINDS:
            if judged in network:
                return f"{judged} is {kind}"
        if isinstance(judged, IPv6Address) and judged not in _GLOBAL_UNICAST:
            return f"{judged} is reserved"
        return ""

    def refuse_host(self, host: str) -> str:
        """
        Why this host of a URL may not be visited, as far as it says so itself.

        A literal address in any notation is judged, `localhost` as 127.0.0.1; of any
        other name nothing is known before it is resolved.
        """
        if not host or len(host) > _MAX_HOST_CHARACTERS:
            return "the host is empty or too long"
        try:
            literal = literal_address(host)
        except ValueError as exc:
            return str(exc)
        return self.refuse_address(literal) if literal is not None else ""

    def refuse_remote_host(self, host: str) -> str:
        """Why a proxy, which resolves names itself, may not be asked for this host."""
        if reason := self.refuse_host(host):
            return reason
        name = _folded(host)
        if literal_address(host) is not None:
            return ""
        if "." not in name:
            return f"{shortened(name)} is a name of an inner network"
        if any(name == s or name.endswith(f".{s}") for s in _INNER_SUFFIXES):
            return f"{shortened(name)} is a name of an inner network"
        return ""

    def refuse_url(self, url: URL) -> str:
        """Why a redirect to this URL is not followed: scheme, port, user, host."""
        if url.scheme not in ("http", "https"):
            return f"scheme {shortened(url.scheme, 20)!r} is not followed"
        if len(str(url)) > _MAX_URL_CHARACTERS:
            return f"the URL has over {_MAX_URL_CHARACTERS} characters"
        if url.raw_user is not None or url.raw_password is not None:
            return "the URL has user info"
        port = url.port
        if port is None or not self._is_port_allowed(port):
            return f"port {port} is not visited"
        return self.refuse_host(url.raw_host or "")

    def _is_allowed(self, address: Address) -> bool:
        return any(address in network for network in self.allowed)

    def _is_port_allowed(self, port: int) -> bool:
        return port in (80, 443) or 8000 <= port <= 8999 or port in self.ports


@lru_cache(maxsize=4096)  # each visit asks for its host in several places
def literal_address(host: str) -> Address | None:
    """
    The address that `host` means without any name server; None for a name.

    Raises:
        ValueError: it ends in a number as addresses do, but programs disagree on
            what it means (`0127.0.0.1` is 87.0.0.1 or 127.0.0.1), or it is none.
    """
    text = _folded(host)
    if text == "localhost" or text.endswith(".localhost"):
        return _LOCALHOST
    if ":" in text:
        try:
            return IPv6Address(text)
        except ValueError:
            raise ValueError(f"{shortened(text)!r} is no address") from None
    labels = text.split(".")
    if not _is_number(labels[-1]):
        return None
    return _inet_aton(text, labels)


def _folded(host: str) -> str:
    # Full-width digits and dots are what a browser folds before it looks.
    text = unicodedata.normalize("NFKC", host).replace("\u3002", ".").lower()
    return text.removeprefix("[").removesuffix("]").rstrip(".")


def _is_number(label: str) -> bool:
    """Whether a URL whose host ends in this label has an address for host (WHATWG)."""
    if label.startswith("0x"):
        return all(char in "0123456789abcdef" for char in label[2:])
    return label.isascii() and label.isdigit()


def _inet_aton(text: str, labels: Sequence[str]) -> IPv4Address:
    """`a.b.c.d`, or fewer parts of which the last fills the remaining bytes."""
    error = ValueError(f"{shortened(text)!r} is an address in an unclear notation")
    if len(labels) > 4 or not all(map(_is_number, labels)):
        raise error
    if any(len(x) > 1 and x[0] == "0" and x[1] != "x" for x in labels):
        raise error  # octal for some programs, decimal for others
    numbers = [int(x[2:] or "0", 16) if x.startswith("0x") else int(x) for x in labels]
    *heads, last = numbers
    if any(number > 255 for number in heads) or last >= 256 ** (4 - len(heads)):
        raise error
    value = last
    for position, number in enumerate(heads):
        value |= number << (24 - 8 * position)
    return IPv4Address(value)


def _ipv4_inside(address: Address) -> IPv4Address | None:
    if not isinstance(address, IPv6Address) or int(address) < 2:
        return None  # `::` and `::1` are no IPv4-compatible addresses
    for network, shift in _FORMS:
        if address in network:
            bits = int(address) >> shift & 0xFFFFFFFF
            return IPv4Address(bits ^ 0xFFFFFFFF if network == _TEREDO else bits)
    return None
