"""100 endpoints change each second, for five minutes, with an Envoy and a hundred simulated proxies that follow."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import steady
from benchmarks.report import Report
from benchmarks.steady import Work


async def run(*, console: Console, quick: bool, seconds: float = 300.0, changes: float = 100.0) -> Report:
    """Does so; `quick` for three seconds."""
    wanted = Work(3.0, 20.0, 0.0, 5) if quick else Work(seconds, changes, 0.0, 100)
    console.print(f"{wanted.seconds:g} s of churn")
    report = Report("churn")
    with tempfile.TemporaryDirectory(prefix="apg-bench-") as folder:
        steady.add(report, await steady.work(Path(folder), wanted), wanted, with_bars=not quick)
    return report
