"""Retries: RetryPolicy on a route's action, and its budget on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    CircuitBreakersThresholdsRetryBudget,
    Cluster,
)
from envoy_data_plane.envoy.config.route.v3 import RetryPolicy as EnvoyRetryPolicy
from envoy_data_plane.envoy.config.route.v3 import RetryPolicyRetryBackOff, RouteAction
from envoy_data_plane.envoy.type.v3 import Percent

from policy.compiler.inputs import ReachedBackend, RoutedRule
from policy.retry_policy import RetryBackOff, RetryPolicy, RetryPolicySpec

_ATTEMPTS = 2
_RETRY_ON = ("connect-failure", "refused-stream", "gateway-error")
"""What can be tried again without asking what the request does: it did not arrive, or a proxy on the way gave up."""


def on_action(action: RouteAction, routed: RoutedRule) -> None:
    """The effective RetryPolicy of a rule."""
    policy = routed.policies.one(RetryPolicy)
    if policy is None:
        return
    spec, timeouts = policy.spec, routed.rule.timeouts
    retry = EnvoyRetryPolicy(
        retry_on=",".join(_conditions(spec)),
        num_retries=spec.attempts if spec.attempts is not None else _ATTEMPTS,
        retriable_status_codes=list(spec.status_codes),
    )
    if spec.back_off is not None:
        retry.retry_back_off = _back_off(spec.back_off)
    per_try = spec.per_try_timeout or (timeouts.backend_request if timeouts is not None else None)
    if per_try:
        retry.per_try_timeout = per_try
    if timeouts is not None and timeouts.backend_request is not None:
        # Gateway API, HTTPRouteTimeouts: `backendRequest` limits one try, `request` all of them together.
        action.timeout = timeouts.request if timeouts.request is not None else timedelta(0)
    action.retry_policy = retry


def on_cluster(cluster: Cluster, reached: ReachedBackend) -> None:
    """The budget of the RetryPolicy that is attached to the service."""
    policy = reached.policies.one(RetryPolicy)
    if policy is None or policy.spec.budget is None:
        return
    if cluster.circuit_breakers is None:
        cluster.circuit_breakers = CircuitBreakers(thresholds=[CircuitBreakersThresholds()])
    for threshold in cluster.circuit_breakers.thresholds:
        threshold.retry_budget = CircuitBreakersThresholdsRetryBudget(
            budget_percent=Percent(value=float(policy.spec.budget.percent)),
            min_retry_concurrency=policy.spec.budget.min_concurrent,
        )


def _conditions(spec: RetryPolicySpec) -> Iterator[str]:
    yield from spec.retry_on or (() if spec.status_codes else _RETRY_ON)
    if spec.status_codes:
        yield "retriable-status-codes"


def _back_off(wait: RetryBackOff) -> RetryPolicyRetryBackOff:
    return RetryPolicyRetryBackOff(base_interval=wait.base, max_interval=wait.max)
