"""HTTP filter `cors`: a rule's CORS filter."""

from __future__ import annotations

import re

from envoy_data_plane.envoy.extensions.filters.http.cors.v3 import Cors, CorsPolicy
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from policy.compiler.inputs import RoutedRule
from policy.cors import HTTPCORSFilter


def asked(routed: RoutedRule) -> HTTPCORSFilter | None:
    return next((item.cors for item in routed.rule.filters if item.cors is not None), None)


def in_chain(_: tuple[HTTPCORSFilter, ...]) -> Cors:
    return Cors()


def on_route(cors: HTTPCORSFilter) -> CorsPolicy:
    """A preflight from an origin that is not allowed is answered without the headers that would allow it, and does not
    reach the backend."""
    return CorsPolicy(
        allow_origin_string_match=[_origin(origin) for origin in cors.allow_origins],
        allow_methods=", ".join(cors.allow_methods),
        allow_headers=", ".join(cors.allow_headers),
        expose_headers=", ".join(cors.expose_headers),
        max_age=str(cors.max_age),
        allow_credentials=cors.allow_credentials or None,
        forward_not_matching_preflights=False,
    )


def _origin(origin: str) -> StringMatcher:
    if "*" not in origin:
        return StringMatcher(exact=origin)
    if origin == "*":
        return StringMatcher(safe_regex=RegexMatcher(regex=".*"))
    return StringMatcher(safe_regex=RegexMatcher(regex=r"[^/:]+".join(re.escape(part) for part in origin.split("*"))))
