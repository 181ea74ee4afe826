"""A control plane as operators run it, `apg up`, with its proxies, `apg proxy`: processes of their own, measured from
outside."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import grpc

from benchmarks.processes import Program
from controlplane.ports import free_port
from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceStub

if TYPE_CHECKING:
    from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceAsyncStub  # exists for type checkers only

DEADLINE = 120.0
_POLL = 0.02  # seconds
_APG = str(Path(sys.executable).with_name("apg"))
_AT_ONCE, _MOST = 1 << 19, 500  # octets of documents, documents: a request is at most 1 MiB, and 1,000 of them


class Plane:
    """A running control plane, and its admin API."""

    def __init__(self, program: Program, api: AdminServiceAsyncStub, *, xds_port: int, folder: Path) -> None:
        self.program = program
        self.api = api
        self.xds_port = xds_port
        self.folder = folder

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        folder: Path,
        *,
        core: int | None = None,
        xds_port: int = 0,
        admin_port: int = 0,
        certificates: Path | None = None,
        options: Sequence[str] = (),
    ) -> AsyncIterator[Plane]:
        """One with its state and log in `folder`, while the context lasts; it answers once the context is entered."""
        xds_port, admin_port = xds_port or free_port(), admin_port or free_port()
        command = [_APG, "up", "--xds-address", f"127.0.0.1:{xds_port}", "--admin-address", f"127.0.0.1:{admin_port}"]
        command += ["--state", str(folder / "mesh.db"), "--log-level", "warning", *options]
        command += ["--certificates", str(certificates)] if certificates is not None else []
        bounds = [("grpc.max_receive_message_length", 64 << 20)]
        async with (
            Program.running(command, log=folder / "apg.log", core=core) as program,
            grpc.aio.insecure_channel(f"127.0.0.1:{admin_port}", options=bounds) as channel,
        ):
            stub: Any = AdminServiceStub(channel)
            made = cls(program, stub, xds_port=xds_port, folder=folder)
            await made.answers()
            yield made

    async def answers(self) -> None:
        """Returns once the admin API does. Raises RuntimeError when the process has ended instead."""
        async with asyncio.timeout(DEADLINE):
            while True:
                self.program.check()
                try:
                    await self.api.GetFleetStatus(pb.GetFleetStatusRequest(), timeout=1.0)
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(_POLL)
                else:
                    return

    async def apply(self, documents: bytes) -> None:
        await self.api.Apply(pb.ApplyRequest(documents=documents, source="benchmark"), timeout=DEADLINE)

    async def apply_all(self, documents: Sequence[bytes]) -> None:
        """All of them, in as few requests as they fit into."""
        batch: list[bytes] = []
        for document in documents:
            if batch and (len(batch) == _MOST or sum(map(len, batch)) + len(document) > _AT_ONCE):
                await self.apply(b"\n---\n".join(batch))
                batch = []
            batch.append(document)
        if batch:
            await self.apply(b"\n---\n".join(batch))

    async def add_service(self, name: str, *ports: int, http2: bool = False) -> None:
        """A service with an endpoint on loopback for each port."""
        protocol = pb.PROTOCOL_HTTP2 if http2 else pb.PROTOCOL_HTTP
        request = pb.RegisterServiceRequest(service=pb.Service(name=name, port=80, protocol=protocol))
        await self.api.RegisterService(request, timeout=DEADLINE)
        for port in ports:
            await self.add_endpoint(name, port)

    async def add_endpoint(self, service: str, port: int, *, address: str = "127.0.0.1", weight: int = 0) -> None:
        endpoint = pb.Endpoint(service=service, address=address, port=port, weight=weight)
        await self.api.RegisterEndpoint(pb.RegisterEndpointRequest(endpoint=endpoint), timeout=DEADLINE)

    async def fleet(self) -> pb.GetFleetStatusResponse:
        return await self.api.GetFleetStatus(pb.GetFleetStatusRequest(), timeout=DEADLINE)

    async def in_sync(self, proxies: int) -> None:
        """Returns once so many proxies have ACKed the newest revision.

        Raises:
            TimeoutError: they have not for `DEADLINE` seconds.
        """
        async with asyncio.timeout(DEADLINE):
            while True:
                status = await self.fleet()
                synced = sum(proxy.in_sync for proxy in status.proxies)
                if status.published_revision == status.revision and synced >= proxies:
                    return
                await asyncio.sleep(_POLL)

    async def proxy(
        self,
        parts: AsyncExitStack,
        name: str,
        *role: str,
        core: int | None = None,
        telemetry: bool = False,
        admin_port: int = 0,
    ) -> Program:
        """Starts an Envoy of this control plane: `start_proxy`."""
        return await start_proxy(
            parts, self.folder, self.xds_port, name, *role, core=core, telemetry=telemetry, admin_port=admin_port
        )


async def start_proxy(
    parts: AsyncExitStack,
    folder: Path,
    xds_port: int,
    name: str,
    *role: str,
    core: int | None = None,
    telemetry: bool = False,
    admin_port: int = 0,
) -> Program:
    """Starts an Envoy of one worker, whose control plane is on loopback's `xds_port`, or will be.

    role: "--gateway", NAME or "--sidecar", NAME. Its log is in `folder`; `parts` ends it.
    """
    said = "--telemetry" if telemetry else "--no-telemetry"
    where = ("--xds", f"127.0.0.1:{xds_port}", "--id", name, "--admin-port", str(admin_port or free_port()))
    kept = ("--bootstrap-file", str(folder / f"{name}.yaml"))
    command = [_APG, "proxy", *role, *where, *kept, said, "--", "--concurrency", "1"]
    return await parts.enter_async_context(Program.running(command, log=folder / f"{name}.log", core=core))


async def answering(
    address: str, path: str = "/", *, host: str | None = None, status: int = 200, location: str = ""
) -> None:
    """Returns once GET `path` at "HOST:PORT" is answered by `status`, with a header `location` that ends like that.

    Raises:
        TimeoutError: it has not for `DEADLINE` seconds.
    """
    headers = {"host": host} if host is not None else {}
    async with asyncio.timeout(DEADLINE), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://{address}{path}", headers=headers, allow_redirects=False) as response:
                    if response.status == status and response.headers.get("location", "").endswith(location):
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(_POLL)
