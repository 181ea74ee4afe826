"""How requests are treated, as attached policies."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from intelligence.intents.errors import UnsupportedError
from intelligence.intents.intents import (
    Algorithm,
    CircuitBreaker,
    Compression,
    Ejection,
    Fault,
    LimitKey,
    LoadBalancing,
    RateLimit,
    Retries,
    Timeout,
    TimeoutOf,
)
from intelligence.intents.said import span
from intelligence.intents.writing.draft import Draft, name_of
from policy.attached import AttachedPolicy

_ALGORITHMS = {
    Algorithm.ROUND_ROBIN: "RoundRobin",
    Algorithm.LEAST_REQUEST: "LeastRequest",
    Algorithm.RANDOM: "Random",
}
_EACH: dict[LimitKey, dict[str, object] | None] = {
    LimitKey.EVERYONE: None,
    LimitKey.USER: {"claim": "sub"},
    LimitKey.ADDRESS: {"sourceAddress": True},
}


def retries(intent: Retries, draft: Draft) -> None:
    for namespace, refs in draft.requests_to(intent.target):
        spec: dict[str, object] = {"attempts": intent.attempts}
        if intent.per_try is not None:
            spec["perTryTimeout"] = span(intent.per_try)
        draft.attach("RetryPolicy", namespace, refs, name=name_of(intent.target), spec=spec)


def timeout(intent: Timeout, draft: Draft) -> None:
    if intent.of is TimeoutOf.CONNECT:
        _backend(draft, intent.target, "connection", connectTimeout=span(intent.after))
        return
    for namespace, refs in draft.requests_to(intent.target):
        spec = {intent.of.value: span(intent.after)}
        draft.attach("TimeoutPolicy", namespace, refs, name=name_of(intent.target), spec=spec)


def breaker(intent: CircuitBreaker, draft: Draft) -> None:
    bounds = {
        "connections": intent.connections,
        "pendingRequests": intent.pending,
        "requests": intent.requests,
    }
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    _backend(draft, intent.target, "circuitBreakers", **given)


def ejection(intent: Ejection, draft: Draft) -> None:
    values: dict[str, object] = {"consecutiveErrors": intent.errors}
    if intent.eject_for is not None:
        values["ejectionTime"] = span(intent.eject_for)
        if intent.eject_for > timedelta(seconds=300):
            values["maxEjectionTime"] = span(intent.eject_for)
    _backend(draft, intent.target, "outlierDetection", **values)


def load_balancing(intent: LoadBalancing, draft: Draft) -> None:
    _backend(draft, intent.target, "loadBalancing", algorithm=_ALGORITHMS[intent.algorithm])


def _backend(draft: Draft, target: Any, part: str, **values: object) -> None:  # noqa: ANN401  # a key or None
    """Sets fields of one part of the BackendPolicy of the service; its others stay."""
    draft.kind("BackendPolicy")
    for namespace, refs in draft.connections_to(target):
        for ref in refs:
            standing = draft.policy_on("BackendPolicy", namespace, [ref])
            before = _spec(standing).get(part, {}) if standing is not None else {}
            draft.attach("BackendPolicy", namespace, [ref], name=ref["name"], spec={part: {**before, **values}})


def _spec(policy: AttachedPolicy) -> dict[str, Any]:
    spec: dict[str, Any] = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)["spec"]
    return spec


def fault(intent: Fault, draft: Draft) -> None:
    """The expiry is a moment, so that proxies end it by themselves."""
    assert intent.lasts is not None, "a fault without an end is asked about"
    expires = (draft.now + intent.lasts).replace(microsecond=0)
    spec: dict[str, object] = {"expiresAt": expires.isoformat().replace("+00:00", "Z"), "delay": None, "abort": None}
    if intent.delay is not None:
        spec["delay"] = {"percent": float(intent.percent), "duration": span(intent.delay)}
    if intent.status is not None:
        spec["abort"] = {"percent": float(intent.percent), "status": intent.status}
    for namespace, refs in draft.requests_to(intent.target):
        draft.attach("FaultPolicy", namespace, refs, name=name_of(intent.target), spec=spec)
    draft.note(f"the fault ends by itself at {spec['expiresAt']}")


def rate_limit(intent: RateLimit, draft: Draft) -> None:
    draft.kind("RateLimitPolicy")
    each = _EACH[intent.key]
    limit: dict[str, object] = {
        "requests": intent.requests,
        "per": span(intent.per),
        **({"each": each} if each else {}),
    }
    for namespace, refs in draft.requests_to(intent.target):
        standing = draft.policy_on("RateLimitPolicy", namespace, refs)
        limits = _spec(standing)["limits"] if standing is not None else []
        kept = [other for other in limits if other.get("each") != limit.get("each")]
        draft.attach("RateLimitPolicy", namespace, refs, name=name_of(intent.target), spec={"limits": [*kept, limit]})
    if intent.key is LimitKey.USER:
        draft.note(
            'a user is told by the claim "sub" of a valid token; requests without one count together, as one user'
        )
    draft.note("each proxy counts its own requests")


def compression(intent: Compression, draft: Draft) -> None:
    for namespace, refs in draft.requests_to(intent.target):
        spec = {"encodings": [intent.algorithm.capitalize()]}
        draft.attach("CompressionPolicy", namespace, refs, name=name_of(intent.target), spec=spec)


def share(percent: Decimal) -> int:
    """A share as documents with whole percentages have it. Raises UnsupportedError for others."""
    if percent != percent.to_integral_value():
        raise UnsupportedError(f"{percent}%: only whole percentages can be mirrored; nothing was changed")
    return int(percent)
