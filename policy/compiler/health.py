"""Which endpoints get requests: BackendPolicy's outlier detection, active health checks and circuit breakers on a
cluster."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import CircuitBreakers as EnvoyCircuitBreakers
from envoy_data_plane.envoy.config.cluster.v3 import CircuitBreakersThresholds, Cluster
from envoy_data_plane.envoy.config.cluster.v3 import OutlierDetection as EnvoyOutlierDetection
from envoy_data_plane.envoy.config.core.v3 import HealthCheck as EnvoyHealthCheck
from envoy_data_plane.envoy.config.core.v3 import (
    HealthCheckGrpcHealthCheck,
    HealthCheckHttpHealthCheck,
    HealthCheckPayload,
    HealthCheckTcpHealthCheck,
)
from envoy_data_plane.envoy.type.v3 import CodecClientType, Int64Range

from policy.backend_policy import BackendPolicy, CircuitBreakers, HealthCheck, OutlierDetection
from policy.compiler.connections import speaks_http2
from policy.compiler.inputs import ReachedBackend

_ALWAYS, _NEVER = 100, 0
_CONSECUTIVE = 5
_FIRST_WITHIN = timedelta(seconds=1)
"""The first checks of a cluster's endpoints are spread over so long: it serves nothing before they are done."""


def on_cluster(cluster: Cluster, reached: ReachedBackend) -> None:
    """The effective BackendPolicy of the backend."""
    policy = reached.policies.one(BackendPolicy)
    if policy is None:
        return
    if policy.spec.circuit_breakers is not None:
        cluster.circuit_breakers = _circuit_breakers(policy.spec.circuit_breakers)
    if policy.spec.outlier_detection is not None:
        cluster.outlier_detection = _outlier_detection(policy.spec.outlier_detection)
    if policy.spec.health_check is not None:
        cluster.health_checks = [_health_check(policy.spec.health_check, reached)]
        # The registry says which endpoints there are. Without this, one that it took away would get requests for as
        # long as it answers checks.
        cluster.ignore_health_on_host_removal = True


def _circuit_breakers(limits: CircuitBreakers) -> EnvoyCircuitBreakers:
    return EnvoyCircuitBreakers(
        thresholds=[
            CircuitBreakersThresholds(
                max_connections=limits.connections,
                max_pending_requests=limits.pending_requests,
                max_requests=limits.requests,
                max_retries=limits.retries,
                track_remaining=True,  # so that operators see how near a limit is
            )
        ]
    )


def _outlier_detection(rules: OutlierDetection) -> EnvoyOutlierDetection:
    """Envoy has defaults for rules that nobody gave, so each is said to apply or not to."""
    errors, gateway_errors = rules.consecutive_errors, rules.consecutive_gateway_errors
    if errors is None and gateway_errors is None and rules.success_rate is None and rules.failure_share is None:
        errors = _CONSECUTIVE
    detection = EnvoyOutlierDetection(
        consecutive_5xx=errors,
        enforcing_consecutive_5xx=_ALWAYS if errors else _NEVER,
        consecutive_gateway_failure=gateway_errors,
        enforcing_consecutive_gateway_failure=_ALWAYS if gateway_errors else _NEVER,
        enforcing_success_rate=_ALWAYS if rules.success_rate else _NEVER,
        enforcing_failure_percentage=_ALWAYS if rules.failure_share else _NEVER,
        interval=rules.interval,
        base_ejection_time=rules.ejection_time,
        max_ejection_time=rules.max_ejection_time,
        max_ejection_percent=rules.max_ejected_percent,
        always_eject_one_host=True,  # or a share of a few endpoints may come to none
    )
    if rules.success_rate is not None:
        detection.success_rate_minimum_hosts = rules.success_rate.minimum_endpoints
        detection.success_rate_request_volume = rules.success_rate.minimum_requests
        detection.success_rate_stdev_factor = round(rules.success_rate.deviations * 1000)
    if rules.failure_share is not None:
        detection.failure_percentage_threshold = rules.failure_share.percent
        detection.failure_percentage_minimum_hosts = rules.failure_share.minimum_endpoints
        detection.failure_percentage_request_volume = rules.failure_share.minimum_requests
    return detection


def _health_check(check: HealthCheck, reached: ReachedBackend) -> EnvoyHealthCheck:
    made = EnvoyHealthCheck(
        interval=check.interval,
        timeout=check.timeout,
        # Envoy checks once a minute while nothing was ever sent to a cluster. An interval is an interval.
        no_traffic_interval=check.interval,
        initial_jitter=min(check.interval, _FIRST_WITHIN),
        unhealthy_threshold=check.unhealthy_threshold,
        healthy_threshold=check.healthy_threshold,
    )
    # Without a name Envoy sends the cluster's, whose "/" is no part of any hostname.
    hostname = reached.address[0] if reached.address is not None else reached.backend.service.name
    if check.http is not None:
        made.http_health_check = HealthCheckHttpHealthCheck(
            host=check.http.hostname or hostname,
            path=check.http.path,
            expected_statuses=[Int64Range(start=status, end=status + 1) for status in check.http.statuses],
            codec_client_type=CodecClientType.HTTP2 if speaks_http2(reached) else CodecClientType.HTTP1,
        )
    elif check.grpc is not None:
        made.grpc_health_check = HealthCheckGrpcHealthCheck(service_name=check.grpc.service, authority=hostname)
    elif check.tcp is not None:
        made.tcp_health_check = HealthCheckTcpHealthCheck(
            send=_payload(check.tcp.send) if check.tcp.send is not None else None,
            receive=[_payload(text) for text in check.tcp.receive],
        )
    return made


def _payload(text: str) -> HealthCheckPayload:
    return HealthCheckPayload(text=text.encode().hex())
