"""A snapshot: all resources for one group of proxies at one moment, immutable, consistent and content-hashed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from weakref import WeakKeyDictionary

from xds.errors import SnapshotError
from xds.resource import Resource
from xds.resource_types import RESOURCE_TYPES, ResourceKey, ResourceType

_EMPTY: Mapping[str, Resource] = MappingProxyType({})
_NO_NAMES: frozenset[str] = frozenset()
_VERSION_BITS = 64


class Snapshot:
    """Resources by type and name. Two snapshots of the same content have the same versions, in any process.

    The version of a type is the sum of its resources' fingerprints modulo 2**64, so that a change of one resource in
    10,000 costs one addition, and a stream that serves a slightly different set can name its version as cheaply.
    """

    __slots__ = ("__weakref__", "_changes", "_fingerprints", "_frames", "_resources")

    def __init__(
        self,
        resources: Mapping[ResourceType, Mapping[str, Resource]],
        fingerprints: Mapping[ResourceType, int],
    ) -> None:
        """For this module: use `of` or `replace`, which check."""
        self._resources = resources
        self._fingerprints = fingerprints
        self._changes: WeakKeyDictionary[Snapshot, Mapping[ResourceType, frozenset[str]]] = WeakKeyDictionary()
        self._frames: dict[ResourceType, bytes] = {}

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Snapshot:
        """A snapshot of `resources`.

        Raises:
            SnapshotError: two resources share type and name, or one refers to what is not among them.
        """
        return EMPTY.replace(put=resources)

    def replace(self, *, put: Iterable[Resource] = (), remove: Iterable[ResourceKey] = ()) -> Snapshot:
        """This snapshot with some resources put in and others taken out; shares all the rest.

        Raises:
            SnapshotError: as `of`; also for removing what is not there.
        """
        tables: dict[ResourceType, dict[str, Resource]] = {}
        sums = dict(self._fingerprints)
        touched: dict[ResourceType, set[str]] = {}
        check: list[Resource] = []
        removed: set[ResourceKey] = set()

        def table(type: ResourceType) -> dict[str, Resource]:
            if type not in tables:
                tables[type] = dict(self._resources.get(type, _EMPTY))
                touched[type] = set()
            return tables[type]

        for key in remove:
            gone = table(key.type).pop(key.name, None)
            if gone is None:
                raise SnapshotError(f"{key} is not in the snapshot, so it cannot be removed")
            sums[key.type] = sums.get(key.type, 0) - gone.fingerprint
            touched[key.type].add(key.name)
            removed.add(key)
        for resource in put:
            resources = table(resource.type)
            before = resources.get(resource.name)
            if resource.name in touched[resource.type] and before is not None:
                raise SnapshotError(f"two resources are named {resource.key}: want one")
            resources[resource.name] = resource
            sums[resource.type] = (
                sums.get(resource.type, 0) + resource.fingerprint - (before.fingerprint if before else 0)
            )
            touched[resource.type].add(resource.name)
            removed.discard(resource.key)
            check.append(resource)

        merged = {
            **self._resources,
            **{type: MappingProxyType(resources) for type, resources in tables.items()},
        }
        if removed:  # something may have referred to what is gone
            check = [resource for resources in merged.values() for resource in resources.values()]
        _refuse_dangling(check, merged)
        snapshot = Snapshot(MappingProxyType(merged), MappingProxyType(sums))
        snapshot._changes[self] = {
            type: names
            for type, candidates in touched.items()
            if (names := frozenset(name for name in candidates if _differs(self, snapshot, type, name)))
        }
        return snapshot

    @property
    def types(self) -> Collection[ResourceType]:
        """The types of which there is, or was, a resource."""
        return self._resources.keys()

    def resources(self, type: ResourceType) -> Mapping[str, Resource]:
        """The resources of one type, by name."""
        return self._resources.get(type, _EMPTY)

    def get(self, type: ResourceType, name: str) -> Resource | None:
        return self._resources.get(type, _EMPTY).get(name)

    def fingerprint(self, type: ResourceType) -> int:
        return self._fingerprints.get(type, 0)

    def version(self, type: ResourceType) -> str:
        """The content hash of one type, 16 hexadecimal digits."""
        return version_of(self.fingerprint(type))

    def same_as(self, other: Snapshot) -> bool:
        """Whether both hold the same content."""
        return all(self.fingerprint(type) == other.fingerprint(type) for type in {*self.types, *other.types})

    def frames(self, type: ResourceType) -> bytes:
        """All resources of a type as the repeated field of a state-of-the-world response, sorted by name; joined
        once and shared by all streams."""
        frames = self._frames.get(type)
        if frames is None:
            frames = b"".join(resource.framed for _, resource in sorted(self.resources(type).items()))
            self._frames[type] = frames
        return frames

    def changes_since(self, base: Snapshot) -> Mapping[ResourceType, frozenset[str]]:
        """The names per type that were added, removed or changed; computed once per pair, shared by all streams."""
        changes = self._changes.get(base)
        if changes is None:
            changes = {}
            for type in RESOURCE_TYPES:
                before, after = base.resources(type), self.resources(type)
                if before is after or base.fingerprint(type) == self.fingerprint(type):
                    continue
                names = frozenset(name for name in before.keys() | after.keys() if _differs(base, self, type, name))
                changes[type] = names
            self._changes[base] = changes
        return changes

    def __len__(self) -> int:
        return sum(len(resources) for resources in self._resources.values())

    def __repr__(self) -> str:
        counts = ", ".join(f"{type.short} {len(self.resources(type))}" for type in RESOURCE_TYPES)
        return f"<Snapshot {counts}>"


def version_of(fingerprint: int) -> str:
    """A sum of fingerprints as a version string."""
    return f"{fingerprint % (1 << _VERSION_BITS):016x}"


def _differs(before: Snapshot, after: Snapshot, type: ResourceType, name: str) -> bool:
    one, other = before.get(type, name), after.get(type, name)
    return (one.version if one else None) != (other.version if other else None)


def _refuse_dangling(resources: Iterable[Resource], tables: Mapping[ResourceType, Mapping[str, Resource]]) -> None:
    dangling = sorted(
        f"{resource.key} refers to {reference}"
        for resource in resources
        for reference in resource.references
        if reference.name not in tables.get(reference.type, _EMPTY)
    )
    if dangling:
        shown = "; ".join(dangling[:5]) + (f"; and {len(dangling) - 5} more" if len(dangling) > 5 else "")
        raise SnapshotError(f"{shown}: want every reference in the snapshot")


EMPTY = Snapshot(MappingProxyType({}), MappingProxyType({}))
