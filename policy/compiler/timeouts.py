"""Timeouts: TimeoutPolicy on a route's action and on a connection manager."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import HttpProtocolOptions
from envoy_data_plane.envoy.config.route.v3 import RouteAction, RouteActionMaxStreamDuration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from policy.compiler.inputs import HttpListener, RoutedRule
from policy.timeout_policy import TimeoutPolicy


def on_action(action: RouteAction, routed: RoutedRule) -> None:
    """The effective TimeoutPolicy of a rule. Comes after retries: these say whether there is more than one try."""
    policy = routed.policies.one(TimeoutPolicy)
    if policy is None:
        return
    spec, own = policy.spec, routed.rule.timeouts
    if spec.request is not None and (own is None or own.request is None):  # a rule's own word is the most specific
        one_try = own.backend_request if own is not None and action.retry_policy is None else None
        action.timeout = min((limit for limit in (spec.request, one_try) if limit), default=timedelta(0))
    if spec.idle is not None:
        action.idle_timeout = spec.idle
    if spec.stream is not None:
        action.max_stream_duration = RouteActionMaxStreamDuration(max_stream_duration=spec.stream)


def on_connection_manager(manager: HttpConnectionManager, served: HttpListener) -> None:
    """The connection timeouts of the listener's TimeoutPolicy."""
    policy = served.policies.one(TimeoutPolicy)
    if policy is None or policy.spec.connection is None:
        return
    timeouts = policy.spec.connection
    if manager.common_http_protocol_options is None:
        manager.common_http_protocol_options = HttpProtocolOptions()
    if timeouts.idle_timeout is not None:
        manager.common_http_protocol_options.idle_timeout = timeouts.idle_timeout
    if timeouts.max_duration:
        manager.common_http_protocol_options.max_connection_duration = timeouts.max_duration
    if timeouts.headers_timeout is not None:
        manager.request_headers_timeout = timeouts.headers_timeout
    if timeouts.receive_timeout is not None:
        manager.request_timeout = timeouts.receive_timeout
