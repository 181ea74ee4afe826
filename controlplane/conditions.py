"""Whether the connected proxies have taken what a document came to: the condition `Programmed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from policy.conditions import Condition, ConditionType
from xds.delivery import TypeStatus
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
        for proxy in proxies:
            self._proxies.setdefault(proxy.client.group, []).append(proxy)

    def of(self, origin: str) -> Condition:
        """Of the document `origin`, as `Resource.origin` has it. True only once all connected proxies have ACKed all
        that it came to; then Gateway API's reasons: Pending, Invalid (an Envoy refused it), NoResources."""
        if not self._is_published:
            return Condition(_TYPE, False, "Pending", "the newest revision is not published yet")
        concerned = {group: types for group, made in self._groups.items() if (types := _types_of(made, origin))}
        if not concerned:
            return Condition(_TYPE, False, "NoResources", "nothing that is served is made of it")
        have = waiting = 0
        for group, types in sorted(concerned.items()):
            for proxy in self._proxies.get(group, ()):
                by_type = {status.type: status for status in proxy.types}
                refused = [by_type[type].nacked for type in types if type in by_type]
                for nacked in refused:
                    if nacked is not None and origin in nacked.origins:
                        return Condition(_TYPE, False, "Invalid", f"{proxy.client.node_id}: {nacked.reason}")
                if all(type in by_type and _has_settled(by_type[type]) for type in types):
                    have += 1
                else:
                    waiting += 1
        if waiting:
            return Condition(_TYPE, False, "Pending", f"{have} of {have + waiting} proxies have it")
        if not have:
            return Condition(_TYPE, False, "Pending", f"no proxy of {', '.join(sorted(concerned))} is connected")
        return _PROGRAMMED


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
