"""The sentences that people bring along, word for word, confirmed and met by real requests; and questions, answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.meshes import DEADLINE, route
from tests.mmdb import write_countries
from tests.shop import Shop, Upstream, policy, running_shop, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("sentences-everyday")]

ROUTING = (
    "Set up intelligent traffic routing that: 1. Routes 90% of traffic to the stable version 2. Routes 10% to the canary"
    " version for testing 3. Automatically increases canary traffic if error rate < 1% 4. Rolls back immediately if error"
    " rate > 5% 5. Completes rollout when canary handles 100% with <0.5% errors"
)
EDGE = "{kind: Gateway, name: edge}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Shop, Upstream]]:
    """The shop with checkout (stable, canary) at /checkout, and a secure-cluster, the second upstream."""
    async with (
        running_shop(tmp_path_factory.mktemp("shop")) as shop,
        running_upstream("secure-cluster") as secure,
        running_upstream("canary") as canary,
        running_upstream("stable") as stable,
    ):
        await shop.mesh.add_service("secure-cluster")
        await shop.mesh.add_endpoint("secure-cluster", secure.port, "v1")
        await shop.mesh.add_service("checkout")
        await shop.mesh.add_endpoint("checkout", stable.port, "stable")
        await shop.mesh.add_endpoint("checkout", canary.port, "canary")
        yield shop, secure


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: tuple[Shop, Upstream]) -> Shop:
    shop, secure = running
    await shop.reset()
    secure.requests.clear()
    await shop.apply(route("checkout", name="checkout", path="/checkout"))
    return shop


async def propose(shop: Shop, sentence: str) -> pb.ProposeResponse:
    return await shop.mesh.api.Propose(pb.ProposeRequest(sentence=sentence), timeout=DEADLINE)


async def say(shop: Shop, sentence: str) -> None:
    answer = await propose(shop, sentence)
    assert answer.proposal_id, (answer.refusal, answer.needs)
    confirm = pb.ConfirmRequest(proposal_id=answer.proposal_id, typed_name=answer.risk.confirm)
    await shop.mesh.api.Confirm(confirm, timeout=DEADLINE)
    await shop.mesh.in_sync()


async def served_by(shop: Shop, requests: int) -> Counter[str]:
    """Which version of checkout answered how many of so many requests."""
    bodies = [(await shop.request("/checkout")).body for _ in range(requests)]
    return Counter("canary" if '"canary"' in body else "stable" for body in bodies)


async def test_four_fifths_to_stable_and_then_all_to_the_canary(shop: Shop) -> None:
    await say(shop, "Set up load balancing with 80% traffic to stable and 20% to canary")
    assert 4 <= (await served_by(shop, 100))["canary"] <= 45
    await say(shop, "Route all traffic to the canary deployment")
    assert await served_by(shop, 10) == {"canary": 10}


async def test_intelligent_routing_splits_and_keeps_the_rollout(shop: Shop) -> None:
    await say(shop, ROUTING)
    assert 1 <= (await served_by(shop, 100))["canary"] <= 30
    listed = await shop.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
    assert "RolloutPolicy" in {document.kind for document in listed.documents}


async def test_all_payments_go_to_the_secure_cluster(shop: Shop, running: tuple[Shop, Upstream]) -> None:
    await say(shop, "Route all payments to the secure cluster")
    assert (await shop.request("/pay")).status == 200
    assert [request.path for request in running[1].requests] == ["/pay"]
    assert shop.payment.requests == []


async def test_two_countries_are_shut_out(shop: Shop) -> None:
    """Addresses are those that a proxy in front says; the file of countries is the one that the mesh has already."""
    database = shop.log.parent / "countries.mmdb"
    write_countries(database, {"192.0.2.0/25": "CN", "192.0.2.128/25": "RU", "198.51.100.0/24": "DE"})
    spec = (
        f"action: Deny, rules: [{{countries: [KP]}}], clientAddress: {{trustedProxies: 1}}, countryDatabase: {database}"
    )
    await shop.apply(policy("AuthorizationPolicy", spec, target=EDGE))
    await say(shop, "Block all requests from IP addresses in China and Russia")
    found = [
        (await shop.request(headers={"x-forwarded-for": client})).status
        for client in ("192.0.2.7", "192.0.2.200", "198.51.100.1")
    ]
    assert found == [403, 403, 200]


@pytest.mark.parametrize(
    ("sentence", "what"),
    [
        ("Create a policy to block requests from suspicious IPs", "suspicious"),
        ("Create a security policy that blocks all requests from suspicious IP addresses", "suspicious"),
        ("Allow only authenticated users to access the payment service", "issuer"),
    ],
)
async def test_what_only_a_person_knows_is_asked(shop: Shop, sentence: str, what: str) -> None:
    answer = await propose(shop, sentence)
    assert [need.what for need in answer.needs] == [what]
    assert not answer.proposal_id


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Show me the health status of all services", "default/checkout"),
        ("Display the 3D topology view", "console"),
        ("what changed today?", "revision"),
        ("who can call payment?", "payment"),
        ("which proxies are behind?", "behind"),
        ("how is checkout traffic split?", "checkout"),
    ],
)
async def test_questions_are_answered_and_change_nothing(shop: Shop, sentence: str, shown: str) -> None:
    answer = await propose(shop, sentence)
    assert not answer.proposal_id
    assert shown in "\n".join(answer.shown), answer
