"""TCPRoute and TLSRoute (Gateway API v1): whole connections, to backends by weight; TLSRoute chooses by SNI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from policy.route import BackendObjectReference, BackendRef, Route, RouteSpec
from policy.shapes import LIST, Hostname, ObjectName, Shape


class StreamRule(Shape):
    """Connections go to `backend_refs`, by weight."""

    name: ObjectName | None = None
    backend_refs: Annotated[tuple[BackendRef, ...], LIST, Field(min_length=1, max_length=16)]


class TCPRouteSpec(RouteSpec):
    """One rule: connections have nothing to choose a rule by."""

    rules: Annotated[tuple[StreamRule, ...], LIST, Field(min_length=1, max_length=1)]


class TLSRouteSpec(TCPRouteSpec):
    hostnames: Annotated[tuple[Hostname, ...], LIST, Field(min_length=1, max_length=16)]


class StreamRoute(Route):
    """What TCPRoute and TLSRoute have in common."""

    spec: TCPRouteSpec

    @property
    def hostnames(self) -> tuple[str, ...]:
        return ()

    @property
    def rule_names(self) -> tuple[str | None, ...]:
        return tuple(rule.name for rule in self.spec.rules)

    def backend_refs(self) -> Iterator[tuple[str, BackendObjectReference]]:
        for index, rule in enumerate(self.spec.rules):
            for number, ref in enumerate(rule.backend_refs):
                yield f"spec.rules[{index}].backendRefs[{number}]", ref


class TCPRoute(StreamRoute):
    """Connections of a TCP listener."""

    KIND: ClassVar[str] = "TCPRoute"
    API_VERSION: ClassVar[str] = "gateway.networking.k8s.io/v1"
    OLDER_VERSIONS: ClassVar[tuple[str, ...]] = ("gateway.networking.k8s.io/v1alpha2",)

    api_version: Literal["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha2"] = (
        "gateway.networking.k8s.io/v1"
    )
    kind: Literal["TCPRoute"] = "TCPRoute"


class TLSRoute(StreamRoute):
    """Connections of a TLS listener, by the name that the client asks for (SNI)."""

    KIND: ClassVar[str] = "TLSRoute"
    API_VERSION: ClassVar[str] = "gateway.networking.k8s.io/v1"
    OLDER_VERSIONS: ClassVar[tuple[str, ...]] = (
        "gateway.networking.k8s.io/v1alpha2",
        "gateway.networking.k8s.io/v1alpha3",
    )

    api_version: Literal[
        "gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1alpha2", "gateway.networking.k8s.io/v1alpha3"
    ] = "gateway.networking.k8s.io/v1"
    kind: Literal["TLSRoute"] = "TLSRoute"
    spec: TLSRouteSpec

    @property
    def hostnames(self) -> tuple[str, ...]:
        return self.spec.hostnames
