"""Our reduced xDS messages have the numbers and types of the Envoy messages that they stand for."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from betterproto2 import FieldMetadata, Message
from envoy_data_plane.envoy.admin import v3 as admin
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.clusters.aggregate import v3 as aggregate
from envoy_data_plane.envoy.extensions.filters.http.oauth2 import v3 as oauth2
from envoy_data_plane.envoy.extensions.filters.http.router import v3 as router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as http
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy import v3 as tcp
from envoy_data_plane.envoy.extensions.transport_sockets.http_11_proxy import v3 as http_11_proxy
from envoy_data_plane.envoy.extensions.transport_sockets.internal_upstream import v3 as internal_upstream
from envoy_data_plane.envoy.extensions.transport_sockets.proxy_protocol import v3 as proxy_protocol
from envoy_data_plane.envoy.extensions.transport_sockets.quic import v3 as quic
from envoy_data_plane.envoy.extensions.transport_sockets.starttls import v3 as starttls
from envoy_data_plane.envoy.extensions.transport_sockets.tap import v3 as tap
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream_http
from envoy_data_plane.envoy.service.discovery import v3 as discovery
from envoy_data_plane.envoy.service.load_stats import v3 as load_stats
from envoy_data_plane.envoy.service.runtime import v3 as runtime
from envoy_data_plane.envoy.service.status import v3 as status
from envoy_data_plane.envoy.type import v3 as envoy_type
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google import protobuf, rpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from protos.apg.xds.v3 import discovery_pb2, load_stats_pb2, references_pb2, status_pb2

# Both of Envoy's classes for a cluster with a weight have the part that we read.
STANDS_FOR: dict[str, tuple[type[Message], ...]] = {
    # discovery.proto
    "Node": (core.Node,),
    "Locality": (core.Locality,),
    "BuildVersion": (core.BuildVersion,),
    "SemanticVersion": (envoy_type.SemanticVersion,),
    "Status": (rpc.Status,),
    "DiscoveryRequest": (discovery.DiscoveryRequest,),
    "DiscoveryResponse": (discovery.DiscoveryResponse,),
    "DeltaDiscoveryRequest": (discovery.DeltaDiscoveryRequest,),
    "DeltaDiscoveryResponse": (discovery.DeltaDiscoveryResponse,),
    "Resource": (discovery.Resource,),
    "ControlPlane": (core.ControlPlane,),
    # load_stats.proto
    "LoadStatsRequest": (load_stats.LoadStatsRequest,),
    "LoadStatsResponse": (load_stats.LoadStatsResponse,),
    "ClusterStats": (endpoint.ClusterStats,),
    "DroppedRequests": (endpoint.ClusterStatsDroppedRequests,),
    "UpstreamLocalityStats": (endpoint.UpstreamLocalityStats,),
    "UpstreamEndpointStats": (endpoint.UpstreamEndpointStats,),
    "EndpointLoadMetricStats": (endpoint.EndpointLoadMetricStats,),
    "UnnamedEndpointLoadMetricStats": (endpoint.UnnamedEndpointLoadMetricStats,),
    "Address": (core.Address,),
    "SocketAddress": (core.SocketAddress,),
    "Pipe": (core.Pipe,),
    "EnvoyInternalAddress": (core.EnvoyInternalAddress,),
    # status.proto
    "ClientStatusRequest": (status.ClientStatusRequest,),
    "ClientStatusResponse": (status.ClientStatusResponse,),
    "ClientConfig": (status.ClientConfig,),
    "GenericXdsConfig": (status.ClientConfigGenericXdsConfig,),
    "UpdateFailureState": (admin.UpdateFailureState,),
    "NodeMatcher": (matcher.NodeMatcher,),
    "StringMatcher": (matcher.StringMatcher,),
    "RegexMatcher": (matcher.RegexMatcher,),
    "StructMatcher": (matcher.StructMatcher,),
    "PathSegment": (matcher.StructMatcherPathSegment,),
    "ValueMatcher": (matcher.ValueMatcher,),
    # references.proto
    "PackedConfig": (protobuf.Any,),
    "ConfigSourceRefs": (core.ConfigSource,),
    "ClusterRefs": (cluster.Cluster,),
    "EdsClusterRefs": (cluster.ClusterEdsClusterConfig,),
    "ClusterLoadAssignmentRefs": (endpoint.ClusterLoadAssignment,),
    "ListenerRefs": (listener.Listener,),
    "ApiListenerRefs": (listener.ApiListener,),
    "FilterChainRefs": (listener.FilterChain,),
    "NetworkFilterRefs": (listener.Filter,),
    "HttpConnectionManagerRefs": (http.HttpConnectionManager,),
    "RdsRefs": (http.Rds,),
    "TcpProxyRefs": (tcp.TcpProxy,),
    "WeightedTcpRefs": (tcp.TcpProxyWeightedCluster,),
    "RouteConfigurationRefs": (route.RouteConfiguration,),
    "VirtualHostRefs": (route.VirtualHost,),
    "RouteRefs": (route.Route,),
    "RouteActionRefs": (route.RouteAction,),
    "WeightedClusterRefs": (route.WeightedCluster,),
    "ClusterNameRef": (route.WeightedClusterClusterWeight, tcp.TcpProxyWeightedClusterClusterWeight),
    "CustomClusterTypeRefs": (cluster.ClusterCustomClusterType,),
    "ClusterFilterRefs": (cluster.Filter,),
    "TransportSocketMatchRefs": (cluster.ClusterTransportSocketMatch,),
    "AggregateClusterRefs": (aggregate.ClusterConfig,),
    "HttpProtocolOptionsRefs": (upstream_http.HttpProtocolOptions,),
    "TransportSocketRefs": (core.TransportSocket,),
    "UpstreamTlsRefs": (tls.UpstreamTlsContext,),
    "DownstreamTlsRefs": (tls.DownstreamTlsContext,),
    "CommonTlsRefs": (tls.CommonTlsContext,),
    "CombinedValidationRefs": (tls.CommonTlsContextCombinedCertificateValidationContext,),
    "SdsSecretRefs": (tls.SdsSecretConfig,),
    "QuicUpstreamRefs": (quic.QuicUpstreamTransport,),
    "QuicDownstreamRefs": (quic.QuicDownstreamTransport,),
    "UpstreamStartTlsRefs": (starttls.UpstreamStartTlsConfig,),
    "StartTlsRefs": (starttls.StartTlsConfig,),
    "Http11ProxySocketRefs": (http_11_proxy.Http11ProxyUpstreamTransport,),
    "WrappingSocketRefs": (proxy_protocol.ProxyProtocolUpstreamTransport, tap.Tap),
    "InternalSocketRefs": (internal_upstream.InternalUpstreamTransport,),
    "NameOnly": (tls.Secret, runtime.Runtime),
    "ExtensionRefs": (core.TypedExtensionConfig,),
    "ExtensionConfigSourceRefs": (core.ExtensionConfigSource,),
    "ListenerFilterRefs": (listener.ListenerFilter,),
    "HttpFilterRefs": (http.HttpFilter,),
    "RouterRefs": (router.Router,),
    "OAuth2Refs": (oauth2.OAuth2,),
    "OAuth2ConfigRefs": (oauth2.OAuth2Config,),
    "OAuth2CredentialsRefs": (oauth2.OAuth2Credentials,),
    "ScopedRoutesRefs": (http.ScopedRoutes,),
    "ScopedRoutesListRefs": (http.ScopedRouteConfigurationsList,),
    "ScopedRouteRefs": (route.ScopedRouteConfiguration,),
    "MirrorRefs": (route.RouteActionRequestMirrorPolicy,),
    # google.protobuf, which discovery.proto imports
    "google.protobuf.Any": (protobuf.Any,),
    "google.protobuf.Duration": (protobuf.Duration,),
    "google.protobuf.Struct": (protobuf.Struct,),
    "google.protobuf.Timestamp": (protobuf.Timestamp,),
}
OF_ANY_KIND = {"Present", "UnsupportedMatcher"}  # stand for every message

PROTO_TYPES = {
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_ENUM: "enum",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_MESSAGE: "message",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
}


def descriptors(module: ModuleType) -> list[Descriptor]:
    return list(module.DESCRIPTOR.message_types_by_name.values())


MODULES = (discovery_pb2, load_stats_pb2, references_pb2, status_pb2)
OURS = {descriptor.name: descriptor for module in MODULES for descriptor in descriptors(module)}
PAIRS = [
    pytest.param(OURS[name], cls, id=f"{name}-{cls.__name__}")
    for name, classes in STANDS_FOR.items()
    for cls in classes
    if name in OURS
]


def test_every_message_of_ours_stands_for_one_of_envoy() -> None:
    assert set(OURS) - OF_ANY_KIND == {name for name in STANDS_FOR if not name.startswith("google.")}


@pytest.mark.parametrize(("ours", "cls"), PAIRS)
def test_numbers_and_types_are_those_of_envoy(ours: Descriptor, cls: Any) -> None:
    table = cls._betterproto
    for field in ours.fields:
        theirs: FieldMetadata = table.meta_by_field_name[field.name]
        assert field.number == theirs.number, field.full_name
        if theirs.map_meta is not None:
            entry = field.message_type
            assert entry is not None, field.full_name
            assert entry.GetOptions().map_entry, field.full_name
            types = [PROTO_TYPES[half.type] for half in entry.fields]
            assert types == [half.proto_type for half in theirs.map_meta], field.full_name
            continue
        assert field.is_repeated == bool(theirs.repeated), field.full_name
        # An enum is read as its number.
        assert (PROTO_TYPES[field.type], theirs.proto_type) == ("uint32", "enum") or (
            PROTO_TYPES[field.type] == theirs.proto_type
        ), field.full_name
        if field.message_type is not None and field.message_type.name not in OF_ANY_KIND:
            name = field.message_type.name if field.message_type.name in OURS else field.message_type.full_name
            element = theirs.unwrap() if theirs.unwrap is not None else table.cls_by_field[field.name]
            assert element in STANDS_FOR[name], field.full_name


def test_enums_have_the_values_of_envoy() -> None:
    for ours, theirs in (
        (status_pb2.ConfigStatus, status.ConfigStatus),
        (status_pb2.ClientResourceStatus, admin.ClientResourceStatus),
    ):
        for name, number in ours.items():
            assert theirs(number).name == ("UNKNOWN" if number == 0 else name)


def test_a_node_leaves_out_its_extensions() -> None:
    """They are most of what Envoy sends."""
    assert hasattr(core.Node(), "extensions")
    assert "extensions" not in OURS["Node"].fields_by_name
