"""FaultPolicy through a real Envoy."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import pytest_asyncio

from policy.fault_policy import format_instant
from tests.conditions import eventually
from tests.shop import Shop, policy, running_shop

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("faults")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


def until(left: timedelta = timedelta(hours=1)) -> str:
    return f'expiresAt: "{format_instant(datetime.now(UTC) + left)}"'


async def test_a_share_of_the_requests_is_refused_and_reaches_no_backend(shop: Shop) -> None:
    await shop.apply(policy("FaultPolicy", f"{until()}, abort: {{status: 418, percent: 50}}"))
    statuses = Counter([(await shop.request()).status for _ in range(200)])
    assert statuses.keys() == {200, 418}
    assert 60 < statuses[418] < 140  # 5.7 standard deviations
    assert len(shop.payment.requests) == statuses[200]


async def test_only_requests_with_the_header_are_concerned(shop: Shop) -> None:
    await shop.apply(
        policy("FaultPolicy", f"{until()}, abort: {{status: 503}}, headers: [{{name: x-chaos, value: pay}}]")
    )
    assert (await shop.request()).status == 200
    assert (await shop.request(headers={"x-chaos": "other"})).status == 200
    refused = await shop.request(headers={"x-chaos": "pay"})
    assert (refused.status, refused.body) == (503, "fault filter abort")


async def test_requests_wait_as_long_as_a_delay_says(shop: Shop) -> None:
    await shop.apply(policy("FaultPolicy", f"{until()}, delay: {{duration: 300ms}}"))
    began = time.monotonic()
    assert (await shop.request()).status == 200
    assert time.monotonic() - began > 0.29  # by a clock of our own; Envoy counts milliseconds


async def test_grpc_clients_get_a_status_of_theirs(shop: Shop) -> None:
    await shop.apply(policy("FaultPolicy", f"{until()}, abort: {{grpcStatus: 8}}"))
    answer = await shop.request(method="POST", headers={"content-type": "application/grpc"})
    assert (answer.status, answer.headers["grpc-status"]) == (200, "8")


async def test_a_fault_ends_by_itself_in_the_proxy(shop: Shop) -> None:
    await shop.apply(policy("FaultPolicy", f"{until(timedelta(seconds=1.5))}, abort: {{status: 503}}"))
    assert (await shop.request()).status == 503
    before = (await shop.mesh.fleet()).proxies[0]

    async def over() -> bool:
        return (await shop.request()).status == 200

    await eventually(over)
    assert (await shop.mesh.fleet()).proxies[0].types == before.types, "something was sent to end it"


async def test_the_rules_own_fault_replaces_the_gateways_also_when_it_is_over(shop: Shop) -> None:
    await shop.apply(
        policy("FaultPolicy", f"{until()}, abort: {{status: 503}}", name="wide", target="{kind: Gateway, name: edge}")
    )
    assert (await shop.request()).status == 503
    over = policy("FaultPolicy", f"{until(-timedelta(hours=1))}, abort: {{status: 418}}")
    await shop.apply(over)
    assert (await shop.request()).status == 200


async def test_a_fault_without_an_end_in_sight_is_refused(shop: Shop) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="at the latest, or longerThanADay: true if it is meant"):
        await shop.apply(policy("FaultPolicy", f"{until(timedelta(hours=25))}, abort: {{status: 503}}"))
