"""ClusterLoadAssignment: where the instances of a backend listen, by locality and priority."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from envoy_data_plane.envoy.config.core.v3 import Address, Locality, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)

from policy.backend_policy import LocalityWeight
from registry.model import Endpoint as Instance
from xds.messages import unchecked

REGION_LABELS = ("region", "topology.kubernetes.io/region")
ZONE_LABELS = ("zone", "topology.kubernetes.io/zone")
PRIORITY_LABEL = "priority"
_LOWEST_PRIORITY = 127
_DEFAULT_WEIGHT = 1

_ClusterLoadAssignment = unchecked(ClusterLoadAssignment)
_LocalityLbEndpoints = unchecked(LocalityLbEndpoints)
_Locality = unchecked(Locality)
_LbEndpoint = unchecked(LbEndpoint)
_Endpoint = unchecked(Endpoint)
_Address = unchecked(Address)
_SocketAddress = unchecked(SocketAddress)


def load_assignment(
    name: str, instances: Iterable[Instance], weights: Sequence[LocalityWeight] = ()
) -> ClusterLoadAssignment:
    """The load assignment `name` of `instances`, in their order within a locality. Without instances it is empty: Envoy
    answers 503.

    Labels place an instance: `region` and `zone` (or Kubernetes' topology labels) and `priority`, a number: 0, the
    default, is used first, and higher ones as lower ones lack healthy instances.
    weights: of localities; the first that fits counts. None: localities have no weight.
    """
    placed: dict[tuple[int, str, str], list[Instance]] = {}
    for instance in instances:
        labels = dict(instance.labels)
        place = (_priority(labels), _first(labels, REGION_LABELS), _first(labels, ZONE_LABELS))
        placed.setdefault(place, []).append(instance)
    # Envoy wants priorities without gaps from 0, whatever numbers people gave.
    ranks = {priority: rank for rank, priority in enumerate(sorted({place[0] for place in placed}))}
    return _ClusterLoadAssignment(
        cluster_name=name,
        endpoints=[
            _LocalityLbEndpoints(
                locality=_Locality(region=region, zone=zone) if region or zone else None,
                priority=ranks[priority],
                load_balancing_weight=_weight(region, zone, weights),
                lb_endpoints=[_endpoint(instance) for instance in there],
            )
            for (priority, region, zone), there in sorted(placed.items())
        ],
    )


def _weight(region: str, zone: str, weights: Sequence[LocalityWeight]) -> int | None:
    """Envoy reads no weight as none at all, and refuses a 0."""
    if not weights:
        return None
    fitting = (item.weight for item in weights if item.region in (None, region) and item.zone in (None, zone))
    return next(fitting, _DEFAULT_WEIGHT) or None


def _endpoint(instance: Instance) -> LbEndpoint:
    address = _Address(socket_address=_SocketAddress(address=instance.address, port_value=instance.port))
    return _LbEndpoint(endpoint=_Endpoint(address=address), load_balancing_weight=instance.weight)


def _priority(labels: dict[str, str]) -> int:
    """The label `priority`, where it is a number; a label is not a place to refuse an endpoint for."""
    text = labels.get(PRIORITY_LABEL, "")
    return min(int(text), _LOWEST_PRIORITY) if text.isdecimal() and text.isascii() else 0


def _first(labels: dict[str, str], keys: Iterable[str]) -> str:
    return next((labels[key] for key in keys if key in labels), "")
