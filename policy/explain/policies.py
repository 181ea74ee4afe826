"""What attached policies do to a request beside the HTTP filters (`policy.explain.filters`), one function a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from policy.attached import AttachedPolicy
from policy.backend_policy import BackendPolicy
from policy.backend_tls import BackendTLSPolicy
from policy.compiler.patches import patches_of
from policy.documents import Documents
from policy.envoy_patch import EnvoyPatch
from policy.explain.explanation import Effect, Step
from policy.explain.request import Request
from policy.retry_policy import RetryPolicy
from policy.shapes import format_duration
from policy.telemetry_policy import TelemetryPolicy
from policy.timeout_policy import TimeoutPolicy

_BEFORE_ROUTES = (TelemetryPolicy.KIND,)


def at_listener(
    documents: Documents, group: str, policies: tuple[AttachedPolicy, ...], request: Request
) -> Iterator[Step]:
    """What concerns all requests that a listener of the proxies `group` takes, whatever becomes of them; `policies` are
    the listener's."""
    for policy in (*patches_of(documents, group), *policies):
        if policy.KIND in (EnvoyPatch.KIND, *_BEFORE_ROUTES):
            yield from policy_steps(policy, request)


def at_router(policies: tuple[AttachedPolicy, ...], request: Request) -> Iterator[Step]:
    """What concerns the way from the last filter to the backend."""
    for policy in policies:
        if policy.KIND not in _BEFORE_ROUTES or _is_of_route(policy):
            yield from policy_steps(policy, request)


def _is_of_route(policy: AttachedPolicy) -> bool:
    return any(ref.kind.endswith("Route") for ref in policy.spec.target_refs)


def policy_steps(policy: AttachedPolicy, request: Request) -> Iterator[Step]:
    """What `policy` does to the request; nothing, where its kind is one of filters."""
    tell = BY_KIND.get(policy.KIND)
    if tell is not None:
        effect, words = tell(policy, request)
        yield Step(policy.KIND, effect, words, str(policy.key))


def _retry(policy: RetryPolicy, _: Request) -> tuple[Effect, str]:
    return Effect.PASSES, "; ".join(_retry_words(policy)) or "not tried again"


def _retry_words(policy: RetryPolicy) -> Iterator[str]:
    spec = policy.spec
    if spec.retries:
        on = (
            ", ".join([*spec.retry_on, *(str(status) for status in spec.status_codes)])
            or "connection and gateway errors"
        )
        yield f"tried again after {on}" + (f", {spec.attempts} times at most" if spec.attempts is not None else "")
    if spec.per_try_timeout is not None:
        yield f"each try may take {format_duration(spec.per_try_timeout)}"
    if spec.budget is not None:
        yield f"at most {spec.budget.percent}% of the requests to this service may be retries"


def _timeout(policy: TimeoutPolicy, _: Request) -> tuple[Effect, str]:
    spec = policy.spec
    limits = [
        (spec.request, "answered with 504 after {} without an answer"),
        (spec.idle, "ended after {} without a byte either way"),
        (spec.stream, "ended after {}, whatever flows"),
    ]
    words = [text.format(format_duration(limit)) for limit, text in limits if limit]
    words += ["its time is not limited"] if any(limit is not None and not limit for limit, _ in limits) else []
    if spec.connection is not None:
        words.append("its connection has limits, too")
    return Effect.MAY_REFUSE if any(limit for limit, _ in limits) else Effect.PASSES, "; ".join(words)


def _backend(policy: BackendPolicy, _: Request) -> tuple[Effect, str]:
    spec, words = policy.spec, []
    effect = Effect.PASSES
    if (balancing := spec.load_balancing) is not None:
        on = f" on {', '.join(item.name or 'the source address' for item in balancing.hash_on)}"
        words.append(f"an endpoint by {balancing.algorithm}" + on * bool(balancing.hash_on))
    if (breakers := spec.circuit_breakers) is not None:
        effect = Effect.MAY_REFUSE
        given = [
            f"{getattr(breakers, name):,} {name.replace('_', ' ')}"
            for name in ("connections", "pending_requests", "requests", "retries")
            if getattr(breakers, name) is not None
        ]
        words.append(f"refused with 503 beyond {', '.join(given)} at once")
    if spec.outlier_detection is not None:
        words.append("endpoints that fail are left out for a while")
    if spec.health_check is not None:
        words.append("endpoints that fail their health checks are left out")
    if spec.connection is not None:
        words.append("connections as it says")
    if spec.protocol is not None:
        words.append(f"spoken to in {spec.protocol}")
    return effect, "; ".join(words) or "says nothing about the backend"


def _backend_tls(policy: BackendTLSPolicy, _: Request) -> tuple[Effect, str]:
    name = policy.spec.validation.hostname
    return Effect.MAY_REFUSE, f"by TLS; 503 unless the backend's certificate is one for {name} of a trusted authority"


def _telemetry(policy: TelemetryPolicy, _: Request) -> tuple[Effect, str]:
    spec, words = policy.spec, []
    if (log := spec.access_log) is not None:
        least = f" if it is answered with {log.minimum_status} or above" if log.minimum_status is not None else ""
        words.append(f"in the access log{least}")
    if spec.audit_log is not None:
        words.append("in the audit log if the proxy refuses it")
    if spec.tracing is not None:
        words.append(f"{spec.tracing.sampling:g}% are traced")
    return Effect.PASSES, "; ".join(words)


def _patch(policy: EnvoyPatch, _: Request) -> tuple[Effect, str]:
    resource = policy.spec.resource
    words = f"{resource.type} {resource.name} is patched, and what that does to requests cannot be told from here"
    return Effect.MAY_REFUSE, words


BY_KIND: dict[str, Callable[[Any, Request], tuple[Effect, str]]] = {
    BackendPolicy.KIND: _backend,
    BackendTLSPolicy.KIND: _backend_tls,
    EnvoyPatch.KIND: _patch,
    RetryPolicy.KIND: _retry,
    TelemetryPolicy.KIND: _telemetry,
    TimeoutPolicy.KIND: _timeout,
}
"""The kinds that are no HTTP filters."""
