"""A real Envoy's word on a snapshot: all of it as one static configuration, through `envoy --mode validate`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Bootstrap,
    BootstrapDynamicResources,
    BootstrapStaticResources,
)
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import (
    ApiConfigSource,
    ApiConfigSourceApiType,
    ApiVersion,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    Node,
)
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from tests.envoys import envoy_binary
from xds.encoder import encode, pack
from xds.resource_types import CLUSTER, LISTENER, ROUTE
from xds.snapshot import Snapshot

_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_XDS = "xds"


async def verdict(snapshot: Snapshot) -> str:
    """Envoy's words where it would refuse the snapshot; "" where it would take it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bootstrap.pb"
        path.write_bytes(encode(_bootstrap(snapshot)))
        process = await asyncio.create_subprocess_exec(
            *(str(envoy_binary()), "--mode", "validate", "--config-path", str(path)),
            *("--disable-hot-restart", "--log-level", "error", "--log-format", "%v"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
    return "" if process.returncode == 0 else output.decode(errors="replace").strip() or "refused without a word"


def _bootstrap(snapshot: Snapshot) -> Bootstrap:
    ads = ApiConfigSource(
        api_type=ApiConfigSourceApiType.DELTA_GRPC,
        transport_api_version=ApiVersion.V3,
        grpc_services=[GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=_XDS))],
    )
    clusters = [Cluster.parse(resource.body) for resource in snapshot.resources(CLUSTER).values()]
    return Bootstrap(
        node=Node(id="test", cluster="test"),
        dynamic_resources=BootstrapDynamicResources(ads_config=ads),
        static_resources=BootstrapStaticResources(
            clusters=[Cluster(name=_XDS), *clusters],
            listeners=[
                _with_routes(Listener.parse(resource.body), snapshot)
                for resource in snapshot.resources(LISTENER).values()
            ],
        ),
    )


def _with_routes(listener: Listener, snapshot: Snapshot) -> Listener:
    """The listener with its route configurations in place: what comes by RDS is not looked at when validating."""
    for chain in listener.filter_chains:
        for network_filter in chain.filters:
            packed = network_filter.typed_config
            if packed is None or not packed.type_url.endswith(_MANAGER):
                continue
            manager = HttpConnectionManager.parse(packed.value)
            if manager.rds is None:
                continue
            routes = snapshot.get(ROUTE, manager.rds.route_config_name)
            assert routes is not None
            manager.rds = None
            manager.route_config = RouteConfiguration.parse(routes.body)
            network_filter.typed_config = pack(manager)
    return listener
