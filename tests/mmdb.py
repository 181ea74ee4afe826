"""A file of countries in MaxMind's format (MaxMind DB 2.0), small enough to write by hand."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"
_SEPARATOR = 16  # zero bytes between tree and data
_TYPES = {"string": 2, "uint16": 5, "uint32": 6, "map": 7, "uint64": 9, "array": 11}


def write_countries(path: Path, countries: Mapping[str, str]) -> None:
    """Writes `path`. countries: ISO codes by IPv4 network, "192.0.2.0/24"; networks must not overlap."""
    nodes: list[list[Any]] = [[None, None]]
    data = b""
    for network, code in countries.items():
        parsed = ipaddress.IPv4Network(network)
        bits = f"{int(parsed.network_address):032b}"[: parsed.prefixlen]
        node = 0
        for bit in bits[:-1]:
            if nodes[node][int(bit)] is None:
                nodes.append([None, None])
                nodes[node][int(bit)] = len(nodes) - 1
            node = nodes[node][int(bit)]
        nodes[node][int(bits[-1])] = ("data", len(data))
        data += _map({"country": _map({"iso_code": _string(code)})})
    tree = b"".join(_record(child, len(nodes)).to_bytes(3, "big") for node in nodes for child in node)
    metadata = _map(
        {
            "binary_format_major_version": _number("uint16", 2),
            "binary_format_minor_version": _number("uint16", 0),
            "build_epoch": _number("uint64", 1_700_000_000),
            "database_type": _string("GeoLite2-Country"),
            "description": _map({"en": _string("test")}),
            "ip_version": _number("uint16", 4),
            "languages": _control("array", 1) + _string("en"),
            "node_count": _number("uint32", len(nodes)),
            "record_size": _number("uint16", 24),
        }
    )
    path.write_bytes(tree + bytes(_SEPARATOR) + data + _MARKER + metadata)


def _record(child: Any, node_count: int) -> int:
    """A node's number; `node_count`: nothing; beyond that, an offset into the data."""
    if child is None:
        return node_count
    return child if isinstance(child, int) else node_count + _SEPARATOR + int(child[1])


def _control(kind: str, size: int) -> bytes:
    assert size < 29
    number = _TYPES[kind]
    return bytes([number << 5 | size]) if number < 8 else bytes([size, number - 7])


def _string(text: str) -> bytes:
    assert len(text) < 29
    return _control("string", len(text)) + text.encode()


def _number(kind: str, value: int) -> bytes:
    encoded = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return _control(kind, len(encoded)) + encoded


def _map(fields: Mapping[str, bytes]) -> bytes:
    return _control("map", len(fields)) + b"".join(_string(key) + value for key, value in fields.items())
