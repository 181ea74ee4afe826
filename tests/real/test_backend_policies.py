"""BackendPolicy through a real Envoy: a gateway in zone a, one endpoint of payment there and one in zone b."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.conditions import eventually
from tests.meshes import DEADLINE, documents, route
from tests.shop import Answer, Handler, Shop, Upstream, policy, running_shop, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("backend-policies")]

SERVICE = "{kind: Service, name: payment}"


@dataclass
class Two:
    """The shop, whose upstream `payment` is the endpoint in zone a, with a second one in zone b."""

    shop: Shop
    other: Upstream

    async def apply(self, spec: str, *, target: str = SERVICE) -> None:
        await self.shop.apply(policy("BackendPolicy", spec, target=target))

    async def served_by(self, requests: int = 20, **options: Any) -> Counter[str]:
        """Which endpoint answered how many of so many requests, sent one after the other."""
        return Counter([_zone(await self.shop.request(**options)) for _ in range(requests)])


def _zone(answer: Answer) -> str:
    return answer.headers.get("x-zone", f"{answer.status} {answer.body}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    async with (
        running_shop(tmp_path_factory.mktemp("shop"), zone="a") as shop,
        running_upstream("payment") as other,
    ):
        await register(shop, shop.payment.port, zone="a", version="v1")
        await register(shop, other.port, zone="b")
        yield Two(shop, other)


@pytest_asyncio.fixture(loop_scope="module")
async def two(running: Two) -> Two:
    await running.shop.reset()
    running.other.requests.clear()
    running.shop.payment.answer, running.other.answer = answering("a"), answering("b")
    return running


async def register(shop: Shop, port: int, *, service: str = "payment", **labels: str) -> None:
    endpoint = pb.Endpoint(service=service, address="127.0.0.1", port=port, labels=labels)
    await shop.mesh.api.RegisterEndpoint(pb.RegisterEndpointRequest(endpoint=endpoint), timeout=DEADLINE)


def answering(zone: str, status: int = 200) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"x-zone": zone})

    return answer


async def test_requests_take_turns(two: Two) -> None:
    await two.apply("loadBalancing: {algorithm: RoundRobin}")
    served_by = await two.served_by(40)
    workers = os.cpu_count() or 1  # each of which takes turns by itself
    assert abs(served_by["a"] - served_by["b"]) <= workers, served_by


@pytest.mark.parametrize("algorithm", ["RingHash", "Maglev"])
async def test_one_user_stays_with_one_endpoint_and_users_are_spread(two: Two, algorithm: str) -> None:
    await two.apply(f"loadBalancing: {{algorithm: {algorithm}, hashOn: [{{type: Header, name: x-user}}]}}")
    users = [await two.served_by(4, headers={"x-user": f"user-{number}"}) for number in range(16)]
    assert all(len(served_by) == 1 for served_by in users)
    assert {zone for served_by in users for zone in served_by} == {"a", "b"}


async def test_a_cookie_that_is_missing_is_set_and_keeps_its_client_with_one_endpoint(two: Two) -> None:
    await two.apply("loadBalancing: {algorithm: RingHash, hashOn: [{type: Cookie, name: stick, ttl: 1h, path: /}]}")
    seen = set()
    for _ in range(16):
        # Envoy makes the value of the connection's addresses and ports, so each client comes by a connection of its own.
        async with httpx.AsyncClient() as client:
            first = await client.get(f"http://127.0.0.1:{two.shop.port}/")
        cookie = first.headers["set-cookie"]
        assert cookie.startswith('stick="')
        assert "Max-Age=3600" in cookie
        value = cookie.partition('"')[2].partition('"')[0]
        assert await two.served_by(3, headers={"cookie": f"stick={value}"}) == {first.headers["x-zone"]: 3}
        seen.add(first.headers["x-zone"])
    assert seen == {"a", "b"}


async def test_clients_are_told_by_their_address_where_nothing_else_tells_them(two: Two) -> None:
    await two.apply("loadBalancing: {algorithm: Maglev, hashOn: [{type: Header, name: x-user}, {type: SourceAddress}]}")
    assert len(await two.served_by(20)) == 1


async def test_the_own_zone_is_preferred(two: Two) -> None:
    await two.apply("loadBalancing: {locality: {mode: PreferLocal}}")
    assert await two.served_by(20) == {"a": 20}
    await two.apply("loadBalancing: {locality: {mode: PreferLocal, minimumEndpoints: 2}}")
    assert (await two.served_by(40)).keys() == {"a", "b"}


async def test_zones_get_their_weight(two: Two) -> None:
    await two.apply("loadBalancing: {algorithm: Random, locality: {mode: Weighted, weights: [{zone: a, weight: 0}]}}")
    assert await two.served_by(20) == {"b": 20}


async def test_a_new_endpoint_begins_slowly(two: Two) -> None:
    window = 2.0
    await two.apply("loadBalancing: {algorithm: RoundRobin, slowStart: {window: 2s, minimumPercent: 1}}")
    warm = time.monotonic() + window
    await eventually(lambda: time.monotonic() > warm)
    async with running_upstream("payment") as third:
        third.answer = answering("new")
        await register(two.shop, third.port, zone="a")
        try:
            await two.shop.mesh.in_sync()
            served_by = await two.served_by(20)
            assert served_by["new"] <= 4, served_by  # a third of 20 is 6 or 7
        finally:
            key = pb.DeregisterEndpointRequest(service="payment", address="127.0.0.1", port=third.port)
            await two.shop.mesh.api.DeregisterEndpoint(key, timeout=DEADLINE)
            await two.shop.mesh.in_sync()


async def test_what_is_more_than_may_be_under_way_is_refused_at_once(two: Two) -> None:
    arrived, leave = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        arrived.set()
        await leave.wait()
        return web.Response(headers={"x-zone": "slow"})

    await two.apply("circuitBreakers: {requests: 1}")
    two.shop.payment.answer = two.other.answer = slow
    first = asyncio.create_task(two.shop.request())
    await arrived.wait()
    refused = await two.shop.request()
    leave.set()
    assert (refused.status, refused.headers["x-envoy-overloaded"]) == (503, "true")
    assert (await first).status == 200


async def test_an_endpoint_that_fails_is_left_out(two: Two) -> None:
    await two.apply("loadBalancing: {algorithm: RoundRobin}, outlierDetection: {consecutiveErrors: 1}")
    two.other.answer = answering("b", status=500)
    failed = await eventually(lambda: served_by_b(two))
    assert failed.status == 500
    await eventually(lambda: served_by_a_alone(two))


async def served_by_b(two: Two) -> Answer | None:
    answer = await two.shop.request()
    return answer if _zone(answer) == "b" else None


async def served_by_a_alone(two: Two) -> bool:
    return await two.served_by(20) == {"a": 20}


async def test_an_endpoint_that_fails_its_checks_is_left_out_and_comes_back(two: Two) -> None:
    healthy = False

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=200 if healthy or request.path != "/healthz" else 503, headers={"x-zone": "b"})

    two.other.answer = answer
    await two.apply("healthCheck: {interval: 50ms, unhealthyThreshold: 1, http: {path: /healthz}}")
    checks = [request for request in two.other.requests if request.path == "/healthz"]
    assert checks
    assert {request.host for request in checks} == {"payment"}
    assert await two.served_by(20) == {"a": 20}
    healthy = True
    await eventually(lambda: _healthy(two.shop, "payment", 2))
    assert (await two.served_by(40)).keys() == {"a", "b"}


async def test_with_too_few_healthy_endpoints_all_get_requests_unless_the_threshold_is_0(two: Two) -> None:
    check = "healthCheck: {interval: 50ms, unhealthyThreshold: 1, http: {path: /, statuses: [204]}}"
    await two.apply(check)
    assert (await two.served_by(40)).keys() == {"a", "b"}
    await two.apply(f"{check}, loadBalancing: {{panicThreshold: 0}}")
    assert await two.served_by(2) == {"503 no healthy upstream": 2}


async def test_grpc_and_tcp_checks_ask_what_they_say(two: Two) -> None:
    server, servicer = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await servicer.set("apg.Checkout", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    try:
        await two.shop.mesh.add_service("checkout", protocol=pb.PROTOCOL_HTTP2)
        await register(two.shop, port, service="checkout")
        check = "healthCheck: {{interval: 50ms, unhealthyThreshold: 1, {}}}, loadBalancing: {{panicThreshold: 0}}"
        rpc = policy("BackendPolicy", check.format("grpc: {service: apg.Checkout}"), target="{kind: Service, name: checkout}")  # fmt: skip
        await two.shop.apply(route("checkout", name="checkout", path="/checkout"), rpc)
        await eventually(lambda: _healthy(two.shop, "checkout", 1))
        await servicer.set("apg.Checkout", health_pb2.HealthCheckResponse.NOT_SERVING)
        await eventually(lambda: _healthy(two.shop, "checkout", 0))
        assert (await two.shop.request("/checkout")).body == "no healthy upstream"
        tcp = policy("BackendPolicy", check.format("tcp: {}"), target="{kind: Service, name: checkout}")
        await two.shop.apply(tcp)
        await eventually(lambda: _healthy(two.shop, "checkout", 1))
    finally:
        await server.stop(None)
    await eventually(lambda: _healthy(two.shop, "checkout", 0))


async def _healthy(shop: Shop, service: str, count: int) -> bool:
    stat = f"cluster.default/{service}.membership_healthy"
    return (await shop.stats(stat))[stat] == count


async def test_a_connection_that_is_not_made_in_time_is_given_up(two: Two) -> None:
    with contextlib.ExitStack() as sockets:
        deaf = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(2):  # the backlog is full: what comes now gets no answer
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        await two.shop.mesh.add_service("deaf")
        await register(two.shop, deaf.getsockname()[1], service="deaf")
        await two.shop.apply(
            route("deaf", name="deaf", path="/deaf"),
            policy("BackendPolicy", "connection: {connectTimeout: 50ms}", target="{kind: Service, name: deaf}"),
        )
        answer = await two.shop.request("/deaf")
    assert answer.status == 503
    assert "connection timeout" in answer.body


async def test_connections_end_when_they_are_idle_or_used_up(two: Two) -> None:
    await two.apply("connection: {idleTimeout: 50ms, tcpKeepalive: {time: 5s}}")
    before = await _idle(two.shop)
    await two.served_by(2)
    await eventually(lambda: _more_idle(two.shop, before))
    await two.apply("connection: {maxRequests: 1}")
    await two.served_by(4)
    stat = "cluster.default/payment.upstream_cx_max_requests"
    assert (await two.shop.stats(stat))[stat] >= 4


async def _idle(shop: Shop) -> int:
    stat = "cluster.default/payment.upstream_cx_idle_timeout"
    return (await shop.stats(stat))[stat]


async def _more_idle(shop: Shop, before: int) -> bool:
    return await _idle(shop) > before


@pytest.mark.parametrize(
    ("protocol", "client_speaks_http2", "spoken"),
    [
        ("HTTP1", True, b"GET /"),
        ("HTTP2", False, b"PRI *"),
        ("Auto", False, b"GET /"),
        ("Auto", True, b"PRI *"),
    ],
)
async def test_the_protocol_is_the_policys(two: Two, protocol: str, client_speaks_http2: bool, spoken: bytes) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(5))
        writer.close()

    name = f"any-{protocol.lower()}-{client_speaks_http2:d}"
    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        await two.shop.mesh.add_service(name)
        await register(two.shop, server.sockets[0].getsockname()[1], service=name)
        await two.shop.apply(
            route(name, name="any", path="/any"),
            policy("BackendPolicy", f"protocol: {protocol}", target=f"{{kind: Service, name: {name}}}"),
        )
        async with httpx.AsyncClient(http1=not client_speaks_http2, http2=client_speaks_http2) as client:
            await client.get(f"http://127.0.0.1:{two.shop.port}/any")
    assert heard[0] == spoken


async def test_a_version_has_a_policy_of_its_own(two: Two) -> None:
    """Of the one endpoint that has the version v1, nothing is left when its check fails; the service as a whole is not checked."""
    await two.shop.apply(
        documents(route("payment-v1", name="v1", path="/v1")),
        policy("BackendPolicy", "healthCheck: {interval: 50ms, unhealthyThreshold: 1, http: {path: /, statuses: [204]}}, "
               "loadBalancing: {panicThreshold: 0}", target="{kind: Service, name: payment, sectionName: v1}"),
    )  # fmt: skip
    assert (await two.shop.request("/v1")).status == 503
    assert (await two.shop.request("/")).status == 200
