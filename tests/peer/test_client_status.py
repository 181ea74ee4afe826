"""The client status discovery service over loopback: asked by our own messages, and by Envoy's official classes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from protos.apg.xds.v3.status_pb2 import (
    ACKED,
    DOES_NOT_EXIST,
    ERROR,
    NACKED,
    NOT_SENT,
    REQUESTED,
    STALE,
    SYNCED,
    ClientStatusRequest,
    ClientStatusResponse,
    GenericXdsConfig,
)
from tests.conditions import eventually
from tests.official import OfficialClasses
from tests.xds_resources import cluster, endpoints, service
from xds.cache import SnapshotCache
from xds.client_status import CSDS, ClientStatus
from xds.fleet import Client, Fleet
from xds.fleet import ClientStatus as Status
from xds.history import Record, RefusedResource
from xds.holdings import Holding, Standing
from xds.resource import Resource
from xds.resource_types import CLUSTER, ENDPOINT, ResourceType
from xds.server import ADS, Server
from xds.snapshot import Snapshot

GROUP = "default/edge"
both_variants = pytest.mark.parametrize("delta", [False, True], ids=["sotw", "delta"])


@dataclass
class Serving:
    cache: SnapshotCache
    fleet: Fleet
    port: int


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    cache, fleet = SnapshotCache(), Fleet()
    server = Server(cache, fleet, beside=[ClientStatus(fleet).handler()])
    yield Serving(cache, fleet, await server.start("127.0.0.1:0"))
    await server.stop(grace=0)


class Peer:
    """One ADS client that answers by hand."""

    def __init__(self, call: Any, *, delta: bool, node: Node) -> None:
        self.call, self.delta, self.node = call, delta, node

    async def subscribe(self, type: ResourceType, *names: str) -> None:
        if self.delta:
            await self._write(DeltaDiscoveryRequest(type_url=type.type_url, resource_names_subscribe=names))
        else:
            await self._write(DiscoveryRequest(type_url=type.type_url, resource_names=names))

    async def read(self) -> Any:
        kind = DeltaDiscoveryResponse if self.delta else DiscoveryResponse
        return kind.FromString(await asyncio.wait_for(self.call.read(), 30))

    async def answer(self, response: Any, *names: str, error: str = "") -> None:
        request: Any = (DeltaDiscoveryRequest if self.delta else DiscoveryRequest)(
            type_url=response.type_url, response_nonce=response.nonce
        )
        if not self.delta:
            request.resource_names.extend(names)
        if error:
            request.error_detail.code, request.error_detail.message = 3, error
        await self._write(request)

    async def _write(self, request: Any) -> None:
        request.node.CopyFrom(self.node)
        await self.call.write(request.SerializeToString())


@asynccontextmanager
async def peer(port: int, *, delta: bool, node_id: str = "edge-1", **metadata: str) -> AsyncIterator[Peer]:
    node = Node(id=node_id, cluster=GROUP)
    node.metadata.update(metadata)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.stream_stream(f"/{ADS}/{'Delta' if delta else 'Stream'}AggregatedResources")
        call = method()
        yield Peer(call, delta=delta, node=node)
        call.cancel()


async def fetch(port: int, request: ClientStatusRequest | None = None) -> ClientStatusResponse:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.unary_unary(f"/{CSDS}/FetchClientStatus")
        body = (request or ClientStatusRequest()).SerializeToString()
        return ClientStatusResponse.FromString(await method(body, timeout=30))


async def configs(serving: Serving) -> Mapping[str, GenericXdsConfig]:
    """Of the one client, by name."""
    [config] = (await fetch(serving.port)).config
    return {each.name: each for each in config.generic_xds_configs}


def statuses(config: GenericXdsConfig) -> tuple[int, int]:
    return config.config_status, config.client_status


async def acked(serving: Serving) -> None:
    await eventually(lambda: all(type.accepted for status in serving.fleet.status() for type in status.types))


@both_variants
async def test_what_a_client_accepted_is_synced_with_its_bytes_version_and_time(serving: Serving, delta: bool) -> None:
    pay = cluster("pay")
    serving.cache.publish(GROUP, Snapshot.of([pay, endpoints("pay", 1)]))
    before = datetime.now(UTC)
    async with peer(serving.port, delta=delta) as client:
        await client.subscribe(CLUSTER)
        await client.answer(await client.read())
        await acked(serving)
        [config] = (await fetch(serving.port)).config
    [found] = config.generic_xds_configs
    assert (config.node.id, config.node.cluster) == ("edge-1", GROUP)
    assert (found.type_url, found.name, found.version_info) == (CLUSTER.type_url, "pay", pay.version)
    assert statuses(found) == (SYNCED, ACKED)
    assert (found.xds_config.type_url, found.xds_config.value) == (CLUSTER.type_url, pay.body)
    assert before - timedelta(seconds=1) < found.last_updated.ToDatetime(UTC) <= datetime.now(UTC)
    assert not found.HasField("error_state")


@both_variants
async def test_what_was_sent_and_not_answered_is_stale_beside_what_the_client_has(
    serving: Serving, delta: bool
) -> None:
    old = cluster("pay")
    serving.cache.publish(GROUP, Snapshot.of([old, endpoints("pay", 1)]))
    async with peer(serving.port, delta=delta) as client:
        await client.subscribe(CLUSTER)
        response = await client.read()
        found = (await configs(serving))["pay"]
        assert (statuses(found), found.version_info) == ((STALE, REQUESTED), "")
        await client.answer(response)
        await acked(serving)
        serving.cache.publish(GROUP, Snapshot.of([cluster("pay", stat_name="new"), endpoints("pay", 1)]))
        await client.read()
        found = (await configs(serving))["pay"]
    assert statuses(found) == (STALE, ACKED)
    assert (found.version_info, found.xds_config.value) == (old.version, old.body)


@both_variants
async def test_a_refusal_shows_what_was_refused_why_and_when(serving: Serving, delta: bool) -> None:
    old, new = cluster("pay"), cluster("pay", stat_name="new")
    serving.cache.publish(GROUP, Snapshot.of([old, endpoints("pay", 1)]))
    async with peer(serving.port, delta=delta) as client:
        await client.subscribe(CLUSTER)
        await client.answer(await client.read())
        await acked(serving)
        serving.cache.publish(GROUP, Snapshot.of([new, endpoints("pay", 1)]))
        await client.answer(await client.read(), error="cluster pay: not like this")
        await eventually(lambda: serving.fleet.status()[0].types[0].nacked)
        found = (await configs(serving))["pay"]
    assert statuses(found) == (ERROR, NACKED)
    assert (found.version_info, found.xds_config.value) == (old.version, old.body)
    assert found.error_state.details == "cluster pay: not like this"
    assert found.error_state.version_info == new.version
    assert found.error_state.failed_configuration.value == new.body
    assert found.error_state.last_update_attempt.ToDatetime(UTC) >= found.last_updated.ToDatetime(UTC)


async def test_a_name_that_leads_nowhere_does_not_exist_once_the_client_was_told(serving: Serving) -> None:
    serving.cache.publish(GROUP, Snapshot.of([]))
    async with peer(serving.port, delta=True) as client:
        await client.subscribe(ENDPOINT, "nobody")
        response = await client.read()
        assert statuses((await configs(serving))["nobody"]) == (STALE, REQUESTED)
        await client.answer(response)
        await acked(serving)
        assert statuses((await configs(serving))["nobody"]) == (SYNCED, DOES_NOT_EXIST)


@both_variants
async def test_what_an_unknown_group_asks_for_is_not_sent(serving: Serving, delta: bool) -> None:
    async with peer(serving.port, delta=delta) as client:
        await client.subscribe(ENDPOINT, "pay")
        await eventually(lambda: len(serving.fleet) == 1 and serving.fleet.status()[0].types)
        assert statuses((await configs(serving))["pay"]) == (NOT_SENT, REQUESTED)


async def test_contents_can_be_left_out_and_the_stream_answers_each_question(serving: Serving) -> None:
    serving.cache.publish(GROUP, Snapshot.of(service("pay", 1)))
    async with (
        peer(serving.port, delta=True) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel,
    ):
        await client.subscribe(CLUSTER)
        await client.answer(await client.read())
        await acked(serving)
        method: Any = channel.stream_stream(f"/{CSDS}/StreamClientStatus")
        call = method()
        for exclude in (True, False):
            await call.write(ClientStatusRequest(exclude_resource_contents=exclude).SerializeToString())
            answer = ClientStatusResponse.FromString(await asyncio.wait_for(call.read(), 30))
            [found] = answer.config[0].generic_xds_configs
            assert found.HasField("xds_config") is not exclude
        call.cancel()


@pytest.mark.parametrize(
    ("matchers", "found"),
    [
        ([], {"edge-1", "edge-2", "other"}),
        ([{"node_id": {"exact": "edge-1"}}], {"edge-1"}),
        ([{"node_id": {"exact": "EDGE-1"}}], set()),
        ([{"node_id": {"exact": "EDGE-1", "ignore_case": True}}], {"edge-1"}),
        ([{"node_id": {"prefix": "edge-"}}], {"edge-1", "edge-2"}),
        ([{"node_id": {"safe_regex": {"regex": "(edge|gate)-[2-9]"}}}], {"edge-2"}),
        ([{"node_id": {"safe_regex": {"regex": "edge"}}}], set()),
        ([{"node_id": {"suffix": "r"}}, {"node_id": {"contains": "-1"}}], {"edge-1", "other"}),
        ([{}], {"edge-1", "edge-2", "other"}),
        ([{"node_metadatas": [{"path": [{"key": "zone"}], "value": {"string_match": {"exact": "a"}}}]}], {"edge-1"}),
        ([{"node_metadatas": [{"path": [{"key": "zone"}], "value": {"present_match": True}}]}], {"edge-1", "edge-2"}),
        (
            [
                {
                    "node_id": {"prefix": "edge-"},
                    "node_metadatas": [{"path": [{"key": "zone"}], "value": {"string_match": {"exact": "b"}}}],
                }
            ],
            {"edge-2"},
        ),
    ],
)
async def test_matchers_choose_the_nodes(serving: Serving, matchers: list[Any], found: set[str]) -> None:
    async with (
        peer(serving.port, delta=True, zone="a") as one,
        peer(serving.port, delta=False, node_id="edge-2", zone="b") as two,
        peer(serving.port, delta=True, node_id="other") as three,
    ):
        for client in (one, two, three):
            await client.subscribe(CLUSTER)
        await eventually(lambda: len(serving.fleet) == 3)
        answer = await fetch(serving.port, ClientStatusRequest(node_matchers=matchers))
    assert {config.node.id for config in answer.config} == found


@pytest.mark.parametrize(
    ("matcher", "code", "words"),
    [
        ({"node_id": {"custom": {}}}, grpc.StatusCode.UNIMPLEMENTED, "node_id.custom is not supported"),
        ({"node_id": {"safe_regex": {"regex": "("}}}, grpc.StatusCode.INVALID_ARGUMENT, "got '(', want one that RE2"),
        ({"node_id": {}}, grpc.StatusCode.INVALID_ARGUMENT, "node_matchers.node_id: no pattern"),
        ({"node_id": {"prefix": ""}}, grpc.StatusCode.INVALID_ARGUMENT, "got an empty text"),
        ({"node_metadatas": [{"value": {"bool_match": True}}]}, grpc.StatusCode.INVALID_ARGUMENT, "want a key"),
        ({"node_metadatas": [{"path": [{"key": "a"}]}]}, grpc.StatusCode.INVALID_ARGUMENT, "value: no pattern"),
        (
            {"node_metadatas": [{"path": [{"key": "a"}], "value": {"list_match": {}}}]},
            grpc.StatusCode.UNIMPLEMENTED,
            "value.list_match is not supported",
        ),
    ],
)
async def test_a_matcher_that_cannot_be_honoured_is_refused_in_words(
    serving: Serving, matcher: Any, code: grpc.StatusCode, words: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await fetch(serving.port, ClientStatusRequest(node_matchers=[matcher]))
    assert caught.value.code() is code
    assert words in (caught.value.details() or "")


async def test_bytes_that_are_no_question_are_refused(serving: Serving) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{serving.port}") as channel:
        method: Any = channel.unary_unary(f"/{CSDS}/FetchClientStatus")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(b"\xff\xff", timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "ClientStatusRequest" in (caught.value.details() or "")


class HasOne:
    """A connection whose client has, and refuses, what it is given."""

    def __init__(self, client: Client, *records: Record) -> None:
        self.client, self._records = client, records

    def status(self) -> Status:
        return Status(self.client, known_group=True, types=())

    def records(self) -> Iterator[Record]:
        return iter(self._records)


@contextmanager
def connected(fleet: Fleet, *records: Record) -> Iterator[None]:
    node = Node(id="edge-1", cluster=GROUP).SerializeToString()
    client = Client("edge-1", GROUP, "delta", "", "", datetime.now(UTC), node)
    with fleet.joined(client, HasOne(client, *records)):
        yield


async def test_a_secret_is_never_shown() -> None:
    url = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    type = ResourceType(type_url=url, short="SDS", order=0, full_state=False, message="")
    body = b"\n\x04cert" + b"\x12\x0bPRIVATE KEY"
    secret = Resource(type, "cert", "v1", b"..." + body, len(body), frozenset())
    record = Record(
        Holding(type, "cert", Standing.REFUSED, secret, secret), None, RefusedResource(datetime.now(UTC), "no")
    )
    fleet = Fleet()
    with connected(fleet, record):
        answer = await ClientStatus(fleet).answer(ClientStatusRequest())
    assert b"PRIVATE KEY" not in answer
    [found] = ClientStatusResponse.FromString(answer).config[0].generic_xds_configs
    assert (found.xds_config.type_url, found.xds_config.value) == (url, b"\n\x04cert")
    assert found.error_state.failed_configuration.value == b"\n\x04cert"


async def test_an_answer_that_would_be_too_large_is_refused_with_the_way_out(serving: Serving) -> None:
    resource = cluster("pay")
    held = [Record(Holding(CLUSTER, f"pay-{n}", Standing.HELD, resource, resource), None, None) for n in range(100)]
    fleet = Fleet()
    server = Server(serving.cache, fleet, beside=[ClientStatus(fleet, max_answer=5_000).handler()])
    port = await server.start("127.0.0.1:0")
    with connected(fleet, *held):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fetch(port)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "exceeds 5000 bytes: want node_matchers" in (caught.value.details() or "")
    await server.stop(grace=0)


OFFICIAL_CLIENT = """
import grpc
from google.protobuf.json_format import MessageToJson
from envoy.config.cluster.v3 import cluster_pb2
from envoy.service.status.v3 import csds_pb2, csds_pb2_grpc

channel = grpc.insecure_channel(sys.argv[1])
stub = csds_pb2_grpc.ClientStatusDiscoveryServiceStub(channel)
request = csds_pb2.ClientStatusRequest()
request.node_matchers.add().node_id.exact = "edge-1"
print(MessageToJson(stub.FetchClientStatus(request, timeout=30), indent=None))
print(MessageToJson(next(stub.StreamClientStatus(iter([request]), timeout=30)), indent=None))
"""


@pytest.mark.xdist_group("xds-protos")
async def test_the_official_classes_read_the_answer(serving: Serving, official: OfficialClasses) -> None:
    serving.cache.publish(GROUP, Snapshot.of(service("pay", 1)))
    async with peer(serving.port, delta=True) as client:
        await client.subscribe(CLUSTER)
        await client.answer(await client.read(), error="not like this")
        await eventually(lambda: serving.fleet.status()[0].types[0].nacked)
        written = await asyncio.to_thread(official.run, OFFICIAL_CLIENT, f"127.0.0.1:{serving.port}")
    fetched, streamed = (json.loads(line) for line in written.splitlines())
    assert fetched == streamed
    [config] = fetched["config"]
    [found] = config["genericXdsConfigs"]
    assert config["node"]["id"] == "edge-1"
    assert (found["name"], found["configStatus"], found["clientStatus"]) == ("pay", "ERROR", "NACKED")
    assert found["errorState"]["details"] == "not like this"
    refused = found["errorState"]["failedConfiguration"]
    assert (refused["@type"], refused["name"], refused["type"]) == (CLUSTER.type_url, "pay", "EDS")
