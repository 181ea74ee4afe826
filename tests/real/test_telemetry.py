"""What a real Envoy reports of real requests: load (LRS, with ORCA) and metrics (OTLP), in a running control plane."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.conditions import eventually
from tests.envoys import running_envoy
from tests.meshes import Mesh, config, documents, gateway, route, running_mesh
from tests.ports import reserve_port
from xds.loads import ClusterLoad, EndpointLoad
from xds.measurements import Counter, Gauge, Histogram, Measurement, Temporality

GROUP = "default/edge"
CLUSTER = "default/pay"
_PERIOD = 0.5  # seconds, of both kinds of report
_DEADLINE = timedelta(seconds=30)


@dataclass
class Upstream:
    """Answers with `status` and reports its `queue` and utilisation with each answer. Counts what it answered."""

    status: int
    queue: int
    port: int = 0
    answered: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async def answer(request: web.Request) -> web.Response:
            if request.path.endswith("/slow"):
                await self.hold.wait()
            self.answered += 1
            load = f'JSON {{"cpu_utilization": 0.25, "named_metrics": {{"queue": {self.queue}}}}}'
            return web.Response(status=self.status, text="done", headers={"endpoint-load-metrics": load})

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            yield
        finally:
            self.hold.set()
            await runner.cleanup()


async def test_load_and_metrics_tell_of_the_requests_that_there_were(tmp_path: Path) -> None:
    fine, broken = Upstream(status=200, queue=7), Upstream(status=503, queue=2)
    async with (
        fine.running(),
        broken.running(),
        running_mesh(config(tmp_path, load_report_interval=_PERIOD)) as mesh,
    ):
        with reserve_port() as port:
            await mesh.add_service("pay")
            await mesh.add_endpoint("pay", fine.port, "v1")
            await mesh.add_endpoint("pay", broken.port, "v1")
            await mesh.apply(documents(gateway(port), route("pay")))
            reporting: dict[str, Any] = {
                "load_reports": True,
                "metrics_sink": True,
                "metrics_interval": timedelta(seconds=_PERIOD),
            }
            async with running_envoy(
                mesh.xds_port, GROUP, node_id="edge-1", log_path=tmp_path / "envoy.log", **reporting
            ):
                # Envoy counts from the moment that it was first asked about a cluster.
                await eventually(lambda: loads(mesh), deadline=_DEADLINE)
                statuses = await requests(port, 40)
                assert (fine.answered, broken.answered) == (statuses[200], statuses[503])
                assert min(fine.answered, broken.answered) > 0

                await eventually(lambda: finished(loads(mesh)) >= 40, deadline=_DEADLINE)
                check_loads(loads(mesh), fine, broken)
                await eventually(lambda: total(mesh, "cluster.upstream_rq_completed") >= 40, deadline=_DEADLINE)
                check_metrics(mesh, fine, broken)
                await check_progress(mesh, port, (fine, broken))


def check_loads(samples: Iterable[ClusterLoad], fine: Upstream, broken: Upstream) -> None:
    samples = list(samples)
    assert {(sample.node_id, sample.group) for sample in samples} == {("edge-1", GROUP)}
    assert all(timedelta(0) < sample.interval < _DEADLINE for sample in samples)
    assert sum(locality.requests.failed for sample in samples for locality in sample.localities) == broken.answered
    by_endpoint = endpoint_loads(samples)
    assert set(by_endpoint) == {f"127.0.0.1:{each.port}" for each in (fine, broken)}
    for upstream in (fine, broken):
        rows = by_endpoint[f"127.0.0.1:{upstream.port}"]
        good, bad = (sum(getattr(row.requests, kind) for row in rows) for kind in ("succeeded", "failed"))
        assert (good, bad) == ((upstream.answered, 0) if upstream.status == 200 else (0, upstream.answered))
        assert sum(row.requests.issued for row in rows) == upstream.answered
        for name, value in (("named_metrics.queue", upstream.queue), ("cpu_utilization", 0.25)):
            metrics = [row.metrics[name] for row in rows if name in row.metrics]
            assert sum(metric.requests for metric in metrics) == upstream.answered
            assert abs(sum(metric.total for metric in metrics) - value * upstream.answered) < 1e-6


def check_metrics(mesh: Mesh, fine: Upstream, broken: Upstream) -> None:
    exports = mesh.control_plane.telemetry.metrics.values
    assert {(export.node_id, export.group) for export in exports} == {("edge-1", GROUP)}
    classes: Tally[str] = Tally()
    for each in measured(mesh, "cluster.upstream_rq_xx"):
        assert isinstance(each, Counter)
        assert each.temporality is Temporality.DELTA
        assert each.start is not None
        assert each.time is not None
        assert each.start < each.time
        classes[each.attributes["envoy.response_code_class"]] += int(each.value)
    assert classes == {"2": fine.answered, "5": broken.answered}
    latencies = [each for each in measured(mesh, "cluster.upstream_rq_time") if isinstance(each, Histogram)]
    assert sum(each.count for each in latencies) == 40
    assert all(sum(each.counts) == each.count and len(each.counts) == len(each.bounds) + 1 for each in latencies)
    assert all(each.temporality is Temporality.DELTA for each in latencies)
    [*_, healthy] = [each for each in measured(mesh, "cluster.membership_healthy") if isinstance(each, Gauge)]
    assert healthy.value == 2
    assert any(isinstance(each, Gauge) for each in measured(mesh, "cluster.circuit_breakers.default.rq_open"))


async def check_progress(mesh: Mesh, port: int, upstreams: Iterable[Upstream]) -> None:
    """A request that lasts is in progress, and neither a success nor a failure."""
    before = finished(loads(mesh))
    async with aiohttp.ClientSession() as session:
        slow = asyncio.create_task(answer(session, f"http://127.0.0.1:{port}/slow"))

        def in_progress() -> int:
            return sum(locality.requests.in_progress for locality in loads(mesh)[-1].localities)

        await eventually(lambda: in_progress() == 1, deadline=_DEADLINE)
        assert finished(loads(mesh)) == before
        for upstream in upstreams:
            upstream.hold.set()
        await slow
    await eventually(lambda: finished(loads(mesh)) == before + 1, deadline=_DEADLINE)


async def requests(port: int, count: int) -> Mapping[int, int]:
    """The statuses of so many requests."""
    statuses: Tally[int] = Tally()
    async with aiohttp.ClientSession() as session:
        for _ in range(count):
            statuses[await answer(session, f"http://127.0.0.1:{port}/")] += 1
    return statuses


async def answer(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as response:
        await response.read()
        return response.status


def loads(mesh: Mesh) -> list[ClusterLoad]:
    return [sample for sample in mesh.control_plane.telemetry.loads.values if sample.cluster == CLUSTER]


def finished(samples: Iterable[ClusterLoad]) -> int:
    return sum(
        locality.requests.succeeded + locality.requests.failed for sample in samples for locality in sample.localities
    )


def endpoint_loads(samples: Iterable[ClusterLoad]) -> Mapping[str, list[EndpointLoad]]:
    rows: dict[str, list[EndpointLoad]] = {}
    for sample in samples:
        for locality in sample.localities:
            for endpoint in locality.endpoints:
                rows.setdefault(endpoint.address, []).append(endpoint)
    return rows


def measured(mesh: Mesh, name: str) -> list[Measurement]:
    """Of the cluster, oldest first."""
    return [
        each
        for export in mesh.control_plane.telemetry.metrics.values
        for each in export.measurements(names=[name])
        if each.attributes.get("envoy.cluster_name") == CLUSTER
    ]


def total(mesh: Mesh, name: str) -> float:
    return sum(each.value for each in measured(mesh, name) if isinstance(each, Counter))
