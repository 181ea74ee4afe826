"""Half an hour of everything at once, at a rate that leaves room: does memory stay flat, does a descriptor stay open?

Endpoints change, a document changes each second, a hundred simulated proxies lose their connections and come back each
twenty seconds, and requests go through an Envoy that reports its load and metrics.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import steady
from benchmarks.report import Report
from benchmarks.steady import Work


async def run(*, console: Console, quick: bool, seconds: float = 1800.0, changes: float = 20.0) -> Report:
    """Does so; `quick` for ten seconds."""
    wanted = Work(10.0, 20.0, 1.0, 10, 3.0) if quick else Work(seconds, changes, 1.0, 100, 20.0)
    console.print(f"{wanted.seconds:g} s of everything")
    report = Report("soak")
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
        steady.add(report, await steady.work(Path(folder), wanted), wanted, with_bars=not quick)
    return report
