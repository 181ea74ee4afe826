"""Calls to services that a sidecar does not declare, through real Envoys: found with the first of them, if they may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from controlplane.bootstrap import Variant
from controlplane.proxy import EnvoyProcess
from protos.apg.admin.v1 import admin_pb2 as pb
from tests.conditions import eventually
from tests.envoys import Traffic, config_dump, running_envoy
from tests.meshes import DEADLINE, Mesh, config, documents, running_mesh
from tests.ports import reserve_port
from tests.shop import Upstream, policy, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("on-demand")]

_OWN = {"default/checkout@application", "default/payment"}
_GRANT = """
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: callers, namespace: bank}
spec: {from: [{group: apg.mesh, kind: Sidecar, namespace: default}], to: [{kind: Service, name: ledger}]}
"""


@dataclass
class Caller:
    """checkout's sidecar, which declares payment; all services are one upstream."""

    mesh: Mesh
    envoy: EnvoyProcess
    upstream: Upstream
    port: int
    inbound: int
    folder: Path
    proxies: int = 1
    _made: int = field(default=0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def call(self, host: str, *, port: int | None = None, **options: Any) -> tuple[int, str]:
        url = f"http://127.0.0.1:{port or self.port}/"
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
            session.request(options.pop("method", "GET"), url, headers={"host": host}, **options) as response,
        ):
            return response.status, await response.text()

    async def service(self, name: str = "", *, namespace: str = "default") -> str:
        """A service that nobody has called yet; by its name."""
        self._made += 1
        name = name or f"undeclared-{self._made}"
        request = pb.RegisterServiceRequest(service=pb.Service(name=name, namespace=namespace))
        await self.mesh.api.RegisterService(request, timeout=DEADLINE)
        endpoint = pb.Endpoint(service=name, namespace=namespace, address="127.0.0.1", port=self.upstream.port)
        await self.mesh.api.RegisterEndpoint(pb.RegisterEndpointRequest(endpoint=endpoint), timeout=DEADLINE)
        return name

    async def apply(self, *texts: str) -> None:
        await self.mesh.apply(documents(*texts))
        await self.mesh.in_sync(proxies=self.proxies)

    def sidecar(self, *dependencies: str, undeclared: str = "OnDemand") -> str:
        return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: checkout}}
spec:
  inbound: {{address: 127.0.0.1, port: {self.inbound}, application: 9}}
  outbound: {{port: {self.port}, undeclared: {undeclared}}}
  dependencies: [{", ".join(f"{{name: {name}}}" for name in ("payment", *dependencies))}]
"""

    async def clusters(self) -> set[str]:
        dump = await config_dump(self.envoy)
        return {item["cluster"]["name"] for item in dump["ClustersConfigDump"]["dynamic_active_clusters"]}

    async def domains(self) -> set[str]:
        """The hosts that the proxy knows the way to."""
        dump = (await config_dump(self.envoy))["RoutesConfigDump"]["dynamic_route_configs"]
        [outbound] = [item["route_config"] for item in dump if item["route_config"]["name"].endswith("/outbound")]
        return {domain for host in outbound.get("virtual_hosts", []) for domain in host["domains"]}

    async def asks(self) -> int:
        """How many answers to what it asked for on demand the proxy took."""
        stats = await self.envoy.admin_get("/stats?filter=vhds.*update_success")
        return sum(int(line.rpartition(": ")[2]) for line in stats.splitlines())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    folder = tmp_path_factory.mktemp("on-demand")
    async with AsyncExitStack() as stack:
        port, inbound = (stack.enter_context(reserve_port()) for _ in range(2))
        mesh = await stack.enter_async_context(running_mesh(config(folder)))
        upstream = await stack.enter_async_context(running_upstream("all"))
        await mesh.add_service("checkout")
        await mesh.add_service("payment")
        await mesh.add_endpoint("payment", upstream.port, "v1")
        made = Caller(mesh, None, upstream, port, inbound, folder)  # type: ignore[arg-type]  # started below
        await mesh.apply(made.sidecar())
        made.envoy = await stack.enter_async_context(
            running_envoy(mesh.xds_port, "sidecar/default/checkout", log_path=folder / "envoy.log")
        )
        await mesh.in_sync()
        yield made


async def test_the_first_call_finds_what_is_not_declared_and_nothing_else_is_sent(caller: Caller) -> None:
    other, cart = await caller.service(), await caller.service()
    assert await caller.clusters() == _OWN
    asked = await caller.asks()
    assert (await caller.call("payment"))[0] == 200
    assert await caller.asks() == asked  # what is declared is there before anybody asks
    for host in (f"{cart}.default.svc.cluster.local:80", cart, f"{cart}.default"):
        assert (await caller.call(host))[0] == 200
    assert await caller.asks() == asked + 1  # the first call brings all names
    assert await caller.clusters() == {*_OWN, f"default/{cart}"}
    assert not any(other in domain for domain in await caller.domains())


async def test_what_does_not_exist_or_is_not_granted_is_answered_alike_and_at_once(caller: Caller) -> None:
    await caller.service("ledger", namespace="bank")
    for host in ("nonsense", "ledger", "ledger.bank", "payment-canary", "x" * 3_000, "checkout@application", "a.b.c"):
        assert await asyncio.wait_for(caller.call(host), 5) == (404, "")  # an update may be held back for 5 s
    assert not any("bank" in name for name in await caller.clusters())
    await caller.mesh.in_sync()
    await caller.apply(_GRANT)
    assert (await caller.call("ledger.bank"))[0] == 200
    await caller.mesh.api.Delete(
        pb.DeleteRequest(documents=[pb.DocumentKey(kind="ReferenceGrant", namespace="bank", name="callers")]),
        timeout=DEADLINE,
    )
    await caller.mesh.in_sync()
    assert (await caller.call("ledger.bank"))[0] == 404
    assert "bank/ledger" not in await caller.clusters()


async def test_explain_says_the_same(caller: Caller) -> None:
    name = await caller.service()
    await caller.service("vault", namespace="bank")
    for host in ("payment", name, f"{name}.default.svc", "vault.bank", "nonsense"):
        request = pb.ExplainRequest(url=f"http://{host}/", sidecar="checkout")
        told = await caller.mesh.api.Explain(request, timeout=DEADLINE)
        status, _ = await caller.call(host)
        if status == 200:
            [share] = told.forwarded.backends
            assert share.backend == f"default/{host.partition('.')[0]}"
        else:
            assert told.answered.status == status, told
        assert any("no dependency" in step.words for step in told.steps) is (name in host)


async def test_nothing_is_looked_for_where_the_document_says_so(caller: Caller) -> None:
    name = await caller.service()
    await caller.apply(caller.sidecar(undeclared="Refuse"))
    assert (await caller.call(name))[0] == 404
    assert await caller.clusters() == _OWN
    await caller.apply(caller.sidecar())
    assert (await caller.call(name))[0] == 200


async def test_scopes_change_under_load_and_no_call_fails(caller: Caller) -> None:
    """payment stays; the other is called on demand, then declared, then on demand again."""
    name = await caller.service()
    async with (
        Traffic(caller.url, headers={"host": "payment"}, rate=100) as stays,
        Traffic(caller.url, headers={"host": f"{name}.default"}, rate=100) as moves,
    ):
        for declared in ((name,), (), (name,), ()):
            for traffic in (stays, moves):
                await _more(traffic)
            await caller.apply(caller.sidecar(*declared))
        totals = [await stays.stop(), await moves.stop()]
    for total in totals:
        assert total.failed == 0, total
        assert set(total.statuses) == {200}


async def test_policies_of_the_route_count_for_the_first_call_too(caller: Caller) -> None:
    """Envoy does not begin a request anew, so the first one does not meet the route's filters: it is refused."""
    for method in ("GET", "POST"):
        name = await caller.service()
        await caller.apply(
            f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{group: "", kind: Service, name: {name}}}]
  rules: [{{backendRefs: [{{name: {name}}}]}}]
""",
            policy(
                "FaultPolicy",
                "abort: {status: 418}, expiresAt: '2999-01-01T00:00:00Z', longerThanADay: true",
                name=name,
                target=f"{{kind: HTTPRoute, name: {name}}}",
            ),
        )
        caller.upstream.requests.clear()
        body = b"a body" if method == "POST" else None
        assert [(await caller.call(name, method=method, data=body))[0] for _ in range(2)] == [503, 418]
        assert caller.upstream.requests == []
    plain = await caller.service()
    assert (await caller.call(plain, method="POST", data=b"x" * 100_000))[0] == 200  # no filters, nothing to miss


async def test_a_state_of_the_world_proxy_has_what_is_declared_and_what_others_found(caller: Caller) -> None:
    """Envoy knows virtual hosts on demand in the delta variant only."""
    found, unknown = await caller.service(), await caller.service()
    assert (await caller.call(found))[0] == 200
    async with running_envoy(
        caller.mesh.xds_port,
        "sidecar/default/checkout",
        log_path=caller.folder / "sotw.log",
        node_id="sotw",
        variant=Variant.SOTW,
        wait_until_ready=False,
    ) as envoy:
        await caller.mesh.in_sync(proxies=2)

        async def routes() -> Any:
            dump = (await config_dump(envoy)).get("RoutesConfigDump", {}).get("dynamic_route_configs", [])
            configs = [item["route_config"] for item in dump]
            return next((config for config in configs if config["name"].endswith("/outbound")), None)

        outbound = await eventually(routes)
        assert "vhds" not in outbound
        domains = {domain for host in outbound["virtual_hosts"] for domain in host["domains"]}
        assert {"payment", found} <= domains
        assert unknown not in domains
    await caller.mesh.in_sync()


async def _more(traffic: Traffic) -> None:
    done = traffic.totals.requests
    await eventually(lambda: traffic.totals.requests > done + 20)


async def test_a_control_plane_that_returns_learns_what_was_found_and_no_call_fails(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        port, inbound = (stack.enter_context(reserve_port()) for _ in range(2))
        upstream = await stack.enter_async_context(running_upstream("all"))
        async with AsyncExitStack() as first:
            mesh = await first.enter_async_context(running_mesh(config(tmp_path)))
            xds = f"127.0.0.1:{mesh.xds_port}"
            for name in ("checkout", "payment", "cart"):
                await mesh.add_service(name)
                await mesh.add_endpoint(name, upstream.port, "v1")
            caller = Caller(mesh, None, upstream, port, inbound, tmp_path)  # type: ignore[arg-type]
            await mesh.apply(caller.sidecar())
            caller.envoy = await stack.enter_async_context(
                running_envoy(mesh.xds_port, "sidecar/default/checkout", log_path=tmp_path / "envoy.log")
            )
            await mesh.in_sync()
            assert (await caller.call("cart"))[0] == 200
        traffic = await stack.enter_async_context(Traffic(caller.url, headers={"host": "cart"}, rate=100))
        caller.mesh = await stack.enter_async_context(running_mesh(config(tmp_path, xds_address=xds)))
        await caller.mesh.in_sync()
        await _more(traffic)
        await caller.mesh.in_sync()
        totals = await traffic.stop()
        assert totals.failed == 0, totals
        assert set(totals.statuses) == {200}
        assert await caller.clusters() == {*_OWN, "default/cart"}
