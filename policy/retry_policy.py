"""RetryPolicy: which failures are tried again, how often, after what wait, and how much of that a service bears."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.errors import Problem
from policy.shapes import LIST, Duration, Shape

RetryOn: TypeAlias = Literal[
    "5xx",
    "gateway-error",
    "reset",
    "connect-failure",
    "refused-stream",
    "retriable-4xx",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
]
"""Envoy's conditions (`x-envoy-retry-on`, and from "cancelled" on `x-envoy-retry-grpc-on`)."""

_SHORTEST = timedelta(milliseconds=1)


class RetryBackOff(Shape):
    """Waits between tries: random, up to `base` doubled with each try, never more than `max`."""

    base: Duration = timedelta(milliseconds=25)
    max: Duration | None = None

    @model_validator(mode="after")
    def _in_order(self) -> RetryBackOff:
        if self.base < _SHORTEST:
            raise ValueError("a base of 1ms or more")
        if self.max is not None and self.max < self.base:
            raise ValueError("a max that is not shorter than base")
        return self


class RetryBudget(Shape):
    """How many of the requests to a service may be retries: `percent` of those in progress, `min_concurrent` in any
    case. Each proxy counts its own."""

    percent: Annotated[int, Field(ge=1, le=100)] = 20
    min_concurrent: Annotated[int, Field(ge=0, le=10_000)] = 3


class RetryPolicySpec(AttachedSpec):
    """`attempts` counts the tries after the first."""

    retry_on: Annotated[tuple[RetryOn, ...], LIST, Field(max_length=16)] = ()
    status_codes: Annotated[tuple[Annotated[int, Field(ge=400, le=599)], ...], LIST, Field(max_length=32)] = ()
    attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    per_try_timeout: Duration | None = None
    back_off: RetryBackOff | None = None
    budget: RetryBudget | None = None

    @property
    def retries(self) -> bool:
        """Whether it says anything about single requests, and not just a budget."""
        return bool(self.retry_on or self.status_codes or self.attempts or self.per_try_timeout or self.back_off)


class RetryPolicy(AttachedPolicy):
    """Retries of a Gateway's or a route's requests. Attached to a Service: of the calls of other services' sidecars,
    and the budget for all retries to it."""

    KIND: ClassVar[str] = "RetryPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute", "Service")

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["RetryPolicy"] = "RetryPolicy"
    spec: RetryPolicySpec

    def findings(self) -> Iterator[Problem | str]:
        """A budget is kept where connections to a service are, and so belongs to a Service."""
        for index, ref in enumerate(self.spec.target_refs):
            if ref.kind != "Service" and self.spec.budget is not None:
                where = f"spec.targetRefs[{index}]"
                want = "a Service as the target, or no budget"
                yield Problem(str(self.key), where, f"{ref.kind}, with a budget in the same policy", want)
        if not self.spec.retries and self.spec.budget is None:
            yield Problem(
                str(self.key), "spec", "neither retries nor a budget", 'for example retryOn: ["gateway-error"]'
            )
