"""Who may be of which group: two clients with certificates of one authority, and one whose certificate names nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret

from controlplane.errors import ConfigError
from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node
from tests.certificates import Authority, certificate
from tests.meshes import config, documents, running_mesh
from tests.shop import policy
from xds.resource_types import SECRET
from xds.server import ADS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Port:
    """A control plane's xDS port over TLS. `pairs`: certificates and keys, by whom they name."""

    port: int
    server: bytes
    pairs: dict[str, tuple[Path, Path]]

    async def asks(self, who: str, *, group: str, secret: str) -> bytes:
        """The key that `who`, who says to be of `group`, is sent. Raises grpc.aio.AioRpcError."""
        cert, key = self.pairs[who]
        trusted = grpc.ssl_channel_credentials(self.server, key.read_bytes(), cert.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{self.port}", trusted) as channel:
            method: Any = channel.stream_stream(
                f"/{ADS}/DeltaAggregatedResources",
                request_serializer=DeltaDiscoveryRequest.SerializeToString,
                response_deserializer=DeltaDiscoveryResponse.FromString,
            )
            call = method()
            node = Node(id=who, cluster=group)
            await call.write(
                DeltaDiscoveryRequest(node=node, type_url=SECRET.type_url, resource_names_subscribe=[secret])
            )
            response = await asyncio.wait_for(call.read(), 30)
            assert isinstance(response, DeltaDiscoveryResponse), await call.code()
            [resource] = response.resources
            made = Secret.parse(resource.resource.value)
            assert made.tls_certificate is not None
            assert made.tls_certificate.private_key is not None
            return made.tls_certificate.private_key.inline_string.encode()  # type: ignore[union-attr]


def sidecar(name: str) -> str:
    return f"""
apiVersion: apg.mesh/v1
kind: Sidecar
metadata: {{name: {name}}}
spec: {{inbound: {{application: 8080}}}}
"""


async def started(stack: AsyncExitStack, folder: Path, transport: str, groups: str) -> Port:
    authority, certificates = Authority(folder), folder / "certificates"
    pairs = {"nobody": authority.issue("nobody")}
    for name in ("payment", "cart"):
        pairs[name] = authority.issue(name, uri=f"spiffe://cluster.local/ns/default/sa/{name}")
        authority.install(certificates, f"default/{name}", name)
        authority.install_trust(certificates, f"default/{name}")
        pairs[name] = authority.issue(name, uri=f"spiffe://cluster.local/ns/default/sa/{name}")
    server, key = certificate(folder, "localhost")
    settings = config(
        folder,
        certificates=certificates,
        xds_tls_cert=server,
        xds_tls_key=key,
        xds_client_ca=authority.certificate,
        xds_transport=transport,
        xds_groups=groups,
    )
    mesh = await stack.enter_async_context(running_mesh(settings))
    for name in ("payment", "cart"):
        await mesh.add_service(name)
    asked = [
        policy("AuthenticationPolicy", "mutualTls: {}", name=name, target=f"{{kind: Service, name: {name}}}")
        for name in ("payment", "cart")
    ]
    await mesh.apply(documents(sidecar("payment"), sidecar("cart"), *asked))
    return Port(mesh.xds_port, server.read_bytes(), pairs)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["http2", "grpcio"])
async def bound(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Port]:
    async with AsyncExitStack() as stack:
        yield await started(stack, tmp_path_factory.mktemp("bound"), request.param, "own")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loose(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Port]:
    async with AsyncExitStack() as stack:
        yield await started(stack, tmp_path_factory.mktemp("loose"), "http2", "any")


async def test_each_is_sent_its_own_key(bound: Port) -> None:
    for who in ("payment", "cart"):
        key = await bound.asks(who, group=f"sidecar/default/{who}", secret=f"certificate/default/{who}")
        assert b"PRIVATE KEY" in key


@pytest.mark.parametrize(
    ("who", "group", "words"),
    [
        ("payment", "sidecar/default/cart", "got sidecar/default/cart, want sidecar/default/payment, default/payment"),
        ("cart", "sidecar/default/payment", "want sidecar/default/cart, default/cart: what the client's certificate"),
        ("cart", "sidecar/other/cart", "got sidecar/other/cart, want"),
        ("cart", "", "want sidecar/default/cart"),
        ("nobody", "sidecar/default/payment", "a certificate without the SPIFFE ID of a service or Gateway"),
    ],
)
async def test_nobody_is_sent_anything_of_another_group(bound: Port, who: str, group: str, words: str) -> None:
    for secret in ("certificate/default/payment", "certificate/default/cart"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await bound.asks(who, group=group, secret=secret)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert words in (refused.value.details() or "")


async def test_any_group_is_taken_where_that_is_said(loose: Port) -> None:
    key = await loose.asks("nobody", group="sidecar/default/cart", secret="certificate/default/cart")
    assert b"PRIVATE KEY" in key


async def test_keys_do_not_leave_loopback_to_whoever_asks(tmp_path: Path) -> None:
    outside = {"xds_address": "0.0.0.0:0", "xds_plaintext": True, "certificates": tmp_path}
    with pytest.raises(ConfigError, match=r'they would be sent its keys; want xds_client_ca, or xds_groups = "any"'):
        config(tmp_path, **outside)
    assert config(tmp_path, **outside, xds_groups="any").xds_groups == "any"
