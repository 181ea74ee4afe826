"""Cluster: how to reach a backend. Its endpoints come by EDS, so a cluster changes only when its policy does."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterDiscoveryType,
    ClusterEdsClusterConfig,
    ClusterLbPolicy,
)
from envoy_data_plane.envoy.config.core.v3 import (
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    Http2ProtocolOptions,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.google.protobuf import Any

from policy.compiler.connections import HTTP_OPTIONS
from policy.compiler.features import CLUSTER_STEPS
from policy.compiler.inputs import ReachedBackend
from registry.model import Protocol
from xds.encoder import pack

_CONNECT_TIMEOUT = timedelta(seconds=2)
# What endpoints say of themselves in an `endpoint-load-metrics` header (ORCA), for load reports: what is not listed is
# not reported.
_REPORTED = ("cpu_utilization", "mem_utilization", "application_utilization", "named_metrics.*")


def cluster(reached: ReachedBackend) -> Cluster:
    """The cluster of a backend."""
    made = Cluster(
        name=reached.name,
        type=ClusterDiscoveryType.EDS,
        eds_cluster_config=ClusterEdsClusterConfig(eds_config=ads()),
        connect_timeout=_CONNECT_TIMEOUT,
        lb_policy=ClusterLbPolicy.LEAST_REQUEST,
        lrs_report_endpoint_metrics=list(_REPORTED),
        typed_extension_protocol_options=protocol_options(reached.protocol),
    )
    for step in CLUSTER_STEPS:
        step(made, reached)
    return made


def ads() -> ConfigSource:
    """The aggregated stream that brought this resource."""
    return ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


def protocol_options(protocol: Protocol) -> dict[str, Any]:
    """A cluster's `typed_extension_protocol_options` for endpoints that speak `protocol`."""
    match protocol:
        case Protocol.HTTP:
            return {}
        case Protocol.HTTP2:
            explicit = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
            return {HTTP_OPTIONS: pack(HttpProtocolOptions(explicit_http_config=explicit))}
