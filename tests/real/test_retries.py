"""RetryPolicy through a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.shop import Shop, policy, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("retries")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


async def test_without_a_policy_a_failure_is_the_answer(shop: Shop) -> None:
    shop.payment.statuses(503, 200)
    assert (await shop.request()).status == 503


async def test_a_failure_is_tried_again_as_often_as_the_policy_says(shop: Shop) -> None:
    await shop.apply(policy("RetryPolicy", "statusCodes: [503], attempts: 3, backOff: {base: 1ms}"))
    shop.payment.statuses(503, 503, 503, 200)
    assert (await shop.request()).status == 200
    assert len(shop.payment.requests) == 4
    shop.payment.statuses(503, 503, 503, 503, 200)
    assert (await shop.request()).status == 503


async def test_the_rules_own_policy_replaces_the_gateways(shop: Shop) -> None:
    await shop.apply(
        policy("RetryPolicy", "statusCodes: [503, 500]", name="wide", target="{kind: Gateway, name: edge}"),
        policy("RetryPolicy", "statusCodes: [503]", target="{kind: HTTPRoute, name: payment, sectionName: pay}"),
    )
    shop.payment.statuses(500, 200)
    assert (await shop.request()).status == 500
    shop.payment.statuses(503, 200)
    assert (await shop.request()).status == 200


async def test_a_try_that_takes_too_long_is_given_up_for_the_next(shop: Shop) -> None:
    async def hang_once(request: web.Request) -> web.Response:
        if len(shop.payment.requests) == 1:
            await asyncio.Event().wait()
        return web.Response(text="second")

    await shop.apply(policy("RetryPolicy", "retryOn: [gateway-error], perTryTimeout: 100ms"))
    shop.payment.answer = hang_once
    answer = await shop.request()
    assert (answer.status, answer.body) == (200, "second")


async def test_a_budget_bounds_retries_of_all_routes(shop: Shop) -> None:
    """With a budget of nothing but a percentage of the requests in progress, one request alone is not retried."""
    await shop.apply(
        policy("RetryPolicy", "statusCodes: [503]"),
        policy("RetryPolicy", "budget: {percent: 1, minConcurrent: 0}", name="budget", target="{kind: Service, name: payment}"),
    )  # fmt: skip
    shop.payment.statuses(503, 200)
    assert (await shop.request()).status == 503
    overflow = (await shop.stats("cluster.default/payment.upstream_rq_retry_overflow")).values()
    assert sum(overflow) == 1
