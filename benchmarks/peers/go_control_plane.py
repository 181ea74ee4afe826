"""go-control-plane: a library, so its side is a program of ours over it (`go-control-plane/routes.go`).

It has no documents, no validation and no store: a change is a few lines of Go that make one route configuration anew.
That is a floor, rather than a peer, for whoever reads documents and keeps them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.fanout import peer
from benchmarks.fanout.processes import Child
from benchmarks.peers import builds
from benchmarks.peers.side import Node, Side, Xds
from controlplane.ports import free_port


class GoControlPlane(Side):
    name = peer.name()

    def __init__(self, child: Child, *, port: int, xds: int) -> None:
        """Use `GoControlPlane.running`."""
        self._child = child
        self.programs = {"go-control-plane": child}
        self.port = port
        self.xds = Xds(xds, _node)

    @classmethod
    @asynccontextmanager
    async def running(cls, *, backend: int) -> AsyncIterator[GoControlPlane]:
        """With one route. `backend`: the port of all endpoints.

        Raises:
            MissingError: it is not there and cannot be built.
        """
        binary, port = await builds.GO_CONTROL_PLANE.get(), free_port()
        command = [str(binary), "-content=gateway", f"-gateway-port={port}", f"-backend-port={backend}"]
        async with Child.running(command, core=None) as child:
            yield cls(child, port=port, xds=int((await child.answer())["port"]))

    async def grow(self, first: int, routes: int) -> None:
        await self._child.ask(f"grow {routes}")

    async def change(self, version: int) -> None:
        await self._child.ask(f"change {version}")


def _node(number: int) -> Node:
    return {"id": f"bench-{number}", "cluster": "bench"}
