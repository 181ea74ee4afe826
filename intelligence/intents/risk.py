"""How much a plan can hurt, with the reasons. What is destructive or wide asks for a typed name, not just for a yes."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from intelligence.intents.intents import (
    Access,
    AccessRule,
    Alert,
    AuditLog,
    Drain,
    Fault,
    Intent,
    MetricsInterval,
    MtlsMode,
    MutualTls,
    Report,
    RequireLogin,
    Restore,
    RouteTo,
    ScaleTo,
    TakeOff,
    TrackKpi,
    TrafficSplit,
    Undo,
)
from intelligence.intents.said import listed, whom
from policy.backends import standing
from policy.http_route import HTTPRoute
from policy.kinds import typed
from registry.mesh import Mesh
from registry.model import Change, Document, ServiceKey

MOST_SERVICES = 3
"""A plan that touches more services than this is wide."""

_CLOSING = ("AuthenticationPolicy", "AuthorizationPolicy", "ThreatPolicy", "RateLimitPolicy")
_CLOSING_FEATURES = ("login", "access", "threat_filter", "rate_limit")
_WHOLE = Decimal(100)
_LOOKING = (Alert, AuditLog, MetricsInterval, Report, TrackKpi)
"""What only looks at traffic is never wide."""


class Grade(enum.StrEnum):
    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Risk:
    """confirm: the name to type before it is applied; "" where a yes is enough."""

    grade: Grade
    reasons: tuple[str, ...]
    confirm: str = ""


def risk_of(intents: Sequence[Intent], changes: Sequence[Change], mesh: Mesh, *, dangers: Sequence[str] = ()) -> Risk:
    """The risk of `changes` of `mesh`, which `intents` asked for. dangers: what their writers saw."""
    if not changes:
        return Risk(Grade.NONE, ())
    high = [*_high(intents, changes), *dangers]
    services = touched(intents, changes, mesh)
    if len(services) > MOST_SERVICES and not all(isinstance(intent, _LOOKING) for intent in intents):
        high.append(f"it touches {len(services)} services, more than {MOST_SERVICES}")
    medium = [*_medium(intents)]
    if high:
        return Risk(Grade.HIGH, (*high, *medium), confirm=_name(intents, changes))
    return Risk(Grade.MEDIUM if medium else Grade.LOW, tuple(medium))


def _high(intents: Sequence[Intent], changes: Sequence[Change]) -> Iterator[str]:
    for intent in intents:
        match intent:
            case AccessRule(action=Access.DENY, everything=True):
                yield f"it blocks all traffic to {whom(intent.target)}"
            case AccessRule(action=Access.ONLY, target=None):
                yield "it shuts out everybody else, everywhere"
            case ScaleTo(replicas=0):
                yield f"{intent.service} would have no instance left, and so answer nothing"
            case Fault(percent=percent) if percent == _WHOLE and intent.status is not None:
                yield f"all requests to {intent.target} fail while it lasts"
            case MutualTls(mode=MtlsMode.OFF):
                yield f"it opens a closed path: connections to {whom(intent.target)} are not proven any more"
            case TakeOff(feature=feature) if feature.value in _CLOSING_FEATURES:
                yield f"it opens a closed path: no more {feature.replace('_', ' ')} for {whom(intent.target)}"
            case AccessRule(action=Access.ALLOW):
                yield f"it opens a path: {intent}"
            case _:
                pass
    for change in changes:
        if change.after is None:
            yield f"it removes {change.key}"
            if isinstance(change.before, Document) and change.before.kind in _CLOSING:
                yield f"it opens a closed path: {change.key} is gone"


def _medium(intents: Sequence[Intent]) -> Iterator[str]:
    for intent in intents:
        match intent:
            case TrafficSplit(shares=(share,)) if share.percent == _WHOLE:
                yield f"all traffic of {intent.service} moves at once"
            case RouteTo():
                yield f"all traffic of {intent.service} goes to another service"
            case Drain():
                yield f"{intent.version} of {intent.service} gets nothing any more"
            case Fault():
                yield f"requests to {intent.target} are hurt on purpose"
            case AccessRule() | RequireLogin():
                yield f"callers of {whom(intent.target)} may be refused that are served now"
            case MutualTls(mode=MtlsMode.STRICT):
                yield f"callers of {whom(intent.target)} without a certificate are refused"
            case Undo() | Restore():
                yield "documents go back to what they were"
            case _:
                pass


def touched(intents: Sequence[Intent], changes: Sequence[Change], mesh: Mesh) -> tuple[ServiceKey, ...]:
    """The services that it is about: those that are named, all for "all", and those behind changed routes."""
    found: set[ServiceKey] = set()
    for intent in intents:
        if hasattr(intent, "target") and intent.target is None and not hasattr(intent, "about"):
            found |= set(mesh.services)
        for name in ("target", "service", "destination"):
            value = getattr(intent, name, None)
            if isinstance(value, ServiceKey):
                found.add(value)
    for change in changes:
        for item in (change.before, change.after):
            if isinstance(item, Document):
                found |= set(_services_of(item, mesh))
    return tuple(sorted(found))


def _services_of(document: Document, mesh: Mesh) -> Iterator[ServiceKey]:
    if document.kind == HTTPRoute.KIND:
        route = typed(document)
        assert isinstance(route, HTTPRoute)
        for rule in route.spec.rules:
            for ref in rule.backend_refs:
                backend = standing(mesh, namespace=ref.namespace or route.key.namespace, name=ref.name)
                if backend is not None:
                    yield backend.service
        return
    for ref in json.loads(document.body).get("spec", {}).get("targetRefs", ()):
        if ref.get("kind") == "Service":
            yield ServiceKey(document.namespace, ref["name"])


def _name(intents: Sequence[Intent], changes: Sequence[Change]) -> str:
    """What to type: the one service that it is about, else "all services", or the document's name."""
    services = {
        value
        for intent in intents
        for name in ("target", "service")
        if isinstance(value := getattr(intent, name, None), ServiceKey)
    }
    if len(services) == 1:
        return next(iter(services)).name
    if len(services) > 1:
        return listed(sorted(key.name for key in services)).replace(" and ", ", ")
    keys = {getattr(change.key, "name", str(change.key)) for change in changes}
    if len(keys) == 1 and intents and isinstance(intents[0], Undo | Restore):
        return next(iter(keys))
    return "all services"
