"""Running, as documents that are kept until something acts: scaling, alerts, rollouts, reports; and services."""

from __future__ import annotations

from decimal import Decimal

from intelligence.intents.intents import (
    Alert,
    Autoscale,
    CreateService,
    Metric,
    MetricsInterval,
    Report,
    Rollout,
    ScaleTo,
    Side,
    TrackKpi,
)
from intelligence.intents.said import span
from intelligence.intents.writing.draft import Draft, name_of, namespace_of, service_refs
from registry.model import DEFAULT_NAMESPACE, Service, ServiceKey

_METRICS = {
    Metric.CPU: "cpu",
    Metric.MEMORY: "memory",
    Metric.ERROR_RATE: "errorRate",
    Metric.LATENCY: "latency",
}
_KEPT = {
    "ScalingPolicy": "an actuator that starts and stops instances",
    "AlertPolicy": "the telemetry loop, which is to watch the figures",
    "RolloutPolicy": "the rollout loop, which is to move the traffic",
    "ReportPolicy": "the telemetry loop, which is to measure and report",
}
_HEALTH_REPORT = "health"


def _kept(draft: Draft, kind: str) -> None:
    draft.note(f"{kind} is stored and validated; nothing acts on it yet: {_KEPT[kind]} will")


def _number(value: Decimal) -> float | int:
    return int(value) if value == value.to_integral_value() else float(value)


def scale(intent: ScaleTo, draft: Draft) -> None:
    _scaled(intent.service, intent.replicas, draft)


def _scaled(service: ServiceKey, replicas: int, draft: Draft) -> None:
    draft.attach(
        "ScalingPolicy",
        service.namespace,
        service_refs(service),
        name=service.name,
        spec={"replicas": replicas, "metrics": None, "minReplicas": None, "maxReplicas": None},
    )
    _kept(draft, "ScalingPolicy")


def autoscale(intent: Autoscale, draft: Draft) -> None:
    draft.attach(
        "ScalingPolicy",
        namespace_of(intent.target),
        service_refs(intent.target),
        name=name_of(intent.target),
        spec={
            "replicas": None,
            "metrics": [{"resource": _METRICS[intent.metric], "utilization": _number(intent.percent)}],
            "minReplicas": intent.least,
            "maxReplicas": intent.most,
        },
    )
    _kept(draft, "ScalingPolicy")


def create_service(intent: CreateService, draft: Draft) -> None:
    service = Service(DEFAULT_NAMESPACE, intent.name)
    draft.add_service(service)
    draft.note(f"{service.key} has no endpoints yet: its instances register themselves, or `apg endpoint add` does")
    if intent.replicas is not None:
        _scaled(service.key, intent.replicas, draft)


def alert(intent: Alert, draft: Draft) -> None:
    rule: dict[str, object] = {"metric": _METRICS[intent.metric]}
    if intent.side is Side.BELOW:
        rule["side"] = "Below"
    if intent.percent is not None:
        rule["percent"] = _number(intent.percent)
    if intent.latency is not None:
        rule["latency"] = span(intent.latency)
    if intent.quantile is not None:
        rule["quantile"] = float(intent.quantile)
    if intent.lasting is not None:
        rule["for"] = span(intent.lasting)
    namespace, refs = namespace_of(intent.target), service_refs(intent.target)
    known = draft.policy_on("AlertPolicy", namespace, refs)
    rules = known.model_dump(mode="json", by_alias=True, exclude_defaults=True)["spec"]["rules"] if known else []
    same = ("metric", "side", "quantile")
    rules = [other for other in rules if any(other.get(name) != rule.get(name) for name in same)]
    draft.attach("AlertPolicy", namespace, refs, name=name_of(intent.target), spec={"rules": [*rules, rule]})
    _kept(draft, "AlertPolicy")


def rollout(intent: Rollout, draft: Draft) -> None:
    bounds = {
        "advanceBelow": intent.advance_below,
        "rollBackAbove": intent.back_above,
        "completeBelow": intent.done_below,
    }
    draft.attach(
        "RolloutPolicy",
        intent.service.namespace,
        service_refs(intent.service),
        name=intent.service.name,
        spec={"canary": intent.canary, **{name: _number(value) for name, value in bounds.items() if value is not None}},
    )
    _kept(draft, "RolloutPolicy")


def metrics_interval(intent: MetricsInterval, draft: Draft) -> None:
    _report(draft, metricsInterval=span(intent.every))


def track(intent: TrackKpi, draft: Draft) -> None:
    known = draft.policy_on("ReportPolicy", DEFAULT_NAMESPACE, [])
    kpis = known.model_dump(mode="json", by_alias=True)["spec"]["kpis"] if known else []
    _report(draft, kpis=list(dict.fromkeys([*kpis, *intent.names])))


def report(intent: Report, draft: Draft) -> None:
    if intent.target is None:
        _report(draft, every=intent.every.capitalize())
        return
    draft.attach(
        "ReportPolicy",
        intent.target.namespace,
        service_refs(intent.target),
        name=intent.target.name,
        spec={"every": intent.every.capitalize()},
    )
    _kept(draft, "ReportPolicy")


def _report(draft: Draft, **spec: object) -> None:
    draft.attach("ReportPolicy", DEFAULT_NAMESPACE, [], name=_HEALTH_REPORT, spec=spec)
    _kept(draft, "ReportPolicy")
