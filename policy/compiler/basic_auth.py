"""Basic authentication: AuthenticationPolicy's `basic` as Envoy's basic_auth filter."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.basic_auth.v3 import BasicAuth, BasicAuthPerRoute

from policy.authentication_policy import AuthenticationPolicy, BasicAuthentication
from policy.compiler.inputs import RoutedRule

_NOBODY = "nobody:{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""Envoy wants a user. This one's password would have a hash of nothing but zeros."""


def asked(rule: RoutedRule) -> BasicAuthentication | None:
    policy = rule.policies.one(AuthenticationPolicy)
    return policy.spec.basic if policy is not None else None


def on_route(value: BasicAuthentication) -> BasicAuthPerRoute:
    return BasicAuthPerRoute(users=_users(value))


def in_chain(values: tuple[BasicAuthentication, ...]) -> BasicAuth:
    """Knows none of the users: those of one route open no other."""
    return BasicAuth(users=DataSource(inline_string=_NOBODY))


def _users(value: BasicAuthentication) -> DataSource:
    if value.htpasswd_file is not None:
        return DataSource(filename=value.htpasswd_file)
    return DataSource(inline_string=value.htpasswd)
