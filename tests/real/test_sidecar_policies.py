"""Policies on what sidecars carry, through real Envoys: each counts once, on the side that its page names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.conditions import eventually
from tests.shop import policy
from tests.sidecars import Pair, running_pair

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("sidecar-policies")]

PAYMENT = "{kind: Service, name: payment}"
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: calls}
spec:
  parentRefs: [{group: "", kind: Service, name: payment}]
  rules: [{name: all, backendRefs: [{name: payment}]}]
"""
CALLS = "{kind: HTTPRoute, name: calls}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    async with running_pair(tmp_path_factory.mktemp("pair")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def pair(running: Pair) -> Pair:
    await running.reset()
    return running


@pytest.mark.parametrize("target", [PAYMENT, CALLS])
async def test_a_failed_call_is_tried_again_by_the_caller_alone(pair: Pair, target: str) -> None:
    await pair.apply(ROUTE, policy("RetryPolicy", "attempts: 2, retryOn: [5xx]", target=target))
    pair.payment.statuses(503, 200)
    assert (await pair.call("payment"))[0] == 200
    assert len(pair.payment.requests) == 2
    pair.payment.statuses(503)
    assert (await pair.call("payment"))[0] == 503
    assert len(pair.payment.requests) == 2 + 3  # were payment's sidecar to try again as well, these would be 9
    assert await pair.call_directly() == 503
    assert len(pair.payment.requests) == 2 + 3 + 1


async def test_a_call_takes_no_longer_than_its_timeout(pair: Pair) -> None:
    await pair.apply(ROUTE, policy("TimeoutPolicy", "request: 200ms", target=CALLS))
    release = asyncio.Event()

    async def stall(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    pair.payment.answer = stall
    try:
        assert (await pair.call("payment"))[0] == 504
    finally:
        release.set()


async def test_a_fault_meets_calls_and_nobody_else(pair: Pair) -> None:
    fault = "abort: {status: 418}, expiresAt: '2999-01-01T00:00:00Z', longerThanADay: true"
    await pair.apply(ROUTE, policy("FaultPolicy", fault, target=CALLS))
    assert (await pair.call("payment"))[0] == 418
    assert await pair.call_directly() == 200
    assert len(pair.payment.requests) == 1


async def test_a_rate_limit_counts_the_calls_of_each_caller(pair: Pair) -> None:
    await pair.apply(ROUTE, policy("RateLimitPolicy", "limits: [{requests: 2, per: 1h}]", target=CALLS))
    await eventually_limited(pair)
    assert len(pair.payment.requests) == 2
    assert await pair.call_directly() == 200


async def eventually_limited(pair: Pair) -> None:
    """A limit is a change of the listener, which takes new connections a moment after its ACK."""

    async def limited() -> bool:
        before = len(pair.payment.requests)
        statuses = [(await pair.call("payment"))[0] for _ in range(3)]
        if statuses == [200, 200, 200]:
            del pair.payment.requests[before:]
        return statuses[-1] == 429

    await eventually(limited)


async def test_a_circuit_breaker_bounds_what_a_caller_has_under_way(pair: Pair) -> None:
    breaker = "circuitBreakers: {connections: 1, pendingRequests: 1, requests: 1}"
    await pair.apply(policy("BackendPolicy", breaker, target=PAYMENT))
    release, arrived = asyncio.Event(), asyncio.Event()

    async def hold(_: web.Request) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response()

    pair.payment.answer = hold
    calls = [asyncio.create_task(pair.call("payment")) for _ in range(6)]
    await arrived.wait()
    await eventually(lambda: any(call.done() for call in calls))
    refused = [call.result()[0] for call in calls if call.done()]
    assert set(refused) == {503}
    release.set()
    statuses = [status for status, _ in await asyncio.gather(*calls)]
    assert statuses.count(200) >= 1


async def test_outliers_are_ejected_by_the_caller(pair: Pair) -> None:
    spec = "outlierDetection: {consecutiveErrors: 2, interval: 100ms, ejectionTime: 60s, maxEjectedPercent: 100}"
    await pair.apply(policy("BackendPolicy", f"{spec}, loadBalancing: {{panicThreshold: 0}}", target=PAYMENT))
    pair.payment.statuses(500)

    async def ejected() -> bool:
        status, body = await pair.call("payment")
        return status == 503 and "no healthy upstream" in body

    await eventually(ejected)
    assert await pair.call_directly() == 500  # whoever calls without a policy, calls


async def test_authorization_counts_at_the_called_service_whoever_calls(pair: Pair) -> None:
    deny = "action: Deny, rules: [{paths: [{type: PathPrefix, value: /admin}]}]"
    await pair.apply(policy("AuthorizationPolicy", deny, target=PAYMENT))

    async def so() -> bool:
        assert (await pair.call("payment", "/admin/x"))[0] == 403
        return True

    await eventually(so)
    assert (await pair.call("payment", "/shop"))[0] == 200
    assert [request.path for request in pair.payment.requests if request.path.startswith("/admin")] == []
    assert await pair.call_directly() == 200


async def test_authorization_on_a_route_counts_where_it_is_called(pair: Pair) -> None:
    await pair.apply(ROUTE, policy("AuthorizationPolicy", "action: Deny, rules: [{methods: [GET]}]", target=CALLS))
    assert (await pair.call("payment"))[0] == 403
    assert await pair.call_directly() == 200
    assert len(pair.payment.requests) == 1
