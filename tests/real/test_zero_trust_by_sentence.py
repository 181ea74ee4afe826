"""The zero-trust text, said, answered, confirmed, and met by real requests; and mutual TLS on and off by sentence."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from controlplane.proxy import EnvoyProcess
from protos.apg.admin.v1 import admin_pb2 as pb
from tests.certificates import Authority, install_workload
from tests.conditions import eventually
from tests.envoys import running_envoy
from tests.meshes import DEADLINE, Mesh, config, documents, gateway, route, running_mesh
from tests.ports import reserve_port
from tests.shop import policy, running_upstream
from tests.tokens import Issuer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("zero-trust")]

ZERO_TRUST = (
    "Create a zero-trust security policy that: 1. Requires mTLS for all service-to-service communication 2. Validates"
    " JWT tokens for external requests 3. Implements rate limiting of 100 requests per minute per user 4. Blocks"
    " requests containing SQL injection patterns 5. Enables audit logging for all policy violations"
)
ISSUER = Issuer("https://id.example")


@dataclass
class Guarded:
    """A Gateway and checkout call payment, each by its own proxy; both, and payment, have certificates of the trust
    domain shop.example. `back` is a route that asks for tokens of `ISSUER` from the start."""

    mesh: Mesh
    gateway: EnvoyProcess
    edge: int
    inbound: int
    outbound: int

    async def propose(self, sentence: str, conversation: str = "") -> pb.ProposeResponse:
        request = pb.ProposeRequest(sentence=sentence, conversation=conversation)
        return await self.mesh.api.Propose(request, timeout=DEADLINE)

    async def say(self, sentence: str) -> None:
        """Says it, confirms it, and returns once all proxies have it."""
        answer = await self.propose(sentence)
        assert answer.proposal_id, (answer.refusal, answer.needs)
        confirm = pb.ConfirmRequest(proposal_id=answer.proposal_id, typed_name=answer.risk.confirm)
        await self.mesh.api.Confirm(confirm, timeout=DEADLINE)
        await self.mesh.in_sync(proxies=3)

    async def ask(self, path: str = "/pay", **headers: str) -> int:
        """What somebody outside gets from the gateway."""
        async with (
            _session() as session,
            session.get(f"http://127.0.0.1:{self.edge}{path}", headers=headers) as response,
        ):
            return response.status

    async def call(self) -> int:
        """What checkout gets from payment, by its sidecar."""
        proxy = f"http://127.0.0.1:{self.outbound}"
        async with _session() as session, session.get("http://payment/", proxy=proxy) as response:
            return response.status

    async def call_directly(self) -> int | None:
        """What somebody without a certificate gets from payment's sidecar; None: no answer."""
        async with _session() as session:
            try:
                async with session.get(f"http://127.0.0.1:{self.inbound}/") as response:
                    return response.status
            except aiohttp.ClientError:
                return None

    async def becomes(self, *, by_sidecar: int, directly: int | None) -> None:
        async def so() -> bool:
            assert (await self.call(), await self.call_directly()) == (by_sidecar, directly)
            return True

        await eventually(so)


def _session() -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True), timeout=timeout)


def _sidecar(name: str, inbound: int, application: int, outbound: int, dependencies: str) -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: {name}}}
spec:
  inbound: {{address: 127.0.0.1, port: {inbound}, application: {application}}}
  outbound: {{port: {outbound}}}
  dependencies: [{dependencies}]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority, certificates = Authority(folder), folder / "certificates"
    for name in ("checkout", "payment", "edge"):
        install_workload(authority, certificates, name, f"spiffe://shop.example/ns/default/sa/{name}")
    with (
        reserve_port() as edge,
        reserve_port() as inbound,
        reserve_port() as outbound,
        reserve_port() as unused,
        reserve_port() as own,
    ):
        async with (
            running_mesh(config(folder, certificates=certificates)) as mesh,
            running_upstream("payment") as payment,
        ):
            for name in ("checkout", "payment"):
                await mesh.add_service(name)
            await mesh.add_endpoint("payment", inbound, "v1")
            await mesh.apply(
                documents(
                    gateway(edge),
                    route("payment"),
                    route("checkout", name="back", path="/back"),
                    _sidecar("payment", inbound, payment.port, unused, ""),
                    _sidecar("checkout", own, 9, outbound, "{name: payment}"),
                    policy(
                        "AuthenticationPolicy",
                        f"jwt: {{providers: [{{name: id, issuer: '{ISSUER.name}', jwks: {{inline: '{ISSUER.jwks}'}}}}]}}",
                        target="{kind: HTTPRoute, name: back}",
                    ),
                )
            )
            log = folder / "gateway.log"
            async with (
                running_envoy(mesh.xds_port, "default/edge", log_path=log, node_id="edge") as proxy,
                running_envoy(mesh.xds_port, "sidecar/default/checkout", log_path=folder / "a.log", node_id="checkout"),
                running_envoy(mesh.xds_port, "sidecar/default/payment", log_path=folder / "b.log", node_id="payment"),
            ):
                await mesh.in_sync(proxies=3)
                yield Guarded(mesh, proxy, edge, inbound, outbound)


async def test_mutual_tls_is_switched_by_sentence(guarded: Guarded) -> None:
    await guarded.becomes(by_sidecar=200, directly=200)
    await guarded.say("require mTLS for payment")
    await guarded.becomes(by_sidecar=200, directly=None)
    assert await guarded.ask() == 200, "the gateway has a certificate"
    await guarded.say("make mTLS permissive for payment")
    await guarded.becomes(by_sidecar=200, directly=200)
    await guarded.say("turn mTLS off for payment")
    await guarded.becomes(by_sidecar=200, directly=200)
    listed = await guarded.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
    assert [d.name for d in listed.documents if d.kind == "AuthenticationPolicy"] == ["test"]


async def test_the_zero_trust_text_does_all_that_it_says(guarded: Guarded) -> None:
    answer = await guarded.propose(ZERO_TRUST)
    assert [diff.key.kind for diff in answer.plan.documents] == [
        "AuthenticationPolicy", "AuthenticationPolicy", "RateLimitPolicy", "TelemetryPolicy", "ThreatPolicy"
    ]  # fmt: skip
    assert "callers of all services without a certificate are refused" in answer.risk.reasons
    await guarded.say(ZERO_TRUST)

    await guarded.becomes(by_sidecar=200, directly=None)  # 1: nothing but certificates
    ann, bob = ISSUER.bearer(sub="ann"), ISSUER.bearer(sub="bob")

    async def closed() -> bool:
        return await guarded.ask() == 401  # 2: nobody without a token, and through the gateway's certificate with one

    await eventually(closed)
    assert await guarded.ask(**ann) == 200
    assert await guarded.ask("/pay?q=1%27%20OR%20%271%27=%271", **ann) == 403  # 4
    passed = [await guarded.ask(**ann) for _ in range(100)]
    assert (passed[0], passed[-1]) == (200, 429)  # 3: 100 in all
    assert await guarded.ask(**bob) == 200, "each user has a share of their own"

    async def told() -> set[int]:  # 5
        async with _session() as session, session.post(f"http://{guarded.gateway.admin_address}/reopen_logs"):
            found = [line for line in guarded.gateway.log_path.read_text().splitlines() if line.startswith("{")]
        statuses = {json.loads(line)["status"] for line in found}
        return statuses if len(statuses) > 2 else set()

    assert await eventually(told) == {401, 403, 429}


async def test_who_issues_tokens_is_asked_where_the_mesh_knows_nobody(guarded: Guarded) -> None:
    """Of the same text, in a mesh with nothing in it that says so."""
    listed = await guarded.mesh.api.List(pb.ListRequest(), timeout=DEADLINE)
    old = [
        pb.DocumentKey(kind=document.kind, namespace=document.namespace, name=document.name)
        for document in listed.documents
        if document.kind.endswith("Policy")
    ]
    await guarded.mesh.api.Delete(pb.DeleteRequest(documents=old), timeout=DEADLINE)
    conversation = "who"
    asked = await guarded.propose(ZERO_TRUST, conversation)
    assert [need.what for need in asked.needs] == ["issuer"]
    assert not asked.proposal_id
    answer = await guarded.propose("issued by https://id.example with keys at https://id.example/jwks", conversation)
    assert answer.proposal_id, (answer.refusal, answer.needs)
