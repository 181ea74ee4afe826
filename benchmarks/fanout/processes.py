"""Servers and load clients as processes that are asked by lines of JSON. What measures them: `benchmarks.processes`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.processes import Measured, client_core, pinned

_DEADLINE = 120.0  # seconds for any answer; a thousand proxies settle in two
_LONGEST_ANSWER = 1 << 20  # octets; a number for each of many thousand proxies


class Child(Measured):
    """A process that answers each line of its input by one line of JSON."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        super().__init__(process.pid)
        self._process = process
        self._name = name

    @classmethod
    @asynccontextmanager
    async def running(cls, command: Sequence[str], *, core: int | None) -> AsyncIterator[Child]:
        """Runs `command` on one core (None: on any) while the context lasts; killed after it."""
        process = await asyncio.create_subprocess_exec(
            *pinned(command, core),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_ANSWER,
        )
        try:
            yield cls(process, Path(command[0]).name)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def ask(self, line: str) -> dict[str, Any]:
        """Sends a line; the answer to it."""
        self.tell(line)
        return await self.answer()

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def answer(self, *, deadline: float = _DEADLINE) -> dict[str, Any]:
        """The next line that the process says, within `deadline` seconds.

        Raises:
            RuntimeError: it said none in time, or ended.
        """
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), deadline)
        except TimeoutError:
            raise RuntimeError(f"{self._name} has not answered for {deadline:g} s") from None
        if not line:
            raise RuntimeError(f"{self._name} ended with status {await self._process.wait()}; see its words above")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Load:
    """A load client."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @classmethod
    @asynccontextmanager
    async def running(cls, *, pinned: bool = True) -> AsyncIterator[Load]:
        command = [sys.executable, "-m", "benchmarks.fanout.load_client"]
        async with Child.running(command, core=client_core() if pinned else None) as child:
            yield cls(child)

    async def ask(self, do: str, **arguments: object) -> dict[str, Any]:
        return await self._child.ask(json.dumps({"do": do, **arguments}))

    @property
    def cpu_seconds(self) -> float:
        return self._child.cpu_seconds


def our_server(*options: str) -> list[str]:
    """The command of our server."""
    return [sys.executable, "-m", "benchmarks.fanout.server", *options]
