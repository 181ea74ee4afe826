"""Whether the connected proxies have taken what a document came to: the condition `Programmed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from policy.conditions import Condition, ConditionType
from xds.delivery import Nacked, TypeStatus
from xds.fleet import ClientStatus
from xds.resource_types import ResourceType
from xds.snapshot import Snapshot

_TYPE = ConditionType.PROGRAMMED
_PROGRAMMED = Condition(_TYPE, True, "Programmed")

_by_origin: WeakKeyDictionary[Snapshot, dict[str, frozenset[ResourceType]]] = WeakKeyDictionary()


class Programmed:
    """Answers for all documents of the mesh as it is published and as the proxies stand now."""

    def __init__(self, groups: Mapping[str, Snapshot], proxies: Sequence[ClientStatus], *, is_published: bool) -> None:
        """is_published: whether the newest mesh is what the streams serve."""
        self._groups = groups
        self._is_published = is_published
        self._proxies: dict[str, list[ClientStatus]] = {}
        self._refusals: dict[str, list[tuple[str, ResourceType, Nacked]]] = {}  # by group: who refused what
        self._counted: dict[tuple[str, frozenset[ResourceType]], tuple[int, int]] = {}
        for proxy in proxies:
            self._proxies.setdefault(proxy.client.group, []).append(proxy)
            for status in proxy.types:
                if status.nacked is not None:
                    refusals = self._refusals.setdefault(proxy.client.group, [])
                    refusals.append((proxy.client.node_id, status.type, status.nacked))

    def of(self, origin: str) -> Condition:
        """Of the document `origin`, as `Resource.origin` has it. True only once all connected proxies have ACKed all
        that it came to; then Gateway API's reasons: Pending, Invalid (an Envoy refused it), NoResources."""
        if not self._is_published:
            return Condition(_TYPE, False, "Pending", "the newest revision is not published yet")
        concerned = {group: types for group, made in self._groups.items() if (types := _types_of(made, origin))}
        if not concerned:
            return Condition(_TYPE, False, "NoResources", "nothing that is served is made of it")
        for group, types in sorted(concerned.items()):
            for node_id, type, nacked in self._refusals.get(group, ()):
                if type in types and origin in nacked.origins:
                    return Condition(_TYPE, False, "Invalid", f"{node_id}: {nacked.reason}")
        counts = [self._counts(group, types) for group, types in concerned.items()]
        have, waiting = sum(have for have, _ in counts), sum(waiting for _, waiting in counts)
        if waiting:
            return Condition(_TYPE, False, "Pending", f"{have} of {have + waiting} proxies have it")
        if not have:
            return Condition(_TYPE, False, "Pending", f"no proxy of {', '.join(sorted(concerned))} is connected")
        return _PROGRAMMED

    def _counts(self, group: str, types: frozenset[ResourceType]) -> tuple[int, int]:
        """How many proxies of a group have all of `types`, and how many do not; most documents come to the same few."""
        counted = self._counted.get((group, types))
        if counted is None:
            proxies = self._proxies.get(group, ())
            have = sum(
                1
                for proxy in proxies
                if types <= {status.type for status in proxy.types if status.type in types and _has_settled(status)}
            )
            counted = self._counted[group, types] = (have, len(proxies) - have)
        return counted


def _has_settled(status: TypeStatus) -> bool:
    """Whether the proxy has all of a type, but for what it refused of other documents."""
    return status.in_sync or (status.nacked is not None and status.sent == status.accepted)


def _types_of(snapshot: Snapshot, origin: str) -> frozenset[ResourceType]:
    known = _by_origin.get(snapshot)
    if known is None:
        found: dict[str, set[ResourceType]] = {}
        for type in snapshot.types:
            for resource in snapshot.resources(type).values():
                for word in resource.origin:
                    found.setdefault(word, set()).add(type)
        known = _by_origin[snapshot] = {word: frozenset(types) for word, types in found.items()}
    return known.get(origin, frozenset())
