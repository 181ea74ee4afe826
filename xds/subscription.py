"""What one client wants of one type on one stream, what it holds, and what is still to be looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern

from xds.delivery import Nacked
from xds.quarantine import Quarantine
from xds.resource import Resource
from xds.resource_types import ResourceType
from xds.snapshot import Snapshot

_BEAT = 0.5  # of its lifetime, after which a resource is renewed


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

    names: what the client asked for by name; of a type that is asked for on demand, a name may be an alias. Everything
    below that goes by name goes by these.
    named: whether the client ever named anything, "*" included. Until then an empty list of names means all.
    held: what the client has accepted, by name.
    dirty: names whose resource may differ from what the client holds; looked at once nothing is in flight.
    deferred: names that the snapshot dropped and that something the client holds still refers to.
    forced: names to be answered even if nothing differs: newly subscribed, or warming anew.
    refused: the versions of a name that the client refused. They are not sent again; what is held is served on, or
    what the group was known to live with (`quarantine`).
    suspects: names of a response that the client refused without saying whom it blames; each goes out alone, once more.
    beats: when a resource that has a lifetime is to be renewed (seconds, monotonic).
    claimed_version: what a reconnecting state-of-the-world client said it has of all.
    waiting_since: when an update began to wait (seconds, monotonic), for the bound on holding back.
    """

    type: ResourceType
    quarantine: Quarantine = field(default_factory=Quarantine)
    wildcard: bool = False
    named: bool = False
    names: set[str] = field(default_factory=set)
    held: dict[str, Resource] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    deferred: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    refused: dict[str, set[str]] = field(default_factory=dict)
    suspects: set[str] = field(default_factory=set)
    beats: dict[str, float] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    waiting_since: float | None = None
    answered: bool = False
    last_nonce: str = ""
    sent_version: str = ""
    accepted_version: str = ""
    claimed_version: str = ""
    nacked: Nacked | None = None

    @property
    def is_settled(self) -> bool:
        """Nothing of this type is in flight or still to come. A deferred removal, waiting for others, is neither."""
        return not (self.in_flight or self.dirty or self.forced or self.suspects)

    @property
    def is_at_rest(self) -> bool:
        """Nothing is to be looked at, nor will be by the passing of time. A response may be in flight."""
        return self.answered and not (
            self.forced or self.dirty or self.deferred or self.suspects or self.beats or self.waiting_since is not None
        )

    def note_waiting(self, now: float) -> None:
        if self.waiting_since is None and (self.dirty or self.forced):
            self.waiting_since = now

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def wanted_among(self, names: Collection[str]) -> Iterable[str]:
        """The names whose resource may be another now that those of `names` changed."""
        if self.wildcard:
            return names
        # An alias says nothing of which resource it leads to, so any change may concern it.
        return self.names if self.type.on_demand else self.names.intersection(names)

    def wanted(self, name: str, snapshot: Snapshot) -> Resource | None:
        """What the client should hold of `name`: the snapshot's; if it refused that, what it holds already; if it
        holds nothing, what its group last lived with."""
        resource = snapshot.get(self.type, name)
        refused = self.refused.get(name)
        if resource is None or refused is None or resource.version not in refused:
            return resource
        held = self.held.get(name)
        if held is not None:
            return held
        good = self.quarantine.last_good(resource.key, resource.version)
        return good if good is not None and good.version not in refused else None

    def differs(self, name: str, snapshot: Snapshot) -> bool:
        wanted, held = self.wanted(name, snapshot), self.held.get(name)
        return (wanted.version if wanted else None) != (held.version if held else None)

    def is_leaving(self, name: str) -> bool:
        """Whether the client holds it, and what becomes of it is still to be looked at."""
        return name in self.held and (name in self.dirty or name in self.deferred)

    def is_on_its_way(self, name: str) -> bool:
        return any(name in in_flight.sent for in_flight in self.in_flight.values())

    def subscribe(self, names: Iterable[str]) -> None:
        """Adds names; each is answered, also one that was subscribed to already (xDS protocol, "Subscribing to
        resources": a resubscription means that the client forgot the resource)."""
        # A thousand clients that ask for the same hundred names hold one copy of each. A union is sized to fit; names
        # added one by one would leave a set of twice that size for as long as the stream lasts.
        asked = {intern(name) for name in names}
        self.names = self.names | asked
        self.forced |= asked

    def subscribe_all(self, snapshot: Snapshot) -> None:
        self.wildcard = True
        self.dirty.update(snapshot.resources(self.type))

    def hold(self, name: str, resource: Resource) -> None:
        """The client holds the resource from now on. One with a lifetime is renewed, at once if nobody planned when."""
        self.held[name] = resource
        if resource.ttl is not None:
            self.beats.setdefault(name, 0.0)
        elif self.beats:
            self.beats.pop(name, None)

    def plan_beats(self, sent: Mapping[str, Resource], now: float) -> None:
        """When to renew the lifetimes of what goes out now."""
        for name, resource in sent.items():
            if resource.ttl is not None:
                self.beats[name] = now + _BEAT * resource.ttl

    def drop(self, name: str) -> None:
        """The client was told that the resource is gone."""
        self.held.pop(name, None)
        self.beats.pop(name, None)

    def forget(self, names: Iterable[str]) -> None:
        """The client dropped these: it holds nothing of them and wants nothing of them."""
        for name in names:
            self.drop(name)
            self.refused.pop(name, None)
            self.dirty.discard(name)
            self.deferred.discard(name)
            self.forced.discard(name)
            self.suspects.discard(name)

    def refuse(self, name: str, resource: Resource) -> None:
        """The client refused this version; what stands in for it may still have to be sent."""
        self.quarantine.note(resource, self.held.get(name))
        self.refused.setdefault(name, set()).add(resource.version)
        self.dirty.add(name)
        if name not in self.held:
            self.beats.pop(name, None)  # there is nothing to renew

    def next_suspect(self, snapshot: Snapshot) -> Mapping[str, Resource]:
        """One resource to be tried alone, if any is left."""
        while self.suspects:
            name = min(self.suspects)
            self.suspects.discard(name)
            wanted = self.wanted(name, snapshot)
            if wanted is not None and wanted.can_be_sent:
                return {name: wanted}
        return {}

    def pardon(self, snapshot: Snapshot) -> None:
        """Forgets refusals of versions that `snapshot` no longer asks for."""
        for name, versions in list(self.refused.items()):
            resource = snapshot.get(self.type, name)
            if resource is None or resource.version not in versions:
                del self.refused[name]
        if not self.refused:
            self.nacked = None
