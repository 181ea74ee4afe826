"""The intents as values: what a person can want, whoever understood it. One frozen class each; `INTENTS` lists them.

Their fields are of few types, so that a form for a language model and a line for a test are made from the same classes:
ServiceKey, str, int, Decimal, timedelta, bool, StrEnum, None beside one of them, tuples of them, `Share`.
`target: ServiceKey | None` means one service, or all of them.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

from intelligence.intents.intents_asking import (
    About,
    Feature,
    Question,
    Restore,
    TakeOff,
    Undo,
)
from intelligence.intents.intents_requests import (
    Algorithm,
    CircuitBreaker,
    Compression,
    Compressor,
    Ejection,
    Fault,
    LimitKey,
    LoadBalancing,
    RateLimit,
    Retries,
    Timeout,
    TimeoutOf,
)
from intelligence.intents.intents_running import (
    Alert,
    Autoscale,
    CreateService,
    Metric,
    MetricsInterval,
    Period,
    Report,
    Rollout,
    ScaleTo,
    Side,
    TrackKpi,
)
from intelligence.intents.intents_security import (
    Access,
    AccessRule,
    AuditLog,
    BlockSuspicious,
    MtlsMode,
    MutualTls,
    RequireLogin,
    Threat,
    ThreatFilter,
)
from intelligence.intents.intents_traffic import (
    CreateRoute,
    Drain,
    MatchRoute,
    Mirror,
    RouteTo,
    Share,
    TrafficSplit,
)
from intelligence.intents.said import span
from registry.model import ServiceKey

INTENTS = (
    *(TrafficSplit, RouteTo, MatchRoute, Mirror, CreateRoute, Drain),
    *(Retries, Timeout, CircuitBreaker, Ejection, LoadBalancing, Fault, RateLimit, Compression),
    *(MutualTls, RequireLogin, AccessRule, BlockSuspicious, ThreatFilter, AuditLog),
    *(ScaleTo, Autoscale, CreateService, Alert, Rollout, MetricsInterval, TrackKpi, Report),
    *(TakeOff, Undo, Restore, Question),
)
Intent: TypeAlias = (
    TrafficSplit
    | RouteTo
    | MatchRoute
    | Mirror
    | CreateRoute
    | Drain
    | Retries
    | Timeout
    | CircuitBreaker
    | Ejection
    | LoadBalancing
    | Fault
    | RateLimit
    | Compression
    | MutualTls
    | RequireLogin
    | AccessRule
    | BlockSuspicious
    | ThreatFilter
    | AuditLog
    | ScaleTo
    | Autoscale
    | CreateService
    | Alert
    | Rollout
    | MetricsInterval
    | TrackKpi
    | Report
    | TakeOff
    | Undo
    | Restore
    | Question
)


def kind_of(intent: Intent | type[Intent]) -> str:
    """ "traffic_split" of TrafficSplit: the name in answers and forms."""
    name = (intent if isinstance(intent, type) else type(intent)).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def code(intent: Intent) -> str:
    """An intent on one line, without what is as usual: "timeout payment after=2s". Equal lines, equal intents."""
    parts = [kind_of(intent)]
    for item in fields(intent):
        value = getattr(intent, item.name)
        if item.name in ("target", "service"):
            parts.append("*" if value is None else _code(value))
        elif value != item.default:
            parts.append(f"{item.name}={_code(value)}")
    return " ".join(parts)


def _code(value: object) -> str:
    match value:
        case ServiceKey():
            return value.name if value.namespace == "default" else str(value)
        case tuple():
            return ",".join(_code(item) for item in value)
        case Share():
            return f"{value.version}:{value.percent.normalize():f}"
        case Decimal():
            return f"{value.normalize():f}"
        case timedelta():
            return span(value)
        case None:
            return "?"
        case _:
            return str(value)


__all__ = [
    "INTENTS",
    "About",
    "Access",
    "AccessRule",
    "Alert",
    "Algorithm",
    "AuditLog",
    "Autoscale",
    "BlockSuspicious",
    "CircuitBreaker",
    "Compression",
    "Compressor",
    "CreateRoute",
    "CreateService",
    "Drain",
    "Ejection",
    "Fault",
    "Feature",
    "Intent",
    "LimitKey",
    "LoadBalancing",
    "MatchRoute",
    "Metric",
    "MetricsInterval",
    "Mirror",
    "MtlsMode",
    "MutualTls",
    "Period",
    "Question",
    "RateLimit",
    "Report",
    "RequireLogin",
    "Restore",
    "Retries",
    "Rollout",
    "RouteTo",
    "ScaleTo",
    "Share",
    "Side",
    "TakeOff",
    "Threat",
    "ThreatFilter",
    "Timeout",
    "TimeoutOf",
    "TrackKpi",
    "TrafficSplit",
    "Undo",
    "code",
    "kind_of",
]
