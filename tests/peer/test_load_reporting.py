"""The load reporting service over loopback, against a scripted client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
import pytest

from protos.apg.xds.v3.discovery_pb2 import Node
from protos.apg.xds.v3.load_stats_pb2 import LoadStatsRequest, LoadStatsResponse
from tests.conditions import eventually
from tests.xds_resources import service
from xds.cache import SnapshotCache
from xds.fleet import Fleet
from xds.load_reporting import LRS, LoadPolicy, LoadReports
from xds.loads import Metric, Requests
from xds.server import Server, node_cluster
from xds.snapshot import Snapshot

GROUP = "default/edge"
ALL = "envoy.lrs.supports_send_all_clusters"


@dataclass
class Serving:
    cache: SnapshotCache
    reports: LoadReports
    port: int


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    cache = SnapshotCache()
    reports = LoadReports(cache, group_of=node_cluster)
    server = Server(cache, Fleet(), beside=[reports.handler()])
    yield Serving(cache, reports, await server.start("127.0.0.1:0"))
    await server.stop(grace=0)


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.stream_stream(f"/{LRS}/StreamLoadStats")
        call = method()
        yield call
        call.cancel()


def report(*features: str, node_id: str = "edge-1") -> LoadStatsRequest:
    return LoadStatsRequest(node=Node(id=node_id, cluster=GROUP, client_features=features))


async def send(call: Any, request: LoadStatsRequest) -> None:
    await call.write(request.SerializeToString())


async def until_the_end(call: Any) -> None:
    """Raises AioRpcError."""
    async with asyncio.timeout(30):
        while await call.read() is not grpc.aio.EOF:
            pass


async def asked(call: Any) -> LoadStatsResponse:
    return LoadStatsResponse.FromString(await asyncio.wait_for(call.read(), 30))


async def test_a_client_that_can_is_asked_for_all_its_clusters(serving: Serving) -> None:
    async with client(serving.port) as call:
        await send(call, report(ALL))
        answer = await asked(call)
    assert answer.send_all_clusters
    assert list(answer.clusters) == []
    assert answer.report_endpoint_granularity
    assert answer.load_reporting_interval.ToTimedelta() == timedelta(seconds=10)


async def test_another_client_is_asked_for_those_of_its_group_and_again_when_they_change(serving: Serving) -> None:
    serving.cache.publish(GROUP, Snapshot.of(service("pay", 1)))
    async with client(serving.port) as call:
        await send(call, report())
        first = await asked(call)
        assert (list(first.clusters), first.send_all_clusters) == (["pay"], False)
        serving.cache.publish(GROUP, Snapshot.of([*service("pay", 2)]))  # other endpoints, the same clusters
        serving.cache.publish(GROUP, Snapshot.of([*service("pay", 2), *service("cart", 3)]))
        assert list((await asked(call)).clusters) == ["cart", "pay"]


async def test_clients_are_asked_anew_when_the_policy_changes(serving: Serving) -> None:
    async with client(serving.port) as one, client(serving.port) as other:
        for call in (one, other):
            await send(call, report(ALL))
            await asked(call)
        assert len(serving.reports) == 2
        serving.reports.ask(LoadPolicy(interval=timedelta(seconds=1), clusters=("pay",), endpoints=False))
        for call in (one, other):
            answer = await asked(call)
            assert (list(answer.clusters), answer.send_all_clusters) == (["pay"], False)
            assert answer.load_reporting_interval.ToTimedelta() == timedelta(seconds=1)
            assert not answer.report_endpoint_granularity
    await eventually(lambda: len(serving.reports) == 0)


async def test_a_report_becomes_a_sample(serving: Serving) -> None:
    first, second = report(ALL), LoadStatsRequest()  # only the first one has to say who speaks
    stats = second.cluster_stats.add(cluster_name="pay", total_dropped_requests=4)
    stats.load_report_interval.FromTimedelta(timedelta(seconds=9.5))
    stats.dropped_requests.add(category="lb", dropped_count=3)
    locality = stats.upstream_locality_stats.add(priority=1, total_successful_requests=5, total_error_requests=1)
    locality.locality.zone = "b"
    locality.cpu_utilization.num_requests_finished_with_metric = 2
    locality.cpu_utilization.total_metric_value = 0.5
    endpoint = locality.upstream_endpoint_stats.add(total_issued_requests=7, total_requests_in_progress=1)
    endpoint.address.socket_address.address = "::1"
    endpoint.address.socket_address.port_value = 80
    endpoint.load_metric_stats.add(metric_name="queue", num_requests_finished_with_metric=2, total_metric_value=6)
    async with client(serving.port) as call:
        reader = serving.reports.window.follow()
        await send(call, first)
        await send(call, second)
        sample = await asyncio.wait_for(anext(reader), 30)
    assert (sample.node_id, sample.group, sample.cluster) == ("edge-1", GROUP, "pay")
    assert sample.interval == timedelta(seconds=9.5)
    assert (sample.dropped, sample.dropped_by) == (4, {"lb": 3})
    [read] = sample.localities
    assert (read.locality.zone, read.priority) == ("b", 1)
    assert read.requests == Requests(in_progress=0, succeeded=5, failed=1, issued=0)
    assert read.metrics == {"cpu_utilization": Metric(2, 0.5)}
    [one] = read.endpoints
    assert (one.address, one.requests.issued, one.requests.in_progress) == ("[::1]:80", 7, 1)
    assert one.metrics["queue"].mean == 3
    assert sample.rows == 6


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff\xff", "LoadStatsRequest"),
        (report(node_id="").SerializeToString(), "node.id"),
        (report(ALL).SerializeToString() + LoadStatsRequest(cluster_stats=[{}]).SerializeToString(), "cluster_name"),  # type: ignore[list-item]
        (
            report(ALL).SerializeToString()
            + LoadStatsRequest(
                cluster_stats=[{"cluster_name": "pay", "load_report_interval": {"seconds": 2**62}}]  # type: ignore[list-item]
            ).SerializeToString(),
            "cluster pay: load_report_interval: got 4611686018427387904 s",
        ),
    ],
    ids=["no-message", "no-node", "no-cluster", "no-interval"],
)
async def test_a_report_that_is_none_ends_its_own_stream_with_the_reason(
    serving: Serving, body: bytes, words: str
) -> None:
    async with client(serving.port) as bystander, client(serving.port) as call:
        await send(bystander, report(ALL))
        await asked(bystander)
        await call.write(body)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await until_the_end(call)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert words in (caught.value.details() or "")
        assert serving.reports.window.values == ()
        await eventually(lambda: len(serving.reports) == 1)


async def test_long_names_and_many_reasons_count_as_what_they_cost(serving: Serving) -> None:
    """The bound on memory is in rows."""
    heavy = report(ALL)
    heavy.cluster_stats.add(cluster_name="x" * 1_000_000)
    reasons = heavy.cluster_stats.add(cluster_name="pay")
    for number in range(1_000):
        reasons.dropped_requests.add(category=str(number), dropped_count=1)
    async with client(serving.port) as call:
        await send(call, heavy)
        await eventually(lambda: serving.reports.window.added == 2)
    assert [sample.rows for sample in serving.reports.window.values] == [1_000_004 // 256, 1_001]


async def test_a_stream_that_is_opened_and_never_used() -> None:
    reports = LoadReports(SnapshotCache(), group_of=node_cluster)
    server = Server(SnapshotCache(), Fleet(), beside=[reports.handler()], first_request_seconds=0.1)
    async with client(await server.start("127.0.0.1:0")) as call:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await until_the_end(call)
    await server.stop(grace=0)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caught.value.details() == "got no request within 0.1 s of opening the stream, want one"


async def test_a_client_that_never_reads_is_served_its_reports_all_the_same(serving: Serving) -> None:
    async with client(serving.port) as call:
        first = report(ALL)
        first.cluster_stats.add(cluster_name="pay")
        for number in range(50):
            serving.reports.ask(LoadPolicy(interval=timedelta(seconds=1 + number)))
            await send(call, first)
        await eventually(lambda: serving.reports.window.added == 50)


def test_an_interval_that_would_flood_the_server_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got 0\.05 s, want 0\.1 s or more"):
        LoadPolicy(interval=timedelta(seconds=0.05))
