"""HTTP/2's frames and header fields as bytes: numbers, writing, and a client's faults (RFC 9113, RFC 7541).

`xds/http2.py` says what follows from them.
"""

from __future__ import annotations

import struct

from xds.wire import SMALL, varint

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    *range(3, 10),
)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR = 0x0, 0x1, 0x3, 0x6
REFUSED_STREAM, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x7, 0x9, 0xB

MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 5, 6

DEFAULT_WINDOW = 65_535
LARGEST_WINDOW = 2**31 - 1
FRAME_SIZE = 16_384  # what is received is never larger: the default, which we leave as it is

HEAD = struct.Struct(">BHBBL")  # length (high 8 bits, low 16), type, flags, stream
SETTING = struct.Struct(">HL")
NUMBER = struct.Struct(">L")
GRPC_HEAD = struct.Struct(">BL")  # compressed, length

RESPONSE_HEADERS = b"\x88\x0f\x10\x10application/grpc"  # ":status: 200" by index, content-type as a literal


class Http2Error(Exception):
    """The client broke HTTP/2: the connection ends with this GOAWAY code and words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


class CallError(Exception):
    """The client broke gRPC in one call, which ends with this gRPC status code and words."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return HEAD.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header that is not to be indexed, without Huffman codes (RFC 7541, 6.2.2)."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    octets = text.encode()
    if len(octets) < 127:
        return SMALL[len(octets)] + octets
    return b"\x7f" + varint(len(octets) - 127) + octets  # an integer with a 7-bit prefix (RFC 7541, 5.1)


def unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise Http2Error(PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def one_number(payload: bytes) -> int:
    if len(payload) != 4:
        raise Http2Error(FRAME_SIZE_ERROR, f"a frame of {len(payload)} octets, want 4")
    return int(NUMBER.unpack(payload)[0])
