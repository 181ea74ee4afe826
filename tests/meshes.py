"""A running control plane with real backends, for tests: everything in this process but Envoy."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from controlplane.app import ControlPlane, running
from controlplane.config import Config
from controlplane.demo.backends import RunningBackend, start_backend
from protos.apg.admin.v1 import admin_pb2 as pb
from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceStub
from tests.conditions import eventually

if TYPE_CHECKING:
    from protos.apg.admin.v1.admin_pb2_grpc import AdminServiceAsyncStub  # exists for type checkers only

DEADLINE = 30.0


def config(folder: Path, **settings: Any) -> Config:
    """A control plane's configuration on free ports, with its state in `folder`."""
    addresses = {"xds_address": "127.0.0.1:0", "admin_address": "127.0.0.1:0"}
    return Config(state=folder / "mesh.db", **{**addresses, **settings})


@dataclass
class Mesh:
    """A control plane and a client of its admin API."""

    control_plane: ControlPlane
    api: AdminServiceAsyncStub

    @property
    def xds_port(self) -> int:
        return int(self.control_plane.addresses.xds.rpartition(":")[2])

    async def add_service(self, name: str, *backends: RunningBackend, **fields: Any) -> None:
        await self.api.RegisterService(
            pb.RegisterServiceRequest(service=pb.Service(name=name, **fields)), timeout=DEADLINE
        )
        for backend in backends:
            await self.add_endpoint(name, backend.port, backend.version)

    async def add_endpoint(self, service: str, port: int, version: str, **labels: str) -> None:
        labels = {"version": version, **labels}
        endpoint = pb.Endpoint(service=service, address="127.0.0.1", port=port, labels=labels)
        await self.api.RegisterEndpoint(pb.RegisterEndpointRequest(endpoint=endpoint), timeout=DEADLINE)

    async def remove_endpoint(self, service: str, port: int) -> None:
        request = pb.DeregisterEndpointRequest(service=service, address="127.0.0.1", port=port)
        await self.api.DeregisterEndpoint(request, timeout=DEADLINE)

    async def apply(self, text: str, *, source: str = "test.yaml") -> pb.ApplyResponse:
        request = pb.ApplyRequest(documents=text.encode(), source=source, attribution=pb.Attribution(author="test"))
        return await self.api.Apply(request, timeout=DEADLINE)

    async def fleet(self) -> pb.GetFleetStatusResponse:
        return await self.api.GetFleetStatus(pb.GetFleetStatusRequest(), timeout=DEADLINE)

    async def in_sync(self, *, proxies: int = 1) -> None:
        """Returns once so many proxies are connected and have ACKed the newest revision."""

        async def synced() -> bool:
            status = await self.fleet()
            assert status.published_revision == status.revision, status
            assert len(status.proxies) == proxies, status
            assert all(proxy.in_sync for proxy in status.proxies), status
            return True

        await eventually(synced)


@contextlib.asynccontextmanager
async def running_mesh(settings: Config) -> AsyncIterator[Mesh]:
    """A control plane that serves while the context lasts."""
    async with running(settings) as control_plane, grpc.aio.insecure_channel(control_plane.addresses.admin) as channel:
        stub: Any = AdminServiceStub(channel)
        yield Mesh(control_plane, stub)


@contextlib.asynccontextmanager
async def payment_backends() -> AsyncIterator[tuple[RunningBackend, RunningBackend]]:
    """Versions v1 and v2 of payment."""
    one, two = await start_backend("payment", "v1"), await start_backend("payment", "v2")
    try:
        yield one, two
    finally:
        await one.stop()
        await two.stop()


def gateway(port: int, *, name: str = "edge") -> str:
    """A Gateway on loopback's `port`."""
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners: [{{name: http, protocol: HTTP, port: {port}}}]
"""


def route(*backends: str, name: str = "payment", path: str = "/", parent: str = "edge") -> str:
    """An HTTPRoute to `backends`, each "NAME" or "NAME=WEIGHT"."""
    refs = []
    for backend in backends:
        target, _, weight = backend.partition("=")
        refs.append(f"{{name: {target}, weight: {weight or 1}}}")
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{name: {parent}}}]
  rules:
    - matches: [{{path: {{type: PathPrefix, value: {path}}}}}]
      backendRefs: [{", ".join(refs)}]
"""


def documents(*texts: str) -> str:
    return "---\n".join(texts)
