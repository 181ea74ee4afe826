"""A snapshot: all resources for one group of proxies at one moment, immutable, consistent and content-hashed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from types import MappingProxyType
from weakref import WeakKeyDictionary

from xds.aliases import resolve
from xds.errors import SnapshotError
from xds.frames import sotw_frame
from xds.resource import Resource
from xds.resource_types import ResourceKey, ResourceType

_EMPTY: Mapping[str, Resource] = MappingProxyType({})
_NO_NAMES: frozenset[str] = frozenset()
_VERSION_BITS = 64
_SHARED = 8  # payloads kept; few are asked for at any one time


class Snapshot:
    """Resources by type and name. Two snapshots of the same content have the same versions, in any process.

    The version of a type is the sum of its resources' fingerprints modulo 2**64, so that a change of one resource in
    10,000 costs one addition, and a stream that serves a slightly different set can name its version as cheaply. An
    author who gives versions of their own names the type's too: see `replace`.

    A snapshot is checked, and refuses to exist inconsistent, or `partial`, and may refer to what is not in it (yet):
    for content that is put together piece by piece.
    """

    __slots__ = (
        "__weakref__",
        "_aliases",
        "_changes",
        "_fingerprints",
        "_frames",
        "_names",
        "_resources",
        "_shared",
        "is_partial",
    )

    def __init__(
        self,
        resources: Mapping[ResourceType, Mapping[str, Resource]],
        fingerprints: Mapping[ResourceType, int],
        names: Mapping[ResourceType, str],
        *,
        is_partial: bool,
    ) -> None:
        """For this module: use `of`, `partial` or `replace`, which check."""
        self._resources = resources
        self._fingerprints = fingerprints
        self._names = names
        self.is_partial = is_partial
        self._changes: WeakKeyDictionary[Snapshot, Mapping[ResourceType, frozenset[str]]] = WeakKeyDictionary()
        self._frames: dict[ResourceType, bytes] = {}
        self._aliases: dict[ResourceType, dict[str, Resource]] = {}
        self._shared: dict[Hashable, bytes] = {}

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Snapshot:
        """A snapshot of `resources`.

        Raises:
            SnapshotError: two resources share type and name, or one refers to what is not among them.
        """
        return EMPTY.replace(put=resources)

    @classmethod
    def partial(cls, resources: Iterable[Resource] = ()) -> Snapshot:
        """A snapshot of `resources` that may refer to others. So may all that are made from it.

        Raises:
            SnapshotError: two resources share type and name.
        """
        return cls({}, {}, {}, is_partial=True).replace(put=resources)

    def replace(
        self,
        *,
        put: Iterable[Resource] = (),
        remove: Iterable[ResourceKey] = (),
        version: str | None = None,
    ) -> Snapshot:
        """This snapshot with some resources put in and others taken out; shares all the rest.

        version: what to call the types that change by this. Without one, a type goes by the version that its author
        gave to all the resources put in, if they have one in common, and else by its content hash.

        Raises:
            SnapshotError: as `of` (or `partial`); also for removing what is not there.
        """
        if version is not None and not isinstance(version, str):
            raise SnapshotError(f"version: got {version!r}, want text, or None")
        tables: dict[ResourceType, dict[str, Resource]] = {}
        sums = dict(self._fingerprints)
        touched: dict[ResourceType, set[str]] = {}
        put_in: list[Resource] = []
        removed: set[ResourceKey] = set()

        def table(type: ResourceType) -> dict[str, Resource]:
            if type not in tables:
                tables[type] = _copied(self._resources.get(type, _EMPTY))
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
            put_in.append(resource)

        merged = {
            **self._resources,
            **{type: MappingProxyType(resources) for type, resources in tables.items()},
        }
        if not self.is_partial:
            # What this snapshot held was consistent, so just what is new, and what is gone, can have changed that.
            suspects = [(item, item.references - self._references_of(item)) for item in put_in]
            if removed:
                suspects += [
                    (item, item.references)
                    for resources in merged.values()
                    for item in resources.values()
                    if not removed.isdisjoint(item.references)
                ]
            _refuse_dangling(suspects, merged)
        names = dict(self._names)
        snapshot = Snapshot(
            MappingProxyType(merged), MappingProxyType(sums), MappingProxyType(names), is_partial=self.is_partial
        )
        changes = snapshot._changes[self] = {
            type: changed
            for type, candidates in touched.items()
            if (changed := frozenset(name for name in candidates if _differs(self, snapshot, type, name)))
        }
        for type in changes:
            named = version or _common_version(resource for resource in put_in if resource.type is type)
            if named:
                names[type] = named
            else:
                names.pop(type, None)
        return snapshot

    @property
    def dangling(self) -> tuple[str, ...]:
        """The references to what is not in the snapshot, in words; none of a snapshot that is not partial."""
        return _dangling(
            ((resource, resource.references) for table in self._resources.values() for resource in table.values()),
            self._resources,
        )

    def _references_of(self, resource: Resource) -> frozenset[ResourceKey]:
        """What the resource of the same name refers to here."""
        here = self._resources.get(resource.type, _EMPTY).get(resource.name)
        return here.references if here is not None else frozenset()

    @property
    def types(self) -> Collection[ResourceType]:
        """The types of which there is, or was, a resource."""
        return self._resources.keys()

    def resources(self, type: ResourceType) -> Mapping[str, Resource]:
        """The resources of one type, by name."""
        return self._resources.get(type, _EMPTY)

    def get(self, type: ResourceType, name: str) -> Resource | None:
        """The resource of that name; of a type that is asked for on demand, also by an alias."""
        found = self._resources.get(type, _EMPTY).get(name)
        if found is None and type.on_demand:
            return self._by_alias(type, name)
        return found

    def _by_alias(self, type: ResourceType, name: str) -> Resource | None:
        aliases = self._aliases.get(type)
        if aliases is None:
            aliases = {}
            for _, resource in sorted(self.resources(type).items()):
                for alias in (resource.name, *resource.aliases):
                    aliases.setdefault(alias, resource)
            self._aliases[type] = aliases
        return resolve(name, aliases)

    def fingerprint(self, type: ResourceType) -> int:
        return self._fingerprints.get(type, 0)

    def version(self, type: ResourceType) -> str:
        """The version of one type: its content hash, 16 hexadecimal digits, or what its author calls it."""
        return self._names.get(type) or self.content_version(type)

    def content_version(self, type: ResourceType) -> str:
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
            frames = b"".join(sotw_frame(resource) for _, resource in sorted(self.resources(type).items()))
            self._frames[type] = frames
        return frames

    def shared(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """What `make` makes of this snapshot, made once for each key that is asked for again soon."""
        made = self._shared.get(key)
        if made is None:
            if len(self._shared) >= _SHARED:
                self._shared.clear()
            made = self._shared[key] = make()
        return made

    def changes_since(self, base: Snapshot) -> Mapping[ResourceType, frozenset[str]]:
        """The names per type that were added, removed or changed; computed once per pair, shared by all streams."""
        changes = self._changes.get(base)
        if changes is None:
            changes = {}
            for type in {*base.types, *self.types}:
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
        counts = ", ".join(f"{type.short} {len(self.resources(type))}" for type in sorted(self.types))
        return f"<Snapshot {counts}>"


def version_of(fingerprint: int) -> str:
    """A sum of fingerprints as a version string."""
    return f"{fingerprint % (1 << _VERSION_BITS):016x}"


def _copied(table: Mapping[str, Resource]) -> dict[str, Resource]:
    """A copy. That of a proxy is its dictionary's own, several times as fast as walking it."""
    return table.copy() if isinstance(table, dict | MappingProxyType) else dict(table)


def _differs(before: Snapshot, after: Snapshot, type: ResourceType, name: str) -> bool:
    one, other = before.get(type, name), after.get(type, name)
    return (one.version if one else None) != (other.version if other else None)


def _common_version(resources: Iterable[Resource]) -> str | None:
    """The version that all of them were given by their author, if they were, and it is one."""
    versions = {resource.version if resource.is_pinned else None for resource in resources}
    return versions.pop() if len(versions) == 1 else None


def _dangling(
    suspects: Iterable[tuple[Resource, Iterable[ResourceKey]]],
    tables: Mapping[ResourceType, Mapping[str, Resource]],
) -> tuple[str, ...]:
    """suspects: resources, with those of their references that may lead nowhere."""
    return tuple(
        sorted(
            {
                f"{resource.key} refers to {reference}"
                for resource, references in suspects
                for reference in references
                if not reference.type.on_demand and reference.name not in tables.get(reference.type, _EMPTY)
            }
        )
    )


def _refuse_dangling(
    suspects: Iterable[tuple[Resource, Iterable[ResourceKey]]],
    tables: Mapping[ResourceType, Mapping[str, Resource]],
) -> None:
    dangling = _dangling(suspects, tables)
    if dangling:
        shown = "; ".join(dangling[:5]) + (f"; and {len(dangling) - 5} more" if len(dangling) > 5 else "")
        raise SnapshotError(f"{shown}: want every reference in the snapshot")


EMPTY = Snapshot(MappingProxyType({}), MappingProxyType({}), MappingProxyType({}), is_partial=False)
