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
    Vhds,
    VirtualHost,
    WeightedCluster,
    WeightedClusterClusterWeight,
)

from policy.backends import Backend
from policy.compiler import names, telemetry
from policy.compiler.features import ACTION_STEPS
from policy.compiler.filters import header_edits, redirect, rewrite
from policy.compiler.http_filters import per_route
from policy.compiler.inputs import RoutedHost, RoutedRule
from policy.compiler.matches import precedence, route_match
from policy.compiler.sources import ads
from policy.http_route import HTTPBackendRef, HTTPRouteMatch, HTTPRouteRule
from xds.encoder import encode
from xds.messages import unchecked
from xds.references import references
from xds.resource import Resource
from xds.resource_types import ROUTE, ResourceKey
from xds.wire import length_delimited

_VIRTUAL_HOSTS, _ROUTES = 2, 3  # the numbers of RouteConfiguration's and VirtualHost's fields
_NO_BACKEND = "no backend: every backendRef of this rule has weight 0, or there is none\n"

_Route = unchecked(Route)
_RouteAction = unchecked(RouteAction)
_RouteConfiguration = unchecked(RouteConfiguration)
_VirtualHost = unchecked(VirtualHost)
_WeightedCluster = unchecked(WeightedCluster)
_WeightedClusterClusterWeight = unchecked(WeightedClusterClusterWeight)


@dataclass(frozen=True, slots=True)
class _EncodedRoute:
    """precedence: what it sorts by among its host's. framed: the field of a VirtualHost. references: each once, as a
    tuple: a set of one has five times its size."""

    precedence: tuple[object, ...]
    framed: bytes
    references: tuple[ResourceKey, ...]


@dataclass(frozen=True, slots=True)
class _EncodedHost:
    """framed: the field of a RouteConfiguration."""

    framed: bytes
    references: frozenset[ResourceKey]


def encoded_routes(
    name: str, hosts: Sequence[RoutedHost], *, on_demand: bool = False, origin: Sequence[str] = ()
) -> Resource:
    """The route configuration `name` of `hosts`, which are sorted by hostname, as a resource. on_demand: whether the
    proxy asks for further ones.

    It is joined from hosts, and they from rules, that are encoded once for as long as they stay as they are: of
    thousands of routes only the changed one is made anew.
    """
    head = encode(_RouteConfiguration(name=name, vhds=Vhds(config_source=ads()) if on_demand else None))
    encoded = [_host(host) for host in hosts]
    return Resource.joined(
        ROUTE,
        name,
        [head, *(host.framed for host in encoded)],
        references=references(ROUTE, head).union(*(host.references for host in encoded)),
        origin=origin,
    )


def _host(host: RoutedHost) -> _EncodedHost:
    if host.kept.encoded is None:
        entries = [route for rule in host.rules for route in _encoded(rule)]
        entries.sort(key=lambda route: route.precedence)  # stable: ties stay in the order of routes, rules and matches
        head = encode(_VirtualHost(name=host.hostname, domains=[host.hostname, *host.aliases]))
        host.kept.encoded = _EncodedHost(
            length_delimited(_VIRTUAL_HOSTS, b"".join([head, *(route.framed for route in entries)])),
            frozenset().union(*(route.references for route in entries)),
        )
    encoded: _EncodedHost = host.kept.encoded
    return encoded


def _encoded(rule: RoutedRule) -> list[_EncodedRoute]:
    if rule.kept.encoded is None:
        encoded = []
        for number, match in enumerate(rule.rule.matches):
            framed = length_delimited(_ROUTES, encode(_route(rule, number, match)))
            alone = length_delimited(_VIRTUAL_HOSTS, framed)  # a configuration of just this route
            encoded.append(_EncodedRoute(precedence(match), framed, tuple(references(ROUTE, alone))))
        rule.kept.encoded = encoded
    known: list[_EncodedRoute] = rule.kept.encoded
    return known


def _route(routed: RoutedRule, number: int, match: HTTPRouteMatch) -> Route:
    rule = routed.rule
    edits = header_edits(rule.filters)
    prefix = match.path.value if match.path.type == "PathPrefix" else None
    route = _Route(
        name=names.route(routed.origin, routed.index, number),
        match=route_match(match),
        request_headers_to_add=edits.request_headers_to_add,
        request_headers_to_remove=edits.request_headers_to_remove,
        response_headers_to_add=edits.response_headers_to_add,
        response_headers_to_remove=edits.response_headers_to_remove,
        typed_per_filter_config=per_route(routed),
        tracing=telemetry.of_route(routed),
    )
    target = redirect(rule.filters, prefix=prefix, port=routed.redirect_port)
    if target is not None:
        route.redirect = target
    elif sum(ref.weight for ref in rule.backend_refs) == 0:
        # Gateway API, HTTPRouteRule.backendRefs: a rule that names no backend answers 500.
        route.direct_response = DirectResponseAction(status=500, body=DataSource(inline_string=_NO_BACKEND))
    else:
        route.route = _action(rule, routed.backends)
        rewrite(route.route, rule.filters, prefix=prefix)
        if routed.leaves_mesh and not route.route.host_rewrite_literal:
            route.route.auto_host_rewrite = True  # to the name that DNS found the host by; others keep the request's
        for step in ACTION_STEPS:
            step(route.route, routed)
    return route


def _action(rule: HTTPRouteRule, backends: Sequence[Backend]) -> RouteAction:
    action = _RouteAction()
    if len(backends) == 1 and not rule.backend_refs[0].filters:
        action.cluster = names.cluster(backends[0])
    else:
        # A backend of weight 0 stays listed, so its cluster stays warm and traffic can come back to it at once.
        action.weighted_clusters = _WeightedCluster(
            clusters=[_weighted(ref, backend) for ref, backend in zip(rule.backend_refs, backends, strict=True)]
        )
    action.timeout = _timeout(rule)
    return action


def _weighted(ref: HTTPBackendRef, backend: Backend) -> WeightedClusterClusterWeight:
    edits = header_edits(ref.filters)
    return _WeightedClusterClusterWeight(
        name=names.cluster(backend),
        weight=ref.weight,
        request_headers_to_add=edits.request_headers_to_add,
        request_headers_to_remove=edits.request_headers_to_remove,
        response_headers_to_add=edits.response_headers_to_add,
        response_headers_to_remove=edits.response_headers_to_remove,
    )


def _timeout(rule: HTTPRouteRule) -> timedelta | None:
    """The time that a request may take; None leaves Envoy's default of 15 s, zero means no limit.

    Without retries the one try may take as long as `backendRequest` says, which is never more than `request`; where
    there are retries, `policy.compiler.retries` puts that right.
    """
    if rule.timeouts is None:
        return None
    limits = [limit for limit in (rule.timeouts.request, rule.timeouts.backend_request) if limit is not None]
    return min((limit for limit in limits if limit), default=timedelta(0) if limits else None)
