"""How fast does a change arrive at many? Part of `propagation`, with a control plane of a process of its own.

From the call of the admin API to the last of ten real Envoys that answers a request by the new route; and to the last
of a thousand simulated proxies that has it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console

from benchmarks import meshes
from benchmarks.fanout.processes import Load
from benchmarks.intervals import of_percentile, percentile, quartiles
from benchmarks.plane import Plane
from benchmarks.processes import server_core
from benchmarks.report import Curve, Report, Row
from controlplane.ports import free_port

SIZES = (1, 100, 1_000, 3_000)
_SERVICES = 10
_WARM_UP = 3
_LEAST = 5  # rounds
_ENOUGH = 60.0  # seconds
_DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    routes: tuple[int, ...]
    envoys: int
    simulated: int
    rounds: int


FULL, QUICK = Size(SIZES, 10, 1_000, 40), Size((30,), 2, 20, 3)


async def add(report: Report, folder: Path, console: Console, *, quick: bool) -> None:
    """The rows and the curves of fleets."""
    size = QUICK if quick else FULL
    found: dict[str, list[tuple[float, ...]]] = {}
    for routes in size.routes:
        console.print(f"propagation to fleets, {routes:,} routes")
        place = folder / f"fleet-{routes}"
        place.mkdir()
        async with AsyncExitStack() as parts:
            plane = await parts.enter_async_context(Plane.running(place, core=server_core()))
            port = free_port()
            services = await meshes.add_services(plane, _SERVICES)
            await plane.apply_all([meshes.gateway(port), meshes.changing(0), *meshes.others(routes - 1, services)])
            simulated = await _Simulated.start(parts, plane, port, size.simulated)
            client = simulated.cpu_seconds
            times = await _measured(plane, simulated.arrived, size, 1)
            client = (simulated.cpu_seconds - client) * 1e3 / (len(times) + _WARM_UP)
            # A change of one route is a new route configuration for each: the client reads all of it, a thousand times.
            report.add(
                _row(f"apply to the last of {size.simulated:,} simulated proxies, {routes:,} routes", times, client)
            )
            measured = {f"{size.simulated:,} simulated proxies": times}
        async with AsyncExitStack() as parts:  # the same mesh again, from its store
            plane = await parts.enter_async_context(Plane.running(place, core=server_core()))
            real = await _Real.start(parts, plane, port, size.envoys)
            times = await _measured(plane, real.arrived, size, 10_000)
            measured[f"{size.envoys} real Envoys"] = times
        report.add(_row(f"apply to the last of {size.envoys} real Envoys, {routes:,} routes", times))
        for who, times in measured.items():
            low, high = of_percentile(times, 0.5) or quartiles(times)
            found.setdefault(who, []).append((float(routes), percentile(times, 0.5), low, high))
    for who, points in found.items():
        report.curves.append(
            Curve("from a change to the last proxy, p50", who, "routes", "ms", tuple(points), scale="log")
        )


async def _measured(plane: Plane, arrived: Callable[[int], Awaitable[float]], size: Size, first: int) -> list[float]:
    """Milliseconds from before each call to the last arrival. Where one takes long, as many as fit into a minute."""
    times = []
    end = time.monotonic() + _ENOUGH
    for number in range(first, first + size.rounds + _WARM_UP):
        start = time.monotonic()
        waiting = asyncio.ensure_future(arrived(number))
        await plane.apply(meshes.changing(number))
        times.append((await waiting - start) * 1e3)
        if time.monotonic() > end and len(times) >= _WARM_UP + _LEAST:
            break
    return times[_WARM_UP:]


def _row(figure: str, times: list[float], client_ms: float | None = None) -> Row:
    note = f"{len(times)} rounds, slowest {max(times):.0f} ms"
    return Row(
        figure=f"{figure}, p50",
        unit="ms",
        ours=percentile(times, 0.5),
        spread=quartiles(times),
        samples=tuple(times),
        interval=of_percentile(times, 0.5),
        note=note if client_ms is None else f"{note}; of each, {client_ms:.0f} ms of CPU are the client's, on its core",
    )


class _Simulated:
    """Proxies of the load client, in a process and on a core of their own."""

    def __init__(self, load: Load) -> None:
        self._load = load

    @classmethod
    async def start(cls, parts: AsyncExitStack, plane: Plane, port: int, count: int) -> _Simulated:
        load = await parts.enter_async_context(Load.running())
        group, routes = meshes.GROUP, meshes.routes_name(port)
        await load.ask("open", ports=[plane.xds_port], streams=count, delta=True, group=group, routes=routes)
        return cls(load)

    @property
    def cpu_seconds(self) -> float:
        return self._load.cpu_seconds

    async def arrived(self, number: int) -> float:
        """When the last of them got that version, on the monotonic clock, which all processes share."""
        return int((await self._load.ask("await", change=number))["last_ns"]) / 1e9


class _Real:
    """Envoys of one Gateway. All listen on its port (SO_REUSEPORT), so each is known by a connection that it took."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"
        self._sessions: list[aiohttp.ClientSession] = []

    @classmethod
    async def start(cls, parts: AsyncExitStack, plane: Plane, port: int, count: int) -> _Real:
        admins = [free_port() for _ in range(count)]
        for number, admin_port in enumerate(admins):
            await plane.proxy(parts, f"envoy-{number}", "--gateway", meshes.GATEWAY, admin_port=admin_port)
        await plane.in_sync(count)
        made = cls(port)
        async with aiohttp.ClientSession() as asking:
            await made._meet(parts, asking, admins)
        return made

    async def _meet(self, parts: AsyncExitStack, asking: aiohttp.ClientSession, admins: list[int]) -> None:
        """Opens connections until there is one to each Envoy, and keeps that."""
        met: set[int] = set()
        before = [await _connections(asking, admin) for admin in admins]
        async with asyncio.timeout(_DEADLINE):
            while len(met) < len(admins):
                connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=3600.0)
                session = aiohttp.ClientSession(connector=connector)
                try:
                    await self._location(session)
                except aiohttp.ClientError:
                    await session.close()
                    await asyncio.sleep(0.05)  # not all listen yet
                    continue
                after = [await _connections(asking, admin) for admin in admins]
                [taker] = [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if new > old]
                before = after
                if taker in met:
                    await session.close()
                else:
                    met.add(taker)
                    self._sessions.append(session)
                    parts.push_async_callback(session.close)

    async def arrived(self, number: int) -> float:
        """When the last of them answered by that version, on the monotonic clock."""
        return max(await asyncio.gather(*(self._answered(session, number) for session in self._sessions)))

    async def _answered(self, session: aiohttp.ClientSession, number: int) -> float:
        async with asyncio.timeout(_DEADLINE):
            while not (await self._location(session)).endswith(meshes.place(number)):
                pass
        return time.monotonic()

    async def _location(self, session: aiohttp.ClientSession) -> str:
        async with session.get(self._url, allow_redirects=False) as response:
            return response.headers.get("location", "")


async def _connections(asking: aiohttp.ClientSession, admin_port: int) -> int:
    """How many connections an Envoy's listeners have ever taken."""
    url = f"http://127.0.0.1:{admin_port}/stats?filter=^http.*downstream_cx_total$&format=json"
    async with asking.get(url) as response:
        stats = (await response.json(content_type=None))["stats"]
    return sum(item["value"] for item in stats if "value" in item and not item["name"].startswith("http.admin."))
