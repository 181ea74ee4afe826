"""What is measured: one function for each group of figures, on servers and clients of their own."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from benchmarks.fanout.processes import Child, Load
from benchmarks.processes import server_core


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `changes`: in a row, in each round, each after the last one has arrived everywhere."""

    streams: int
    clusters: int
    rounds: int
    changes: int
    refusal_seconds: float
    storm: int
    storm_streams: int
    workers_streams: int
    services: int


FULL = Size(1_000, 100, 5, 6, 5.0, 50_000, 100, 5_000, 10_000)
QUICK = Size(50, 20, 2, 3, 0.5, 1_500, 10, 100, 300)


@dataclass(slots=True)
class Side:
    """A server with its proxies, and its readings: one for each round, medians of the round's changes."""

    server: Child
    load: Load
    change: int = 0
    settle_ms: float = 0.0
    settle_cpu_ms: float = 0.0
    wall_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    client_us: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    octets: list[float] = field(default_factory=list)


async def start(parts: AsyncExitStack, command: Sequence[str], size: Size, *, delta: bool, pinned: bool = True) -> Side:
    """A server with `size.streams` proxies that have settled."""
    server = await parts.enter_async_context(Child.running(command, core=server_core() if pinned else None))
    port = (await server.answer())["port"]
    load = await parts.enter_async_context(Load.running())
    await server.idle()
    cpu = server.cpu_seconds
    opened = await load.ask("open", ports=[port], streams=size.streams, delta=delta, group="bench")
    await server.idle()
    side = Side(server, load)
    side.settle_ms = opened["wall_ns"] / 1e6
    side.settle_cpu_ms = (server.cpu_seconds - cpu) * 1e3 / size.streams
    return side


async def fan_out(sides: Mapping[str, Side], size: Size) -> None:
    """One endpoint changes, again and again; the sides take turns, and who begins changes with each round."""
    for round_number in range(size.rounds + 1):
        order = list(sides.values())
        for side in order if round_number % 2 else reversed(order):
            await _round(side, size, counts=round_number > 0)  # the first warms up


async def _round(side: Side, size: Size, *, counts: bool) -> None:
    await side.load.ask("totals")
    await side.server.idle()
    cpu, client_cpu = side.server.cpu_seconds, side.load.cpu_seconds
    walls = []
    for _ in range(size.changes):
        side.change += 1
        side.server.tell(f"change {side.change}")
        arrived = await side.load.ask("await", change=side.change)
        told = await side.server.answer()
        walls.append((arrived["last_ns"] - told["start_ns"]) / 1e6)
    client_cpu = side.load.cpu_seconds - client_cpu
    await side.server.idle()
    cpu = side.server.cpu_seconds - cpu
    totals = await side.load.ask("totals")
    if totals["ended"] or totals["messages"] < size.streams * size.changes:
        raise RuntimeError(f"want {size.streams * size.changes} responses and no ended call, got {totals}")
    if counts:
        pushes = size.streams * size.changes
        side.wall_ms.append(statistics.median(walls))
        side.cpu_us.append(cpu * 1e6 / pushes)
        side.client_us.append(client_cpu * 1e6 / pushes)
        side.octets.append(totals["octets"] / pushes)
        side.rss_mb.append(side.server.rss_mb)


async def refuse(command: Sequence[str], size: Size, *, delta: bool) -> int:
    """How often one change is sent to a proxy that refuses it each time, beyond the first time."""
    async with AsyncExitStack() as parts:
        one = replace(size, streams=1)
        side = await start(parts, command, one, delta=delta)
        await side.load.ask("refuse", refuses=True)
        await side.load.ask("totals")
        await side.server.ask("change 1")
        await asyncio.sleep(size.refusal_seconds)
        return int((await side.load.ask("totals"))["messages"]) - 1


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a server sends to proxies that come back unchanged after it was restarted, and what that costs it."""

    resources: int
    octets: int
    cpu_us: float


async def resume(command: Callable[[int], list[str]], size: Size) -> Resumption:
    """Kills a server with settled delta proxies and starts it again. `command` takes the port to listen on."""
    async with AsyncExitStack() as parts:
        load = await parts.enter_async_context(Load.running())
        async with Child.running(command(0), core=server_core()) as server:
            port = (await server.answer())["port"]
            await load.ask("open", ports=[port], streams=size.streams, delta=True, group="bench")
        server = await parts.enter_async_context(Child.running(command(port), core=server_core()))
        await server.answer()
        await server.idle()
        cpu = server.cpu_seconds
        await load.ask("reconnect")
        await server.idle()
        cpu = server.cpu_seconds - cpu
        totals = await load.ask("totals")
        await server.ask("change 1")
        await load.ask("await", change=1)  # so all were connected
        return Resumption(totals["resources"], totals["octets"], cpu * 1e6 / size.streams)


@dataclass(frozen=True, slots=True)
class Storm:
    """What many changes in a row leave behind. growth_mb: between the first tenth of the changes and the highest
    after it. caught_up: responses to the stuck proxy once it reads again, until it has the newest change."""

    growth_mb: float
    rss_mb: float
    seconds: float
    caught_up: int
    late: int


async def storm(command: Sequence[str], size: Size) -> Storm:
    """Changes without a pause, of which no proxy can take all, while one takes none."""
    async with AsyncExitStack() as parts:
        server = await parts.enter_async_context(Child.running(command, core=server_core()))
        port = (await server.answer())["port"]
        load = await parts.enter_async_context(Load.running())
        await load.ask("open", ports=[port], streams=size.storm_streams, delta=True, group="bench", stuck=1)
        await load.ask("freeze", streams=1)
        await load.ask("totals")
        step = size.storm // 100
        readings = []
        start = time.monotonic()
        for first in range(1, size.storm + 1, step):
            await server.ask("change " + " ".join(map(str, range(first, first + step))))
            readings.append(server.rss_mb)
        await load.ask("await", change=size.storm)
        seconds = time.monotonic() - start
        early = readings[len(readings) // 10 - 1]
        await load.ask("totals")
        await load.ask("freeze", streams=0)
        await load.ask("await", change=size.storm)
        totals = await load.ask("totals")
        return Storm(max(readings) - early, server.rss_mb, seconds, totals["most_messages"], totals["late"])


@dataclass(frozen=True, slots=True)
class Shared:
    """One change to many proxies by several processes together: medians of the changes."""

    wall_ms: float
    cpu_us: float
    rss_mb: float


async def share(command: Sequence[str], size: Size, *, workers: int) -> Shared:
    """`workers` processes on one port (SO_REUSEPORT), each told of each change; nothing is pinned to a core."""
    async with AsyncExitStack() as parts:
        servers = [await parts.enter_async_context(Child.running(command, core=None))]
        port = (await servers[0].answer())["port"]
        for _ in range(workers - 1):
            servers.append(await parts.enter_async_context(Child.running([*command, f"--port={port}"], core=None)))
            await servers[-1].answer()
        load = await parts.enter_async_context(Load.running(pinned=False))
        await load.ask("open", ports=[port], streams=size.workers_streams, delta=True, group="bench")
        walls = []
        for change in range(1, size.changes + 2):
            for server in servers:
                await server.idle()
            if change == 2:  # the first warms up
                cpu = sum(server.cpu_seconds for server in servers)
            for server in servers:
                server.tell(f"change {change}")
            arrived = await load.ask("await", change=change)
            started = [(await server.answer())["start_ns"] for server in servers]
            walls.append((arrived["last_ns"] - min(started)) / 1e6)
        for server in servers:
            await server.idle()
        cpu = sum(server.cpu_seconds for server in servers) - cpu
        return Shared(
            statistics.median(walls[1:]),
            cpu * 1e6 / (size.changes * size.workers_streams),
            sum(server.rss_mb for server in servers),
        )
