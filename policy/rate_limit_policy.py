"""RateLimitPolicy: how many requests pass, of all or of each client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from policy.attached import AttachedPolicy, AttachedSpec, BackendReference, TargetKind
from policy.errors import Problem
from policy.http_route import HeaderName
from policy.servers import OutsideServer, ServiceReference
from policy.shapes import LIST, Duration, ObjectName, Shape, Word, format_duration

EXACT_UNITS = {
    timedelta(seconds=1): "SECOND",
    timedelta(minutes=1): "MINUTE",
    timedelta(hours=1): "HOUR",
    timedelta(days=1): "DAY",
}
"""The units that a RateLimitService knows."""

_LONGEST_CALL = timedelta(seconds=10)


class ClientKey(Shape):
    """What tells clients apart. Requests that lack it count together, as one client."""

    header: HeaderName | None = None
    claim: Word | None = None
    source_address: bool = False

    @model_validator(mode="after")
    def _one(self) -> ClientKey:
        if (self.header is not None) + (self.claim is not None) + self.source_address != 1:
            raise ValueError("one of header, claim, sourceAddress: true")
        return self


class RequestLimit(Shape):
    """So many `requests` per time, at most `burst` of them at once. `each`: for each client by itself."""

    name: ObjectName | None = None
    requests: Annotated[int, Field(ge=1, le=1_000_000_000)]
    per: Duration
    burst: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    each: ClientKey | None = None

    @model_validator(mode="after")
    def _bounded(self) -> RequestLimit:
        if not timedelta(seconds=1) <= self.per <= timedelta(days=1):
            raise ValueError("a time from 1s to 24h in per")
        return self


class RateLimitService(Shape):
    """A server of Envoy's rate limit protocol (`envoy.service.ratelimit.v3`), which counts for all proxies.

    failure_mode: what happens to requests when it does not answer in time: Closed: 503, Open: they pass.
    """

    domain: Word = "apg"
    backend_ref: ServiceReference | None = None
    server: OutsideServer | None = None
    timeout: Duration = timedelta(milliseconds=100)
    failure_mode: Literal["Closed", "Open"] = "Closed"

    @model_validator(mode="after")
    def _fits(self) -> RateLimitService:
        if (self.backend_ref is None) == (self.server is None):
            raise ValueError("one of backendRef, server")
        if not timedelta(milliseconds=1) <= self.timeout <= _LONGEST_CALL:
            raise ValueError("a timeout from 1ms to 10s")
        return self


class RateLimitPolicySpec(AttachedSpec):
    """All limits hold together. scope: whose requests are counted together: one proxy's, those of all proxies of the
    Gateway, each keeping to a share of its own, or those of all who ask the same `service`."""

    scope: Literal["Proxy", "Fleet", "Service"] = "Proxy"
    limits: Annotated[tuple[RequestLimit, ...], LIST, Field(min_length=1, max_length=16)]
    service: RateLimitService | None = None

    @model_validator(mode="after")
    def _fits(self) -> RateLimitPolicySpec:
        names = [limit.name for limit in self.limits if limit.name is not None]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"limits with names of their own, and {twice} is there twice")
        if (self.scope == "Service") != (self.service is not None):
            raise ValueError("a service beside scope: Service, and only there")
        if self.scope == "Service":
            self._known_to_a_service()
        if self.scope == "Fleet" and (len(self.limits) > 1 or self.limits[0].each is not None):
            raise ValueError("one limit, without each, with scope: Fleet: a service counts clients for all proxies")
        return self

    def _known_to_a_service(self) -> None:
        for index, limit in enumerate(self.limits):
            if limit.per not in EXACT_UNITS:
                units = ", ".join(format_duration(unit) for unit in EXACT_UNITS)
                raise ValueError(f"per as one of {units} with scope: Service, and limits[{index}] has another")
            if limit.burst is not None:
                raise ValueError(f"no burst with scope: Service, which goes by the clock, and limits[{index}] has one")


class RateLimitPolicy(AttachedPolicy):
    """Requests beyond a limit are answered with 429."""

    KIND: ClassVar[str] = "RateLimitPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute")

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["RateLimitPolicy"] = "RateLimitPolicy"
    spec: RateLimitPolicySpec

    def backend_refs(self) -> Iterator[tuple[str, BackendReference]]:
        """The service that counts."""
        if self.spec.service is not None and self.spec.service.backend_ref is not None:
            yield "spec.service.backendRef", self.spec.service.backend_ref

    @classmethod
    def disagreements(cls, policies: Sequence[AttachedPolicy]) -> Iterator[Problem | str]:
        """A chain asks one service, in one way."""
        asking = [policy for policy in policies if isinstance(policy, cls) and policy.spec.service is not None]
        for policy in asking[1:]:
            if _server(policy) != _server(asking[0]):
                want = f"the same server, timeout and failureMode as in {asking[0].key}; domains may differ"
                yield Problem(str(policy.key), "spec.service", "another server, timeout or failureMode", want)


def _server(policy: RateLimitPolicy) -> object:
    service = policy.spec.service
    assert service is not None
    ref = service.backend_ref
    home = policy.key.namespace
    named = (ref.namespace or home, ref.name) if ref is not None else None
    return named, service.server, service.timeout, service.failure_mode
