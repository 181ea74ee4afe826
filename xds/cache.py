"""The latest snapshot of each group of proxies, and who wants to know of the next one. One owner, one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from xds.snapshot import EMPTY, Snapshot


class SnapshotCache:
    """Groups are named by `xds.server`'s `group_of` (a node's `cluster`, by default).

    A group that nobody has published is unknown rather than empty: its proxies are left alone, so a control plane
    that comes up with the wrong state cannot wipe theirs.
    """

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._watchers: dict[str, set[Callable[[Snapshot], None]]] = {}

    def publish(self, group: str, snapshot: Snapshot) -> None:
        """Makes `snapshot` the group's newest. Each stream keeps just the newest that it has not served: no queue."""
        if self._snapshots.get(group) is snapshot:
            return
        self._snapshots[group] = snapshot
        for wake in self._watchers.get(group, ()):
            wake(snapshot)

    def clear(self, group: str) -> None:
        """Serves the group nothing any more: its connected proxies are told to drop what they have."""
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
