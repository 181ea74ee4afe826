"""Policies about running services, not requests: ScalingPolicy, AlertPolicy, RolloutPolicy, ReportPolicy.

Their schemas are final. Nothing acts on them yet: scaling needs an actuator, alerts, rollouts and reports the telemetry
loop. They are validated and kept, so that what was asked for is there when the parts are (docs/decisions/0061).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, PlainSerializer, StringConstraints, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind, TargetRef
from policy.errors import Problem
from policy.shapes import LIST, MAX_LABEL, Duration, Shape, matching

MAX_REPLICAS = 1_000

Replicas = Annotated[int, Field(ge=0, le=MAX_REPLICAS)]
Percent = Annotated[
    float,
    Field(ge=0, le=100),
    PlainSerializer(lambda value: int(value) if value == int(value) else value, return_type=float | int),
]
"""0 to 100; written without a fraction where it has none."""
Version = Annotated[
    str,
    StringConstraints(max_length=MAX_LABEL),
    matching(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", "a version label"),
]


class RunningSpec(AttachedSpec):
    """Without `targetRefs` it is about all services of its namespace."""

    target_refs: Annotated[tuple[TargetRef, ...], LIST, Field(max_length=16)] = ()


class RunningPolicy(AttachedPolicy):
    """A policy about services as a whole. Those of one kind on one service apply together."""

    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Service",)
    STACKS: ClassVar[bool] = True

    spec: RunningSpec


class ScalingMetric(Shape):
    """More instances are started when the average `utilization` of the resource, in percent, is above this."""

    resource: Literal["cpu", "memory"]
    utilization: Annotated[float, Field(gt=0, lt=100), PlainSerializer(lambda v: int(v) if v == int(v) else v)]


class ScalingSpec(RunningSpec):
    replicas: Replicas | None = None
    min_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] | None = None
    max_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] | None = None
    metrics: Annotated[tuple[ScalingMetric, ...], LIST, Field(max_length=2)] = ()

    @model_validator(mode="after")
    def _one_way(self) -> ScalingSpec:
        bounds = self.min_replicas is not None or self.max_replicas is not None
        if (self.replicas is None) == (not self.metrics):
            raise ValueError("either replicas, a fixed number, or metrics to scale by")
        if self.replicas is not None and bounds:
            raise ValueError("minReplicas and maxReplicas only beside metrics")
        if self.min_replicas is not None and self.max_replicas is not None and self.min_replicas > self.max_replicas:
            raise ValueError("a minReplicas that is not above maxReplicas")
        resources = [metric.resource for metric in self.metrics]
        if len(set(resources)) != len(resources):
            raise ValueError("one metric for each resource")
        return self


class ScalingPolicy(RunningPolicy):
    """How many instances a service has: a fixed number, or as many as their load asks for."""

    KIND: ClassVar[str] = "ScalingPolicy"

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["ScalingPolicy"] = "ScalingPolicy"
    spec: ScalingSpec


class AlertRule(Shape):
    """A bound of a metric: `percent` (errorRate, cpu, memory) or `latency` with the quantile that is looked at."""

    metric: Literal["errorRate", "latency", "cpu", "memory"]
    side: Literal["Above", "Below"] = "Above"
    percent: Percent | None = None
    latency: Duration | None = None
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    for_: Duration | None = Field(default=None, alias="for")

    @model_validator(mode="after")
    def _bound_of_its_metric(self) -> AlertRule:
        timed = self.metric == "latency"
        if (self.latency is not None) != timed or (self.percent is not None) == timed:
            raise ValueError("latency as the bound of the metric latency, percent as that of the others")
        if self.quantile is not None and not timed:
            raise ValueError("a quantile only for the metric latency")
        return self


class AlertSpec(RunningSpec):
    rules: Annotated[tuple[AlertRule, ...], LIST, Field(min_length=1, max_length=32)]


class AlertPolicy(RunningPolicy):
    """When somebody is to be told."""

    KIND: ClassVar[str] = "AlertPolicy"

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["AlertPolicy"] = "AlertPolicy"
    spec: AlertSpec


class RolloutSpec(RunningSpec):
    """Errors are percentages of requests. The canary's share grows by `step` each `interval`."""

    canary: Version
    step: Annotated[float, Field(gt=0, le=100), PlainSerializer(lambda v: int(v) if v == int(v) else v)] = 10
    interval: Duration = timedelta(minutes=5)
    advance_below: Percent | None = None
    roll_back_above: Percent | None = None
    complete_below: Percent | None = None

    @model_validator(mode="after")
    def _in_order(self) -> RolloutSpec:
        if self.advance_below is None and self.roll_back_above is None and self.complete_below is None:
            raise ValueError("a bound at least: advanceBelow, rollBackAbove or completeBelow")
        lower, upper = self.advance_below, self.roll_back_above
        if lower is not None and upper is not None and lower > upper:
            raise ValueError("an advanceBelow that is not above rollBackAbove")
        if self.interval < timedelta(seconds=1):
            raise ValueError("an interval of 1s or more")
        return self


class RolloutPolicy(RunningPolicy):
    """How a canary's share of a service's traffic grows, and when it goes back."""

    KIND: ClassVar[str] = "RolloutPolicy"

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["RolloutPolicy"] = "RolloutPolicy"
    spec: RolloutSpec

    def findings(self) -> Iterator[Problem | str]:
        if len(self.spec.target_refs) != 1:
            got = f"{len(self.spec.target_refs)} services"
            yield Problem(str(self.key), "spec.targetRefs", got, "one Service, whose traffic it is")


class ReportSpec(RunningSpec):
    """`every` says how often a health report is written, `metricsInterval` how often what it is made of is measured."""

    every: Literal["Hourly", "Daily", "Weekly", "Monthly"] | None = None
    metrics_interval: Duration | None = None
    kpis: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...], LIST, Field(max_length=32)
    ] = ()

    @model_validator(mode="after")
    def _says_something(self) -> ReportSpec:
        if self.every is None and self.metrics_interval is None and not self.kpis:
            raise ValueError("every, metricsInterval or kpis at least")
        if self.metrics_interval is not None and not timedelta(seconds=1) <= self.metrics_interval <= timedelta(
            hours=1
        ):
            raise ValueError("a metricsInterval of 1s to 1h")
        return self


class ReportPolicy(RunningPolicy):
    """What is measured and reported, and how often."""

    KIND: ClassVar[str] = "ReportPolicy"

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["ReportPolicy"] = "ReportPolicy"
    spec: ReportSpec


RUNNING_KINDS = (AlertPolicy, ReportPolicy, RolloutPolicy, ScalingPolicy)
"""Kept, and acted on by nothing yet."""
