"""A floor to measure against: an ADS server that knows its bytes beforehand.

It keeps no books, checks nothing and serves one client: whatever it costs is what gRPC in Python and Envoy cost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc.aio import server as grpc_server

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest
from xds.frames import delta_frame
from xds.resource import Resource
from xds.resource_types import BY_TYPE_URL, ROUTE, ResourceType
from xds.server import ADS
from xds.wire import string


class StaticAds:
    """Answers each type's first request with fixed resources, and pushes prepared routes on demand."""

    def __init__(self, resources: list[Resource]) -> None:
        self._payloads: dict[str, bytes] = {}
        for resource in resources:
            head = self._payloads.get(resource.type.type_url, string(4, resource.type.type_url))
            self._payloads[resource.type.type_url] = head + delta_frame(resource)
        self._push: asyncio.Queue[bytes] = asyncio.Queue()
        self._acked: dict[str, asyncio.Future[float]] = {}
        self._nonce = 0
        self.routes_sent = asyncio.Event()

    async def start(self) -> int:
        self._server = grpc_server()
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            self._serve, request_deserializer=DeltaDiscoveryRequest.FromString
        )
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(ADS, {"DeltaAggregatedResources": handler}),)
        )
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return int(port)

    async def stop(self) -> None:
        await self._server.stop(0)

    async def push(self, payload: bytes) -> float:
        """Sends prepared bytes; the seconds until the client's ACK."""
        nonce = self._next_nonce()
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._acked[nonce] = future
        start = time.perf_counter()
        self._push.put_nowait(payload + string(5, nonce))
        return await asyncio.wait_for(future, 30) - start

    def _next_nonce(self) -> str:
        self._nonce += 1
        return str(self._nonce)

    async def _serve(
        self, requests: AsyncIterator[DeltaDiscoveryRequest], context: grpc.aio.ServicerContext[Any, bytes]
    ) -> None:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(self._write(context))
            answered: set[ResourceType] = set()
            async for request in requests:
                if (future := self._acked.pop(request.response_nonce, None)) is not None:
                    future.set_result(time.perf_counter())
                row = BY_TYPE_URL.get(request.type_url)
                if row is not None and row not in answered:
                    answered.add(row)
                    self._push.put_nowait(self._payloads[row.type_url] + string(5, self._next_nonce()))
                    if row is ROUTE:
                        self.routes_sent.set()
            writer.cancel()

    async def _write(self, context: grpc.aio.ServicerContext[Any, bytes]) -> None:
        while True:
            await context.write(await self._push.get())
