"""How long until a control plane that was off serves again?

From the start of the process `apg up`, with a mesh in its store: until its admin API answers; and until an Envoy that
was waiting for it answers its first request by what it was sent.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from benchmarks import meshes
from benchmarks.compile import alone, route_count, store_mesh
from benchmarks.figures import row
from benchmarks.plane import Plane, answering, start_proxy
from benchmarks.report import Curve, Report
from controlplane.ports import free_port

SIZES, QUICK_SIZES = (1, 1_000, 3_000, 10_000), (30,)


async def run(*, console: Console, quick: bool, rounds: int = 5) -> Report:
    """Measures all sizes; `quick` shows only that they can be measured."""
    report = Report("coldstart")
    points: list[tuple[float, ...]] = []
    for services in QUICK_SIZES if quick else SIZES:
        console.print(f"{services:,} services")
        readings = await _measured(services, 1 if quick else rounds)
        size = f"{services:,} services, {route_count(services):,} routes"
        first = [answered for answered, _ in readings]
        served = [request for _, request in readings]
        report.add(row(f"start to the admin API's first answer, {size}", "s", first))
        report.add(row(f"start to the first request answered by a waiting Envoy, {size}", "s", served))
        points.append((float(services), sorted(served)[len(served) // 2]))
    label = "from the start of the process to the first request answered"
    report.curves.append(Curve(label, "our control plane", "services", "s", tuple(points), scale="log"))
    return report


async def _measured(services: int, rounds: int) -> list[tuple[float, float]]:
    """For each round, the seconds until the API and until the Envoy answer."""
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(alone, store_mesh, folder / "mesh.db", services)
        port = free_port()
        async with Plane.running(folder) as plane:  # one Gateway more, which the Envoy is of
            await plane.apply_all([meshes.gateway(port), meshes.changing(0)])
        return [await _once(folder, port) for _ in range(rounds)]


async def _once(folder: Path, port: int) -> tuple[float, float]:
    xds_port, admin_port = free_port(), free_port()
    async with AsyncExitStack() as parts:
        envoy = await start_proxy(parts, folder, xds_port, "waiting", "--gateway", meshes.GATEWAY)
        await envoy.idle()
        start = time.monotonic()
        await parts.enter_async_context(Plane.running(folder, xds_port=xds_port, admin_port=admin_port))
        answered = time.monotonic() - start
        await answering(f"127.0.0.1:{port}", status=302)
        return answered, time.monotonic() - start
