"""Who may use the admin API: a bearer token, wherever the configuration names one."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_PUBLIC = ("/grpc.health.v1.Health/",)


class BearerToken(grpc.aio.ServerInterceptor):
    """Refuses calls that do not carry `authorization: Bearer TOKEN`, but for health checks."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

        async def refuse(request: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED, "no valid token: want metadata `authorization: Bearer TOKEN`"
            )

        self._unary: Handler = grpc.unary_unary_rpc_method_handler(refuse)
        self._stream: Handler = grpc.unary_stream_rpc_method_handler(refuse)
        self._talk: Handler = grpc.stream_stream_rpc_method_handler(refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        if handler_call_details.method.startswith(_PUBLIC):
            return await continuation(handler_call_details)
        given = dict(handler_call_details.invocation_metadata).get("authorization", "")
        value = given if isinstance(given, bytes) else given.encode()
        if hmac.compare_digest(value, self._expected):
            return await continuation(handler_call_details)
        handler = await continuation(handler_call_details)
        if handler is None:
            return None  # unknown: what does not exist needs no token
        if handler.request_streaming:
            return self._talk
        return self._stream if handler.response_streaming else self._unary
