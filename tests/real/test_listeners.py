"""Listeners of all protocols through a real Envoy: HTTPS by SNI, rotation, TLS passthrough, TCP, gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import grpc
import pytest
import pytest_asyncio

from protos.apg.admin.v1 import admin_pb2 as pb
from tests.certificates import Authority
from tests.conditions import eventually
from tests.meshes import documents
from tests.ports import reserve_port
from tests.shop import Shop, Upstream, running_shop, running_upstream

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("listeners")]


@dataclass
class Edge:
    """A Shop whose Gateway listens on all kinds of port."""

    shop: Shop
    authority: Authority
    certificates: Path
    tls: int
    tcp: int
    secret: Upstream

    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.certificate))

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A client that finds every host at the gateway's TLS port."""
        connector = aiohttp.TCPConnector(ssl=self.trusting(), resolver=_Loopback(), force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
            yield session

    async def get(self, host: str, path: str = "/", **options: object) -> tuple[int, str]:
        async with (
            self.session() as session,
            session.get(f"https://{host}:{self.tls}{path}", **options) as response,  # type: ignore[arg-type]
        ):
            return response.status, await response.text()

    async def serial(self, host: str) -> int:
        """The serial number of the certificate that the gateway shows for `host`."""
        _, writer = await asyncio.open_connection("127.0.0.1", self.tls, ssl=self.trusting(), server_hostname=host)
        shown = writer.get_extra_info("peercert")["serialNumber"]
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return int(shown, 16)


class _Loopback(aiohttp.abc.AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[aiohttp.abc.ResolveResult]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    authority, certificates = Authority(folder), folder / "certificates"
    authority.install(certificates, "default/shop", "shop.example")
    authority.install(certificates, "default/bank", "bank.example")
    authority.install(certificates, "default/ended", "ended.example")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*authority.issue("secret.example"))
    with reserve_port() as tls, reserve_port() as tcp:
        async with (
            running_shop(folder, certificates=certificates) as shop,
            running_upstream("secret", tls=server) as secret,
        ):
            await shop.mesh.add_service("secret")
            await shop.mesh.add_endpoint("secret", secret.port, "v1")
            made = Edge(shop, authority, certificates, tls, tcp, secret)
            await shop.apply(listeners(made), ROUTES)
            yield made


def listeners(edge: Edge) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  addresses: [{{type: IPAddress, value: 127.0.0.1}}]
  listeners:
    - {{name: http, protocol: HTTP, port: {edge.shop.port}}}
    - {{name: shop, protocol: HTTPS, port: {edge.tls}, hostname: shop.example, tls: {{certificateRefs: [{{name: shop}}]}}}}
    - {{name: bank, protocol: HTTPS, port: {edge.tls}, hostname: bank.example, tls: {{certificateRefs: [{{name: bank}}]}}}}
    - {{name: pass, protocol: TLS, port: {edge.tls}, hostname: "*.example", tls: {{mode: Passthrough}}}}
    - {{name: ended, protocol: TLS, port: {edge.tls}, hostname: ended.example, tls: {{certificateRefs: [{{name: ended}}]}}}}
    - {{name: tcp, protocol: TCP, port: {edge.tcp}}}
"""


ROUTES = documents(
    """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: payment}
spec:
  parentRefs: [{name: edge, sectionName: shop}, {name: edge, sectionName: http}]
  rules: [{backendRefs: [{name: payment}]}]
""",
    """
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: secret}
spec:
  parentRefs: [{name: edge}]
  hostnames: [secret.example]
  rules: [{backendRefs: [{name: secret}]}]
""",
    """
apiVersion: gateway.networking.k8s.io/v1
kind: TLSRoute
metadata: {name: ended}
spec:
  parentRefs: [{name: edge, sectionName: ended}]
  hostnames: [ended.example]
  rules: [{backendRefs: [{name: payment}]}]
""",
    """
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: tcp}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: payment}]}]
""",
)


async def test_https_ends_at_the_gateway_with_the_certificate_of_the_asked_name(edge: Edge) -> None:
    status, body = await edge.get("shop.example", "/pay")
    assert status == 200
    told = json.loads(body)
    assert told["path"] == "/pay"
    assert {name.lower(): value for name, value in told["headers"].items()}["x-forwarded-proto"] == "https"
    assert await edge.serial("shop.example") != await edge.serial("bank.example")


async def test_a_listener_serves_its_own_routes_only(edge: Edge) -> None:
    assert (await edge.get("bank.example"))[0] == 404, "the route is attached to the listener shop"
    elsewhere = {"host": "bank.example"}
    assert (await edge.get("shop.example", headers=elsewhere))[0] == 404, "the connection was made for shop.example"


async def test_tls_is_passed_through_by_the_asked_name_and_ends_at_the_backend(edge: Edge) -> None:
    status, body = await edge.get("secret.example", "/deep")
    assert (status, json.loads(body)["service"]) == (200, "secret")
    with pytest.raises(aiohttp.ClientConnectionError):
        await edge.get("other.example")


async def test_tls_can_end_at_the_gateway_for_a_backend_that_speaks_plain(edge: Edge) -> None:
    status, body = await edge.get("ended.example")
    told = json.loads(body)
    assert (status, told["service"]) == (200, "payment")
    assert "x-request-id" not in {name.lower() for name in told["headers"]}, "an HTTP proxy was in between"


async def test_tcp_is_carried(edge: Edge) -> None:
    async with edge.shop.session.get(f"http://127.0.0.1:{edge.tcp}/raw", headers={"host": "any"}) as response:
        told = await response.json()
    assert told["path"] == "/raw"
    assert "x-request-id" not in {name.lower() for name in told["headers"]}, "an HTTP proxy was in between"


async def test_a_new_certificate_is_shown_without_a_restart_and_a_broken_one_changes_nothing(edge: Edge) -> None:
    before = await edge.serial("shop.example")
    (edge.certificates / "default/shop/tls.crt").write_text("not a certificate")
    edge.authority.install(edge.certificates, "default/bank", "bank.example")  # shows that the folder was read
    bank = await edge.serial("bank.example")

    async def other(host: str, old: int) -> bool:
        return await edge.serial(host) != old

    await eventually(lambda: other("bank.example", bank))
    assert await edge.serial("shop.example") == before
    edge.authority.install(edge.certificates, "default/shop", "shop.example")
    await eventually(lambda: other("shop.example", before))
    assert (await edge.get("shop.example"))[0] == 200


async def test_a_plan_does_not_show_a_key(edge: Edge) -> None:
    text = listeners(edge).replace("{name: shop}", "{name: bank}")
    planned = await edge.shop.mesh.api.Plan(pb.PlanRequest(documents=text.encode()), timeout=30)
    [secret] = [diff for diff in planned.plan.resources if diff.type_url.endswith("Secret")]
    assert "PRIVATE KEY" not in str(planned)
    assert "not shown" in secret.before_yaml


async def test_grpc_calls_go_by_service_and_method(edge: Edge) -> None:
    """The backend is a real gRPC server: the control plane's own admin API."""
    mesh = edge.shop.mesh
    port = int(mesh.control_plane.addresses.admin.rpartition(":")[2])
    await mesh.add_service("admin", protocol=pb.PROTOCOL_HTTP2)
    await mesh.add_endpoint("admin", port, "v1")
    await edge.shop.apply("""
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: admin}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  hostnames: [grpc.example]
  rules:
    - matches: [{method: {service: apg.admin.v1.AdminService, method: List}}]
      backendRefs: [{name: admin}]
""")
    options = [("grpc.default_authority", "grpc.example")]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{edge.shop.port}", options=options) as channel:
        call = channel.unary_unary(
            "/apg.admin.v1.AdminService/List",
            request_serializer=pb.ListRequest.SerializeToString,
            response_deserializer=pb.ListResponse.FromString,
        )
        listed = await call(pb.ListRequest(), timeout=30)
        assert "GRPCRoute" in {document.kind for document in listed.documents}
        other = channel.unary_unary(
            "/apg.admin.v1.AdminService/Get", request_serializer=bytes, response_deserializer=bytes
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await other(b"", timeout=30)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_redirect_without_a_port_leads_to_the_listeners_or_to_what_its_scheme_is_known_for(edge: Edge) -> None:
    plain, tls = f"http://shop.example:{edge.shop.port}", f"https://shop.example:{edge.tls}"
    # What the redirect says, and where it leads from the plain and from the TLS listener.
    table = [
        ("{}", f"{plain}/0", f"{tls}/0"),
        ("{scheme: http}", "http://shop.example/1", "http://shop.example/1"),
        ("{scheme: https}", "https://shop.example/2", "https://shop.example/2"),
        ("{scheme: https, port: 8443}", "https://shop.example:8443/3", "https://shop.example:8443/3"),
        ("{port: 80}", "http://shop.example/4", "https://shop.example:80/4"),
        ("{port: 443}", "http://shop.example:443/5", "https://shop.example/5"),
        ("{hostname: new.example}", f"http://new.example:{edge.shop.port}/6", f"https://new.example:{edge.tls}/6"),
        ("{path: {type: ReplaceFullPath, replaceFullPath: /new}}", f"{plain}/new", f"{tls}/new"),
    ]
    rules = "\n".join(
        f"    - matches: [{{path: {{type: Exact, value: /{number}}}}}]\n"
        f"      filters: [{{type: RequestRedirect, requestRedirect: {redirect}}}]"
        for number, (redirect, _, _) in enumerate(table)
    )
    await edge.shop.apply(f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: moved}}
spec:
  parentRefs: [{{name: edge, sectionName: shop}}, {{name: edge, sectionName: http}}]
  hostnames: [shop.example]
  rules:
{rules}
""")
    async with edge.session() as session:
        for base, column in ((plain, 1), (tls, 2)):
            for number, row in enumerate(table):
                async with session.get(f"{base}/{number}", allow_redirects=False) as response:
                    assert (response.status, response.headers["location"]) == (302, row[column]), row
