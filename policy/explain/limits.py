"""What RateLimitPolicies and FaultPolicies make of a request, as far as one request shows it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from policy.explain.matching import on_text
from policy.explain.meeting import Met, Place, doubting, passing, refusing
from policy.explain.request import Request
from policy.fault_policy import FaultPolicy, format_instant
from policy.rate_limit_policy import ClientKey, RateLimitPolicy, RequestLimit
from policy.shapes import format_duration

_SCOPES = {
    "Proxy": "each proxy counts for itself",
    "Fleet": "the Gateway's proxies share it",
    "Service": "a service counts for all",
}
_CLIENT_OF_IPV6 = 64  # bits, as in policy.compiler.rate_limits


def rate_limit(place: Place, request: Request) -> Met:
    """Which buckets the request takes from; how full they are, one request does not show."""
    policy = place.rule.policies.one(RateLimitPolicy)
    assert policy is not None
    steps = [
        step
        for index, limit in enumerate(policy.spec.limits)
        for step in doubting(
            request, policy, _limit_words(policy, limit, index, request), path=f"spec.limits[{index}]"
        ).steps
    ]
    service = policy.spec.service
    if service is not None:
        silent = "lets it pass" if service.failure_mode == "Open" else "refuses it with 503"
        words = f"the service's silence for {format_duration(service.timeout)} {silent}"
        steps += doubting(request, policy, words, path="spec.service").steps
    return Met(request, tuple(steps))


def _limit_words(policy: RateLimitPolicy, limit: RequestLimit, index: int, request: Request) -> str:
    bucket = f"{policy.key.namespace}/{policy.key.name}/{limit.name or index}"
    whose = "all requests together" if limit.each is None else _client(limit.each, request)
    rate = f"{limit.requests:,} requests per {format_duration(limit.per)}"
    burst = f", {limit.burst:,} at once" if limit.burst is not None else ""
    return f"refused with 429 if the bucket {bucket} is empty: {rate}{burst} of {whose}; {_SCOPES[policy.spec.scope]}"


def _client(each: ClientKey, request: Request) -> str:
    if each.source_address:
        if request.address is None:
            return "the client's address"
        wide = request.address.version == 6  # of the Internet Protocol
        network = ip_network((request.address, _CLIENT_OF_IPV6), strict=False) if wide else request.address
        return f"the client {network}"
    if each.header is not None:
        value, what = request.header(each.header), f"the header {each.header}"
    else:
        value, what = _claim(each.claim or "", request), f"the claim {each.claim}"
    return f'the client "{value}" ({what})' if value else f"those without {what}"


def _claim(name: str, request: Request) -> str | None:
    value: Any = (request.claims or {}).get(name)
    return value if isinstance(value, str) else None


def fault(place: Place, request: Request) -> Met:
    """A fault that is not over, of requests with its headers."""
    policy = place.rule.policies.one(FaultPolicy)
    assert policy is not None
    spec = policy.spec
    if place.now >= spec.expires_at:
        return passing(request, policy, f"over since {format_instant(spec.expires_at)}", path="spec.expiresAt")
    for header in spec.headers:
        value = request.header(header.name)
        if value is None or not on_text(header.type, header.value, value):
            return passing(request, policy, f"not for requests without its header {header.name}", path="spec.headers")
    met = passing(request, policy, "; ".join(_delay_words(policy)), path="spec.delay") if spec.delay else Met(request)
    if spec.abort is None:
        return met
    abort = spec.abort
    status = abort.status if abort.status is not None else 200
    words = "a fault on purpose" if abort.status is not None else f"a fault on purpose: gRPC status {abort.grpc_status}"
    if abort.percent >= 100:  # percent
        found = refusing(request, policy, status, words, path="spec.abort")
    else:
        found = doubting(request, policy, f"{abort.percent:g}% are refused with {status}: {words}", path="spec.abort")
    return found._replace(steps=(*met.steps, *found.steps))


def _delay_words(policy: FaultPolicy) -> Iterator[str]:
    delay = policy.spec.delay
    if delay is not None:
        share = "" if delay.percent >= 100 else f"{delay.percent:g}% "  # percent
        wait = "waits" if not share else "wait"
        yield f"{share}{wait} for {format_duration(delay.duration)}"
