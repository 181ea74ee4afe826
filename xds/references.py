"""Which resources a resource refers to, read from its bytes by way of skeletons (docs/decisions/0004).

`protos/apg/xds/v3/references.proto` declares just the fields that name other resources; the parser skips the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias, TypeVar

from google.protobuf.message import DecodeError, Message

from protos.apg.xds.v3 import references_pb2 as pb
from xds.errors import SnapshotError
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, ResourceKey, ResourceType

SkeletonT = TypeVar("SkeletonT", bound=Message)

_EDS = 3  # envoy.config.cluster.v3.Cluster.DiscoveryType.EDS
_HTTP = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TCP = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"


def resource_name(type: ResourceType, body: bytes) -> str:
    """The name that the resource gives itself; "" if it gives none.

    Raises:
        SnapshotError: the bytes are not such a message.
    """
    skeleton = _parsed(type, body)
    return skeleton.cluster_name if isinstance(skeleton, pb.ClusterLoadAssignmentRefs) else skeleton.name


def references(type: ResourceType, body: bytes) -> frozenset[ResourceKey]:
    """The resources that the resource needs to be there.

    Raises:
        SnapshotError: the bytes are not such a message.
    """
    match _parsed(type, body):
        case pb.ClusterRefs() as cluster:
            return frozenset(_of_cluster(cluster))
        case pb.ListenerRefs() as listener:
            return frozenset(_of_listener(listener))
        case pb.RouteConfigurationRefs() as routes:
            return frozenset(_of_routes(routes))
        case _:
            return frozenset()


_Skeleton: TypeAlias = pb.ClusterRefs | pb.ClusterLoadAssignmentRefs | pb.ListenerRefs | pb.RouteConfigurationRefs

_SKELETONS: dict[ResourceType, Callable[[bytes], _Skeleton]] = {
    CLUSTER: pb.ClusterRefs.FromString,
    ENDPOINT: pb.ClusterLoadAssignmentRefs.FromString,
    LISTENER: pb.ListenerRefs.FromString,
    ROUTE: pb.RouteConfigurationRefs.FromString,
}


def _parsed(type: ResourceType, body: bytes) -> _Skeleton:
    try:
        return _SKELETONS[type](body)
    except DecodeError as error:
        raise SnapshotError(f"got {len(body)} bytes that are no {type.type_url}: {error}") from error


def _of_cluster(cluster: pb.ClusterRefs) -> Iterator[ResourceKey]:
    if cluster.type == _EDS and _from_us(cluster.eds_cluster_config.eds_config):
        yield ResourceKey(ENDPOINT, cluster.eds_cluster_config.service_name or cluster.name)


def _of_listener(listener: pb.ListenerRefs) -> Iterator[ResourceKey]:
    configs = [
        filter.typed_config
        for chain in (*listener.filter_chains, listener.default_filter_chain)
        for filter in chain.filters  # noqa: A001  # Envoy's word
    ]
    configs.append(listener.api_listener.api_listener)
    for config in configs:
        kind = config.type_url.rpartition("/")[2]
        if kind == _HTTP:
            manager = _unpacked(pb.HttpConnectionManagerRefs.FromString, config)
            if manager.rds.route_config_name and _from_us(manager.rds.config_source):
                yield ResourceKey(ROUTE, manager.rds.route_config_name)
            yield from _of_routes(manager.route_config)
        elif kind == _TCP:
            proxy = _unpacked(pb.TcpProxyRefs.FromString, config)
            yield from _clusters((proxy.cluster, *(target.name for target in proxy.weighted_clusters.clusters)))


def _from_us(source: pb.ConfigSourceRefs) -> bool:
    """Whether a resource is to come from the server that sent the one referring to it, not from a file or elsewhere."""
    return source.WhichOneof("config_source_specifier") in (None, "ads", "self")


def _of_routes(routes: pb.RouteConfigurationRefs) -> Iterator[ResourceKey]:
    yield from _mirrors(routes.request_mirror_policies)
    for host in routes.virtual_hosts:
        yield from _mirrors(host.request_mirror_policies)
        for route in host.routes:
            action = route.route
            yield from _clusters((action.cluster, *(target.name for target in action.weighted_clusters.clusters)))
            yield from _mirrors(action.request_mirror_policies)


def _mirrors(policies: Iterable[pb.MirrorRefs]) -> Iterator[ResourceKey]:
    return _clusters(policy.cluster for policy in policies)


def _clusters(names: Iterable[str]) -> Iterator[ResourceKey]:
    return (ResourceKey(CLUSTER, name) for name in names if name)


def _unpacked(parse: Callable[[bytes], SkeletonT], config: pb.PackedConfig) -> SkeletonT:
    try:
        return parse(config.value)
    except DecodeError as error:
        raise SnapshotError(f"got {len(config.value)} bytes that are no {config.type_url}: {error}") from error
