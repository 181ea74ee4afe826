"""Intents about running services, and about what is measured and told."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from intelligence.intents.said import listed, percentage, refuse_unless, span, whom
from registry.model import ServiceKey

_WHOLE = Decimal(100)
_MAX_REPLICAS = 1_000


@dataclass(frozen=True, slots=True)
class ScaleTo:
    service: ServiceKey
    replicas: int

    def __post_init__(self) -> None:
        refuse_unless(0 <= self.replicas <= _MAX_REPLICAS, f"{self.replicas} replicas", f"0 to {_MAX_REPLICAS}")

    def __str__(self) -> str:
        return f"{self.service} runs {self.replicas} instances"


class Metric(enum.StrEnum):
    CPU = "cpu"
    MEMORY = "memory"
    ERROR_RATE = "error_rate"
    LATENCY = "latency"
    REQUEST_RATE = "request_rate"


@dataclass(frozen=True, slots=True)
class Autoscale:
    """More instances when `metric` (in percent) is above `percent`; between `least` and `most` of them."""

    target: ServiceKey | None
    metric: Metric
    percent: Decimal
    least: int | None = None
    most: int | None = None

    def __post_init__(self) -> None:
        refuse_unless(self.metric in (Metric.CPU, Metric.MEMORY), self.metric, "cpu or memory")
        refuse_unless(0 < self.percent < _WHOLE, percentage(self.percent), "more than 0% and less than 100%")
        for bound in (self.least, self.most):
            refuse_unless(bound is None or 1 <= bound <= _MAX_REPLICAS, f"{bound} instances", f"1 to {_MAX_REPLICAS}")
        if self.least is not None and self.most is not None:
            refuse_unless(self.least <= self.most, f"{self.least} to {self.most} instances", "the smaller number first")

    def __str__(self) -> str:
        bounds = [f"at least {self.least}" if self.least else "", f"at most {self.most}" if self.most else ""]
        said = listed([bound for bound in bounds if bound])
        return f"{whom(self.target)} gets more instances when {self.metric} is above {percentage(self.percent)}" + (
            f" ({said})" if said else ""
        )


@dataclass(frozen=True, slots=True)
class CreateService:
    name: str
    replicas: int | None = None

    def __post_init__(self) -> None:
        refuse_unless(
            self.replicas is None or 0 <= self.replicas <= _MAX_REPLICAS,
            f"{self.replicas} replicas",
            f"0 to {_MAX_REPLICAS}",
        )

    def __str__(self) -> str:
        return f"a new service {self.name}" + (f" with {self.replicas} instances" if self.replicas is not None else "")


class Side(enum.StrEnum):
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Alert:
    """Somebody is told when `metric` is on `side` of a bound: `percent`, or `latency` at `quantile` (0.99: p99)."""

    target: ServiceKey | None
    metric: Metric
    side: Side = Side.ABOVE
    percent: Decimal | None = None
    latency: timedelta | None = None
    quantile: Decimal | None = None
    lasting: timedelta | None = None

    def __post_init__(self) -> None:
        timed = self.metric is Metric.LATENCY
        refuse_unless(
            (self.latency is not None) == timed, f"a bound of {self.metric}", "a duration for latency, else %"
        )
        refuse_unless(
            (self.percent is not None) != timed, f"a bound of {self.metric}", "a duration for latency, else %"
        )
        if self.percent is not None:
            refuse_unless(0 <= self.percent <= _WHOLE, percentage(self.percent), "0% to 100%")

    def __str__(self) -> str:
        bound = span(self.latency) if self.latency is not None else percentage(self.percent or Decimal(0))
        what = f"p{self.quantile * 100:f}".rstrip("0").rstrip(".") if self.quantile else self.metric.replace("_", " ")
        lasting = f" for {span(self.lasting)}" if self.lasting else ""
        return f"an alert when the {what} of {whom(self.target)} is {self.side} {bound}{lasting}"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A canary's traffic grows by itself while errors stay below a bound, and goes back above another. Percentages."""

    service: ServiceKey
    canary: str
    advance_below: Decimal | None = None
    back_above: Decimal | None = None
    done_below: Decimal | None = None

    def __post_init__(self) -> None:
        for bound in (self.advance_below, self.back_above, self.done_below):
            refuse_unless(bound is None or 0 <= bound <= _WHOLE, percentage(bound or Decimal(0)), "0% to 100%")
        if self.advance_below is not None and self.back_above is not None:
            refuse_unless(
                self.advance_below <= self.back_above,
                f"forward below {percentage(self.advance_below)}, back above {percentage(self.back_above)}",
                "a bound to go back that is not the lower one",
            )

    def __str__(self) -> str:
        parts = [
            f"grows while errors are below {percentage(self.advance_below)}" if self.advance_below is not None else "",
            f"goes back when errors are above {percentage(self.back_above)}" if self.back_above is not None else "",
            f"is complete at 100% with errors below {percentage(self.done_below)}"
            if self.done_below is not None
            else "",
        ]
        return f"the traffic of {self.service} to {self.canary} " + listed([part for part in parts if part])


@dataclass(frozen=True, slots=True)
class MetricsInterval:
    every: timedelta

    def __post_init__(self) -> None:
        refuse_unless(timedelta(seconds=1) <= self.every <= timedelta(hours=1), span(self.every), "1s to 1h")

    def __str__(self) -> str:
        return f"metrics are collected every {span(self.every)}"


@dataclass(frozen=True, slots=True)
class TrackKpi:
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"business figures are tracked: {listed(self.names)}"


class Period(enum.StrEnum):
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Report:
    every: Period
    target: ServiceKey | None = None

    def __str__(self) -> str:
        return f"a {self.every} health report of {whom(self.target)}"
