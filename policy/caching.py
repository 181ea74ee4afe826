"""Where a cache is sound: Envoy's cache filter asks the backend by itself, past the router, so nothing that the router
does for a request may matter (docs/decisions/0053)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from policy.cache_policy import CachePolicy
from policy.documents import Documents
from policy.effective import Effective
from policy.external_service import ExternalService
from policy.gateway import Gateway
from policy.http_route import HTTPRoute, HTTPRouteRule
from policy.retry_policy import RetryPolicy
from policy.timeout_policy import TimeoutPolicy

_SOUND = frozenset({"name", "matches", "backend_refs"})
_SOUND_OF_A_BACKEND = frozenset({"group", "kind", "namespace", "name", "port", "weight"})


def hindrance(rule: HTTPRouteRule, policies: Effective, *, leaves_mesh: bool) -> str | None:
    """What keeps answers to a rule's requests from being cached, in words; None if nothing does. leaves_mesh: whether a
    backend is outside, and to be asked for by its own name."""
    for name in sorted(rule.model_fields_set - _SOUND):
        if getattr(rule, name):
            return f"its {to_camel(name)}"
    for ref in rule.backend_refs:
        for name in sorted(ref.model_fields_set - _SOUND_OF_A_BACKEND):
            if getattr(ref, name):
                return f"the {to_camel(name)} of its backendRefs"
    if leaves_mesh:
        return "the name of its host outside"
    retry, timeout = policies.one(RetryPolicy), policies.one(TimeoutPolicy)
    if retry is not None and retry.spec.retries:
        return f"{retry.key}"
    if timeout is not None and timeout.spec.request is not None:
        return f"the request timeout of {timeout.key}"
    return None


def cache_findings(documents: Documents) -> Iterator[str]:
    """Which rules a CachePolicy applies to without effect."""
    if not documents.all(CachePolicy):
        return
    routed = (
        (gateway, listener, route)
        for gateway in documents.all(Gateway)
        for route in documents.routes_of(gateway)
        if isinstance(route, HTTPRoute)
        for listener in gateway.spec.listeners
    )
    told: set[str] = set()
    for gateway, listener, route in routed:
        for index, rule in enumerate(route.spec.rules):
            policies = documents.attachments.on_rule(gateway.key, listener.name, route.key, rule.name)
            policy = policies.one(CachePolicy)
            outside = any(
                documents.get(ExternalService, ref.namespace or route.key.namespace, ref.name) is not None
                for ref in rule.backend_refs
            )
            hindered = hindrance(rule, policies, leaves_mesh=outside)
            if policy is None or hindered is None:
                continue
            words = (
                f"{policy.key}: nothing is cached for spec.rules[{index}] of {route.key}: {hindered} would have no "
                "effect on what the cache asks the backend for"
            )
            if words not in told:
                told.add(words)
                yield words
