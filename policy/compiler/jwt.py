"""JSON web tokens: AuthenticationPolicy's `jwt` as Envoy's jwt_authn filter.

Providers and requirements stand in the chain, under the name of their policy; a route names the requirement.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import (
    JwksAsyncFetch,
    JwtAuthentication,
    JwtClaimToHeader,
    JwtHeader,
    JwtProvider,
    JwtRequirement,
    JwtRequirementOrList,
    PerRouteConfig,
    RemoteJwks,
)
from envoy_data_plane.google.protobuf import Empty

from policy import authentication_policy as documents
from policy.authentication_policy import AuthenticationPolicy, CredentialSource
from policy.compiler import calls
from policy.compiler.inputs import ExternalHost, Need, RoutedRule

METADATA = "envoy.filters.http.jwt_authn"
"""The namespace of the dynamic metadata that has a valid token's claims."""
PAYLOAD = "payload"
"""The claims' key there, whichever provider the token is from."""

_FETCH_TIMEOUT = timedelta(seconds=5)
_BEARER = CredentialSource(header="Authorization", prefix="Bearer ")


class Asked(NamedTuple):
    """A policy's demand for tokens."""

    policy: str
    home: str
    jwt: documents.JwtAuthentication


def asked(rule: RoutedRule) -> Asked | None:
    policy = rule.policies.one(AuthenticationPolicy)
    if policy is None or policy.spec.jwt is None:
        return None
    return Asked(f"{policy.key.namespace}/{policy.key.name}", policy.key.namespace, policy.spec.jwt)


def on_route(value: Asked) -> PerRouteConfig:
    return PerRouteConfig(requirement_name=value.policy)


def in_chain(values: tuple[Asked, ...]) -> JwtAuthentication:
    return JwtAuthentication(
        providers={
            _name(value, provider): _provider(value, provider) for value in values for provider in value.jwt.providers
        },
        requirement_map={value.policy: _requirement(value) for value in values},
    )


def needs(value: Asked) -> Iterator[Need]:
    for provider in value.jwt.providers:
        if provider.jwks.inline is None:
            yield _origin(provider.jwks, home=value.home)


def _name(value: Asked, provider: documents.JwtProvider) -> str:
    return f"{value.policy}/{provider.name}"


def _requirement(value: Asked) -> JwtRequirement:
    wanted = [JwtRequirement(provider_name=_name(value, provider)) for provider in value.jwt.providers]
    if value.jwt.optional:
        wanted.append(JwtRequirement(allow_missing=Empty()))
    return wanted[0] if len(wanted) == 1 else JwtRequirement(requires_any=JwtRequirementOrList(requirements=wanted))


def _provider(value: Asked, provider: documents.JwtProvider) -> JwtProvider:
    sources = provider.from_ or (_BEARER,)
    made = JwtProvider(
        issuer=provider.issuer,
        audiences=list(provider.audiences),
        forward=provider.forward,
        clock_skew_seconds=int(provider.clock_skew.total_seconds()),
        # A token without an end is valid as long as its key is: nobody could take it back.
        require_expiration=True,
        payload_in_metadata=PAYLOAD,
        from_headers=[
            JwtHeader(name=source.header, value_prefix=source.prefix or "")
            for source in sources
            if source.header is not None
        ],
        from_params=[source.query_param for source in sources if source.query_param is not None],
        from_cookies=[source.cookie for source in sources if source.cookie is not None],
        claim_to_headers=[
            JwtClaimToHeader(header_name=item.header, claim_name=item.claim) for item in provider.claims_to_headers
        ],
    )
    if provider.jwks.inline is not None:
        made.local_jwks = DataSource(inline_string=provider.jwks.inline)
    else:
        made.remote_jwks = _remote(provider.jwks, home=value.home)
    return made


def _remote(jwks: documents.Jwks, *, home: str) -> RemoteJwks:
    """Keys are fetched ahead of requests, and a listener does not wait for them: where they cannot be had, only the
    requests that need them are refused."""
    parts = urlsplit(jwks.url) if jwks.url is not None else None
    path = (jwks.path or "/") if parts is None else (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return RemoteJwks(
        http_uri=calls.http(_origin(jwks, home=home), path=path, timeout=_FETCH_TIMEOUT),
        cache_duration=jwks.cache_duration,
        async_fetch=JwksAsyncFetch(fast_listener=True),
    )


def _origin(jwks: documents.Jwks, *, home: str) -> Need:
    if jwks.backend_ref is not None:
        return calls.service(jwks.backend_ref, home=home)
    parts = urlsplit(jwks.url or "")
    return ExternalHost(parts.hostname or "", parts.port or 443, ca=jwks.ca_certificates)
