"""What is said, confirmed, and then met by real requests through a real Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.conditions import eventually
from tests.envoys import running_envoy
from tests.meshes import DEADLINE
from tests.shop import Shop, Upstream, running_shop, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("sentences-real")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Shop, Upstream]]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "lists").mkdir()
    async with (
        running_shop(folder, load_report_interval=0.2, address_lists=folder / "lists") as shop,
        running_upstream("v2") as second,
    ):
        await shop.mesh.add_endpoint("payment", second.port, "v2")
        yield shop, second


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: tuple[Shop, Upstream]) -> Shop:
    shop, second = running
    await shop.reset()
    second.requests.clear()
    return shop


@pytest.fixture
def second(running: tuple[Shop, Upstream]) -> Upstream:
    """Version v2 of payment."""
    return running[1]


async def say(shop: Shop, sentence: str) -> None:
    """Says it, says yes, types the name if one is asked for, and returns once Envoy has it."""
    answer = await shop.mesh.api.Propose(pb.ProposeRequest(sentence=sentence), timeout=DEADLINE)
    assert answer.proposal_id, (answer.refusal, answer.needs)
    request = pb.ConfirmRequest(proposal_id=answer.proposal_id, typed_name=answer.risk.confirm)
    await shop.mesh.api.Confirm(request, timeout=DEADLINE)
    await shop.mesh.in_sync()


async def test_all_traffic_moves_and_comes_back(shop: Shop, second: Upstream) -> None:
    await say(shop, "send all payment traffic to v2")
    for _ in range(3):
        assert (await shop.request()).status == 200
    assert len(second.requests) == 3
    await say(shop, "now route everything of payment to v1")
    await shop.request()
    assert len(second.requests) == 3
    await say(shop, "undo the last change")
    await shop.request()
    assert len(second.requests) == 4


async def test_requests_with_a_header_or_a_method_go_elsewhere(shop: Shop, second: Upstream) -> None:
    await say(shop, "send all payment traffic to v1")
    await say(shop, "send payment requests with header x-group: beta to v2")
    await say(shop, "send POST requests of payment to v2")
    await shop.request()
    assert second.requests == []
    await shop.request(headers={"x-group": "beta"})
    await shop.request(method="POST")
    assert [request.method for request in second.requests] == ["GET", "POST"]


async def test_a_copy_goes_to_the_other_version(shop: Shop, second: Upstream) -> None:
    await say(shop, "send all payment traffic to v1")
    await say(shop, "mirror payment traffic to v2")
    assert (await shop.request("/copied")).status == 200

    async def copied() -> bool:
        return any(request.path == "/copied" for request in second.requests)

    await eventually(copied)
    await say(shop, "stop mirroring payment")


async def test_failures_are_tried_again(shop: Shop) -> None:
    await say(shop, "send all payment traffic to v1")
    await say(shop, "retry failed payment requests 3 times")
    shop.payment.statuses(503, 503, 200)
    assert (await shop.request()).status == 200


async def test_a_request_that_takes_too_long_ends(shop: Shop) -> None:
    await say(shop, "send all payment traffic to v1")
    await say(shop, "set a timeout of 200ms on payment")
    never = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    shop.payment.answer = slow
    assert (await shop.request()).status == 504
    never.set()


async def test_a_fault_is_met_and_can_be_taken_off(shop: Shop) -> None:
    await say(shop, "fail 100% of payment requests with 418 for 5 minutes")
    assert (await shop.request()).status == 418
    await say(shop, "stop the fault injection on payment")
    assert (await shop.request()).status == 200


async def test_requests_beyond_a_limit_are_refused(shop: Shop) -> None:
    await say(shop, "limit payment to 2 requests per hour")
    assert [(await shop.request()).status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("sentence", "refused", "passed"),
    [
        ("block /admin on payment", "/admin", "/shop"),
        ("block SQL injection on payment", "/?q=1%27%20OR%20%271%27=%271", "/?q=shoes"),
    ],
)
async def test_what_is_blocked_is_refused_and_the_rest_passes(
    shop: Shop, sentence: str, refused: str, passed: str
) -> None:
    await say(shop, sentence)
    assert (await shop.request(refused)).status == 403
    assert (await shop.request(passed)).status == 200


async def test_an_address_is_shut_out(shop: Shop) -> None:
    await say(shop, "block 127.0.0.1")
    assert (await shop.request()).status == 403


async def test_a_threat_feed_is_followed(shop: Shop) -> None:
    feed = shop.log.parent / "lists" / "feed.txt"
    refusal = await shop.mesh.api.Propose(pb.ProposeRequest(sentence="block all IPs from the feed lost.txt"))
    assert "there is no list lost.txt in the folder" in refusal.refusal
    feed.write_text("# nobody of ours\n203.0.113.0/24\n")

    async def known() -> bool:
        sentence = pb.ProposeRequest(sentence="block all IPs from the feed feed.txt")
        return bool((await shop.mesh.api.Propose(sentence, timeout=DEADLINE)).proposal_id)

    await eventually(known)
    await say(shop, "block all IPs from the feed feed.txt")
    assert (await shop.request()).status == 200

    async def answers(status: int) -> bool:
        return (await shop.request()).status == status

    feed.write_text("203.0.113.0/24\n127.0.0.0/8 us\nno address\n")
    await eventually(lambda: answers(403))
    feed.write_text("<html>\nnot found\n")  # what was good last is used on
    assert (await shop.request()).status == 403
    feed.write_text("203.0.113.0/24\n")
    await eventually(lambda: answers(200))


async def test_without_a_token_nobody_comes_in(shop: Shop) -> None:
    await say(
        shop, "require a JWT issued by https://id.example.com with keys at https://id.example.com/jwks for payment"
    )
    assert (await shop.request()).status == 401


async def test_the_answer_says_what_flows_now(shop: Shop, tmp_path: Path) -> None:
    """A second Envoy shares the gateway's port, and reports."""
    await say(shop, "send all payment traffic to v1")

    async def told() -> pb.ServiceTraffic | None:
        await shop.request()
        sentence = pb.ProposeRequest(sentence="route 20% of payment traffic to v2")
        answer = await shop.mesh.api.Propose(sentence, timeout=DEADLINE)
        return next(iter(answer.traffic), None)

    reporting = running_envoy(
        shop.mesh.xds_port, "default/edge", log_path=tmp_path / "envoy.log", node_id="reporter", load_reports=True
    )
    async with reporting:
        found = await eventually(told, deadline=timedelta(seconds=60))
    assert found is not None
    assert found.service == "default/payment"
    assert found.requests_per_second > 0

    async def alone() -> bool:
        return len((await shop.mesh.fleet()).proxies) == 1

    await eventually(alone)


async def test_a_new_route_serves_its_path(shop: Shop, second: Upstream) -> None:
    await say(shop, "send all payment traffic to v2")
    await say(shop, "create a new route for payment at /fresh")
    assert (await shop.request("/fresh")).status == 200
