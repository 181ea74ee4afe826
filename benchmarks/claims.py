"""The product's first guide claimed five things; here is each measured, and how.

150 MB for the control plane, less than 1 ms added to a request, 50,000 requests a second on suitable cores, 10,000
services, recovery within 30 s.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console

from benchmarks import memory, meshes
from benchmarks.compile import alone, route_count, store_mesh
from benchmarks.dataplane import paths
from benchmarks.dataplane.paths import DIRECT, GATEWAY
from benchmarks.dataplane.rows import Load
from benchmarks.dataplane.run import Size as Requests
from benchmarks.dataplane.run import measure
from benchmarks.figures import Bar, row
from benchmarks.fortio import Fortio, Speaks, together
from benchmarks.plane import Plane, answering, start_proxy
from benchmarks.report import Report
from controlplane.ports import free_port

_COMPILE_GATEWAY = "edge"  # of the mesh of `compile`


@dataclass(frozen=True, slots=True)
class _Size:
    requests: Requests
    proxies: int
    services: int
    many_services: int
    recoveries: int


FULL = _Size(Requests(5, 4.0, 0.3), 100, 100, 10_000, 5)
QUICK = _Size(Requests(1, 0.3, 0.05), 5, 10, 50, 1)


async def run(*, console: Console, quick: bool) -> Report:
    """Measures all five; `quick` shows only that they can be measured."""
    report, size = Report("claims"), QUICK if quick else FULL
    claims = _Claims(report, size, console, with_bars=not quick)
    await claims.memory()
    await claims.requests()
    await claims.services()
    await claims.recovery()
    return report


class _Claims:
    def __init__(self, report: Report, size: _Size, console: Console, *, with_bars: bool) -> None:
        self._report = report
        self._size = size
        self._console = console
        self._with_bars = with_bars

    def _add(self, figure: str, unit: str, readings: Sequence[float], bar: Bar | None, how: str) -> None:
        bar = bar if self._with_bars else None
        self._report.add(row(figure, unit, readings, bar=bar, note=how))
        self._console.print(f"  {figure}: {statistics.median(readings):.3g} {unit}")

    async def memory(self) -> None:
        size = self._size
        readings = [await memory.of_proxies(size.proxies, services=size.services) for _ in range(size.recoveries)]
        how = f"RSS of `apg up` with {size.services} services, as many routes and {size.proxies} proxies, settled"
        self._add("claimed: a control plane of 150 MB", "MB", readings, Bar(most=150, unit="MB"), how)

    async def requests(self) -> None:
        fortio = await Fortio.found()
        if isinstance(fortio, str):
            self._report.notes.append(f"Nothing about requests: {fortio}")
            return
        with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
            async with paths.running(Path(folder), fortio, [DIRECT, GATEWAY], [Speaks.HTTP1]) as ways:
                measured = await measure(fortio, ways, [Speaks.HTTP1], self._size.requests, self._console)
        direct, ours = ([each.run for each in measured[Speaks.HTTP1, Load.CONSTANT, way]] for way in (DIRECT, GATEWAY))
        added = [
            (one.latencies.percentile(0.5) - other.latencies.percentile(0.5)) * 1e3
            for one, other in zip(ours, direct, strict=True)
        ]
        merged = (together(ours).percentile(0.5) - together(direct).percentile(0.5)) * 1e3
        how = f"p50 through our gateway less p50 directly, HTTP/1.1, 1,000 a second; {merged:.3f} ms of all together"
        self._add("claimed: less than 1 ms added to a request", "ms", added, Bar(most=1, unit="ms"), how)
        full = measured[Speaks.HTTP1, Load.SATURATION, GATEWAY]
        each = [reading.run.requests / reading.proxies_cpu for reading in full]
        rates = statistics.median(reading.run.rate for reading in full)
        busy = statistics.median(reading.proxies_cpu / reading.run.seconds for reading in full)
        cores = 50_000 / statistics.median(each)
        how = (
            f"through our gateway, HTTP/1.1, CPU time of the Envoy: {cores:.1f} cores for 50,000 a second. Here "
            f"{rates:,.0f} a second with {busy:.0%} of the one core that it had; the other is the client's and the "
            "backend's"
        )
        self._add("claimed: 50,000 requests a second on suitable cores; measured: for each core", "/s", each, None, how)

    async def services(self) -> None:
        """A real Envoy that has all services, and routes to them."""
        count = self._size.many_services
        with tempfile.TemporaryDirectory(prefix="apg-bench-") as name:
            folder = Path(name)
            await asyncio.to_thread(alone, store_mesh, folder / "mesh.db", count)
            async with AsyncExitStack() as parts:
                plane = await parts.enter_async_context(Plane.running(folder))
                admin, start = free_port(), time.monotonic()
                await plane.proxy(parts, "envoy", "--gateway", _COMPILE_GATEWAY, admin_port=admin)
                await plane.in_sync(1)
                seconds = time.monotonic() - start
                await plane.program.idle()
                clusters = await _clusters(admin) - 1  # the control plane's own
                rss = plane.program.rss_mb
        how = (
            f"clusters that are active in a real Envoy, with {route_count(count):,} routes to them: {seconds:.1f} s "
            f"after it was started; RSS of the control plane {rss:.0f} MB"
        )
        self._add("claimed: 10,000 services", "services", [float(clusters)], Bar(least=10_000), how)

    async def recovery(self) -> None:
        """Both are killed as a failing machine would: without a word."""
        planes, envoys = [], []
        for _ in range(self._size.recoveries):
            with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
                plane, envoy = await _recovered(Path(folder), self._size.services)
                planes.append(plane)
                envoys.append(envoy)
        bar = Bar(most=30, unit="s")
        how = "kill -9 of `apg up`, started again at once, until an Envoy answers by a change made after that"
        self._add("claimed: recovery in 30 s; measured: control plane", "s", planes, bar, how)
        how = "kill -9 of an Envoy, started again at once, until it answers"
        self._add("claimed: recovery in 30 s; measured: proxy", "s", envoys, bar, how)


async def _clusters(admin_port: int) -> int:
    url = f"http://127.0.0.1:{admin_port}/stats?filter=^cluster_manager.active_clusters$&format=json"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        [found] = (await response.json(content_type=None))["stats"]
    return int(found["value"])


async def _recovered(folder: Path, services: int) -> tuple[float, float]:
    """Seconds until a killed control plane, and then a killed Envoy, serves again."""
    xds_port, admin_port, port = free_port(), free_port(), free_port()
    async with AsyncExitStack() as parts:
        first = await parts.enter_async_context(Plane.running(folder, xds_port=xds_port, admin_port=admin_port))
        names = await meshes.add_services(first, services)
        await first.apply_all([meshes.gateway(port), meshes.changing(0), *meshes.others(services, names)])
        envoy = await start_proxy(parts, folder, xds_port, "first", "--gateway", meshes.GATEWAY)
        await first.in_sync(1)
        await first.program.kill()
        start = time.monotonic()
        second = await parts.enter_async_context(Plane.running(folder, xds_port=xds_port, admin_port=admin_port))
        await second.apply(meshes.changing(1))
        await answering(f"127.0.0.1:{port}", status=302, location=meshes.place(1))
        plane = time.monotonic() - start
        await envoy.kill()
        start = time.monotonic()
        await start_proxy(parts, folder, xds_port, "second", "--gateway", meshes.GATEWAY)
        await answering(f"127.0.0.1:{port}", status=302, location=meshes.place(1))
        return plane, time.monotonic() - start
