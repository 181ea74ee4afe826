"""A gRPC server for one method, with messages of envoy-data-plane."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from betterproto2 import Message

RequestT = TypeVar("RequestT", bound=Message)


@contextlib.asynccontextmanager
async def serving(
    service: str, method: str, request_class: type[RequestT], answer: Callable[[RequestT], Awaitable[Message]]
) -> AsyncIterator[int]:
    """Serves the unary method on loopback; the port."""

    async def handle(request: RequestT, context: Any) -> Message:
        return await answer(request)

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=request_class.parse, response_serializer=bytes
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)
