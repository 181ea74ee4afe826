"""Faults: FaultPolicy as a filter that a route runs until the policy expires (docs/decisions/0051).

Whether the fault filter runs, an expression over the time of the request decides. So each proxy ends a
fault by its own clock, whether or not a control plane is there to take it away.
"""

from __future__ import annotations

from datetime import datetime

from betterproto2 import Message
from envoy_data_plane.envoy.extensions.filters.common.fault.v3 import FaultDelay
from envoy_data_plane.envoy.extensions.filters.http.fault.v3 import FaultAbort, HttpFault
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as XdsExtensionConfig
from envoy_data_plane.xds.type.matcher.v3 import (
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicateSinglePredicate,
)

from policy.compiler import cel
from policy.compiler.inputs import RoutedRule
from policy.compiler.matches import header_matcher
from policy.compiler.routed_filters import running
from policy.fault_policy import FaultPolicy, FaultPolicySpec, format_instant
from xds.encoder import pack

NAME = "apg.fault"

_PARTS = 10_000  # of a percent: of FractionalPercent's million there are 10,000 to each


def asked(rule: RoutedRule) -> FaultPolicySpec | None:
    """The effective FaultPolicy of a rule."""
    policy = rule.policies.one(FaultPolicy)
    return policy.spec if policy is not None else None


def on_route(spec: FaultPolicySpec) -> Message:
    """The fault, for requests that begin before it expires."""
    return running([("envoy.filters.http.fault", _fault(spec))], when=_begins_before(spec.expires_at))


def _fault(spec: FaultPolicySpec) -> HttpFault:
    fault = HttpFault(headers=[header_matcher(header) for header in spec.headers])
    if spec.delay is not None:
        fault.delay = FaultDelay(fixed_delay=spec.delay.duration, percentage=_percentage(spec.delay.percent))
    if spec.abort is not None:
        fault.abort = FaultAbort(
            http_status=spec.abort.status,
            grpc_status=spec.abort.grpc_status,
            percentage=_percentage(spec.abort.percent),
        )
    return fault


def _percentage(percent: float) -> FractionalPercent:
    return FractionalPercent(numerator=round(percent * _PARTS), denominator=FractionalPercentDenominatorType.MILLION)


def _begins_before(instant: datetime) -> MatcherMatcherListPredicate:
    """request.time < timestamp("...")"""
    limit = cel.call("timestamp", cel.text(format_instant(instant)))
    before = cel.matches(cel.call("_<_", cel.attribute("request", "time"), limit))
    return MatcherMatcherListPredicate(
        single_predicate=MatcherMatcherListPredicateSinglePredicate(
            input=XdsExtensionConfig(name="request", typed_config=pack(cel.HttpAttributesCelMatchInput())),
            custom_match=XdsExtensionConfig(name="expiry", typed_config=pack(before)),
        )
    )
