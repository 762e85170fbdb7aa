"""
Writes a small file in MaxMind's format.

Source: maxmind.github.io/MaxMind-DB (binary search tree, data section, metadata).
"""

import ipaddress
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"


def mmdb(networks: dict[str, dict[str, Any]], built: int) -> bytes:
    """
    A file over ::/0 with IPv4 below ::/96, records of 32 bits.

    Args:
        networks: what is stored for each; built: seconds since 1970.
    """
    nodes: list[list[int | str | None]] = [[None, None]]
    for cidr in networks:
        network = ipaddress.ip_network(cidr)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"
        path = ("0" * 96 if network.version == 4 else "") + bits[: network.prefixlen]
        node = 0
        for bit in path[:-1]:
            following = nodes[node][int(bit)]
            if not isinstance(following, int):
                nodes.append([None, None])
                following = nodes[node][int(bit)] = len(nodes) - 1
            node = following
        nodes[node][int(path[-1])] = cidr
    data = b""
    offsets = {}
    for cidr, value in networks.items():
        offsets[cidr] = len(data)
        data += _encoded(value)
    count = len(nodes)
    tree = b"".join(
        (
            count
            if record is None
            else record
            if isinstance(record, int)
            else count + 16 + offsets[record]
        ).to_bytes(4, "big")
        for node in nodes
        for record in node
    )
    metadata = {
        "node_count": count,
        "record_size": 32,
        "ip_version": 6,
        "database_type": "Test-ASN",
        "languages": [],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": built,
        "description": {"en": "test"},
    }
    return tree + bytes(16) + data + _MARKER + _encoded(metadata)


def _encoded(value: object) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, dict):
        pairs = b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
        return _control(7, len(value)) + pairs
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_encoded, value))
    assert isinstance(value, int)
    number = value.to_bytes(4, "big")
    return _control(6, len(number)) + number


def _control(kind: int, size: int) -> bytes:
    if size < 29:
        return bytes([kind << 5 | size])
    return bytes([kind << 5 | 29, size - 29])
