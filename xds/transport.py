"""A gRPC server over asyncio, for services of many long streams: what `grpc.aio.server` is, as much of it as is needed.

It takes the same handlers (`grpc.method_handlers_generic_handler`) and gives them the same context, at a third of the
CPU time and a fifth of the memory of a stream: docs/decisions/0030. `xds/http2.py` owns the protocol,
`xds/http2_context.py` a call; this file moves bytes and watches the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import random
import socket
import ssl
import sys
import termios
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

import grpc

from xds.flow import Flow
from xds.http2 import ServerConnection
from xds.http2_calls import Headers
from xds.http2_context import Context, Handler
from xds.http2_frames import ENHANCE_YOUR_CALM, NO_ERROR, CallError, Http2Error

_WINDOW = 1 << 20  # octets that a client may send ahead of being read
_READ = 1 << 16  # octets
_FAREWELL = 10.0  # seconds that a client may take to read the last that it is sent, and to end TLS
_DENIED_FOR = 5.0  # seconds: a connection this old ends with the next call that is denied
_UNIMPLEMENTED = 12
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}  # an address of a name, on a machine without IPv6, say


class _Connection(asyncio.BufferedProtocol):
    """One client's connection: the socket's side of `ServerConnection`, and the calls on it."""

    __slots__ = (
        "_farewell",
        "_made",
        "_retirement",
        "_server",
        "_transport",
        "_written",
        "calls",
        "heard",
        "http2",
        "idle_since",
        "loop",
        "paused",
        "peer",
    )

    def __init__(self, server: GrpcServer) -> None:
        self._server = server
        self.loop = server.loop
        self.http2 = ServerConnection(self, window=_WINDOW, max_message=server.max_message, max_calls=server.max_calls)
        self.calls: dict[int, Context] = {}
        self.paused = False
        self.peer = ""
        self._transport: asyncio.Transport | None = None
        self._retirement: asyncio.TimerHandle | None = None
        self._farewell: asyncio.TimerHandle | None = None
        self._written = 0
        self.heard = False  # something, since it was last asked for a sign of life
        self.idle_since = self._made = self.loop.time()  # when it had no calls any more

    # --- the socket ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = _peer(transport.get_extra_info("peername"))
        most = self._server.max_connections
        if self._server.is_stopping or len(self._server.connections) >= most:
            self.http2.go_away(ENHANCE_YOUR_CALM, f"this server has {most} connections, or stops: try another replica")
            self.close()
            return
        self._server.connections.add(self)
        if self._server.max_age is not None:
            age = self._server.max_age * random.uniform(0.9, 1.1)  # noqa: S311  # spreads load, guards nothing
            self._retirement = self.loop.call_later(age, self.retire)
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        # Shared by all connections: what is read is consumed before the loop reads again.
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.heard = True
        try:
            self.http2.receive(bytes(self._server.buffer[:nbytes]))
        except Http2Error as error:
            self.http2.go_away(error.code, str(error))
            self.close()
            return
        self.flush()

    def retire(self) -> None:
        """Takes no new calls, and closes with the last of those that are open."""
        self.http2.go_away(NO_ERROR)
        self.flush()
        if not self.calls:
            self.close()

    def deny(self) -> None:
        # A connection is for good of the certificate that it was made with, and a client that is denied tries again on
        # the one it has: with the certificate that is right by now, it would never be heard of. Not at once, or a fleet
        # of wrong certificates would cost a handshake for each try.
        if not self.http2.closing and self.loop.time() - self._made >= _DENIED_FOR:
            self.retire()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        for timer in (self._retirement, self._farewell):
            if timer is not None:
                timer.cancel()
        self._transport = None
        for call in list(self.calls.values()):
            call.drop()
        self.http2.abandon()

    def pause_writing(self) -> None:
        self.paused = True
        if self._transport is not None:
            self._transport.pause_reading()  # who does not read is not read: PING and SETTINGS have answers

    def resume_writing(self) -> None:
        self.paused = False
        if self._transport is not None:
            self._transport.resume_reading()
        for stream, call in list(self.calls.items()):
            if not self.http2.is_blocked(stream):  # or a client that reads other calls would have this one pile up
                call.room()

    def flush(self) -> None:
        """Writes what is due."""
        out = self.http2.take_out()
        if out and self._transport is not None:
            self._written += len(out)
            self._transport.write(out)

    def close(self) -> None:
        """Writes what is due, and closes, whether or not the client reads it in time."""
        self.flush()
        if self._transport is not None:
            self._transport.close()
            if self._farewell is None:
                self._farewell = self.loop.call_later(_FAREWELL, self.abort)

    def unread(self) -> int:
        """Octets that wait for the client to read those before, the kernel's included: the answer to a PING comes
        behind them, and a large response over a slow line takes longer than that may."""
        if self._transport is None:
            return 0
        octets = self._transport.get_write_buffer_size()
        with contextlib.suppress(OSError):  # where the system does not say
            at_kernel = fcntl.ioctl(self._transport.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4))
            octets += int.from_bytes(at_kernel, sys.byteorder)
        return octets

    def gone(self) -> int:
        """Octets that wait for nothing more."""
        return self._written - self.unread()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        certificate = self._transport.get_extra_info("peercert") if self._transport is not None else None
        if not certificate:
            return {}
        common = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
        alternative = [value for _, value in certificate.get("subjectAltName", ())]
        return {
            "transport_security_type": [b"ssl"],
            "x509_common_name": [name.encode() for name in common],
            "x509_subject_alternative_name": [name.encode() for name in alternative],
        }

    # --- the calls: see `xds.http2_calls.Calls` ---

    def on_call(self, stream: int, headers: Headers) -> None:
        path = next((value for name, value in headers if name == ":path"), "")
        handler = self._server.handler(path, headers)
        if handler is None:
            self.http2.end(stream, _UNIMPLEMENTED, f"{path} is not served here")
            return
        call = self.calls[stream] = Context(self, stream, headers, handler)
        call.start()

    def on_message(self, stream: int, message: bytes) -> None:
        call = self.calls.get(stream)
        if call is not None:
            call.take(message)
        else:
            self.http2.taken(stream, len(message))

    def on_error(self, stream: int, error: CallError) -> None:
        self.http2.end(stream, error.code, str(error))
        self.on_reset(stream)

    def on_half_closed(self, stream: int) -> None:
        call = self.calls.get(stream)
        if call is not None:
            call.half_close()

    def on_reset(self, stream: int) -> None:
        call = self.calls.get(stream)
        if call is not None:
            call.drop()

    def on_room(self, stream: int) -> None:
        call = self.calls.get(stream)
        if call is not None and not self.paused:
            call.room()

    def forget(self, stream: int) -> None:
        self.calls.pop(stream, None)
        if not self.calls:
            self.idle_since = self.loop.time()
            if self.http2.closing:
                self.close()


class GrpcServer:
    """Serves gRPC handlers on one port.

    max_message: octets of one request. flow: the bounds of connections, and of calls on one. At its age a connection
    takes no new calls, give or take a tenth, so that those that came together do not go together; it ends with its
    last call.
    """

    def __init__(self, *, max_message: int, flow: Flow) -> None:
        self.max_message = max_message
        self.max_calls = flow.max_streams_per_connection
        self.max_age = flow.max_age.total_seconds() if flow.max_age is not None else None
        self.max_connections = flow.max_connections
        self.is_stopping = False
        self.loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(_READ))
        self.connections: set[_Connection] = set()
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._methods: dict[str, Handler] = {}
        self._idle, self._handshake = flow.idle.total_seconds(), flow.handshake.total_seconds()
        self._keepalive = flow.keepalive.total_seconds()
        self._keepalive_timeout = flow.keepalive_timeout.total_seconds()
        self._servers: list[asyncio.Server] = []
        self._keeper: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._handlers += handlers

    async def start(self, address: str, *, tls: ssl.SSLContext | None = None, share_port: bool = False) -> int:
        """Listens on `address` ("HOST:PORT"; port 0 takes a free one) and returns the port.

        Raises:
            OSError: the address cannot be bound.
        """
        host, _, text = address.rpartition(":")
        port = int(text)
        found = await self.loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        failed: OSError | None = None
        # One after the other: a free port is to be the same for all addresses of a name ("localhost" has two).
        for own in dict.fromkeys(str(address[0]) for *_, address in found):
            try:
                server = await self.loop.create_server(
                    lambda: _Connection(self),
                    own,
                    port,
                    backlog=4_096,
                    reuse_port=share_port or None,
                    ssl=tls,
                    ssl_handshake_timeout=self._handshake if tls is not None else None,
                    ssl_shutdown_timeout=_FAREWELL if tls is not None else None,
                )
            except OSError as error:
                failed = error
                if error.errno not in _NOT_HERE:
                    self._close()
                    break
            else:
                self._servers.append(server)
                port = int(server.sockets[0].getsockname()[1])
        if failed is not None and not self._servers:
            raise failed
        self._keeper = self.loop.create_task(self._keep_alive())
        return port

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._servers = []

    async def stop(self, grace: float | None = None) -> None:
        """Takes no new calls, gives those that are open `grace` seconds, then ends them with UNAVAILABLE."""
        if not self._servers:
            return
        self._close()
        self.is_stopping = True
        for connection in list(self.connections):
            connection.http2.go_away(NO_ERROR)
            connection.flush()
        tasks = [call.task for connection in self.connections for call in connection.calls.values() if call.task]
        if tasks and grace:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self.connections):
            connection.close()
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._stopped.set()

    async def wait_for_termination(self) -> None:
        await self._stopped.wait()

    def handler(self, path: str, headers: Headers) -> Handler | None:
        """The handler of a method, None if there is none."""
        found = self._methods.get(path)
        if found is None:
            details = _CallDetails(path, tuple(headers))
            found = next((made for handler in self._handlers if (made := handler.service(details)) is not None), None)
            if found is not None:
                self._methods[path] = found
        return found

    async def _keep_alive(self) -> None:
        """Asks every connection for a sign of life, and closes those that give none or have been without a call for
        long. An octet is one, of a client that has begun HTTP/2; so is that it reads on: what it says is not heard
        while much waits for that."""
        while True:
            await asyncio.sleep(self._keepalive)
            asked: dict[_Connection, int | None] = {}
            for connection in list(self.connections):
                if not connection.calls and self.loop.time() - connection.idle_since >= self._idle:
                    connection.retire()
                    continue
                connection.heard = False
                # Only what waits already counts as read: the system of a client that hangs takes in the PING as well.
                asked[connection] = connection.gone() if connection.unread() else None
                connection.http2.ping()
                connection.flush()
            await asyncio.sleep(self._keepalive_timeout)
            for connection, gone in asked.items():
                heard = connection.heard and connection.http2.preface_seen
                reads = gone is not None and connection.gone() > gone
                if not heard and not reads:
                    connection.abort()


class _CallDetails(grpc.HandlerCallDetails):
    def __init__(self, method: str, invocation_metadata: Headers) -> None:
        self.method = method
        self.invocation_metadata = tuple(invocation_metadata)


def _peer(name: object) -> str:
    match name:
        case (str(host), int(port)):
            return f"ipv4:{host}:{port}"
        case (str(host), int(port), *_):
            return f"ipv6:{quote(f'[{host}]', safe=':')}:{port}"
        case _:
            return f"unix:{name}" if name else "unknown"
