"""BackendPolicy: how a service is reached. Which of its endpoints gets a request, which are left out, how much may be
under way at once, and what the connections are like."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.errors import Problem
from policy.http_route import HeaderName, Path
from policy.shapes import LIST, Duration, PreciseHostname, Shape, matching

Count: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Percentage: TypeAlias = Annotated[int, Field(ge=0, le=100)]
Place: TypeAlias = Annotated[
    str, StringConstraints(max_length=63), matching(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?", "a label's value")
]
_Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=256)]

_SECOND = timedelta(seconds=1)
_HASHING = ("RingHash", "Maglev")
_SLOW_STARTING = ("RoundRobin", "LeastRequest")


class HashOn(Shape):
    """What a request is told by: the value of a header or a cookie, or the client's address.

    ttl: a cookie that the request lacks is set, for so long ("0s": until the browser ends).
    """

    type: Literal["Header", "Cookie", "SourceAddress"]
    name: HeaderName | None = None
    ttl: Duration | None = None
    path: Path | None = None

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> HashOn:
        if (self.name is None) != (self.type == "SourceAddress"):
            raise ValueError("a name beside the types Header and Cookie, and none beside SourceAddress")
        if self.type != "Cookie" and (self.ttl is not None or self.path is not None):
            raise ValueError("ttl and path beside the type Cookie only")
        if self.path is not None and self.ttl is None:
            raise ValueError("a ttl beside path: without one no cookie is set")
        return self

    @property
    def always(self) -> bool:
        """Whether every request has it."""
        return self.type == "SourceAddress" or self.ttl is not None


class SlowStart(Shape):
    """A new endpoint's share grows from `minimum_percent` of its weight to all of it during `window`."""

    window: Duration
    minimum_percent: Annotated[int, Field(ge=1, le=100)] = 10

    @model_validator(mode="after")
    def _long_enough(self) -> SlowStart:
        if self.window < _SECOND:
            raise ValueError("a window of 1s or more")
        return self


class LocalityWeight(Shape):
    """The weight of the endpoints with these labels; both, if both are given."""

    region: Place | None = None
    zone: Place | None = None
    weight: Annotated[int, Field(ge=0, le=10_000)]

    @model_validator(mode="after")
    def _names_one(self) -> LocalityWeight:
        if self.region is None and self.zone is None:
            raise ValueError("a region, a zone or both")
        return self


class LocalityBalancing(Shape):
    """Which localities get requests: in proportion to `weights`, or the proxy's own zone alone while that has
    `minimum_endpoints` that are healthy."""

    mode: Literal["Weighted", "PreferLocal"]
    weights: Annotated[tuple[LocalityWeight, ...], LIST, Field(max_length=64)] = ()
    minimum_endpoints: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @model_validator(mode="after")
    def _has_what_its_mode_needs(self) -> LocalityBalancing:
        if bool(self.weights) != (self.mode == "Weighted"):
            raise ValueError("weights beside the mode Weighted, and none beside PreferLocal")
        if self.minimum_endpoints is not None and self.mode != "PreferLocal":
            raise ValueError("minimumEndpoints beside the mode PreferLocal only")
        places = [(weight.region, weight.zone) for weight in self.weights]
        if (twice := next((place for place in places if places.count(place) > 1), None)) is not None:
            raise ValueError(f"each locality once, and {'/'.join(name or 'any' for name in twice)} is there twice")
        return self


class LoadBalancing(Shape):
    """choices: how many endpoints LeastRequest draws to compare. hash_on: the first that a request has decides."""

    algorithm: Literal["RoundRobin", "LeastRequest", "Random", "RingHash", "Maglev"] = "LeastRequest"
    choices: Annotated[int, Field(ge=2, le=100)] | None = None
    hash_on: Annotated[tuple[HashOn, ...], LIST, Field(max_length=8)] = ()
    slow_start: SlowStart | None = None
    locality: LocalityBalancing | None = None
    panic_threshold: Percentage | None = None

    @model_validator(mode="after")
    def _fits_its_algorithm(self) -> LoadBalancing:
        algorithm = self.algorithm
        if self.choices is not None and algorithm != "LeastRequest":
            raise ValueError(f"choices beside LeastRequest only, and the algorithm is {algorithm}")
        if bool(self.hash_on) != (algorithm in _HASHING):
            raise ValueError(f"hashOn beside RingHash and Maglev, and beside no other; the algorithm is {algorithm}")
        if self.slow_start is not None and algorithm not in _SLOW_STARTING:
            raise ValueError(f"slowStart beside RoundRobin and LeastRequest only, and the algorithm is {algorithm}")
        if self.locality is not None and self.locality.mode == "PreferLocal" and algorithm in _HASHING:
            raise ValueError(f"a locality of mode Weighted, or none: {algorithm} cannot prefer its own zone")
        if any(item.always for item in self.hash_on[:-1]):
            raise ValueError("SourceAddress, or a cookie with a ttl, as the last of hashOn: every request has it")
        return self


class CircuitBreakers(Shape):
    """How much may be under way at once, from each proxy; what is more is answered with 503 at once."""

    connections: Count | None = None
    pending_requests: Count | None = None
    requests: Count | None = None
    retries: Count | None = None

    @model_validator(mode="after")
    def _has_one(self) -> CircuitBreakers:
        if not self.model_fields_set:
            raise ValueError("one limit at least: connections, pendingRequests, requests or retries")
        return self


class SuccessRate(Shape):
    """Endpoints whose success rate is `deviations` standard deviations below the mean of all."""

    deviations: Annotated[float, Field(ge=0.1, le=10)] = 1.9
    minimum_endpoints: Count = 5
    minimum_requests: Count = 100


class FailureShare(Shape):
    """Endpoints of whose requests `percent` or more failed."""

    percent: Annotated[int, Field(ge=1, le=100)] = 85
    minimum_endpoints: Count = 5
    minimum_requests: Count = 50


class OutlierDetection(Shape):
    """Endpoints that fail are left out: for `ejection_time`, then twice as long, up to `max_ejection_time`. Without
    any rule, after 5 consecutive errors."""

    consecutive_errors: Annotated[int, Field(ge=1, le=1000)] | None = None
    consecutive_gateway_errors: Annotated[int, Field(ge=1, le=1000)] | None = None
    success_rate: SuccessRate | None = None
    failure_share: FailureShare | None = None
    interval: Duration = timedelta(seconds=10)
    ejection_time: Duration = timedelta(seconds=30)
    max_ejection_time: Duration = timedelta(seconds=300)
    max_ejected_percent: Percentage = 50

    @model_validator(mode="after")
    def _in_order(self) -> OutlierDetection:
        if not self.interval or not self.ejection_time:
            raise ValueError("an interval and an ejectionTime longer than 0s")
        if self.max_ejection_time < self.ejection_time:
            raise ValueError("a maxEjectionTime that is not shorter than ejectionTime")
        return self


class HTTPCheck(Shape):
    """Healthy: an answer with one of `statuses`."""

    path: Path
    hostname: PreciseHostname | None = None
    statuses: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], LIST, Field(min_length=1, max_length=64)] = (
        200,
    )


class GRPCCheck(Shape):
    """Healthy: SERVING, by the protocol `grpc.health.v1.Health`; `service` is the name asked about, "" the server."""

    service: Annotated[str, StringConstraints(max_length=256)] = ""


class TCPCheck(Shape):
    """Healthy: a connection, on which all of `receive` arrive, in order, after `send`."""

    send: _Text | None = None
    receive: Annotated[tuple[_Text, ...], LIST, Field(max_length=16)] = ()


class HealthCheck(Shape):
    """Every endpoint is asked every `interval`, by each proxy. One of http, grpc and tcp."""

    interval: Duration = timedelta(seconds=10)
    timeout: Duration = timedelta(seconds=2)
    unhealthy_threshold: Annotated[int, Field(ge=1, le=100)] = 3
    healthy_threshold: Annotated[int, Field(ge=1, le=100)] = 1
    http: HTTPCheck | None = None
    grpc: GRPCCheck | None = None
    tcp: TCPCheck | None = None

    @model_validator(mode="after")
    def _is_one(self) -> HealthCheck:
        if sum(check is not None for check in (self.http, self.grpc, self.tcp)) != 1:
            raise ValueError("just one of http, grpc and tcp")
        if not self.interval or not self.timeout:
            raise ValueError("an interval and a timeout longer than 0s")
        return self


class TCPKeepalive(Shape):
    """A silent connection is probed after `time`, then every `interval`, and closed after `probes` without answer."""

    time: Duration = timedelta(seconds=60)
    interval: Duration = timedelta(seconds=10)
    probes: Annotated[int, Field(ge=1, le=100)] = 3

    @model_validator(mode="after")
    def _whole_seconds(self) -> TCPKeepalive:
        if any(value < _SECOND or value % _SECOND for value in (self.time, self.interval)):
            raise ValueError("a time and an interval of whole seconds, 1s or more")
        return self


class Connection(Shape):
    """idle_timeout, max_duration: "0s" for no limit."""

    connect_timeout: Duration | None = None
    idle_timeout: Duration | None = None
    max_duration: Duration | None = None
    max_requests: Count | None = None
    tcp_keepalive: TCPKeepalive | None = None

    @model_validator(mode="after")
    def _connects(self) -> Connection:
        if self.connect_timeout is not None and not self.connect_timeout:
            raise ValueError("a connectTimeout longer than 0s")
        return self


class BackendPolicySpec(AttachedSpec):
    load_balancing: LoadBalancing | None = None
    circuit_breakers: CircuitBreakers | None = None
    outlier_detection: OutlierDetection | None = None
    health_check: HealthCheck | None = None
    connection: Connection | None = None
    protocol: Literal["HTTP1", "HTTP2", "Auto"] | None = None


class BackendPolicy(AttachedPolicy):
    """How a service, or a version of one, is reached."""

    KIND: ClassVar[str] = "BackendPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Service",)

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["BackendPolicy"] = "BackendPolicy"
    spec: BackendPolicySpec

    def findings(self) -> Iterator[Problem | str]:
        if self.spec.model_fields_set <= {"target_refs"}:
            yield Problem(str(self.key), "spec", "nothing beside targetRefs", "for example circuitBreakers")
