"""Where traffic goes, as HTTPRoutes: splits, other services, matches, mirrors, new routes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from math import lcm

from intelligence.intents.errors import AmbiguousError, ContradictionError, UnknownNameError, UnsupportedError
from intelligence.intents.intents import CreateRoute, Drain, MatchRoute, Mirror, RouteTo, Share, TrafficSplit
from intelligence.intents.said import whom
from intelligence.intents.writing.draft import Draft
from intelligence.intents.writing.requests import share
from policy.backends import Backend, standing
from policy.http_route import (
    HTTPBackendRef,
    HTTPHeaderMatch,
    HTTPPathMatch,
    HTTPRoute,
    HTTPRouteFilter,
    HTTPRouteMatch,
    HTTPRouteRule,
)
from policy.kinds import http_routes
from policy.route import MAX_WEIGHT
from registry.mesh import Mesh
from registry.model import DocumentKey, ServiceKey

_MOST_RULES = 16


def split(intent: TrafficSplit, draft: Draft) -> None:
    for route in draft.routes_of(intent.service):
        draft.put(_with_rules(route, tuple(_rule(draft.mesh, route, rule, intent) for rule in route.spec.rules)))


def drain(intent: Drain, draft: Draft) -> None:
    split(TrafficSplit(intent.service, (Share(intent.version, Decimal(0)),)), draft)


def route_to(intent: RouteTo, draft: Draft) -> None:
    for route in draft.routes_of(intent.service):
        rules = []
        for rule in route.spec.rules:
            if not draft.carries(route, rule, intent.service):
                rules.append(rule)
                continue
            own = [ref for ref in rule.backend_refs if _service_of(draft.mesh, route, ref) == intent.service]
            others = [ref for ref in rule.backend_refs if ref not in own]
            weight = sum(ref.weight for ref in own) or 1
            namespace = intent.destination.namespace if intent.destination.namespace != route.key.namespace else None
            target = HTTPBackendRef(name=intent.destination.name, namespace=namespace, weight=weight if others else 1)
            rules.append(rule.model_copy(update={"backend_refs": (target, *others)}))
        draft.put(_with_rules(route, tuple(rules)))


def match(intent: MatchRoute, draft: Draft) -> None:
    """Each general rule that carries the service gets one beside it for those of its requests that meet the condition.
    More conditions win (Gateway API, HTTPRouteRule), so the order does not matter."""
    for route in draft.routes_of(intent.service):
        general = [rule for rule in route.spec.rules if _is_general(draft, route, rule, intent)]
        special: dict[tuple[HTTPRouteMatch, ...], HTTPRouteRule] = {}
        for rule in general:
            narrowed = tuple(found for match in rule.matches if (found := _narrowed(match, intent)) is not None)
            if not narrowed:
                continue
            template = next(ref for ref in rule.backend_refs if _service_of(draft.mesh, route, ref) == intent.service)
            ref = template.model_copy(update={"name": f"{intent.service.name}-{intent.version}", "weight": 1})
            special[narrowed] = rule.model_copy(update={"name": None, "matches": narrowed, "backend_refs": (ref,)})
        if not special:
            raise ContradictionError(f"no request of {route.key} can meet that; nothing was changed")
        kept = [
            rule.model_copy(update={"backend_refs": special.pop(rule.matches).backend_refs})
            if rule.matches in special
            else rule
            for rule in route.spec.rules
        ]
        rules = (*special.values(), *kept)
        if len(rules) > _MOST_RULES:
            raise UnsupportedError(
                f"{route.key} would have {len(rules)} rules, and can have {_MOST_RULES}; nothing was changed"
            )
        draft.put(_with_rules(route, rules))


def _is_general(draft: Draft, route: HTTPRoute, rule: HTTPRouteRule, intent: MatchRoute) -> bool:
    """Whether it carries the service, and says nothing about headers and methods yet."""
    plain = all(not match.headers and match.method is None for match in rule.matches)
    return plain and draft.carries(route, rule, intent.service)


def _narrowed(match: HTTPRouteMatch, intent: MatchRoute) -> HTTPRouteMatch | None:
    changes: dict[str, object] = {}
    if intent.header:
        others = tuple(header for header in match.headers if header.name.lower() != intent.header)
        changes["headers"] = (*others, HTTPHeaderMatch(name=intent.header, value=intent.value))
    if intent.method:
        if match.method not in (None, intent.method):
            return None
        changes["method"] = intent.method
    if intent.path:
        inside = match.path.type == "PathPrefix" and (
            match.path.value == "/"
            or intent.path == match.path.value
            or intent.path.startswith(match.path.value.rstrip("/") + "/")
        )
        if not inside:
            return None
        changes["path"] = HTTPPathMatch(type="PathPrefix", value=intent.path)
    return match.model_copy(update=changes)


def mirror(intent: Mirror, draft: Draft) -> None:
    """Each rule that carries the service copies a part of its requests, instead of what it copied there before."""
    name = f"{intent.service.name}-{intent.version}" if intent.version else ""
    namespace = intent.service.namespace
    if intent.destination is not None:
        name, namespace = intent.destination.name, intent.destination.namespace
    percent = share(intent.percent)
    for route in draft.routes_of(intent.service):
        ref: dict[str, object] = {"name": name}
        if namespace != route.key.namespace:
            ref["namespace"] = namespace
        copy = HTTPRouteFilter.model_validate(
            {
                "type": "RequestMirror",
                "requestMirror": {"backendRef": ref, **({"percent": percent} if percent < 100 else {})},
            }
        )
        rules = []
        for rule in route.spec.rules:
            if draft.carries(route, rule, intent.service):
                kept = [
                    item
                    for item in rule.filters
                    if item.request_mirror is None or item.request_mirror.backend_ref.name != name
                ]
                rules.append(rule.model_copy(update={"filters": (*kept, copy)}))
            else:
                rules.append(rule)
        draft.put(_with_rules(route, tuple(rules)))


def unmirror(target: ServiceKey | None, draft: Draft) -> None:
    """None of the service's requests (of any, without one) are copied any more. Raises UnknownNameError: none is."""
    routes = draft.routes_of(target) if target is not None else list(http_routes(draft.mesh))
    found = False
    for route in routes:
        rules = []
        for rule in route.spec.rules:
            kept = tuple(item for item in rule.filters if item.request_mirror is None)
            if len(kept) < len(rule.filters) and (target is None or draft.carries(route, rule, target)):
                found = True
                rules.append(rule.model_copy(update={"filters": kept}))
            else:
                rules.append(rule)
        draft.put(_with_rules(route, tuple(rules)))
    if not found:
        raise UnknownNameError(f"mirror of {whom(target)}", "any", ())


def create(intent: CreateRoute, draft: Draft) -> None:
    gateways = draft.gateways()
    if len(gateways) > 1:
        names = tuple(gateway.key.name for gateway in gateways)
        raise AmbiguousError("at which Gateway:", names, what="gateway")
    gateway = gateways[0].key
    path = intent.path or ("/" if intent.host else f"/{intent.service.name.removesuffix('-service')}")
    if not intent.path and not intent.host:
        draft.note(
            f'no path was named: requests under {path} go to {intent.service}; say "at /path" or "for host" to choose'
        )
    key = DocumentKey("HTTPRoute", intent.service.namespace, _route_name(draft, intent))
    for route in draft.mesh.documents_of("HTTPRoute"):
        if route.key == key:
            raise ContradictionError(f"{key} is there already; nothing was changed")
    backend: dict[str, object] = {"name": intent.service.name}
    parent: dict[str, object] = {"name": gateway.name}
    if gateway.namespace != intent.service.namespace:
        parent["namespace"] = gateway.namespace
    body = {
        "apiVersion": HTTPRoute.API_VERSION,
        "kind": "HTTPRoute",
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": {
            "parentRefs": [parent],
            **({"hostnames": [intent.host]} if intent.host else {}),
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": [backend]}],
        },
    }
    draft.put(draft.read(HTTPRoute, body))


def _route_name(draft: Draft, intent: CreateRoute) -> str:
    """The service's name; with the path's words, where a route of that name is there."""
    name = intent.service.name
    taken = {
        document.name
        for document in draft.mesh.documents_of("HTTPRoute")
        if document.namespace == intent.service.namespace
    }
    if name not in taken:
        return name
    words = "".join(c if c.isalnum() else "-" for c in f"{intent.host}{intent.path}".lower()).strip("-") or "route"
    return f"{name}-{words}"[:200].strip("-")


def _service_of(mesh: Mesh, route: HTTPRoute, ref: HTTPBackendRef) -> ServiceKey | None:
    backend = _backend(mesh, route, ref)
    return backend.service if backend is not None else None


def _with_rules(route: HTTPRoute, rules: tuple[HTTPRouteRule, ...]) -> HTTPRoute:
    return route.model_copy(update={"spec": route.spec.model_copy(update={"rules": rules})})


def _backend(mesh: Mesh, route: HTTPRoute, ref: HTTPBackendRef) -> Backend | None:
    return standing(mesh, namespace=ref.namespace or route.key.namespace, name=ref.name)


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
