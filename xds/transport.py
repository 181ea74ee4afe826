"""A gRPC server over asyncio, for services of many long streams: what `grpc.aio.server` is, as much of it as is needed.

It takes the same handlers (`grpc.method_handlers_generic_handler`) and gives them the same context, at a third of the
CPU time and a fifth of the memory of a stream: docs/decisions/0030. `xds/http2.py` owns the protocol; this file moves
bytes, runs a task for each call and watches the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import random
import ssl
import sys
import termios
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, cast
from urllib.parse import quote

import grpc

from xds.http2 import ServerConnection
from xds.http2_calls import Headers
from xds.http2_frames import NO_ERROR, CallError, Http2Error

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Message: TypeAlias = Any  # what the handler's own functions read and write; bytes where it has none

_log = logging.getLogger(__name__)

_WINDOW = 1 << 20  # octets that a client may send ahead of being read
_READ = 1 << 16  # octets
_MAX_CALLS = 1_000  # of one connection
_UNAVAILABLE, _UNIMPLEMENTED, _UNKNOWN, _DEADLINE_EXCEEDED = 14, 12, 2, 4


class Context:
    """One call, as its handler sees it: the part of `grpc.aio.ServicerContext` that our services use."""

    __slots__ = (
        "_connection",
        "_details",
        "_half_closed",
        "_handler",
        "_headers",
        "_messages",
        "_reader",
        "_status",
        "_stream",
        "_trailing",
        "_writer",
        "ended",
        "task",
    )

    def __init__(self, connection: _Connection, stream: int, headers: Headers, handler: Handler) -> None:
        self._connection = connection
        self._stream = stream
        self._headers = headers
        self._handler = handler
        self._messages: deque[bytes] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._half_closed = False
        self._status, self._details = 0, ""
        self._trailing: Headers = ()
        self.ended = False
        self.task: asyncio.Task[None] | None = None

    # --- for the handler ---

    def __aiter__(self) -> Context:
        return self

    async def __anext__(self) -> Message:
        if self._messages:
            return self._next()
        message = await self.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        return message

    async def read(self) -> Message:
        """The next request; `grpc.aio.EOF` when the client has no more."""
        while not self._messages:
            if self._half_closed:
                return grpc.aio.EOF
            self._reader = self._connection.loop.create_future()
            await self._reader
        return self._next()

    def _next(self) -> Message:
        message = self._messages.popleft()
        self._connection.http2.taken(self._stream, len(message))
        self._connection.flush()
        deserialize = self._handler.request_deserializer
        return deserialize(message) if deserialize else message

    async def write(self, message: Message) -> None:
        """Sends a response; returns once the client has room for the next."""
        serialize = self._handler.response_serializer
        if not self.ended:
            gone = self._connection.http2.send(self._stream, serialize(message) if serialize else message)
            self._connection.flush()
            if not gone or self._connection.paused:
                self._writer = self._connection.loop.create_future()
                await self._writer

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Headers = ()) -> NoReturn:
        """Ends the call with a status; does not return."""
        self._status, self._details, self._trailing = code.value[0], details, tuple(trailing_metadata)
        raise grpc.aio.AbortError(details)

    def set_code(self, code: grpc.StatusCode) -> None:
        self._status = code.value[0]

    def set_details(self, details: str) -> None:
        self._details = details

    def set_trailing_metadata(self, metadata: Headers) -> None:
        self._trailing = tuple(metadata)

    def invocation_metadata(self) -> Headers:
        return tuple(header for header in self._headers if not header[0].startswith(":"))

    def peer(self) -> str:
        """As gRPC writes it: "ipv4:10.0.0.1:4711", "ipv6:%5B::1%5D:4711"."""
        return self._connection.peer

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """Of the client's certificate, under gRPC's names; empty in plain text."""
        return self._connection.auth_context()

    def cancelled(self) -> bool:
        return self.ended

    # --- for the connection ---

    def take(self, message: bytes) -> None:
        self._messages.append(message)
        _wake(self._reader)

    def half_close(self) -> None:
        self._half_closed = True
        _wake(self._reader)

    def room(self) -> None:
        _wake(self._writer)

    def drop(self) -> None:
        """The client is gone, or gave up."""
        self.ended = True
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        """Runs the handler, and ends the call with its status."""
        try:
            async with asyncio.timeout(_timeout(self._headers)):
                await self._served()
        except grpc.aio.AbortError:
            pass
        except TimeoutError:
            self._status, self._details = _DEADLINE_EXCEEDED, "the client's deadline has passed"
        except asyncio.CancelledError as cancelled:
            _forget_frames(cancelled)
            self._status, self._details = self._status or _UNAVAILABLE, self._details or "the server is stopping"
        except Exception:  # noqa: BLE001  # a handler's mistake ends its own call, and no other
            _log.exception("a call failed")
            self._status, self._details = _UNKNOWN, "the server made a mistake; its log says which"
        finally:
            if not self.ended:
                self.ended = True
                self._connection.http2.end(self._stream, self._status, self._details, self._trailing)
                self._connection.flush()
            self._connection.forget(self._stream)
            self.task = None

    async def _served(self) -> None:
        handler = self._handler
        argument: Any = self
        if not handler.request_streaming:
            argument = await self.read()
            if argument is grpc.aio.EOF:
                await self.abort(grpc.StatusCode.INTERNAL, "the call ended without a request")
        method = handler.stream_stream or handler.stream_unary or handler.unary_stream or handler.unary_unary
        made: Any = cast("Callable[[Any, Context], Any]", method)(argument, self)
        if isinstance(made, AsyncIterator):
            async for response in made:
                await self.write(response)
        elif handler.response_streaming:
            await made
        else:
            await self.write(await made)


class _Connection(asyncio.BufferedProtocol):
    """One client's connection: the socket's side of `ServerConnection`, and the calls on it."""

    __slots__ = (
        "_received",
        "_retirement",
        "_server",
        "_transport",
        "calls",
        "http2",
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
        self._received = 0  # octets
        self._transport: asyncio.Transport | None = None
        self._retirement: asyncio.TimerHandle | None = None

    # --- the socket ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = _peer(transport.get_extra_info("peername"))
        self._server.connections.add(self)
        if self._server.max_age is not None:
            age = self._server.max_age * random.uniform(0.9, 1.1)  # noqa: S311  # spreads load, guards nothing
            self._retirement = self.loop.call_later(age, self.retire)
        self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        # Shared by all connections: what is read is consumed before the loop reads again.
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received += nbytes
        try:
            self.http2.receive(bytes(self._server.buffer[:nbytes]))
        except Http2Error as error:
            self.http2.go_away(error.code, str(error))
            self.close()
            return
        self.flush()

    def signs_of_life(self) -> tuple[int, int]:
        """Something else if the client said or took in anything meanwhile. It may be at a large response over a slow
        line for longer than the answer to a PING may take, which comes behind that."""
        if self._transport is None:
            return self._received, 0
        unsent = self._transport.get_write_buffer_size()
        with contextlib.suppress(OSError):  # where the system does not say
            at_kernel = fcntl.ioctl(self._transport.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4))
            unsent += int.from_bytes(at_kernel, sys.byteorder)
        return self._received, unsent

    def retire(self) -> None:
        """Takes no new calls, and closes with the last of those that are open."""
        self.http2.go_away(NO_ERROR)
        self.flush()
        if not self.calls:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._retirement is not None:
            self._retirement.cancel()
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
        for call in list(self.calls.values()):
            call.room()

    def flush(self) -> None:
        """Writes what is due."""
        out = self.http2.take_out()
        if out and self._transport is not None:
            self._transport.write(out)

    def close(self) -> None:
        """Writes what is due, and closes."""
        self.flush()
        if self._transport is not None:
            self._transport.close()

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

    # --- the calls: see `xds.http2.Calls` ---

    def on_call(self, stream: int, headers: Headers) -> None:
        path = next((value for name, value in headers if name == ":path"), "")
        handler = self._server.handler(path, headers)
        if handler is None:
            self.http2.end(stream, _UNIMPLEMENTED, f"{path} is not served here")
            return
        call = self.calls[stream] = Context(self, stream, headers, handler)
        call.task = self.loop.create_task(call.run())

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
        if self.http2.closing and not self.calls:
            self.close()


class GrpcServer:
    """Serves gRPC handlers on one port.

    max_message: octets of one request. max_calls: of one connection at a time. max_age: seconds after which a
    connection takes no new calls, give or take a tenth, so that those that came together do not go together; it ends
    with its last call. keepalive: seconds without a sign of life until one is asked for; keepalive_timeout: seconds to
    wait for it.
    """

    def __init__(
        self,
        *,
        max_message: int,
        max_calls: int = _MAX_CALLS,
        max_age: float | None = None,
        keepalive: float = 30.0,
        keepalive_timeout: float = 10.0,
    ) -> None:
        self.max_message = max_message
        self.max_calls = max_calls
        self.max_age = max_age
        self.loop = asyncio.get_running_loop()
        self.buffer = memoryview(bytearray(_READ))
        self.connections: set[_Connection] = set()
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._methods: dict[str, Handler] = {}
        self._keepalive, self._keepalive_timeout = keepalive, keepalive_timeout
        self._server: asyncio.Server | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        self._handlers += handlers

    async def start(self, address: str, *, tls: ssl.SSLContext | None = None, share_port: bool = False) -> int:
        """Listens on `address` ("HOST:PORT"; port 0 takes a free one) and returns the port.

        Raises:
            OSError: the address cannot be bound.
        """
        host, _, port = address.rpartition(":")
        self._server = await self.loop.create_server(
            lambda: _Connection(self),
            host.strip("[]") or None,
            int(port),
            backlog=4_096,
            reuse_port=share_port or None,
            ssl=tls,
        )
        self._keeper = self.loop.create_task(self._keep_alive())
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, grace: float | None = None) -> None:
        """Takes no new calls, gives those that are open `grace` seconds, then ends them with UNAVAILABLE."""
        if self._server is None:
            return
        self._server.close()
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
        self._server = None
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
        """Asks every connection for a sign of life, and closes those that give none."""
        while True:
            await asyncio.sleep(self._keepalive)
            asked = {connection: connection.signs_of_life() for connection in self.connections}
            for connection in asked:
                connection.http2.ping()
                connection.flush()
            await asyncio.sleep(self._keepalive_timeout)
            for connection, signs in asked.items():
                if connection.signs_of_life() == signs:
                    connection.abort()


class _CallDetails(grpc.HandlerCallDetails):
    def __init__(self, method: str, invocation_metadata: Headers) -> None:
        self.method = method
        self.invocation_metadata = tuple(invocation_metadata)


def _forget_frames(error: BaseException | None) -> None:
    """At the end of a call: its frames hold all that there was of it, and exceptions hold frames, in cycles (Python
    3.11's TaskGroup makes one when it is cancelled). Only the garbage collector would find them, long after the client
    has gone. For the same reason the cancellation is not raised on, to a task that would keep it."""
    while error is not None:
        error.__traceback__, before = None, error.__context__
        error.__context__, error = None, before


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


_SECONDS: dict[str, Callable[[int], float]] = {
    "H": lambda n: n * 3_600.0,
    "M": lambda n: n * 60.0,
    "S": float,
    "m": lambda n: n / 1e3,
    "u": lambda n: n / 1e6,
    "n": lambda n: n / 1e9,
}


def _timeout(headers: Headers) -> float | None:
    """The client's deadline in seconds ("grpc-timeout": up to eight digits and a unit); None if it has none."""
    text = next((value for name, value in headers if name == "grpc-timeout"), "")
    if text[:-1].isdecimal() and text[-1:] in _SECONDS:
        return _SECONDS[text[-1]](int(text[:-1]))
    return None


def _peer(name: object) -> str:
    match name:
        case (str(host), int(port)):
            return f"ipv4:{host}:{port}"
        case (str(host), int(port), *_):
            return f"ipv6:{quote(f'[{host}]', safe=':')}:{port}"
        case _:
            return f"unix:{name}" if name else "unknown"
