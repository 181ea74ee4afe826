"""The OTLP metrics service over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from xds.cache import SnapshotCache
from xds.fleet import Fleet
from xds.measurements import Gauge
from xds.metrics_receiving import OTLP_METRICS, Metrics
from xds.server import Server

DEADLINE = 30


@pytest.fixture
async def metrics() -> AsyncIterator[tuple[Metrics, int]]:
    made = Metrics(limit=100_000)
    server = Server(SnapshotCache(), Fleet(), beside=[made.handler()])
    yield made, await server.start("127.0.0.1:0")
    await server.stop(grace=0)


async def export(port: int, body: bytes) -> ExportMetricsServiceResponse:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.unary_unary(f"/{OTLP_METRICS}/Export")
        return ExportMetricsServiceResponse.FromString(await method(body, timeout=DEADLINE))


def gauges(count: int, *, name: str = "server.uptime") -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=name)
    for value in range(count):
        metric.gauge.data_points.add(as_int=value)
    return request


async def test_an_export_is_kept_and_read_when_asked(metrics: tuple[Metrics, int]) -> None:
    received, port = metrics
    answer = await export(port, gauges(3).SerializeToString())
    assert not answer.HasField("partial_success")
    [sample] = received.window.values
    assert sample.points == 3
    assert [each.value for each in sample.measurements() if isinstance(each, Gauge)] == [0, 1, 2]
    assert sample.peer.startswith("ipv4:127.0.0.1:")


async def test_what_is_not_taken_is_said_and_the_rest_is_taken(metrics: tuple[Metrics, int]) -> None:
    received, port = metrics
    request = gauges(1)
    request.resource_metrics[0].scope_metrics[0].metrics.add(name="other").summary.data_points.add()
    answer = await export(port, request.SerializeToString())
    assert answer.partial_success.rejected_data_points == 1
    assert "want gauges, sums and histograms" in answer.partial_success.error_message
    assert (received.refused_points, len(received.window.values)) == (1, 1)


async def test_memory_is_bounded_by_what_came_over_the_wire(metrics: tuple[Metrics, int]) -> None:
    received, port = metrics
    for number in range(30):
        await export(port, gauges(1, name=f"{number:02}" * 5_000).SerializeToString())
    assert received.window.weight <= 100_000
    assert received.window.added == 30
    assert [next(sample.measurements()).name[:2] for sample in received.window.values][-1] == "29"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"\xff\xff", grpc.StatusCode.INVALID_ARGUMENT, "ExportMetricsServiceRequest"),
        (gauges(1, name="x" * (5 << 20)).SerializeToString(), grpc.StatusCode.RESOURCE_EXHAUSTED, ""),
    ],
    ids=["no-message", "too-large"],
)
async def test_an_export_that_is_none_is_refused(
    metrics: tuple[Metrics, int], body: bytes, code: grpc.StatusCode, words: str
) -> None:
    received, port = metrics
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await export(port, body)
    assert caught.value.code() is code
    assert words in (caught.value.details() or "")
    assert received.window.values == ()
