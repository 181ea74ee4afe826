"""The calls of one HTTP/2 connection: who serves them, and what is kept of each, with gRPC's messages in its octets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from xds.http2_frames import GRPC_HEAD, CallError

Headers: TypeAlias = Sequence[tuple[str, str]]

_HEAD = GRPC_HEAD.size


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


class Nobody:
    """Serves no call: its connection is lost."""

    def on_call(self, stream: int, headers: Headers) -> None: ...

    def on_message(self, stream: int, message: bytes) -> None: ...

    def on_error(self, stream: int, error: CallError) -> None: ...

    def on_half_closed(self, stream: int) -> None: ...

    def on_reset(self, stream: int) -> None: ...

    def on_room(self, stream: int) -> None: ...


@dataclass(slots=True)
class Call:
    """room: octets that the client's window lets us send. unsent: what waits for that. partial: the beginning of a
    message, of which `wanted` octets are needed to go on. waiting: octets of messages that are not taken yet. owed:
    received octets that the client's window was not given back for yet."""

    room: int
    unsent: bytearray = field(default_factory=bytearray)
    partial: bytearray = field(default_factory=bytearray)
    wanted: int = 0
    waiting: int = 0
    owed: int = 0
    headers_sent: bool = False
    half_closed: bool = False
    trailers: bytes | None = None

    def messages(self, payload: bytes, largest: int) -> list[bytes]:
        """The messages, of `largest` octets at most, that are whole with `payload`.

        Raises:
            CallError: a message that is not taken.
        """
        if self.partial:
            self.partial += payload
            if len(self.partial) < self.wanted:
                return []  # not looked at, nor copied: a client may send it octet by octet
            payload, self.partial = bytes(self.partial), bytearray()
        whole = []
        place, end, self.wanted = 0, len(payload), 0
        while end - place >= _HEAD:
            compressed, length = GRPC_HEAD.unpack_from(payload, place)
            if compressed:
                raise CallError(12, "got a compressed message, want none: grpc-accept-encoding is identity")
            if length > largest:
                raise CallError(8, f"got a message of {length} octets, want at most {largest}")
            start, stop = place + _HEAD, place + _HEAD + length
            if stop > end:
                self.wanted = _HEAD + length
                break
            whole.append(payload[start:stop])
            place = stop
        if place < end:
            self.partial = bytearray(payload[place:])
            self.wanted = self.wanted or _HEAD
        return whole
