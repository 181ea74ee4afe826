"""A side with the Envoy that it steers and the client that asks that Envoy: what is measured of it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fanout.processes import Child
from benchmarks.peers.content import hosts, location
from benchmarks.peers.processes import cpu_seconds, idle
from benchmarks.peers.side import Side, bootstrap
from benchmarks.processes import Program
from controlplane.proxy import EnvoyProcess

_DEADLINE = 200.0  # seconds for one change to arrive
_GROWTH_DEADLINE = 300.0
_ENVOY_START = 60.0


@dataclass(frozen=True, slots=True)
class Changes:
    """Many changes. cpu_s: of each program; the control plane first. wall_s: from the first change until the last one
    was answered. updates: how many times the Envoy was sent routes meanwhile."""

    count: int
    cpu_s: list[float]
    wall_s: float
    updates: int


class Fleet:
    """Simulated proxies beside the real one, all with their first configuration.

    settle_s: how long until they had it; refused: how many connections were turned away meanwhile.
    push_ms, cpu_ms, octets: for each change, from the write to the last proxy's receipt, of all programs together, and
    for one proxy.
    """

    def __init__(self, driven: Driven, child: Child, proxies: int, *, settle_s: float, refused: int) -> None:
        """Use `Driven.fleet`."""
        self._driven = driven
        self._child = child
        self._proxies = proxies
        self.settle_s = settle_s
        self.refused = refused
        self.push_ms: list[float] = []
        self.cpu_ms: list[float] = []
        self.octets: list[float] = []

    async def change(self) -> None:
        """Changes the first route for all of them."""
        programs = list(self._driven.side.programs.values())
        cpu = cpu_seconds(programs)
        version = self._driven.next_version()
        self._child.tell(json.dumps({"do": "await", "change": version}))
        start = time.monotonic_ns()
        await self._driven.side.change(version)
        arrived = _checked(await self._child.answer(deadline=_DEADLINE))
        await idle(programs)
        self.push_ms.append((arrived["last_ns"] - start) / 1e6)
        self.cpu_ms.append((cpu_seconds(programs) - cpu) * 1e3)
        self.octets.append(arrived["octets"] / self._proxies)


class Driven:
    def __init__(self, side: Side, envoy: EnvoyProcess, poller: Child) -> None:
        """Use `Driven.running`."""
        self.side = side
        self._envoy = envoy
        self._poller = poller
        self._programs = list(side.programs.values())
        self._version = 0
        self._routes = 1

    @classmethod
    @asynccontextmanager
    async def running(cls, side: Side, folder: Path) -> AsyncIterator[Driven]:
        """With an Envoy that answers by the first route."""
        xds = side.xds
        envoy = await EnvoyProcess.start_with(bootstrap(xds), node_id=xds.node(0)["id"], log_path=folder / "envoy.log")
        command = [sys.executable, "-m", "benchmarks.peers.poller", str(side.port)]
        async with envoy, Child.running(command, core=None) as poller:
            driven = cls(side, envoy, poller)
            await driven._asked("location", location=location(0), seconds=_ENVOY_START)
            yield driven

    async def grow(self, routes: int) -> None:
        """To `routes` in all; returns when the last one answers and nothing is left to do."""
        added = hosts(self._routes, routes)
        if added:
            await self.side.grow(self._routes, routes)
            self._routes = routes
            for host in (added[-1], added[0]):
                path = host.paths[-1]
                await self._asked("status", host=host.domain, path=path, status=200, seconds=_GROWTH_DEADLINE)
        await idle(self._programs)

    async def change(self) -> float:
        """Changes the first route: ms until the first request that is answered by it."""
        version = self.next_version()
        self._poller.tell(json.dumps({"do": "location", "location": location(version), "seconds": _DEADLINE}))
        start = time.monotonic_ns()
        await self.side.change(version)
        return float((await self._answer())["at_ns"] - start) / 1e6

    async def one_by_one(self, most: int, *, seconds: float) -> Changes:
        """Changes the first route `most` times, or for so long, each time after the last change was answered."""

        async def changes() -> int:
            end = time.monotonic() + seconds
            for number in range(most):
                if time.monotonic() > end:
                    return number
                await self.change()
            return most

        return await self._spent(changes)

    async def at_a_pace(self, count: int, *, per_second: float) -> Changes:
        """Changes the first route again and again, whether or not the last change has arrived."""

        async def changes() -> int:
            start = time.monotonic()
            for number in range(count):
                await asyncio.sleep(start + number / per_second - time.monotonic())
                await self.side.change(self.next_version())
            await self._asked("location", location=location(self._version), seconds=_GROWTH_DEADLINE)
            return count

        return await self._spent(changes)

    async def _spent(self, changes: Callable[[], Awaitable[int]]) -> Changes:
        """What `changes` cost until nothing is left to do."""
        await idle(self._programs)
        cpu = [program.cpu_seconds for program in self._programs]
        updates = await self._updates()
        start = time.monotonic()
        count = await changes()
        wall = time.monotonic() - start
        await idle(self._programs, deadline=_GROWTH_DEADLINE)
        spent = [program.cpu_seconds - before for program, before in zip(self._programs, cpu, strict=True)]
        return Changes(count, spent, wall, await self._updates() - updates)

    @asynccontextmanager
    async def fleet(self, proxies: int) -> AsyncIterator[Fleet]:
        """Connects so many simulated proxies, while the context lasts."""
        xds = self.side.xds
        certificates = None
        if xds.certificates is not None:
            names = ("authority", "client", "client_key")
            certificates = {name: str(getattr(xds.certificates, name)) for name in names}
        nodes = [xds.node(number) for number in range(1, proxies + 1)]
        async with Child.running([sys.executable, "-m", "benchmarks.peers.fleet"], core=None) as child:
            command = {"do": "open", "port": xds.port, "nodes": nodes, "certificates": certificates}
            child.tell(json.dumps(command))
            opened = _checked(await child.answer(deadline=_GROWTH_DEADLINE))
            await idle(self._programs)
            yield Fleet(self, child, proxies, settle_s=opened["wall_ns"] / 1e9, refused=opened["refused"])

    def next_version(self) -> int:
        self._version += 1
        return self._version

    @property
    def memory_mb(self) -> list[float]:
        return [program.rss_mb for program in self._programs]

    async def _asked(self, do: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
        self._poller.tell(json.dumps({"do": do, **arguments}))
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        answer = await self._poller.answer(deadline=_GROWTH_DEADLINE + 30)
        if "last" in answer:
            said = []
            for name, program in self.side.programs.items():
                if isinstance(program, Program):
                    program.check()
                    said.append(f"{name}: {program.last_words()}")
            raise RuntimeError(f"{self.side.name}: not the wanted answer, but {answer['last']}. {' '.join(said)}")
        return answer

    async def _updates(self) -> int:
        """How many versions of routes the Envoy has taken."""
        stats = await self._envoy.admin_get("/stats?filter=^http.*rds.*config_reload$")
        return sum(int(line.rpartition(":")[2]) for line in stats.splitlines() if line.strip())


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        raise RuntimeError(str(answer["error"]))
    return answer
