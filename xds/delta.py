"""The incremental (delta) variant: requests and responses carry differences, per resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest
from xds.bounds import check_name, check_names, check_version
from xds.frames import delta_frame, delta_heartbeat, unresolved_frame
from xds.machine import WILDCARD, Assembled, Machine, Names, Response
from xds.resource import Resource
from xds.resource_types import ROUTE, ResourceType
from xds.subscription import Subscription
from xds.wire import string


class DeltaMachine(Machine[DeltaDiscoveryRequest]):
    """One client's incremental stream."""

    _claims = 0  # names that the client said it holds, and that nobody here knew

    def on_request(self, request: DeltaDiscoveryRequest, *, now: float) -> list[Response]:
        """A request: any of subscribing, unsubscribing, an ACK or a NACK. A stale nonce says nothing of a response, but
        what is subscribed to with it counts all the same (section "Incremental xDS")."""
        type = self._type(request.type_url)
        subscription = self._subscriptions.get(type)
        first = subscription is None
        if subscription is None:
            subscription = self._open(type)
            if type.on_demand:
                self._await_on_demand(subscription, self._snapshot.resources(ROUTE).values())
        elif request.response_nonce:
            error = request.error_detail.message or "no reason given"
            refused = request.HasField("error_detail")
            self._settle(subscription, request.response_nonce, error if refused else None)
        if request.resource_names_unsubscribe:
            self._unsubscribe(subscription, set(request.resource_names_unsubscribe))
        if first or request.resource_names_subscribe:
            self._subscribe(subscription, set(request.resource_names_subscribe), first=first)
        if first and request.initial_resource_versions:
            self._resume(subscription, request.initial_resource_versions)
        return self._advance(now)

    def _subscribe(self, subscription: Subscription, names: set[str], *, first: bool) -> None:
        """Section "How the client specifies what resources to return": a first request without names means all."""
        if WILDCARD in names or (first and not names and not subscription.type.on_demand):
            names.discard(WILDCARD)
            if not subscription.wildcard:
                subscription.subscribe_all(self._snapshot)
        if not (self._forgets and subscription.type.on_demand):  # these are not kept
            self._check_names(subscription, names)
        subscription.subscribe(names)

    def _unsubscribe(self, subscription: Subscription, names: set[str]) -> None:
        """Section "Unsubscribing from resources": names that were not subscribed to are ignored."""
        if WILDCARD in names:
            names.discard(WILDCARD)
            if subscription.wildcard:
                subscription.wildcard = False
                covered = (*subscription.held, *subscription.dirty, *subscription.deferred)
                subscription.forget([name for name in covered if name not in subscription.names])
        known = subscription.names & names
        subscription.names -= known
        if subscription.wildcard:
            # Still covered by the wildcard: the client has to be told whether the resource is there.
            subscription.forced |= known
        else:
            subscription.forget(known)

    def _resume(self, subscription: Subscription, versions: Mapping[str, str]) -> None:
        """A reconnecting client says what it holds (`initial_resource_versions`), so only differences are sent: none
        when nothing changed, whichever replica it meets, because versions are content hashes."""
        is_kept = not (self._forgets and subscription.type.on_demand)
        if subscription.type.on_demand:
            # What was found by an alias is held by its own name, which the client does not ask for again.
            if is_kept:
                self._check_names(subscription, versions)
            subscription.names.update(versions)
        if is_kept:
            self._check_claims(subscription, versions)
        for asked, version in versions.items():
            name = intern(asked)  # see `Subscription.subscribe`
            if not subscription.wants(name):
                continue
            current = self._snapshot.get(subscription.type, name)
            if current is not None and current.version == version:
                subscription.hold(name, current)
                subscription.dirty.discard(name)
            else:
                subscription.held[name] = Resource.held_elsewhere(subscription.type, name, version)
                subscription.dirty.add(name)
            subscription.forced.discard(name)
        subscription.answered = True

    def _check_claims(self, subscription: Subscription, versions: Mapping[str, str]) -> None:
        """What the client says it holds costs memory, too, where it is not what the snapshot has anyway."""
        known = self._snapshot.resources(subscription.type)
        unknown = [name for name in versions if name not in known]
        for name in unknown:
            check_name(subscription.type, name)
        for version in versions.values():
            check_version(subscription.type, version)
        self._claims += len(unknown)
        check_names(subscription.type, of_type=len(unknown), of_stream=self._claims)

    def _recognise(self, subscription: Subscription) -> None:
        """Resource by resource, this happens anyway."""

    @property
    def _one_at_a_time(self) -> bool:
        return False

    def _tells_absence(self, type: ResourceType) -> bool:
        return True

    def _assemble(self, subscription: Subscription, changed: Mapping[str, Resource], removed: Names) -> Assembled:
        """Put together once for all streams that are sent the same of a snapshot."""
        snapshot, type = self._snapshot, subscription.type
        version = snapshot.version(type)

        def payload() -> bytes:
            if type.on_demand:
                frames, gone = _by_alias(subscription, changed, removed)
            else:
                frames, gone = [delta_frame(resource) for _, resource in sorted(changed.items())], removed
            return b"".join(
                (string(1, version), *frames, string(4, type.type_url), *(string(6, name) for name in gone))
            )

        resources = snapshot.resources(type)
        if type.on_demand or any(resources.get(name) is not sent for name, sent in changed.items()):
            return version, payload()
        return version, snapshot.shared((type, frozenset(changed), removed), payload)

    def _heartbeat(self, subscription: Subscription, due: Mapping[str, Resource]) -> Assembled:
        version = subscription.accepted_version
        frames = b"".join(delta_heartbeat(resource) for _, resource in sorted(due.items()))
        return version, string(1, version) + frames + string(4, subscription.type.type_url)


def _by_alias(
    subscription: Subscription, changed: Mapping[str, Resource], removed: Names
) -> tuple[list[bytes], Iterable[str]]:
    """What a response says where names may be aliases: each resource once, with the aliases that were asked for; the
    aliases that lead nowhere; and the resources, by their own names, that no name leads to any more."""
    asked: dict[str, set[str]] = {}
    for alias, resource in changed.items():
        asked.setdefault(resource.name, set()).add(alias)
    found = {resource.name: resource for resource in changed.values()}
    frames = [delta_frame(found[name], sorted(aliases - {name})) for name, aliases in sorted(asked.items())]

    moved = {*changed, *removed}
    before = {resource.name for name, resource in subscription.held.items() if name in moved}
    kept = {resource.name for name, resource in subscription.held.items() if name not in moved}
    owners = {name for name in removed if name.endswith("/")}
    gone = (before - kept - found.keys()) | owners
    nowhere = subscription.names.intersection(removed) - subscription.held.keys() - gone
    frames += [unresolved_frame(name) for name in sorted(nowhere)]
    return frames, sorted(gone)
