"""API keys: AuthenticationPolicy's `apiKeys` as Envoy's api_key_auth filter."""

from __future__ import annotations

from envoy_data_plane.envoy.extensions.filters.http.api_key_auth.v3 import (
    ApiKeyAuth,
    ApiKeyAuthPerRoute,
    Credential,
    Forwarding,
    KeySource,
)

from policy.authentication_policy import ApiKeyAuthentication, AuthenticationPolicy, CredentialSource
from policy.compiler.inputs import RoutedRule


def asked(rule: RoutedRule) -> ApiKeyAuthentication | None:
    policy = rule.policies.one(AuthenticationPolicy)
    return policy.spec.api_keys if policy is not None else None


def on_route(value: ApiKeyAuthentication) -> ApiKeyAuthPerRoute:
    return ApiKeyAuthPerRoute(
        credentials=[Credential(key=client.key, client=client.name) for client in value.clients],
        key_sources=[_source(source) for source in value.from_],
        forwarding=Forwarding(header=value.client_header or "", hide_credentials=not value.forward),
    )


def in_chain(values: tuple[ApiKeyAuthentication, ...]) -> ApiKeyAuth:
    """Knows no keys: those of one route open no other."""
    return ApiKeyAuth(key_sources=[KeySource(header="x-api-key")], forwarding=Forwarding(hide_credentials=True))


def _source(source: CredentialSource) -> KeySource:
    return KeySource(header=source.header or "", query=source.query_param or "", cookie=source.cookie or "")
