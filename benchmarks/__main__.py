"""`python -m benchmarks NAME [--json FILE] [--quick] [--set OPTION=VALUE ...]`, `list`, `all`, `report`, `compare`"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import compare, everything, publish
from benchmarks.report import Report

BENCHMARKS = {
    "churn": "benchmarks.churn",
    "claims": "benchmarks.claims",
    "coldstart": "benchmarks.coldstart",
    "compile": "benchmarks.compile",
    "dataplane": "benchmarks.dataplane.run",
    "fanout": "benchmarks.fanout.run",
    "herd": "benchmarks.herd",
    "intents": "benchmarks.intents",
    "memory": "benchmarks.memory",
    "peers": "benchmarks.peers.run",
    "propagation": "benchmarks.propagation",
    "soak": "benchmarks.soak",
}
"""The modules of the benchmarks. Each has `async def run(*, console, quick, **options) -> Report`, whose signature has
the options and their defaults."""

_OWN = ("console", "quick")


def main() -> int:
    if sys.argv[1:2] == ["compare"]:
        return compare.main(sys.argv[2:])
    if sys.argv[1:2] == ["report"]:
        return publish.main(sys.argv[2:])
    if sys.argv[1:2] == ["all"]:
        return everything.main(list(BENCHMARKS), sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures APG Mesh beside its peers.")
    parser.add_argument("name", choices=["list", *sorted(BENCHMARKS)], help="a benchmark, or `list`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")
    parser.add_argument("--quick", action="store_true", help="few rounds: shows that it works, not how fast it is")
    parser.add_argument(
        "--set", action="append", default=[], metavar="OPTION=VALUE", help="an option of the benchmark: see `list`"
    )
    arguments = parser.parse_args()
    if arguments.name == "list":
        for name in sorted(BENCHMARKS):
            print(" ".join([name, *(f"{option}={value}" for option, value in options(name).items())]))
        return 0
    try:
        chosen = parsed(arguments.name, arguments.set)
    except ValueError as error:
        parser.error(str(error))
    run = _benchmark(arguments.name)
    report = asyncio.run(_run(run, quick=arguments.quick, **chosen))
    report.quick = arguments.quick
    report.show(Console())
    if arguments.json is not None:
        report.write(arguments.json)
    return 0


def options(name: str) -> dict[str, Any]:
    """The options of a benchmark, and their defaults."""
    parameters = inspect.signature(_benchmark(name)).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.name not in _OWN}


def parsed(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """`settings`, each "OPTION=VALUE", as the types of the options' defaults.

    Raises:
        ValueError: there is no such option, or it is of another type.
    """
    known, found = options(name), {}
    for setting in settings:
        option, _, text = setting.partition("=")
        if option not in known:
            raise ValueError(
                f"--set {setting}: {name} has no option {option!r}, want one of {', '.join(known) or 'none'}"
            )
        kind = type(known[option])
        try:
            found[option] = kind(text)
        except ValueError:
            raise ValueError(f"--set {setting}: got {text!r}, want {kind.__name__}") from None
    return found


def _benchmark(name: str) -> Callable[..., Awaitable[Report]]:
    run: Callable[..., Awaitable[Report]] = importlib.import_module(BENCHMARKS[name]).run
    return run


async def _run(benchmark: Callable[..., Awaitable[Report]], *, quick: bool, **chosen: object) -> Report:
    return await benchmark(console=Console(stderr=True), quick=quick, **chosen)


if __name__ == "__main__":
    sys.exit(main())
