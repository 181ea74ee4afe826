"""What is said, confirmed, and then met by real requests through a real Envoy."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from protos.apg.admin.v1 import admin_pb2 as pb
from registry.model import ServiceKey
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
    second.answer = None
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


async def test_a_drained_version_gets_nothing(shop: Shop, second: Upstream) -> None:
    await say(shop, "split payment traffic evenly between v1 and v2")
    await say(shop, "v2 of payment is broken, drain v2 of payment")
    assert {(await shop.request()).status for _ in range(10)} == {200}
    assert second.requests == []
    assert len(shop.payment.requests) == 10


async def test_what_is_more_than_a_breaker_lets_through_is_refused(shop: Shop) -> None:
    await say(shop, "send all payment traffic to v1")
    await say(shop, "add a circuit breaker to payment with at most 1 concurrent request")
    arrived, leave = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        arrived.set()
        await leave.wait()
        return web.Response()

    shop.payment.answer = slow
    first = asyncio.create_task(shop.request())
    await arrived.wait()
    refused = await shop.request()
    leave.set()
    assert (refused.status, refused.headers.get("x-envoy-overloaded")) == (503, "true")
    assert (await first).status == 200


async def test_an_instance_that_fails_is_ejected(shop: Shop, second: Upstream) -> None:
    await say(shop, "use round robin for payment")
    await say(shop, "eject instances of payment after 1 consecutive error for 5 minutes")
    second.statuses(500)

    async def failed() -> bool:
        return (await shop.request()).status == 500

    await eventually(failed)
    ejected = len(second.requests)
    assert {(await shop.request()).status for _ in range(20)} == {200}
    assert len(second.requests) == ejected


async def test_instances_take_turns(shop: Shop, second: Upstream) -> None:
    await say(shop, "balance payment round robin")
    for _ in range(40):
        await shop.request()
    workers = os.cpu_count() or 1  # each of which takes turns by itself
    assert abs(len(shop.payment.requests) - len(second.requests)) <= workers


async def test_answers_are_compressed(shop: Shop) -> None:
    await say(shop, "send all payment traffic to v1")
    await say(shop, "compress the answers of payment with gzip")

    async def long(_: web.Request) -> web.Response:
        return web.Response(text="shoes " * 500, content_type="text/html")

    shop.payment.answer = long
    answer = await shop.request(headers={"accept-encoding": "gzip"})
    assert (answer.headers["content-encoding"], answer.body) == ("gzip", "shoes " * 500)
    await say(shop, "stop compressing payment")
    assert "content-encoding" not in (await shop.request(headers={"accept-encoding": "gzip"})).headers


async def test_denials_are_logged(shop: Shop) -> None:
    await say(shop, "block /audited on payment")
    await say(shop, "log every denied request")
    assert (await shop.request("/audited")).status == 403

    async def written() -> bool:
        async with shop.session.post(f"http://{shop.envoy.admin_address}/reopen_logs"):
            lines = [line for line in shop.log.read_text().splitlines() if '"path":"/audited"' in line]
        return [json.loads(line)["log"] for line in lines] == ["audit"]

    await eventually(written)


async def test_a_share_goes_to_the_new_version_and_yesterday_is_a_revision(shop: Shop, second: Upstream) -> None:
    await say(shop, "route 100% of payment to v1")
    before = (await shop.mesh.fleet()).revision
    await say(shop, "Route 20% of payment traffic to the new version for A/B testing")
    for _ in range(100):
        await shop.request()
    assert 4 <= len(second.requests) <= 45  # 20, six standard deviations aside
    second.requests.clear()
    await say(shop, f"go back to revision {before}")
    for _ in range(10):
        await shop.request()
    assert second.requests == []


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("Automatically scale services when CPU usage exceeds 80%", {"ScalingPolicy"}),
        ("Enable automatic scaling when CPU usage exceeds 75%", {"ScalingPolicy"}),
        ("Send alerts when error rate goes above 5% for any service", {"AlertPolicy"}),
        ("Scale payment to 10 instances", {"ScalingPolicy"}),
        (
            "Configure comprehensive monitoring that: 1. Collects metrics every 10 seconds 2. Creates alerts for error"
            " rates above 2% 3. Monitors response times and creates alerts for p99 > 500ms 4. Tracks business KPIs like"
            " conversion rates 5. Generates daily health reports",
            {"AlertPolicy", "ReportPolicy"},
        ),
    ],
)
async def test_what_nothing_acts_on_yet_is_kept_and_says_so(shop: Shop, sentence: str, kinds: set[str]) -> None:
    answer = await shop.mesh.api.Propose(pb.ProposeRequest(sentence=sentence), timeout=DEADLINE)
    assert any("kept" in note or "stored" in note for note in answer.notes), answer.notes
    await say(shop, sentence)
    listed = await shop.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
    assert {d.kind for d in listed.documents} - {"Gateway", "HTTPRoute"} == kinds


async def test_a_new_service_is_registered(shop: Shop) -> None:
    await say(shop, "Create a new service called user-api with 3 replicas")
    assert ServiceKey("default", "user-api") in shop.mesh.control_plane.operations.mesh.services
    await say(shop, "Scale user-api to 5 replicas")
    await shop.reset()
    await shop.mesh.api.DeregisterService(pb.DeregisterServiceRequest(name="user-api"), timeout=DEADLINE)


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
