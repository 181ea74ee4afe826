"""Redirects that lead back to the rule they stand in: a client would follow them until it gives up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policy.attachment import admits, covers, refers_to, selects
from policy.explain.changes import changed_path, redirect_of
from policy.explain.matching import on_path
from policy.gateway import Gateway, Listener
from policy.http_route import HTTPRequestRedirect, HTTPRoute, HTTPRouteMatch

_WELL_KNOWN = {"http": 80, "https": 443}


def redirect_findings(known: Mapping[tuple[str, str], Gateway], route: HTTPRoute) -> Iterator[str]:
    """Which rules of `route` redirect to themselves, each told once. known: Gateways by namespace and name."""
    redirects = [
        (index, rule, found)
        for index, rule in enumerate(route.spec.rules)
        if (found := redirect_of(rule.filters)) is not None
    ]
    if not redirects:
        return
    listeners = list(_listeners(known, route))
    for index, rule, found in redirects:
        for number, match in enumerate(rule.matches):
            back = _same_host(found, route) and _same_path(found, match)
            looping = [listener.name for listener in listeners if back and _same_port(found, listener)]
            if looping:
                where = f"spec.rules[{index}].matches[{number}]"
                yield (
                    f"{route.key}: {where}: its redirect leads back to it on the listener {looping[0]}, without end; "
                    "attach the route to another listener, or give the redirect another scheme, port, hostname or path"
                )


def _listeners(known: Mapping[tuple[str, str], Gateway], route: HTTPRoute) -> Iterator[Listener]:
    for parent in route.spec.parent_refs:
        gateway = known.get((parent.namespace or route.key.namespace, parent.name))
        if gateway is None or not refers_to(route, parent, gateway):
            continue
        for listener in gateway.spec.listeners:
            carries = listener.protocol.lower() in _WELL_KNOWN and selects(parent, listener)
            if carries and admits(gateway, listener, route):
                yield listener


def _same_host(redirect: HTTPRequestRedirect, route: HTTPRoute) -> bool:
    name = redirect.hostname
    return name is None or not route.hostnames or any(host == name or covers(host, name) for host in route.hostnames)


def _same_port(redirect: HTTPRequestRedirect, listener: Listener) -> bool:
    scheme = redirect.scheme or listener.protocol.lower()
    port = redirect.port or (_WELL_KNOWN[scheme] if redirect.scheme is not None else listener.port)
    return (scheme, port) == (listener.protocol.lower(), listener.port)


def _same_path(redirect: HTTPRequestRedirect, match: HTTPRouteMatch) -> bool:
    if redirect.path is None:
        return True
    if match.path.type == "RegularExpression" and redirect.path.type == "ReplacePrefixMatch":
        return False
    return on_path(match.path, changed_path(redirect.path, match, match.path.value))
