"""The xDS protocol for one stream, aggregated or of one type, as a machine without I/O: requests and snapshots in,
responses out.

This file owns what both variants share: the order between types, holding back, removal, acceptance and refusal.
`sotw.py` and `delta.py` own how a request is read and how a response is put together. References in the comments are
to the sections of "xDS REST and gRPC protocol" on envoyproxy.io.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from xds.bounds import MAX_REASON_LENGTH, check_name, check_names, check_types
from xds.delivery import Acceptance, Acked, Delivery, Nacked, Pending, Refusal, TypeStatus
from xds.errors import RequestError
from xds.holdings import Holding, holdings
from xds.quarantine import Quarantine
from xds.resource import Resource
from xds.resource_types import (
    CLUSTER,
    ENDPOINT,
    ROUTE,
    UNORDERED,
    VIRTUAL_HOST,
    ResourceKey,
    ResourceType,
    resource_type,
)
from xds.snapshot import EMPTY, Snapshot
from xds.subscription import InFlight, Subscription
from xds.wire import string

WILDCARD = "*"
HOLD_SECONDS = 5.0

RequestT = TypeVar("RequestT")
Names: TypeAlias = tuple[str, ...]
Assembled: TypeAlias = tuple[str, bytes]
_NONCE_FIELD = 5  # the same number in both variants' responses
_UNANSWERED = 64  # responses of one type; a client that asks on without answering is answered no further


@dataclass(frozen=True, slots=True)
class Response:
    """One response. `payload` is all of it but the nonce, and may be shared by many streams."""

    type: ResourceType
    version: str
    nonce: str
    payload: bytes
    names: Names
    removed: Names

    def encode(self) -> bytes:
        """The message's bytes: protobuf concatenates, so a stream's own nonce is appended to what is shared."""
        return self.payload + string(_NONCE_FIELD, self.nonce)


class Machine(ABC, Generic[RequestT]):
    """One client's stream.

    Updates follow the dependency order of `resource_types` (make before break): a type's update waits until the
    earlier types that this client subscribes to are settled, at most `hold` seconds; after that it is sent all the
    same. A removal waits as long as anything that the client holds refers to the resource, without a bound: what it
    refers to is in use. The answer to a subscription waits for nothing, but for what is asked for on demand: a request
    goes on as soon as that is there, so it waits for the earlier types as an update does.

    only: the one type of a stream that is not aggregated.
    forgets: whether a name that is asked for on demand and leads nowhere is forgotten once that was said: whoever asks
        again is looked up again. It bounds what a client's own clients can make this server remember.
    quarantine: what the client's group lived with before somebody refused it; shared by the machines of the group.
    """

    def __init__(
        self,
        snapshot: Snapshot | None = None,
        *,
        hold: float = HOLD_SECONDS,
        only: ResourceType | None = None,
        quarantine: Quarantine | None = None,
        forgets: bool = False,
    ) -> None:
        self._snapshot = self._legible(snapshot) if snapshot is not None else EMPTY
        self._known = snapshot is not None
        self._hold = hold
        self._only = only
        self._forgets = forgets
        self._quarantine = quarantine if quarantine is not None else Quarantine()
        self._subscriptions: dict[ResourceType, Subscription] = {}
        self._warming: set[str] = set()  # EDS names that clusters wait for
        self._nonce = 0
        self._answers: list[Acceptance | Refusal] = []

    # --- in ---

    @abstractmethod
    def on_request(self, request: RequestT, *, now: float) -> list[Response]:
        """A message of the client. `now` is in seconds, of a monotonic clock, here and everywhere below.

        Raises:
            RequestError: the client breaks the protocol, or a bound of this server; its stream is to end.
        """

    def publish(self, snapshot: Snapshot, *, now: float) -> list[Response]:
        """A newer snapshot. Whatever of the last one was not sent yet is skipped: the newest counts."""
        snapshot = self._legible(snapshot)
        changes = snapshot.changes_since(self._snapshot)
        is_first, self._snapshot, self._known = not self._known, snapshot, True
        for subscription in self._subscriptions.values():
            changed = changes.get(subscription.type)
            if changed:
                subscription.dirty.update(subscription.wanted_among(changed))
                subscription.suspects -= subscription.dirty  # their content is another by now
                if subscription.refused:
                    subscription.pardon(snapshot)
            if is_first:
                self._recognise(subscription)
        return self._advance(now)

    def on_time(self, now: float) -> list[Response]:
        """To be called when `deadline` has passed: what was held back for so long goes out all the same, and lifetimes
        that would end are renewed."""
        return self._advance(now)

    @property
    def deadline(self) -> float | None:
        """When there is something to send though nobody says anything: the earliest update that waits for another
        type, or the earliest heartbeat; None if there is neither. What is behind an unanswered response of its own
        type has no deadline: the client has not read that one yet."""
        earliest: float | None = None
        for subscription in self._subscriptions.values():
            if (subscription.waiting_since is None and not subscription.beats) or subscription.in_flight:
                continue
            times = list(subscription.beats.values())
            if subscription.waiting_since is not None:
                times.append(subscription.waiting_since + self._hold)
            if times:
                earliest = min(times) if earliest is None else min(earliest, *times)
        return earliest

    # --- out ---

    @property
    def knows_group(self) -> bool:
        """Whether there ever was a snapshot to serve. Until then the client is left alone."""
        return self._known

    @property
    def is_settled(self) -> bool:
        """Whether the client has answered all that it was sent, and is due nothing more."""
        return all(subscription.is_settled for subscription in self._subscriptions.values())

    def take_answers(self) -> list[Acceptance | Refusal]:
        """The client's ACKs and NACKs since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def delivery(self, type: ResourceType) -> Delivery | None:
        """What became of the last response of a type; None if there was none."""
        subscription = self._subscriptions.get(type)
        if subscription is None or not subscription.sent_version:
            return None
        if subscription.in_flight:
            return Pending(subscription.sent_version)
        return subscription.nacked or Acked(subscription.accepted_version)

    def status(self) -> tuple[TypeStatus, ...]:
        """Each subscribed type, in the order of the table."""
        return tuple(
            TypeStatus(
                type=subscription.type,
                wildcard=subscription.wildcard,
                subscribed=len(self._snapshot.resources(subscription.type))
                if subscription.wildcard
                else len(subscription.names),
                names=frozenset(subscription.names),
                sent=subscription.sent_version,
                accepted=subscription.accepted_version,
                nacked=subscription.nacked,
                in_flight_since=min((each.since for each in subscription.in_flight.values()), default=None),
                waiting_since=subscription.waiting_since,
                in_sync=self._known and subscription.is_settled and not subscription.refused,
            )
            for subscription in self._subscriptions.values()
        )

    def holdings(self) -> Iterator[Holding]:
        """Each resource that the client has or is to have, type by type."""
        for subscription in self._subscriptions.values():
            yield from holdings(subscription, self._snapshot, known=self._known)

    # --- for the variants ---

    def _legible(self, snapshot: Snapshot) -> Snapshot:
        """What clients of this variant can read of a snapshot."""
        return snapshot

    @property
    @abstractmethod
    def _one_at_a_time(self) -> bool:
        """Whether a response waits for the client's word on the one before it, of the same type."""

    @abstractmethod
    def _assemble(self, subscription: Subscription, changed: Mapping[str, Resource], removed: Names) -> Assembled:
        """The version and the payload (without nonce) of a response."""

    @abstractmethod
    def _heartbeat(self, subscription: Subscription, due: Mapping[str, Resource]) -> Assembled:
        """The version and the payload of a response that renews lifetimes and changes nothing."""

    @abstractmethod
    def _recognise(self, subscription: Subscription) -> None:
        """Looks at what a client claimed to have when there was no snapshot yet to compare it with."""

    @abstractmethod
    def _tells_absence(self, type: ResourceType) -> bool:
        """Whether a response can say that a resource of this type does not exist."""

    def _type(self, type_url: str) -> ResourceType:
        """The type that a request is about. On a stream of one type it need not be said, and must not be another."""
        if self._only is None:
            if not type_url:
                raise RequestError("type_url: got none, want one: on an aggregated stream each request names its type")
            return resource_type(type_url)
        if type_url not in ("", self._only.type_url):
            raise RequestError(f"type_url: got {type_url}, want {self._only.type_url}, or the aggregated service")
        return self._only

    def _open(self, type: ResourceType) -> Subscription:
        """The first subscription to a type. A type that nothing was published of is one without resources."""
        check_types(type, self._subscriptions)
        subscription = Subscription(type, self._quarantine)
        self._subscriptions[type] = subscription
        self._subscriptions = dict(sorted(self._subscriptions.items()))
        return subscription

    def _check_names(self, subscription: Subscription, names: Iterable[str]) -> None:
        """Refuses names beyond the bounds, before any of them is taken in."""
        fresh = [name for name in names if name not in subscription.names]
        if not fresh:
            return
        for name in fresh:
            check_name(subscription.type, name)
        check_names(
            subscription.type,
            of_type=len(subscription.names) + len(fresh),
            of_stream=sum(len(other.names) for other in self._subscriptions.values()) + len(fresh),
        )

    def _settle(self, subscription: Subscription, nonce: str, error: str | None) -> None:
        """Books the client's word on the response `nonce`: accepted if `error` is None. An unknown nonce is stale and
        says nothing (section "ACK and NACK semantics summary")."""
        in_flight = subscription.in_flight.pop(nonce, None)
        if in_flight is None:
            return
        if error is None:
            self._accept(subscription, in_flight)
        else:
            self._refuse(subscription, in_flight, error[:MAX_REASON_LENGTH])

    def _accept(self, subscription: Subscription, in_flight: InFlight) -> None:
        for name, resource in in_flight.sent.items():
            if not subscription.wants(name):
                continue
            subscription.hold(name, resource)
            if name in subscription.refused:
                current = self._snapshot.get(subscription.type, name)
                if current is None or current.version == resource.version:
                    del subscription.refused[name]  # it was not just what stands in for what was refused
        for name in in_flight.removed:
            subscription.drop(name)
        subscription.accepted_version = in_flight.version
        self._answers.append(Acceptance(subscription.type, in_flight.version, tuple(in_flight.sent), in_flight.since))
        if not subscription.refused:
            subscription.nacked = None
        if subscription.type is ENDPOINT:
            self._warming.difference_update(in_flight.sent)
        elif subscription.type is ROUTE and (hosts := self._subscriptions.get(VIRTUAL_HOST)) is not None:
            self._await_on_demand(hosts, in_flight.sent.values())

    def _await_on_demand(self, hosts: Subscription, routes: Iterable[Resource]) -> None:
        """A route configuration whose virtual hosts come on demand is warming until it hears of some. That there is
        nothing below its name is what can be said unasked; Envoy would wait for its time-out."""
        hosts.forced |= {key.name for route in routes for key in route.references if key.type is VIRTUAL_HOST}

    def _refuse(self, subscription: Subscription, in_flight: InFlight, reason: str) -> None:
        """Whom the client blames is not sent again at that version; the others go out once more without it, since a
        client may have dropped the whole response. If it blames none of several, each is tried alone: most of what
        Envoy says of endpoints and routes names no resource."""
        sent = in_flight.sent
        blamed = _blamed(reason, sent)
        if not blamed and (len(sent) == 1 or self._lists_all(subscription.type)):
            blamed = tuple(sent)
        for name, resource in sent.items():
            if name in blamed:
                subscription.refuse(name, resource)
            elif subscription.wanted(name, self._snapshot) is None:
                subscription.dirty.add(name)  # gone meanwhile, which takes its own turn
            elif subscription.wants(name):
                (subscription.forced if blamed else subscription.suspects).add(name)
        if subscription.forced or subscription.suspects:
            subscription.dirty.update(in_flight.removed)
        else:
            for name in in_flight.removed:
                subscription.drop(name)
        origins = {origin for name in blamed for origin in sent[name].origin}
        subscription.nacked = Nacked(in_flight.version, reason, tuple(sorted(blamed)), tuple(sorted(origins)))
        self._answers.append(Refusal(subscription.type, subscription.nacked, in_flight.since))

    def _lists_all(self, type: ResourceType) -> bool:
        """Whether each response has to list everything, so that nothing can go out alone."""
        return self._one_at_a_time and type.full_state

    # --- deciding what goes out ---

    def _advance(self, now: float) -> list[Response]:
        """All that may be sent now, in the order in which it is to be sent."""
        if not self._known:
            return []
        responses = self._pass(now)
        if not responses and any(subscription.deferred for subscription in self._subscriptions.values()):
            # What the removals waited for may have come to nothing in this very pass, and nobody will call again.
            responses = self._pass(now)
        return responses

    def _pass(self, now: float) -> list[Response]:
        responses: list[Response] = []
        settled = True  # whether all earlier types are
        for subscription in self._subscriptions.values():
            ordered = subscription.type.order != UNORDERED
            response = self._next(subscription, may_update=settled or not ordered, now=now)
            if response is not None:
                responses.append(response)
            if ordered:
                settled = settled and subscription.is_settled
            if subscription.type is ENDPOINT and self._warming and not self._warming.isdisjoint(self._awaited()):
                settled = False
        return responses

    def _next(self, subscription: Subscription, *, may_update: bool, now: float) -> Response | None:
        """The response that a type is due, if any."""
        if subscription.is_at_rest:
            return None
        if subscription.in_flight and (self._one_at_a_time or len(subscription.in_flight) >= _UNANSWERED):
            subscription.note_waiting(now)
            return None
        tells_absence = self._tells_absence(subscription.type)
        changed: dict[str, Resource] = {}
        removed: set[str] = set()
        is_overdue = subscription.waiting_since is not None and now >= subscription.waiting_since + self._hold
        postponed: set[str] = set()
        if subscription.type.on_demand and not (may_update or is_overdue):
            # That there is nothing yet below a route configuration's name is said at once: see `_await_on_demand`.
            postponed = {name for name in subscription.forced if not name.endswith("/")}
            subscription.forced -= postponed
        asked = bool(subscription.forced) or not subscription.answered
        later: set[str] = set()
        for name in subscription.forced:
            wanted = subscription.wanted(name, self._snapshot)
            if wanted is None and subscription.is_leaving(name):
                # Its removal waits for its turn. Where everything is listed, so is this, as long as it waits.
                if self._lists_all(subscription.type):
                    continue
                wanted = subscription.held.get(name)
                later.add(name)
            elif wanted is None and subscription.is_on_its_way(name):
                later.add(name)  # which is the answer, and its removal comes after that
                continue
            elif wanted is None and not tells_absence and self._warms(subscription.type, name):
                wanted = Resource.from_bytes(ENDPOINT, string(1, name))
                later.add(name)
            if wanted is None:
                removed.add(name)
            elif wanted.can_be_sent:
                changed[name] = wanted
        subscription.forced = postponed

        # A response that must list everything carries all updates, so an answer takes them along.
        may_update = may_update or not subscription.answered or (asked and subscription.type.full_state)
        if is_overdue:
            may_update = True
            self._warming.clear()
        if subscription.in_flight or not may_update:
            subscription.note_waiting(now)
        else:
            self._take_updates(subscription, changed, removed)
        subscription.dirty |= later
        if not tells_absence:
            for name in removed:
                subscription.drop(name)
            removed.clear()
        if not (changed or removed or subscription.in_flight):
            changed.update(subscription.next_suspect(self._snapshot))
        if changed or removed or (asked and tells_absence):
            assembled = self._assemble(subscription, changed, tuple(sorted(removed)))
            response = self._send(subscription, assembled, changed, tuple(sorted(removed)), now)
            if self._forgets and subscription.type.on_demand:
                subscription.names = subscription.names - removed
            return response
        if subscription.beats and not subscription.in_flight:
            return self._beat(subscription, now)
        return None

    def _beat(self, subscription: Subscription, now: float) -> Response | None:
        """Renews the lifetimes that are half over (section "TTL")."""
        due = {name: subscription.held[name] for name, time in subscription.beats.items() if time <= now}
        if not due:
            return None
        if self._lists_all(subscription.type):
            due = {name: subscription.held[name] for name in subscription.beats}
        response = self._send(subscription, self._heartbeat(subscription, due), {}, (), now)
        subscription.plan_beats(due, now)
        return response

    def _take_updates(self, subscription: Subscription, changed: dict[str, Resource], removed: set[str]) -> None:
        """Moves what differs from what the client holds into `changed` and `removed`, but for removals of what is
        still in use: these are deferred."""
        gone: list[str] = []
        for name in subscription.dirty | subscription.deferred:
            if name in changed or name in removed:
                continue
            wanted = subscription.wanted(name, self._snapshot)
            if not subscription.differs(name, self._snapshot):
                if wanted is not None:
                    subscription.hold(name, wanted)  # what was known by its version alone now has its references
            elif wanted is None:
                gone.append(name)
            else:
                changed[name] = wanted
        subscription.dirty.clear()
        subscription.deferred.clear()
        subscription.waiting_since = None
        if gone:
            in_use = self._in_use(subscription.type)
            if in_use is None:
                subscription.deferred.update(gone)
            else:
                subscription.deferred.update(in_use.intersection(gone))
                removed.update(name for name in gone if name not in in_use)

    def _in_use(self, type: ResourceType) -> set[str] | None:
        """The names of `type` that the client's other resources refer to; None while it cannot be said, because an
        update of a type that may refer to it is still to come."""
        names: set[str] = set()
        for user in self._subscriptions.values():
            if user.type is type:
                continue
            if user.type.order > type.order and not user.is_settled:
                return None
            for resource in user.held.values():
                names.update(key.name for key in resource.references if key.type is type)
        return names

    def _awaited(self) -> set[str]:
        """The EDS names that the client's clusters refer to, of clusters that are still to be had: a client does not
        wait for the endpoints of one that is about to be removed."""
        clusters = self._subscriptions.get(CLUSTER)
        if clusters is None:
            return set()
        return {
            key.name
            for name, resource in clusters.held.items()
            if self._snapshot.get(CLUSTER, name) is not None
            for key in resource.references
            if key.type is ENDPOINT
        }

    def _warms(self, type: ResourceType, name: str) -> bool:
        """Whether a cluster that is on its way waits for the endpoints `name`. If the snapshot has dropped them since,
        there are none, which has to be said: Envoy keeps its word on the clusters back meanwhile, and so would be sent
        nothing newer."""
        clusters = self._subscriptions.get(CLUSTER)
        return (
            type is ENDPOINT
            and clusters is not None
            and any(
                ResourceKey(ENDPOINT, name) in resource.references
                for in_flight in clusters.in_flight.values()
                for resource in in_flight.sent.values()
            )
        )

    def _send(
        self,
        subscription: Subscription,
        assembled: Assembled,
        changed: Mapping[str, Resource],
        removed: Names,
        now: float,
    ) -> Response:
        version, payload = assembled
        subscription.plan_beats(changed, now)
        self._nonce += 1
        nonce = str(self._nonce)
        subscription.in_flight[nonce] = InFlight(version, changed, removed, now)
        subscription.last_nonce, subscription.sent_version = nonce, version
        subscription.answered = True
        if subscription.type is CLUSTER:
            self._warm(changed.values())
        return Response(subscription.type, version, nonce, payload, tuple(sorted(changed)), removed)

    def _warm(self, clusters: Iterable[Resource]) -> None:
        """A new or changed cluster stays warming until EDS answers it, so EDS is answered even when it did not change
        (section "Resource warming"). Behind the clusters, not behind their ACK: Envoy keeps that back until they are
        warm, and does not ask for endpoints again that it is subscribed to already."""
        endpoints = self._subscriptions.get(ENDPOINT)
        if endpoints is None:
            return
        names = {key.name for cluster in clusters for key in cluster.references if key.type is ENDPOINT}
        self._warming |= names
        endpoints.forced |= {name for name in names if endpoints.wants(name)}


def _blamed(reason: str, names: Iterable[str]) -> Names:
    """The resources that the client's error names. Envoy writes "Error adding/updating cluster(s) NAME: WHY, …"."""
    return tuple(
        name for name in names if name in reason and re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-]|\.\w)", reason)
    )
