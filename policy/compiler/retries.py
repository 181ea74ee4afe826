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
from policy.http_route import HTTPRouteRetry
from policy.retry_policy import RetryPolicy, RetryPolicySpec

_ATTEMPTS = 2
_RETRY_ON = ("connect-failure", "refused-stream", "gateway-error")
"""What can be tried again without asking what the request does: it did not arrive, or a proxy on the way gave up."""

_CONNECTION_ERRORS = ("connect-failure", "refused-stream", "reset")


def on_action(action: RouteAction, routed: RoutedRule) -> None:
    """The rule's own retries, or those of its effective RetryPolicy."""
    policy, own, timeouts = routed.policies.one(RetryPolicy), routed.rule.retry, routed.rule.timeouts
    if own is not None:
        retry = _of_rule(own)
    elif policy is not None and policy.spec.retries:
        retry = _of_policy(policy.spec)
    else:
        return
    if timeouts is not None and timeouts.backend_request is not None:
        # Gateway API, HTTPRouteTimeouts: `backendRequest` limits one try, `request` all of them together.
        action.timeout = timeouts.request if timeouts.request is not None else timedelta(0)
        if timeouts.backend_request and retry.per_try_timeout is None:
            retry.per_try_timeout = timeouts.backend_request
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


def _of_rule(own: HTTPRouteRetry) -> EnvoyRetryPolicy:
    """Gateway API, HTTPRouteRetry: connections that fail or time out are tried again, and what `codes` says."""
    retry = EnvoyRetryPolicy(
        retry_on=",".join((*_CONNECTION_ERRORS, *(("retriable-status-codes",) if own.codes else ()))),
        num_retries=own.attempts if own.attempts is not None else _ATTEMPTS,
        retriable_status_codes=list(own.codes),
    )
    if own.backoff:
        retry.retry_back_off = RetryPolicyRetryBackOff(base_interval=own.backoff)
    return retry


def _of_policy(spec: RetryPolicySpec) -> EnvoyRetryPolicy:
    retry = EnvoyRetryPolicy(
        retry_on=",".join(_conditions(spec)),
        num_retries=spec.attempts if spec.attempts is not None else _ATTEMPTS,
        retriable_status_codes=list(spec.status_codes),
    )
    if spec.back_off is not None:
        retry.retry_back_off = RetryPolicyRetryBackOff(base_interval=spec.back_off.base, max_interval=spec.back_off.max)
    if spec.per_try_timeout:
        retry.per_try_timeout = spec.per_try_timeout
    return retry


def _conditions(spec: RetryPolicySpec) -> Iterator[str]:
    yield from spec.retry_on or (() if spec.status_codes else _RETRY_ON)
    if spec.status_codes:
        yield "retriable-status-codes"
