"""Clients and servers at their worst: each fault has the answer that docs/xds.md states, and concerns nobody else."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest, Node
from tests.conditions import eventually
from tests.strict_client import StrictClient, Way, connected
from tests.tiny_resources import tiny
from tests.xds_mesh import NODE, Mesh
from tests.xds_process import large
from xds import Server, SnapshotCache, Transport, node_id
from xds.bounds import MAX_NAME_LENGTH, MAX_NAMES, MAX_NAMES_OF_STREAM, MAX_NODE_BYTES, MAX_TYPES
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, ResourceType, resource_type

pytestmark = pytest.mark.usefixtures("bystander")


@pytest.fixture(params=list(Transport), ids=lambda transport: transport.value)
def transport(request: pytest.FixtureRequest) -> Transport:
    return Transport(request.param)


@pytest.fixture
async def mesh(transport: Transport) -> AsyncIterator[Mesh]:
    async with Mesh.started(transport=transport) as made:
        yield made


@pytest.fixture
async def bystander(mesh: Mesh, caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """Somebody else, who is served before, and after whatever the test does."""
    mesh.cache.set("bystander", [tiny(CLUSTER, "a")])
    async with connected(mesh.port, Way.DELTA_ADS, node="bystander") as client:
        await client.subscribe(CLUSTER)
        await client.take(CLUSTER)
        yield
        mesh.cache.put("bystander", tiny(CLUSTER, "a", 2))
        assert (await client.take(CLUSTER)).names == {"a"}
    await eventually(lambda: len(mesh.fleet) == 0)  # nor is anything of the offender left
    assert [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


@asynccontextmanager
async def raw(port: int, way: Way) -> AsyncIterator[Any]:
    """A stream for bytes, of clusters."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        service, rpc = (
            ("envoy.service.discovery.v3.AggregatedDiscoveryService", "AggregatedResources")
            if way.is_aggregated
            else (CLUSTER.service, CLUSTER.rpc)
        )
        call: Any = channel.stream_stream(f"/{service}/{'Delta' if way.is_delta else 'Stream'}{rpc}")()
        yield call
        call.cancel()


def subscription(way: Way, *names: str, type: ResourceType = CLUSTER, node: str = NODE) -> Any:
    if way.is_delta:
        return DeltaDiscoveryRequest(
            node=Node(id=node) if node else None, type_url=type.type_url, resource_names_subscribe=names
        )
    return DiscoveryRequest(node=Node(id=node) if node else None, type_url=type.type_url, resource_names=names)


async def ended(call: Any) -> grpc.aio.AioRpcError:
    """How the server ended the stream, whatever it said before."""
    try:
        while await asyncio.wait_for(call.read(), timeout=30) is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the stream ended without an error")


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 64, b"\x12\x05ab", b"\x0a\xff\xff\xff\xff\x0f"], ids=["no tags", "cut short", "a huge length"]
)
async def test_bytes_that_are_no_request(mesh: Mesh, way: Way, garbage: bytes) -> None:
    for first in (True, False):
        async with raw(mesh.port, way) as call:
            if not first:
                await call.write(subscription(way).SerializeToString())
            await call.write(garbage)
            error = await ended(call)
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert f"got {len(garbage)} bytes that are no " in (error.details() or "")


async def test_a_node_nested_without_end(mesh: Mesh, way: Way) -> None:
    deep = b""
    for _ in range(200):  # Node.metadata: a struct with a struct in it, and so on
        value = b"\x2a" + _length(deep) + deep
        field = b"\x0a\x01x\x12" + _length(value) + value
        deep = b"\x0a" + _length(field) + field
    metadata = b"\x0a\x06edge-1\x1a" + _length(deep) + deep
    async with raw(mesh.port, way) as call:
        await call.write((b"\x0a" if way.is_delta else b"\x12") + _length(metadata) + metadata)
        assert (await ended(call)).code() is grpc.StatusCode.INVALID_ARGUMENT


def _length(payload: bytes) -> bytes:
    size, out = len(payload), bytearray()
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes((*out, size))


async def test_a_request_of_64_mib(mesh: Mesh, way: Way) -> None:
    async with raw(mesh.port, way) as call:
        await call.write(subscription(way, "x" * (64 << 20)).SerializeToString())
        error = await ended(call)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "4194304" in (error.details() or "")  # gRPC's own words, with the bound in them


async def test_100_000_names(mesh: Mesh, client: StrictClient) -> None:
    names = [f"n{number}" for number in range(100_000)]
    await client.send(ENDPOINT, subscription(client.way, *names, type=ENDPOINT))
    error = await client.ended(ENDPOINT)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == f"EDS: got 100,000 resource names, want at most {MAX_NAMES:,}"


async def test_names_of_several_types_up_to_the_bound_of_a_stream(mesh: Mesh) -> None:
    async with connected(mesh.port, Way.DELTA_ADS, node=NODE) as client:
        names = [f"n{number}" for number in range(MAX_NAMES)]
        for type in (ENDPOINT, ROUTE):
            await client.send(type, subscription(client.way, *names, type=type))
        await eventually(lambda: mesh.status(ROUTE).subscribed == MAX_NAMES)
        assert mesh.status(ENDPOINT).subscribed + MAX_NAMES == MAX_NAMES_OF_STREAM
        await client.send(LISTENER, subscription(client.way, "one too many", type=LISTENER))
        error = await client.ended(LISTENER)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "LDS: got 100,001 resource names with those of other types" in (error.details() or "")


async def test_a_name_that_is_too_long(mesh: Mesh, client: StrictClient) -> None:
    await client.send(ENDPOINT, subscription(client.way, "x" * 2_000, type=ENDPOINT))
    error = await client.ended(ENDPOINT)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "EDS: got a resource name of 2,000 characters (xxx" in (error.details() or "")


@pytest.mark.parametrize("way", [Way.SOTW_ADS, Way.DELTA_ADS], ids=lambda way: way.value, indirect=True)
async def test_type_urls_without_end(mesh: Mesh, client: StrictClient) -> None:
    """A type that nobody heard of is one without resources, so it costs something to ask for it: not too many."""
    mesh.set()
    for number in range(MAX_TYPES):
        type = resource_type(f"type.googleapis.com/made.up.Type{number}")
        await client.subscribe(type)
        assert (await client.take(type)).bodies == {}
    await client.subscribe(CLUSTER)
    error = await client.ended(CLUSTER)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert f"besides {MAX_TYPES} others, want at most {MAX_TYPES} types" in (error.details() or "")


async def test_a_node_without_an_id(mesh: Mesh, way: Way) -> None:
    async with raw(mesh.port, way) as call:
        await call.write(subscription(way, node="").SerializeToString())
        error = await ended(call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "has no node.id" in (error.details() or "")


async def test_another_node_on_the_same_stream(mesh: Mesh, way: Way) -> None:
    async with raw(mesh.port, way) as call:
        await call.write(subscription(way).SerializeToString())
        await call.write(subscription(way, "a", node="intruder").SerializeToString())
        error = await ended(call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "node.id: got intruder on a stream that edge-1 opened" in (error.details() or "")


@pytest.mark.parametrize("type_url", ["x" * 2_000_000, "y" * 30_000])
@pytest.mark.parametrize("way", [way for way in Way if not way.is_aggregated], ids=lambda way: way.value, indirect=True)
async def test_words_that_repeat_a_client_are_cut_short(mesh: Mesh, way: Way, type_url: str) -> None:
    """Or they would not fit into the headers that its library takes, and be lost."""
    async with raw(mesh.port, way) as call:
        request = subscription(way)
        request.type_url = type_url
        await call.write(request.SerializeToString())
        error = await ended(call)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (error.details() or "").startswith(f"type_url: got {type_url[:900]}")
    assert len(error.details() or "") == 1_001


@pytest.mark.parametrize("field", ["id", "cluster", "metadata"])
async def test_a_node_that_is_too_large(mesh: Mesh, way: Way, field: str) -> None:
    node = Node(id=NODE)
    if field == "metadata":
        node.metadata["x"] = "x" * MAX_NODE_BYTES
    else:
        setattr(node, field, "x" * (MAX_NAME_LENGTH + 1))
    async with raw(mesh.port, way) as call:
        request = subscription(way)
        request.node.CopyFrom(node)
        await call.write(request.SerializeToString())
        error = await ended(call)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (error.details() or "").startswith("node: got 262," if field == "metadata" else f"node.{field}: got 1,025 ")


async def test_what_envoy_says_of_its_extensions_is_not_kept(mesh: Mesh, way: Way) -> None:
    """61 kB for each stream."""
    extension = b"\x0a\x04some\x12\x04kind"
    node = Node(id=NODE).SerializeToString() + (b"\x4a" + bytes((len(extension),)) + extension) * 500
    async with raw(mesh.port, way) as call:
        await call.write(
            (b"\x0a" if way.is_delta else b"\x12")
            + _length(node)
            + node
            + (subscription(way, node="").SerializeToString())
        )
        await eventually(lambda: len(mesh.fleet) == 2)
        [client] = [client for client in mesh.fleet.clients() if client.node_id == NODE]
        assert client.node == Node(id=NODE).SerializeToString()


async def test_a_stream_that_is_opened_and_never_used(way: Way, transport: Transport) -> None:
    server = Server(SnapshotCache(), group_of=node_id, first_request_seconds=0.1, transport=transport)
    port = await server.start("127.0.0.1:0")
    async with raw(port, way) as call:
        error = await ended(call)
    await server.stop(grace=0)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details() == "got no request within 0.1 s of opening the stream, want one"


async def test_a_client_that_ends_its_side(mesh: Mesh, way: Way) -> None:
    """It cannot acknowledge any more, so it is sent no more."""
    mesh.set(tiny(CLUSTER, "a"))
    async with raw(mesh.port, way) as call:
        await call.write(subscription(way).SerializeToString())
        assert await asyncio.wait_for(call.read(), timeout=30) is not grpc.aio.EOF
        await call.done_writing()
        assert await asyncio.wait_for(call.read(), timeout=30) is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK


# --- kill -9 ---

STUCK = """
import sys, threading, grpc
from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, Node
from xds.server import ADS
def requests():
    yield DeltaDiscoveryRequest(node=Node(id="edge-1"), type_url=sys.argv[2]).SerializeToString()
    threading.Event().wait()
channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}")
call = channel.stream_stream(f"/{ADS}/DeltaAggregatedResources")(requests())
threading.Event().wait()  # and never reads
"""


async def test_kill_9_of_a_client_in_mid_push(mesh: Mesh) -> None:
    mesh.set(*(large(f"cluster-{number}", 1) for number in range(200)))  # 3 MB: more than the transport takes in
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", STUCK, str(mesh.port), CLUSTER.type_url)
    try:
        await eventually(lambda: mesh.status(CLUSTER).sent)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    await eventually(lambda: len(mesh.fleet) == 1)


@asynccontextmanager
async def server_process(port: int, mark: int, count: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.xds_process", str(port), str(mark), str(count)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield process, int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("way", [Way.SOTW_ADS, Way.DELTA_ADS], ids=lambda way: way.value, indirect=True)
@pytest.mark.parametrize("transport", [Transport.HTTP2], ids=["http2"], indirect=True)  # of the bystander
async def test_kill_9_of_a_server_in_mid_push(way: Way) -> None:
    """The client keeps what it has, comes back to the next server, and is brought to where that one is."""
    count = 200
    async with server_process(0, 1, count) as (process, port), connected(port, way, node=NODE) as before:
        await before.subscribe(CLUSTER)
        await before.take(CLUSTER)
        assert process.stdin is not None
        process.stdin.write(b"\n")  # 3 MB on their way
        await process.stdin.drain()
        process.send_signal(signal.SIGKILL)
        error = await before.ended(CLUSTER)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert before.holds(CLUSTER) == {f"cluster-{n}": large(f"cluster-{n}", 1).body for n in range(count)}
        await process.wait()
    changed = 3
    async with server_process(port, 1, count + changed) as (_, same), connected(same, way, node=NODE) as after:
        assert same == port
        await after.resume(before, CLUSTER)
        received = await after.take(CLUSTER)
        assert len(received.names) == (changed if way.is_delta else count + changed)
        assert len(after.holds(CLUSTER)) == count + changed
