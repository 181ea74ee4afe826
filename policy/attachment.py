"""Which hostnames a Gateway's port serves, each by which listener and with which routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policy.documents import Documents
from policy.gateway import Gateway, Listener
from policy.http_route import HTTPRoute, ParentReference

ANY_HOST = "*"


@dataclass(frozen=True, slots=True)
class ServedHost:
    """A hostname of one port ("*" stands for any other), the listener that serves it, and that listener's routes for
    it, sorted by namespace and name."""

    hostname: str
    listener: Listener
    routes: tuple[HTTPRoute, ...]


def served_hosts(documents: Documents, gateway: Gateway, port: int) -> tuple[ServedHost, ...]:
    """The hostnames that `gateway` serves on `port`, sorted.

    Gateway API, Listener: a request is the most specific listener's alone, so `*.example` gets nothing that
    `shop.example` could take, also where `shop.example` has no route for it.
    """
    listeners = [listener for listener in gateway.spec.listeners if listener.port == port]
    found: dict[str, tuple[Listener, dict[HTTPRoute, None]]] = {}
    if len(listeners) > 1:
        found = {listener.hostname or ANY_HOST: (listener, {}) for listener in listeners}
    for route in documents.routes_of(gateway):
        for listener, hostname in _shared(gateway, listeners, route):
            if owner(listeners, hostname) is listener:
                found.setdefault(hostname, (listener, {}))[1][route] = None
    return tuple(ServedHost(name, listener, tuple(routes)) for name, (listener, routes) in sorted(found.items()))


def _shared(gateway: Gateway, listeners: Sequence[Listener], route: HTTPRoute) -> list[tuple[Listener, str]]:
    return [
        (listener, hostname)
        for parent in route.spec.parent_refs
        if refers_to(route, parent, gateway)
        for listener in listeners
        if selects(parent, listener) and admits(gateway, listener, route)
        for hostname in shared_hostnames(listener.hostname, route.spec.hostnames)
    ]


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


def refers_to(route: HTTPRoute, parent: ParentReference, gateway: Gateway) -> bool:
    """Whether `parent`, in `route`, means `gateway`. A reference without a namespace means the route's own."""
    return (parent.namespace or route.key.namespace, parent.name) == (gateway.key.namespace, gateway.key.name)


def selects(parent: ParentReference, listener: Listener) -> bool:
    """Whether `parent` means this listener among its Gateway's: all of them, unless it names one or a port."""
    return parent.section_name in (None, listener.name) and parent.port in (None, listener.port)


def admits(gateway: Gateway, listener: Listener, route: HTTPRoute) -> bool:
    """Whether `listener` takes routes of the route's namespace (`allowedRoutes`)."""
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
