"""Two services with a sidecar each, shared by a module's tests: what one calls goes through both."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from controlplane.proxy import EnvoyProcess
from protos.apg.admin.v1 import admin_pb2 as pb
from tests.envoys import running_envoy
from tests.meshes import DEADLINE, Mesh, config, documents, running_mesh
from tests.ports import reserve_port
from tests.shop import Upstream, running_upstream


@dataclass
class Pair:
    """checkout and payment, each with a sidecar; cart, which has none."""

    mesh: Mesh
    checkout: EnvoyProcess
    payment: Upstream
    cart: Upstream
    inbound: int
    outbound: int
    tcp: int
    proxies: int = 2

    async def call(self, host: str, path: str = "/") -> tuple[int, str]:
        """What checkout's application gets when it calls `host` through its proxy."""
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.get(f"http://{host}{path}", proxy=f"http://127.0.0.1:{self.outbound}") as response,
        ):
            return response.status, await response.text()

    async def call_directly(self) -> int:
        """What somebody without a sidecar gets from payment's."""
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.get(f"http://127.0.0.1:{self.inbound}/") as response,
        ):
            return response.status

    async def apply(self, *texts: str) -> None:
        await self.mesh.apply(documents(*texts))
        await self.mesh.in_sync(proxies=self.proxies)

    async def reset(self) -> None:
        """Takes away all documents but the sidecars, and what payment was told and asked."""
        self.payment.answer = None
        self.payment.requests.clear()
        listed = await self.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
        extra = [
            pb.DocumentKey(kind=document.kind, namespace=document.namespace, name=document.name)
            for document in listed.documents
            if document.kind != "Sidecar"
        ]
        if extra:
            await self.mesh.api.Delete(pb.DeleteRequest(documents=extra), timeout=DEADLINE)
        await self.apply(self.sidecar("{name: payment}"))

    def sidecar(self, *dependencies: str) -> str:
        return sidecar("checkout", self._own, 9, self.outbound, *dependencies)

    _own: int = 0


def sidecar(name: str, inbound: int, application: int, outbound: int, *dependencies: str) -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: {name}}}
spec:
  inbound: {{address: 127.0.0.1, port: {inbound}, application: {application}}}
  outbound: {{port: {outbound}, undeclared: Refuse}}
  dependencies: [{", ".join(dependencies)}]
"""


@contextlib.asynccontextmanager
async def running_pair(folder: Path, **settings: Any) -> AsyncIterator[Pair]:
    """A Pair; its state and the Envoys' logs lie in `folder`. settings: the control plane's."""
    with (
        reserve_port() as inbound,
        reserve_port() as own,
        reserve_port() as outbound,
        reserve_port() as unused,
        reserve_port() as tcp,
    ):
        async with (
            running_mesh(config(folder, **settings)) as mesh,
            running_upstream("payment") as payment,
            running_upstream("cart") as cart,
        ):
            for name in ("checkout", "payment", "cart"):
                await mesh.add_service(name)
            await mesh.add_endpoint("payment", inbound, "v1")
            await mesh.add_endpoint("cart", cart.port, "v1")
            await mesh.apply(sidecar("payment", inbound, payment.port, unused))
            await mesh.apply(sidecar("checkout", own, 9, outbound, "{name: payment}"))
            async with (
                running_envoy(
                    mesh.xds_port, "sidecar/default/checkout", log_path=folder / "checkout.log", node_id="checkout"
                ) as envoy,
                running_envoy(
                    mesh.xds_port, "sidecar/default/payment", log_path=folder / "payment.log", node_id="payment"
                ),
            ):
                await mesh.in_sync(proxies=2)
                yield Pair(mesh, envoy, payment, cart, inbound, outbound, tcp, _own=own)
