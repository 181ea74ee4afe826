"""Which resources a resource refers to, read from its bytes by way of skeletons (docs/decisions/0004).

`protos/apg/xds/v3/references.proto` declares just the fields that name other resources; the parser skips the rest.
A configuration inside another (a filter, a transport socket) is looked into if `_PACKED` knows its type.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from protos.apg.xds.v3 import references_pb2 as pb
from xds.errors import SnapshotError
from xds.resource_types import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    ROUTE,
    RUNTIME,
    SCOPED_ROUTE,
    SECRET,
    VIRTUAL_HOST,
    ResourceKey,
    ResourceType,
)

SkeletonT = TypeVar("SkeletonT", bound=Message)
_NONE: frozenset[ResourceKey] = frozenset()
Keys: TypeAlias = Iterator[ResourceKey]
Reader: TypeAlias = tuple[Callable[[bytes], Message], Callable[[Any], Iterable[ResourceKey]]]

_EDS = 3  # envoy.config.cluster.v3.Cluster.DiscoveryType.EDS


def resource_name(type: ResourceType, body: bytes) -> str:
    """The name that the resource gives itself; "" if it gives none, or if its type is opaque.

    Raises:
        SnapshotError: the bytes are not such a message.
    """
    if type.is_opaque:
        return ""
    skeleton = _parsed(type, body)
    name: str = getattr(skeleton, "cluster_name" if type is ENDPOINT else "name")
    return name


def domains(body: bytes) -> tuple[str, ...]:
    """The domains of an envoy.config.route.v3.VirtualHost."""
    host = _parsed(VIRTUAL_HOST, body)
    return tuple(host.domains) if isinstance(host, pb.VirtualHostRefs) else ()


def references(type: ResourceType, body: bytes) -> frozenset[ResourceKey]:
    """The resources that the resource needs to be there. An opaque type has none.

    Raises:
        SnapshotError: the bytes are not such a message.
    """
    if type.is_opaque:
        return _NONE
    skeleton = _parsed(type, body)
    try:
        # The same few thousand names again and again: one text for each.
        found = frozenset(ResourceKey(key.type, sys.intern(key.name)) for key in _SKELETONS[type][1](skeleton))
    except RecursionError:
        raise SnapshotError(f"got a {type.type_url} with configurations nested too deeply, want fewer levels") from None
    return found or _NONE  # Python makes a new empty set each time, of 216 bytes


def _parsed(type: ResourceType, body: bytes) -> Message:
    try:
        return _SKELETONS[type][0](body)
    except DecodeError as error:
        raise SnapshotError(f"got {len(body)} bytes that are no {type.type_url}: {error}") from error


def _from_us(source: pb.ConfigSourceRefs) -> bool:
    """Whether a resource is to come from the server that sent the one referring to it, not from a file or elsewhere."""
    return source.WhichOneof("config_source_specifier") in (None, "ads", "self")


# --- clusters ---


def _of_cluster(cluster: pb.ClusterRefs) -> Keys:
    if cluster.type == _EDS and _from_us(cluster.eds_cluster_config.eds_config):
        yield ResourceKey(ENDPOINT, cluster.eds_cluster_config.service_name or cluster.name)
    yield from _of_packed(cluster.cluster_type.typed_config)
    yield from _of_socket(cluster.transport_socket)
    for match in cluster.transport_socket_matches:
        yield from _of_socket(match.transport_socket)
    yield from _of_filters(cluster.filters)
    for options in cluster.typed_extension_protocol_options.values():
        yield from _of_packed(options)


def _of_aggregate(aggregate: pb.AggregateClusterRefs) -> Keys:
    return _clusters(aggregate.clusters)


def _of_protocol_options(options: pb.HttpProtocolOptionsRefs) -> Keys:
    yield from _of_filters(options.http_filters)
    yield from _mirrors(options.request_mirror_policies)


# --- listeners and their filters ---


def _of_listener(listener: pb.ListenerRefs) -> Keys:
    yield from _of_filters(listener.listener_filters)
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        yield from _of_filters(chain.filters)
        yield from _of_socket(chain.transport_socket)
    yield from _of_packed(listener.api_listener.api_listener)


def _of_filters(filters: Iterable[Any]) -> Keys:
    """Of any of Envoy's kinds of filters: each is named, and has its configuration in it or by ECDS."""
    for filter in filters:  # noqa: A001  # Envoy's word
        if filter.HasField("config_discovery"):
            if _from_us(filter.config_discovery.config_source):
                yield ResourceKey(EXTENSION, filter.name)
            yield from _of_packed(filter.config_discovery.default_config)
        else:
            yield from _of_packed(filter.typed_config)


def _of_manager(manager: pb.HttpConnectionManagerRefs) -> Keys:
    if manager.rds.route_config_name and _from_us(manager.rds.config_source):
        yield ResourceKey(ROUTE, manager.rds.route_config_name)
    yield from _of_routes(manager.route_config)
    yield from _of_filters(manager.http_filters)
    from_us = _from_us(manager.scoped_routes.rds_config_source)
    for scope in manager.scoped_routes.scoped_route_configurations_list.scoped_route_configurations:
        yield from (key for key in _of_scope(scope) if from_us or key.type is not ROUTE)


def _of_tcp_proxy(proxy: pb.TcpProxyRefs) -> Keys:
    return _clusters((proxy.cluster, *(target.name for target in proxy.weighted_clusters.clusters)))


def _of_router(router: pb.RouterRefs) -> Keys:
    return _of_filters(router.upstream_http_filters)


def _of_oauth2(filter: pb.OAuth2Refs) -> Keys:  # noqa: A002  # Envoy's word
    credentials = filter.config.credentials
    return _secrets((credentials.token_secret, credentials.hmac_secret))


def _of_extension(extension: pb.ExtensionRefs) -> Keys:
    return _of_packed(extension.typed_config)


# --- routes ---


def _of_scope(scope: pb.ScopedRouteRefs) -> Keys:
    if scope.route_configuration_name:
        yield ResourceKey(ROUTE, scope.route_configuration_name)
    yield from _of_routes(scope.route_configuration)


def _of_route_configuration(routes: pb.RouteConfigurationRefs) -> Keys:
    """With virtual hosts that come on demand, it refers to none of them but to whatever there is below its name."""
    yield from _of_routes(routes)
    if routes.HasField("vhds"):
        yield ResourceKey(VIRTUAL_HOST, f"{routes.name}/")


def _of_routes(routes: pb.RouteConfigurationRefs) -> Keys:
    yield from _mirrors(routes.request_mirror_policies)
    for host in routes.virtual_hosts:
        yield from _of_host(host)


def _of_host(host: pb.VirtualHostRefs) -> Keys:
    yield from _mirrors(host.request_mirror_policies)
    for route in host.routes:
        action = route.route
        yield from _clusters((action.cluster, *(target.name for target in action.weighted_clusters.clusters)))
        yield from _mirrors(action.request_mirror_policies)


def _mirrors(policies: Iterable[pb.MirrorRefs]) -> Keys:
    return _clusters(policy.cluster for policy in policies)


def _clusters(names: Iterable[str]) -> Keys:
    return (ResourceKey(CLUSTER, name) for name in names if name)


# --- transport sockets ---


def _of_socket(socket: pb.TransportSocketRefs) -> Keys:
    return _of_packed(socket.typed_config)


def _of_wrapping_socket(
    socket: pb.WrappingSocketRefs | pb.Http11ProxySocketRefs | pb.InternalSocketRefs,
) -> Keys:
    return _of_socket(socket.transport_socket)


def _of_upstream_tls(context: pb.UpstreamTlsRefs) -> Keys:
    return _of_tls(context.common_tls_context)


def _of_downstream_tls(context: pb.DownstreamTlsRefs) -> Keys:
    yield from _of_tls(context.common_tls_context)
    yield from _secrets((context.session_ticket_keys_sds_secret_config,))


def _of_tls(context: pb.CommonTlsRefs) -> Keys:
    yield from _secrets(context.tls_certificate_sds_secret_configs)
    yield from _secrets((context.validation_context_sds_secret_config,))
    yield from _secrets((context.combined_validation_context.validation_context_sds_secret_config,))


def _secrets(configs: Iterable[pb.SdsSecretRefs]) -> Keys:
    """A secret without an `sds_config` is one of the bootstrap, not one of ours."""
    for config in configs:
        if config.name and config.HasField("sds_config") and _from_us(config.sds_config):
            yield ResourceKey(SECRET, config.name)


# --- by type ---


def _none(_: object) -> Iterable[ResourceKey]:
    return ()


def _of_packed(config: pb.PackedConfig) -> Keys:
    reader = _PACKED.get(config.type_url.rpartition("/")[2])
    if reader is None:
        return
    parse, read = reader
    try:
        skeleton = parse(config.value)
    except DecodeError as error:
        raise SnapshotError(f"got {len(config.value)} bytes that are no {config.type_url}: {error}") from error
    yield from read(skeleton)


_SKELETONS: dict[ResourceType, Reader] = {
    SECRET: (pb.NameOnly.FromString, _none),
    CLUSTER: (pb.ClusterRefs.FromString, _of_cluster),
    ENDPOINT: (pb.ClusterLoadAssignmentRefs.FromString, _none),
    EXTENSION: (pb.ExtensionRefs.FromString, _of_extension),
    LISTENER: (pb.ListenerRefs.FromString, _of_listener),
    SCOPED_ROUTE: (pb.ScopedRouteRefs.FromString, _of_scope),
    ROUTE: (pb.RouteConfigurationRefs.FromString, _of_route_configuration),
    VIRTUAL_HOST: (pb.VirtualHostRefs.FromString, _of_host),
    RUNTIME: (pb.NameOnly.FromString, _none),
}

_FILTERS, _SOCKETS = "envoy.extensions.filters.", "envoy.extensions.transport_sockets."
_PACKED: dict[str, Reader] = {
    _FILTERS + "network.http_connection_manager.v3.HttpConnectionManager": (
        pb.HttpConnectionManagerRefs.FromString,
        _of_manager,
    ),
    _FILTERS + "network.tcp_proxy.v3.TcpProxy": (pb.TcpProxyRefs.FromString, _of_tcp_proxy),
    _FILTERS + "http.router.v3.Router": (pb.RouterRefs.FromString, _of_router),
    _FILTERS + "http.oauth2.v3.OAuth2": (pb.OAuth2Refs.FromString, _of_oauth2),
    _SOCKETS + "tls.v3.UpstreamTlsContext": (pb.UpstreamTlsRefs.FromString, _of_upstream_tls),
    _SOCKETS + "tls.v3.DownstreamTlsContext": (pb.DownstreamTlsRefs.FromString, _of_downstream_tls),
    _SOCKETS + "quic.v3.QuicUpstreamTransport": (
        pb.QuicUpstreamRefs.FromString,
        lambda socket: _of_upstream_tls(socket.upstream_tls_context),
    ),
    _SOCKETS + "quic.v3.QuicDownstreamTransport": (
        pb.QuicDownstreamRefs.FromString,
        lambda socket: _of_downstream_tls(socket.downstream_tls_context),
    ),
    _SOCKETS + "starttls.v3.UpstreamStartTlsConfig": (
        pb.UpstreamStartTlsRefs.FromString,
        lambda socket: _of_upstream_tls(socket.tls_socket_config),
    ),
    _SOCKETS + "starttls.v3.StartTlsConfig": (
        pb.StartTlsRefs.FromString,
        lambda socket: _of_downstream_tls(socket.tls_socket_config),
    ),
    _SOCKETS + "proxy_protocol.v3.ProxyProtocolUpstreamTransport": (
        pb.WrappingSocketRefs.FromString,
        _of_wrapping_socket,
    ),
    _SOCKETS + "tap.v3.Tap": (pb.WrappingSocketRefs.FromString, _of_wrapping_socket),
    _SOCKETS + "http_11_proxy.v3.Http11ProxyUpstreamTransport": (
        pb.Http11ProxySocketRefs.FromString,
        _of_wrapping_socket,
    ),
    _SOCKETS + "internal_upstream.v3.InternalUpstreamTransport": (
        pb.InternalSocketRefs.FromString,
        _of_wrapping_socket,
    ),
    "envoy.extensions.clusters.aggregate.v3.ClusterConfig": (pb.AggregateClusterRefs.FromString, _of_aggregate),
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": (
        pb.HttpProtocolOptionsRefs.FromString,
        _of_protocol_options,
    ),
}
