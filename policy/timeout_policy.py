"""TimeoutPolicy: how long requests, their streams and the connections that they come by may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import model_validator

from policy.attached import AttachedPolicy, AttachedSpec, TargetKind
from policy.errors import Problem
from policy.shapes import Duration, Shape


class ConnectionTimeouts(Shape):
    """For connections of clients to a gateway. headers_timeout, receive_timeout: for the header of a request, and for
    all of it, to arrive."""

    idle_timeout: Duration | None = None
    max_duration: Duration | None = None
    headers_timeout: Duration | None = None
    receive_timeout: Duration | None = None


class TimeoutPolicySpec(AttachedSpec):
    """request: from the last byte of a request to the last of its answer, retries included. idle: without a byte either
    way. stream: from first to last byte, whatever flows. "0s": no limit."""

    request: Duration | None = None
    idle: Duration | None = None
    stream: Duration | None = None
    connection: ConnectionTimeouts | None = None

    @model_validator(mode="after")
    def _nested(self) -> TimeoutPolicySpec:
        if self.request and self.stream and self.request > self.stream:
            raise ValueError("a request that is not longer than stream")
        return self


class TimeoutPolicy(AttachedPolicy):
    """Timeouts of a Gateway's or a route's requests, and of a Gateway's connections."""

    KIND: ClassVar[str] = "TimeoutPolicy"
    TARGETS: ClassVar[tuple[TargetKind, ...]] = ("Gateway", "HTTPRoute", "GRPCRoute")

    api_version: Literal["apg.mesh/v1"] = "apg.mesh/v1"
    kind: Literal["TimeoutPolicy"] = "TimeoutPolicy"
    spec: TimeoutPolicySpec

    def findings(self) -> Iterator[Problem | str]:
        spec = self.spec
        if spec.model_fields_set <= {"target_refs"}:
            yield Problem(str(self.key), "spec", "nothing beside targetRefs", "for example request: 5s")
        for ref in spec.target_refs:
            if spec.connection is not None and ref.kind != "Gateway":
                got = f"timeouts of connections for a {ref.kind}"
                want = "a Gateway as the target: what a connection is used for is not known when it is made"
                yield Problem(str(self.key), "spec.connection", got, want)
                return
