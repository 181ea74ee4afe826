"""Filters that a route runs by itself: for those that know no configuration for routes, or run only on a condition.

The composite filter stands in the chain, the same for everybody, and runs what the route's configuration of it says. So
what a policy asks for is in the route alone, and no listener changes with it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import (
    Composite,
    CompositePerRoute,
    ExecuteFilterAction,
    FilterChainConfiguration,
)
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as XdsExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherOnMatch,
)

from xds.encoder import pack


def in_chain(_: Sequence[Hashable]) -> Composite:
    """What stands in the chain, whatever rules ask: without a route's word it runs nothing."""
    return Composite()


def running(filters: Sequence[tuple[str, Message]], *, when: MatcherMatcherListPredicate | None = None) -> Message:
    """A route's configuration: run `filters`, by name, in this order; `when`: only for requests that it matches."""
    extensions = [TypedExtensionConfig(name=name, typed_config=pack(config)) for name, config in filters]
    if len(extensions) == 1:
        execute = ExecuteFilterAction(typed_config=extensions[0])
    else:
        execute = ExecuteFilterAction(filter_chain=FilterChainConfiguration(typed_config=extensions))
    found = MatcherOnMatch(action=XdsExtensionConfig(name="run", typed_config=pack(execute)))
    if when is None:
        return CompositePerRoute(matcher=Matcher(on_no_match=found))
    matchers = [MatcherMatcherListFieldMatcher(predicate=when, on_match=found)]
    return CompositePerRoute(matcher=Matcher(matcher_list=MatcherMatcherList(matchers=matchers)))
