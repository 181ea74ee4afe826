"""What cannot both be: two orders of one text about the same matter, by every pair of intents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from intelligence.intents.errors import ContradictionError
from intelligence.intents.intents import (
    Access,
    AccessRule,
    AuditLog,
    Autoscale,
    CircuitBreaker,
    Compression,
    CreateRoute,
    Drain,
    Fault,
    Feature,
    Intent,
    MatchRoute,
    Mirror,
    RateLimit,
    Report,
    RequireLogin,
    Retries,
    Rollout,
    RouteTo,
    ScaleTo,
    TakeOff,
    ThreatFilter,
    Timeout,
    TrafficSplit,
)
from intelligence.intents.intents import Alert as AlertIntent

_FEATURE_OF: dict[type[Intent], Feature] = {
    Retries: Feature.RETRIES,
    Timeout: Feature.TIMEOUT,
    CircuitBreaker: Feature.BREAKER,
    Fault: Feature.FAULT,
    RateLimit: Feature.RATE_LIMIT,
    Mirror: Feature.MIRROR,
    RequireLogin: Feature.LOGIN,
    Autoscale: Feature.AUTOSCALING,
    AuditLog: Feature.AUDIT_LOG,
    AlertIntent: Feature.ALERT,
    Rollout: Feature.ROLLOUT,
    Report: Feature.REPORT,
    Compression: Feature.COMPRESSION,
    ThreatFilter: Feature.THREAT_FILTER,
}
"""What each intent sets, as it is called when it is taken off."""


def refuse_contradictions(intents: Sequence[Intent]) -> None:
    """Raises ContradictionError for two intents that cannot both be."""
    for one, other in combinations(intents, 2):
        if _clash(one, other) or _clash(other, one):
            raise ContradictionError(f"{one}, and {other}: they cannot both be; nothing was changed")


def _clash(one: Intent, other: Intent) -> bool:
    match one, other:
        case AccessRule(), AccessRule():
            return _access_clashes(one, other)
        case TakeOff(feature=feature), _ if _FEATURE_OF.get(type(other)) is feature:
            return one.target == _about(other)
        case TrafficSplit() | RouteTo(), RouteTo():
            return one.service == other.service
        case TrafficSplit(), Drain():
            gets = {share.version for share in one.shares if share.percent}
            return one.service == other.service and other.version in gets
        case MatchRoute(), MatchRoute():
            return _requests(one) == _requests(other) and one.version != other.version
        case CreateRoute(), CreateRoute():
            return (one.path, one.host) == (other.path, other.host) and one.service != other.service and _is_placed(one)
        case CircuitBreaker(), CircuitBreaker():
            return one.target == other.target and _differ(one, other, ("connections", "pending", "requests"))
        case Fault(), Fault():
            return one.target == other.target and _differ(one, other, ("delay", "status"))
        case ScaleTo(), Autoscale():
            low = other.least is not None and one.replicas < other.least
            high = other.most is not None and one.replicas > other.most
            return one.service == other.target and (low or high)
        case ThreatFilter(), ThreatFilter():
            return one.target == other.target and one.log_only != other.log_only
        case _:
            return False


def _about(intent: Intent) -> object:
    return getattr(intent, "target", None) or getattr(intent, "service", None)


def _requests(rule: MatchRoute) -> tuple[object, ...]:
    return rule.service, rule.header, rule.value, rule.method, rule.path


def _is_placed(route: CreateRoute) -> bool:
    return bool(route.path or route.host)


def _differ(one: object, other: object, names: Iterable[str]) -> bool:
    """Whether both say how much, and not the same."""
    return any(
        mine is not None and theirs is not None and mine != theirs
        for mine, theirs in ((getattr(one, name), getattr(other, name)) for name in names)
    )


def _access_clashes(one: AccessRule, other: AccessRule) -> bool:
    """The same caller, country, address or method let in and shut out; or two that are each to be the only ones."""
    if one.target is not None and other.target is not None and one.target != other.target:
        return False
    if one.path != other.path:
        return False
    if one.action is other.action:
        return one.action is Access.ONLY and one.target == other.target and _selects(one) == _selects(other)
    if one.methods and other.methods and not set(one.methods) & set(other.methods):
        return False
    shared = (
        set(one.services) & set(other.services)
        or set(one.countries) & set(other.countries)
        or set(one.addresses) & set(other.addresses)
    )
    if shared:
        return True
    if Access.DENY not in (one.action, other.action):
        return False
    denying, letting = (one, other) if one.action is Access.DENY else (other, one)
    if not any(_selects(denying)):  # all of it is shut
        return one.target == other.target
    return (
        not any(_selects(letting)) and bool(denying.methods or letting.methods) and denying.methods == letting.methods
    )


def _selects(rule: AccessRule) -> tuple[bool, bool, bool, bool]:
    return bool(rule.services), bool(rule.countries), bool(rule.addresses), bool(rule.methods)
