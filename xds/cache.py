"""The latest snapshot of each group of clients, and who wants to know of the next one. One owner, one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from xds.quarantine import Quarantine
from xds.resource import Resource
from xds.resource_types import ResourceKey, ResourceType, resource_type
from xds.snapshot import EMPTY, Snapshot


class SnapshotCache:
    """Groups are named by `xds.server`'s `group_of` (a node's `cluster`, by default; its id, say, instead).

    A group that nobody has published is unknown rather than empty: its clients are left alone, so a control plane
    that comes up with the wrong state cannot wipe theirs.

    `publish` takes a snapshot that was made elsewhere, whole. `set`, `put` and `remove` make one piece by piece, which
    may refer to what is not in it (yet); on top of a snapshot that was published whole and checked, they check as well.
    Groups share what they have in common: a resource is encoded once, in however many groups it is.
    """

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._watchers: dict[str, set[Callable[[Snapshot], None]]] = {}
        self._quarantines: dict[str, Quarantine] = {}

    def publish(self, group: str, snapshot: Snapshot) -> None:
        """Makes `snapshot` the group's newest. Each stream keeps just the newest that it has not served: no queue."""
        if self._snapshots.get(group) is snapshot:
            return
        self._snapshots[group] = snapshot
        if (quarantine := self._quarantines.get(group)) is not None:
            quarantine.follow(snapshot)
        for wake in self._watchers.get(group, ()):
            wake(snapshot)

    def set(self, group: str, resources: Iterable[Resource], *, version: str | None = None) -> Snapshot:
        """Makes `resources` all that the group has. `version` names the types that change (see `Snapshot.replace`).

        Raises:
            SnapshotError: two resources share type and name. Nothing is published then.
        """
        resources, before = list(resources), self._before(group)
        kept = {resource.key for resource in resources}
        gone = [
            ResourceKey(type, name)
            for type in before.types
            for name in before.resources(type)
            if ResourceKey(type, name) not in kept
        ]
        return self._publish(group, before.replace(put=resources, remove=gone, version=version))

    def put(self, group: str, *resources: Resource, version: str | None = None) -> Snapshot:
        """Adds `resources` to what the group has, in place of those of the same type and name.

        Raises:
            SnapshotError: two of them share type and name. Nothing is published then.
        """
        return self._publish(group, self._before(group).replace(put=resources, version=version))

    def remove(self, group: str, type: ResourceType | str, *names: str, version: str | None = None) -> Snapshot:
        """Takes resources of a type (or type URL) away from the group.

        Raises:
            SnapshotError: one of them is not there. Nothing is published then.
        """
        row = resource_type(type) if isinstance(type, str) else type
        before = self._before(group)
        return self._publish(group, before.replace(remove=[ResourceKey(row, name) for name in names], version=version))

    def clear(self, group: str) -> None:
        """Serves the group nothing any more: its connected clients are told to drop what they have."""
        if self._snapshots.pop(group, None) is not None:
            for wake in self._watchers.get(group, ()):
                wake(EMPTY)

    def get(self, group: str) -> Snapshot | None:
        return self._snapshots.get(group)

    @property
    def groups(self) -> Mapping[str, Snapshot]:
        return MappingProxyType(self._snapshots)

    @contextmanager
    def watch(self, group: str, wake: Callable[[Snapshot], None]) -> Iterator[None]:
        """Calls `wake` with each publication of `group` while the context lasts."""
        watchers = self._watchers.setdefault(group, set())
        watchers.add(wake)
        try:
            yield
        finally:
            watchers.discard(wake)
            if not watchers and self._watchers.get(group) is watchers:
                del self._watchers[group]
                if group not in self._snapshots:
                    self._quarantines.pop(group, None)

    def quarantine(self, group: str) -> Quarantine:
        """What the group lived with before one of its clients refused it."""
        return self._quarantines.setdefault(group, Quarantine())

    def _before(self, group: str) -> Snapshot:
        before = self._snapshots.get(group)
        return Snapshot.partial() if before is None else before

    def _publish(self, group: str, snapshot: Snapshot) -> Snapshot:
        self.publish(group, snapshot)
        return snapshot
