"""The resource types that the server speaks, as one table. A new type is one row, and a skeleton in `references`.

`order` is make before break (xDS protocol, "Eventual consistency considerations"): secrets before what uses them,
clusters, then their endpoints, filters, listeners, and routes on the way in; removals come last, once nothing that the
client holds refers to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakValueDictionary

_PREFIX = "type.googleapis.com/"
_V3 = "envoy_data_plane.envoy."

UNORDERED = 0
"""The `order` of types that wait for no other and that no other waits for."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ResourceType:
    """One row. There is one instance for a type URL (see `resource_type`), so equality is identity.

    full_state: a state-of-the-world response must list all resources, because absence deletes (xDS protocol,
    "Deleting resources": Listener and Cluster; Envoy reads ScopedRouteConfiguration in the same way).
    on_demand: names are asked for one by one: a first request without names means none, a name may be an alias of a
    resource, and a name that leads nowhere is answered by a resource without content (Envoy, "Virtual host discovery
    service").
    service, rpc: the discovery service of this type alone, with its methods `Stream…` and `Delta…`; "" for none.
    message: module and class in envoy-data-plane, imported only where messages are made; "" if the server knows the
    type by its URL alone.
    """

    type_url: str
    short: str
    order: int
    full_state: bool = False
    on_demand: bool = False
    service: str = ""
    rpc: str = ""
    message: str = ""

    def __str__(self) -> str:
        return self.short

    def __lt__(self, other: ResourceType) -> bool:
        return (self.order, self.type_url) < (other.order, other.type_url)

    @property
    def is_opaque(self) -> bool:
        """Whether nothing is known of the type but its URL, so that its resources cannot be looked into."""
        return not self.message


SECRET = ResourceType(
    type_url=_PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret",
    short="SDS",
    order=1,
    service="envoy.service.secret.v3.SecretDiscoveryService",
    rpc="Secrets",
    message=_V3 + "extensions.transport_sockets.tls.v3:Secret",
)
CLUSTER = ResourceType(
    type_url=_PREFIX + "envoy.config.cluster.v3.Cluster",
    short="CDS",
    order=2,
    full_state=True,
    service="envoy.service.cluster.v3.ClusterDiscoveryService",
    rpc="Clusters",
    message=_V3 + "config.cluster.v3:Cluster",
)
ENDPOINT = ResourceType(
    type_url=_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment",
    short="EDS",
    order=3,
    service="envoy.service.endpoint.v3.EndpointDiscoveryService",
    rpc="Endpoints",
    message=_V3 + "config.endpoint.v3:ClusterLoadAssignment",
)
EXTENSION = ResourceType(
    type_url=_PREFIX + "envoy.config.core.v3.TypedExtensionConfig",
    short="ECDS",
    order=4,
    service="envoy.service.extension.v3.ExtensionConfigDiscoveryService",
    rpc="ExtensionConfigs",
    message=_V3 + "config.core.v3:TypedExtensionConfig",
)
LISTENER = ResourceType(
    type_url=_PREFIX + "envoy.config.listener.v3.Listener",
    short="LDS",
    order=5,
    full_state=True,
    service="envoy.service.listener.v3.ListenerDiscoveryService",
    rpc="Listeners",
    message=_V3 + "config.listener.v3:Listener",
)
SCOPED_ROUTE = ResourceType(
    type_url=_PREFIX + "envoy.config.route.v3.ScopedRouteConfiguration",
    short="SRDS",
    order=6,
    full_state=True,
    service="envoy.service.route.v3.ScopedRoutesDiscoveryService",
    rpc="ScopedRoutes",
    message=_V3 + "config.route.v3:ScopedRouteConfiguration",
)
ROUTE = ResourceType(
    type_url=_PREFIX + "envoy.config.route.v3.RouteConfiguration",
    short="RDS",
    order=7,
    service="envoy.service.route.v3.RouteDiscoveryService",
    rpc="Routes",
    message=_V3 + "config.route.v3:RouteConfiguration",
)
VIRTUAL_HOST = ResourceType(
    type_url=_PREFIX + "envoy.config.route.v3.VirtualHost",
    short="VHDS",
    order=8,
    on_demand=True,
    service="envoy.service.route.v3.VirtualHostDiscoveryService",
    rpc="VirtualHosts",
    message=_V3 + "config.route.v3:VirtualHost",
)
RUNTIME = ResourceType(
    type_url=_PREFIX + "envoy.service.runtime.v3.Runtime",
    short="RTDS",
    order=UNORDERED,
    service="envoy.service.runtime.v3.RuntimeDiscoveryService",
    rpc="Runtime",
    message=_V3 + "service.runtime.v3:Runtime",
)

RESOURCE_TYPES: tuple[ResourceType, ...] = (
    SECRET,
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    SCOPED_ROUTE,
    ROUTE,
    VIRTUAL_HOST,
    RUNTIME,
)
BY_TYPE_URL: dict[str, ResourceType] = {row.type_url: row for row in RESOURCE_TYPES}

_opaque: WeakValueDictionary[str, ResourceType] = WeakValueDictionary()


def resource_type(type_url: str) -> ResourceType:
    """The type of that URL: a row of the table, or an opaque type, which is served as bytes.

    An opaque type is unordered, and its state-of-the-world responses list everything: right for whatever it means.
    """
    row = BY_TYPE_URL.get(type_url) or _opaque.get(type_url)
    if row is None:
        row = _opaque[type_url] = ResourceType(
            type_url=type_url, short=type_url.rpartition("/")[2] or type_url, order=UNORDERED, full_state=True
        )
    return row


class ResourceKey(NamedTuple):
    """A resource's identity within one snapshot."""

    type: ResourceType
    name: str

    def __str__(self) -> str:
        return f"{self.type.short} {self.name}"
