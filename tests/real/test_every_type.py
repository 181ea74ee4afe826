"""A real Envoy is served every resource type, over all four transport variants as far as Envoy speaks them: each is
seen in what Envoy says that it holds, and in what becomes of requests."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from controlplane.proxy import EnvoyProcess
from tests import every_type as mesh
from tests.certificates import certificate
from tests.conditions import eventually
from tests.envoys import config_dump, envoy_binary, listener_addresses
from tests.strict_client import Way
from xds import ResourceType, Server, SnapshotCache, node_id
from xds.delivery import Nacked
from xds.fleet import Accepted, FleetEvent, Refused
from xds.resource_types import CLUSTER, EXTENSION, RESOURCE_TYPES, RUNTIME, SCOPED_ROUTE, VIRTUAL_HOST

NODE = "every-type"

pytestmark = pytest.mark.asyncio(loop_scope="module")
on_demand = pytest.mark.parametrize(
    "proxy", [Way.DELTA_ADS, Way.DELTA_PER_TYPE], ids=lambda way: way.value, indirect=True, scope="module"
)

aggregated = pytest.mark.parametrize(
    "proxy", [Way.SOTW_ADS, Way.DELTA_ADS], ids=lambda way: way.value, indirect=True, scope="module"
)


@dataclass
class Proxy:
    """A running Envoy, and the cache and the server that it is served from."""

    way: Way
    envoy: EnvoyProcess
    cache: SnapshotCache
    server: Server
    port: int
    events: list[FleetEvent]
    http: aiohttp.ClientSession

    def accepted(self, type: ResourceType) -> int:
        """How many responses of a type were acknowledged."""
        return sum(isinstance(event, Accepted) and event.acceptance.type is type for event in self.events)

    @property
    def refusals(self) -> list[Nacked]:
        return [event.refusal.nacked for event in self.events if isinstance(event, Refused)]

    async def server_goes(self) -> None:
        await self.server.stop(grace=0)
        await eventually(lambda: len(self.server.fleet) == 0)

    async def server_returns(self) -> None:
        await self.server.start(f"127.0.0.1:{self.port}")

    async def says(
        self, listener: str, *, headers: Mapping[str, str] | None = None, tls: ssl.SSLContext | None = None
    ) -> tuple[int, str]:
        """The status and the body of an answer of `listener`."""
        host, port = await eventually(lambda: self._address(listener))
        async with self.http.get(
            f"{'https' if tls else 'http'}://{host}:{port}/", headers=headers, ssl=tls or False
        ) as response:
            return response.status, await response.text()

    async def answers(self, listener: str, status: int, words: str, **options: Any) -> None:
        """Sooner or later, and not before what it needs is there."""

        async def as_wanted() -> bool:
            got = await self.says(listener, **options)
            assert got == (status, words)
            return True

        await eventually(as_wanted)

    async def is_secure(self, cert: Path) -> bool:
        """Whether the listener "secure" answers with that certificate."""
        trust = ssl.create_default_context(cafile=str(cert))
        trust.check_hostname = False
        try:
            return await self.says("secure", tls=trust) == (200, "secure")
        except aiohttp.ClientConnectorCertificateError:
            return False

    async def dump(self, kind: str) -> Any:
        return (await config_dump(self.envoy)).get(kind, {})

    async def _address(self, listener: str) -> tuple[str, int] | None:
        return (await listener_addresses(self.envoy)).get(listener)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=Way, ids=lambda way: way.value)
async def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Proxy]:
    way: Way = request.param
    cache, events = SnapshotCache(), list[FleetEvent]()
    server = Server(cache, group_of=node_id)
    server.fleet.listen(events.append)
    cache.set(NODE, [mesh.runtime(0), mesh.by_runtime()])
    port = await server.start("127.0.0.1:0")
    log = tmp_path_factory.mktemp("envoy") / "envoy.log"
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http,
        await EnvoyProcess.start_with(
            mesh.bootstrap(way, port, node=NODE), node_id=NODE, envoy=envoy_binary(), log_path=log
        ) as envoy,
    ):
        await envoy.ready()
        proxy = Proxy(way, envoy, cache, server, port, events, http)
        yield proxy
    await server.stop(grace=0)
    assert proxy.refusals == []


async def test_a_runtime_layer_decides_over_requests(proxy: Proxy) -> None:
    await proxy.answers("runtime", 200, "calm")
    proxy.cache.put(NODE, mesh.runtime(100))
    await proxy.answers("runtime", 200, "rush")
    layers = json.loads(await proxy.envoy.admin_get("/runtime"))
    assert layers["entries"]["mesh.rush"]["final_value"] == "100"
    proxy.cache.put(NODE, mesh.runtime(0))
    await proxy.answers("runtime", 200, "calm")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return [certificate(folder, name) for name in ("one.example", "two.example")]


async def test_a_listener_serves_the_certificate_of_its_secret_and_the_next_one(
    proxy: Proxy, certificates: list[tuple[Path, Path]]
) -> None:
    for cert, key in certificates:
        # The listener and its secret arrive together, and the second time the secret alone.
        proxy.cache.put(NODE, mesh.secure(proxy.way), mesh.certificate(cert, key))
        await eventually(partial(proxy.is_secure, cert))
        [secret] = (await proxy.dump("SecretsConfigDump"))["dynamic_active_secrets"]
        assert secret["name"] == "certificate"


async def test_requests_go_by_the_scope_that_they_name(proxy: Proxy) -> None:
    proxy.cache.put(
        NODE,
        mesh.scoped(proxy.way),
        mesh.scope("blue", "blue-routes"),
        mesh.scope("green", "green-routes"),
        mesh.routes("blue-routes", "sky"),
        mesh.routes("green-routes", "grass"),
    )
    await proxy.answers("scoped", 200, "sky", headers={"x-zone": "blue"})
    await proxy.answers("scoped", 200, "grass", headers={"x-zone": "green"})
    [dumped] = (await proxy.dump("ScopedRoutesConfigDump"))["dynamic_scoped_route_configs"]
    assert {scope["name"] for scope in dumped["scoped_route_configs"]} == {"scope-blue", "scope-green"}

    # Of two that change at once, Envoy refuses one and does not say which.
    proxy.cache.put(NODE, mesh.routes("blue-routes", "new sky"), mesh.broken_routes("green-routes"))
    await proxy.answers("scoped", 200, "new sky", headers={"x-zone": "blue"})
    await eventually(lambda: proxy.refusals and proxy.refusals[-1].resources == ("green-routes",))
    assert await proxy.says("scoped", headers={"x-zone": "green"}) == (200, "grass")
    assert len(proxy.refusals) <= 2  # the response that had both, and the one alone
    proxy.cache.put(NODE, mesh.routes("green-routes", "new grass"))
    await proxy.answers("scoped", 200, "new grass", headers={"x-zone": "green"})
    proxy.events.clear()

    proxy.cache.remove(NODE, SCOPED_ROUTE, "scope-green")
    await proxy.answers("scoped", 404, "", headers={"x-zone": "green"})
    await proxy.answers("scoped", 200, "new sky", headers={"x-zone": "blue"})


async def test_a_filter_comes_and_changes_by_itself(proxy: Proxy) -> None:
    proxy.cache.put(NODE, mesh.filtered(proxy.way), mesh.gate(100))
    await proxy.answers("filtered", 418, "fault filter abort")
    filters = (await proxy.dump("EcdsConfigDump"))["ecds_filters"]
    assert [each["ecds_filter"]["name"] for each in filters] == ["gate"]
    proxy.cache.put(NODE, mesh.gate(0))
    await proxy.answers("filtered", 200, "passed")


@on_demand
async def test_a_virtual_host_comes_with_the_first_request_for_it(proxy: Proxy) -> None:
    proxy.cache.put(NODE, *mesh.by_hosts(proxy.way), mesh.virtual_host("shop.example", "shop"))
    await proxy.answers("hosts", 200, "shop", headers={"host": "shop.example"})
    assert await proxy.says("hosts", headers={"host": "nowhere.example"}) == (404, "")
    dumped = (await proxy.dump("RoutesConfigDump"))["dynamic_route_configs"]
    [hosts] = [each["route_config"] for each in dumped if each["route_config"]["name"] == "hosts"]
    assert [host["name"] for host in hosts["virtual_hosts"]] == ["hosts/shop.example"]
    proxy.cache.put(NODE, mesh.virtual_host("shop.example", "new shop"))
    await proxy.answers("hosts", 200, "new shop", headers={"host": "shop.example"})
    proxy.cache.remove(NODE, VIRTUAL_HOST, "hosts/shop.example")
    await proxy.answers("hosts", 404, "", headers={"host": "shop.example"})


@on_demand
async def test_a_cluster_comes_with_the_first_request_for_it(proxy: Proxy) -> None:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        proxy.cache.put(
            NODE,
            mesh.by_clusters(proxy.way),
            *mesh.backend(proxy.way, "pay", port),
            *mesh.backend(proxy.way, "unasked", 9),
        )
        await proxy.answers("clusters", 200, "hello", headers={"x-cluster": "pay"})
        assert (await proxy.says("clusters", headers={"x-cluster": "nowhere"}))[0] == 503
        active = (await proxy.dump("ClustersConfigDump"))["dynamic_active_clusters"]
        assert [cluster["cluster"]["name"] for cluster in active] == ["pay"]
    finally:
        await runner.cleanup()


@aggregated
async def test_a_lifetime_lasts_as_long_as_the_server_renews_it(proxy: Proxy) -> None:
    proxy.cache.put(NODE, mesh.runtime(100, ttl=1.0))
    await proxy.answers("runtime", 200, "rush")
    renewed = proxy.accepted(RUNTIME) + 4  # two lifetimes on
    await eventually(lambda: proxy.accepted(RUNTIME) >= renewed)
    assert await proxy.says("runtime") == (200, "rush")
    await proxy.server_goes()
    try:
        await proxy.answers("runtime", 200, "calm")
    finally:
        await proxy.server_returns()
    await proxy.answers("runtime", 200, "rush")
    proxy.cache.put(NODE, mesh.runtime(0))


async def test_a_server_that_returns_sends_nothing_that_is_held_and_everything_that_changes(proxy: Proxy) -> None:
    proxy.cache.put(NODE, mesh.filtered(proxy.way), mesh.gate(0))
    await proxy.answers("filtered", 200, "passed")
    if proxy.way.is_delta:
        proxy.cache.put(NODE, *mesh.by_hosts(proxy.way), mesh.virtual_host("shop.example", "shop"))
        await proxy.answers("hosts", 200, "shop", headers={"host": "shop.example"})
    await proxy.server_goes()
    before = {type: proxy.accepted(type) for type in RESOURCE_TYPES}
    await proxy.server_returns()
    proxy.cache.put(NODE, mesh.gate(100), mesh.virtual_host("shop.example", "new shop"))
    await proxy.answers("filtered", 418, "fault filter abort")
    if proxy.way.is_delta:
        await proxy.answers("hosts", 200, "new shop", headers={"host": "shop.example"})
    answered = {type for type, count in before.items() if proxy.accepted(type) != count}
    if proxy.way.is_delta:  # CDS: that a cluster which somebody asked for is still not there
        assert answered <= {EXTENSION, VIRTUAL_HOST, CLUSTER}
    else:  # what is asked for by name is answered; who has all of a type is told nothing
        assert not answered.intersection(type for type in RESOURCE_TYPES if type.full_state)
