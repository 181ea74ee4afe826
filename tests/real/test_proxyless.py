"""A gRPC client without a proxy (`xds:///`) finds its servers by what we serve: LDS, RDS, CDS and EDS."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterEdsClusterConfig
from envoy_data_plane.envoy.config.core.v3 import Address, AggregatedConfigSource, ConfigSource, Locality, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.config.listener.v3 import ApiListener, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
    WeightedClusterClusterWeight,
)
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)

from tests.conditions import eventually
from xds import Resource, Server, Snapshot, SnapshotCache, node_id
from xds.encoder import pack
from xds.fleet import FleetEvent, Refused
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE

NODE = "client-1"
ADS = ConfigSource(ads=AggregatedConfigSource())

# Makes as many calls as each line of its input says, and writes how often each server answered, and how many failed.
CLIENT = """
import collections, json, sys, grpc
channel = grpc.insecure_channel("xds:///shop.example")
call = channel.unary_unary("/shop.Shop/Who")
print("ready", flush=True)
for line in sys.stdin:
    counts = collections.Counter()
    for _ in range(int(line)):
        try:
            counts[call(b"", timeout=20, wait_for_ready=True).decode()] += 1
        except grpc.RpcError as error:
            counts[error.code().name + ": " + error.details()] += 1
    print(json.dumps(counts), flush=True)
"""


def address(port: int) -> Address:
    return Address(socket_address=SocketAddress(address="127.0.0.1", port_value=port))


def service(name: str, *priorities: int) -> tuple[Resource, Resource]:
    """A cluster whose endpoints are the ports of `priorities`, the first to be preferred."""
    cluster = Cluster(
        name=name,
        type=ClusterDiscoveryType.EDS,
        eds_cluster_config=ClusterEdsClusterConfig(eds_config=ADS),
        connect_timeout=timedelta(seconds=1),
    )
    places = [
        LocalityLbEndpoints(
            locality=Locality(zone=f"zone-{priority}"),
            priority=priority,
            load_balancing_weight=1,
            lb_endpoints=[LbEndpoint(endpoint=Endpoint(address=address(port)))],
        )
        for priority, port in enumerate(priorities)
    ]
    return Resource.of(cluster), Resource.of(ClusterLoadAssignment(cluster_name=name, endpoints=places))


def listener() -> Resource:
    manager = HttpConnectionManager(
        rds=Rds(config_source=ADS, route_config_name="shop-routes"),
        http_filters=[HttpFilter(name="router", typed_config=pack(Router()))],
    )
    return Resource.of(Listener(name="shop.example", api_listener=ApiListener(api_listener=pack(manager))))


def routes(**weights: int) -> Resource:
    clusters = [WeightedClusterClusterWeight(name=name, weight=weight) for name, weight in weights.items()]
    action = RouteAction(weighted_clusters=WeightedCluster(clusters=clusters))
    host = VirtualHost(name="all", domains=["*"], routes=[Route(match=RouteMatch(prefix=""), route=action)])
    return Resource.of(RouteConfiguration(name="shop-routes", virtual_hosts=[host]))


@asynccontextmanager
async def backend(name: str) -> AsyncIterator[tuple[grpc.aio.Server, int]]:
    """A gRPC server that answers with its name, and its port."""

    async def who(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return name.encode()

    server = grpc.aio.server()
    handlers: dict[str, Any] = {"Who": grpc.unary_unary_rpc_method_handler(who)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Shop", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield server, port
    await server.stop(grace=None)


class Client:
    """A process with a gRPC channel by xDS."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def started(cls, xds_port: int) -> AsyncIterator[Client]:
        bootstrap = {
            "xds_servers": [
                {
                    "server_uri": f"127.0.0.1:{xds_port}",
                    "channel_creds": [{"type": "insecure"}],
                    "server_features": ["xds_v3"],
                }
            ],
            "node": {"id": NODE},
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CLIENT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(bootstrap)},
        )
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
            yield cls(process)
        finally:
            process.kill()
            await process.communicate()

    async def calls(self, count: int) -> dict[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count}\n".encode())
        async with asyncio.timeout(60):
            answers: dict[str, int] = json.loads(await self._process.stdout.readline())
        return answers


async def answered_by(client: Client, names: Sequence[str]) -> None:
    """Sooner or later all calls are answered by `names`, and none fails on the way."""

    async def only_those() -> bool:
        counts = await client.calls(20)
        assert not any(":" in name for name in counts), counts
        return set(counts) == set(names)

    await eventually(only_those, deadline=timedelta(seconds=30))


async def test_a_client_without_a_proxy_follows_weights_and_fails_over() -> None:
    cache, events = SnapshotCache(), list[FleetEvent]()
    server = Server(cache, group_of=node_id)
    server.fleet.listen(events.append)
    xds_port = await server.start("127.0.0.1:0")
    async with backend("a") as (_, a), backend("b") as (b_server, b), backend("spare") as (_, spare):
        content = [listener(), *service("first", a), *service("second", b, spare)]
        cache.publish(NODE, Snapshot.of([*content, routes(first=75, second=25)]))
        async with Client.started(xds_port) as client:
            counts = await client.calls(400)
            assert set(counts) == {"a", "b"}
            assert counts["a"] == pytest.approx(300, abs=50)  # more than five standard deviations

            cache.publish(NODE, Snapshot.of([*content, routes(second=1)]))
            await answered_by(client, ["b"])

            await b_server.stop(grace=None)  # the preferred endpoint goes
            await answered_by(client, ["spare"])

            cache.publish(NODE, Snapshot.of([listener(), *service("third", a), routes(third=1)]))
            await answered_by(client, ["a"])

            def in_sync() -> bool:
                [status] = server.fleet.status()
                assert {each.type for each in status.types} == {LISTENER, ROUTE, CLUSTER, ENDPOINT}
                return status.in_sync

            await eventually(in_sync)
    await server.stop(grace=0)
    assert [event for event in events if isinstance(event, Refused)] == []
