"""Protobuf's wire format, as much of it as writing needs (protobuf.dev, "Encoding"): values and fields as bytes.

`xds.encoder` compiles message classes to calls of these; responses are assembled with them from encoded resources.
A value that its type cannot carry raises TypeError, ValueError or struct.error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

SMALL: tuple[bytes, ...] = tuple(bytes((value,)) for value in range(128))
"""The varints of one byte, by value."""


def varint(value: int) -> bytes:
    """`value` (0 or more) in base 128, least significant group first."""
    if 0 <= value < 128:
        return SMALL[value]
    # Two and three bytes hold nearly all lengths, weights and ports.
    if 0 <= value < 16_384:
        return bytes((value & 127 | 128, value >> 7))
    if 0 <= value < 2_097_152:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


@cache
def tag(number: int, wire_type: int) -> bytes:
    """The key in front of a field."""
    return varint(number << 3 | wire_type)


@cache
def prefixes(number: int, wire_type: int) -> tuple[bytes, ...]:
    """The tag followed by each varint of one byte: the whole of a small number's field, or what stands in front of a
    short payload."""
    key = tag(number, wire_type)
    return tuple(key + small for small in SMALL)


def length_delimited(number: int, payload: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return tag(number, LENGTH_DELIMITED) + varint(len(payload)) + payload


def string(number: int, text: str) -> bytes:
    """A text field; nothing for "", which is its default."""
    return length_delimited(number, text.encode()) if text else b""


def uint32(value: int) -> bytes:
    return varint(_within(value, 0, 0xFFFF_FFFF))


def uint64(value: int) -> bytes:
    return varint(_within(value, 0, 0xFFFF_FFFF_FFFF_FFFF))


def int32(value: int) -> bytes:
    """Also an enum's value. A negative number takes ten bytes: it is written as its 64-bit two's complement."""
    return varint(_within(value, -0x8000_0000, 0x7FFF_FFFF) & 0xFFFF_FFFF_FFFF_FFFF)


def int64(value: int) -> bytes:
    return varint(_within(value, -0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF) & 0xFFFF_FFFF_FFFF_FFFF)


def sint32(value: int) -> bytes:
    return varint((_within(value, -0x8000_0000, 0x7FFF_FFFF) << 1 ^ value >> 31) & 0xFFFF_FFFF)


def sint64(value: int) -> bytes:
    wide = _within(value, -0x8000_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF)
    return varint((wide << 1 ^ wide >> 63) & 0xFFFF_FFFF_FFFF_FFFF)


def boolean(value: bool) -> bytes:
    if value is True:
        return b"\x01"
    if value is False:
        return b"\x00"
    raise TypeError(f"{value!r} is not a bool")


def octets(value: bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise TypeError(f"{value!r} is not bytes")


fixed32: Callable[[int], bytes] = struct.Struct("<I").pack
fixed64: Callable[[int], bytes] = struct.Struct("<Q").pack
sfixed32: Callable[[int], bytes] = struct.Struct("<i").pack
sfixed64: Callable[[int], bytes] = struct.Struct("<q").pack
float32: Callable[[float], bytes] = struct.Struct("<f").pack
float64: Callable[[float], bytes] = struct.Struct("<d").pack


def _within(value: int, low: int, high: int) -> int:
    if low <= value <= high:
        return value
    raise ValueError(f"{value} is not within {low} to {high}")
