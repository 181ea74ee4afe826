"""Mirrors: RequestMirror filters of a rule, as the mirror policies of its route's action."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import RuntimeFractionalPercent
from envoy_data_plane.envoy.config.route.v3 import RouteAction, RouteActionRequestMirrorPolicy
from envoy_data_plane.envoy.type.v3 import FractionalPercent, FractionalPercentDenominatorType

from policy.compiler import names
from policy.compiler.inputs import RoutedRule


def on_action(action: RouteAction, routed: RoutedRule) -> None:
    """Each mirror of the rule."""
    mirrors = [item.request_mirror for item in routed.rule.filters if item.request_mirror is not None]
    action.request_mirror_policies = [
        RouteActionRequestMirrorPolicy(
            cluster=names.cluster(backend),
            runtime_fraction=RuntimeFractionalPercent(
                default_value=FractionalPercent(
                    numerator=mirror.parts_per_million, denominator=FractionalPercentDenominatorType.MILLION
                )
            ),
        )
        for mirror, backend in zip(mirrors, routed.mirrors, strict=True)
    ]
