"""FaultPolicy: requests that are delayed or refused on purpose, to see who minds, and until when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.errors import Problem
from policy.http_route import HTTPHeaderMatch
from policy.shapes import LIST, Duration, Shape

LONGEST = timedelta(hours=24)
"""How far ahead faults may expire, unless a policy says that it means longer."""

_INSTANT = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)"
_INSTANT_WORDS = 'a time of RFC 3339 with its zone, such as "2030-01-31T18:00:00Z"'
_WRITTEN = re.compile(_INSTANT, re.ASCII)


def _parse_instant(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or _WRITTEN.fullmatch(value) is None:
        raise ValueError(_INSTANT_WORDS)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February, or the year 0
        raise ValueError(_INSTANT_WORDS) from None


def format_instant(value: datetime) -> str:
    """A time in UTC as RFC 3339 writes it."""
    return value.isoformat().replace("+00:00", "Z")


Instant: TypeAlias = Annotated[
    datetime,
    BeforeValidator(_parse_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_INSTANT}$", "description": _INSTANT_WORDS}),
]
"""A time, kept in UTC."""
Share: TypeAlias = Annotated[float, Field(ge=0.0001, le=100)]
"""A share of requests, in percent."""


class Delay(Shape):
    """`percent` of the requests wait for `duration` before they go on."""

    percent: Share = 100
    duration: Duration

    @model_validator(mode="after")
    def _waits(self) -> Delay:
        if not self.duration:
            raise ValueError("a duration longer than 0s")
        return self


class Abort(Shape):
    """`percent` of the requests are answered at once, with an HTTP or a gRPC status, and reach no backend."""

    percent: Share = 100
    status: Annotated[int, Field(ge=200, le=599)] | None = None
    grpc_status: Annotated[int, Field(ge=1, le=16)] | None = None

    @model_validator(mode="after")
    def _has_one_status(self) -> Abort:
        if (self.status is None) == (self.grpc_status is None):
            raise ValueError("just one of status and grpcStatus")
        return self


class FaultPolicySpec(AttachedSpec):
    """headers: only requests with all of these are concerned."""

    expires_at: Instant
    longer_than_a_day: bool = False
    headers: Annotated[tuple[HTTPHeaderMatch, ...], LIST, Field(max_length=16)] = ()
    delay: Delay | None = None
    abort: Abort | None = None

    @model_validator(mode="after")
    def _does_something(self) -> FaultPolicySpec:
        if self.delay is None and self.abort is None:
            raise ValueError("a delay, an abort or both")
        return self


class FaultPolicy(AttachedPolicy):
    """Faults in a Gateway's or a route's requests. The proxies end them by their own clocks."""

    KIND: ClassVar[str] = "FaultPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute")

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["FaultPolicy"] = "FaultPolicy"
    spec: FaultPolicySpec

    def findings_at(self, now: datetime) -> Iterator[Problem | str]:
        """What is wrong with its expiry, seen from `now`. What is right once stays right."""
        expires = self.spec.expires_at
        if expires <= now:
            yield (
                f"{self.key}: spec.expiresAt: over since {format_instant(expires)}: it does nothing but hide faults of "
                "wider policies, and can be deleted"
            )
        elif expires - now > LONGEST and not self.spec.longer_than_a_day:
            latest = format_instant((now + LONGEST).replace(microsecond=0))
            want = f"{latest} at the latest, or longerThanADay: true if it is meant"
            yield Problem(str(self.key), "spec.expiresAt", format_instant(expires), want)
