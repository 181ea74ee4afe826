"""From intents to changed documents. Pure: whether they are valid, and whether they apply, others decide."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm

from intelligence.intents.errors import AmbiguousError, ContradictionError, UnknownNameError
from intelligence.intents.intents import TrafficSplit, Understanding
from policy.backends import Backend, standing
from policy.http_route import HTTPBackendRef, HTTPRoute, HTTPRouteRule
from policy.kinds import http_routes
from policy.route import MAX_WEIGHT
from registry.mesh import Mesh
from registry.model import Change, ServiceKey


def operations(understanding: Understanding, mesh: Mesh) -> tuple[Change, ...]:
    """The documents that the intents would change, before and after; none if all is so already.

    Raises:
        IntentError: no route carries the traffic, or where its rest should go is not clear.
    """
    changes: dict[str, Change] = {}
    for intent in understanding.intents:
        for route, changed in _split(intent, mesh):
            before, after = mesh.documents[route.key], changed.to_document()
            if before != after:
                changes[str(route.key)] = Change(before, after)
    return tuple(change for _, change in sorted(changes.items()))


def _split(intent: TrafficSplit, mesh: Mesh) -> list[tuple[HTTPRoute, HTTPRoute]]:
    carrying = [
        route
        for route in http_routes(mesh)
        if any(_carries(mesh, route, rule, intent.service) for rule in route.spec.rules)
    ]
    if not carrying:
        routes = tuple(f"{route.key.namespace}/{route.key.name}" for route in http_routes(mesh))
        raise UnknownNameError(f"HTTPRoute with a backend of {intent.service}", "any", routes)
    return [
        (route, _with_rules(route, tuple(_rule(mesh, route, rule, intent) for rule in route.spec.rules)))
        for route in carrying
    ]


def _with_rules(route: HTTPRoute, rules: tuple[HTTPRouteRule, ...]) -> HTTPRoute:
    return route.model_copy(update={"spec": route.spec.model_copy(update={"rules": rules})})


def _backend(mesh: Mesh, route: HTTPRoute, ref: HTTPBackendRef) -> Backend | None:
    return standing(mesh, namespace=ref.namespace or route.key.namespace, name=ref.name)


def _carries(mesh: Mesh, route: HTTPRoute, rule: HTTPRouteRule, service: ServiceKey) -> bool:
    backends = (_backend(mesh, route, ref) for ref in rule.backend_refs)
    return any(backend is not None and backend.service == service for backend in backends)


def _rule(mesh: Mesh, route: HTTPRoute, rule: HTTPRouteRule, intent: TrafficSplit) -> HTTPRouteRule:
    """The rule with the service's part of its traffic split anew. Other services keep their parts."""
    own: list[tuple[HTTPBackendRef, Backend]] = []
    others: list[HTTPBackendRef] = []
    for ref in rule.backend_refs:
        backend = _backend(mesh, route, ref)
        if backend is not None and backend.service == intent.service:
            own.append((ref, backend))
        else:
            others.append(ref)
    if not own:
        return rule
    shares = _shares(mesh, intent, own)
    own_weight = Fraction(sum(ref.weight for ref, _ in own)) or Fraction(1 if not others else 0)
    exact = [share * own_weight for share in shares.values()] + [Fraction(ref.weight) for ref in others]
    weights = _whole_numbers(exact, readable=not others)
    templates = {backend.version: ref for ref, backend in own}
    fallback = own[0][0]
    refs = [
        templates.get(version, fallback).model_copy(
            update={"name": f"{intent.service.name}-{version}", "weight": weight}
        )
        for version, weight in zip(shares, weights, strict=False)
    ]
    refs += [
        ref.model_copy(update={"weight": weight}) for ref, weight in zip(others, weights[len(shares) :], strict=True)
    ]
    return rule.model_copy(update={"backend_refs": tuple(refs)})


def _shares(mesh: Mesh, intent: TrafficSplit, own: Sequence[tuple[HTTPBackendRef, Backend]]) -> dict[str, Fraction]:
    """Each version's part of the service's traffic, summing to 1, sorted by version."""
    shares = {share.version: _fraction(share.percent) for share in intent.shares}
    if intent.rest:
        for version, part in _rest(mesh, intent, own).items():
            shares[version] = shares.get(version, Fraction(0)) + part * _fraction(intent.rest)
    return dict(sorted(shares.items()))


def _rest(mesh: Mesh, intent: TrafficSplit, own: Sequence[tuple[HTTPBackendRef, Backend]]) -> dict[str, Fraction]:
    """Where the part of the traffic that the intent does not mention goes: where it goes now, in the same proportions.

    A rule that names the service as a whole says nothing about versions; then it is clear only if one other exists.
    """
    named = {share.version for share in intent.shares}
    weights: dict[str, int] = {}
    for ref, backend in own:
        if backend.version is not None and backend.version not in named:
            weights[backend.version] = weights.get(backend.version, 0) + ref.weight
    whole = any(backend.version is None and ref.weight for ref, backend in own)
    total = sum(weights.values())
    if total and not whole:
        return {version: Fraction(weight, total) for version, weight in weights.items() if weight}
    others = [version for version in mesh.versions_of(intent.service) if version not in named]
    if len(others) == 1:
        return {others[0]: Fraction(1)}
    rest = f"{intent.rest.normalize():f}%"
    if not others:
        raise ContradictionError(
            f"the other {rest} of {intent.service} has nowhere to go: it has no other version; nothing was changed"
        )
    raise AmbiguousError(f"the other {rest} of {intent.service} goes to", tuple(others))


def _fraction(percent: Decimal) -> Fraction:
    return Fraction(percent) / 100


def _whole_numbers(exact: Sequence[Fraction], *, readable: bool) -> list[int]:
    """Whole weights in exactly these proportions: percentages where they come out whole, and no one else shares the
    rule; the smallest numbers otherwise."""
    total = sum(exact)
    parts = [value / total for value in exact]
    denominator = lcm(*(part.denominator for part in parts))
    if readable and 100 % denominator == 0:
        denominator = 100
    weights = [int(part * denominator) for part in parts]
    if max(weights) > MAX_WEIGHT:
        raise ContradictionError(
            f"these shares need weights beyond {MAX_WEIGHT:,}: want rounder ones; nothing was changed"
        )
    return weights
