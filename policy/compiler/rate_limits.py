"""Rate limits: RateLimitPolicy as Envoy's local_ratelimit filter; as its ratelimit filter, which asks a service; and as
its rate_limit_quota filter, which is told each proxy's share of a fleet's limit.

Each limit is a *descriptor* that requests carry: which limit, and, where clients count by themselves, whose request.
The buckets of local limits stand in the chain: routes of one policy share them, and a changed route does not fill them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as HeaderMutationRule
from envoy_data_plane.envoy.config.core.v3 import (
    ApiVersion,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    RuntimeFractionalPercent,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.ratelimit.v3 import RateLimitServiceConfig
from envoy_data_plane.envoy.config.route.v3 import (
    FilterConfig,
    RateLimitAction,
    RateLimitActionGenericKey,
    RateLimitActionMaskedRemoteAddress,
    RateLimitActionMetaData,
    RateLimitActionRequestHeaders,
    RateLimitOverride,
    RateLimitOverrideRateLimitOverride,
    RateLimitXRateLimitOption,
    RouteAction,
)
from envoy_data_plane.envoy.config.route.v3 import RateLimit as Descriptor
from envoy_data_plane.envoy.extensions.common.ratelimit.v3 import (
    LocalRateLimitDescriptor,
    RateLimitDescriptorEntry,
    XRateLimitHeadersRfcVersion,
)
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import (
    HeaderMutation,
    HeaderMutationPerRoute,
    Mutations,
)
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit.v3 import LocalRateLimit
from envoy_data_plane.envoy.extensions.filters.http.rate_limit_quota.v3 import (
    RateLimitQuotaBucketSettings,
    RateLimitQuotaBucketSettingsDenyResponseSettings,
    RateLimitQuotaBucketSettingsExpiredAssignmentBehavior,
    RateLimitQuotaBucketSettingsExpiredAssignmentBehaviorReuseLastAssignment,
    RateLimitQuotaBucketSettingsNoAssignmentBehavior,
    RateLimitQuotaFilterConfig,
)
from envoy_data_plane.envoy.extensions.filters.http.rate_limit_quota.v3 import (
    RateLimitQuotaBucketSettingsBucketIdBuilder as BucketIdBuilder,
)
from envoy_data_plane.envoy.extensions.filters.http.rate_limit_quota.v3 import (
    RateLimitQuotaBucketSettingsBucketIdBuilderValueBuilder as ValueBuilder,
)
from envoy_data_plane.envoy.extensions.filters.http.ratelimit.v3 import (
    RateLimit,
    RateLimitPerRoute,
    RateLimitXRateLimitHeadersRfcVersion,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.type.matcher.v3 import HttpRequestHeaderMatchInput
from envoy_data_plane.envoy.type.metadata.v3 import MetadataKey, MetadataKeyPathSegment
from envoy_data_plane.envoy.type.v3 import (
    FractionalPercent,
    FractionalPercentDenominatorType,
    HttpStatus,
    RateLimitStrategy,
    RateLimitStrategyBlanketRule,
    RateLimitUnit,
    StatusCode,
    TokenBucket,
)
from envoy_data_plane.google.protobuf import Any as Packed
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as XdsTypedExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import Matcher, MatcherOnMatch

from policy.compiler import calls, jwt
from policy.compiler.inputs import HttpListener, Need, RoutedRule
from policy.rate_limit_policy import EXACT_UNITS, ClientKey, RateLimitPolicy, RateLimitService, RequestLimit
from registry.model import Protocol
from xds.encoder import pack
from xds.quotas import Limit, bucket_name

LIMIT, CLIENT = "limit", "client"
"""The keys of descriptors."""

MARK, QUOTA = "envoy.filters.http.rate_limit_quota/1-bucket", "envoy.filters.http.rate_limit_quota/2-share"

_BUCKET_HEADER = "x-apg-limit"
_REPORTS = timedelta(seconds=5)
_REUSED = timedelta(days=7)  # for a proxy that has lost its control plane
_CONTROL_PLANE = "xds"  # the cluster of envoy/bootstrap.yaml
_CLIENTS = 10_000
"""How many clients a proxy counts at once; of more, those that have been quiet longest are forgotten."""
_IPV4, _IPV6 = 32, 64
"""The bits of an address that make a client: of IPv6, a provider gives each at least a network of 64."""


class Asked(NamedTuple):
    """A policy's limits. service: who counts, unless each proxy does. fleet: they are all proxies' together."""

    policy: str
    home: str
    limits: tuple[RequestLimit, ...]
    service: RateLimitService | None
    fleet: bool = False


def asked_of_proxies(rule: RoutedRule) -> Asked | None:
    """A fleet's limit is also each proxy's: so much it may pass where it has not been told its share."""
    return _asked(rule, "Proxy") or asked_of_the_fleet(rule)


def asked_of_the_fleet(rule: RoutedRule) -> Asked | None:
    return _asked(rule, "Fleet")


def asked_of_a_service(rule: RoutedRule) -> Asked | None:
    return _asked(rule, "Service")


def on_action(action: RouteAction, rule: RoutedRule) -> None:
    """The descriptors of local limits."""
    value = asked_of_proxies(rule)
    if value is not None:
        # What a proxy has left of a fleet's limit is for nobody to plan with.
        told = RateLimitXRateLimitOption.OFF if value.fleet else RateLimitXRateLimitOption.UNSPECIFIED
        action.rate_limits = [
            Descriptor(actions=_actions(value, index), x_ratelimit_option=told) for index in range(len(value.limits))
        ]


def local_on_route(value: Asked) -> FilterConfig:
    return FilterConfig(config=Packed())


def local_in_chain(values: tuple[Asked, ...]) -> LocalRateLimit:
    always = RuntimeFractionalPercent(
        default_value=FractionalPercent(numerator=100, denominator=FractionalPercentDenominatorType.HUNDRED)
    )
    return LocalRateLimit(
        stat_prefix="limits",
        filter_enabled=always,
        filter_enforced=always,
        descriptors=[
            LocalRateLimitDescriptor(entries=entries, token_bucket=_bucket(limit, fleet=value.fleet))
            for value in values
            for index, limit in enumerate(value.limits)
            for entries in _entries(value, index)
        ],
        max_dynamic_descriptors=_CLIENTS,
        enable_x_ratelimit_headers=XRateLimitHeadersRfcVersion.DRAFT_VERSION_03,
        rate_limited_as_resource_exhausted=True,
    )


def mark_on_route(value: Asked) -> HeaderMutationPerRoute:
    """The bucket of the route's requests: quotas know no configuration of routes, but can read headers."""
    limit = value.limits[0]
    milliseconds = round(limit.per.total_seconds() * 1_000)
    bucket = bucket_name(_name(value, 0), Limit(limit.requests, milliseconds, _burst(limit, fleet=True)))
    header = HeaderValueOption(
        header=HeaderValue(key=_BUCKET_HEADER, value=bucket),
        append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    return HeaderMutationPerRoute(
        mutations=Mutations(
            request_mutations=[HeaderMutationRule(append=header)], response_mutations=list(_told(limit))
        )
    )


def _told(limit: RequestLimit) -> Iterator[HeaderMutationRule]:
    """What clients can be told of a fleet's limit (draft-polli-ratelimit-headers-03): the limit and its time. What is
    left is each proxy's own to know, so of the draft's headers that one, which may be missing, is."""
    seconds = math.ceil(limit.per.total_seconds())
    fields = {
        "x-ratelimit-limit": f"{limit.requests}, {limit.requests};w={seconds}",
        "x-ratelimit-reset": str(seconds),
    }
    for name, value in fields.items():
        yield HeaderMutationRule(
            append=HeaderValueOption(
                header=HeaderValue(key=name, value=value),
                append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
            )
        )


def mark_in_chain(values: tuple[Asked, ...]) -> HeaderMutation:
    return HeaderMutation()


def quota_on_route(value: Asked) -> FilterConfig:
    return FilterConfig(config=Packed())


def quota_in_chain(values: tuple[Asked, ...]) -> RateLimitQuotaFilterConfig:
    """Without its domain, which is the listener's: see `on_connection_manager`."""
    return _quota("apg")


def on_connection_manager(manager: HttpConnectionManager, served: HttpListener) -> None:
    """Proxies share a limit by listener, as routes share buckets."""
    for entry in manager.http_filters:
        if entry.name == QUOTA:
            entry.typed_config = pack(_quota(served.name))


def _quota(domain: str) -> RateLimitQuotaFilterConfig:
    """Until a proxy is told its share, requests pass, up to the local limit; a share that it was told stays."""
    pass_all = RateLimitStrategy(blanket_rule=RateLimitStrategyBlanketRule.ALLOW_ALL)
    bucket = pack(HttpRequestHeaderMatchInput(header_name=_BUCKET_HEADER))
    name = ValueBuilder(custom_value=TypedExtensionConfig(name="bucket", typed_config=bucket))
    settings = RateLimitQuotaBucketSettings(
        bucket_id_builder=BucketIdBuilder(bucket_id_builder={LIMIT: name}),
        reporting_interval=_REPORTS,
        no_assignment_behavior=RateLimitQuotaBucketSettingsNoAssignmentBehavior(fallback_rate_limit=pass_all),
        expired_assignment_behavior=RateLimitQuotaBucketSettingsExpiredAssignmentBehavior(
            expired_assignment_behavior_timeout=_REUSED,
            reuse_last_assignment=RateLimitQuotaBucketSettingsExpiredAssignmentBehaviorReuseLastAssignment(),
        ),
        deny_response_settings=RateLimitQuotaBucketSettingsDenyResponseSettings(
            http_status=HttpStatus(code=StatusCode.TooManyRequests)
        ),
    )
    action = XdsTypedExtensionConfig(name="settings", typed_config=pack(settings))
    return RateLimitQuotaFilterConfig(
        rlqs_server=GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=_CONTROL_PLANE)),
        domain=domain,
        bucket_matchers=Matcher(on_no_match=MatcherOnMatch(action=action)),
    )


def service_on_route(value: Asked) -> RateLimitPerRoute:
    assert value.service is not None
    return RateLimitPerRoute(
        domain=value.service.domain,
        rate_limits=[
            Descriptor(actions=_actions(value, index), limit=_override(limit))
            for index, limit in enumerate(value.limits)
        ],
    )


def service_in_chain(values: tuple[Asked, ...]) -> RateLimit:
    """All policies of a mesh name the same server, timeout and failure mode."""
    service = values[0].service
    assert service is not None
    [need] = service_needs(values[0])
    return RateLimit(
        domain=service.domain,
        timeout=service.timeout,
        failure_mode_deny=service.failure_mode == "Closed",
        status_on_error=HttpStatus(code=StatusCode.ServiceUnavailable),
        rate_limit_service=RateLimitServiceConfig(
            grpc_service=calls.grpc(need, timeout=service.timeout), transport_api_version=ApiVersion.V3
        ),
        enable_x_ratelimit_headers=RateLimitXRateLimitHeadersRfcVersion.DRAFT_VERSION_03,
        rate_limited_as_resource_exhausted=True,
    )


def service_needs(value: Asked) -> Iterator[Need]:
    service = value.service
    assert service is not None
    if service.backend_ref is not None:
        yield calls.service(service.backend_ref, home=value.home)
    if service.server is not None:
        yield calls.outside(service.server, protocol=Protocol.HTTP2)


def _asked(rule: RoutedRule, scope: str) -> Asked | None:
    policy = rule.policies.one(RateLimitPolicy)
    if policy is None or policy.spec.scope != scope:
        return None
    key, spec = policy.key, policy.spec
    return Asked(f"{key.namespace}/{key.name}", key.namespace, spec.limits, spec.service, scope == "Fleet")


def _name(value: Asked, index: int) -> str:
    return f"{value.policy}/{value.limits[index].name or index}"


def _actions(value: Asked, index: int) -> list[RateLimitAction]:
    which = RateLimitActionGenericKey(descriptor_key=LIMIT, descriptor_value=_name(value, index))
    each = value.limits[index].each
    return [RateLimitAction(generic_key=which), *([_client(each)] if each is not None else [])]


def _client(key: ClientKey) -> RateLimitAction:
    """A request without the key has a descriptor without a client."""
    if key.header is not None:
        header = RateLimitActionRequestHeaders(header_name=key.header, descriptor_key=CLIENT, skip_if_absent=True)
        return RateLimitAction(request_headers=header)
    if key.claim is not None:
        path = [MetadataKeyPathSegment(key=part) for part in (jwt.PAYLOAD, key.claim)]
        metadata_key = MetadataKey(key=jwt.METADATA, path=path)
        metadata = RateLimitActionMetaData(descriptor_key=CLIENT, metadata_key=metadata_key, skip_if_absent=True)
        return RateLimitAction(metadata=metadata)
    masked = RateLimitActionMaskedRemoteAddress(v4_prefix_mask_len=_IPV4, v6_prefix_mask_len=_IPV6)
    return RateLimitAction(masked_remote_address=masked)


def _entries(value: Asked, index: int) -> Iterator[list[RateLimitDescriptorEntry]]:
    """The descriptors that a limit has buckets for. An entry without a value stands for any, with a bucket for each."""
    which = RateLimitDescriptorEntry(key=LIMIT, value=_name(value, index))
    each = value.limits[index].each
    if each is not None and each.source_address:
        yield [which, RateLimitDescriptorEntry(key=_MASKED)]
        return
    yield [which]
    if each is not None:
        yield [which, RateLimitDescriptorEntry(key=CLIENT)]


_MASKED = "masked_remote_address"
"""The key that Envoy gives to addresses."""


def _bucket(limit: RequestLimit, *, fleet: bool) -> TokenBucket:
    return TokenBucket(max_tokens=_burst(limit, fleet=fleet), tokens_per_fill=limit.requests, fill_interval=limit.per)


def _burst(limit: RequestLimit, *, fleet: bool) -> int:
    """A share that changes comes with a full bucket, so a fleet's buckets are small unless the policy wants others."""
    if limit.burst is not None:
        return limit.burst
    return max(1, round(limit.requests / limit.per.total_seconds())) if fleet else limit.requests


def _override(limit: RequestLimit) -> RateLimitOverride:
    """The limit goes with each request, so the service needs none in its own configuration."""
    return RateLimitOverride(
        rate_limit=RateLimitOverrideRateLimitOverride(
            requests_per_unit=limit.requests, unit=RateLimitUnit[EXACT_UNITS[limit.per]]
        )
    )
