"""What a group of clients last accepted of the resources that one of them refused (docs/decisions/0010).

Each client decides for itself what it refuses: another may well take the same version. But a client that refuses a
version and holds no other, because it has only just started, is given what its group was known to live with.
"""

from __future__ import annotations

from typing import NamedTuple

from xds.resource import Resource
from xds.resource_types import ResourceKey
from xds.snapshot import Snapshot


class _Entry(NamedTuple):
    refused: str
    last_good: Resource


class Quarantine:
    """Of one group. Holds at most one resource for each one that is refused as it is now."""

    def __init__(self) -> None:
        self._entries: dict[ResourceKey, _Entry] = {}

    def note(self, refused: Resource, held: Resource | None) -> None:
        """A client refused a version, and lives on with what it holds."""
        if held is not None and held.can_be_sent and held.version != refused.version:
            self._entries.setdefault(refused.key, _Entry(refused.version, held))

    def last_good(self, key: ResourceKey, version: str) -> Resource | None:
        """What stands in for the refused `version`; None if no client was known to hold another."""
        entry = self._entries.get(key)
        return entry.last_good if entry is not None and entry.refused == version else None

    def follow(self, snapshot: Snapshot) -> None:
        """Forgets what stood in for versions that are not asked for any more."""
        for key, entry in list(self._entries.items()):
            current = snapshot.get(*key)
            if current is None or current.version != entry.refused:
                del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)
