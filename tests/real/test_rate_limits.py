"""RateLimitPolicy through a real Envoy."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from envoy_data_plane.envoy.service.ratelimit.v3 import (
    RateLimitRequest,
    RateLimitResponse,
    RateLimitResponseCode,
    RateLimitResponseDescriptorStatus,
    RateLimitResponseRateLimit,
    RateLimitResponseRateLimitUnit,
)

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.grpc_calls import serving
from tests.shop import Answer, Shop, policy, running_shop
from tests.tokens import Issuer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("rate_limits")]

EDGE = "{kind: Gateway, name: edge}"
RULE = "{kind: HTTPRoute, name: payment, sectionName: pay}"
ACCOUNTS = Issuer("https://accounts.example")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


def limits(*items: str, more: str = "", **options: str) -> str:
    return policy("RateLimitPolicy", f"limits: [{', '.join(items)}]{more}", **options)


async def statuses(shop: Shop, count: int, headers: dict[str, str] | None = None, path: str = "/") -> list[int]:
    """Of requests one after the other."""
    return [(await shop.request(path, headers=headers)).status for _ in range(count)]


async def test_a_limit_for_all_requests_of_a_route(shop: Shop) -> None:
    await shop.apply(limits("{requests: 3, per: 1h}"))
    assert await statuses(shop, 5) == [200, 200, 200, 429, 429]
    assert len(shop.payment.requests) == 3


async def test_requests_at_once_are_counted_too(shop: Shop) -> None:
    await shop.apply(limits("{requests: 7, per: 1h}"))
    answers = await asyncio.gather(*(shop.request() for _ in range(20)))
    assert Counter(answer.status for answer in answers) == {200: 7, 429: 13}


async def test_a_limit_refills_as_time_goes_by(shop: Shop) -> None:
    await shop.apply(limits("{requests: 1000, per: 1s, burst: 1}"))
    loop = asyncio.get_running_loop()
    start, passed = loop.time(), 0
    while passed < 30:
        passed += (await shop.request()).status == 200
    assert passed <= 1 + 1000 * (loop.time() - start)


async def test_headers_say_what_is_left_as_the_draft_has_them(shop: Shop) -> None:
    """draft-polli-ratelimit-headers-03."""
    await shop.apply(limits("{requests: 2, per: 1h}"))

    def told(answer: Answer) -> tuple[int, int, int]:
        limit, left, reset = (answer.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset"))
        return int(limit.split(",")[0]), int(left), int(reset)

    first, second, third = [await shop.request() for _ in range(3)]
    assert [told(answer)[:2] for answer in (first, second, third)] == [(2, 1), (2, 0), (2, 0)]
    assert third.status == 429
    assert 0 < told(third)[2] <= 3600


async def test_each_client_by_its_header_and_those_without_together(shop: Shop) -> None:
    await shop.apply(limits("{requests: 2, per: 1h, each: {header: x-client}}"))
    assert await statuses(shop, 3, {"x-client": "ann"}) == [200, 200, 429]
    assert await statuses(shop, 3, {"x-client": "bob"}) == [200, 200, 429]
    assert await statuses(shop, 3) == [200, 200, 429]
    assert await statuses(shop, 1, {"x-client": "ann"}) == [429]


async def test_each_client_by_a_claim_that_it_cannot_make_up(shop: Shop) -> None:
    await shop.apply(
        policy(
            "AuthenticationPolicy",
            f"jwt: {{providers: [{{name: p, issuer: '{ACCOUNTS.name}', jwks: {{inline: '{ACCOUNTS.jwks}'}}}}]}}",
            name="tokens",
        ),
        limits("{requests: 2, per: 1h, each: {claim: sub}}"),
    )
    assert await statuses(shop, 1) == [401]
    assert await statuses(shop, 3, ACCOUNTS.bearer(sub="ann")) == [200, 200, 429]
    assert await statuses(shop, 3, ACCOUNTS.bearer(sub="bob", jti="1")) == [200, 200, 429]
    assert await statuses(shop, 1, ACCOUNTS.bearer(sub="ann", jti="2")) == [429]


async def test_each_client_by_its_address(shop: Shop) -> None:
    await shop.apply(
        policy("AuthorizationPolicy", "action: Allow, rules: [{}], clientAddress: {trustedProxies: 1}", target=EDGE),
        limits("{requests: 2, per: 1h, each: {sourceAddress: true}}"),
    )
    assert await statuses(shop, 3, {"x-forwarded-for": "192.0.2.1"}) == [200, 200, 429]
    assert await statuses(shop, 3, {"x-forwarded-for": "192.0.2.2"}) == [200, 200, 429]
    assert await statuses(shop, 2, {"x-forwarded-for": "2001:db8::1"}) == [200, 200]
    assert await statuses(shop, 1, {"x-forwarded-for": "2001:db8::ffff:1"}) == [429]
    assert await statuses(shop, 1, {"x-forwarded-for": "2001:db8:1::1"}) == [200]


async def test_all_limits_hold_together(shop: Shop) -> None:
    await shop.apply(limits("{requests: 3, per: 1h}", "{requests: 2, per: 1h, each: {header: x-client}}"))
    assert await statuses(shop, 3, {"x-client": "ann"}) == [200, 200, 429]
    assert (await statuses(shop, 2, {"x-client": "bob"}))[-1] == 429
    assert len(shop.payment.requests) <= 3


async def test_the_rules_own_limits_replace_the_gateways(shop: Shop) -> None:
    await shop.apply(
        limits("{requests: 1, per: 1h}", target=EDGE), limits("{requests: 2, per: 1h}", name="own", target=RULE)
    )
    assert await statuses(shop, 3) == [200, 200, 429]


async def test_a_changed_route_does_not_fill_buckets(shop: Shop) -> None:
    limit = limits("{requests: 2, per: 1h}")
    await shop.apply(limit)
    assert await statuses(shop, 2) == [200, 200]
    await shop.apply(policy("RetryPolicy", "attempts: 1", name="retry"))
    assert await statuses(shop, 1) == [429]


async def test_a_service_counts_for_all_and_is_told_the_limit(shop: Shop) -> None:
    asked: list[RateLimitRequest] = []
    seen: Counter[tuple[str, ...]] = Counter()

    async def count(request: RateLimitRequest) -> RateLimitResponse:
        asked.append(request)
        found = []
        for descriptor in request.descriptors:
            assert descriptor.limit is not None
            key = (request.domain, *(entry.value for entry in descriptor.entries))
            seen[key] += 1
            allowed = descriptor.limit.requests_per_unit
            code = RateLimitResponseCode.OK if seen[key] <= allowed else RateLimitResponseCode.OVER_LIMIT
            current = RateLimitResponseRateLimit(requests_per_unit=allowed, unit=RateLimitResponseRateLimitUnit.MINUTE)
            left = max(0, allowed - seen[key])
            found.append(RateLimitResponseDescriptorStatus(code=code, current_limit=current, limit_remaining=left))
        overall = max(status.code for status in found)
        return RateLimitResponse(overall_code=RateLimitResponseCode(overall), statuses=found)

    async with serving(
        "envoy.service.ratelimit.v3.RateLimitService", "ShouldRateLimit", RateLimitRequest, count
    ) as port:
        await shop.mesh.add_service("limiter", protocol=pb.PROTOCOL_HTTP2)
        await shop.mesh.add_endpoint("limiter", port, "v1")
        service = ", scope: Service, service: {domain: shop, timeout: 5s, backendRef: {name: limiter}}"
        await shop.apply(limits("{name: each, requests: 2, per: 1m, each: {header: x-client}}", more=service))
        answers = [await shop.request(headers={"x-client": "ann"}) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
        assert await statuses(shop, 1, {"x-client": "bob"}) == [200]
    assert asked[0].domain == "shop"
    [descriptor] = asked[0].descriptors
    entries = [(entry.key, entry.value) for entry in descriptor.entries]
    assert entries == [("limit", "default/test/each"), ("client", "ann")]

    assert await statuses(shop, 1, {"x-client": "carl"}) == [503]
    await shop.apply(
        limits("{requests: 2, per: 1m}", more=service.replace("timeout: 5s", "timeout: 50ms, failureMode: Open"))
    )
    assert await statuses(shop, 1) == [200]
