"""Who may use the admin API: a bearer token, wherever the configuration names one."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

_PUBLIC = ("/grpc.health.v1.Health/",)


class BearerToken(grpc.aio.ServerInterceptor):
    """Refuses calls that do not carry `authorization: Bearer TOKEN`, but for health checks."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

        async def refuse(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "no valid token: want metadata `authorization: Bearer TOKEN`"
            )

        self._unary = grpc.unary_unary_rpc_method_handler(refuse)
        self._stream = grpc.stream_stream_rpc_method_handler(refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any]]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        if handler_call_details.method.startswith(_PUBLIC):
            return await continuation(handler_call_details)
        given = dict(handler_call_details.invocation_metadata).get("authorization", "")
        value = given if isinstance(given, bytes) else given.encode()
        if hmac.compare_digest(value, self._expected):
            return await continuation(handler_call_details)
        handler = await continuation(handler_call_details)
        return self._stream if handler is not None and handler.response_streaming else self._unary
