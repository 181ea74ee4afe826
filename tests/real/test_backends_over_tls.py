"""Backends that speak TLS, inside the mesh and outside, and endpoints by priority, through a real Envoy."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from tests.certificates import Authority
from tests.conditions import eventually
from tests.meshes import route
from tests.shop import Shop, Upstream, running_shop, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("backends-over-tls")]


@dataclass
class Outside:
    """A Shop, and a server that speaks TLS only, as "localhost"."""

    shop: Shop
    server: Upstream
    asked_for: list[str | None] = field(default_factory=list)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    authority, other = Authority(folder), Authority(folder, "other-authority")
    certificates = folder / "certificates"
    authority.install_trust(certificates, "default/right")
    other.install_trust(certificates, "default/wrong")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("localhost", uri="spiffe://mesh/ns/default/svc/payment"))
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with (
        running_shop(folder, certificates=certificates) as shop,
        running_upstream("server", tls=context) as server,
    ):
        await shop.mesh.add_service("inside")
        await shop.mesh.add_endpoint("inside", server.port, "v1")
        yield Outside(shop, server, asked)


@pytest_asyncio.fixture(loop_scope="module")
async def outside(running: Outside) -> Outside:
    await running.shop.reset()
    running.server.requests.clear()
    running.asked_for.clear()
    return running


def external(port: int, *, tls: str = "caCertificateRefs: [{name: right}]") -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: ExternalService
metadata: {{name: outside}}
spec: {{host: localhost, port: {port}, tls: {{{tls}}}}}
"""


def policy(validation: str) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: inside}}
spec:
  targetRefs: [{{group: "", kind: Service, name: inside}}]
  validation: {{{validation}}}
"""


async def test_tls_begins_at_the_gateway_for_a_host_outside(outside: Outside) -> None:
    await outside.shop.apply(external(outside.server.port), route("outside"))
    answer = await eventually_200(outside.shop)
    assert '"service": "server"' in answer
    assert "localhost" in outside.asked_for
    assert outside.server.requests[-1].headers["host"] == "localhost", "asked for by its own name"


async def test_a_host_outside_that_proves_nothing_gets_no_request(outside: Outside) -> None:
    await outside.shop.apply(external(outside.server.port, tls="caCertificateRefs: [{name: wrong}]"), route("outside"))
    assert (await outside.shop.request()).status == 503
    assert outside.server.requests == []


@pytest.mark.parametrize(
    ("validation", "status"),
    [
        ("hostname: localhost, caCertificateRefs: [{name: right}]", 200),
        ("hostname: localhost, caCertificateRefs: [{name: wrong}]", 503),
        ("hostname: localhost, wellKnownCACertificates: System", 503),
        ("hostname: payment.example, caCertificateRefs: [{name: right}]", 503),
        (
            "hostname: payment.example, caCertificateRefs: [{name: right}], "
            "subjectAltNames: [{type: URI, uri: 'spiffe://mesh/ns/default/svc/payment'}]",
            200,
        ),
        (
            "hostname: localhost, caCertificateRefs: [{name: right}], "
            "subjectAltNames: [{type: URI, uri: 'spiffe://mesh/ns/default/svc/cart'}]",
            503,
        ),
    ],
)
async def test_a_backend_gets_requests_only_if_it_proves_who_it_is(
    outside: Outside, validation: str, status: int
) -> None:
    await outside.shop.apply(policy(validation), route("inside"))
    assert (await outside.shop.request()).status == status
    assert len(outside.server.requests) == (1 if status == 200 else 0)
    assert outside.asked_for[-1] == ("payment.example" if "payment.example" in validation else "localhost")


async def test_authorities_that_nobody_knows_are_refused(outside: Outside) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await outside.shop.apply(policy("hostname: localhost, caCertificateRefs: [{name: ghost}]"))
    assert "spec.validation.caCertificateRefs[0]: got default/ghost, of which no authorities are known" in str(
        refused.value.details()
    )


async def test_a_lower_priority_is_used_when_the_higher_one_is_gone(outside: Outside, tmp_path: Path) -> None:
    shop = outside.shop
    async with running_upstream("near") as near, running_upstream("far") as far:
        await shop.mesh.add_service("ranked")
        await shop.mesh.add_endpoint("ranked", near.port, "v1", zone="a", region="eu")
        await shop.mesh.add_endpoint("ranked", far.port, "v1", zone="b", region="us", priority="1")
        await shop.apply(route("ranked"))
        for _ in range(20):
            assert '"near"' in (await shop.request()).body
        await shop.mesh.remove_endpoint("ranked", near.port)
        await shop.mesh.in_sync()
        assert '"far"' in (await shop.request()).body


async def eventually_200(shop: Shop) -> str:
    """The body once DNS has answered."""

    async def ok() -> str | None:
        answer = await shop.request()
        return answer.body if answer.status == 200 else None

    return await eventually(ok)
