"""
Writes a small file in MaxMind's format.

Source: maxmind.github.io/MaxMind-DB (binary search tree, data section, metadata).
"""

import ipaddress
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_UINT16, _UINT32, _UINT64 = 5, 6, 9
_SIZES = {_UINT16: 2, _UINT32: 4, _UINT64: 8}


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
        "record_size": (_UINT16, 32),
        "ip_version": (_UINT16, 6),
        "database_type": "Test-ASN",
        "languages": [],
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, built),
        "description": {"en": "test"},
    }
    return tree + bytes(16) + data + _MARKER + _encoded(metadata)


def _encoded(value: Any) -> bytes:
    """A value; a number has its kind beside it, where it is not the usual one."""
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, dict):
        pairs = b"".join(_encoded(k) + _encoded(v) for k, v in value.items())
        return _control(7, len(value)) + pairs
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_encoded, value))
    kind, number = value if isinstance(value, tuple) else (_UINT32, value)
    raw = number.to_bytes(_SIZES[kind], "big")
    if kind > 7:
        return bytes([len(raw), kind - 7]) + raw
    return _control(kind, len(raw)) + raw


def _control(kind: int, size: int) -> bytes:
    if size < 29:
        return bytes([kind << 5 | size])
    return bytes([kind << 5 | 29, size - 29])
