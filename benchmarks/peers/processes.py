"""Peers' programs as the harness runs them: each with a log and a home in the benchmark's own folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.processes import Measured, Program

_LOOK = 0.25  # seconds
_IDLE_SHARE = 0.08  # of a core: an API server and an etcd that nobody asks for anything use some 5%


@asynccontextmanager
async def running(
    name: str, command: Sequence[str | Path], *, folder: Path, variables: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Runs `command` while the context lasts. Its log, NAME.log, and its home are in `folder`."""
    given = {"HOME": str(folder), **(variables or {})}
    environment = ["env", *(f"{key}={value}" for key, value in given.items())]
    async with Program.running([*environment, *map(str, command)], log=folder / f"{name}.log") as program:
        yield program


def cpu_seconds(programs: Iterable[Measured]) -> float:
    return sum(program.cpu_seconds for program in programs)


async def idle(programs: Sequence[Measured], *, deadline: float = 60.0) -> None:
    """Returns when the programs have nothing left to do, or at the deadline: some never rest."""
    until = time.monotonic() + deadline
    before = cpu_seconds(programs)
    while time.monotonic() < until:
        await asyncio.sleep(_LOOK)
        now = cpu_seconds(programs)
        if now - before < _IDLE_SHARE * _LOOK:
            return
        before = now
