"""
Who announces an address, by DNS of Team Cymru: networks, AS numbers and their names.

Source: team-cymru.com/ip-asn-mapping, section DNS. TXT records, one string each:

    23028 | 216.90.108.0/24 | US | arin | 1998-09-25       of an address, reversed
    701 1239 7018 | 192.5.0.0/16 | US | arin |             several origins
    23028 | US | arin | 2002-01-04 | TEAM-CYMRU - , US     of AS23028.asn.cymru.com
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from ctmonitor.errors import FormatError
from ctmonitor.model.text import shortened

_MAX_ORIGINS = 16

REGISTRIES = frozenset({"arin", "ripencc", "apnic", "lacnic", "afrinic"})


@dataclass(frozen=True, slots=True)
class Origin:
    """
    Who announces a network.

    Args:
        asns: AS numbers as text, without `AS`, by number; several announce it.
        cidr: the announced network.
        country: two letters, or empty.
        registry: one of REGISTRIES, or empty.
    """

    asns: tuple[str, ...]
    cidr: str
    country: str = ""
    registry: str = ""


def origin_name(address: IPv4Address | IPv6Address) -> str:
    """The name to ask for TXT: `31.108.90.216.origin.asn.cymru.com`."""
    if address.version == 4:
        return ".".join(reversed(str(address).split("."))) + ".origin.asn.cymru.com"
    groups = address.exploded.split(":")
    while len(groups) > 1 and groups[-1] == "0000":
        groups.pop()  # with them Cymru does not answer, as ipwhois found
    digits = "".join(groups)
    return ".".join(reversed(digits)) + ".origin6.asn.cymru.com"


def as_name(asn: str) -> str:
    """The name to ask for TXT: `AS23028.asn.cymru.com`."""
    return f"AS{asn}.asn.cymru.com"


def origin(texts: Iterable[str], address: str) -> Origin:
    """
    Who announces `address`: of the networks in the answer the longest prefix.

    The order of the records, which changes from answer to answer, changes nothing.

    Raises:
        FormatError: a record has another form, or its network is another's.
    """
    found = [_record(text, address) for text in texts]
    if not found:
        raise FormatError("no origin", f"no record for {address}")
    longest = max(found, key=lambda one: one[0].prefixlen)[0]
    records = sorted(one[1:] for one in found if one[0] == longest)
    asns = {asn for origins, _, _ in records for asn in origins}
    _, country, registry = records[0]
    numbers = tuple(str(asn) for asn in sorted(asns)[:_MAX_ORIGINS])
    return Origin(numbers, str(longest), country, registry)


def _record(
    text: str, address: str
) -> tuple[IPv4Network | IPv6Network, tuple[int, ...], str, str]:
    fields = [field.strip() for field in text.split("|")]
    try:
        numbers, cidr, country, registry = fields[:4]
        network = ip_network(cidr)
        asns = tuple(_number(number) for number in numbers.split())
        if not asns or ip_address(address) not in network:
            raise ValueError
    except ValueError as exc:
        raise FormatError(
            "no origin", f"for {address}: {shortened(text, 120)!r}"
        ) from exc
    if not (len(country) == 2 and country.isascii() and country.isalpha()):
        country = ""
    if registry not in REGISTRIES:
        registry = ""
    return network, asns, country.upper(), registry


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:12]) >= 2**32:
        raise ValueError(f"{text!r} is no AS number")
    return int(text[:12])


def description(text: str) -> str:
    """
    The name of an AS in its record, printable; empty when the record gives none.

    Raises:
        FormatError: the record has another form.
    """
    fields = text.split("|", 4)
    if len(fields) != 5:
        raise FormatError("no AS record", repr(shortened(text, 120)))
    return shortened(fields[4].strip(), 200)
