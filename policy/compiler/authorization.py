"""Authorization: AuthorizationPolicy as Envoy's RBAC filters.

There are two: the first refuses what a Deny matches, the second what no Allow matches, where there is one. Every rule
is an RBAC policy under its own name, which is what Envoy counts and gives as the reason of a refusal
(`%RESPONSE_CODE_DETAILS%`: `rbac_access_denied_matched_policy[NAME]`, `[none]` for the second filter). Policies that
only audit are the filters' shadow rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envoy_data_plane.envoy.config.core.v3 import CidrRange
from envoy_data_plane.envoy.config.rbac.v3 import (
    Permission,
    Policy,
    Principal,
    PrincipalAuthenticated,
    PrincipalSet,
    RbacAction,
    SourcedMetadata,
)
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac, RbacPerRoute
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.type.matcher.v3 import (
    ListMatcher,
    MetadataMatcher,
    MetadataMatcherPathSegment,
    PathMatcher,
    RegexMatcher,
    StringMatcher,
    ValueMatcher,
)

from policy.address_lists import NOBODY
from policy.authorization_policy import AuthorizationPolicy, AuthorizationRule, ClaimMatch, Conditions
from policy.compiler import jwt
from policy.compiler.geography import COUNTRY_HEADER
from policy.compiler.inputs import HttpListener, RoutedRule
from policy.http_route import HTTPHeaderMatch, HTTPPathMatch
from xds.messages import unchecked

_Rbac = unchecked(Rbac)
_Rules = unchecked(Rules)


class Asked(NamedTuple):
    """The policies that one of the filters enforces, and those that it only audits."""

    action: str
    enforced: tuple[AuthorizationPolicy, ...]
    audited: tuple[AuthorizationPolicy, ...]


def asked_to_deny(rule: RoutedRule) -> Asked | None:
    return _asked(rule, "Deny")


def asked_to_allow(rule: RoutedRule) -> Asked | None:
    return _asked(rule, "Allow")


def on_route(value: Asked) -> RbacPerRoute:
    made = _filter(value.action)
    if value.enforced:
        made.rules = _rules(value.action, value.enforced)
    if value.audited:
        # What would be, if these were enforced, too: an Allow more lets more pass, not less.
        shadowing = (*value.enforced, *value.audited) if value.action == "Allow" else value.audited
        made.shadow_rules = _rules(value.action, shadowing)
    return RbacPerRoute(rbac=made)


def deny_in_chain(values: tuple[Asked, ...]) -> Rbac:
    return _closed("Deny")


def allow_in_chain(values: tuple[Asked, ...]) -> Rbac:
    return _closed("Allow")


def on_connection_manager(manager: HttpConnectionManager, served: HttpListener) -> None:
    """Whose address is the client's. Of several policies that say so, the most specific decides."""
    for policy in served.policies.all(AuthorizationPolicy):
        if policy.spec.client_address is not None:
            manager.xff_num_trusted_hops = policy.spec.client_address.trusted_proxies


def _asked(rule: RoutedRule, action: str) -> Asked | None:
    policies = [policy for policy in rule.policies.all(AuthorizationPolicy) if policy.spec.action == action]
    if not policies:
        return None
    return Asked(
        action,
        tuple(policy for policy in policies if not policy.spec.audit),
        tuple(policy for policy in policies if policy.spec.audit),
    )


def _closed(action: str) -> Rbac:
    """Lets nothing pass, should a route ask for the filter and not say how it decides."""
    made = _filter(action)
    made.rules = _Rules(action=RbacAction.ALLOW)
    return made


def _filter(action: str) -> Rbac:
    name = action.lower()
    return _Rbac(rules_stat_prefix=name, shadow_rules_stat_prefix=f"audit_{name}", track_per_rule_stats=True)


def _rules(action: str, policies: Iterable[AuthorizationPolicy]) -> Rules:
    return _Rules(
        action=RbacAction.DENY if action == "Deny" else RbacAction.ALLOW,
        policies={
            f"{policy.key.namespace}/{policy.key.name}/{rule.name or index}": _policy(rule)
            for policy in policies
            for index, rule in enumerate(policy.spec.rules)
        },
    )


def _policy(rule: AuthorizationRule) -> Policy:
    """Permissions know no client, but principals know all of a request, so that is where the conditions stand."""
    wanted = list(_principals(rule))
    if rule.unless is not None:
        wanted.append(Principal(not_id=_all(list(_principals(rule.unless)))))
    return Policy(permissions=[Permission(any=True)], principals=[_all(wanted)])


def _principals(conditions: Conditions) -> Iterator[Principal]:
    if conditions.principals:
        yield _any(_identity(_spiffe_id(principal)) for principal in conditions.principals)
    if conditions.namespaces:
        names = "|".join(conditions.namespaces)
        pattern = RegexMatcher(regex=f"spiffe://[^/]+/ns/({names})/.+")
        yield _identity(StringMatcher(safe_regex=pattern))
    for claim in conditions.claims:
        yield _any(_claim(claim))
    if conditions.addresses or conditions.address_lists:
        ranges = (*conditions.addresses, *conditions.listed_addresses)
        yield _any(Principal(remote_ip=_range(address)) for address in ranges or (NOBODY,))
    if conditions.countries:
        yield _any(_header(COUNTRY_HEADER, StringMatcher(exact=country)) for country in conditions.countries)
    if conditions.methods:
        yield _any(_header(":method", StringMatcher(exact=method)) for method in conditions.methods)
    if conditions.paths:
        yield _any(
            Principal(url_path=PathMatcher(path=matcher)) for path in conditions.paths for matcher in _path(path)
        )
    if conditions.headers:
        yield _any(_header(header.name, _value(header)) for header in conditions.headers)


def _all(principals: list[Principal]) -> Principal:
    if not principals:
        return Principal(any=True)
    return principals[0] if len(principals) == 1 else Principal(and_ids=PrincipalSet(ids=principals))


def _any(principals: Iterable[Principal]) -> Principal:
    found = list(principals)
    return found[0] if len(found) == 1 else Principal(or_ids=PrincipalSet(ids=found))


def _identity(name: StringMatcher) -> Principal:
    return Principal(authenticated=PrincipalAuthenticated(principal_name=name))


def _spiffe_id(principal: str) -> StringMatcher:
    return StringMatcher(prefix=principal[:-1]) if principal.endswith("/*") else StringMatcher(exact=principal)


def _claim(claim: ClaimMatch) -> Iterator[Principal]:
    path = [MetadataMatcherPathSegment(key=key) for key in (jwt.PAYLOAD, *claim.within, claim.name)]
    for value in claim.values:
        text = ValueMatcher(string_match=StringMatcher(exact=value))
        for wanted in (text, ValueMatcher(list_match=ListMatcher(one_of=text))):
            matcher = MetadataMatcher(filter=jwt.METADATA, path=path, value=wanted)
            yield Principal(sourced_metadata=SourcedMetadata(metadata_matcher=matcher))


def _range(text: str) -> CidrRange:
    address, _, length = text.partition("/")
    return CidrRange(address_prefix=address, prefix_len=int(length))


def _header(name: str, value: StringMatcher) -> Principal:
    return Principal(header=HeaderMatcher(name=name, string_match=value))


def _value(match: HTTPHeaderMatch) -> StringMatcher:
    if match.type == "RegularExpression":
        return StringMatcher(safe_regex=RegexMatcher(regex=match.value))
    return StringMatcher(exact=match.value)


def _path(match: HTTPPathMatch) -> Iterator[StringMatcher]:
    """The query is no part of it. A prefix is one of whole segments, as in routes."""
    match match.type:
        case "Exact":
            yield StringMatcher(exact=match.value)
        case "RegularExpression":
            yield StringMatcher(safe_regex=RegexMatcher(regex=match.value))
        case "PathPrefix":
            prefix = match.value.rstrip("/")
            if prefix:
                yield StringMatcher(exact=prefix)
            yield StringMatcher(prefix=f"{prefix}/")
