"""One call over our HTTP/2 as its handler sees it: what `grpc.aio` gives one, as much of it as our services use."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, TypeAlias, cast

import grpc

from xds.http2 import ServerConnection
from xds.http2_calls import Headers

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Message: TypeAlias = Any  # what the handler's own functions read and write; bytes where it has none

_log = logging.getLogger(__name__)

_UNAVAILABLE, _UNKNOWN, _DEADLINE_EXCEEDED, _PERMISSION_DENIED = 14, 2, 4, 7


class Connection(Protocol):
    """What carries the call."""

    loop: asyncio.AbstractEventLoop
    http2: ServerConnection
    paused: bool
    peer: str

    def flush(self) -> None:
        """Writes what is due."""

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """See `Context.auth_context`."""

    def deny(self) -> None:
        """A call was ended because of who the client is."""

    def forget(self, stream: int) -> None:
        """The call is over."""


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

    def __init__(self, connection: Connection, stream: int, headers: Headers, handler: Handler) -> None:
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

    def start(self) -> None:
        self.task = self._connection.loop.create_task(self.run())
        # Not at the end of `run`: a call that is dropped at once never gets there.
        self.task.add_done_callback(self._done)

    def _done(self, _: asyncio.Task[None]) -> None:
        self.task = None
        self._connection.forget(self._stream)

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
                if self._status == _PERMISSION_DENIED:
                    self._connection.deny()
                self._connection.flush()

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
    """The client's deadline in seconds ("grpc-timeout": up to eight digits and a unit); None if it has none that is
    right."""
    text = next((value for name, value in headers if name == "grpc-timeout"), "")
    if len(text) <= 9 and text.isascii() and text[:-1].isdecimal() and text[-1] in _SECONDS:
        return _SECONDS[text[-1]](int(text[:-1]))
    return None
