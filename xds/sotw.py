"""The state-of-the-world variant: a request names all that the client wants, a response may be all that there is."""

from __future__ import annotations

from collections.abc import Mapping

from protos.apg.xds.v3.discovery_pb2 import DiscoveryRequest
from xds.bounds import check_version
from xds.frames import sotw_frame
from xds.machine import WILDCARD, Assembled, Machine, Names, Response
from xds.resource import Resource
from xds.resource_types import ResourceType
from xds.snapshot import Snapshot, version_of
from xds.subscription import Subscription
from xds.wire import string
from xds.without_on_demand import without_on_demand


class SotwMachine(Machine[DiscoveryRequest]):
    """One client's state-of-the-world stream."""

    def on_request(self, request: DiscoveryRequest, *, now: float) -> list[Response]:
        """A request: a first subscription, a changed one, an ACK or a NACK."""
        type = self._type(request.type_url)
        subscription = self._subscriptions.get(type)
        if subscription is None:
            subscription = self._open(type)
            check_version(type, request.version_info)
            self._subscribe(subscription, request, first=True)
        elif request.response_nonce != subscription.last_nonce:
            # Stale (section "ACK and NACK semantics summary"): the client has a newer response still to answer, and
            # will name all that it wants then.
            return []
        else:
            error = request.error_detail.message or "no reason given"
            refused = request.HasField("error_detail")
            self._settle(subscription, request.response_nonce, error if refused else None)
            self._subscribe(subscription, request, first=False)
        return self._advance(now)

    def _subscribe(self, subscription: Subscription, request: DiscoveryRequest, *, first: bool) -> None:
        """Section "How the client specifies what resources to return": a list of all that is wanted. Until the client
        named anything, no names mean all; afterwards they mean none. "*" means all, besides what is named."""
        names = set(request.resource_names)
        if names:
            subscription.named = True
        wildcard = WILDCARD in names or not (subscription.named or subscription.type.on_demand)
        names.discard(WILDCARD)
        if not first and wildcard == subscription.wildcard and names == subscription.names:
            return
        self._check_names(subscription, names)
        if wildcard:
            if not subscription.wildcard:
                subscription.subscribe_all(self._snapshot)
        elif subscription.wildcard:
            subscription.wildcard = False
            subscription.forget([name for name in subscription.held if name not in names])
            subscription.forget([name for name in subscription.dirty | subscription.deferred if name not in names])
        dropped = subscription.names - names
        subscription.names -= dropped
        if not subscription.wildcard:
            subscription.forget(dropped)
        subscription.subscribe(names - subscription.names)
        if first and subscription.wildcard and subscription.type.full_state:
            subscription.claimed_version = request.version_info
            self._recognise(subscription)

    def _recognise(self, subscription: Subscription) -> None:
        """A client that reconnects with the version that it would be sent has it all, if that is a content hash."""
        version = subscription.claimed_version
        if version and self._known and version == self._snapshot.content_version(subscription.type):
            for name, resource in self._snapshot.resources(subscription.type).items():
                subscription.hold(name, resource)
            subscription.dirty.clear()
            subscription.forced.clear()
            subscription.answered = True
            subscription.sent_version = subscription.accepted_version = version

    def _legible(self, snapshot: Snapshot) -> Snapshot:
        return without_on_demand(snapshot)

    @property
    def _one_at_a_time(self) -> bool:
        return True

    def _tells_absence(self, type: ResourceType) -> bool:
        """Only of types whose responses list everything; of others, the client notices by time-out."""
        return type.full_state

    def _assemble(self, subscription: Subscription, changed: Mapping[str, Resource], removed: Names) -> Assembled:
        type, snapshot = subscription.type, self._snapshot
        version = snapshot.version(type)
        if not type.full_state:
            frames = b"".join(sotw_frame(resource) for _, resource in sorted(changed.items()))
        elif subscription.wildcard and not subscription.refused and not subscription.deferred:
            frames = snapshot.frames(type)
        else:
            view = self._view(subscription)
            frames = b"".join(sotw_frame(resource) for _, resource in sorted(view.items()))
            if subscription.wildcard:
                version = version_of(sum(resource.fingerprint for resource in view.values()))
        return version, string(1, version) + frames + string(4, type.type_url)

    def _heartbeat(self, subscription: Subscription, due: Mapping[str, Resource]) -> Assembled:
        """The content again. The protocol knows heartbeats without content in this variant too, but Envoy 1.40 does not
        renew a lifetime by them, and takes what is missing from a list of all for gone."""
        return self._assemble(subscription, due, ())

    def _view(self, subscription: Subscription) -> dict[str, Resource]:
        """All that this client is to hold: what it asked for, without what it refused (its last accepted content
        stands in), with what it must keep for now."""
        names = set(self._snapshot.resources(subscription.type)) if subscription.wildcard else subscription.names
        view = {name: subscription.wanted(name, self._snapshot) for name in names}
        for name in subscription.deferred:
            view[name] = subscription.held.get(name)
        return {name: resource for name, resource in view.items() if resource is not None}
