"""Caches: CachePolicy as a cache filter that a route runs, with its store on the proxy's disk."""

from __future__ import annotations

from collections.abc import Sequence

from betterproto2 import Message
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as HeaderMutationRule
from envoy_data_plane.envoy.extensions.common.async_files.v3 import (
    AsyncFileManagerConfig,
    AsyncFileManagerConfigThreadPool,
)
from envoy_data_plane.envoy.extensions.filters.http.cache.v3 import CacheConfig
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.envoy.extensions.http.cache.file_system_http_cache.v3 import FileSystemHttpCacheConfig
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from policy.cache_policy import CachePolicy, CachePolicySpec
from policy.caching import hindrance
from policy.compiler.inputs import RoutedRule
from policy.compiler.routed_filters import running
from policy.grpc_route import GRPCRoute
from xds.encoder import pack

NAME = "apg.cache"
COOKIES = "apg.cache-cookies"

MAX_BYTES = 1 << 30
MAX_ENTRY_BYTES = 16 << 20
"""Fixed: Envoy refuses a second configuration of the same directory, also the one that is to replace the first."""

_THREADS = 2


def asked(rule: RoutedRule) -> CachePolicySpec | None:
    """The effective CachePolicy of a rule that can be cached."""
    policy = rule.policies.one(CachePolicy)
    if policy is None or isinstance(rule.route, GRPCRoute):
        return None
    hindered = hindrance(rule.rule, rule.policies, leaves_mesh=rule.leaves_mesh)
    return policy.spec if hindered is None else None


def on_route(spec: CachePolicySpec) -> Message:
    """The cache of the directory. Envoy has a store in memory, too, which never forgets: that is no cache."""
    store = FileSystemHttpCacheConfig(
        manager_config=AsyncFileManagerConfig(thread_pool=AsyncFileManagerConfigThreadPool(thread_count=_THREADS)),
        cache_path=f"{spec.directory}/",
        max_cache_size_bytes=MAX_BYTES,
        max_individual_cache_entry_size_bytes=MAX_ENTRY_BYTES,
    )
    config = CacheConfig(
        typed_config=pack(store),
        allowed_vary_headers=[StringMatcher(exact=name, ignore_case=True) for name in spec.vary_on],
        ignore_request_cache_control_header=spec.ignore_request_cache_control,
    )
    return running([("envoy.filters.http.cache", config)])


def cookies_in_chain(_: Sequence[CachePolicySpec]) -> HeaderMutation:
    """The same for everybody: without a route's word it changes nothing."""
    return HeaderMutation()


def without_cookies(_: CachePolicySpec) -> HeaderMutationPerRoute:
    """Envoy keeps answers that set cookies, and would give one client's to all others (RFC 9111, section 7.3). What it
    keeps cannot be told apart in time, so nobody gets any: on their way out, all answers pass here."""
    remove = HeaderMutationRule(remove="set-cookie")
    return HeaderMutationPerRoute(mutations=Mutations(response_mutations=[remove]))
