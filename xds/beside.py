"""Services that answer on the xDS server's port, held to the same bounds as the streams of configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from xds.call import Context, first, refuse
from xds.errors import RequestError
from xds.flow import Gate

_Serve: TypeAlias = Callable[[AsyncIterator[Any], Context], Awaitable[None]]


class Bounded(grpc.GenericRpcHandler):
    """The service behind `inner`, whose streams count among those of `gate`, have their first request within
    `first_request_seconds`, and end when the gate says so. A stream that has an update to finish does not belong here:
    it ends at once."""

    def __init__(self, inner: grpc.GenericRpcHandler, gate: Gate, *, first_request_seconds: float) -> None:
        self._inner = inner
        self._gate = gate
        self._first_request_seconds = first_request_seconds

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method: Any = self._inner.service(handler_call_details)
        if method is None or method.stream_stream is None:
            return method  # type: ignore[no-any-return]  # gRPC's own type, which its stubs lack
        return grpc.stream_stream_rpc_method_handler(
            self._bounded(method.stream_stream), method.request_deserializer, method.response_serializer
        )

    def _bounded(self, serve: _Serve) -> _Serve:
        gate, seconds = self._gate, self._first_request_seconds

        async def bounded(requests: AsyncIterator[Any], context: Context) -> None:
            now = asyncio.get_running_loop().time
            try:
                with gate.stream():
                    async with asyncio.timeout(None) as life:
                        with gate.lifetime(lambda: life.reschedule(now())):
                            request = await first(requests, seconds)
                            if request is not None:
                                await serve(_after(request, requests), context)
            except RequestError as error:
                await refuse(context, error)
            except TimeoutError:
                if not life.expired():
                    raise

        return bounded


async def _after(request: Any, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:  # noqa: ANN401  # see `Context`
    yield request
    async for following in requests:
        yield following
