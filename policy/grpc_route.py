"""GRPCRoute (Gateway API v1): which gRPC calls go where. A call is an HTTP/2 request, so each rule is one of HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from policy.http_route import (
    HTTPBackendRef,
    HTTPHeaderFilter,
    HTTPHeaderMatch,
    HTTPPathMatch,
    HTTPRequestMirrorFilter,
    HTTPRouteFilter,
    HTTPRouteMatch,
    HTTPRouteRule,
    rules_with_distinct_names,
)
from policy.regex import regex
from policy.route import BackendObjectReference, BackendRef, Route, RouteSpec
from policy.session import SessionPersistence
from policy.shapes import LIST, Hostname, ObjectName, Shape

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_Name = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class GRPCMethodMatch(Shape):
    """A service ("shop.v1.Payment"), a method of it ("Pay"), or both."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    service: _Name | None = None
    method: _Name | None = None

    @field_validator("service", "method")
    @classmethod
    def _of_its_type(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        if info.data.get("type") == "RegularExpression":
            return regex(value)
        if _NAME.fullmatch(value) is None:
            raise ValueError(f'the name of a {info.field_name}, such as "shop.v1.Payment" or "Pay"')
        return value

    @model_validator(mode="after")
    def _names_something(self) -> GRPCMethodMatch:
        if self.service is None and self.method is None:
            raise ValueError("a service, a method, or both")
        return self

    @property
    def path(self) -> HTTPPathMatch:
        """The path of such calls: /SERVICE/METHOD."""
        if self.type == "Exact" and self.service is not None:
            if self.method is not None:
                return HTTPPathMatch(type="Exact", value=f"/{self.service}/{self.method}")
            return HTTPPathMatch(type="PathPrefix", value=f"/{self.service}/")
        quote = re.escape if self.type == "Exact" else str
        service = f"(?:{quote(self.service)})" if self.service is not None else "[^/]+"
        method = f"(?:{quote(self.method)})" if self.method is not None else "[^/]+"
        # Both parts were checked; what Python will not have inside of an expression ("(?i)"), RE2 does.
        return HTTPPathMatch.model_construct(type="RegularExpression", value=f"/{service}/{method}")


class GRPCRouteMatch(Shape):
    method: GRPCMethodMatch | None = None
    headers: Annotated[tuple[HTTPHeaderMatch, ...], LIST, Field(max_length=16)] = ()

    @property
    def as_http(self) -> HTTPRouteMatch:
        path = self.method.path if self.method is not None else HTTPPathMatch()
        return HTTPRouteMatch(path=path, headers=self.headers)


class GRPCRouteFilter(Shape):
    """One filter: the field that its type names, and no other."""

    type: Literal["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror"]
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None

    @property
    def as_http(self) -> HTTPRouteFilter:
        return HTTPRouteFilter(
            type=self.type,
            request_header_modifier=self.request_header_modifier,
            response_header_modifier=self.response_header_modifier,
            request_mirror=self.request_mirror,
        )

    @model_validator(mode="after")
    def _has_what_its_type_names(self) -> GRPCRouteFilter:
        _ = self.as_http  # which checks just this
        return self


class GRPCBackendRef(BackendRef):
    filters: Annotated[tuple[GRPCRouteFilter, ...], LIST, Field(max_length=16)] = ()

    @property
    def as_http(self) -> HTTPBackendRef:
        return HTTPBackendRef(
            namespace=self.namespace,
            name=self.name,
            port=self.port,
            weight=self.weight,
            filters=tuple(item.as_http for item in self.filters),
        )


class GRPCRouteRule(Shape):
    """Calls that meet any of `matches` go to `backend_refs`, by weight."""

    name: ObjectName | None = None
    matches: Annotated[tuple[GRPCRouteMatch, ...], LIST, Field(min_length=1, max_length=64)] = (GRPCRouteMatch(),)
    filters: Annotated[tuple[GRPCRouteFilter, ...], LIST, Field(max_length=16)] = ()
    backend_refs: Annotated[tuple[GRPCBackendRef, ...], LIST, Field(max_length=16)] = ()
    session_persistence: SessionPersistence | None = None

    @property
    def as_http(self) -> HTTPRouteRule:
        return HTTPRouteRule(
            name=self.name,
            matches=tuple(match.as_http for match in self.matches),
            filters=tuple(item.as_http for item in self.filters),
            backend_refs=tuple(ref.as_http for ref in self.backend_refs),
            session_persistence=self.session_persistence,
        )


class GRPCRouteSpec(RouteSpec):
    hostnames: Annotated[tuple[Hostname, ...], LIST, Field(max_length=16)] = ()
    rules: Annotated[tuple[GRPCRouteRule, ...], LIST, Field(min_length=1, max_length=16)] = (GRPCRouteRule(),)

    @model_validator(mode="after")
    def _distinct_names(self) -> GRPCRouteSpec:
        rules_with_distinct_names(rule.name for rule in self.rules)
        return self


class GRPCRoute(Route):
    """Routes of gRPC calls."""

    KIND: ClassVar[str] = "GRPCRoute"
    API_VERSION: ClassVar[str] = "gateway.networking.k8s.io/v1"

    api_version: Literal["gateway.networking.k8s.io/v1"] = "gateway.networking.k8s.io/v1"
    kind: Literal["GRPCRoute"] = "GRPCRoute"
    spec: GRPCRouteSpec

    @property
    def hostnames(self) -> tuple[str, ...]:
        return self.spec.hostnames

    @property
    def rule_names(self) -> tuple[str | None, ...]:
        return tuple(rule.name for rule in self.spec.rules)

    @cached_property
    def http_rules(self) -> tuple[HTTPRouteRule, ...]:
        """Its rules as those of an HTTPRoute."""
        return tuple(rule.as_http for rule in self.spec.rules)

    def backend_refs(self) -> Iterator[tuple[str, BackendObjectReference]]:
        for index, rule in enumerate(self.http_rules):
            yield from rule.references(f"spec.rules[{index}]")
