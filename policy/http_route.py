"""HTTPRoute (Gateway API v1): which requests go where, and what happens to them on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, model_validator
from pydantic.alias_generators import to_camel

from policy.cors import HTTPCORSFilter
from policy.regex import regex
from policy.route import BackendObjectReference, BackendRef, Route, RouteSpec
from policy.session import SessionPersistence
from policy.shapes import (
    LIST,
    Duration,
    Hostname,
    ObjectName,
    Port,
    PreciseHostname,
    Shape,
    matching,
)

_MAX_PATH = 1024
_MAX_VALUE = 4096
_FORBIDDEN_IN_PATH = ("//", "/./", "/../", "%2f", "%2F", "#", "?")
_FORBIDDEN_AT_END = ("/..", "/.")


def _path(value: str) -> str:
    """Gateway API, HTTPPathMatch: an absolute path in normal form."""
    if not value.startswith("/"):
        raise ValueError('a path that begins with "/"')
    for part in _FORBIDDEN_IN_PATH:
        if part in value:
            raise ValueError(f'a path without "{part}"')
    if value.endswith(_FORBIDDEN_AT_END):
        raise ValueError('a path that does not end in "." or ".."')
    return value


def _value_of_its_type(value: str, info: ValidationInfo) -> str:
    return regex(value) if info.data.get("type") == "RegularExpression" else value


def _path_of_its_type(value: str, info: ValidationInfo) -> str:
    return regex(value) if info.data.get("type") == "RegularExpression" else _path(value)


HeaderName = Annotated[
    str,
    StringConstraints(max_length=256),
    matching(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+", "a name of letters, digits and !#$%&'*+-.^_`|~"),
]
"""RFC 7230 token."""
HeaderValue = Annotated[
    str, StringConstraints(min_length=1, max_length=_MAX_VALUE), matching(r"[^\x00\r\n]*", "one line of text")
]
Path = Annotated[str, StringConstraints(max_length=_MAX_PATH), AfterValidator(_path)]


class HTTPPathMatch(Shape):
    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    value: Annotated[str, StringConstraints(min_length=1, max_length=_MAX_PATH), AfterValidator(_path_of_its_type)] = (
        "/"
    )


class _ValueMatch(Shape):
    type: Literal["Exact", "RegularExpression"] = "Exact"
    name: HeaderName
    value: Annotated[HeaderValue, AfterValidator(_value_of_its_type)]


class HTTPHeaderMatch(_ValueMatch):
    """A header; its name in any case."""


class HTTPQueryParamMatch(_ValueMatch):
    """A parameter of the query string."""


class HTTPRouteMatch(Shape):
    """Conditions that must all hold."""

    path: HTTPPathMatch = HTTPPathMatch()
    headers: Annotated[tuple[HTTPHeaderMatch, ...], LIST, Field(max_length=16)] = ()
    query_params: Annotated[tuple[HTTPQueryParamMatch, ...], LIST, Field(max_length=16)] = ()
    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"] | None = None


class HTTPHeader(Shape):
    name: HeaderName
    value: HeaderValue


class HTTPHeaderFilter(Shape):
    """Headers to set (replacing), to add (appending) and to remove."""

    set: Annotated[tuple[HTTPHeader, ...], LIST, Field(max_length=16)] = ()
    add: Annotated[tuple[HTTPHeader, ...], LIST, Field(max_length=16)] = ()
    remove: Annotated[tuple[HeaderName, ...], LIST, Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _not_the_host(self) -> HTTPHeaderFilter:
        names = (*(header.name for header in (*self.set, *self.add)), *self.remove)
        if any(name.lower() == "host" for name in names):
            raise ValueError("headers other than Host, which the hostname of a URLRewrite changes")
        return self


class HTTPPathModifier(Shape):
    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    replace_full_path: Path | None = None
    replace_prefix_match: Path | None = None

    @model_validator(mode="after")
    def _has_what_its_type_names(self) -> HTTPPathModifier:
        full, prefix = self.replace_full_path is not None, self.replace_prefix_match is not None
        if (full, prefix) != (self.type == "ReplaceFullPath", self.type == "ReplacePrefixMatch"):
            raise ValueError(f"just the field {self.type[0].lower()}{self.type[1:]} beside its type")
        return self


class HTTPRequestRedirect(Shape):
    scheme: Literal["http", "https"] | None = None
    hostname: PreciseHostname | None = None
    path: HTTPPathModifier | None = None
    port: Port | None = None
    status_code: Literal[301, 302, 303, 307, 308] = 302


class HTTPURLRewrite(Shape):
    hostname: PreciseHostname | None = None
    path: HTTPPathModifier | None = None


class Fraction(Shape):
    numerator: Annotated[int, Field(ge=0, le=1_000_000)]
    denominator: Annotated[int, Field(ge=1, le=1_000_000)] = 100

    @model_validator(mode="after")
    def _at_most_all(self) -> Fraction:
        if self.numerator > self.denominator:
            raise ValueError("a numerator that is not above the denominator")
        return self


class HTTPRequestMirrorFilter(Shape):
    """A copy of each request, or of a share of them, whose answers nobody waits for."""

    backend_ref: BackendObjectReference
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    fraction: Fraction | None = None

    @model_validator(mode="after")
    def _one_share(self) -> HTTPRequestMirrorFilter:
        if self.percent is not None and self.fraction is not None:
            raise ValueError("percent or fraction, not both")
        return self

    @property
    def parts_per_million(self) -> int:
        if self.percent is not None:
            return self.percent * 10_000
        if self.fraction is not None:
            return round(self.fraction.numerator * 1_000_000 / self.fraction.denominator)
        return 1_000_000


_FILTER_FIELDS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "CORS": "cors",
}


class HTTPRouteFilter(Shape):
    """One filter: the field that its type names, and no other."""

    type: Literal[
        "RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite", "CORS"
    ]
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_mirror: HTTPRequestMirrorFilter | None = None
    request_redirect: HTTPRequestRedirect | None = None
    url_rewrite: HTTPURLRewrite | None = None
    cors: HTTPCORSFilter | None = None

    @model_validator(mode="after")
    def _has_what_its_type_names(self) -> HTTPRouteFilter:
        given = [name for name in _FILTER_FIELDS.values() if getattr(self, name) is not None]
        if given != [_FILTER_FIELDS[self.type]]:
            raise ValueError(f"just the field {to_camel(_FILTER_FIELDS[self.type])} beside its type")
        return self


class HTTPBackendRef(BackendRef):
    """A service, or a version of one, and its share of the rule's requests."""

    filters: Annotated[tuple[HTTPRouteFilter, ...], LIST, Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _only_header_filters(self) -> HTTPBackendRef:
        for item in self.filters:
            if item.request_header_modifier is None and item.response_header_modifier is None:
                raise ValueError(f"header modifiers as filters of a backend, and {item.type} belongs to the rule")
        return self


class HTTPRouteTimeouts(Shape):
    request: Duration | None = None
    backend_request: Duration | None = None

    @model_validator(mode="after")
    def _nested(self) -> HTTPRouteTimeouts:
        if self.request and self.backend_request and self.backend_request > self.request:
            raise ValueError("a backendRequest that is not longer than request")
        return self


class HTTPRouteRetry(Shape):
    """Gateway API, GEP-1731: connections that fail are tried again, and answers with one of `codes`."""

    codes: Annotated[tuple[Annotated[int, Field(ge=400, le=599)], ...], LIST, Field(max_length=32)] = ()
    attempts: Annotated[int, Field(ge=1, le=10)] | None = None
    backoff: Duration | None = None


class HTTPRouteRule(Shape):
    """Requests that meet any of `matches` go to `backend_refs`, by weight."""

    name: ObjectName | None = None
    matches: Annotated[tuple[HTTPRouteMatch, ...], LIST, Field(min_length=1, max_length=64)] = (HTTPRouteMatch(),)
    filters: Annotated[tuple[HTTPRouteFilter, ...], LIST, Field(max_length=16)] = ()
    backend_refs: Annotated[tuple[HTTPBackendRef, ...], LIST, Field(max_length=16)] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None
    session_persistence: SessionPersistence | None = None

    def references(self, where: str) -> Iterator[tuple[str, BackendObjectReference]]:
        """All services that it names, each with its path in the document; `where` is the rule's."""
        for number, ref in enumerate(self.backend_refs):
            yield f"{where}.backendRefs[{number}]", ref
        for number, item in enumerate(self.filters):
            if item.request_mirror is not None:
                yield f"{where}.filters[{number}].requestMirror.backendRef", item.request_mirror.backend_ref

    @model_validator(mode="after")
    def _filters_agree(self) -> HTTPRouteRule:
        types = [item.type for item in self.filters]
        for type in ("RequestRedirect", "URLRewrite", "CORS"):
            if types.count(type) > 1:
                raise ValueError(f"one {type} in a rule")
        redirects = "RequestRedirect" in types
        if redirects and "RequestMirror" in types:
            raise ValueError("RequestRedirect or RequestMirror, not both: Envoy mirrors what it sends to a backend")
        if redirects and "URLRewrite" in types:
            raise ValueError("RequestRedirect or URLRewrite, not both")
        if redirects and self.backend_refs:
            raise ValueError("backendRefs or a RequestRedirect, not both: a redirected request reaches no backend")
        modifiers = [
            modifier
            for item in self.filters
            for modifier in (item.request_redirect, item.url_rewrite)
            if modifier is not None and modifier.path is not None and modifier.path.type == "ReplacePrefixMatch"
        ]
        if modifiers and any(match.path.type != "PathPrefix" for match in self.matches):
            raise ValueError("matches of type PathPrefix only, where ReplacePrefixMatch replaces the prefix")
        return self


def rules_with_distinct_names(names: Iterable[str | None]) -> None:
    """Raises ValueError for a name that two rules have."""
    given = [name for name in names if name is not None]
    if twice := next((name for name in given if given.count(name) > 1), None):
        raise ValueError(f"rules with names of their own, and {twice} is there twice")


class HTTPRouteSpec(RouteSpec):
    hostnames: Annotated[tuple[Hostname, ...], LIST, Field(max_length=16)] = ()
    rules: Annotated[tuple[HTTPRouteRule, ...], LIST, Field(min_length=1, max_length=16)] = (HTTPRouteRule(),)

    @model_validator(mode="after")
    def _distinct_names(self) -> HTTPRouteSpec:
        """Gateway API, HTTPRouteRule.name: unique within the route."""
        rules_with_distinct_names(rule.name for rule in self.rules)
        return self


class HTTPRoute(Route):
    """Routes of HTTP requests."""

    KIND: ClassVar[str] = "HTTPRoute"
    API_VERSION: ClassVar[str] = "gateway.networking.k8s.io/v1"

    api_version: Literal["gateway.networking.k8s.io/v1"] = "gateway.networking.k8s.io/v1"
    kind: Literal["HTTPRoute"] = "HTTPRoute"
    spec: HTTPRouteSpec

    @property
    def hostnames(self) -> tuple[str, ...]:
        return self.spec.hostnames

    @property
    def rule_names(self) -> tuple[str | None, ...]:
        return tuple(rule.name for rule in self.spec.rules)

    @property
    def http_rules(self) -> tuple[HTTPRouteRule, ...]:
        """Its rules, as GRPCRoute has them too."""
        return self.spec.rules

    def backend_refs(self) -> Iterator[tuple[str, BackendObjectReference]]:
        for index, rule in enumerate(self.spec.rules):
            yield from rule.references(f"spec.rules[{index}]")
