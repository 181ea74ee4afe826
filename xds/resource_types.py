"""The resource types that the server speaks, as one table. A new type is one row.

`order` is make before break (xDS protocol, "Eventual consistency considerations"): clusters, then their endpoints,
then listeners, then routes on the way in; removals come last, once nothing that the client holds refers to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

_PREFIX = "type.googleapis.com/"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One row. Instances are the table's own, so identity is equality.

    full_state: a state-of-the-world response must list all resources, because absence deletes (xDS protocol,
    "Deleting resources": Listener and Cluster only).
    """

    type_url: str
    short: str
    order: int
    full_state: bool
    message: str  # module and class in envoy-data-plane, imported only where messages are made

    def __str__(self) -> str:
        return self.short

    def __lt__(self, other: ResourceType) -> bool:
        return self.order < other.order


CLUSTER = ResourceType(
    type_url=_PREFIX + "envoy.config.cluster.v3.Cluster",
    short="CDS",
    order=1,
    full_state=True,
    message="envoy_data_plane.envoy.config.cluster.v3:Cluster",
)
ENDPOINT = ResourceType(
    type_url=_PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment",
    short="EDS",
    order=2,
    full_state=False,
    message="envoy_data_plane.envoy.config.endpoint.v3:ClusterLoadAssignment",
)
LISTENER = ResourceType(
    type_url=_PREFIX + "envoy.config.listener.v3.Listener",
    short="LDS",
    order=3,
    full_state=True,
    message="envoy_data_plane.envoy.config.listener.v3:Listener",
)
ROUTE = ResourceType(
    type_url=_PREFIX + "envoy.config.route.v3.RouteConfiguration",
    short="RDS",
    order=4,
    full_state=False,
    message="envoy_data_plane.envoy.config.route.v3:RouteConfiguration",
)

RESOURCE_TYPES: tuple[ResourceType, ...] = (CLUSTER, ENDPOINT, LISTENER, ROUTE)
BY_TYPE_URL: dict[str, ResourceType] = {row.type_url: row for row in RESOURCE_TYPES}


class ResourceKey(NamedTuple):
    """A resource's identity within one snapshot."""

    type: ResourceType
    name: str

    def __str__(self) -> str:
        return f"{self.type.short} {self.name}"
