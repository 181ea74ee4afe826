"""External authorization: AuthenticationPolicy's `external` as Envoy's ext_authz filters.

What happens when a server does not answer is the filter's, not a route's, so there are two: one for servers that fail
closed, one for those that fail open.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from envoy_data_plane.envoy.config.core.v3 import ApiVersion, HeaderValue
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import (
    AuthorizationRequest,
    AuthorizationResponse,
    BufferSettings,
    CheckSettings,
    ExtAuthz,
    ExtAuthzPerRoute,
    HttpService,
)
from envoy_data_plane.envoy.type.matcher.v3 import ListStringMatcher, StringMatcher
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode

from policy.authentication_policy import AuthenticationPolicy, ExternalAuthorization
from policy.compiler import calls, jwt
from policy.compiler.inputs import Need, RoutedRule
from registry.model import Protocol


class Asked(NamedTuple):
    """A policy's server."""

    home: str
    external: ExternalAuthorization


def asked_closed(rule: RoutedRule) -> Asked | None:
    return _asked(rule, "Closed")


def asked_open(rule: RoutedRule) -> Asked | None:
    return _asked(rule, "Open")


def on_route(value: Asked) -> ExtAuthzPerRoute:
    external = value.external
    settings = CheckSettings(context_extensions=dict(sorted(external.context.items())))
    if external.protocol == "GRPC":
        settings.grpc_service = calls.grpc(_server(value), timeout=external.timeout)
    else:
        settings.http_service = _http(value)
    if external.body_bytes is not None:
        settings.with_request_body = BufferSettings(max_request_bytes=external.body_bytes)
    return ExtAuthzPerRoute(check_settings=settings)


def in_chain(values: tuple[Asked, ...]) -> ExtAuthz:
    """Envoy wants a server here, too; each route names its own, and none asks this one."""
    first = values[0]
    return ExtAuthz(
        grpc_service=calls.grpc(_server(first), timeout=first.external.timeout)
        if first.external.protocol == "GRPC"
        else None,
        http_service=_http(first) if first.external.protocol == "HTTP" else None,
        transport_api_version=ApiVersion.V3,
        failure_mode_allow=first.external.failure_mode == "Open",
        status_on_error=HttpStatus(code=StatusCode.ServiceUnavailable),
        metadata_context_namespaces=[jwt.METADATA],
    )


def needs(value: Asked) -> Iterator[Need]:
    yield _server(value)


def _asked(rule: RoutedRule, failure_mode: str) -> Asked | None:
    policy = rule.policies.one(AuthenticationPolicy)
    if policy is None or policy.spec.external is None or policy.spec.external.failure_mode != failure_mode:
        return None
    return Asked(policy.key.namespace, policy.spec.external)


def _server(value: Asked) -> Need:
    external = value.external
    if external.backend_ref is not None:
        return calls.service(external.backend_ref, home=value.home)
    assert external.server is not None
    protocol = Protocol.HTTP2 if external.protocol == "GRPC" else Protocol.HTTP
    return calls.outside(external.server, protocol=protocol)


def _http(value: Asked) -> HttpService:
    external = value.external
    return HttpService(
        server_uri=calls.http(_server(value), path="/", timeout=external.timeout),
        path_prefix=external.path_prefix or "",
        # The filter's own `allowed_headers` would be the same for all servers of a listener.
        authorization_request=AuthorizationRequest(
            headers_to_add=[HeaderValue(key=name, value=f"%REQ({name})%") for name in external.request_headers]
        ),
        authorization_response=AuthorizationResponse(allowed_upstream_headers=_names(external.backend_headers)),
    )


def _names(names: tuple[str, ...]) -> ListStringMatcher | None:
    if not names:
        return None
    return ListStringMatcher(patterns=[StringMatcher(exact=name, ignore_case=True) for name in names])
