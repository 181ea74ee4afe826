"""What the HTTP filters of a rule make of a request, in the order of the chain (`policy.compiler.http_filters`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from policy.cache_policy import CachePolicy
from policy.caching import hindrance
from policy.compiler import caches, compression, faults, geography, rate_limits
from policy.compiler.http_filters import asked
from policy.compression_policy import CompressionPolicy
from policy.explain import authentication, authorization, limits, threats
from policy.explain.changes import allows, is_preflight, redirect_of
from policy.explain.explanation import Answered, Effect, Step
from policy.explain.meeting import Met, Place, passing
from policy.explain.request import Request
from policy.rate_limit_policy import RateLimitPolicy

Teller: TypeAlias = Callable[[Place, Request], Met]


def through_filters(place: Place, request: Request) -> Met:
    """The request, from the first filter that its rule asks for to the last, or to the one that answers it."""
    steps: list[Step] = []
    for name, _ in asked(place.rule):
        met = TELLERS[name](place, request)
        steps += met.steps
        request = met.request
        if met.answer is not None:
            return Met(request, tuple(steps), met.answer)
    return Met(request, tuple(steps))


def _silent(_: Place, request: Request) -> Met:
    """A filter that only helps others."""
    return Met(request)


def _cors(place: Place, request: Request) -> Met:
    rule, origin = place.rule, request.header("origin")
    [index] = [index for index, item in enumerate(rule.rule.filters) if item.cors is not None]
    cors, where = rule.rule.filters[index].cors, f"spec.rules[{rule.index}].filters[{index}]"
    assert cors is not None
    if not origin:
        return Met(request)
    if redirect_of(rule.rule.filters) is not None or not any(ref.weight for ref in rule.rule.backend_refs):
        words = "without effect: Envoy's CORS filter leaves requests alone that go to no backend"
        return Met(request, (Step("CORS", Effect.PASSES, words, rule.origin, where),))
    allowed = allows(cors.allow_origins, origin)
    told = "may" if allowed else "may not"
    if is_preflight(request):
        step = Step("CORS", Effect.ANSWERS, f"the preflight is answered: {origin} {told} send it", rule.origin, where)
        return Met(request, (step,), Answered(200, "a preflight that is answered by the proxy"))
    step = Step("CORS", Effect.PASSES, f"pages of {origin} {told} read the answer", rule.origin, where)
    return Met(request, (step,))


def _own_limit(place: Place, request: Request) -> Met:
    """A fleet's limit, which is also each proxy's, is told of once."""
    policy = place.rule.policies.one(RateLimitPolicy)
    return Met(request) if policy is not None and policy.spec.scope == "Fleet" else limits.rate_limit(place, request)


def _compression(place: Place, request: Request) -> Met:
    policy = place.rule.policies.one(CompressionPolicy)
    assert policy is not None
    spec, accepted = policy.spec, request.header("accept-encoding")
    words = "the answer is not compressed: the client does not say what it takes (accept-encoding)"
    if accepted:
        kinds = f" of {', '.join(spec.content_types)}" if spec.content_types else " of text"
        words = (
            f"an answer{kinds} from {spec.minimum_bytes:,} bytes on is compressed by the best of "
            f"{', '.join(spec.encodings)} that the client takes"
        )
    return passing(request, policy, words)


def _cache(place: Place, request: Request) -> Met:
    policy = place.rule.policies.one(CachePolicy)
    assert policy is not None
    if request.method not in ("GET", "HEAD"):
        return passing(request, policy, f"nothing is kept for {request.method}")
    return passing(request, policy, "a kept answer, if there is a fresh one, is given in place of the backend's")


def _session(place: Place, request: Request) -> Met:
    session, rule = place.rule.rule.session_persistence, place.rule
    assert session is not None
    if session.type == "Header":
        brought = request.header(session.session_name or "")
    else:
        brought = request.cookies.get(session.session_name or "")
    kind = session.type.lower()
    words = (
        f"to the endpoint that its {kind} {session.session_name} names, while that one lives"
        if brought
        else f"the answer gets a {kind} {session.session_name}, which brings the next request to the same endpoint"
    )
    where = f"spec.rules[{rule.index}].sessionPersistence"
    return Met(request, (Step("session", Effect.PASSES, words, rule.origin, where),))


TELLERS: dict[str, Teller] = {
    "envoy.filters.http.cors": _cors,
    geography.NAME: _silent,
    "envoy.filters.http.buffer": threats.bounds,
    "envoy.filters.http.lua/threats": threats.patterns,
    "envoy.filters.http.api_key_auth": authentication.api_keys,
    "envoy.filters.http.basic_auth": authentication.basic,
    "envoy.filters.http.jwt_authn": authentication.jwt,
    "envoy.filters.http.ext_authz/closed": authentication.external,
    "envoy.filters.http.ext_authz/open": authentication.external,
    "envoy.filters.http.rbac/1-deny": authorization.deny,
    "envoy.filters.http.rbac/2-allow": authorization.allow,
    rate_limits.MARK: _silent,
    rate_limits.QUOTA: limits.rate_limit,
    "envoy.filters.http.local_ratelimit": _own_limit,
    "envoy.filters.http.ratelimit": limits.rate_limit,
    faults.NAME: limits.fault,
    compression.NAME: _compression,
    caches.NAME: _cache,
    caches.COOKIES: _silent,
    "envoy.filters.http.stateful_session": _session,
}
"""By the filter's name in the chain."""


def without_effect(place: Place) -> tuple[Step, ...]:
    """What applies to the rule and does nothing there."""
    policy = place.rule.policies.one(CachePolicy)
    if policy is None:
        return ()
    hindered = hindrance(place.rule.rule, place.rule.policies, leaves_mesh=place.rule.leaves_mesh)
    if hindered is None:
        return ()
    words = f"nothing is cached: {hindered} would have no effect on what the cache asks the backend for"
    return (Step(policy.KIND, Effect.PASSES, words, str(policy.key)),)
