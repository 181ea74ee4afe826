"""Sidecars through real Envoys: from one service's application to another's, by name, and to nothing else. What is not
declared is refused here; `test_on_demand.py` has what is looked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.conditions import eventually
from tests.envoys import Traffic, config_dump
from tests.sidecars import Pair, running_pair

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("sidecars")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


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
