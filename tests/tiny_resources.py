"""One small resource of each type, as bytes or by its author's class: a name, and a mark that tells versions apart."""

from __future__ import annotations

from collections.abc import Callable

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import DataSource, TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, ClusterLoadAssignmentPolicy
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, ScopedRouteConfiguration, VirtualHost
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import GenericSecret, Secret
from envoy_data_plane.envoy.service.runtime.v3 import Runtime
from envoy_data_plane.google.protobuf import Any, Struct, Value

from xds import Resource, ResourceType
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
)


def tiny(type: ResourceType, name: str, mark: int = 1, **options: object) -> Resource:
    """A resource that refers to no other. `mark` (more than 0) makes versions; `options` are those of Resource.of."""
    if type not in _MAKERS:
        return Resource.from_bytes(type, bytes((mark,)), name=name, **options)  # type: ignore[arg-type]
    return Resource.of(_MAKERS[type](name, mark), **options)  # type: ignore[arg-type]


def _host(name: str, mark: int) -> VirtualHost:
    host = name.rpartition("/")[2]
    return VirtualHost(name=name, domains=[host], response_headers_to_remove=[str(mark)])


_MAKERS: dict[ResourceType, Callable[[str, int], Message]] = {
    CLUSTER: lambda name, mark: Cluster(name=name, alt_stat_name=str(mark)),
    ENDPOINT: lambda name, mark: ClusterLoadAssignment(
        cluster_name=name, policy=ClusterLoadAssignmentPolicy(overprovisioning_factor=mark)
    ),
    LISTENER: lambda name, mark: Listener(name=name, stat_prefix=str(mark)),
    ROUTE: lambda name, mark: RouteConfiguration(name=name, response_headers_to_remove=[str(mark)]),
    SCOPED_ROUTE: lambda name, mark: ScopedRouteConfiguration(
        name=name, route_configuration=RouteConfiguration(name=str(mark))
    ),
    VIRTUAL_HOST: _host,
    SECRET: lambda name, mark: Secret(
        name=name, generic_secret=GenericSecret(secret=DataSource(inline_string=str(mark)))
    ),
    RUNTIME: lambda name, mark: Runtime(name=name, layer=Struct(fields={"mark": Value(number_value=mark)})),
    EXTENSION: lambda name, mark: TypedExtensionConfig(
        name=name, typed_config=Any(type_url="t/made.up", value=bytes((mark,)))
    ),
}
