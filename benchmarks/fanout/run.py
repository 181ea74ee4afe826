"""`python -m benchmarks fanout`: the xDS engine beside go-control-plane, in the same minutes, with its bars."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from contextlib import AsyncExitStack
from dataclasses import replace

from rich.console import Console

from benchmarks.fanout import peer, scenarios
from benchmarks.fanout.processes import our_server
from benchmarks.fanout.scenarios import FULL, QUICK, Side, Size
from benchmarks.figures import Bar, row
from benchmarks.report import Report, Row


async def run(*, console: Console, quick: bool) -> Report:
    """Measures all figures; `quick` shows only that they can be measured."""
    run_ = _Run(Report("fanout"), QUICK if quick else FULL, console, with_bars=not quick)
    await run_.prepare()
    await run_.fan_out("delta", delta=True, wall=1.0, cpu=1.0, memory=True)
    await run_.fan_out("state of the world", delta=False, wall=0.5, cpu=0.5)
    await run_.fan_out("delta, a distinct set for each node", delta=True, content="distinct", wall=0.3, cpu=0.3)
    await run_.fan_out("delta, peer with linear caches", delta=True, cache="linear")
    await run_.refuse()
    await run_.resume()
    await run_.encode()
    await run_.storm()
    await run_.share()
    return run_.report


class _Run:
    def __init__(self, report: Report, size: Size, console: Console, *, with_bars: bool) -> None:
        self.report = report
        self._with_bars = with_bars  # the bars are for the full size
        self._size = size
        self._console = console
        self._peer: str | None = None
        self._peer_name = peer.name()

    def _add(self, made: Row) -> None:
        self.report.add(made if self._with_bars else replace(made, bar=None, holds=None))
        beside = f" ({made.peer}: {made.peer_value:.3g})" if made.peer_value is not None else ""
        self._console.print(f"  {made.figure}: {made.ours:.3g} {made.unit}{beside}")  # a long run may be cut short

    async def prepare(self) -> None:
        built = await peer.build()
        if isinstance(built, str):
            self._console.print(f"The peer {self._peer_name} is missing ({built}): only our figures follow.")
        else:
            self._peer = str(built)

    async def fan_out(
        self,
        title: str,
        *,
        delta: bool,
        content: str = "shared",
        cache: str = "snapshot",
        wall: float | None = None,
        cpu: float | None = None,
        memory: bool = False,
    ) -> None:
        size = self._size
        what = f"{title}, {size.streams} × {size.clusters} clusters"
        self._console.print(what)
        options = (f"--content={content}", f"--clusters={size.clusters}", f"--nodes={size.streams}")
        async with AsyncExitStack() as parts:
            ours = await scenarios.start(parts, our_server(*options), size, delta=delta)
            sides = {"ours": ours}
            if self._peer:
                command = [self._peer, *options, f"--cache={cache}"]
                sides["peer"] = await scenarios.start(parts, command, size, delta=delta)
                await _same_content(*sides.values())
            await scenarios.fan_out(sides, size)
        theirs = sides.get("peer")
        name = self._peer_name + (", linear cache" if cache == "linear" else "")
        client = statistics.median(ours.client_us)
        self._add(
            row(
                f"{what}: change to last receipt",
                "ms",
                ours.wall_ms,
                peer=name,
                theirs=theirs.wall_ms if theirs else None,
                bar=Bar(ratio=wall) if wall else None,
                note=f"client: {client:.0f} µs of CPU a response, on another core",
            )
        )
        self._add(
            row(
                f"{what}: server CPU per stream",
                "µs",
                ours.cpu_us,
                peer=name,
                theirs=theirs.cpu_us if theirs else None,
                bar=Bar(ratio=cpu) if cpu else None,
                note="push and ACK",
            )
        )
        self._add(
            row(
                f"{what}: server RSS",
                "MB",
                ours.rss_mb,
                peer=name,
                theirs=theirs.rss_mb if theirs else None,
                bar=Bar(ratio=0.6, most=120, unit="MB") if memory else None,
                note=f"all {size.streams} settled within {ours.settle_ms:.0f} ms of connecting"
                + (f" (peer: {theirs.settle_ms:.0f} ms)" if theirs else ""),
            )
        )

    async def refuse(self) -> None:
        seconds = self._size.refusal_seconds
        for title, delta in (("state of the world", False), ("delta", True)):
            figure = f"resends after a NACK within {seconds:g} s, {title}"
            self._console.print(figure)
            ours = await scenarios.refuse(our_server(), self._size, delta=delta)
            theirs = [float(await scenarios.refuse([self._peer], self._size, delta=delta))] if self._peer else None
            self._add(row(figure, "", [ours], peer=self._peer_name, theirs=theirs, bar=Bar(most=1)))

    async def resume(self) -> None:
        size = self._size
        figure = f"sent to {size.streams} unchanged delta clients that reconnect after a server restart"
        self._console.print(figure)
        clusters = f"--clusters={size.clusters}"
        ours = await scenarios.resume(lambda port: our_server(clusters, f"--port={port}"), size)
        theirs = None
        if self._peer:
            program = self._peer
            theirs = await scenarios.resume(lambda port: [program, clusters, f"--port={port}"], size)
        self._add(
            row(
                figure,
                "resources",
                [ours.resources],
                peer=self._peer_name,
                theirs=[theirs.resources] if theirs else None,
                bar=Bar(most=0),
                note=f"{ours.octets} octets" + (f" (peer: {theirs.octets})" if theirs else ""),
            )
        )
        self._add(
            row(
                "server CPU per reconnecting stream",
                "µs",
                [ours.cpu_us],
                peer=self._peer_name,
                theirs=[theirs.cpu_us] if theirs else None,
            )
        )

    async def encode(self) -> None:
        services = self._size.services
        self._console.print(f"{services} services encoded")
        rounds = []
        for _ in range(min(3, self._size.rounds)):
            module = ("-m", "benchmarks.fanout.encoding", str(services))
            process = await asyncio.create_subprocess_exec(sys.executable, *module, stdout=asyncio.subprocess.PIPE)
            output, _ = await process.communicate()
            rounds.append(json.loads(output))
        title = f"{services} services × 3 endpoints"
        build = statistics.median(each["build_s"] for each in rounds)
        note = f"building the messages is not in it: {build:.1f} s"
        encode = [each["encode_s"] for each in rounds]
        self._add(row(f"{title}: encode all, cold", "s", encode, bar=Bar(most=3, unit="s"), note=note))
        changes = [statistics.median(each["changes_ms"]) for each in rounds]
        self._add(row(f"{title}: one changed endpoint", "ms", changes, bar=Bar(most=1, unit="ms")))

    async def storm(self) -> None:
        size = self._size
        title = f"{size.storm} changes in a row, {size.storm_streams} streams, one stuck"
        self._console.print(title)
        made = await scenarios.storm(our_server(f"--clusters={size.clusters}"), size)
        note = f"{made.rss_mb:.0f} MB at the end, {size.storm / made.seconds:.0f} changes a second"
        bar = Bar(most=10, unit="MB")
        self._add(row(f"{title}: RSS growth after the first tenth", "MB", [made.growth_mb], bar=bar, note=note))
        self._add(
            row(
                f"{title}: responses until the stuck stream has the newest",
                "",
                [made.caught_up],
                bar=Bar(most=2),
                note="the one in flight, and the newest",
            )
        )

    async def share(self) -> None:
        size = self._size
        command = our_server(f"--clusters={size.clusters}", "--share-port")
        for workers in (1, 2):
            title = f"one endpoint changed, {size.workers_streams} delta streams, {workers} process" + "es" * (
                workers > 1
            )
            self._console.print(title)
            ours = await scenarios.share(command, size, workers=workers)
            theirs = None
            if self._peer:
                theirs = await scenarios.share([self._peer, f"--clusters={size.clusters}"], size, workers=1)
            name = f"{self._peer_name}, 1 process on all cores"
            note = f"not pinned; RSS in all {ours.rss_mb:.0f} MB" + (
                f" (peer: {theirs.rss_mb:.0f} MB)" if theirs else ""
            )
            wall = [theirs.wall_ms] if theirs else None
            self.report.add(
                row(f"{title}: change to last receipt", "ms", [ours.wall_ms], peer=name, theirs=wall, note=note)
            )
            cpu = [theirs.cpu_us] if theirs else None
            self._add(row(f"{title}: server CPU per stream", "µs", [ours.cpu_us], peer=name, theirs=cpu))


async def _same_content(*sides: Side) -> None:
    """Two servers are compared only while they serve the same.

    Raises:
        RuntimeError: they do not.
    """
    contents = [await side.load.ask("content") for side in sides]
    if any(content != contents[0] for content in contents):
        raise RuntimeError(f"the servers serve different content: {contents}")
