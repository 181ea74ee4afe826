"""What an AuthenticationPolicy makes of a request: API keys, user and password, tokens, and another server's word."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha1
from typing import Any
from urllib.parse import unquote

from policy.authentication_policy import ApiKeyAuthentication, AuthenticationPolicy, CredentialSource, JwtProvider
from policy.explain.explanation import Effect, Step
from policy.explain.meeting import Met, Place, doubting, passing, refusing
from policy.explain.request import Request
from policy.explain.tokens import Judged, judged

_BEARER = "Bearer "


def _policy(place: Place) -> AuthenticationPolicy | None:
    return place.rule.policies.one(AuthenticationPolicy)


def api_keys(place: Place, request: Request) -> Met:
    policy = _policy(place)
    assert policy is not None
    assert policy.spec.api_keys is not None
    asked, path = policy.spec.api_keys, "spec.apiKeys"
    source, key = next(
        ((source, found) for source in asked.from_ if (found := _key(source, request))), (asked.from_[0], "")
    )
    client = next((client for client in asked.clients if client.key == key), None)
    if not key:
        return refusing(request, policy, 401, "there is no API key", path=path)
    if client is None:
        return refusing(request, policy, 401, "the API key is nobody's", path=path)
    known = _with_client(asked, source, client.name, request)
    return passing(known, policy, f"the API key of {client.name}", path=path)


def _key(source: CredentialSource, request: Request) -> str:
    if source.header is not None:
        return (request.header(source.header) or "").removeprefix(_BEARER)
    if source.query_param is not None:
        return unquote(request.parameters.get(source.query_param, ""))
    return request.cookies.get(source.cookie or "", "")


def _with_client(asked: ApiKeyAuthentication, source: CredentialSource, client: str, request: Request) -> Request:
    if not asked.forward:
        request = request.without(header=source.header, query_param=source.query_param, cookie=source.cookie)
    return request if asked.client_header is None else request.with_headers({asked.client_header.lower(): client})


def basic(place: Place, request: Request) -> Met:
    policy = _policy(place)
    assert policy is not None
    assert policy.spec.basic is not None
    asked, path = policy.spec.basic, "spec.basic"
    scheme, _, given = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic" or not given:
        return refusing(request, policy, 401, "there are no user and password", path=path)
    try:
        user, colon, password = base64.b64decode(given, validate=True).decode().partition(":")
    except ValueError:
        user, colon, password = "", "", ""
    if not colon:
        return refusing(request, policy, 401, "what is there is no user and password", path=path)
    if asked.htpasswd is None:
        return doubting(request, policy, f"refused with 401 unless {asked.htpasswd_file} has the user", path=path)
    digest = base64.b64encode(sha1(password.encode()).digest()).decode()  # noqa: S324  # as htpasswd has it
    if f"{user}:{{SHA}}{digest}" not in asked.htpasswd.splitlines():
        return refusing(request, policy, 401, "no such user, or another password", path=path)
    return passing(request, policy, f"the user {user}", path=path)


def jwt(place: Place, request: Request) -> Met:
    policy = _policy(place)
    assert policy is not None
    assert policy.spec.jwt is not None
    asked, path = policy.spec.jwt, "spec.jwt"
    told: list[Judged] = []
    for provider in asked.providers:
        request = request.with_headers({item.header.lower(): None for item in provider.claims_to_headers})
        told.append(judged(provider, request, place.now))
        if not told[-1].status:
            found = told[-1]
            on = _with_claims(provider, found, request)
            words = f"a token of {provider.issuer}" + _subject(found.claims)
            if found.unsure:
                return doubting(on, policy, f"{words}; refused with 401 if its signature is wrong: {found.unsure}")
            return passing(on, policy, words, path=path)
    if asked.optional and all(item.missing for item in told):
        return passing(request, policy, "there is no token, and none is needed", path=path)
    worst = max(told, key=lambda item: (not item.missing, not item.foreign))
    return refusing(request, policy, worst.status, worst.words, path=path)


def _subject(claims: Mapping[str, Any] | None) -> str:
    subject = (claims or {}).get("sub")
    return f", sub {subject}" if isinstance(subject, str) else ""


def _with_claims(provider: JwtProvider, found: Judged, request: Request) -> Request:
    changes: dict[str, str | None] = {}
    source = found.source
    if not provider.forward and source is not None and source.cookie is None:  # Envoy leaves tokens in cookies
        request = request.without(header=source.header, query_param=source.query_param)
    for item in provider.claims_to_headers:
        value: Any = found.claims
        for part in item.claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            changes[item.header.lower()] = str(value).lower()
        elif isinstance(value, str | int | float):
            changes[item.header.lower()] = str(value)
    return replace(request.with_headers(changes), claims=found.claims)


def external(place: Place, request: Request) -> Met:
    policy = _policy(place)
    assert policy is not None
    assert policy.spec.external is not None
    asked = policy.spec.external
    who = asked.backend_ref.name if asked.backend_ref is not None else asked.server.host if asked.server else ""
    silent = "lets it pass" if asked.failure_mode == "Open" else "refuses it with 503"
    words = f"{who} is asked, and may refuse it; its silence {silent}"
    return doubting(request, policy, words, path="spec.external")


def certificate(policy: AuthenticationPolicy, request: Request) -> Met:
    """At the sidecars of a service, before anything else."""
    asked, path = policy.spec.mutual_tls, "spec.mutualTls"
    if asked is None:
        return Met(request)
    if request.principal is not None:
        return passing(request, policy, f"a certificate of {request.principal}, if its authority is trusted", path=path)
    if asked.mode == "Permissive":
        return passing(request, policy, "without a certificate, which is allowed", path=path)
    step = Step(policy.KIND, Effect.REFUSES, "the connection is refused without a certificate", str(policy.key), path)
    return Met(request, (step,))
