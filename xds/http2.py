"""HTTP/2 and gRPC framing for a server's end of one connection, as a machine without I/O (RFC 9113, and RFC 7541 by
`hpack`; grpc.github.io, "gRPC over HTTP2").

It does what gRPC needs and no more: calls in, messages in and out, flow control both ways, a call's end in trailers.
What a client may make it hold is bounded: headers, messages, calls, and what was received and not taken yet.
docs/decisions/0030 says why this is ours.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias
from urllib.parse import quote

from hpack import Decoder, HPACKError

from xds.wire import SMALL, varint

Headers: TypeAlias = Sequence[tuple[str, str]]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PUSH_PROMISE, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = (
    0,
    1,
    *range(3, 10),
)
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR = 0x0, 0x1, 0x3, 0x6
REFUSED_STREAM, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0x7, 0x9, 0xB

_MAX_CONCURRENT_STREAMS, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE, _MAX_HEADER_LIST_SIZE = 3, 4, 5, 6

_DEFAULT_WINDOW = 65_535
_LARGEST_WINDOW = 2**31 - 1
_FRAME_SIZE = 16_384  # what is received is never larger: the default, which we leave as it is
_HEADERS_LIMIT = 16_384  # octets of one header block, and of its fields
_RESETS_LIMIT = 1_000  # calls that a client opens and resets on one connection ("rapid reset", CVE-2023-44487)

_head = struct.Struct(">BHBBL")  # length (high 8 bits, low 16), type, flags, stream
_setting = struct.Struct(">HL")
_number = struct.Struct(">L")
_grpc_head = struct.Struct(">BL")  # compressed, length

_RESPONSE_HEADERS = b"\x88\x0f\x10\x10application/grpc"  # ":status: 200" by index, content-type as a literal


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


class Calls(Protocol):
    """Who serves the calls. Each method is called at once, from within `receive`."""

    def on_call(self, stream: int, headers: Headers) -> None:
        """A client opens a call."""

    def on_message(self, stream: int, message: bytes) -> None:
        """A request. Whoever has taken it in calls `taken`."""

    def on_error(self, stream: int, error: CallError) -> None:
        """The client cannot be understood further on this call: want it ended."""

    def on_half_closed(self, stream: int) -> None:
        """The client has no more requests."""

    def on_reset(self, stream: int) -> None:
        """The client gave the call up; it is forgotten already."""

    def on_room(self, stream: int) -> None:
        """All that was sent on the call has gone out."""


class _Nobody:
    """Serves no call."""

    def on_call(self, stream: int, headers: Headers) -> None: ...

    def on_message(self, stream: int, message: bytes) -> None: ...

    def on_error(self, stream: int, error: CallError) -> None: ...

    def on_half_closed(self, stream: int) -> None: ...

    def on_reset(self, stream: int) -> None: ...

    def on_room(self, stream: int) -> None: ...


@dataclass(slots=True)
class _Call:
    """room: octets that the client's window lets us send. unsent: what waits for that. partial: the beginning of a
    message. waiting: octets of messages that are not taken yet. owed: received octets that the client's window was not
    given back for yet."""

    room: int
    unsent: bytearray = field(default_factory=bytearray)
    partial: bytes = b""
    waiting: int = 0
    owed: int = 0
    headers_sent: bool = False
    half_closed: bool = False
    trailers: bytes | None = None


class ServerConnection:
    """One client's connection.

    window: octets that a client may send ahead of being read, for each call and for all. max_message: octets of one
    request. `out` is what is to be written to the socket; who writes it takes it with `take_out`.
    """

    __slots__ = (
        "_calls",
        "_decoder",
        "_header_block",
        "_header_end_stream",
        "_header_stream",
        "_incoming",
        "_initial_room",
        "_last_stream",
        "_max_calls",
        "_max_message",
        "_out",
        "_owed",
        "_peer_frame_size",
        "_preface_seen",
        "_resets",
        "_room",
        "_server",
        "_window",
        "closing",
        "pings_answered",
    )

    def __init__(self, server: Calls, *, window: int, max_message: int, max_calls: int) -> None:
        self._server = server
        self._window = window
        self._max_message = max_message
        self._max_calls = max_calls
        self._calls: dict[int, _Call] = {}
        self._decoder: Decoder | None = None
        self._incoming = b""
        self._preface_seen = False
        self._header_stream = 0  # whose header block goes on in CONTINUATION frames; 0: none
        self._header_block = b""
        self._header_end_stream = False
        self._last_stream = 0
        self._initial_room = _DEFAULT_WINDOW
        self._peer_frame_size = _FRAME_SIZE
        self._room = _DEFAULT_WINDOW
        self._owed = 0
        self._resets = 0
        self.pings_answered = 0
        self.closing = False
        settings = (
            (_MAX_CONCURRENT_STREAMS, max_calls),
            (_INITIAL_WINDOW_SIZE, window),
            (_MAX_HEADER_LIST_SIZE, _HEADERS_LIMIT),
        )
        self._out = [_frame(_SETTINGS, 0, 0, b"".join(_setting.pack(*setting) for setting in settings))]
        if window > _DEFAULT_WINDOW:
            self._out.append(_frame(_WINDOW_UPDATE, 0, 0, _number.pack(window - _DEFAULT_WINDOW)))

    # --- out ---

    def take_out(self) -> bytes:
        """What is to be written now; b"" if nothing is."""
        out = self._out
        if not out:
            return b""
        taken = out[0] if len(out) == 1 else b"".join(out)
        self._out = []
        return taken

    @property
    def open_calls(self) -> int:
        return len(self._calls)

    def send(self, stream: int, message: bytes) -> bool:
        """Sends a response. Whether it has gone out; if not, the client's window is full: `on_room` follows."""
        call = self._calls[stream]
        if not call.headers_sent:
            call.headers_sent = True
            self._out.append(_frame(_HEADERS, _END_HEADERS, stream, _RESPONSE_HEADERS))
        size = len(message) + 5
        if not call.unsent and size <= call.room and size <= self._room and size <= self._peer_frame_size:
            self._out.append(
                _head.pack(size >> 16, size & 0xFFFF, _DATA, 0, stream) + _grpc_head.pack(0, size - 5) + message
            )
            call.room -= size
            self._room -= size
            return True
        call.unsent += _grpc_head.pack(0, len(message)) + message
        return self._flush(stream, call)

    def end(self, stream: int, code: int, words: str = "", trailing: Headers = ()) -> None:
        """Ends a call with a gRPC status, once all that was sent on it has gone out."""
        call = self._calls.get(stream)
        if call is None:
            return
        trailers = b"" if call.headers_sent else _RESPONSE_HEADERS
        trailers += _literal("grpc-status", str(code))
        if words:
            trailers += _literal("grpc-message", quote(words, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"))
        call.trailers = trailers + b"".join(_literal(name, value) for name, value in trailing)
        self._flush(stream, call)

    def reset(self, stream: int, code: int) -> None:
        """Drops a call at once."""
        if self._calls.pop(stream, None) is not None:
            self._out.append(_frame(_RST_STREAM, 0, stream, _number.pack(code)))

    def taken(self, stream: int, octets: int) -> None:
        """A request of so many octets was taken in: there is room for others."""
        call = self._calls.get(stream)
        if call is not None:
            call.waiting -= octets
            self._give_back(stream, call)

    def ping(self) -> None:
        """Asks for a sign of life: `pings_answered` counts up."""
        self._out.append(_frame(_PING, 0, 0, b"apg-mesh"))

    def abandon(self) -> None:
        """The connection is lost, and nobody serves its calls any more."""
        self._server = _Nobody()

    def go_away(self, code: int, words: str = "") -> None:
        """Takes no new calls; those that are open go on, if `code` is NO_ERROR."""
        self.closing = True
        payload = _number.pack(self._last_stream) + _number.pack(code) + words.encode()
        self._out.append(_frame(_GOAWAY, 0, 0, payload))

    # --- in ---

    def receive(self, octets: bytes) -> None:
        """What was read from the socket.

        Raises:
            Http2Error: the client broke the protocol; send it by `go_away` and close.
        """
        data = self._incoming + octets if self._incoming else octets
        place, end = 0, len(data)
        if not self._preface_seen:
            if not data.startswith(PREFACE[:end]):
                raise Http2Error(PROTOCOL_ERROR, "want the preface of HTTP/2")
            if end < len(PREFACE):
                self._incoming = data
                return
            self._preface_seen, place = True, len(PREFACE)
        while end - place >= 9:
            high, low, kind, flags, stream = _head.unpack_from(data, place)
            length = high << 16 | low
            if length > _FRAME_SIZE:
                raise Http2Error(FRAME_SIZE_ERROR, f"a frame of {length} octets, want at most {_FRAME_SIZE}")
            start, stop = place + 9, place + 9 + length
            if stop > end:
                break
            self._take(kind, flags, stream & 0x7FFF_FFFF, data[start:stop])
            place = stop
        self._incoming = data[place:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._header_stream and (kind != _CONTINUATION or stream != self._header_stream):
            raise Http2Error(PROTOCOL_ERROR, "want the rest of the header block before any other frame")
        if kind == _DATA:
            self._take_data(flags, stream, payload)
        elif kind == _HEADERS:
            self._take_headers(flags, stream, payload)
        elif kind == _CONTINUATION:
            if not self._header_stream:
                raise Http2Error(PROTOCOL_ERROR, "CONTINUATION without HEADERS")
            self._take_block(flags, stream, payload)
        elif kind == _WINDOW_UPDATE:
            self._take_window_update(stream, _one_number(payload))
        elif kind == _PING:
            self._take_ping(flags, payload)
        elif kind == _SETTINGS:
            self._take_settings(flags, payload)
        elif kind == _RST_STREAM:
            self._take_reset(stream, _one_number(payload))
        elif kind == _PUSH_PROMISE:
            raise Http2Error(PROTOCOL_ERROR, "a client pushes nothing")
        # Nothing follows from PRIORITY, from GOAWAY (a client may still end its calls) or from what is not known.

    def _take_data(self, flags: int, stream: int, payload: bytes) -> None:
        length = len(payload)
        self._owed += length
        if self._owed > self._window:
            raise Http2Error(FLOW_CONTROL_ERROR, "more than the connection's window")
        if self._owed * 2 >= self._window:
            # What a call may keep from being read counts against its own window alone.
            self._out.append(_frame(_WINDOW_UPDATE, 0, 0, _number.pack(self._owed)))
            self._owed = 0
        call = self._calls.get(stream)
        if call is None or call.half_closed:
            if stream == 0 or stream > self._last_stream:
                raise Http2Error(PROTOCOL_ERROR, f"DATA on stream {stream}, which is not open")
            return  # it crossed with our end of the call
        call.owed += length
        if call.owed > self._window:
            raise Http2Error(FLOW_CONTROL_ERROR, "more than the call's window")
        if flags & _PADDED:
            payload = _unpadded(payload)
        try:
            self._take_messages(stream, call, payload)
        except CallError as error:
            call.partial = b""
            self._server.on_error(stream, error)
            return
        if flags & _END_STREAM:
            self._half_close(stream, call)
        else:
            self._give_back(stream, call)

    def _take_messages(self, stream: int, call: _Call, payload: bytes) -> None:
        data = call.partial + payload if call.partial else payload
        place, end = 0, len(data)
        while end - place >= 5:
            compressed, length = _grpc_head.unpack_from(data, place)
            if compressed:
                raise CallError(12, "got a compressed message, want none: grpc-accept-encoding is identity")
            if length > self._max_message:
                raise CallError(8, f"got a message of {length} octets, want at most {self._max_message}")
            stop = place + 5 + length
            if stop > end:
                break
            call.waiting += length
            self._server.on_message(stream, data[place + 5 : stop])
            place = stop
        call.partial = data[place:]

    def _give_back(self, stream: int, call: _Call) -> None:
        """Lets the client send more, unless it is far ahead of being read."""
        if call.owed * 2 >= self._window and call.waiting * 2 < self._window and not call.half_closed:
            self._out.append(_frame(_WINDOW_UPDATE, 0, stream, _number.pack(call.owed)))
            call.owed = 0

    def _take_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & _PADDED:
            payload = _unpadded(payload)
        if flags & _PRIORITISED:
            payload = payload[5:]
        self._header_stream, self._header_block = stream, b""
        self._header_end_stream = bool(flags & _END_STREAM)
        self._take_block(flags, stream, payload)

    def _take_block(self, flags: int, stream: int, payload: bytes) -> None:
        self._header_block += payload
        if len(self._header_block) > _HEADERS_LIMIT:
            raise Http2Error(ENHANCE_YOUR_CALM, f"headers of more than {_HEADERS_LIMIT} octets")
        if not flags & _END_HEADERS:
            return
        block, self._header_stream, self._header_block = self._header_block, 0, b""
        if self._decoder is None:
            self._decoder = Decoder(max_header_list_size=_HEADERS_LIMIT)
        try:
            headers = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
        except (HPACKError, UnicodeDecodeError) as error:
            raise Http2Error(COMPRESSION_ERROR, f"headers that cannot be read: {error}") from error
        call = self._calls.get(stream)
        if call is not None:
            if not self._header_end_stream:
                raise Http2Error(PROTOCOL_ERROR, "a second header block that does not end the call")
            self._half_close(stream, call)
        elif stream > self._last_stream and stream % 2:
            self._open(stream, headers)
        elif stream == 0 or stream % 2 == 0:
            raise Http2Error(PROTOCOL_ERROR, f"HEADERS on stream {stream}, want an odd one")
        # else they crossed with our end of the call

    def _open(self, stream: int, headers: Headers) -> None:
        if self.closing or len(self._calls) >= self._max_calls:
            self._last_stream = max(self._last_stream, stream)
            self._out.append(_frame(_RST_STREAM, 0, stream, _number.pack(REFUSED_STREAM)))
            return
        self._last_stream = stream
        call = self._calls[stream] = _Call(room=self._initial_room)
        self._server.on_call(stream, headers)
        if self._header_end_stream:
            self._half_close(stream, call)

    def _half_close(self, stream: int, call: _Call) -> None:
        if not call.half_closed:
            call.half_closed = True
            if call.partial:
                self._server.on_error(stream, CallError(13, "the call ended within a message"))
            else:
                self._server.on_half_closed(stream)

    def _take_window_update(self, stream: int, increment: int) -> None:
        increment &= 0x7FFF_FFFF
        if not increment:
            raise Http2Error(PROTOCOL_ERROR, "a window update of 0")
        if stream == 0:
            self._room += increment
            if self._room > _LARGEST_WINDOW:
                raise Http2Error(FLOW_CONTROL_ERROR, "a window beyond 2**31 - 1")
            for number, call in list(self._calls.items()):
                if call.unsent:
                    self._resume(number, call)
            return
        call_or_none = self._calls.get(stream)
        if call_or_none is not None:
            call_or_none.room += increment
            if call_or_none.room > _LARGEST_WINDOW:
                raise Http2Error(FLOW_CONTROL_ERROR, "a window beyond 2**31 - 1")
            self._resume(stream, call_or_none)

    def _take_settings(self, flags: int, payload: bytes) -> None:
        if flags & _ACK:
            return
        if len(payload) % 6:
            raise Http2Error(FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} octets")
        for place in range(0, len(payload), 6):
            setting, value = _setting.unpack_from(payload, place)
            if setting == _INITIAL_WINDOW_SIZE:
                if value > _LARGEST_WINDOW:
                    raise Http2Error(FLOW_CONTROL_ERROR, "a window beyond 2**31 - 1")
                for call in self._calls.values():
                    call.room += value - self._initial_room
                self._initial_room = value
            elif setting == _MAX_FRAME_SIZE:
                self._peer_frame_size = min(max(value, _FRAME_SIZE), 1 << 20)
        self._out.append(_frame(_SETTINGS, _ACK, 0, b""))
        for number, call in list(self._calls.items()):
            self._resume(number, call)

    def _take_ping(self, flags: int, payload: bytes) -> None:
        if len(payload) != 8:
            raise Http2Error(FRAME_SIZE_ERROR, f"PING of {len(payload)} octets")
        if flags & _ACK:
            self.pings_answered += 1
        else:
            self._out.append(_frame(_PING, _ACK, 0, payload))

    def _take_reset(self, stream: int, code: int) -> None:
        if stream == 0 or stream > self._last_stream:
            raise Http2Error(PROTOCOL_ERROR, f"RST_STREAM {code} on stream {stream}, which was never open")
        if self._calls.pop(stream, None) is not None:
            self._server.on_reset(stream)
            self._resets += 1
            if self._resets > _RESETS_LIMIT:
                raise Http2Error(ENHANCE_YOUR_CALM, f"more than {_RESETS_LIMIT} calls given up")

    def _resume(self, stream: int, call: _Call) -> None:
        if call.unsent and self._flush(stream, call) and call.trailers is None:
            self._server.on_room(stream)

    def _flush(self, stream: int, call: _Call) -> bool:
        """Sends of what waits as much as the windows have room for, and the trailers behind it."""
        room = min(call.room, self._room, len(call.unsent))
        if room > 0:
            for start in range(0, room, self._peer_frame_size):
                chunk = bytes(call.unsent[start : min(start + self._peer_frame_size, room)])
                self._out.append(_frame(_DATA, 0, stream, chunk))
            del call.unsent[:room]
            call.room -= room
            self._room -= room
        if call.unsent:
            return False
        if call.trailers is not None:
            self._out.append(_frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, call.trailers))
            del self._calls[stream]
            if not call.half_closed:
                # The client may stop sending; what it has sent already is dropped (RFC 9113, 8.1).
                self._out.append(_frame(_RST_STREAM, 0, stream, _number.pack(NO_ERROR)))
        return True


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return _head.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def _literal(name: str, value: str) -> bytes:
    """A header that is not to be indexed, without Huffman codes (RFC 7541, 6.2.2)."""
    return b"\x00" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    octets = text.encode()
    if len(octets) < 127:
        return SMALL[len(octets)] + octets
    return b"\x7f" + varint(len(octets) - 127) + octets  # an integer with a 7-bit prefix (RFC 7541, 5.1)


def _unpadded(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise Http2Error(PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def _one_number(payload: bytes) -> int:
    if len(payload) != 4:
        raise Http2Error(FRAME_SIZE_ERROR, f"a frame of {len(payload)} octets, want 4")
    return int(_number.unpack(payload)[0])
