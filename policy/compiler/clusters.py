"""Cluster: how to reach a backend. Endpoints come by EDS, so a cluster changes only when its policy does; servers
outside of the mesh are found by DNS."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterCustomClusterType,
    ClusterDiscoveryType,
    ClusterEdsClusterConfig,
    ClusterLbPolicy,
)
from envoy_data_plane.envoy.config.core.v3 import Address, Http2ProtocolOptions, SocketAddress
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.extensions.clusters.common.dns.v3 import DnsLookupFamily
from envoy_data_plane.envoy.extensions.clusters.dns.v3 import DnsCluster
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.google.protobuf import Any

from policy.compiler import tls
from policy.compiler.connections import HTTP_OPTIONS
from policy.compiler.features import CLUSTER_STEPS
from policy.compiler.inputs import ExternalHost, ReachedBackend, Tls
from policy.compiler.sources import ads
from registry.model import Protocol, is_ip_address
from xds.encoder import pack
from xds.messages import unchecked

_CONNECT_TIMEOUT = timedelta(seconds=2)
# What endpoints say of themselves in an `endpoint-load-metrics` header (ORCA), for load reports: what is not listed is
# not reported.
_REPORTED = ("cpu_utilization", "mem_utilization", "application_utilization", "named_metrics.*")

_Cluster = unchecked(Cluster)
_ClusterEdsClusterConfig = unchecked(ClusterEdsClusterConfig)


def cluster(reached: ReachedBackend) -> Cluster:
    """The cluster of a backend."""
    made = _Cluster(
        name=reached.name,
        connect_timeout=_CONNECT_TIMEOUT,
        lb_policy=ClusterLbPolicy.LEAST_REQUEST,
        lrs_report_endpoint_metrics=list(_REPORTED),
        typed_extension_protocol_options=protocol_options(reached.protocol),
    )
    if not reached.trusted:
        made.type = ClusterDiscoveryType.STATIC  # without endpoints: 503
        return made
    if reached.address is not None:
        found_at(made, *reached.address)
    else:
        made.type = ClusterDiscoveryType.EDS
        made.eds_cluster_config = _ClusterEdsClusterConfig(eds_config=ads())
    if reached.tls is not None:
        made.transport_socket = tls.upstream(reached.tls)
    for step in CLUSTER_STEPS:
        step(made, reached)
    return made


def found_at(made: Cluster, host: str, port: int) -> None:
    """Lets `made` have its endpoints at an IP address, or at all addresses that DNS has for a name."""
    if is_ip_address(host):
        made.type = ClusterDiscoveryType.STATIC
    else:
        made.cluster_type = ClusterCustomClusterType(
            name="envoy.clusters.dns",
            typed_config=pack(DnsCluster(dns_lookup_family=DnsLookupFamily.V4_PREFERRED)),
        )
    address = Address(socket_address=SocketAddress(address=host, port_value=port))
    found = LbEndpoint(endpoint=Endpoint(address=address, hostname=host))
    made.load_assignment = ClusterLoadAssignment(
        cluster_name=made.name, endpoints=[LocalityLbEndpoints(lb_endpoints=[found])]
    )


def external_cluster(host: ExternalHost) -> Cluster:
    """The cluster of a server outside the mesh that a filter calls."""
    made = _Cluster(
        name=host.name,
        connect_timeout=_CONNECT_TIMEOUT,
        typed_extension_protocol_options=protocol_options(host.protocol),
    )
    found_at(made, host.host, host.port)
    if host.tls:
        made.transport_socket = tls.upstream(Tls(host.host, ca=host.ca))
    return made


def protocol_options(protocol: Protocol) -> dict[str, Any]:
    """A cluster's `typed_extension_protocol_options` for endpoints that speak `protocol`."""
    match protocol:
        case Protocol.HTTP:
            return {}
        case Protocol.HTTP2:
            explicit = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
            return {HTTP_OPTIONS: pack(HttpProtocolOptions(explicit_http_config=explicit))}
