"""The two ends of an HTTP/2 connection joined by memory: a benchmark's client and our server's end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from benchmarks.fanout.http2 import Connection
from xds.http2 import ServerConnection
from xds.http2_calls import Headers
from xds.http2_frames import CallError


class Served:
    """What the server's end was told, of the one call that there is."""

    def __init__(self) -> None:
        self.requests: deque[bytes] = deque()
        self.connection = ServerConnection(self, window=1 << 16, max_message=1 << 22, max_calls=1)

    def on_call(self, stream: int, headers: Headers) -> None:
        assert dict(headers)["content-type"] == "application/grpc"

    def on_message(self, stream: int, message: bytes) -> None:
        self.requests.append(message)
        self.connection.taken(stream, len(message))

    def on_error(self, stream: int, error: CallError) -> None:
        raise error

    def on_half_closed(self, stream: int) -> None: ...

    def on_reset(self, stream: int) -> None: ...

    def on_room(self, stream: int) -> None: ...


def carry(client: Connection, server: ServerConnection, *, take: Callable[[bytes], None] | None = None) -> None:
    """Octets both ways, until there are no more."""
    while True:
        there, back = bytes(client.out), server.take_out()
        client.out.clear()
        if not there and not back:
            return
        server.receive(there)
        for message in client.receive(back):
            if take is not None:
                take(message)
