"""What state-of-the-world clients are served of a snapshot: the same, without virtual hosts on demand.

Envoy knows those in the delta variant only, and refuses a route configuration that has `vhds` in the other.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from protos.apg.xds.v3 import references_pb2 as pb
from xds.resource import Resource
from xds.resource_types import ROUTE, VIRTUAL_HOST, ResourceKey
from xds.snapshot import Snapshot

_snapshots: WeakKeyDictionary[Snapshot, Snapshot] = WeakKeyDictionary()
_resources: WeakKeyDictionary[Resource, Resource] = WeakKeyDictionary()


def without_on_demand(snapshot: Snapshot) -> Snapshot:
    """The snapshot itself, unless a route configuration in it has virtual hosts on demand. Made once for all."""
    made = _snapshots.get(snapshot)
    if made is None:
        asking = [
            resource
            for name, resource in snapshot.resources(ROUTE).items()
            if ResourceKey(VIRTUAL_HOST, f"{name}/") in resource.references
        ]
        if not asking:
            return snapshot
        made = _snapshots[snapshot] = snapshot.replace(put=map(_without, asking))
    return made


def _without(resource: Resource) -> Resource:
    made = _resources.get(resource)
    if made is None:
        routes = pb.RouteConfigurationRefs.FromString(resource.body)
        routes.ClearField("vhds")
        made = _resources[resource] = Resource.joined(
            ROUTE,
            resource.name,
            [routes.SerializeToString()],
            references=frozenset(key for key in resource.references if key.type is not VIRTUAL_HOST),
            origin=resource.origin,
        )
    return made
