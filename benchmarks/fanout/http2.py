"""HTTP/2 and gRPC framing for one client with one call per connection, as a machine without I/O (RFC 9113).

A thousand clients in one process have to cost less than the server that they measure, so this holds just what a call
needs: one bidirectional stream, headers that are the same each time and written plainly, flow control both ways.
Headers that come in are not decoded, only looked at for the end of the call.
"""

from __future__ import annotations

import struct

from xds.wire import SMALL

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW_SIZE = 1, 2, 4
_DEFAULT_WINDOW = 65_535
_STREAM = 1

_head = struct.Struct(">BHBBL")  # length (high 8, low 16 bits), type, flags, stream
_setting = struct.Struct(">HL")
_number = struct.Struct(">L")
_grpc_head = struct.Struct(">BL")  # compressed, length


class Connection:
    """One connection with its one call. `out` is what is to be written to the socket; who writes it clears it.
    `ended` says why the call is over, once it is."""

    __slots__ = (
        "_connection_room",
        "_incoming",
        "_message",
        "_peer_initial",
        "_stream_room",
        "_unacknowledged",
        "_unsent",
        "_window",
        "ended",
        "out",
    )

    def __init__(self, path: str, *, window: int) -> None:
        """Opens the call of `path` at once. `window`: octets that the server may send ahead of being read."""
        self._window = window
        self._incoming = b""
        self._message = b""
        self._unacknowledged = 0
        self._peer_initial = _DEFAULT_WINDOW
        self._stream_room = _DEFAULT_WINDOW
        self._connection_room = _DEFAULT_WINDOW
        self._unsent = bytearray()
        self.ended: str | None = None
        settings = ((_HEADER_TABLE_SIZE, 0), (_ENABLE_PUSH, 0), (_INITIAL_WINDOW_SIZE, window))
        self.out = bytearray(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.out += _frame(_SETTINGS, 0, 0, b"".join(_setting.pack(*setting) for setting in settings))
        if window > _DEFAULT_WINDOW:
            self.out += _frame(_WINDOW_UPDATE, 0, 0, _number.pack(window - _DEFAULT_WINDOW))
        self.out += _frame(_HEADERS, _END_HEADERS, _STREAM, _request_headers(path))

    def send(self, message: bytes) -> None:
        """Sends a gRPC message as soon as the server's windows have room for it."""
        self._unsent += _grpc_head.pack(0, len(message)) + message
        self._flush()

    def receive(self, octets: bytes) -> list[bytes]:
        """The gRPC messages that `octets`, read from the socket, complete.

        Raises:
            ValueError: the server sent what such a client cannot be sent: padding, or a compressed message.
        """
        data = self._incoming + octets if self._incoming else octets
        messages: list[bytes] = []
        place, end = 0, len(data)
        while end - place >= 9:
            high, low, kind, flags, stream = _head.unpack_from(data, place)
            start, stop = place + 9, place + 9 + (high << 16 | low)
            if stop > end:
                break
            self._take(kind, flags, stream, data[start:stop], messages)
            place = stop
        self._incoming = data[place:]
        return messages

    def _take(self, kind: int, flags: int, stream: int, payload: bytes, messages: list[bytes]) -> None:
        if kind == _DATA:
            if flags & _PADDED:
                raise ValueError("a padded frame: want none")
            self._take_data(payload, messages)
        elif kind == _SETTINGS and not flags & _ACK:
            for place in range(0, len(payload), 6):
                setting, value = _setting.unpack_from(payload, place)
                if setting == _INITIAL_WINDOW_SIZE:
                    self._stream_room += value - self._peer_initial
                    self._peer_initial = value
            self.out += _frame(_SETTINGS, _ACK, 0, b"")
            self._flush()
        elif kind == _WINDOW_UPDATE:
            increment = _number.unpack(payload)[0]
            if stream:
                self._stream_room += increment
            else:
                self._connection_room += increment
            self._flush()
        elif kind == _PING and not flags & _ACK:
            self.out += _frame(_PING, _ACK, 0, payload)
        elif kind == _GOAWAY:
            self.ended = self.ended or f"GOAWAY {payload[8:].decode(errors='replace')}"
        elif kind == _RST_STREAM:
            self.ended = self.ended or f"RST_STREAM {_number.unpack(payload)[0]}"
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            self.ended = self.ended or f"the server ended the call: {payload!r}"

    def _take_data(self, payload: bytes, messages: list[bytes]) -> None:
        self._unacknowledged += len(payload)
        if self._unacknowledged * 2 >= self._window:
            for stream in (0, _STREAM):
                self.out += _frame(_WINDOW_UPDATE, 0, stream, _number.pack(self._unacknowledged))
            self._unacknowledged = 0
        data = self._message + payload if self._message else payload
        while len(data) >= 5:
            compressed, length = _grpc_head.unpack_from(data)
            if compressed:
                raise ValueError("a compressed message: want none")
            if len(data) < 5 + length:
                break
            messages.append(data[5 : 5 + length])
            data = data[5 + length :]
        self._message = data

    def _flush(self) -> None:
        room = min(self._stream_room, self._connection_room, len(self._unsent))
        for start in range(0, room, 16_384):  # the smallest that a server may limit a frame to
            self.out += _frame(_DATA, 0, _STREAM, bytes(self._unsent[start : min(start + 16_384, room)]))
        if room > 0:
            del self._unsent[:room]
            self._stream_room -= room
            self._connection_room -= room


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return _head.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def _request_headers(path: str) -> bytes:
    """HPACK (RFC 7541) without a table and without Huffman codes: ":method: POST" and ":scheme: http" by their static
    index, the others as literals."""
    return b"".join(
        (
            b"\x83\x86",
            b"\x04" + _text(path),
            b"\x01" + _text("localhost"),
            b"\x0f\x10" + _text("application/grpc"),  # content-type
            b"\x00" + _text("te") + _text("trailers"),
        )
    )


def _text(text: str) -> bytes:
    return SMALL[len(text)] + text.encode()  # shorter than 127 octets
