"""What one client wants of one type on one stream, what it holds, and what is still to be looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from xds.delivery import Nacked
from xds.resource import Resource
from xds.resource_types import ResourceType
from xds.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class InFlight:
    """A response that the client has neither accepted nor refused: the resources that are new to it, and the names
    that it was told are gone. `since`: when it was made (seconds, monotonic)."""

    version: str
    sent: Mapping[str, Resource]
    removed: tuple[str, ...]
    since: float


@dataclass(slots=True)
class Subscription:
    """State of one type. The machine decides; this keeps the books.

    held: what the client has accepted, by name.
    dirty: names whose resource may differ from what the client holds; looked at once nothing is in flight.
    deferred: names that the snapshot dropped and that something the client holds still refers to.
    forced: names to be answered even if nothing differs: newly subscribed, or warming anew.
    refused: the version of a name that the client refused. It is not sent again; what is held is served on.
    waiting_since: when an update began to wait (seconds, monotonic), for the bound on holding back.
    """

    type: ResourceType
    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    held: dict[str, Resource] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    waiting_since: float | None = None
    answered: bool = False
    last_nonce: str = ""
    sent_version: str = ""
    accepted_version: str = ""
    nacked: Nacked | None = None

    @property
    def is_settled(self) -> bool:
        """Nothing of this type is in flight or still to come. A deferred removal, waiting for others, is neither."""
        return not (self.in_flight or self.dirty or self.forced)

    def note_waiting(self, now: float) -> None:
        if self.waiting_since is None and (self.dirty or self.forced):
            self.waiting_since = now

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def wanted_among(self, names: Collection[str]) -> Iterable[str]:
        return names if self.wildcard else self.names.intersection(names)

    def wanted(self, name: str, snapshot: Snapshot) -> Resource | None:
        """What the client should hold of `name`: the snapshot's, or, if it refused that, what it holds already."""
        resource = snapshot.get(self.type, name)
        if resource is not None and self.refused.get(name) == resource.version:
            return self.held.get(name)
        return resource

    def differs(self, name: str, snapshot: Snapshot) -> bool:
        wanted, held = self.wanted(name, snapshot), self.held.get(name)
        return (wanted.version if wanted else None) != (held.version if held else None)

    def subscribe(self, names: Iterable[str]) -> None:
        """Adds names; each is answered, also one that was subscribed to already (xDS protocol, "Subscribing to
        resources": a resubscription means that the client forgot the resource)."""
        for name in names:
            self.names.add(name)
            self.forced.add(name)

    def subscribe_all(self, snapshot: Snapshot) -> None:
        self.wildcard = True
        self.dirty.update(snapshot.resources(self.type))

    def forget(self, names: Iterable[str]) -> None:
        """The client dropped these: it holds nothing of them and wants nothing of them."""
        for name in names:
            self.held.pop(name, None)
            self.refused.pop(name, None)
            self.dirty.discard(name)
            self.deferred.discard(name)
            self.forced.discard(name)

    def pardon(self, snapshot: Snapshot) -> None:
        """Forgets refusals of versions that `snapshot` no longer asks for."""
        for name, version in list(self.refused.items()):
            resource = snapshot.get(self.type, name)
            if resource is None or resource.version != version:
                del self.refused[name]
        if not self.refused:
            self.nacked = None
