"""Which routes a Gateway's port serves, and under which hostnames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policy.gateway import Gateway, Listener
from policy.http_route import HTTPRoute, ParentReference
from policy.kinds import http_routes
from registry.mesh import Mesh

ANY_HOST = "*"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A route on one port of a Gateway; `hostnames` are sorted, "*" stands for any."""

    route: HTTPRoute
    hostnames: tuple[str, ...]


def attached_to(mesh: Mesh, gateway: Gateway, port: int) -> Iterator[Attachment]:
    """The routes that `gateway` serves on `port`, sorted by namespace and name."""
    listeners = [listener for listener in gateway.spec.listeners if listener.port == port]
    for route in http_routes(mesh):
        hostnames = {
            hostname
            for parent in route.spec.parent_refs
            if refers_to(route, parent, gateway)
            for listener in listeners
            if selects(parent, listener) and admits(gateway, listener, route)
            for hostname in shared_hostnames(listener.hostname, route.spec.hostnames)
        }
        if hostnames:
            yield Attachment(route, tuple(sorted(hostnames)))


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
    if one == other or _covers(one, other):
        return other
    return one if _covers(other, one) else None


def _covers(wildcard: str, name: str) -> bool:
    """Whether "*.example.com" stands for `name`: one or more labels in front of the suffix."""
    return wildcard.startswith("*.") and name != wildcard and name.endswith(wildcard[1:])
