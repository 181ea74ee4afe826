"""APG Mesh beside the peers: `apg up` as a process of its own with its state on disk, told by its admin API."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from benchmarks.peers import gateway_api
from benchmarks.peers.content import ADDRESSES, GATEWAY, hosts
from benchmarks.peers.processes import running
from benchmarks.peers.side import Certificates, Node, Side, Xds
from benchmarks.processes import Program
from controlplane.ports import free_port
from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceStub

if TYPE_CHECKING:
    from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceAsyncStub  # exists for type checkers only

_DEADLINE = 60.0  # seconds
_AT_ONCE = 200  # documents: a request is at most 1 MiB
_BY = pb.Attribution(author="benchmark")


class Ours(Side):
    name = "APG Mesh"

    def __init__(self, api: AdminServiceAsyncStub, program: Program, xds: Xds, *, backend: int) -> None:
        """Use `Ours.running`."""
        self._api = api
        self._backend = backend
        self.programs = {"apg": program}
        self.port = free_port()
        self.xds = xds

    @classmethod
    @asynccontextmanager
    async def running(
        cls, folder: Path, *, backend: int, certificates: Certificates | None = None
    ) -> AsyncIterator[Ours]:
        """With one route. `backend`: the port of all endpoints. `certificates`: xDS with mutual TLS, as a peer has."""
        xds, admin = free_port(), free_port()
        command = [str(Path(sys.executable).with_name("apg")), "up", f"--state={folder / 'mesh.db'}"]
        command += [f"--xds-address=127.0.0.1:{xds}", f"--admin-address=127.0.0.1:{admin}"]
        if certificates is not None:
            command += [f"--xds-tls-cert={certificates.server}", f"--xds-tls-key={certificates.server_key}"]
            command += [f"--xds-client-ca={certificates.authority}"]
        # A peer's certificates name no group, and none but ours would look for one.
        variables = {"APG_XDS_GROUPS": "any"} if certificates is not None else None
        async with (
            running("apg", command, folder=folder, variables=variables) as program,
            grpc.aio.insecure_channel(f"127.0.0.1:{admin}") as channel,
        ):
            ready = asyncio.ensure_future(channel.channel_ready())
            while not ready.done():
                program.check()
                await asyncio.wait([ready], timeout=0.1)
            stub: Any = AdminServiceStub(channel)
            side = cls(stub, program, Xds(xds, _node, certificates), backend=backend)
            await side._apply(gateway_api.text([gateway_api.our_gateway(side.port), gateway_api.changing(0)]))
            yield side

    async def grow(self, first: int, routes: int) -> None:
        added = hosts(first, routes)
        for host in added:
            await self._register(host.service)
        for start in range(0, len(added), _AT_ONCE):
            documents = map(gateway_api.our_routes, added[start : start + _AT_ONCE])
            await self._apply(gateway_api.text(documents))

    async def change(self, version: int) -> None:
        await self._apply(gateway_api.text([gateway_api.changing(version)]))

    async def _register(self, name: str) -> None:
        service = pb.RegisterServiceRequest(service=pb.Service(name=name), attribution=_BY)
        await self._api.RegisterService(service, timeout=_DEADLINE)
        for address in ADDRESSES:
            endpoint = pb.Endpoint(service=name, address=address, port=self._backend)
            await self._api.RegisterEndpoint(
                pb.RegisterEndpointRequest(endpoint=endpoint, attribution=_BY), timeout=_DEADLINE
            )

    async def _apply(self, text: str) -> None:
        request = pb.ApplyRequest(documents=text.encode(), source="bench.yaml", attribution=_BY)
        await self._api.Apply(request, timeout=_DEADLINE)


def _node(number: int) -> Node:
    return {"id": f"bench-{number}", "cluster": f"default/{GATEWAY}"}
