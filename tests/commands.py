"""`apg` as people run it: processes, their output and their exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_COMMAND = (sys.executable, "-m", "controlplane.cli.main")
_DEADLINE = 60.0


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def environment(**more: str) -> Mapping[str, str]:
    """This process's, without settings of `apg` that may be lying about."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("APG_")}
    return {**clean, "COLUMNS": "200", **more}


def apg(*arguments: str, stdin: bytes = b"", **variables: str) -> Result:
    """Runs `apg ARGUMENTS` to its end."""
    done = subprocess.run(
        [*_COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=_DEADLINE,
        check=False,
        env={**environment(**variables), "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


async def apg_async(*arguments: str, stdin: bytes = b"", **variables: str) -> Result:
    return await asyncio.to_thread(partial(apg, *arguments, stdin=stdin, **variables))


@contextlib.asynccontextmanager
async def apg_up(folder: Path, *arguments: str) -> AsyncIterator[Mapping[str, str]]:
    """A control plane as a process; its addresses, "xds" and "admin"."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *("--output", "json", "up", "--xds-address", "127.0.0.1:0", "--admin-address", "127.0.0.1:0"),
        *("--state", str(folder / "mesh.db"), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), _DEADLINE)
        yield json.loads(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), _DEADLINE)
