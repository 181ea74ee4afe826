"""Sidecars through real Envoys: from one service's application to another's, by name, and to nothing else. What is not
declared is refused here; `test_on_demand.py` has what is looked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from controlplane.proxy import EnvoyProcess
from tests.conditions import eventually
from tests.envoys import Traffic, config_dump, running_envoy
from tests.meshes import Mesh, config, documents, running_mesh
from tests.ports import reserve_port
from tests.shop import Upstream, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("sidecars")]


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

    async def apply(self, *texts: str) -> None:
        await self.mesh.apply(documents(*texts))
        await self.mesh.in_sync(proxies=self.proxies)

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with (
        reserve_port() as inbound,
        reserve_port() as own,
        reserve_port() as outbound,
        reserve_port() as unused,
        reserve_port() as tcp,
    ):
        async with (
            running_mesh(config(folder)) as mesh,
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


async def test_a_call_goes_by_name_through_both_sidecars(pair: Pair) -> None:
    for host in ("payment", "payment.default", "payment.default.svc", "payment.default.svc.cluster.local:80"):
        status, body = await pair.call(host, "/pay")
        assert (status, '"service": "payment"' in body, '"path": "/pay"' in body) == (200, True, True)
    forwarded = pair.payment.requests[-1].headers
    assert forwarded["x-request-id"]
    assert forwarded["host"] == "payment.default.svc.cluster.local"


async def test_what_is_no_dependency_is_neither_called_nor_known(pair: Pair) -> None:
    assert (await pair.call("cart"))[0] == 404
    dump = await config_dump(pair.checkout)
    clusters = {item["cluster"]["name"] for item in dump["ClustersConfigDump"]["dynamic_active_clusters"]}
    assert clusters == {"default/payment", "default/checkout@application"}
    assert "default/cart" not in str(dump)


async def test_a_scope_grows_and_shrinks_under_traffic_and_no_call_fails(pair: Pair) -> None:
    url = f"http://127.0.0.1:{pair.outbound}/"
    async with Traffic(url, headers={"host": "payment"}) as traffic:
        await eventually(lambda: traffic.totals.requests > 20)
        await pair.apply(pair.sidecar("{name: payment}", "{name: cart}"))
        assert (await pair.call("cart"))[0] == 200
        await pair.apply(pair.sidecar("{name: payment}"))
        assert (await pair.call("cart"))[0] == 404
        totals = await traffic.stop()
    assert totals.failed == 0, totals
    assert set(totals.statuses) == {200}


async def test_connections_are_carried_by_port(pair: Pair) -> None:
    await pair.apply(pair.sidecar("{name: payment}", f"{{name: cart, tcpPort: {pair.tcp}}}"))
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{pair.tcp}/raw") as response:
        assert '"service": "cart"' in await response.text()
    await pair.apply(pair.sidecar("{name: payment}"))


async def test_calls_follow_the_routes_that_are_attached_to_the_service(pair: Pair) -> None:
    await pair.apply("""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: to-payment}
spec:
  parentRefs: [{group: "", kind: Service, name: payment}]
  rules:
    - matches: [{path: {value: /cart}}]
      backendRefs: [{name: cart}]
    - matches: [{path: {value: /pay}}]
      backendRefs: [{name: payment}]
""")
    assert '"service": "cart"' in (await pair.call("payment", "/cart"))[1]
    assert '"service": "payment"' in (await pair.call("payment", "/pay"))[1]
    assert (await pair.call("payment", "/other"))[0] == 404
