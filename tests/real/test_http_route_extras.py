"""HTTPRoute's newer fields through a real Envoy: mirrors, CORS, a rule's own retries, session persistence."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.conditions import eventually
from tests.meshes import route
from tests.shop import Shop, Upstream, running_shop, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("http-route-extras")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Shop, Upstream]]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made, running_upstream("cart") as cart:
        await made.mesh.add_service("cart")
        await made.mesh.add_endpoint("cart", cart.port, "v1")
        yield made, cart


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: tuple[Shop, Upstream]) -> Shop:
    await running[0].reset()
    running[1].requests.clear()
    return running[0]


@pytest.fixture
def cart(running: tuple[Shop, Upstream]) -> Upstream:
    return running[1]


def rule(text: str) -> str:
    return (
        route("payment").partition("      backendRefs")[0] + f"      backendRefs: [{{name: payment}}]\n      {text}\n"
    )


async def test_a_mirror_gets_a_copy_and_nobody_waits_for_its_answer(shop: Shop, cart: Upstream) -> None:
    mirror = "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: cart}, percent: PERCENT}}]"
    await shop.apply(rule(mirror.replace("PERCENT", "100")))
    cart.statuses(500)
    for _ in range(5):
        assert (await shop.request("/copied")).status == 200
    await eventually(lambda: len(cart.requests) == 5)
    assert {request.path for request in cart.requests} == {"/copied"}
    await shop.apply(rule(mirror.replace("PERCENT", "0")))
    for _ in range(20):
        assert (await shop.request()).status == 200
    assert len(shop.payment.requests) == 25
    assert len(cart.requests) == 5


async def test_a_preflight_is_answered_and_only_an_allowed_origin_is_told(shop: Shop) -> None:
    await shop.apply(
        rule(
            "filters: [{type: CORS, cors: {allowOrigins: ['https://*.shop.example'], allowMethods: [PUT], "
            "allowHeaders: [x-token], exposeHeaders: [x-id], maxAge: 60, allowCredentials: true}}]"
        )
    )
    asking = {"access-control-request-method": "PUT", "origin": "https://www.shop.example"}
    answer = await shop.request("/", method="OPTIONS", headers=asking)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://www.shop.example"
    assert answer.headers["access-control-allow-methods"] == "PUT"
    assert answer.headers["access-control-allow-headers"] == "x-token"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-max-age"] == "60"
    refused = await shop.request("/", method="OPTIONS", headers={**asking, "origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers
    assert shop.payment.requests == [], "a preflight reached the backend"
    served = await shop.request("/", headers={"origin": "https://www.shop.example"})
    assert served.headers["access-control-expose-headers"] == "x-id"
    assert served.headers["access-control-allow-origin"] == "https://www.shop.example"
    other = await shop.request("/", headers={"origin": "https://a.shop.example.evil.example"})
    assert other.status == 200
    assert "access-control-allow-origin" not in other.headers


async def test_a_filter_of_one_route_leaves_the_others_alone(shop: Shop) -> None:
    with_cors = rule("filters: [{type: CORS, cors: {allowOrigins: ['*']}}]")
    await shop.apply(with_cors, route("payment", name="other", path="/other"))
    assert (await shop.request("/", headers={"origin": "https://a.example"})).headers["access-control-allow-origin"]
    other = await shop.request("/other", headers={"origin": "https://a.example"})
    assert other.status == 200
    assert "access-control-allow-origin" not in other.headers


async def test_an_open_connection_meets_a_changed_filter_at_once(shop: Shop) -> None:
    headers = {"origin": "https://a.example"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
        async with session.get(f"http://127.0.0.1:{shop.port}/", headers=headers) as before:
            assert "access-control-allow-origin" not in before.headers
            await before.read()
        await shop.apply(rule("filters: [{type: CORS, cors: {allowOrigins: ['*']}}]"))
        async with session.get(f"http://127.0.0.1:{shop.port}/", headers=headers) as after:
            assert after.headers["access-control-allow-origin"] == "https://a.example"


async def test_a_rules_own_retries(shop: Shop) -> None:
    await shop.apply(rule("retry: {codes: [500], attempts: 2, backoff: 1ms}"))
    shop.payment.statuses(500, 500, 200)
    assert (await shop.request()).status == 200
    shop.payment.statuses(503, 200)
    assert (await shop.request()).status == 503


@pytest.mark.parametrize("kind", ["Cookie", "Header"])
async def test_a_client_stays_with_the_endpoint_that_served_it_first(shop: Shop, kind: str) -> None:
    async with running_upstream("second") as second:
        await shop.mesh.add_endpoint("payment", second.port, "v1")
        await shop.apply(rule(f"sessionPersistence: {{type: {kind}, sessionName: shop-session}}"))
        session: dict[str, str] = {}
        first = await shop.request()
        if kind == "Cookie":
            session = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        else:
            session = {"shop-session": first.headers["shop-session"]}
        bodies = {(await shop.request(headers=session)).body.partition(",")[0] for _ in range(20)}
        assert bodies == {first.body.partition(",")[0]}
        others = {(await shop.request()).body.partition(",")[0] for _ in range(50)}
        assert len(others) == 2, "clients without a session are spread"
        await shop.mesh.remove_endpoint("payment", second.port)
        await shop.mesh.in_sync()
