"""EnvoyPatch through a real Envoy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from tests.meshes import config, documents, gateway, route, running_mesh
from tests.shop import Shop, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("envoy-patches")]

TYPES = "type.googleapis.com/envoy.extensions.filters"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop"), envoy_patches=True) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


def patch(resource: str, merge: str) -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: EnvoyPatch
metadata: {{name: test}}
spec:
  targetRefs: [{{kind: Gateway, name: edge}}]
  resource: {resource}
  merge: {merge}
"""


async def test_a_field_that_no_policy_has(shop: Shop) -> None:
    header = "{header: {key: x-patched, value: here}}"
    await shop.apply(
        patch(
            f"{{type: RouteConfiguration, name: default/edge/{shop.port}}}",
            f"{{response_headers_to_add: [{header}]}}",
        )
    )
    assert (await shop.request()).headers["x-patched"] == "here"


async def test_a_filter_that_no_policy_has_runs_before_the_router(shop: Shop) -> None:
    code = "function envoy_on_request(handle) handle:respond({[':status'] = '418'}, 'patched') end"
    lua = f"{{'@type': {TYPES}.http.lua.v3.Lua, default_source_code: {{inline_string: \"{code}\"}}}}"
    manager = f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager"
    await shop.apply(
        patch(
            f"{{type: Listener, name: default/edge/{shop.port}}}",
            "{filter_chains: [{filters: [{name: envoy.filters.network.http_connection_manager, typed_config: "
            f"{{'@type': {manager}, http_filters: [{{name: mine, typed_config: {lua}}}]}}}}]}}]}}",
        )
    )
    answer = await shop.request()
    assert (answer.status, answer.body) == (418, "patched")
    assert shop.payment.requests == []


async def test_a_control_plane_takes_none_unless_it_is_told_to(tmp_path: Path) -> None:
    async with running_mesh(config(tmp_path)) as mesh:
        await mesh.add_service("payment")
        text = patch("{type: Cluster, name: default/payment}", "{alt_stat_name: x}")
        with pytest.raises(grpc.aio.AioRpcError, match="EnvoyPatch, which is switched off"):
            await mesh.apply(documents(gateway(1), route("payment"), text))
