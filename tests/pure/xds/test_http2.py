"""The server's HTTP/2 machine against the client of another implementation (`h2`), and against nonsense."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xds.http2 import ServerConnection
from xds.http2_calls import Call, Headers
from xds.http2_frames import (
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    NO_ERROR,
    PREFACE,
    PROTOCOL_ERROR,
    CallError,
    Http2Error,
)

REQUEST: Headers = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/service/Method"),
    (":authority", "mesh"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
)


def framed(message: bytes) -> bytes:
    return struct.pack(">BL", 0, len(message)) + message


@dataclass
class Served:
    """What the machine told its owner. Requests are taken at once while `takes`."""

    connection: ServerConnection = field(init=False)
    takes: bool = True
    calls: dict[int, Headers] = field(default_factory=dict)
    requests: dict[int, list[bytes]] = field(default_factory=dict)
    errors: dict[int, CallError] = field(default_factory=dict)
    half_closed: set[int] = field(default_factory=set)
    reset: set[int] = field(default_factory=set)
    with_room: list[int] = field(default_factory=list)

    def on_call(self, stream: int, headers: Headers) -> None:
        self.calls[stream] = headers
        self.requests[stream] = []

    def on_message(self, stream: int, message: bytes) -> None:
        self.requests[stream].append(message)
        if self.takes:
            self.connection.taken(stream, len(message))

    def on_error(self, stream: int, error: CallError) -> None:
        self.errors[stream] = error
        self.connection.end(stream, error.code, str(error))

    def on_half_closed(self, stream: int) -> None:
        self.half_closed.add(stream)

    def on_reset(self, stream: int) -> None:
        self.reset.add(stream)

    def on_room(self, stream: int) -> None:
        self.with_room.append(stream)


class Pair:
    """The machine, and h2's client, joined by memory."""

    def __init__(
        self, *, window: int = 1 << 20, max_message: int = 1 << 22, max_calls: int = 100, chunk: int = 0
    ) -> None:
        self.served = Served()
        self.server = ServerConnection(self.served, window=window, max_message=max_message, max_calls=max_calls)
        self.served.connection = self.server
        self.client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.client.initiate_connection()
        self.events: list[h2.events.Event] = []
        self._chunk = chunk

    def settle(self) -> None:
        """Carries octets both ways until there are no more; the server reads at most `chunk` at a time."""
        while True:
            there, back = self.client.data_to_send(), self.server.take_out()
            if not there and not back:
                return
            for start in range(0, len(there), self._chunk or len(there) or 1):
                self.server.receive(there[start : start + (self._chunk or len(there))])
            self.events += self.client.receive_data(back)

    def open(self) -> int:
        stream = int(self.client.get_next_available_stream_id())
        self.client.send_headers(stream, list(REQUEST))
        self.settle()
        return stream

    def received(self, stream: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream and event.data is not None
        )

    def trailers(self, stream: int) -> dict[str, str]:
        for event in self.events:
            if not isinstance(event, h2.events.TrailersReceived | h2.events.ResponseReceived):
                continue
            if event.stream_id == stream and event.headers is not None:
                headers = {_text(name): _text(value) for name, value in event.headers}
                if "grpc-status" in headers:
                    return headers
        return {}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def test_a_call_goes_both_ways_and_ends_with_its_status() -> None:
    pair = Pair()
    stream = pair.open()
    pair.client.send_data(stream, framed(b"ask") + framed(b""))
    pair.settle()
    assert pair.served.requests[stream] == [b"ask", b""]
    assert dict(pair.served.calls[stream]) == dict(REQUEST)
    assert pair.server.send(stream, b"answer")
    pair.server.end(stream, 3, "100% wrong: é")
    pair.settle()
    assert pair.received(stream) == framed(b"answer")
    assert pair.trailers(stream) == {"grpc-status": "3", "grpc-message": "100%25 wrong: %C3%A9"}
    assert pair.server.open_calls == 0


def test_a_call_that_ends_without_a_response_sends_headers_and_status_at_once() -> None:
    pair = Pair()
    stream = pair.open()
    pair.server.end(stream, 12, "not here")
    pair.settle()
    assert pair.trailers(stream)["grpc-status"] == "12"
    assert pair.trailers(stream)[":status"] == "200"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=300_000), max_size=4),
    st.lists(st.binary(max_size=300_000), max_size=4),
    st.integers(1, 70_000),
    st.sampled_from([1_000, 65_535, 1 << 20]),
)
def test_all_messages_arrive_whole_and_in_order_whatever_the_windows(
    requests: Sequence[bytes], responses: Sequence[bytes], chunk: int, client_window: int
) -> None:
    pair = Pair(window=100_000, chunk=chunk)
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: client_window})
    stream = pair.open()
    for response in responses:
        pair.server.send(stream, response)
    left = b"".join(map(framed, requests))
    while left:
        room = min(pair.client.local_flow_control_window(stream), pair.client.max_outbound_frame_size, len(left))
        assert room > 0, "the window is never given back"
        pair.client.send_data(stream, left[:room])
        left = left[room:]
        pair.settle()
    for _ in range(10_000):
        if len(pair.received(stream)) == sum(len(response) + 5 for response in responses):
            break
        owed = len(pair.received(stream))
        pair.client.acknowledge_received_data(client_window // 2 + 1, stream)
        pair.settle()
        assert len(pair.received(stream)) > owed
    assert pair.served.requests[stream] == list(requests)
    assert pair.received(stream) == b"".join(map(framed, responses))


def test_what_waits_for_the_window_goes_before_the_end_of_the_call() -> None:
    pair = Pair()
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    stream = pair.open()
    assert not pair.server.send(stream, bytes(100))
    pair.server.end(stream, 0)
    pair.settle()
    assert pair.trailers(stream) == {}
    pair.client.increment_flow_control_window(200, stream)
    pair.settle()
    assert pair.received(stream) == framed(bytes(100))
    assert pair.trailers(stream) == {"grpc-status": "0"}


def test_room_is_told_once_all_has_gone_out() -> None:
    pair = Pair()
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 10})
    stream = pair.open()
    pair.server.send(stream, bytes(100))
    pair.settle()
    assert pair.served.with_room == []
    pair.client.increment_flow_control_window(200, stream)
    pair.settle()
    assert pair.served.with_room == [stream]


def test_a_client_that_is_not_read_has_to_stop_and_may_go_on_when_it_is() -> None:
    pair = Pair(window=1_000)
    pair.served.takes = False
    stream = pair.open()
    sent = 0
    while (room := pair.client.local_flow_control_window(stream)) >= 105 and sent < 100:
        pair.client.send_data(stream, framed(bytes(100)))
        pair.settle()
        sent += 1
    assert sent < 12
    for message in pair.served.requests[stream]:
        pair.server.taken(stream, len(message))
    pair.settle()
    assert pair.client.local_flow_control_window(stream) > max(room, 500)


def test_a_call_that_the_client_gives_up_is_forgotten() -> None:
    pair = Pair()
    stream = pair.open()
    pair.client.reset_stream(stream)
    pair.settle()
    assert pair.served.reset == {stream}
    assert pair.server.open_calls == 0
    pair.server.end(stream, 0)  # too late, and harmless
    pair.settle()


def test_calls_beyond_the_limit_are_refused_and_others_go_on() -> None:
    pair = Pair(max_calls=1)
    stream = pair.open()
    pair.server.receive(headers_frame(3))
    assert list(pair.served.calls) == [stream]
    assert pair.server.take_out() == frame(3, 0, 3, struct.pack(">L", 7))


def test_no_new_calls_after_going_away_but_open_ones_end_well() -> None:
    pair = Pair()
    stream = pair.open()
    pair.server.go_away(NO_ERROR)
    pair.server.receive(headers_frame(3))
    assert list(pair.served.calls) == [stream]
    pair.server.send(stream, b"last")
    pair.server.end(stream, 0)
    taken = pair.server.take_out()  # not given to h2, which ends a connection at any GOAWAY
    assert framed(b"last") in taken
    assert pair.server.open_calls == 0


def test_half_of_a_message_is_an_error_in_words() -> None:
    pair = Pair()
    stream = pair.open()
    pair.client.send_data(stream, framed(b"half")[:-1], end_stream=True)
    pair.settle()
    assert pair.trailers(stream)["grpc-status"] == "13"


@pytest.mark.parametrize(
    ("octets", "status", "words"),
    [
        (b"\x01\x00\x00\x00\x00", "12", "compressed"),
        (struct.pack(">BL", 0, 2**31), "8", "2147483648"),
    ],
)
def test_a_message_that_cannot_be_taken_ends_its_call_alone(octets: bytes, status: str, words: str) -> None:
    pair = Pair()
    stream, other = pair.open(), pair.open()
    pair.client.send_data(stream, octets)
    pair.settle()
    assert pair.trailers(stream)["grpc-status"] == status
    assert words in pair.trailers(stream)["grpc-message"]
    pair.client.send_data(other, framed(b"still here"))
    pair.settle()
    assert pair.served.requests[other] == [b"still here"]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">BHBBL", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def headers_frame(stream: int, *, flags: int = 0x4) -> bytes:
    return frame(1, flags, stream, b"\x83\x86\x04\x01/")


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (frame(0, 0, 5, b"x"), PROTOCOL_ERROR),  # data on a call that was never opened
        (frame(0, 0x8, 1, b"\x05x"), PROTOCOL_ERROR),  # more padding than payload
        (headers_frame(2), PROTOCOL_ERROR),
        (headers_frame(0), PROTOCOL_ERROR),
        (frame(1, 0x24, 3, bytes(4)), FRAME_SIZE_ERROR),  # too short for the priority that it announces
        (frame(1, 0x2C, 3, b"\x04" + bytes(4)), FRAME_SIZE_ERROR),  # the same, behind padding
        (headers_frame(1), PROTOCOL_ERROR),  # a second block that does not end the call
        (headers_frame(3, flags=0) + frame(0, 0, 1, b""), PROTOCOL_ERROR),  # something between headers and their rest
        (frame(9, 0x4, 1, b""), PROTOCOL_ERROR),
        (frame(1, 0x4, 3, b"\xff\xff\xff\xff\xff\xff"), COMPRESSION_ERROR),
        (frame(1, 0, 3, bytes(10_000)) + frame(9, 0, 3, bytes(10_000)), ENHANCE_YOUR_CALM),
        (frame(3, 0, 9, bytes(4)), PROTOCOL_ERROR),
        (frame(3, 0, 1, bytes(3)), FRAME_SIZE_ERROR),
        (frame(4, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
        (frame(4, 0, 0, struct.pack(">HL", 4, 2**31)), FLOW_CONTROL_ERROR),
        (frame(5, 0x4, 1, bytes(8)), PROTOCOL_ERROR),
        (frame(6, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
        (frame(8, 0, 0, bytes(4)), PROTOCOL_ERROR),
        (frame(8, 0, 0, struct.pack(">L", 2**31 - 1)), FLOW_CONTROL_ERROR),
        (frame(8, 0, 1, struct.pack(">L", 2**31 - 1)), FLOW_CONTROL_ERROR),
        (struct.pack(">BHBBL", 1, 0, 0, 0, 1), FRAME_SIZE_ERROR),  # the head of a frame of 64 KiB
    ],
)
def test_whoever_breaks_the_protocol_is_told_how(octets: bytes, code: int) -> None:
    pair = Pair()
    pair.open()
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(octets)
    assert caught.value.code == code
    assert str(caught.value)


def test_more_than_the_windows_is_a_fault() -> None:
    pair = Pair(window=70_000)
    pair.served.takes = False
    pair.open()
    for _ in range(4):
        pair.server.receive(frame(0, 0, 1, framed(bytes(16_000))))
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(frame(0, 0, 1, framed(bytes(16_000))))
    assert caught.value.code == FLOW_CONTROL_ERROR


def test_a_client_that_opens_and_resets_without_end_is_sent_away() -> None:
    pair = Pair()
    pair.settle()
    for stream in range(1, 2_001, 2):
        pair.server.receive(headers_frame(stream) + frame(3, 0, stream, bytes(4)))
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(headers_frame(2_001) + frame(3, 0, 2_001, bytes(4)))
    assert caught.value.code == ENHANCE_YOUR_CALM


def test_a_client_whose_calls_are_at_fault_without_end_is_sent_away() -> None:
    """It makes the server give the calls up ("made you reset", CVE-2025-8671)."""
    pair = Pair()
    pair.settle()
    fault = struct.pack(">BL", 1, 0)
    for stream in range(1, 2_001, 2):
        pair.server.receive(headers_frame(stream) + frame(0, 0, stream, fault))
    assert pair.server.open_calls == 0
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(headers_frame(2_001) + frame(0, 0, 2_001, fault))
    assert caught.value.code == ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "octets",
    [
        frame(6, 0, 0, bytes(8)),
        frame(4, 0, 0, b""),
        frame(4, 0x1, 0, b""),
        frame(0, 0, 1, b""),
        frame(2, 0, 1, bytes(5)),  # PRIORITY
        frame(0xFA, 0, 1, b""),  # nobody knows what
    ],
    ids=["ping", "settings", "settings' acknowledgement", "no data", "priority", "unknown"],
)
def test_frames_that_ask_for_nothing_have_an_end(octets: bytes) -> None:
    pair = Pair()
    pair.open()
    for _ in range(3):  # a client that also does something, or takes its time, may go on
        pair.server.receive(octets * 9_000)
        pair.server.receive(frame(0, 0, 1, framed(b"a request")))
    pair.server.ping()
    pair.server.receive(octets * 9_000)
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(octets * 2_000)
    assert caught.value.code == ENHANCE_YOUR_CALM


def test_a_header_block_in_pieces_without_end_is_cut_off() -> None:
    pair = Pair()
    pair.settle()
    pair.server.receive(headers_frame(1, flags=0))
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(frame(9, 0, 1, b"") * 11_000)
    assert caught.value.code == ENHANCE_YOUR_CALM


def test_headers_that_unfold_to_much_are_refused() -> None:
    """A field of 4,000 octets that the client had us remember, named again and again by one octet."""
    pair = Pair()
    pair.settle()
    field = b"\x40\x01x" + b"\x7f\xa1\x1e" + b"v" * 4_000
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(frame(1, 0x4, 1, field + b"\xbe" * 100))
    assert caught.value.code == ENHANCE_YOUR_CALM
    assert "unfold" in str(caught.value)


def test_what_is_said_to_a_client_fits_into_a_frame_whatever_it_repeats() -> None:
    pair = Pair()
    stream = pair.open()
    pair.server.end(stream, 12, "é" * 100_000)
    pair.settle()
    assert len(pair.trailers(stream)["grpc-message"]) < 8_000
    pair.server.go_away(PROTOCOL_ERROR, "x" * 100_000)
    assert len(pair.server.take_out()) < 2_000


def test_a_request_that_comes_octet_by_octet_costs_no_more_than_its_octets() -> None:
    """What has come of it is added to, not copied, until it is whole."""
    message = framed(bytes(200_000))
    call = Call(room=0)
    assert call.messages(message[:3], 1 << 20) == []
    assert call.messages(message[3:7], 1 << 20) == []
    kept = call.partial
    for place in range(7, len(message) - 1):
        assert call.messages(message[place : place + 1], 1 << 20) == []
    assert call.partial is kept
    assert call.messages(message[-1:] + framed(b"next") + b"\x00", 1 << 20) == [bytes(200_000), b"next"]
    assert call.partial == b"\x00"


def test_large_requests_at_once_on_one_connection_are_bounded_and_others_go_on() -> None:
    pair = Pair(max_message=1 << 20)
    beginning = struct.pack(">BL", 0, 1 << 20) + b"x"
    streams = [pair.open() for _ in range(5)]
    for stream in streams:
        pair.client.send_data(stream, beginning)
        pair.settle()
    assert [stream for stream in streams if pair.trailers(stream)] == streams[3:]
    assert pair.trailers(streams[3])["grpc-status"] == "8"
    assert "want at most 4194304 on one connection" in pair.trailers(streams[3])["grpc-message"]
    small = pair.open()
    pair.client.send_data(small, framed(b"a small one"))
    pair.settle()
    assert pair.served.requests[small] == [b"a small one"]


def test_a_window_that_settings_make_too_large_is_a_fault() -> None:
    pair = Pair()
    pair.open()
    pair.server.receive(frame(8, 0, 1, struct.pack(">L", 2**31 - 1 - 65_535)))
    with pytest.raises(Http2Error) as caught:
        pair.server.receive(frame(4, 0, 0, struct.pack(">HL", 4, 65_536)))
    assert caught.value.code == FLOW_CONTROL_ERROR


def test_a_window_may_become_smaller_than_what_was_sent_and_is_kept_then() -> None:
    pair = Pair()
    stream = pair.open()
    assert pair.server.send(stream, bytes(10_000))
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    pair.settle()
    assert not pair.server.send(stream, b"more")
    assert pair.server.is_blocked(stream)
    pair.client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 20_000})
    pair.settle()
    assert not pair.server.is_blocked(stream)
    assert pair.received(stream) == framed(bytes(10_000)) + framed(b"more")


def test_trailers_of_a_client_end_its_side() -> None:
    pair = Pair()
    stream = pair.open()
    pair.client.send_headers(stream, [("x-done", "yes")], end_stream=True)
    pair.settle()
    assert pair.served.half_closed == {stream}
    assert pair.server.send(stream, b"still answered")
    pair.server.end(stream, 0)
    pair.settle()
    assert pair.received(stream) == framed(b"still answered")
    assert pair.trailers(stream) == {"grpc-status": "0"}


def test_data_after_the_end_of_a_side_is_dropped() -> None:
    pair = Pair()
    stream = pair.open()
    pair.client.send_data(stream, framed(b"last"), end_stream=True)
    pair.settle()
    pair.server.receive(frame(0, 0, stream, framed(b"after the last")))
    assert pair.served.requests[stream] == [b"last"]


def test_whoever_speaks_something_else_is_told_so() -> None:
    server = ServerConnection(Served(), window=1 << 16, max_message=1, max_calls=1)
    with pytest.raises(Http2Error, match="preface"):
        server.receive(b"GET / HTTP/1.1\r\n\r\n")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_nonsense_is_at_worst_a_fault_of_the_protocol(data: st.DataObject) -> None:
    """Frames with any type, flags and payload, as well as octets of no form."""
    served = Served()
    server = ServerConnection(served, window=1 << 16, max_message=1 << 10, max_calls=10)
    served.connection = server
    some_frame: Callable[..., st.SearchStrategy[bytes]] = lambda: st.builds(  # noqa: E731
        frame, st.integers(0, 10), st.integers(0, 255), st.integers(0, 7), st.binary(max_size=40)
    )
    try:
        server.receive(PREFACE + headers_frame(1))
        for octets in data.draw(st.lists(some_frame() | st.binary(max_size=60), max_size=12)):
            server.receive(octets)
    except Http2Error as error:
        server.go_away(error.code, str(error))
    assert isinstance(server.take_out(), bytes)
