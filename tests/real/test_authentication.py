"""AuthenticationPolicy through a real Envoy."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from hashlib import sha1
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption
from envoy_data_plane.envoy.service.auth.v3 import CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.rpc import Status

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.certificates import certificate
from tests.conditions import eventually
from tests.grpc_calls import serving
from tests.meshes import DEADLINE
from tests.shop import Shop, policy, running_shop, running_upstream
from tests.tokens import Issuer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("authentication")]

ACCOUNTS, PARTNERS = Issuer("https://accounts.example"), Issuer("https://partners.example")
RULE = "{kind: HTTPRoute, name: payment, sectionName: pay}"
KEY = "k-0123456789abcdef"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    async with running_shop(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: Shop) -> Shop:
    await running.reset()
    return running


def authentication(spec: str, **options: str) -> str:
    return policy("AuthenticationPolicy", spec, **options)


def jwt(*issuers: Issuer, more: str = "", optional: bool = False) -> str:
    providers = ", ".join(
        f"{{name: p{number}, issuer: '{issuer.name}', audiences: [shop], jwks: {{inline: '{issuer.jwks}'}}{more}}}"
        for number, issuer in enumerate(issuers)
    )
    return f"jwt: {{providers: [{providers}], optional: {str(optional).lower()}}}"


async def status(shop: Shop, headers: dict[str, str] | None = None, path: str = "/") -> int:
    return (await shop.request(path, headers=headers)).status


async def seen(shop: Shop, headers: dict[str, str], path: str = "/") -> dict[str, str]:
    """The headers that the backend gets, names in lower case."""
    answer = await shop.request(path, headers=headers)
    assert answer.status == 200, answer
    return {name.lower(): value for name, value in json.loads(answer.body)["headers"].items()}


async def test_only_valid_tokens_pass(shop: Shop) -> None:
    await shop.apply(authentication(jwt(ACCOUNTS)))
    assert await status(shop) == 401
    assert await status(shop, ACCOUNTS.bearer(aud="shop")) == 200
    refused = {
        "another audience": ACCOUNTS.bearer(aud="bank"),
        "no audience": ACCOUNTS.bearer(),
        "past its end": ACCOUNTS.bearer(aud="shop", lifetime=-3_600.0),
        "without an end": ACCOUNTS.bearer(aud="shop", lifetime=None),
        "another issuer": PARTNERS.bearer(aud="shop"),
        "another key": {"authorization": f"Bearer {Issuer(ACCOUNTS.name).token(aud='shop')}"},
        "no token": {"authorization": "Bearer nonsense"},
    }
    statuses = {why: await status(shop, headers) for why, headers in refused.items()}
    assert statuses == {why: 403 if "audience" in why else 401 for why in refused}
    assert len(shop.payment.requests) == 1


async def test_a_token_of_any_provider_passes_and_claims_reach_the_backend(shop: Shop) -> None:
    more = ", claimsToHeaders: [{claim: sub, header: x-user}, {claim: org.team, header: x-team}]"
    await shop.apply(authentication(jwt(ACCOUNTS, PARTNERS, more=more)))
    forged = {"x-user": "admin", "x-team": "root"}
    headers = await seen(shop, PARTNERS.bearer(aud="shop", sub="ann", org={"team": "blue"}) | forged)
    assert (headers["x-user"], headers["x-team"]) == ("ann", "blue")
    assert "authorization" not in headers
    headers = await seen(shop, ACCOUNTS.bearer(aud="shop", sub="bob") | forged)
    assert headers["x-user"] == "bob"
    assert "x-team" not in headers


async def test_tokens_come_where_the_policy_says_and_nowhere_else(shop: Shop) -> None:
    sources = ", from: [{cookie: session}, {queryParam: t}, {header: x-token, prefix: 'JWT '}]"
    await shop.apply(authentication(jwt(ACCOUNTS, more=sources)))
    token = ACCOUNTS.token(aud="shop")
    assert await status(shop, {"cookie": f"a=b; session={token}"}) == 200
    assert await status(shop, path=f"/?t={token}") == 200
    assert await status(shop, {"x-token": f"JWT {token}"}) == 200
    assert await status(shop, {"authorization": f"Bearer {token}"}) == 401


async def test_an_optional_token_may_be_missing_but_not_wrong(shop: Shop) -> None:
    await shop.apply(authentication(jwt(ACCOUNTS, optional=True)))
    assert await status(shop) == 200
    assert await status(shop, {"authorization": "Bearer nonsense"}) == 401


async def test_a_route_can_be_open_where_its_gateway_is_not(shop: Shop) -> None:
    await shop.apply(
        authentication(jwt(ACCOUNTS), name="all", target="{kind: Gateway, name: edge}"),
        authentication("anonymous: true", name="open", target=RULE),
    )
    assert await status(shop) == 200


async def test_keys_are_fetched_by_tls_from_whom_the_certificate_proves(shop: Shop, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def keys(_: web.Request) -> web.Response:
        return web.json_response(text=ACCOUNTS.jwks)

    def remote(port: int, ca: str) -> str:
        pem = ca.replace("\n", "\\n")
        jwks = f'{{url: "https://localhost:{port}/jwks?a=b", caCertificates: "{pem}"}}'
        return authentication(f"jwt: {{providers: [{{name: p, issuer: '{ACCOUNTS.name}', jwks: {jwks}}}]}}")

    async with running_upstream("keys", tls=context) as upstream:
        upstream.answer = keys
        await shop.apply(remote(upstream.port, cert.read_text()))
        assert await status(shop, ACCOUNTS.bearer()) == 200
        assert await status(shop, PARTNERS.bearer()) == 401
        assert upstream.requests[0].path_qs == "/jwks?a=b"

        other, _ = certificate(tmp_path, "other")
        await shop.apply(remote(upstream.port, other.read_text()))
        assert await status(shop, ACCOUNTS.bearer()) == 401


async def test_keys_can_come_from_a_service_of_the_mesh(shop: Shop) -> None:
    async def keys(request: web.Request) -> web.Response:
        return web.json_response(text=ACCOUNTS.jwks if request.path == "/jwks" else "{}")

    async with running_upstream("keys") as upstream:
        upstream.answer = keys
        await shop.mesh.add_service("keys")
        await shop.mesh.add_endpoint("keys", upstream.port, "v1")
        await shop.apply(
            authentication(
                f"jwt: {{providers: [{{name: p, issuer: '{ACCOUNTS.name}', "
                "jwks: {backendRef: {name: keys}, path: /jwks}}]}"
            )
        )

        async def passes() -> bool:
            return await status(shop, ACCOUNTS.bearer()) == 200

        await eventually(passes)
        assert await status(shop) == 401


async def test_only_known_keys_pass_and_the_backend_learns_whose(shop: Shop) -> None:
    clients = f"{{name: alice, key: {KEY}}}, {{name: bob, key: '{KEY}-bob'}}"
    sources = "from: [{header: x-api-key}, {queryParam: key}, {cookie: key}], clientHeader: x-client"
    await shop.apply(authentication(f"apiKeys: {{clients: [{clients}], {sources}}}"))
    assert await status(shop) == 401
    assert await status(shop, {"x-api-key": KEY[:-1]}) == 401
    headers = await seen(shop, {"x-api-key": f"{KEY}-bob", "x-client": "alice"})
    assert headers["x-client"] == "bob"
    assert "x-api-key" not in headers
    assert (await seen(shop, {}, path=f"/?key={KEY}"))["x-client"] == "alice"
    assert (await seen(shop, {"cookie": f"key={KEY}"}))["x-client"] == "alice"


async def test_secrets_are_shown_nowhere(shop: Shop) -> None:
    digest = base64.b64encode(sha1(b"tea").digest()).decode()
    methods = f"apiKeys: {{clients: [{{name: alice, key: {KEY}}}]}}, basic: {{htpasswd: 'ann:{{SHA}}{digest}'}}"
    text = authentication(methods)
    plan = await shop.mesh.api.Plan(pb.PlanRequest(documents=text.encode(), source="test"), timeout=DEADLINE)
    await shop.apply(text)
    listed = await shop.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
    dump = await shop.envoy.admin_get("/config_dump")
    assert "[redacted]" in dump
    for shown in (str(plan.plan.documents), str(plan.plan.resources), str(listed), dump):
        assert ("alice" in shown) == (shown is not dump)
        assert KEY not in shown
        assert digest not in shown


async def test_an_open_connection_meets_a_first_policy_after_its_next_answer_at_the_latest(shop: Shop) -> None:
    """Keys need nothing new in the chain. Tokens do: a chain that changes is a new one, for new connections, and those of
    the old one are closed as they are used."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:

        async def get() -> tuple[int, str | None]:
            async with session.get(f"http://127.0.0.1:{shop.port}/") as response:
                await response.read()
                return response.status, response.headers.get("connection")

        assert await get() == (200, None)
        await shop.apply(authentication(f"apiKeys: {{clients: [{{name: alice, key: {KEY}}}]}}"))
        assert await get() == (401, None)
        await shop.reset()
        assert await get() == (200, None)
        await shop.apply(authentication(jwt(ACCOUNTS)))
        assert await get() in ((200, "close"), (401, None))
        assert await get() == (401, None)


async def test_user_and_password(shop: Shop, tmp_path: Path) -> None:
    def user(name: str, password: str) -> str:
        return f"{name}:{{SHA}}{base64.b64encode(sha1(password.encode()).digest()).decode()}"

    def basic(name: str, password: str) -> dict[str, str]:
        return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}

    await shop.apply(authentication(f'basic: {{htpasswd: "{user("ann", "tea")}\\n{user("bob", "rum")}"}}'))
    assert await status(shop) == 401
    assert await status(shop, basic("ann", "rum")) == 401
    assert await status(shop, basic("nobody", "")) == 401
    assert await status(shop, basic("ann", "tea")) == 200

    users = tmp_path / "users"
    users.write_text(user("eve", "gin"))
    await shop.apply(authentication(f"basic: {{htpasswdFile: {users}}}"))
    assert await status(shop, basic("eve", "gin")) == 200
    assert await status(shop, basic("ann", "tea")) == 401


async def test_all_methods_of_a_policy_must_succeed(shop: Shop) -> None:
    await shop.apply(authentication(f"{jwt(ACCOUNTS)}, apiKeys: {{clients: [{{name: alice, key: {KEY}}}]}}"))
    token = ACCOUNTS.bearer(aud="shop")
    assert await status(shop, token) == 401
    assert await status(shop, {"x-api-key": KEY}) == 401
    assert await status(shop, token | {"x-api-key": KEY}) == 200


async def test_a_grpc_server_decides_and_may_add_headers(shop: Shop) -> None:
    asked: list[CheckRequest] = []

    async def check(request: CheckRequest) -> CheckResponse:
        asked.append(request)
        assert request.attributes is not None
        assert request.attributes.request is not None
        http = request.attributes.request.http
        assert http is not None
        if http.headers.get("x-pass") == "slow":
            await asyncio.sleep(60)
        if http.headers.get("x-pass") != "yes":
            denied = DeniedHttpResponse(status=HttpStatus(code=StatusCode.PaymentRequired), body="pay first")
            return CheckResponse(status=Status(code=7), denied_response=denied)
        header = HeaderValueOption(header=HeaderValue(key="x-checked", value="by-us"))
        return CheckResponse(status=Status(code=0), ok_response=OkHttpResponse(headers=[header]))

    async with serving("envoy.service.auth.v3.Authorization", "Check", CheckRequest, check) as port:
        await shop.mesh.add_service("auth", protocol=pb.PROTOCOL_HTTP2)
        await shop.mesh.add_endpoint("auth", port, "v1")
        external = "external: {backendRef: {name: auth}, timeout: 1s, context: {shop: one}, bodyBytes: 1024}"
        await shop.apply(authentication(external))
        refused = await shop.request(headers={"x-pass": "no"})
        assert (refused.status, refused.body) == (402, "pay first")
        assert (await seen(shop, {"x-pass": "yes"}))["x-checked"] == "by-us"
        answer = await shop.request(method="POST", data=b"hello", headers={"x-pass": "yes"})
        assert answer.status == 200
        attributes = asked[-1].attributes
        assert attributes is not None
        assert attributes.context_extensions == {"shop": "one"}
        assert attributes.request is not None
        assert attributes.request.http is not None
        assert attributes.request.http.body == "hello"

        shop.payment.requests.clear()
        assert await status(shop, {"x-pass": "slow"}) == 503
        assert shop.payment.requests == []
        await shop.apply(authentication(external.replace("timeout: 1s", "timeout: 50ms, failureMode: Open")))
        assert await status(shop, {"x-pass": "slow"}) == 200
        assert await status(shop, {"x-pass": "no"}) == 402


async def test_an_http_server_decides_by_the_headers_that_it_is_shown(shop: Shop) -> None:
    async def check(request: web.Request) -> web.Response:
        if request.cookies.get("session") != "good":
            return web.Response(status=403, text="no session")
        return web.Response(headers={"x-user": "ann", "x-more": "hidden"})

    async with running_upstream("check") as upstream:
        upstream.answer = check
        server = f"server: {{host: localhost, port: {upstream.port}, plaintext: true}}"
        await shop.apply(
            authentication(
                f"external: {{protocol: HTTP, {server}, pathPrefix: /check, timeout: 1s, requestHeaders: [cookie], "
                "backendHeaders: [x-user]}"
            )
        )
        assert await status(shop) == 403
        headers = await seen(shop, {"cookie": "session=good", "x-user": "admin", "x-secret": "1"}, path="/buy?n=1")
        assert headers["x-user"] == "ann"
        assert "x-more" not in headers
        assert upstream.requests[-1].path_qs == "/check/buy?n=1"
        assert "x-secret" not in upstream.requests[-1].headers


async def test_a_server_that_is_not_there_lets_nothing_pass(shop: Shop) -> None:
    await shop.apply(authentication("external: {server: {host: localhost, port: 1, plaintext: true}}"))
    assert await status(shop) == 503
