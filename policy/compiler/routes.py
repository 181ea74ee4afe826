"""RouteConfiguration: the rules of all routes attached to one port of a Gateway, most specific first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteAction,
    RouteConfiguration,
    VirtualHost,
    WeightedCluster,
    WeightedClusterClusterWeight,
)

from policy.backends import Backend
from policy.compiler import names
from policy.compiler.filters import header_edits, redirect, rewrite
from policy.compiler.matches import precedence, route_match
from policy.http_route import HTTPBackendRef, HTTPRoute, HTTPRouteMatch, HTTPRouteRule

_NO_BACKEND = "no backend: every backendRef of this rule has weight 0, or there is none\n"


@dataclass(frozen=True, slots=True)
class AttachedRoute:
    """A route as one port serves it: under these hostnames ("*": any), with its backendRefs resolved.

    backends: per rule, per backendRef.
    """

    route: HTTPRoute
    hostnames: tuple[str, ...]
    backends: tuple[tuple[Backend, ...], ...]


def route_configuration(name: str, routes: Sequence[AttachedRoute]) -> RouteConfiguration:
    """The route configuration `name` of `routes`, which are sorted by namespace and name."""
    by_hostname: dict[str, list[AttachedRoute]] = {}
    for attached in routes:
        for hostname in attached.hostnames:
            by_hostname.setdefault(hostname, []).append(attached)
    return RouteConfiguration(
        name=name,
        virtual_hosts=[
            VirtualHost(name=hostname, domains=[hostname], routes=_routes(by_hostname[hostname]))
            for hostname in sorted(by_hostname)
        ],
    )


def _routes(attached: Sequence[AttachedRoute]) -> list[Route]:
    matches = [
        (precedence(match), route, index, number, match)
        for route in attached
        for index, rule in enumerate(route.route.spec.rules)
        for number, match in enumerate(rule.matches)
    ]
    matches.sort(key=lambda entry: entry[0])  # stable: ties stay in the order of routes, rules and matches
    return [_route(route, index, number, match) for _, route, index, number, match in matches]


def _route(attached: AttachedRoute, index: int, number: int, match: HTTPRouteMatch) -> Route:
    rule, backends = attached.route.spec.rules[index], attached.backends[index]
    edits = header_edits(rule.filters)
    prefix = match.path.value if match.path.type == "PathPrefix" else None
    route = Route(
        name=f"{attached.route.key} rule {index} match {number}",
        match=route_match(match),
        request_headers_to_add=edits.request_headers_to_add,
        request_headers_to_remove=edits.request_headers_to_remove,
        response_headers_to_add=edits.response_headers_to_add,
        response_headers_to_remove=edits.response_headers_to_remove,
    )
    target = redirect(rule.filters, prefix=prefix)
    if target is not None:
        route.redirect = target
    elif sum(ref.weight for ref in rule.backend_refs) == 0:
        # Gateway API, HTTPRouteRule.backendRefs: a rule that names no backend answers 500.
        route.direct_response = DirectResponseAction(status=500, body=DataSource(inline_string=_NO_BACKEND))
    else:
        route.route = _action(rule, backends)
        rewrite(route.route, rule.filters, prefix=prefix)
    return route


def _action(rule: HTTPRouteRule, backends: Sequence[Backend]) -> RouteAction:
    action = RouteAction()
    if len(backends) == 1 and not rule.backend_refs[0].filters:
        action.cluster = names.cluster(backends[0])
    else:
        # A backend of weight 0 stays listed, so its cluster stays warm and traffic can come back to it at once.
        action.weighted_clusters = WeightedCluster(
            clusters=[_weighted(ref, backend) for ref, backend in zip(rule.backend_refs, backends, strict=True)]
        )
    action.timeout = _timeout(rule)
    return action


def _weighted(ref: HTTPBackendRef, backend: Backend) -> WeightedClusterClusterWeight:
    edits = header_edits(ref.filters)
    return WeightedClusterClusterWeight(
        name=names.cluster(backend),
        weight=ref.weight,
        request_headers_to_add=edits.request_headers_to_add,
        request_headers_to_remove=edits.request_headers_to_remove,
        response_headers_to_add=edits.response_headers_to_add,
        response_headers_to_remove=edits.response_headers_to_remove,
    )


def _timeout(rule: HTTPRouteRule) -> timedelta | None:
    """The time that a request may take; None leaves Envoy's default of 15 s, zero means no limit.

    There are no retries yet, so the one try may take as long as `backendRequest` says, which is never more than
    `request`.
    """
    if rule.timeouts is None:
        return None
    limits = [limit for limit in (rule.timeouts.request, rule.timeouts.backend_request) if limit is not None]
    return min((limit for limit in limits if limit), default=timedelta(0) if limits else None)
