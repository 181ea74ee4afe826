"""ClusterLoadAssignment: where the instances of a backend listen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from envoy_data_plane.envoy.config.core.v3 import Address, SocketAddress
from envoy_data_plane.envoy.config.core.v3 import Locality as EnvoyLocality
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)

from policy.backend_policy import LocalityWeight
from registry.model import Endpoint as Instance

_DEFAULT_WEIGHT = 1


class _Locality(NamedTuple):
    """Where an instance runs, by its labels `region` and `zone`."""

    region: str
    zone: str


def load_assignment(
    name: str, instances: Iterable[Instance], weights: Sequence[LocalityWeight] = ()
) -> ClusterLoadAssignment:
    """The load assignment `name` of `instances`: localities sorted, the instances of each in their order. Without
    instances it is empty: Envoy answers 503. weights: of localities, the first that fits counts; none: localities have
    no weight."""
    by_locality: dict[_Locality, list[Instance]] = {}
    for instance in instances:
        by_locality.setdefault(_locality(instance), []).append(instance)
    return ClusterLoadAssignment(
        cluster_name=name,
        endpoints=[_endpoints(locality, there, weights) for locality, there in sorted(by_locality.items())],
    )


def _locality(instance: Instance) -> _Locality:
    labels = dict(instance.labels)
    return _Locality(labels.get("region", ""), labels.get("zone", ""))


def _endpoints(
    locality: _Locality, instances: Iterable[Instance], weights: Sequence[LocalityWeight]
) -> LocalityLbEndpoints:
    return LocalityLbEndpoints(
        locality=EnvoyLocality(region=locality.region, zone=locality.zone) if any(locality) else None,
        lb_endpoints=[
            LbEndpoint(
                endpoint=Endpoint(
                    address=Address(
                        socket_address=SocketAddress(address=instance.address, port_value=instance.port),
                    )
                ),
                load_balancing_weight=instance.weight,
            )
            for instance in instances
        ],
        # Envoy reads no weight as none at all, and refuses a 0.
        load_balancing_weight=(_weight(locality, weights) or None) if weights else None,
    )


def _weight(locality: _Locality, weights: Iterable[LocalityWeight]) -> int:
    fitting = (
        item.weight for item in weights if item.region in (None, locality.region) and item.zone in (None, locality.zone)
    )
    return next(fitting, _DEFAULT_WEIGHT)
