"""Mutual TLS between sidecars, and who may call whom by certificate, through real Envoys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.certificates import Authority, install_workload
from tests.conditions import eventually
from tests.envoys import Traffic, running_envoy
from tests.meshes import DEADLINE, Mesh, config, documents, gateway, route, running_mesh
from tests.ports import reserve_port
from tests.shop import policy, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("mutual_tls")]

PAYMENT = "{kind: Service, name: payment}"


@dataclass
class Three:
    """checkout and cart call payment, each by its own sidecar; all have certificates of one authority."""

    mesh: Mesh
    authority: Authority
    certificates: Path
    inbound: int
    outbound: dict[str, int]

    async def apply(self, *texts: str) -> None:
        """Applies policies in place of those that there were."""
        await self.remove()
        await self.mesh.apply(documents(*texts))
        await self.mesh.in_sync(proxies=3)

    async def remove(self, *kinds: str) -> None:
        """Deletes all policies, and documents of these kinds."""
        listed = await self.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
        old = [
            pb.DocumentKey(kind=document.kind, namespace=document.namespace, name=document.name)
            for document in listed.documents
            if document.kind.endswith("Policy") or document.kind in kinds
        ]
        if old:
            await self.mesh.api.Delete(pb.DeleteRequest(documents=old), timeout=DEADLINE)

    async def call(self, caller: str) -> int:
        """What `caller` gets from payment."""
        async with _session() as session:
            proxy = f"http://127.0.0.1:{self.outbound[caller]}"
            async with session.get("http://payment/", proxy=proxy) as response:
                return response.status

    async def call_directly(self) -> int | None:
        """What somebody without a sidecar gets; None: no answer."""
        async with _session() as session:
            try:
                async with session.get(f"http://127.0.0.1:{self.inbound}/") as response:
                    return response.status
            except aiohttp.ClientError:
                return None

    async def becomes(self, *, checkout: int, cart: int, directly: int | None) -> None:
        """Returns once these are the answers. A changed chain takes new connections a moment after its ACK."""

        async def so() -> bool:
            found = (await self.call("checkout"), await self.call("cart"), await self.call_directly())
            assert found == (checkout, cart, directly)
            return True

        await eventually(so)


def _session() -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True), timeout=timeout)


def sidecar(name: str, inbound: int, application: int, outbound: int) -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: {name}}}
spec:
  inbound: {{address: 127.0.0.1, port: {inbound}, application: {application}}}
  outbound: {{port: {outbound}}}
  dependencies: [{{name: payment}}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def three(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Three]:
    folder = tmp_path_factory.mktemp("three")
    authority, certificates = Authority(folder), folder / "certificates"
    for name in ("checkout", "payment", "cart"):
        install_workload(authority, certificates, name, f"spiffe://cluster.local/ns/default/sa/{name}")
    with (
        reserve_port() as inbound,
        reserve_port() as one,
        reserve_port() as other,
        reserve_port() as unused,
        reserve_port() as own,
        reserve_port() as its,
    ):
        async with (
            running_mesh(config(folder, certificates=certificates)) as mesh,
            running_upstream("payment") as payment,
        ):
            for name in ("checkout", "payment", "cart"):
                await mesh.add_service(name)
            await mesh.add_endpoint("payment", inbound, "v1")
            await mesh.apply(sidecar("payment", inbound, payment.port, unused).replace("[{name: payment}]", "[]"))
            await mesh.apply(documents(sidecar("checkout", own, 9, one), sidecar("cart", its, 9, other)))
            async with (
                running_envoy(mesh.xds_port, "sidecar/default/checkout", log_path=folder / "a.log", node_id="checkout"),
                running_envoy(mesh.xds_port, "sidecar/default/cart", log_path=folder / "b.log", node_id="cart"),
                running_envoy(mesh.xds_port, "sidecar/default/payment", log_path=folder / "c.log", node_id="payment"),
            ):
                await mesh.in_sync(proxies=3)
                yield Three(mesh, authority, certificates, inbound, {"checkout": one, "cart": other})


async def test_without_a_policy_calls_are_plain(three: Three) -> None:
    await three.becomes(checkout=200, cart=200, directly=200)


async def test_strict_takes_nothing_but_certificates(three: Three) -> None:
    await three.apply(policy("AuthenticationPolicy", "mutualTls: {mode: Strict}", target=PAYMENT))
    await three.becomes(checkout=200, cart=200, directly=None)


async def test_permissive_takes_both(three: Three) -> None:
    await three.apply(policy("AuthenticationPolicy", "mutualTls: {mode: Permissive}", target=PAYMENT))
    await three.becomes(checkout=200, cart=200, directly=200)


async def test_callers_that_have_certificates_notice_nothing_of_a_change(three: Three) -> None:
    """Permissive to strict and back, while both call and nobody has to wait. (From plain to permissive callers and the
    called change at once, each at its own pace: its page says so.)"""
    await three.apply(_mutual("Permissive"))
    async with (
        Traffic(f"http://127.0.0.1:{three.outbound['checkout']}/", headers={"host": "payment"}, rate=100) as one,
        Traffic(f"http://127.0.0.1:{three.outbound['cart']}/", headers={"host": "payment"}, rate=100) as other,
    ):
        for mode in ("Permissive", "Strict", "Permissive", "Strict", "Permissive"):
            for traffic in (one, other):
                done = traffic.totals.requests
                await eventually(lambda traffic=traffic, done=done: traffic.totals.requests > done + 20)  # type: ignore[misc]
            await three.mesh.apply(documents(_mutual(mode)))
            await three.mesh.in_sync(proxies=3)
        for totals in (await one.stop(), await other.stop()):
            assert totals.failed == 0, totals
            assert set(totals.statuses) == {200}


@pytest.mark.parametrize(("name", "wanted"), [("known", 200), ("unknown", 503)])
async def test_a_gateway_calls_with_its_own_certificate(three: Three, tmp_path: Path, name: str, wanted: int) -> None:
    with reserve_port() as port:
        if name == "known":
            install_workload(three.authority, three.certificates, name, f"spiffe://cluster.local/ns/default/sa/{name}")
        texts = (gateway(port, name=name), route("payment", name=name, parent=name))
        asked = pb.PlanRequest(documents=documents(*texts, _mutual("Strict")).encode())

        async def warned() -> bool:  # once the new files were seen
            planned = (await three.mesh.api.Plan(asked, timeout=DEADLINE)).plan
            words = f"Gateway default/{name} call default/payment without a certificate: with Strict, they get 503"
            assert any(words in warning for warning in planned.warnings) is (name == "unknown"), planned.warnings
            return True

        await eventually(warned)
        await three.mesh.apply(documents(*texts, _mutual("Strict")))
        log = tmp_path / "gateway.log"
        async with running_envoy(three.mesh.xds_port, f"default/{name}", log_path=log, node_id=name):
            await three.mesh.in_sync(proxies=4)
            await three.becomes(checkout=200, cart=200, directly=None)
            async with _session() as session, session.get(f"http://127.0.0.1:{port}/") as response:
                assert response.status == wanted
        await three.remove("Gateway", "HTTPRoute")
        await three.mesh.in_sync(proxies=3)


def _mutual(mode: str) -> str:
    return policy("AuthenticationPolicy", f"mutualTls: {{mode: {mode}}}", target=PAYMENT)


async def test_who_may_call_is_told_by_the_certificate(three: Three) -> None:
    await three.apply(
        policy("AuthenticationPolicy", "mutualTls: {mode: Permissive}", target=PAYMENT),
        policy(
            "AuthorizationPolicy",
            "action: Allow, rules: [{principals: ['spiffe://cluster.local/ns/default/sa/checkout']}]",
            target=PAYMENT,
        ),
    )
    await three.becomes(checkout=200, cart=403, directly=403)
    await three.apply(
        policy("AuthenticationPolicy", "mutualTls: {}", target=PAYMENT),
        policy("AuthorizationPolicy", "action: Allow, rules: [{namespaces: [default]}]", target=PAYMENT),
    )
    await three.becomes(checkout=200, cart=200, directly=None)


async def test_a_server_that_is_somebody_else_is_not_called(three: Three) -> None:
    """Its certificate is of the right authority, and of another trust domain."""
    await three.apply(policy("AuthenticationPolicy", "mutualTls: {trustDomain: other.example}", target=PAYMENT))
    await three.becomes(checkout=503, cart=503, directly=None)
