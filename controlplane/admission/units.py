"""What Envoy judges at once: a cluster with its endpoints, a listener with its routes, a secret. Pure.

A unit stands alone: what it refers to beyond itself is put beside it as a stub, because a snapshot has shown already
that the references hold (`xds.snapshot`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from xds.resource import Resource
from xds.resource_types import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, ResourceKey
from xds.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Unit:
    """`head` with those of its parts that come as resources of their own: load assignments or route configurations.

    stubs: names of clusters that it may look for.
    """

    head: Resource
    parts: tuple[Resource, ...] = ()
    stubs: frozenset[str] = field(default=frozenset())

    @property
    def digest(self) -> bytes:
        """The content hash of all that is judged, 16 bytes."""
        key = "\0".join(f"{item.type.type_url} {item.name} {item.version}" for item in (self.head, *self.parts))
        return blake2b(key.encode(), digest_size=16).digest()


def units(snapshot: Snapshot, changed: Sequence[ResourceKey]) -> Iterator[Unit]:
    """The units of `snapshot` that hold one of the `changed` resources, each once, sorted by type and name."""
    wanted = set(changed)
    clusters = frozenset(snapshot.resources(CLUSTER))
    for type in sorted(snapshot.types):
        if type not in (SECRET, CLUSTER, LISTENER):
            continue
        for _, head in sorted(snapshot.resources(type).items()):
            parts = tuple(_parts(snapshot, head))
            if head.key in wanted or any(part.key in wanted for part in parts):
                stubs = _mentioned(head, clusters) if type is LISTENER else frozenset()
                yield Unit(head, parts, stubs)


def by_name(resources: Sequence[Resource]) -> Mapping[str, Resource]:
    return {resource.name: resource for resource in resources}


def _parts(snapshot: Snapshot, head: Resource) -> Iterator[Resource]:
    for key in sorted(head.references):
        if key.type in (ENDPOINT, ROUTE) and (part := snapshot.get(*key)) is not None:
            yield part


def _mentioned(listener: Resource, clusters: frozenset[str]) -> frozenset[str]:
    """The clusters that a listener's filters may name: more than one kind of filter looks for its cluster at once."""
    body = listener.body
    return frozenset(name for name in clusters if name.encode() in body)
