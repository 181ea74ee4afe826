"""`python -m benchmarks all`: each benchmark after the other, in a process of its own, and a report of all."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import publish


def main(names: Sequence[str], arguments: Sequence[str]) -> int:
    """The exit status: 1 where one failed; the others are done all the same."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks all", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="show that they work; two at a time")
    parser.add_argument("--to", type=Path, default=Path("bench-results"), metavar="FOLDER", help="for all files")
    parser.add_argument("--only", default=",".join(names), metavar="NAME,...", help="these alone")
    chosen = parser.parse_args(arguments)
    wanted = chosen.only.split(",")
    if unknown := set(wanted) - set(names):
        parser.error(f"--only: no benchmark {', '.join(sorted(unknown))}, want some of {', '.join(names)}")
    chosen.to.mkdir(parents=True, exist_ok=True)
    console = Console()
    failed = asyncio.run(_all(wanted, chosen.to, quick=chosen.quick, console=console))
    results = [str(chosen.to / f"{name}.json") for name in wanted if name not in failed]
    written = ("--page", str(chosen.to / "benchmarks.md"), "--html", str(chosen.to / "benchmarks.html"))
    if results and publish.main([*results, *written]):
        return 1
    console.print(f"{len(results)} results and their report in {chosen.to}", markup=False)
    return int(bool(failed))


async def _all(names: Sequence[str], folder: Path, *, quick: bool, console: Console) -> list[str]:
    """Those that failed. Two at a time disturb each other, which does not matter where figures mean nothing."""
    turns = asyncio.Semaphore(2 if quick else 1)
    failed = []

    async def one(name: str) -> None:
        async with turns:
            start = time.monotonic()
            log = folder / f"{name}.log"
            command = [sys.executable, "-m", "benchmarks", name, "--json", str(folder / f"{name}.json")]
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *command, *(["--quick"] if quick else []), stdout=output, stderr=asyncio.subprocess.STDOUT
                )
                status = await process.wait()
            console.print(f"{name}: {'done' if status == 0 else 'FAILED'} in {time.monotonic() - start:.0f} s")
            if status:
                failed.append(name)
                console.print(log.read_text(encoding="utf-8", errors="replace")[-4_000:], markup=False)

    async with asyncio.TaskGroup() as tasks:
        for name in names:
            tasks.create_task(one(name))
    return failed
