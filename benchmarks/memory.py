"""How much memory does a control plane need?

Of `apg up` as a process, by the kernel's word, once it has nothing left to do: by the size of the mesh, and by the
number of proxies. The mesh is that of `compile`: services have three endpoints each, and there are three tenths as many
routes, all with policies.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from benchmarks import meshes
from benchmarks.compile import alone, store_mesh
from benchmarks.fanout.processes import Load
from benchmarks.figures import Bar, row
from benchmarks.plane import Plane
from benchmarks.report import Curve, Report
from controlplane.ports import free_port

SIZES, QUICK_SIZES = (1, 1_000, 3_000, 10_000), (30,)
PROXIES, QUICK_PROXIES = (0, 100, 1_000), (20,)
_SERVICES = 100
_CLAIM_MB = 150.0


async def run(*, console: Console, quick: bool, rounds: int = 3) -> Report:
    """Measures both; `quick` shows only that they can be measured."""
    report = Report("memory")
    rounds = 1 if quick else rounds
    points = []
    for services in QUICK_SIZES if quick else SIZES:
        console.print(f"{services:,} services")
        readings = [await _of_mesh(services) for _ in range(rounds)]
        report.add(row(f"RSS with {services:,} services, no proxy", "MB", readings))
        points.append((float(services), sorted(readings)[len(readings) // 2]))
    label = "memory of the control plane"
    report.curves.append(Curve(label, "by services", "services", "MB", tuple(points), scale="log"))
    for proxies in QUICK_PROXIES if quick else PROXIES:
        console.print(f"{proxies:,} proxies")
        services = 10 if quick else _SERVICES
        readings = [await of_proxies(proxies, services=services) for _ in range(rounds)]
        bar = Bar(most=_CLAIM_MB, unit="MB") if not quick else None
        report.add(row(f"RSS with {services} services, {proxies:,} proxies connected", "MB", readings, bar=bar))
    return report


async def _of_mesh(services: int) -> float:
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
        await asyncio.to_thread(alone, store_mesh, Path(folder) / "mesh.db", services)
        async with Plane.running(Path(folder)) as plane:
            await plane.program.idle()
            return plane.program.rss_mb


async def of_proxies(proxies: int, *, services: int) -> float:
    """MB with so many simulated proxies connected, all of one Gateway."""
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
        async with AsyncExitStack() as parts:
            plane = await parts.enter_async_context(Plane.running(Path(folder)))
            port = free_port()
            names = await meshes.add_services(plane, services)
            await plane.apply_all([meshes.gateway(port), meshes.changing(0), *meshes.others(services, names)])
            if proxies:
                load = await parts.enter_async_context(Load.running())
                routes = meshes.routes_name(port)
                group = meshes.GROUP
                await load.ask("open", ports=[plane.xds_port], streams=proxies, delta=True, group=group, routes=routes)
            await plane.program.idle()
            return plane.program.rss_mb
