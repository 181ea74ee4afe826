"""The HTTP filters that rules can ask for: in which order they stand in the chain, and how each is made.

Each is disabled but for the routes of the rules that ask for it (Envoy: `HttpFilter.disabled`, enabled by a route's
`typed_per_filter_config`). So a policy on one route costs other routes nothing, and can break none of them.

A filter whose configuration in the chain does not depend on what is asked (`constant`) is in every chain. Then a policy
is a change of routes alone, which open connections meet at once. A changed chain is a new listener, and open
connections stay with the old one until they are drained.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from betterproto2 import Message
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter as EnvoyHttpFilter
from envoy_data_plane.google.protobuf import Any as Packed

from policy.compiler import (
    api_keys,
    authorization,
    basic_auth,
    caches,
    compression,
    cors,
    external_authorization,
    faults,
    geography,
    jwt,
    rate_limits,
    routed_filters,
    sessions,
    threats,
    waiting,
)
from policy.compiler.inputs import Need, RoutedHost, RoutedRule
from xds.encoder import pack
from xds.messages import unchecked


class Place(enum.IntEnum):
    """Where a filter stands: a request meets the lowest first, its response meets it last."""

    CORS = 10  # preflights carry no credentials, so they are answered before any are asked for
    GEOGRAPHY = 20  # what is found out about the client is there for all that decide by it
    THREAT = 30  # cheap refusals first
    AUTHENTICATION = 40
    EXTERNAL_AUTHORIZATION = 45  # after what can refuse without asking anybody
    AUTHORIZATION = 50
    SHARE = 58  # sees all demand, before other limits hide some
    RATE_LIMIT = 60  # after authentication: limits for each client count by who it is
    FAULT = 70
    COMPRESSION = 80  # outside the cache, which keeps responses as the backend sent them
    CACHE = 90
    SESSION = 100


def _no_needs(_: Any) -> Iterable[Need]:  # noqa: ANN401  # whatever the filter's `asked` made
    return ()


@dataclass(frozen=True, slots=True)
class HttpFilter:
    """One row of the table.

    asked: what a rule asks of the filter, as a hashable value; None: nothing. All else is made from such values:
    on_route: the `typed_per_filter_config` of the rule's routes (an `envoy.config.route.v3.FilterConfig`, where the
        filter knows no configuration for routes).
    in_chain: the filter's own configuration, from what all rules of the listener ask, without repetition.
    constant: whether `in_chain` makes the same of anything, of nothing too.
    needs: the clusters that the filter calls.
    """

    name: str
    place: Place
    asked: Callable[[RoutedRule], Hashable | None]
    on_route: Callable[[Any], Message]
    in_chain: Callable[[tuple[Any, ...]], Message]
    needs: Callable[[Any], Iterable[Need]] = _no_needs
    constant: bool = False


_TABLE: tuple[HttpFilter, ...] = (
    HttpFilter(
        name="envoy.filters.http.cors",
        place=Place.CORS,
        asked=cors.asked,
        on_route=cors.on_route,
        in_chain=cors.in_chain,
        constant=True,
    ),
    HttpFilter(
        name="envoy.filters.http.stateful_session",
        place=Place.SESSION,
        asked=sessions.asked,
        on_route=sessions.on_route,
        in_chain=sessions.in_chain,
        constant=True,
    ),
    HttpFilter(geography.NAME, Place.GEOGRAPHY, geography.asked, geography.on_route, geography.in_chain),
    HttpFilter(
        "envoy.filters.http.buffer",
        Place.THREAT,
        threats.asked_to_bound,
        threats.buffer_on_route,
        threats.buffer_in_chain,
    ),
    HttpFilter(
        "envoy.filters.http.lua/threats",
        Place.THREAT,
        threats.asked_to_inspect,
        threats.script_on_route,
        threats.script_in_chain,
    ),
    HttpFilter(
        "envoy.filters.http.api_key_auth",
        Place.AUTHENTICATION,
        api_keys.asked,
        api_keys.on_route,
        api_keys.in_chain,
        constant=True,
    ),
    HttpFilter(
        "envoy.filters.http.basic_auth",
        Place.AUTHENTICATION,
        basic_auth.asked,
        basic_auth.on_route,
        basic_auth.in_chain,
        constant=True,
    ),
    HttpFilter("envoy.filters.http.jwt_authn", Place.AUTHENTICATION, jwt.asked, jwt.on_route, jwt.in_chain, jwt.needs),
    *(
        HttpFilter(
            f"envoy.filters.http.ext_authz/{mode}",
            Place.EXTERNAL_AUTHORIZATION,
            asked_in_mode,
            external_authorization.on_route,
            external_authorization.in_chain,
            external_authorization.needs,
        )
        for mode, asked_in_mode in (
            ("closed", external_authorization.asked_closed),
            ("open", external_authorization.asked_open),
        )
    ),
    HttpFilter(
        "envoy.filters.http.rbac/1-deny",
        Place.AUTHORIZATION,
        authorization.asked_to_deny,
        authorization.on_route,
        authorization.deny_in_chain,
        constant=True,
    ),
    HttpFilter(
        "envoy.filters.http.rbac/2-allow",
        Place.AUTHORIZATION,
        authorization.asked_to_allow,
        authorization.on_route,
        authorization.allow_in_chain,
        constant=True,
    ),
    HttpFilter(
        "envoy.filters.http.local_ratelimit",
        Place.RATE_LIMIT,
        rate_limits.asked_of_proxies,
        rate_limits.local_on_route,
        rate_limits.local_in_chain,
    ),
    HttpFilter(
        rate_limits.MARK,
        Place.SHARE,
        rate_limits.asked_of_the_fleet,
        rate_limits.mark_on_route,
        rate_limits.mark_in_chain,
    ),
    HttpFilter(
        rate_limits.QUOTA,
        Place.SHARE,
        rate_limits.asked_of_the_fleet,
        rate_limits.quota_on_route,
        rate_limits.quota_in_chain,
    ),
    HttpFilter(
        "envoy.filters.http.ratelimit",
        Place.RATE_LIMIT,
        rate_limits.asked_of_a_service,
        rate_limits.service_on_route,
        rate_limits.service_in_chain,
        rate_limits.service_needs,
    ),
    HttpFilter(
        name=faults.NAME,
        place=Place.FAULT,
        asked=faults.asked,
        on_route=faults.on_route,
        in_chain=routed_filters.in_chain,
        constant=True,
    ),
    HttpFilter(
        name=compression.NAME,
        place=Place.COMPRESSION,
        asked=compression.asked,
        on_route=compression.on_route,
        in_chain=routed_filters.in_chain,
        constant=True,
    ),
    HttpFilter(
        name=caches.NAME,
        place=Place.CACHE,
        asked=caches.asked,
        on_route=caches.on_route,
        in_chain=routed_filters.in_chain,
        constant=True,
    ),
    HttpFilter(
        name=caches.COOKIES,
        place=Place.CACHE,
        asked=caches.asked,
        on_route=caches.without_cookies,
        in_chain=caches.cookies_in_chain,
        constant=True,
    ),
)
HTTP_FILTERS: tuple[HttpFilter, ...] = tuple(sorted(_TABLE, key=lambda row: (row.place, row.name)))
"""All filters, in the order of the chain. The router, which ends it, is not among them."""

_BY_NAME = {row.name: row for row in HTTP_FILTERS}
_EnvoyHttpFilter = unchecked(EnvoyHttpFilter)


def asked(rule: RoutedRule) -> tuple[tuple[str, Hashable], ...]:
    """What `rule` asks of filters: filter and value, in the order of the chain."""
    return tuple((row.name, value) for row in HTTP_FILTERS if (value := row.asked(rule)) is not None)


def per_route(rule: RoutedRule) -> dict[str, Packed]:
    """The `typed_per_filter_config` of the rule's routes."""
    made = {name: pack(_BY_NAME[name].on_route(value)) for name, value in asked(rule)}
    if made and rule.on_demand:
        made |= waiting.on_route()
    return made


def chain(asked_of: Iterable[tuple[str, tuple[Hashable, ...]]]) -> list[EnvoyHttpFilter]:
    """The filters of a chain whose rules ask `asked_of` them (`HttpListener.asked`)."""
    values = dict(asked_of)
    return [
        _EnvoyHttpFilter(name=row.name, typed_config=pack(row.in_chain(values.get(row.name, ()))), disabled=True)
        for row in HTTP_FILTERS
        if row.constant or row.name in values
    ]


def together(rules: Iterable[RoutedRule]) -> tuple[tuple[str, tuple[Hashable, ...]], ...]:
    """What `rules` ask of each filter whose configuration in the chain depends on it, or that calls others; without
    repetition: filters in the order of the chain, values in that of the rules."""
    found: dict[str, dict[Hashable, None]] = {}
    for rule in rules:
        for name, value in asked(rule):
            if _BY_NAME[name].constant and _BY_NAME[name].needs is _no_needs:
                continue
            found.setdefault(name, {})[value] = None
    return tuple((row.name, tuple(found[row.name])) for row in HTTP_FILTERS if row.name in found)


def together_of(hosts: Iterable[RoutedHost]) -> tuple[tuple[str, tuple[Hashable, ...]], ...]:
    """The same of all rules of `hosts`; what a host's rules ask is found once for the host."""
    found: dict[str, dict[Hashable, None]] = {}
    for host in hosts:
        if host.kept.asked is None:
            host.kept.asked = together(host.rules)
        for name, values in host.kept.asked:
            found.setdefault(name, {}).update(dict.fromkeys(values))
    return tuple((row.name, tuple(found[row.name])) for row in HTTP_FILTERS if row.name in found)


def needs(asked_of: Iterable[tuple[str, tuple[Hashable, ...]]]) -> Iterator[Need]:
    """The clusters that the filters of a chain call."""
    for name, values in asked_of:
        for value in values:
            yield from _BY_NAME[name].needs(value)
