"""Programs that a benchmark starts: pinned to a core, ended with us, measured from outside by the kernel's word."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks import pinned_child
from controlplane.child import end, how_it_ended, spawn

_IDLE_SHARE, _IDLE_LOOK = 0.02, 0.1  # idle: less than 2% of a core for 0.1 s
_RSS = re.compile(r"VmRSS:\s+(\d+) kB")


class Measured:
    """A process of this machine, by its number."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def cpu_seconds(self) -> float:
        """All CPU time that the process has used, to the nanosecond: its own clock (clock_getcpuclockid(3))."""
        return time.clock_gettime(~self.pid << 3 | 2)

    @property
    def rss_mb(self) -> float:
        """Resident memory, in MB of 10**6 octets."""
        found = _RSS.search(Path(f"/proc/{self.pid}/status").read_text(encoding="ascii"))
        assert found is not None
        return int(found[1]) * 1_024 / 1e6

    @property
    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    async def idle(self) -> None:
        """Waits until the process has nothing left to do: ACKs are read, garbage is collected."""
        before = self.cpu_seconds
        while True:
            await asyncio.sleep(_IDLE_LOOK)
            now = self.cpu_seconds
            if now - before < _IDLE_SHARE * _IDLE_LOOK:
                return
            before = now


class Program(Measured):
    """One that runs for a while and writes a log."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: Path) -> None:
        super().__init__(process.pid)
        self._process = process
        self._name = name
        self._log = log

    @classmethod
    @asynccontextmanager
    async def running(cls, command: Sequence[str], *, log: Path, core: int | None = None) -> AsyncIterator[Program]:
        """Runs `command` on one core (None: on any) while the context lasts; its words go to `log`."""
        with log.open("ab") as output:
            process = await spawn(pinned(command, core), output=output.fileno())
        try:
            yield cls(process, Path(command[0]).name, log)
        finally:
            await end(process)

    def check(self) -> None:
        """Raises RuntimeError, with the last of its words, when it has ended."""
        if self._process.returncode is not None:
            raise RuntimeError(f"{self._name} {how_it_ended(self._process.returncode)}: {self.last_words()}")

    async def kill(self) -> None:
        """As a machine that fails does: without asking."""
        self._process.kill()
        await self._process.wait()

    def last_words(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


def pinned(command: Sequence[str], core: int | None) -> list[str]:
    """The command that becomes `command` on one core, by exec."""
    core_name = "any" if core is None else str(core)
    return [sys.executable, "-I", "-S", pinned_child.__file__, core_name, *command]


def server_core() -> int | None:
    """The core for what is measured: one process on one core is the unit. None where there is but one core."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0] if len(cores) > 1 else None


def client_core() -> int | None:
    """The core for what measures. None where there is but one core."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[1] if len(cores) > 1 else None
