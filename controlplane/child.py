"""Child processes that cannot outlive this one: how they are started, ended and spoken of."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from datetime import timedelta

from controlplane import bound_child


async def spawn(
    command: Sequence[str], *, output: int, errors: int = asyncio.subprocess.STDOUT
) -> asyncio.subprocess.Process:
    """Starts `command`; its output goes to `output`, its errors to `errors`: descriptors, or `asyncio.subprocess.PIPE`.

    It ends with the calling thread (Linux; elsewhere its owner has to end it). Ctrl-C reaches it through its owner
    only, who may have something left to do with it. A program that cannot be run ends with status 1 and says why.
    """
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", bound_child.__file__, str(os.getpid()), *command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


async def end(process: asyncio.subprocess.Process, *, grace: timedelta = timedelta(seconds=5)) -> None:
    """Ends `process`: asks, and after `grace` does not ask. Sure of it even when the caller is cancelled meanwhile."""
    try:
        if process.returncode is None and grace:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace.total_seconds())
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def how_it_ended(status: int) -> str:
    """The words for a process's return code."""
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
