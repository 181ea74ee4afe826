"""The ADS server over loopback, against scripted gRPC clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from protos.apg.xds.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Node,
)
from tests.conditions import eventually
from tests.xds_resources import cluster, endpoints, service
from xds.cache import SnapshotCache
from xds.errors import XdsError
from xds.fleet import Connected, Disconnected, Fleet, FleetEvent, Refused
from xds.listening import Transport
from xds.resource_types import CLUSTER, ENDPOINT
from xds.server import ADS, Server
from xds.snapshot import Snapshot

NODE = Node(id="edge-1", cluster="default/edge", user_agent_name="envoy")


@dataclass
class Serving:
    cache: SnapshotCache
    fleet: Fleet
    server: Server
    port: int
    events: list[FleetEvent] = field(default_factory=list)


@pytest.fixture(params=Transport)
async def serving(request: pytest.FixtureRequest) -> AsyncIterator[Serving]:
    cache, fleet = SnapshotCache(), Fleet()
    server = Server(cache, fleet, transport=request.param)
    port = await server.start("127.0.0.1:0")
    made = Serving(cache, fleet, server, port)
    fleet.listen(made.events.append)
    yield made
    await server.stop(grace=0)


@asynccontextmanager
async def stream(port: int, *, delta: bool) -> AsyncIterator[Any]:
    """A bidirectional call, as a client's library makes it."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = "DeltaAggregatedResources" if delta else "StreamAggregatedResources"
        serialize: Callable[[Any], bytes] = lambda message: message.SerializeToString()  # noqa: E731
        call = channel.stream_stream(
            f"/{ADS}/{method}",
            request_serializer=serialize,
            response_deserializer=(DeltaDiscoveryResponse if delta else DiscoveryResponse).FromString,
        )()
        yield call
        call.cancel()


async def read(call: Any) -> Any:
    return await asyncio.wait_for(call.read(), timeout=30)


def first_request(*, delta: bool, type_url: str = CLUSTER.type_url, node: Node = NODE) -> Any:
    if delta:
        return DeltaDiscoveryRequest(type_url=type_url, node=node)
    return DiscoveryRequest(type_url=type_url, node=node)


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
async def test_a_change_reaches_a_client_that_is_connected(serving: Serving, delta: bool) -> None:
    serving.cache.publish("default/edge", Snapshot.of(service("pay", 1)))
    async with stream(serving.port, delta=delta) as call:
        await call.write(first_request(delta=delta))
        first = await read(call)
        if delta:
            await call.write(DeltaDiscoveryRequest(type_url=CLUSTER.type_url, response_nonce=first.nonce))
        else:
            await call.write(
                DiscoveryRequest(type_url=CLUSTER.type_url, response_nonce=first.nonce, version_info=first.version_info)
            )
        await eventually(lambda: serving.fleet.status()[0].in_sync)
        changed = Snapshot.of([cluster("pay", stat_name="changed"), endpoints("pay", 1)])
        serving.cache.publish("default/edge", changed)
        second = await read(call)
        assert len(second.resources) == 1
        version = second.system_version_info if delta else second.version_info
        assert version == changed.version(CLUSTER)


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
async def test_a_refusal_is_a_fact_about_the_fleet(serving: Serving, delta: bool) -> None:
    serving.cache.publish("default/edge", Snapshot.of(service("pay", 1)))
    async with stream(serving.port, delta=delta) as call:
        await call.write(first_request(delta=delta))
        response = await read(call)
        nack = first_request(delta=delta)
        nack.response_nonce = response.nonce
        nack.error_detail.code, nack.error_detail.message = 3, "cluster pay: not like this"
        await call.write(nack)
        await eventually(lambda: any(isinstance(event, Refused) for event in serving.events))
        [refused] = [event for event in serving.events if isinstance(event, Refused)]
        assert refused.client.node_id == "edge-1"
        assert refused.refusal.nacked.resources == ("pay",)
        assert refused.refusal.nacked.origins == ("Service pay",)
        [status] = serving.fleet.status()
        assert not status.in_sync
        assert status.types[0].nacked is not None


async def test_the_fleet_knows_who_comes_and_goes(serving: Serving) -> None:
    async with stream(serving.port, delta=True) as call:
        await call.write(first_request(delta=True))
        await eventually(lambda: len(serving.fleet) == 1)
        [status] = serving.fleet.status()
        assert (status.client.node_id, status.client.group) == ("edge-1", "default/edge")
        assert not status.known_group
        assert not status.in_sync
    await eventually(lambda: len(serving.fleet) == 0)
    assert [type(event) for event in serving.events] == [Connected, Disconnected]


@pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])
async def test_a_node_without_id_is_told_what_is_missing(serving: Serving, delta: bool) -> None:
    async with stream(serving.port, delta=delta) as call:
        await call.write(first_request(delta=delta, node=Node(cluster="default/edge")))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read(call)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "node.id" in (caught.value.details() or "")


async def test_a_client_that_does_not_read_holds_up_nobody_else(serving: Serving) -> None:
    name = "pay"
    serving.cache.publish("default/edge", Snapshot.of(service(name, 1)))
    async with stream(serving.port, delta=True) as stuck, stream(serving.port, delta=True) as reader:
        for call in (stuck, reader):
            request = first_request(delta=True, type_url=ENDPOINT.type_url)
            request.resource_names_subscribe.append(name)
            await call.write(request)
        await eventually(lambda: len(serving.fleet) == 2)
        for port in range(2, 40):
            response = await read(reader)
            await reader.write(DeltaDiscoveryRequest(type_url=ENDPOINT.type_url, response_nonce=response.nonce))
            await eventually(lambda: any(status.in_sync for status in serving.fleet.status()))
            serving.cache.publish("default/edge", Snapshot.of(service(name, port)))
        assert (await read(reader)).resources[0].resource.value == endpoints(name, 39).body


async def test_a_client_that_closes_its_side_ends_the_stream(serving: Serving) -> None:
    async with stream(serving.port, delta=False) as call:
        await call.write(first_request(delta=False))
        await eventually(lambda: len(serving.fleet) == 1)
        await call.done_writing()
        await eventually(lambda: len(serving.fleet) == 0)


async def test_a_stream_that_is_opened_and_never_used_harms_nothing(serving: Serving) -> None:
    async with stream(serving.port, delta=False) as unused:
        await unused.done_writing()
        assert await read(unused) is grpc.aio.EOF


async def test_a_group_that_is_cleared_is_told_to_drop_everything(serving: Serving) -> None:
    serving.cache.publish("default/edge", Snapshot.of(service("pay", 1)))
    async with stream(serving.port, delta=True) as call:
        await call.write(first_request(delta=True))
        response = await read(call)
        await call.write(DeltaDiscoveryRequest(type_url=CLUSTER.type_url, response_nonce=response.nonce))
        await eventually(lambda: serving.fleet.status()[0].in_sync)
        serving.cache.clear("default/edge")
        assert list((await read(call)).removed_resources) == ["pay"]


async def test_a_taken_address_is_named(serving: Serving) -> None:
    other = Server(SnapshotCache(), Fleet())
    with pytest.raises(XdsError, match=f"127.0.0.1:{serving.port}"):
        await other.start(f"127.0.0.1:{serving.port}")
