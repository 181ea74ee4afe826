"""ClusterLoadAssignment: where the instances of a backend listen."""

from __future__ import annotations

from collections.abc import Iterable

from envoy_data_plane.envoy.config.core.v3 import Address, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)

from registry.model import Endpoint as Instance


def load_assignment(name: str, instances: Iterable[Instance]) -> ClusterLoadAssignment:
    """The load assignment `name` of `instances`, in their order. Without instances it is empty: Envoy answers 503."""
    endpoints = [
        LbEndpoint(
            endpoint=Endpoint(
                address=Address(
                    socket_address=SocketAddress(address=instance.address, port_value=instance.port),
                )
            ),
            load_balancing_weight=instance.weight,
        )
        for instance in instances
    ]
    return ClusterLoadAssignment(
        cluster_name=name,
        endpoints=[LocalityLbEndpoints(lb_endpoints=endpoints)] if endpoints else [],
    )
