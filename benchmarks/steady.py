"""A mesh that does not come to rest: endpoints come and go, documents change, proxies reconnect, requests go through.
What `churn` and `soak` have in common."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from benchmarks import meshes
from benchmarks.fanout.processes import Load
from benchmarks.figures import Bar
from benchmarks.intervals import of_percentile, percentile, quartiles
from benchmarks.plane import Plane, answering
from benchmarks.processes import Program
from benchmarks.report import Curve, Report, Row
from controlplane.demo.backends import start_backend
from controlplane.ports import free_port

_SERVICES, _ENDPOINTS = 50, 3
_WORKERS = 4  # calls of the API at once
_ASKED = 20.0  # requests a second through the Envoy
_HOST = "host-0.example.com"
_EARLY = 10  # the first tenth of the samples is warm-up


@dataclass(frozen=True, slots=True)
class Work:
    """What goes on. seconds: for so long. changes: of endpoints, a second. documents: applied, a second. simulated:
    proxies that are connected beside the Envoy. reconnects: seconds between two times that they all go and come back; 0
    for never."""

    seconds: float
    changes: float
    documents: float
    simulated: int
    reconnects: float = 0.0


@dataclass(slots=True)
class Readings:
    """What was read meanwhile: one value for each sample, or for each call."""

    at_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    envoy_rss_mb: list[float] = field(default_factory=list)
    descriptors: list[float] = field(default_factory=list)
    calls_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    asked: int = 0
    failed: int = 0
    seconds: float = 0.0
    cpu_share: float = 0.0
    settled_s: float = 0.0


async def work(folder: Path, wanted: Work) -> Readings:
    """Does all that for so long, and reads."""
    async with AsyncExitStack() as parts:
        plane = await parts.enter_async_context(Plane.running(folder))
        backend = await start_backend("real", "v1")
        parts.push_async_callback(backend.stop)
        port = free_port()
        names = await meshes.add_services(plane, _SERVICES)
        await plane.add_service("real", backend.port)
        routes = [meshes.others(10, ["real"])[0], *meshes.others(100, names)[10:]]
        await plane.apply_all([meshes.gateway(port), meshes.changing(0), *routes])
        envoy = await plane.proxy(parts, "envoy", "--gateway", meshes.GATEWAY, telemetry=True)
        load = await parts.enter_async_context(Load.running(pinned=False))
        group, followed = meshes.GROUP, meshes.routes_name(port)
        await load.ask(
            "open", ports=[plane.xds_port], streams=wanted.simulated, delta=True, group=group, routes=followed
        )
        await plane.in_sync(1)
        await answering(f"127.0.0.1:{port}", "/0", host=_HOST)
        return await _worked(plane, envoy, load, port, names, wanted)


async def _worked(plane: Plane, envoy: Program, load: Load, port: int, names: list[str], wanted: Work) -> Readings:
    readings = Readings()
    start, cpu = time.monotonic(), plane.program.cpu_seconds
    end = start + wanted.seconds

    async def change(number: int) -> None:
        name = names[number % len(names)]
        place = names.index(name)
        instance, weight = number // len(names) % _ENDPOINTS, number % 128 + 1
        address = f"10.{instance + 1}.{place // 250}.{place % 250 + 1}"
        await plane.add_endpoint(name, 8080, address=address, weight=weight)

    async def apply(number: int) -> None:
        await plane.apply(meshes.changing(number + 1))

    async def reconnect(_: int) -> None:
        await load.ask("reconnect")

    async def sample(_: int) -> None:
        readings.at_s.append(time.monotonic() - start)
        readings.rss_mb.append(plane.program.rss_mb)
        readings.envoy_rss_mb.append(envoy.rss_mb)
        readings.descriptors.append(float(plane.program.descriptors))

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session, asyncio.TaskGroup() as tasks:

        async def ask(_: int) -> None:
            readings.asked += 1
            try:
                async with session.get(f"http://127.0.0.1:{port}/0", headers={"host": _HOST}) as response:
                    readings.failed += response.status != 200
            except (aiohttp.ClientError, TimeoutError):
                readings.failed += 1

        for worker in range(_WORKERS):
            step = _WORKERS / wanted.changes
            offset = worker / wanted.changes
            calls = _regular(change, end, every=step, offset=offset, first=worker, by=_WORKERS, readings=readings)
            tasks.create_task(calls)
        tasks.create_task(_regular(ask, end, every=1 / _ASKED))
        tasks.create_task(_regular(sample, end, every=max(0.25, wanted.seconds / 600)))
        if wanted.documents:
            tasks.create_task(_regular(apply, end, every=1 / wanted.documents))
        if wanted.reconnects:
            tasks.create_task(_regular(reconnect, end, every=wanted.reconnects, offset=wanted.reconnects))
    readings.seconds = time.monotonic() - start
    readings.cpu_share = (plane.program.cpu_seconds - cpu) / readings.seconds
    over = time.monotonic()
    await plane.in_sync(1)
    readings.settled_s = time.monotonic() - over
    return readings


async def _regular(
    do: Callable[[int], Awaitable[None]],
    end: float,
    *,
    every: float,
    offset: float = 0.0,
    first: int = 0,
    by: int = 1,
    readings: Readings | None = None,
) -> None:
    """Does it `every` so many seconds until `end`; what is late is done at once, and none is left out. `readings` notes
    how long it took, and how late it began."""
    begin = time.monotonic() + offset
    number = 0
    while (due := begin + number * every) < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        started = time.monotonic()
        await do(first + number * by)
        if readings is not None:
            readings.calls_ms.append((time.monotonic() - started) * 1e3)
            readings.late_ms.append(max(0.0, started - due) * 1e3)
        number += 1


def add(report: Report, readings: Readings, wanted: Work, *, with_bars: bool) -> None:
    """The rows and curves of both."""
    early = max(1, len(readings.rss_mb) // _EARLY)
    growth = max(readings.rss_mb[early:]) - max(readings.rss_mb[:early])
    hourly = slope(readings.at_s[early:], readings.rss_mb[early:]) * 3600
    leaked = readings.descriptors[-1] - readings.descriptors[early - 1]
    made = len(readings.calls_ms) / readings.seconds
    what = f"{wanted.changes:g} endpoint changes a second for {wanted.seconds:g} s"

    def single(figure: str, unit: str, value: float, bar: Bar | None, note: str = "") -> None:
        bar = bar if with_bars else None
        holds = bar.holds(value, None) if bar else None
        named = str(bar) if bar else None
        report.add(Row(f"{what}: {figure}", unit, value, (value, value), bar=named, holds=holds, note=note))

    note = f"slowest call {max(readings.calls_ms):.0f} ms, latest start {max(readings.late_ms):.0f} ms"
    single("made", "/s", made, Bar(least=0.98 * wanted.changes, unit="/s"), note)
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        report.add(
            Row(
                f"{what}: call of the admin API, {label}",
                "ms",
                percentile(readings.calls_ms, share),
                quartiles(readings.calls_ms),
                interval=of_percentile(readings.calls_ms[:1000], share),
                note=f"{len(readings.calls_ms):,} calls",
            )
        )
    single("CPU of the control plane", "cores", readings.cpu_share, None)
    single("RSS growth after the first tenth", "MB", growth, Bar(most=10, unit="MB"), _rss(readings))
    single("RSS slope after the first tenth", "MB/h", hourly, None, "least squares over all samples")
    single("more descriptors at the end", "", leaked, Bar(most=5))
    envoy = max(readings.envoy_rss_mb[early:]) - max(readings.envoy_rss_mb[:early])
    single("RSS growth of the Envoy", "MB", envoy, None)
    single("requests that failed", "requests", readings.failed, Bar(most=0), f"of {readings.asked:,}")
    single("until the Envoy is in sync after the last change", "s", readings.settled_s, Bar(most=1, unit="s"))
    for series, values in (("control plane", readings.rss_mb), ("Envoy", readings.envoy_rss_mb)):
        points = tuple(zip(readings.at_s, values, strict=True))
        report.curves.append(Curve(f"memory: {what}", series, "seconds", "MB", points))


def _rss(readings: Readings) -> str:
    return f"{readings.rss_mb[0]:.0f} MB at first, {readings.rss_mb[-1]:.0f} MB at the end"


def slope(at: list[float], values: list[float]) -> float:
    """Of the line that fits best, in units a second; 0 for fewer than two points."""
    if len(at) < 2 or max(at) == min(at):
        return 0.0
    return statistics.linear_regression(at, values).slope
