"""`python -m benchmarks herd`: a thousand proxies come at once, as after a restart. How long until they are served, and
does a change still reach a proxy that was there before?

Beside it, in alternation: the same server without turns, which serves everybody's first configuration at once.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from rich.console import Console

from benchmarks.fanout.processes import Child, Load, our_server
from benchmarks.figures import row
from benchmarks.processes import server_core
from benchmarks.report import Report
from xds.flow import Flow

_ALL_AT_ONCE = 1_000_000
_PEER = "without turns"


@dataclass(frozen=True, slots=True)
class _Size:
    proxies: int
    clusters: int
    rounds: int


@dataclass(slots=True)
class _Readings:
    """One value for each round."""

    all_ms: list[float] = field(default_factory=list)
    half_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    change_ms: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)


async def run(*, console: Console, quick: bool) -> Report:
    """Measures all figures; `quick` shows only that they can be measured."""
    size = _Size(50, 20, 1) if quick else _Size(1_000, 100, 5)
    report = Report("herd")
    for name, delta in (("delta", True), ("state of the world", False)):
        ours, theirs = _Readings(), _Readings()
        for number in range(size.rounds):
            console.print(f"{name}, round {number + 1} of {size.rounds}")
            sides = [(ours, Flow().turns), (theirs, _ALL_AT_ONCE)]
            for readings, turns in sides if number % 2 else reversed(sides):
                await _round(readings, size, delta=delta, turns=turns)
        what = f"{name}, {size.proxies} proxies × {size.clusters} clusters at once"
        for figure, unit, mine, other in (
            ("until the last one has all", "ms", ours.all_ms, theirs.all_ms),
            ("until half of them have all", "ms", ours.half_ms, theirs.half_ms),
            ("server CPU for each", "ms", ours.cpu_ms, theirs.cpu_ms),
            ("a change to a proxy that was there, slowest", "ms", ours.change_ms, theirs.change_ms),
            ("server memory at its highest", "MB", ours.rss_mb, theirs.rss_mb),
        ):
            report.add(row(f"{what}: {figure}", unit, mine, peer=_PEER, theirs=other))
    return report


async def _round(readings: _Readings, size: _Size, *, delta: bool, turns: int) -> None:
    async with AsyncExitStack() as parts:
        options = (f"--clusters={size.clusters}", f"--nodes={size.proxies}", f"--turns={turns}")
        server = await parts.enter_async_context(Child.running(our_server(*options), core=server_core()))
        port = (await server.answer())["port"]
        there = await parts.enter_async_context(Load.running(pinned=False))
        herd = await parts.enter_async_context(Load.running())
        await there.ask("open", ports=[port], streams=1, delta=True, group="aside", first=size.proxies)
        await server.idle()
        cpu = server.cpu_seconds
        coming = asyncio.create_task(herd.ask("open", ports=[port], streams=size.proxies, delta=delta, group="bench"))
        changes, rss = await _changes_until(coming, server, there)
        settled = sorted(each / 1e6 for each in (await coming)["settled_ns"])
        await server.idle()
        readings.all_ms.append(settled[-1])
        readings.half_ms.append(statistics.median(settled))
        readings.cpu_ms.append((server.cpu_seconds - cpu) * 1e3 / size.proxies)
        readings.change_ms.append(max(changes))
        readings.rss_mb.append(max(rss))


async def _changes_until(
    coming: asyncio.Task[object], server: Child, there: Load
) -> tuple[Sequence[float], Sequence[float]]:
    """A change after the other for the proxy that was there before, until the herd has arrived: how long each took, in
    ms, and the server's memory after each, in MB. It is of another group: a herd of changes is another benchmark."""
    times: list[float] = []
    memory: list[float] = []
    number = 0
    while not coming.done() or not times:
        number += 1
        server.tell(f"aside {number}")
        arrived = await there.ask("await", change=number)
        told = await server.answer()
        times.append((arrived["last_ns"] - told["start_ns"]) / 1e6)
        memory.append(server.rss_mb)
        await asyncio.sleep(0.02)
    return times, memory
