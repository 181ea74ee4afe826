"""Units as an Envoy's static bootstrap, in bytes: what came by xDS stands inline, so that Envoy looks at all of it.

Skeletons (docs/decisions/0004) do the surgery: they know the few fields that are moved, and keep all others.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

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
    Http2ProtocolOptions,
    Node,
    TransportSocket,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CommonTlsContext,
    SdsSecretConfig,
    Secret,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)

from controlplane.admission.units import Unit, by_name
from protos.apg.xds.v3 import references_pb2 as pb
from xds.encoder import encode, pack
from xds.resource import Resource
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER
from xds.wire import length_delimited, string

_STATIC_RESOURCES = 2  # Bootstrap
_LISTENERS, _CLUSTERS, _SECRETS = 1, 2, 3  # Bootstrap.StaticResources
_LOAD_ASSIGNMENT = 33  # Cluster
_DO_NOT_LOOK_FOR_CLUSTERS = b"\x3a\x00"  # RouteConfiguration.validate_clusters = 7, a BoolValue that is false
_EDS = 3  # Cluster.DiscoveryType
_ADS = "xds"  # the name that proxies are started with: controlplane/bootstrap.py
_FILE_LOG = b"envoy.extensions.access_loggers.file.v3.FileAccessLog"
_HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

Routes = Mapping[str, bytes]
"""RouteConfigurations by name, where others than a unit's own are to be looked at."""


def bootstrap(units: Iterable[Unit], *, routes: Routes | None = None) -> bytes:
    """The serialized Bootstrap that holds `units`."""
    named: set[str] = set()
    stubs: set[str] = set()
    fields = []
    for unit in units:
        match unit.head.type:
            case type if type is CLUSTER:
                named.add(unit.head.name)
                fields.append(length_delimited(_CLUSTERS, _cluster(unit)))
            case type if type is LISTENER:
                stubs |= unit.stubs
                fields.append(length_delimited(_LISTENERS, _listener(unit, routes)))
            case _:
                fields.append(length_delimited(_SECRETS, unit.head.body))
                fields.append(length_delimited(_CLUSTERS, _user_of_secret(unit.head)))
    fields += [length_delimited(_CLUSTERS, _stub(name)) for name in sorted(stubs - named)]
    return _base() + length_delimited(_STATIC_RESOURCES, b"".join(fields))


@functools.cache
def _base() -> bytes:
    """A node, and the aggregated stream that resources name; nobody is asked, so it leads nowhere."""
    ads = ApiConfigSource(
        api_type=ApiConfigSourceApiType.DELTA_GRPC,
        transport_api_version=ApiVersion.V3,
        grpc_services=[GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=_ADS))],
    )
    http2 = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    options = pack(HttpProtocolOptions(explicit_http_config=http2))
    server = Cluster(
        name=_ADS,
        load_assignment=ClusterLoadAssignment(cluster_name=_ADS),
        typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    )
    return encode(
        Bootstrap(
            node=Node(id="check", cluster="check"),
            dynamic_resources=BootstrapDynamicResources(ads_config=ads),
            static_resources=BootstrapStaticResources(clusters=[server]),
        )
    )


def _cluster(unit: Unit) -> bytes:
    """The cluster with its endpoints inline, as if it were static: Envoy then looks at both."""
    skeleton = pb.ClusterRefs.FromString(unit.head.body)
    if skeleton.type != _EDS:
        return unit.head.body
    assignments = [part.body for part in unit.parts if part.type is ENDPOINT]
    skeleton.ClearField("type")
    skeleton.ClearField("eds_cluster_config")
    assignment = assignments[0] if assignments else string(1, unit.head.name)
    return skeleton.SerializeToString() + length_delimited(_LOAD_ASSIGNMENT, assignment)


def _listener(unit: Unit, routes: Routes | None) -> bytes:
    configurations = routes or {name: part.body for name, part in by_name(unit.parts).items()}
    skeleton = pb.ListenerRefs.FromString(unit.head.body)
    chains = list(skeleton.filter_chains)
    if skeleton.HasField("default_filter_chain"):
        chains.append(skeleton.default_filter_chain)
    for chain in chains:
        for filter in chain.filters:  # noqa: A001  # Envoy's word
            _inline(filter.typed_config, configurations)
    if skeleton.HasField("api_listener"):
        _inline(skeleton.api_listener.api_listener, configurations)
    return skeleton.SerializeToString()


def _inline(config: pb.PackedConfig, configurations: Mapping[str, bytes]) -> None:
    if config.type_url.rpartition("/")[2] != _HTTP:
        return
    manager = pb.HttpConnectionManagerRefs.FromString(config.value)
    body = configurations.get(manager.rds.route_config_name) if manager.HasField("rds") else None
    if body is not None:
        manager.ClearField("rds")
        manager.route_config.ParseFromString(body + _DO_NOT_LOOK_FOR_CLUSTERS)
        config.value = manager.SerializeToString()
    if _FILE_LOG in config.value:
        config.value = _without_files(config.value)


def _without_files(manager: bytes) -> bytes:
    """The manager with logs that go nowhere: their files are the proxies', not this machine's."""
    parsed = HttpConnectionManager.parse(manager)
    for log in parsed.access_log:
        if log.typed_config is not None and log.typed_config.type_url.encode().endswith(_FILE_LOG):
            nowhere = FileAccessLog.parse(log.typed_config.value)
            nowhere.path = "/dev/null"
            log.typed_config = pack(nowhere)
    return encode(parsed)


def _stub(name: str) -> bytes:
    return string(1, name) + length_delimited(_LOAD_ASSIGNMENT, string(1, name))


def _user_of_secret(secret: Resource) -> bytes:
    """A cluster that uses `secret`: a secret that nobody uses is not looked into."""
    held = Secret.parse(secret.body)
    reference = SdsSecretConfig(name=secret.name)
    context = CommonTlsContext()
    if held.validation_context is not None:
        context.validation_context_sds_secret_config = reference
    elif held.tls_certificate is not None:
        context.tls_certificate_sds_secret_configs = [reference]
    name = f"user of {secret.name}"
    return encode(
        Cluster(
            name=name,
            load_assignment=ClusterLoadAssignment(cluster_name=name),
            transport_socket=TransportSocket(
                name="envoy.transport_sockets.tls", typed_config=pack(UpstreamTlsContext(common_tls_context=context))
            ),
        )
    )
