"""Which features shape which resource, and in which order. A feature is a module of this package; here is where its
steps are registered. HTTP filters have a table of their own: `policy.compiler.http_filters`.

Each step gets the resource as far as it is made, changes it in place, and sees nothing but the resource's input, so
that what is remembered under that input stays right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.route.v3 import RouteAction
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy

from policy.compiler import (
    authorization,
    connections,
    geography,
    health,
    load_balancing,
    mirrors,
    rate_limits,
    retries,
    telemetry,
    timeouts,
)
from policy.compiler.inputs import HttpListener, Need, ReachedBackend, RoutedRule, StreamListener

ACTION_STEPS: tuple[Callable[[RouteAction, RoutedRule], None], ...] = (
    retries.on_action,
    mirrors.on_action,
    rate_limits.on_action,
    timeouts.on_action,  # a limit of one try is one of all tries where there is but one
)
"""For each route that sends requests to a backend; `timeout` holds the rule's own, its cluster or clusters are set."""

CONNECTION_MANAGER_STEPS: tuple[Callable[[HttpConnectionManager, HttpListener], None], ...] = (
    authorization.on_connection_manager,
    geography.on_connection_manager,
    timeouts.on_connection_manager,
    telemetry.on_connection_manager,
)
"""For each HTTP connection manager."""

LISTENER_NEEDS: tuple[Callable[[HttpListener], Iterable[Need]], ...] = (telemetry.needs,)
"""The clusters that a listener calls, beside those that its filters do."""

STREAM_STEPS: tuple[Callable[[TcpProxy, StreamListener], None], ...] = ()
"""For each TCP proxy."""

CLUSTER_STEPS: tuple[Callable[[Cluster, ReachedBackend], None], ...] = (
    load_balancing.on_cluster,
    health.on_cluster,
    retries.on_cluster,  # puts the budget into the circuit breakers
    connections.on_cluster,  # last: TLS decides what can be negotiated
)
"""For each cluster of a backend."""
