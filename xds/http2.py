"""HTTP/2 and gRPC framing for a server's end of one connection, as a machine without I/O (RFC 9113, and RFC 7541 by
`hpack`; grpc.github.io, "gRPC over HTTP2").

It does what gRPC needs and no more: calls in, messages in and out, flow control both ways, a call's end in trailers.
What a client may make it hold is bounded: headers, messages, calls, and what was received and not taken yet; and what
it may have it do for nothing. docs/decisions/0030 says why this is ours.
"""

from __future__ import annotations

from urllib.parse import quote

from hpack import Decoder, HPACKError
from hpack.exceptions import OversizedHeaderListError

from xds.http2_calls import Call, Calls, Headers, Nobody
from xds.http2_frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE,
    FRAME_SIZE_ERROR,
    GOAWAY,
    GRPC_HEAD,
    HEAD,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_WINDOW,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    NO_ERROR,
    NUMBER,
    PADDED,
    PING,
    PREFACE,
    PRIORITISED,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RESPONSE_HEADERS,
    RST_STREAM,
    SETTING,
    SETTINGS,
    WINDOW_UPDATE,
    CallError,
    Http2Error,
    frame,
    literal,
    one_number,
    unpadded,
)

_HEADERS_LIMIT = 16_384  # octets of one header block, and of its fields
_WORDS_LIMIT = 1_000  # characters of a status or a GOAWAY; they may repeat what the client said
_LARGE_REQUEST = 1 << 16  # octets
_LARGE_REQUESTS = 4  # of the largest size at once on one connection, half received

# Between two of our pings:
_RESETS_LIMIT = 1_000  # calls opened in vain: given up ("rapid reset", CVE-2023-44487), or at fault (CVE-2025-8671)
_IDLE_LIMIT = 10_000  # frames from which nothing follows: PING, SETTINGS, CONTINUATION, DATA without any (CVE-2019-9512
# and what came after it)


class ServerConnection:
    """One client's connection.

    window: octets that a client may send ahead of being read, for each call and for all. max_message: octets of one
    request. `out` is what is to be written to the socket; who writes it takes it with `take_out`.
    """

    __slots__ = (
        "_blocked",
        "_calls",
        "_decoder",
        "_header_block",
        "_header_end_stream",
        "_header_stream",
        "_idle",
        "_incoming",
        "_initial_room",
        "_last_stream",
        "_max_calls",
        "_max_message",
        "_out",
        "_owed",
        "_peer_frame_size",
        "_resets",
        "_room",
        "_server",
        "_window",
        "closing",
        "preface_seen",
    )

    def __init__(self, server: Calls, *, window: int, max_message: int, max_calls: int) -> None:
        self._server = server
        self._window = window
        self._max_message = max_message
        self._max_calls = max_calls
        self._calls: dict[int, Call] = {}
        self._decoder: Decoder | None = None
        self._incoming = b""
        self.preface_seen = False  # the client speaks HTTP/2
        self._header_stream = 0  # whose header block goes on in CONTINUATION frames; 0: none
        self._header_block = b""
        self._header_end_stream = False
        self._last_stream = 0
        self._initial_room = DEFAULT_WINDOW
        self._peer_frame_size = FRAME_SIZE
        self._room = DEFAULT_WINDOW
        self._owed = 0
        self._resets = 0
        self._idle = 0
        self._blocked: dict[int, Call] = {}  # those with something unsent
        self.closing = False
        settings = (
            (MAX_CONCURRENT_STREAMS, max_calls),
            (INITIAL_WINDOW_SIZE, window),
            (MAX_HEADER_LIST_SIZE, _HEADERS_LIMIT),
        )
        self._out = [frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*setting) for setting in settings))]
        if window > DEFAULT_WINDOW:
            self._out.append(frame(WINDOW_UPDATE, 0, 0, NUMBER.pack(window - DEFAULT_WINDOW)))

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
            self._out.append(frame(HEADERS, END_HEADERS, stream, RESPONSE_HEADERS))
        size = len(message) + 5
        if not call.unsent and size <= call.room and size <= self._room and size <= self._peer_frame_size:
            self._out.append(
                HEAD.pack(size >> 16, size & 0xFFFF, DATA, 0, stream) + GRPC_HEAD.pack(0, size - 5) + message
            )
            call.room -= size
            self._room -= size
            return True
        call.unsent += GRPC_HEAD.pack(0, len(message)) + message
        self._blocked[stream] = call
        return self._flush(stream, call)

    def is_blocked(self, stream: int) -> bool:
        """Whether something that was sent on the call has not gone out yet."""
        return stream in self._blocked

    def end(self, stream: int, code: int, words: str = "", trailing: Headers = ()) -> None:
        """Ends a call with a gRPC status, once all that was sent on it has gone out."""
        call = self._calls.get(stream)
        if call is None:
            return
        trailers = b"" if call.headers_sent else RESPONSE_HEADERS
        trailers += literal("grpc-status", str(code))
        if words:
            trailers += literal("grpc-message", quote(_clipped(words), safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"))
        call.trailers = trailers + b"".join(literal(name, value) for name, value in trailing)
        self._flush(stream, call)

    def reset(self, stream: int, code: int) -> None:
        """Drops a call at once."""
        if self._forget(stream):
            self._out.append(frame(RST_STREAM, 0, stream, NUMBER.pack(code)))

    def taken(self, stream: int, octets: int) -> None:
        """A request of so many octets was taken in: there is room for others."""
        call = self._calls.get(stream)
        if call is not None:
            call.waiting -= octets
            self._give_back(stream, call)

    def ping(self) -> None:
        """Asks for a sign of life. What a client may do in vain is counted from here."""
        self._resets = self._idle = 0
        self._out.append(frame(PING, 0, 0, b"apg-mesh"))

    def abandon(self) -> None:
        """The connection is lost, and nobody serves its calls any more."""
        self._server = Nobody()

    def go_away(self, code: int, words: str = "") -> None:
        """Takes no new calls; those that are open go on, if `code` is NO_ERROR."""
        self.closing = True
        payload = NUMBER.pack(self._last_stream) + NUMBER.pack(code) + _clipped(words).encode()
        self._out.append(frame(GOAWAY, 0, 0, payload))

    # --- in ---

    def receive(self, octets: bytes) -> None:
        """What was read from the socket.

        Raises:
            Http2Error: the client broke the protocol; send it by `go_away` and close.
        """
        data = self._incoming + octets if self._incoming else octets
        place, end = 0, len(data)
        if not self.preface_seen:
            if not data.startswith(PREFACE[:end]):
                raise Http2Error(PROTOCOL_ERROR, "want the preface of HTTP/2")
            if end < len(PREFACE):
                self._incoming = data
                return
            self.preface_seen, place = True, len(PREFACE)
        while end - place >= 9:
            high, low, kind, flags, stream = HEAD.unpack_from(data, place)
            length = high << 16 | low
            if length > FRAME_SIZE:
                raise Http2Error(FRAME_SIZE_ERROR, f"a frame of {length} octets, want at most {FRAME_SIZE}")
            start, stop = place + 9, place + 9 + length
            if stop > end:
                break
            self._take(kind, flags, stream & 0x7FFF_FFFF, data[start:stop])
            place = stop
        self._incoming = data[place:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if self._header_stream and (kind != CONTINUATION or stream != self._header_stream):
            raise Http2Error(PROTOCOL_ERROR, "want the rest of the header block before any other frame")
        if kind == DATA:
            self._take_data(flags, stream, payload)
        elif kind == HEADERS:
            self._take_headers(flags, stream, payload)
        elif kind == CONTINUATION:
            if not self._header_stream:
                raise Http2Error(PROTOCOL_ERROR, "CONTINUATION without HEADERS")
            self._take_block(flags, stream, payload)
        elif kind == WINDOW_UPDATE:
            self._take_window_update(stream, one_number(payload))
        elif kind == PING:
            self._take_ping(flags, payload)
        elif kind == SETTINGS:
            self._take_settings(flags, payload)
        elif kind == RST_STREAM:
            self._take_reset(stream, one_number(payload))
        elif kind == PUSH_PROMISE:
            raise Http2Error(PROTOCOL_ERROR, "a client pushes nothing")
        else:  # PRIORITY, GOAWAY (a client may still end its calls), and what is not known
            self._in_vain()

    def _take_data(self, flags: int, stream: int, payload: bytes) -> None:
        length = len(payload)
        self._owed += length
        if self._owed > self._window:
            raise Http2Error(FLOW_CONTROL_ERROR, "more than the connection's window")
        if self._owed * 2 >= self._window:
            # What a call may keep from being read counts against its own window alone.
            self._out.append(frame(WINDOW_UPDATE, 0, 0, NUMBER.pack(self._owed)))
            self._owed = 0
        if not length and not flags & END_STREAM:
            self._in_vain()
        call = self._calls.get(stream)
        if call is None or call.half_closed:
            if stream == 0 or stream > self._last_stream:
                raise Http2Error(PROTOCOL_ERROR, f"DATA on stream {stream}, which is not open")
            return  # it crossed with our end of the call
        call.owed += length
        if call.owed > self._window:
            raise Http2Error(FLOW_CONTROL_ERROR, "more than the call's window")
        if flags & PADDED:
            payload = unpadded(payload)
        try:
            self._take_messages(stream, call, payload)
        except CallError as error:
            call.partial, call.wanted = bytearray(), 0
            self._server.on_error(stream, error)
            self._given_up()
            return
        if flags & END_STREAM:
            self._half_close(stream, call)
        else:
            self._give_back(stream, call)

    def _take_messages(self, stream: int, call: Call, payload: bytes) -> None:
        before = call.wanted
        for message in call.messages(payload, self._max_message):
            call.waiting += len(message)
            self._idle = 0
            self._server.on_message(stream, message)
        if call.wanted > _LARGE_REQUEST and call.wanted != before:
            self._check_large()

    def _check_large(self) -> None:
        """Before another large request is received further: those of a connection are held together."""
        most, held = _LARGE_REQUESTS * self._max_message, sum(call.wanted for call in self._calls.values())
        if held > most:
            raise CallError(
                8, f"got the beginnings of {held} octets of messages, want at most {most} on one connection"
            )

    def _give_back(self, stream: int, call: Call) -> None:
        """Lets the client send more, unless it is far ahead of being read."""
        if call.owed * 2 >= self._window and call.waiting * 2 < self._window and not call.half_closed:
            self._out.append(frame(WINDOW_UPDATE, 0, stream, NUMBER.pack(call.owed)))
            call.owed = 0

    def _take_headers(self, flags: int, stream: int, payload: bytes) -> None:
        if flags & PADDED:
            payload = unpadded(payload)
        if flags & PRIORITISED:
            if len(payload) < 5:
                raise Http2Error(FRAME_SIZE_ERROR, f"HEADERS of {len(payload)} octets with a priority, want 5 or more")
            payload = payload[5:]
        self._header_stream, self._header_block = stream, b""
        self._header_end_stream = bool(flags & END_STREAM)
        self._take_block(flags, stream, payload)

    def _take_block(self, flags: int, stream: int, payload: bytes) -> None:
        self._header_block += payload
        if len(self._header_block) > _HEADERS_LIMIT:
            raise Http2Error(ENHANCE_YOUR_CALM, f"headers of more than {_HEADERS_LIMIT} octets")
        if not flags & END_HEADERS:
            self._in_vain()
            return
        block, self._header_stream, self._header_block = self._header_block, 0, b""
        if self._decoder is None:
            self._decoder = Decoder(max_header_list_size=_HEADERS_LIMIT)
        try:
            headers = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
        except OversizedHeaderListError as error:
            raise Http2Error(ENHANCE_YOUR_CALM, f"headers that unfold to more than {_HEADERS_LIMIT} octets") from error
        except (HPACKError, UnicodeDecodeError) as error:
            raise Http2Error(COMPRESSION_ERROR, f"headers that cannot be read: {str(error)[:100]}") from error
        call = self._calls.get(stream)
        if call is not None:
            if not self._header_end_stream:
                raise Http2Error(PROTOCOL_ERROR, "a second header block that does not end the call")
            self._half_close(stream, call)
        elif stream > self._last_stream and stream % 2:
            self._open(stream, headers)
        elif stream == 0 or stream % 2 == 0:
            raise Http2Error(PROTOCOL_ERROR, f"HEADERS on stream {stream}, want an odd one")
        else:
            self._in_vain()  # they crossed with our end of the call

    def _open(self, stream: int, headers: Headers) -> None:
        if self.closing or len(self._calls) >= self._max_calls:
            self._last_stream = max(self._last_stream, stream)
            self._out.append(frame(RST_STREAM, 0, stream, NUMBER.pack(REFUSED_STREAM)))
            self._given_up()
            return
        self._last_stream = stream
        call = self._calls[stream] = Call(room=self._initial_room)
        self._server.on_call(stream, headers)
        if self._header_end_stream:
            self._half_close(stream, call)

    def _half_close(self, stream: int, call: Call) -> None:
        if not call.half_closed:
            call.half_closed = True
            if call.partial:
                self._server.on_error(stream, CallError(13, "the call ended within a message"))
                self._given_up()
            else:
                self._server.on_half_closed(stream)

    def _take_window_update(self, stream: int, increment: int) -> None:
        increment &= 0x7FFF_FFFF
        if not increment:
            raise Http2Error(PROTOCOL_ERROR, "a window update of 0")
        if stream == 0:
            self._room += increment
            if self._room > LARGEST_WINDOW:
                raise Http2Error(FLOW_CONTROL_ERROR, "a window beyond 2**31 - 1")
            self._resume_all()
            return
        call_or_none = self._calls.get(stream)
        if call_or_none is not None:
            call_or_none.room += increment
            if call_or_none.room > LARGEST_WINDOW:
                raise Http2Error(FLOW_CONTROL_ERROR, "a window beyond 2**31 - 1")
            self._resume(stream, call_or_none)

    def _take_settings(self, flags: int, payload: bytes) -> None:
        self._in_vain()
        if flags & ACK:
            return
        if len(payload) % 6:
            raise Http2Error(FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} octets")
        room = self._initial_room
        for place in range(0, len(payload), 6):
            setting, value = SETTING.unpack_from(payload, place)
            if setting == INITIAL_WINDOW_SIZE:
                if value > LARGEST_WINDOW:
                    raise Http2Error(FLOW_CONTROL_ERROR, "a window beyond 2**31 - 1")
                room = value
            elif setting == MAX_FRAME_SIZE:
                self._peer_frame_size = min(max(value, FRAME_SIZE), 1 << 20)
        self._out.append(frame(SETTINGS, ACK, 0, b""))
        if room != self._initial_room:  # once for a frame, which may hold thousands
            for call in self._calls.values():
                call.room += room - self._initial_room
                if call.room > LARGEST_WINDOW:
                    raise Http2Error(FLOW_CONTROL_ERROR, "a window beyond 2**31 - 1")
            self._initial_room = room
            self._resume_all()

    def _take_ping(self, flags: int, payload: bytes) -> None:
        if len(payload) != 8:
            raise Http2Error(FRAME_SIZE_ERROR, f"PING of {len(payload)} octets")
        self._in_vain()
        if not flags & ACK:
            self._out.append(frame(PING, ACK, 0, payload))

    def _take_reset(self, stream: int, code: int) -> None:
        if stream == 0 or stream > self._last_stream:
            raise Http2Error(PROTOCOL_ERROR, f"RST_STREAM {code} on stream {stream}, which was never open")
        if self._forget(stream):
            self._server.on_reset(stream)
            self._given_up()
        else:
            self._in_vain()

    def _in_vain(self) -> None:
        """A frame from which nothing follows."""
        self._idle += 1
        if self._idle > _IDLE_LIMIT:
            raise Http2Error(ENHANCE_YOUR_CALM, f"more than {_IDLE_LIMIT} frames that ask for nothing")

    def _given_up(self) -> None:
        """A call was opened in vain."""
        self._resets += 1
        if self._resets > _RESETS_LIMIT:
            raise Http2Error(ENHANCE_YOUR_CALM, f"more than {_RESETS_LIMIT} calls given up")

    def _forget(self, stream: int) -> bool:
        """Whether there was such a call."""
        self._blocked.pop(stream, None)
        return self._calls.pop(stream, None) is not None

    def _resume_all(self) -> None:
        for stream, call in list(self._blocked.items()):
            if self._room <= 0:
                break
            self._resume(stream, call)

    def _resume(self, stream: int, call: Call) -> None:
        if call.unsent and self._flush(stream, call) and call.trailers is None:
            self._server.on_room(stream)

    def _flush(self, stream: int, call: Call) -> bool:
        """Sends of what waits as much as the windows have room for, and the trailers behind it."""
        room = min(call.room, self._room, len(call.unsent))
        if room > 0:
            for start in range(0, room, self._peer_frame_size):
                chunk = bytes(call.unsent[start : min(start + self._peer_frame_size, room)])
                self._out.append(frame(DATA, 0, stream, chunk))
            del call.unsent[:room]
            call.room -= room
            self._room -= room
        if call.unsent:
            return False
        self._blocked.pop(stream, None)
        if call.trailers is not None:
            self._out.append(frame(HEADERS, END_HEADERS | END_STREAM, stream, call.trailers))
            self._forget(stream)
            if not call.half_closed:
                # The client may stop sending; what it has sent already is dropped (RFC 9113, 8.1).
                self._out.append(frame(RST_STREAM, 0, stream, NUMBER.pack(NO_ERROR)))
        return True


def _clipped(words: str) -> str:
    return words if len(words) <= _WORDS_LIMIT else words[:_WORDS_LIMIT] + "…"
