"""`python -m benchmarks dataplane`: each way from client to backend, at a constant rate and at the greatest, in rounds.

A round measures every way, in an order that turns around with each round, so that what else the machine does meets all
of them. Figures are of all rounds together (histograms are merged), and their intervals are of which rounds were drawn.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.dataplane import paths
from benchmarks.dataplane.paths import TITLES, Way, Ways
from benchmarks.dataplane.rows import Load, Measured, Reading, add
from benchmarks.fortio import Fortio, Speaks
from benchmarks.processes import client_core
from benchmarks.report import Report

_PROTOCOLS = {"http1": Speaks.HTTP1, "http2": Speaks.HTTP2, "grpc": Speaks.GRPC}


@dataclass(frozen=True, slots=True)
class Size:
    """warm_up, seconds: of each reading, which is not one before it has warmed up. rate: requests a second of the
    constant load, by `connections`; at saturation, as many as `saturating` connections can have answered."""

    rounds: int
    seconds: float
    warm_up: float
    rate: float = 1_000.0
    connections: int = 50
    saturating: int = 32


QUICK = Size(1, 0.2, 0.05)


async def run(
    *,
    console: Console,
    quick: bool,
    rounds: int = 5,
    seconds: float = 3.0,
    protocols: str = ",".join(_PROTOCOLS),
    ways: str = ",".join(TITLES),
) -> Report:
    """Measures all ways; `quick` shows only that they can be measured.

    Raises:
        ValueError: there is no such protocol, or way.
    """
    spoken = [_PROTOCOLS[name] for name in _chosen("protocols", protocols, _PROTOCOLS)]
    names = _chosen("ways", ways, TITLES)
    size = QUICK if quick else Size(rounds, seconds, 0.3)
    report = Report("dataplane")
    fortio = await Fortio.found()
    if isinstance(fortio, str):
        report.notes.append(fortio)
        return report
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
        async with paths.running(Path(folder), fortio, names, spoken) as ways_there:
            measured = await measure(fortio, ways_there, spoken, size, console)
    add(report, measured, rate=size.rate, with_bars=not quick)
    return report


def _chosen(what: str, said: str, known: Mapping[str, object]) -> list[str]:
    chosen = said.split(",")
    if unknown := [name for name in chosen if name not in known]:
        raise ValueError(f"{what}: got {','.join(unknown)}, want some of {','.join(known)}")
    return [name for name in known if name in chosen]


async def measure(fortio: Fortio, there: Ways, spoken: Sequence[Speaks], size: Size, console: Console) -> Measured:
    """The readings of all rounds."""
    readings: Measured = defaultdict(list)
    with Progress(console=console) as progress:
        task = progress.add_task("data plane", total=size.rounds * len(spoken) * len(Load) * len(there.ways))
        for number in range(size.rounds):
            for speaks in spoken:
                for load in Load:
                    for way in there.ways if number % 2 else reversed(there.ways):
                        reading = await _read(fortio, there, way, speaks, load, size)
                        readings[speaks, load, way.name].append(reading)
                        progress.advance(task)
    return readings


async def _read(fortio: Fortio, there: Ways, way: Way, speaks: Speaks, load: Load, size: Size) -> Reading:
    """One reading of one way, after a warm-up of its own: caches and pools have been everybody else's meanwhile."""
    constant = load is Load.CONSTANT
    target, proxies, backend = way.targets[speaks], way.proxies[speaks], there.backends[speaks]
    rate, connections = (size.rate, size.connections) if constant else (None, size.saturating)
    core = client_core()
    await fortio.load(target, seconds=size.warm_up, connections=connections, rate=None, core=core)
    before = [process.cpu_seconds for process in (*proxies, backend)]
    made = await fortio.load(target, seconds=size.seconds, connections=connections, rate=rate, core=core)
    *proxies_cpu, backend_cpu = (
        process.cpu_seconds - cpu for process, cpu in zip((*proxies, backend), before, strict=True)
    )
    return Reading(made, sum(proxies_cpu), backend_cpu, sum(process.rss_mb for process in proxies))
