"""The gRPC server: the aggregated discovery service and one service for each type, in both variants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from protos.apg.xds.v3.discovery_pb2 import Node
from xds.beside import Bounded
from xds.cache import SnapshotCache
from xds.call import Context
from xds.errors import XdsError
from xds.fleet import Fleet
from xds.flow import Flow, Gate
from xds.listening import Listener, Tls, Transport, listener
from xds.machine import HOLD_SECONDS
from xds.resource_types import RESOURCE_TYPES, ResourceType
from xds.stream import DELTA, FIRST_REQUEST_SECONDS, SOTW, Admit, Demand, GroupOf, Variant, serve

_LAST_PORT = 65_535
ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"


def node_cluster(node: Node) -> str:
    """The default group of a node: its `cluster`."""
    return node.cluster


def node_id(node: Node) -> str:
    """A group for each node: its `id`."""
    return node.id


class Server:
    """Serves the snapshots of `cache` to all who ask, and keeps the books of them in `fleet`.

    group_of: whose snapshot a node is served, by the node of its stream's first request. It may raise RequestError to
    turn a node away.
    admit: is asked whether a client may be of the group that it says, by what its certificate says (see
        `xds.call.Context.auth_context`); raises DeniedError to turn it away with PERMISSION_DENIED.
    demand: is told what a client asks for on demand before that is looked up, and of the clusters that a returning one
        has, so that it can publish what somebody asks for and no more (docs/xds.md). It must not block.
    first_request_seconds: how long a stream may be open without a request.
    hold_seconds: how long an update may wait for the types before it (see `xds.machine`).
    beside: services that answer on the same port, such as `LoadReports.handler()`.
    flow: the bounds of streams, and how long they last.
    transport: what carries the streams (see `xds.listening`).

    A stream ends in words when its client breaks the protocol: see `xds.stream.serve`.
    """

    def __init__(
        self,
        cache: SnapshotCache,
        fleet: Fleet | None = None,
        *,
        group_of: GroupOf = node_cluster,
        admit: Admit | None = None,
        demand: Demand | None = None,
        first_request_seconds: float = FIRST_REQUEST_SECONDS,
        hold_seconds: float = HOLD_SECONDS,
        beside: Sequence[grpc.GenericRpcHandler] = (),
        flow: Flow | None = None,
        transport: Transport = Transport.HTTP2,
    ) -> None:
        self._cache = cache
        self._fleet = fleet if fleet is not None else Fleet()
        self._group_of = group_of
        self._admit = admit
        self._demand = demand
        self._first_request_seconds = first_request_seconds
        self._hold_seconds = hold_seconds
        self._beside = tuple(beside)
        self._flow = flow or Flow()
        self._gate = Gate(self._flow)
        self._transport = transport
        self._listener: Listener | None = None

    @property
    def fleet(self) -> Fleet:
        """The connected clients."""
        return self._fleet

    @property
    def gate(self) -> Gate:
        """The streams, counted: those that are open, that wait for their turn, that were refused."""
        return self._gate

    async def start(self, address: str, *, tls: Tls | None = None, share_port: bool = False) -> int:
        """Listens on `address` ("HOST:PORT"; port 0 takes a free one) and returns the port.

        share_port: other processes of this machine may listen there too (SO_REUSEPORT), and the kernel deals the
        connections out to them. Each of them must be told of each snapshot; see docs/decisions/0031.

        Raises:
            XdsError: the address is none, or cannot be bound; or the server listens already.
        """
        if self._listener is not None:
            raise XdsError(f"xDS address {address}: this server listens already: want another, or stop it first")
        host, _, port_text = address.rpartition(":")
        if (
            not host
            or not (port_text.isascii() and port_text.isdecimal() and len(port_text) <= 5)
            or (int(port_text) > _LAST_PORT)
        ):
            raise XdsError(f"xDS address {address}: want HOST:PORT, as in 127.0.0.1:0 or [::1]:15010")
        self._gate = Gate(self._flow)  # the one before is closed for good
        handlers = [
            *(grpc.method_handlers_generic_handler(name, methods) for name, methods in self._services().items()),
            *(
                Bounded(service, self._gate, first_request_seconds=self._first_request_seconds)
                for service in self._beside
            ),
        ]
        made = listener(self._transport, handlers, self._flow)
        try:
            port = await made.listen(address, tls=tls, share_port=share_port)
        except OSError as error:
            raise XdsError(f"xDS address {address}: cannot listen there: want a free port of this machine") from error
        self._listener = made
        return port

    async def stop(self, *, grace: float = 1.0) -> None:
        """Ends all streams, those within `grace` seconds that are in the middle of an update; their clients reconnect
        elsewhere or later, and keep what they have meanwhile."""
        if self._listener is not None:
            self._gate.close()
            await self._listener.stop(grace)
            self._listener = None

    async def wait(self) -> None:
        """Until the server is stopped."""
        if self._listener is not None:
            await self._listener.wait()

    def _services(self) -> dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]]:
        """The methods of each service. What is asked for on demand is so in the delta variant alone (Envoy,
        "xDS API endpoints")."""
        services = {
            ADS: {
                "StreamAggregatedResources": self._method(SOTW, None),
                "DeltaAggregatedResources": self._method(DELTA, None),
            }
        }
        for type in RESOURCE_TYPES:
            methods = services.setdefault(type.service, {})
            methods[f"Delta{type.rpc}"] = self._method(DELTA, type)
            if not type.on_demand:
                methods[f"Stream{type.rpc}"] = self._method(SOTW, type)
        return services

    def _method(self, variant: Variant[Any], only: ResourceType | None) -> grpc.RpcMethodHandler[Any, Any]:
        async def method(requests: AsyncIterator[bytes], context: Context) -> None:
            await serve(
                requests,
                context,
                variant,
                only=only,
                cache=self._cache,
                fleet=self._fleet,
                gate=self._gate,
                group_of=self._group_of,
                admit=self._admit,
                demand=self._demand,
                first_request_seconds=self._first_request_seconds,
                hold_seconds=self._hold_seconds,
            )

        return grpc.stream_stream_rpc_method_handler(method)
