"""From intents to changed documents. Pure: whether they are valid, and whether they apply, others decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intelligence.intents import intents as i
from intelligence.intents.errors import UnsupportedError
from intelligence.intents.intents import Intent
from intelligence.intents.understanding import Understanding
from intelligence.intents.writing import requests, running, taking_off, traffic
from intelligence.intents.writing.draft import Draft
from registry.mesh import Mesh
from registry.model import Change

_WRITERS: Mapping[type[Intent], Callable[[Any, Draft], None]] = {
    i.TrafficSplit: traffic.split,
    i.RouteTo: traffic.route_to,
    i.MatchRoute: traffic.match,
    i.Mirror: traffic.mirror,
    i.CreateRoute: traffic.create,
    i.Drain: traffic.drain,
    i.Retries: requests.retries,
    i.ScaleTo: running.scale,
    i.Autoscale: running.autoscale,
    i.CreateService: running.create_service,
    i.Alert: running.alert,
    i.Rollout: running.rollout,
    i.MetricsInterval: running.metrics_interval,
    i.TrackKpi: running.track,
    i.Report: running.report,
    i.TakeOff: taking_off.take_off,
}
"""What writes each intent. Questions and the way back are not written: the control plane answers them."""

MISSING: Mapping[type[Intent], str] = {
    i.Timeout: "TimeoutPolicy",
    i.CircuitBreaker: "BackendPolicy",
    i.Ejection: "BackendPolicy",
    i.LoadBalancing: "BackendPolicy",
    i.Fault: "FaultPolicy",
    i.RateLimit: "RateLimitPolicy",
    i.Compression: "CompressionPolicy",
    i.MutualTls: "AuthenticationPolicy",
    i.RequireLogin: "AuthenticationPolicy",
    i.AccessRule: "AuthorizationPolicy",
    i.BlockSuspicious: "AuthorizationPolicy",
    i.ThreatFilter: "ThreatPolicy",
    i.AuditLog: "TelemetryPolicy",
}
"""Intents whose kind of document is not there, by that kind."""


@dataclass(frozen=True, slots=True)
class Written:
    """The changes that the intents come to (none, if all is so already), and what is to be said about them."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]


def write(intents: Sequence[Intent], mesh: Mesh) -> Written:
    """What the intents, one after the other, make of the documents of `mesh`.

    Raises:
        IntentError: what is asked for cannot be, is not clear, or nothing can do it.
    """
    draft = Draft(mesh)
    for intent in intents:
        writer = _WRITERS.get(type(intent))
        if writer is None:
            kind = MISSING.get(type(intent), "document")
            raise UnsupportedError(
                f"understood ({intent}), but there is no {kind} in this build that could do it; nothing was changed"
            )
        writer(intent, draft)
    return Written(draft.changes(), tuple(draft.notes))


def operations(understanding: Understanding, mesh: Mesh) -> tuple[Change, ...]:
    """The documents that the intents would change, before and after; none if all is so already. Raises IntentError."""
    return write(understanding.intents, mesh).changes
