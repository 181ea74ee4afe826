"""Services that answer on the xDS server's port, held to the same bounds as the streams of configuration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from xds.call import Context
from xds.errors import LimitError
from xds.flow import Gate

_Serve: TypeAlias = Callable[[AsyncIterator[Any], Context], Awaitable[None]]


class Bounded(grpc.GenericRpcHandler):
    """The service behind `inner`, whose streams count among those of `gate` and end when it says so. A stream that has
    an update to finish does not belong here: it ends at once."""

    def __init__(self, inner: grpc.GenericRpcHandler, gate: Gate) -> None:
        self._inner = inner
        self._gate = gate

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        method: Any = self._inner.service(handler_call_details)
        if method is None or method.stream_stream is None:
            return method  # type: ignore[no-any-return]  # gRPC's own type, which its stubs lack
        return grpc.stream_stream_rpc_method_handler(
            self._bounded(method.stream_stream), method.request_deserializer, method.response_serializer
        )

    def _bounded(self, serve: _Serve) -> _Serve:
        gate = self._gate

        async def bounded(requests: AsyncIterator[Any], context: Context) -> None:
            now = asyncio.get_running_loop().time
            try:
                with gate.stream():
                    async with asyncio.timeout(None) as life:
                        with gate.lifetime(lambda: life.reschedule(now())):
                            await serve(requests, context)
            except LimitError as error:
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
            except TimeoutError:
                if not life.expired():
                    raise

        return bounded
