"""`python -m benchmarks NAME [--json FILE] [--quick]`"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console

from benchmarks import compile as compiling
from benchmarks import herd, intents, propagation
from benchmarks.fanout import run as fanout
from benchmarks.report import Report

BENCHMARKS: dict[str, Callable[..., Awaitable[Report]]] = {
    "compile": compiling.run,
    "fanout": fanout.run,
    "herd": herd.run,
    "intents": intents.run,
    "propagation": propagation.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures APG Mesh beside its peers.")
    parser.add_argument("name", choices=["list", *sorted(BENCHMARKS)], help="a benchmark, or `list`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, not how fast it is")
    arguments = parser.parse_args()
    if arguments.name == "list":
        print("\n".join(sorted(BENCHMARKS)))
        return 0
    report = asyncio.run(_run(BENCHMARKS[arguments.name], quick=arguments.quick))
    report.quick = arguments.quick
    report.show(Console())
    if arguments.json is not None:
        report.write(arguments.json)
    return 0


async def _run(benchmark: Callable[..., Awaitable[Report]], *, quick: bool) -> Report:
    return await benchmark(console=Console(stderr=True), quick=quick)


if __name__ == "__main__":
    sys.exit(main())
