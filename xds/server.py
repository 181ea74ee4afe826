"""The gRPC server of the aggregated discovery service, in both variants."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest, Node
from xds.cache import SnapshotCache
from xds.errors import XdsError
from xds.fleet import Fleet
from xds.stream import GroupOf, serve_delta, serve_sotw
from xds.transport import Context, GrpcServer

ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"

_MAX_REQUEST_BYTES = 4 << 20


def node_cluster(node: Node) -> str:
    """The default group of a node: its `cluster`."""
    return node.cluster


class AdsServer:
    """Serves the snapshots of `cache` to all who ask, and keeps the books of them in `fleet`.

    A stream ends with INVALID_ARGUMENT, in words, when its client breaks the protocol.
    """

    def __init__(
        self,
        cache: SnapshotCache,
        fleet: Fleet,
        *,
        group_of: GroupOf = node_cluster,
        beside: Sequence[grpc.GenericRpcHandler] = (),
    ) -> None:
        """`beside`: services that answer on the same port, such as `LoadReports.handler()`."""
        self._cache = cache
        self._fleet = fleet
        self._group_of = group_of
        self._beside = tuple(beside)
        self._server: GrpcServer | None = None

    async def start(self, address: str, *, credentials: ssl.SSLContext | None = None, share_port: bool = False) -> int:
        """Listens on `address` ("HOST:PORT"; port 0 takes a free one) and returns the port.

        share_port: other processes of this machine may listen there too (SO_REUSEPORT), and the kernel deals the
        connections out to them. Each of them must be told of each snapshot; see docs/decisions/0031.

        Raises:
            XdsError: the address cannot be bound.
        """
        server = GrpcServer(max_message=_MAX_REQUEST_BYTES)
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(
                self._sotw, request_deserializer=DiscoveryRequest.FromString
            ),
            "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(
                self._delta, request_deserializer=DeltaDiscoveryRequest.FromString
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(ADS, handlers), *self._beside))
        try:
            port = await server.start(address, tls=credentials, share_port=share_port)
        except OSError as error:
            raise XdsError(f"xDS address {address}: cannot listen there: want a free port of this machine") from error
        self._server = server
        return port

    async def stop(self, *, grace: float = 1.0) -> None:
        """Ends all streams; their clients reconnect elsewhere or later, and keep what they have meanwhile."""
        if self._server is not None:
            await self._server.stop(grace)
            self._server = None

    async def _sotw(self, requests: AsyncIterator[Any], context: Context) -> None:
        await serve_sotw(requests, context, cache=self._cache, fleet=self._fleet, group_of=self._group_of)

    async def _delta(self, requests: AsyncIterator[Any], context: Context) -> None:
        await serve_delta(requests, context, cache=self._cache, fleet=self._fleet, group_of=self._group_of)
