"""The incremental (delta) variant: requests and responses carry differences, per resource."""

from __future__ import annotations

from collections.abc import Mapping

from protos.apg.xds.v3.discovery_pb2 import DeltaDiscoveryRequest
from xds.machine import WILDCARD, Assembled, Machine, Names, Response
from xds.resource import Resource
from xds.resource_types import BY_TYPE_URL, ResourceType
from xds.subscription import Subscription
from xds.wire import length_delimited, string


class DeltaMachine(Machine[DeltaDiscoveryRequest]):
    """One client's incremental stream."""

    def on_request(self, request: DeltaDiscoveryRequest, *, now: float) -> list[Response]:
        """A request: any of subscribing, unsubscribing, an ACK or a NACK. A type that this server does not know is
        never answered."""
        type = BY_TYPE_URL.get(request.type_url)
        if type is None:
            return []
        subscription = self._subscriptions.get(type)
        first = subscription is None
        if subscription is None:
            subscription = self._subscriptions[type] = Subscription(type)
        elif request.response_nonce:
            error = request.error_detail.message or "no reason given"
            refused = request.HasField("error_detail")
            self._settle(subscription, request.response_nonce, error if refused else None)
        self._unsubscribe(subscription, set(request.resource_names_unsubscribe))
        self._subscribe(subscription, set(request.resource_names_subscribe), first=first)
        if first and request.initial_resource_versions:
            self._resume(subscription, request.initial_resource_versions)
        return self._advance(now)

    def _subscribe(self, subscription: Subscription, names: set[str], *, first: bool) -> None:
        """Section "How the client specifies what resources to return": a first request without names means all."""
        if WILDCARD in names or (first and not names):
            names.discard(WILDCARD)
            if not subscription.wildcard:
                subscription.subscribe_all(self._snapshot)
        subscription.subscribe(names)

    def _unsubscribe(self, subscription: Subscription, names: set[str]) -> None:
        if WILDCARD in names and subscription.wildcard:
            names.discard(WILDCARD)
            subscription.wildcard = False
            subscription.forget([name for name in subscription.held if name not in subscription.names])
        known = subscription.names & names
        subscription.names -= known
        subscription.forget(names)
        if subscription.wildcard:
            # Still covered by the wildcard: the client has to be told whether the resource is there.
            subscription.forced |= known

    def _resume(self, subscription: Subscription, versions: Mapping[str, str]) -> None:
        """A reconnecting client says what it holds (`initial_resource_versions`), so only differences are sent: none
        when nothing changed, whichever replica it meets, because versions are content hashes."""
        for name, version in versions.items():
            if not subscription.wants(name):
                continue
            current = self._snapshot.get(subscription.type, name)
            if current is not None and current.version == version:
                subscription.held[name] = current
                subscription.dirty.discard(name)
            else:
                subscription.held[name] = Resource.held_elsewhere(subscription.type, name, version)
                subscription.dirty.add(name)
            subscription.forced.discard(name)
        subscription.answered = True

    @property
    def _one_at_a_time(self) -> bool:
        return False

    def _tells_absence(self, type: ResourceType) -> bool:
        return True

    def _assemble(self, subscription: Subscription, changed: Mapping[str, Resource], removed: Names) -> Assembled:
        version = self._snapshot.version(subscription.type)
        payload = b"".join(
            (
                string(1, version),
                *(delta_frame(resource) for _, resource in sorted(changed.items())),
                string(4, subscription.type.type_url),
                *(string(6, name) for name in removed),
            )
        )
        return version, payload


def delta_frame(resource: Resource) -> bytes:
    """Field 2 of a DeltaDiscoveryResponse: the resource with its version and name around the shared bytes."""
    return length_delimited(2, string(1, resource.version) + resource.framed + string(3, resource.name))
