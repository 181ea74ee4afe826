"""AuthorizationPolicy through a real Envoy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.conditions import eventually
from tests.mmdb import write_countries
from tests.shop import Shop, policy, running_shop
from tests.tokens import Issuer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("authorization")]

ACCOUNTS = Issuer("https://accounts.example")
EDGE = "{kind: Gateway, name: edge}"
RULE = "{kind: HTTPRoute, name: payment, sectionName: pay}"
NOTHING_ELSE = policy("AuthorizationPolicy", "action: Allow", name="nothing-else", target=EDGE)
TOKENS = policy(
    "AuthenticationPolicy",
    f"jwt: {{providers: [{{name: p, issuer: '{ACCOUNTS.name}', jwks: {{inline: '{ACCOUNTS.jwks}'}}}}], optional: true}}",
    name="tokens",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


def authorization(action: str, *rules: str, more: str = "", **options: str) -> str:
    return policy("AuthorizationPolicy", f"action: {action}, rules: [{', '.join(rules)}]{more}", **options)


def deny(*rules: str, more: str = "", **options: str) -> str:
    return authorization("Deny", *rules, more=more, **options)


def allow(*rules: str, more: str = "", **options: str) -> str:
    return authorization("Allow", *rules, more=more, **options)


async def status(shop: Shop, path: str = "/", *, method: str = "GET", headers: dict[str, str] | None = None) -> int:
    return (await shop.request(path, method=method, headers=headers)).status


async def count(shop: Shop, name: str) -> int:
    """Envoy's counter of a rule."""
    found = await shop.stats(f"http.default/edge/{shop.port}.rbac.{name}")
    return sum(found.values())


async def test_one_document_denies_what_nothing_allows(shop: Shop) -> None:
    await shop.apply(NOTHING_ELSE)
    assert await status(shop) == 403
    assert shop.payment.requests == []
    await shop.apply(allow("{paths: [{value: /health}]}", target=RULE))
    assert await status(shop, "/health") == 200
    assert await status(shop, "/health/live?x=/health") == 200
    assert await status(shop, "/healthy") == 403
    assert await status(shop, "/?/health") == 403


async def test_deny_beats_allow_whichever_is_more_specific(shop: Shop) -> None:
    await shop.apply(deny("{methods: [DELETE]}", target=EDGE), allow("{}", name="all", target=RULE))
    assert await status(shop, method="DELETE") == 403
    assert await status(shop) == 200
    await shop.apply(allow("{}", name="all", target=EDGE), deny("{methods: [GET]}", target=RULE))
    assert await status(shop) == 403
    assert await status(shop, method="DELETE") == 200


async def test_a_route_cannot_drop_what_its_gateway_asks_for_but_add_to_it(shop: Shop) -> None:
    await shop.apply(
        deny("{headers: [{name: x-bot, value: 'yes'}]}", target=EDGE),
        deny("{methods: [PUT]}", name="route"),
        deny("{methods: [PATCH]}", name="rule", target=RULE),
    )
    assert await status(shop, headers={"x-bot": "yes"}) == 403
    assert await status(shop, method="PUT") == 403
    assert await status(shop, method="PATCH") == 403
    assert await status(shop) == 200


@pytest.mark.parametrize(
    ("rule", "refused", "passing"),
    [
        ("{methods: [POST, PUT]}", ["POST /", "PUT /"], ["GET /", "HEAD /"]),
        ("{paths: [{type: Exact, value: /admin}]}", ["GET /admin", "GET /admin?a=b", "GET /x/../admin", "GET //admin", "GET /%61dmin"], ["GET /admin/x", "GET /Admin"]),
        ("{paths: [{value: /admin}]}", ["GET /admin", "GET /admin/x"], ["GET /administer", "GET /x/admin"]),
        ("{paths: [{type: RegularExpression, value: '/v[0-9]+/.*'}]}", ["GET /v1/x", "GET /v22/"], ["GET /v1", "GET /x/v1/x"]),
        ("{methods: [POST], paths: [{value: /admin}]}", ["POST /admin"], ["GET /admin", "POST /"]),
        ("{paths: [{value: /admin}], unless: {methods: [GET, HEAD]}}", ["POST /admin"], ["GET /admin", "POST /"]),
    ],
)  # fmt: skip
async def test_by_method_and_path(shop: Shop, rule: str, refused: list[str], passing: list[str]) -> None:
    await shop.apply(deny(rule))

    async def answered(request: str) -> int:
        method, path = request.split()
        return await status(shop, path, method=method)

    assert [await answered(request) for request in refused] == [403] * len(refused)
    assert [await answered(request) for request in passing] == [200] * len(passing)


async def test_by_header(shop: Shop) -> None:
    await shop.apply(
        allow("{headers: [{name: X-Team, value: blue}, {name: x-id, type: RegularExpression, value: '[0-9]+'}]}")
    )
    assert await status(shop, headers={"x-team": "blue"}) == 200
    assert await status(shop, headers={"x-id": "17"}) == 200
    assert await status(shop, headers={"x-team": "red", "x-id": "17x"}) == 403


async def test_by_claim_which_only_a_valid_token_has(shop: Shop) -> None:
    claims = "{claims: [{name: roles, within: [realm], values: [admin, owner]}, {name: verified, values: ['yes']}]}"
    await shop.apply(TOKENS, allow(claims))
    good = {"realm": {"roles": ["reader", "owner"]}, "verified": "yes"}
    assert await status(shop, headers=ACCOUNTS.bearer(**good)) == 200
    assert await status(shop, headers=ACCOUNTS.bearer(realm={"roles": "admin"}, verified="yes")) == 200
    assert await status(shop) == 403
    assert await status(shop, headers=ACCOUNTS.bearer(realm={"roles": ["reader"]}, verified="yes")) == 403
    assert await status(shop, headers=ACCOUNTS.bearer(roles=["owner"], verified="yes")) == 403
    assert await status(shop, headers=ACCOUNTS.bearer(realm={"roles": ["owner"]})) == 403
    assert await status(shop, headers=Issuer(ACCOUNTS.name).bearer(**good)) == 401


async def test_by_address_of_the_peer_which_no_header_can_change(shop: Shop) -> None:
    await shop.apply(allow("{addresses: [192.0.2.0/24, '2001:db8::/32']}"))
    assert await status(shop, headers={"x-forwarded-for": "192.0.2.1"}) == 403
    await shop.apply(allow("{addresses: [127.0.0.0/8]}"))
    assert await status(shop, headers={"x-forwarded-for": "192.0.2.1"}) == 200


async def test_by_address_of_the_client_that_trusted_proxies_name(shop: Shop) -> None:
    trusting = ", clientAddress: {trustedProxies: 2}"
    await shop.apply(allow("{addresses: [192.0.2.0/24]}", more=trusting, target=EDGE))

    async def through(*forwarded: str) -> int:
        return await status(shop, headers={"x-forwarded-for": ", ".join(forwarded)})

    assert await through("192.0.2.1", "10.0.0.1") == 200
    assert await through("198.51.100.1", "10.0.0.1") == 403
    assert await through("192.0.2.1", "198.51.100.1", "10.0.0.1") == 403
    assert await through("192.0.2.1") == 403


async def test_by_country_of_the_client_and_of_nobody_elses_word(shop: Shop, tmp_path: Path) -> None:
    database = tmp_path / "countries.mmdb"
    write_countries(database, {"192.0.2.0/25": "DE", "192.0.2.128/25": "FR", "198.51.100.0/24": "US"})
    more = f", countryDatabase: {database}, clientAddress: {{trustedProxies: 1}}"
    await shop.apply(allow("{countries: [DE, US]}", more=more, target=EDGE))
    answers = {
        address: await status(shop, headers={"x-forwarded-for": address, "x-apg-country": "DE"})
        for address in ("192.0.2.1", "198.51.100.9", "192.0.2.200", "203.0.113.1", "nonsense")
    }
    assert answers == {
        "192.0.2.1": 200,
        "198.51.100.9": 200,
        "192.0.2.200": 403,
        "203.0.113.1": 403,
        "nonsense": 403,
    }


async def test_nobody_without_a_certificate_is_a_principal(shop: Shop) -> None:
    await shop.apply(allow("{principals: ['spiffe://mesh.example/*']}", "{namespaces: [default]}"))
    assert await status(shop, headers={"x-forwarded-client-cert": "URI=spiffe://mesh.example/ns/default/sa/a"}) == 403


async def test_a_refusal_is_counted_under_the_rule_that_made_it(shop: Shop) -> None:
    await shop.apply(deny("{methods: [PUT]}", "{name: bots, headers: [{name: x-bot, value: 'yes'}]}"))
    before = await count(shop, "deny.policy.default/test/bots.denied")
    assert await status(shop, headers={"x-bot": "yes"}) == 403
    assert await status(shop, method="PUT") == 403

    async def counted() -> bool:
        return await count(shop, "deny.policy.default/test/bots.denied") == before + 1

    await eventually(counted)


async def test_an_audited_policy_decides_nothing_and_is_counted(shop: Shop) -> None:
    await shop.apply(
        deny("{name: writes, methods: [PUT]}", more=", audit: true"),
        allow("{methods: [GET]}", more=", audit: true", name="reads"),
    )
    denied = await count(shop, "audit_deny.policy.default/test/writes.shadow_denied")
    missed = await count(shop, "audit_allow.shadow_denied")
    assert await status(shop, method="PUT") == 200

    async def counted() -> bool:
        return (
            await count(shop, "audit_deny.policy.default/test/writes.shadow_denied") == denied + 1
            and await count(shop, "audit_allow.shadow_denied") == missed + 1
        )

    await eventually(counted)
