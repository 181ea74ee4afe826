"""Which hostnames a Gateway's listeners serve, and with which routes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policy.documents import Documents
from policy.gateway import Gateway, Listener
from policy.route import ParentReference, Route
from policy.stream_route import StreamRoute

ANY_HOST = "*"


@dataclass(frozen=True, slots=True)
class ServedStream:
    """A route of whole connections, and those of its hostnames (SNI; "*": any) that no other took before."""

    route: StreamRoute
    hostnames: tuple[str, ...]


def served_streams(
    documents: Documents, gateway: Gateway, listener: Listener, *, rivals: Sequence[Listener]
) -> tuple[ServedStream, ...]:
    """The TLSRoutes or TCPRoutes of `listener`, sorted by namespace and name. Of two that want the same hostname the
    first has it."""
    found: dict[StreamRoute, list[str]] = {}
    taken: set[str] = set()
    for route, _, hostname in _shared(documents, gateway, [listener], rivals):
        if isinstance(route, StreamRoute) and hostname not in taken:
            taken.add(hostname)
            found.setdefault(route, []).append(hostname)
    return tuple(ServedStream(route, tuple(sorted(hostnames))) for route, hostnames in found.items())


def _shared(
    documents: Documents, gateway: Gateway, listeners: Sequence[Listener], rivals: Sequence[Listener]
) -> Iterator[tuple[Route, Listener, str]]:
    for route in documents.routes_of(gateway):
        for listener, hostname in served_under(route, gateway, listeners, rivals=rivals):
            yield route, listener, hostname


def served_under(
    route: Route, gateway: Gateway, listeners: Sequence[Listener], *, rivals: Sequence[Listener]
) -> Iterator[tuple[Listener, str]]:
    """Which of `listeners` serve `route`, each under which hostname. rivals: all listeners of their port."""
    for parent in route.spec.parent_refs:
        if not refers_to(route, parent, gateway):
            continue
        for listener in listeners:
            if selects(parent, listener) and admits(gateway, listener, route):
                for hostname in shared_hostnames(listener.hostname, route.hostnames):
                    if owner(rivals, hostname) is listener:
                        yield listener, hostname


def owner(listeners: Sequence[Listener], hostname: str) -> Listener:
    """The most specific of `listeners`, of one port, that serves `hostname`; one must."""
    if len(listeners) == 1:
        return listeners[0]
    fitting = [
        listener
        for listener in listeners
        if listener.hostname in (None, hostname) or covers(listener.hostname or "", hostname)
    ]
    return max(fitting, key=lambda listener: (listener.hostname == hostname, len(listener.hostname or "")))


def refers_to(route: Route, parent: ParentReference, gateway: Gateway) -> bool:
    """Whether `parent`, in `route`, means `gateway`. A reference without a namespace means the route's own."""
    named = (parent.kind, parent.namespace or route.key.namespace, parent.name)
    return named == (Gateway.KIND, gateway.key.namespace, gateway.key.name)


def selects(parent: ParentReference, listener: Listener) -> bool:
    """Whether `parent` means this listener among its Gateway's: all of them, unless it names one or a port."""
    return parent.section_name in (None, listener.name) and parent.port in (None, listener.port)


def admits(gateway: Gateway, listener: Listener, route: Route) -> bool:
    """Whether `listener` takes routes of the route's kind and namespace (`allowedRoutes`)."""
    return route.key.kind in listener.route_kinds and admits_namespace(gateway, listener, route)


def admits_namespace(gateway: Gateway, listener: Listener, route: Route) -> bool:
    return listener.allows_all_namespaces or route.key.namespace == gateway.key.namespace


def shared_hostnames(listener: str | None, route: tuple[str, ...]) -> tuple[str, ...]:
    """The hostnames that both a listener and a route serve (Gateway API, HTTPRouteSpec.hostnames): the more specific
    of each pair that fits; the route's are all its listener's, if it names none."""
    if not route:
        return (listener or ANY_HOST,)
    if listener is None:
        return route
    return tuple(hostname for name in route if (hostname := _intersection(listener, name)) is not None)


def _intersection(one: str, other: str) -> str | None:
    if one == other or covers(one, other):
        return other
    return one if covers(other, one) else None


def covers(wildcard: str, name: str) -> bool:
    """Whether "*.example.com" stands for `name`: one or more labels in front of the suffix."""
    return wildcard.startswith("*.") and name != wildcard and name.endswith(wildcard[1:])
